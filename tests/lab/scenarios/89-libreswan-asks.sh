#!/bin/bash
# lab: variants=ways,nat timeout=150
# interop: libreswan client :ways RSA key
# interop: libreswan client :ways IPv6
# interop: libreswan client :ways cookies demanded by the host
# interop: libreswan client :ways another group (INVALID_KE_PAYLOAD)
# interop: libreswan client :ways AES-CBC with HMAC-SHA2
# interop: libreswan client :ways ChaCha20-Poly1305
# interop: libreswan client :ways nothing in common (NO_PROPOSAL_CHOSEN)
# interop: libreswan client :ways tunnel mode
# interop: libreswan client :ways ESP in UDP without a NAT
# interop: libreswan client :ways liveness asked by the peer
# interop: libreswan client :ways rekeyed by the peer
# interop: libreswan client :ways IKE SA rekeyed by the peer
# interop: libreswan client :ways deleted by the peer
# interop: libreswan client no childless IKE SAs announced: 4.10 does not know RFC 6023
# interop: libreswan client :nat NAT in between, transport mode
# promise: 4
# libreswan as an anonymous client of ours, from one address after the other, each time in another way. Its log, or the kernel, says
# that it was that way.
. "$LAB/lib.sh"

router=()
[ "$LAB_VARIANT" != nat ] || router=(-r)
lab_topology "${router[@]}" client server
[ "$LAB_VARIANT" != nat ] || lab_nat
lab_capture wire
lab_key good rsa
lab_responder server own good 'always-cookie: yes'
libreswan_in_place
dir=$LAB_WORK/pluto.client
mkdir -p "$dir/run" "$dir/policies"
: >"$dir/secrets"
certutil -N -d "sql:$dir" --empty-password

declare -A at=()
ways=()
# way CONNECTION KEY LINE...: a connection of libreswan's, from an address of its own
way() {
	local key theirs=$server_v4 family=ipv4
	key=$(lab_ipseckey "$2")
	at[$1]=${client_v4%.*}.$((100 + ${#ways[@]}))
	case $1 in
	v6)	at[v6]=$client_v6 theirs=$server_v6 family=ipv6 ;;
	nat)	at[nat]=$client_v4 ;;
	*)	lab_address client "${at[$1]}" ;;
	esac
	ways+=("$1")
	printf 'conn %s\n left=%s\n leftid=%%null\n leftauth=null\n leftupdown=%%disabled\n' "$1" "${at[$1]}"
	printf ' right=%s\n rightid=%s\n rightrsasigkey=0s%s\n rightauth=rsasig\n' "$theirs" "$theirs" "${key##* }"
	printf ' hostaddrfamily=%s\n ikev2=insist\n auto=add\n' $family
	printf ' %s\n' "${@:3}"
}
if [ "$LAB_VARIANT" = nat ]; then
	way nat good type=transport
else
	way plain good type=transport
	way v6 good type=transport
	way group good type=transport 'ike=aes_gcm256-sha2_256;dh16+dh31'
	way cbc good type=transport 'ike=aes256-sha2_256;dh19' esp=aes256-sha2_256
	way chacha good type=transport 'ike=chacha20_poly1305-sha2_256;dh31' esp=chacha20_poly1305
	way nothing good type=transport 'ike=aes128-sha1;dh14'
	way tunnel good type=tunnel
	way encap good type=transport encapsulation=yes
	way liveness good type=transport dpddelay=1 dpdtimeout=10
	way rekey good type=transport
fi >"$dir/ipsec.conf"
lab_daemon pluto.client client "$LAB_LIBRESWAN/pluto" --config "$dir/ipsec.conf" --nofork --stderrlog \
	--rundir "$dir/run" --nssdir "$dir" --secretsfile "$dir/secrets"
lab_wait 10 'libreswan on client' lab_says pluto.client "\"${ways[-1]}\": added"

whack() { in_host client timeout "$1" "$LAB_LIBRESWAN/whack" --rundir "$dir/run" "${@:2}" >"whack.$way.log" 2>&1; }
# says TEXT: pluto, of this way
says() { grep -F "\"$way\"" pluto.client.log | grep -F -- "$1" >/dev/null; }
expect_said() { lab_wait 5 "\"$1\" in libreswan's log" says "$1"; }
# asked_whether_we_live: what is answered while nothing is deleted or rekeyed is liveness
asked_whether_we_live() { tail -n "+$begun" oe-iked.server.log | grep -q 'up: answered'; }
# reached: from the address of this way, by ESP
reached() {
	case $way in
	v6)	expect_reached client "$server_v6" ;;
	*)	expect_reached client "$server_v4" -I "${at[$way]}" ;;
	esac
}

for way in "${ways[@]}"; do
	note "$way"
	begun=$(wc -l <oe-iked.server.log)
	whack 4 --initiate --name "$way" || :
	case $way in
	nothing)	expect_said NO_PROPOSAL_CHOSEN
			! says 'established IKE SA' || fail 'it has a tunnel that cannot be' ;;
	*)		expect_said 'established Child SA'
			expect_said 'received anti-DDOS COOKIE response'
			reached ;;
	esac
	case $way in
	group)		expect_said 'INVALID_KE_PAYLOAD response to DH MODP4096' ;;
	cbc)		expect_sa 'enc cbc(aes)' ;;
	chacha)		expect_sa 'aead rfc7539esp' ;;
	tunnel)		expect_sa 'mode tunnel' ;;
	encap)		expect_sa 'encap type espinudp' ;;
	liveness)	lab_wait 10 'a question whether we live' asked_whether_we_live ;;
	rekey)
		whack 5 --rekey-ipsec --name rekey
		lab_wait 5 'new keys for ESP' lab_says oe-iked.server ': rekeyed,'
		reached
		whack 5 --rekey-ike --name rekey
		lab_wait 5 'new keys for IKE' lab_says oe-iked.server ': IKE SA rekeyed,'
		reached ;;
	esac
	whack 5 --terminate --name "$way" || :
done
lab_wait 5 'the deletion' lab_says oe-iked.server 'deleted by the peer'
for way in "${ways[@]}"; do
	case $way in
	v6)	expect_no_cleartext "$client_v6" "$server_v6" ;;
	nat)	expect_no_cleartext client "$server_v4" ;;
	*)	expect_no_cleartext "${at[$way]}" "$server_v4" ;;
	esac
done
