#!/bin/bash
# promise: 2 6 7
# The query for the IPSECKEY of a signed name is never answered: SERVFAIL inside the deadline, no downgrade.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
another A $server_v4
another IPSECKEY $(lab_ipseckey good)
ZONE
lab_drop_queries host.keyed.example 45
lab_responder server own good
lab_start_client

lab_ask 127.0.0.1 host.keyed.example another.keyed.example
lab_asked host.keyed.example
expect_servfail_ede "ipsec: the IPSECKEY lookup failed"
expect_within 1600
lab_asked another.keyed.example
expect_answer "$server_v4"
expect_within 300
lab_dig host.keyed.example
expect_servfail_ede "ipsec: the IPSECKEY lookup failed"
expect_within 1600
expect_why host.keyed.example refused "because the IPSECKEY lookup failed"
