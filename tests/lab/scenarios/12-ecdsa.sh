#!/bin/bash
# lab: variants=own,own-p384
# promise: 1 2
# ECDSA keys: P-256 and P-384.
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
lab_responder server own good
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_ad
expect_tunnel server
expect_protected server
