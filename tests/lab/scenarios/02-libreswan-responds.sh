#!/bin/bash
# The foreign host: pluto loads its connections, and its own word on its key is what we publish.
. "$LAB/lib.sh"

lab_topology client dns server
for type in rsa ecdsa; do
	lab_key "k-$type" $type
	lab_zone $type.example signed <<-ZONE
	server A $server_v4
	server IPSECKEY $(lab_ipseckey "k-$type")
	ZONE
done
lab_responder server libreswan k-rsa
lab_start_plain

for type in rsa ecdsa; do
	libreswan_key "k-$type" "$LAB_WORK/copy-$type" >ckaid
	"$LAB_LIBRESWAN/showhostkey" --nssdir "$LAB_WORK/copy-$type/nss" --ipseckey --ckaid "$(<ckaid)" >own.txt
	lab_dig server.$type.example IPSECKEY
	expect_noerror
	expect_ad
	# dig cuts the key into words.
	published=${lab_answers[0]// /} theirs=$(sed 's/.*IPSECKEY *//' own.txt)
	[ "$published" = "${theirs// /}" ] || fail "published $published, pluto says $theirs"
done
