#!/bin/bash
# lab: variants=esp,udp,tunnel timeout=120
# promise: 4
# A link of 1400 bytes on the way. ICMP says so, and 1 MB passes; where ICMP is dropped TCP finds out by itself, if it may
# (tcp_mtu_probing), as it does without ESP. udp: behind a NAT; tunnel: there, from an address that the host has assigned.
. "$LAB/lib.sh"

lab_topology -r client dns server
[ "$LAB_VARIANT" = esp ] || lab_nat
lab_capture wire
lab_key good ed25519
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
options=()
[ "$LAB_VARIANT" != tunnel ] || options=('address-pool: 100.64.0.0/24')
lab_responder server own good "${options[@]}"
lab_daemon sink server /usr/bin/python3 -I -c "import socket
s = socket.create_server(('', 7777))
while True:
	c = s.accept()[0]
	while c.recv(1 << 16):
		pass
	c.sendall(b'.')"
lab_wait 5 "a TCP server" in_host server sh -c 'ss -Hltn sport = :7777 | grep -q .'
lab_start_client
ip -n router link set eth0 mtu 1400

# megabyte WHAT: its milliseconds
megabyte() {
	local took
	took=$(in_host client /usr/bin/python3 -I -c "import socket, time
begin = time.monotonic()
c = socket.create_connection(('$server_v4', 7777), 5)
c.settimeout(30)
c.sendall(bytes(1 << 20))
c.shutdown(socket.SHUT_WR)
c.recv(1)
print(int((time.monotonic() - begin) * 1000))") || fail "$1: 1 MB does not pass"
	tell "$1: 1 MB in $took ms"
}

lab_dig host.keyed.example
expect_answer "$server_v4"
case $LAB_VARIANT in
udp|tunnel)	expect_sa 'encap type espinudp' "$server_v4" ;;&
tunnel)		expect_sa 'mode tunnel' "$server_v4" ;;
esac
megabyte "ICMP passes"
in_host router iptables-legacy -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
in_host client ip route flush cache
in_host client sysctl -qw net.ipv4.tcp_mtu_probing=1
megabyte "ICMP is dropped, tcp_mtu_probing"
expect_no_cleartext client server since-answer
