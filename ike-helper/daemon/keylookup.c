#include "config.h"

#include "daemon/keylookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dns_loop.h"
#include "dnskey/dns_answer.h"

enum {
	QUESTIONS_MAX = 64,         /* at once */
	PER_CLIENT_MAX = 4,         /* of them for one address */
};

struct question {
	struct keylookup *owner;
	bool used;
	uint64_t id;
	struct ike_client client;
	struct dnsname name;
};

struct keylookup {
	const struct rng *rng;
	struct keylookup_user user;
	char resolver[IP_ENDPOINT_TEXT_MAX];
	struct dns_loop *dns;
	bool closing;
	struct question question[QUESTIONS_MAX];
};

/* Answers ------------------------------------------------------------------------------------------------------------- */

static enum rp_reason judge(const struct question *q, int status, struct span message, struct keyset **keys, char *detail)
{
	const char *resolver = q->owner->resolver, *why = NULL;
	struct dns_answer answer;
	enum ike_err err;

	if (status != ARES_SUCCESS) {
		snprintf(detail, KEYLOOKUP_DETAIL_MAX, "the resolver %s: %s", resolver, ares_strerror(status));
		return REASON_KEY_LOOKUP_FAILED;
	}
	if (dns_answer_read(message, &q->name, DNS_TYPE_IPSECKEY, &answer) != IKE_OK) {
		snprintf(detail, KEYLOOKUP_DETAIL_MAX, "the resolver %s: malformed answer", resolver);
		return REASON_KEY_LOOKUP_FAILED;
	}
	if (answer.rcode != DNS_RCODE_NOERROR && answer.rcode != DNS_RCODE_NXDOMAIN) {
		snprintf(detail, KEYLOOKUP_DETAIL_MAX, "the resolver %s: %s (%u)", resolver,
			 answer.rcode == DNS_RCODE_SERVFAIL ? "bogus or not reachable, SERVFAIL" : "error", answer.rcode);
		return REASON_KEY_LOOKUP_FAILED;
	}
	if (answer.rcode == DNS_RCODE_NXDOMAIN || answer.n == 0) {
		snprintf(detail, KEYLOOKUP_DETAIL_MAX, "the name has none");
		return REASON_NO_USABLE_KEY;
	}
	if (!answer.authentic) {
		snprintf(detail, KEYLOOKUP_DETAIL_MAX, "the records are there, but not validated");
		return REASON_KEY_LOOKUP_FAILED;
	}
	if (answer.more)
		return REASON_TOO_MANY_RECORDS;
	err = keyset_new(answer.rdata, answer.n, &q->client.path.remote.addr, keys, &why);
	if (err != IKE_OK)
		snprintf(detail, KEYLOOKUP_DETAIL_MAX, "%s", why ? why : ike_err_text(err));
	return err == IKE_OK ? REASON_NONE : REASON_NO_USABLE_KEY;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct question *q = arg;
	struct keylookup *k = q->owner;
	struct keyset *keys = NULL;
	char detail[KEYLOOKUP_DETAIL_MAX] = "";
	enum rp_reason reason;

	(void)timeouts;
	q->used = false;
	if (k->closing)
		return;
	reason = judge(q, status, span_of(bytes, n > 0 ? (size_t)n : 0), &keys, detail);
	k->user.found(k->user.arg, q->id, &q->client, reason, detail, keys);
	keyset_unref(keys);
}

/* Questions ------------------------------------------------------------------------------------------------------------ */

static struct question *room(struct keylookup *k, const struct ip_addr *client)
{
	struct question *q = NULL;
	unsigned same = 0;

	for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
		if (!k->question[i].used)
			q = &k->question[i];
		else if (ip_equal(&k->question[i].client.path.remote.addr, client))
			same++;
	}
	return same < PER_CLIENT_MAX ? q : NULL;
}

void keylookup_start(struct keylookup *k, uint64_t id, const struct ike_client *client, const struct dnsname *name)
{
	struct question *q = room(k, &client->path.remote.addr);

	if (!q) {
		k->user.found(k->user.arg, id, client, REASON_LIMIT, "too many lookups at once", NULL);
		return;
	}
	*q = (struct question){ .owner = k, .used = true, .id = id, .client = *client, .name = *name };
	dns_loop_ask(k->dns, k->rng, name, DNS_TYPE_IPSECKEY, on_answer, q);
}

/* Beginning and end ------------------------------------------------------------------------------------------------------ */

enum ike_err keylookup_new(struct event_base *base, const struct ip_endpoint *resolver, int calls, const struct rng *rng,
			   const struct keylookup_user *user, struct keylookup **out)
{
	struct keylookup *k = calloc(1, sizeof *k);
	char address[IP_TEXT_MAX];

	*out = NULL;
	if (!k)
		return IKE_E_NOMEM;
	k->rng = rng;
	k->user = *user;
	ip_text(&resolver->addr, address);
	snprintf(k->resolver, sizeof k->resolver, "%s@%u", address, resolver->port);
	if (dns_loop_new(base, resolver, calls, k->user.done, k->user.arg, &k->dns) != IKE_OK) {
		keylookup_free(k);
		return IKE_E_IO;
	}
	*out = k;
	return IKE_OK;
}

void keylookup_free(struct keylookup *k)
{
	if (!k)
		return;
	k->closing = true;
	dns_loop_free(k->dns);
	free(k);
}
