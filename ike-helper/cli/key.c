/* key.c - oe key: keys of hosts, from making one to the record for the zone. */
#include "config.h"

#include "cli/key.h"

#include <string.h>

static enum oe_exit run(const struct oe *oe, int argc, char **argv)
{
	(void)oe;
	if (argc < 2)
		return oe_usage(&command_key, "say dns or generate");
	if (strcmp(argv[1], "dns") == 0)
		return key_dns(argc - 1, argv + 1);
	if (strcmp(argv[1], "generate") == 0)
		return key_generate(argc - 1, argv + 1);
	return oe_usage(&command_key, "\"%s\" is neither dns nor generate", argv[1]);
}

const struct oe_command command_key = {
	.name = "key",
	.arguments = "generate [--type TYPE] [--bits N] FILE\n       oe key dns FILE NAME",
	.summary = "Make a key for a host, or print its DNS record",
	.help = "  generate  make a private key in FILE, which must not exist; only its owner can read it\n"
		"      --type TYPE  rsa (default: what every IPsec implementation can verify), p256, p384, ed25519\n"
		"      --bits N     length of an RSA key: 2048 to 8192, default 3072\n"
		"  dns       print the IPSECKEY record of the private key in FILE for the zone of NAME; FILE\n"
		"            may be - for the standard input. Put the record into the signed zone, and FILE\n"
		"            into server-key of the host's oe.conf.\n",
	.run = run,
};
