#!/bin/bash
# promise: 2 5
# An unsigned zone with an IPSECKEY proves nothing: an ordinary answer, and no tunnel although the host would make one.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone unsigned.example unsigned <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server own good
lab_start_client

lab_dig host.unsigned.example
expect_answer "$server_v4"
expect_no_ad
nap 0.5
expect_ike_exchanges server 0
expect_no_tunnel server
ping_from client "$server_v4"
expect_cleartext "$client_v4" "$server_v4"
# Nobody asked for the key either.
tcpdump -nr wire.pcap udp port 53 2>/dev/null | grep -F host.unsigned.example >queries.txt || :
! grep -E 'IPSECKEY|Type45' queries.txt || fail "the key of an unsigned zone was asked for"
expect_why host.unsigned.example plain "its zone is not signed by DNSSEC, so that the IPSECKEY records there prove nothing"
