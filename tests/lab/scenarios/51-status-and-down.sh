#!/bin/bash
# lab: variants=libreswan,own
# interop: libreswan host deleted by us
# promise: 4 7
# What the operator sees and can do: `oe status`, `oe down`, `oe clear`, and the name afterwards.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_oe status >none.txt
! grep -F "$server_v4" none.txt || fail "a tunnel before the first question"
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
lab_oe status | tee status.txt
for word in host.keyed.example "$server_v4" RSA-3072; do
	grep -qF -- "$word" status.txt || fail "oe status does not say $word"
done
lab_oe status --json >status.json
/usr/bin/python3 -c 'import json, sys; json.load(sys.stdin)' <status.json || fail "oe status --json is not JSON"

lab_oe down host.keyed.example
tunnel_gone() { [ -z "$(xfrm_of client "$server_v4")" ]; }
lab_wait 10 "the tunnel's end" tunnel_gone
lab_oe status >after.txt
! grep -F "$server_v4" after.txt || fail "oe status still has it"
# The next question makes it anew.
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
! lab_oe down nobody.example || fail "oe down of an unknown name succeeds"

# In clear by that word alone, until it is taken back.
lab_oe clear host.keyed.example >clear.txt
lab_wait 2 "the tunnel's end" tunnel_gone
lab_dig host.keyed.example
expect_answer "$server_v4"
[[ $lab_ede == *"ipsec: in clear: permitted by the operator"* ]] || fail "EDE says: $lab_ede"
expect_why host.keyed.example plain "the operator permits it for "
lab_wait 5 "an answer in clear" in_host client ping -c 1 -W 0.5 "$server_v4"
expect_cleartext client server
lab_oe clear --end host.keyed.example
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
