/* What the hosts of whole.h stand in: chance, the environment of the tunnel layer, outputs, the wire, time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "tests/sim/kem_double.h"
#include "tests/sim/whole.h"

uint32_t whole_chance(struct whole *w, uint32_t below)
{
	uint64_t z = (w->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return below ? (uint32_t)((z ^ z >> 31) >> 32) % below : 0;
}

static void fill(void *arg, void *to, size_t n)
{
	uint8_t *b = to;

	while (n-- > 0)
		*b++ = (uint8_t)whole_chance(arg, 256);
}

static void say(void *arg, enum log_level level, const char *text)
{
	const struct whole *w = arg;

	(void)level;
	if (w->verbose)
		printf("%9llu  %s\n", (unsigned long long)w->now_ms, text);
}

void whole_broken(struct whole *w, const char *format, ...)
{
	va_list args;

	if (w->broken[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(w->broken, sizeof w->broken, format, args);
	va_end(args);
	log_info(&w->log, "BROKEN: %s", w->broken);
}

void whole_begin(struct whole *w)
{
	w->rng = (struct rng){ .fill = fill, .arg = w };
	w->log = (struct log){ .write = say, .arg = w, .max = LOG_LEVEL_INFO };
}

/* Environment of the tunnel layer ---------------------------------------------------------------- */

struct env_arg {
	struct whole *w;
	struct host *h;
	struct tunnel_env env;      /* borrowed by the layer */
};

static struct env_arg env_args[HOSTS];

static enum ike_err source_address(void *arg, const struct ip_addr *remote, struct ip_addr *local)
{
	(void)remote;
	*local = ((struct env_arg *)arg)->h->addr;
	return IKE_OK;
}

static bool is_own(void *arg, const struct ip_addr *a)
{
	return whole_is_own(((struct env_arg *)arg)->h, a);
}

static bool is_behind(void *arg, const struct ip_addr *a)
{
	(void)arg;
	(void)a;
	return false;
}

static enum ike_err traffic(void *arg, uint32_t reqid, uint32_t spi_in, uint32_t spi_out,
			    const struct ip_addr *local, const struct ip_addr *remote,
			    struct sa_traffic *out)
{
	const struct env_arg *env = arg;
	int i = whole_pair_of(env->h, spi_in);

	(void)reqid;
	(void)spi_out;
	(void)local;
	(void)remote;
	memset(out, 0, sizeof *out);
	if (i < 0)
		return IKE_E_STATE;
	out->packets_in = env->h->pair[i].packets_in;
	out->packets_out = env->h->pair[i].packets_out;
	out->bytes_in = out->packets_in * 100;
	out->bytes_out = out->packets_out * 100;
	out->idle_in_s = (uint32_t)((env->w->now_ms - env->h->pair[i].last_in_ms) / 1000);
	out->idle_out_s = (uint32_t)((env->w->now_ms - env->h->pair[i].last_out_ms) / 1000);
	return IKE_OK;
}

/* The NAT ---------------------------------------------------------------------------------------- */

static const struct ip_addr nat_address = { .family = IP_V4, .b = { 198, 51, 100, 1 } };
enum { NAT_PORTS = 20000, NAT_STEP = 10000 };       /* each address of the client has as many of the NAT's ports */

static void go_out(const struct host *client, struct ip_endpoint *from)
{
	for (unsigned own = 0; own < OWN_MAX; own++) {
		if (ip_equal(&client->own[own], &from->addr))
			*from = (struct ip_endpoint){ nat_address, (uint16_t)(NAT_PORTS + own * NAT_STEP + from->port) };
	}
}

static void come_in(const struct host *client, struct ip_endpoint *to)
{
	unsigned port = to->port - (unsigned)NAT_PORTS;

	*to = (struct ip_endpoint){ client->own[port / NAT_STEP], (uint16_t)(port % NAT_STEP) };
}

/* As it arrives; NULL: nowhere. */
static struct host *translate(struct whole *w, const struct host *from, struct ip_path *path)
{
	struct host *client = &w->host[CLIENT];

	if (w->nat && from->number == POOLED && ip_equal(&path->local.addr, &nat_address)) {
		come_in(client, &path->local);
		return client;
	}
	if (w->nat && from->number == POOLED && whole_is_own(client, &path->local.addr))
		return NULL;
	if (w->nat && from == client && whole_is_own(&w->host[POOLED], &path->local.addr))
		go_out(client, &path->remote);
	return whole_host_of(w, &path->local.addr);
}

/* Outputs -------------------------------------------------------------------------------------- */

static void send_datagram(struct whole *w, struct host *from, const struct ip_path *path,
			  struct span bytes)
{
	struct ip_path arrives = { .local = path->remote, .remote = path->local };
	struct host *to = translate(w, from, &arrives);
	struct datagram *d, **at = &w->wire;

	if (!to || from->silent || to->silent || (w->bad_wire && whole_chance(w, 100) < 25))
		return;
	d = malloc(sizeof *d + bytes.n);
	if (!d)
		abort();
	*d = (struct datagram){ .to = to, .path = arrives, .n = bytes.n };
	d->due_ms = w->now_ms + 1 + whole_chance(w, w->bad_wire ? 80 : 10);
	memcpy(d->b, bytes.p, bytes.n);
	while (*at && (*at)->due_ms <= d->due_ms)
		at = &(*at)->next;
	d->next = *at;
	*at = d;
}

static void take_verdict(struct whole *w, const struct tunnel_output *o)
{
	struct request *r = &w->request[o->id % REQUESTS_MAX];
	const struct host *named;
	uint64_t expires = w->now_ms + (uint64_t)o->verdict.ttl_cap_s * 1000;

	if (!r->waits) {
		whole_broken(w, "a second verdict");
		return;
	}
	r->waits = false;
	named = &w->host[r->host];
	if (w->now_ms > r->due_ms)
		whole_broken(w, "a verdict after the deadline");
	if (o->verdict.kind != RP_ALLOW) {
		w->refused++;
		return;
	}
	w->allowed++;
	if (!whole_protected(&w->host[CLIENT], &r->from, &named->addr))
		whole_broken(w, "host %u is allowed without protection", r->host);
	if (expires > w->answer_expires_ms[r->host])
		w->answer_expires_ms[r->host] = expires;
}

static void take_verdict_back(struct whole *w, struct host *h, const struct tunnel_output *o)
{
	const struct ip_addr *client = &w->back_to[h->number];

	if (!w->back_waits[h->number])
		whole_broken(w, "a second verdict");
	w->back_waits[h->number] = false;
	if (o->verdict.kind == RP_ALLOW && !whole_protected(h, &h->addr, client))
		whole_broken(w, "the client is allowed without protection");
	if (o->verdict.kind == RP_ALLOW)
		w->allowed++;
	else
		w->refused++;
}

/* Who says that it is "hostN.example" or below has to prove what that host publishes. */
static void authorize(struct whole *w, struct host *h, const struct ike_output *o)
{
	const struct dnsname *claimed = &o->u.authorize.claimed;
	struct keyset *keys = NULL;
	enum rp_reason refuse = REASON_KEY_LOOKUP_FAILED;
	struct dnsname name;
	uint32_t reqid = 0;
	char text[32];

	for (unsigned i = 0; i < HOSTS; i++) {
		snprintf(text, sizeof text, "host%u.example", i);
		if (dnsname_from_text(text, &name) != IKE_OK)
			abort();
		if (dnsname_equal(&name, claimed))
			keys = sim_keyset(w->host[i].published, w->host[i].n_published, &o->u.authorize.client.path.remote.addr);
	}
	if (claimed->n == 0 || keys)
		refuse = tunnels_authorize(h->tunnels, &o->u.authorize.client, keys, &reqid, w->now_ms);
	ike_authorized(h->ike, o->id, refuse, "", keys, reqid, w->now_ms);
	keyset_unref(keys);
}

static void ike_output(struct whole *w, struct host *h, struct ike_output *o)
{
	uint8_t value[1024], method;
	struct wr value_wr = wr_over(value, sizeof value);
	enum ike_err err;

	switch (o->kind) {
	case OUT_SEND:
		send_datagram(w, h, &o->u.send.path, o->u.send.datagram);
		break;
	case OUT_KERNEL:
		err = whole_apply(w, h, &o->u.kernel);
		ike_done(h->ike, o->id, err, w->now_ms);
		break;
	case OUT_SIGN:
		err = privkey_sign(h->key, o->u.sign.hashes, o->u.sign.parts, IKE_SIGNED_PARTS, &method, &value_wr);
		ike_signed(h->ike, o->id, err, method, wr_span(&value_wr), w->now_ms);
		break;
	case OUT_AUTHORIZE:
		authorize(w, h, o);
		break;
	case OUT_EVENT:
		tunnels_ike_event(h->tunnels, &o->u.event, w->now_ms);
		break;
	}
}

void whole_pump(struct whole *w, struct host *h)
{
	struct ike_output ike;
	struct tunnel_output tunnel;
	bool busy = true;

	while (busy) {
		busy = false;
		while (ike_next_output(h->ike, &ike)) {
			busy = true;
			ike_output(w, h, &ike);
		}
		while (tunnels_next_output(h->tunnels, &tunnel)) {
			busy = true;
			if (tunnel.kind == TUNNEL_VERDICT && h->number != CLIENT)
				take_verdict_back(w, h, &tunnel);
			else if (tunnel.kind == TUNNEL_VERDICT)
				take_verdict(w, &tunnel);
			else if (tunnel.kind == TUNNEL_KERNEL)
				tunnels_kernel_done(h->tunnels, tunnel.id,
						    whole_apply(w, h, &tunnel.kernel), w->now_ms);
		}
	}
}

/* Time ----------------------------------------------------------------------------------------- */

static uint64_t next_ms(const struct whole *w)
{
	uint64_t next = w->wire ? w->wire->due_ms : UINT64_MAX;

	for (unsigned i = 0; i < HOSTS; i++) {
		uint64_t ike = ike_deadline_ms(w->host[i].ike),
			 tunnels = tunnels_deadline_ms(w->host[i].tunnels);

		next = ike < next ? ike : next;
		next = tunnels < next ? tunnels : next;
	}
	return next;
}

void whole_run_until(struct whole *w, uint64_t until_ms)
{
	unsigned steps = 0;

	while (next_ms(w) <= until_ms && ++steps < 100000) {
		struct datagram *d = w->wire;

		if (next_ms(w) > w->now_ms)
			w->now_ms = next_ms(w);
		if (d && d->due_ms <= w->now_ms) {
			w->wire = d->next;
			ike_input(d->to->ike, &d->path, span_of(d->b, d->n), w->now_ms);
			free(d);
		}
		for (unsigned i = 0; i < HOSTS; i++) {
			ike_tick(w->host[i].ike, w->now_ms);
			tunnels_tick(w->host[i].tunnels, w->now_ms);
			whole_pump(w, &w->host[i]);
		}
		for (unsigned i = 0; i < w->n_requests; i++) {
			if (w->request[i].waits && w->now_ms > w->request[i].due_ms)
				whole_broken(w, "no verdict by the deadline");
		}
	}
	if (steps >= 100000)
		whole_broken(w, "it never comes to rest");
	w->now_ms = until_ms;
}

/* Beginning -------------------------------------------------------------------------------------- */

static void start(struct whole *w, struct host *h)
{
	static const struct dnsname everybody = { 1, { 0 } };
	/* The client says who it is in half of the schedules. */
	struct tunnel_config config = { .accept_anonymous = h->number != CLIENT,
					.accept_identified = true,
					.identify_to = &everybody,
					.n_identify_to = h->number != CLIENT || w->named,
					.idle_s = 20,
					.soft_life_s = 90 };
	/* One of them has no ML-KEM. */
	struct ike_config ike = { .respond = true, .kem = h->number != 1 ? &kem_double : NULL };
	/* And one makes no tokens. */
	static const uint8_t secrets[HOSTS][32] = { { 1 }, { 2 }, { 3 }, { 4 } };
	struct env_arg *arg = &env_args[h->number];
	char name[32];

	if (h->number == POOLED && w->nat) {
		/* Another pool each time: what it assigned before is nobody's. */
		ike.pool_v4 = (struct ip_addr){ .family = IP_V4, .b = { 100, 64, (uint8_t)h->boots++, 1 } };
		ike.pool_v4_size = 16;
	}
	if (h->number != 2)
		ike.qcd_secret = span_of(secrets[h->number], sizeof secrets[0]);
	w->back_waits[h->number] = false;
	snprintf(name, sizeof name, "host%u.example", h->number);
	if (dnsname_from_text(name, &ike.identity) != IKE_OK)
		abort();
	*arg = (struct env_arg){ .w = w, .h = h };
	arg->env = (struct tunnel_env){
		.arg = arg,
		.source_address = source_address,
		.is_own_address = is_own,
		.is_behind = is_behind,
		.traffic = traffic,
	};
	tunnels_free(h->tunnels);
	ike_free(h->ike);
	memset(h->pair, 0, sizeof h->pair);
	if (ike_new(&ike, &w->rng, &w->log, &h->ike) != IKE_OK ||
	    tunnels_new(&config, &arg->env, h->ike, &w->rng, &w->log, &h->tunnels) != IKE_OK)
		abort();
}

void whole_boot(struct whole *w, struct host *h)
{
	memset(h->policy, 0, sizeof h->policy);
	start(w, h);
}

void whole_restart(struct whole *w, struct host *h)
{
	whole_make_orphans(h);
	whole_flush_sas(h);
	start(w, h);
	for (unsigned i = 0; i < w->n_requests && h->number == CLIENT; i++)
		w->request[i].waits = false;    /* the resolver has seen it go */
}
