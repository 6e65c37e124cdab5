/* What the operator says: `oe down`, the permissions of `oe clear`, and `oe pause`. */
#include "tunnel/state.h"

#include <stdlib.h>
#include <string.h>

/* Down --------------------------------------------------------------------------------------------------------- */

unsigned peers_drain(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, enum rp_reason reason,
		     uint64_t wait_ms)
{
	unsigned n = 0;

	for (size_t i = 0; i < t->peers.buckets; i++) {
		struct peer *next, *p = peer_of_link(t->peers.bucket[i]);

		for (; p; p = next) {
			next = peer_of_link(p->link.next);
			if ((name && !peer_has_name(p, name) && !(p->client && dnsname_equal(p->client, name))) ||
			    (address && !ip_equal(&p->remote, address)))
				continue;
			peer_drain(t, p, reason, wait_ms);
			n++;
		}
	}
	return n;
}

static bool is_of(const struct attempt *a, const struct dnsname *name, const struct ip_addr *address)
{
	return (!name || dnsname_equal(&a->owner, name)) && (!address || ip_equal(&a->remote, address));
}

/* Looked for anew each time: to end one answers requests, which may end others. */
static struct attempt *queued_of(const struct tunnels *t, const struct dnsname *name, const struct ip_addr *address)
{
	struct attempt *a = t->queue_first;

	while (a && !is_of(a, name, address))
		a = a->next_queued;
	return a;
}

/* What is on its way up would come up behind the operator's back. */
static unsigned down_attempts(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address)
{
	struct attempt *a;
	unsigned n = 0;

	for (; (a = queued_of(t, name, address)) != NULL; n++)
		attempt_failed(t, a, REASON_DOWN_BY_OPERATOR, "");
	for (size_t i = 0; i < t->attempts.buckets; i++) {
		for (struct table_link *link = t->attempts.bucket[i]; link; link = link->next) {
			a = (struct attempt *)((char *)link - offsetof(struct attempt, link));
			if (!is_of(a, name, address))
				continue;
			(void)!ike_close(t->ike, a->sa, REASON_DOWN_BY_OPERATOR, t->now_ms);
			n += !peer_by_pair(t, &a->local, &a->remote);
		}
	}
	return n;
}

static unsigned down(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, uint64_t wait_ms)
{
	return peers_drain(t, name, address, REASON_DOWN_BY_OPERATOR, wait_ms) + down_attempts(t, name, address);
}

unsigned tunnels_down_name(struct tunnels *t, const struct dnsname *name, uint64_t now_ms)
{
	see(t, now_ms);
	return down(t, name, NULL, t->config.drain_ms);
}

unsigned tunnels_down_address(struct tunnels *t, const struct ip_addr *address, uint64_t now_ms)
{
	see(t, now_ms);
	return down(t, NULL, address, t->config.drain_ms);
}

/* To be forgotten ------------------------------------------------------------------------------------------------ */

void forget_answer(struct tunnels *t, const struct dnsname *owner)
{
	struct forgotten *f = calloc(1, sizeof *f);

	if (!f)
		return;                     /* CLEAR_TTL_S ends it */
	f->owner = *owner;
	*t->forget_tail = f;
	t->forget_tail = &f->next;
}

bool forget_output(struct tunnels *t, struct rp_down *out)
{
	struct forgotten *f = t->forget_first;

	if (!f)
		return false;
	*out = (struct rp_down){ .owner = f->owner, .reason = REASON_DOWN_BY_OPERATOR };
	event_of_name(t, TUNNEL_EV_FORGOTTEN, &f->owner, REASON_DOWN_BY_OPERATOR, "");
	t->forget_first = f->next;
	if (!t->forget_first)
		t->forget_tail = &t->forget_first;
	free(f);
	return true;
}

/* Permissions ---------------------------------------------------------------------------------------------------- */

static struct permission **find(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address)
{
	struct permission **at = &t->permissions;

	while (*at && !(name ? dnsname_equal(&(*at)->told.name, name) : ip_equal(&(*at)->told.address, address)))
		at = &(*at)->next;
	return at;
}

uint64_t permitted_until_ms(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *address)
{
	const struct permission *by_name = *find(t, owner, NULL), *by_address = *find(t, NULL, address);
	uint64_t until_ms = by_name ? by_name->told.until_ms : 0;

	if (by_address && by_address->told.until_ms > until_ms)
		until_ms = by_address->told.until_ms;
	return until_ms > t->now_ms ? until_ms : 0;
}

static const char *permission_text(const struct tunnel_permission *p, char to[DNSNAME_TEXT_MAX])
{
	return p->name.n > 0 ? dnsname_text(&p->name, to) : ip_text(&p->address, to);
}

static void permission_end(struct tunnels *t, struct permission **at, const char *why)
{
	struct permission *p = *at;
	char text[DNSNAME_TEXT_MAX];

	*at = p->next;
	t->n_permissions--;
	log_info(t->log, "%s: no longer in clear: %s", permission_text(&p->told, text), why);
	event_tell(t, &(struct tunnel_event){ .kind = TUNNEL_EV_PERMISSION_END, .name = p->told.name, .address = p->told.address,
					      .detail = why });
	if (p->told.name.n > 0)
		forget_answer(t, &p->told.name);
	else
		decisions_forget_answers(t, &p->told.address);
	free(p);
}

/* A name that has an address of this one, and no permission of its own: what goes there would be in clear for both. */
static bool shares_address(struct tunnels *t, const struct dnsname *name, struct tunnel_cleared *out)
{
	for (size_t i = 0; i < t->peers.buckets; i++) {
		for (const struct peer *p = peer_of_link(t->peers.bucket[i]); p; p = peer_of_link(p->link.next)) {
			for (unsigned k = 0; peer_has_name(p, name) && peer_name_at(p, k, &out->with); k++) {
				out->shared = p->remote;
				if (!dnsname_equal(&out->with, name) && !permitted_until_ms(t, &out->with, &p->remote))
					return true;
			}
		}
	}
	return false;
}

enum ike_err tunnels_clear(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, uint32_t for_s,
			   uint64_t now_ms, struct tunnel_cleared *out)
{
	char text[DNSNAME_TEXT_MAX];
	struct permission **at;

	see(t, now_ms);
	memset(out, 0, sizeof *out);
	if (name && shares_address(t, name, out))
		return IKE_E_CONFLICT;
	at = find(t, name, address);
	if (!*at) {
		if (t->n_permissions >= TUNNEL_PERMISSIONS_MAX)
			return IKE_E_LIMIT;
		*at = calloc(1, sizeof **at);
		if (!*at)
			return IKE_E_NOMEM;
		t->n_permissions++;
		if (name)
			(*at)->told.name = *name;
		else
			(*at)->told.address = *address;
	}
	(*at)->told.until_ms = later(t->now_ms, for_s);
	log_info(t->log, "%s: in clear for %u s, by the operator's word", permission_text(&(*at)->told, text), for_s);
	event_tell(t, &(struct tunnel_event){ .kind = TUNNEL_EV_PERMITTED, .name = (*at)->told.name, .address = (*at)->told.address,
					      .detail = "by the operator" });
	/* Nobody has to be waited for: whoever still has the answer is meant to go on in clear. */
	out->released = down(t, name, address, 0);
	return IKE_OK;
}

bool tunnels_clear_end(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, uint64_t now_ms)
{
	struct permission **at = find(t, name, address);

	see(t, now_ms);
	if (!*at)
		return false;
	permission_end(t, at, "the operator says so");
	return true;
}

unsigned tunnels_permissions(const struct tunnels *t)
{
	return t->n_permissions;
}

bool tunnels_permission(const struct tunnels *t, unsigned i, struct tunnel_permission *out)
{
	const struct permission *p = t->permissions;

	while (p && i-- > 0)
		p = p->next;
	if (p)
		*out = p->told;
	return p != NULL;
}

/* Pause ---------------------------------------------------------------------------------------------------------- */

void tunnels_pause(struct tunnels *t, uint32_t for_s, uint64_t now_ms)
{
	see(t, now_ms);
	log_info(t->log, "paused for %u s, by the operator's word: what is new is answered in clear", for_s);
	t->paused_until_ms = later(t->now_ms, for_s);
	t->tell_pause = true;
	event_tell(t, &(struct tunnel_event){ .kind = TUNNEL_EV_PAUSED, .detail = "by the operator" });
}

bool tunnels_resume(struct tunnels *t, const char *why, uint64_t now_ms)
{
	see(t, now_ms);
	if (t->paused_until_ms == 0)
		return false;
	log_info(t->log, "no longer paused: %s", why);
	event_tell(t, &(struct tunnel_event){ .kind = TUNNEL_EV_RESUMED, .detail = why });
	t->paused_until_ms = 0;
	t->tell_pause = true;
	decisions_forget_answers(t, NULL);
	return true;
}

uint32_t tunnels_paused_s(const struct tunnels *t, uint64_t now_ms)
{
	return t->paused_until_ms > now_ms ? (uint32_t)((t->paused_until_ms - now_ms + 999) / 1000) : 0;
}

bool pause_output(struct tunnels *t, struct rp_down *out)
{
	if (!t->tell_pause)
		return false;
	t->tell_pause = false;
	*out = (struct rp_down){ .owner = { .n = 1 }, .reason = REASON_DOWN_BY_OPERATOR, .tells_pause = true,
				 .pause_s = tunnels_paused_s(t, t->now_ms) };
	return true;
}

/* Time ----------------------------------------------------------------------------------------------------------- */

uint64_t permissions_deadline_ms(const struct tunnels *t)
{
	uint64_t due_ms = t->paused_until_ms ? t->paused_until_ms : NEVER_MS;

	for (const struct permission *p = t->permissions; p; p = p->next)
		due_ms = p->told.until_ms < due_ms ? p->told.until_ms : due_ms;
	return due_ms;
}

void permissions_due(struct tunnels *t)
{
	struct permission **at = &t->permissions;

	if (t->paused_until_ms && t->paused_until_ms <= t->now_ms)
		(void)tunnels_resume(t, "the time is over", t->now_ms);
	while (*at) {
		if ((*at)->told.until_ms <= t->now_ms)
			permission_end(t, at, "the time is over");
		else
			at = &(*at)->next;
	}
}

void by_hand_free(struct tunnels *t)
{
	struct permission *p;
	struct forgotten *f;

	while ((p = t->permissions) != NULL) {
		t->permissions = p->next;
		free(p);
	}
	while ((f = t->forget_first) != NULL) {
		t->forget_first = f->next;
		free(f);
	}
}
