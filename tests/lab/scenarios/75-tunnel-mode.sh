#!/bin/bash
# lab: variants=libreswan
# interop: libreswan host tunnel mode
# promise: 1
# A host that does not do transport mode gives a tunnel between the two hosts.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good ecdsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host AAAA $server_v6
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good tunnel
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_within 1500
expect_protected server
lab_dig host.keyed.example AAAA
expect_answer "$server_v6"
expect_protected server 6
[ "$(lab_oe status | grep -cw tunnel)" = 2 ] || fail "oe status: $(lab_oe status)"
ip -n client xfrm state | grep -F 'mode tunnel' >/dev/null || fail "no SA in tunnel mode"
