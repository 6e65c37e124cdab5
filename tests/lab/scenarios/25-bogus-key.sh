#!/bin/bash
# lab: variants=libreswan,own
# promise: 2 3 7
# The address validates, its IPSECKEY does not: SERVFAIL, never a silent downgrade; and no IKE with an unproven key.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
fine A $server_v4
fine IPSECKEY $(lab_ipseckey good)
ZONE
lab_break host.keyed.example IPSECKEY
lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_dig host.keyed.example
expect_servfail_ede "ipsec: the IPSECKEY records do not validate"
expect_ike_exchanges server 0
expect_no_tunnel server
lab_dig host.keyed.example A +cdflag
expect_servfail_ede "ipsec: the IPSECKEY records do not validate"
expect_no_tunnel server
expect_why host.keyed.example refused "because the IPSECKEY records do not validate"

lab_dig fine.keyed.example
expect_answer "$server_v4"
expect_protected server
