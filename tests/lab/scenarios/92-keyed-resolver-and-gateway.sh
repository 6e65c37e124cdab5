#!/bin/bash
# lab: variants=name-server,forwarder,gateway timeout=120
# promise: 1 4 5
# The host with a key is one that everything else needs: the name server of its own zone, the forwarder of the resolver, the default
# gateway; which gives addresses (DHCP) and the time (NTP) too, as such hosts do. With a tunnel to it, and when that is down for good, names
# are found (DNS to it is exempt, FreeS/WAN's deadlock), leases are renewed, the clock is set, and other hosts are reached
# through it; what else is sent to it is encrypted or dropped.
. "$LAB/lib.sh"

if [ "$LAB_VARIANT" = gateway ]; then
	lab_topology -r client dns server
	needed=router address=198.51.100.254
	lab_capture own-link router eth1 icmp
else
	lab_topology client dns server
	needed=dns address=$dns_v4
	lab_capture own-link wire p-client icmp
fi
lab_capture wire
lab_key good ecdsa
lab_key needed ecdsa
lab_zone keyed.example signed <<ZONE
needed A $address
needed IPSECKEY $(lab_ipseckey needed)
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_zone plain.example signed <<ZONE
first A $server_v4
second A $server_v4
ZONE
# By IPv4, as its tunnel is.
lab_unbound_conf 'do-ip6: no'
lab_responder $needed own needed
lab_responder server own good
# NSD is authoritative for all there is, the root included.
[ "$LAB_VARIANT" != forwarder ] || lab_unbound_conf 'forward-zone:' 'name: "."' "forward-addr: $dns_v4"
lab_start_client
# What the daemons of these say is nothing to the kernel: ports alone decide.
lab_daemon services "$needed" /usr/bin/python3 -I -c "
import selectors, socket
waits = selectors.DefaultSelector()
for port in 67, 123, 7:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('$address', port))
    waits.register(s, selectors.EVENT_READ)
print('ready', flush=True)
while True:
    for key, _ in waits.select():
        data, whose = key.fileobj.recvfrom(100)
        key.fileobj.sendto(data, whose)"
lab_wait 5 "DHCP and NTP" lab_says services ready
# served SPORT DPORT: there is an answer
served() {
	in_host client /usr/bin/python3 -I -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('$client_v4', $1))
s.settimeout(1)
s.sendto(b'$1 to $2', ('$address', $2))
s.recv(100)" 2>served.txt
}
lease_and_time() {
	served 68 67 || fail "no DHCP $1: $(tail -n 1 served.txt)"
	served 0 123 || fail "no NTP $1: $(tail -n 1 served.txt)"
}
in_clear() { check_capture cleartext own-link.pcap "$client_v4" "$address"; }

lab_dig needed.keyed.example
expect_answer "$address"
before=$(esp_packets)
ping_from client "$address"
[ "$(esp_packets)" -gt "$before" ] || fail "the ping was answered but the ESP counters stand"
lease_and_time "with a tunnel"
served 0 7 || fail "the tunnel carries no UDP"
lab_dig first.plain.example
expect_answer "$server_v4"
expect_within 1000

# Down for good: it has lost all, and nobody answers IKE. What it says about that in clear is not for us to prevent.
in_host $needed iptables-legacy -A OUTPUT -p icmp --icmp-type port-unreachable -j DROP
kill -9 "${lab_pid[oe-iked.$needed]}"
wait "${lab_pid[oe-iked.$needed]}" || :
printf 'xfrm state flush\nxfrm policy flush\n' | ip -n $needed -batch -
! ping_from client "$address" || fail "$needed answered without SAs"
lease_and_time "without SAs"
! served 0 7 || fail "answered in clear"
lab_dig second.plain.example
expect_answer "$server_v4"
expect_within 1000
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
! ping_from client "$address" || fail "$needed answered without SAs"
expect_tunnel "$address"
in_clear >in-clear.txt || fail "cleartext: $(sed -n 1p in-clear.txt)"
[ "$LAB_VARIANT" = gateway ] || expect_cleartext client dns # the exemption
