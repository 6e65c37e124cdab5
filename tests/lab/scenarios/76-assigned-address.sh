#!/bin/bash
# lab: variants=libreswan timeout=120
# interop: libreswan host NAT in between, address assigned
# promise: 1 4
# Behind a NAT libreswan wants to assign an address. It lives only inside of the tunnel and is the source for its host alone; two
# hosts assign the same one; nothing is left of it in the end, nor after a kill -9, and nothing leaves in clear meanwhile.
. "$LAB/lib.sh"

lab_topology -r client dns server server2
lab_nat
lab_capture wire
lab_key good rsa
lab_key other ecdsa
lab_zone keyed.example signed <<ZONE
one A $server_v4
one IPSECKEY $(lab_ipseckey good)
two A $server2_v4
two IPSECKEY $(lab_ipseckey other)
ZONE
lab_responder server "$LAB_VARIANT" good pool
lab_responder server2 "$LAB_VARIANT" other pool
lab_start_client
lab_watch_policies

inner=100.64.0.1
addresses() { ip -n client -o addr | sed 's/\\.*//'; ip -n client route; ip -n client -6 route; }
addresses >before.txt
left_nothing() { addresses | diff before.txt - >left.txt; }
routed_by() { ip -n client route get "$1" | grep -Fw "src $2" >/dev/null; }

lab_dig one.keyed.example
expect_answer "$server_v4"
expect_ad
expect_within 1500
expect_protected server
routed_by "$server_v4" $inner || fail "$inner is not the source: $(ip -n client route get "$server_v4")"
routed_by "$server2_v4" "$client_v4" || fail "$inner is a source for others"
show lab_oe status
lab_oe status | grep -Fw "tunnel/$inner" >/dev/null || fail "oe status does not tell the address"
# What is exempt elsewhere goes into the tunnel too: in clear no answer would find the way back.
in_host client dig +tries=1 +time=1 "@$server_v4" name.example >/dev/null || :
expect_no_cleartext client server since-answer
# What a socket sends that is bound to our own address goes into the tunnel as it is without nftables' NAT, and not into the clear.
in_host client nft list table ip unbound-oe >/dev/null 2>&1 ||
	! in_host client ping -q -c 1 -W 1 -I "$client_v4" "$server_v4" >/dev/null || fail "our own address has reached the host"
expect_no_cleartext client server since-answer

lab_dig two.keyed.example
expect_answer "$server2_v4"
expect_protected server2
expect_protected server
[ "$(lab_oe status | grep -cFw "tunnel/$inner")" = 2 ] || fail "not both have assigned $inner: $(lab_oe status)"

# Down leaves the other as it is, and in the end nothing.
released() { ! ip -n client xfrm policy | grep -Fw "$1" >/dev/null; }
lab_oe down one.keyed.example
lab_wait 10 "the first goes" released "$server_v4"
routed_by "$server_v4" "$client_v4" || fail "the route to the first is left"
expect_protected server2
lab_oe down two.keyed.example
lab_wait 10 "the second goes" released "$server2_v4"
left_nothing || fail "left: $(cat left.txt)"

# Killed: what the next start finds of it goes, and the host is closed until it is asked again.
lab_dig one.keyed.example
expect_answer "$server_v4"
expect_protected server
kill -9 "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}" || :
! left_nothing || fail "a killed daemon has cleaned up"
start_iked oe-iked client oe.conf resolver.sock
lab_wait 10 "the next start" lab_says oe-iked ready
left_nothing || fail "left: $(cat left.txt)"
! ping_from client "$server_v4" || fail "the host was reached without SAs"
expect_no_cleartext client server since-answer
lab_dig one.keyed.example
expect_answer "$server_v4"
expect_protected server

kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}"
left_nothing || fail "left: $(cat left.txt)"
released "$server_v4" || fail "policies are left"
