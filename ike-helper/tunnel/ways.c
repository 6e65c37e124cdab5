/* The ways to an address that the IPSECKEY records of its name make (RFC 4025 2): the host itself, or a gateway. Whose word
 * counts for a gateway, and what is left when it does not: docs/gateways.md. */
#include "tunnel/state.h"

#include <stdio.h>
#include <string.h>

/* The records of one request, and what they are for one of its addresses. */
struct survey {
	const struct tunnels *t;
	const struct rp_establish *q;
	unsigned address;                   /* its number */
	struct ways *out;
	uint32_t keys[WAYS_MAX];            /* of each way, as bits */
};

static const struct ip_addr host_itself = { .family = IP_NONE };

enum rp_reason address_admit(const struct tunnels *t, const struct ip_addr *a)
{
	switch (ip_scope(a)) {
	case IP_SCOPE_GLOBAL:
		return REASON_NONE;
	case IP_SCOPE_PRIVATE:
		return t->config.allow_private ? REASON_NONE : REASON_ADDRESS_NOT_ALLOWED;
	case IP_SCOPE_LINK_LOCAL:
	case IP_SCOPE_LOOPBACK:
	case IP_SCOPE_MULTICAST:
	case IP_SCOPE_UNUSABLE:
		break;
	}
	return REASON_ADDRESS_NOT_ALLOWED;
}

/* Why the best record that is not usable is not. */
static void note(struct ways *out, enum rp_reason reason, const char *subject, const char *what)
{
	if (out->reason != REASON_NONE)
		return;
	out->reason = reason;
	snprintf(out->detail, sizeof out->detail, "%.80s%s%s", subject, subject[0] != '\0' ? ": " : "", what);
}

static const struct ip_addr *host_of(const struct survey *s)
{
	return &s->q->addresses[s->address];
}

/* One more record for this way; one too many is as if it were not there. */
static void add(struct survey *s, const struct ip_addr *gateway, unsigned record)
{
	struct ways *out = s->out;
	unsigned i = 0;

	while (i < out->n && !ip_equal(&out->at[i].gateway, gateway))
		i++;
	if (i == WAYS_MAX)
		return;
	if (i == out->n)
		out->at[out->n++].gateway = *gateway;
	s->keys[i] |= 1u << record;
}

static bool is_trusted(const struct survey *s)
{
	for (unsigned i = 0; i < s->t->config.n_trust_gateways; i++) {
		if (dnsname_is_under(&s->q->owner, &s->t->config.trust_gateways[i]))
			return true;
	}
	return false;
}

/* Whoever the address belongs to must say the same about its gateway: a name could be anybody's. */
static bool is_confirmed(const struct survey *s, unsigned record)
{
	const struct rp_reverse *found = NULL;
	char text[IP_TEXT_MAX];

	for (unsigned i = 0; i < s->q->n_reverse; i++) {
		if (s->q->reverse[i].address == s->address)
			found = &s->q->reverse[i];
	}
	if (is_trusted(s) || (found && found->keys >> record & 1))
		return true;
	s->out->unlooked |= !found;
	ip_text(host_of(s), text);
	note(s->out, REASON_GATEWAY_UNCONFIRMED, text,
	     !found ? "not looked up" : found->finding == RP_FOUND ? "it names another gateway or key" : rp_finding_text(found->finding));
	return false;
}

bool way_is_across(const struct ip_addr *host, const struct ip_addr *gateway)
{
	return gateway->family != IP_NONE && gateway->family != host->family;
}

bool way_takes_source(const struct ip_addr *gateway, const struct ip_addr *from)
{
	enum ip_scope scope = ip_scope(from);

	return gateway->family == IP_NONE || scope == IP_SCOPE_GLOBAL || scope == IP_SCOPE_PRIVATE;
}

enum ike_err way_source(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *gateway, struct ip_addr *out)
{
	enum ike_err err = IKE_OK;

	*out = *local;
	if (way_is_across(local, gateway))
		err = t->env->source_address(t->env->arg, gateway, out);
	if (err != IKE_OK)
		out->family = IP_NONE;
	return err;
}

static void add_gateway(struct survey *s, const struct ip_addr *gateway, unsigned record)
{
	char text[IP_TEXT_MAX];

	ip_text(gateway, text);
	if (s->t->env->is_own_address(s->t->env->arg, gateway))
		note(s->out, REASON_GATEWAY_UNSUPPORTED, text, "it is this host");
	else if (address_admit(s->t, gateway) != REASON_NONE)
		note(s->out, REASON_GATEWAY_UNSUPPORTED, text, ip_scope_text(ip_scope(gateway)));
	else
		add(s, gateway, record);
}

static void add_named(struct survey *s, const struct dnsname *name, unsigned record)
{
	const struct rp_gateway *found = NULL;
	char text[DNSNAME_TEXT_MAX];

	for (unsigned i = 0; i < s->q->n_gateways; i++) {
		if (s->q->gateways[i].keys >> record & 1)
			found = &s->q->gateways[i];
	}
	if (!found || found->finding != RP_FOUND) {
		s->out->unlooked |= !found;
		note(s->out, REASON_GATEWAY_LOOKUP, dnsname_text(name, text), found ? rp_finding_text(found->finding) : "not looked up");
		return;
	}
	/* Those of the host's family first. */
	for (unsigned i = 0; i < 2 * found->n_addresses; i++) {
		const struct ip_addr *a = &found->addresses[i % found->n_addresses];

		if (way_is_across(host_of(s), a) != (i >= found->n_addresses))
			continue;
		if (ip_equal(a, host_of(s)))
			add(s, &host_itself, record);
		else
			add_gateway(s, a, record);
	}
}

static void add_record(struct survey *s, const struct ipseckey *record, unsigned number)
{
	switch ((enum ipseckey_gateway_type)record->gateway_type) {
	case GATEWAY_NONE:
		add(s, &host_itself, number);
		return;
	case GATEWAY_IPV4:
	case GATEWAY_IPV6:
		if (ip_equal(&record->gateway, host_of(s)))
			add(s, &host_itself, number);
		else if (is_confirmed(s, number))
			add_gateway(s, &record->gateway, number);
		return;
	case GATEWAY_NAME:
		if (dnsname_equal(&record->gateway_name, &s->q->owner))
			add(s, &host_itself, number);
		else if (is_confirmed(s, number))
			add_named(s, &record->gateway_name, number);
		return;
	}
}

/* Does a come before b? By precedence, of equal ones the host itself. */
static bool is_before(const struct ipseckey *a, const struct ipseckey *b)
{
	if (a->precedence != b->precedence)
		return a->precedence < b->precedence;
	return a->gateway_type == GATEWAY_NONE && b->gateway_type != GATEWAY_NONE;
}

/* The numbers of the well-formed records, in their order; returns how many. */
static unsigned sort(const struct rp_establish *q, struct ipseckey records[RP_KEYS_MAX], unsigned order[RP_KEYS_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n_keys; i++) {
		unsigned at = n;

		if (ipseckey_read(q->keys[i], &records[i]) != IKE_OK)
			continue;
		for (; at > 0 && is_before(&records[i], &records[order[at - 1]]); at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	return n;
}

/* The keys of way i; false: none of them is usable. */
static bool read_keys(struct survey *s, unsigned i)
{
	struct span some[RP_KEYS_MAX];
	const char *why = NULL;
	unsigned n = 0;

	for (unsigned k = 0; k < s->q->n_keys; k++) {
		if (s->keys[i] >> k & 1)
			some[n++] = s->q->keys[k];
	}
	if (keyset_new(some, n, NULL, &s->out->at[i].keys, &why) == IKE_OK)
		return true;
	note(s->out, REASON_NO_USABLE_KEY, "", why);
	return false;
}

void ways_find(const struct tunnels *t, const struct rp_establish *q, unsigned address, struct ways *out)
{
	struct survey s = { .t = t, .q = q, .address = address, .out = out };
	struct ipseckey records[RP_KEYS_MAX];
	unsigned order[RP_KEYS_MAX], n = sort(q, records, order), usable = 0;

	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < n; i++)
		add_record(&s, &records[order[i]], order[i]);
	for (unsigned i = 0; i < out->n; i++) {
		if (read_keys(&s, i))
			out->at[usable++] = out->at[i];
	}
	out->n = usable;
	if (n == 0)
		note(out, REASON_NO_USABLE_KEY, "", q->n_keys == 0 ? "no IPSECKEY record" : "malformed IPSECKEY record");
}

const struct way *ways_by(const struct ways *w, const struct ip_addr *gateway)
{
	unsigned i = 0;

	while (i < w->n && !ip_equal(&w->at[i].gateway, gateway))
		i++;
	return i < w->n ? &w->at[i] : NULL;
}

void ways_clear(struct ways *w)
{
	for (unsigned i = 0; i < w->n; i++)
		keyset_unref(w->at[i].keys);
	w->n = 0;
}
