#!/bin/bash
# lab: timeout=120 alone
# What a tunnel takes with the real kernel, without any lookup: oe-iked at both ends, on one processor, asked as the module asks.
. "$LAB/lib.sh"

lab_topology client server
lab_key good ecdsa
addresses=()
for n in {1..200}; do addresses+=("203.0.113.$n" "198.51.100.$n"); done
printf 'addr add %s/32 dev lo\n' "${addresses[@]}" | ip -n server -batch -
ip -n client route add 203.0.113.0/24 via "$server_v4"
ip -n client route add 198.51.100.0/24 via "$server_v4"
# Not in debug: each line is a system call, 55 us here.
printf 'server-key: "%s"\naccept-anonymous: yes\nresolver-socket: "%s"\ncontrol-socket: "%s"\n' \
	"$LAB_WORK/good.pem" "$LAB_WORK/server-resolver.sock" "$LAB_WORK/server-control.sock" >oe.server.conf
printf 'resolver-socket: "%s"\ncontrol-socket: "%s"\n' "$LAB_WORK/resolver.sock" "$LAB_WORK/control.sock" >oe.conf
start_iked oe-iked.server server oe.server.conf server-resolver.sock
start_iked oe-iked client oe.conf resolver.sock

result=$(in_host client "$LAB/tunnels" "$LAB_WORK/resolver.sock" "$(lab_ipseckey good)" "${addresses[@]}") ||
	fail "not all tunnels came up: $result"
tell "a tunnel in ${result% *} ms; 200 at once: ${result#* } a second"
ping_from client 203.0.113.200
# On a machine with nothing else to do 4 ms and 400 a second are wanted; a loaded one must not come near this.
awk -v ms="${result% *}" -v rate="${result#* }" 'BEGIN { exit !(ms <= 40 && rate >= 40) }' || fail "too slow: $result"
