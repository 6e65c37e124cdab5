#!/bin/bash
# lab: timeout=150
# interop: libreswan host anonymous client
# interop: libreswan host ECDSA key
# interop: libreswan host ECDSA P-384 key
# interop: libreswan host RSA key of 4096 bits
# interop: libreswan host both ends say who they are (mutual)
# interop: libreswan host wrong key of the client
# interop: libreswan host cookies demanded by the host
# interop: libreswan host IKE messages in fragments
# interop: libreswan host another group (INVALID_KE_PAYLOAD)
# interop: libreswan host AES-GCM with 128 bits
# interop: libreswan host AES-CBC with HMAC-SHA2
# interop: libreswan host ChaCha20-Poly1305
# interop: libreswan host extended sequence numbers
# interop: libreswan host nothing in common (NO_PROPOSAL_CHOSEN)
# interop: libreswan host tunnel mode
# interop: libreswan host ESP in UDP without a NAT
# interop: libreswan host liveness asked by the peer
# interop: libreswan host rekeyed by the peer
# interop: libreswan host IKE SA rekeyed by the peer
# interop: libreswan host rekeyed by the peer without a key exchange (no PFS)
# interop: libreswan host rekeyed by us
# interop: libreswan host liveness asked by us
# interop: libreswan host childless IKE SAs announced
# interop: libreswan host no childless IKE SA forced by the peer: 4.10 has no such setting
# interop: libreswan host MOBIKE wanted by the peer, not announced by us
# interop: libreswan host no reauthenticated by the peer: 4.10 ends the IKE SA and then asks us, who serve nobody here (reauth= of ipsec.conf(5) is for who asks)
# interop: libreswan host no shared secret: we have none, for what is in DNS is public
# interop: libreswan host rekeyed by both at once
# interop: libreswan host no IKE SA rekeyed by both at once: 4.10 does not compare the nonces (RFC 7296 2.25.2; libreswan's issue 1903) and may end the CHILD SA; traffic is back within 20 s (95-libreswan-answers)
# interop: libreswan host deleted by the peer
# interop: libreswan host deleted by us
# promise: 1 4
# We ask libreswan for one tunnel after the other, each at another address and in another way. Each time its log, or the kernel, says
# that it was that way; libreswan deletes it, it is made again, and in the end we delete it.
. "$LAB/lib.sh"
. "$LAB/lib-libreswan.sh"

lab_topology client dns server
lab_capture wire
libreswan_in_place
declare -A at=() ckaid=()
declare -A types=([good]=rsa [ec]=ecdsa [ec384]=ecdsa384 [large]=rsa4096)
for key in "${!types[@]}"; do
	lab_key "$key" "${types[$key]}"
	ckaid[$key]=$(libreswan_key "$key" "$LAB_WORK/pluto.server")
done
lab_key mine rsa
lab_key other rsa
mine=$(lab_ipseckey mine)
other=$(lab_ipseckey other)

ways=()
# way CONNECTION KEY LINE...: a connection of libreswan's, at an address of its own
way() {
	local sig=rsasig
	[[ $2 != ec* ]] || sig=ecdsa
	at[$1]=192.0.2.$((100 + ${#ways[@]}))
	ways+=("$1")
	printf '%s A %s\n%s IPSECKEY %s\n' "$1" "${at[$1]}" "$1" "$(lab_ipseckey "$2")" >>names
	libreswan_connection server "$1" "${at[$1]}" %any "leftckaid=${ckaid[$2]}" "leftauth=$sig" "${@:3}"
}
# anonymous CONNECTION KEY LINE...: for clients that do not say who they are
anonymous() { way "$1" "$2" 'rightid=%null' 'rightauth=null' type=transport "${@:3}"; }
identified=('rightid=@client.keyed.example' 'rightauth=rsasig' "rightrsasigkey=0s${mine##* }" type=transport)
anonymous both-ike good
anonymous asked good
anonymous ecdsa ec
anonymous ecdsa384 ec384
anonymous rsa4096 large
anonymous group good 'ike=aes_gcm256-sha2_256;dh19'
anonymous short good 'ike=aes_gcm128-sha2_512;dh20' esp=aes_gcm128
anonymous cbc good 'ike=aes256-sha2_256;dh19' esp=aes256-sha2_256
anonymous chacha good 'ike=chacha20_poly1305-sha2_256;dh31' esp=chacha20_poly1305
anonymous esn good esn=yes
anonymous no-esn good esn=no
anonymous rekey good
anonymous no-pfs good pfs=no
anonymous both good
way tunnel good 'rightid=%null' 'rightauth=null' type=tunnel mobike=yes
anonymous encap good encapsulation=yes
anonymous liveness good dpddelay=1 dpdtimeout=10
anonymous lossy good
way named good "${identified[@]}"
way wrong good "${identified[@]}"
anonymous cookies good
anonymous nothing good 'ike=aes128-sha1;dh14'
anonymous no-esp good esp=aes128-sha1
lab_address server "${at[@]}"
lab_zone keyed.example signed <names
libreswan_start server
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: named.keyed.example' \
	'identify-to: wrong.keyed.example' 'ike-life: 10'
lab_start_client

said() { libreswan_said server "$way" "$@"; }
# ours TEXT: oe-iked has said it since this way began
ours() { tail -n "+$((begun + 1))" oe-iked.log | grep -E -- "$1" >/dev/null; }
expect_ours() { lab_wait 5 "\"$1\" in our log" ours "$1"; }
# crossing KIND: libreswan asks for new keys too, before it has heard that we do
crossing() {
	lab_whack server 5 "--rekey-$1" --asynchronous --name "$way"
	expect_ours "the peer (has a new CHILD SA, while we ask for one|wants a new IKE SA too)"
}

# ended: by libreswan. It was in use a moment ago, so it is made again at once, and we end that.
ended() {
	begun=$(wc -l <oe-iked.log)
	lab_whack server 5 --terminate --name "$way"
	expect_ours "${at[$way]}:[0-9]*: closed: the host refused: deleted by the peer"
	expect_ours "${at[$way]}:[0-9]* \($way.keyed.example\): up"
	lab_oe down "${at[$way]}"
	made+=("$way")
}
# last_handle: what the log calls the IKE SA that came up last
last_handle() { awk '$4 == "ike" && /installing: up$/ { n = $5 } END { print "ike", n }' oe-iked.log; }
made=() protected=()

lab_dig both-ike.keyed.example
expect_answer "${at[both-ike]}"
expect_reached client "${at[both-ike]}"
its_time=${EPOCHSECONDS} both_handle=$(last_handle)
for way in "${ways[@]:1}"; do
	note "$way"
	begun=$(wc -l <oe-iked.log)
	case $way in
	wrong)		lab_whack server 5 --keyid @client.keyed.example --pubkeyrsa "0s${other##* }" ;;
	cookies)	lab_whack server 5 --ddos-busy ;;
	lossy)		lab_lose server "${at[lossy]}" ;;
	esac
	lab_dig "$way.keyed.example"
	case $way in
	nothing)	expect_servfail_ede 'peer said NO_PROPOSAL_CHOSEN'
			continue ;;
	no-esp)		expect_servfail_ede 'peer said NO_PROPOSAL_CHOSEN for ESP'
			continue ;;
	wrong)		expect_servfail_ede 'peer said AUTHENTICATION_FAILED'
			said 'authentication failed: using RSASSA-PSS'
			continue ;;
	lossy)		[ "$lab_rcode" = NOERROR ] || { nap 1; lab_dig lossy.keyed.example; } ;;
	esac
	expect_answer "${at[$way]}"
	expect_reached client "${at[$way]}"
	case $way in
	both)		lab_late server
			lab_wear_out "${at[$way]}"
			in_host client ping -q -c 1 -W 0.1 "${at[$way]}" || :
			expect_ours 'asked for a new CHILD SA'
			crossing ipsec
			# Which of the two stays, the nonces say. libreswan keeps the other one as well.
			expect_ours "${at[$way]}:500: rekeyed"
			lab_in_time server
			expect_reached client "${at[$way]}" ;;
	rekey)		lab_pings client "${at[$way]}"
			lab_whack server 5 --rekey-ipsec --asynchronous --name rekey
			expect_ours "${at[$way]}:500: rekeyed"
			lab_whack server 5 --rekey-ike --asynchronous --name rekey
			expect_ours "${at[$way]}:500: IKE SA rekeyed"
			expect_no_ping_lost
			begun=$(wc -l <oe-iked.log)
			lab_wear_out "${at[$way]}"
			expect_reached client "${at[$way]}"
			expect_ours "${at[$way]}:500: rekeyed"
			said 'responder rekeyed Child SA'
			expect_one_pair server "$client_v4" "${at[$way]}"
			expect_reached client "${at[$way]}" ;;
	lossy)		expect_ours 'no answer: sent again'
			lab_lose_no_more server "${at[lossy]}" ;;
	asked)		# It hears us, and we do not hear it.
			in_host client iptables-legacy -A INPUT -s "${at[asked]}" -p esp -j DROP
			lab_daemon keep client ping -q -i 0.5 "${at[asked]}"
			its_handle=$(last_handle)
			continue ;;
	no-pfs)		lab_whack server 5 --rekey-ipsec --asynchronous --name no-pfs
			expect_ours "${at[$way]}:500: rekeyed" ;;
	group)		expect_ours 'asked for another group' ;;
	short)		expect_ours 'AES-GCM-128' ;;
	cbc)		expect_sa 'enc cbc(aes)' "${at[$way]}" ;;
	chacha)		expect_sa 'aead rfc7539esp' "${at[$way]}" ;;
	esn)		expect_sa 'flag esn' "${at[$way]}" ;;
	no-esn)		! ip -n client xfrm state list dst "${at[$way]}" | grep 'flag esn' || fail 'it has extended sequence numbers' ;;
	tunnel)		expect_sa 'mode tunnel' "${at[$way]}" ;;
	encap)		expect_sa 'encap type espinudp' "${at[$way]}" ;;
	liveness)	expect_ours ': up: answered' ;;
	named)		said 'authenticated peer'
			expect_fragments client "${at[$way]}" ;;
	cookies)	expect_ours 'asked for a cookie' ;;
	esac
	ended
	if [ -n "$its_time" ] && [ $((EPOCHSECONDS - its_time)) -ge 7 ]; then
		its_time='' way=both-ike
		note "$way"
		begun=$(wc -l <oe-iked.log)
		lab_late server
		lab_wait 15 'a new IKE SA from us' ours "$both_handle up: asked for a new IKE SA"
		crossing ike
		expect_ours "${at[$way]}:500: IKE SA rekeyed"
		nap 1.1
		lab_in_time server
		# libreswan does not compare the nonces: with one chance in two its CHILD SA ends with the IKE SA that we end.
		lab_wait 20 'an answer after both had new IKE SAs' in_host client ping -q -c 1 -W 0.5 "${at[$way]}"
		lab_oe down "${at[$way]}"
		made+=("$way")
	fi
done
begun=0
lab_wait 20 'a liveness check by us' ours "$its_handle up: asked whether the peer lives"
expect_ours "$its_handle up: the peer lives"
# told: both ends have said that we deleted it
told() { grep -E "${at[$way]}:[0-9]*: closed: taken down by the operator" oe-iked.log >/dev/null && libreswan_says server "$way" 'and NOT sending notification'; }
for way in "${made[@]}"; do lab_wait 10 "the end of $way" told; done
[ -z "$its_time" ] || fail 'the first way was forgotten'
for way in "${made[@]}"; do protected+=("${at[$way]}"); done
expect_only_esp client "${protected[@]}"
grep -qaP '\x00\x08\x00\x00\x40\x22' wire.pcap || fail 'no N(CHILDLESS_IKEV2_SUPPORTED) on the wire'
for way in asked wrong nothing no-esp; do expect_no_cleartext client "${at[$way]}"; done
