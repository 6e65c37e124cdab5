#!/bin/bash
# lab: variants=ip,libreswan timeout=60
# promise: 4
# Another program removes all policies and SAs of the machine, as libreswan's start and stop do, or single ones. oe-iked puts the policies
# back as soon as the kernel tells, and establishes again. What leaves in clear is what was sent in between: how much that is, of a
# flood, is told. What a killed oe-iked left is guarded too.
. "$LAB/lib.sh"

PATH=$PATH:${LAB_LIBRESWAN%/libexec/*}/sbin
lab_topology client dns server
lab_capture wire
lab_key good ecdsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host AAAA $server_v6
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good
lab_start_client
lab_dig host.keyed.example AAAA
expect_answer "$server_v6"
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

policies() { ip -n client -o xfrm policy | sort; }
are_back() { policies | diff before.txt - >diff.txt; }
policies >before.txt
[ "$(grep -c reqid before.txt)" -ge 8 ] || fail "not 8 policies: $(<before.txt)"
# after COMMAND...: it removes some of what is ours; nobody sends in that moment
after() {
	in_host client "$@" >removed.log 2>&1 || fail "$*: $(<removed.log)"
	lab_wait 2 "all policies after $*" are_back
	lab_wait 5 "a tunnel after $*" ping_from client "$server_v4"
	lab_wait 5 "the other tunnel after $*" ping_from client "$server_v6"
	expect_no_cleartext client server since-answer
}
if [ "$LAB_VARIANT" = libreswan ]; then
	libreswan_in_place
	after "$LAB_LIBRESWAN/_stackmanager" start --xfrm
	after "$LAB_LIBRESWAN/_stackmanager" stop --xfrm
	exit 0
fi
after ip xfrm policy delete src "$client_v4" dst "$server_v4" dir out
after ip xfrm policy flush
after ip xfrm state deleteall src "$client_v4" dst "$server_v4" proto esp

# Datagrams as fast as one process can, and flushes in the midst of them.
lab_daemon flood client python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to = ('$server_v4', 9)
n, end = 0, time.monotonic() + 0.7
while time.monotonic() < end:
    n += s.sendto(b'flood', to) > 0
print(n)"
for _ in {1..5}; do
	nap 0.05
	ip -n client xfrm policy flush
done
flushed=$EPOCHREALTIME
wait "${lab_pid[flood]}"
cleartext client server || :
tell "5 flushes, a flood of $(<flood.log) datagrams: $(sed -n 's/ packets//p' cleartext.txt | grep . || echo none in clear)"
ping_from client "$server_v4"
lab_answer_time=$(awk -v t="$flushed" 'BEGIN { printf "%.6f", t + 0.2 }')
expect_no_cleartext client server since-answer

kill -9 "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
rm resolver.sock
start_iked oe-iked client oe.conf resolver.sock
policies >before.txt
ip -n client xfrm policy flush
lab_wait 2 "what was left" are_back
! ping_from client "$server_v4" || fail "reached although nobody asked again"
expect_no_cleartext client server since-answer
