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
enum oe_exit key_withdraw(const struct oe *oe, int argc, char **argv);

/* The same public key: precedence and gateway do not count. */
bool key_is_same(const struct ipseckey *a, const struct ipseckey *b);

/* --server and --tsig: where changes are sent, and what they are signed with. */
struct key_server {
	const char *text;           /* NULL: not said */
	struct ip_endpoint at;
	const char *tsig;           /* file; NULL: none */
};
enum oe_exit key_server_set(struct key_server *server, const char *text);
/* NULL: find it. */
const struct ip_endpoint *key_server(const struct key_server *server);

/* The options of publish, rollover and withdraw, by their letters. */
struct key_options {
	struct key_server server;   /* 's', 't': --server, --tsig */
	const char *file;           /* 'k': --key; NULL: server-key */
	const char *state;          /* 'f': --state, of a rollover */
	uint32_t ttl_s;             /* 'l': --ttl of what is published */
	bool all, beside, dry_run, wait;    /* 'a', 'b', 'd', 'w' */
	char **arguments;           /* behind them */
	unsigned n;
};
enum { KEY_TTL_S = 3600 };
/* argv[0] is the part's own word; accepted: its letters. What is wrong has been said. */
enum oe_exit key_options_read(int argc, char **argv, const char *accepted, struct key_options *out);

/* The only argument. What is wrong has been said. */
enum oe_exit key_one_name(const char *part, const struct key_options *options, struct dnsname *out);

/* time(). What is left is told on a terminal. */
void key_wait_until(int64_t at_s);
/* "2026-11-27 01:02:03 UTC"; returns to. */
enum { KEY_TIME_TEXT_MAX = 64 };
const char *key_time_text(int64_t at_s, char to[KEY_TIME_TEXT_MAX]);

/* oe.conf, without errors, or the person has been told. */
enum oe_exit key_conf(const struct oe *oe, struct conf *out);

/* The record of the private key in file ("-": standard input); *out has views into rdata. What is wrong has been said. */
enum oe_exit key_file_record(const char *file, uint8_t rdata[IPSECKEY_RDATA_MAX], struct ipseckey *out);
/* Of file, or, when that is NULL, of server-key. */
enum oe_exit key_own_record(const struct oe *oe, const struct conf *conf, const char *file, uint8_t rdata[IPSECKEY_RDATA_MAX],
			    struct ipseckey *out);
/* The part of rdata that it takes: the public key is the last field. */
static inline struct span key_rdata(const uint8_t rdata[IPSECKEY_RDATA_MAX], const struct ipseckey *record)
{
	return span_of(rdata, (size_t)(record->public_key.p + record->public_key.n - rdata));
}

#endif
