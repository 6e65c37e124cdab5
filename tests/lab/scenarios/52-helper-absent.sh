#!/bin/bash
# promise: 3 5 7
# Unbound starts and answers without oe-iked; names with keys say why they cannot be had; oe-iked comes later and all is well.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
plain A $server_v4
ZONE
lab_responder server own good
lab_start_client alone

lab_dig host.keyed.example
expect_servfail_ede "ipsec: oe-iked is not running"
expect_within 1600
expect_why host.keyed.example refused "because oe-iked is not running"
lab_dig plain.keyed.example
expect_answer "$server_v4"
expect_ad
expect_ike_exchanges server 0

answered() { lab_dig host.keyed.example && [ "$lab_rcode" = NOERROR ]; }
start_iked oe-iked client oe.conf resolver.sock
lab_wait 10 "an answer" answered
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
