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
lab_strongswan() {
	local host=$1 name=$2 key=$3 peer=$4 peer_name=$5 peer_key=$6 dir=$LAB_WORK/charon.$1 family section=connection line
	local connection=() child=() charon=()
	shift 6
	for line in "$@"; do
		case $section:$line in
		connection:--)	section=child ;;
		child:--)	section=charon ;;
		connection:*)	connection+=("$line") ;;
		child:*)	child+=("$line") ;;
		charon:*)	charon+=("$line") ;;
		esac
	done
	strongswan_in_place
	mkdir -p "$dir/private" "$dir/pubkey"
	cp "$key.pem" "$dir/private/own.pem"
	openssl pkey -in "$key.pem" -pubout -out "$dir/pubkey/own.pem"
	openssl pkey -in "$peer_key.pem" -pubout -out "$dir/pubkey/peer.pem"
	{
		printf 'charon-systemd {\n load_modular = no\n install_routes = no\n'
		printf ' load = random nonce openssl pem pkcs1 pkcs8 pubkey kdf kernel-netlink socket-default updown vici\n'
		printf ' plugins { vici { socket = unix://%s/charon.vici } }\n' "$dir"
		printf ' filelog { log { path = %s/charon.log\n default = 1\n flush_line = yes } }\n journal { default = -1 }\n' "$dir"
		printf ' %s\n' "${charon[@]}"
		printf '}\nswanctl {\n load = random nonce openssl pem pkcs1 pkcs8 pubkey\n}\n'
	} >"$dir/strongswan.conf"
	{
		echo 'connections {'
		for family in v4 v6; do
			local -n own=lab_$family
			printf ' %s {\n version = 2\n mobike = no\n local_addrs = %s\n remote_addrs = %s\n' \
				$family "${own[$host]}" "${own[$peer]}"
			printf ' proposals = aes256gcm16-prfsha256-x25519\n'
			printf ' %s\n' "${connection[@]}"
			printf ' local { auth = pubkey\n id = %s\n pubkeys = own.pem }\n' "$name"
			printf ' remote { auth = pubkey\n id = %s\n pubkeys = peer.pem }\n' "$peer_name"
			printf ' children { %s {\n mode = transport\n esp_proposals = aes256gcm16\n' $family
			printf ' %s\n' "${child[@]}"
			printf ' } } }\n'
		done
		echo '}'
	} >"$dir/swanctl.conf"
	lab_daemon "charon.$host" "$host" env STRONGSWAN_CONF="$dir/strongswan.conf" "$LAB_STRONGSWAN/sbin/charon-systemd"
	lab_wait 30 "strongSwan on $host" [ -S "$dir/charon.vici" ]
	# Neither it nor its log says in passing which one it is.
	lab_swanctl "$host" --version >"$dir/version"
	lab_swanctl "$host" --load-all --noprompt >"$dir/load.log" 2>&1 || fail "swanctl --load-all: $(tail -n 1 "$dir/load.log")"
}

# lab_swanctl HOST ARGUMENT...
lab_swanctl() {
	local dir=$LAB_WORK/charon.$1
	in_host "$1" env STRONGSWAN_CONF="$dir/strongswan.conf" SWANCTL_DIR="$dir" "$LAB_STRONGSWAN/sbin/swanctl" "${@:2}" \
		--uri "unix://$dir/charon.vici"
}
# strongswan_says HOST TEXT: it is in its log
strongswan_says() { grep -qF -- "$2" "$LAB_WORK/charon.$1/charon.log"; }
