/* What happens, for whoever watches. */
#include "tunnel/state.h"

const char *tunnel_event_word(enum tunnel_event_kind kind)
{
	switch (kind) {
#define EVENT_WORD(symbol, word) case symbol: return word;
	TUNNEL_EVENTS(EVENT_WORD)
#undef EVENT_WORD
	}
	return "unknown";
}

void event_tell(const struct tunnels *t, const struct tunnel_event *event)
{
	if (t->env->event)
		t->env->event(t->env->arg, event);
}

void event_of_peer(const struct tunnels *t, enum tunnel_event_kind kind, const struct peer *p, enum rp_reason reason)
{
	struct tunnel_event event = { .kind = kind, .address = p->remote, .local = p->local, .reason = reason, .detail = "" };

	peer_first_name(p, &event.name);
	if (event.name.n == 0 && p->client)
		event.name = *p->client;
	event_tell(t, &event);
}

void event_of_attempt(const struct tunnels *t, enum tunnel_event_kind kind, const struct attempt *a, enum rp_reason reason,
		      const char *detail)
{
	event_tell(t, &(struct tunnel_event){ .kind = kind, .name = a->owner, .address = a->remote, .local = a->local,
					      .reason = reason, .detail = detail });
}

void event_of_name(const struct tunnels *t, enum tunnel_event_kind kind, const struct dnsname *name, enum rp_reason reason,
		   const char *detail)
{
	event_tell(t, &(struct tunnel_event){ .kind = kind, .name = *name, .reason = reason, .detail = detail });
}
