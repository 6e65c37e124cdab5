#!/bin/bash
# lab: variants=ed25519,ed448
# interop: libreswan host no Ed25519 key: 4.10 has no EdDSA
# interop: libreswan client no Ed25519 key: 4.10 has no EdDSA
# promise: 1 2
# EdDSA keys (RFC 8420, RFC 9373); libreswan has none.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good "$LAB_VARIANT"
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
