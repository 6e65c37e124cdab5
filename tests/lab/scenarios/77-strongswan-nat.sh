#!/bin/bash
# lab: timeout=120
# interop: strongswan host NAT in between, transport mode
# promise: 1 4
# Behind a NAT strongSwan answers in transport mode with the router's address as the client's selector (RFC 7296 2.23.1), in IKE_AUTH
# and when new keys are made. The client knows better which address is its own.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

lab_topology -r client dns server
lab_nat
lab_capture wire
lab_key good ed25519
lab_key mine ed25519
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_strongswan server host.keyed.example good client client.keyed.example mine 'remote_addrs = %any'
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example' 'soft-life: 10'
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_tunnel server
expect_protected server
strongswan_says server 'remote host is behind NAT' || fail 'strongSwan saw no NAT'
lab_wait 20 'the rekeying' lab_says oe-iked ': rekeyed'
nap 1
expect_protected server
expect_ike_exchanges server 1
