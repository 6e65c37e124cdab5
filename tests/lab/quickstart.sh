#!/bin/bash
# lab: timeout=120
# The story that ./quickstart tells: each line with a $ is a command that runs here, what follows is what it said.
. "$LAB/lib.sh"

heading() { tell "$(printf '\n== %s' "$1")"; }
# screen FILTER COMMAND...: the command, and its output through an awk program
screen() {
	local filter=$1
	shift
	tell "   \$ $(sed "s,$LAB_BINDIR/,,g" <<<"${shown:-$*}")"
	"$@" 2>&1 | awk "$filter" | sed 's/^/   /' | tee -a /dev/fd/4
}
dig_shown() {
	lab_dig "$@"
	tell "   \$ dig $*"
	awk '/status:/ { sub(/.*status: /, "status: "); sub(/, id.*/, ""); status = $0; next }
		/^;; flags:/ { print status (/ ad[; ]/ ? ", AD (validated by DNSSEC)" : ""); next }
		/^; EDE/ || /Query time/ { sub(/^;+ /, ""); print; next }
		/^[^;]/' dig.txt | fold -s -w 112 | sed 's/^/   /' | tee -a /dev/fd/4
}

lab_topology client dns server server2 server3
lab_capture wire
lab_key libreswan rsa
lab_key own ed25519
lab_key published ed25519
lab_zone keyed.example signed <<ZONE
www	A $server_v4
www	IPSECKEY $(lab_ipseckey libreswan)
stolen	A $server2_v4
stolen	IPSECKEY $(lab_ipseckey published)
dead	A $server3_v4
dead	IPSECKEY $(lab_ipseckey own)
plain	A $server2_v4
ZONE
lab_zone unsigned.example unsigned <<ZONE
www	A $server2_v4
www	IPSECKEY $(lab_ipseckey own)
ZONE
lab_responder server libreswan libreswan
lab_responder server2 own own
lab_silence server3
lab_start_client

heading "www.keyed.example has an address and a key, both signed. Nobody has met this host before (it runs libreswan)."
dig_shown www.keyed.example
expect_answer "$server_v4"
expect_protected server
heading "When that answer came, the kernel already encrypted everything to and from the address:"
shown='oe status' screen 1 lab_oe status
shown="ping -c 3 $server_v4" screen '/packets|rtt/' in_host client ping -c 3 -i 0.1 "$server_v4"
shown="ip -s xfrm state" screen '/^src|proto esp|lifetime current/ { print; if (/current/) { getline; print } }' \
	ip -n client -s xfrm state list nokeys
heading "The wire itself: IKE, then nothing but ESP."
shown="tcpdump -r wire.pcap host $server_v4" screen 'NR <= 9 { print substr($0, 1, 112) }' \
	tcpdump -r wire.pcap -n -t "host $server_v4 and not arp"
expect_no_cleartext client server since-answer

heading "stolen.keyed.example: the host at this address does not hold the key that DNS publishes."
dig_shown stolen.keyed.example
expect_servfail_ede 'ipsec: the host does not hold the key'
expect_no_tunnel server2
heading "dead.keyed.example: nobody answers. The lookup fails in time; nobody else waits for it."
dig_shown dead.keyed.example
expect_servfail_ede 'ipsec: the host does not answer IKE'
expect_no_tunnel server3
heading "www.unsigned.example publishes a key too, but nothing proves that it is the owner's: plain, as without us."
dig_shown www.unsigned.example
expect_answer "$server2_v4"
expect_no_tunnel server2
heading "plain.keyed.example has no key: plain."
dig_shown plain.keyed.example
expect_answer "$server2_v4"
expect_no_tunnel server2

heading "And www.keyed.example meanwhile?"
expect_protected server
shown='oe status' screen 1 lab_oe status
esp=$(esp_packets)
tell ""
tell "One tunnel with a host never met before, $esp packets in ESP and none in clear; two names refused with a reason, two answered as ever."
