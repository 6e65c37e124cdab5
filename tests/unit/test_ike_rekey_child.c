/* Rekeying of the CHILD SA: no packet is lost, whoever asks, whatever the wire does, and both at once. */
#include "tests/unit/ladder.h"

#include "ike/choose.h"
#include "ike/ts.h"

enum { REQID = KERNEL_REQID_BASE | 1 };

/* The handle of the server's end of the only SA. */
static ike_handle servers(const struct sim_world *w)
{
	return w->host[SERVER].ends[0].sa;
}

static void assert_reaches(struct sim_world *w)
{
	assert_true(sim_reaches(w, CLIENT, REQID));
	assert_true(sim_reaches(w, SERVER, REQID));
}

/* The next datagram arrives, and packets do before and after. */
static void next(struct sim_world *w, enum sim_side from, enum ike_exchange exchange, bool response)
{
	assert_reaches(w);
	arrives(w, from, exchange, response);
	assert_reaches(w);
}

static ike_handle start(struct sim_world *w, uint64_t seed)
{
	sim_init(w, seed, IP_V4, NULL, NULL, KEY_ED25519, false);
	return bring_up(w);
}

static void rekey(struct sim_world *w, enum sim_side side)
{
	ike_handle sa = w->host[side].ends[0].sa;

	assert_int_equal(ike_rekey_child(w->host[side].ike, sa, w->now_ms), IKE_OK);
	sim_pump(w);
}

/* One pair at each end, another one than before, and each end was told so n times. */
static void assert_rekeyed(struct sim_world *w, unsigned n)
{
	sim_run_until(w, w->now_ms + 10000);
	for (unsigned side = 0; side < SIDES; side++) {
		const struct sim_end *end = &w->host[side].ends[0];
		const struct sim_sa_pair *pair = sim_sends_with(w, (enum sim_side)side, REQID);

		assert_int_equal(w->host[side].n_ends, 1);
		assert_int_equal(end->rekeyed, n);
		assert_int_equal(end->kept + end->ends, 0);
		assert_int_equal(sim_sas(w, (enum sim_side)side), 1);
		assert_int_equal(end->last.tunnel.spi_out, pair->asked.spi_out);
	}
	assert_reaches(w);
	at_rest(w);
}

/* The plain case ------------------------------------------------------------------------------- */

static void rekeys_from(enum sim_side a, bool nat)
{
	enum sim_side b = (enum sim_side)!a;
	const struct sim_sa_pair *before;
	struct sim_world w;
	uint32_t old_a, old_b;

	sim_init(&w, 1, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.nat = nat;
	(void)bring_up(&w);
	old_a = sim_sends_with(&w, a, REQID)->asked.spi_out;
	old_b = sim_sends_with(&w, b, REQID)->asked.spi_out;
	rekey(&w, a);
	/* A --> B  N(REKEY_SA), SA, Ni, KEi, TSi, TSr       B receives on the new pair, and sends on the old one */
	next(&w, a, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_int_equal(sim_sas(&w, b), 2);
	assert_int_equal(sim_sends_with(&w, b, REQID)->asked.spi_out, old_b);
	/* A <-- B  SA, Nr, KEr, TSi, TSr                    A sends on the new one */
	next(&w, b, EXCH_CREATE_CHILD_SA, RESPONSE);
	assert_int_not_equal(sim_sends_with(&w, a, REQID)->asked.spi_out, old_a);
	assert_int_equal(sim_end_of(&w, a, w.host[a].ends[0].sa)->rekeyed, 1);
	/* A --> B  D(old)                                   B does too */
	next(&w, a, EXCH_INFORMATIONAL, REQUEST);
	assert_int_not_equal(sim_sends_with(&w, b, REQID)->asked.spi_out, old_b);
	next(&w, b, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	/* What was on its way on the old pair still arrives. */
	assert_int_equal(sim_sas(&w, a), 2);
	assert_int_equal(sim_sas(&w, b), 2);
	before = sim_sends_with(&w, a, REQID);
	assert_true(before->in && before->out);
	assert_rekeyed(&w, 1);
}

static void client_rekeys(void **state)
{
	(void)state;
	rekeys_from(CLIENT, false);
}

static void server_rekeys(void **state)
{
	(void)state;
	rekeys_from(SERVER, false);
}

/* RFC 7296 2.23.1: the selectors of the client are those that either end knows, and both do. */
static void both_rekey_past_a_nat(void **state)
{
	(void)state;
	rekeys_from(CLIENT, true);
	rekeys_from(SERVER, true);
}

/* A packet may be on its way for longer than the exchange that deletes its pair. */
static void old_pair_is_received_on_for_a_while(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 21);
	rekey(&w, CLIENT);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	next(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	next(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	sim_run_until(&w, w.now_ms + 2000);
	assert_int_equal(sim_sas(&w, CLIENT), 2);
	assert_int_equal(sim_sas(&w, SERVER), 2);
	sim_run_until(&w, w.now_ms + 2000);
	assert_int_equal(sim_sas(&w, CLIENT), 1);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	assert_rekeyed(&w, 1);
}

/* The answer used to go first: what was sent between it and the change found no SA at the peer any more. */
static void pair_is_changed_before_its_delete_is_answered(void **state)
{
	struct sim_world w;
	struct sim_datagram *d;
	struct ike_output out;
	uint32_t fresh;

	(void)state;
	(void)start(&w, 22);
	rekey(&w, CLIENT);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	fresh = w.host[CLIENT].ends[0].last.tunnel.spi_in;
	d = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	ike_input(w.host[SERVER].ike, &d->path, span_of(d->b, d->n), w.now_ms);
	free(d);
	assert_true(ike_next_output(w.host[SERVER].ike, &out));
	assert_int_equal(out.kind, OUT_KERNEL);
	assert_int_equal(out.u.kernel.op, KERNEL_ADD_SAS);
	assert_int_equal(out.u.kernel.spi_out, fresh);
	secret_wipe(&out, sizeof out);
	assert_true(ike_next_output(w.host[SERVER].ike, &out));
	assert_int_equal(out.u.event.kind, EV_REKEYED);
	assert_true(ike_next_output(w.host[SERVER].ike, &out));
	assert_int_equal(out.kind, OUT_SEND);
	sim_clear(&w);
}

static void asking_twice_is_one_question(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 2);
	rekey(&w, CLIENT);
	rekey(&w, CLIENT);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	rekey(&w, CLIENT);
	assert_rekeyed(&w, 1);
}

static void waits_for_a_liveness_check_that_is_out(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sa = start(&w, 3);
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, sa, w.now_ms), IKE_OK);
	rekey(&w, CLIENT);
	next(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	next(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_rekeyed(&w, 1);
}

/* I <-- R  response, lost: the answer is repeated, and R does not send on what I does not have yet. */
static void lost_answer_loses_no_packet(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 4);
	rekey(&w, CLIENT);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	for (unsigned i = 0; i < 4; i++) {
		is_lost(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
		wait_for_send(&w, 1000);
		next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	}
	assert_rekeyed(&w, 1);
}

/* I --> R  D(old), lost for long: R sends on the new pair after a while by itself. */
static void late_delete_does_not_keep_the_old_pair(void **state)
{
	struct sim_world w;
	uint32_t old;

	(void)state;
	(void)start(&w, 5);
	old = sim_sends_with(&w, SERVER, REQID)->asked.spi_out;
	rekey(&w, CLIENT);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	for (uint64_t end = w.now_ms + 4900; w.now_ms < end;) {
		if (w.wire)
			is_lost(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
		assert_int_equal(sim_sends_with(&w, SERVER, REQID)->asked.spi_out, old);
		sim_run_until(&w, sim_next_ms(&w) < end ? sim_next_ms(&w) : end);
	}
	while (w.wire)
		is_lost(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	sim_run_until(&w, w.now_ms + 101);
	assert_int_not_equal(sim_sends_with(&w, SERVER, REQID)->asked.spi_out, old);
	assert_rekeyed(&w, 1);
}

/* Both at once (RFC 7296 2.8.1) ---------------------------------------------------------------- */

/* Both requests cross. Whichever nonce is the lowest, one new pair is left, the same at both ends. */
static void of_two_new_pairs_one_stays(void **state)
{
	unsigned client_won = 0;
	enum { SEEDS = 24 };

	(void)state;
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct sim_world w;
		uint32_t spi;

		(void)start(&w, seed);
		rekey(&w, CLIENT);
		rekey(&w, SERVER);
		next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
		next(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
		next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
		spi = sim_sends_with(&w, CLIENT, REQID)->asked.spi_out;
		next(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
		while (w.wire) {
			sim_deliver(&w, sim_take(&w));
			assert_reaches(&w);
		}
		client_won += spi == sim_sends_with(&w, CLIENT, REQID)->asked.spi_out;
		assert_rekeyed(&w, 1);
	}
	assert_in_range(client_won, 3, SEEDS - 3);
}

/* I --> R  request, lost; the rekeying of R is done before I repeats it. */
static void the_end_that_did_not_notice_says_not_now(void **state)
{
	struct sim_datagram *late;
	struct sim_world w;

	(void)state;
	(void)start(&w, 6);
	rekey(&w, CLIENT);
	late = take(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	rekey(&w, SERVER);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
	/* R has its new pair and is deleting the old one: TEMPORARY_FAILURE, and I does not try again. */
	sim_deliver(&w, late);
	next(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	next(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	assert_rekeyed(&w, 1);
}

static void what_is_deleted_already_is_not_found(void **state)
{
	struct sim_datagram *late;
	struct sim_world w;

	(void)state;
	(void)start(&w, 7);
	rekey(&w, CLIENT);
	late = take(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	rekey(&w, SERVER);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
	next(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	next(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	sim_deliver(&w, late);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	nothing_is_sent(&w);
	assert_rekeyed(&w, 1);
}

static void rekeying_crosses_the_end(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sa = start(&w, 8);
	rekey(&w, CLIENT);
	assert_int_equal(ike_close(w.host[SERVER].ike, servers(&w), REASON_SHUTDOWN, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	sim_run_until(&w, w.now_ms + 1000);
	assert_closed(&w, CLIENT, sa, REASON_PEER_REFUSED);
	assert_closed(&w, SERVER, servers(&w), REASON_SHUTDOWN);
	at_rest(&w);
}

static void close_while_rekeying_tells_the_peer_afterwards(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sa = start(&w, 9);
	rekey(&w, CLIENT);
	assert_int_equal(ike_close(w.host[CLIENT].ike, sa, REASON_SHUTDOWN, w.now_ms), IKE_OK);
	sim_pump(&w);
	assert_closed(&w, CLIENT, sa, REASON_SHUTDOWN);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	assert_closed(&w, SERVER, servers(&w), REASON_PEER_REFUSED);
	at_rest(&w);
}

/* Kernels that cannot -------------------------------------------------------------------------- */

static void server_without_room_says_not_now_and_is_asked_again(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 10);
	w.host[SERVER].kernel_fails = 2;
	rekey(&w, CLIENT);
	assert_rekeyed(&w, 1);
}

static void client_without_room_keeps_the_old_pair(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 11);
	w.host[CLIENT].kernel_fails = 1;
	rekey(&w, CLIENT);
	while (w.wire)
		sim_deliver(&w, sim_take(&w));
	assert_reaches(&w);
	sim_run_until(&w, w.now_ms + 10000);
	assert_int_equal(w.host[CLIENT].ends[0].kept, 1);
	assert_int_equal(w.host[CLIENT].ends[0].rekeyed, 0);
	assert_int_equal(sim_sas(&w, CLIENT), 1);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	assert_reaches(&w);
	at_rest(&w);
}

/* Without its half out the server has nothing to send with: it ends the tunnel, and the layer above makes another one. */
static void server_that_cannot_send_ends_the_tunnel(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 12);
	rekey(&w, CLIENT);
	next(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	next(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	w.host[SERVER].kernel_fails = 1;
	sim_run_until(&w, w.now_ms + 1000);
	assert_closed(&w, SERVER, servers(&w), REASON_KERNEL);
	assert_int_equal(w.host[CLIENT].ends[0].ends, 1);
	at_rest(&w);
}

/* Slow kernels: what comes meanwhile is repeated. */
static void nothing_is_answered_while_the_kernel_works(void **state)
{
	struct sim_world w;

	(void)state;
	(void)start(&w, 13);
	w.host[SERVER].decides_after_ms = w.host[CLIENT].decides_after_ms = 250;
	rekey(&w, CLIENT);
	rekey(&w, SERVER);
	sim_run_until(&w, w.now_ms + 5000);
	assert_rekeyed(&w, 1);
}

/* A peer with a mind of its own ---------------------------------------------------------------- */

static const uint8_t own_spi[] = { 0xab, 0xcd, 0x12, 0x34 };

struct ask {
	bool no_rekey, tunnel_mode, wide, other_spi, no_nonce;
	uint16_t ke_group;
};

static void script_asks(struct sim_world *w, struct sim_peer *p, uint32_t id, const struct ask *how)
{
	struct msg_wr m = peer_inner();
	uint8_t spi[4], zeros[256] = { 0 };
	struct ip_addr other = w->host[CLIENT].addr;

	memcpy(spi, own_spi, 4);
	spi[3] = (uint8_t)(spi[3] + how->other_spi);
	other.b[15]++;
	other.b[3]++;
	if (!how->no_rekey)
		pl_notify_write(&m, PROTO_ESP, span_of(spi, 4), N_REKEY_SA, span_of(NULL, 0));
	if (!how->tunnel_mode)
		peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	if (!how->no_nonce)
		pl_nonce_write(&m, span_of(p->nonce, sizeof p->nonce));
	if (how->ke_group)
		pl_ke_write(&m, how->ke_group, span_of(zeros, 256));
	peer_write_child(&m, 0x5555, how->wide ? &other : &w->host[CLIENT].addr, &w->host[SERVER].addr);
	script_sends(w, p, EXCH_CREATE_CHILD_SA, id, REQUEST, &m);
}

static void requests_are_judged(void **state)
{
	static const struct {
		struct ask ask;
		uint16_t answer;
	} cases[] = {
		{ { .no_rekey = true }, N_NO_ADDITIONAL_SAS },
		{ { .other_spi = true }, N_CHILD_SA_NOT_FOUND },
		{ { .tunnel_mode = true }, N_NO_PROPOSAL_CHOSEN },
		{ { .wide = true }, N_TS_UNACCEPTABLE },
		{ { .no_nonce = true }, N_NO_ADDITIONAL_SAS },
	};
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 14, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		script_asks(&w, &p, 2 + i, &cases[i].ask);
		script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
		assert_true(has_notify(&inner, cases[i].answer));
		assert_int_equal(inner.n, 1);
		assert_int_equal(sim_sas(&w, SERVER), 1);
	}
	peer_clear(&p);
	sim_clear(&w);
}

/* Without a KE payload (no PFS); a KE payload that goes with no proposal is for nothing. */
static void peer_rekeys_without_a_key_exchange(void **state)
{
	static const struct ask plain_ask = { 0 }, with_ke = { .ke_group = GROUP_MODP_2048 };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		sim_init(&w, 15, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_comes_up(&w, &p);
		script_asks(&w, &p, 2, i ? &with_ke : &plain_ask);
		script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
		assert_non_null(msg_find(&inner, PL_SA));
		assert_null(msg_find(&inner, PL_KE));
		assert_int_equal(sim_sas(&w, SERVER), 2);
		/* It asks once more for the same one: not before it has deleted it. */
		script_asks(&w, &p, 3, &plain_ask);
		script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
		assert_true(has_notify(&inner, N_TEMPORARY_FAILURE));
		assert_int_equal(sim_sas(&w, SERVER), 2);
		peer_clear(&p);
		sim_clear(&w);
	}
}

/* The peer never deletes what it has replaced: we do. */
static void forgotten_pair_is_deleted_by_us(void **state)
{
	static const struct ask how = { 0 };
	struct peer_message plain;
	struct msg_chain inner;
	struct pl_delete del;
	struct sim_world w;
	struct sim_peer p;
	uint32_t old;

	(void)state;
	sim_init(&w, 16, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	old = sim_sends_with(&w, SERVER, REQID)->asked.spi_in;
	script_asks(&w, &p, 2, &how);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
	sim_run_until(&w, w.now_ms + 5000);
	assert_int_equal(sim_sends_with(&w, SERVER, REQID)->asked.spi_out, 0x5555);
	wait_for_send(&w, 60000);
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_int_equal(pl_delete_read(msg_find(&inner, PL_DELETE)->body, &del), IKE_OK);
	assert_int_equal(del.spis.p[0] << 24 | del.spis.p[1] << 16 | del.spis.p[2] << 8 | del.spis.p[3], old);
	peer_clear(&p);
	sim_clear(&w);
}

/* We ask the script: our first request, with ID 0. */
static void script_is_asked(struct sim_world *w, struct sim_peer *p, struct peer_message *plain, struct msg_chain *inner)
{
	rekey(w, SERVER);
	script_takes(w, p, EXCH_CREATE_CHILD_SA, REQUEST, plain, inner);
	assert_true(has_notify(inner, N_REKEY_SA));
	assert_non_null(msg_find(inner, PL_KE));
}

static void refusal_keeps_the_old_pair_and_is_told(void **state)
{
	static const uint16_t refusals[] = { N_NO_ADDITIONAL_SAS, N_NO_PROPOSAL_CHOSEN };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct msg_wr m;

		sim_init(&w, 17, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_comes_up(&w, &p);
		script_is_asked(&w, &p, &plain, &inner);
		m = peer_inner();
		peer_write_notify(&m, refusals[i]);
		script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 0, RESPONSE, &m);
		assert_int_equal(w.host[SERVER].ends[0].kept, 1);
		assert_int_equal(w.host[SERVER].ends[0].ends, 0);
		assert_int_equal(sim_sas(&w, SERVER), 1);
		assert_int_equal(ike_load(w.host[SERVER].ike).established, 1);
		peer_clear(&p);
		sim_clear(&w);
	}
}

/* libreswan 4.10 has lost it when both ends have rekeyed the IKE SA at once. Kept, it swallowed packets until its end. */
static void pair_that_the_peer_has_lost_is_not_kept(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct pl_delete del;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 17, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	script_is_asked(&w, &p, &plain, &inner);
	m = peer_inner();
	peer_write_notify(&m, N_CHILD_SA_NOT_FOUND);
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 0, RESPONSE, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_int_equal(pl_delete_read(msg_find(&inner, PL_DELETE)->body, &del), IKE_OK);
	assert_int_equal(del.protocol, PROTO_IKE);
	assert_int_equal(w.host[SERVER].ends[0].kept, 0);
	assert_int_equal(w.host[SERVER].ends[0].ends, 1);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	peer_clear(&p);
	sim_clear(&w);
}

static void endless_not_now_is_bounded(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	uint32_t id = 0;

	(void)state;
	sim_init(&w, 18, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	script_is_asked(&w, &p, &plain, &inner);
	while (w.host[SERVER].ends[0].kept == 0) {
		struct msg_wr m = peer_inner();

		assert_in_range(id, 0, 10);
		peer_write_notify(&m, N_TEMPORARY_FAILURE);
		script_sends(&w, &p, EXCH_CREATE_CHILD_SA, id++, RESPONSE, &m);
		if (w.host[SERVER].ends[0].kept > 0)
			break;
		wait_for_send(&w, 60000);
		script_takes(&w, &p, EXCH_CREATE_CHILD_SA, REQUEST, &plain, &inner);
	}
	assert_int_equal(sim_sas(&w, SERVER), 1);
	peer_clear(&p);
	sim_clear(&w);
}

static void group_that_the_peer_wants_is_taken_once(void **state)
{
	static const uint8_t ecp256[] = { 0, GROUP_ECP_256 }, nonsense[] = { 0, 2 };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct pl_ke ke;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 19, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_comes_up(&w, &p);
	script_is_asked(&w, &p, &plain, &inner);
	m = peer_inner();
	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_INVALID_KE_PAYLOAD, span_of(ecp256, 2));
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 0, RESPONSE, &m);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, REQUEST, &plain, &inner);
	assert_int_equal(pl_ke_read(msg_find(&inner, PL_KE)->body, &ke), IKE_OK);
	assert_int_equal(ke.group, GROUP_ECP_256);
	m = peer_inner();
	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_INVALID_KE_PAYLOAD, span_of(nonsense, 2));
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 1, RESPONSE, &m);
	assert_int_equal(w.host[SERVER].ends[0].kept, 1);
	peer_clear(&p);
	sim_clear(&w);
}

/* The SPI that the SA payload is about. */
static uint32_t esp_spi_of(const struct msg_chain *inner)
{
	struct pl_sa_reader sa = pl_sa_read(msg_find(inner, PL_SA)->body);
	struct pl_proposal proposal;
	struct rd r;

	assert_int_equal(pl_sa_next(&sa, &proposal), IKE_OK);
	r = rd_over(span_of(proposal.spi, proposal.spi_len));
	return rd_u32(&r);
}

/* The script answers with the first proposal that has no key exchange, and with its nonce. */
static void script_agrees(struct sim_world *w, struct sim_peer *p, uint32_t spi)
{
	struct msg_wr m = peer_inner();
	struct offer offer;
	struct pl_proposal *plain = &offer.proposal[0];
	struct pl_selector tsi = ts_host(&w->host[SERVER].addr), tsr = ts_host(&w->host[CLIENT].addr);

	offer_esp(&offer, spi);
	plain->number = (uint8_t)(offer.n + 1);
	plain->n = 2;
	plain->transform[0] = (struct pl_transform){ .type = TT_ENCR, .id = ENCR_AES_GCM_16, .key_bits = 256 };
	plain->transform[1] = (struct pl_transform){ .type = TT_ESN, .id = 1 };
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	pl_sa_write(&m, plain, 1);
	pl_nonce_write(&m, span_of(p->nonce, sizeof p->nonce));
	pl_ts_write(&m, PL_TSI, &tsi, 1);
	pl_ts_write(&m, PL_TSR, &tsr, 1);
	script_sends(w, p, EXCH_CREATE_CHILD_SA, 0, RESPONSE, &m);
}

/* RFC 7296 2.8.1: what was made with the lowest of the four nonces is closed, by the end that made it. Two ends that both took the
 * highest would agree, too, and with no other implementation. The script's nonces are 0 and 1, one in each exchange. */
static void lowest_nonce_loses(void **state)
{
	static const struct ask how = { 0 };
	struct peer_message plain;
	struct msg_chain inner;
	struct pl_delete del;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	for (unsigned ours_loses = 0; ours_loses < 2; ours_loses++) {
		const struct sim_sa_pair *sends;
		uint32_t old, ours;
		struct rd r;

		sim_init(&w, 22, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_comes_up(&w, &p);
		old = sim_sends_with(&w, SERVER, REQID)->asked.spi_in;
		script_is_asked(&w, &p, &plain, &inner);
		ours = esp_spi_of(&inner);
		memset(p.nonce, 0, sizeof p.nonce);
		p.nonce[sizeof p.nonce - 1] = (uint8_t)ours_loses;
		script_asks(&w, &p, 2, &how);
		script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
		assert_non_null(msg_find(&inner, PL_SA));
		p.nonce[sizeof p.nonce - 1] = !ours_loses;
		script_agrees(&w, &p, 0x6666);
		sends = sim_sends_with(&w, SERVER, REQID);
		assert_int_equal(sends->asked.spi_out == 0x6666, !ours_loses);
		script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
		assert_int_equal(pl_delete_read(msg_find(&inner, PL_DELETE)->body, &del), IKE_OK);
		r = rd_over(del.spis);
		assert_int_equal(rd_u32(&r), ours_loses ? ours : old);
		peer_clear(&p);
		sim_clear(&w);
	}
}

/* The peer believes in a pair that we cannot use: the IKE SA ends, and with it all that the peer has. */
static void answer_that_does_not_fit_ends_the_tunnel(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct msg_wr m = peer_inner();

		sim_init(&w, 20, IP_V4, NULL, NULL, KEY_ED25519, false);
		script_comes_up(&w, &p);
		script_is_asked(&w, &p, &plain, &inner);
		m = peer_inner();
		if (i != 0)
			peer_write_notify(&m, N_USE_TRANSPORT_MODE);
		pl_nonce_write(&m, span_of(p.nonce, sizeof p.nonce));
		/* i = 1: the number of a proposal with a key exchange, and none in it; i = 2: selectors the wrong way round */
		peer_write_child(&m, 0x5555, &w.host[i == 2 ? CLIENT : SERVER].addr, &w.host[i == 2 ? SERVER : CLIENT].addr);
		script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 0, RESPONSE, &m);
		assert_closed(&w, SERVER, servers(&w), REASON_PROTOCOL);
		script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
		assert_non_null(msg_find(&inner, PL_DELETE));
		peer_clear(&p);
		sim_clear(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_rekeys),
		cmocka_unit_test(server_rekeys),
		cmocka_unit_test(both_rekey_past_a_nat),
		cmocka_unit_test(old_pair_is_received_on_for_a_while),
		cmocka_unit_test(pair_is_changed_before_its_delete_is_answered),
		cmocka_unit_test(asking_twice_is_one_question),
		cmocka_unit_test(waits_for_a_liveness_check_that_is_out),
		cmocka_unit_test(lost_answer_loses_no_packet),
		cmocka_unit_test(late_delete_does_not_keep_the_old_pair),
		cmocka_unit_test(of_two_new_pairs_one_stays),
		cmocka_unit_test(the_end_that_did_not_notice_says_not_now),
		cmocka_unit_test(what_is_deleted_already_is_not_found),
		cmocka_unit_test(rekeying_crosses_the_end),
		cmocka_unit_test(close_while_rekeying_tells_the_peer_afterwards),
		cmocka_unit_test(server_without_room_says_not_now_and_is_asked_again),
		cmocka_unit_test(client_without_room_keeps_the_old_pair),
		cmocka_unit_test(server_that_cannot_send_ends_the_tunnel),
		cmocka_unit_test(nothing_is_answered_while_the_kernel_works),
		cmocka_unit_test(requests_are_judged),
		cmocka_unit_test(peer_rekeys_without_a_key_exchange),
		cmocka_unit_test(forgotten_pair_is_deleted_by_us),
		cmocka_unit_test(refusal_keeps_the_old_pair_and_is_told),
		cmocka_unit_test(pair_that_the_peer_has_lost_is_not_kept),
		cmocka_unit_test(endless_not_now_is_bounded),
		cmocka_unit_test(group_that_the_peer_wants_is_taken_once),
		cmocka_unit_test(lowest_nonce_loses),
		cmocka_unit_test(answer_that_does_not_fit_ends_the_tunnel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
