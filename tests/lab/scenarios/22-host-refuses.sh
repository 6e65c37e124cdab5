#!/bin/bash
# lab: variants=closed,libreswan,own
# interop: libreswan host client refused
# promise: 3 7
# A host without an IKE daemon, and hosts whose daemon does not let anonymous clients in.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
plain A $server_v4
ZONE
why="the host refused"
case $LAB_VARIANT in
closed)		why="unreachable" ;;
libreswan)	lab_responder server libreswan good refuse ;;
own)		lab_responder server own good 'accept-anonymous: no' ;;
esac
lab_start_client

lab_dig host.keyed.example
expect_servfail_ede "ipsec: "
expect_servfail_ede "$why"
expect_within 1600
expect_no_tunnel server
expect_why host.keyed.example refused "$why"
lab_dig plain.keyed.example
expect_answer "$server_v4"
ping_from client "$server_v4"
