#!/bin/bash
# lab: timeout=120
# promise: 1
# Ways to ask for an address that are not the plain one: CD, DO, ANY, HTTPS hints, the additional section, TTL 0 and the longest TTL,
# expired answers. The host does not speak IKE: none may get an address of a keyed name.
. "$LAB/lib.sh"

lab_topology client dns server server2 server3
lab_capture wire
lab_key good rsa
key=$(lab_ipseckey good)
lab_zone keyed.example signed <<ZONE
host A $server_v4
host AAAA $server_v6
host HTTPS 1 . alpn=h2 ipv4hint=$server_v4 ipv6hint=$server_v6
host IPSECKEY $key
web HTTPS 1 host.keyed.example. ipv4hint=$server_v4
mail MX 10 host
_s._tcp SRV 0 0 25 host
sub NS host.sub
never 0 A $server2_v4
never 0 IPSECKEY $key
ever 2147483647 A $server2_v4
ever 2147483647 IPSECKEY $key
late 0 A $server3_v4
late 0 IPSECKEY $key
later 2147483647 A $server3_v4
later 2147483647 IPSECKEY $key
short 1 A $server3_v4
short 1 IPSECKEY $key
ZONE
lab_unbound_conf 'minimal-responses: no' 'serve-expired: yes' 'serve-expired-client-timeout: 100' 'prefetch: yes' 'aggressive-nsec: yes'
lab_start_client

leaks=0
nothing() {
	lab_dig "$@"
	if grep -v '^;' dig.txt | grep -qFw -e "$server_v4" -e "$server_v6" -e "$server2_v4" -e "$server3_v4"; then
		tell "   $*: $(grep -v '^;' dig.txt | grep -Fw -m 1 -e "$server_v4" -e "$server_v6" -e "$server2_v4" -e "$server3_v4")"
		leaks=$((leaks + 1))
	fi
}
for how in +nodnssec +dnssec +cdflag '+cdflag +dnssec' +noedns +tcp; do
	for name in host never ever; do
		# shellcheck disable=SC2086 # words
		nothing $name.keyed.example A $how
	done
	# shellcheck disable=SC2086 # words
	nothing host.keyed.example AAAA $how
	# shellcheck disable=SC2086 # words
	nothing host.keyed.example HTTPS $how
	# shellcheck disable=SC2086 # words
	nothing web.keyed.example HTTPS $how
	# shellcheck disable=SC2086 # words
	nothing host.keyed.example ANY $how
	# shellcheck disable=SC2086 # words
	nothing mail.keyed.example MX $how
	# shellcheck disable=SC2086 # words
	nothing _s._tcp.keyed.example SRV $how
done
nothing host.keyed.example A +norecurse
nothing host.keyed.example A +cdflag +norecurse
nothing HOST.Keyed.Example A
nothing host.keyed.example A -c CH
[ $leaks = 0 ] || fail "$leaks answers told an address, see above"

# Another host speaks IKE, then falls silent: what was answered before comes from no cache once its time is over.
lab_responder server3 own good
lab_dig late.keyed.example
expect_answer "$server3_v4"
lab_dig later.keyed.example
expect_answer "$server3_v4"
[ "$(awk '$4 == "A" && /^later/ { print $2 }' dig.txt)" -le 86400 ] || fail "promised for ever"
lab_dig short.keyed.example
expect_answer "$server3_v4"
expect_protected server3
expect_no_cleartext client server3
kill "${lab_pid[oe-iked]}"
wait "${lab_pid[oe-iked]}"
nap 1.5
nothing short.keyed.example A
nothing later.keyed.example A
nothing late.keyed.example A +cdflag
[ $leaks = 0 ] || fail "$leaks answers told an address after oe-iked was stopped, see above"
