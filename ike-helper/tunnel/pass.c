#include "tunnel/state.h"

#include <stdlib.h>

/* Their kernel outputs beside those of peers, whose ids are reqids. */
static const uint64_t pass_ids = UINT64_C(1) << 32;

static void queue_out(struct tunnels *t, struct pass *s)
{
	if (s->out_queued)
		return;
	s->out_queued = true;
	s->next_out = NULL;
	*t->pass_out_tail = s;
	t->pass_out_tail = &s->next_out;
}

static void unqueue_out(struct tunnels *t, struct pass *s)
{
	struct pass **at = &t->pass_out_first;

	while (*at && *at != s)
		at = &(*at)->next_out;
	if (!*at)
		return;
	*at = s->next_out;
	if (!*at)
		t->pass_out_tail = at;
	s->out_queued = false;
}

static void pass_free(struct tunnels *t, struct pass *s)
{
	struct pass **at = &t->oldest_pass;

	unqueue_out(t, s);
	while (*at != s)
		at = &(*at)->newer;
	*at = s->newer;
	if (!*at)
		t->pass_tail = at;
	t->n_passes--;
	free(s);
}

void passes_clear(struct tunnels *t)
{
	while (t->oldest_pass)
		pass_free(t, t->oldest_pass);
}

static struct pass *find(struct tunnels *t, const struct ip_addr *source, const struct ip_addr *remote)
{
	struct pass *s = t->oldest_pass;

	while (s && !(ip_equal(&s->source, source) && ip_equal(&s->remote, remote)))
		s = s->newer;
	return s;
}

static void take_back(struct tunnels *t, struct pass *s)
{
	if (!s->wanted)
		return;
	s->wanted = false;
	queue_out(t, s);
}

/* Room for one more. What has just come is not pushed out again: a crowd of invented sources must not make us run. */
static bool make_room(struct tunnels *t)
{
	struct pass *s = t->oldest_pass;

	if (t->n_passes < PASSES_MAX)
		return true;
	if (s->wanted && t->now_ms < s->since_ms + PASS_STAYS_MS)
		return false;
	take_back(t, s);
	return t->n_passes < PASSES_MAX + PASSES_MAX / 4;
}

void pass_through(struct tunnels *t, const struct ip_addr *source, const struct ip_addr *remote)
{
	struct pass *s = find(t, source, remote);

	if (!s) {
		if (!make_room(t))
			return;
		s = calloc(1, sizeof *s);
		if (!s)
			return;             /* its packets are dropped until the kernel asks again */
		s->id = pass_ids + t->last_pass++;
		s->source = *source;
		s->remote = *remote;
		s->since_ms = t->now_ms;
		*t->pass_tail = s;
		t->pass_tail = &s->newer;
		t->n_passes++;
	}
	s->wanted = true;
	queue_out(t, s);
}

void passes_end(struct tunnels *t, const struct ip_addr *remote)
{
	for (struct pass *s = t->oldest_pass; s; s = s->newer) {
		if (ip_equal(&s->remote, remote))
			take_back(t, s);
	}
}

void passes_check(struct tunnels *t, const struct ip_addr *source)
{
	for (struct pass *s = t->oldest_pass; s; s = s->newer) {
		if (source ? ip_equal(&s->source, source) : t->env->is_own_address(t->env->arg, &s->source))
			take_back(t, s);
	}
}

bool pass_output(struct tunnels *t, struct kernel_request *out, uint64_t *id)
{
	struct pass *s = t->pass_out_first;

	if (!s)
		return false;
	unqueue_out(t, s);
	out->op = s->wanted ? KERNEL_PASS : KERNEL_UNPASS;
	out->local = s->source;
	out->remote = s->remote;
	*id = s->id;
	return true;
}

bool pass_done(struct tunnels *t, uint64_t id, enum ike_err result)
{
	struct pass *s = t->oldest_pass;

	if (id < pass_ids)
		return false;
	while (s && s->id != id)
		s = s->newer;
	if (!s || s->out_queued)        /* meanwhile the other way is wanted */
		return true;
	if (s->wanted != (result == IKE_OK))
		pass_free(t, s);
	else if (!s->wanted)
		t->passes_again_ms = t->now_ms + PASS_AGAIN_MS;
	return true;
}

void passes_due(struct tunnels *t)
{
	if (t->now_ms < t->passes_again_ms)
		return;
	t->passes_again_ms = NEVER_MS;
	for (struct pass *s = t->oldest_pass; s; s = s->newer) {
		if (!s->wanted)
			queue_out(t, s);
	}
}
