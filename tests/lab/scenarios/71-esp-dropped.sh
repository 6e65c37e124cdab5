#!/bin/bash
# lab: variants=libreswan,own timeout=90
# interop: libreswan host ESP dropped on the way, ESP in UDP
# promise: 4
# A network that passes UDP and drops ESP, as guest networks do. The first application notices a second of silence; what
# comes later begins in UDP. With always-encapsulate nobody notices.
. "$LAB/lib.sh"

lab_topology -r client dns server server2
for tables in iptables-legacy ip6tables-legacy; do
	in_host router $tables -A FORWARD -p esp -j DROP
done
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed < <(
	for host in server server2; do
		printf '%s A %s\n%s AAAA %s\n%s IPSECKEY %s\n' $host "${lab_v4[$host]}" $host "${lab_v6[$host]}" \
			$host "$(lab_ipseckey good)"
	done
)
for host in server server2; do
	lab_responder $host "$LAB_VARIANT" good
	lab_daemon echo-$host $host /usr/bin/python3 -I -c "import socket
s = socket.create_server(('::', 7777), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
	c = s.accept()[0]
	c.sendall(c.recv(100))"
	lab_wait 5 "a TCP server" in_host $host sh -c 'ss -Hltn sport = :7777 | grep -q .'
done
lab_start_client

# connect ADDRESS MS: TCP there and back, first bytes within so many milliseconds
connect() {
	local took
	took=$(in_host client /usr/bin/python3 -I -c "import socket, time
begin = time.monotonic()
c = socket.create_connection(('$1', 7777), 10)
c.sendall(b'hello')
c.recv(100)
print(int((time.monotonic() - begin) * 1000))") || fail "TCP to $1 does not pass"
	tell "first bytes from $1 after $took ms"
	[ "$took" -le "$2" ] || fail "first bytes from $1 after $took ms"
}

lab_dig server.keyed.example
expect_answer "$server_v4"
connect "$server_v4" 3500
expect_no_cleartext client server since-answer
show lab_oe status
lab_oe status | grep -q "$server_v4 .* in UDP" || fail "oe status does not show that it goes in UDP"
expect_ike_exchanges server 2

# The network is known now.
lab_dig server2.keyed.example
expect_answer "$server2_v4"
connect "$server2_v4" 500
expect_no_cleartext client server2 since-answer
expect_ike_exchanges server2 1

# IPv6 comes from another address, and finds out for itself.
lab_dig server.keyed.example AAAA
expect_answer "$server_v6"
connect "$server_v6" 3500
expect_no_cleartext client server since-answer

kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
printf 'always-encapsulate: yes\n' >>oe.conf
start_iked oe-iked client oe.conf resolver.sock
lab_unbound_control flush_zone example
lab_dig server2.keyed.example
expect_answer "$server2_v4"
connect "$server2_v4" 500
expect_no_cleartext client server2 since-answer
