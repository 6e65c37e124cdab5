# shellcheck shell=bash disable=SC2154,SC2034 # variables of lib.sh, and for it
# Keys, the hosts that answer IKE with them, our client, and what must be true of its kernel.

# lab_key NAME rsa|rsa4096|ecdsa|ecdsa384|ed25519|ed448: a private key; the same in every scenario of this boot
lab_key() {
	local pem=$LAB_CACHE/$1.$2.pem how
	case $2 in
	rsa)		how=(-algorithm RSA -pkeyopt rsa_keygen_bits:3072) ;;
	# To make one takes seconds.
	rsa4096)	[ -e "$pem" ] || install -m 600 "$LAB_TOP/tests/vectors/keys/rsa4096.pem" "$pem" ;;
	ecdsa)		how=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256) ;;
	ecdsa384)	how=(-algorithm EC -pkeyopt ec_paramgen_curve:P-384) ;;
	ed25519|ed448)	how=(-algorithm "$2") ;;
	*)		fail "lab_key: no type $2" ;;
	esac
	[ -e "$pem" ] || openssl genpkey "${how[@]}" -out "$pem" 2>/dev/null
	ln -sf "$pem" "$1.pem"
	echo "$2" >"$1.type"
}

# lab_ipseckey NAME [PRECEDENCE [GATEWAY-TYPE GATEWAY]]: RDATA of this key, in presentation format (RFC 4025 3.2)
lab_ipseckey() {
	local type alg key cache
	type=$(<"$1.type")
	cache=$LAB_CACHE/$1.$type.ipseckey
	case $type in
	rsa*)		alg=2 ;;
	ecdsa*)		alg=3 ;;
	ed*)		alg=4 ;;
	esac
	[ -e "$cache" ] || public_key "$1" "$type" >"$cache"
	key=$(<"$cache")
	echo "${2:-10} ${3:-0} $alg ${4:-.} $key"
}
# public_key NAME TYPE: as IPSECKEY has it
public_key() {
	local modulus
	case $2 in
	rsa*)		modulus=$(openssl rsa -in "$1.pem" -noout -modulus)
			# RFC 3110: length of the exponent, exponent, modulus; the exponent is 65537
			printf '03010001%s' "${modulus#*=}" | basenc --base16 -d | base64 -w 0 ;;
	ecdsa)		spki "$1" 64 ;;
	ecdsa384)	spki "$1" 96 ;;
	ed25519)	spki "$1" 32 ;;
	ed448)		spki "$1" 57 ;;
	esac
}
# Elliptic keys end their SubjectPublicKeyInfo.
spki() { openssl pkey -in "$1.pem" -pubout -outform DER | tail -c "$2" | base64 -w 0; }

# lab_responder HOST libreswan KEY [cookies|refuse|pool]: refuse = wants a client with a key of its own; pool = tunnel mode to an address
# that it assigns, 100.64.0.1 or up, in fd00:64::/120
# lab_responder HOST own KEY [OE.CONF-LINE...]: HOST accepts anonymous IKEv2 clients and proves KEY
lab_responder() {
	case $2 in
	libreswan)	libreswan_responder "$1" "$3" "${4:-}" ;;
	own)		own_responder "$1" "${@:3}" ;;
	*)		fail "lab_responder: no kind $2" ;;
	esac
}

libreswan_responder() {
	local host=$1 key=$2 ddos=auto sig=rsasig id=%null auth=null type=transport pool4='' pool6='' dir=$LAB_WORK/pluto.$1 ckaid
	local pool='\n\tnarrowing=yes\n\tleftmodecfgserver=yes\n\trightmodecfgclient=yes\n\trightaddresspool='
	[[ $(<"$key.type") == rsa* ]] || sig=ecdsa
	case $3 in
	cookies)	ddos=busy ;;
	refuse)		id=@nobody.example auth=rsasig ;;
	pool|mobike)	[ "$3" != mobike ] || pool='\n\tmobike=yes'$pool
			type=tunnel pool4=${pool}100.64.0.1-100.64.0.200 pool6=${pool}fd00:64::/120 ;;
	esac
	libreswan_in_place
	ckaid=$(libreswan_key "$key" "$dir")
	mkdir -p "$dir/run" "$dir/policies"
	: >"$dir/secrets"
	sed "s,@DIR@,$dir,g; s,@CKAID@,$ckaid,; s,@DDOS@,$ddos,; s,@SIG@,$sig,; s,@ID@,$id,; s,@AUTH@,$auth,; \
		s,@V4@,${lab_v4[$host]},; s,@V6@,${lab_v6[$host]},; s,@TYPE@,$type,; s,@POOL4@,$pool4,; s,@POOL6@,$pool6," \
		"$LAB/responders/libreswan.conf" >"$dir/ipsec.conf"
	lab_daemon "pluto.$host" "$host" "$LAB_LIBRESWAN/pluto" --config "$dir/ipsec.conf" --nofork --stderrlog \
		--rundir "$dir/run" --nssdir "$dir/nss" --secretsfile "$dir/secrets"
	lab_wait 30 "libreswan on $host" libreswan_ready "$host"
}
# pluto finds its other programs in /usr/libexec/ipsec alone.
libreswan_in_place() {
	[ "$LAB_LIBRESWAN" != /usr/libexec/ipsec ] || return 0
	[ -n "$LAB_LIBRESWAN" ] || fail "libreswan is not there: tests/lab/get-libreswan"
	mkdir libexec
	mount --bind "$LAB_LIBRESWAN" libexec
	mount -t tmpfs tmpfs /usr/libexec
	mkdir /usr/libexec/ipsec
	mount --move libexec /usr/libexec/ipsec
	LAB_LIBRESWAN=/usr/libexec/ipsec
}
libreswan_ready() { lab_says "pluto.$1" '"v4": added' && lab_says "pluto.$1" '"v6": added'; }

# libreswan_key KEY DIR: our PEM key into the NSS database DIR/nss of pluto's, which may have others; prints its CKAID. The certificate is
# only the way in.
libreswan_key() {
	local key=$1 dir=$2 cache
	cache=$LAB_CACHE/nss.$key.$(<"$key.type")
	if [ ! -d "$cache" ]; then
		mkdir -p "$cache/nss"
		openssl req -x509 -key "$key.pem" -subj /CN=lab -out "$cache/crt"
		openssl pkcs12 -export -inkey "$key.pem" -in "$cache/crt" -name lab -passout pass: -out "$cache/p12"
		certutil -N -d "sql:$cache/nss" --empty-password
		pk12util -i "$cache/p12" -d "sql:$cache/nss" -W '' >&2
		certutil -D -n lab -d "sql:$cache/nss"
		"$LAB_LIBRESWAN/showhostkey" --nssdir "$cache/nss" --list | sed 's/.*ckaid: //' >"$cache/ckaid"
	fi
	if [ ! -d "$dir/nss" ]; then
		mkdir -p "$dir"
		cp -r "$cache/nss" "$dir/"
	else
		pk12util -i "$cache/p12" -d "sql:$dir/nss" -W '' >&2
		certutil -D -n lab -d "sql:$dir/nss"
	fi
	cat "$cache/ckaid"
}

own_responder() {
	local host=$1 key=$2
	{
		printf 'server-key: "%s"\nlog-level: debug\n' "$LAB_WORK/$key.pem"
		[[ $* == *accept-anonymous:* ]] || echo 'accept-anonymous: yes'
		printf 'resolver-socket: "%s"\ncontrol-socket: "%s"\n' "$LAB_WORK/$host-resolver.sock" "$LAB_WORK/$host-control.sock"
		[ $# -lt 3 ] || printf '%s\n' "${@:3}"
	} >"oe.$host.conf"
	start_iked "oe-iked.$host" "$host" "oe.$host.conf" "$host-resolver.sock"
}
start_iked() {
	[ -x "$LAB_BINDIR/oe-iked" ] || fail "no $LAB_BINDIR/oe-iked"
	local under=()
	[ "$LAB_MEMCHECK" = no ] || under=(valgrind -q --error-limit=no)
	lab_daemon "$1" "$2" "${under[@]}" "$LAB_BINDIR/oe-iked" -c "$LAB_WORK/$3" -d
	lab_wait 30 "$1" iked_ready "$1" "$4"
}
iked_ready() { lab_says "$1" '' && [ -S "$2" ]; }

# lab_oe_conf LINE...: more lines for the client's oe.conf
lab_oe_lines=()
lab_oe_conf() { lab_oe_lines+=("$@"); }

# lab_start_client [alone]: name server if it does not run yet, oe-iked (not if alone) and Unbound with our module
lab_start_client() {
	lab_dns
	# valgrind and QEMU need seconds for code that they see for the first time.
	[ "$LAB_SLOW" = no ] || lab_oe_conf 'deadline: 15000'
	{
		printf 'resolver-socket: "%s"\ncontrol-socket: "%s"\nlog-level: debug\n' "$LAB_WORK/resolver.sock" "$LAB_WORK/control.sock"
		[ ${#lab_oe_lines[@]} = 0 ] || printf '%s\n' "${lab_oe_lines[@]}"
	} >oe.conf
	[ -e "$LAB_BINDIR/.libs/unbound-oe.so" ] || fail "no $LAB_BINDIR/.libs/unbound-oe.so"
	[ "${1:-}" = alone ] || start_iked oe-iked client oe.conf resolver.sock
	lab_resolver dynlib validator iterator
}

# expect_why NAME OUTCOME TEXT: of NAME `oe why` says that it is protected, plain or refused, and TEXT is in its last line
expect_why() {
	local status=0 wanted
	case $2 in
	protected)	wanted=0 ;;
	plain)		wanted=4 ;;
	refused)	wanted=5 ;;
	*)		fail "expect_why: $2?" ;;
	esac
	lab_oe why "$1" >"why-$1.txt" 2>&1 || status=$?
	[ $status = $wanted ] || fail "oe why $1 ends with $status, not $wanted: $(tail -n 1 "why-$1.txt")"
	[[ $(tail -n 1 "why-$1.txt") == *"$3"* ]] || fail "oe why $1 says \"$(tail -n 1 "why-$1.txt")\", without \"$3\""
}

# lab_oe ARGUMENT...: the command line tool on the client
lab_oe() { in_host client env OE_CONF="$LAB_WORK/oe.conf" "$LAB_BINDIR/oe" -c "$LAB_WORK/oe.conf" "$@"; }

# xfrm_of HOST ADDRESS: the states and policies of HOST that have this address, one a line
xfrm_of() {
	{
		ip -n "$1" -o xfrm state list
		ip -n "$1" -o xfrm policy list
	} | grep -Fw -- "$2" || :
}
# expect_tunnel HOST: client and HOST (or address) have states both ways and policies in and out
expect_tunnel() {
	local address found=no
	for address in "${lab_v4[$1]:-$1}" "${lab_v6[$1]:-$1}"; do
		if [ "$(ip -n client xfrm state list | grep -cFw -- "$address")" -ge 2 ] &&
			ip -n client xfrm policy list | grep -Fw -- "$address" >/dev/null; then found=yes; fi
	done
	[ $found = yes ] || fail "the client has no tunnel with $1"
}
# expect_no_tunnel HOST [ADDRESS]: nothing in the client's kernel about HOST (or address)
expect_no_tunnel() {
	local address
	for address in "${lab_v4[$1]:-$1}" "${lab_v6[$1]:-$1}"; do
		[ -z "$(xfrm_of client "$address")" ] || fail "the client's kernel still has $address: $(xfrm_of client "$address" | sed -n 1p)"
	done
}

# esp_counts: a line SPI PACKETS for each of the client's states
esp_counts() {
	ip -n client -s xfrm state list |
		awk '$1 == "proto" { spi = $4 } /lifetime current/ { getline; sub(/.*bytes\), /, ""); print spi, $0 + 0 }'
}
# esp_packets: packets that they have carried in all
esp_packets() { esp_counts | awk '{ n += $2 } END { print n + 0 }'; }
# esp_moved COUNTS: one of them has carried more than then
esp_moved() {
	awk 'NR == FNR { was[$1] = $2; next } $2 > was[$1] { moved = 1 } END { exit !moved }' <(printf '%s\n' "$1") <(esp_counts)
}
# expect_reached HOST ADDRESS [PING-ARGUMENT...]: pings from HOST are answered, and the client's ESP counters move
expect_reached() {
	local before
	before=$(esp_counts)
	ping_from "$@"
	esp_moved "$before" || fail "the ping to $2 was answered but the ESP counters stand"
}
# expect_sa TEXT [ADDRESS]: one of the client's SAs (to ADDRESS) is so
expect_sa() {
	ip -n client xfrm state list ${2:+dst "$2"} | grep -F -- "$1" >/dev/null || fail "no SA of the client${2:+ to $2} is $1"
}
# expect_one_pair HOST A B: HOST has one SA each way between these addresses, and so has the client, within 5 s. It keeps those that
# are replaced for a while, for what is still under way to it.
expect_one_pair() { lab_wait 5 "one pair of SAs between $2 and $3" one_pair "$@"; }
one_pair() {
	local there back
	there=$(spis_of "$1" "$2" "$3")
	back=$(spis_of "$1" "$3" "$2")
	[ "$(wc -w <<<"$there $back")" = 2 ] && [ "$(spis_of client "$2" "$3")" = "$there" ] && [[ $(spis_of client "$3" "$2") == *"$back"* ]]
}
# spis_of HOST FROM TO
spis_of() { ip -n "$1" xfrm state list src "$2" dst "$3" | awk '$1 == "proto" { print $4 }'; }
# expect_protected HOST [4|6]: pings reach HOST, the client's ESP counters move, and nothing was in clear since lab_dig
expect_protected() {
	local address=${lab_v4[$1]:-$1}
	[ "${2:-4}" = 4 ] || address=${lab_v6[$1]:-$1}
	expect_reached client "$address"
	expect_no_cleartext client "$address" since-answer
	expect_esp client "$address"
}

# expect_ike_exchanges HOST NUMBER: so many IKE SAs were begun with HOST (retransmissions and cookies are the same SA)
expect_ike_exchanges() {
	local pair n=0
	for pair in $(pairs client "$1"); do
		n=$((n + $(check_capture ike wire.pcap "${pair%,*}" "${pair#*,}" | awk '/IKE_SA_INIT/ { print $2 }' | sort -u | wc -l)))
	done
	[ $n = "$2" ] || fail "$n IKE exchanges with $1, not $2"
}

# lab_wear_out ADDRESS: the client's SA to ADDRESS has carried enough after the next packet: its kernel says so
lab_wear_out() {
	local sa
	read -ra sa < <(ip -n client xfrm state list dst "$1" | awk '$1 == "src" || $1 == "proto" || $1 == "aead"
		$1 == "encap" { print $1, $3, $5, $7, $9 }' | paste -sd ' ')
	ip -n client xfrm state update "${sa[@]}" limit packet-soft 1
}

# lab_late HOST, lab_in_time HOST: all that goes to HOST comes a second late, so that what HOST does meanwhile crosses it; and not any more
lab_late() { tc -n wire qdisc replace dev "p-$1" root netem delay 1s; }
lab_in_time() { tc -n wire qdisc del dev "p-$1" root; }

# lab_own_nat HOST FROM OUTSIDE TO: what HOST sends by UDP from FROM to TO is seen there as from OUTSIDE, one more address of HOST's, and
# from other ports
lab_own_nat() { in_host "$1" iptables-legacy -t nat -A POSTROUTING -s "$2" -d "$4" -p udp -j SNAT --to-source "$3:20000-29999"; }

# lab_lose HOST ADDRESS, lab_lose_no_more HOST ADDRESS: every third packet of IKE is lost that HOST gets at ADDRESS, beginning with the
# first, and sends from there, with the second; and not any more
lab_lose() { every_third -A "$@"; }
lab_lose_no_more() { every_third -D "$@"; }
every_third() {
	in_host "$2" iptables-legacy "$1" INPUT -d "$3" -p udp -m statistic --mode nth --every 3 --packet 0 -j DROP
	in_host "$2" iptables-legacy "$1" OUTPUT -s "$3" -p udp -m statistic --mode nth --every 3 --packet 1 -j DROP
}

# lab_watch_policies: from now on record what the client's kernel is asked, and when answers leave the resolver
lab_watch_policies() {
	ip -n client -batch - <<-BATCH
	link add nlmon0 type nlmon
	link set nlmon0 up
	BATCH
	lab_capture netlink client nlmon0
	lab_capture answers client lo 'udp port 53'
}
# expect_policy_before_answer HOST [4|6]: since lab_watch_policies, and before the first answer with a record, the kernel
# had said yes to the SAs and to the policies for HOST both ways
expect_policy_before_answer() {
	local mine=$client_v4 address=${lab_v4[$1]:-$1} ready answered
	[ "${2:-4}" = 4 ] || mine=$client_v6 address=${lab_v6[$1]:-$1}
	check_capture policy netlink.pcap "$mine" "$address" >policies.txt || fail "no SAs and policies for $1"
	ready=$(awk '!seen[$2, $3]++ { last = $1 } END { print last }' policies.txt)
	answered=$(check_capture dns answers.pcap 127.0.0.1 127.0.0.1 | awk '$NF > 0 && !n++ { print $1 }')
	note "policies at $ready, first answer at ${answered:-never}"
	[ -n "$answered" ] || fail "no answer was seen"
	[[ $ready < $answered ]] || fail "an answer left at $answered, before the policies of $ready"
}

# lab_ask ARGUMENT...: see ask --help; its output is in asked.txt. No SERVFAIL comes without a reason
lab_ask() {
	in_host client /usr/bin/python3 -I "$LAB/ask" "$@" >asked.txt || :
	tail -n 1 asked.txt
	! grep -E -m 1 ' SERVFAIL *$' asked.txt || fail "SERVFAIL without a reason"
}
# lab_asked NAME: what lab_ask heard about NAME first, for the expect_* of lab_dig
lab_asked() {
	local field
	read -ra field < <(grep -F -m 1 -- "$1 " asked.txt) || fail "$1 was not asked"
	lab_rcode=${field[3]} lab_ms=${field[2]%.*} lab_answers=("${field[@]:4}") lab_ede='' lab_ad=no
	[ "$lab_rcode" = NOERROR ] || lab_ede=${lab_answers[*]} lab_answers=()
}

# lab_attack ARGUMENT...: see attack --help; one at a time, in the background unless it ends by itself
lab_attack() {
	lab_attack_end
	lab_daemon attack wire /usr/bin/python3 -I "$LAB/attack" "$@"
	case $1 in
	noise|flood)	wait "${lab_pid[attack]}"
			unset "lab_pid[attack]" ;;
	*)		lab_wait 30 "attack $1" lab_says attack ready ;;
	esac
}
lab_attack_end() {
	[ -n "${lab_pid[attack]:-}" ] || return 0
	kill "${lab_pid[attack]}"
	wait "${lab_pid[attack]}" || :
	unset "lab_pid[attack]"
}

# expect_alive NAME KILOBYTES: daemon NAME runs, and in no more memory than this
expect_alive() {
	local rss
	kill -0 "${lab_pid[$1]}" 2>/dev/null || fail "$1 ended: $(tail -n 1 "$1.log")"
	# All its processes: the pages of files, which they have in common, count once.
	rss=$(awk -v pid="${lab_pid[$1]}" '/^Pid:/ { its = $2 == pid } /^PPid:/ && $2 == pid { its = 1 }
		/^RssAnon/ && its { kb += $2 } /^RssFile/ && its && $2 > files { files = $2 } END { print kb + files }' /proc/[0-9]*/status 2>/dev/null)
	note "$1: $rss kB"
	[ "$rss" -le "$2" ] || fail "$1 has grown to $rss kB"
}
