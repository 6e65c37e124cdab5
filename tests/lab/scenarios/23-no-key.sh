#!/bin/bash
# promise: 2 5
# A signed name without a key: an ordinary answer, no IKE, no tunnel, whether the zone denies it by NSEC or NSEC3.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
for kind in signed nsec3; do
	lab_zone $kind.example $kind <<-ZONE
	www A $server_v4
	www AAAA $server_v6
	alias CNAME www
	ZONE
done
lab_responder server own good
lab_start_client

for kind in signed nsec3; do
	for name in www alias; do
		lab_dig $name.$kind.example
		expect_answer "$server_v4"
		expect_ad
		lab_dig $name.$kind.example AAAA
		expect_answer "$server_v6"
		expect_ad
	done
	expect_why alias.$kind.example plain "the signed zone of www.$kind.example proves that it has no IPSECKEY record"
	lab_dig nothing.$kind.example
	expect_rcode NXDOMAIN
done
expect_ike_exchanges server 0
expect_no_tunnel server
ping_from client "$server_v4"
expect_cleartext "$client_v4" "$server_v4"
