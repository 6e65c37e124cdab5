#!/bin/bash
# lab: variants=fragments,invalid-ke,childless,nat,delete,liveness,ike-rekey,our-rekey timeout=120
# interop: strongswan host :fragments IKE messages in fragments
# interop: strongswan host :invalid-ke another group (INVALID_KE_PAYLOAD)
# interop: strongswan host :childless childless IKE SAs announced
# interop: strongswan host :nat NAT in between, transport mode
# interop: strongswan host :delete deleted by the peer
# interop: strongswan host :liveness liveness asked by the peer
# interop: strongswan host :ike-rekey IKE SA rekeyed by the peer
# interop: strongswan host :our-rekey rekeyed by us
# promise: 4
# What strongSwan does as a host besides letting us in. Each case looks in its log whether that really happened.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

type=ed25519 router=() lines=()
case $LAB_VARIANT in
fragments)	type=rsa lines=('fragmentation = force' -- -- 'fragment_size = 576')
		lab_oe_conf 'fragment-size: 576' ;;
invalid-ke)	lines=('proposals = aes256gcm16-prfsha256-ecp256') ;;
childless)	lines=('childless = allow') ;;
nat)		router=(-r) lines=('remote_addrs = %any')
		lab_oe_conf 'soft-life: 10' ;;
liveness)	lines=('dpd_delay = 1s') ;;
ike-rekey)	lines=('rekey_time = 3s' 'over_time = 60s' 'rand_time = 0') ;;
our-rekey)	lab_oe_conf 'soft-life: 30' ;;
esac
lab_topology "${router[@]}" client dns server
[ "$LAB_VARIANT" != nat ] || lab_nat
lab_capture wire
lab_key good "$type"
lab_key mine "$type"
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_strongswan server host.keyed.example good client client.keyed.example mine "${lines[@]}"
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example'
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_tunnel server
expect_protected server

# server_says SECONDS TEXT: within that time
server_says() { lab_wait "$1" "\"$2\" in strongSwan's log" strongswan_says server "$2"; }
# server_counts N: so many IKE SAs were established with it
server_counts() { [ "$(grep -c 'IKE_SA v4\[.*established between' "$LAB_WORK/charon.server/charon.log")" = "$1" ]; }
case $LAB_VARIANT in
nat)
	# Its answer has the router's address as the client's selector (RFC 7296 2.23.1), also when new keys are made.
	server_says 1 'remote host is behind NAT'
	lab_wait 20 'the rekeying' lab_says oe-iked ': rekeyed'
	nap 1
	expect_protected server
	expect_ike_exchanges server 1 ;;
fragments)
	server_says 1 'splitting IKE message'
	server_says 1 'received fragment #2' ;;
invalid-ke)
	server_says 1 'N(INVAL_KE)'
	expect_ike_exchanges server 1 ;;
childless)
	server_says 1 'N(CHDLESS_SUP)' ;;
delete)
	lab_swanctl server --terminate --ike v4 --timeout 5 >terminate.log 2>&1 || fail "$(tail -n 1 terminate.log)"
	lab_wait 5 'the deletion' lab_says oe-iked 'deleted by the peer'
	# It was in use a moment ago, so it is made again at once.
	lab_wait 5 'another tunnel' server_counts 2
	expect_protected server
	expect_ike_exchanges server 2 ;;
liveness)
	nap 2
	server_says 5 'sending DPD request'
	server_says 5 'parsed INFORMATIONAL response'
	expect_protected server ;;
ike-rekey)
	lab_wait 15 'the rekeying' lab_says oe-iked 'IKE SA rekeyed'
	nap 1
	server_says 5 'rekeyed between'
	expect_protected server
	expect_ike_exchanges server 1 ;;
our-rekey)
	lab_wait 45 'the rekeying' lab_says oe-iked ': rekeyed'
	nap 1
	expect_protected server
	expect_ike_exchanges server 1 ;;
esac
