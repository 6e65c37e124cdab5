/* conf.h - oe.conf into an immutable struct. The options are listed in options.h. */
#ifndef OE_CONF_CONF_H
#define OE_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dnsname.h"
#include "base/err.h"
#include "base/log.h"

enum {
	CONF_SOCKET_MAX = 108,      /* bytes of struct sockaddr_un's path, with its NUL */
	CONF_PATH_MAX = 1024,
	CONF_WORD_MAX = 64,
	CONF_LISTEN_MAX = 32,
	CONF_NAMES_MAX = 32,
	CONF_POOL_MAX = 65536,
	CONF_LINE_MAX = 2048,       /* bytes of one line of the file */
	CONF_ERROR_MAX = 1024,
};

/* The addresses first ... first + n - 1. */
struct conf_pool {
	struct ip_addr first;           /* IP_NONE: none */
	uint32_t n;
};

struct conf_names {
	struct dnsname at[CONF_NAMES_MAX];
	unsigned n;
};

struct conf {
	char resolver_socket[CONF_SOCKET_MAX];
	char resolver_group[CONF_WORD_MAX];     /* "": "unbound" if there is such a group */
	char control_socket[CONF_SOCKET_MAX];
	char control_group[CONF_WORD_MAX];      /* "": root only */
	uint32_t deadline_ms;
	bool allow_private;
	char policy_dir[CONF_PATH_MAX];         /* of the policy groups, groups_file.h */
	char server_key[CONF_PATH_MAX];         /* "": this host answers nobody */
	struct dnsname server_identity;
	bool accept_anonymous, accept_identified;
	struct conf_names identify_to, trust_gateways;
	struct ip_endpoint resolver;
	bool trust_resolver;
	struct {
		struct conf_pool v4, v6;
	} pool;
	bool always_cookie;
	uint32_t cookie_threshold, half_open_max, half_open_per_source;
	bool post_quantum;
	bool qcd;
	char qcd_secret[CONF_PATH_MAX];         /* "": none, or one from server_key */
	struct {
		struct ip_addr at[CONF_LISTEN_MAX];
		unsigned n;                     /* 0: all addresses */
	} listen;
	uint32_t ike_port, natt_port, peer_port;
	bool always_encapsulate;
	enum log_level log_level;
	uint32_t tunnels_max, anonymous_max, anonymous_per_source, establishing_max;
	uint32_t attempt_ms, idle_s, soft_life_s, ike_life_s;
	uint32_t fragment_size;
};

enum option_kind {
	OPTION_PATH,                /* absolute */
	OPTION_WORD,                /* letters, digits, '-', '_', '.' */
	OPTION_NUMBER,
	OPTION_BOOL,                /* yes, no */
	OPTION_NAME,                /* domain name, not the root */
	OPTION_NAMES,               /* domain name, repeatable */
	OPTION_ADDRESS,             /* IP address, repeatable */
	OPTION_POOL,                /* PREFIX/LENGTH inside 100.64.0.0/10 or fc00::/7, one of each family */
	OPTION_SERVER,              /* ADDRESS or ADDRESS@PORT of a DNS server */
	OPTION_LEVEL,               /* error, info, debug */
};

struct option_row {
	const char *name;
	enum option_kind kind;
	size_t offset;              /* of the field in struct conf */
	const char *fallback;       /* default */
	uint32_t min, max;
	const char *help;
};

/* All options, in the order of the documentation. */
const struct option_row *conf_options(unsigned *n);

/* Have both the same value? */
bool conf_same(const struct option_row *row, const struct conf *a, const struct conf *b);

/* Give to the value that from has. */
void conf_take(const struct option_row *row, struct conf *to, const struct conf *from);

/* The defaults. */
void conf_defaults(struct conf *out);

/* Read a file over the defaults; of an option that is given twice the last one counts. must_exist:
 * a missing file is an error, else it means the defaults. IKE_E_CONFIG (also for a file that cannot
 * be read): tell the user *error, which names file, line, option, value and what is allowed; *out
 * holds the defaults. */
IKE_CHECKED enum ike_err conf_read(const char *file, bool must_exist, struct conf *out,
				   char error[CONF_ERROR_MAX]);

/* The same for whoever wants some of the options, and leaves it to oe-iked to judge the others: lines that are wrong count as
 * not there. IKE_E_CONFIG: the file cannot be read. */
IKE_CHECKED enum ike_err conf_read_unjudged(const char *file, bool must_exist, struct conf *out, char error[CONF_ERROR_MAX]);

#endif
