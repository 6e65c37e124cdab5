/* Policy groups: what the operator wants for a name or an address, whoever asks. */
#include "tunnel/state.h"

#include <stdio.h>
#include <string.h>

enum group tunnels_policy(const struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, struct group_entry *out)
{
	if (t->config.groups)
		return groups_find(t->config.groups, name, address, out);
	*out = (struct group_entry){ .group = GROUP_NONE };
	return GROUP_NONE;
}

bool policy_is_clear(enum group group)
{
	return group == GROUP_CLEAR || group == GROUP_CLEAR_OR_PRIVATE;
}

void policy_text(const struct group_entry *entry, const char *more, char detail[DETAIL_MAX])
{
	char text[GROUP_ENTRY_TEXT_MAX];

	snprintf(detail, DETAIL_MAX, "policy %.80s%s%s", group_entry_text(entry, text), more[0] != '\0' ? "; " : "", more);
}

/* The host does not do IPsec as its name says, or cannot be asked to: not so if somebody else is there, or if it is for us to see to it. */
static bool is_excused(enum rp_reason reason)
{
	switch (reason) {
	case REASON_NO_USABLE_KEY:
	case REASON_ADDRESS_NOT_ALLOWED:
	case REASON_TIMEOUT:
	case REASON_UNREACHABLE:
	case REASON_PEER_REFUSED:
	case REASON_NO_PROPOSAL:
	case REASON_TS_UNACCEPTABLE:
	case REASON_GATEWAY_UNSUPPORTED:
	case REASON_GATEWAY_LOOKUP:
	case REASON_GATEWAY_UNCONFIRMED:
		return true;
	case REASON_NONE:
	case REASON_NO_ROUTE:
	case REASON_AUTH_FAILED:
	case REASON_KEY_CONFLICT:
	case REASON_LIMIT:
	case REASON_KERNEL:
	case REASON_PROTOCOL:
	case REASON_HELPER_ABSENT:
	case REASON_HELPER_SILENT:
	case REASON_HELPER_BROKEN:
	case REASON_KEY_LOOKUP_FAILED:
	case REASON_KEY_BOGUS:
	case REASON_TOO_MANY_RECORDS:
	case REASON_BACKOFF:
	case REASON_SHUTDOWN:
	case REASON_NOT_SECURE:
	case REASON_INTERNAL:
	case REASON_DOWN_BY_OPERATOR:
	case REASON_SA_GONE:
	case REASON_PEER_MOVED:
	case REASON_RECORD_MALFORMED:
	case REASON_POLICY_FORBIDS:
	case REASON_POLICY_WANTS_KEY:
		break;
	}
	return false;
}

bool policy_falls_back(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, enum rp_reason reason,
		       struct group_entry *entry)
{
	/* What is bound to a key stays with it, as long as that lasts. */
	return tunnels_policy(t, owner, a, entry) == GROUP_PRIVATE_OR_CLEAR && is_excused(reason) && !peer_bound(t, a);
}

enum rp_reason policy_for_client(const struct tunnels *t, const struct dnsname *claimed, const struct ip_addr *from)
{
	static const struct dnsname nobody;
	struct group_entry entry;
	enum group group = tunnels_policy(t, claimed ? claimed : &nobody, from, &entry);
	char text[GROUP_ENTRY_TEXT_MAX], address[IP_TEXT_MAX];

	if (group != GROUP_BLOCK && group != GROUP_CLEAR)
		return REASON_NONE;
	log_debug(t->log, "a client at %s is refused: policy %s", ip_text(from, address), group_entry_text(&entry, text));
	return REASON_POLICY_FORBIDS;
}
