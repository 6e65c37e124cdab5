#!/bin/bash
# lab: timeout=120 alone
# promise: 5
# What a key costs: cold names with one against cold names without, one after the other, medians of 20. The host is next
# door, so that round trips cost nothing; 20 ms are allowed.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good ecdsa
rdata=$(lab_ipseckey good)
lab_zone names.example signed < <(
	for n in {1..40}; do printf "k$n A 203.0.113.$n\nk$n IPSECKEY %s\np$n A 203.0.113.$n\n" "$rdata"; done)
for n in {1..40}; do echo "addr add 203.0.113.$n/32 dev lo"; done | ip -n server -batch -
ip -n client route add 203.0.113.0/24 via "$server_v4"
lab_responder server own good
lab_start_client

# median of the third field of asked.txt
median() { sort -k 3 -n asked.txt | awk '$4 == "NOERROR" { ms[++n] = $3 } END { print ms[int((n + 1) / 2)] }'; }
cold() {
	for n in {1..20}; do lab_ask 127.0.0.1 "$1$n.names.example" >/dev/null; cat asked.txt; done >all.txt
	grep -v ^answered all.txt >asked.txt
	[ "$(grep -c NOERROR asked.txt)" = 20 ] || fail "not all were answered: $(grep -v NOERROR asked.txt | sed -n 1p)"
}
cold p
plain=$(median)
cold k
keyed=$(median)
tell "cold, without a key $plain ms, with one $keyed ms"
awk -v p="$plain" -v k="$keyed" 'BEGIN { exit !(k - p <= 20) }' || fail "a key costs more than 20 ms: $keyed against $plain"
