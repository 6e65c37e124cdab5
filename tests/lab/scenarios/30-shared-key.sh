#!/bin/bash
# lab: variants=libreswan,own
# promise: 1 6
# A second name on the same address with the same key shares the tunnel.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_zone one.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_zone two.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey good 20)
ZONE
lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_dig host.one.example
expect_answer "$server_v4"
lab_dig host.two.example
expect_answer "$server_v4"
expect_ad
expect_ike_exchanges server 1
expect_protected server
