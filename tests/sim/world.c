#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "tests/sim/world_kernel.h"
#include "wire/msg.h"

enum { WIRE_MS = 5 };

/* Small things --------------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t next_random(struct sim_world *w)
{
	uint64_t z = (w->rng_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void fill(void *arg, void *to, size_t n)
{
	uint8_t *b = to;

	while (n > 0) {
		uint64_t r = next_random(arg);
		size_t part = n < sizeof r ? n : sizeof r;

		memcpy(b, &r, part);
		b += part;
		n -= part;
	}
}

uint32_t sim_random(struct sim_world *w, uint32_t below)
{
	return below ? (uint32_t)(next_random(w) >> 32) % below : 0;
}

void sim_broken(struct sim_world *w, const char *format, ...)
{
	va_list args;

	if (w->broken[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(w->broken, sizeof w->broken, format, args);
	va_end(args);
	if (w->verbose)
		printf("%8llu ms  BROKEN: %s\n", (unsigned long long)w->now_ms, w->broken);
}

static void write_log(void *arg, enum log_level level, const char *text)
{
	const struct sim_world *w = arg;

	(void)level;
	if (w->verbose)
		printf("%8llu ms          %s\n", (unsigned long long)w->now_ms, text);
}

static void show(const struct sim_world *w, const struct sim_datagram *d, const char *fate)
{
	struct ike_hdr hdr;

	if (!w->verbose)
		return;
	if (ike_hdr_read(span_of(d->b, d->n), &hdr) != IKE_OK)
		hdr.exchange = 0;
	printf("%8llu ms  #%-4u %s  %s %s %u, %zu bytes%s, port %u to %u%s\n",
	       (unsigned long long)w->now_ms, d->serial, d->from == CLIENT ? "C --> S" : "C <-- S",
	       ike_exchange_name(hdr.exchange),
	       hdr.flags & IKE_FLAG_RESPONSE ? "response" : "request", hdr.message_id, d->n,
	       hdr.next_payload == PL_SKF ? " (fragment)" : "", d->path.remote.port,
	       d->path.local.port, fate);
}

/* The wire ------------------------------------------------------------------------------------- */

bool sim_is_mapped(const struct sim_world *w, uint16_t port)
{
	uint16_t inside = (uint16_t)(port - w->nat_port);

	return inside == 500 || inside == 4500;
}

/* How the receiver sees it. A translator in front of the client maps its address and each of its
 * ports. */
static bool translate(const struct sim_world *w, enum sim_side from, const struct ip_path *sent,
		      struct ip_path *seen)
{
	seen->local = sent->remote;
	seen->remote = sent->local;
	if (!w->nat)
		return ip_equal(&seen->local.addr, &w->host[!from].addr);
	if (from == CLIENT) {
		seen->remote.addr = w->nat_addr;
		seen->remote.port = (uint16_t)(sent->local.port + w->nat_port);
		return ip_equal(&seen->local.addr, &w->host[SERVER].addr);
	}
	if (!ip_equal(&sent->remote.addr, &w->nat_addr) || !sim_is_mapped(w, sent->remote.port))
		return false;
	seen->local.addr = w->host[CLIENT].addr;
	seen->local.port = (uint16_t)(sent->remote.port - w->nat_port);
	return true;
}

/* The world must have memory; one failure may be meant for the core (tests/unit/test_ike_memory.c). */
static struct sim_datagram *new_datagram(size_t n)
{
	struct sim_datagram *d = malloc(sizeof *d + n);

	if (!d)
		d = malloc(sizeof *d + n);
	if (!d)
		abort();
	return d;
}

static void send_datagram(struct sim_world *w, enum sim_side from, const struct ip_path *path,
			  struct span bytes)
{
	struct sim_datagram *d = new_datagram(bytes.n);

	*d = (struct sim_datagram){ .from = from };
	d->to = from == CLIENT ? SERVER : CLIENT;
	d->serial = ++w->sent;
	d->n = bytes.n;
	memcpy(d->b, bytes.p, bytes.n);
	if (!translate(w, from, path, &d->path)) {
		show(w, d, " [nowhere]");
		free(d);
		return;
	}
	if (w->carry)
		w->carry(w, d, w->carry_arg);
	else
		sim_deliver_later(w, d, WIRE_MS);
}

void sim_inject(struct sim_world *w, enum sim_side from, uint16_t port, struct span bytes)
{
	struct ip_path path = {
		.local = { .addr = w->host[from].addr, .port = port },
		.remote = { .addr = w->host[!from].addr, .port = port },
	};

	send_datagram(w, from, &path, bytes);
	sim_deliver(w, sim_take(w));
}

void sim_remove_host(struct sim_world *w, enum sim_side side)
{
	ike_free(w->host[side].ike);
	w->host[side].ike = NULL;
}

void sim_deliver_later(struct sim_world *w, struct sim_datagram *d, uint64_t delay_ms)
{
	struct sim_datagram **at = &w->wire;

	d->due_ms = w->now_ms + delay_ms;
	while (*at && (*at)->due_ms <= d->due_ms)
		at = &(*at)->next;
	d->next = *at;
	*at = d;
}

struct sim_datagram *sim_copy(const struct sim_datagram *d)
{
	struct sim_datagram *copy = new_datagram(d->n);

	memcpy(copy, d, sizeof *d + d->n);
	return copy;
}

struct sim_datagram *sim_take(struct sim_world *w)
{
	struct sim_datagram *d = w->wire;

	if (d)
		w->wire = d->next;
	return d;
}

void sim_deliver(struct sim_world *w, struct sim_datagram *d)
{
	show(w, d, "");
	if (w->host[d->to].ike)
		ike_input(w->host[d->to].ike, &d->path, span_of(d->b, d->n), w->now_ms);
	free(d);
	sim_pump(w);
}

/* Events --------------------------------------------------------------------------------------- */

struct sim_end *sim_end_of(struct sim_world *w, enum sim_side side, ike_handle sa)
{
	struct sim_host *h = &w->host[side];
	unsigned i;

	for (i = 0; i < h->n_ends; i++) {
		if (h->ends[i].sa == sa)
			return &h->ends[i];
	}
	if (h->n_ends == SIM_ENDS_MAX)
		abort();
	h->ends[h->n_ends] = (struct sim_end){ .sa = sa };
	return &h->ends[h->n_ends++];
}

static bool has_sa(const struct sim_host *h, const struct ike_tunnel *t)
{
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		if (h->sas[i].in && h->sas[i].asked.spi_in == t->spi_in && h->sas[i].asked.reqid == t->reqid)
			return true;
	}
	return false;
}

static void take_event(struct sim_world *w, enum sim_side side, const struct ike_event *e)
{
	struct sim_end *end = sim_end_of(w, side, e->tunnel.sa);
	bool installed = has_sa(&w->host[side], &e->tunnel);

	if (end->ends > 0)
		sim_broken(w, "an event after the end of an SA");
	switch (e->kind) {
	case EV_ESTABLISHED:
		if (end->ups++ > 0)
			sim_broken(w, "established twice");
		if (!installed)
			sim_broken(w, "established without an SA in the kernel");
		break;
	case EV_REKEYED:
		end->rekeyed++;
		if (end->ups != 1 || !installed)
			sim_broken(w, "rekeyed without an SA in the kernel");
		break;
	case EV_REKEY_FAILED:
		end->kept++;
		break;
	case EV_SILENT:
		end->silent++;
		if (end->ups != 1)
			sim_broken(w, "silent without having been established");
		break;
	case EV_FAILED:
		end->ends++;
		if (end->ups > 0)
			sim_broken(w, "failed after it was established");
		if (installed)
			sim_broken(w, "failed, and its SAs are still there");
		break;
	case EV_CLOSED:
		w->host[side].missed_spi = 0;
		end->ends++;
		if (end->ups != 1)
			sim_broken(w, "closed without having been established");
		/* What is under way to it another one of the pair may still receive. */
		if (installed && !w->one_pair)
			sim_broken(w, "closed, and its SAs are still there");
		break;
	}
	if (e->kind == EV_FAILED
		    ? e->reason == REASON_NONE
		    : e->kind == EV_CLOSED && e->reason == REASON_NONE && e->detail[0] == '\0')
		sim_broken(w, "an end without a reason");
	end->last = *e;
	if (e->tunnel.peer_name)
		end->peer_name = *e->tunnel.peer_name;
	end->last.tunnel.peer_name = NULL;      /* views */
	end->last.tunnel.peer_keys = NULL;
}

/* Decisions ------------------------------------------------------------------------------------ */

static struct sim_pending *new_pending(struct sim_world *w, enum sim_side side,
				       const struct ike_output *o)
{
	struct sim_host *h = &w->host[side];
	unsigned i;

	for (i = 0; i < SIM_PENDING_MAX; i++) {
		struct sim_pending *p = &h->pending[i];

		if (p->used)
			continue;
		*p = (struct sim_pending){ .used = true, .due_ms = w->now_ms + h->decides_after_ms, .id = o->id, .kind = o->kind };
		return p;
	}
	abort();
}

static void take_kernel(struct sim_world *w, enum sim_side side, struct ike_output *o)
{
	struct sim_host *h = &w->host[side];
	struct kernel_request *k = &o->u.kernel;
	struct sim_pending *p;

	if (w->verbose)
		printf("%8llu ms          %s kernel: %s spi %08x/%08x\n",
		       (unsigned long long)w->now_ms, side == CLIENT ? "client" : "server",
		       k->op == KERNEL_PROTECT ? "protect" : k->op == KERNEL_ADD_SAS ? "add SAs" : k->op == KERNEL_REMAP ? "remap" : "delete SAs",
		       k->spi_in, k->spi_out);
	if (k->op == KERNEL_DELETE_SAS) {
		sim_kernel_delete(w, side, k);
	} else if (k->op == KERNEL_REMAP) {
		sim_kernel_remap(w, side, k);
	} else {
		p = new_pending(w, side, o);
		p->kernel = true;
		if (h->kernel_fails > 0) {
			h->kernel_fails--;
			p->result = IKE_E_KERNEL;
		} else {
			sim_kernel_add(w, side, k);
		}
	}
	secret_wipe(k, sizeof *k);
}

static void take_sign(struct sim_world *w, enum sim_side side, const struct ike_output *o)
{
	struct sim_host *h = &w->host[side];
	struct sim_pending *p = new_pending(w, side, o);
	struct wr out = wr_over(p->auth, sizeof p->auth);

	h->asked_to_sign++;
	p->result = h->sign_fails
			    ? IKE_E_CRYPTO
			    : privkey_sign(h->key, o->u.sign.hashes, o->u.sign.parts, IKE_SIGNED_PARTS, &p->method, &out);
	p->auth_n = p->result == IKE_OK ? wr_span(&out).n : 0;
}

static uint32_t next_reqid(const struct sim_world *w, struct sim_host *h)
{
	h->last_reqid++;
	return KERNEL_REQID_BASE | (w->one_pair ? 1 : h->last_reqid);
}

static void take_authorize(struct sim_world *w, enum sim_side side, const struct ike_output *o)
{
	struct sim_host *h = &w->host[side];
	struct sim_pending *p = new_pending(w, side, o);

	h->asked_to_authorize++;
	h->asked_name = o->u.authorize.asked_name;
	h->claimed = o->u.authorize.claimed;
	p->reason = h->refuses;
	if (h->claimed.n > 0) {
		p->keys = h->known;
		if (!h->known && p->reason == REASON_NONE)
			p->reason = REASON_KEY_LOOKUP_FAILED;
	}
	p->reqid = next_reqid(w, h);
}

static void take_outputs(struct sim_world *w, enum sim_side side)
{
	struct ike_output o;

	while (w->host[side].ike && ike_next_output(w->host[side].ike, &o)) {
		switch (o.kind) {
		case OUT_SEND:
			send_datagram(w, side, &o.u.send.path, o.u.send.datagram);
			break;
		case OUT_KERNEL:
			take_kernel(w, side, &o);
			break;
		case OUT_SIGN:
			take_sign(w, side, &o);
			break;
		case OUT_AUTHORIZE:
			take_authorize(w, side, &o);
			break;
		case OUT_EVENT:
			take_event(w, side, &o.u.event);
			break;
		}
	}
	if (w->host[side].missed_spi)
		sim_broken(w, "SA %08x goes, and the other end sends with it", w->host[side].missed_spi);
}

static void complete(struct sim_world *w, enum sim_side side, struct sim_pending *p)
{
	struct ike *ike = w->host[side].ike;
	uint8_t method = w->host[side].sign_method ? w->host[side].sign_method : p->method;

	p->used = false;
	if (p->kind == OUT_KERNEL)
		ike_done(ike, p->id, p->result, w->now_ms);
	else if (p->kind == OUT_SIGN)
		ike_signed(ike, p->id, p->result, method, span_of(p->auth, p->auth_n), w->now_ms);
	else
		ike_authorized(ike, p->id, p->reason, "", p->keys, p->reqid, w->now_ms);
	take_outputs(w, side);
}

/* One decision that is due; false when there is none. */
static bool complete_one(struct sim_world *w, enum sim_side side)
{
	unsigned i;

	for (i = 0; i < SIM_PENDING_MAX; i++) {
		if (w->host[side].pending[i].used && w->host[side].pending[i].due_ms <= w->now_ms) {
			complete(w, side, &w->host[side].pending[i]);
			return true;
		}
	}
	return false;
}

void sim_pump(struct sim_world *w)
{
	take_outputs(w, CLIENT);
	take_outputs(w, SERVER);
	while (complete_one(w, CLIENT) || complete_one(w, SERVER))
		;
}

/* Time ----------------------------------------------------------------------------------------- */

uint64_t sim_next_ms(const struct sim_world *w)
{
	uint64_t next = w->wire ? w->wire->due_ms : UINT64_MAX;
	unsigned side, i;

	for (side = 0; side < SIDES; side++) {
		const struct sim_host *h = &w->host[side];

		if (h->ike && ike_deadline_ms(h->ike) < next)
			next = ike_deadline_ms(h->ike);
		for (i = 0; i < SIM_PENDING_MAX; i++) {
			if (h->pending[i].used && h->pending[i].due_ms < next)
				next = h->pending[i].due_ms;
		}
	}
	return next;
}

void sim_run_until(struct sim_world *w, uint64_t until_ms)
{
	uint64_t next;
	unsigned side, steps = 0;

	while ((next = sim_next_ms(w)) <= until_ms) {
		if (next > w->now_ms)
			w->now_ms = next;
		if (w->wire && w->wire->due_ms <= w->now_ms)
			sim_deliver(w, sim_take(w));
		for (side = 0; side < SIDES; side++) {
			if (w->host[side].ike && ike_deadline_ms(w->host[side].ike) <= w->now_ms)
				ike_tick(w->host[side].ike, w->now_ms);
		}
		sim_pump(w);
		if (++steps > 200000) {
			sim_broken(w, "it never comes to rest");
			return;
		}
	}
	w->now_ms = until_ms;
}

/* Beginning and end ---------------------------------------------------------------------------- */

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	if (ip_from_text(text, &a) != IKE_OK)
		abort();
	return a;
}

static void start(struct sim_world *w, enum sim_side side)
{
	if (ike_new(&w->host[side].config, &w->rng, &w->log, &w->host[side].ike) != IKE_OK)
		abort();
}

void sim_init(struct sim_world *w, uint64_t seed, enum ip_family family,
	      const struct ike_config *client, const struct ike_config *server,
	      enum sim_key server_key, bool verbose)
{
	memset(w, 0, sizeof *w);
	w->now_ms = 1000;
	w->rng_state = seed;
	w->rng = (struct rng){ .fill = fill, .arg = w };
	w->verbose = verbose;
	w->log = (struct log){ .write = write_log,
			       .arg = w,
			       .max = verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO };
	w->nat_addr = addr("198.51.100.77");
	w->nat_port = 20000;
	w->host[CLIENT].addr = addr(family == IP_V6 ? "2001:db8::c" : "192.0.2.10");
	w->host[SERVER].addr = addr(family == IP_V6 ? "2001:db8::5" : "203.0.113.5");
	if (server_key != KEY_MAX)
		w->host[SERVER].key = sim_privkey(server_key);
	if (client)
		w->host[CLIENT].config = *client;
	if (server)
		w->host[SERVER].config = *server;
	w->host[SERVER].config.respond = true;
	start(w, CLIENT);
	start(w, SERVER);
}

void sim_restart(struct sim_world *w, enum sim_side side)
{
	struct sim_host *h = &w->host[side];

	ike_free(h->ike);
	memset(h->sas, 0, sizeof h->sas);
	memset(h->ends, 0, sizeof h->ends);
	memset(h->pending, 0, sizeof h->pending);
	h->n_ends = 0;
	start(w, side);
}

void sim_clear(struct sim_world *w)
{
	struct sim_datagram *d;

	while ((d = sim_take(w)))
		free(d);
	ike_free(w->host[CLIENT].ike);
	ike_free(w->host[SERVER].ike);
	privkey_free(w->host[CLIENT].key);
	privkey_free(w->host[SERVER].key);
	keyset_unref(w->host[SERVER].known);
	secret_wipe(w, sizeof *w);
}

void sim_identify(struct sim_world *w, enum sim_key key, enum sim_key known)
{
	struct sim_host *client = &w->host[CLIENT], *server = &w->host[SERVER];

	client->identifies = true;
	privkey_free(client->key);
	client->key = sim_privkey(key);
	keyset_unref(server->known);
	server->known = known == KEY_MAX ? NULL : sim_keyset(&known, 1, &client->addr);
}

ike_handle sim_initiate(struct sim_world *w, struct keyset *keys, const char *name,
			uint64_t life_ms)
{
	struct sim_host *h = &w->host[CLIENT];
	struct ike_initiate how = {
		.path = { .local = { .addr = h->addr, .port = 500 },
			  .remote = { .addr = w->host[SERVER].addr, .port = 500 } },
		.keys = keys,
		.reqid = next_reqid(w, h),
		.give_up_ms = w->now_ms + life_ms,
		.encapsulate = h->encapsulate,
		.host = h->asks_for,
		.source = h->asks_from,
		.former = h->former,
		.tag = h->last_reqid,
		.identify = h->identifies,
	};
	ike_handle sa;

	if (name && dnsname_from_text(name, &how.name) != IKE_OK)
		abort();
	if (ike_initiate(h->ike, &how, w->now_ms, &sa) != IKE_OK)
		sa = 0;
	keyset_unref(keys);
	if (sa == 0)
		return 0;
	sim_end_of(w, CLIENT, sa)->ours = true;
	sim_pump(w);
	return sa;
}

unsigned sim_sas(const struct sim_world *w, enum sim_side side)
{
	unsigned i, in = 0, out = 0;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		in += w->host[side].sas[i].in;
		out += w->host[side].sas[i].out;
	}
	return in > out ? in : out;
}

void sim_check_rest(struct sim_world *w)
{
	unsigned side, i;

	for (side = 0; side < SIDES; side++) {
		struct sim_host *h = &w->host[side];
		struct ike_load load;
		unsigned up = 0;

		if (!h->ike)
			continue;
		load = ike_load(h->ike);
		for (i = 0; i < h->n_ends; i++) {
			up += h->ends[i].ups > h->ends[i].ends;
			if (h->ends[i].ups + h->ends[i].ends == 0)
				sim_broken(w, "an attempt without an end");
		}
		if (load.sas != up || load.established != up ||
		    load.initiating + load.half_open != 0)
			sim_broken(w, "%s: %u SAs where %u are up",
				   side == CLIENT ? "client" : "server", load.sas, up);
		if (sim_sas(w, (enum sim_side)side) != up)
			sim_broken(w, "%s: %u SAs in the kernel where %u are up",
				   side == CLIENT ? "client" : "server",
				   sim_sas(w, (enum sim_side)side), up);
	}
}
