/* Tunnel mode at the host: addresses that it assigns from its pool (RFC 7296 2.19, 3.15), and clients that ask for more than theirs. */
#include "tests/unit/ladder.h"
#include "tests/unit/unit_addr.h"

static const char host_id[] = "host.example";

static void begin_with_pool(struct sim_world *w, enum ip_family family, unsigned size)
{
	struct ike_config server = { .pool_v4 = addr("100.64.0.255"), .pool_v6 = addr("fd00:64::ffff"), .pool_v4_size = size,
				     .pool_v6_size = size };

	sim_init(w, 40, family, NULL, &server, KEY_ED25519, false);
	w->nat = family == IP_V4;               /* who is behind none keeps his own address */
}

static ike_handle connect(struct sim_world *w)
{
	ike_handle sa = sim_initiate(w, published(w), host_id, LIFE_MS);

	sim_run_until(w, w->now_ms + 1000);
	return sa;
}

static const char *inner_of(struct sim_world *w, ike_handle sa, char to[IP_TEXT_MAX])
{
	return ip_text(&sim_end_of(w, CLIENT, sa)->last.tunnel.inner_local, to);
}

static void each_client_behind_a_nat_gets_an_address_of_its_own(void **state)
{
	const struct kernel_request *r;
	char text[IP_TEXT_MAX];
	struct sim_world w;
	ike_handle sa;

	(void)state;
	begin_with_pool(&w, IP_V4, 2);
	sa = connect(&w);
	assert_up(&w, CLIENT, sa);
	assert_string_equal(inner_of(&w, sa, text), "100.64.0.255");
	r = &w.host[SERVER].sas[0].asked;
	assert_true(ip_equal(&r->inner_remote, &w.host[CLIENT].sas[0].asked.inner_local));
	assert_true(ip_equal(&r->inner_local, &w.host[SERVER].addr));
	assert_true(ip_equal(&w.host[SERVER].ends[0].last.tunnel.inner_remote, &r->inner_remote));
	sa = connect(&w);
	assert_string_equal(inner_of(&w, sa, text), "100.64.1.0");
	at_rest(&w);
}

/* It could be reached at its own address, and is. */
static void client_behind_no_nat_has_transport_mode(void **state)
{
	static const enum ip_family families[] = { IP_V4, IP_V6 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sim_world w;
		ike_handle sa;

		begin_with_pool(&w, families[i], 2);
		w.nat = false;
		sa = connect(&w);
		assert_up(&w, CLIENT, sa);
		assert_int_equal(w.host[SERVER].sas[0].asked.inner_remote.family, IP_NONE);
		at_rest(&w);
	}
}

/* The new pair is for the same addresses, whoever asks for it. */
static void rekeyed_tunnel_stays_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		enum sim_side side = i % 2 ? SERVER : CLIENT;
		struct ip_addr inner = addr("100.64.0.255");
		struct sim_world w;
		ike_handle sa;

		begin_with_pool(&w, IP_V4, 2);
		sa = connect(&w);
		assert_up(&w, CLIENT, sa);
		assert_int_equal(ike_rekey_child(w.host[side].ike, w.host[side].ends[0].sa, w.now_ms), IKE_OK);
		sim_pump(&w);
		sim_run_until(&w, w.now_ms + 10000);
		assert_int_equal(w.host[CLIENT].ends[0].rekeyed, 1);
		assert_int_equal(w.host[SERVER].ends[0].rekeyed, 1);
		for (unsigned j = 0; j < SIM_SAS_MAX; j++) {
			const struct sim_sa_pair *c = &w.host[CLIENT].sas[j], *s = &w.host[SERVER].sas[j];

			assert_true(!c->in || ip_equal(&c->asked.inner_local, &inner));
			assert_true(!s->in || ip_equal(&s->asked.inner_remote, &inner));
		}
		at_rest(&w);
	}
}

static void empty_pool_refuses_until_an_address_is_given_back(void **state)
{
	char text[IP_TEXT_MAX];
	struct sim_world w;
	ike_handle first, sa;

	(void)state;
	begin_with_pool(&w, IP_V4, 1);
	first = connect(&w);
	sa = connect(&w);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->ups, 0);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->last.reason, REASON_PEER_REFUSED);
	assert_non_null(strstr(sim_end_of(&w, CLIENT, sa)->last.detail, "INTERNAL_ADDRESS_FAILURE"));
	assert_int_equal(ike_close(w.host[CLIENT].ike, first, REASON_NONE, w.now_ms), IKE_OK);
	sim_pump(&w);
	sim_run_until(&w, w.now_ms + 100);
	sa = connect(&w);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->ups, 1);
	assert_string_equal(inner_of(&w, sa, text), "100.64.0.255");
	at_rest(&w);
}

/* RFC 7296 3.15.1, from the other side. */
static void client_asks_for_the_address_that_it_had(void **state)
{
	char text[IP_TEXT_MAX];
	struct sim_world w;
	ike_handle second;

	(void)state;
	begin_with_pool(&w, IP_V4, 4);
	(void)connect(&w);
	second = connect(&w);
	assert_string_equal(inner_of(&w, second, text), "100.64.1.0");
	w.host[CLIENT].former = addr("100.64.1.0");
	assert_int_equal(ike_close(w.host[CLIENT].ike, second, REASON_NONE, w.now_ms), IKE_OK);
	sim_pump(&w);
	sim_run_until(&w, w.now_ms + 100);
	assert_string_equal(inner_of(&w, connect(&w), text), "100.64.1.0");
	/* Somebody has it: another one. */
	assert_string_equal(inner_of(&w, connect(&w), text), "100.64.1.1");
	at_rest(&w);
}

/* The client becomes a script that wants tunnel mode, with this CP if any; the server's answer, opened. */
static void asks_tunnel(struct sim_world *w, struct sim_peer *p, const struct ip_addr *tsi, bool cp,
			struct peer_message *plain, struct msg_chain *inner)
{
	struct msg_wr m;

	sim_remove_host(w, CLIENT);
	peer_start(p, true, &w->rng);
	peer_init_request(p, span_of(NULL, 0));
	sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
	peer_take_init_answer(p, span_of(w->wire->b, w->wire->n));
	free(sim_take(w));
	m = peer_inner();
	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	peer_write_auth_null(p, &m, ID_NULL, span_of(NULL, 0));
	if (cp)
		pl_cp_write(&m, CFG_REQUEST, IP_V4, NULL);
	peer_write_child(&m, 0x1234, tsi, &w->host[SERVER].addr);
	script_sends(w, p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(w, p, EXCH_IKE_AUTH, RESPONSE, plain, inner);
}

static void client_that_wants_tunnel_mode_gets_one_for_its_own_address(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;

	(void)state;
	for (unsigned cp = 0; cp < 2; cp++) {
		sim_init(&w, 41, IP_V4, NULL, NULL, KEY_ED25519, false);
		asks_tunnel(&w, &p, &w.host[CLIENT].addr, cp, &plain, &inner);
		assert_non_null(msg_find(&inner, PL_SA));
		assert_false(has_notify(&inner, N_USE_TRANSPORT_MODE));
		/* There is no pool: nothing is assigned (RFC 7296 3.15.1), and nothing more said. */
		assert_null(msg_find(&inner, PL_CP));
		assert_true(ip_equal(&w.host[SERVER].sas[0].asked.inner_remote, &w.host[CLIENT].addr));
		assert_true(ip_equal(&w.host[SERVER].sas[0].asked.inner_local, &w.host[SERVER].addr));
		peer_clear(&p);
		sim_run_until(&w, w.now_ms + FOREVER_MS);
		assert_string_equal(w.broken, "");
		sim_clear(&w);
	}
}

/* Else an anonymous client could take the traffic of whomever it names. */
static void client_gets_no_tunnel_for_the_address_of_another(void **state)
{
	struct ip_addr other = addr("10.9.8.7");
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;

	(void)state;
	for (unsigned pool = 0; pool < 2; pool++) {
		if (pool) {
			begin_with_pool(&w, IP_V4, 2);
			w.nat = false;
		} else
			sim_init(&w, 42, IP_V4, NULL, NULL, KEY_ED25519, false);
		asks_tunnel(&w, &p, &other, pool, &plain, &inner);
		assert_true(has_notify(&inner, N_TS_UNACCEPTABLE));
		assert_null(msg_find(&inner, PL_SA));
		assert_int_equal(sim_sas(&w, SERVER), 0);
		peer_clear(&p);
		sim_run_until(&w, w.now_ms + FOREVER_MS);
		assert_string_equal(w.broken, "");
		sim_clear(&w);
	}
}

/* RFC 7296 3.15.1: the one that it had before, if it is free. */
static void client_that_asks_gets_an_address_and_the_one_it_had_if_free(void **state)
{
	static const struct { const char *wish, *got; } cases[] = {
		{ NULL, "100.64.0.255" }, { "100.64.1.0", "100.64.1.0" }, { "100.64.9.9", "100.64.0.255" }, { "192.0.2.1", "100.64.0.255" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_addr any = addr("100.64.0.255"), wish = cases[i].wish ? addr(cases[i].wish) : any;
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		struct msg_wr m;
		struct pl_cp cp;
		char text[IP_TEXT_MAX];

		begin_with_pool(&w, IP_V4, 3);
		w.nat = false;
		script_client_init(&w, &p, 0);
		m = peer_inner();
		pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
		peer_write_auth_null(&p, &m, ID_NULL, span_of(NULL, 0));
		pl_cp_write(&m, CFG_REQUEST, IP_V4, cases[i].wish ? &wish : NULL);
		peer_write_child_any(&m, 0x1234, &w.host[SERVER].addr);
		script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
		script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
		assert_non_null(msg_find(&inner, PL_CP));
		assert_int_equal(pl_cp_read(msg_find(&inner, PL_CP)->body, &cp), IKE_OK);
		assert_int_equal(cp.type, CFG_REPLY);
		assert_string_equal(ip_text(&cp.v4.first, text), cases[i].got);
		peer_clear(&p);
		sim_run_until(&w, w.now_ms + FOREVER_MS);
		assert_string_equal(w.broken, "");
		sim_clear(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_client_behind_a_nat_gets_an_address_of_its_own),
		cmocka_unit_test(client_behind_no_nat_has_transport_mode),
		cmocka_unit_test(client_that_asks_gets_an_address_and_the_one_it_had_if_free),
		cmocka_unit_test(rekeyed_tunnel_stays_one),
		cmocka_unit_test(empty_pool_refuses_until_an_address_is_given_back),
		cmocka_unit_test(client_asks_for_the_address_that_it_had),
		cmocka_unit_test(client_that_wants_tunnel_mode_gets_one_for_its_own_address),
		cmocka_unit_test(client_gets_no_tunnel_for_the_address_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
