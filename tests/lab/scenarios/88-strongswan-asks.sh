#!/bin/bash
# lab: timeout=200
# interop: strongswan client RSA key of 4096 bits
# interop: strongswan client ECDSA key
# interop: strongswan client ECDSA P-384 key
# interop: strongswan client IPv6
# interop: strongswan client cookies demanded by the host
# interop: strongswan client IKE messages in fragments
# interop: strongswan client another group (INVALID_KE_PAYLOAD)
# interop: strongswan client AES-CBC with HMAC-SHA2
# interop: strongswan client ChaCha20-Poly1305
# interop: strongswan client nothing in common (NO_PROPOSAL_CHOSEN)
# interop: strongswan client tunnel mode
# interop: strongswan client ESP in UDP without a NAT
# interop: strongswan client MOBIKE wanted by the peer, not announced by us
# interop: strongswan client no childless IKE SA forced by the peer: we announce none (RFC 6023), and 5.9.8 ends it itself
# interop: strongswan client liveness asked by the peer
# interop: strongswan client rekeyed by the peer
# interop: strongswan client IKE SA rekeyed by the peer
# interop: strongswan client reauthenticated by the peer
# interop: strongswan client deleted by the peer
# interop: strongswan client deleted by us
# promise: 4
# strongSwan asks us for one tunnel after the other, each time in another way. Each time its log says that it was that way.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

lab_topology client dns server
lab_capture wire
lab_key mine rsa
for type in rsa4096 ecdsa ecdsa384 ed25519; do
	lab_key "by-$type" $type
	echo "$type IPSECKEY $(lab_ipseckey by-$type)"
done >names
lab_zone keyed.example signed <names

ways=()
# way CONNECTION KEY-TYPE LINE... [-- CHILD-LINE...]: a connection of strongSwan's
way() {
	ways+=("$1")
	strongswan_connection server "$1" "$server_v4" "$client_v4" "$2.keyed.example" "by-$2" host.keyed.example mine "${@:3}"
}
way rsa4096 rsa4096
way ecdsa ecdsa
way ecdsa384 ecdsa384
way group ed25519 'proposals = aes256gcm16-prfsha256-modp4096-x25519'
way cbc ed25519 'proposals = aes256-sha256-prfsha256-ecp384' -- 'esp_proposals = aes256-sha256'
way chacha ed25519 'proposals = chacha20poly1305-prfsha256-x25519' -- 'esp_proposals = chacha20poly1305'
way nothing ed25519 'proposals = aes128-sha1-modp1024'
way no-esp ed25519 -- 'esp_proposals = aes128-sha1'
way tunnel ed25519 -- 'mode = tunnel'
way encap ed25519 'encap = yes'
way mobike ed25519 'mobike = yes'
way childless ed25519 'childless = force'
way liveness ed25519 'dpd_delay = 1s'
way rekey ed25519 -- 'esp_proposals = aes256gcm16-x25519'
way reauth ed25519
way delete ed25519
lab_strongswan server ed25519.keyed.example by-ed25519 client host.keyed.example mine -- -- 'fragment_size = 576' 'make_before_break = yes'
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: host.keyed.example' 'accept-identified: yes' 'always-cookie: yes'
lab_start_client

initiate() { lab_swanctl server --initiate --child "$way" --timeout 15 >"initiate.$way.log" 2>&1; }

for way in "${ways[@]}" v6; do
	note "$way"
	strongswan_marks server
	case $way in
	nothing)
		! initiate || fail 'it has a tunnel that cannot be'
		strongswan_said server 'received NO_PROPOSAL_CHOSEN notify error'
		continue ;;
	childless)
		! initiate || fail 'it has an IKE SA without a CHILD SA'
		strongswan_said server 'peer does not support childless IKE_SA initiation'
		continue ;;
	no-esp)
		! initiate || fail 'it has a tunnel that cannot be'
		strongswan_said server 'received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built'
		lab_swanctl server --terminate --ike "$way" --timeout 5 >"terminate.$way.log" 2>&1
		continue ;;
	esac
	initiate || fail "$way: $(tail -n 1 "initiate.$way.log")"
	case $way in v6) expect_reached server "$client_v6" ;; *) expect_reached server "$client_v4" ;; esac
	[ "$(lab_oe status | grep -cw protected)" = 1 ] || fail "$way: not one tunnel: $(lab_oe status)"
	strongswan_said server 'parsed IKE_SA_INIT response 0 [ N(COOKIE) ]'
	case $way in
	rsa4096)	strongswan_said server 'splitting IKE message' 'received fragment #2' ;;
	ecdsa*)		strongswan_said server 'with ECDSA_WITH_SHA' ;;
	group)		strongswan_said server "peer didn't accept DH group MODP_4096" ;;
	cbc)		expect_sa 'enc cbc(aes)' ;;
	chacha)		expect_sa 'aead rfc7539esp' ;;
	tunnel)		expect_sa 'mode tunnel' ;;
	encap)		expect_sa 'encap type espinudp' ;;
	mobike)
		strongswan_said server 'N(MOBIKE_SUP)'
		! strongswan_marked server 'peer supports MOBIKE' || fail 'it thinks that we do MOBIKE' ;;
	liveness)	strongswan_said server 'sending DPD request' 'parsed INFORMATIONAL response' ;;
	rekey)
		strongswan_rekeys server server "$client_v4" --child rekey
		strongswan_rekeys server server "$client_v4" --ike rekey
		expect_reached server "$client_v4" ;;
	reauth)
		# A new IKE SA with IKE_AUTH of its own, and a new CHILD SA.
		strongswan_rekeys server server "$client_v4" --ike reauth --reauth
		strongswan_said server 'reauthenticating IKE_SA'
		expect_reached server "$client_v4" ;;
	esac
	if [ "$way" = delete ]; then
		lab_oe down "$server_v4"
		strongswan_said server 'received DELETE for IKE_SA'
	else
		lab_swanctl server --terminate --ike "$way" --timeout 5 >"terminate.$way.log" 2>&1 || fail "$way: $(tail -n 1 "terminate.$way.log")"
	fi
done
lab_says oe-iked 'deleted by the peer'
expect_no_cleartext client "$server_v4"
