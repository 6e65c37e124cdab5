#include "ike/child.h"

#include <stdlib.h>

#include "ike/beside.h"
#include "ike/engine.h"
#include "ike/followup.h"

/* Life ----------------------------------------------------------------------------------------- */

static void forget_keys(struct child *c)
{
	if (!c->keys)
		return;
	secret_wipe(c->keys, sizeof *c->keys);
	free(c->keys);
	c->keys = NULL;
}

struct child *child_new(struct ike_sa *sa)
{
	struct child *c = calloc(1, sizeof *c);
	struct child **at = &sa->children;

	if (!c)
		return NULL;
	c->sa = sa;
	c->due_ms = NEVER_MS;
	engine_new_esp_spi(c);
	while (*at)
		at = &(*at)->next;
	*at = c;
	return c;
}

void child_free(struct child *c)
{
	struct child **at = &c->sa->children;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->sa->child == c)
		c->sa->child = NULL;
	if (c->sa->rekey && c->sa->rekey->rival == c)
		c->sa->rekey->rival = NULL;
	if (c->sa->due && c->sa->due->fresh == c)
		c->sa->due->fresh = NULL;
	table_remove(&c->sa->ike->by_esp, &c->by_esp);
	forget_keys(c);
	secret_wipe(c, sizeof *c);
	free(c);
}

void child_drop_out(struct child *c)
{
	c->add_out = false;
	if (!c->has_out)
		return;
	c->has_out = false;
	c->del_out = true;
	out_put(&c->sa->ike->out, &c->del, SLOT_DELETE_SAS);
}

void child_drop(struct child *c)
{
	child_drop_out(c);
	c->phase = CHILD_FADING;
	c->due_ms = NEVER_MS;
	c->replaces = 0;
	c->add_in = false;
	if (c->has_in) {
		c->has_in = false;
		c->del_in = true;
		out_put(&c->sa->ike->out, &c->del, SLOT_DELETE_SAS);
	}
	if (child_is_over(c))
		child_free(c);
}

bool child_is_over(const struct child *c)
{
	return c->phase == CHILD_FADING && !c->has_in && !c->has_out && !c->add.queued && !c->remap.queued && !c->del.queued;
}

void child_add(struct child *c, bool in, bool out)
{
	c->add_in = in;
	c->add_out = out;
	out_put(&c->sa->ike->out, &c->add, SLOT_ADD_SAS);
}

void child_remap(struct child *c)
{
	if (c->has_in || c->has_out)
		out_put(&c->sa->ike->out, &c->remap, SLOT_REMAP_SAS);
}

static void sends_with(struct child *c)
{
	struct ike_sa *sa = c->sa;

	sa->child = c;
	sa->spi_in = c->spi_in;
	sa->spi_out = c->spi_out;
	sa->esp_suite = c->suite;
}

void child_take_over(struct child *c)
{
	c->phase = CHILD_LIVE;
	c->due_ms = NEVER_MS;
	sends_with(c);
	engine_news(c->sa, NEWS_CHILD_REKEYED);
}

enum ike_err child_derive(struct child *c, const struct dh_shared *shared, struct span ni, struct span nr,
			  const struct secret *more, bool i_asked)
{
	struct ike_sa *sa = c->sa;

	if (!c->keys)
		c->keys = calloc(1, sizeof *c->keys);
	if (!c->keys)
		return IKE_E_NOMEM;
	return esp_keys_derive(&sa->suite, &c->suite, &sa->keys.d, shared, ni, nr, more,
			       i_asked ? &c->keys->out : &c->keys->in, i_asked ? &c->keys->in : &c->keys->out);
}

/* Looking -------------------------------------------------------------------------------------- */

struct child *child_by_spi_out(const struct ike_sa *sa, uint32_t spi_out)
{
	struct child *c = sa->children;

	while (c && (c->phase == CHILD_NEW || c->phase == CHILD_FADING || c->spi_out != spi_out))
		c = c->next;
	return c;
}

struct child *child_heir(const struct child *c)
{
	struct child *at, *heir = NULL;

	for (at = c->sa->children; at; at = at->next) {
		if (at->phase == CHILD_HALF && at->replaces == c->spi_out)
			heir = at;
	}
	return heir;
}

struct child *child_in_phase(const struct ike_sa *sa, enum child_phase phase)
{
	struct child *c = sa->children;

	while (c && c->phase != phase)
		c = c->next;
	return c;
}

unsigned child_count(const struct ike_sa *sa)
{
	const struct child *c;
	unsigned n = 0;

	for (c = sa->children; c; c = c->next)
		n++;
	return n;
}

/* Time ----------------------------------------------------------------------------------------- */

uint64_t children_due_ms(const struct ike_sa *sa)
{
	const struct child *c;
	uint64_t due = NEVER_MS;

	for (c = sa->children; c; c = c->next) {
		if (c->due_ms < due)
			due = c->due_ms;
	}
	return due;
}

static void come_due(struct child *c, uint64_t now_ms)
{
	struct child *old;

	c->due_ms = NEVER_MS;
	switch (c->phase) {
	case CHILD_HALF:
		if (c->replaces == 0) {
			c->phase = CHILD_DOOMED;
			return;
		}
		old = child_by_spi_out(c->sa, c->replaces);
		if (old && old->phase == CHILD_LIVE)
			old->due_ms = now_ms + REPLACED_MS;
		if (!c->has_out)
			child_add(c, false, true);
		child_take_over(c);
		return;
	case CHILD_LIVE:
		c->phase = CHILD_DOOMED;
		return;
	case CHILD_FADING:
		child_drop(c);
		return;
	case CHILD_NEW: case CHILD_DOOMED: case CHILD_TOLD:
		return;
	}
}

void children_due(struct ike_sa *sa, uint64_t now_ms)
{
	struct child *c, *next;

	for (c = sa->children; c; c = next) {
		next = c->next;
		if (c->due_ms <= now_ms)
			come_due(c, now_ms);
	}
}

static void fade_into(struct child *c, struct ike_sa *heir, uint64_t now_ms)
{
	struct child **at = &heir->children;

	child_drop_out(c);
	forget_keys(c);
	if (c->phase != CHILD_FADING)
		c->due_ms = now_ms + FADE_MS;
	c->phase = CHILD_FADING;
	c->replaces = 0;
	c->next = NULL;
	c->sa = heir;
	while (*at)
		at = &(*at)->next;
	*at = c;
}

void children_fade_into(struct ike_sa *from, struct ike_sa *heir, uint64_t now_ms)
{
	struct child *c, **at = &from->children;

	while ((c = *at) != NULL) {
		if (!c->has_in) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		if (from->child == c)
			from->child = NULL;
		fade_into(c, heir, now_ms);
	}
}

/* The first one -------------------------------------------------------------------------------- */

enum ike_err child_begin(struct ike_sa *sa)
{
	if (sa->child)
		engine_new_esp_spi(sa->child);
	else
		sa->child = child_new(sa);
	if (!sa->child)
		return IKE_E_NOMEM;
	sa->spi_in = sa->child->spi_in;
	return IKE_OK;
}

enum ike_err child_agree(struct ike_sa *sa, const struct dh_shared *shared, struct span ni, struct span nr)
{
	struct child *c = sa->child;

	c->suite = sa->hs->esp.suite;
	c->spi_out = sa->hs->esp.peer_spi;
	sends_with(c);
	return child_derive(c, shared, ni, nr, NULL, sa->initiator);
}

void child_protect(struct ike_sa *sa)
{
	sa->expire_ms = NEVER_MS;
	engine_ask(sa, SLOT_PROTECT);
}

enum ike_err child_install(struct ike_sa *sa)
{
	/* RFC 7296 2.17: no key exchange of its own in IKE_AUTH; the nonces are those of
	 * IKE_SA_INIT. */
	enum ike_err err = child_agree(sa, NULL, sa_nonce_i(sa), sa_nonce_r(sa));

	if (err == IKE_OK)
		child_protect(sa);
	return err;
}

void child_is_up(struct ike_sa *sa)
{
	sa->was_up = true;
	sa->always_udp = sa->hs->encapsulate;
	sa->wants_keepalive = sa->encapsulated && (sa->nat.local_behind_nat || sa->always_udp);
	sa->child->has_in = true;
	sa->child->phase = CHILD_HALF;
	if (beside_waits(sa))
		return;
	sa->child->has_out = true;
	child_is_sent_with(sa);
}

void child_is_sent_with(struct ike_sa *sa)
{
	sa->child->phase = CHILD_LIVE;
	sa->ike->stats.established++;
	out_put(&sa->ike->out, &sa->up, SLOT_UP);
}

bool child_is_elsewhere(const struct ike_sa *sa)
{
	return sa->child && sa->child->has_in &&
	       !(ip_equal(&sa->child->local, &sa->path.local.addr) && ip_equal(&sa->child->remote, &sa->path.remote.addr));
}

bool child_is_tunnel(const struct ike_sa *sa)
{
	return sa->inner_local.family != IP_NONE;
}

struct ts_ends child_ends(const struct ike_sa *sa)
{
	if (child_is_tunnel(sa))
		return (struct ts_ends){ .us = sa->inner_local, .peer = sa->inner_remote };
	return (struct ts_ends){
		.us = sa->path.local.addr, .us_behind_nat = sa->nat.local_behind_nat,
		.peer = sa->path.remote.addr, .peer_behind_nat = sa->nat.remote_behind_nat,
	};
}

/* Requests to the kernel ----------------------------------------------------------------------- */

static void addresses(const struct child *c, struct kernel_request *out)
{
	const struct ike_sa *sa = c->sa;

	out->reqid = sa->reqid;
	out->local = c->local;
	out->remote = c->remote;
	out->inner_local = sa->inner_local;
	out->inner_remote = sa->inner_remote;
}

static void move_keys(struct esp_keys *to, struct esp_keys *from)
{
	secret_move(&to->encr, &from->encr);
	secret_move(&to->integ, &from->integ);
}

static void ports(const struct ike_sa *sa, struct kernel_request *request)
{
	if (!sa->encapsulated)
		return;
	request->encap_local_port = sa->path.local.port;
	request->encap_remote_port = sa->path.remote.port;
}

static void request_sas(struct child *c, bool in, bool out, struct kernel_request *request)
{
	const struct ike_sa *sa = c->sa;

	if (!c->has_in) {
		c->local = sa->path.local.addr;
		c->remote = sa->path.remote.addr;
	}
	addresses(c, request);
	request->suite = c->suite;
	if (in) {
		request->spi_in = c->spi_in;
		move_keys(&request->keys_in, &c->keys->in);
	}
	if (out) {
		request->spi_out = c->spi_out;
		move_keys(&request->keys_out, &c->keys->out);
		forget_keys(c);         /* the half in was asked for before, or just now */
	}
	ports(sa, request);
}

void child_protect_request(struct child *c, struct kernel_request *out)
{
	/* Who asked knows whom he reached, wherever he sends from; an anonymous client is a pair of addresses and no more. */
	*out = (struct kernel_request){ .op = KERNEL_PROTECT, .shield = c->sa->initiator };
	request_sas(c, true, !beside_waits(c->sa), out);
}

void child_add_request(struct child *c, struct kernel_request *out)
{
	/* The policies of a tunnel name its ends. */
	*out = (struct kernel_request){ .op = KERNEL_ADD_SAS };
	if (child_is_elsewhere(c->sa))
		*out = (struct kernel_request){ .op = KERNEL_PROTECT, .shield = c->sa->we_started };
	request_sas(c, c->add_in, c->add_out, out);
	c->has_in = c->has_in || c->add_in;
	c->has_out = c->has_out || c->add_out;
	c->add_in = c->add_out = false;
}

void child_remap_request(const struct child *c, struct kernel_request *out)
{
	*out = (struct kernel_request){ .op = KERNEL_REMAP, .suite = c->suite };
	addresses(c, out);
	out->spi_in = c->has_in ? c->spi_in : 0;
	out->spi_out = c->has_out ? c->spi_out : 0;
	ports(c->sa, out);
}

void child_delete_request(struct child *c, struct kernel_request *out)
{
	*out = (struct kernel_request){ .op = KERNEL_DELETE_SAS };
	addresses(c, out);
	out->spi_in = c->del_in ? c->spi_in : 0;
	out->spi_out = c->del_out ? c->spi_out : 0;
	c->del_in = c->del_out = false;
}
