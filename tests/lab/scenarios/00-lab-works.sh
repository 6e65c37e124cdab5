#!/bin/bash
# The lab can tell cleartext from ESP: two hosts with keys set by hand, then the same two without.
. "$LAB/lib.sh"

lab_topology client server
lab_capture wire

key=0x00112233445566778899aabbccddeeff00112233
for family in 4 6; do
	a=client_v$family b=server_v$family
	for host in client server; do
		out=out in=in
		[ $host = client ] || out=in in=out
		ip -n $host -batch - <<-BATCH
		xfrm state add src ${!a} dst ${!b} proto esp spi 0x1000 mode transport aead rfc4106(gcm(aes)) $key 128
		xfrm state add src ${!b} dst ${!a} proto esp spi 0x1001 mode transport aead rfc4106(gcm(aes)) $key 128
		xfrm policy add src ${!a} dst ${!b} proto icmp dir $out tmpl proto esp mode transport
		xfrm policy add src ${!b} dst ${!a} proto icmp dir $in tmpl proto esp mode transport
		xfrm policy add src ${!a} dst ${!b} proto ipv6-icmp type 128 dir $out tmpl proto esp mode transport
		xfrm policy add src ${!b} dst ${!a} proto ipv6-icmp type 129 dir $in tmpl proto esp mode transport
		BATCH
	done
done
ping_from client "$server_v4"
ping_from client "$server_v6"
expect_no_cleartext client server
expect_esp client server 4
expect_esp client server 6

for host in client server; do
	ip -n $host -batch - <<-BATCH
	xfrm policy flush
	xfrm state flush
	BATCH
done
ping_from client "$server_v4"
expect_cleartext "$client_v4" "$server_v4"
expect_no_cleartext "$client_v6" "$server_v6"
ping_from client "$server_v6"
expect_cleartext "$client_v6" "$server_v6"
