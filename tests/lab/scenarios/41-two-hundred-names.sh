#!/bin/bash
# lab: timeout=120 alone
# promise: 1 5
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

# The figure is for a machine with nothing else to do. On a loaded one a stub may be told SERVFAIL, or nothing because
# Unbound discards what is older than 1.9 s; then it asks once more, and must be answered.
start=${EPOCHREALTIME/./}
printf 'h%s.keyed.example\n' {1..200} | lab_ask --wait 2.5 --probe 9 127.0.0.1 -
mv asked.txt first.txt
again=$(awk '$2 == 0 && $4 != "NOERROR" { print $1 }' first.txt)
: >asked.txt
[ -z "$again" ] || lab_ask --probe 9 127.0.0.1 - <<<"$again"
took=$(((${EPOCHREALTIME/./} - start) / 1000))
first=$(awk '/ NOERROR 203/ { n++ } END { print n + 0 }' first.txt)
answered=$(cat first.txt asked.txt | awk '/ NOERROR 203/ { n++ } END { print n + 0 }')
tell "200 names at once: $first at the first question, $answered in all, after $took ms"
[ "$answered" = 200 ] || fail "only $answered were answered"
for n in 1 77 200; do
	ping_from client 203.0.113.$n
	expect_no_cleartext client 203.0.113.$n
	expect_esp client 203.0.113.$n
done
