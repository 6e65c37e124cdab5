#!/bin/bash
# The zones and the resolver without our module: AD for signed, none for unsigned, SERVFAIL for bogus.
. "$LAB/lib.sh"

lab_topology client dns
lab_capture wire
lab_zone signed.example signed <<ZONE
www A $server_v4
www AAAA $server_v6
alias CNAME www
*.wild A $server_v4
sub.deep A $server_v4
tree DNAME deep
bad A $server_v4
lost A $server_v4
ZONE
lab_zone hashed.example nsec3 <<ZONE
www A $server_v4
ZONE
lab_zone inner.signed.example signed <<ZONE
www A $server_v4
ZONE
lab_zone unsigned.example unsigned <<ZONE
www A $server_v4
ZONE
lab_break bad.signed.example A
lab_drop_queries lost.signed.example 45
lab_start_plain

for name in www.signed.example alias.signed.example x.wild.signed.example sub.tree.signed.example www.hashed.example www.inner.signed.example; do
	lab_dig $name
	expect_noerror
	expect_ad
done
lab_dig www.signed.example AAAA
expect_answer "$server_v6"
expect_ad
lab_dig www.hashed.example AAAA
expect_nodata
expect_ad
lab_dig www.unsigned.example
expect_answer "$server_v4"
expect_no_ad
lab_dig bad.signed.example
expect_servfail_ede "DNSSEC Bogus"
lab_dig nothing.signed.example
expect_rcode NXDOMAIN
expect_ad
# The lost query is lost, and no other one of that name.
lab_dig lost.signed.example
expect_answer "$server_v4"
in_host client dig @"$dns_v4" +time=1 +tries=1 lost.signed.example IPSECKEY && fail "the query was not lost"
in_host client dig @"$dns_v6" +time=1 +tries=1 lost.signed.example IPSECKEY && fail "the query was not lost over IPv6"
in_host client dig @"$dns_v4" +time=1 +tries=1 lost.signed.example AAAA
