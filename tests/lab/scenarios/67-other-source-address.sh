#!/bin/bash
# lab: variants=libreswan,own timeout=120
# promise: 1 4
# A protection is not of the one address that the kernel would choose: what is sent from another address of the client, IPv4 or
# IPv6, never leaves in clear, and a moment later it is answered through ESP; what the host sends there in clear is dropped.
. "$LAB/lib.sh"

second_v4=192.0.2.77 second_v6=2001:db8:1::77
third_v4=192.0.2.78 third_v6=2001:db8:1::78
unkeyed_v4=192.0.2.88 unkeyed_v6=2001:db8:1::88
lab_topology client dns server
lab_address server $unkeyed_v4 $unkeyed_v6
lab_address client $second_v4 $third_v4 $second_v6 $third_v6
# Never the kernel's own choice.
ip -n client addr change $second_v6/64 dev eth0 preferred_lft 0
ip -n client addr change $third_v6/64 dev eth0 preferred_lft 0
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host AAAA $server_v6
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client

# no_cleartext LOCAL REMOTE
no_cleartext() {
	check_capture cleartext wire.pcap "$1" "$2" --since "$asked" || fail "cleartext between $1 and $2"
}
reached_from() { in_host client ping -q -c 1 -W 1 -I "$1" "$2"; }

for version in 4 6; do
	if [ $version = 4 ]; then
		first=$client_v4 second=$second_v4 third=$third_v4 host=$server_v4 unkeyed=$unkeyed_v4 type=A
	else
		first=$client_v6 second=$second_v6 third=$third_v6 host=$server_v6 unkeyed=$unkeyed_v6 type=AAAA
	fi
	# The control: before anybody asked, all of it is in clear.
	reached_from $second "$host"
	check_capture cleartext wire.pcap $second "$host" && fail "the capture does not see $second"
	lab_dig host.keyed.example $type
	expect_answer "$host"
	expect_tunnel "$host"
	asked=$EPOCHREALTIME

	# A connection, as an application makes it: its first packet is dropped, the next one of TCP is not.
	lab_daemon service$version server /usr/bin/python3 -I -c '
import socket, sys
s = socket.create_server((sys.argv[1], 7777), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
while True:
    c, _ = s.accept()
    c.sendall(b"hello")
    c.close()' "$host"
	lab_wait 5 "the service" in_host server sh -c "ss -Hltn 'sport = 7777' | grep -q ."
	in_host client /usr/bin/python3 -I -c '
import socket, sys, time
began = time.monotonic()
c = socket.create_connection((sys.argv[2], 7777), 20, (sys.argv[1], 0))
data = c.recv(9)
print("connected and answered after", round(time.monotonic() - began, 2), "s")
sys.exit(data != b"hello")' $second "$host" >connected$version.txt || fail "no connection from $second"
	note "$(<connected$version.txt)"
	no_cleartext $second "$host"
	check_capture esp wire.pcap $second "$host" --since "$asked" || fail "no ESP between $second and $host"
	reached_from "$first" "$host" || fail "the first address does not reach the host any more"
	no_cleartext "$first" "$host"
	lab_oe status >status$version.txt
	for address in $first $second; do
		grep -F "$host" status$version.txt | grep -qF "$address" || fail "oe status does not show $address"
	done

	# For the host we are an anonymous client of one of its addresses: the other one hears us as before.
	reached_from "$first" $unkeyed || fail "the host's other address is closed to its client"

	# What the host sends in clear to an address that has no tunnel is dropped.
	ip -n server xfrm policy >policies$version.txt
	! in_host server ping -q -c 2 -i 0.2 -W 1 -I "$host" $third || fail "cleartext from the host is taken at $third"
	check_capture cleartext wire.pcap $third "$host" --since "$asked" >in_clear$version.txt && fail "the host sent nothing in clear"
	grep -qF "$third" in_clear$version.txt || fail "the host sent nothing to $third"
	! awk -v from=$third '$0 ~ from " > "' in_clear$version.txt | grep . || fail "$third answered in clear"
done

lab_oe down host.keyed.example
tunnel_gone() { [ -z "$(xfrm_of client "$server_v4" | grep -v 'spi 0x00000000'; xfrm_of client "$server_v6" | grep -v 'spi 0x00000000')" ]; }
lab_wait 10 "the end of all tunnels" tunnel_gone
! lab_oe status | grep -F "host.keyed.example" || fail "oe down left a tunnel"
reached_from $third_v4 "$server_v4" || fail "after oe down the host is not reached"
