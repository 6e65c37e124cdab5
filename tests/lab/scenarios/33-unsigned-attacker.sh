#!/bin/bash
# lab: variants=libreswan,own
# promise: 2 3
# An unsigned name with an attacker's key on the address of a signed name takes nothing over, before or after.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_key evil rsa
lab_zone unsigned.example unsigned <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey evil)
ZONE
lab_zone keyed.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_dig host.unsigned.example
expect_answer "$server_v4"
expect_no_tunnel server
lab_dig host.keyed.example
expect_answer "$server_v4"
xfrm_of client "$server_v4" >before.txt
lab_unbound_control flush_zone unsigned.example
lab_dig host.unsigned.example
expect_answer "$server_v4"
xfrm_of client "$server_v4" >after.txt
diff before.txt after.txt || fail "the signed name's tunnel changed"
expect_protected server
expect_ike_exchanges server 1
