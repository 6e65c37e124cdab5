#!/bin/bash
# lab: variants=libreswan,strongswan timeout=120
# interop: libreswan host gateway of a host of the other address family
# interop: strongswan host gateway of a host of the other address family
# interop: libreswan client no gateway of a host of the other address family: we are nobody's gateway
# interop: strongswan client no gateway of a host of the other address family: we are nobody's gateway
# promise: 1 3 4
# An IPv6 host behind a gateway that is reached by IPv4, and an IPv4 host behind one whose name has an IPv6 address alone. Packets to them
# have our address of their family, and are in ESP of the gateway's; when our address of that family changes the tunnel is made anew from
# the other one. Without an address of the host's own family there is nothing to send from, and the name is refused.
. "$LAB/lib.sh"
. "$LAB/lib-libreswan.sh"
. "$LAB/lib-strongswan.sh"

six=3fff:7::7 four=203.0.113.7 new_v4=192.0.2.77
lab_topology client dns server
lab_capture wire
ip netns add behind
ip -n server link add eth1 type veth peer name eth0 netns behind
ip -n server -batch - <<BATCH
addr add 203.0.113.254/24 dev eth1
addr add 3fff:7::fe/64 dev eth1 nodad
link set eth1 up
BATCH
ip -n behind -batch - <<BATCH
link set lo up
addr add $four/24 dev eth0
addr add $six/64 dev eth0 nodad
link set eth0 up
route add default via 203.0.113.254
route add default via 3fff:7::fe
BATCH
in_host server sh -c 'for f in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 >/proc/sys/net/$f; done'
ip -n client -batch - <<BATCH
route add 203.0.113.0/24 via $server_v4
route add 3fff:7::/64 via $server_v6
BATCH

lab_key good rsa
lab_key mine rsa
by_address=$(lab_ipseckey good 10 1 "$server_v4")
by_name=$(lab_ipseckey good 10 3 gw.keyed.example.)
lab_zone keyed.example signed <<ZONE
gw AAAA $server_v6
client IPSECKEY $(lab_ipseckey mine)
six AAAA $six
six IPSECKEY $by_address
four A $four
four IPSECKEY $by_name
lost AAAA 3fff:7::8
lost IPSECKEY $by_address
ZONE
lab_zone 113.0.203.in-addr.arpa signed <<<"7 IPSECKEY $by_name"
lab_zone 0.0.0.0.0.0.0.0.7.0.0.0.f.f.f.3.ip6.arpa signed <<ZONE
7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 IPSECKEY $by_address
8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 IPSECKEY $by_address
ZONE
case $LAB_VARIANT in
libreswan)
	libreswan_in_place
	how=("leftckaid=$(libreswan_key good "$LAB_WORK/pluto.server")" leftauth=rsasig rightid=%null rightauth=null type=tunnel narrowing=yes)
	libreswan_connection server six "$server_v4" %any "${how[@]}" "leftsubnet=$six/128" rightsubnet=::/0
	libreswan_connection server four "$server_v6" %any "${how[@]}" "leftsubnet=$four/32" rightsubnet=0.0.0.0/0
	libreswan_start server ;;
strongswan)
	lab_strongswan server gw.keyed.example good client client.keyed.example mine 'remote_addrs = %any' 'unique = no' \
		-- 'mode = tunnel' 'local_ts = 203.0.113.0/24,3fff:7::/64' 'remote_ts = 0.0.0.0/0,::/0'
	lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example' ;;
esac
lab_start_client

only_esp() {
	for pair in "$client_v6 $six" "$client_v4 $four" "$new_v4 $four"; do
		# shellcheck disable=SC2086 # two words
		check_capture cleartext wire.pcap $pair --tally witness >cleartext.txt || fail "in clear: $(sed -n 1p cleartext.txt)"
	done
}
answered() { in_host client ping -q -c 1 -W 0.5 "$1"; }

lab_dig six.keyed.example AAAA
expect_answer $six
expect_reached client $six
expect_sa "src $client_v6/128 dst $six/128" "$server_v4"
expect_esp client server 4
lab_dig four.keyed.example
expect_answer $four
expect_reached client $four
expect_sa "src $client_v4/32 dst $four/32" "$server_v6"
expect_esp client server 6
lab_oe status | grep -F "$six via $server_v4" >/dev/null || fail 'oe status does not tell the gateway'
only_esp

ip -n client addr del "$client_v4/24" dev eth0
ip -n client addr add $new_v4/24 dev eth0
ip -n client route add 203.0.113.0/24 via "$server_v4"
lab_wait 5 'the IPv6 host by the new IPv4 address' answered $six
lab_wait 5 'the IPv4 host from the new address' answered $four
check_capture esp wire.pcap $new_v4 "$server_v4" || fail 'no ESP with the new address'
only_esp

# Nothing of ours that packets to it could be from: no other one is tried, nor what would have to be assigned. What was answered stays closed.
ip -n client -6 addr flush dev eth0 scope global
lab_dig lost.keyed.example AAAA
expect_servfail_ede 'no route to the host: none to what is behind a gateway from a link-local address'
! answered $six || fail 'it is reached from a link-local address'
link_local=$(ip -n client -6 -o addr show dev eth0 scope link | sed 's,.* inet6 ,,; s,/.*,,')
check_capture cleartext wire.pcap "$link_local" $six --tally witness >cleartext.txt || fail "in clear: $(sed -n 1p cleartext.txt)"
ip -n client -6 route del 3fff:7::/64
lab_dig lost.keyed.example AAAA
expect_servfail_ede 'no route to the host: only to its gateway, by IPv4'
only_esp
