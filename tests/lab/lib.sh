# shellcheck shell=bash
# The words that scenarios are written in.  A scenario begins with
#	. "$LAB/lib.sh"
# and is run by tests/lab/run, alone in a PID and mount namespace of its own: whatever it starts ends with it.
# README.md beside this file describes every function.

set -euEo pipefail
# Everything that a scenario tells goes to its log; what went wrong first is also the reason on its result line.
fail() {
	echo "FAIL: $*"
	[ -e "$LAB_WORK/reason" ] || printf '%s\n' "$*" >"$LAB_WORK/reason"
	exit 1
}
skip() { printf '%s\n' "$*" >"$LAB_WORK/reason"; exit 77; }
note() { echo "-- $*"; }
tell() { printf '%s\n' "$*" | tee -a /dev/fd/4; }
show() { tell "\$ $*"; "$@" 2>&1 | tee -a /dev/fd/4; }
trap 'fail "line $LINENO: ${BASH_COMMAND%%$'"'\\\\n'"'*}: exit status $?"' ERR
trap lab_end EXIT
exec 5<> <(:)	# nap reads from it: a bash builtin, where sleep(1) is a process

cd "$LAB_WORK"

# The addresses of the lab.  The router's second leg and the client move when lab_topology is given -r.
client_v4=192.0.2.1		client_v6=2001:db8:1::1
dns_v4=192.0.2.53		dns_v6=2001:db8:1::53
server_v4=192.0.2.10		server_v6=2001:db8:1::10
server2_v4=192.0.2.20		server2_v6=2001:db8:1::20
server3_v4=192.0.2.30		server3_v6=2001:db8:1::30
router_v4=192.0.2.254		router_v6=2001:db8:1::254
declare -A lab_v4=([client]=$client_v4 [dns]=$dns_v4 [server]=$server_v4 [server2]=$server2_v4
	[server3]=$server3_v4 [router]=$router_v4)
declare -A lab_v6=([client]=$client_v6 [dns]=$dns_v6 [server]=$server_v6 [server2]=$server2_v6
	[server3]=$server3_v6 [router]=$router_v6)

nap() { read -rt "$1" -u 5 || :; }

# lab_wait SECONDS WHAT COMMAND...: until COMMAND succeeds
lab_wait() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || fail "$what: not within the time allowed"
		nap 0.02
	done
}

# in_host HOST COMMAND...
in_host() { local host=$1; shift; nsenter --net="/run/netns/$host" "$@"; }

# lab_daemon NAME HOST COMMAND...: in the background, output in NAME.log, pid in lab_pid[NAME]
declare -A lab_pid
lab_daemon() {
	local name=$1 host=$2
	shift 2
	: >"$name.log"
	nsenter --net="/run/netns/$host" "$@" </dev/null >>"$name.log" 2>&1 4>&- 5>&- &
	lab_pid[$name]=$!
}

# lab_says NAME TEXT: true once daemon NAME's log has TEXT; fails if the daemon has ended
lab_says() {
	kill -0 "${lab_pid[$1]}" 2>/dev/null || fail "$1 ended: $(tail -n 1 "$1.log")"
	[[ $(<"$1.log") == *"$2"* ]]
}

# --- network ---------------------------------------------------------------------------------------------------

# lab_topology [-r] HOST...: hosts on one bridge (in namespace wire); with -r the client is behind the router
lab_topology() {
	local host routed=no
	[ "$1" != -r ] || { routed=yes; shift; set -- router "$@"; }
	lab_hosts=("$@")
	{
		echo "netns add wire"
		for host; do echo "netns add $host"; done
	} | ip -batch -
	{
		echo "link add br0 type bridge stp_state 0 mcast_snooping 0"
		echo "link set lo up"
		for host; do
			if [ "$routed,$host" = yes,client ]; then
				echo "link add eth0 netns client type veth peer name eth1 netns router"
			else
				echo "link add p-$host type veth peer name eth0 netns $host"
				echo "link set p-$host master br0 up"
			fi
		done
		echo "link set br0 up"
	} | ip -n wire -batch -
	if [ $routed = yes ]; then
		client_v4=198.51.100.1 client_v6=2001:db8:2::1
		lab_v4[client]=$client_v4 lab_v6[client]=$client_v6
	fi
	for host; do
		{
			echo "link set lo up"
			echo "addr add ${lab_v4[$host]}/24 dev eth0"
			echo "addr add ${lab_v6[$host]}/64 dev eth0 nodad"
			echo "link set eth0 up"
			case $routed,$host in
			no,*) ;;
			*,client)
				echo "route add default via 198.51.100.254"
				echo "route add default via 2001:db8:2::254" ;;
			*,router)
				echo "addr add 198.51.100.254/24 dev eth1"
				echo "addr add 2001:db8:2::254/64 dev eth1 nodad"
				echo "link set eth1 up" ;;
			*)
				echo "route add default via $router_v4"
				echo "route add default via $router_v6" ;;
			esac
		} | ip -n "$host" -batch -
	done
	if [ $routed = yes ]; then
		# shellcheck disable=SC2016 # a script
		in_host router sh -c 'for f in ipv4 ipv6/conf/all; do
			for w in ip_forward forwarding; do [ ! -e /proc/sys/net/$f/$w ] || echo 1 >/proc/sys/net/$f/$w; done; done'
	fi
	lab_port=p-client
	[ $routed = no ] || lab_port=p-router
}

# lab_nat [6]: the router of lab_topology -r puts its own address, and other ports, in place of the client's, for IPv4 or IPv6.
# On the wire the client is then seen as the router.
declare -A lab_seen=() lab_seen6=()
lab_nat() {
	local tables=iptables-legacy
	[ "${1:-4}" = 4 ] || tables=ip6tables-legacy
	in_host router $tables -t nat -A POSTROUTING -o eth0 -p udp -j MASQUERADE --to-ports 20000-29999
	in_host router $tables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
	if [ "${1:-4}" = 4 ]; then lab_seen[client]=$router_v4; else lab_seen6[client]=$router_v6; fi
	lab_may_refuse router
}

# lab_second_client: a host client2 (203.0.113.1) behind the router of lab_topology -r, in another network than the client
lab_second_client() {
	ip netns add client2
	ip -n wire link add eth0 netns client2 type veth peer name eth2 netns router
	ip -n router -batch - <<-BATCH
	addr add 203.0.113.254/24 dev eth2
	link set eth2 up
	BATCH
	ip -n client2 -batch - <<-BATCH
	link set lo up
	addr add 203.0.113.1/24 dev eth0
	link set eth0 up
	route add default via 203.0.113.254
	BATCH
}

# second LINE...: the words of this lab, with client2 in the place of the client and second/ as its folder; after lab_start_client
# shellcheck disable=SC2016 # what is given is for the other shell
second() {
	mkdir -p second
	cp root.key second/
	unshare --mount env LAB_WORK="$LAB_WORK/second" bash -c '
		mount --bind /run/netns/client2 /run/netns/client
		. "$LAB/lib.sh"
		lab_dns_up=yes
		eval "$1"' second "$(printf '%s\n' "$@")" || fail "$(cat second/reason)"
}

# lab_address HOST ADDRESS...: further addresses of a host
lab_address() {
	local host=$1 address
	shift
	for address; do
		case $address in
		*:*) echo "addr add $address/64 dev eth0 nodad" ;;
		*) echo "addr add $address/24 dev eth0" ;;
		esac
	done | ip -n "$host" -batch -
}

# lab_netem HOST NETEM-PARAMETER...: on everything to and from HOST, e.g. `lab_netem server loss 30% delay 20ms`
lab_netem() {
	local host=$1
	shift
	tc -n "$host" qdisc replace dev eth0 root netem "$@"
	tc -n wire qdisc replace dev "p-$host" root netem "$@"
}

# ping_from HOST ADDRESS [PING-OPTION...]: three pings; fails if none is answered.  In clear or in ESP: see the expect_*.
ping_from() { in_host "$1" ping -q -c 3 -i 0.05 -W 2 "${@:3}" "$2"; }

# lab_pings FROM ADDRESS: two hundred a second from now on, until expect_no_ping_lost, in which some have been answered and none was lost
lab_pings() { lab_daemon ping "$1" ping -i 0.005 "$2"; }
expect_no_ping_lost() {
	nap 0.1
	kill -INT "${lab_pid[ping]}"
	wait "${lab_pid[ping]}" || :
	awk -F 'icmp_seq=' '/bytes from/ && $2 + 0 != ++last { exit lost = 1 } END { exit lost || last < 5 }' ping.log ||
		fail "pings were lost: $(grep loss ping.log)"
}

# lab_know_neighbours A B: both know each other's link address for good, so that no ARP or ND is needed
lab_know_neighbours() {
	local from to address
	for from in "$1 $2" "$2 $1"; do
		to=${from#* } from=${from% *}
		for address in "${lab_v4[$to]}" "${lab_v6[$to]}"; do
			ping_from "$from" "$address"
			ip -n "$from" neigh replace "$address" dev eth0 nud permanent lladdr \
				"$(ip -n "$to" -o link show dev eth0 | sed 's/.*link.ether \([^ ]*\).*/\1/')"
		done
	done
}

# lab_silence HOST: from now on HOST gets packets of the client and answers none (ARP and ND live)
lab_silence() {
	ip -n "$1" route add blackhole "$client_v4/32"
	ip -n "$1" -6 route add blackhole "$client_v6/128"
}

# --- captures --------------------------------------------------------------------------------------------------

# lab_capture NAME [HOST INTERFACE [FILTER]]: from now on into NAME.pcap; default the wire at the client
lab_capture() {
	local name=$1 host=${2:-wire} interface=${3:-$lab_port}
	# A short snapshot length gives tcpdump's ring many places; with its own a burst of netlink messages was lost.
	lab_daemon "tcpdump-$name" "$host" tcpdump -Z root -i "$interface" -s 4096 -B 4096 --immediate-mode -U -w "$name.pcap" ${4:+"$4"}
	lab_wait 30 "capture $name" lab_says "tcpdump-$name" "listening on"
}

# check_capture ARGUMENT...: see check-capture --help
check_capture() { /usr/bin/python3 -I "$LAB/check-capture" "$@"; }

# lab_may_refuse HOST: nobody may be there for the ESP and IKE that come to it, and its kernel says so by ICMP in clear: its daemon
# ends and begins, or it is a NAT that forgets. That is not what expect_no_cleartext looks for.
declare -A lab_refuses=()
lab_may_refuse() { lab_refuses[${lab_v4[$1]}]=yes lab_refuses[${lab_v6[$1]}]=yes; }

# expect_no_cleartext A B [since-answer]: between hosts or addresses A and B nothing but ESP, IKE and ND
expect_no_cleartext() {
	local from_then=()
	[ "${3:-}" != since-answer ] || from_then=(--since "$lab_answer_time")
	cleartext "$1" "$2" "${from_then[@]}" --tally witness || fail "cleartext between $1 and $2: $(sed -n 1p cleartext.txt)"
}
# expect_cleartext A B: there is some (a control: without it the line above proves nothing)
expect_cleartext() {
	! cleartext "$1" "$2" || fail "no cleartext between $1 and $2 although there should be"
}
cleartext() {
	local pair end errors
	for pair in $(pairs "$1" "$2"); do
		errors=()
		for end in "${pair%,*}" "${pair#*,}"; do [ -z "${lab_refuses[$end]:-}" ] || errors=(--errors-of "$end"); done
		check_capture cleartext wire.pcap "${pair%,*}" "${pair#*,}" "${errors[@]}" "${@:3}" >cleartext.txt || return 1
	done
}
# A host is both of its addresses, as the wire sees them.
pairs() {
	local a=${lab_seen[$1]:-${lab_v4[$1]:-$1}} b=${lab_v4[$2]:-$2}
	case $a$b in *:*) ;; *) echo "$a,$b" ;; esac
	a=${lab_seen6[$1]:-${lab_v6[$1]:-$1}} b=${lab_v6[$2]:-$2}
	case $a$b in *.*) ;; *) echo "$a,$b" ;; esac
}
# expect_esp A B [4|6]: ESP went both ways
expect_esp() { esp_both_ways "$@" || fail "no ESP both ways between $1 and $2"; }
expect_no_esp() { ! esp_both_ways "$@" || fail "ESP between $1 and $2"; }
esp_both_ways() {
	local pair
	for pair in $(pairs "$1" "$2"); do
		case ${3:-any},$pair in 4,*:*|6,*.*) continue ;; esac
		! check_capture esp wire.pcap "${pair%,*}" "${pair#*,}" || return 0
	done
	return 1
}

# expect_only_esp A ADDRESS...: between A and each ADDRESS ESP went both ways, and nothing in clear
expect_only_esp() {
	local ours=${lab_v4[$1]:-$1} others errors=()
	[ -z "${lab_refuses[$ours]:-}" ] || errors=(--errors-of "$ours")
	others=$(IFS=,; echo "${*:2}")
	check_capture esp wire.pcap "$ours" "$others" || fail "no ESP both ways between $1 and all of $others"
	check_capture cleartext wire.pcap "$ours" "$others" "${errors[@]}" --tally witness >cleartext.txt || fail "cleartext: $(sed -n 1p cleartext.txt)"
}
# expect_fragments A ADDRESS: IKE_AUTH went in fragments (RFC 7383), both ways
expect_fragments() {
	local which
	check_capture ike wire.pcap "${lab_v4[$1]:-$1}" "$2" >fragments.txt
	for which in request response; do
		[ "$(grep -c "IKE_AUTH .* $which .*fragment" fragments.txt)" -ge 2 ] || fail "the IKE_AUTH $which was not in fragments"
	done
}

. "$LAB/lib-dns.sh"
. "$LAB/lib-ipsec.sh"

# --- the end ---------------------------------------------------------------------------------------------------

# What the sanitizers of a build, or valgrind, have said in a daemon's log: nobody waited for it.
lab_findings() { grep -hE '^==[0-9]+==( |ERROR: )|runtime error: ' ./*.log | head -n 20; }

# What a person wants to see of a scenario that failed, and the shell of `run --shell`.
lab_end() {
	local status=$? host found
	trap - ERR EXIT
	set +e
	found=$(lab_findings)
	if [ -n "$found" ]; then
		# It comes before whatever else went wrong.
		printf '%s\n' "${found%%$'\n'*}" >"$LAB_WORK/reason"
		printf 'FAIL: %s\n' "$found"
		status=1
	fi
	if [ $status != 0 ] && [ $status != 77 ]; then
		for host in "${lab_hosts[@]}"; do
			{ ip -n "$host" -s xfrm state; ip -n "$host" xfrm policy; } >"xfrm.$host"
		done
	fi
	if [ "$LAB_SHELL" != no ]; then
		{
			echo "lab: $LAB_NAME ended with status $status; this is its host client."
			echo "lab: \`in_host HOST COMMAND\` for the others: ${lab_hosts[*]}.  Leave with exit."
		} >&4
		{ declare -f in_host; echo "PS1='client# '"; } >shellrc
		in_host client bash --rcfile shellrc -i >&4 2>&4
	fi
	exit $status
}
lab_hosts=()
