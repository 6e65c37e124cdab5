# shellcheck shell=bash disable=SC2154,SC2034 # variables of lib.sh, and for it
# strongSwan's charon, which knows no AUTH_NULL: both ends sign.

# Where it must be is compiled in: /usr/lib/ipsec, for this scenario alone.
strongswan_in_place() {
	local entry
	[ ! -e usrlib ] || return 0
	[ -x "$LAB_STRONGSWAN/sbin/charon-systemd" ] || fail "strongSwan is not there: tests/lab/get-strongswan"
	mkdir usrlib usrlib.with
	mount --bind /usr/lib usrlib
	for entry in usrlib/*; do ln -s "$LAB_WORK/$entry" usrlib.with/; done
	rm -f usrlib.with/ipsec
	ln -s "$LAB_STRONGSWAN/lib/ipsec" usrlib.with/ipsec
	mount --bind usrlib.with /usr/lib
}

# lab_strongswan HOST NAME KEY PEER PEER-NAME PEER-KEY [CONNECTION-LINE... [-- CHILD-LINE... [-- CHARON-LINE...]]]
# charon on HOST is NAME and proves KEY; it talks to PEER, who must be PEER-NAME and prove PEER-KEY. Two connections, v4
# and v6, each with a child of that name in transport mode; the lines are added to their swanctl.conf and strongswan.conf.
# It also has the connections that strongswan_connection has made before.
lab_strongswan() {
	local host=$1 name=$2 key=$3 peer=$4 peer_name=$5 peer_key=$6 dir=$LAB_WORK/charon.$1 family section=connection line
	local lines=() charon=()
	shift 6
	for line in "$@"; do
		case $section:$line in
		connection:--)	section=child lines+=(--) ;;
		child:--)	section=charon ;;
		charon:*)	charon+=("$line") ;;
		*)		lines+=("$line") ;;
		esac
	done
	strongswan_in_place
	mkdir -p "$dir/conf.d"
	{
		printf 'charon-systemd {\n load_modular = no\n install_routes = no\n'
		printf ' load = random nonce openssl pem pkcs1 pkcs8 pubkey kdf kernel-netlink socket-default updown vici\n'
		printf ' plugins { vici { socket = unix://%s/charon.vici } }\n' "$dir"
		printf ' filelog { log { path = %s/charon.log\n default = 1\n flush_line = yes } }\n journal { default = -1 }\n' "$dir"
		printf ' %s\n' "${charon[@]}"
		printf '}\nswanctl {\n load = random nonce openssl pem pkcs1 pkcs8 pubkey\n}\n'
	} >"$dir/strongswan.conf"
	for family in v4 v6; do
		local -n own=lab_$family
		strongswan_connection "$host" $family "${own[$host]}" "${own[$peer]}" "$name" "$key" "$peer_name" "$peer_key" "${lines[@]}"
	done
	echo 'include conf.d/*.conf' >"$dir/swanctl.conf"
	lab_daemon "charon.$host" "$host" env STRONGSWAN_CONF="$dir/strongswan.conf" "$LAB_STRONGSWAN/sbin/charon-systemd"
	lab_wait 30 "strongSwan on $host" [ -S "$dir/charon.vici" ]
	# Neither it nor its log says in passing which one it is.
	lab_swanctl "$host" --version >"$dir/version"
	lab_swanctl "$host" --load-all --noprompt >"$dir/load.log" 2>&1 || fail "swanctl --load-all: $(tail -n 1 "$dir/load.log")"
}

# strongswan_connection HOST CONNECTION LOCAL-ADDRESS REMOTE-ADDRESS NAME KEY PEER-NAME PEER-KEY [LINE... [-- CHILD-LINE...]]
# One more for charon on HOST, which is started afterwards; its child has its name.
strongswan_connection() {
	local dir=$LAB_WORK/charon.$1 connection=$2 local=$3 remote=$4 name=$5 key=$6 peer_name=$7 peer_key=$8 file
	shift 8
	[ -d "$dir/pubkey" ] || mkdir -p "$dir/conf.d" "$dir/private" "$dir/pubkey"
	[ -e "$dir/private/$key.pem" ] || cp "$key.pem" "$dir/private/"
	for file in "$key" "$peer_key"; do
		[ -e "$dir/pubkey/$file.pem" ] || openssl pkey -in "$file.pem" -pubout -out "$dir/pubkey/$file.pem"
	done
	{
		printf 'connections { %s {\n version = 2\n mobike = no\n local_addrs = %s\n remote_addrs = %s\n' \
			"$connection" "$local" "$remote"
		printf ' proposals = aes256gcm16-prfsha256-x25519\n'
		printf ' local { auth = pubkey\n id = %s\n pubkeys = %s.pem }\n' "$name" "$key"
		printf ' remote { auth = pubkey\n id = %s\n pubkeys = %s.pem }\n' "$peer_name" "$peer_key"
		while [ $# -gt 0 ] && [ "$1" != -- ]; do
			printf ' %s\n' "$1"
			shift
		done
		printf ' children { %s {\n mode = transport\n esp_proposals = aes256gcm16\n' "$connection"
		printf ' %s\n' "${@:2}"
		printf ' } } } }\n'
	} >"$dir/conf.d/$connection.conf"
}

# lab_swanctl HOST ARGUMENT...
lab_swanctl() {
	local dir=$LAB_WORK/charon.$1
	in_host "$1" env STRONGSWAN_CONF="$dir/strongswan.conf" SWANCTL_DIR="$dir" "$LAB_STRONGSWAN/sbin/swanctl" "${@:2}" \
		--uri "unix://$dir/charon.vici"
}
# strongswan_says HOST TEXT: it is in its log
strongswan_says() { grep -qF -- "$2" "$LAB_WORK/charon.$1/charon.log"; }

# strongswan_marks HOST: what comes into its log from now on
declare -A strongswan_lines=()
strongswan_marks() { strongswan_lines[$1]=$(wc -l <"$LAB_WORK/charon.$1/charon.log"); }
# strongswan_marked HOST TEXT: it has come since
strongswan_marked() { tail -n "+$((strongswan_lines[$1] + 1))" "$LAB_WORK/charon.$1/charon.log" | grep -F -- "$2" >/dev/null; }
# strongswan_said HOST TEXT...: or comes within 5 s
strongswan_said() {
	local text
	for text in "${@:2}"; do lab_wait 5 "\"$text\" in strongSwan's log" strongswan_marked "$1" "$text"; done
}

# strongswan_settles HOST NAME: it has one IKE SA of that name, or comes to it: one that goes meanwhile makes --terminate fail
strongswan_settles() { lab_wait 5 "one IKE SA $2" has_one_ike_sa "$@"; }
has_one_ike_sa() { [ "$(lab_swanctl "$1" --list-sas --ike "$2" | grep -c "^$2: #")" = 1 ]; }

# strongswan_rekeys HOST FROM ADDRESS SWANCTL-ARGUMENT...: it rekeys as told, until its old SA is deleted, while FROM pings ADDRESS;
# none of the pings is lost
strongswan_rekeys() {
	strongswan_marks "$1"
	lab_pings "$2" "$3"
	lab_swanctl "$1" --rekey "${@:4}" >rekey.log 2>&1 || fail "swanctl --rekey ${*:4}: $(tail -n 1 rekey.log)"
	case $4 in
	--child)	strongswan_said "$1" 'outbound CHILD_SA' 'closing CHILD_SA' ;;
	--ike)		strongswan_said "$1" 'IKE_SA deleted' ;;
	esac
	expect_no_ping_lost
}
