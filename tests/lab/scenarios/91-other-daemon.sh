#!/bin/bash
# lab: timeout=120
# promise: 3 4 7
# strongSwan runs on the client too, with a tunnel of its own to another host. oe-iked does not start on the same ports, and says what
# to do; with others both work, and neither touches what the other one has: not at a start, a kill -9, a restart, an end; nor does
# somebody who runs code in the process of oe-iked that parses the network.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good ecdsa
lab_key theirs ecdsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good
lab_strongswan server2 office.example theirs client laptop.example theirs
lab_strongswan client laptop.example theirs server2 office.example theirs
lab_swanctl client --initiate --child v4
# of HOST: what the client's kernel has about it, without what packets change
objects_of() { xfrm_of client "$1" | sed 's/anti-replay.*sel /sel /; s/anti-replay.*//' | sort; }
theirs_as_it_was() {
	objects_of "$server2_v4" | diff theirs.txt - || fail "strongSwan's SAs or policies changed: $1"
	ping_from client "$server2_v4" || fail "strongSwan's tunnel does not work: $1"
}
objects_of "$server2_v4" >theirs.txt
[ -s theirs.txt ] || fail "strongSwan has no tunnel"
theirs_as_it_was "at first"

printf 'resolver-socket: "%s"\ncontrol-socket: "%s"\n' "$LAB_WORK/x.sock" "$LAB_WORK/y.sock" >same.conf
! in_host client "$LAB_BINDIR/oe-iked" -d -c "$LAB_WORK/same.conf" 2>same.log || fail "it started on ports in use"
grep -q 'UDP port 500 is in use .*: is another IKE daemon running? Stop it, or choose other ports with ike-port and natt-port' same.log ||
	fail "it says: $(<same.log)"
theirs_as_it_was "by a start that failed"

lab_oe_conf 'ike-port: 1500' 'natt-port: 1501'
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
theirs_as_it_was "by a tunnel of ours"

kill -9 "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
theirs_as_it_was "by kill -9"

# attacked ADDRESS: an oe-iked in whose network process somebody runs code asks the keeper for all that it should not have about it;
# what the kernel has stays in policies.txt
attacked() {
	! OE_ATTACK=requests OE_ATTACK_LOCAL=$client_v4 OE_ATTACK_REMOTE=$1 in_host client \
		"$LAB_BINDIR/oe-iked-taken-over" -d -c "$LAB_WORK/oe.conf" 2>"taken-over.$1.log" || fail "it went on: $(<"taken-over.$1.log")"
	grep -q '^attack requests: over' "taken-over.$1.log" || fail "no attack: $(<"taken-over.$1.log")"
	ip -n client xfrm policy list nosock >policies.txt
}
attacked "$server2_v4"
theirs_as_it_was "by code in our network process"
cp policies.txt before.txt
attacked "$server_v4"
diff before.txt policies.txt || fail "code in our network process has changed policies"
! ping_from client "$server_v4" || fail "code in our network process opens an address that a tunnel had"
theirs_as_it_was "by code in our network process, about ours"
start_iked oe-iked client oe.conf resolver.sock
theirs_as_it_was "by a restart"
! ping_from client "$server_v4" || fail "reached although nobody asked again"
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

# The other way round.
objects_of "$server_v4" >ours.txt
kill -9 "${lab_pid[charon.client]}"
wait "${lab_pid[charon.client]}" || :
objects_of "$server_v4" | diff ours.txt - || fail "strongSwan's end changed ours"
rm charon.client/charon.vici
lab_strongswan client laptop.example theirs server2 office.example theirs
lab_swanctl client --initiate --child v4
objects_of "$server_v4" | diff ours.txt - || fail "strongSwan's start changed ours"
expect_protected server
objects_of "$server2_v4" >theirs.txt

# Once nothing is handed out, it may say in clear that nobody listens.
in_host client iptables-legacy -A OUTPUT -p icmp --icmp-type port-unreachable -j DROP
kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}"
expect_no_tunnel server
theirs_as_it_was "by our end"
expect_no_cleartext client server
