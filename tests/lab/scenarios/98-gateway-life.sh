#!/bin/bash
# lab: variants=idle,restart,roaming,reboot,takeover,rekey,keyed timeout=120
# promise: 3 4
# The life of tunnels to hosts behind a gateway. Whatever ends or moves, between us and these hosts there is ESP to their gateway, or nothing,
# until the tunnel of a host is released.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

new_v4=192.0.2.77 box=203.0.113.7 attic=203.0.113.8
lab_topology client dns server server2
lab_capture wire
# The hosts are behind both gateways, in a network that leads back by the first.
ip netns add behind
ip -n server link add eth1 type veth peer name eth0 netns behind
ip -n server2 link add eth1 type veth peer name eth1 netns behind
ip -n behind -batch - <<BATCH
link set lo up
addr add $box/24 dev eth0
addr add $attic/24 dev eth0
addr add 198.18.0.2/30 dev eth1
link set eth0 up
link set eth1 up
route add default via 203.0.113.254
BATCH
printf 'addr add 203.0.113.254/24 dev eth1\nlink set eth1 up\n' | ip -n server -batch -
printf 'addr add 198.18.0.1/30 dev eth1\nlink set eth1 up\nroute add 203.0.113.0/24 via 198.18.0.2\n' | ip -n server2 -batch -
for gateway in server server2; do in_host $gateway sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'; done
ip -n client route add 203.0.113.0/24 via "$server_v4"

lab_key good rsa
lab_key mine rsa
first=$(lab_ipseckey good 10 1 "$server_v4")
second=$(lab_ipseckey good 20 1 "$server2_v4")
# For as long as an answer may be kept; of the variant that waits for its end it is a second.
ttl=300
[ "$LAB_VARIANT" != idle ] || ttl=1
for name in box attic; do
	printf "$name $ttl A %s\n" "${!name}"
	printf "$name $ttl IPSECKEY %s\n" "$first" "$second"
done >names
printf 'client IPSECKEY %s\ngw A %s\ngw IPSECKEY %s\n' "$(lab_ipseckey mine)" "$server_v4" "$(lab_ipseckey good)" >>names
lab_zone keyed.example signed <names
lab_zone 113.0.203.in-addr.arpa signed < <(printf "%s IPSECKEY $first\n%s IPSECKEY $second\n" 7 7 8 8)
gateway_up() {
	lab_strongswan "$1" gw.keyed.example good client client.keyed.example mine 'remote_addrs = %any' 'unique = no' \
		-- 'mode = tunnel' 'local_ts = 203.0.113.0/24' 'rekey_time = 0' \
		'} itself { mode = transport' 'esp_proposals = aes256gcm16'
}
gateway_up server
[ "$LAB_VARIANT" != takeover ] || gateway_up server2
lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example'
[ "$LAB_VARIANT" != idle ] || lab_oe_conf 'idle: 2'
lab_start_client

# its_sas HOST: of IKE, that strongSwan has
its_sas() { lab_swanctl "$1" --list-sas | grep -c ESTABLISHED || :; }
is() { [ "$("${@:2}")" = "$1" ]; }
only_esp() {
	local ours
	for ours in "$client_v4" "$new_v4"; do
		for theirs in $box $attic; do
			check_capture cleartext wire.pcap "$ours" "$theirs" --tally witness >cleartext.txt || fail "in clear: $(sed -n 1p cleartext.txt)"
		done
	done
}
# answered_since TIME: when the first ping after that was answered; fails while none was
answered_since() { awk -F '[][]' -v since="$1" '/bytes from/ && $2 > since { print $2; exit found = 1 } END { exit !found }' ping.log; }
pings() { lab_daemon ping client ping -D -i 0.1 $box; lab_wait 5 answers answered_since 0; }
# crash HOST: power fails
crash() {
	ip -n wire link set "p-$1" down
	kill -9 "${lab_pid[charon.$1]}"
	wait "${lab_pid[charon.$1]}" || :
	printf 'xfrm state flush\nxfrm policy flush\n' | ip -n "$1" -batch -
	rm "charon.$1/charon.vici"
}
restart() {
	start_iked oe-iked client oe.conf resolver.sock
	lab_wait 10 oe-iked lab_says oe-iked ': ready'
}
up() {
	lab_dig "$1.keyed.example"
	expect_answer "${!1}"
	expect_reached client "${!1}"
}

up box
# In use from now on, if the other one is to end before it.
[ "$LAB_VARIANT" != idle ] || pings
# Of one that is alone the kernel's SAs are told apart more easily.
if [ "$LAB_VARIANT" != rekey ]; then
	up attic
	[ "$(its_sas server)" = 2 ] || fail "the gateway has $(its_sas server) IKE SAs for two hosts"
fi
case $LAB_VARIANT in
idle)
	# One is in use, the other one goes; then the last one, and with it the gateway has none of us.
	released() { [ -z "$(xfrm_of client "$1")" ]; }
	lab_wait 10 'the end of the idle one' released $attic
	expect_tunnel $box
	[ "$(its_sas server)" = 1 ] || fail "the gateway has $(its_sas server) IKE SAs for one host"
	expect_reached client $box
	only_esp
	kill "${lab_pid[ping]}"
	lab_wait 10 'the end of the last one' released $box
	lab_wait 5 'the end of the last IKE SA' is 0 its_sas server
	[ -z "$(ip -n client xfrm state)" ] || fail "SAs are left: $(ip -n client xfrm state)"
	# Nobody has an answer any more.
	ping_from client $box
	expect_cleartext client $box ;;
restart)
	in_host client ping -q -i 0.02 -W 1 -w 10 $box >ping.txt &
	pinger=$!
	kill -9 "${lab_pid[oe-iked]}"
	wait "${lab_pid[oe-iked]}" || :
	restart
	for host in $box $attic; do ! in_host client ping -q -c 1 -W 0.3 "$host" || fail "$host was reached without SAs"; done
	up box
	! in_host client ping -q -c 1 -W 0.3 $attic || fail "$attic was reached without SAs"
	up attic
	kill "$pinger"
	only_esp
	# In order: the gateway hears of it, nothing is left, and the next life begins as the first did.
	kill "${lab_pid[oe-iked]}"
	wait "${lab_pid[oe-iked]}"
	for host in $box $attic "$server_v4"; do expect_no_tunnel "$host"; done
	lab_wait 5 'the end of the IKE SAs' is 0 its_sas server
	restart
	up box ;;
roaming)
	pings
	ip -n client addr del "$client_v4/24" dev eth0
	ip -n client addr add $new_v4/24 dev eth0
	ip -n client route add 203.0.113.0/24 via "$server_v4"
	moved=$EPOCHREALTIME
	lab_wait 3 'an answer at the new address' answered_since "$moved"
	check_capture esp wire.pcap $new_v4 "$server_v4" || fail 'no ESP with the new address'
	expect_reached client $attic
	only_esp
	lab_wait 5 'the end of what was from the old address' is '' xfrm_of client "$client_v4" ;;
reboot)
	pings
	lab_may_refuse server
	crash server
	nap 1
	ip -n wire link set p-server up
	gateway_up server
	back=$EPOCHREALTIME
	lab_wait 10 'an answer after the reboot' answered_since "$back"
	tell "the first answer $(awk -v a="$back" -v b="$(answered_since "$back")" 'BEGIN { printf "%.1f", b - a }') s after its return"
	only_esp ;;
takeover)
	# Nobody knows better than DNS what leads to a host: the next lookup, not the tunnel, goes by the second one.
	kill "${lab_pid[charon.server]}"
	wait "${lab_pid[charon.server]}" || :
	ip -n behind route replace default via 198.18.0.1
	heals() { lab_oe status | grep -F "$box via $server_v4" | grep -w healing; }
	lab_wait 5 healing heals
	! in_host client ping -q -c 1 -W 0.3 $box || fail 'something passes without SAs'
	up box
	expect_esp client server2
	lab_oe status | grep -F "$box via $server2_v4" >/dev/null || fail "not by the second gateway: $(lab_oe status)"
	only_esp ;;
keyed)
	# To itself there is a tunnel too, in transport mode; each carries its own packets, and goes by itself.
	gw=$server_v4
	up gw
	expect_sa "sel src $client_v4/32 dst $box/32" "$server_v4"
	expect_sa 'mode transport' "$server_v4"
	expect_no_cleartext client "$server_v4"
	lab_oe down "$server_v4"
	its_own() { ip -n client xfrm state list dst "$server_v4" | grep 'mode transport'; }
	lab_wait 5 'the end of the tunnel to the gateway' is '' its_own
	expect_reached client $box
	only_esp ;;
rekey)
	strongswan_rekeys server client $box --child v4
	strongswan_rekeys server client $box --ike v4
	lab_pings client $box
	lab_wear_out "$server_v4"
	lab_wait 5 'new keys from us' grep ': rekeyed, ' oe-iked.log
	expect_no_ping_lost
	only_esp ;;
esac
