#!/bin/bash
# lab: timeout=120
# 200 keyed names with 200 addresses, asked at once of one worker thread: all answered within 3 s.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good ecdsa
rdata=$(lab_ipseckey good)
lab_zone keyed.example signed < <(
	for n in {1..200}; do printf "h$n A 203.0.113.$n\nh$n IPSECKEY %s\n" "$rdata"; done)
for n in {1..200}; do echo "addr add 203.0.113.$n/32 dev lo"; done | ip -n server -batch -
ip -n client route add 203.0.113.0/24 via "$server_v4"
lab_responder server own good
lab_start_client

printf 'h%s.keyed.example\n' {1..200} | lab_ask --probe 9 127.0.0.1 -
[ "$(grep -c ' NOERROR 203' asked.txt)" = 200 ] || fail "not all were answered: $(grep -v NOERROR asked.txt | sed -n 1p)"
slowest=$(sort -k 3 -n -r asked.txt | awk '$4 == "NOERROR" { print int($3); exit }')
[ "$slowest" -le 3000 ] || fail "the slowest took $slowest ms"
for n in 1 77 200; do
	ping_from client 203.0.113.$n
	expect_no_cleartext client 203.0.113.$n
	expect_esp client 203.0.113.$n
done
