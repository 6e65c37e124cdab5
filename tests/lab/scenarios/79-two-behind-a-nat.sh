#!/bin/bash
# lab: variants=own timeout=120
# promise: 3 4 7
# Two clients behind one NAT ask for the same host. In transport mode the host cannot tell what it sends to the one from what it
# sends to the other: the second is refused at once, with the reason, and the first does not notice. When the first one
# has gone, the second has its turn.
. "$LAB/lib.sh"

lab_topology -r client dns server
lab_nat
lab_second_client
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
in_host client ping -q -i 0.1 -c 60 -W 1 "$server_v4" >ping.txt &
pinger=$!

second lab_start_client 'lab_dig host.keyed.example' \
	'expect_servfail_ede "peer said TS_UNACCEPTABLE"' 'expect_within 1500' \
	'[ -z "$(ip -n client2 xfrm state)$(ip -n client2 xfrm policy | grep -Fw "$server_v4")" ] || fail "something is left"'
wait $pinger || fail "the first client's pings are not answered: $(tail -n 2 ping.txt)"
grep -q ' 0% packet loss' ping.txt || fail "the first client has lost packets: $(grep loss ping.txt)"
expect_no_cleartext client server since-answer

kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
left=$EPOCHREALTIME
nap 13
second 'lab_dig host.keyed.example' 'expect_answer "$server_v4"' 'ping_from client2 "$server_v4"'
check_capture cleartext wire.pcap "$router_v4" "$server_v4" --since "$left" --errors-of "$router_v4" --tally witness || fail "cleartext of the second client"
