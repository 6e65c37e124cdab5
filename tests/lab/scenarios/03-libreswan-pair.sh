#!/bin/bash
# lab: variants=rsa,ecdsa,cookies
# libreswan as an anonymous client of libreswan: the host of the later scenarios is all right, and so is the witness of IKE.
. "$LAB/lib.sh"

type=$LAB_VARIANT sig=rsasig mode=
[ "$type" != ecdsa ] || sig=ecdsa
[ "$type" != cookies ] || type=rsa mode=cookies
lab_topology client server
lab_capture wire
lab_key good "$type"
lab_responder server libreswan good $mode

dir=$LAB_WORK/pluto.client
key=$(lab_ipseckey good)
mkdir -p "$dir/run" "$dir/policies"
: >"$dir/secrets"
certutil -N -d "sql:$dir" --empty-password
for family in 4 6; do
	ours=client_v$family theirs=server_v$family
	cat <<-CONN
	conn v$family
	  left=${!ours}
	  leftid=%null
	  leftauth=null
	  leftupdown=%disabled
	  right=${!theirs}
	  rightid=${!theirs}
	  right${type}sigkey=0s${key##* }
	  rightauth=$sig
	  hostaddrfamily=ipv$family
	  ikev2=insist
	  type=transport
	  auto=add
	CONN
done | sed 's/ecdsasigkey/ecdsakey/' >"$dir/ipsec.conf"
lab_daemon pluto.client client "$LAB_LIBRESWAN/pluto" --config "$dir/ipsec.conf" --nofork --stderrlog \
	--rundir "$dir/run" --nssdir "$dir" --secretsfile "$dir/secrets"
lab_wait 10 "libreswan on client" libreswan_ready client
for family in 4 6; do
	lab_answer_time=$EPOCHREALTIME
	in_host client timeout 10 "$LAB_LIBRESWAN/whack" --rundir "$dir/run" --initiate --name v$family
	expect_protected server $family
done
expect_ike_exchanges server 2
requests=$(check_capture ike wire.pcap "$client_v4" "$server_v4" | grep -c 'IKE_SA_INIT 0 request')
[ "$requests" = $((1 + (${#mode} > 0))) ] || fail "$requests requests in IKE_SA_INIT"
