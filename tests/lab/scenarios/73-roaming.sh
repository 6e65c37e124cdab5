#!/bin/bash
# lab: variants=libreswan,own timeout=90
# promise: 4
# The client moves: its address goes, another one comes, while an application sends on and nobody asks the resolver again.
# From the new address packets come back within 3 s, and not one was in clear.
. "$LAB/lib.sh"

new_v4=192.0.2.77
lab_topology client dns server
lab_capture wire
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

# answered_since TIME: seconds from then to the first answer
answered_since() { awk -v since="$1" '/bytes from/ { gsub(/[][]/, "", $1); if ($1 > since) { print $1 - since; exit } }' ping.log; }
is_answered_since() { [ -n "$(answered_since "$1")" ]; }
# back_within_3s TIME WHERE
back_within_3s() {
	local after
	lab_wait 10 "answers $2" is_answered_since "$1"
	after=$(answered_since "$1")
	tell "$2: the first answer after $after s"
	awk -v s="$after" 'BEGIN { exit !(s <= 3) }' || fail "$2: the first answer after $after s, not 3"
}
no_cleartext() {
	check_capture cleartext wire.pcap "$1" "$server_v4" >cleartext.txt || fail "in clear: $(sed -n 1p cleartext.txt)"
}

lab_daemon ping client ping -D -i 0.1 "$server_v4"
lab_wait 5 "answers" is_answered_since 0
ip -n client addr del "$client_v4/24" dev eth0
ip -n client addr add $new_v4/24 dev eth0
back_within_3s $EPOCHREALTIME "at the new address"
check_capture esp wire.pcap $new_v4 "$server_v4" || fail "no ESP with the new address"

# A while without any network, as on a train.
ip -n client link set eth0 down
nap 2
ip -n client addr flush dev eth0
ip -n client link set eth0 up
ip -n client addr add "$client_v4/24" dev eth0
back_within_3s $EPOCHREALTIME "at the first address again"
no_cleartext "$client_v4"
no_cleartext $new_v4
only_one() { [ "$(lab_oe status | grep -cF host.keyed.example)" = 1 ]; }
lab_wait 10 "the end of the tunnel of the address that is gone" only_one
lab_oe status | grep -F "$client_v4" || fail "the tunnel is with another address than this host's"
