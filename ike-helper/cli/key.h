/* key.h - the parts of oe key. */
#ifndef OE_CLI_KEY_H
#define OE_CLI_KEY_H

#include "base/dnsname.h"
#include "cli/oe.h"
#include "dnskey/ipseckey.h"

/* argv[0] is "dns", "generate" or "show". */
enum oe_exit key_dns(const struct oe *oe, int argc, char **argv);
enum oe_exit key_generate(int argc, char **argv);
enum oe_exit key_show(int argc, char **argv);

/* oe key dns --check. file: NULL for server-key of oe.conf. */
enum oe_exit key_check(const struct oe *oe, const char *file, const struct dnsname *name, bool json);

/* The record of the private key in file ("-": standard input); *out has views into rdata. What is wrong has been said. */
enum oe_exit key_file_record(const char *file, uint8_t rdata[IPSECKEY_RDATA_MAX], struct ipseckey *out);

#endif
