#!/bin/bash
# lab: variants=libreswan,own
# promise: 1 2
# CNAME, DNAME and wildcards lead to the owner of the address, and the key is asked for there.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
sub.deep A $server_v4
sub.deep IPSECKEY $(lab_ipseckey good)
*.wild A $server_v4
*.wild IPSECKEY $(lab_ipseckey good)
ZONE
lab_zone alias.example nsec3 <<ZONE
www CNAME host.keyed.example.
twice CNAME www
tree DNAME deep.keyed.example.
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_dig twice.alias.example
expect_answer "$server_v4"
expect_ad
expect_tunnel server
expect_protected server
for name in www.alias.example sub.tree.alias.example any.wild.keyed.example other.wild.keyed.example; do
	lab_dig $name
	expect_answer "$server_v4"
	expect_ad
done
expect_ike_exchanges server 1
expect_protected server
