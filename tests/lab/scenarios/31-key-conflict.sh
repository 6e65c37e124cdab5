#!/bin/bash
# lab: variants=libreswan,own
# promise: 3 7
# A second name on a protected address with another key is refused; the first one stays as it is.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_key other rsa
lab_zone one.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_zone two.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey other)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_dig host.one.example
expect_answer "$server_v4"
xfrm_of client "$server_v4" >before.txt
lab_dig host.two.example
expect_servfail_ede "ipsec: the address is already protected for another name with another key"
expect_within 500
expect_why host.two.example refused "because the address is already protected for another name with another key: bound to host.one.example"
xfrm_of client "$server_v4" >after.txt
diff before.txt after.txt || fail "the first name's tunnel changed"
lab_dig host.one.example
expect_answer "$server_v4"
expect_protected server
expect_ike_exchanges server 1
