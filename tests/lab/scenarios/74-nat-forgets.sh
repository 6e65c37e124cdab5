#!/bin/bash
# lab: variants=own timeout=120
# promise: 4
# NATs forget. Keepalives every 20 s keep the way open through one that forgets after 25. What becomes of it when one has forgotten
# nevertheless is in 75-nat-changes.
. "$LAB/lib.sh"

lab_topology -r client dns server
lab_nat
in_host router sysctl -qw net.netfilter.nf_conntrack_udp_timeout=25 net.netfilter.nf_conntrack_udp_timeout_stream=25
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

# on_wire CLASS: how many packets of this class, by the names of check-capture
on_wire() { check_capture list wire.pcap "$router_v4" "$server_v4" | grep -c "^$1" || :; }
kept_alive() { [ "$(on_wire keepalive)" -ge 1 ]; }
lab_wait 25 "a keepalive" kept_alive
nap 26	# so that this one alone would not do
n=$(on_wire keepalive)
[ "$n" -ge 2 ] || fail "$n keepalives in 45 s"
# Nobody but the server has the first word: its packet finds its way by what the keepalives keep.
ping_from server "$router_v4" || fail "the server does not reach the client: the NAT has forgotten it"
expect_no_cleartext client server since-answer
