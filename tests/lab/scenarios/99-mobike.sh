#!/bin/bash
# lab: variants=own,strongswan,libreswan timeout=90
# interop: strongswan host the client goes to another network (MOBIKE)
# interop: libreswan host no the client goes to another network (MOBIKE): 4.10 takes the address, but leaves ESP in UDP as it was where a NAT comes or goes, so the tunnel is made anew (99-mobike:libreswan)
# interop: strongswan host it reboots, address assigned
# promise: 4
# A client whose host has assigned an address goes from behind a NAT into another network, and back, while an application's one TCP
# connection goes on: nobody notices, nothing is in clear, and no handshake is made. In the end strongSwan's host loses all that it knew.
. "$LAB/lib.sh"
. "$LAB/lib-strongswan.sh"

new_v4=192.0.2.77
lab_topology -r client dns server
lab_nat
lab_capture wire
type=ed25519
[ "$LAB_VARIANT" != libreswan ] || type=rsa	# NSS of 4.10 has no EdDSA
lab_key good $type
lab_key mine ed25519
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
start_strongswan() {
	mkdir -p charon.server/conf.d
	echo 'pools { inner { addrs = 100.64.0.0/24 } }' >charon.server/conf.d/pools.conf
	lab_strongswan server host.keyed.example good router client.keyed.example mine 'mobike = yes' 'pools = inner' 'remote_addrs = %any' \
		-- 'mode = tunnel'
}
case $LAB_VARIANT in
own)	lab_responder server own good 'address-pool: 100.64.0.0/24' ;;
libreswan) lab_responder server libreswan good mobike ;;
strongswan)
	start_strongswan
	lab_oe_conf "server-key: $LAB_WORK/mine.pem" 'server-identity: client.keyed.example' 'identify-to: keyed.example' ;;
esac
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server
inner=$(lab_oe status | grep -o 'tunnel/[0-9.]*')
[ -n "$inner" ] || fail "no address is assigned: $(lab_oe status)"

# One connection, a number every 50 ms, and each comes back.
cat >echo.py <<'PY'
import socket, sys
s = socket.create_server((sys.argv[1], 7))
c, peer = s.accept()
print(peer[0], flush=True)
while data := c.recv(100):
    c.sendall(data)
PY
cat >count.py <<'PY'
import socket, sys, time
s = socket.create_connection((sys.argv[1], 7))
f = s.makefile("rw")
n = 0
while True:
    n += 1
    f.write(f"{n}\n")
    f.flush()
    if int(f.readline()) != n:
        sys.exit("another number")
    print(time.time(), flush=True)
    time.sleep(0.05)
PY
lab_daemon echo server python3 "$LAB_WORK/echo.py" "$server_v4"
listens() { in_host server ss -Hltn 'sport = :7' | grep -q .; }
lab_wait 5 'the server' listens
lab_daemon count client python3 "$LAB_WORK/count.py" "$server_v4"
answered_since() { awk -v since="$1" '$1 > since { print $1; exit }' count.log; }
is_answered_since() { [ -n "$(answered_since "$1")" ]; }
moves() { [ "$(grep -c 'goes along to' oe-iked.log)" = "$1" ]; }
# goes_on WHEN MOVES: the connection, after so many moves of the tunnel; what was on its way before does not count
goes_on() {
	local begin=$EPOCHREALTIME now
	lab_wait 10 "a tunnel that goes along, $1" moves "$2"
	now=$EPOCHREALTIME
	lab_wait 10 "the connection $1" is_answered_since "$now"
	tell "$LAB_VARIANT, $1: the connection goes on after $(awk "BEGIN { print $(answered_since "$now") - $begin }") s"
}
goes_on 'at first' 0

# A cable is plugged in, and the other network goes.
ip -n wire link add p-cable type veth peer name eth1 netns client
ip -n wire link set p-cable master br0 up
lab_capture cable wire p-cable
ip -n client link set eth1 up
ip -n client addr add $new_v4/24 dev eth1
ip -n client addr del "$client_v4/24" dev eth0
if [ "$LAB_VARIANT" = libreswan ]; then
	# It takes the new address, and goes on with ESP in UDP where there is no NAT any more, which we cannot know.
	begin=$EPOCHREALTIME
	lab_wait 15 'the host' in_host client ping -q -c 1 -W 1 "$server_v4"
	tell "libreswan, in another network: reached after $(awk "BEGIN { print $EPOCHREALTIME - $begin }") s"
	lab_says pluto.server 'success MOBIKE update remote address' || fail 'it did not take the new address'
	lab_says oe-iked 'no packet comes back: establishing it with ESP in UDP' || fail 'it was not made anew'
	check_capture esp cable.pcap $new_v4 "$server_v4" || fail "no ESP with the new address"
	check_capture cleartext cable.pcap $new_v4 "$server_v4" >cleartext.txt || fail "in clear: $(sed -n 1p cleartext.txt)"
	expect_no_cleartext client server
	exit
fi
goes_on 'in another network' 1
lab_wait 5 'ESP with the new address' check_capture esp cable.pcap $new_v4 "$server_v4"
# And back.
ip -n client addr add "$client_v4/24" dev eth0
ip -n client route add default via 198.51.100.254
ip -n client addr del $new_v4/24 dev eth1
goes_on 'back again' 2

[ "$(lab_oe status | grep -o 'tunnel/[0-9.]*')" = "$inner" ] || fail "it had $inner: $(lab_oe status)"
moves 2 || fail "it did not go along twice"
check_capture cleartext cable.pcap $new_v4 "$server_v4" >cleartext.txt || fail "in clear: $(sed -n 1p cleartext.txt)"
expect_no_cleartext client server

[ "$LAB_VARIANT" = strongswan ] || exit 0
kill -9 "${lab_pid[charon.server]}"
wait "${lab_pid[charon.server]}" || :
ip -n server xfrm state flush
ip -n server xfrm policy flush
rm -f charon.server/charon.vici
start_strongswan
lab_wait 10 'an answer after the reboot' in_host client ping -q -c 1 -W 0.5 "$server_v4"
[ "$(lab_oe status | grep -o 'tunnel/[0-9.]*')" = "$inner" ] || fail "it had $inner before the reboot: $(lab_oe status)"
