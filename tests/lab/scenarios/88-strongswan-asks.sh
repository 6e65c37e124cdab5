#!/bin/bash
# lab: timeout=200
# interop: strongswan client RSA key
# interop: strongswan client RSA key of 4096 bits
# interop: strongswan client ECDSA key
# interop: strongswan client ECDSA P-384 key
# interop: strongswan client Ed25519 key
# interop: strongswan client both ends say who they are (mutual)
# interop: strongswan client IPv6
# interop: strongswan client wrong key
# interop: strongswan client wrong key of the client
# interop: strongswan client client refused
# interop: strongswan client cookies demanded by the host
# interop: strongswan client packets lost
# interop: strongswan client NAT in between, transport mode
# interop: strongswan client NAT in between, address assigned
# interop: strongswan client IKE messages in fragments
# interop: strongswan client another group (INVALID_KE_PAYLOAD)
# interop: strongswan client AES-GCM with 128 bits
# interop: strongswan client AES-CBC with HMAC-SHA2
# interop: strongswan client ChaCha20-Poly1305
# interop: strongswan client extended sequence numbers
# interop: strongswan client nothing in common (NO_PROPOSAL_CHOSEN)
# interop: strongswan client tunnel mode
# interop: strongswan client ESP in UDP without a NAT
# interop: strongswan client the client goes to another network (MOBIKE)
# interop: strongswan client MOBIKE wanted by the peer, not announced by us
# interop: strongswan client childless IKE SAs announced
# interop: strongswan client childless IKE SA forced by the peer
# interop: strongswan client no ESP dropped on the way, ESP in UDP: 5.9.8 does not look; encap of swanctl.conf(5) decides
# interop: strongswan client liveness asked by the peer
# interop: strongswan client liveness asked by us
# interop: strongswan client dead without a word, and back again
# interop: strongswan client we are killed and come back
# interop: strongswan client it reboots, address assigned
# interop: strongswan client rekeyed by the peer
# interop: strongswan client rekeyed by the peer without a key exchange (no PFS)
# interop: strongswan client IKE SA rekeyed by the peer
# interop: strongswan client rekeyed by us
# interop: strongswan client IKE SA rekeyed by us
# interop: strongswan client rekeyed by both at once
# interop: strongswan client IKE SA rekeyed by both at once
# interop: strongswan client reauthenticated by the peer
# interop: strongswan client no shared secret: we have none, for what is in DNS is public
# interop: strongswan client deleted by the peer
# interop: strongswan client deleted by us
# interop: strongswan client it reboots
# promise: 2 4
# strongSwan asks us for one tunnel after the other, each from another address and in another way. Each time its log, or the kernel, says
# that it was that way, and it deletes it.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

lab_topology client dns server
lab_capture wire
lab_may_refuse client	# its daemon ends and begins, and who was refused may ask again meanwhile
lab_key mine rsa
lab_key other ed25519
for type in rsa rsa4096 ecdsa ecdsa384 ed25519; do
	lab_key "by-$type" $type
	echo "$type IPSECKEY $(lab_ipseckey by-$type)"
done >names
echo "stranger IPSECKEY $(lab_ipseckey other)" >>names
lab_zone keyed.example signed <names

declare -A at=()
ways=()
# way CONNECTION KEY-TYPE LINE... [-- CHILD-LINE...]: a connection of strongSwan's, from an address of its own
way() {
	local name=$2
	[ "$1" != stranger ] || name=stranger
	at[$1]=192.0.2.$((100 + ${#ways[@]}))
	ways+=("$1")
	strongswan_connection server "$1" "${at[$1]}" "$client_v4" "$name.keyed.example" "by-$2" host.keyed.example mine "${@:3}"
}
# These two live long enough to get a new IKE SA: from us, and from both.
way both-ike ed25519
way renew ed25519
way rsa rsa
way rsa4096 rsa4096
way ecdsa ecdsa
way ecdsa384 ecdsa384
way ed25519 ed25519
way group ed25519 'proposals = aes256gcm16-prfsha256-modp4096-x25519'
way short ed25519 'proposals = aes128gcm16-prfsha384-ecp384' -- 'esp_proposals = aes128gcm16'
way cbc ed25519 'proposals = aes256-sha256-prfsha256-ecp384' -- 'esp_proposals = aes256-sha256'
way chacha ed25519 'proposals = chacha20poly1305-prfsha256-x25519' -- 'esp_proposals = chacha20poly1305'
way esn ed25519 -- 'esp_proposals = aes256gcm16-esn'
way nothing ed25519 'proposals = aes128-sha1-modp1024'
way no-esp ed25519 -- 'esp_proposals = aes128-sha1'
way stranger ed25519
way killed ed25519
way asked ed25519
way dead ed25519
way tunnel ed25519 -- 'mode = tunnel'
way encap ed25519 'encap = yes'
way mobike ed25519 'mobike = yes'
way childless ed25519 'childless = force'
way liveness ed25519 'dpd_delay = 1s'
way rekey ed25519 -- 'esp_proposals = aes256gcm16-x25519'
way no-pfs ed25519
way reauth ed25519
way both ed25519
way nat ed25519
way lossy ed25519
# The host is another one for these.
way pool ed25519 'vips = 0.0.0.0' -- 'mode = tunnel'
way moves ed25519 'vips = 0.0.0.0' 'mobike = yes' -- 'mode = tunnel'
way wrong ed25519
way refused ed25519
way reboot ed25519
outside=192.0.2.99	# of strongSwan's host, for those that shall see a NAT
lab_address server "${at[@]}" $outside
for way in nat pool; do lab_own_nat server "${at[$way]}" $outside "$client_v4"; done
start_strongswan() {
	lab_strongswan server ed25519.keyed.example by-ed25519 client host.keyed.example mine -- -- 'fragment_size = 576' \
		'make_before_break = yes' 'retransmit_timeout = 0.5'
}
start_strongswan
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: host.keyed.example' 'accept-identified: yes' 'always-cookie: yes' \
	'ike-life: 10'
lab_start_client

initiate() { lab_swanctl server --initiate --child "$way" --timeout 15 >"initiate.$way.log" 2>&1; }
terminate() { lab_swanctl server --terminate --ike "$way" --timeout 5 >"terminate.$way.log" 2>&1; }
reached() {
	case $way in
	v6)	expect_reached server "$client_v6" ;;
	pool|moves)	expect_reached server "$client_v4" -I "$inner" ;;
	*)	expect_reached server "$client_v4" -I "${at[$way]}" ;;
	esac
}
# ours TEXT: oe-iked has said it since this way began
ours() { tail -n "+$((begun + 1))" oe-iked.log | grep -E -- "$1" >/dev/null; }
expect_ours() { lab_wait 5 "\"$1\" in our log" ours "$1"; }
# crossing KIND, WHAT WE SAY: strongSwan asks for new keys too, before it has heard that we do
crossing() {
	lab_swanctl server --rekey "--$1" "$way" >rekey.log 2>&1 || fail "swanctl --rekey: $(tail -n 1 rekey.log)"
	expect_ours "$2"
	expect_ours "${at[$way]}:500.*: $3"
	strongswan_said server "rekey collision"
	lab_in_time server
	strongswan_settles server "$way"
	reached
}
# ended: by strongSwan
ended() {
	terminate || fail "$way: $(tail -n 1 "terminate.$way.log")"
	expect_ours 'closed: .*deleted by the peer'
}
reboots() {
	kill -9 "${lab_pid[charon.server]}"
	wait "${lab_pid[charon.server]}" || :
	ip -n server xfrm state flush
	ip -n server xfrm policy flush
	rm -f charon.server/charon.vici
	start_strongswan
	initiate || fail "after the reboot: $(tail -n 1 "initiate.$way.log")"
}
both_ike() {
	local way=both-ike
	its_time=''
	note "$way"
	strongswan_marks server
	begun=$(wc -l <oe-iked.log)
	lab_late server
	lab_wait 15 'a new IKE SA from us' ours "$its_handle up: asked for a new IKE SA"
	crossing ike 'the peer wants a new IKE SA too' 'IKE SA rekeyed'
	ended
}
# What stays for a while, and has had its time.
the_first_ones_end() {
	[ -z "$its_time" ] || both_ike
	begun=0
	lab_wait 15 'a new IKE SA from us' ours "${at[renew]}:500.*: IKE SA rekeyed"
	kill "${lab_pid[keep]}"
	wait "${lab_pid[keep]}" || :
	begun=$(wc -l <oe-iked.log)
	lab_oe down "${at[renew]}"
	expect_ours 'leaving: the peer knows that it is over'
	strongswan_says server 'received DELETE for IKE_SA renew[' || fail 'strongSwan was not told the end'
}
the_second_ones_end() {
	local way=asked
	begun=0
	# A client is looked at every 15 s, and one that does not answer is asked for 8 s.
	lab_wait 20 'a liveness check by us' ours "$asked_handle up: asked whether the peer lives"
	expect_ours "$asked_handle up: the peer lives"
	kill "${lab_pid[keep-asked]}"
	wait "${lab_pid[keep-asked]}" || :
	ended
	way=dead
	lab_wait 30 'the end of a dead client' ours "${at[dead]}:500.*: closed: .*no answer to a liveness check"
	kill "${lab_pid[keep-dead]}"
	wait "${lab_pid[keep-dead]}" || :
	in_host server iptables-legacy -D OUTPUT -s "${at[dead]}" -j DROP
	begun=$(wc -l <oe-iked.log)
	initiate || fail "dead: $(tail -n 1 "initiate.$way.log")"
	reached
	ended
}
# handle_of_last: what our log calls the IKE SA that came up last
handle_of_last() { awk '$4 == "ike" && /installing: up$/ { n = $5 } END { print "ike", n }' oe-iked.log; }
# serve LINE...: the host is one with these lines
serve() {
	kill "${lab_pid[oe-iked]}"
	wait "${lab_pid[oe-iked]}" || :
	[ -e oe.conf.first ] || cp oe.conf oe.conf.first
	{
		grep -vF "${1%%:*}:" oe.conf.first
		printf '%s\n' "$@"
	} >oe.conf
	start_iked oe-iked client oe.conf resolver.sock
}

protected=() inner=100.64.0.1
for way in "${ways[@]}" v6; do
	note "$way"
	case $way in
	killed)		the_first_ones_end ;;
	pool)		the_second_ones_end
			serve 'address-pool: 100.64.0.0/24' ;;
	moves)		inner=100.64.0.3 ;;
	wrong)		serve "server-key: $LAB_WORK/by-rsa4096.pem" ;;
	refused)	serve 'accept-identified: no' ;;
	reboot)		serve 'always-cookie: yes' ;;
	lossy)		lab_lose server "${at[lossy]}" ;;
	esac
	begun=$(wc -l <oe-iked.log)
	strongswan_marks server
	case $way in
	nothing)	! initiate || fail 'it has a tunnel that cannot be'
			strongswan_said server 'received NO_PROPOSAL_CHOSEN notify error'
			continue ;;
	no-esp)		! initiate || fail 'it has a tunnel that cannot be'
			strongswan_said server 'received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built'
			terminate
			continue ;;
	stranger)	! initiate || fail 'it has a tunnel'
			strongswan_said server 'received AUTHENTICATION_FAILED'
			expect_ours 'does not verify with the published key'
			continue ;;
	refused)	! initiate || fail 'it has a tunnel'
			strongswan_said server 'received AUTHENTICATION_FAILED'
			continue ;;
	wrong)		! initiate || fail 'it has a tunnel with a host of another key'
			strongswan_said server 'signature validation failed'
			continue ;;
	esac
	initiate || fail "$way: $(tail -n 1 "initiate.$way.log")"
	reached
	strongswan_said server 'parsed IKE_SA_INIT response 0 [ N(COOKIE) ]'
	case $way in
	v6)		;;
	nat|pool)	protected+=("$outside") ;;
	*)		protected+=("${at[$way]}") ;;
	esac
	case $way in
	both-ike)	its_time=$EPOCHSECONDS its_handle=$(handle_of_last)
			continue ;;
	killed)		kill -9 "${lab_pid[oe-iked]}"
			wait "${lab_pid[oe-iked]}" || :
			sed -i '/^ike-life:/d' oe.conf
			start_iked oe-iked client oe.conf resolver.sock
			lab_swanctl server --terminate --force --ike killed >terminate.killed.log 2>&1
			begun=$(wc -l <oe-iked.log)
			initiate || fail "after our end: $(tail -n 1 "initiate.$way.log")"
			reached ;;
	asked)		# It hears us, and we do not hear it.
			asked_handle=$(handle_of_last)
			in_host client iptables-legacy -A INPUT -s "${at[asked]}" -p esp -j DROP
			lab_daemon keep-asked client ping -q -i 0.5 "${at[asked]}"
			continue ;;
	dead)		# Nothing comes from it any more, and it has forgotten all.
			in_host server iptables-legacy -I OUTPUT -s "${at[dead]}" -j DROP
			lab_swanctl server --terminate --force --ike dead >terminate.dead.log 2>&1
			lab_daemon keep-dead client ping -q -i 0.5 "${at[dead]}"
			continue ;;
	renew)		lab_daemon keep server ping -q -i 0.5 -I "${at[renew]}" "$client_v4"
			continue ;;
	rsa4096)	strongswan_said server 'splitting IKE message' 'received fragment #2'
			expect_fragments client "${at[$way]}" ;;
	ecdsa*)		strongswan_said server 'with ECDSA_WITH_SHA' ;;
	ed25519)	strongswan_said server 'with ED25519' ;;
	group)		strongswan_said server "peer didn't accept DH group MODP_4096" ;;
	short)		expect_ours 'AES-GCM-128' ;;
	cbc)		expect_sa 'enc cbc(aes)' "${at[$way]}" ;;
	chacha)		expect_sa 'aead rfc7539esp' "${at[$way]}" ;;
	esn)		expect_sa 'flag esn' "${at[$way]}" ;;
	tunnel)		expect_sa 'mode tunnel' "${at[$way]}" ;;
	encap)		expect_sa 'encap type espinudp' "${at[$way]}" ;;
	mobike)		strongswan_said server 'N(MOBIKE_SUP)'
			! strongswan_marked server 'peer supports MOBIKE' || fail 'it thinks that we do MOBIKE' ;;
	childless)	strongswan_said server 'N(CHDLESS_SUP)' 'generating CREATE_CHILD_SA request'
			expect_ours 'proved our key, waiting for a CHILD SA to be asked for' ;;
	liveness)	strongswan_said server 'sending DPD request' 'parsed INFORMATIONAL response' ;;
	no-pfs)		strongswan_rekeys server server "$client_v4" --child no-pfs ;;
	rekey)		strongswan_rekeys server server "$client_v4" --child rekey
			strongswan_rekeys server server "$client_v4" --ike rekey
			begun=$(wc -l <oe-iked.log)
			lab_wear_out "${at[rekey]}"
			reached
			expect_ours "${at[rekey]}:500.*: rekeyed"
			expect_one_pair server "$client_v4" "${at[rekey]}"
			reached ;;
	reauth)		# A new IKE SA with IKE_AUTH of its own, and a new CHILD SA.
			strongswan_rekeys server server "$client_v4" --ike reauth --reauth
			strongswan_said server 'reauthenticating IKE_SA'
			reached ;;
	both)		lab_late server
			lab_wear_out "${at[both]}"
			in_host client ping -q -c 1 -W 0.1 "${at[both]}" || :
			expect_ours 'asked for a new CHILD SA'
			crossing child 'the peer has a new CHILD SA, while we ask for one' rekeyed ;;
	nat)		strongswan_said server 'local host is behind NAT' ;;
	pool)		strongswan_said server "installing new virtual IP $inner"
			reboots
			inner=100.64.0.2	# it does not ask for its former one, and who had that has not said goodbye
			reached
			strongswan_said server "installing new virtual IP $inner" ;;
	moves)		# Its SAs go along. Where it is now we send when new ones are there, which it leaves to us.
			strongswan_said server 'peer supports MOBIKE' "installing new virtual IP $inner"
			ip -n server addr del "${at[moves]}/24" dev eth0
			expect_ours 'has moved to'
			expect_ours ': rekeyed'
			reached ;;
	lossy)		lab_lose_no_more server "${at[lossy]}" ;;
	reboot)		reboots
			reached ;;
	esac
	ended
	if [ "$its_time" ] && [ $((EPOCHSECONDS - its_time)) -ge 10 ]; then both_ike; fi
done
expect_only_esp client "${protected[@]}"
expect_no_cleartext "$client_v6" "$server_v6"
for way in nothing no-esp stranger wrong refused; do expect_no_cleartext client "${at[$way]}"; done
