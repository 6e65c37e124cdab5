#!/bin/bash
# lab: variants=libreswan,own timeout=120
# interop: libreswan host packets lost
# promise: 1 6
# 30 % of the packets are lost each way. A stub asks again after SERVFAIL, and the attempt has gone on meanwhile.
# Each name has its answer by the second question with a probability of about 0.95 (retransmissions after 0.2,
# 0.5, 0.95, 1.6 and 2.6 s in each of two exchanges): half of them must, and all of them in the end. One attempt in a
# hundred loses the same fragment for its whole ten seconds; the next one begins after a pause.
. "$LAB/lib.sh"

lab_topology client dns server server2 server3
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed < <(
	for host in server server2 server3; do
		printf '%s A %s\n%s AAAA %s\n%s IPSECKEY %s\n' $host "${lab_v4[$host]}" $host "${lab_v6[$host]}" \
			$host "$(lab_ipseckey good)"
	done
)
for host in server server2 server3; do
	lab_responder $host "$LAB_VARIANT" good
	# What is lost are packets between hosts that know each other's link address: a lost ARP query costs a second.
	lab_know_neighbours client $host
	lab_netem $host loss 30%
done
lab_start_client

soon=0
for host in server server2 server3; do
	for type in A AAAA; do
		for try in {1..14}; do
			lab_dig $host.keyed.example $type
			[ "$lab_rcode" != NOERROR ] || break
			expect_servfail_ede "ipsec: "
			expect_within 1600
			[ "$try" -lt 6 ] || nap 1
		done
		expect_noerror
		note "$host $type: answered by question $try"
		[ "$try" -gt 2 ] || soon=$((soon + 1))
	done
done
[ $soon -ge 3 ] || fail "only $soon of 6 had their answer by the second question"
for host in server server2 server3; do
	expect_tunnel $host
	in_host client ping -q -c 20 -i 0.05 -W 2 "${lab_v4[$host]}"
	expect_no_cleartext client $host since-answer
done
