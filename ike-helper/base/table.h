/* table.h - a hash table whose links live in the things that it holds: nothing is allocated for
 * an entry.
 *
 * The caller gives a 64-bit hash for each entry. Where the key is at most 64 bits (our own SPIs,
 * handles) the hash is the key; otherwise the caller compares what table_first() and
 * table_next() find.
 */
#ifndef OE_BASE_TABLE_H
#define OE_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct table_link {
	struct table_link *next;
	uint64_t hash;
	bool linked;
};

struct table {
	struct table_link **bucket;
	size_t buckets;             /* a power of two */
	size_t n;
};

/* IKE_E_NOMEM. */
IKE_CHECKED enum ike_err table_init(struct table *t);
/* Frees the buckets; what was in them belongs to somebody else. */
void table_clear(struct table *t);

/* Cannot fail: without memory for more buckets the chains become longer. */
void table_insert(struct table *t, struct table_link *link, uint64_t hash);
/* Does nothing when it is not in the table. */
void table_remove(struct table *t, struct table_link *link);

/* Entries of this hash, one after the other; NULL at the end. */
struct table_link *table_first(const struct table *t, uint64_t hash);
struct table_link *table_next(const struct table_link *link);

#endif
