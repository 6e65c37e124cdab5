#!/bin/bash
# lab: variants=libreswan,own
# interop: libreswan host wrong key
# promise: 2 3 7
# The host does not hold the key that the DNS publishes: no answer, a reason, and nothing left behind.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_key other rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey other)
plain A $server_v4
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_dig host.keyed.example
expect_servfail_ede "ipsec: the host does not hold the key"
expect_within 1600
expect_no_tunnel server
expect_no_esp client server
expect_why host.keyed.example refused "because the host does not hold the key that its DNS name publishes"
# Asked again at once, and by a stub that wants to validate by itself or does not care about validation.
lab_dig host.keyed.example A +dnssec
expect_servfail_ede "ipsec: the host does not hold the key"
lab_dig host.keyed.example A +cdflag
expect_servfail_ede "ipsec: the host does not hold the key"
expect_no_tunnel server

# Only that name fails: another name of the same host answers, and the host is reached in clear as ever.
lab_dig plain.keyed.example
expect_answer "$server_v4"
expect_ad
ping_from client "$server_v4"
expect_cleartext "$client_v4" "$server_v4"
