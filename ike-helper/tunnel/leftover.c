/* SAs that came up, and got policies, for nobody: there was no memory for the pair, or it had ended in that very moment. No pair of ours
 * knows of these policies, so they are removed at once; otherwise the address would be out of reach for everybody until the next
 * start (promise 3). Needs no memory of its own. */
#include "tunnel/state.h"

enum { AGAIN_MS = 1000 };

void leftover_end(struct tunnels *t, const struct ike_tunnel *u)
{
	struct leftover *l = t->leftovers;
	char text[IP_TEXT_MAX];

	if (peer_by_reqid(t, u->reqid))
		return;                     /* they are that pair's */
	while (l < t->leftovers + LEFTOVERS_MAX && l->reqid != 0)
		l++;
	if (l == t->leftovers + LEFTOVERS_MAX) {
		log_error(t->log, "%s: not reached until the next start: out of memory", ip_text(tunnel_remote(u), text));
		return;
	}
	*l = (struct leftover){ .reqid = u->reqid, .local = u->path.local.addr, .outer = u->path.remote.addr,
				.inner_local = u->inner_local, .remote = *tunnel_remote(u), .due_ms = t->now_ms };
}

bool leftover_output(struct tunnels *t, struct kernel_request *out, uint64_t *id)
{
	for (struct leftover *l = t->leftovers; l < t->leftovers + LEFTOVERS_MAX; l++) {
		if (l->reqid == 0 || l->due_ms > t->now_ms)
			continue;
		l->due_ms = NEVER_MS;
		if (peer_by_reqid(t, l->reqid)) {       /* another SA for the same pair has come up since */
			l->reqid = 0;
			continue;
		}
		*id = l->reqid;
		out->op = KERNEL_UNPROTECT;
		out->reqid = l->reqid;
		out->local = l->local;
		out->remote = l->outer;
		out->inner_local = l->inner_local;
		if (l->inner_local.family != IP_NONE)
			out->inner_remote = l->remote;
		out->shield = !peer_bound(t, &l->remote);
		return true;
	}
	return false;
}

void leftover_done(struct tunnels *t, uint64_t id, enum ike_err result)
{
	for (struct leftover *l = t->leftovers; l < t->leftovers + LEFTOVERS_MAX; l++) {
		if (l->reqid == 0 || l->reqid != id)
			continue;
		if (result == IKE_OK)
			l->reqid = 0;
		else
			l->due_ms = t->now_ms + AGAIN_MS;
	}
}

uint64_t leftovers_due_ms(const struct tunnels *t)
{
	uint64_t due_ms = NEVER_MS;

	for (unsigned i = 0; i < LEFTOVERS_MAX; i++) {
		if (t->leftovers[i].reqid != 0)
			due_ms = earlier(due_ms, t->leftovers[i].due_ms);
	}
	return due_ms;
}
