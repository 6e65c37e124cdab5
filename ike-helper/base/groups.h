/* groups.h - policy groups: what the operator has said about names and addresses, as in libreswan's policies folder.
 *
 * A group is a file of that name; each line of it is a network, an address or a domain name, which stands for itself and for what
 * is below it. docs/policy-groups.md says what each group means; here is which one counts:
 *
 *  - of several names the longest, of several networks the longest prefix;
 *  - a name before an address, since it says more: but a blocked address is blocked, whatever name leads there.
 *
 * Used by the daemon and by the module, so that one folder serves both. Files are read elsewhere.
 */
#ifndef OE_BASE_GROUPS_H
#define OE_BASE_GROUPS_H

#include "base/addr.h"
#include "base/cursor.h"
#include "base/dnsname.h"
#include "base/err.h"

enum {
	GROUPS_NETWORKS_MAX = 2048,
	GROUPS_NAMES_MAX = 2048,
	GROUPS_NAME_BYTES_MAX = 48 * 1024,      /* of all names, in wire form */
	GROUPS_LINE_MAX = 2048,                 /* bytes of one line of a file */
	GROUPS_WRONG_MAX = 256,
	GROUP_ENTRY_TEXT_MAX = DNSNAME_TEXT_MAX + 32,
};

/* The word is the name of the file. */
#define GROUPS_X(X) \
	X(GROUP_BLOCK, "block")                         /* nobody talks to it */ \
	X(GROUP_CLEAR, "clear")                         /* never protected */ \
	X(GROUP_CLEAR_OR_PRIVATE, "clear-or-private")   /* protected if it asks for that */ \
	X(GROUP_PRIVATE_OR_CLEAR, "private-or-clear")   /* protected if that can be done */ \
	X(GROUP_PRIVATE, "private")                     /* protected, or not talked to */

#define GROUP_SYMBOL(symbol, word) symbol,
enum group { GROUP_NONE, GROUPS_X(GROUP_SYMBOL) GROUPS_END };
#undef GROUP_SYMBOL

struct group_network {
	struct ip_addr address;     /* the bits behind the prefix are zero */
	uint8_t bits;               /* length of the prefix */
	uint8_t group;              /* enum group */
};

struct group_name {
	uint16_t at;                /* in bytes */
	uint8_t n;
	uint8_t group;
};

/* A plain value: no pointers. All zero: no entries. */
struct groups {
	unsigned n_networks, n_names, n_bytes;
	struct group_network network[GROUPS_NETWORKS_MAX];      /* in order: family, address, length */
	struct group_name name[GROUPS_NAMES_MAX];               /* in order of their bytes */
	uint8_t bytes[GROUPS_NAME_BYTES_MAX];
};

/* An entry that counts. */
struct group_entry {
	enum group group;           /* GROUP_NONE: none does */
	struct dnsname name;        /* n = 0: a network */
	struct ip_addr address;
	uint8_t bits;
};

/* No entries; the rest stays untouched memory. */
static inline void groups_clear(struct groups *g)
{
	g->n_networks = g->n_names = g->n_bytes = 0;
}

/* "private-or-clear"; GROUP_NONE is "none". */
const char *group_word(enum group group);

/* One line of the file of a group, with or without its newline; an empty line or a comment adds nothing, nor does what is there already.
 * IKE_E_CONFIG: wrong says what is the matter and what is allowed, to be read after FILE:LINE; nothing was added. */
IKE_CHECKED enum ike_err groups_add_line(struct groups *g, enum group group, struct span line, char wrong[GROUPS_WRONG_MAX]);

/* What counts for this name, whatever its addresses. */
enum group groups_of_name(const struct groups *g, const struct dnsname *name, struct group_entry *out);
/* What counts for this address, whatever name leads there. */
enum group groups_of_address(const struct groups *g, const struct ip_addr *address, struct group_entry *out);
/* What counts for this address of this name. */
enum group groups_find(const struct groups *g, const struct dnsname *name, const struct ip_addr *address, struct group_entry *out);

/* "private: example.org", "block: 192.0.2.0/24"; "" if none counts. Returns to. */
const char *group_entry_text(const struct group_entry *entry, char to[GROUP_ENTRY_TEXT_MAX]);

static inline unsigned groups_count(const struct groups *g)
{
	return g->n_networks + g->n_names;
}

/* The same for the same entries, in whatever order they were read; not meant to resist somebody who seeks two that are alike. */
uint64_t groups_digest(const struct groups *g);

#endif
