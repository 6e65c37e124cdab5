/* key.c - oe key: keys of hosts, from making one to the record for the zone. */
#include "config.h"

#include "cli/key.h"

#include <string.h>

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	if (argc < 2)
		return oe_usage(&command_key, "say check, dns, generate or show");
	if (strcmp(argv[1], "check") == 0)
		return key_check(oe, argc - 1, argv + 1);
	if (strcmp(argv[1], "dns") == 0)
		return key_dns(argc - 1, argv + 1);
	if (strcmp(argv[1], "generate") == 0)
		return key_generate(argc - 1, argv + 1);
	if (strcmp(argv[1], "show") == 0)
		return key_show(argc - 1, argv + 1);
	return oe_usage(&command_key, "\"%s\" is neither check, dns, generate nor show", argv[1]);
}

const struct oe_command command_key = {
	.name = "key",
	.arguments = "generate [--type TYPE] [--bits N] FILE\n       oe key show FILE\n       oe key dns [--nsupdate] FILE NAME\n"
		"       oe key check [--json] [--key FILE] NAME",
	.summary = "Make a key for a host, look at it, or print its DNS record",
	.help = "  generate  make a private key in FILE, which must not exist; only its owner can read it\n"
		"      --type TYPE  rsa (default: what every IPsec implementation can verify), p256, p384, ed25519\n"
		"      --bits N     length of an RSA key: 2048 to 8192, default 3072\n"
		"  show      print kind, length and tag of the key in FILE, and its IPSECKEY data\n"
		"  dns       print the IPSECKEY record of the private key in FILE for the zone of NAME; FILE\n"
		"            may be - for the standard input. Put the record into the signed zone, and FILE\n"
		"            into server-key of the host's oe.conf.\n"
		"      --nsupdate   print commands for nsupdate(1) that add it instead\n"
		"  check     look at NAME as its clients do: is everything validated, can the keys be used, is\n"
		"            one of them that of server-key, and does its host prove it? For the last, the\n"
		"            addresses are asked for as any application would, and a tunnel comes of that.\n"
		"            Exit status: 0 clients use it; 3 the resolver cannot tell; 4 not validated;\n"
		"            5 another key; 6 no key, or none that can be used; 7 its host does not prove it\n"
		"      --key FILE   is it this key?\n"
		"      --json       one object, described in oe(1)\n",
	.run = run,
};
