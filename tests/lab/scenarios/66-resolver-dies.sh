#!/bin/bash
# lab: timeout=90
# promise: 4
# Unbound is killed with a tunnel up and started again: the tunnel stays as it is, and the next question is answered with it.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
first=$lab_answer_time

kill -9 "${lab_pid[unbound]}"
wait "${lab_pid[unbound]}" || :
expect_tunnel server
expect_protected server
lab_resolver dynlib validator iterator
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_ad
expect_ike_exchanges server 1
lab_answer_time=$first
expect_protected server

# Stopped in order, and oe-iked too while stubs ask: nobody gets an address that is not protected.
(lab_ask --clients 100 --gap 20 --probe 9 --wait 3 127.0.0.1 host.keyed.example) &
asker=$!
nap 0.7
kill "${lab_pid[unbound]}"
wait "${lab_pid[unbound]}"
wait $asker || :
expect_no_cleartext client server since-answer
