#!/bin/bash
# lab: timeout=120
# promise: 2 3 4
# Two names of one host roll over to a new key: published beside the old one, then the host restarts with the new one, then the old
# one is withdrawn. An application sends all the time: it is never in clear, and waits only while the host is away. A stranger who has
# copied the records brings in no key of his own.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
for key in old new strange; do lab_key $key ecdsa; done
# publish ZONE KEY...: all its names have these keys from now on
publish() {
	local zone=$1 key
	shift
	sed -i '/ IPSECKEY /d' "$zone.zone" 2>/dev/null || :
	for key; do printf '%s IPSECKEY %s\n' www "$(lab_ipseckey "$key")" mail "$(lab_ipseckey "$key")"; done >>"$zone.zone"
}
lab_zone keyed.example signed <<ZONE
www A $server_v4
mail A $server_v4
ZONE
lab_zone evil.example signed <<ZONE
www A $server_v4
ZONE
publish keyed.example old
publish evil.example old
lab_responder server own old
lab_start_client
# republish ZONE KEY...: and Unbound has forgotten the earlier ones
republish() {
	publish "$@"
	sign_zone "$1" signed
	kill -HUP "${lab_pid[nsd]}"
	lab_unbound_control flush_zone "$1" >flushed.txt
	lab_wait 10 "the new keys of $1" published "$@"
}
published() {
	lab_unbound_control flush_zone "$1"
	lab_dig "www.$1" IPSECKEY
	[ ${#lab_answers[@]} = $(($# - 1)) ]
}
asked() {
	lab_dig "$1"
	expect_answer "$server_v4"
}

asked www.keyed.example
since=$lab_answer_time
expect_protected server
asked mail.keyed.example
asked www.evil.example
in_host client ping -q -i 0.05 -W 1 -w 60 "$server_v4" >ping.txt 2>&1 &
pinger=$!
reaches() { in_host client ping -q -c 1 -W 1 "$server_v4"; }

# A stranger has old too: he can say that he rolls over to his own, and nothing comes of it.
republish evil.example strange
lab_dig www.evil.example
expect_servfail_ede "already protected for another name with another key"
republish evil.example old new strange
asked www.evil.example

republish keyed.example old new
asked www.keyed.example
asked mail.keyed.example
expect_ike_exchanges server 1
kill -9 "${lab_pid[oe-iked.server]}"
wait "${lab_pid[oe-iked.server]}" || :
own_responder server new
lab_wait 15 "the host with its new key" reaches

republish keyed.example new
for name in www mail; do
	asked $name.keyed.example
	expect_within 1000
done
expect_protected server
kill $pinger 2>/dev/null || :
lab_answer_time=$since
expect_no_cleartext client server since-answer
