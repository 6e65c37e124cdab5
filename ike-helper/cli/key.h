/* key.h - the parts of oe key. */
#ifndef OE_CLI_KEY_H
#define OE_CLI_KEY_H

#include "base/dnsname.h"
#include "cli/oe.h"
#include "conf/conf.h"
#include "dnskey/ipseckey.h"

/* argv[0] is the word behind "key". */
enum oe_exit key_check(const struct oe *oe, int argc, char **argv);
enum oe_exit key_dns(int argc, char **argv);
enum oe_exit key_generate(int argc, char **argv);
enum oe_exit key_publish(const struct oe *oe, int argc, char **argv);
enum oe_exit key_rollover(const struct oe *oe, int argc, char **argv);
enum oe_exit key_show(int argc, char **argv);

/* The same public key: precedence and gateway do not count. */
bool key_is_same(const struct ipseckey *a, const struct ipseckey *b);

/* Of a record that is published, when --ttl does not say. */
enum { KEY_TTL_S = 3600 };
enum oe_exit key_ttl_set(uint32_t *ttl_s, const char *text);

/* --server and --tsig: where changes are sent, and what they are signed with. */
struct key_server {
	const char *text;           /* NULL: not said */
	struct ip_endpoint at;
	const char *tsig;           /* file; NULL: none */
};
enum oe_exit key_server_set(struct key_server *server, const char *text);
/* NULL: find it. */
const struct ip_endpoint *key_server(const struct key_server *server);

/* oe.conf, without errors, or the person has been told. */
enum oe_exit key_conf(const struct oe *oe, struct conf *out);

/* The record of the private key in file ("-": standard input); *out has views into rdata. What is wrong has been said. */
enum oe_exit key_file_record(const char *file, uint8_t rdata[IPSECKEY_RDATA_MAX], struct ipseckey *out);
/* The part of rdata that it takes: the public key is the last field. */
static inline struct span key_rdata(const uint8_t rdata[IPSECKEY_RDATA_MAX], const struct ipseckey *record)
{
	return span_of(rdata, (size_t)(record->public_key.p + record->public_key.n - rdata));
}

#endif
