#!/bin/bash
# lab: timeout=150
# promise: 3 6 7
# Records that somebody publishes by mistake or to see what happens. Each gets SERVFAIL with a reason that fits, or is plain where the
# design says so; nothing is left in the kernel, and the good name beside them works.
. "$LAB/lib.sh"

lab_topology client dns server server2
lab_capture wire
lab_key good rsa
lab_key other ecdsa
openssl genrsa -out small.pem 1024 2>/dev/null
echo rsa >small.type
key=$(lab_ipseckey good)
{
	echo "good A $server_v4"; echo "good IPSECKEY $key"
	echo "small A $server2_v4"; echo "small IPSECKEY $(lab_ipseckey small)"
	echo "dsa A $server2_v4"; echo "dsa IPSECKEY 10 0 1 . AQIDBAUGBwgJCgsMDQ4P"
	echo "odd A $server2_v4"; echo "odd IPSECKEY 10 0 2 . AwEAAQ=="
	echo "point A $server2_v4"; echo "point IPSECKEY 10 0 3 . $(head -c 64 /dev/zero | tr '\0' '\377' | base64 -w 0)"
	echo "empty A $server2_v4"; echo 'empty TYPE45 \# 3 0a0000'
	echo "cut A $server2_v4"; echo 'cut TYPE45 \# 5 0A 01 02 C0 00'
	echo "loop A $server2_v4"; echo 'loop TYPE45 \# 5 0A 03 02 C0 00'
	echo "gateway A $server2_v4"; echo "gateway IPSECKEY $(lab_ipseckey good 10 1 "$server_v4")"
	echo "named A $server2_v4"; echo "named IPSECKEY $(lab_ipseckey good 10 3 good.odd.example.)"
	echo "self A $server_v4"; echo "self IPSECKEY $(lab_ipseckey good 10 1 "$server_v4")"
	for i in {1..40}; do echo "forty A 198.51.100.$i"; done; echo "forty IPSECKEY $key"
	echo "twenty A $server2_v4"
	for i in {1..20}; do echo "twenty IPSECKEY $i 0 2 . $(head -c 260 /dev/urandom | base64 -w 0)"; done
	echo "private A 10.1.2.3"; echo "private IPSECKEY $key"
	echo "loopback A 127.0.0.1"; echo "loopback IPSECKEY $key"
	echo "linklocal A 169.254.1.1"; echo "linklocal IPSECKEY $key"
	echo "group A 224.0.0.251"; echo "group IPSECKEY $key"
	echo "zero A 0.0.0.0"; echo "zero IPSECKEY $key"
	echo "all A 255.255.255.255"; echo "all IPSECKEY $key"
	echo "mapped AAAA ::ffff:$server2_v4"; echo "mapped IPSECKEY $key"
	echo "linklocal6 AAAA fe80::1"; echo "linklocal6 IPSECKEY $key"
	echo "own A $client_v4"; echo "own IPSECKEY $key"
	echo "resolver A $dns_v4"; echo "resolver IPSECKEY $key"
	echo "cast A 192.0.2.255"; echo "cast IPSECKEY $key"
	echo "away CNAME back.plain.example."
	echo "home A $server2_v4"; echo "home IPSECKEY $key"
	echo "*.wild A $server2_v4"; echo "*.wildkey IPSECKEY $key"; echo "host.wildkey A $server2_v4"
} >names
lab_zone odd.example signed <names
lab_zone plain.example unsigned <<ZONE
back CNAME home.odd.example.
in CNAME home.odd.example.
ZONE
lab_responder server own good
lab_start_client

failed=0
# refused NAME TYPE EXPECTED-REASON: SERVFAIL with this in its reason
refused() {
	lab_dig "$1.odd.example" "$2"
	if [ "$lab_rcode" != SERVFAIL ] || [[ $lab_ede != *"$3"* ]] || [ "$lab_ms" -gt 1700 ]; then
		tell "   $1 $2: $lab_rcode, $lab_ede, ${lab_answers[*]:-}, $lab_ms ms; expected \"$3\""
		failed=1
	fi
	expect_why "$1.odd.example" refused "${3#ipsec: }"
}
for name in small dsa odd point; do refused $name A "no usable key"; done
# What cannot be read as IPSECKEY is not always signed and sent as it was written.
for name in empty cut loop; do refused $name A "ipsec: "; done
refused gateway A "does not confirm the gateway"
refused named A "does not confirm the gateway"
refused forty A "too many"
refused twenty A "too many"
refused private A "not allowed"
refused linklocal A "not allowed"
refused group A "not allowed"
refused all A "not allowed"
refused mapped AAAA "not allowed"
refused linklocal6 AAAA "not allowed"
refused cast A "no route"
refused resolver A "ipsec: "
# An alias in an unsigned zone could lead anywhere: there is nothing to protect, and the answer does not say AD.
for name in away.odd.example in.plain.example; do
	lab_dig $name
	expect_answer "$server2_v4"
	expect_no_ad
done
# But the name at its end, asked for itself, is not in the cache now.
refused home A "ipsec: "
# Packets to these never leave the host.
lab_dig own.odd.example
expect_answer "$client_v4"
lab_dig loopback.odd.example
expect_answer 127.0.0.1
lab_dig zero.odd.example
expect_answer 0.0.0.0
lab_dig any.wild.odd.example
expect_answer "$server2_v4"
lab_dig host.wildkey.odd.example
expect_answer "$server2_v4"
expect_no_tunnel server2
[ -z "$(ip -n client xfrm state)" ] || fail "something is in the kernel: $(ip -n client xfrm state | sed -n 1p)"

lab_dig self.odd.example
expect_answer "$server_v4"
lab_dig good.odd.example
expect_answer "$server_v4"
expect_protected server
expect_alive oe-iked 10000
[ $failed = 0 ] || fail "not every name got a reason that fits, see above"
