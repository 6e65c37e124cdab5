#!/bin/bash
# lab: variants=closed,libreswan,own
# promise: 3 7
# Somebody publishes another host's address with a key of their own: only their name fails, and the host stays
# reachable, in clear if it has no tunnel and through its own tunnel if it has a key.
. "$LAB/lib.sh"

lab_topology client dns server
lab_capture wire
lab_key good rsa
lab_key evil rsa
lab_zone evil.example signed <<ZONE
host A $server_v4
host IPSECKEY $(lab_ipseckey evil)
ZONE
lab_zone victim.example signed <<ZONE
plain A $server_v4
host A $server_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
[ "$LAB_VARIANT" = closed ] || lab_responder server "$LAB_VARIANT" good
lab_start_client

lab_dig host.evil.example
expect_servfail_ede "ipsec: "
expect_no_tunnel server
why="does not hold the key"
[ "$LAB_VARIANT" != closed ] || why="unreachable"
expect_why host.evil.example refused "$why"
lab_dig plain.victim.example
expect_answer "$server_v4"
ping_from client "$server_v4"
expect_cleartext "$client_v4" "$server_v4"
expect_no_tunnel server

[ "$LAB_VARIANT" != closed ] || exit 0
lab_dig host.victim.example
expect_answer "$server_v4"
expect_protected server
lab_dig host.evil.example
expect_servfail_ede "ipsec: the address is already protected for another name with another key"
expect_protected server
