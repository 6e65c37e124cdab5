#!/bin/bash
# lab: variants=own
# promise: 6
# A host under load demands a cookie first (RFC 7296 2.6): one more round trip, nothing else.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good 'always-cookie: yes'
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
# The request went twice, and the second time with what was asked for.
[ "$(check_capture ike wire.pcap "$client_v4" "$server_v4" | grep -c 'IKE_SA_INIT 0 request')" -ge 2 ] ||
	fail "the host demanded no cookie"
expect_ike_exchanges server 1
