#!/bin/bash
# promise: 2 4 7
# What the operator's policy groups say is done, with and without keys, from the start, after a reload, and while oe-iked is gone.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good ed25519
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
weak A $server2_v4
weak IPSECKEY $(lab_ipseckey good)
bare A $server_v4
other A $server_v4
ZONE
lab_zone plain.example unsigned <<ZONE
www A $server2_v4
ZONE
groups() {
	rm -rf policies && mkdir policies
	for line; do echo "${line#* }" >>"policies/${line%% *}"; done
}
groups "clear host.keyed.example" "private bare.keyed.example" "private plain.example" "private-or-clear $server2_v4"
lab_oe_conf "policy-dir: $LAB_WORK/policies"
lab_responder server own good
lab_start_client

lab_dig host.keyed.example
expect_answer "$server_v4"
[[ $lab_ede == *"ipsec: in clear: policy clear: host.keyed.example"* ]] || fail "EDE says: $lab_ede"
ping_from client "$server_v4"
expect_cleartext "$client_v4" "$server_v4"
expect_why host.keyed.example plain "because the operator's policy says so (clear: host.keyed.example)"
lab_dig bare.keyed.example
expect_servfail_ede "ipsec: the operator's policy wants it protected, and it has no key: policy private: bare.keyed.example"
expect_why bare.keyed.example refused "because the operator's policy wants it protected, and it has no key"
lab_dig www.plain.example
expect_servfail_ede "it has no key: policy private: plain.example"
expect_ike_exchanges server 0
expect_no_tunnel server
lab_dig weak.keyed.example
expect_answer "$server2_v4"
[[ $lab_ede == *"ipsec: in clear: policy private-or-clear: $server2_v4; "* ]] || fail "EDE says: $lab_ede"
expect_no_tunnel server2

groups "block $server2_v4"
lab_oe reload | tee reload.txt
grep -qxF "policy groups: changed" reload.txt || fail "oe reload does not say it"
answered() { lab_dig bare.keyed.example && [ "$lab_rcode" = NOERROR ]; }
lab_wait 5 "what is no longer private" answered
lab_dig weak.keyed.example
expect_servfail_ede "ipsec: the operator's policy forbids it: policy block: $server2_v4"
lab_dig www.plain.example
expect_servfail_ede "ipsec: the operator's policy forbids it: policy block: $server2_v4"
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

groups "clear keyed.example" "private other.keyed.example"
lab_oe reload
in_clear() { lab_dig host.keyed.example && [[ $lab_ede == *"policy clear"* ]]; }
lab_wait 5 "an answer in clear" in_clear
expect_reached client "$server_v4"
kill -9 "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
lab_dig other.keyed.example
expect_servfail_ede "ipsec: the operator's policy wants it protected, and it has no key: policy private: other.keyed.example"
