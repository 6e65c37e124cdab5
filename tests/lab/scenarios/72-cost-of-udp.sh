#!/bin/bash
# lab: timeout=120 alone
# What ESP in UDP costs against ESP as such: TCP to two hosts in turn, one of which encapsulates. Both ends share one
# processor, so this is work, not wire.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire wire p-client 'udp port 500 or udp port 4500 and len < 600'
lab_key good ed25519
lab_zone keyed.example signed < <(
	for host in server server2; do
		printf '%s A %s\n%s IPSECKEY %s\n' $host "${lab_v4[$host]}" $host "$(lab_ipseckey good)"
	done
)
lab_responder server own good 'log-level: info'
lab_responder server2 own good 'log-level: info' 'always-encapsulate: yes'
for host in server server2; do
	lab_daemon sink-$host $host /usr/bin/python3 -I -c "import socket
s = socket.create_server(('', 7777))
while True:
	c = s.accept()[0]
	while c.recv(1 << 16):
		pass
	c.sendall(b'.')"
	lab_wait 5 "a TCP server" in_host $host sh -c 'ss -Hltn sport = :7777 | grep -q .'
done
lab_start_client
for host in server server2; do
	lab_dig $host.keyed.example
	expect_noerror
done
lab_oe status
! lab_oe status | grep "$server_v4 .* in UDP" || fail "$server_v4 goes in UDP"
lab_oe status | grep "$server2_v4 .* in UDP" || fail "$server2_v4 does not go in UDP"

# Milliseconds for 8 MB to each in turn, medians of 9.
in_host client /usr/bin/python3 -I -c "import socket, statistics, time
def send(address):
	c = socket.create_connection((address, 7777), 5)
	begin = time.monotonic()
	c.sendall(bytes(8 << 20))
	c.shutdown(socket.SHUT_WR)
	c.recv(1)
	return (time.monotonic() - begin) * 1000
took = [[], []]
for _ in range(9):
	for i, address in enumerate(('$server_v4', '$server2_v4')):
		took[i].append(send(address))
print('%.0f %.0f' % tuple(map(statistics.median, took)))" >took.txt
read -r esp udp <took.txt
tell "8 MB: ESP $esp ms, ESP in UDP $udp ms, $((100 * udp / esp - 100)) % more"
