/* sim: many random schedules of two IKE cores. Every schedule comes from its seed alone:
 *
 *	sim --seeds 2000                   seeds 1 to 2000
 *	sim --from 1234 --seeds 1 -v       one of them again, with its message ladder
 *	sim --day                          three days of a tunnel that is rekeyed every five minutes, or begun anew, on a wire that loses 5 %
 *
 * Whatever the wire and the hosts do, the promises of ike.h must hold (sim_broken() in world.c, and below): one end for each
 * attempt, equal keys at both ends, nothing in the kernel after a failure, and success where nothing is in the way. What is up stays
 * up through rekeying from both ends at once, moves of the client and other ports of its NAT, and at the end each packet finds an SA. What anybody can say ends nothing; a server
 * that has restarted ends what it has lost with its first answer, if it makes tokens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/kem_double.h"
#include "tests/sim/world.h"
#include "wire/msg.h"
#include "wire/payloads.h"

enum { ATTEMPTS_MAX = 4, LIFE_MS = 20000, CLEAN_BY_MS = 4000, REST_MS = 200000, ROUNDS_MAX = 4, ASKS = 3, ASK_EVERY_MS = 4000 };

enum hindrance {
	NOTHING,
	WRONG_KEY,
	NOT_LET_IN,
	CANNOT_SIGN,
	CLIENT_KERNEL_FAILS,
	SERVER_KERNEL_FAILS,
	SERVER_SILENT,
	WRONG_CLIENT_KEY,
	CLIENT_UNKNOWN,
	CLIENT_CANNOT_SIGN,
	HINDRANCES,
};

static const char *const hindrance_texts[HINDRANCES] = {
	"nothing in the way", "wrong key", "not let in", "server cannot sign", "client's kernel fails", "server's kernel fails",
	"server silent", "client has another key than its name", "client's name has no key", "client cannot sign",
};

struct schedule {
	struct sim_world w;
	enum hindrance hindrance;
	enum sim_key server_key;
	unsigned loss, copies, flips, replays, delay_ms;        /* per cent, and the longest delay */
	unsigned forgeries_left;
	uint64_t clean_at_ms;           /* from then on the wire is perfect */
	bool cookies, clean, names;     /* names: the client says who it is */
	bool hybrid;                    /* both can do the additional key exchange */
	bool tokens;                    /* both make them (RFC 6290) */
	ike_handle attempt[ATTEMPTS_MAX];
	unsigned attempts;
	bool watched[SIDES][SIM_ENDS_MAX];      /* was up when rekeying began */
};

static bool chance(struct schedule *s, unsigned per_cent)
{
	return sim_random(&s->w, 100) < per_cent;
}

/* The wire ------------------------------------------------------------------------------------- */

/* An answer to IKE_SA_INIT from somebody who is on the path and wants to harm: without a key it
 * must not end the attempt. */
static void forge(struct schedule *s, const struct sim_datagram *request,
		  const struct ike_hdr *request_hdr)
{
	static const uint16_t kinds[] = { N_NO_PROPOSAL_CHOSEN, N_INVALID_KE_PAYLOAD,
					  N_INVALID_SYNTAX, N_AUTHENTICATION_FAILED, N_COOKIE };
	static const uint8_t group[] = { 0, GROUP_ECP_256 };
	/* Whoever sees a request with a cookie can have another one sent in its place, and then
	 * the answer to the first does not verify. */
	bool cookie_may_be_forged = s->cookies && request_hdr->next_payload == PL_SA;
	uint16_t kind = kinds[sim_random(&s->w, cookie_may_be_forged ? 5 : 4)];
	struct ike_hdr hdr = *request_hdr;
	struct sim_datagram *d = calloc(1, sizeof *d + 256);
	struct span message;
	struct msg_wr m;

	if (!d)
		abort();
	hdr.flags = IKE_FLAG_RESPONSE;
	m = msg_begin(d->b, 256, &hdr);
	pl_notify_write(&m, 0, span_of(NULL, 0), kind,
			kind == N_INVALID_KE_PAYLOAD || kind == N_COOKIE ? span_of(group, 2)
									 : span_of(NULL, 0));
	if (msg_end(&m, NULL, &message) != IKE_OK)
		abort();
	d->n = message.n;
	d->from = SERVER;
	d->to = CLIENT;
	d->serial = request->serial;
	/* As if it came back along the same path, translator included. */
	d->path.local = (struct ip_endpoint){ .addr = s->w.host[CLIENT].addr, .port = 500 };
	d->path.remote = (struct ip_endpoint){ .addr = s->w.host[SERVER].addr, .port = 500 };
	sim_deliver_later(&s->w, d, 1);
	s->forgeries_left--;
}

/* Somebody on the path answers a protected request: there is no such IKE SA, and here is a token; or says of an SA that really is
 * there that ESP for it cannot be read. */
static void forge_hint(struct schedule *s, const struct sim_datagram *request, const struct ike_hdr *request_hdr)
{
	struct sim_datagram *d = calloc(1, sizeof *d + 256);
	struct ike_hdr hdr = *request_hdr;
	uint8_t bytes[16];
	struct wr w = wr_over(bytes, sizeof bytes);
	bool esp = chance(s, 50);
	struct span message;
	struct msg_wr m;

	if (!d)
		abort();
	hdr.flags = (request_hdr->flags & IKE_FLAG_INITIATOR) ^ IKE_FLAG_INITIATOR;
	if (esp) {
		wr_u32(&w, s->w.host[request->from].sas[0].asked.spi_out);
		memset(hdr.spi_i, 0, sizeof hdr.spi_i);
		memset(hdr.spi_r, 0, sizeof hdr.spi_r);
		hdr.exchange = EXCH_INFORMATIONAL;
	} else {
		rng_fill(&s->w.rng, wr_reserve(&w, sizeof bytes), sizeof bytes);
		hdr.flags |= IKE_FLAG_RESPONSE;
	}
	m = msg_begin(d->b, 256, &hdr);
	pl_notify_write(&m, 0, span_of(NULL, 0), esp ? N_INVALID_SPI : N_INVALID_IKE_SPI, esp ? wr_span(&w) : span_of(NULL, 0));
	if (!esp)
		pl_notify_write(&m, 0, span_of(NULL, 0), N_QCD_TOKEN, wr_span(&w));
	if (msg_end(&m, NULL, &message) != IKE_OK)
		abort();
	d->n = message.n;
	d->from = request->to;
	d->to = request->from;
	d->serial = request->serial;
	d->path.local = (struct ip_endpoint){ .addr = s->w.host[d->to].addr, .port = request->path.local.port };
	d->path.remote = (struct ip_endpoint){ .addr = s->w.host[d->from].addr, .port = request->path.local.port };
	sim_deliver_later(&s->w, d, 1);
}

static void carry(struct sim_world *w, struct sim_datagram *d, void *arg)
{
	struct schedule *s = arg;
	struct ike_hdr hdr;

	if (s->hindrance == SERVER_SILENT && d->from == SERVER) {
		free(d);
		return;
	}
	if (w->now_ms >= s->clean_at_ms) {
		sim_deliver_later(w, d, 5);
		return;
	}
	if (ike_hdr_read(span_of(d->b, d->n), &hdr) == IKE_OK && hdr.exchange == EXCH_IKE_SA_INIT &&
	    d->from == CLIENT && s->forgeries_left > 0 && chance(s, 50))
		forge(s, d, &hdr);
	if (chance(s, s->copies))
		sim_deliver_later(w, sim_copy(d), 1 + sim_random(w, s->delay_ms));
	if (chance(s, s->replays))
		sim_deliver_later(w, sim_copy(d), sim_random(w, 60000));
	if (hdr.exchange != EXCH_IKE_SA_INIT && !(hdr.flags & IKE_FLAG_RESPONSE) && chance(s, s->flips))
		forge_hint(s, d, &hdr);
	/* What is not protected yet can be spoiled by anybody on the path; the rest must
	 * withstand. */
	if (hdr.exchange != EXCH_IKE_SA_INIT && chance(s, s->flips)) {
		struct sim_datagram *bad = sim_copy(d);

		bad->b[sim_random(w, (uint32_t)bad->n)] ^= (uint8_t)(1u << sim_random(w, 8));
		sim_deliver_later(w, bad, 1 + sim_random(w, s->delay_ms));
	}
	if (chance(s, s->loss)) {
		if (w->verbose)
			printf("%8llu ms  #%-4u lost\n", (unsigned long long)w->now_ms, d->serial);
		free(d);
		return;
	}
	sim_deliver_later(w, d, 1 + sim_random(w, s->delay_ms));
}

/* A schedule ----------------------------------------------------------------------------------- */

static unsigned one_of(struct schedule *s, const unsigned *values, unsigned n)
{
	return values[sim_random(&s->w, n)];
}

static void plan(struct schedule *s, uint64_t seed, bool verbose)
{
	static const unsigned losses[] = { 0, 0, 10, 20, 40 }, copies[] = { 0, 0, 20, 60 },
			      delays[] = { 5, 50, 400 };
	static const unsigned sizes[] = { 0, 0, 0, 220, 300, 576 };
	struct ike_config client = { 0 }, server = { 0 };
	enum ip_family family;
	bool nat;

	memset(s, 0, sizeof *s);
	s->w.rng_state = seed * UINT64_C(0x2545f4914f6cdd1d);
	s->clean = chance(s, 15);
	s->hindrance = chance(s, 55) ? NOTHING : (enum hindrance)sim_random(&s->w, HINDRANCES);
	s->server_key = chance(s, 80) ? KEY_ED25519 : chance(s, 70) ? KEY_P256 : KEY_RSA2048;
	s->loss = s->clean ? 0 : one_of(s, losses, 5);
	s->copies = s->clean ? 0 : one_of(s, copies, 4);
	s->flips = s->clean ? 0 : one_of(s, copies, 4);
	s->replays = s->clean ? 0 : one_of(s, copies, 4);
	s->forgeries_left = s->clean || chance(s, 70) ? 0 : 2;
	s->delay_ms = one_of(s, delays, 3);
	s->cookies = chance(s, 30);
	nat = chance(s, 25);
	family = !nat && chance(s, 40) ? IP_V6 : IP_V4;
	client.fragment_max = one_of(s, sizes, 6);
	server.fragment_max = one_of(s, sizes, 6);
	server.always_cookie = s->cookies;
	server.always_encapsulate = chance(s, 20);
	if (chance(s, 50) && dnsname_from_text("host.example", &server.identity) != IKE_OK)
		abort();
	s->attempts = 1 + sim_random(&s->w, ATTEMPTS_MAX);
	client.kem = chance(s, 60) ? &kem_double : NULL;
	server.kem = chance(s, 60) ? &kem_double : NULL;
	s->hybrid = client.kem && server.kem;
	s->tokens = chance(s, 50);
	if (s->tokens) {
		client.qcd_secret = span_of("of the client", 13);
		server.qcd_secret = span_of("of the server", 13);
	}
	s->names = s->hindrance >= WRONG_CLIENT_KEY || chance(s, 30);
	if (dnsname_from_text("client.example", &client.identity) != IKE_OK)
		abort();

	/* It assigns addresses, and wants to be asked for one where there is a NAT. */
	if (chance(s, 50)) {
		server.pool_v4_size = server.pool_v6_size = 64;
		if (ip_from_text("100.64.0.1", &server.pool_v4) != IKE_OK || ip_from_text("fd00:64::1", &server.pool_v6) != IKE_OK)
			abort();
	}

	sim_init(&s->w, s->w.rng_state, family, &client, &server, s->server_key, verbose);
	s->w.nat = nat;
	s->w.carry = carry;
	s->w.carry_arg = s;
	s->clean_at_ms = s->w.now_ms + (s->clean ? 0 : sim_random(&s->w, CLEAN_BY_MS));
	s->w.host[CLIENT].decides_after_ms = sim_random(&s->w, 3) * 10;
	s->w.host[SERVER].decides_after_ms = sim_random(&s->w, 3) * 10;
	s->w.host[SERVER].refuses = s->hindrance == NOT_LET_IN ? REASON_LIMIT : REASON_NONE;
	s->w.host[CLIENT].encapsulate = chance(s, 20);
	s->w.host[SERVER].sign_fails = s->hindrance == CANNOT_SIGN;
	s->w.host[CLIENT].kernel_fails = s->hindrance == CLIENT_KERNEL_FAILS ? 1000 : 0;
	s->w.host[SERVER].kernel_fails = s->hindrance == SERVER_KERNEL_FAILS ? 1000 : 0;
	if (s->names)
		sim_identify(&s->w, KEY_P256,
			     s->hindrance == WRONG_CLIENT_KEY ? KEY_ED25519_OTHER
			     : s->hindrance == CLIENT_UNKNOWN ? KEY_MAX : KEY_P256);
	s->w.host[CLIENT].sign_fails = s->hindrance == CLIENT_CANNOT_SIGN;
	if (verbose)
		printf("    %s; %s, key %d, loss %u%%, copies %u%%, replays %u%%, spoiled %u%%, "
		       "delay up to %u ms, clean at %llu ms%s%s%s%s; %u attempts\n",
		       hindrance_texts[s->hindrance], family == IP_V6 ? "IPv6" : "IPv4",
		       s->server_key, s->loss, s->copies, s->replays, s->flips, s->delay_ms,
		       (unsigned long long)s->clean_at_ms, s->cookies ? ", cookies" : "",
		       nat ? ", NAT" : "", s->hybrid ? ", hybrid" : "", s->names ? ", client gives its name" : "", s->attempts);
}

static struct keyset *client_keys(struct schedule *s)
{
	const enum sim_key wrong[] = { KEY_ED25519_OTHER }, right[] = { s->server_key },
			   rollover[] = { KEY_ED25519_OTHER, s->server_key };
	const struct ip_addr *address = &s->w.host[SERVER].addr;

	if (s->hindrance == WRONG_KEY)
		return sim_keyset(wrong, 1, address);
	return chance(s, 30) ? sim_keyset(rollover, 2, address) : sim_keyset(right, 1, address);
}

/* Did each attempt end as the schedule allows? */
static void check_attempts(struct schedule *s)
{
	unsigned i;

	for (i = 0; i < s->attempts; i++) {
		const struct sim_end *end = sim_end_of(&s->w, CLIENT, s->attempt[i]);

		if (s->hindrance == NOTHING ? end->ups != 1 : end->ups != 0)
			sim_broken(&s->w, "attempt %u: up %u times with %s (%s: %s)", i, end->ups,
				   hindrance_texts[s->hindrance], rp_reason_text(end->last.reason),
				   end->last.detail);
		if (end->ups == 1 && (end->last.tunnel.ike_suite.addke1 != 0) != s->hybrid)
			sim_broken(&s->w, "attempt %u: additional key exchange %u", i,
				   end->last.tunnel.ike_suite.addke1);
		if (end->ups == 0 && end->ends != 1)
			sim_broken(&s->w, "attempt %u has no end", i);
		if (s->hindrance == WRONG_KEY && s->clean && end->last.reason != REASON_AUTH_FAILED)
			sim_broken(&s->w, "a wrong key was called \"%s\"",
				   rp_reason_text(end->last.reason));
		if (s->hindrance == SERVER_SILENT && end->last.reason != REASON_TIMEOUT &&
		    !s->forgeries_left && s->clean)
			sim_broken(&s->w, "silence was called \"%s\"",
				   rp_reason_text(end->last.reason));
		if (s->hindrance == CLIENT_KERNEL_FAILS && end->last.reason != REASON_KERNEL)
			sim_broken(&s->w, "the kernel's failure was called \"%s\"",
				   rp_reason_text(end->last.reason));
	}
	for (i = 0; i < s->w.host[SERVER].n_ends; i++) {
		const struct sim_end *end = &s->w.host[SERVER].ends[i];

		if (end->ups > 0 && (end->peer_name.n > 0) != s->names)
			sim_broken(&s->w, "the server takes a client for somebody else");
	}
	if (s->hindrance == NOTHING && sim_sas(&s->w, CLIENT) != s->attempts)
		sim_broken(&s->w, "%u SAs in the client's kernel after %u attempts",
			   sim_sas(&s->w, CLIENT), s->attempts);
}

/* Rekeying -------------------------------------------------------------------------------------- */

static void rekey_some(struct schedule *s)
{
	struct sim_world *w = &s->w;
	unsigned side, i;

	for (side = 0; side < SIDES; side++) {
		for (i = 0; i < w->host[side].n_ends; i++) {
			const struct sim_end *end = &w->host[side].ends[i];
			struct ike *ike = w->host[side].ike;

			if (end->ups == 0 || end->ends > 0)
				continue;
			if ((chance(s, 40) && ike_rekey_child(ike, end->sa, w->now_ms) != IKE_OK) ||
			    (chance(s, 30) && ike_rekey_ike(ike, end->sa, w->now_ms) != IKE_OK) ||
			    (chance(s, 20) && ike_check_liveness(ike, end->sa, w->now_ms) != IKE_OK))
				sim_broken(w, "an SA that is up could not be rekeyed");
		}
	}
	sim_pump(w);
}

/* Everything that was up is, and a packet that leaves now arrives. */
static void check_rekeyed(struct schedule *s)
{
	struct sim_world *w = &s->w;
	unsigned side, i;

	for (side = 0; side < SIDES; side++) {
		for (i = 0; i < w->host[side].n_ends; i++) {
			const struct sim_end *end = &w->host[side].ends[i];

			if (!s->watched[side][i])
				continue;
			if (end->ends > 0)
				sim_broken(w, "rekeying ended an SA (%s: %s)", rp_reason_text(end->last.reason), end->last.detail);
			else if (!sim_reaches(w, (enum sim_side)side, end->last.tunnel.reqid))
				sim_broken(w, "after rekeying the two ends do not hear each other");
			else if ((end->last.tunnel.ike_suite.addke1 != 0) != s->hybrid)
				sim_broken(w, "rekeying lost the additional key exchange");
		}
	}
}

static bool assigns(const struct schedule *s)
{
	return s->w.nat && s->w.host[SERVER].config.pool_v4_size > 0;
}

/* The client goes to another network, behind another NAT: those that have an address of the pool go along. */
static void move(struct schedule *s)
{
	struct sim_host *h = &s->w.host[CLIENT];

	if (!assigns(s) || !chance(s, 30))
		return;
	h->addr.b[3] ^= 64;
	s->w.nat_addr.b[3] ^= 64;
	for (unsigned i = 0; i < h->n_ends; i++) {
		if (h->ends[i].ups > h->ends[i].ends && ike_move(h->ike, h->ends[i].sa, &h->addr, s->w.now_ms) != IKE_OK)
			sim_broken(&s->w, "an SA with an assigned address could not move");
	}
	sim_pump(&s->w);
}

/* The NAT forgets the client, and gives it other ports from now on. Nobody is told. */
static void rebind(struct schedule *s)
{
	if (s->w.nat && chance(s, 30))
		s->w.nat_port = (uint16_t)(10000 + sim_random(&s->w, 40000));
}

/* It may have another address, too, if tunnels live through that. The client misses its answers, and asks, as tunnel/health.c does. */
static void client_asks(struct schedule *s)
{
	struct sim_host *h = &s->w.host[CLIENT];

	for (unsigned i = 0; i < h->n_ends && assigns(s); i++) {
		if (h->ends[i].ups > h->ends[i].ends && ike_check_liveness(h->ike, h->ends[i].sa, s->w.now_ms) != IKE_OK)
			sim_broken(&s->w, "an SA that is up could not be asked");
	}
	sim_pump(&s->w);
}

/* An ESP packet of the client's on each of its SAs: the server's kernel tells where it comes from. */
static void esp_from_client(struct schedule *s)
{
	struct sim_world *w = &s->w;
	struct sim_host *h = &w->host[CLIENT];
	struct ip_endpoint from = { .addr = w->nat_addr, .port = (uint16_t)(4500 + w->nat_port) };

	for (unsigned i = 0; i < SIM_SAS_MAX && w->nat; i++) {
		if (h->sas[i].out && sim_receives(w, SERVER, h->sas[i].asked.spi_out))
			ike_peer_seen(w->host[SERVER].ike, h->sas[i].asked.spi_out, &from, w->now_ms);
	}
	sim_pump(w);
}

/* On a bad wire again, with clocks that jump; then all comes to rest. */
static void rekey(struct schedule *s)
{
	struct sim_world *w = &s->w;
	unsigned rounds = sim_random(w, ROUNDS_MAX), side;

	for (side = 0; side < SIDES; side++) {
		for (unsigned i = 0; i < w->host[side].n_ends; i++)
			s->watched[side][i] = w->host[side].ends[i].ups > w->host[side].ends[i].ends;
	}
	s->clean_at_ms = w->now_ms + (s->clean ? 0 : sim_random(w, CLEAN_BY_MS));
	for (unsigned i = 0; i < rounds; i++) {
		rekey_some(s);
		sim_run_until(w, w->now_ms + sim_random(w, 1500));
		move(s);
		rebind(s);
		if (chance(s, 50))
			esp_from_client(s);
		if (chance(s, 20))
			w->now_ms += sim_random(w, 2000);
	}
	s->clean_at_ms = w->now_ms;
	sim_run_until(w, w->now_ms + 1000);
	if (assigns(s) && chance(s, 40))
		w->nat_addr.b[3] ^= 32;
	esp_from_client(s);
	for (unsigned i = 0; i < ASKS; i++) {
		client_asks(s);
		sim_run_until(w, w->now_ms + ASK_EVERY_MS);
	}
	sim_run_until(w, w->now_ms + REST_MS);
	check_rekeyed(s);
	sim_check_rest(w);
}

/* Ask some whether they live, and close some from either side, on a bad wire again. */
static void disturb(struct schedule *s)
{
	struct sim_world *w = &s->w;
	unsigned side, i;

	s->clean_at_ms = w->now_ms + sim_random(w, CLEAN_BY_MS);
	for (side = 0; side < SIDES; side++) {
		for (i = 0; i < w->host[side].n_ends; i++) {
			const struct sim_end *end = &w->host[side].ends[i];

			if (end->ups == 0 || end->ends > 0)
				continue;
			if (chance(s, 50) &&
			    ike_check_liveness(w->host[side].ike, end->sa, w->now_ms) != IKE_OK)
				sim_broken(w, "an SA that is up could not be asked");
			if (chance(s, 30) &&
			    ike_close(w->host[side].ike, end->sa, REASON_DOWN_BY_OPERATOR,
				      w->now_ms) != IKE_OK)
				sim_broken(w, "an SA that is up could not be closed");
		}
	}
	sim_pump(w);
	sim_run_until(w, w->now_ms + LIFE_MS);
}

static void close_all(struct schedule *s)
{
	struct sim_world *w = &s->w;
	unsigned side, i;

	s->clean_at_ms = w->now_ms;
	for (side = 0; side < SIDES; side++) {
		for (i = 0; i < w->host[side].n_ends; i++) {
			const struct sim_end *end = &w->host[side].ends[i];

			if (end->ups == 1 && end->ends == 0 &&
			    ike_close(w->host[side].ike, end->sa, REASON_SHUTDOWN, w->now_ms) !=
				    IKE_OK)
				sim_broken(w, "an SA that is up could not be closed");
		}
		sim_pump(w);
	}
	sim_run_until(w, w->now_ms + REST_MS);
	sim_check_rest(w);
	if (sim_sas(w, CLIENT) + sim_sas(w, SERVER) > 0)
		sim_broken(w, "SAs are left after all was closed");
}

/* The server loses all that it has, and the client finds that out. */
static void restart(struct schedule *s)
{
	struct sim_world *w = &s->w;
	unsigned i, up = 0;

	s->clean_at_ms = w->now_ms;
	sim_restart(w, SERVER);
	for (i = 0; i < w->host[CLIENT].n_ends; i++) {
		const struct sim_end *end = &w->host[CLIENT].ends[i];

		if (end->ups > end->ends && ike_check_liveness(w->host[CLIENT].ike, end->sa, w->now_ms) != IKE_OK)
			sim_broken(w, "an SA that is up could not be asked");
	}
	sim_pump(w);
	sim_run_until(w, w->now_ms + (s->tokens ? 1000 : 10000));
	for (i = 0; i < w->host[CLIENT].n_ends; i++)
		up += w->host[CLIENT].ends[i].ups > w->host[CLIENT].ends[i].ends;
	if (up > 0)
		sim_broken(w, "%u SAs that the server has lost are still up", up);
}

static bool run(uint64_t seed, bool verbose)
{
	static struct schedule s;
	unsigned i;
	bool good;

	if (verbose)
		printf("--- seed %llu\n", (unsigned long long)seed);
	plan(&s, seed, verbose);
	for (i = 0; i < s.attempts; i++) {
		s.attempt[i] = sim_initiate(&s.w, client_keys(&s),
					    chance(&s, 70) ? "host.example" : NULL, LIFE_MS);
		sim_run_until(&s.w, s.w.now_ms + sim_random(&s.w, 500));
	}
	sim_run_until(&s.w, s.w.now_ms + LIFE_MS + 1000);
	check_attempts(&s);
	rekey(&s);
	rekey_some(&s);
	disturb(&s);
	if (s.w.broken[0] == '\0' && chance(&s, 30))
		restart(&s);
	close_all(&s);
	good = s.w.broken[0] == '\0';
	if (!good)
		printf("seed %llu: %s\n", (unsigned long long)seed, s.w.broken);
	sim_clear(&s.w);
	return good;
}

/* A day ------------------------------------------------------------------------------------------ */

enum { DAY_MS = 24 * 3600 * 1000, REKEY_MS = 300 * 1000, IKE_EVERY = 12, ANEW_EVERY = 7, ONE_WAY_MS = 40, DAY_REQID = KERNEL_REQID_BASE | 1 };

static void carry_day(struct sim_world *w, struct sim_datagram *d, void *arg)
{
	(void)arg;
	if (sim_random(w, 100) < 5)
		free(d);
	else
		sim_deliver_later(w, d, 1 + sim_random(w, ONE_WAY_MS));
}

/* For how long has a packet of either end found no SA? */
struct gap {
	uint64_t since_ms, longest_ms;
};

static void measure(struct sim_world *w, struct gap *gap)
{
	bool reaches = sim_reaches(w, CLIENT, DAY_REQID) && sim_reaches(w, SERVER, DAY_REQID);

	if (!reaches && gap->since_ms == 0)
		gap->since_ms = w->now_ms;
	if (gap->since_ms && w->now_ms - gap->since_ms > gap->longest_ms)
		gap->longest_ms = w->now_ms - gap->since_ms;
	if (reaches)
		gap->since_ms = 0;
}

static void run_measured(struct sim_world *w, uint64_t until_ms, struct gap *gap)
{
	while (w->now_ms < until_ms) {
		uint64_t next = sim_next_ms(w);

		sim_run_until(w, next < until_ms ? next : until_ms);
		measure(w, gap);
	}
}

/* Sometimes one end rekeys, sometimes both within a round trip. */
static void rekey_day(struct sim_world *w, unsigned n, struct gap *gap)
{
	unsigned first = sim_random(w, SIDES), ends = 1 + (sim_random(w, 4) == 0);

	for (unsigned i = 0; i < ends; i++) {
		unsigned side = (first + i) % SIDES;
		ike_handle sa = w->host[side].ends[w->host[side].n_ends - 1].sa;

		if ((n % IKE_EVERY ? ike_rekey_child : ike_rekey_ike)(w->host[side].ike, sa, w->now_ms) != IKE_OK)
			sim_broken(w, "an SA that is up could not be rekeyed");
		sim_pump(w);
		run_measured(w, w->now_ms + sim_random(w, 2 * ONE_WAY_MS), gap);
	}
}

static ike_handle begin_day(struct sim_world *w)
{
	const enum sim_key key[] = { KEY_ED25519 };

	return sim_initiate(w, sim_keyset(key, 1, &w->host[SERVER].addr), "host.example", LIFE_MS);
}

/* The client begins anew, and ends the old one when it has the new one (RFC 7296 2.8.3). */
static void reauthenticate_day(struct sim_world *w, struct gap *gap)
{
	ike_handle old = w->host[CLIENT].ends[w->host[CLIENT].n_ends - 1].sa, fresh = begin_day(w);
	uint64_t until_ms = w->now_ms + LIFE_MS;

	while (sim_end_of(w, CLIENT, fresh)->ups == 0 && w->now_ms < until_ms)
		run_measured(w, sim_next_ms(w), gap);
	if (ike_close(w->host[CLIENT].ike, old, REASON_NONE, w->now_ms) != IKE_OK)
		sim_broken(w, "an SA that is up could not be closed");
	sim_pump(w);
}

/* How many tunnels this end has. */
static unsigned up_on(const struct sim_world *w, unsigned side)
{
	unsigned up = 0;

	for (unsigned i = 0; i < w->host[side].n_ends; i++)
		up += w->host[side].ends[i].ups > w->host[side].ends[i].ends;
	return up;
}

static bool run_day(uint64_t seed, bool verbose)
{
	static struct sim_world w;
	const struct ike_config config = { .kem = seed % 2 ? &kem_double : NULL };
	struct gap gap = { 0 };
	unsigned n = 0, said = 0;
	bool good;

	sim_init(&w, seed, IP_V4, &config, &config, KEY_ED25519, verbose);
	w.carry = carry_day;
	w.one_pair = true;
	(void)begin_day(&w);
	sim_run_until(&w, w.now_ms + LIFE_MS);
	while (w.now_ms < DAY_MS && w.broken[0] == '\0') {
		if (++n % ANEW_EVERY == 0)
			reauthenticate_day(&w, &gap);
		else
			rekey_day(&w, n, &gap);
		run_measured(&w, w.now_ms + REKEY_MS, &gap);
	}
	if (gap.longest_ms > 0)
		sim_broken(&w, "no usable SA for %llu ms", (unsigned long long)gap.longest_ms);
	for (unsigned i = 0; i < w.host[CLIENT].n_ends; i++)
		said += w.host[CLIENT].ends[i].rekeyed;
	if (up_on(&w, CLIENT) != 1 || up_on(&w, SERVER) != 1)
		sim_broken(&w, "the tunnel has ended");
	sim_run_until(&w, w.now_ms + REST_MS);
	sim_check_rest(&w);
	good = w.broken[0] == '\0';
	printf("day %llu: %u times rekeyed, %u times begun anew, the client says %u, longest gap %llu ms: %s\n", (unsigned long long)seed,
	       n - n / ANEW_EVERY, n / ANEW_EVERY, said, (unsigned long long)gap.longest_ms, good ? "good" : w.broken);
	sim_clear(&w);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t from = 1, seeds = 2000, seed, failed = 0;
	bool verbose = false, day = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
			seeds = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc) {
			from = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--day") == 0) {
			day = true;
			seeds = 3;
		} else if (strcmp(argv[i], "--verbose") == 0 || strcmp(argv[i], "-v") == 0) {
			verbose = true;
		} else {
			printf("usage: sim [--day] [--seeds N] [--from SEED] [--verbose]\n");
			return strcmp(argv[i], "--help") == 0 ? 0 : 2;
		}
	}
	for (seed = from; seed < from + seeds; seed++) {
		if (day ? run_day(seed, verbose) : run(seed, verbose))
			continue;
		failed++;
		if (!verbose && !day && failed == 1)
			(void)run(seed, true);
	}
	printf("sim: %llu passed, %llu failed%s\n", (unsigned long long)(seeds - failed),
	       (unsigned long long)failed,
	       failed ? "; again with: sim --from SEED --seeds 1 --verbose" : "");
	return failed ? 1 : 0;
}
