#!/bin/bash
# lab: variants=rsa,ecdsa,ecdsa384,ed25519,ipv6,peer-rekey timeout=120
# interop: strongswan host no anonymous client: 5.9.8 knows no AUTH_NULL
# interop: strongswan client no anonymous client: 5.9.8 knows no AUTH_NULL
# interop: strongswan host :rsa RSA key
# interop: strongswan host :ecdsa ECDSA key
# interop: strongswan host :ecdsa384 ECDSA P-384 key
# interop: strongswan host :ed25519 Ed25519 key
# interop: strongswan host :ipv6 IPv6
# interop: strongswan host :peer-rekey rekeyed by the peer
# promise: 1
# strongSwan is the host; it lets nobody in who does not sign, so this host says who it is (mutual mode).
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

type=$LAB_VARIANT record=A address=$server_v4 family=4
lines=()
case $LAB_VARIANT in
ipv6)		type=ed25519 record=AAAA address=$server_v6 family=6 ;;
peer-rekey)	type=ed25519 lines=(-- 'rekey_time = 4s' 'life_time = 60s' 'rand_time = 0') ;;
esac
lab_topology client dns server
lab_capture wire
lab_key good "$type"
lab_key mine "$type"
lab_zone keyed.example signed <<ZONE
host A $server_v4
host AAAA $server_v6
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_strongswan server host.keyed.example good client client.keyed.example mine "${lines[@]}"
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example'
lab_start_client

lab_dig host.keyed.example "$record"
expect_answer "$address"
expect_ad
expect_tunnel server
expect_protected server "$family"
[ "$LAB_VARIANT" = peer-rekey ] || exit 0
lab_wait 45 'the rekeying' lab_says oe-iked 'rekeyed'
sleep 1
expect_protected server
