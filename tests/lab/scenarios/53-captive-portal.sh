#!/bin/bash
# lab: timeout=90
# promise: 1 4 7
# A portal answers for all names until one has logged in: refused, then paused by hand, and over by itself. What is protected stays so.
. "$LAB/lib.sh"

portal=$dns_v4
lab_topology client dns server server2
lab_capture wire
lab_key good ed25519
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
other A $server2_v4
other IPSECKEY $(lab_ipseckey good)
ZONE
cat >portal.py <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print('answering', flush=True)
while True:
    query, client = s.recvfrom(4096)
    end = query.index(b'\0', 12) + 5
    records = []
    if query[end - 4:end - 2] == b'\0\x01':
        records = [struct.pack('!HHHIH', 0xc00c, 1, 1, 60, 4) + socket.inet_aton(sys.argv[1])]
    s.sendto(query[:2] + b'\x84\x80' + struct.pack('!HHHH', 1, len(records), 0, 0) + query[12:end] + b''.join(records), client)
PY
lab_responder server own good
lab_responder server2 own good
lab_unbound_conf 'val-bogus-ttl: 1' 'do-ip6: no'
lab_start_client
lab_dig host.keyed.example
expect_answer "$server_v4"
expect_protected server

kill "${lab_pid[nsd]}"
wait "${lab_pid[nsd]}" || :
lab_daemon portal dns /usr/bin/python3 -I portal.py "$portal"
lab_wait 5 "the portal" lab_says portal answering
lab_dig other.keyed.example
expect_servfail_ede ""
lab_oe pause
paused() { lab_dig other.keyed.example && [ "$lab_rcode" = NOERROR ]; }
lab_wait 5 "an answer in clear" paused
expect_answer "$portal"
expect_no_ad
[[ $lab_ede == *"ipsec: in clear: paused by the operator"* ]] || fail "EDE says: $lab_ede"
lab_oe status | tee status.txt
grep -qF "paused for 1" status.txt || fail "oe status does not say it"
expect_reached client "$server_v4"

kill "${lab_pid[portal]}"
wait "${lab_pid[portal]}" || :
lab_daemon nsd dns nsd -d -c "$LAB_WORK/nsd.conf"
lab_wait 10 "the pause's end" lab_says oe-iked "no longer paused: DNSSEC validates here"
protected() { lab_dig other.keyed.example && [ "$lab_ad" = yes ]; }
lab_wait 5 "a validated answer" protected
expect_answer "$server2_v4"
expect_protected server2
expect_no_cleartext client server
expect_no_cleartext client server2
