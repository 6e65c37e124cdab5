#!/bin/bash
# lab: timeout=200
# promise: 3 4 7
# The adversary of tests/adversary against the kernel's own ESP: hosts that lie to the client about what is to be protected, and with
# what, get nothing into its kernel; a client that lies to the host gets itself a tunnel and nobody else.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good ed25519
lies=("nothing wrong" "ts: all addresses" "ts: another address" "ts: the other family" "ts: one port" "child: NULL encryption"
	"child: SPI zero" "tunnel mode, ts: all addresses" "assigns 127.0.0.1" "auth: AUTH_NULL"
	"auth: signature without the MACed ID" "auth: a signature of zeros" "fragments: number 0" "auth: error 24")
hosts=()
for i in "${!lies[@]}"; do
	lab_address server2 "192.0.2.$((100 + i))"
	hosts+=("192.0.2.$((100 + i))=${lies[i]}")
	echo "h$i A 192.0.2.$((100 + i))"
	echo "h$i IPSECKEY $(lab_ipseckey good)"
done >liars
{
	cat liars
	echo "host A $server_v4"
	echo "host IPSECKEY $(lab_ipseckey good)"
} >names
lab_zone keyed.example signed <names
lab_responder server own good
lab_start_client

lab_daemon liars server2 /usr/bin/python3 "$LAB/../adversary/lie" hosts "$LAB_WORK/good.pem" "${hosts[@]}"
lab_wait 30 "the liars" lab_says liars ready
for i in "${!lies[@]}"; do
	note "${lies[i]}"
	lab_dig "h$i.keyed.example"
	if [ "$i" = 0 ]; then
		expect_answer 192.0.2.100	# the control: its ESP is a lie too, but its IKE is not
		expect_tunnel 192.0.2.100
	else
		expect_servfail_ede "ipsec: "
		expect_no_tunnel "192.0.2.$((100 + i))"
	fi
done
lab_oe down 192.0.2.100

lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
ip -n server2 addr add 198.18.200.1/32 dev lo	# an address that is not theirs: nobody answers there
lab_address server2 192.0.2.{200..239}
in_host server2 /usr/bin/python3 "$LAB/../adversary/lie" clients 192.0.2.200 "$server_v4" "nothing wrong" "auth: from another" \
	"auth: INITIAL_CONTACT" "auth: AUTH" "auth: a shared secret" child: ts: >clients.txt || fail "a lie got another answer than it should"
# Whoever was let in has the address that it came from, whatever it claims, and no stranger has another one.
let_in=$(awk '/^as wanted: / && / SA TSi TSr/ { print $3 }' clients.txt | sort)
[ -n "$let_in" ] || fail "nobody was let in: $(<clients.txt)"
bound=$(ip -n server -o xfrm policy list | grep -F 'tmpl src' | grep -oE '(src|dst) [0-9a-f.:]+/[0-9]+' |
	sed 's,.* ,,; s,/32$,,; s,/128$,,' | grep -Fvxe "$server_v4" -e "$client_v4" | sort -u)
[ "$bound" = "$let_in" ] || fail "policies of the host with $bound, let in were $let_in"
[ -z "$(xfrm_of server 198.18.200.1)" ] || fail "a stranger has bound the address of somebody else"
lab_answer_time=$EPOCHREALTIME
expect_protected server
expect_alive oe-iked 20000
expect_alive oe-iked.server 20000
