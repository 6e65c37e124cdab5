#!/bin/bash
# lab: variants=libreswan,own
# promise: 3 4 7
# oe-iked dies without a word: what was protected stays encrypted or is dropped, other names answer, keyed ones say why not.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
new A $server2_v4
new IPSECKEY $(lab_ipseckey good)
plain A $server2_v4
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

kill -9 "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
expect_tunnel server
expect_protected server
lab_dig plain.keyed.example
expect_answer "$server2_v4"
lab_dig new.keyed.example
expect_servfail_ede "ipsec: oe-iked is not running"
expect_within 1600
expect_no_tunnel server2
expect_why new.keyed.example refused "because oe-iked is not running"
