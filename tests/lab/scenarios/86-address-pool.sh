#!/bin/bash
# lab: variants=own,full,ipv6 timeout=120
# promise: 3 4 7
# Two clients behind one NAT ask for the same host, which assigns each an address (address-pool): both are served at once, each gets
# its own address and no more, and what has no IPsec behind that NAT reaches the host as before. full: there is one address for the
# two; the second is told so, and has it when the first one has gone. ipv6: one client, all of it in the other family.
. "$LAB/lib.sh"

lab_topology -r client dns server
if [ "$LAB_VARIANT" = ipv6 ]; then lab_nat 6; else lab_nat; lab_second_client; fi
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
six AAAA $server_v6
six IPSECKEY $(lab_ipseckey good)
ZONE
if [ "$LAB_VARIANT" = ipv6 ]; then
	lab_responder server own good 'address-pool: fd00:64::/64'
	lab_start_client
	lab_dig six.keyed.example AAAA
	expect_answer "$server_v6"
	expect_within 1500
	expect_protected server 6
	lab_oe status | grep -F "tunnel/fd00:64::" >/dev/null || fail "oe status does not tell the address: $(lab_oe status)"
	ip -n server -6 route show proto 0x6f | grep -F fd00:64:: >/dev/null || fail "the server has no way to it"
	expect_no_cleartext client server since-answer
	lab_oe down six.keyed.example
	left() { [ -n "$(ip -n server -6 route show proto 0x6f)" ] || ip -n server xfrm policy | grep -F fd00:64:: >/dev/null; }
	released() { ! left; }
	lab_wait 10 "the server's things for the client go" released
	exit
fi
pool=100.64.0.0/24 inner=100.64.0.1
[ "$LAB_VARIANT" != full ] || pool=100.64.0.1/32
lab_responder server own good "address-pool: $pool"
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_within 1500
expect_protected server
lab_oe status | grep -Fw "tunnel/$inner" >/dev/null || fail "oe status does not tell the address"
# Only between the server and that address, and nothing about the NAT.
policies() { ip -n server xfrm policy | grep -E '^src ' | grep -Ew "$server_v4/32" | sort; }
[ "$(policies)" = "$(printf 'src %s/32 dst %s/32 \n' "$inner" "$server_v4" "$server_v4" "$inner" | sort)" ] ||
	fail "the server's policies: $(policies)"
ip -n server route get $inner | grep -Fw "src $server_v4" >/dev/null || fail "no way to $inner"
# What is exempt elsewhere goes through the tunnel too.
in_host client dig +tries=1 +time=1 "@$server_v4" name.example >/dev/null || :
expect_no_cleartext client server since-answer
ping_from router "$server_v4"
check_capture cleartext wire.pcap "$router_v4" "$server_v4" >/dev/null && fail "the router's ping was not in clear"

since=$EPOCHREALTIME
if [ "$LAB_VARIANT" = full ]; then
	second lab_start_client 'lab_dig host.keyed.example' \
		'expect_servfail_ede "peer said INTERNAL_ADDRESS_FAILURE"' 'expect_within 1500'
	ping_from client "$server_v4"
else
	in_host client ping -q -i 0.1 -c 60 -W 1 "$server_v4" >ping.txt &
	pinger=$!
	second lab_start_client 'lab_dig host.keyed.example' 'expect_answer "$server_v4"' 'ping_from client2 "$server_v4"'
	wait $pinger || fail "the first client's pings are not answered: $(tail -n 2 ping.txt)"
	grep -q ' 0% packet loss' ping.txt || fail "the first client has lost packets: $(grep loss ping.txt)"
	[ "$(policies | wc -l)" = 4 ] || fail "the server's policies: $(policies)"
	[ "$(ip -n server route show proto 0x6f | wc -l)" = 2 ] || fail "the server's routes: $(ip -n server route)"
	ping_from client "$server_v4"
fi
check_capture cleartext wire.pcap "$router_v4" "$server_v4" --since "$since" || fail "cleartext"

# The first one goes: so do its address, its policies and its route, and the second one is served.
kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
gone() { [ -z "$(ip -n server route show "$inner")" ] && ! ip -n server xfrm policy | grep -Fw "$inner" >/dev/null; }
lab_wait 10 "the first client's things at the server go" gone
since=$EPOCHREALTIME     # what the killed one refuses with ICMP is not the second one's
if [ "$LAB_VARIANT" = full ]; then
	nap 3	# the second one's failure is remembered for so long
	second 'lab_dig host.keyed.example' 'expect_answer "$server_v4"'
fi
second 'ping_from client2 "$server_v4"'
check_capture cleartext wire.pcap "$router_v4" "$server_v4" --since "$since" || fail "cleartext of the second client"
