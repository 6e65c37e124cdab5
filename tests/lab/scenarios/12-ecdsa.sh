#!/bin/bash
# lab: variants=libreswan,own,own-p384
# interop: libreswan host ECDSA key
# promise: 1 2
# ECDSA keys: P-256, and P-384 where the host can (libreswan 4.10 has the same code for both).
. "$LAB/lib.sh"

type=ecdsa
[ "$LAB_VARIANT" != own-p384 ] || type=ecdsa384
lab_topology client dns server
lab_capture wire
lab_key good $type
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "${LAB_VARIANT%-*}" good
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_ad
expect_tunnel server
expect_protected server
