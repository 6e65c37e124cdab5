#!/bin/bash
# lab: variants=libreswan,own
# promise: 1 5 6
# 200 stubs ask two threads for one keyed name while its tunnel is being made; each sends a packet to the address the moment
# it has it. Not one of these packets is in clear, and one IKE exchange serves them all.
. "$LAB/lib.sh"

lab_topology client dns server
lab_netem server delay 50ms
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_unbound_conf 'num-threads: 2'
lab_start_client
lab_watch_policies

lab_answer_time=$EPOCHREALTIME
lab_ask --clients 200 --gap 2 --probe 9 127.0.0.1 host.keyed.example
[ "$(grep -c " NOERROR $server_v4\$" asked.txt)" = 200 ] || fail "not all were answered: $(grep -v NOERROR asked.txt | sed -n 1p)"
expect_policy_before_answer server
expect_no_cleartext client server
expect_ike_exchanges server 1
expect_esp client server
