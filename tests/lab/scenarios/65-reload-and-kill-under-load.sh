#!/bin/bash
# lab: timeout=120
# promise: 1 4
# 200 stubs ask two threads while Unbound reloads (which takes a second here), then while oe-iked is killed and started, then while the operator takes the tunnel
# down: each stub uses its answer at once, and not one packet is in clear.
. "$LAB/lib.sh"

lab_topology client dns server server2 server3
lab_netem server delay 100ms
lab_netem server2 delay 100ms
lab_netem server3 delay 100ms
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
two A $server2_v4
two IPSECKEY $(lab_ipseckey good)
three A $server3_v4
three IPSECKEY $(lab_ipseckey good)
ZONE
for host in server server2 server3; do lab_responder $host own good; done
lab_unbound_conf 'num-threads: 2'
lab_start_client

crowd() { lab_ask --clients 200 --gap 20 --probe 9 --wait 8 127.0.0.1 "$@"; awk '{ n[$4]++ } END { for (r in n) print r, n[r] }' asked.txt; }
outcome() { grep -c " NOERROR $1\$" asked.txt || :; }

{ nap 0.3; lab_unbound_control reload; } &
job=$!
crowd host.keyed.example
wait $job
expect_no_cleartext client server
[ "$(outcome "$server_v4")" -gt 50 ] || fail "hardly anybody was answered beside a reload: $(outcome "$server_v4")"

stop_and_go() {
	nap "$1"
	kill -9 "${lab_pid[oe-iked]}"
	nap 0.2
	nsenter --net=/run/netns/client "$LAB_BINDIR/oe-iked" -c "$LAB_WORK/oe.conf" -d </dev/null >>oe-iked.2.log 2>&1 &
	echo $! >oe-iked.pid
}
stop_and_go 0.35 &
job=$!
crowd two.keyed.example
wait $job || :
# IKE that reaches a host without oe-iked is answered with ICMP by its kernel; that tells nothing of anybody's.
check_capture cleartext wire.pcap "$client_v4" "$server2_v4" --errors-of "$client_v4" || fail "cleartext"
expect_no_cleartext client server
[ "$(outcome "$server2_v4")" -gt 20 ] || fail "hardly anybody was answered after oe-iked came back: $(outcome "$server2_v4")"

{ nap 0.8; lab_oe down three.keyed.example; } &
job=$!
crowd three.keyed.example
wait $job || :
lab_oe status
expect_no_cleartext client server
check_capture cleartext wire.pcap "$client_v4" "$server3_v4" || tell "after oe down: cleartext"
