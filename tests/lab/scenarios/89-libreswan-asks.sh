#!/bin/bash
# lab: variants=ways,nat timeout=150
# interop: libreswan client :ways anonymous client
# interop: libreswan client :ways RSA key
# interop: libreswan client :ways ECDSA key
# interop: libreswan client :ways ECDSA P-384 key
# interop: libreswan client :ways RSA key of 4096 bits
# interop: libreswan client :ways both ends say who they are (mutual)
# interop: libreswan client :ways IPv6
# interop: libreswan client :ways wrong key
# interop: libreswan client :ways wrong key of the client
# interop: libreswan client :ways client refused
# interop: libreswan client :ways cookies demanded by the host
# interop: libreswan client :ways packets lost
# interop: libreswan client :ways IKE messages in fragments
# interop: libreswan client :ways another group (INVALID_KE_PAYLOAD)
# interop: libreswan client :ways AES-GCM with 128 bits
# interop: libreswan client :ways AES-CBC with HMAC-SHA2
# interop: libreswan client :ways ChaCha20-Poly1305
# interop: libreswan client :ways extended sequence numbers
# interop: libreswan client :ways nothing in common (NO_PROPOSAL_CHOSEN)
# interop: libreswan client :ways tunnel mode
# interop: libreswan client :ways ESP in UDP without a NAT
# interop: libreswan client :ways liveness asked by the peer
# interop: libreswan client :ways rekeyed by the peer
# interop: libreswan client :ways rekeyed by the peer without a key exchange (no PFS)
# interop: libreswan client :ways IKE SA rekeyed by the peer
# interop: libreswan client :ways rekeyed by us
# interop: libreswan client :ways IKE SA rekeyed by us
# interop: libreswan client :ways rekeyed by both at once
# interop: libreswan client no IKE SA rekeyed by both at once: 4.10 does not compare the nonces (RFC 7296 2.25.2; libreswan's issue 1903) and may end the CHILD SA
# interop: libreswan client no shared secret: we have none, for what is in DNS is public
# interop: libreswan client :ways deleted by the peer
# interop: libreswan client :ways deleted by us
# interop: libreswan client :ways it reboots
# interop: libreswan client :ways we are killed and come back
# interop: libreswan client :ways liveness asked by us
# interop: libreswan client :ways dead without a word, and back again
# interop: libreswan client :ways MOBIKE wanted by the peer, not announced by us
# interop: libreswan client :ways reauthenticated by the peer
# interop: libreswan client :ways childless IKE SAs announced
# interop: libreswan client no childless IKE SA forced by the peer: 4.10 makes one for security labels only (sec-label of ipsec.conf(5))
# interop: libreswan client no ESP dropped on the way, ESP in UDP: 4.10 does not look; encapsulation= of ipsec.conf(5) decides
# interop: libreswan client :nat NAT in between, transport mode
# interop: libreswan client :nat NAT in between, address assigned
# interop: libreswan client :nat it reboots, address assigned
# interop: libreswan client :nat the client goes to another network (MOBIKE)
# promise: 4
# libreswan as a client of ours, from one address after the other, each time in another way. Its log, or the kernel, says that it was
# that way; it deletes every tunnel but one, and then all that it knows is lost.
. "$LAB/lib.sh"
. "$LAB/lib-libreswan.sh"

# nat: the router is in front of the client of this lab, so libreswan is there and we are the server. Otherwise the host that it asks
# is the client, which has a resolver for the keys of those who say who they are.
peer=server host=client daemon=oe-iked router=()
[ "$LAB_VARIANT" != nat ] || peer=client host=server daemon=oe-iked.server router=(-r)
lab_topology "${router[@]}" client dns server
[ "$LAB_VARIANT" != nat ] || lab_nat
lab_capture wire
lab_may_refuse client	# its daemon ends and begins, and who was refused may ask again meanwhile
libreswan_in_place
declare -A types=([good]=rsa [ec]=ecdsa [ec384]=ecdsa384 [large]=rsa4096)
for key in "${!types[@]}"; do lab_key "$key" "${types[$key]}"; done
lab_key theirs rsa
lab_key other rsa
ckaid=$(libreswan_key theirs "$LAB_WORK/pluto.$peer")

declare -A at=() key_of=()
ways=() addresses=()
# way CONNECTION KEY LINE...: a connection of libreswan's, from an address of its own; it is told that KEY is the key of the host
way() {
	local key address=$server_v4 theirs=$client_v4 kind=rsasig field=rightrsasigkey id=$2
	case $1 in
	v6)	address=$server_v6 theirs=$client_v6 ;;
	nat|pool)	address=$client_v4 theirs=$server_v4 ;;
	moves)	address=%defaultroute theirs=$server_v4 ;;
	wrong)	id=wrong ;;&
	*)	address=${server_v4%.*}.$((100 + ${#ways[@]})) ;;
	esac
	key=$(lab_ipseckey "$2") key=0s${key##* }
	[[ $2 != ec* ]] || kind=ecdsa field=rightecdsakey
	# With the 96 bytes of P-384 in rightecdsakey pluto 4.10 dies of signal 11.
	[ "$2" != ec384 ] || field=rightpubkey key=$(openssl pkey -in ec384.pem -pubout -outform DER | base64 -w0)
	at[$1]=$address key_of[$1]=$2
	ways+=("$1")
	libreswan_connection "$peer" "$1" "$address" "$theirs" "rightid=@$id.keyed.example" "$field=$key" "rightauth=$kind" "${@:3}"
}
# anonymous CONNECTION KEY LINE...: it does not say who it is
anonymous() { way "$1" "$2" 'leftid=%null' leftauth=null "${@:3}"; }
# identified CONNECTION NAME LINE...: it does
identified() { way "$1" good "leftid=@$2" leftauth=rsasig "leftckaid=$ckaid" "${@:3}"; }
if [ "$LAB_VARIANT" = nat ]; then
	anonymous nat good type=transport
	anonymous pool good type=tunnel leftmodecfgclient=yes narrowing=yes leftsubnet=0.0.0.0/0
	anonymous moves good type=tunnel leftmodecfgclient=yes narrowing=yes leftsubnet=0.0.0.0/0 mobike=yes
else
	anonymous ours good type=transport
	anonymous reauth good type=transport reauth=yes ikelifetime=10
	anonymous v6 good type=transport
	anonymous group good type=transport 'ike=aes_gcm256-sha2_256;dh16+dh31'
	anonymous short good type=transport 'ike=aes_gcm128-sha2_512;dh20' esp=aes_gcm128
	anonymous cbc good type=transport 'ike=aes256-sha2_256;dh19' esp=aes256-sha2_256
	anonymous chacha good type=transport 'ike=chacha20_poly1305-sha2_256;dh31' esp=chacha20_poly1305
	anonymous killed good type=transport
	anonymous asked good type=transport
	anonymous dead good type=transport
	anonymous esn good type=transport esn=yes
	anonymous no-esn good type=transport esn=no
	anonymous tunnel good type=tunnel mobike=yes
	anonymous encap good type=transport encapsulation=yes
	anonymous liveness good type=transport dpddelay=1 dpdtimeout=10
	anonymous rekey good type=transport
	anonymous no-pfs good type=transport pfs=no
	anonymous both good type=transport
	anonymous lossy good type=transport
	anonymous nothing good type=transport 'ike=aes128-sha1;dh14'
	identified named named.keyed.example type=transport
	identified stranger stranger.keyed.example type=transport
	anonymous ecdsa ec type=transport
	anonymous ecdsa384 ec384 type=transport
	anonymous rsa4096 large type=transport
	anonymous wrong good type=transport
	anonymous refused good type=transport
	anonymous reboot good type=transport
	lab_zone keyed.example signed <<-ZONE
	named IPSECKEY $(lab_ipseckey theirs)
	stranger IPSECKEY $(lab_ipseckey other)
	ZONE
	for way in "${ways[@]}"; do [ "$way" = v6 ] || addresses+=("${at[$way]}"); done
	lab_address server "${addresses[@]}"
fi
libreswan_start "$peer"

served=''
# serve KEY IDENTITY [LINE...]: the host proves KEY, and calls itself so
serve() {
	[ "$served" != "$*" ] || return 0
	if [ "$LAB_VARIANT" = nat ]; then
		if [ "$served" ]; then
			kill "${lab_pid[$daemon]}"
			wait "${lab_pid[$daemon]}" || :
		fi
		lab_responder server own "$1" 'always-cookie: yes' "server-identity: $2" "${@:3}"
	elif [ -z "$served" ]; then
		lab_oe_conf "server-key: $LAB_WORK/$1.pem" "server-identity: $2" 'accept-anonymous: yes' 'accept-identified: yes' \
			'always-cookie: yes' 'ike-life: 10'
		lab_start_client
	else
		kill "${lab_pid[oe-iked]}"
		wait "${lab_pid[oe-iked]}" || :
		sed -i "s,^server-key:.*,server-key: $LAB_WORK/$1.pem,; s,^server-identity:.*,server-identity: $2," oe.conf
		[ $# = 2 ] || printf '%s\n' "${@:3}" >>oe.conf
		start_iked oe-iked client oe.conf resolver.sock
	fi
	served=$*
}
initiate() { lab_whack "$peer" 4 --initiate --name "$way" || :; }
says() { libreswan_says "$peer" "$way" "$1"; }
said() { libreswan_said "$peer" "$way" "$@"; }
# ours TEXT: oe-iked has said it since this way began
ours() { tail -n "+$((begun + 1))" "$daemon.log" | grep -E -- "$1" >/dev/null; }
expect_ours() { lab_wait 5 "\"$1\" in our log" ours "$1"; }
# reached: by ESP, from the address of this way
reached() {
	case $way in
	v6)	expect_reached server "$client_v6" ;;
	nat)	expect_reached client "$server_v4" ;;
	pool|moves)	expect_reached client "$server_v4" -I "$inner" ;;
	*)	expect_reached server "$client_v4" -I "${at[$way]}" ;;
	esac
}

# is_assigned: it got the address, which its updown script would have set
is_assigned() {
	said "received INTERNAL_IP4_ADDRESS $inner" 'established Child SA'
	ip -n client addr add "$inner/32" dev lo
}

reboots() {
	kill -9 "${lab_pid[pluto.$peer]}"
	wait "${lab_pid[pluto.$peer]}" || :
	ip -n "$peer" xfrm state flush
	ip -n "$peer" xfrm policy flush
	rm -rf "pluto.$peer/run"
	mkdir "pluto.$peer/run"
	mv "pluto.$peer.log" "pluto.$peer.first.log"
	libreswan_start "$peer"
}
# ended: by libreswan
ended() {
	lab_whack "$peer" 5 --terminate --name "$way" || :
	expect_ours 'closed: .*deleted by the peer'
}
# What stays for a while, and has had its time.
the_first_ones_end() {
	local way
	begun=0
	# It is in use, and a host asks up to a quarter later than its ike-life.
	lab_wait 15 'a new IKE SA from us' ours "${at[ours]}:500: IKE SA rekeyed"
	kill "${lab_pid[keep]}"
	wait "${lab_pid[keep]}" || :
	way=ours
	ended
	# It ends the old one first, and asks for a new one with all exchanges.
	way=reauth
	lab_wait 15 'reauthentication by libreswan' has_come_again
	said 'initiate reauthentication of IKE SA'
	reached
	ended
}
the_second_ones_end() {
	local way=asked
	begun=0
	# A client is looked at every 15 s, and one that does not answer is asked for 8 s.
	lab_wait 20 'a liveness check by us' ours "$its_handle up: asked whether the peer lives"
	expect_ours "$its_handle up: the peer lives"
	kill "${lab_pid[keep-asked]}"
	wait "${lab_pid[keep-asked]}" || :
	ended
	way=dead
	lab_wait 30 'the end of a dead client' ours "${at[dead]}:500: closed: .*no answer to a liveness check"
	kill "${lab_pid[keep-dead]}"
	wait "${lab_pid[keep-dead]}" || :
	in_host server iptables-legacy -D OUTPUT -s "${at[dead]}" -j DROP
	begun=$(wc -l <"$daemon.log")
	initiate
	expect_ours "${at[dead]}:500 .*: up,"
	reached
	ended
}
has_come_again() { [ "$(grep -c "${at[$way]}:500 .*: up," "$daemon.log")" -ge 2 ]; }

protected=()
for way in "${ways[@]}"; do
	note "$way"
	case $way in
	killed)		the_first_ones_end ;;
	ecdsa)		the_second_ones_end ;;
	esac
	case $way in
	wrong)		serve other wrong.keyed.example ;;
	refused)	serve good good.keyed.example 'accept-anonymous: no' ;;
	pool)		serve good good.keyed.example 'address-pool: 100.64.0.0/24'
			inner=100.64.0.1 ;;
	moves)		inner=100.64.0.3 ;;
	reboot)		sed -i '/^accept-anonymous: no/d' oe.conf
			serve good good.keyed.example ;;
	*)		serve "${key_of[$way]}" "${key_of[$way]}.keyed.example" ;;
	esac
	begun=$(wc -l <"$daemon.log")
	[ "$way" != lossy ] || lab_lose server "${at[lossy]}"
	initiate
	case $way in
	nothing)	said NO_PROPOSAL_CHOSEN ;;
	stranger|refused) said AUTHENTICATION_FAILED ;;
	wrong)		said 'authentication failed' ;;
	esac
	case $way in
	nothing|stranger|refused|wrong)
		! says 'established Child SA' || fail 'it has a tunnel that cannot be'
		lab_whack "$peer" 5 --terminate --name "$way" || :
		continue ;;
	esac
	said 'established Child SA' 'received anti-DDOS COOKIE response'
	[[ $way != pool && $way != moves ]] || is_assigned
	reached
	case $way in
	ours)		lab_daemon keep server ping -q -i 0.5 -I "${at[ours]}" "$client_v4"
			continue ;;
	reauth)		continue ;;
	asked)		# It hears us, and we do not hear it.
			its_handle=$(awk '$4 == "ike" && /installing: up$/ { n = $5 } END { print "ike", n }' oe-iked.log)
			in_host client iptables-legacy -A INPUT -s "${at[asked]}" -p esp -j DROP
			lab_daemon keep-asked client ping -q -i 0.5 "${at[asked]}"
			continue ;;
	dead)		# Nothing comes from it any more, and it has forgotten all.
			in_host server iptables-legacy -I OUTPUT -s "${at[dead]}" -j DROP
			lab_whack server 5 --terminate --name dead || :
			lab_daemon keep-dead client ping -q -i 0.5 "${at[dead]}"
			continue ;;
	killed)		kill -9 "${lab_pid[oe-iked]}"
			wait "${lab_pid[oe-iked]}" || :
			sed -i '/^ike-life:/d' oe.conf
			start_iked oe-iked client oe.conf resolver.sock
			lab_whack server 5 --terminate --name killed || :
			begun=$(wc -l <"$daemon.log")
			initiate
			expect_ours "${at[killed]}:500 .*: up,"
			reached ;;
	group)		said 'INVALID_KE_PAYLOAD response to DH MODP4096' ;;
	short)		expect_ours 'AES-GCM-128' ;;
	cbc)		expect_sa 'enc cbc(aes)' "${at[$way]}" ;;
	chacha)		expect_sa 'aead rfc7539esp' "${at[$way]}" ;;
	esn)		expect_sa 'flag esn' "${at[$way]}" ;;
	no-esn)		! ip -n client xfrm state list dst "${at[$way]}" | grep 'flag esn' || fail 'it has extended sequence numbers' ;;
	tunnel)		expect_sa 'mode tunnel' "${at[$way]}" ;;
	encap)		expect_sa 'encap type espinudp' "${at[$way]}" ;;
	liveness)	expect_ours ': up: answered' ;;
	named)		said 'sent IKE_AUTH request'
			expect_ours 'named.keyed.example'
			expect_fragments client "${at[$way]}" ;;
	lossy)		lab_lose_no_more server "${at[lossy]}" ;;
	rekey)		lab_pings server "$client_v4"
			lab_whack server 5 --rekey-ipsec --asynchronous --name rekey
			expect_ours "${at[$way]}:500: rekeyed"
			lab_whack server 5 --rekey-ike --asynchronous --name rekey
			expect_ours "${at[$way]}:500: IKE SA rekeyed"
			begun=$(wc -l <"$daemon.log")
			lab_wear_out "${at[$way]}"
			reached
			expect_ours "${at[$way]}:500: rekeyed"
			said 'responder rekeyed Child SA'
			expect_one_pair server "$client_v4" "${at[$way]}"
			reached ;;
	no-pfs)		lab_whack server 5 --rekey-ipsec --asynchronous --name no-pfs
			expect_ours "${at[$way]}:500: rekeyed" ;;
	both)		lab_late server
			lab_wear_out "${at[$way]}"
			in_host client ping -q -c 1 -W 0.1 "${at[$way]}" || :
			expect_ours 'asked for a new CHILD SA'
			lab_whack server 5 --rekey-ipsec --asynchronous --name both
			expect_ours 'the peer has a new CHILD SA, while we ask for one'
			# Which of the two stays, the nonces say. libreswan keeps the other one as well.
			expect_ours "${at[$way]}:500: rekeyed"
			lab_in_time server
			reached ;;
	pool)		reboots
			initiate
			inner=100.64.0.2	# it does not ask for its former one, and who had that has not said goodbye
			is_assigned
			reached ;;
	moves)		ip -n client addr del "$client_v4/24" dev eth0
			ip -n client addr add 198.51.100.2/24 dev eth0
			ip -n client route add default via 198.51.100.254
			expect_ours 'has moved to'
			expect_ours ': rekeyed'
			reached ;;
	reboot)		reboots
			initiate
			said 'established Child SA'
			reached
			lab_oe down "${at[$way]}"
			said 'NOT sending notification' ;;
	esac
	[ "$way" = reboot ] || ended
	[[ $way = v6 || $way = nat || $way = pool ]] || protected+=("${at[$way]}")
done
if [ "$LAB_VARIANT" = nat ]; then
	expect_no_cleartext client "$server_v4"
else
	expect_only_esp client "${at[ours]}" "${at[reauth]}" "${at[asked]}" "${at[dead]}" "${protected[@]}"
	expect_no_cleartext "$client_v6" "$server_v6"
	for way in nothing stranger wrong refused; do expect_no_cleartext client "${at[$way]}"; done
fi
