#!/bin/bash
# lab: variants=libreswan,own
# interop: libreswan host RSA key
# promise: 1 2
# The heart of it: a name with a key is encrypted before it is answered. RSA-3072 over IPv4.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_watch_policies

expect_no_tunnel server
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_ad
expect_within 1500
expect_tunnel server
expect_protected server
expect_policy_before_answer server
expect_ike_exchanges server 1

# Again, from the cache: the same tunnel.
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_ad
expect_ike_exchanges server 1
