#!/bin/bash
# promise: 3 5 6 7
# Two hosts that never answer: SERVFAIL within the deadline, and nobody else waits for them.
. "$LAB/lib.sh"

lab_topology client dns server server2 server3
lab_capture wire
lab_key good rsa
lab_zone keyed.example signed <<ZONE
silent A $server_v4
silent IPSECKEY $(lab_ipseckey good)
mute A $server2_v4
mute IPSECKEY $(lab_ipseckey good)
plain A $server_v4
plain2 A $server3_v4
host A $server3_v4
host IPSECKEY $(lab_ipseckey good)
ZONE
lab_silence server
lab_silence server2
lab_responder server3 own good
lab_start_client

lab_dig silent.keyed.example
expect_servfail_ede "ipsec: the host does not answer IKE"
expect_within 1600
expect_no_tunnel server
expect_why silent.keyed.example refused "because the host does not answer IKE"

# With mute.keyed.example hanging, the others are as quick as ever.
lab_ask 127.0.0.1 mute.keyed.example plain.keyed.example plain2.keyed.example host.keyed.example
lab_asked mute.keyed.example
expect_servfail_ede "ipsec: the host does not answer IKE"
expect_within 1600
for name in plain plain2 host; do
	lab_asked $name.keyed.example
	expect_noerror
	expect_within 300
done
expect_no_tunnel server
expect_no_tunnel server2
expect_tunnel server3
