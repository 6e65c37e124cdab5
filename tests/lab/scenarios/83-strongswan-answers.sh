#!/bin/bash
# lab: timeout=200
# interop: strongswan host RSA key of 4096 bits
# interop: strongswan host IKE messages in fragments
# interop: strongswan host another group (INVALID_KE_PAYLOAD)
# interop: strongswan host AES-CBC with HMAC-SHA2
# interop: strongswan host ChaCha20-Poly1305
# interop: strongswan host nothing in common (NO_PROPOSAL_CHOSEN)
# interop: strongswan host tunnel mode
# interop: strongswan host ESP in UDP without a NAT
# interop: strongswan host MOBIKE wanted by the peer, not announced by us
# interop: strongswan host childless IKE SAs announced
# interop: strongswan host no childless IKE SA forced by the peer: we make none (RFC 6023), and 5.9.8 then refuses the CHILD SA of IKE_AUTH
# interop: strongswan host liveness asked by the peer
# interop: strongswan host rekeyed by the peer
# interop: strongswan host IKE SA rekeyed by the peer
# interop: strongswan host reauthenticated by the peer
# interop: strongswan host deleted by the peer
# interop: strongswan host cookies demanded by the host
# interop: strongswan host rekeyed by us
# interop: strongswan host IKE SA rekeyed by us
# interop: strongswan host deleted by us
# promise: 1 4
# We ask strongSwan for one tunnel after the other, each at another address and in another way. Each time its log says that it was
# that way.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

lab_topology client dns server
lab_capture wire
lab_key mine rsa
lab_key good ed25519
lab_key large rsa4096
declare -A at=()
ways=()
# way CONNECTION KEY LINE... [-- CHILD-LINE...]: a connection of strongSwan's, at an address of its own
way() {
	at[$1]=192.0.2.$((100 + ${#ways[@]}))
	ways+=("$1")
	lab_address server "${at[$1]}"
	printf '%s A %s\n%s IPSECKEY %s\n' "$1" "${at[$1]}" "$1" "$(lab_ipseckey "$2")" >>names
	strongswan_connection server "$1" "${at[$1]}" "$client_v4" "$1.keyed.example" "$2" client.keyed.example mine "${@:3}"
}
# Strangers from anywhere may begin with the first.
way fragments large 'fragmentation = force' 'remote_addrs = %any'
way rekey good -- 'esp_proposals = aes256gcm16-x25519'
way reauth good
way group good 'proposals = aes256gcm16-prfsha256-ecp256'
way cbc good 'proposals = aes256-sha256-prfsha256-ecp384' -- 'esp_proposals = aes256-sha256'
way chacha good 'proposals = chacha20poly1305-prfsha256-x25519' -- 'esp_proposals = chacha20poly1305'
way nothing good 'proposals = aes128-sha1-modp1024'
way no-esp good -- 'esp_proposals = aes128-sha1'
way tunnel good -- 'mode = tunnel'
way encap good 'encap = yes'
way mobike good 'mobike = yes'
way childless good 'childless = allow'
way force good 'childless = force'
way liveness good 'dpd_delay = 1s'
way delete good
way cookies good
lab_zone keyed.example signed <names
lab_strongswan server host.keyed.example good client client.keyed.example mine -- -- 'fragment_size = 576' 'make_before_break = yes' \
	'cookie_threshold = 3' 'half_open_timeout = 3600'
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example' \
	'accept-identified: yes' 'soft-life: 25' 'ike-life: 30'
lab_start_client

for way in "${ways[@]}"; do
	strongswan_marks server
	[ "$way" != cookies ] || lab_attack flood p-server 198.18.1.1 "${at[fragments]}" 8
	lab_dig "$way.keyed.example"
	case $way in
	nothing)	expect_servfail_ede 'peer said NO_PROPOSAL_CHOSEN' ;;
	no-esp)		expect_servfail_ede 'peer said NO_PROPOSAL_CHOSEN for ESP' ;;
	force)		expect_servfail_ede 'for the CHILD SA' ;;
	*)		expect_answer "${at[$way]}"
			expect_reached client "${at[$way]}" ;;
	esac
	case $way in
	fragments)	strongswan_said server 'splitting IKE message' 'received fragment #2' ;;
	group)		strongswan_said server 'N(INVAL_KE)' ;;
	cbc)		expect_sa 'enc cbc(aes)' ;;
	chacha)		expect_sa 'aead rfc7539esp' ;;
	tunnel)		expect_sa 'mode tunnel' ;;
	encap)		expect_sa 'encap type espinudp' ;;
	mobike)		! strongswan_marked server 'peer supports MOBIKE' || fail 'it thinks that we do MOBIKE' ;;
	childless)	strongswan_said server 'N(CHDLESS_SUP)' ;;
	liveness)	strongswan_said server 'sending DPD request' 'parsed INFORMATIONAL response' ;;
	cookies)	strongswan_said server 'parsed IKE_SA_INIT request 0 [ N(COOKIE)' ;;
	rekey)
		strongswan_rekeys server client "${at[rekey]}" --child rekey
		strongswan_rekeys server client "${at[rekey]}" --ike rekey ;;
	reauth)
		# Now it asks for a tunnel, and ends the one that we asked for.
		strongswan_rekeys server client "${at[reauth]}" --ike reauth --reauth
		strongswan_said server 'reauthenticating IKE_SA'
		expect_reached client "${at[reauth]}" ;;
	delete)
		lab_swanctl server --terminate --ike delete --timeout 5 >terminate.log 2>&1 || fail "$(tail -n 1 terminate.log)"
		lab_wait 5 'the deletion' lab_says oe-iked 'deleted by the peer'
		# It was in use a moment ago, so it is made again at once.
		strongswan_said server 'IKE_SA delete['
		expect_reached client "${at[delete]}" ;;
	esac
done
# What is in use gets new keys from us.
lab_daemon keep client ping -q -i 0.5 "${at[fragments]}"
strongswan_marks server
lab_wait 30 'the rekeying' lab_says oe-iked "${at[fragments]}:500: rekeyed"
lab_wait 30 'the rekeying of IKE' lab_says oe-iked "${at[fragments]}:500: IKE SA rekeyed"
expect_reached client "${at[fragments]}"
kill "${lab_pid[keep]}"
wait "${lab_pid[keep]}" || :
lab_oe down "${at[fragments]}"
strongswan_said server 'received DELETE for IKE_SA fragments'
for way in "${ways[@]}"; do expect_no_cleartext client "${at[$way]}"; done
