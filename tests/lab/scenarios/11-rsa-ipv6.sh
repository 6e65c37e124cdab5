#!/bin/bash
# lab: variants=libreswan,own
# interop: libreswan host IPv6
# promise: 1 2
# The same over IPv6 between neighbours: a policy that also caught neighbour discovery would stop everything.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host AAAA $server_v6
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client
lab_watch_policies

lab_dig host.keyed.example AAAA
expect_answer "$server_v6"
expect_ad
expect_tunnel "$server_v6"
expect_protected server 6
expect_policy_before_answer server 6
expect_ike_exchanges server 1

# Both ends forget each other's link address and have to ask for it again.
ip -n client neigh flush dev eth0
ip -n server neigh flush dev eth0
asked=$EPOCHREALTIME
expect_protected server 6
check_capture list wire.pcap "$client_v6" "$server_v6" --since "$asked" | grep -q '^nd' || fail "no neighbour discovery seen"
