#!/bin/bash
# lab: variants=own timeout=120
# promise: 3 4 7
# A client has a tunnel in transport mode. Then there is a NAT in between, and the host, which was restarted, assigns an address: the
# same lookup's traffic goes on from that. Then it is released, nothing is left of either, and cleartext works.
. "$LAB/lib.sh"

lab_topology -r client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good 'address-pool: 100.64.0.0/24'
state() { ip -n "$1" -o addr | grep -v "scope link" | sed 's/\\.*//'; ip -n "$1" route; ip -n "$1" xfrm state; ip -n "$1" xfrm policy | grep -Fw "$server_v4" || :; }
state server >server.before
lab_start_client
state client >client.before
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
lab_oe status | grep -E "^host.keyed.example .* transport " >/dev/null || fail "not in transport mode: $(lab_oe status)"

kill -9 "${lab_pid[oe-iked.server]}"
wait "${lab_pid[oe-iked.server]}" || :
ip -n server xfrm state flush
ip -n server xfrm policy flush
lab_nat
mv oe-iked.server.log oe-iked.server.first.log
lab_responder server own good 'address-pool: 100.64.0.0/24'
lab_wait 30 "the host is reached again" in_host client ping -q -c 1 -W 1 "$server_v4"
lab_oe status | grep -Fw tunnel/100.64.0.1 >/dev/null || fail "not by an assigned address: $(lab_oe status)"
! ip -n client xfrm policy | grep -Fw "src $server_v4/32 dst $client_v4/32" >/dev/null || fail "the policy in for our own address is left"
ip -n client xfrm policy | grep -A 3 -Fw "src $client_v4/32 dst $server_v4/32" | grep -w 'mode tunnel' >/dev/null ||
	fail "what has our own address does not go into the tunnel: $(ip -n client xfrm policy)"
expect_protected server
# What a socket sends that is bound to our own address is translated, where the kernel has nftables' NAT, and goes into the
# tunnel; it goes there in any case, and never into the clear.
if in_host client nft list table ip unbound-oe >table.txt 2>/dev/null; then
	grep -F "$server_v4 : 100.64.0.1" table.txt >/dev/null || fail "not translated: $(cat table.txt)"
	in_host client ping -q -c 1 -W 2 -I "$client_v4" "$server_v4" >/dev/null || fail "a socket bound to $client_v4 has not reached the host"
	in_host client nft flush ruleset
else
	lab_says oe-iked 'no NAT of nftables' || fail "the log does not say why nothing is translated"
fi
! in_host client ping -q -c 1 -W 1 -I "$client_v4" "$server_v4" >/dev/null || fail "an address that was not translated has reached the host"
expect_no_cleartext client server since-answer

released() { state client | diff client.before - >client.left && state server | diff server.before - >server.left; }
lab_oe down host.keyed.example
# An SA without SPI of an acquire, while the address came, ends after 30 s.
lab_wait 40 "all of it goes" released
released=$EPOCHREALTIME
ping_from client "$server_v4"
! check_capture cleartext wire.pcap "$router_v4" "$server_v4" --since "$released" >/dev/null || fail "that was not in clear"
