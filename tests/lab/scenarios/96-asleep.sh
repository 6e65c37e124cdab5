#!/bin/bash
# lab: timeout=60
# promise: 4
# The machine sleeps: neither oe-iked nor Unbound runs, and meanwhile the host loses all that it knew. What is sent at the moment of
# waking, before they run, is encrypted, and so is everything after it; the host is reached again within seconds. A nap leaves the
# tunnel alone. (How long it was is told to oe-iked by slept.c; what it does without timers is real.)
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_may_refuse server	# it is on the wire again before its daemon is
lab_key good ecdsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good
lab_start_client alone
echo 0 >slept
LD_PRELOAD=$LAB_BINDIR/tests/lab/.libs/slept.so OE_SLEPT=$LAB_WORK/slept start_iked oe-iked client oe.conf resolver.sock
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

asleep() { pgrep -P "${lab_pid[oe-iked]}" | xargs kill "-$1" "${lab_pid[oe-iked]}" "${lab_pid[unbound]}"; }
woke_after() { grep -qE "woke up after ($1|$(($1 - 1))) s" oe-iked.log; }
asleep STOP
echo 3 >slept
asleep CONT
lab_wait 5 "that it was a nap" woke_after 3
expect_protected server
[ "$(grep -c 'up, we started' oe-iked.log)" = 1 ] || fail "a nap has ended the tunnel"

asleep STOP
kill -9 "${lab_pid[oe-iked.server]}"
wait "${lab_pid[oe-iked.server]}" || :
printf 'xfrm state flush\nxfrm policy flush\n' | ip -n server -batch -
lab_responder server own good
echo 7203 >slept
! ping_from client "$server_v4" || fail "the host has forgotten nothing"
asleep CONT
lab_wait 5 "that it was a sleep" woke_after 7200
lab_wait 10 "the host after the sleep" ping_from client "$server_v4"
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
expect_no_cleartext client server since-answer
check_capture cleartext wire.pcap "$client_v4" "$server_v4" --errors-of "$server_v4" || fail "cleartext meanwhile"
