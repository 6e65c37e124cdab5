#!/bin/bash
# lab: variants=libreswan,own timeout=150
# interop: libreswan host we are killed and come back
# promise: 4 7
# oe-iked is killed with a tunnel up and started again: an address that was handed out is encrypted or dropped at every moment, and
# the next question makes a tunnel again. That holds for both addresses of the client that have a tunnel, and for a third that has
# none. Stopped in order it leaves nothing, and nothing of others is touched.
. "$LAB/lib.sh"

second=192.0.2.77 third=192.0.2.78
lab_topology client dns server
lab_address client $second $third
in_host client sysctl -qw net.core.xfrm_acq_expires=8	# the kernel asks for an address again after that long, not 30 s
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
ip -n client xfrm policy add src "$client_v4" dst 203.0.113.9 dir out priority 5 tmpl proto esp reqid 7 mode transport
ip -n client xfrm policy >foreign.txt
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
reached_from() { in_host client ping -q -c 1 -W 1 -I "$1" "$server_v4"; }
lab_wait 10 "the host from the second address" reached_from $second
# other_addresses_silent: nothing of the second and third address was in clear since the answer
other_addresses_silent() {
	local address
	for address in $second $third; do
		check_capture cleartext wire.pcap "$address" "$server_v4" --since "$lab_answer_time" || fail "cleartext from $address"
	done
}

in_host client ping -q -i 0.02 -W 1 -w 30 "$server_v4" >ping.txt &
pinger=$!
for _ in 1 2 3; do
	kill -9 "${lab_pid[oe-iked]}"
	wait "${lab_pid[oe-iked]}" || :
	start_iked oe-iked client oe.conf resolver.sock
	nap 0.3
done
! ping_from client "$server_v4" || fail "the host was reached without SAs"
for address in $second $third; do
	! reached_from "$address" || fail "the host was reached from $address without SAs"
done
expect_no_cleartext client server since-answer
other_addresses_silent

before=$EPOCHREALTIME
lab_dig host.keyed.example
lab_answer_time=$before
if [ "$LAB_VARIANT" = own ]; then
	expect_answer "$server_v4"
	expect_protected server
	# The kernel asks for another address again when it has forgotten that it did.
	lab_wait 20 "the host from the second address" reached_from $second
	lab_wait 20 "the host from the third address" reached_from $third
else
	# pluto 4.10 does not apply INITIAL_CONTACT to ID_NULL, and keeps the old SA until its own liveness check finds it dead.
	expect_servfail_ede "peer said TS_UNACCEPTABLE"
	expect_no_cleartext client server since-answer
fi
other_addresses_silent
kill "$pinger" || :	# it may have ended by itself

kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}"
expect_no_tunnel server
ip -n client xfrm policy | diff foreign.txt - || fail "not everything of ours is gone, or something of others is"
[ -z "$(ip -n client xfrm state)" ] || fail "SAs are left"
