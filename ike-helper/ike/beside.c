#include "ike/beside.h"

#include "ike/child.h"
#include "ike/engine.h"
#include "ike/x.h"

/* Of the same pair, and up. */
static bool is_beside(const struct ike_sa *other, const struct ike_sa *sa)
{
	return other != sa && (IN(other->state) & IN_LIFE) && other->child && other->reqid == sa->reqid &&
	       ip_equal(&other->path.remote.addr, &sa->path.remote.addr) && ip_equal(&other->path.local.addr, &sa->path.local.addr);
}

/* The next one; NULL. */
static struct ike_sa *next_beside(struct table_link *link, const struct ike_sa *sa)
{
	while (link && !is_beside(SA_OF(link, by_peer), sa))
		link = table_next(link);
	return link ? SA_OF(link, by_peer) : NULL;
}

static struct ike_sa *first_beside(const struct ike_sa *sa)
{
	return next_beside(table_first(&sa->ike->by_peer, sa->by_peer.hash), sa);
}

bool beside_waits(const struct ike_sa *sa)
{
	return sa->beside != 0;
}

void beside_begin(struct ike_sa *sa, uint64_t now_ms)
{
	struct stimulus close = { .on = ON_CLOSE, .now_ms = now_ms };
	struct ike_sa *other, *next;

	sa->beside = 0;
	for (other = first_beside(sa); other && !sa->initial_contact; other = next) {
		next = next_beside(table_next(&other->by_peer), sa);
		if (!beside_waits(other)) {
			sa->beside = other->handle;
			continue;
		}
		/* A peer that begins again and again, and never goes on, has one of them. */
		sa_blame(other, REASON_LIMIT, "a newer one takes its place");
		engine_step(other, &close);
	}
}

static void send_with(struct ike_sa *sa)
{
	sa->beside = 0;
	sa->asks_beside = false;
	child_add(sa->child, false, true);
	child_is_sent_with(sa);
}

void beside_installed(struct ike_sa *sa)
{
	const struct ike_sa *old = engine_by_handle(sa->ike, sa->beside);

	if (old && is_beside(old, sa))
		sa->asks_beside = true;
	else
		send_with(sa);
}

void beside_heard(struct ike_sa *sa, const struct stimulus *s)
{
	if (beside_waits(sa) && (IN(sa->state) & IN_LIFE) &&
	    (s->on == ON_REPLY || (!deletes_ike(sa, s) && !tells_fatal_error(sa, s))))
		send_with(sa);
}

/* May what is under way to sa be received with heir? Not for somebody who has proved who he is what may come from somebody else. */
static bool may_inherit(const struct ike_sa *sa, const struct ike_sa *heir)
{
	if (sa->claim && heir->claim)
		return dnsname_equal(&sa->claim->name, &heir->claim->name);
	return sa->we_started || sa->claim || !(heir->we_started || heir->claim);
}

static struct ike_sa *heir_of(const struct ike_sa *sa)
{
	struct ike_sa *heir = first_beside(sa);

	while (heir && (beside_waits(heir) || !may_inherit(sa, heir)))
		heir = next_beside(table_next(&heir->by_peer), sa);
	return heir;
}

void beside_ended(struct ike_sa *sa, uint64_t now_ms)
{
	struct ike_sa *next = first_beside(sa), *heir;

	while (next && next->beside != sa->handle)
		next = next_beside(table_next(&next->by_peer), sa);
	if (next) {
		send_with(next);
		engine_settle(next, now_ms);
	}
	heir = sa->children ? heir_of(sa) : NULL;
	if (!heir)
		return;
	children_fade_into(sa, heir, now_ms);
	engine_settle(heir, now_ms);
}
