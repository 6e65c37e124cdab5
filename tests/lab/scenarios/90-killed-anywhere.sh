#!/bin/bash
# lab: variants=kill,refuse timeout=300
# promise: 3 4
# oe-iked is killed after single changes that it makes in the kernel, each in its turn, or the kernel refuses that one: while it makes
# tunnels, heals and rekeys one, lets forwarded packets pass, stops, and starts over what was left. Whatever was handed out is encrypted
# or dropped, nothing is half there, the next question brings the tunnel back, and in the end the kernel is as it was before.
. "$LAB/lib.sh"

second=192.0.2.77
lab_topology client server
lab_address client $second
lab_capture wire
lab_key good ed25519
lab_responder server own good
printf 'resolver-socket: "%s"\ncontrol-socket: "%s"\nlog-level: debug\n' "$LAB_WORK/resolver.sock" "$LAB_WORK/control.sock" >oe.conf
# Once all is over, and nothing handed out, it may say so in clear to a host that still talks to oe-iked.
in_host client iptables-legacy -A OUTPUT -p icmp --icmp-type port-unreachable -j DROP
# Near ours in every way that is allowed.
ip -n client -batch - <<BATCH
xfrm state add src $server_v4 dst $client_v4 proto esp spi 0x5002 reqid 0x70000000 mode transport aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128
xfrm policy add src $client_v4 dst 203.0.113.9 dir out priority 0x6f000100 tmpl proto esp reqid 7 mode transport
xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 54 dir out priority 0x6f000000
BATCH
# Somebody behind the client, whose packets are not the client's.
ip netns add box
ip -n client link add box type veth peer name eth0 netns box
ip -n client -batch - <<BATCH
addr add 10.5.0.1/24 dev box
link set box up
BATCH
ip -n box -batch - <<BATCH
addr add 10.5.0.3/24 dev eth0
link set eth0 up
route add default via 10.5.0.1
BATCH
ip -n server route add 10.5.0.0/24 via "$client_v4"
in_host client sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
declare -A least=([life]=12 [rekey]=3 [pass]=2 [stop]=14 [start]=14)
for phase in life rekey pass stop start; do
	cut=$(in_host client "$LAB/lives" "$LAB_VARIANT" $phase 40 "$LAB_BINDIR" "$LAB_WORK/oe.conf" "$LAB_WORK/resolver.sock" \
		"$(lab_ipseckey good)" "$server_v4" "$client_v4" $second 2>&1) || fail "$cut"
	note "$phase: $LAB_VARIANT at each of $cut changes"
	[ "$cut" -ge "${least[$phase]}" ] || fail "$phase: only $cut changes were seen"
	expect_no_cleartext client server
	expect_no_cleartext $second "$server_v4"
done
expect_esp client server 4
