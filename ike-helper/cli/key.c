/* key.c - oe key: keys of hosts, from making one to the record for the zone. */
#include "config.h"

#include "cli/key.h"

#include <string.h>

enum oe_exit key_conf(const struct oe *oe, struct conf *out)
{
	char error[CONF_ERROR_MAX];

	return conf_read(oe->conf, oe->conf_given, out, error) == IKE_OK ? OE_OK : oe_error(OE_USAGE, "%s", error);
}

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	if (argc < 2)
		return oe_usage(&command_key, "say check, dns, generate, publish, rollover, show or withdraw");
	if (strcmp(argv[1], "check") == 0)
		return key_check(oe, argc - 1, argv + 1);
	if (strcmp(argv[1], "dns") == 0)
		return key_dns(argc - 1, argv + 1);
	if (strcmp(argv[1], "generate") == 0)
		return key_generate(argc - 1, argv + 1);
	if (strcmp(argv[1], "publish") == 0)
		return key_publish(oe, argc - 1, argv + 1);
	if (strcmp(argv[1], "rollover") == 0)
		return key_rollover(oe, argc - 1, argv + 1);
	if (strcmp(argv[1], "show") == 0)
		return key_show(argc - 1, argv + 1);
	if (strcmp(argv[1], "withdraw") == 0)
		return key_withdraw(oe, argc - 1, argv + 1);
	return oe_usage(&command_key, "\"%s\" is neither check, dns, generate, publish, rollover, show nor withdraw", argv[1]);
}

const struct oe_command command_key = {
	.name = "key",
	.arguments = "generate [--type TYPE] [--bits N] FILE\n       oe key show FILE\n       oe key dns [--nsupdate] FILE NAME\n"
		"       oe key publish [--key FILE] [--server ADDRESS[@PORT]] [--tsig FILE] [--ttl SECONDS]\n"
		"              [--beside] [--dry-run] NAME\n"
		"       oe key rollover start [--server ADDRESS[@PORT]] [--tsig FILE] [--ttl SECONDS]\n"
		"              NEW-FILE NAME...\n"
		"       oe key rollover switch [--wait] | finish | cancel | status\n"
		"       oe key withdraw [--key FILE | --all] [--server ADDRESS[@PORT]] [--tsig FILE] [--wait]\n"
		"              [--dry-run] NAME\n"
		"       oe key check [--json] [--key FILE] NAME",
	.summary = "Make a host's key, publish it in the DNS, look at it, replace it, or withdraw it",
	.help = "  generate  make a private key in FILE, which must not exist; only its owner can read it\n"
		"      --type TYPE  rsa (default: what every IPsec implementation can verify), p256, p384, ed25519\n"
		"      --bits N     length of an RSA key: 2048 to 8192, default 3072\n"
		"  show      print kind, length and tag of the key in FILE, and its IPSECKEY data\n"
		"  dns       print the IPSECKEY record of the private key in FILE for the zone of NAME; FILE\n"
		"            may be - for the standard input. Put the record into the signed zone, and FILE\n"
		"            into server-key of the host's oe.conf.\n"
		"      --nsupdate   print commands for nsupdate(1) that add it instead\n"
		"  publish   put the record of server-key into the zone of NAME by a DNS update\n"
		"      --key FILE   of this key instead\n"
		"      --server ADDRESS   the server that takes updates; without it the one of the SOA record\n"
		"      --tsig FILE  sign with this key, as tsig-keygen(8) writes it\n"
		"      --ttl SECONDS      of the record: 3600 when it is not said\n"
		"      --beside     although NAME publishes another key: there are several hosts\n"
		"      --dry-run    print what nsupdate(1) would be told\n"
		"  rollover  replace server-key: start publishes the key in NEW-FILE beside it; switch puts it\n"
		"            into the place of server-key, when the last resolver knows it (--wait: then);\n"
		"            after a restart of oe-iked finish withdraws the old one. cancel takes start back,\n"
		"            status says where it stands. Where that is kept: oe(1)\n"
		"  withdraw  take the record of server-key out of the zone of NAME by a DNS update, and say until\n"
		"            when the host has to prove the key nevertheless. Options as for publish, and\n"
		"      --all        every IPSECKEY record of NAME, when its key is lost\n"
		"      --wait       come back when no resolver knows the record any more\n"
		"  check     look at NAME as its clients do: is everything validated, can the keys be used, is\n"
		"            one of them that of server-key, and does its host prove it? For the last, the\n"
		"            addresses are asked for as any application would, and a tunnel comes of that.\n"
		"            Exit status: 0 clients use it; 3 the resolver cannot tell; 4 not validated;\n"
		"            5 another key; 6 no key, or none that can be used; 7 its host does not prove it\n"
		"      --key FILE   is it this key?\n"
		"      --json       one object, described in oe(1)\n",
	.run = run,
};
