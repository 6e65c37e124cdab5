#include "ike/follow.h"

#include "ike/child.h"
#include "ike/engine.h"
#include "ike/rekey.h"

/* What is out goes there too, at once. */
static void turn_to(struct ike_sa *sa, const struct ip_endpoint *to)
{
	struct ip_path path = { .local = sa->path.local, .remote = *to };

	engine_set_path(sa, &path);
	if (sa->window.request)
		packet_send(&sa->ike->out, sa->window.request, &sa->path);
}

static void follow_port(struct ike_sa *sa, const struct ip_endpoint *to)
{
	turn_to(sa, to);
	for (struct child *c = sa->children; c && sa->encapsulated; c = c->next)
		child_remap(c);
}

/* That the peer is there is proved by its answer: without one there are no SAs to there. */
static void follow_address(struct ike_sa *sa, const struct ip_endpoint *to, uint64_t now_ms)
{
	turn_to(sa, to);
	sa->rekey_tries = 0;
	rekey_child_after_move(sa, now_ms);
	engine_settle(sa, now_ms);
}

static bool may_follow(const struct ike_sa *sa, const struct ip_endpoint *from, uint64_t now_ms)
{
	return (IN(sa->state) & IN_LIFE) && sa->nat.remote_behind_nat && !sa->nat.local_behind_nat &&
	       !ip_endpoint_equal(&sa->path.remote, from) && now_ms >= sa->followed_ms + FOLLOW_PAUSE_MS;
}

void follow_peer(struct ike_sa *sa, const struct ip_endpoint *from, uint64_t now_ms)
{
	bool same_address = ip_equal(&sa->path.remote.addr, &from->addr);
	char to[IP_ENDPOINT_TEXT_MAX], label[SA_LABEL_MAX];

	if (!may_follow(sa, from, now_ms) || (!same_address && sa->mobike))
		return;
	log_line(sa->ike->log, bucket_take(&sa->ike->moves, now_ms) ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
		 "%s: its NAT has it come from %s now", engine_label(sa, label), ip_endpoint_text(from, to));
	sa->followed_ms = now_ms;
	if (same_address) {
		follow_port(sa, from);
	} else if (sa->assigned) {
		follow_address(sa, from, now_ms);
	} else if (sa->state == ST_UP) {
		turn_to(sa, from);
		(void)!ike_close(sa->ike, sa->handle, REASON_PEER_MOVED, now_ms);
	}
}

void ike_peer_seen(struct ike *ike, uint32_t spi_in, const struct ip_endpoint *from, uint64_t now_ms)
{
	struct ike_sa *sa = engine_by_esp(ike, spi_in);

	if (sa)
		follow_peer(sa, from, engine_enter(ike, now_ms));
}
