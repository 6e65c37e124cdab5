/* ladder.h - what the message ladders of the IKE core share. In the ladders: I is the client, R the server.
 *
 *	I --> R   arrives(&w, CLIENT, EXCH_..., REQUEST)      what is on the wire next, and nothing else
 */
#ifndef OE_TESTS_UNIT_LADDER_H
#define OE_TESTS_UNIT_LADDER_H

#include "tests/sim/peer.h"
#include "tests/sim/world.h"
#include "tests/unit/unit.h"

enum { REQUEST = 0, RESPONSE = 1, LIFE_MS = 3000, FOREVER_MS = 600000 };

static const enum sim_key ed25519[] = { KEY_ED25519 };

static inline struct keyset *published(struct sim_world *w)
{
	return sim_keyset(ed25519, 1, &w->host[SERVER].addr);
}

static inline struct ike_hdr header_of(const struct sim_datagram *d)
{
	struct ike_hdr hdr;

	assert_non_null(d);
	assert_int_equal(ike_hdr_read(span_of(d->b, d->n), &hdr), IKE_OK);
	return hdr;
}

/* Take the next datagram off the wire, which must be this one. free() it or sim_deliver() it. */
static inline struct sim_datagram *take(struct sim_world *w, enum sim_side from,
					enum ike_exchange exchange, bool response)
{
	struct sim_datagram *d = sim_take(w);
	struct ike_hdr hdr = header_of(d);

	assert_int_equal(d->from, from);
	assert_int_equal(hdr.exchange, exchange);
	assert_int_equal((hdr.flags & IKE_FLAG_RESPONSE) != 0, response);
	return d;
}

static inline void arrives(struct sim_world *w, enum sim_side from, enum ike_exchange exchange,
			   bool response)
{
	sim_deliver(w, take(w, from, exchange, response));
}

static inline void is_lost(struct sim_world *w, enum sim_side from, enum ike_exchange exchange,
			   bool response)
{
	free(take(w, from, exchange, response));
}

static inline void nothing_is_sent(struct sim_world *w)
{
	assert_null(w->wire);
}

/* Time passes until something is sent; not longer than that. */
static inline void wait_for_send(struct sim_world *w, uint64_t at_most_ms)
{
	uint64_t until = w->now_ms + at_most_ms;

	while (!w->wire && sim_next_ms(w) <= until)
		sim_run_until(w, sim_next_ms(w));
	assert_non_null(w->wire);
}

static inline void assert_same_datagram(const struct sim_datagram *a, const struct sim_datagram *b)
{
	unit_assert_span(span_of(a->b, a->n), span_of(b->b, b->n));
}

/* All four messages. */
static inline ike_handle bring_up(struct sim_world *w)
{
	ike_handle sa = sim_initiate(w, published(w), "host.example", LIFE_MS);

	arrives(w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	arrives(w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	nothing_is_sent(w);
	assert_int_equal(sim_end_of(w, CLIENT, sa)->ups, 1);
	return sa;
}

static inline void assert_up(struct sim_world *w, enum sim_side side, ike_handle sa)
{
	assert_int_equal(sim_end_of(w, side, sa)->ups, 1);
	assert_int_equal(sim_end_of(w, side, sa)->ends, 0);
	assert_int_equal(sim_sas(w, side), 1);
}

/* It failed for this reason, with these words in the detail, and nothing is installed. */
static inline void assert_failed(struct sim_world *w, enum sim_side side, ike_handle sa,
				 enum rp_reason reason, const char *words)
{
	struct sim_end *end = sim_end_of(w, side, sa);

	assert_int_equal(end->ups, 0);
	assert_int_equal(end->ends, 1);
	assert_int_equal(end->last.kind, EV_FAILED);
	assert_int_equal(end->last.reason, reason);
	assert_non_null(strstr(end->last.detail, words));
	assert_int_equal(sim_sas(w, side), 0);
}

static inline void assert_closed(struct sim_world *w, enum sim_side side, ike_handle sa,
				 enum rp_reason reason)
{
	struct sim_end *end = sim_end_of(w, side, sa);

	assert_int_equal(end->ups, 1);
	assert_int_equal(end->ends, 1);
	assert_int_equal(end->last.kind, EV_CLOSED);
	assert_int_equal(end->last.reason, reason);
	assert_int_equal(sim_sas(w, side), 0);
}

/* The end of each ladder: all timers run out, no promise was broken, nothing is left over. */
static inline void at_rest(struct sim_world *w)
{
	sim_run_until(w, w->now_ms + FOREVER_MS);
	sim_check_rest(w);
	assert_string_equal(w->broken, "");
	sim_clear(w);
}

/* Ladders with a script on one side ------------------------------------------------------------ */

/* The server becomes a script, and the client's handshake is taken up to its IKE_AUTH request,
 * which is opened into inner. */
static inline void script_server(struct sim_world *w, struct sim_peer *p)
{
	sim_remove_host(w, SERVER);
	peer_start(p, false, &w->rng);
}

static inline void script_answers_init(struct sim_world *w, struct sim_peer *p)
{
	struct sim_datagram *d = take(w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);

	peer_answer_init(p, span_of(d->b, d->n));
	free(d);
	sim_inject(w, SERVER, 500, peer_span(&p->init_own));
}

/* Take one protected message of the core under test, and open it. */
static inline void script_takes(struct sim_world *w, struct sim_peer *p, enum ike_exchange exchange,
				bool response, struct peer_message *plain, struct msg_chain *inner)
{
	struct sim_datagram *d = take(w, p->initiator ? SERVER : CLIENT, exchange, response);

	assert_true(peer_open(p, span_of(d->b, d->n), plain, inner));
	free(d);
}

static inline void script_sends(struct sim_world *w, struct sim_peer *p, enum ike_exchange exchange,
				uint32_t id, bool response, struct msg_wr *inner)
{
	struct peer_message m;

	peer_seal(p, (uint8_t)exchange, id, response, inner, &m);
	sim_inject(w, p->initiator ? CLIENT : SERVER, 500, peer_span(&m));
}

static inline bool has_notify(const struct msg_chain *chain, uint16_t type)
{
	struct pl_notify n;

	return pl_notify_find(chain, type, &n);
}

static const char script_asks_for[] __attribute__((unused)) = "host.example";

/* The client becomes a script, which has done IKE_SA_INIT with the server. addke1: what it offers as additional key exchange. */
static inline void script_client_init(struct sim_world *w, struct sim_peer *p, uint16_t addke1)
{
	struct sim_datagram *d;

	sim_remove_host(w, CLIENT);
	peer_start(p, true, &w->rng);
	p->suite.addke1 = addke1;
	if (w->nat)
		p->believed = (struct ip_path){ .local = { .addr = w->host[CLIENT].addr, .port = 500 },
						.remote = { .addr = w->host[SERVER].addr, .port = 500 } };
	peer_init_request(p, span_of(NULL, 0));
	sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
	d = take(w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	peer_take_init_answer(p, span_of(d->b, d->n));
	free(d);
}

/* IKE_AUTH { IDi=NULL, IDr, AUTH, N(USE_TRANSPORT_MODE), SA, TSi, TSr } */
static inline struct msg_wr auth_request(struct sim_world *w, struct sim_peer *p)
{
	struct msg_wr m = peer_inner();

	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	pl_id_write(&m, PL_IDR, ID_FQDN, span_of(script_asks_for, sizeof script_asks_for - 1));
	peer_write_auth_null(p, &m, ID_NULL, span_of(NULL, 0));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0xabcd1234, &w->host[CLIENT].addr, &w->host[SERVER].addr);
	return m;
}

/* All of it: the script has a tunnel. */
static inline void script_comes_up(struct sim_world *w, struct sim_peer *p)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct msg_wr m;

	script_client_init(w, p, 0);
	m = auth_request(w, p);
	script_sends(w, p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(w, p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_SA));
	assert_int_equal(w->host[SERVER].ends[0].ups, 1);
}

/* A transport that loses every datagram. */
static inline void drop(struct sim_world *w, struct sim_datagram *d, void *arg)
{
	(void)w;
	(void)arg;
	free(d);
}

#endif
