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
			if (p->answered && !p->encapsulated && ip_equal(&p->local, local))
				return true;
		}
	}
	return false;
}

void esp_dropped_remember(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	struct esp_dropped *oldest = &t->dropped[0];

	for (unsigned i = 1; i < ESP_DROPPED_MAX; i++) {
		if (t->dropped[i].until_ms < oldest->until_ms)
			oldest = &t->dropped[i];
	}
	*oldest = (struct esp_dropped){ .local = *local, .until_ms = t->now_ms + KEEP_MS };
	if (network_passes_esp(t, local))
		oldest->remote = *remote;
}

void esp_dropped_forget(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote)
{
	for (unsigned i = 0; i < ESP_DROPPED_MAX; i++) {
		if (covers(&t->dropped[i], local, remote))
			t->dropped[i] = (struct esp_dropped){ .until_ms = 0 };
	}
}
