#!/bin/bash
# lab: variants=libreswan,own,own-asks timeout=120
# interop: libreswan host rekeyed by us
# interop: libreswan host IKE SA rekeyed by us
# promise: 4
# New keys for ESP, for IKE, and for ESP again by the new IKE SA, while packets flow: none is lost (but by libreswan), none goes in clear.
. "$LAB/lib.sh"

kind=${LAB_VARIANT%-asks}
# Each time up to an eighth earlier: new keys for ESP at 10 s, for IKE at 15 s, for ESP at 20 s; then nothing before 26 s. With the
# other two a kernel says when an SA has carried much.
lives=('ike-life: 10')
[ "$LAB_VARIANT" != own ] || lives=('soft-life: 10' 'ike-life: 15')
lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$kind" good
lab_oe_conf "${lives[@]}"
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

# spis: in and out, as the tunnel's line has them
spis() { lab_oe status | grep -F host.keyed.example | grep -oE '[0-9a-f]{8}/[0-9a-f]{8}'; }
# said NUMBER TEXT: oe-iked has said it so often
said() { [ "$(grep -cF -- "$2" oe-iked.log)" -ge "$1" ]; }
# states HOST: SPIs of its SAs, sorted
states() { ip -n "$1" xfrm state list | awk '$1 == "proto" { print substr($4, 3) }' | sort; }
# only_these SPI/SPI: both kernels have the SAs of one pair, this one, and nothing else
only_these() {
	local want host
	want=$(tr / '\n' <<<"$1" | sort)
	for host in client server; do [ "$(states $host)" = "$want" ] || return 1; done
}
# wear_out: our own host leaves it to its clients for an hour, but its kernel says when an SA has carried much. Let one packet be much.
wear_out() {
	local sa
	case $LAB_VARIANT in
	own)		return ;;
	libreswan)	lab_wear_out "$server_v4"
			return ;;
	esac
	read -ra sa < <(ip -n server xfrm state list src "$server_v4" dst "$client_v4" |
		awk '$1 == "src" || $1 == "proto" || $1 == "aead"' | paste -sd ' ')
	ip -n server xfrm state update "${sa[@]}" limit packet-soft 1
}

lab_daemon ping client ping -i 0.02 "$server_v4"
first=$(spis)
wear_out
lab_wait 30 'new keys for ESP' said 1 ': rekeyed, '
second=$(spis)
lab_wait 20 'new keys for IKE' said 1 ': IKE SA rekeyed, '
wear_out
lab_wait 20 'new keys for ESP by the new IKE SA' said 2 ': rekeyed, '
third=$(spis)
case $LAB_VARIANT in
own-asks)	lab_says oe-iked.server 'child-rekeying: new CHILD SA' ;;
*)		said 1 'ike-rekeying: new IKE SA' ;;
esac || fail "it was not the end that was meant to ask"
note "SPIs: $first, $second, $third"
for half in 1 2; do
	[ "$(printf '%s\n' "$first" "$second" "$third" | cut -d / -f $half | sort -u | wc -l)" = 3 ] ||
		fail "SPIs stayed: $first, $second, $third"
done
lab_wait 5 'the end of the old SAs' only_these "$third"
kill -INT "${lab_pid[ping]}"
wait "${lab_pid[ping]}" || :

# Every number up to the last answer; only what was on its way when ping ended may be missing.
lost=$(awk -F 'icmp_seq=' '/bytes from/ { n = $2 + 0; lost += n - last - 1; last = n } END { print lost + 0, last + 0 }' ping.log)
tell "$LAB_VARIANT: ${lost% *} of ${lost#* } pings were lost"
[ "${lost#* }" -ge 200 ] || fail "only ${lost#* } pings were sent"
# libreswan that is asked sends with its new SA before its answer, from which alone this host can make the keys, has left it.
allowed=0
[ "$LAB_VARIANT" != libreswan ] || allowed=2
[ "${lost% *}" -le $allowed ] || fail "${lost% *} of ${lost#* } pings were lost"
expect_no_cleartext client "$server_v4"
expect_ike_exchanges server 1
[ "$(lab_oe status | grep -cF host.keyed.example)" = 1 ] || fail "not one tunnel: $(lab_oe status)"
expect_protected server
