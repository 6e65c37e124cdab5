#!/bin/bash
# lab: variants=libreswan,own
# promise: 1 3
# Two addresses, one of them with a host that does not hold the key: a stub gets the good one alone; whoever wants
# signatures gets SERVFAIL, since half an RRset has none.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good rsa
lab_key other rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host A $server2_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_responder server2 "$LAB_VARIANT" other
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_no_ad
expect_tunnel server
expect_no_tunnel server2
expect_protected server
expect_no_cleartext client server2
expect_why host.keyed.example protected "; $server2_v4 is left out, because the host does not hold the key that its DNS name publishes"
lab_dig host.keyed.example A +dnssec
expect_servfail_ede "ipsec: the host does not hold the key"
