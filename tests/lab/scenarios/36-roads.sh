#!/bin/bash
# lab: variants=asked,kept timeout=120
# promise: 1 4
# Whoever takes an address from whatever place in an answer (hint, additional section, ANY, an old answer), and connects to
# it at once, connects through ESP: docs/roads.md.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good ecdsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
web A $server_v4
web HTTPS 1 . ipv4hint=$server_v4
web IPSECKEY $(lab_ipseckey good)
svc SVCB 1 . ipv4hint=$server_v4
svc IPSECKEY $(lab_ipseckey good)
mail MX 10 host
brief 10 A $server_v4
brief 10 IPSECKEY $(lab_ipseckey good)
plain A $server2_v4
ZONE
lab_responder server own good
lab_unbound_conf 'minimal-responses: no' 'prefetch: yes' 'serve-expired: yes' 'serve-expired-ttl: 0'
lab_start_client
lab_daemon listener server /usr/bin/python3 -m http.server --bind "$server_v4" 80
lab_daemon listener2 server2 /usr/bin/python3 -m http.server --bind "$server2_v4" 80
lab_wait 20 "listener" in_host server grep -q ':0050 00000000:0000 0A' /proc/net/tcp
lab_wait 20 "listener" in_host server2 grep -q ':0050 00000000:0000 0A' /proc/net/tcp

# Every address in dig's output, wherever it stands.
told() { awk '/^;/ { next } $4 == "A" { print $5 } sub(/.*ipv4hint=/, "") { print $1 }' dig.txt | sort -u; }
# connect ADDRESS...: a request to port 80 of each and all of the answer, so that no packet is left for later
connect() {
	local address
	for address; do
		in_host client /usr/bin/python3 -I - "$address" <<-'PYTHON'
		import socket, sys
		s = socket.create_connection((sys.argv[1], 80), 5)
		s.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
		while s.recv(4096):
		    pass
		PYTHON
	done
}
# road WHAT ADDRESSES DIG-ARGUMENT...: asked in this way, the answer tells ADDRESSES, and all of them are behind ESP
road() {
	local esp addresses
	note "road: $1"
	lab_dig "${@:3}"
	addresses=$(told)
	[ "$addresses" = "$2" ] || fail "$1 tells \"$addresses\", not \"$2\" ($lab_rcode, $lab_ede)"
	esp=$(esp_packets)
	# shellcheck disable=SC2086 # a list
	connect $addresses
	[ -z "$2" ] || [ "$(esp_packets)" -gt "$esp" ] || fail "$1: connected, and the ESP counters stand"
	expect_no_cleartext client server
}
tunnel_gone() { [ -z "$(xfrm_of client "$server_v4")" ]; }
# afresh NAME: end the tunnel, so that the next road has to make its own
afresh() {
	lab_oe down "$1"
	lab_wait 10 "the tunnel's end" tunnel_gone
}

# That connect() makes packets which count: a name without a key.
lab_dig plain.keyed.example
connect "$server2_v4"
expect_cleartext client server2

case $LAB_VARIANT in
asked)
	road 'a hint in HTTPS' "$server_v4" web.keyed.example HTTPS
	afresh web.keyed.example
	road 'a hint in SVCB' "$server_v4" svc.keyed.example SVCB
	afresh svc.keyed.example
	road 'the additional section' '' mail.keyed.example MX
	road 'what MX points to' "$server_v4" host.keyed.example
	road 'the additional section, with the address cached' '' mail.keyed.example MX
	afresh host.keyed.example
	road ANY "$server_v4" host.keyed.example ANY
	afresh host.keyed.example
	road CD=1 "$server_v4" host.keyed.example A +cd
	afresh host.keyed.example
	road 'DO=1 over TCP' "$server_v4" host.keyed.example A +dnssec +tcp
	road RD=0 '' host.keyed.example A +norecurse
	expect_rcode REFUSED
	;;
kept)
	road 'the first answer' "$server_v4" brief.keyed.example
	nap 9.2
	road 'an answer that is prefetched' "$server_v4" brief.keyed.example
	nap 1.5
	road 'the prefetched answer' "$server_v4" brief.keyed.example
	# From here on nothing but an old answer could tell the address.
	lab_silence server
	afresh brief.keyed.example
	for _ in 1 2; do
		road 'an answer that was taken back' '' brief.keyed.example
		expect_servfail_ede 'ipsec: '
		nap 1
	done
	road 'an expired answer, CD=1' '' brief.keyed.example A +cd
	expect_servfail_ede 'ipsec: '
	;;
esac
