#!/bin/bash
# lab: variants=own,pool,libreswan,strongswan,libreswan-asks,strongswan-asks timeout=90
# interop: libreswan host :libreswan another port of the client's NAT
# interop: strongswan host :strongswan another port of the client's NAT
# interop: libreswan client :libreswan-asks another port of the client's NAT
# interop: strongswan client :strongswan-asks another port of the client's NAT
# promise: 4
# A NAT is restarted: what the client sends comes from another port then, later from another address. The host follows what is authentic
# (RFC 7296 2.23): with another port the tunnel stays as it is, and so it does with another address if the host has assigned one to the
# client; otherwise another one is made. Nobody looks up a name, and nothing is in clear.
. "$LAB/lib.sh"
. "$LAB/lib-libreswan.sh"
. "$LAB/lib-strongswan.sh"

# Who is behind which NAT, as whom, and asks which host; strongSwan signs, and the client of this lab has the resolver for its key.
asker=client nat=router outside=$router_v4 host=server to=$server_v4 options=(-r) other=192.0.2.253 from=()
[ "$LAB_VARIANT" != strongswan-asks ] || asker=server nat=server outside=192.0.2.99 host=client to=$client_v4 options=() from=(-I 100.64.0.1)
lab_topology "${options[@]}" client dns server
lab_capture wire
lab_key good rsa
lab_key mine ed25519
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
client IPSECKEY $(lab_ipseckey mine)
ZONE

# translates RULE...: how the NAT translates what it does not know yet
translates() {
	in_host "$nat" iptables-legacy -t nat -F POSTROUTING
	in_host "$nat" iptables-legacy -t nat -A POSTROUTING -d "$to" -p udp -j "$@"
}
if [ $asker = client ]; then lab_nat; else lab_address server "$outside" $other; fi
for address in "$outside" $other; do lab_refuses["$address"]=yes; done
translates SNAT --to-source "$outside:20000-29999"
case $LAB_VARIANT in
own)		lab_responder server own good ;;
pool)		lab_responder server own good 'address-pool: 100.64.0.0/24' ;;
libreswan)	lab_responder server libreswan good pool ;;
strongswan)	lab_strongswan server host.keyed.example good router client.keyed.example mine 'remote_addrs = %any'
		lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example' ;;
libreswan-asks)	lab_responder server own good 'server-identity: host.keyed.example'
		libreswan_in_place
		key=$(lab_ipseckey good)
		libreswan_connection client nat "$client_v4" "$server_v4" "rightid=@host.keyed.example" "rightrsasigkey=0s${key##* }" \
			rightauth=rsasig 'leftid=%null' leftauth=null type=transport
		mkdir -p pluto.client
		libreswan_start client
		lab_whack client 5 --initiate --name nat || :
		libreswan_said client nat 'established Child SA' ;;
strongswan-asks) lab_oe_conf "server-key: $LAB_WORK/good.pem" 'server-identity: host.keyed.example' 'accept-identified: yes' \
			'address-pool: 100.64.0.0/24'
		lab_start_client
		lab_strongswan server client.keyed.example mine client host.keyed.example good 'vips = 0.0.0.0' -- 'mode = tunnel'
		lab_swanctl server --initiate --child v4 --timeout 10 >initiate.log 2>&1 || fail "$(tail -n 1 initiate.log)" ;;
esac
case $LAB_VARIANT in
*-asks)	;;
*)	lab_start_client
	lab_dig host.keyed.example
	expect_answer "$server_v4" ;;
esac
ping_from $asker "$to" "${from[@]}"

# forgets RULE...: the NAT forgets all that it knows (ctnetlink's delete, of nothing in particular), and translates like this from now on
forgets() {
	translates "$@"
	in_host "$nat" /usr/bin/python3 -I -c 'import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.sendall(struct.pack("=IHHII4x", 20, 0x102, 5, 1, 0))
raise SystemExit(-struct.unpack_from("=i", s.recv(4096), 16)[0])' || fail "the NAT does not forget"
}
# back_within SECONDS WHAT
back_within() {
	local begin=$EPOCHREALTIME after
	in_host $asker ping -q -i 0.2 -c 1 -w "$(($1 * 2))" -W 1 "${from[@]}" "$to" || fail "$2: not reached any more"
	after=$(awk "BEGIN { print $EPOCHREALTIME - $begin }")
	tell "$LAB_VARIANT, $2: reached again after $after s"
	awk "BEGIN { exit !($after <= $1) }" || fail "$2: reached again after $after s, not $1"
}
handshakes() { check_capture ike wire.pcap "$1" "$to" | awk '/IKE_SA_INIT/ { print $2 }' | sort -u | wc -l; }
before=$(handshakes "$outside")
forgets SNAT --to-source "$outside:30000-39999"
# The host speaks before the other end does: what comes for nobody the router answers with ICMP, in clear, and quotes the ESP in it.
[ "$LAB_VARIANT" != own ] || in_host server ping -q -c 1 -W 1 "$router_v4" || :
back_within "$([ "$LAB_VARIANT" = libreswan ] && echo 15 || echo 3)" 'another port'
check_capture list wire.pcap "$outside" "$to" | grep "^esp .* udp 3[0-9]* > 4500" >/dev/null || fail "no ESP from the new port"
[ "$(handshakes "$outside")" = "$before" ] || fail "the tunnel was made anew for another port"
expect_no_cleartext "$outside" "$to"

case $LAB_VARIANT in
libreswan|libreswan-asks|strongswan) exit ;;
esac
[ $nat = server ] || ip -n router addr add $other/24 dev eth0
forgets SNAT --to-source "$other:40000-49999"
back_within 8 'another address'
check_capture esp wire.pcap $other "$to" || fail "no ESP from the new address"
[ "$LAB_VARIANT" = own ] || [ "$(handshakes $other)" = 0 ] || fail "the tunnel was made anew for another address"
expect_no_cleartext $other "$to"
expect_no_cleartext "$outside" "$to"
