/* key.h - the parts of oe key. */
#ifndef OE_CLI_KEY_H
#define OE_CLI_KEY_H

#include "base/dnsname.h"
#include "cli/oe.h"
#include "dnskey/ipseckey.h"

/* argv[0] is the word behind "key". */
enum oe_exit key_check(const struct oe *oe, int argc, char **argv);
enum oe_exit key_dns(int argc, char **argv);
enum oe_exit key_generate(int argc, char **argv);
enum oe_exit key_show(int argc, char **argv);

/* The same public key: precedence and gateway do not count. */
bool key_is_same(const struct ipseckey *a, const struct ipseckey *b);

/* The record of the private key in file ("-": standard input); *out has views into rdata. What is wrong has been said. */
enum oe_exit key_file_record(const char *file, uint8_t rdata[IPSECKEY_RDATA_MAX], struct ipseckey *out);

#endif
