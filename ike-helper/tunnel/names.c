/* The names that an address was answered for, and what each of them has to say about its key, and about the way to it.
 *
 * The connections of a name go on under the key that was proved for it, whatever other names publish (promise 3). What a name
 * says is the key set of its last lookup, validated like all that comes here, even if an earlier one waited longer for the
 * host; the binding may move to another key when all names but the one that brings it publish that key too. So a rollover
 * (the new key beside the old one for a TTL, then alone) goes through without an interruption, for one name or for several
 * on one host. Whoever copies a key in order to share the address moves nothing by a key of his own, which the others do
 * not publish; but by holding on to the old one he can keep theirs from moving while the tunnel lives.
 *
 * So it is with the way, the host itself or a gateway. A name of the address moves the binding to another one that it has when the last
 * lookups of all its other names have that too (the first gateway is dead, and this is the next one), or the old one no more (a gateway
 * has another address, or another one its place).
 */
#include "tunnel/state.h"

#include <stdlib.h>

/* Different sets that the names of one address are remembered with: hosts have one, or two in a rollover. */
enum { SETS_MAX = 4 };

struct peer_name {
	struct keyset *published;   /* NULL: not remembered; the bound key is what it stands by */
	uint64_t lookup;            /* the one that said so, or that it has left; 0: none */
	bool left;                  /* it has ways, and the one that the peer is bound to is none of them */
	uint8_t n_gateways;
	struct ip_addr *gateways;   /* its ways, if they are several; NULL: not known, or the bound one alone */
	uint8_t n;
	uint8_t b[];                /* wire form */
};

static struct dnsname name_of(const struct peer_name *name)
{
	struct dnsname out = { .n = name->n };

	memcpy(out.b, name->b, name->n);
	return out;
}

static struct peer_name *find(const struct peer *p, const struct dnsname *name)
{
	for (unsigned i = 0; i < p->n_names; i++) {
		struct dnsname other = name_of(p->names[i]);

		if (dnsname_equal(&other, name))
			return p->names[i];
	}
	return NULL;
}

bool peer_has_name(const struct peer *p, const struct dnsname *name)
{
	return find(p, name) != NULL;
}

void peer_first_name(const struct peer *p, struct dnsname *out)
{
	*out = p->n_names > 0 ? name_of(p->names[0]) : (struct dnsname){ .n = 0 };
}

bool peer_name_at(const struct peer *p, unsigned i, struct dnsname *out)
{
	if (i < p->n_names)
		*out = name_of(p->names[i]);
	return i < p->n_names;
}

bool peer_is_answered(const struct peer *p)
{
	return p->n_names > 0;
}

bool peer_next_down(struct peer *p, struct dnsname *out)
{
	if (p->down_told >= p->n_names)
		return false;
	*out = name_of(p->names[p->down_told++]);
	return true;
}

/* Equal sets are kept once. NULL: there are too many different ones. */
static struct keyset *kept(const struct peer *p, struct keyset *keys)
{
	unsigned sets = 0;

	for (unsigned i = 0; i < p->n_names; i++) {
		struct keyset *other = p->names[i]->published;
		unsigned earlier = 0;

		if (!other)
			continue;
		if (keyset_equal(other, keys))
			return keyset_ref(other);
		while (p->names[earlier]->published != other)
			earlier++;
		sets += earlier == i;
	}
	if (sets >= SETS_MAX)
		return NULL;
	keyset_rest(keys);
	return keyset_ref(keys);
}

static void forget_gateways(struct peer_name *name)
{
	free(name->gateways);
	name->gateways = NULL;
	name->n_gateways = 0;
}

static void leads_by(const struct peer *p, struct peer_name *name, const struct ways *ways)
{
	bool here = ways_by(ways, &p->gateway) != NULL;

	/* It may be the one of which nothing was heard. */
	if (!here && ways->reason != REASON_NONE)
		return;
	name->left = !here;
	forget_gateways(name);
	if (ways->n < 2)
		return;
	name->gateways = malloc(ways->n * sizeof *name->gateways);
	for (unsigned i = 0; name->gateways && i < ways->n; i++)
		name->gateways[name->n_gateways++] = ways->at[i].gateway;
}

static bool leads_also_by(const struct peer_name *name, const struct ip_addr *gateway)
{
	for (unsigned i = 0; i < name->n_gateways; i++) {
		if (ip_equal(&name->gateways[i], gateway))
			return true;
	}
	return false;
}

static void publishes(const struct peer *p, struct peer_name *name, struct said said)
{
	struct keyset *before = name->published;

	if (said.lookup < name->lookup)
		return;
	if (said.ways) {
		name->lookup = said.lookup;
		leads_by(p, name, said.ways);
	}
	if (!said.keys)
		return;
	name->lookup = said.lookup;
	if (before && keyset_equal(before, said.keys))
		return;
	name->published = NULL;
	name->published = kept(p, said.keys);
	keyset_unref(before);
}

void peer_add_name(struct peer *p, const struct dnsname *name, struct said said)
{
	struct peer_name *new = find(p, name), **names;

	if (!new) {
		if (p->n_names >= NAMES_PER_PEER_MAX || name->n == 0)
			return;
		names = realloc(p->names, (p->n_names + 1) * sizeof(struct peer_name *));
		if (!names)
			return;
		p->names = names;
		new = calloc(1, sizeof *new + name->n);
		if (!new)
			return;
		new->n = name->n;
		memcpy(new->b, name->b, name->n);
		p->names[p->n_names++] = new;
	}
	publishes(p, new, said);
}

void peer_name_publishes(struct peer *p, const struct dnsname *name, struct said said)
{
	struct peer_name *known = find(p, name);

	if (known)
		publishes(p, known, said);
}

void peer_names_stay(struct peer *p)
{
	for (unsigned i = 0; i < p->n_names; i++)
		p->names[i]->left = false;
}

bool peer_may_move(const struct peer *p, const struct dnsname *name, const struct ip_addr *gateway)
{
	const struct peer_name *asks = find(p, name);

	if (!peer_is_answered(p))
		return true;
	for (unsigned i = 0; i < p->n_names; i++) {
		if (p->names[i] != asks && !p->names[i]->left && !leads_also_by(p->names[i], gateway))
			return false;
	}
	return asks != NULL;
}

void peer_copy_names(struct peer *p, const struct peer *from)
{
	for (unsigned i = 0; i < from->n_names; i++) {
		const struct peer_name *known = from->names[i];
		struct dnsname name = name_of(known);

		peer_add_name(p, &name, (struct said){ .keys = known->published, .lookup = known->lookup });
	}
}

void peer_free_names(struct peer *p)
{
	for (unsigned i = 0; i < p->n_names; i++) {
		keyset_unref(p->names[i]->published);
		forget_gateways(p->names[i]);
		free(p->names[i]);
	}
	free(p->names);
	p->names = NULL;
	p->n_names = 0;
}

static bool others_publish(const struct peer *p, const struct dnsname *name, const struct ipseckey *key)
{
	const struct peer_name *asks = find(p, name);

	for (unsigned i = 0; i < p->n_names; i++) {
		if (p->names[i] != asks && (!p->names[i]->published || !keyset_contains(p->names[i]->published, key)))
			return false;
	}
	return true;
}

uint32_t peer_allowed_keys(const struct peer *p, const struct dnsname *name, const struct keyset *keys)
{
	uint32_t allowed = 0;

	for (unsigned i = 0; i < keyset_count(keys); i++) {
		struct ipseckey key;

		keyset_at(keys, i, &key);
		if (!p->keys || peer_is_bound_to(p, keys, i) || others_publish(p, name, &key))
			allowed |= 1u << i;
	}
	return allowed;
}

struct keyset *peer_renewal_keys(const struct peer *p)
{
	struct keyset *keys = p->n_names > 0 && p->names[0]->published ? p->names[0]->published : p->keys;
	struct dnsname first;

	peer_first_name(p, &first);
	/* Names that have no key in common stay with the one that they had. */
	return peer_allowed_keys(p, &first, keys) ? keyset_ref(keys) : keyset_select(p->keys, 1u << p->key_index);
}
