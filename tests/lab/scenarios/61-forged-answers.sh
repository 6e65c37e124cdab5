#!/bin/bash
# lab: variants=libreswan,own timeout=120
# interop: libreswan host forged answers
# interop: libreswan client no forged answers: as host we wait for none that is not protected
# interop: strongswan client no forged answers: as host we wait for none that is not protected
# promise: 3
# Somebody on the wire answers IKE_SA_INIT before the host does: with refusals in clear, with a useless cookie, with another group,
# with ICMP, and IKE_AUTH with noise. The host's own answer, which comes later, counts (RFC 7296 2.4, 2.21.1).
. "$LAB/lib.sh"

lab_topology client dns server
lab_netem server delay 30ms
lab_capture wire
lab_key good rsa
# 24 AUTHENTICATION_FAILED, 14 NO_PROPOSAL_CHOSEN, 7 INVALID_SYNTAX, 5 INVALID_MAJOR_VERSION, 17 INVALID_KE_PAYLOAD (group 14,
# and one that nobody offered), 16390 COOKIE
attacks=("answer p-client 24" "answer p-client 14" "answer p-client 7" "answer p-client 5" "answer p-client 1:21" "icmp p-client" "auth p-client"
	"answer p-client 17:000e" "answer p-client 17:0002" "answer p-client 16390:6e6f6e73656e7365")
{
	for i in "${!attacks[@]}"; do
		echo "h$i A $server_v4"
		echo "h$i IPSECKEY $(lab_ipseckey good)"
	done
} >names
lab_zone keyed.example signed <names
lab_responder server "$LAB_VARIANT" good
lab_start_client

gone() { [ -z "$(xfrm_of client "$server_v4")" ]; }
for i in "${!attacks[@]}"; do
	note "${attacks[i]}"
	# shellcheck disable=SC2086 # words
	lab_attack ${attacks[i]}
	lab_dig "h$i.keyed.example"
	if [ "$lab_rcode" = SERVFAIL ]; then
		tell "   ${attacks[i]}: $lab_ede"
		lost=yes
	else
		expect_answer "$server_v4"
		expect_protected server
	fi
	lab_attack_end
	expect_alive oe-iked 20000
	lab_oe down "$server_v4" || :
	lab_wait 10 "the tunnel's end" gone
done
[ -z "${lost:-}" ] || fail "an attack won, see above"
