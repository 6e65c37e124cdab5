#!/bin/bash
# lab: variants=ed25519,wrong-key timeout=120
# interop: strongswan client :ed25519 Ed25519 key
# interop: strongswan client :wrong-key wrong key
# promise: 2
# strongSwan asks for a tunnel and says who it is; oe-iked looks its key up in DNS, through its own Unbound.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

published=theirs
[ "$LAB_VARIANT" != wrong-key ] || published=other
lab_topology client dns server
lab_capture wire
lab_key mine ed25519
lab_key theirs ed25519
lab_key other ed25519
lab_zone keyed.example signed <<ZONE
peer IPSECKEY $(lab_ipseckey "$published")
ZONE
lab_strongswan server peer.keyed.example theirs client host.keyed.example mine
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: host.keyed.example' 'accept-identified: yes'
lab_start_client

initiate() { lab_swanctl server --initiate --child v4 --timeout 15 >initiate.log 2>&1; }
if [ "$LAB_VARIANT" = wrong-key ]; then
	! initiate || fail 'it has a tunnel'
	strongswan_says server 'received AUTHENTICATION_FAILED' || fail 'it was not told AUTHENTICATION_FAILED'
	lab_says oe-iked 'does not verify with the published key' || fail 'oe-iked does not say why'
	expect_no_tunnel server
	exit 0
fi
initiate || fail "$(tail -n 1 initiate.log)"
expect_tunnel server
expect_reached server "$client_v4"
expect_no_cleartext client "$server_v4"
lab_oe status --json | grep -q peer.keyed.example || fail 'oe status does not name the client'
