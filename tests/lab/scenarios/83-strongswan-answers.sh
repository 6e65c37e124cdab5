#!/bin/bash
# lab: timeout=200
# interop: strongswan host no anonymous client: 5.9.8 knows no AUTH_NULL
# interop: strongswan client no anonymous client: 5.9.8 knows no AUTH_NULL
# interop: strongswan host both ends say who they are (mutual)
# interop: strongswan host RSA key
# interop: strongswan host ECDSA key
# interop: strongswan host ECDSA P-384 key
# interop: strongswan host Ed25519 key
# interop: strongswan host IPv6
# interop: strongswan host wrong key
# interop: strongswan host wrong key of the client
# interop: strongswan host client refused
# interop: strongswan host packets lost
# interop: strongswan host NAT in between, transport mode
# interop: strongswan host NAT in between, address assigned
# interop: strongswan host ESP dropped on the way, ESP in UDP
# interop: strongswan host AES-GCM with 128 bits
# interop: strongswan host extended sequence numbers
# interop: strongswan host liveness asked by us
# interop: strongswan host rekeyed by the peer without a key exchange (no PFS)
# interop: strongswan host rekeyed by both at once
# interop: strongswan host IKE SA rekeyed by both at once
# interop: strongswan host we are killed and come back
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
# interop: strongswan host childless IKE SA forced by the peer
# interop: strongswan host liveness asked by the peer
# interop: strongswan host forged answers
# interop: strongswan host no shared secret: we have none, for what is in DNS is public
# interop: strongswan host rekeyed by the peer
# interop: strongswan host IKE SA rekeyed by the peer
# interop: strongswan host reauthenticated by the peer
# interop: strongswan host deleted by the peer
# interop: strongswan host cookies demanded by the host
# interop: strongswan host rekeyed by us
# interop: strongswan host IKE SA rekeyed by us
# interop: strongswan host deleted by us
# promise: 1 4
# We ask strongSwan for one tunnel after the other, each at another address and in another way. Each time its log, or the kernel, says
# that it was that way; strongSwan deletes it, it is made again, and we delete that.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

lab_topology client dns server
lab_capture wire
lab_key mine rsa
lab_key other rsa
lab_key good ed25519
lab_key ec ecdsa
lab_key ec384 ecdsa384
lab_key large rsa4096
declare -A at=() handle=()
ways=()
# way CONNECTION KEY LINE... [-- CHILD-LINE...]: a connection of strongSwan's, at an address of its own
way() {
	local published=$2 client=mine zone=names
	case $1 in
	wrong)		published=other ;;
	wrong-client)	client=other ;;
	anonymous)	zone=others ;;
	esac
	at[$1]=192.0.2.$((100 + ${#ways[@]}))
	ways+=("$1")
	printf '%s A %s\n%s IPSECKEY %s\n' "$1" "${at[$1]}" "$1" "$(lab_ipseckey "$published")" >>$zone
	strongswan_connection server "$1" "${at[$1]}" "$client_v4" "$1.keyed.example" "$2" client.keyed.example $client "${@:3}"
}
# These have an old age: one gets new keys from us, one from both, and one hears nothing any more.
way both-ike good
way renew good 'remote_addrs = %any'	# strangers from anywhere may begin with this one
way asked good
way fragments large 'fragmentation = force'
way rsa other
way ecdsa ec
way ecdsa384 ec384
way group good 'proposals = aes256gcm16-prfsha256-ecp256'
way short good 'proposals = aes128gcm16-prfsha384-ecp384' -- 'esp_proposals = aes128gcm16'
way cbc good 'proposals = aes256-sha256-prfsha256-ecp384' -- 'esp_proposals = aes256-sha256'
way chacha good 'proposals = chacha20poly1305-prfsha256-x25519' -- 'esp_proposals = chacha20poly1305'
way esn good -- 'esp_proposals = aes256gcm16-esn'
way nothing good 'proposals = aes128-sha1-modp1024'
way no-esp good -- 'esp_proposals = aes128-sha1'
way wrong good
way wrong-client good
way anonymous good
way tunnel good -- 'mode = tunnel'
way encap good 'encap = yes'
way mobike good 'mobike = yes'
way childless good 'childless = allow'
way force good 'childless = force'
way liveness good 'dpd_delay = 1s'
way rekey good -- 'esp_proposals = aes256gcm16-x25519'
way no-pfs good
way reauth good
way both good
way nat good 'remote_addrs = %any'
way pool good 'remote_addrs = %any' 'pools = inner' -- 'mode = tunnel'
way dropped good
way lossy good
way forged good
way cookies good
ip -n server route add 100.64.0.0/24 dev eth0	# charon has been told to make no routes
echo 'pools { inner { addrs = 100.64.0.0/24 } }' >charon.server/conf.d/pools.conf
lab_address server "${at[@]}"
outside=192.0.2.99	# of the client, for those that shall see a NAT
lab_address client $outside
for way in nat pool; do lab_own_nat client "$client_v4" $outside "${at[$way]}"; done
printf 'v6 AAAA %s\nv6 IPSECKEY %s\n' "$server_v6" "$(lab_ipseckey good)" >>names
lab_zone keyed.example signed <names
lab_zone other.example signed <others
lab_strongswan server host.keyed.example good client client.keyed.example mine -- -- 'fragment_size = 576' 'make_before_break = yes' \
	'cookie_threshold = 3' 'half_open_timeout = 3600' 'retransmit_timeout = 0.5'
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example' \
	'accept-identified: yes' 'ike-life: 10'
lab_start_client

# ours TEXT: oe-iked has said it since this way began
ours() { tail -n "+$((begun + 1))" oe-iked.log | grep -E -- "$1" >/dev/null; }
expect_ours() { lab_wait 5 "\"$1\" in our log" ours "$1"; }
# handle_of NAME: what our log calls its IKE SA
handle_of() {
	awk -v name="($1.keyed.example): up" '$4 == "ike" && /installing: up$/ { n = $5 } index($0, name) { last = n } END { print "ike", last }' oe-iked.log
}
# expect_way: the answer, or the reason why there is none
expect_way() {
	case $way in
	nothing)	expect_servfail_ede 'peer said NO_PROPOSAL_CHOSEN' ;;
	no-esp)		expect_servfail_ede 'peer said NO_PROPOSAL_CHOSEN for ESP' ;;
	wrong)		expect_servfail_ede 'the host does not hold the key' ;;
	wrong-client|anonymous) expect_servfail_ede 'peer said AUTHENTICATION_FAILED' ;;
	*)		expect_answer "${at[$way]}" ;;
	esac
}
# ended: by strongSwan. It was in use a moment ago, so it is made again at once, and we end that.
ended() {
	begun=$(wc -l <oe-iked.log)
	lab_swanctl server --terminate --ike "$way" --timeout 5 >terminate.log 2>&1 || fail "$way: $(tail -n 1 terminate.log)"
	expect_ours "${at[$way]//./\\.}.*: closed: .*deleted by the peer"
	expect_ours "\($way.keyed.example\): up"
	lab_oe down "${at[$way]}"
	made+=("$way")
}
# crossing KIND: strongSwan asks for new keys too, before it has heard that we do
crossing() {
	lab_swanctl server --rekey "--$1" "$way" >rekey.log 2>&1 || fail "swanctl --rekey: $(tail -n 1 rekey.log)"
	expect_ours "$2"
	expect_ours "${at[$way]}:500.*: $3"
	strongswan_said server "rekey collision"
	lab_in_time server
	strongswan_settles server "$way"
	expect_reached client "${at[$way]}"
}
made=() protected=() translated=()

at[v6]=$server_v6
for way in "${ways[@]}" v6; do
	note "$way"
	strongswan_marks server
	begun=$(wc -l <oe-iked.log)
	case $way in
	cookies)	lab_attack flood p-server 198.18.1.1 "${at[renew]}" 8 ;;
	dropped)	in_host server iptables-legacy -A INPUT -d "${at[dropped]}" -p esp -j DROP ;;
	lossy)		lab_lose server "${at[lossy]}" ;;
	forged)		# Somebody on the wire is faster.
			lab_netem server delay 30ms
			lab_attack answer p-client 24 ;;
	esac
	case $way in
	v6)		lab_dig v6.keyed.example AAAA ;;
	anonymous)	lab_dig anonymous.other.example ;;
	*)		lab_dig "$way.keyed.example" ;;
	esac
	case $way in lossy|dropped) [ "$lab_rcode" = NOERROR ] || { nap 1; lab_dig "$way.keyed.example"; } ;; esac
	expect_way
	[ "$lab_rcode" = NOERROR ] || continue
	[ "$way" != dropped ] || in_host client ping -q -c 1 -w 6 "${at[dropped]}"
	expect_reached client "${at[$way]}"
	case $way in
	both-ike)	its_time=$EPOCHSECONDS
			handle[$way]=$(handle_of "$way")
			continue ;;
	renew|asked)	lab_daemon "keep-$way" client ping -q -i 0.5 "${at[$way]}"
			handle[$way]=$(handle_of "$way")
			[ "$way" != asked ] || in_host client iptables-legacy -A INPUT -s "${at[asked]}" -p esp -j DROP
			continue ;;
	fragments)	strongswan_said server 'splitting IKE message' 'received fragment #2'
			expect_fragments client "${at[$way]}" ;;
	ecdsa|ecdsa384) strongswan_said server 'with ECDSA_WITH_SHA' ;;
	group)		strongswan_said server 'N(INVAL_KE)' ;;
	short)		expect_ours 'AES-GCM-128' ;;
	cbc)		expect_sa 'enc cbc(aes)' "${at[$way]}" ;;
	chacha)		expect_sa 'aead rfc7539esp' "${at[$way]}" ;;
	esn)		expect_sa 'flag esn' "${at[$way]}" ;;
	tunnel)		expect_sa 'mode tunnel' "${at[$way]}" ;;
	encap)		expect_sa 'encap type espinudp' "${at[$way]}" ;;
	dropped)	expect_sa 'encap type espinudp' "${at[$way]}"
			expect_ours 'no packet comes back: establishing it with ESP in UDP' ;;
	mobike)		! strongswan_marked server 'peer supports MOBIKE' || fail 'it thinks that we do MOBIKE' ;;
	childless)	strongswan_said server 'N(CHDLESS_SUP)' ;;
	force)		strongswan_said server 'peer did not initiate a childless IKE_SA' 'parsed CREATE_CHILD_SA request' ;;
	liveness)	strongswan_said server 'sending DPD request' 'parsed INFORMATIONAL response' ;;
	cookies)	strongswan_said server 'parsed IKE_SA_INIT request 0 [ N(COOKIE)' ;;
	forged)		expect_ours 'peer said AUTHENTICATION_FAILED'
			lab_attack_end
			lab_netem server delay 0ms ;;
	lossy)		expect_ours 'no answer: sent again'
			lab_lose_no_more server "${at[lossy]}" ;;
	no-pfs)		strongswan_rekeys server client "${at[$way]}" --child no-pfs ;;
	rekey)
		strongswan_rekeys server client "${at[rekey]}" --child rekey
		strongswan_rekeys server client "${at[rekey]}" --ike rekey
		begun=$(wc -l <oe-iked.log)
		lab_wear_out "${at[rekey]}"
		expect_reached client "${at[rekey]}"
		expect_ours "${at[rekey]}:500.*: rekeyed"
		expect_one_pair server "$client_v4" "${at[rekey]}" ;;
	reauth)
		# Now it asks for a tunnel, and ends the one that we asked for.
		strongswan_rekeys server client "${at[reauth]}" --ike reauth --reauth
		strongswan_said server 'reauthenticating IKE_SA'
		expect_reached client "${at[reauth]}" ;;
	both)
		lab_late server
		lab_wear_out "${at[both]}"
		in_host client ping -q -c 1 -W 0.1 "${at[both]}" || :
		expect_ours 'asked for a new CHILD SA'
		crossing child 'the peer has a new CHILD SA, while we ask for one' rekeyed ;;
	nat)
		# It answers with the outer address as our selector (RFC 7296 2.23.1), in IKE_AUTH and when new keys are made. We know better.
		strongswan_said server 'remote host is behind NAT'
		lab_wear_out "${at[nat]}"
		expect_reached client "${at[nat]}"
		expect_ours "${at[nat]}:4500: rekeyed"
		expect_reached client "${at[nat]}" ;;
	pool)
		strongswan_said server "assigning virtual IP 100.64.0.1 to peer 'client.keyed.example'"
		lab_oe status | grep -Fw 'tunnel/100.64.0.1' >/dev/null || fail "not by the assigned address: $(lab_oe status)" ;;
	esac
	ended
	if [ "$its_time" ] && [ $((EPOCHSECONDS - its_time)) -ge 7 ]; then
		its_time='' way=both-ike
		note "$way"
		strongswan_marks server
		begun=$(wc -l <oe-iked.log)
		lab_late server
		lab_wait 15 'a new IKE SA from us' ours "${handle[both-ike]} up: asked for a new IKE SA"
		crossing ike 'the peer wants a new IKE SA too' 'IKE SA rekeyed'
		ended
	fi
done
begun=0
lab_wait 20 'a liveness check by us' ours "${handle[asked]} up: asked whether the peer lives"
expect_ours "${handle[asked]} up: the peer lives"
expect_ours "${at[renew]}:500.*: IKE SA rekeyed"
expect_reached client "${at[renew]}"

for way in "${made[@]}"; do
	lab_wait 10 "the end of $way" strongswan_says server "received DELETE for IKE_SA ${way}["
	case $way in
	nat|pool)	translated+=("${at[$way]}") ;;
	v6)		;;
	*)		protected+=("${at[$way]}") ;;
	esac
done

# We are killed, and come back.
kill -9 "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
start_iked oe-iked client oe.conf resolver.sock
lab_unbound_control flush_zone example
lab_dig rsa.keyed.example
expect_answer "${at[rsa]}"
expect_reached client "${at[rsa]}"

expect_only_esp client "${protected[@]}"
expect_only_esp $outside "${translated[@]}"
expect_only_esp "$client_v6" "$server_v6"
for way in nothing no-esp wrong wrong-client anonymous renew asked; do expect_no_cleartext client "${at[$way]}"; done
