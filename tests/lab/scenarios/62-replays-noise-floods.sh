#!/bin/bash
# lab: timeout=120
# promise: 4 6
# A tunnel under replays of every packet, noise on the IKE ports of both hosts and a flood of IKE_SA_INIT from addresses that nobody
# has: it goes on, both daemons live in bounded memory, and a real client gets in afterwards.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
six AAAA $server_v6
six IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good
lab_start_client

lab_attack replay p-client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
lab_attack_end
lab_attack replay p-server
expect_protected server
lab_attack_end
before=$EPOCHREALTIME

in_host client ping -q -i 0.05 "$server_v4" >ping.txt &
pinger=$!
lab_attack noise p-client "$server_v4" "$client_v4" 4000
lab_attack noise p-server "$client_v4" "$server_v4" 4000
expect_alive oe-iked 10000
expect_alive oe-iked.server 10000
lab_answer_time=$EPOCHREALTIME	# the noise itself is no ESP
expect_protected server
lab_attack flood p-server 203.0.113.1 "$server_v4" 8000
expect_alive oe-iked.server 16000
lab_answer_time=$EPOCHREALTIME
expect_protected server
kill "$pinger"
! check_capture list wire.pcap "$client_v4" "$server_v4" --since "$before" | grep icmp || fail "a ping was in clear"

lab_dig six.keyed.example AAAA
expect_answer "$server_v6"
expect_within 1600
lab_dig host.keyed.example
expect_answer "$server_v4"
