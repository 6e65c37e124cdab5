# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# libreswan's pluto with connections of a scenario's own; the host that lab_responder makes of it is in lib-ipsec.sh.

# libreswan_connection HOST CONNECTION LEFT RIGHT LINE...: one for pluto on HOST, which is started afterwards; HOST is the left end
libreswan_connection() {
	local dir=$LAB_WORK/pluto.$1 family=ipv4
	[[ $3 != *:* ]] || family=ipv6
	mkdir -p "$dir/run" "$dir/policies"
	[ -e "$dir/ipsec.conf" ] || printf 'config setup\n uniqueids=no\n' >"$dir/ipsec.conf"
	{
		printf 'conn %s\n left=%s\n right=%s\n hostaddrfamily=%s\n leftupdown=%%disabled\n ikev2=insist\n auto=add\n' "$2" "$3" "$4" $family
		printf ' %s\n' "${@:5}"
	} >>"$dir/ipsec.conf"
	libreswan_last=$2
}

# libreswan_start HOST: pluto with these connections, and with the keys that libreswan_key has put there
libreswan_start() {
	local dir=$LAB_WORK/pluto.$1
	: >"$dir/secrets"
	if [ ! -d "$dir/nss" ]; then
		mkdir "$dir/nss"
		certutil -N -d "sql:$dir/nss" --empty-password
	fi
	lab_daemon "pluto.$1" "$1" "$LAB_LIBRESWAN/pluto" --config "$dir/ipsec.conf" --nofork --stderrlog \
		--rundir "$dir/run" --nssdir "$dir/nss" --secretsfile "$dir/secrets"
	lab_wait 30 "libreswan on $1" lab_says "pluto.$1" "\"$libreswan_last\": added"
}

# lab_whack HOST SECONDS ARGUMENT...: its control program, which may wait for long; what it says is in whack.log
lab_whack() { in_host "$1" timeout "$2" "$LAB_LIBRESWAN/whack" --rundir "$LAB_WORK/pluto.$1/run" "${@:3}" >whack.log 2>&1; }

# libreswan_says HOST CONNECTION TEXT: it is in its log about this connection, or an instance of it
libreswan_says() { grep -F "\"$2\"" "pluto.$1.log" | grep -F -- "$3" >/dev/null; }
# libreswan_said HOST CONNECTION TEXT...: or comes within 5 s
libreswan_said() {
	local text
	for text in "${@:3}"; do lab_wait 5 "\"$text\" in libreswan's log of $2" libreswan_says "$1" "$2" "$text"; done
}
