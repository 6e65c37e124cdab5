/* why.h - what oe why finds out about a name, and what it makes of that.
 *
 * why_gather.c asks the resolver and oe-iked; why_judge.c is a function of what they said; why_print.c shows it.
 */
#ifndef OE_CLI_WHY_H
#define OE_CLI_WHY_H

#include "base/addr.h"
#include "base/dnsname.h"
#include "cli/client.h"
#include "cli/lookup.h"
#include "dnskey/dns_answer.h"
#include "proto/resolver_proto.h"

enum { WHY_LINKS_MAX = 16, WHY_CAUSE_MAX = 768, WHY_SENTENCE_MAX = 2048 };

/* What DNSSEC says of a link, of addresses, of keys. */
enum why_security {
	WHY_UNKNOWN,                /* not asked, or it was not answered as a question about that */
	WHY_SECURE,
	WHY_INSECURE,               /* validated: not signed; or the resolver does not validate */
	WHY_BOGUS,
	WHY_LOST,                   /* the name servers do not answer for it */
};

const char *why_security_text(enum why_security security);  /* "secure" */

struct why_link {
	struct dnsname from, to;
	bool dname;
	enum why_security security;
};

/* The answer to the question for A or AAAA, as any application would get it. */
struct why_addresses {
	uint16_t type;
	bool answered, authentic;
	char error[LOOKUP_ERROR_MAX];       /* not answered: why */
	unsigned rcode;
	enum why_security security;
	struct ip_addr at[RP_ADDRESSES_MAX];
	unsigned n;
	uint32_t ttl_s;             /* the smallest of them */
	char ipsec[DNS_EDE_TEXT_MAX];       /* the module's reason, without its "ipsec: "; "" when there is none */
	char ede[DNS_EDE_TEXT_MAX];         /* another reason that the resolver gives; "" */
};

struct why {
	struct dnsname name;
	char resolver[IP_ENDPOINT_TEXT_MAX];        /* "127.0.0.1@53" */
	struct why_addresses addresses[2];
	struct why_link links[WHY_LINKS_MAX];
	unsigned n_links;
	struct dnsname owner;               /* the end of the chain */
	bool resolver_answers;              /* perhaps not about this name */
	bool validates;                     /* the resolver does; known when something is insecure */
	struct lookup_question ask_keys;    /* has the bytes of keys */
	struct dns_answer keys;
	enum why_security keys_security;
	bool daemon_runs;
	unsigned paused_s;                  /* what is new is paused for so long; 0: not */
	char daemon_error[CLIENT_PROBLEM_MAX];
	json_t *hosts;                      /* docs/control.md, command why */
	json_t *decision;                   /* null: none is remembered */
};

/* name and owner are set; IP addresses are no names. Give *out back with why_clear(). */
enum oe_exit why_gather(const struct oe *oe, const struct dnsname *name, struct why *out);
void why_clear(struct why *w);

/* The end of the aliases of a name; an alias that is not secure is not followed. */
void why_follow(const struct ip_endpoint *resolver, const struct dnsname *name, struct dnsname *owner);

enum why_outcome { WHY_PROTECTED, WHY_PLAIN, WHY_REFUSED, WHY_CANNOT_TELL, WHY_NOTHING };

struct why_verdict {
	enum why_outcome outcome;
	const char *reason;         /* a word for scripts: of docs/control.md, or of oe(1) */
	bool may_change;            /* WHY_REFUSED: the host is tried again, */
	unsigned wait_s;            /* after so long */
	char cause[WHY_CAUSE_MAX];  /* what follows "because" in the sentence */
	char sentence[WHY_SENTENCE_MAX];
};

const char *why_outcome_text(enum why_outcome outcome);     /* "protected" */
void why_judge(const struct why *w, struct why_verdict *out);

enum oe_exit why_exit(enum why_outcome outcome);            /* of oe why, and others that say the same */

void why_print(const struct why *w, const struct why_verdict *verdict);
void why_print_json(const struct why *w, const struct why_verdict *verdict);
/* The parts of these: all but the sentence; the object, a new reference. */
void why_print_found(const struct why *w);
json_t *why_json(const struct why *w, const struct why_verdict *verdict);

/* Members of hosts; NULL or 0 when they are not there. */
const char *why_text(const json_t *object, const char *member);
long long why_number(const json_t *object, const char *member);
/* The host with this address; NULL. */
const json_t *why_host(const struct why *w, const struct ip_addr *address);

#endif
