# shellcheck shell=bash disable=SC2154,SC2034 # variables of lib.sh, and for it
# Zones, the name server that has them, the resolver that asks it, and what its answers should be.

# The tree: root and example. are signed, everything else hangs below example. by delegation; all on host dns.
lab_zones=()
declare -A lab_zone_kind
lab_broken=()
lab_dns_up=no

# lab_zone NAME signed|nsec3|unsigned: a zone whose records (without SOA, NS) come on standard input. One below arpa. hangs nowhere: the
# resolver knows its name server and its key.
lab_stubs=()
lab_zone() {
	lab_zones+=("$1")
	lab_zone_kind[$1]=$2
	{ zone_head "$1"; cat; } >"$1.zone"
}
zone_head() {
	# shellcheck disable=SC2016 # $ORIGIN is for the name server
	printf '$ORIGIN %s.\n$TTL 300\n@ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n@ NS ns.example.\n' "${1%.}"
}

# lab_break OWNER TYPE: spoil the signature of these records
lab_break() { lab_broken+=("$1. $2"); }

# lab_drop_queries OWNER TYPE-NUMBER: queries for this never reach the name server
lab_drop_queries() {
	# The type stands behind the name, which stands behind the DNS header of 12 bytes.
	local at=$((12 + ${#1} + 2)) high=$(($2 / 256)) low=$(($2 % 256))
	tc -n wire -batch - <<-BATCH
	qdisc replace dev p-dns clsact
	filter add dev p-dns egress protocol ip u32 match ip dport 53 0xffff match u8 $high 0xff at $((28 + at)) match u8 $low 0xff at $((29 + at)) action drop
	filter add dev p-dns egress protocol ipv6 u32 match ip6 dport 53 0xffff match u8 $high 0xff at $((48 + at)) match u8 $low 0xff at $((49 + at)) action drop
	BATCH
}

# A key for zone $1, made once a boot; prints the base name of its files.
zone_key() {
	local cache=$LAB_CACHE/key.$1
	[ -e "$cache" ] || (cd "$LAB_CACHE" && ldns-keygen -a ECDSAP256SHA256 -k "$1" >"$cache")
	echo "$LAB_CACHE/$(<"$cache")"
}

# sign_zone NAME KIND: NAME.zone becomes NAME.signed
sign_zone() {
	local nsec3=() broken
	[ "$2" != nsec3 ] || nsec3=(-n -t 0)
	ldns-signzone "${nsec3[@]}" -f "$1.signed" "$1.zone" "$(zone_key "$1")"
	for broken in "${lab_broken[@]}"; do
		awk -v owner="${broken% *}" -v type="${broken#* }" '
			$1 == owner && $4 == "RRSIG" && $5 == type { first = substr($NF, 1, 1)
				$NF = (first == "A" ? "B" : "A") substr($NF, 2) }
			{ print }' "$1.signed" >"$1.broken"
		mv "$1.broken" "$1.signed"
	done
}

# lab_dns: sign the zones and start NSD on host dns
lab_dns() {
	local zone parent other labels
	[ $lab_dns_up = no ] || return 0
	lab_dns_up=yes
	zone_head example >example.zone
	printf 'ns A %s\nns AAAA %s\n' "$dns_v4" "$dns_v6" >>example.zone
	lab_zone_kind[example]=signed
	# Children first: their DS records are part of their parents.
	while read -r labels zone; do
		parent=example
		for other in "${lab_zones[@]}"; do
			if [[ $zone == *."$other" ]] && [ ${#other} -gt ${#parent} ]; then parent=$other; fi
		done
		[[ $zone == *.arpa ]] || echo "$zone. NS ns.example." >>"$parent.zone"
		case ${lab_zone_kind[$zone]} in
		unsigned)	cp "$zone.zone" "$zone.signed" ;;
		*)		sign_zone "$zone" "${lab_zone_kind[$zone]}"
				[[ $zone == *.arpa ]] || cat "$(zone_key "$zone").ds" >>"$parent.zone" ;;
		esac
		[[ $zone != *.arpa ]] || lab_stubs+=("$zone")
	done < <(for zone in "${lab_zones[@]}"; do labels=${zone//[^.]/}; echo "${#labels} $zone"; done | sort -rn)
	sign_zone example signed
	if [ ! -e "$LAB_CACHE/root.signed" ]; then
		{
			zone_head .
			printf 'example. NS ns.example.\nns.example. A %s\nns.example. AAAA %s\n' "$dns_v4" "$dns_v6"
			cat "$(zone_key example).ds"
		} >root.zone
		ldns-signzone -f "$LAB_CACHE/root.signed" root.zone "$(zone_key .)"
	fi
	cp "$LAB_CACHE/root.signed" root.signed
	cp "$(zone_key .).key" root.key
	{
		printf 'server:\n\tserver-count: 1\n\tusername: ""\n\tchroot: ""\n\tdatabase: ""\n\tverbosity: 1\n'
		printf '\tpidfile: "%s"\n\tzonesdir: "%s"\n\txfrdfile: "%s"\n\tzonelistfile: "%s"\n' \
			"$LAB_WORK/nsd.pid" "$LAB_WORK" "$LAB_WORK/xfrd.state" "$LAB_WORK/zone.list"
		printf '\tround-robin: no\nremote-control:\n\tcontrol-enable: no\n'
		printf 'zone:\n\tname: .\n\tzonefile: root.signed\n'
		for zone in example "${lab_zones[@]}"; do printf 'zone:\n\tname: %s\n\tzonefile: %s.signed\n' "$zone" "$zone"; done
	} >nsd.conf
	lab_daemon nsd dns nsd -d -c "$LAB_WORK/nsd.conf"
	lab_wait 30 "name server" lab_says nsd "nsd started"
}

# A build with sanitizers has one of its own.
lab_unbound=$LAB_BINDIR/unbound
[ -d "$lab_unbound" ] || lab_unbound=$LAB_BINDIR/unbound-asan

# lab_unbound_conf LINE...: more lines for the server: part of the client's unbound.conf
lab_unbound_lines=()
lab_unbound_conf() { lab_unbound_lines+=("$@"); }

# lab_resolver MODULES...: start Unbound on the client; MODULES is its module-config
lab_resolver() {
	local unbound=$lab_unbound/prefix/sbin/unbound zone
	[ -x "$unbound" ] || fail "no $unbound: run tools/build-unbound $LAB_BINDIR"
	printf '. NS ns.example.\nns.example. A %s\nns.example. AAAA %s\n' "$dns_v4" "$dns_v6" >root.hints
	# Unbound keeps to itself what is later than 1.9 s; oe-iked under valgrind or in QEMU often is.
	[ "$LAB_SLOW" = no ] || lab_unbound_conf 'discard-timeout: 20000'
	# The root denies arpa., and would do so for all that is below it.
	[ ${#lab_stubs[@]} = 0 ] || lab_unbound_conf 'aggressive-nsec: no'
	{
		cat <<-CONF
		server:
			verbosity: 2
			use-syslog: no
			log-time-ascii: no
			username: ""
			chroot: ""
			directory: "$LAB_WORK"
			pidfile: "$LAB_WORK/unbound.pid"
			root-hints: "$LAB_WORK/root.hints"
			trust-anchor-file: "$LAB_WORK/root.key"
			module-config: "$*"
			ede: yes
			val-log-level: 2
			extended-statistics: yes
			harden-referral-path: no
		CONF
		printf '\t%s\n' "${lab_unbound_lines[@]}"
		for zone in "${lab_stubs[@]}"; do printf '\ttrust-anchor-file: "%s.key"\n' "$(zone_key "$zone")"; done
		for zone in "${lab_stubs[@]}"; do printf 'stub-zone:\n\tname: %s\n\tstub-addr: %s\n' "$zone" "$dns_v4"; done
		[[ $* != *dynlib* ]] || printf 'dynlib:\n\tdynlib-file: "%s"\n' "$LAB_BINDIR/.libs/unbound-oe.so"
		cat <<-CONF
		remote-control:
			control-enable: yes
			control-use-cert: no
			control-interface: "$LAB_WORK/unbound.sock"
		CONF
	} >unbound.conf
	OE_CONF=$LAB_WORK/oe.conf lab_daemon unbound client "$unbound" -d -c "$LAB_WORK/unbound.conf"
	lab_wait 30 "resolver" lab_says unbound "start of service"
}

# lab_start_plain: Unbound without our module
lab_start_plain() { lab_dns; lab_resolver validator iterator; }

# lab_unbound_control ARGUMENT...
lab_unbound_control() {
	"$lab_unbound/prefix/sbin/unbound-control" -c "$LAB_WORK/unbound.conf" -s "$LAB_WORK/unbound.sock" "$@"
}

# lab_dig NAME [TYPE] [DIG-OPTION...]: ask the client's resolver as a stub does.  What came back is in lab_rcode, lab_ad
# (yes, no), lab_ede (number and text), lab_ms and the array lab_answers (data of the records of TYPE).
lab_dig() {
	local name=$1 type=${2:-A} line field
	lab_answer_time=$EPOCHREALTIME
	lab_rcode=none lab_ad=no lab_ede='' lab_ms=0 lab_answers=()
	in_host client dig @127.0.0.1 "+time=$([ "$LAB_SLOW" = no ] && echo 5 || echo 20)" +tries=1 "$name" "$type" "${@:3}" >dig.txt || :
	cat dig.txt
	while read -r line; do
		case $line in
		*'status: '*)		lab_rcode=${line#*status: } lab_rcode=${lab_rcode%%,*} ;;
		';; flags:'*)		[[ ! $line =~ \ ad[\;\ ] ]] || lab_ad=yes ;;
		'; EDE: '*)		lab_ede="$lab_ede${lab_ede:+; }${line#; EDE: }" ;;
		';; Query time: '*)	lab_ms=${line#*time: } lab_ms=${lab_ms%% *} ;;
		';'*|'')		;;
		*)			read -ra field <<<"$line"
					[ "${field[3]:-}" != "$type" ] || lab_answers+=("${field[*]:4}") ;;
		esac
	done <dig.txt
}

# expect_rcode RCODE: not SERVFAIL, which nobody may expect without saying why: expect_servfail_ede
expect_rcode() {
	[ "$1" != SERVFAIL ] || fail "expect_rcode SERVFAIL: for which reason?"
	[ "$lab_rcode" = "$1" ] || fail "answer is $lab_rcode ($lab_ede), not $1"
}
# expect_noerror: an answer with records
expect_noerror() {
	expect_rcode NOERROR
	[ ${#lab_answers[@]} -gt 0 ] || fail "answer without records"
}
# expect_answer DATA...: exactly these records, in any order
expect_answer() {
	expect_noerror
	[ "$(printf '%s\n' "${lab_answers[@]}" | sort)" = "$(printf '%s\n' "$@" | sort)" ] ||
		fail "answer is ${lab_answers[*]}, not $*"
}
expect_nodata() {
	expect_rcode NOERROR
	[ ${#lab_answers[@]} = 0 ] || fail "answer is ${lab_answers[*]}, not empty"
}
# expect_servfail_ede TEXT: SERVFAIL, and TEXT is in the reason
expect_servfail_ede() {
	[ "$lab_rcode" = SERVFAIL ] || fail "answer is $lab_rcode ($lab_ede), not SERVFAIL"
	[ ${#lab_answers[@]} = 0 ] || fail "SERVFAIL with records: ${lab_answers[*]}"
	[[ $lab_ede == *"$1"* ]] || fail "the reason is \"$lab_ede\", without \"$1\""
}
expect_ad() { [ "$lab_ad" = yes ] || fail "answer without AD"; }
expect_no_ad() { [ "$lab_ad" = no ] || fail "answer with AD"; }
# expect_within MILLISECONDS: not where the lab itself is slow
expect_within() { [ "$LAB_SLOW" = yes ] || [ "$lab_ms" -le "$1" ] || fail "answered after $lab_ms ms, not within $1"; }
