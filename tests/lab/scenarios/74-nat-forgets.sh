#!/bin/bash
# lab: variants=own timeout=150
# promise: 4
# NATs forget. Silence: keepalives every 20 s keep the way open through one that forgets after 25. A restart: the client comes from
# another port, later from another address; the host follows what is authentic, and traffic goes on without a lookup.
. "$LAB/lib.sh"

lab_topology -r client dns server
lab_nat
# remembers SECONDS: so long the NAT keeps a UDP mapping without packets
remembers() {
	in_host router sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$1" "net.netfilter.nf_conntrack_udp_timeout_stream=$1"
}
remembers 25
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

# forget RULE...: the NAT forgets all it knows, and translates like this from now on
forget() {
	remembers 1
	lab_wait 10 "the host" ping_from client "$server_v4"
	in_host router iptables-legacy -t nat -F POSTROUTING
	in_host router iptables-legacy -t nat -A POSTROUTING -o eth0 -p udp -j "$@"
	lab_wait 15 "the NAT's oblivion" forgotten	# of IKE's own port, too
	remembers 5
}
in_host router test -r /proc/net/nf_conntrack
forgotten() { ! in_host router grep -F "$server_v4 " /proc/net/nf_conntrack | grep -F udp; }
# back_within SECONDS WHAT
back_within() {
	local begin=$EPOCHREALTIME after
	in_host client ping -q -i 0.2 -c 1 -w "$(($1 * 3))" -W 1 "$server_v4" || fail "$2: not reached any more"
	after=$(awk "BEGIN { print $EPOCHREALTIME - $begin }")
	tell "$2: reached again after $after s"
	awk "BEGIN { exit !($after <= $1) }" || fail "$2: reached again after $after s, not $1"
}

forget MASQUERADE --to-ports 30000-39999
# The host speaks before the client does: what comes for nobody the router answers with ICMP, in clear, and quotes the ESP in it.
in_host server ping -q -c 1 -W 1 "$router_v4" || :
[ "$(on_wire 'clear .* icmp type 3')" -ge 1 ] || fail "the router does not say that it has forgotten: $(on_wire clear)"
back_within 3 "another port"
check_capture list wire.pcap "$router_v4" "$server_v4" | grep -q "^esp .* udp 3[0-9]* > 4500" || fail "no ESP from the new port"
expect_no_cleartext client server since-answer

ip -n router addr add 192.0.2.253/24 dev eth0
forget SNAT --to-source 192.0.2.253:40000-49999
back_within 6 "another address"
check_capture esp wire.pcap 192.0.2.253 "$server_v4" || fail "no ESP from the new address"
check_capture cleartext wire.pcap 192.0.2.253 "$server_v4" || fail "cleartext from the new address"
expect_no_cleartext client server since-answer
