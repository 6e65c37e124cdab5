/* whole: random schedules of the tunnel layer over real IKE cores: one host that resolves names, three that are named. The
 * first one has a name too, for which the others ask now and then, and say who they are.
 *
 *	whole --seeds 200                  seeds 1 to 200
 *	whole --from 17 --seeds 1 -v       one of them again, with its story
 *
 * Hosts reboot, lose packets, have their SAs flushed, hold the wrong key, roll over to a new one; names come and go; the operator
 * takes tunnels down; the client has two addresses and uses both. The promises of the design are looked at from outside, where the kernel and the resolver stand:
 *  - each request has one verdict, by its deadline;
 *  - an address is allowed only while the kernel holds a policy and an SA for it;
 *  - from then on until that answer has expired no packet from either address would pass in clear, but for the
 *    operator's word;
 *  - a host that cannot prove its key never gets a policy, whoever asks for whom;
 *  - after somebody else has deleted all SAs at one end, packets in a tunnel that the client began are answered again within 10 s;
 *  - a host that was away, and has lost all its SAs, answers packets in a tunnel that the client began again within 10 s of its
 *    return, with the key that its names published last;
 *  - in the end nothing is left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "dnskey/privkey.h"
#include "ike/ike.h"
#include "tests/sim/kem_double.h"
#include "tests/sim/keys.h"
#include "tunnel/tunnel.h"

enum {
	CLIENT,
	HOSTS = 4,
	OWN_MAX = 2,
	PAIRS_MAX = 256,
	POLICIES_MAX = 64,
	REQUESTS_MAX = 512,
	DEADLINE_MS = 1490,
	LIFE_MS = 600000,
	NAMES = 3,                      /* of each host */
	AWAY_MS = 30000,
	RETURN_MS = 10000,
	ACQUIRE_MS = 30000              /* of the kernel's larval states */
};

struct host {
	unsigned number;
	struct ip_addr addr;            /* from which it would send */
	struct ip_addr own[OWN_MAX];
	struct ike *ike;
	struct tunnels *tunnels;
	struct privkey *key;
	enum sim_key published[2];      /* by all its names; the impostor's is not its own */
	unsigned n_published;
	bool silent, impostor;
	unsigned outs_added;
	uint64_t larval_until_ms[OWN_MAX][HOSTS];       /* the kernel has said that it wants an SA */
	struct {
		bool in, out;       /* the halves that there are */
		unsigned out_serial;
		struct kernel_request asked;
		uint64_t last_in_ms, last_out_ms, packets_in, packets_out;
	} pair[PAIRS_MAX];
	struct {
		bool used;
		struct ip_addr local, remote;   /* local: IP_NONE in a shield */
	} policy[POLICIES_MAX];
};

static const struct ip_addr every_local;

struct datagram {
	struct datagram *next;
	struct host *to;
	struct ip_path path;
	uint64_t due_ms;
	size_t n;
	uint8_t b[];
};

struct request {
	bool waits;
	unsigned host;
	struct ip_addr from;            /* our address when it was asked */
	uint64_t due_ms;
};

struct whole {
	uint64_t now_ms, random;
	struct rng rng;
	struct log log;
	bool verbose, bad_wire, bad_kernels, stopping;
	struct host host[HOSTS];
	struct datagram *wire;
	struct request request[REQUESTS_MAX];
	unsigned n_requests, allowed, refused;
	bool named;                     /* the client says who it is */
	bool back_waits[HOSTS];         /* that host has asked for the client ... */
	struct ip_addr back_to[HOSTS];  /* ... at this address */
	uint64_t answer_expires_ms[HOSTS];      /* the last one of this address that was handed out */
	char broken[200];
};

static uint32_t chance(struct whole *w, uint32_t below)
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
		*b++ = (uint8_t)chance(arg, 256);
}

static void say(void *arg, enum log_level level, const char *text)
{
	const struct whole *w = arg;

	(void)level;
	if (w->verbose)
		printf("%9llu  %s\n", (unsigned long long)w->now_ms, text);
}

__attribute__((format(printf, 2, 3)))
static void broken(struct whole *w, const char *format, ...)
{
	va_list args;

	if (w->broken[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(w->broken, sizeof w->broken, format, args);
	va_end(args);
	log_info(&w->log, "BROKEN: %s", w->broken);
}

/* Kernels -------------------------------------------------------------------------------------- */

static int find_pair(const struct host *h, uint32_t spi_in)
{
	for (int i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].in && h->pair[i].asked.spi_in == spi_in)
			return i;
	}
	return -1;
}

static int find_pair_out(const struct host *h, uint32_t reqid, uint32_t spi_out)
{
	for (int i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].out && h->pair[i].asked.reqid == reqid && h->pair[i].asked.spi_out == spi_out)
			return i;
	}
	return -1;
}

static int find_policy(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	for (int i = 0; i < POLICIES_MAX; i++) {
		if (h->policy[i].used && ip_equal(&h->policy[i].local, local) &&
		    ip_equal(&h->policy[i].remote, remote))
			return i;
	}
	return -1;
}

/* Would a packet from local, an address of ours, pass in clear? */
static bool in_clear(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	return find_policy(h, local, remote) < 0 && find_policy(h, &every_local, remote) < 0;
}

/* The pair with the newest half out for these addresses, as the kernel would choose it; -1 = none. */
static int pair_to(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	int best = -1;

	for (int i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].out && ip_equal(&h->pair[i].asked.local, local) && ip_equal(&h->pair[i].asked.remote, remote) &&
		    (best < 0 || h->pair[i].out_serial > h->pair[best].out_serial))
			best = i;
	}
	return best;
}

static bool is_own_address(const struct host *h, const struct ip_addr *a)
{
	for (unsigned i = 0; i < OWN_MAX; i++) {
		if (ip_equal(&h->own[i], a))
			return true;
	}
	return false;
}

static struct host *host_of(struct whole *w, const struct ip_addr *a)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		if (is_own_address(&w->host[i], a))
			return &w->host[i];
	}
	return NULL;
}

static void add_policy(struct whole *w, struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	int i = 0;

	if (find_policy(h, local, remote) >= 0)
		return;
	while (i < POLICIES_MAX && h->policy[i].used)
		i++;
	if (i == POLICIES_MAX) {
		broken(w, "the kernel is full");
		return;
	}
	h->policy[i].used = true;
	h->policy[i].local = *local;
	h->policy[i].remote = *remote;
}

static void remove_policy(struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	int i = find_policy(h, local, remote);

	if (i >= 0)
		h->policy[i].used = false;
}

/* The half out of a pair comes after its half in, and is of the only one of this reqid that has none yet. */
static int place_for(const struct host *h, const struct kernel_request *k)
{
	int place = -1;

	for (int i = 0; i < PAIRS_MAX; i++) {
		const struct kernel_request *have = &h->pair[i].asked;
		bool is_free = !h->pair[i].in && !h->pair[i].out;

		if (k->spi_in ? is_free : h->pair[i].in && !h->pair[i].out && have->spi_out == 0 && have->reqid == k->reqid)
			place = i;
	}
	return place;
}

static void add_sas(struct whole *w, struct host *h, const struct kernel_request *k)
{
	int pair = place_for(h, k);

	if (pair < 0 || (k->spi_in && find_pair(h, k->spi_in) >= 0)) {
		broken(w, "the kernel is full, an SPI is used twice, or a half out comes alone");
		return;
	}
	if (find_policy(h, &k->local, &k->remote) < 0 && k->op == KERNEL_ADD_SAS)
		broken(w, "SAs are added where there is no policy");
	if (k->spi_in) {
		memset(&h->pair[pair], 0, sizeof h->pair[pair]);
		h->pair[pair].asked = *k;
		h->pair[pair].in = true;
	}
	if (k->spi_out) {
		h->pair[pair].asked.spi_out = k->spi_out;
		h->pair[pair].asked.keys_out = k->keys_out;
		h->pair[pair].out = true;
		h->pair[pair].out_serial = ++h->outs_added;
	}
	h->pair[pair].last_in_ms = h->pair[pair].last_out_ms = w->now_ms;
}

static void delete_sas(struct host *h, const struct kernel_request *k)
{
	int pair = k->spi_out ? find_pair_out(h, k->reqid, k->spi_out) : -1;

	if (pair >= 0)
		h->pair[pair].out = false;
	pair = k->spi_in ? find_pair(h, k->spi_in) : -1;
	if (pair >= 0)
		h->pair[pair].in = false;
}

static void protect(struct whole *w, struct host *h, const struct kernel_request *k)
{
	const struct host *peer = host_of(w, &k->remote);

	if (h->number == CLIENT && peer && peer->impostor)
		broken(w, "a host with the wrong key has a policy");
	add_sas(w, h, k);
	add_policy(w, h, &k->local, &k->remote);
	if (k->shield)
		add_policy(w, h, &every_local, &k->remote);
}

static void unprotect(struct whole *w, struct host *h, const struct kernel_request *k)
{
	const struct host *peer = host_of(w, &k->remote);

	for (unsigned i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].asked.reqid == k->reqid)
			h->pair[i].in = h->pair[i].out = false;
	}
	remove_policy(h, &k->local, &k->remote);
	if (k->shield)
		remove_policy(h, &every_local, &k->remote);
	if (h->number == CLIENT && peer && !w->stopping && k->shield &&
	    w->now_ms < w->answer_expires_ms[peer->number])
		broken(w, "the policy of host %u goes %llu ms before its answer expires",
		       peer->number,
		       (unsigned long long)(w->answer_expires_ms[peer->number] - w->now_ms));
}

static enum ike_err apply(struct whole *w, struct host *h, struct kernel_request *k)
{
	enum ike_err err = IKE_OK;

	switch (k->op) {
	case KERNEL_PROTECT:
		if (w->bad_kernels && chance(w, 30) == 0)
			err = IKE_E_KERNEL;
		else
			protect(w, h, k);
		break;
	case KERNEL_ADD_SAS:
		if (w->bad_kernels && chance(w, 30) == 0)
			err = IKE_E_KERNEL;
		else
			add_sas(w, h, k);
		break;
	case KERNEL_RETIRE:
		broken(w, "nobody assigns addresses here");
		break;
	case KERNEL_DELETE_SAS:
		delete_sas(h, k);
		break;
	case KERNEL_UNPROTECT:
		unprotect(w, h, k);
		break;
	case KERNEL_PASS:
	case KERNEL_UNPASS:
		broken(w, "nothing is forwarded here");
		break;
	}
	secret_wipe(k, sizeof *k);
	return err;
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
	return is_own_address(((struct env_arg *)arg)->h, a);
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
	int i = find_pair(env->h, spi_in);

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

/* Outputs -------------------------------------------------------------------------------------- */

static void send_datagram(struct whole *w, struct host *from, const struct ip_path *path,
			  struct span bytes)
{
	struct host *to = host_of(w, &path->remote.addr);
	struct datagram *d, **at = &w->wire;

	if (!to || from->silent || to->silent || (w->bad_wire && chance(w, 100) < 25))
		return;
	d = malloc(sizeof *d + bytes.n);
	if (!d)
		abort();
	*d = (struct datagram){ .to = to, .path = { .local = path->remote, .remote = path->local }, .n = bytes.n };
	d->due_ms = w->now_ms + 1 + chance(w, w->bad_wire ? 80 : 10);
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
		broken(w, "a second verdict");
		return;
	}
	r->waits = false;
	named = &w->host[r->host];
	if (w->now_ms > r->due_ms)
		broken(w, "a verdict after the deadline");
	if (o->verdict.kind != RP_ALLOW) {
		w->refused++;
		return;
	}
	w->allowed++;
	if (pair_to(&w->host[CLIENT], &r->from, &named->addr) < 0 ||
	    find_policy(&w->host[CLIENT], &r->from, &named->addr) < 0 ||
	    find_policy(&w->host[CLIENT], &every_local, &named->addr) < 0)
		broken(w, "host %u is allowed without protection", r->host);
	if (expires > w->answer_expires_ms[r->host])
		w->answer_expires_ms[r->host] = expires;
}

static void take_verdict_back(struct whole *w, struct host *h, const struct tunnel_output *o)
{
	const struct ip_addr *client = &w->back_to[h->number];

	if (!w->back_waits[h->number])
		broken(w, "a second verdict");
	w->back_waits[h->number] = false;
	if (o->verdict.kind == RP_ALLOW && (pair_to(h, &h->addr, client) < 0 || find_policy(h, &h->addr, client) < 0 ||
					   find_policy(h, &every_local, client) < 0))
		broken(w, "the client is allowed without protection");
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
		err = apply(w, h, &o->u.kernel);
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

static void pump(struct whole *w, struct host *h)
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
						    apply(w, h, &tunnel.kernel), w->now_ms);
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

static void run_until(struct whole *w, uint64_t until_ms)
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
			pump(w, &w->host[i]);
		}
		for (unsigned i = 0; i < w->n_requests; i++) {
			if (w->request[i].waits && w->now_ms > w->request[i].due_ms)
				broken(w, "no verdict by the deadline");
		}
	}
	if (steps >= 100000)
		broken(w, "it never comes to rest");
	w->now_ms = until_ms;
}

/* What happens ------------------------------------------------------------------------------------ */

static void boot(struct whole *w, struct host *h)
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
	memset(h->policy, 0, sizeof h->policy);
	if (ike_new(&ike, &w->rng, &w->log, &h->ike) != IKE_OK ||
	    tunnels_new(&config, &arg->env, h->ike, &w->rng, &w->log, &h->tunnels) != IKE_OK)
		abort();
}

static struct span rdata_of(enum sim_key published)
{
	static uint8_t rdata[KEY_MAX][IPSECKEY_RDATA_MAX];
	static struct wr written[KEY_MAX];

	if (!written[published].base) {
		struct privkey *key = sim_privkey(published);

		written[published] = wr_over(rdata[published], sizeof rdata[published]);
		if (privkey_to_ipseckey(key, &written[published]) != IKE_OK)
			abort();
		privkey_free(key);
	}
	return wr_span(&written[published]);
}

static void publish(const struct host *h, struct rp_establish *q)
{
	q->n_keys = h->n_published;
	for (unsigned i = 0; i < h->n_published; i++)
		q->keys[i] = rdata_of(h->published[i]);
}

/* This host asks for the client, often in the same moment in which the client asks for it. */
static void ask_back(struct whole *w, unsigned host)
{
	struct rp_establish q = { .n_addresses = 1, .ttl_s = 10, .deadline_ms = 1500 };

	if (w->back_waits[host])
		return;
	q.addresses[0] = w->host[CLIENT].addr;
	publish(&w->host[CLIENT], &q);
	if (dnsname_from_text("host0.example", &q.owner) != IKE_OK)
		abort();
	w->back_waits[host] = true;
	w->back_to[host] = q.addresses[0];
	if (tunnels_request(w->host[host].tunnels, 2, 1, &q, w->now_ms) != IKE_OK)
		broken(w, "a request was not taken");
	pump(w, &w->host[host]);
}

/* One of three names of this host is asked for. The impostor's publish a key that it does not hold. */
static void ask(struct whole *w, unsigned host, unsigned which)
{
	struct rp_establish q = {
		.n_addresses = 1, .ttl_s = 5 + chance(w, 40), .deadline_ms = 1500
	};
	char name[32];

	if (w->n_requests == REQUESTS_MAX)
		return;
	snprintf(name, sizeof name, "%c.host%u.example", 'a' + (int)which, host);
	if (dnsname_from_text(name, &q.owner) != IKE_OK)
		abort();
	q.addresses[0] = w->host[host].addr;
	publish(&w->host[host], &q);
	w->request[w->n_requests] = (struct request){ .waits = true,
						      .host = host,
						      .from = w->host[CLIENT].addr,
						      .due_ms = w->now_ms + DEADLINE_MS + 10 };
	if (tunnels_request(w->host[CLIENT].tunnels, 1, w->n_requests, &q, w->now_ms) != IKE_OK)
		broken(w, "a request was not taken");
	w->n_requests++;
	pump(w, &w->host[CLIENT]);
}

/* The kernel has no SA for a packet: it says so, but not for every one. */
static void want(struct whole *w, unsigned own, unsigned host)
{
	struct host *c = &w->host[CLIENT];
	uint64_t *until_ms = &c->larval_until_ms[own][host];

	if (w->now_ms < *until_ms)
		return;
	*until_ms = w->now_ms + ACQUIRE_MS;
	tunnels_acquire(c->tunnels, &c->own[own], &w->host[host].addr, w->now_ms);
	pump(w, c);
}

/* An application sends a packet, and the host answers if it can read it. False: no answer. */
static bool use(struct whole *w, unsigned own, unsigned host)
{
	struct host *c = &w->host[CLIENT], *h = &w->host[host];
	const struct ip_addr *from = &c->own[own];
	int pair = pair_to(c, from, &h->addr), theirs;

	if (in_clear(c, from, &h->addr))
		return false;
	if (pair < 0) {
		want(w, own, host);
		return false;
	}
	c->larval_until_ms[own][host] = 0;
	c->pair[pair].packets_out++;
	c->pair[pair].last_out_ms = w->now_ms;
	theirs = find_pair(h, c->pair[pair].asked.spi_out);
	if (theirs < 0 || h->silent)
		return false;
	if (!secret_eq(secret_span(&h->pair[theirs].asked.keys_in.encr),
		       secret_span(&c->pair[pair].asked.keys_out.encr)))
		broken(w, "the two ends have different keys");
	c->pair[pair].packets_in++;
	c->pair[pair].last_in_ms = w->now_ms;
	h->pair[theirs].packets_in++;
	h->pair[theirs].packets_out++;
	h->pair[theirs].last_in_ms = h->pair[theirs].last_out_ms = w->now_ms;
	return true;
}

/* Somebody sends until he is answered, or until then. */
static bool send_until_answered(struct whole *w, unsigned own, unsigned host, uint64_t until_ms)
{
	while (w->now_ms < until_ms) {
		if (use(w, own, host))
			return true;
		run_until(w, w->now_ms + 200);
	}
	return false;
}

/* Has the client begun the tunnel that it uses to reach the host? One that a host has begun is the host's to bring back. */
static bool began(const struct whole *w, unsigned host)
{
	const struct host *c = &w->host[CLIENT];
	struct tunnel_info info;
	uint64_t cursor = 0;

	while (tunnels_next(c->tunnels, &cursor, &info)) {
		if (info.state == TUNNEL_PROTECTED && ip_equal(&info.local, &c->addr) && ip_equal(&info.remote, &w->host[host].addr))
			return info.initiator;
	}
	return false;
}

/* The host loses all that it has while somebody sends, is away for a while, and comes back. */
static void crash(struct whole *w, unsigned host)
{
	struct host *c = &w->host[CLIENT], *h = &w->host[host];
	unsigned own = ip_equal(&c->addr, &c->own[0]) ? 0 : 1;
	bool answered, ours = began(w, host);

	log_info(&w->log, "--- host %u crashes", host);
	h->silent = true;
	w->bad_kernels = false;
	(void)send_until_answered(w, own, host, w->now_ms + chance(w, AWAY_MS));
	log_info(&w->log, "--- host %u comes back", host);
	boot(w, h);
	h->silent = w->bad_wire = false;
	answered = send_until_answered(w, own, host, w->now_ms + RETURN_MS);
	w->bad_kernels = true;
	/* It may have been given back meanwhile. */
	if (!answered && ours && !h->impostor && !in_clear(c, &c->own[own], &h->addr) && w->now_ms < w->answer_expires_ms[host])
		broken(w, "host %u does not answer 10 s after its return", host);
}

/* The new key beside the old one, until all names have been asked for; then it alone. Meanwhile the host may lose all it has, after
 * which it knows the new one only. */
static void roll_over(struct whole *w, unsigned host)
{
	static const enum sim_key new_key[HOSTS][2] = { [1] = { KEY_ED25519, KEY_P256 }, [2] = { KEY_ED25519_OTHER, KEY_P256 } };
	struct host *h = &w->host[host];

	if (h->impostor || w->n_requests + NAMES > REQUESTS_MAX)
		return;
	h->published[1] = new_key[host][h->published[0] == new_key[host][0]];
	h->n_published = 2;
	log_info(&w->log, "--- host %u publishes a new key", host);
	for (unsigned i = 0; i < NAMES; i++)
		ask(w, host, i);
	run_until(w, w->now_ms + DEADLINE_MS + chance(w, 10000));
	privkey_free(h->key);
	h->key = sim_privkey(h->published[1]);
	if (chance(w, 2) == 0)
		crash(w, host);
	h->published[0] = h->published[1];
	h->n_published = 1;
	log_info(&w->log, "--- host %u withdraws the old key", host);
	ask(w, host, chance(w, NAMES));
}

/* Another program deletes all SAs of the client, or of a host, and all policies, which are back before any packet comes
 * (kernel/ledger.h). */
static void flush(struct whole *w, unsigned host)
{
	struct host *c = &w->host[CLIENT], *h = &w->host[host], *who = chance(w, 2) ? c : h;
	unsigned own = ip_equal(&c->addr, &c->own[0]) ? 0 : 1;
	bool ours = began(w, host);

	log_info(&w->log, "--- somebody flushes host %u", who->number);
	for (unsigned i = 0; i < PAIRS_MAX; i++)
		who->pair[i].in = who->pair[i].out = false;
	w->bad_kernels = w->bad_wire = false;
	tunnels_sas_flushed(who->tunnels, w->now_ms);
	pump(w, who);
	if (!send_until_answered(w, own, host, w->now_ms + RETURN_MS) && ours && !h->impostor && !h->silent &&
	    !in_clear(c, &c->own[own], &h->addr) && w->now_ms < w->answer_expires_ms[host])
		broken(w, "host %u does not answer 10 s after a flush", host);
	w->bad_kernels = true;
}

static void happen(struct whole *w)
{
	unsigned host = 1 + chance(w, HOSTS - 1);

	switch (chance(w, 20)) {
	case 0:
		if (chance(w, 3) == 0) {
			log_info(&w->log, "--- host %u reboots", host);
			boot(w, &w->host[host]);
		} else {
			crash(w, host);
		}
		break;
	case 1:
		w->host[host].silent = !w->host[host].silent;
		log_info(&w->log, "--- host %u is %s", host,
			 w->host[host].silent ? "silent" : "back");
		break;
	case 2:
		w->bad_wire = !w->bad_wire;
		w->host[CLIENT].addr = w->host[CLIENT].own[chance(w, OWN_MAX)];
		break;
	case 3:
		if (chance(w, 3) == 0) {
			log_info(&w->log, "--- the operator takes host %u down", host);
			/* The resolver is told to forget the answers. */
			w->answer_expires_ms[host] = 0;
			(void)tunnels_down_address(w->host[CLIENT].tunnels, &w->host[host].addr,
						   w->now_ms);
			pump(w, &w->host[CLIENT]);
		}
		break;
	case 4: case 5: case 6: case 7: case 8:
		ask(w, host, chance(w, NAMES));
		if (chance(w, 3) == 0)
			ask_back(w, host);
		break;
	case 9:
		ask_back(w, host);
		break;
	case 10:
		if (chance(w, 2) == 0)
			roll_over(w, host);
		break;
	case 11:
		if (chance(w, 3) == 0)
			flush(w, host);
		break;
	default:
		(void)use(w, chance(w, OWN_MAX), host);
		break;
	}
	for (unsigned i = 1; i < HOSTS; i++) {
		for (unsigned own = 0; own < OWN_MAX; own++) {
			if (w->now_ms < w->answer_expires_ms[i] &&
			    in_clear(&w->host[CLIENT], &w->host[CLIENT].own[own], &w->host[i].addr))
				broken(w, "packets to host %u would go in clear from address %u of ours", i, own);
		}
	}
}

static void stop(struct whole *w)
{
	w->stopping = true;
	w->bad_wire = false;
	for (unsigned i = 0; i < HOSTS; i++) {
		w->host[i].silent = false;
		tunnels_shutdown(w->host[i].tunnels, w->now_ms);
		pump(w, &w->host[i]);
	}
	run_until(w, w->now_ms + 120000);
	for (unsigned i = 0; i < HOSTS; i++) {
		unsigned left = tunnels_count(w->host[i].tunnels) + ike_load(w->host[i].ike).sas;

		for (unsigned k = 0; k < PAIRS_MAX; k++)
			left += w->host[i].pair[k].in || w->host[i].pair[k].out;
		for (unsigned k = 0; k < POLICIES_MAX; k++)
			left += w->host[i].policy[k].used;
		if (left > 0)
			broken(w, "host %u has %u tunnels, SAs or policies left", i, left);
	}
	for (unsigned i = 0; i < w->n_requests; i++) {
		if (w->request[i].waits)
			broken(w, "a request without a verdict");
	}
}

static bool run(uint64_t seed, bool verbose, unsigned *allowed, unsigned *refused)
{
	static const enum sim_key keys[HOSTS] = { KEY_P256, KEY_ED25519, KEY_ED25519_OTHER,
						  KEY_ED25519 };
	static struct whole w;
	struct datagram *d;

	memset(&w, 0, sizeof w);
	w.random = seed;
	w.now_ms = 1000;
	w.verbose = verbose;
	w.named = seed & 1;
	w.bad_kernels = true;
	w.rng = (struct rng){ .fill = fill, .arg = &w };
	w.log = (struct log){ .write = say, .arg = &w, .max = LOG_LEVEL_INFO };
	for (unsigned i = 0; i < HOSTS; i++) {
		w.host[i].number = i;
		w.host[i].addr = (struct ip_addr){ .family = IP_V4,
						   .b = { 203, 0, 113, (uint8_t)(10 + i) } };
		for (unsigned own = 0; own < OWN_MAX; own++)
			w.host[i].own[own] = w.host[i].addr;
		w.host[i].key = sim_privkey(keys[i]);
		w.host[i].impostor = i == HOSTS - 1;
		w.host[i].published[0] = w.host[i].impostor ? KEY_P256 : keys[i];
		w.host[i].n_published = 1;
		boot(&w, &w.host[i]);
	}
	w.host[CLIENT].own[1].b[3] = 99;
	while (w.now_ms < LIFE_MS && w.broken[0] == '\0') {
		happen(&w);
		run_until(&w, w.now_ms + chance(&w, 4000));
	}
	stop(&w);
	*allowed += w.allowed;
	*refused += w.refused;
	for (unsigned i = 0; i < HOSTS; i++) {
		tunnels_free(w.host[i].tunnels);
		ike_free(w.host[i].ike);
		privkey_free(w.host[i].key);
	}
	while ((d = w.wire)) {
		w.wire = d->next;
		free(d);
	}
	if (w.broken[0] != '\0')
		printf("seed %llu: %s\n", (unsigned long long)seed, w.broken);
	return w.broken[0] == '\0';
}

int main(int argc, char **argv)
{
	uint64_t from = 1, seeds = 60, seed;
	unsigned failed = 0, allowed = 0, refused = 0;
	bool verbose = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
			seeds = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc) {
			from = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--verbose") == 0 || strcmp(argv[i], "-v") == 0) {
			verbose = true;
		} else {
			printf("usage: whole [--seeds N] [--from SEED] [--verbose]\n");
			return strcmp(argv[i], "--help") == 0 ? 0 : 2;
		}
	}
	for (seed = from; seed < from + seeds; seed++)
		failed += !run(seed, verbose, &allowed, &refused);
	printf("whole: %llu passed, %u failed; %u names allowed, %u refused%s\n",
	       (unsigned long long)(seeds - failed), failed, allowed, refused,
	       failed ? "; again with: whole --from SEED --seeds 1 --verbose" : "");
	return failed || allowed == 0 || refused == 0 ? 1 : 0;
}
