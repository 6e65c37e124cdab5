/* IKE SAs that come up without a CHILD SA, which is asked for after that (RFC 6023). Both roles, with a script at the other end. */
#include "tests/unit/ladder.h"

enum { SPI_SCRIPT = 0xabcd1234 };

static const char name[] = "host.example";
static const uint8_t nonce[32] = { 1, 2, 3 };

/* SA { AES-GCM-256, ESN, group }, Nonce, KE, TSi, TSr: of the script, between the two hosts. group 0, dh NULL: none. */
static void write_child(struct sim_world *w, struct msg_wr *m, uint16_t group, const struct dh *dh)
{
	const struct pl_proposal proposal = {
		.number = 1, .protocol = PROTO_ESP, .spi_len = 4, .spi = { 0xab, 0xcd, 0x12, 0x34 }, .n = group ? 3 : 2,
		.transform = { { .type = TT_ENCR, .id = ENCR_AES_GCM_16, .key_bits = 256 }, { .type = TT_ESN, .id = 1 },
			       { .type = TT_KE, .id = group } },
	};
	const struct ip_addr *i = &w->host[CLIENT].addr, *r = &w->host[SERVER].addr;
	struct pl_selector tsi = { .family = i->family, .port_last = UINT16_MAX, .first = *i, .last = *i };
	struct pl_selector tsr = { .family = r->family, .port_last = UINT16_MAX, .first = *r, .last = *r };

	pl_sa_write(m, &proposal, 1);
	pl_nonce_write(m, span_of(nonce, sizeof nonce));
	if (dh)
		pl_ke_write(m, GROUP_X25519, dh_public(dh));
	pl_ts_write(m, PL_TSI, &tsi, 1);
	pl_ts_write(m, PL_TSR, &tsr, 1);
}

/* The kernel of the core has the keys that the script derives from what the core has sent (RFC 7296 2.17). */
static void assert_same_keys(struct sim_world *w, const struct sim_peer *p, const struct dh *dh, const struct msg_chain *sent)
{
	const struct esp_suite suite = { .encr = ENCR_AES_GCM_16, .encr_bits = 256, .integ = INTEG_NONE, .esn = true };
	const struct sim_host *core = &w->host[p->initiator ? SERVER : CLIENT];
	const struct kernel_request *asked = NULL;
	struct dh_shared shared = { .n = 0 };
	struct esp_keys i_to_r, r_to_i;
	struct span theirs, own = span_of(nonce, sizeof nonce);
	struct pl_ke ke;

	assert_int_equal(pl_nonce_read(msg_find(sent, PL_NONCE)->body, &theirs), IKE_OK);
	if (dh) {
		assert_int_equal(pl_ke_read(msg_find(sent, PL_KE)->body, &ke), IKE_OK);
		assert_int_equal(dh_agree(dh, ke.public_value, &shared), IKE_OK);
	}
	assert_int_equal(esp_keys_derive(&p->suite, &suite, &p->keys.d, dh ? &shared : NULL, p->initiator ? own : theirs,
					 p->initiator ? theirs : own, NULL, &i_to_r, &r_to_i), IKE_OK);
	for (unsigned i = 0; i < SIM_SAS_MAX; i++) {
		if (core->sas[i].in && core->sas[i].out)
			asked = &core->sas[i].asked;
	}
	assert_non_null(asked);
	assert_int_equal(asked->spi_out, SPI_SCRIPT);
	unit_assert_span(secret_span(&asked->keys_in.encr), secret_span(p->initiator ? &i_to_r.encr : &r_to_i.encr));
	unit_assert_span(secret_span(&asked->keys_out.encr), secret_span(p->initiator ? &r_to_i.encr : &i_to_r.encr));
}

/* We are the host ------------------------------------------------------------------------------ */

/* I --> R  IKE_AUTH { IDi=NULL, AUTH }      I <-- R  { IDr, AUTH }: it has proved its key, and has made nothing */
static void comes_without_child(struct sim_world *w, struct sim_peer *p)
{
	struct keyset *keys = published(w);
	struct peer_message plain;
	struct msg_chain inner;
	struct msg_wr m;
	uint8_t method;

	script_client_init(w, p, 0);
	m = peer_inner();
	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	peer_write_auth_null(p, &m, ID_NULL, span_of(NULL, 0));
	script_sends(w, p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(w, p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(peer_verifies(p, &inner, keys, &method));
	assert_null(msg_find(&inner, PL_SA));
	assert_null(msg_find(&inner, PL_TSI));
	assert_int_equal(sim_sas(w, SERVER) + w->host[SERVER].n_ends, 0);
	assert_int_equal(ike_load(w->host[SERVER].ike).half_open, 1);
	keyset_unref(keys);
}

/* I --> R  CREATE_CHILD_SA { N(USE_TRANSPORT_MODE), SA, Ni, [KEi,] TSi, TSr }; opened into inner: the answer */
static void asks_for_child(struct sim_world *w, struct sim_peer *p, uint32_t id, uint16_t group, const struct dh *dh,
			   struct peer_message *plain, struct msg_chain *inner)
{
	struct msg_wr m = peer_inner();

	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	write_child(w, &m, group, dh);
	script_sends(w, p, EXCH_CREATE_CHILD_SA, id, REQUEST, &m);
	script_takes(w, p, EXCH_CREATE_CHILD_SA, RESPONSE, plain, inner);
}

static void host_says_that_it_does_it(void **state)
{
	struct msg_chain chain;
	struct ike_hdr hdr;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 1, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	assert_int_equal(ike_hdr_read(peer_span(&p.init_other), &hdr), IKE_OK);
	assert_int_equal(msg_chain_read(hdr.next_payload, span_of(p.init_other.b + IKE_HDR_LEN, p.init_other.n - IKE_HDR_LEN), &chain), IKE_OK);
	assert_true(has_notify(&chain, N_CHILDLESS_IKEV2_SUPPORTED));
	peer_clear(&p);
	at_rest(&w);
}

static void child_is_made_when_it_is_asked_for(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	for (unsigned pfs = 0; pfs < 2; pfs++) {
		struct dh *dh = NULL;

		sim_init(&w, 2, IP_V4, NULL, NULL, KEY_ED25519, false);
		comes_without_child(&w, &p);
		if (pfs)
			assert_int_equal(dh_new(GROUP_X25519, &w.rng, &dh), IKE_OK);
		asks_for_child(&w, &p, 2, pfs ? GROUP_X25519 : 0, dh, &plain, &inner);
		assert_true(has_notify(&inner, N_USE_TRANSPORT_MODE));
		assert_int_equal(msg_find(&inner, PL_KE) != NULL, pfs);
		assert_int_equal(w.host[SERVER].n_ends, 1);
		assert_int_equal(w.host[SERVER].ends[0].ups, 1);
		assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 0);
		assert_int_equal(ike_load(w.host[SERVER].ike).established, 1);
		assert_same_keys(&w, &p, dh, &inner);
		/* There is one, as ever. */
		asks_for_child(&w, &p, 3, 0, NULL, &plain, &inner);
		assert_true(has_notify(&inner, N_NO_ADDITIONAL_SAS));
		dh_free(dh);
		peer_clear(&p);
		sim_run_until(&w, w.now_ms + 60000);
		assert_int_equal(sim_sas(&w, SERVER), 1);
		assert_string_equal(w.broken, "");
		sim_clear(&w);
	}
}

/* What is wrong with it is said, and the next wish is as good as the first. */
static void refused_child_may_be_asked_for_again(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct pl_notify notify;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	struct dh *dh;

	(void)state;
	sim_init(&w, 3, IP_V4, NULL, NULL, KEY_ED25519, false);
	comes_without_child(&w, &p);
	assert_int_equal(dh_new(GROUP_X25519, &w.rng, &dh), IKE_OK);
	/* A key exchange that it has offered, and another one that it has made */
	asks_for_child(&w, &p, 2, GROUP_ECP_256, dh, &plain, &inner);
	assert_true(pl_notify_find(&inner, N_INVALID_KE_PAYLOAD, &notify));
	assert_int_equal(notify.value.p[0] << 8 | notify.value.p[1], GROUP_ECP_256);
	/* None, where the group is one that we do not know */
	asks_for_child(&w, &p, 3, 99, NULL, &plain, &inner);
	assert_true(has_notify(&inner, N_NO_PROPOSAL_CHOSEN));
	/* To somebody else */
	m = peer_inner();
	w.host[SERVER].addr.b[3]++;
	write_child(&w, &m, 0, NULL);
	w.host[SERVER].addr.b[3]--;
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 4, REQUEST, &m);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_TS_UNACCEPTABLE));
	assert_int_equal(w.host[SERVER].asked_to_authorize, 1);
	/* The layer above does not want it, at this moment */
	w.host[SERVER].refuses = REASON_LIMIT;
	asks_for_child(&w, &p, 5, 0, NULL, &plain, &inner);
	assert_true(has_notify(&inner, N_NO_ADDITIONAL_SAS));
	w.host[SERVER].refuses = REASON_TS_UNACCEPTABLE;
	asks_for_child(&w, &p, 6, 0, NULL, &plain, &inner);
	assert_true(has_notify(&inner, N_TS_UNACCEPTABLE));
	assert_int_equal(sim_sas(&w, SERVER) + w.host[SERVER].n_ends, 0);
	assert_int_equal(ike_load(w.host[SERVER].ike).half_open, 1);
	w.host[SERVER].refuses = REASON_NONE;
	asks_for_child(&w, &p, 7, GROUP_X25519, dh, &plain, &inner);
	assert_same_keys(&w, &p, dh, &inner);
	dh_free(dh);
	peer_clear(&p);
	sim_clear(&w);
}

static void nothing_else_is_done_before(void **state)
{
	static const uint8_t spi[] = { 1, 2, 3, 4 };
	struct peer_message plain;
	struct msg_chain inner;
	struct ip_addr own;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 4, IP_V4, NULL, NULL, KEY_ED25519, false);
	comes_without_child(&w, &p);
	/* Is it there? */
	m = peer_inner();
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_int_equal(inner.n, 0);
	/* New keys for the CHILD SA, or for the IKE SA */
	m = peer_inner();
	pl_notify_write(&m, PROTO_ESP, span_of(spi, sizeof spi), N_REKEY_SA, span_of(NULL, 0));
	write_child(&w, &m, 0, NULL);
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 3, REQUEST, &m);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_CHILD_SA_NOT_FOUND));
	m = peer_inner();
	pl_nonce_write(&m, span_of(nonce, sizeof nonce));
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 4, REQUEST, &m);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_TEMPORARY_FAILURE));
	/* From where IKE_SA_INIT did not come from */
	own = w.host[CLIENT].addr;
	w.host[CLIENT].addr.b[3] += 100;
	m = peer_inner();
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	write_child(&w, &m, 0, NULL);
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 5, REQUEST, &m);
	nothing_is_sent(&w);
	w.host[CLIENT].addr = own;
	/* It goes. */
	m = peer_inner();
	pl_delete_write(&m, PROTO_IKE, NULL, 0);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 5, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	assert_int_equal(w.host[SERVER].n_ends, 0);
	peer_clear(&p);
	at_rest(&w);
}

/* A part of a CHILD SA in IKE_AUTH is neither. */
static void half_a_child_is_malformed(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	struct pl_selector ts = { .family = IP_V4, .port_last = UINT16_MAX };

	(void)state;
	sim_init(&w, 5, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_client_init(&w, &p, 0);
	ts.first = ts.last = w.host[CLIENT].addr;
	m = peer_inner();
	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	peer_write_auth_null(&p, &m, ID_NULL, span_of(NULL, 0));
	pl_ts_write(&m, PL_TSI, &ts, 1);
	script_sends(&w, &p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(&w, &p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_true(has_notify(&inner, N_INVALID_SYNTAX));
	assert_int_equal(w.host[SERVER].asked_to_sign, 0);
	peer_clear(&p);
	at_rest(&w);
}

static void nobody_asks_and_the_ike_sa_is_deleted(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	sim_init(&w, 6, IP_V4, NULL, NULL, KEY_ED25519, false);
	comes_without_child(&w, &p);
	/* Half open it was from IKE_SA_INIT on; that it lives helps nothing. */
	m = peer_inner();
	sim_run_until(&w, w.now_ms + 20000);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	wait_for_send(&w, 10000);
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_DELETE));
	m = peer_inner();
	script_sends(&w, &p, EXCH_INFORMATIONAL, 0, RESPONSE, &m);
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 0);
	assert_int_equal(w.host[SERVER].n_ends, 0);
	peer_clear(&p);
	at_rest(&w);
}

/* They count as half open, and go as those do: without a word, or the Deletes to a crowd would hold the places. */
static void crowd_without_children_is_bounded(void **state)
{
	struct ike_config config = { .cookie_threshold = 100, .half_open_max = 3 };
	struct sim_peer p[6];
	struct sim_world w;

	(void)state;
	sim_init(&w, 7, IP_V4, NULL, &config, KEY_ED25519, false);
	for (unsigned i = 0; i < 6; i++) {
		w.host[CLIENT].addr.b[2]++;             /* from 6 sources */
		if (i >= 3)
			sim_run_until(&w, w.now_ms + 3000);     /* the others have had their time */
		script_client_init(&w, &p[i], 0);
		nothing_is_sent(&w);
		assert_in_range(ike_load(w.host[SERVER].ike).half_open, 1, 3);
		if (i < 5) {
			struct msg_wr m = peer_inner();

			pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
			peer_write_auth_null(&p[i], &m, ID_NULL, span_of(NULL, 0));
			script_sends(&w, &p[i], EXCH_IKE_AUTH, 1, REQUEST, &m);
			free(take(&w, SERVER, EXCH_IKE_AUTH, RESPONSE));
		}
	}
	assert_int_equal(ike_load(w.host[SERVER].ike).sas, 3);
	assert_int_equal(ike_stats(w.host[SERVER].ike)->half_open_pushed_out, 3);
	assert_int_equal(w.host[SERVER].n_ends, 0);
	for (unsigned i = 0; i < 6; i++)
		peer_clear(&p[i]);
	w.carry = drop;
	at_rest(&w);
}

static void kernel_failure_refuses_the_late_child(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	sim_init(&w, 8, IP_V4, NULL, NULL, KEY_ED25519, false);
	comes_without_child(&w, &p);
	w.host[SERVER].kernel_fails = 1;
	asks_for_child(&w, &p, 2, 0, NULL, &plain, &inner);
	assert_true(has_notify(&inner, N_NO_PROPOSAL_CHOSEN));
	assert_int_equal(sim_sas(&w, SERVER), 0);
	assert_int_equal(w.host[SERVER].ends[0].last.kind, EV_FAILED);
	peer_clear(&p);
	at_rest(&w);
}

/* The host does it so -------------------------------------------------------------------------- */

/* I --> R  IKE_AUTH, with a CHILD SA or without; answered with IDr, AUTH and perhaps an error */
static void host_proves_itself(struct sim_world *w, struct sim_peer *p, bool with_child, uint16_t error)
{
	struct privkey *key = sim_privkey(KEY_ED25519);
	struct peer_message plain;
	struct msg_chain inner;
	struct msg_wr m;

	script_takes(w, p, EXCH_IKE_AUTH, REQUEST, &plain, &inner);
	assert_int_equal(msg_find(&inner, PL_SA) != NULL, with_child);
	assert_int_equal(msg_find(&inner, PL_TSI) != NULL, with_child);
	m = peer_inner();
	pl_id_write(&m, PL_IDR, ID_FQDN, span_of(name, sizeof name - 1));
	peer_write_auth_signed(p, &m, key, ID_FQDN, span_of(name, sizeof name - 1));
	if (error)
		peer_write_notify(&m, error);
	script_sends(w, p, EXCH_IKE_AUTH, 1, RESPONSE, &m);
	privkey_free(key);
}

/* A host that makes CHILD SAs after IKE_AUTH only; up to our request for one, which is opened into inner. */
static ike_handle forced(struct sim_world *w, struct sim_peer *p, struct peer_message *plain, struct msg_chain *inner)
{
	ike_handle sa;

	script_server(w, p);
	p->childless = true;
	sa = sim_initiate(w, published(w), name, LIFE_MS);
	script_answers_init(w, p);
	host_proves_itself(w, p, true, N_INVALID_SYNTAX);
	peer_clear(p);
	peer_start(p, false, &w->rng);
	p->childless = true;
	script_answers_init(w, p);
	host_proves_itself(w, p, false, 0);
	script_takes(w, p, EXCH_CREATE_CHILD_SA, REQUEST, plain, inner);
	return sa;
}

static void host_that_forces_it_gets_its_way(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	ike_handle sa;

	(void)state;
	for (unsigned pfs = 0; pfs < 2; pfs++) {
		struct dh *dh = NULL;

		sim_init(&w, 10 + pfs, IP_V4, NULL, NULL, KEY_ED25519, false);
		sa = forced(&w, &p, &plain, &inner);
		assert_true(has_notify(&inner, N_USE_TRANSPORT_MODE));
		assert_non_null(msg_find(&inner, PL_KE));
		if (pfs)
			assert_int_equal(dh_new(GROUP_X25519, &w.rng, &dh), IKE_OK);
		m = peer_inner();
		peer_write_notify(&m, N_USE_TRANSPORT_MODE);
		write_child(&w, &m, pfs ? GROUP_X25519 : 0, dh);
		/* The offer with groups is number 1, the one without is number 3. */
		if (!pfs)
			m.w.base[8 + 4 + 4] = 3;
		script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 2, RESPONSE, &m);
		assert_up(&w, CLIENT, sa);
		assert_same_keys(&w, &p, dh, &inner);
		dh_free(dh);
		peer_clear(&p);
		sim_clear(&w);
	}
}

static void host_that_forces_it_wants_another_group(void **state)
{
	static const uint8_t wanted[] = { 0, GROUP_ECP_256 };
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;
	struct pl_ke ke;
	ike_handle sa;

	(void)state;
	sim_init(&w, 12, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = forced(&w, &p, &plain, &inner);
	m = peer_inner();
	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_INVALID_KE_PAYLOAD, span_of(wanted, sizeof wanted));
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 2, RESPONSE, &m);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, REQUEST, &plain, &inner);
	assert_int_equal(pl_ke_read(msg_find(&inner, PL_KE)->body, &ke), IKE_OK);
	assert_int_equal(ke.group, GROUP_ECP_256);
	/* And then it refuses. */
	m = peer_inner();
	peer_write_notify(&m, N_TS_UNACCEPTABLE);
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 3, RESPONSE, &m);
	assert_failed(&w, CLIENT, sa, REASON_TS_UNACCEPTABLE, "TS_UNACCEPTABLE");
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_DELETE));
	peer_clear(&p);
	w.carry = drop;
	at_rest(&w);
}

/* The same error of a host that has not said that it knows how is the end. */
static void nobody_else_is_asked_twice(void **state)
{
	struct sim_world w;
	struct sim_peer p;
	ike_handle sa;

	(void)state;
	sim_init(&w, 13, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_server(&w, &p);
	sa = sim_initiate(&w, published(&w), name, LIFE_MS);
	script_answers_init(&w, &p);
	host_proves_itself(&w, &p, true, N_INVALID_SYNTAX);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "INVALID_SYNTAX");
	is_lost(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	peer_clear(&p);
	w.carry = drop;
	at_rest(&w);
}

/* Its answer to a request without a CHILD SA holds the same error again: there is no third try. */
static void host_that_refuses_both_is_left(void **state)
{
	struct sim_world w;
	struct sim_peer p;
	ike_handle sa;

	(void)state;
	sim_init(&w, 14, IP_V4, NULL, NULL, KEY_ED25519, false);
	script_server(&w, &p);
	p.childless = true;
	sa = sim_initiate(&w, published(&w), name, LIFE_MS);
	script_answers_init(&w, &p);
	host_proves_itself(&w, &p, true, N_INVALID_SYNTAX);
	peer_clear(&p);
	peer_start(&p, false, &w.rng);
	p.childless = true;
	script_answers_init(&w, &p);
	host_proves_itself(&w, &p, false, N_INVALID_SYNTAX);
	assert_failed(&w, CLIENT, sa, REASON_PEER_REFUSED, "INVALID_SYNTAX");
	is_lost(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	peer_clear(&p);
	w.carry = drop;
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_says_that_it_does_it),
		cmocka_unit_test(child_is_made_when_it_is_asked_for),
		cmocka_unit_test(refused_child_may_be_asked_for_again),
		cmocka_unit_test(nothing_else_is_done_before),
		cmocka_unit_test(half_a_child_is_malformed),
		cmocka_unit_test(nobody_asks_and_the_ike_sa_is_deleted),
		cmocka_unit_test(crowd_without_children_is_bounded),
		cmocka_unit_test(kernel_failure_refuses_the_late_child),
		cmocka_unit_test(host_that_forces_it_gets_its_way),
		cmocka_unit_test(host_that_forces_it_wants_another_group),
		cmocka_unit_test(nobody_else_is_asked_twice),
		cmocka_unit_test(host_that_refuses_both_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
