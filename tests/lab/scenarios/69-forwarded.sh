#!/bin/bash
# lab: variants=libreswan,own timeout=120
# promise: 4
# Somebody behind the client, as a container is, sends through it to a protected host. With NAT his packets go out under the
# client's address, and through its tunnel. Without, they are not the client's: they pass as they came. An address of his that
# becomes the client's own passes no more.
. "$LAB/lib.sh"

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

# .2 is translated, .3 is routed.
box_v4=10.5.0.2 box_v6=fd05::2 routed_v4=10.5.0.3
ip netns add box
ip -n client link add box type veth peer name eth0 netns box
ip -n client -batch - <<BATCH
addr add 10.5.0.1/24 dev box
addr add fd05::1/64 dev box nodad
link set box up
BATCH
ip -n box -batch - <<BATCH
link set lo up
addr add $box_v4/24 dev eth0
addr add $routed_v4/24 dev eth0
addr add $box_v6/64 dev eth0 nodad
link set eth0 up
route add default via 10.5.0.1 src $box_v4
route add default via fd05::1
BATCH
ip -n server route add 10.5.0.0/24 via "$client_v4"
in_host client sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
in_host client iptables-legacy -t nat -A POSTROUTING -s $box_v4 -o eth0 -j MASQUERADE
in_host client ip6tables-legacy -t nat -A POSTROUTING -s fd05::/64 -o eth0 -j MASQUERADE

box_reaches() { ip netns exec box ping -q -c 1 -W 1 "$@"; }
box_reaches "$server_v4"
box_reaches "$server_v6"
box_reaches -I $routed_v4 "$server_v4"
expect_cleartext client server

lab_dig host.keyed.example AAAA
expect_answer "$server_v6"
lab_dig host.keyed.example
expect_answer "$server_v4"
lab_wait 10 "the box through the tunnel" box_reaches "$server_v4"
lab_wait 10 "the box through the tunnel" box_reaches "$server_v6"
ip netns exec box ping -q -c 10 -i 0.05 -W 2 "$server_v4" | grep -q ' 10 received' || fail "packets of the box are lost"
expect_protected server 4
expect_protected server 6
expect_no_cleartext client server since-answer
for address in "$server_v4" "$server_v6"; do
	[ -z "$(check_capture list wire.pcap "$([ "$address" = "$server_v4" ] && echo $box_v4 || echo $box_v6)" "$address")" ] ||
		fail "the box's own address is on the wire"
done

# The control: without NAT he is himself, in clear.
lab_wait 10 "the box that is routed" box_reaches -I $routed_v4 "$server_v4"
check_capture cleartext wire.pcap $routed_v4 "$server_v4" --since "$lab_answer_time" && fail "the routed box is not on the wire in clear"

# Its address is the client's now.
passing() { ip -n client xfrm policy | grep -Fw "src $1/32 dst $server_v4/32"; }
passing $routed_v4 || fail "there is no policy that lets $routed_v4 pass"
ip -n box addr del $routed_v4/24 dev eth0
ip -n client addr add $routed_v4/32 dev eth0
moment=$EPOCHREALTIME
not_passing() { ! passing $routed_v4; }
lab_wait 2 "the end of what passes" not_passing
! in_host client ping -q -c 3 -i 0.1 -W 1 -I $routed_v4 "$server_v4" || note "even the answers came back"
check_capture cleartext wire.pcap $routed_v4 "$server_v4" --since "$moment" || fail "cleartext from an address of the client"
passing $box_v4 || fail "the box does not pass any more"

lab_oe down host.keyed.example
nothing_left() { [ -z "$(ip -n client xfrm policy | grep -Fw -e "$server_v4" -e "$server_v6")" ]; }
lab_wait 10 "the end of all policies" nothing_left
lab_wait 10 "the box in clear again" box_reaches "$server_v4"         # the host forgets us a moment later
