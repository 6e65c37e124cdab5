#!/bin/bash
# lab: variants=libreswan,own timeout=120
# promise: 4
# The client's address changes while an answer is in use, and nobody asks again: nothing leaves in clear from the new address, and
# after a moment the host is reached from it through ESP. IPv4: the old one goes and the new one comes (roaming). IPv6: the new one
# is preferred from now on, and later the old one goes (temporary addresses, RFC 8981).
. "$LAB/lib.sh"

new_v4=192.0.2.77 new_v6=2001:db8:1::77
lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host AAAA $server_v6
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_dig host.keyed.example AAAA
expect_answer "$server_v6"
expect_protected server 6
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

# no_cleartext LOCAL REMOTE: in the whole capture
no_cleartext() {
	check_capture cleartext wire.pcap "$1" "$2" || fail "cleartext between $1 and $2"
}
reached() { in_host client ping -q -c 1 -W 1 "$@"; }

# What an application sees that sends before there is an SA: nothing fails, its packets are lost until it is up.
cat >first-packets.py <<'PYTHON'
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
udp = socket.socket(family, socket.SOCK_DGRAM)
udp.connect((sys.argv[1], 7))
print("send:", udp.send(b"in clear?"))
tcp = socket.socket(family, socket.SOCK_STREAM)
tcp.setblocking(False)
print("connect:", tcp.connect_ex((sys.argv[1], 7)))
PYTHON
first_packets() {
	in_host client /usr/bin/python3 -I first-packets.py "$1" >seen.txt || fail "an application sees an error: $(<seen.txt)"
	grep -qx 'send: 9' seen.txt || fail "send() does not take the packet: $(<seen.txt)"
	grep -qx 'connect: 115' seen.txt || fail "connect() is not under way (EINPROGRESS): $(<seen.txt)"
}

ip -n client addr del "$client_v4/24" dev eth0
ip -n client addr add $new_v4/24 dev eth0
began=$EPOCHREALTIME
first_packets "$server_v4"
lab_wait 20 "the host from the new address" reached -I $new_v4 "$server_v4"
note "IPv4: reached again $(awk "BEGIN { print $EPOCHREALTIME - $began }") s after the address had changed"
no_cleartext $new_v4 "$server_v4"
check_capture esp wire.pcap $new_v4 "$server_v4" || fail "no ESP from $new_v4"

ip -n client addr add $new_v6/64 dev eth0 nodad
ip -n client addr change "$client_v6/64" dev eth0 preferred_lft 0
began=$EPOCHREALTIME
first_packets "$server_v6"
lab_wait 20 "the host from the new address" reached -I $new_v6 "$server_v6"
note "IPv6: reached again $(awk "BEGIN { print $EPOCHREALTIME - $began }") s after the address had changed"
# A connection of the old address goes on.
reached -I "$client_v6" "$server_v6" || fail "the old address does not reach the host any more"
ip -n client addr del "$client_v6/64" dev eth0
reached "$server_v6" || fail "the new address needs the old one"
no_cleartext $new_v6 "$server_v6"
check_capture esp wire.pcap $new_v6 "$server_v6" || fail "no ESP from $new_v6"

# Home again.
ip -n client addr del $new_v4/24 dev eth0
ip -n client addr add "$client_v4/24" dev eth0
lab_wait 20 "the host from the first address" reached "$server_v4"
expect_no_cleartext client server since-answer
no_cleartext $new_v4 "$server_v4"

lab_oe down host.keyed.example
no_pair_left() { ! lab_oe status | grep -F host.keyed.example && [ -z "$(ip -n client xfrm policy | grep -Fw -e "$server_v4" -e "$server_v6")" ]; }
lab_wait 10 "the end of all tunnels" no_pair_left
