/*
 * unbound-module/oe_cache.h - protected addresses in Unbound's caches.
 */

/**
 * \file
 * Unbound answers from its message cache without asking any module. So an
 * address of a keyed name is stored only after the verdict, and it has to go
 * when the protection goes. Here is the list of what was stored.
 *
 * Every message refers to its RRsets in the RRset cache, and a reference to an
 * RRset that has been removed makes the message unusable. So removing the
 * address RRset of an owner takes away every message that contains it, those
 * for aliases too: there is no list of aliases to keep.
 *
 * The list is bounded. What falls off it is removed from the cache: what is
 * not in the list is not in the cache.
 *
 * Shared by all workers, like the caches; locked inside.
 */

#ifndef OE_CACHE_H
#define OE_CACHE_H

struct module_env;
struct query_info;
struct reply_info;
struct ub_packed_rrset_key;
struct dnsname;
struct oe_cache;

/** Make the list; NULL if out of memory. */
struct oe_cache* oe_cache_create(void);

/** Delete the list. The caches are not touched: they may be gone. */
void oe_cache_delete(struct oe_cache* cache);

/**
 * An RRset with addresses is about to be stored.
 * @param cache: the list.
 * @param env: has the RRset cache.
 * @param rrset: the RRset.
 * @param owner: the name whose protection this depends on. For an A RRset its
 *	owner, for address hints the name that they belong to.
 * @param ttl: seconds that the RRset will live.
 * @return 0 if out of memory: it must not be stored.
 */
int oe_cache_note(struct oe_cache* cache, struct module_env* env,
	struct ub_packed_rrset_key* rrset, const struct dnsname* owner,
	time_t ttl);

/**
 * It has been stored that a name is bogus: that depends on the root, which
 * oe_cache_forget() is called for when the operator has paused what is new.
 * @param cache: the list.
 * @param env: has the caches.
 * @param qinfo: what is bogus.
 * @param ttl: seconds that it will live.
 * @return 0 if there is no place for it; it is kept to its end then.
 */
int oe_cache_note_bogus(struct oe_cache* cache, struct module_env* env,
	struct query_info* qinfo, time_t ttl);

/** Remove what depends on this owner from the caches; NULL: everything. */
void oe_cache_forget(struct oe_cache* cache, struct module_env* env,
	const struct dnsname* owner);

/**
 * A name turns out to have a key: remove its addresses and those of its hints
 * that are cached from a time when it had none, or was not secure. They would
 * be answered without protection, of the other family until their end, and
 * with serve-expired for as long as nobody allows the name.
 * What is in the list stays: it is protected.
 */
void oe_cache_forget_plain(struct oe_cache* cache, struct module_env* env,
	const struct dnsname* owner, uint16_t dclass);

/** The same for one RRset with hints, whatever its owner, that a name with a
 * key is the target of. */
void oe_cache_forget_plain_rrset(struct oe_cache* cache,
	struct module_env* env, struct ub_packed_rrset_key* rrset,
	const struct dnsname* owner);

/**
 * RRsets are about to be stored that nobody was asked about: of an insecure
 * answer, or for the iterator. Unbound puts newer data into the RRset that is
 * there, and whatever message refers to it tells the new addresses then.
 * Where one in the list would change so, it is removed, and its messages with
 * it.
 */
void oe_cache_replaced(struct oe_cache* cache, struct module_env* env,
	struct reply_info* rep);

/**
 * The module begins, perhaps with a cache that was filled without it
 * (unbound-control reload_keep_cache): remove addresses that nobody has looked
 * for a key of, but for insecure ones. Only while no other thread runs.
 * @param env: with caches, or without.
 * @return 0 if out of memory.
 */
int oe_cache_adopt(struct module_env* env);

/**
 * Remove RRsets whose time has come. Unbound itself would keep them to be
 * served when they are expired (serve-expired).
 * @return seconds until this has to be called again, 0 if the list is empty.
 */
time_t oe_cache_expire(struct oe_cache* cache, struct module_env* env);

/** memory in use */
size_t oe_cache_get_mem(struct oe_cache* cache);

#endif /* OE_CACHE_H */
