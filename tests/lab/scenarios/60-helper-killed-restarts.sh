#!/bin/bash
# lab: variants=libreswan,own timeout=90
# oe-iked is killed with a tunnel up and started again: an address that was handed out is encrypted or dropped at every moment, and
# the next question makes a tunnel again. Stopped in order it leaves nothing, and nothing of others is touched.
. "$LAB/lib.sh"

lab_topology client dns server
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

in_host client ping -q -i 0.02 -W 1 -w 30 "$server_v4" >ping.txt &
pinger=$!
for _ in 1 2 3; do
	kill -9 "${lab_pid[oe-iked]}"
	wait "${lab_pid[oe-iked]}" || :
	start_iked oe-iked client oe.conf resolver.sock
	nap 0.3
done
! ping_from client "$server_v4" || fail "the host was reached without SAs"
expect_no_cleartext client server since-answer

before=$EPOCHREALTIME
lab_dig host.keyed.example
lab_answer_time=$before
if [ "$LAB_VARIANT" = own ]; then
	expect_answer "$server_v4"
	expect_protected server
else
	# pluto 4.10 does not apply INITIAL_CONTACT to ID_NULL, and keeps the old SA until its own liveness check finds it dead.
	expect_servfail_ede "peer said TS_UNACCEPTABLE"
	expect_no_cleartext client server since-answer
fi
kill "$pinger"

kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}"
expect_no_tunnel server
ip -n client xfrm policy | diff foreign.txt - || fail "not everything of ours is gone, or something of others is"
[ -z "$(ip -n client xfrm state)" ] || fail "SAs are left"
