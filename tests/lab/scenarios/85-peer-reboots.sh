#!/bin/bash
# lab: variants=libreswan,assigned,own,strongswan timeout=150
# interop: libreswan host it reboots
# interop: libreswan host :assigned it reboots, address assigned
# interop: strongswan host it reboots
# interop: libreswan host dead without a word, and back again
# interop: strongswan host dead without a word, and back again
# promise: 4
# A host loses all that it knew, its daemon and its kernel, while packets flow, and comes back: after two seconds, and after a longer while.
# The longer one is longer than an attempt, and than the time after which the kernel asks again (8 s here, for 30).
# From its return on, when its daemon answers IKE, it takes less than 10 s until the first answer, and nothing is in clear. assigned:
# libreswan has assigned an address to us, and does so again.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

if [ "$LAB_VARIANT" = assigned ]; then
	lab_topology -r client dns server
	lab_nat
else
	lab_topology client dns server
fi
lab_capture wire
in_host client sysctl -qw net.core.xfrm_acq_expires=8
lab_may_refuse server	# it is on the wire again before its daemon is
lab_key good rsa
lab_key mine rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
start_host() {
	case $LAB_VARIANT in
	strongswan)	lab_strongswan server host.keyed.example good client client.keyed.example mine ;;
	assigned)	lab_responder server libreswan good pool ;;
	*)		lab_responder server "$LAB_VARIANT" good ;;
	esac
}
assigned() { lab_oe status | grep -o 'tunnel/[0-9.]*'; }
start_host
[ "$LAB_VARIANT" != strongswan ] ||
	lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example'
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
if [ "$LAB_VARIANT" = assigned ]; then before=$(assigned); fi
lab_daemon ping client ping -D -i 0.2 "$server_v4"

case $LAB_VARIANT in
libreswan | assigned)	daemon=pluto.server ;;
own)		daemon=oe-iked.server ;;
strongswan)	daemon=charon.server ;;
esac
# crash: power fails
crash() {
	ip -n wire link set p-server down
	kill -9 "${lab_pid[$daemon]}"
	wait "${lab_pid[$daemon]}" || :
	ip -n server xfrm state flush
	ip -n server xfrm policy flush
	rm -rf pluto.server/run charon.server/charon.vici
	mv "$daemon.log" "$daemon.$1.log"
}
# answered_since TIME: when the first ping after that was answered; fails while none was
answered_since() { awk -F '[][]' -v since="$1" '/bytes from/ && $2 > since { print $2; exit found = 1 } END { exit !found }' ping.log; }
# reboots SECONDS: the host is away for that long
reboots() {
	local back first
	crash "$1"
	nap "$1"
	ip -n wire link set p-server up
	start_host
	back=$EPOCHREALTIME
	lab_wait 30 "an answer after the reboot" answered_since "$back" >/dev/null
	first=$(answered_since "$back")
	after=$(awk -v a="$back" -v b="$first" 'BEGIN { printf "%.1f", b - a }')
	tell "$LAB_VARIANT, away for $1 s: the first answer $after s after its return"
	awk -v after="$after" 'BEGIN { exit after >= 10 }' || fail "traffic needed $after s"
}

lab_wait 10 "pings" answered_since 0 >/dev/null
nap 1
reboots 2
case $LAB_VARIANT in
libreswan|own)	nap 3; reboots 15 ;;
esac
[ "$LAB_VARIANT" != assigned ] || [ "$(assigned)" = "$before" ] || fail "it had $before, and has $(assigned)"
expect_no_cleartext client "$server_v4"
expect_protected server
