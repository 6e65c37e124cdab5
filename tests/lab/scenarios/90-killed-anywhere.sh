#!/bin/bash
# lab: variants=kill,refuse,kill-assigned,refuse-assigned,kill-gateway,refuse-gateway timeout=300
# promise: 3 4
# oe-iked is killed after single changes that it makes in the kernel, each in its turn, or the kernel refuses that one: while it makes
# tunnels, heals and rekeys one, lets forwarded packets pass, stops, and starts over what was left. Whatever was handed out is encrypted
# or dropped, nothing is half there, the next question brings the tunnel back, and in the end the kernel is as it was before.
# assigned: the host assigns an address, and later another one. gateway: it is behind one.
. "$LAB/lib.sh"

how=${LAB_VARIANT%%-*} kind=${LAB_VARIANT#"${LAB_VARIANT%%-*}"} stride=40 remote=$server_v4 key=good options=() locals=(192.0.2.77)
declare -A least
case $kind in
-assigned)
	least=([life]=12 [other]=9 [clear]=8 [stop]=14 [start]=14) stride=0 locals=()
	lab_topology -r client server server2
	lab_nat
	lab_capture inside router eth1 'net 100.64.0.0/10'
	# server2 is the host, too, when the router sends its packets there.
	ip -n server2 addr add "$server_v4/32" dev lo
	in_host server2 sh -c 'cd /proc/sys/net/ipv4/conf/all && echo 1 >arp_ignore && echo 2 >arp_announce'
	options=(--assigned --other "$server2_v4") ;;
*)
	least=([life]=12 [rekey]=3 [pass]=2 [stop]=14 [start]=14)
	lab_topology client server
	lab_address client "${locals[@]}" ;;
esac
lab_capture wire
printf 'resolver-socket: "%s"\ncontrol-socket: "%s"\nlog-level: debug\n' "$LAB_WORK/resolver.sock" "$LAB_WORK/control.sock" >oe.conf
lab_key good ed25519
case $kind in
-assigned)
	lab_responder server own good 'address-pool: 100.64.0.0/24'
	lab_responder server2 own good 'address-pool: 100.65.0.0/24' ;;
-gateway)
	. "$LAB/lib-strongswan.sh"
	least=([life]=12 [clear]=8) remote=203.0.113.7 options=(--gateway "$server_v4")
	lab_key mine ed25519
	ip netns add behind
	ip -n server link add eth1 type veth peer name eth0 netns behind
	printf '%s\n' 'addr add 203.0.113.254/24 dev eth1' 'link set eth1 up' | ip -n server -batch -
	printf '%s\n' "addr add $remote/24 dev eth0" 'link set eth0 up' 'route add default via 203.0.113.254' | ip -n behind -batch -
	in_host server sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ip -n client route add 203.0.113.0/24 via "$server_v4"
	lab_strongswan server gw.keyed.example good client client.keyed.example mine 'remote_addrs = %any' -- 'mode = tunnel' \
		"local_ts = $remote/32"
	printf 'trust-gateways: keyed.example\nserver-key: %s\nserver-identity: client.keyed.example\nidentify-to: keyed.example\n' \
		"$LAB_WORK/mine.pem" >>oe.conf
	key=$(lab_ipseckey good 10 1 "$server_v4") ;;
*)
	lab_responder server own good ;;
esac
[ "$key" != good ] || key=$(lab_ipseckey good)
# Once all is over, and nothing handed out, it may say so in clear to a host that still talks to oe-iked.
in_host client iptables-legacy -A OUTPUT -p icmp --icmp-type port-unreachable -j DROP
# Near ours in every way that is allowed.
ip -n client -batch - <<BATCH
xfrm state add src $server_v4 dst $client_v4 proto esp spi 0x5002 reqid 0x70000000 mode transport aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128
xfrm policy add src $client_v4 dst 203.0.113.9 dir out priority 0x6f000100 tmpl proto esp reqid 7 mode transport
xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 54 dir out priority 0x6f000000
BATCH
if [ -n "${least[pass]:-}" ]; then
	# Somebody behind the client, whose packets are not the client's.
	ip netns add box
	ip -n client link add box type veth peer name eth0 netns box
	ip -n client -batch - <<-BATCH
	addr add 10.5.0.1/24 dev box
	link set box up
	BATCH
	ip -n box -batch - <<-BATCH
	addr add 10.5.0.3/24 dev eth0
	link set eth0 up
	route add default via 10.5.0.1
	BATCH
	ip -n server route add 10.5.0.0/24 via "$client_v4"
	in_host client sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
fi
for phase in life rekey pass other clear stop start; do
	[ -n "${least[$phase]:-}" ] || continue
	cut=$(in_host client "$LAB/lives" "${options[@]}" "$how" $phase $stride "$LAB_BINDIR" "$LAB_WORK/oe.conf" "$LAB_WORK/resolver.sock" \
		"$key" "$remote" "$client_v4" "${locals[@]}" 2>&1) || fail "$cut"
	note "$phase: $how at each of $cut changes"
	[ "$cut" -ge "${least[$phase]}" ] || fail "$phase: only $cut changes were seen"
	for address in client "${locals[@]}"; do expect_no_cleartext "$address" "$remote"; done
done
expect_esp client server 4
[ "$kind" != -assigned ] || [ "$(stat -c %s inside.pcap)" = 24 ] || fail "an assigned address is seen outside of its tunnel"
