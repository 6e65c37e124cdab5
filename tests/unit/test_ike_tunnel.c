/* Tunnel mode at the client: hosts that do not do transport mode, and those that want to assign an address (RFC 7296 2.19, 3.15). */
#include "tests/unit/ladder.h"
#include "tests/unit/unit_addr.h"

static const char host_id[] = "host.example";

/* The client comes as far as its IKE_AUTH request, which is opened into inner. */
static void takes_handshake(struct sim_world *w, struct sim_peer *p, struct peer_message *plain, struct msg_chain *inner)
{
	peer_start(p, false, &w->rng);
	script_answers_init(w, p);
	script_takes(w, p, EXCH_IKE_AUTH, REQUEST, plain, inner);
}

static struct msg_wr proves_itself(struct sim_peer *p)
{
	struct privkey *key = sim_privkey(KEY_ED25519);
	struct msg_wr m = peer_inner();

	pl_id_write(&m, PL_IDR, ID_FQDN, span_of(host_id, sizeof host_id - 1));
	peer_write_auth_signed(p, &m, key, ID_FQDN, span_of(host_id, sizeof host_id - 1));
	privkey_free(key);
	return m;
}

static ike_handle begin(struct sim_world *w, enum ip_family family)
{
	sim_init(w, 30, family, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(w, SERVER);
	return sim_initiate(w, published(w), host_id, LIFE_MS);
}

static bool asks_transport_mode(const struct msg_chain *inner)
{
	return has_notify(inner, N_USE_TRANSPORT_MODE) && !msg_find(inner, PL_CP);
}

static void assert_asks_for_an_address(const struct msg_chain *inner, const struct ip_addr *server)
{
	bool v6 = server->family == IP_V6;
	struct pl_selector host = { .family = server->family, .port_last = UINT16_MAX, .first = *server, .last = *server };
	struct pl_ts ts;
	struct pl_cp cp;

	assert_false(has_notify(inner, N_USE_TRANSPORT_MODE));
	assert_non_null(msg_find(inner, PL_CP));
	assert_int_equal(pl_cp_read(msg_find(inner, PL_CP)->body, &cp), IKE_OK);
	assert_int_equal(cp.type, CFG_REQUEST);
	assert_int_equal(cp.v4.n, v6 ? 0 : 1);
	assert_int_equal(cp.v6.n, v6 ? 1 : 0);
	assert_int_equal(cp.v4.first.family, IP_NONE);
	assert_int_equal(cp.v6.first.family, IP_NONE);
	assert_int_equal(pl_ts_read(msg_find(inner, PL_TSI)->body, &ts), IKE_OK);
	assert_int_equal(ts.n, 1);
	unit_assert_span(ip_bytes(&ts.selector[0].last), span_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
								 v6 ? 16 : 4));
	assert_int_equal(pl_ts_read(msg_find(inner, PL_TSR)->body, &ts), IKE_OK);
	assert_int_equal(ts.n, 1);
	assert_memory_equal(&ts.selector[0], &host, sizeof host);
}

static void assert_tunnel(struct sim_world *w, ike_handle sa, const struct ip_addr *inner)
{
	const struct kernel_request *r = &w->host[CLIENT].sas[0].asked;
	const struct ike_tunnel *t = &sim_end_of(w, CLIENT, sa)->last.tunnel;

	assert_up(w, CLIENT, sa);
	assert_true(ip_equal(&r->inner_local, inner));
	assert_true(ip_equal(&r->inner_remote, &w->host[SERVER].addr));
	assert_true(ip_equal(&r->local, &w->host[CLIENT].addr));
	assert_true(ip_equal(&r->remote, &w->host[SERVER].addr));
	assert_true(ip_equal(&t->inner_local, inner));
	assert_true(ip_equal(&t->inner_remote, &w->host[SERVER].addr));
}

/* libreswan with type=tunnel, without a NAT in between. */
static void host_that_ignores_transport_mode_gets_a_host_to_host_tunnel(void **state)
{
	static const enum ip_family families[] = { IP_V4, IP_V6 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		ike_handle sa = begin(&w, families[i]);
		struct msg_wr m;

		takes_handshake(&w, &p, &plain, &inner);
		assert_true(asks_transport_mode(&inner));
		/* I <-- R  { IDr, AUTH, SA, TSi, TSr } without N(USE_TRANSPORT_MODE) */
		m = proves_itself(&p);
		peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &w.host[SERVER].addr);
		script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
		assert_tunnel(&w, sa, &w.host[CLIENT].addr);
		peer_clear(&p);
		at_rest(&w);
	}
}

static void transport_mode_has_no_inner_addresses(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 31, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = bring_up(&w);
	assert_int_equal(w.host[CLIENT].sas[0].asked.inner_local.family, IP_NONE);
	assert_int_equal(sim_end_of(&w, CLIENT, sa)->last.tunnel.inner_remote.family, IP_NONE);
	at_rest(&w);
}

/* Through a gateway ------------------------------------------------------------------------------------------------- */

static ike_handle begin_through_gateway(struct sim_world *w, const struct ip_addr *host)
{
	sim_init(w, 30, (enum ip_family)host->family, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(w, SERVER);
	w->host[CLIENT].asks_for = *host;
	return sim_initiate(w, published(w), host_id, LIFE_MS);
}

/* The request is for a tunnel to this host and to nobody else. */
static void assert_asks_for_host(const struct msg_chain *inner, const struct ip_addr *host)
{
	const struct pl_selector want = { .family = host->family, .port_last = UINT16_MAX, .first = *host, .last = *host };
	struct pl_ts ts;

	assert_false(has_notify(inner, N_USE_TRANSPORT_MODE));
	assert_int_equal(pl_ts_read(msg_find(inner, PL_TSR)->body, &ts), IKE_OK);
	assert_int_equal(ts.n, 1);
	assert_memory_equal(&ts.selector[0], &want, sizeof want);
}

static void assert_tunnel_through_gateway(struct sim_world *w, ike_handle sa, const struct ip_addr *ours, const struct ip_addr *host)
{
	const struct kernel_request *r = &w->host[CLIENT].sas[0].asked;
	const struct ike_tunnel *t = &sim_end_of(w, CLIENT, sa)->last.tunnel;

	assert_up(w, CLIENT, sa);
	assert_true(r->shield);
	assert_true(ip_equal(&r->inner_local, ours) && ip_equal(&r->inner_remote, host));
	assert_true(ip_equal(&r->local, &w->host[CLIENT].addr) && ip_equal(&r->remote, &w->host[SERVER].addr));
	assert_true(ip_equal(&t->inner_local, ours) && ip_equal(&t->inner_remote, host));
}

static void host_behind_a_gateway_is_the_other_selector(void **state)
{
	static const char *const hosts[] = { "198.51.100.77", "2001:db8:77::1" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct ip_addr host = addr(hosts[i]);
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		ike_handle sa = begin_through_gateway(&w, &host);
		struct msg_wr m;

		takes_handshake(&w, &p, &plain, &inner);
		/* I --> R  { IDr=host's name, SA, TSi=we, TSr=host } */
		assert_asks_for_host(&inner, &host);
		m = proves_itself(&p);
		peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &host);
		script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
		assert_tunnel_through_gateway(&w, sa, &w.host[CLIENT].addr, &host);
		peer_clear(&p);
		at_rest(&w);
	}
}

static void gateway_may_assign_an_address(void **state)
{
	const struct ip_addr host = addr("198.51.100.77"), ours = addr("100.64.0.1");
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	ike_handle sa = begin_through_gateway(&w, &host);
	struct msg_wr m;

	(void)state;
	takes_handshake(&w, &p, &plain, &inner);
	m = peer_inner();
	peer_write_notify(&m, N_TS_UNACCEPTABLE);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	peer_clear(&p);
	takes_handshake(&w, &p, &plain, &inner);
	assert_asks_for_an_address(&inner, &host);
	m = proves_itself(&p);
	pl_cp_write(&m, CFG_REPLY, IP_V4, &ours);
	peer_write_child(&m, 0x1234, &ours, &host);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_tunnel_through_gateway(&w, sa, &ours, &host);
	peer_clear(&p);
	at_rest(&w);
}

/* A gateway of one host gets the traffic of that host, and not in a mode that would be for its own. */
static void gateway_gets_no_more_and_no_less_than_its_host(void **state)
{
	static const struct {
		const char *host;           /* that it answers with */
		bool transport;
		enum rp_reason reason;
	} cases[] = {
		{ "198.51.100.78", false, REASON_TS_UNACCEPTABLE },
		{ NULL, false, REASON_TS_UNACCEPTABLE },        /* its own address */
		{ "198.51.100.77", true, REASON_PROTOCOL },
	};
	const struct ip_addr host = addr("198.51.100.77");

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		ike_handle sa = begin_through_gateway(&w, &host);
		struct ip_addr answered = cases[i].host ? addr(cases[i].host) : w.host[SERVER].addr;
		struct msg_wr m;

		takes_handshake(&w, &p, &plain, &inner);
		m = proves_itself(&p);
		if (cases[i].transport)
			peer_write_notify(&m, N_USE_TRANSPORT_MODE);
		peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &answered);
		script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
		assert_failed(&w, CLIENT, sa, cases[i].reason, "");
		peer_clear(&p);
		at_rest(&w);
	}
}

static void host_behind_itself_is_not_asked_for(void **state)
{
	struct sim_world w;

	(void)state;
	sim_init(&w, 30, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.host[CLIENT].asks_for = w.host[SERVER].addr;
	assert_int_equal(sim_initiate(&w, published(&w), host_id, LIFE_MS), 0);
	w.host[CLIENT].asks_for = addr("2001:db8:77::1");
	assert_int_equal(sim_initiate(&w, published(&w), host_id, LIFE_MS), 0);
	w.host[CLIENT].asks_from = w.host[CLIENT].addr;
	assert_int_equal(sim_initiate(&w, published(&w), host_id, LIFE_MS), 0);
	w.host[CLIENT].asks_for = addr("198.51.100.77");
	assert_int_equal(sim_initiate(&w, published(&w), host_id, LIFE_MS), 0);
	at_rest(&w);
}

/* IPv6 in IPv4, and the other way round: each end of the CHILD SA is one of the host's family. */
static void gateway_of_the_other_family_carries_packets_of_the_hosts(void **state)
{
	static const struct {
		const char *host, *ours;
	} cases[] = { { "198.51.100.77", "198.51.100.9" }, { "2001:db8:77::1", "2001:db8:99::9" } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct ip_addr host = addr(cases[i].host), ours = addr(cases[i].ours);
		const struct pl_selector want = { .family = ours.family, .port_last = UINT16_MAX, .first = ours, .last = ours };
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		struct msg_wr m;
		struct pl_ts ts;
		ike_handle sa;

		sim_init(&w, 30, host.family == IP_V4 ? IP_V6 : IP_V4, NULL, NULL, KEY_ED25519, false);
		sim_remove_host(&w, SERVER);
		w.host[CLIENT].asks_for = host;
		w.host[CLIENT].asks_from = ours;
		sa = sim_initiate(&w, published(&w), host_id, LIFE_MS);
		takes_handshake(&w, &p, &plain, &inner);
		assert_asks_for_host(&inner, &host);
		assert_int_equal(pl_ts_read(msg_find(&inner, PL_TSI)->body, &ts), IKE_OK);
		assert_int_equal(ts.n, 1);
		assert_memory_equal(&ts.selector[0], &want, sizeof want);
		m = proves_itself(&p);
		peer_write_child(&m, 0x1234, &ours, &host);
		script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
		assert_tunnel_through_gateway(&w, sa, &ours, &host);
		peer_clear(&p);
		at_rest(&w);
	}
}

/* An assigned address would be told from our own one by its family alone. */
static void gateway_of_the_other_family_is_not_asked_for_an_address(void **state)
{
	const struct ip_addr host = addr("2001:db8:77::1");
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	sim_init(&w, 30, IP_V4, NULL, NULL, KEY_ED25519, false);
	sim_remove_host(&w, SERVER);
	w.host[CLIENT].asks_for = host;
	w.host[CLIENT].asks_from = addr("2001:db8:99::9");
	sa = sim_initiate(&w, published(&w), host_id, LIFE_MS);
	takes_handshake(&w, &p, &plain, &inner);
	m = proves_itself(&p);
	peer_write_notify(&m, N_TS_UNACCEPTABLE);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_TS_UNACCEPTABLE, "peer said TS_UNACCEPTABLE");
	peer_clear(&p);
	at_rest(&w);
}

/* Being asked for an address --------------------------------------------------------------------------------------- */

/* The host refuses the first time; its second handshake is in p, opened as far as IKE_AUTH. */
static void refuses(struct sim_world *w, struct sim_peer *p, bool proved, uint16_t error, struct peer_message *plain,
		    struct msg_chain *inner)
{
	struct msg_wr m;

	takes_handshake(w, p, plain, inner);
	assert_true(asks_transport_mode(inner));
	m = proved ? proves_itself(p) : peer_inner();
	peer_write_notify(&m, error);
	script_sends(w, p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	if (proved) {
		/* I --> R  INFORMATIONAL { D }: that IKE SA is of no use */
		script_takes(w, p, EXCH_INFORMATIONAL, REQUEST, plain, inner);
		assert_non_null(msg_find(inner, PL_DELETE));
	}
	peer_clear(p);
	takes_handshake(w, p, plain, inner);
}

static void server_with_a_pool_is_asked_for_an_address(void **state)
{
	static const struct {
		enum ip_family family;
		bool proved;
		uint16_t error;
		const char *inner;
	} cases[] = {
		{ IP_V4, true, N_FAILED_CP_REQUIRED, "100.64.0.1" },
		{ IP_V4, false, N_FAILED_CP_REQUIRED, "100.127.255.254" },
		{ IP_V4, true, N_TS_UNACCEPTABLE, "100.64.0.1" },
		{ IP_V4, false, N_TS_UNACCEPTABLE, "100.64.0.1" },
		{ IP_V6, true, N_FAILED_CP_REQUIRED, "fd00:64::1" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_addr inner_address = addr(cases[i].inner);
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		ike_handle sa = begin(&w, cases[i].family);
		struct msg_wr m;

		refuses(&w, &p, cases[i].proved, cases[i].error, &plain, &inner);
		/* I --> R  { ..., CP(CFG_REQUEST), SA, TSi=any, TSr=host } */
		assert_asks_for_an_address(&inner, &w.host[SERVER].addr);
		/* I <-- R  { IDr, AUTH, CP(CFG_REPLY), SA, TSi=inner, TSr=host } */
		m = proves_itself(&p);
		pl_cp_write(&m, CFG_REPLY, cases[i].family, &inner_address);
		peer_write_child(&m, 0x1234, &inner_address, &w.host[SERVER].addr);
		script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
		assert_tunnel(&w, sa, &inner_address);
		peer_clear(&p);
		at_rest(&w);
	}
}

static void host_without_a_pool_may_give_a_host_to_host_tunnel(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	ike_handle sa = begin(&w, IP_V4);
	struct msg_wr m;

	(void)state;
	refuses(&w, &p, false, N_TS_UNACCEPTABLE, &plain, &inner);
	m = proves_itself(&p);
	peer_write_child(&m, 0x1234, &w.host[CLIENT].addr, &w.host[SERVER].addr);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_tunnel(&w, sa, &w.host[CLIENT].addr);
	peer_clear(&p);
	at_rest(&w);
}

static void address_is_asked_for_once(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	ike_handle sa = begin(&w, IP_V4);
	struct msg_wr m;

	(void)state;
	refuses(&w, &p, true, N_FAILED_CP_REQUIRED, &plain, &inner);
	m = proves_itself(&p);
	peer_write_notify(&m, N_INTERNAL_ADDRESS_FAILURE);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "peer said INTERNAL_ADDRESS_FAILURE");
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_DELETE));
	nothing_is_sent(&w);
	peer_clear(&p);
	at_rest(&w);
}

/* The proof comes first, whatever stands beside it. */
static void refusal_with_a_wrong_key_asks_nothing(void **state)
{
	struct privkey *key = sim_privkey(KEY_ED25519_OTHER);
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	ike_handle sa = begin(&w, IP_V4);
	struct msg_wr m = peer_inner();

	(void)state;
	takes_handshake(&w, &p, &plain, &inner);
	m = peer_inner();
	pl_id_write(&m, PL_IDR, ID_FQDN, span_of(host_id, sizeof host_id - 1));
	peer_write_auth_signed(&p, &m, key, ID_FQDN, span_of(host_id, sizeof host_id - 1));
	peer_write_notify(&m, N_FAILED_CP_REQUIRED);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_AUTH_FAILED, "does not verify");
	peer_clear(&p);
	privkey_free(key);
	at_rest(&w);
}

/* The attempt's end counts for both tries together. */
static void second_try_ends_at_the_deadline(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	ike_handle sa = begin(&w, IP_V4);
	uint64_t end_ms = w.now_ms + LIFE_MS;

	(void)state;
	sim_run_until(&w, w.now_ms + 1000);
	free(sim_take(&w));
	while (w.wire)
		free(sim_take(&w));
	wait_for_send(&w, 1000);
	refuses(&w, &p, false, N_FAILED_CP_REQUIRED, &plain, &inner);
	while (sim_next_ms(&w) < end_ms) {
		sim_run_until(&w, sim_next_ms(&w));
		free(sim_take(&w));
	}
	sim_run_until(&w, end_ms);
	assert_failed(&w, CLIENT, sa, REASON_TIMEOUT, "no answer to IKE_AUTH");
	peer_clear(&p);
	at_rest(&w);
}

/* Answers that are not taken --------------------------------------------------------------------------------------- */

struct answer {
	struct sim_world *w;
	struct msg_wr *m;
};

static void assigns(const struct answer *a, const char *inner)
{
	struct ip_addr i = addr(inner);

	pl_cp_write(a->m, CFG_REPLY, (enum ip_family)i.family, &i);
}

static void child(const struct answer *a, const char *inner)
{
	struct ip_addr i = addr(inner);

	peer_write_child(a->m, 0x1234, &i, &a->w->host[SERVER].addr);
}

/* The last two selectors of peer_write_child() are made wider by a bit. */
static void widened(const struct answer *a, size_t behind_end)
{
	assigns(a, "100.64.0.1");
	child(a, "100.64.0.1");
	a->m->w.base[a->m->w.n - behind_end] ^= 1;
}

static void answer_tsr_wider(const struct answer *a) { widened(a, 1); }
static void answer_tsi_wider(const struct answer *a) { widened(a, 1 + 24); }

static void answer_other_tsi(const struct answer *a)
{
	assigns(a, "100.64.0.1");
	child(a, "100.64.0.2");
}

static void answer_our_tsi(const struct answer *a)
{
	assigns(a, "100.64.0.1");
	peer_write_child(a->m, 0x1234, &a->w->host[CLIENT].addr, &a->w->host[SERVER].addr);
}

static void answer_global(const struct answer *a)
{
	assigns(a, "9.9.9.9");
	child(a, "9.9.9.9");
}

static void answer_lan(const struct answer *a)
{
	assigns(a, "192.168.1.1");
	child(a, "192.168.1.1");
}

static void answer_loopback(const struct answer *a)
{
	assigns(a, "127.0.0.1");
	child(a, "127.0.0.1");
}

static void answer_other_family(const struct answer *a)
{
	assigns(a, "fd00:64::1");
	child(a, "100.64.0.1");
}

static void answer_two(const struct answer *a)
{
	static const uint8_t two[] = { 2, 0, 0, 0, 0, 1, 0, 4, 100, 64, 0, 1, 0, 1, 0, 4, 100, 64, 0, 2 };

	msg_payload_begin(a->m, PL_CP);
	wr_bytes(&a->m->w, two, sizeof two);
	msg_payload_end(a->m);
	child(a, "100.64.0.1");
}

static void answer_none(const struct answer *a)
{
	pl_cp_write(a->m, CFG_REPLY, IP_V4, NULL);
	child(a, "100.64.0.1");
}

static void answer_request(const struct answer *a)
{
	pl_cp_write(a->m, CFG_REQUEST, IP_V4, NULL);
	child(a, "100.64.0.1");
}

static void answer_unassigned(const struct answer *a)
{
	child(a, "100.64.0.1");
}

static void answer_transport(const struct answer *a)
{
	peer_write_notify(a->m, N_USE_TRANSPORT_MODE);
	assigns(a, "100.64.0.1");
	child(a, "100.64.0.1");
}

static void only_one_address_for_the_host_alone_is_taken(void **state)
{
	static const struct {
		void (*write)(const struct answer *a);
		enum rp_reason reason;
		const char *words;
	} cases[] = {
		{ answer_tsr_wider, REASON_TS_UNACCEPTABLE, "other traffic selectors" },
		{ answer_tsi_wider, REASON_TS_UNACCEPTABLE, "other traffic selectors" },
		{ answer_other_tsi, REASON_TS_UNACCEPTABLE, "other traffic selectors" },
		{ answer_our_tsi, REASON_TS_UNACCEPTABLE, "other traffic selectors" },
		{ answer_unassigned, REASON_TS_UNACCEPTABLE, "other traffic selectors" },
		{ answer_global, REASON_PEER_REFUSED, "assigned 9.9.9.9, which is not in" },
		{ answer_lan, REASON_PEER_REFUSED, "assigned 192.168.1.1" },
		{ answer_loopback, REASON_PEER_REFUSED, "assigned 127.0.0.1" },
		{ answer_other_family, REASON_PEER_REFUSED, "assigned fd00:64::1" },
		{ answer_two, REASON_PROTOCOL, "did not assign one address" },
		{ answer_none, REASON_PROTOCOL, "did not assign one address" },
		{ answer_request, REASON_PROTOCOL, "did not assign one address" },
		{ answer_transport, REASON_PROTOCOL, "transport mode unasked" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer_message plain;
		struct msg_chain inner;
		struct sim_peer p;
		struct sim_world w;
		ike_handle sa = begin(&w, IP_V4);
		struct msg_wr m;
		struct answer a = { .w = &w, .m = &m };

		refuses(&w, &p, false, N_FAILED_CP_REQUIRED, &plain, &inner);
		m = proves_itself(&p);
		cases[i].write(&a);
		script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
		assert_failed(&w, CLIENT, sa, cases[i].reason, cases[i].words);
		peer_clear(&p);
		at_rest(&w);
	}
}

/* A CP payload that nobody asked for assigns nothing. */
static void unasked_address_is_ignored(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_peer p;
	struct sim_world w;
	ike_handle sa = begin(&w, IP_V4);
	struct msg_wr m;
	struct answer a = { .w = &w, .m = &m };

	(void)state;
	takes_handshake(&w, &p, &plain, &inner);
	m = proves_itself(&p);
	assigns(&a, "100.64.0.1");
	child(&a, "100.64.0.1");
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_TS_UNACCEPTABLE, "other traffic selectors");
	peer_clear(&p);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_that_ignores_transport_mode_gets_a_host_to_host_tunnel),
		cmocka_unit_test(transport_mode_has_no_inner_addresses),
		cmocka_unit_test(host_behind_a_gateway_is_the_other_selector),
		cmocka_unit_test(gateway_may_assign_an_address),
		cmocka_unit_test(gateway_gets_no_more_and_no_less_than_its_host),
		cmocka_unit_test(gateway_of_the_other_family_carries_packets_of_the_hosts),
		cmocka_unit_test(gateway_of_the_other_family_is_not_asked_for_an_address),
		cmocka_unit_test(host_behind_itself_is_not_asked_for),
		cmocka_unit_test(server_with_a_pool_is_asked_for_an_address),
		cmocka_unit_test(host_without_a_pool_may_give_a_host_to_host_tunnel),
		cmocka_unit_test(address_is_asked_for_once),
		cmocka_unit_test(refusal_with_a_wrong_key_asks_nothing),
		cmocka_unit_test(second_try_ends_at_the_deadline),
		cmocka_unit_test(only_one_address_for_the_host_alone_is_taken),
		cmocka_unit_test(unasked_address_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
