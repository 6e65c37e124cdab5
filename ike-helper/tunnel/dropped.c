#include "tunnel/state.h"

enum { KEEP_MS = 24 * 3600 * 1000 };

/* Either this pair, or everything from this address of ours. */
static bool covers(const struct esp_dropped *d, const struct ip_addr *local, const struct ip_addr *remote)
{
	return ip_equal(&d->local, local) && (d->remote.family == IP_NONE || ip_equal(&d->remote, remote));
}

bool esp_is_dropped(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	for (unsigned i = 0; i < ESP_DROPPED_MAX; i++) {
		if (t->now_ms < t->dropped[i].until_ms && covers(&t->dropped[i], local, remote))
			return true;
	}
	return false;
}

/* Has ESP as such come in from anybody to this address of ours? Then it is not the network around us that drops it. */
static bool network_passes_esp(const struct tunnels *t, const struct ip_addr *local)
{
	for (size_t i = 0; i < t->peers.buckets; i++) {
		for (const struct peer *p = peer_of_link(t->peers.bucket[i]); p; p = peer_of_link(p->link.next)) {
			if (p->answered && !p->encapsulated && ip_equal(&p->outer_local, local))
				return true;
		}
	}
	return false;
}

static bool older(const struct esp_dropped *d, const struct esp_dropped *than)
{
	return !than || d->until_ms < than->until_ms;
}

/* Where this goes: in the place of what said the same, or of what is forgotten; else of the oldest that is about one pair. A host that
 * answers nobody makes as many of those as it has addresses: what is known of a whole network does not go for it, and only for its
 * like if there is nothing else. NULL: there is no place. */
static struct esp_dropped *place_for(struct tunnels *t, const struct esp_dropped *fresh)
{
	struct esp_dropped *pair = NULL, *network = NULL;

	for (unsigned i = 0; i < ESP_DROPPED_MAX; i++) {
		struct esp_dropped *d = &t->dropped[i];

		if (d->until_ms <= t->now_ms || (ip_equal(&d->local, &fresh->local) && ip_equal(&d->remote, &fresh->remote)))
			return d;
		if (d->remote.family != IP_NONE && older(d, pair))
			pair = d;
		if (d->remote.family == IP_NONE && older(d, network))
			network = d;
	}
	return pair || fresh->remote.family != IP_NONE ? pair : network;
}

void esp_dropped_remember(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	struct esp_dropped fresh = { .local = *local, .until_ms = t->now_ms + KEEP_MS }, *place;

	if (network_passes_esp(t, local))
		fresh.remote = *remote;
	place = place_for(t, &fresh);
	if (place)
		*place = fresh;
}

void esp_dropped_forget(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	for (unsigned i = 0; i < ESP_DROPPED_MAX; i++) {
		if (covers(&t->dropped[i], local, remote))
			t->dropped[i] = (struct esp_dropped){ .until_ms = 0 };
	}
}
