#include "dnskey/keyset.h"

#include <stdlib.h>

/* One block of memory: the head, then the RDATAs one behind the other. */
struct keyset {
	unsigned refs;
	uint16_t count;
	struct pubkey **ready;              /* of each record, as it was judged; NULL after keyset_rest() */
	uint16_t end[KEYSET_RECORDS_MAX];   /* where record i ends in rdata; a usable one has about 1 kB at most */
	uint8_t rdata[];
};

struct candidate {
	struct span rdata;
	struct ipseckey record;
	struct pubkey *key;                 /* of a usable one */
};

static bool same_key(const struct ipseckey *a, const struct ipseckey *b)
{
	return a->algorithm == b->algorithm && span_equal(pubkey_canonical(a), pubkey_canonical(b));
}

/* By precedence; equal ones by their bytes, so that the order does not depend on the order of the answer. */
static bool before(const struct candidate *a, const struct candidate *b)
{
	size_t n = a->rdata.n < b->rdata.n ? a->rdata.n : b->rdata.n;
	int order;

	if (a->record.precedence != b->record.precedence)
		return a->record.precedence < b->record.precedence;
	order = memcmp(a->rdata.p, b->rdata.p, n);
	return order != 0 ? order < 0 : a->rdata.n < b->rdata.n;
}

/* NULL when the record serves this address, and *key is its key; else why not. */
static const char *judge(const struct ipseckey *record, const struct ip_addr *address, struct pubkey **key,
			 enum ike_err *err)
{
	const char *why = NULL;

	*err = IKE_E_UNSUPPORTED;
	switch (address ? record->gateway_type : GATEWAY_NONE) {
	case GATEWAY_NONE:
		break;
	case GATEWAY_IPV4:
	case GATEWAY_IPV6:
		if (!ip_equal(&record->gateway, address))
			return "gateway is another host";
		break;
	default:
		return "gateway is given by name";
	}
	*err = pubkey_read(record, key, &why);
	return why;
}

/* The well-formed records, sorted; at most KEYSET_RECORDS_MAX. */
static unsigned sort(const struct span *rdatas, unsigned n, struct candidate *to)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		struct candidate c = { .rdata = rdatas[i] };
		unsigned at = count;

		if (c.rdata.n > UINT16_MAX || ipseckey_read(c.rdata, &c.record) != IKE_OK)
			continue;
		for (; at > 0 && before(&c, &to[at - 1]); at--)
			to[at] = to[at - 1];
		to[at] = c;
		count++;
	}
	return count;
}

static void free_keys(struct candidate *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pubkey_free(c[i].key);
}

/* Move the usable ones to the front, each key once; returns how many. *why is of the best that is not usable. */
static unsigned select_usable(struct candidate *c, unsigned n, const struct ip_addr *address, const char **why,
			      enum ike_err *err)
{
	unsigned count = 0, i, k;

	for (i = 0; i < n; i++) {
		enum ike_err judged;
		const char *reason;

		for (k = 0; k < count && !same_key(&c[k].record, &c[i].record); k++)
			;
		if (k < count)
			continue;
		reason = judge(&c[i].record, address, &c[i].key, &judged);
		if (judged == IKE_E_NOMEM || judged == IKE_E_CRYPTO) {
			*why = reason;
			*err = judged;
			free_keys(c, count);
			return 0;
		}
		if (reason && !*why)
			*why = reason;
		if (!reason)
			c[count++] = c[i];
	}
	return count;
}

/* Takes over the keys unless it fails. */
static struct keyset *build(const struct candidate *c, unsigned n)
{
	struct keyset *set;
	size_t total = 0;
	struct wr w;

	for (unsigned i = 0; i < n; i++)
		total += c[i].rdata.n;
	set = calloc(1, sizeof *set + total);
	if (set)
		set->ready = calloc(n, sizeof(struct pubkey *));
	if (!set || !set->ready) {
		free(set);
		return NULL;
	}
	set->refs = 1;
	set->count = (uint16_t)n;
	w = wr_over(set->rdata, total);
	for (unsigned i = 0; i < n; i++) {
		wr_put(&w, c[i].rdata);
		set->end[i] = (uint16_t)w.n;
		set->ready[i] = c[i].key;
	}
	return set;
}

enum ike_err keyset_new(const struct span *rdatas, unsigned n, const struct ip_addr *address, struct keyset **out,
			const char **why)
{
	struct candidate *c;
	enum ike_err err = IKE_E_UNSUPPORTED;
	unsigned count;

	*out = NULL;
	*why = NULL;
	if (n == 0 || n > KEYSET_RECORDS_MAX) {
		*why = n == 0 ? "no IPSECKEY record" : "more than 16 IPSECKEY records";
		return IKE_E_UNSUPPORTED;
	}
	c = calloc(n, sizeof *c);
	if (!c) {
		*why = ike_err_text(IKE_E_NOMEM);
		return IKE_E_NOMEM;
	}
	count = select_usable(c, sort(rdatas, n, c), address, why, &err);
	if (count > 0) {
		*out = build(c, count);
		if (!*out)
			free_keys(c, count);
		err = *out ? IKE_OK : IKE_E_NOMEM;
		*why = *out ? NULL : ike_err_text(IKE_E_NOMEM);
	} else if (!*why) {
		*why = "malformed IPSECKEY record";
	}
	free(c);
	return err;
}

struct keyset *keyset_ref(struct keyset *set)
{
	set->refs++;
	return set;
}

void keyset_unref(struct keyset *set)
{
	if (!set || --set->refs > 0)
		return;
	keyset_rest(set);
	free(set);
}

static struct span rdata_at(const struct keyset *set, unsigned i)
{
	unsigned start = i > 0 ? set->end[i - 1] : 0;

	return span_of(set->rdata + start, set->end[i] - start);
}

struct keyset *keyset_select(struct keyset *set, uint32_t keep)
{
	uint32_t all = (1u << set->count) - 1;
	struct keyset *some;
	struct wr w;

	_Static_assert(KEYSET_RECORDS_MAX < 32, "a bit for each record");
	if ((keep & all) == all)
		return keyset_ref(set);
	some = keep & all ? calloc(1, sizeof *some + set->end[set->count - 1]) : NULL;
	if (!some)
		return NULL;
	some->refs = 1;
	w = wr_over(some->rdata, set->end[set->count - 1]);
	for (unsigned i = 0; i < set->count; i++) {
		if (!(keep >> i & 1))
			continue;
		wr_put(&w, rdata_at(set, i));
		some->end[some->count++] = (uint16_t)w.n;
	}
	return some;
}

void keyset_rest(struct keyset *set)
{
	for (unsigned i = 0; set->ready && i < set->count; i++)
		pubkey_free(set->ready[i]);
	free(set->ready);
	set->ready = NULL;
}

unsigned keyset_count(const struct keyset *set)
{
	return set->count;
}

void keyset_at(const struct keyset *set, unsigned i, struct ipseckey *out)
{
	/* Was read once before it came into the set. */
	(void)!ipseckey_read(rdata_at(set, i), out);
}

bool keyset_contains(const struct keyset *b, const struct ipseckey *key)
{
	struct ipseckey own;

	for (unsigned i = 0; i < b->count; i++) {
		keyset_at(b, i, &own);
		if (same_key(&own, key))
			return true;
	}
	return false;
}

bool keyset_equal(const struct keyset *a, const struct keyset *b)
{
	struct ipseckey key;

	/* Each key is there once, so equal counts and one inclusion suffice. */
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		keyset_at(a, i, &key);
		if (!keyset_contains(b, &key))
			return false;
	}
	return true;
}

/* How near a key came to proving itself. */
static unsigned closeness(enum ike_err err)
{
	return err == IKE_E_AUTH ? 2 : err == IKE_E_SYNTAX ? 1 : 0;
}

/* With key i, which is ready or made for this once. */
static enum ike_err verify_with(const struct keyset *set, unsigned i, uint8_t method, struct span value,
				const struct span *signed_octets, unsigned n)
{
	struct ipseckey record;
	struct pubkey *key;
	enum ike_err err;

	if (set->ready)
		return pubkey_verify(set->ready[i], method, value, signed_octets, n);
	keyset_at(set, i, &record);
	err = pubkey_reread(&record, &key);
	if (!err)
		err = pubkey_verify(key, method, value, signed_octets, n);
	pubkey_free(key);
	return err;
}

enum ike_err keyset_verify(const struct keyset *set, uint8_t method, struct span value, const struct span *signed_octets,
			   unsigned n, unsigned *which)
{
	enum ike_err best = IKE_E_UNSUPPORTED, err;

	*which = 0;
	for (unsigned i = 0; i < set->count; i++) {
		err = verify_with(set, i, method, value, signed_octets, n);
		if (!err)
			*which = i;
		if (!err || err == IKE_E_NOMEM || err == IKE_E_CRYPTO)
			return err;
		if (closeness(err) > closeness(best))
			best = err;
	}
	return best;
}
