#include "base/groups.h"

#include <stdio.h>
#include <string.h>

static const char allowed[] = "(allowed: ADDRESS, ADDRESS/LENGTH, or a domain name, which covers what is below it)";

const char *group_word(enum group group)
{
#define GROUP_WORD(symbol, word) [symbol] = word,
	static const char *const words[] = { [GROUP_NONE] = "none", GROUPS_X(GROUP_WORD) };
#undef GROUP_WORD

	return (unsigned)group < GROUPS_END ? words[group] : words[GROUP_NONE];
}

/* Networks --------------------------------------------------------------------------------------------------------- */

static unsigned address_bits(const struct ip_addr *a)
{
	return a->family == IP_V4 ? 32 : 128;
}

static struct ip_addr prefix_of(const struct ip_addr *a, unsigned bits)
{
	struct ip_addr prefix = { .family = a->family };

	memcpy(prefix.b, a->b, bits / 8);
	if (bits % 8 != 0)
		prefix.b[bits / 8] = (uint8_t)(a->b[bits / 8] & 0xff << (8 - bits % 8));
	return prefix;
}

static int compare_network(const struct group_network *n, const struct ip_addr *a, unsigned bits)
{
	int order = n->address.family - a->family;

	if (order == 0)
		order = memcmp(n->address.b, a->b, sizeof a->b);
	return order != 0 ? order : n->bits - (int)bits;
}

/* Its place, or where it would be. */
static unsigned network_place(const struct groups *g, const struct ip_addr *a, unsigned bits, bool *there)
{
	unsigned low = 0, high = g->n_networks;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (compare_network(&g->network[middle], a, bits) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*there = low < g->n_networks && compare_network(&g->network[low], a, bits) == 0;
	return low;
}

/* In two groups at once? */
static enum ike_err twice(enum group is, enum group would_be, const char *text, char *wrong)
{
	if (is == would_be)
		return IKE_OK;
	snprintf(wrong, GROUPS_WRONG_MAX, "\"%.100s\" is in the group %s, too (allowed: one group for each)", text, group_word(is));
	return IKE_E_CONFIG;
}

static enum ike_err add_network(struct groups *g, enum group group, const struct ip_addr *a, unsigned bits, const char *text,
				char *wrong)
{
	bool there;
	unsigned at = network_place(g, a, bits, &there);

	if (there)
		return twice(g->network[at].group, group, text, wrong);
	if (g->n_networks == GROUPS_NETWORKS_MAX) {
		snprintf(wrong, GROUPS_WRONG_MAX, "one network too many (allowed: %d in all groups)", GROUPS_NETWORKS_MAX);
		return IKE_E_CONFIG;
	}
	memmove(&g->network[at + 1], &g->network[at], (g->n_networks - at) * sizeof g->network[0]);
	g->network[at] = (struct group_network){ .address = *a, .bits = (uint8_t)bits, .group = (uint8_t)group };
	g->n_networks++;
	return IKE_OK;
}

/* Names ------------------------------------------------------------------------------------------------------------ */

static int compare_name(const struct groups *g, const struct group_name *n, struct span name)
{
	int order = memcmp(g->bytes + n->at, name.p, n->n < name.n ? n->n : name.n);

	return order != 0 ? order : (int)n->n - (int)name.n;
}

static unsigned name_place(const struct groups *g, struct span name, bool *there)
{
	unsigned low = 0, high = g->n_names;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (compare_name(g, &g->name[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*there = low < g->n_names && compare_name(g, &g->name[low], name) == 0;
	return low;
}

static enum ike_err add_name(struct groups *g, enum group group, const struct dnsname *name, const char *text, char *wrong)
{
	bool there;
	unsigned at = name_place(g, dnsname_span(name), &there);

	if (there)
		return twice(g->name[at].group, group, text, wrong);
	if (g->n_names == GROUPS_NAMES_MAX || g->n_bytes + name->n > GROUPS_NAME_BYTES_MAX) {
		snprintf(wrong, GROUPS_WRONG_MAX, "one name too many (allowed: %d in all groups, and %d bytes)", GROUPS_NAMES_MAX,
			 GROUPS_NAME_BYTES_MAX);
		return IKE_E_CONFIG;
	}
	memmove(&g->name[at + 1], &g->name[at], (g->n_names - at) * sizeof g->name[0]);
	g->name[at] = (struct group_name){ .at = (uint16_t)g->n_bytes, .n = name->n, .group = (uint8_t)group };
	memcpy(g->bytes + g->n_bytes, name->b, name->n);
	g->n_bytes += name->n;
	g->n_names++;
	return IKE_OK;
}

/* Lines ------------------------------------------------------------------------------------------------------------ */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A comment begins with the line or behind a blank. */
static struct span without_comment(struct span line)
{
	size_t from = 0, to = 0;

	while (to < line.n && !(line.p[to] == '#' && (to == 0 || is_blank(line.p[to - 1]))))
		to++;
	while (from < to && is_blank(line.p[from]))
		from++;
	while (to > from && is_blank(line.p[to - 1]))
		to--;
	return span_of(line.p + from, to - from);
}

/* NULL: it may be an entry. */
static const char *wrong_at_sight(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (is_blank(text.p[i]))
			return "more than one word: protocols and ports are not known here";
		if (text.p[i] < ' ' || text.p[i] == 0x7f)
			return "control character";
		if (text.p[i] > 0x7f)
			return "neither an address nor a domain name in ASCII (xn--...)";
	}
	return NULL;
}

static bool read_length(const char *text, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (*text == '\0' || strlen(text) > 3)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
	}
	*out = n;
	return n <= max;
}

static enum ike_err add_with_length(struct groups *g, enum group group, const char *text, const char *slash, char *wrong)
{
	const char *what = "is not a network";
	char address[IP_TEXT_MAX] = "";
	struct ip_addr a, prefix;
	unsigned bits = 0;

	if ((size_t)(slash - text) < sizeof address)
		memcpy(address, text, (size_t)(slash - text));
	if (ip_from_text(address, &a) == IKE_OK && read_length(slash + 1, address_bits(&a), &bits)) {
		prefix = prefix_of(&a, bits);
		if (ip_equal(&prefix, &a))
			return add_network(g, group, &a, bits, text, wrong);
		what = "has bits behind its length";
	}
	snprintf(wrong, GROUPS_WRONG_MAX, "\"%.100s\" %s %s", text, what, allowed);
	return IKE_E_CONFIG;
}

/* "192.0.2.300" is no name: whoever writes it means an address. */
static bool looks_like_address(const struct dnsname *name)
{
	const uint8_t *last = NULL;

	for (size_t at = 0; name->b[at] > 0; at += 1u + name->b[at])
		last = &name->b[at];
	if (!last)
		return false;
	for (unsigned i = 1; i <= last[0]; i++)
		if (last[i] < '0' || last[i] > '9')
			return false;
	return true;
}

/* No escapes: what somebody reads in a file, in a log and on a terminal is the same. */
static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*";

	return text[strspn(text, plain)] == '\0';
}

static enum ike_err add_text(struct groups *g, enum group group, const char *text, char *wrong)
{
	const char *slash = strchr(text, '/');
	struct dnsname name;
	struct ip_addr a;

	if (slash)
		return add_with_length(g, group, text, slash, wrong);
	if (ip_from_text(text, &a) == IKE_OK)
		return add_network(g, group, &a, address_bits(&a), text, wrong);
	if (!is_plain(text) || dnsname_from_text(text, &name) != IKE_OK || looks_like_address(&name))
		snprintf(wrong, GROUPS_WRONG_MAX, "\"%.100s\" is neither an address nor a domain name %s", text, allowed);
	else if (name.b[0] == 1 && name.b[1] == '*')
		snprintf(wrong, GROUPS_WRONG_MAX, "\"%.100s\" has a wildcard %s", text, allowed);
	else
		return add_name(g, group, &name, text, wrong);
	return IKE_E_CONFIG;
}

enum ike_err groups_add_line(struct groups *g, enum group group, struct span line, char wrong[GROUPS_WRONG_MAX])
{
	struct span entry = without_comment(line);
	const char *what = wrong_at_sight(entry);
	char text[DNSNAME_TEXT_MAX];

	wrong[0] = '\0';
	if (entry.n == 0)
		return IKE_OK;
	if (!what && entry.n >= sizeof text)
		what = "too long";
	if (what) {
		snprintf(wrong, GROUPS_WRONG_MAX, "%s %s", what, allowed);
		return IKE_E_CONFIG;
	}
	memcpy(text, entry.p, entry.n);
	text[entry.n] = '\0';
	return add_text(g, group, text, wrong);
}

/* Which one counts ------------------------------------------------------------------------------------------------- */

enum group groups_of_name(const struct groups *g, const struct dnsname *name, struct group_entry *out)
{
	*out = (struct group_entry){ .group = GROUP_NONE };
	for (size_t at = 0; g->n_names > 0 && at < name->n; at += 1u + name->b[at]) {
		struct span suffix = span_of(name->b + at, name->n - at);
		bool there;
		unsigned place = name_place(g, suffix, &there);

		if (!there)
			continue;
		out->group = g->name[place].group;
		out->name.n = (uint8_t)suffix.n;
		memcpy(out->name.b, suffix.p, suffix.n);
		break;
	}
	return out->group;
}

enum group groups_of_address(const struct groups *g, const struct ip_addr *address, struct group_entry *out)
{
	*out = (struct group_entry){ .group = GROUP_NONE };
	if (g->n_networks == 0 || address->family == IP_NONE)
		return GROUP_NONE;
	for (unsigned bits = address_bits(address) + 1; bits-- > 0;) {
		struct ip_addr prefix = prefix_of(address, bits);
		bool there;
		unsigned place = network_place(g, &prefix, bits, &there);

		if (!there)
			continue;
		out->group = g->network[place].group;
		out->address = prefix;
		out->bits = (uint8_t)bits;
		break;
	}
	return out->group;
}

enum group groups_find(const struct groups *g, const struct dnsname *name, const struct ip_addr *address, struct group_entry *out)
{
	struct group_entry by_name;

	if (groups_of_address(g, address, out) != GROUP_BLOCK && groups_of_name(g, name, &by_name) != GROUP_NONE)
		*out = by_name;
	return out->group;
}

const char *group_entry_text(const struct group_entry *entry, char to[GROUP_ENTRY_TEXT_MAX])
{
	char name[DNSNAME_TEXT_MAX], address[IP_TEXT_MAX];

	if (entry->group == GROUP_NONE)
		to[0] = '\0';
	else if (entry->name.n > 0)
		snprintf(to, GROUP_ENTRY_TEXT_MAX, "%s: %s", group_word(entry->group), dnsname_text(&entry->name, name));
	else if (entry->bits == address_bits(&entry->address))
		snprintf(to, GROUP_ENTRY_TEXT_MAX, "%s: %s", group_word(entry->group), ip_text(&entry->address, address));
	else
		snprintf(to, GROUP_ENTRY_TEXT_MAX, "%s: %s/%u", group_word(entry->group), ip_text(&entry->address, address), entry->bits);
	return to;
}

/* FNV-1a. */
static uint64_t digest(uint64_t so_far, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		so_far = (so_far ^ b[i]) * UINT64_C(0x100000001b3);
	return so_far;
}

uint64_t groups_digest(const struct groups *g)
{
	uint64_t all = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < g->n_networks; i++) {
		const struct group_network *n = &g->network[i];
		const uint8_t head[] = { n->group, n->address.family, n->bits };

		all = digest(digest(all, head, sizeof head), n->address.b, sizeof n->address.b);
	}
	for (unsigned i = 0; i < g->n_names; i++) {
		const struct group_name *n = &g->name[i];

		all = digest(digest(all, &n->group, 1), g->bytes + n->at, n->n);
	}
	return all;
}
