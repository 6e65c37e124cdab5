#!/bin/bash
# lab: variants=libreswan,strongswan timeout=150
# interop: libreswan host :libreswan gateway of a host behind it
# interop: strongswan host :strongswan gateway of a host behind it
# interop: libreswan client no gateway of a host behind it: we are nobody's gateway
# interop: strongswan client no gateway of a host behind it: we are nobody's gateway
# promise: 1 2 3 4
# A host without IPsec behind gateways that its records name, the first of which does not answer. Between us and the second one there
# is ESP only, and nothing when that has gone; libreswan sees us behind a NAT, and assigns an address. A gateway that the address's
# owner does not confirm, or whose name is not validated, is not even asked: somebody who publishes another one's address beside a
# gateway of his own gets none of its traffic.
. "$LAB/lib.sh"
. "$LAB/lib-libreswan.sh"
. "$LAB/lib-strongswan.sh"

case $LAB_VARIANT in
libreswan)	lab_topology -r client dns server server2
		lab_nat
		first=router ;;
strongswan)	lab_topology client dns server server2
		first=client ;;
esac
lab_capture wire
ip netns add behind
ip -n server -batch - <<BATCH
link add eth1 type veth peer name eth0 netns behind
addr add 203.0.113.254/24 dev eth1
link set eth1 up
BATCH
ip -n behind -batch - <<BATCH
link set lo up
addr add 203.0.113.7/24 dev eth0
addr add 203.0.113.9/24 dev eth0
link set eth0 up
route add default via 203.0.113.254
BATCH
in_host server sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip -n "$first" route add 203.0.113.0/24 via "$server_v4"
lab_silence server2

lab_key good rsa
lab_key mine rsa
named=$(lab_ipseckey good 10 3 gw.keyed.example.)
loose=$(lab_ipseckey good 10 3 gw.plain.example.)
silent=$(lab_ipseckey good 5 1 "$server2_v4")
# Gateways that are none, and names that lead to none: name, last number of its address, gateway type, gateway, why it is refused.
names_another='the IPSECKEY records name another gateway' no_address="the gateway's name has no validated address"
cat >misled.txt <<NONE
ourselves|20|1|$client_v4|$names_another: $client_v4: it is this host
mapped|21|2|::ffff:$server_v4|$names_another: ::ffff:$server_v4: unusable
nowhere|22|2|::|$names_another: ::: unusable
loopback|23|1|127.0.0.1|$names_another: 127.0.0.1: it is this host
spoilt|24|3|spoilt-gw.keyed.example.|$no_address: spoilt-gw.keyed.example: bogus
dname|25|3|gw.leads.keyed.example.|$no_address: gw.leads.keyed.example: not signed
empty|26|3|client.keyed.example.|$no_address: client.keyed.example: no such record
NONE
while IFS='|' read -r name last type gateway _; do
	record=$(lab_ipseckey good 10 "$type" "$gateway")
	printf '%s A 203.0.113.%s\n%s IPSECKEY %s\n' "$name" "$last" "$name" "$record" >>misled
	echo "$last IPSECKEY $record" >>misled.reverse
done <misled.txt
lab_break spoilt-gw.keyed.example A
lab_zone keyed.example signed <<ZONE
gw A $server_v4
client IPSECKEY $(lab_ipseckey mine)
box A 203.0.113.7
box IPSECKEY $silent
box IPSECKEY $named
loose A 203.0.113.10
loose IPSECKEY $loose
spoilt-gw A $server_v4
leads DNAME plain.example.
$(<misled)
ZONE
lab_zone evil.example signed <<ZONE
victim A 203.0.113.9
victim IPSECKEY $(lab_ipseckey mine 10 1 "$server2_v4")
ZONE
lab_zone plain.example unsigned <<ZONE
gw A $server_v4
ZONE
lab_zone 113.0.203.in-addr.arpa signed <<ZONE
7 IPSECKEY $silent
7 IPSECKEY $named
10 IPSECKEY $loose
$(<misled.reverse)
ZONE
case $LAB_VARIANT in
libreswan)
	libreswan_in_place
	libreswan_connection server box "$server_v4" %any "leftckaid=$(libreswan_key good "$LAB_WORK/pluto.server")" leftauth=rsasig \
		rightid=%null rightauth=null leftsubnet=203.0.113.7/32 type=tunnel narrowing=yes \
		leftmodecfgserver=yes rightmodecfgclient=yes rightaddresspool=100.64.0.1-100.64.0.200
	libreswan_start server ;;
strongswan)
	lab_strongswan server gw.keyed.example good client client.keyed.example mine -- 'mode = tunnel' 'local_ts = 203.0.113.0/24'
	lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example' ;;
esac
lab_start_client

# Not to be believed.
lab_dig victim.evil.example
expect_servfail_ede "the address's reverse name does not confirm the gateway: 203.0.113.9: no such record"
expect_ike_exchanges server2 0
ping_from client 203.0.113.9
expect_cleartext client 203.0.113.9
lab_dig loose.keyed.example
expect_servfail_ede "the gateway's name has no validated address: gw.plain.example: not signed"
while IFS='|' read -r name _ _ _ why; do
	lab_dig "$name.keyed.example"
	expect_servfail_ede "$why"
done <misled.txt
expect_ike_exchanges server 0

# The silent one has its share of the time.
lab_dig box.keyed.example
expect_answer 203.0.113.7
expect_reached client 203.0.113.7
expect_sa 'mode tunnel' "$server_v4"
expect_ike_exchanges server2 1
expect_esp client server
expect_no_cleartext client server
expect_why box.keyed.example protected "encrypted as far as $server_v4, and its gateway has proved the key"
lab_oe status | grep -F "203.0.113.7 via $server_v4" >/dev/null || fail 'oe status does not tell the gateway'

# The gateway has lost everything, and so has our daemon.
kill -9 "${lab_pid[oe-iked]}"
in_host server ip xfrm state flush
in_host server ip xfrm policy flush
! in_host client ping -q -c 3 -i 0.2 -W 1 203.0.113.7 >/dev/null || fail 'something passes without SAs'
expect_no_cleartext client 203.0.113.7
