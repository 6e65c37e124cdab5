#!/bin/bash
# lab: variants=libreswan,own timeout=120
# promise: 4
# An interface goes down and comes up again; a second one is plugged in, and the route to the host leads through it; it is
# unplugged. Nobody asks the resolver again: the host is reached through ESP a moment later, and nothing was in clear.
. "$LAB/lib.sh"

other_v4=192.0.2.77
lab_topology client dns server
lab_capture wire wire p-server
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
in_host client ping -q -i 0.05 -W 1 -w 60 "$server_v4" >ping.txt 2>&1 &
pinger=$!
reaches() { in_host client ping -q -c 1 -W 1 "$server_v4"; }
reaches_from() { in_host client ping -q -c 1 -W 1 -I "$1" "$server_v4"; }

ip -n client link set eth0 down
nap 0.5
ip -n client link set eth0 up
lab_wait 10 "the host after the interface came up" reaches

ip -n wire link add p-client2 type veth peer name eth1 netns client
ip -n wire link set p-client2 master br0 up
ip -n client -batch - <<BATCH
link set eth1 up
addr add $other_v4/24 dev eth1 noprefixroute
route add $server_v4/32 dev eth1 src $other_v4
BATCH
lab_wait 10 "the host through the other interface" reaches
lab_wait 10 "the host from the other address" reaches_from $other_v4

ip -n client link delete eth1
lab_wait 10 "the host through the first interface again" reaches
kill $pinger 2>/dev/null || :
for address in "$client_v4" $other_v4; do expect_no_cleartext "$address" "$server_v4"; done
expect_esp client server 4
expect_esp $other_v4 "$server_v4"
