#!/bin/bash
# lab: variants=libreswan,own
# interop: libreswan host no NAT in between, transport mode: 4.10 wants a selector that the client cannot know, and refuses at once (70-nat:libreswan)
# promise: 1 7
# The client is behind a router that translates addresses and ports: IKE moves to port 4500, ESP goes in UDP, both ways.
# pluto 4.10 wants the selectors of transport mode to be the address that it sees, which the client cannot know: it
# refuses, and that is said at once.
. "$LAB/lib.sh"

lab_topology -r client dns server
lab_nat
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_watch_policies

lab_dig host.keyed.example
expect_within 1500
if [ "$LAB_VARIANT" = libreswan ]; then
	expect_servfail_ede "peer said TS_UNACCEPTABLE to this host behind a NAT"
	expect_no_tunnel server
	exit
fi
expect_answer "$server_v4"
expect_ad
expect_policy_before_answer server
expect_protected server
check_capture list wire.pcap "$router_v4" "$server_v4" >wire.txt
grep -q "^esp .* udp 2[0-9]* > 4500 ESP" wire.txt || fail "ESP does not go to the server in UDP, through the translated port"
grep -q "^esp .* udp 4500 > 2[0-9]* ESP" wire.txt || fail "ESP does not come back in UDP"
! grep -q "^esp .* ESP" <(grep -v " udp " wire.txt) || fail "ESP outside of UDP"

# TCP too: its checksum covers an address that the router has changed (RFC 3948 3.1.2).
lab_daemon echo server /usr/bin/python3 -I -c "import socket
s = socket.create_server(('', 7777))
c = s.accept()[0]
c.sendall(c.recv(100))"
lab_wait 5 "a TCP server" in_host server sh -c 'ss -Hltn sport = :7777 | grep -q .'
said=$(in_host client /usr/bin/python3 -I -c "import socket
c = socket.create_connection(('$server_v4', 7777), 5)
c.sendall(b'through the NAT')
print(c.recv(100).decode())")
[ "$said" = "through the NAT" ] || fail "TCP does not pass: \"$said\""
expect_no_cleartext client server since-answer
