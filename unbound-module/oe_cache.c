/*
 * unbound-module/oe_cache.c - protected addresses in Unbound's caches.
 */

/**
 * \file
 * List of protected RRsets in the cache.
 */

#include "ub_compat.h"
#include "oe_cache.h"
#include "oe_request.h"

#include "base/dnsname.h"
#include "services/cache/rrset.h"

/** most RRsets in the list */
#define OE_CACHE_MAX 8192
/** buckets of the list, by owner */
#define OE_BUCKETS 2048

/** an RRset in the cache */
struct oe_noted {
	/** next in the bucket */
	struct oe_noted* next;
	/** name of the rrset */
	struct dnsname name;
	/** type of the rrset, host order */
	uint16_t type;
	/** class of the rrset, host order */
	uint16_t dclass;
	/** on whose protection it depends. One rrset with hints may depend on
	 * several: then it is in the list for each. */
	struct dnsname owner;
	/** when it ends */
	time_t expires;
};

/** the list */
struct oe_cache {
	/** protects the rest */
	lock_basic_type lock;
	/** RRsets, by owner. Not one of Unbound's trees: those check the
	 * comparison function against a list of its own functions. */
	struct oe_noted* buckets[OE_BUCKETS];
	/** number of RRsets */
	size_t count;
};

/** the bucket of an owner */
static struct oe_noted**
bucket(struct oe_cache* cache, const struct dnsname* owner)
{
	uint8_t name[DNSNAME_MAX];
	memcpy(name, owner->b, owner->n);
	return &cache->buckets[dname_query_hash(name, 0)%OE_BUCKETS];
}

/** are these for the same rrset and owner */
static int
noted_equal(const struct oe_noted* a, const struct oe_noted* b)
{
	return a->type == b->type && a->dclass == b->dclass &&
		dnsname_equal(&a->name, &b->name) &&
		dnsname_equal(&a->owner, &b->owner);
}

/** remove an rrset from the cache, and the message that is of no use without
 * it */
static void
remove_rrset(struct module_env* env, struct dnsname* name, uint16_t type,
	uint16_t dclass)
{
	rrset_cache_remove(env->rrset_cache, name->b, name->n, type, dclass,
		0);
	msg_cache_remove(env, name->b, name->n, type, dclass, 0);
	if(type == LDNS_RR_TYPE_AAAA)
		msg_cache_remove(env, name->b, name->n, type, dclass, BIT_CD);
}

/** remove an entry from the list and its rrset from the cache
 * @param cache: the list
 * @param env: has the caches
 * @param at: what points to the entry, and then to the next one */
static void
noted_remove(struct oe_cache* cache, struct module_env* env,
	struct oe_noted** at)
{
	struct oe_noted* n = *at;
	*at = n->next;
	cache->count--;
	remove_rrset(env, &n->name, n->type, n->dclass);
	free(n);
}

/** the entry in the list that is equal to key, or NULL */
static struct oe_noted*
noted_find(struct oe_cache* cache, const struct oe_noted* key)
{
	struct oe_noted* n = *bucket(cache, &key->owner);
	while(n && !noted_equal(n, key))
		n = n->next;
	return n;
}

struct oe_cache*
oe_cache_create(void)
{
	struct oe_cache* cache = (struct oe_cache*)calloc(1, sizeof(*cache));
	if(!cache)
		return NULL;
	lock_basic_init(&cache->lock);
	return cache;
}

void
oe_cache_delete(struct oe_cache* cache)
{
	size_t i;
	if(!cache)
		return;
	for(i = 0; i < OE_BUCKETS; i++) {
		struct oe_noted* n, *next;
		for(n = cache->buckets[i]; n; n = next) {
			next = n->next;
			free(n);
		}
	}
	lock_basic_destroy(&cache->lock);
	free(cache);
}

/** make room: the one that ends first goes */
static void
evict(struct oe_cache* cache, struct module_env* env)
{
	struct oe_noted** at, **first = NULL;
	size_t i;
	for(i = 0; i < OE_BUCKETS; i++)
		for(at = &cache->buckets[i]; *at; at = &(*at)->next)
			if(!first || (*at)->expires < (*first)->expires)
				first = at;
	if(first)
		noted_remove(cache, env, first);
}

/** An older copy of this rrset that lives longer would win over the new one
 * with its shorter life: remove it. */
static void
remove_longer(struct module_env* env, struct ub_packed_rrset_key* rrset,
	time_t ttl)
{
	int longer;
	struct ub_packed_rrset_key* cached = rrset_cache_lookup(
		env->rrset_cache, rrset->rk.dname, rrset->rk.dname_len,
		ntohs(rrset->rk.type), ntohs(rrset->rk.rrset_class),
		rrset->rk.flags, *env->now, 0);
	if(!cached)
		return;
	longer = ((struct packed_rrset_data*)cached->entry.data)->ttl >
		*env->now + ttl;
	lock_rw_unlock(&cached->entry.lock);
	if(longer)
		rrset_cache_remove(env->rrset_cache, rrset->rk.dname,
			rrset->rk.dname_len, ntohs(rrset->rk.type),
			ntohs(rrset->rk.rrset_class), rrset->rk.flags);
}

/** put an entry like key into the list, or have it live as long as key; 0 if
 * out of memory. The lock is held. */
static int
note(struct oe_cache* cache, struct module_env* env,
	const struct oe_noted* key)
{
	struct oe_noted* n = noted_find(cache, key), **b;
	if(n) {
		n->expires = key->expires;
		return 1;
	}
	if(cache->count >= OE_CACHE_MAX)
		evict(cache, env);
	if(!(n = (struct oe_noted*)memdup((void*)key, sizeof(*key))))
		return 0;
	b = bucket(cache, &key->owner);
	n->next = *b;
	*b = n;
	cache->count++;
	return 1;
}

/** the key of an rrset in the list; 0 if its owner is no name */
static int
key_of(struct oe_noted* key, struct ub_packed_rrset_key* rrset)
{
	struct rd r = rd_over(span_of(rrset->rk.dname, rrset->rk.dname_len));
	memset(key, 0, sizeof(*key));
	key->type = ntohs(rrset->rk.type);
	key->dclass = ntohs(rrset->rk.rrset_class);
	return dnsname_read(&r, &key->name) == IKE_OK;
}

int
oe_cache_note(struct oe_cache* cache, struct module_env* env,
	struct ub_packed_rrset_key* rrset, const struct dnsname* owner,
	time_t ttl)
{
	struct oe_noted key;
	int noted;
	if(!key_of(&key, rrset))
		return 0;
	key.owner = *owner;
	key.expires = *env->now + ttl;
	remove_longer(env, rrset, ttl);
	lock_basic_lock(&cache->lock);
	noted = note(cache, env, &key);
	lock_basic_unlock(&cache->lock);
	return noted;
}

int
oe_cache_note_bogus(struct oe_cache* cache, struct module_env* env,
	struct query_info* qinfo, time_t ttl)
{
	struct rd r = rd_over(span_of(qinfo->qname, qinfo->qname_len));
	struct oe_noted key;
	int noted = 0;
	memset(&key, 0, sizeof(key));
	if(dnsname_read(&r, &key.name) != IKE_OK)
		return 0;
	key.type = qinfo->qtype;
	key.dclass = qinfo->qclass;
	key.owner.n = 1; /* the root */
	key.expires = *env->now + ttl;
	lock_basic_lock(&cache->lock);
	/* these must not push out what is protected */
	if(cache->count < OE_CACHE_MAX/2)
		noted = note(cache, env, &key);
	lock_basic_unlock(&cache->lock);
	return noted;
}

/** forget what is in one bucket; owner NULL is everything */
static void
forget_bucket(struct oe_cache* cache, struct module_env* env,
	struct oe_noted** at, const struct dnsname* owner)
{
	while(*at) {
		if(!owner || dnsname_equal(&(*at)->owner, owner))
			noted_remove(cache, env, at);
		else	at = &(*at)->next;
	}
}

void
oe_cache_forget(struct oe_cache* cache, struct module_env* env,
	const struct dnsname* owner)
{
	size_t i;
	lock_basic_lock(&cache->lock);
	if(owner)
		forget_bucket(cache, env, bucket(cache, owner), owner);
	else	for(i = 0; i < OE_BUCKETS; i++)
			forget_bucket(cache, env, &cache->buckets[i], NULL);
	lock_basic_unlock(&cache->lock);
}

void
oe_cache_forget_plain(struct oe_cache* cache, struct module_env* env,
	const struct dnsname* owner, uint16_t dclass)
{
	static const uint16_t types[] = { LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA,
		LDNS_RR_TYPE_HTTPS, LDNS_RR_TYPE_SVCB };
	struct oe_noted key;
	size_t i;
	memset(&key, 0, sizeof(key));
	key.name = *owner;
	key.owner = *owner;
	key.dclass = dclass;
	lock_basic_lock(&cache->lock);
	for(i = 0; i < sizeof(types)/sizeof(types[0]); i++) {
		key.type = types[i];
		if(!noted_find(cache, &key))
			remove_rrset(env, &key.name, key.type, dclass);
	}
	lock_basic_unlock(&cache->lock);
}

void
oe_cache_forget_plain_rrset(struct oe_cache* cache, struct module_env* env,
	struct ub_packed_rrset_key* rrset, const struct dnsname* owner)
{
	struct oe_noted key;
	if(!key_of(&key, rrset))
		return;
	key.owner = *owner;
	lock_basic_lock(&cache->lock);
	if(!noted_find(cache, &key))
		remove_rrset(env, &key.name, key.type, key.dclass);
	lock_basic_unlock(&cache->lock);
}

/** is there an older copy of this rrset in the cache, with other data */
static int
cached_differs(struct module_env* env, struct ub_packed_rrset_key* rrset)
{
	int differs;
	struct ub_packed_rrset_key* cached = rrset_cache_lookup(
		env->rrset_cache, rrset->rk.dname, rrset->rk.dname_len,
		ntohs(rrset->rk.type), ntohs(rrset->rk.rrset_class),
		rrset->rk.flags, *env->now, 0);
	if(!cached)
		return 0;
	differs = !rrsetdata_equal(
		(struct packed_rrset_data*)cached->entry.data,
		(struct packed_rrset_data*)rrset->entry.data);
	lock_rw_unlock(&cached->entry.lock);
	return differs;
}

/** forget an rrset, whoever the owners are */
static void
forget_rrset(struct oe_cache* cache, struct module_env* env,
	const struct oe_noted* key)
{
	struct oe_noted** at;
	size_t i;
	for(i = 0; i < OE_BUCKETS; i++)
		for(at = &cache->buckets[i]; *at; ) {
			if((*at)->type == key->type &&
				(*at)->dclass == key->dclass &&
				dnsname_equal(&(*at)->name, &key->name))
				noted_remove(cache, env, at);
			else	at = &(*at)->next;
		}
}

void
oe_cache_replaced(struct oe_cache* cache, struct module_env* env,
	struct reply_info* rep)
{
	struct oe_noted key;
	size_t i;
	for(i = 0; i < rep->rrset_count; i++) {
		if(!oe_type_is_address(ntohs(rep->rrsets[i]->rk.type)) ||
			!cached_differs(env, rep->rrsets[i]) ||
			!key_of(&key, rep->rrsets[i]))
			continue;
		lock_basic_lock(&cache->lock);
		forget_rrset(cache, env, &key);
		lock_basic_unlock(&cache->lock);
	}
}

time_t
oe_cache_expire(struct oe_cache* cache, struct module_env* env)
{
	struct oe_noted** at;
	time_t first = 0, now = *env->now;
	size_t i;
	lock_basic_lock(&cache->lock);
	for(i = 0; i < OE_BUCKETS; i++) {
		at = &cache->buckets[i];
		while(*at) {
			if((*at)->expires <= now) {
				noted_remove(cache, env, at);
				continue;
			}
			if(first == 0 || (*at)->expires < first)
				first = (*at)->expires;
			at = &(*at)->next;
		}
	}
	lock_basic_unlock(&cache->lock);
	return first ? first - now : 0;
}

size_t
oe_cache_get_mem(struct oe_cache* cache)
{
	size_t n;
	lock_basic_lock(&cache->lock);
	n = cache->count*sizeof(struct oe_noted);
	lock_basic_unlock(&cache->lock);
	return sizeof(*cache) + n;
}

/** an answer with addresses that nobody has looked for a key of */
struct oe_adopted {
	/** next in list */
	struct oe_adopted* next;
	/** owner, type and class of an rrset in it */
	struct oe_noted key;
};

/** what oe_cache_adopt() finds */
struct oe_adopt {
	/** the list */
	struct oe_adopted* list;
	/** out of memory */
	int failed;
};

/** Note the addresses of one message, unless it is known to be insecure: one
 * that was not validated is given to a client that sets CD. A func for a
 * traversal of the message cache, in which nothing else can be looked up. */
static void
adopt_message(struct lruhash_entry* e, void* arg)
{
	struct oe_adopt* found = (struct oe_adopt*)arg;
	struct reply_info* rep = (struct reply_info*)e->data;
	size_t i;
	if(rep->security == sec_status_insecure)
		return;
	for(i = 0; i < rep->an_numrrsets; i++) {
		/* the owner and the type of an rrset never change, its data
		 * may be of another one by now: then it has another id */
		struct ub_packed_rrset_key* rrset = rep->ref[i].key;
		struct oe_adopted* a;
		lock_rw_rdlock(&rrset->entry.lock);
		if(rrset->id == rep->ref[i].id &&
			oe_type_is_address(ntohs(rrset->rk.type))) {
			a = (struct oe_adopted*)calloc(1, sizeof(*a));
			if(a && key_of(&a->key, rrset)) {
				a->next = found->list;
				found->list = a;
			} else {
				free(a);
				found->failed |= !a;
			}
		}
		lock_rw_unlock(&rrset->entry.lock);
	}
}

/** Does the cache say, proven, that an rrset is of a name without a key? Hints
 * may be for another name. */
static int
has_no_key(struct module_env* env, struct oe_noted* key)
{
	/* env has no clock yet */
	struct msgreply_entry* e = msg_cache_lookup(env, key->name.b,
		key->name.n, LDNS_RR_TYPE_IPSECKEY, key->dclass, BIT_RD,
		time(NULL), 0);
	struct reply_info* rep;
	int none;
	if(!e)
		return 0;
	rep = (struct reply_info*)e->entry.data;
	none = rep->security == sec_status_secure && rep->an_numrrsets == 0 &&
		(key->type == LDNS_RR_TYPE_A || key->type == LDNS_RR_TYPE_AAAA);
	lock_rw_unlock(&e->entry.lock);
	return none;
}

int
oe_cache_adopt(struct module_env* env)
{
	struct oe_adopt found;
	struct oe_adopted* a;
	memset(&found, 0, sizeof(found));
	if(!env->msg_cache || !env->rrset_cache)
		return 1;
	slabhash_traverse(env->msg_cache, 0, adopt_message, &found);
	while((a = found.list) != NULL) {
		found.list = a->next;
		if(!has_no_key(env, &a->key))
			remove_rrset(env, &a->key.name, a->key.type,
				a->key.dclass);
		free(a);
	}
	return !found.failed;
}
