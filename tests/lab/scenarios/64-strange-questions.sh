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

# One dig asks them all in turn: a process for each takes longer than its answer.
questions=0
question() { questions=$((questions + 1)); echo "@127.0.0.1 +time=5 +tries=1 $*" >>questions.txt; }
# no_address_told: asks; every question has an answer, and none tells an address
no_address_told() {
	local answers leaks
	in_host client dig -f questions.txt >answers.txt || fail "dig ended with status $?"
	cat answers.txt
	answers=$(grep -c 'status: ' answers.txt)
	[ "$answers" = "$questions" ] || fail "$answers answers to $questions questions"
	leaks=$(awk -v hosts="$server_v4 $server_v6 $server2_v4 $server3_v4" '
		/^; <<>> DiG/ { question = $0 }
		/^[^;]/ { n = split(hosts, host, " "); for (i = 1; i <= n; i++) if (index($0, host[i])) print question ": " $0 }' answers.txt)
	[ -z "$leaks" ] || fail "an address was told: $leaks"
	rm questions.txt
	questions=0
}
for how in +nodnssec +dnssec +cdflag '+cdflag +dnssec' +noedns +tcp; do
	for name in host never ever; do question $name.keyed.example A "$how"; done
	for what in 'host.keyed.example AAAA' 'host.keyed.example HTTPS' 'web.keyed.example HTTPS' 'host.keyed.example ANY' \
		'mail.keyed.example MX' '_s._tcp.keyed.example SRV'; do question "$what" "$how"; done
done
question host.keyed.example A +norecurse
question host.keyed.example A +cdflag +norecurse
question HOST.Keyed.Example A
question host.keyed.example A -c CH
no_address_told

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
question short.keyed.example A
question later.keyed.example A
question late.keyed.example A +cdflag
no_address_told
