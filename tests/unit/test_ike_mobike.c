/* MOBIKE (RFC 4555): a client whose inner address the host has assigned goes to another network. */
#include "tests/sim/kem_double.h"
#include "tests/unit/ladder.h"
#include "tests/unit/unit_addr.h"

enum { REQID = KERNEL_REQID_BASE | 1 };

static void start_with(struct sim_world *w, const struct ike_config *config, bool pool)
{
	struct ike_config server = *config;

	server.pool_v4 = addr("100.64.0.1");
	server.pool_v4_size = pool ? 4 : 0;
	sim_init(w, 50, IP_V4, config, &server, KEY_ED25519, false);
	w->nat = true;                          /* who is behind none keeps his own address */
	(void)sim_initiate(w, published(w), "host.example", LIFE_MS);
	sim_run_until(w, w->now_ms + 1000);
	assert_int_equal(w->host[CLIENT].ends[0].ups, 1);
}

static void start(struct sim_world *w, bool pool)
{
	start_with(w, &(struct ike_config){ .kem = NULL }, pool);
}

static void rekey_from_server(struct sim_world *w, enum ike_err (*command)(struct ike *, ike_handle, uint64_t))
{
	assert_int_equal(command(w->host[SERVER].ike, w->host[SERVER].ends[0].sa, w->now_ms), IKE_OK);
	sim_pump(w);
}

/* It has another address, behind another NAT. */
static enum ike_err moves(struct sim_world *w, const char *to, const char *nat)
{
	enum ike_err err;

	w->host[CLIENT].addr = addr(to);
	w->nat_addr = addr(nat);
	err = ike_move(w->host[CLIENT].ike, w->host[CLIENT].ends[0].sa, &w->host[CLIENT].addr, w->now_ms);
	sim_pump(w);
	return err;
}

static void assert_moved(struct sim_world *w, unsigned times)
{
	const struct ike_tunnel *c = &w->host[CLIENT].ends[0].last.tunnel, *s = &w->host[SERVER].ends[0].last.tunnel;

	sim_run_until(w, w->now_ms + 20000);
	for (unsigned side = 0; side < SIDES; side++) {
		assert_int_equal(w->host[side].ends[0].rekeyed, times);
		assert_int_equal(w->host[side].ends[0].ends + w->host[side].ends[0].kept, 0);
		assert_int_equal(sim_sas(w, (enum sim_side)side), 1);
		assert_true(sim_reaches(w, (enum sim_side)side, REQID));
	}
	assert_true(ip_equal(&c->path.local.addr, &w->host[CLIENT].addr));
	assert_true(ip_equal(&s->path.remote.addr, &w->nat_addr));
	assert_true(ip_equal(&sim_sends_with(w, SERVER, REQID)->asked.remote, &w->nat_addr));
	assert_true(ip_equal(&c->inner_local, &s->inner_remote));
	at_rest(w);
}

static void client_goes_to_another_network(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, true);
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);               /* N(UPDATE_SA_ADDRESSES) */
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);               /* N(COOKIE2) */
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	wait_for_send(&w, 100);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_true(ip_equal(&sim_sends_with(&w, SERVER, REQID)->asked.remote, &w.nat_addr));
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	assert_true(sim_reaches(&w, CLIENT, REQID));
	assert_true(sim_reaches(&w, SERVER, REQID));
	assert_moved(&w, 1);
}

static void each_message_may_be_lost(void **state)
{
	struct sim_world w;

	(void)state;
	for (unsigned n = 0; n < 8; n++) {
		start(&w, true);
		assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
		for (unsigned i = 0; i < n; i++) {
			if (!w.wire)
				wait_for_send(&w, 1000);
			sim_deliver(&w, sim_take(&w));
		}
		if (!w.wire)
			wait_for_send(&w, 5000);
		free(sim_take(&w));
		assert_moved(&w, 1);
	}
}

/* It comes through several networks before anything is answered, and something was out already. */
static void last_address_counts(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, true);
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, w.host[CLIENT].ends[0].sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	free(sim_take(&w));
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	sim_run_until(&w, w.now_ms + 8);
	assert_int_equal(moves(&w, "192.0.2.98", "198.51.100.87"), IKE_OK);
	assert_moved(&w, 1);
	start(&w, true);
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	sim_run_until(&w, w.now_ms + 5000);
	assert_int_equal(moves(&w, "192.0.2.98", "198.51.100.87"), IKE_OK);
	assert_moved(&w, 2);
}

/* The host has begun to rekey, its next request is sent to where the client has gone from, and the client waits for it. */
static void move_is_told_while_host_makes_additional_key_exchange(void **state)
{
	static const struct ike_config hybrid = { .kem = &kem_double, .fragment_max = 1400 };
	struct sim_world w;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start_with(&w, &hybrid, true);
		rekey_from_server(&w, i ? ike_rekey_ike : ike_rekey_child);
		arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
		arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
		is_lost(&w, SERVER, EXCH_IKE_FOLLOWUP_KE, REQUEST);
		assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
		arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);       /* N(UPDATE_SA_ADDRESSES) */
		arrives(&w, SERVER, EXCH_IKE_FOLLOWUP_KE, REQUEST);     /* again, and at once */
		assert_moved(&w, 2);
	}
}

/* The host has a new IKE SA when it is told in the old one. */
static void move_is_told_again_in_new_ike_sa(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, true);
	rekey_from_server(&w, ike_rekey_ike);
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	is_lost(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);               /* N(UPDATE_SA_ADDRESSES) */
	assert_moved(&w, 2);
}

/* The client has a new IKE SA, of which the host has not heard when the client moves. */
static void move_is_told_in_replaced_ike_sa(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, true);
	rekey_from_server(&w, ike_rekey_ike);
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	is_lost(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	assert_moved(&w, 2);
}

/* RFC 4555 3.7: that the client is where it says is not proved by a new IKE SA. */
static void client_is_asked_in_new_ike_sa_whether_it_is_there(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, true);
	rekey_from_server(&w, ike_rekey_ike);
	is_lost(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);               /* N(UPDATE_SA_ADDRESSES) */
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);             /* again, and at once */
	is_lost(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
	is_lost(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);               /* N(UPDATE_SA_ADDRESSES) in the new one */
	is_lost(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);               /* N(COOKIE2) in the new one */
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);               /* Delete of the old one */
	assert_moved(&w, 2);
}

/* Both rekey the IKE SA. The host has that of the client, which it has not begun to use, when it is told there. */
static void move_is_told_in_ike_sa_that_the_host_does_not_use_yet(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, true);
	rekey_from_server(&w, ike_rekey_ike);
	is_lost(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	assert_int_equal(ike_rekey_ike(w.host[CLIENT].ike, w.host[CLIENT].ends[0].sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, REQUEST);
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, RESPONSE);
	is_lost(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);               /* Delete of the old one */
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);               /* N(UPDATE_SA_ADDRESSES) */
	assert_moved(&w, 2);
}

/* The host makes a pair for where the client was, the client one for where it is. */
static void pair_that_the_host_makes_meanwhile_is_replaced(void **state)
{
	struct sim_datagram *told;
	struct sim_world w;

	(void)state;
	start(&w, true);
	rekey_from_server(&w, ike_rekey_child);
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_OK);
	arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
	told = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);           /* N(UPDATE_SA_ADDRESSES) */
	arrives(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
	sim_deliver(&w, told);
	is_lost(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);               /* Delete of the old pair */
	assert_moved(&w, 2);
}

static void only_an_assigned_address_can_move(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, false);
	assert_int_equal(moves(&w, "192.0.2.99", "198.51.100.88"), IKE_E_STATE);
	/* Nor does the host begin it. */
	assert_int_equal(ike_move(w.host[SERVER].ike, w.host[SERVER].ends[0].sa, &w.host[SERVER].addr, w.now_ms), IKE_E_STATE);
	sim_clear(&w);
}

/* A script that has an address of the pool; mobike: it says that it does that. */
static void script_has_tunnel(struct sim_world *w, struct sim_peer *p, bool nat, bool mobike)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct msg_wr m = peer_inner();
	struct ike_config server = { .pool_v4 = addr("100.64.0.1"), .pool_v4_size = 4 };

	sim_init(w, 51, IP_V4, NULL, &server, KEY_ED25519, false);
	w->nat = nat;
	script_client_init(w, p, 0);
	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	peer_write_auth_null(p, &m, ID_NULL, span_of(NULL, 0));
	if (mobike)
		peer_write_notify(&m, N_MOBIKE_SUPPORTED);
	pl_cp_write(&m, CFG_REQUEST, IP_V4, NULL);
	peer_write_child_any(&m, 0x1234, &w->host[SERVER].addr);
	script_sends(w, p, EXCH_IKE_AUTH, 1, REQUEST, &m);
	script_takes(w, p, EXCH_IKE_AUTH, RESPONSE, &plain, &inner);
	assert_int_equal(has_notify(&inner, N_MOBIKE_SUPPORTED), mobike);
}

/* The client goes to another address and says so; the host asks it there for the cookie. *inner and *cookie are views into *plain. */
static void client_moves(struct sim_world *w, struct sim_peer *p, struct peer_message *plain, struct msg_chain *inner,
			 struct pl_notify *cookie)
{
	struct msg_wr m = peer_inner();

	w->host[CLIENT].addr = addr("198.51.100.66");
	peer_write_notify(&m, N_UPDATE_SA_ADDRESSES);
	script_sends(w, p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(w, p, EXCH_INFORMATIONAL, RESPONSE, plain, inner);
	script_takes(w, p, EXCH_INFORMATIONAL, REQUEST, plain, inner);
	assert_true(pl_notify_find(inner, N_COOKIE2, cookie));
}

/* RFC 4555 3.7: somebody gives the address of somebody else, and does not see what is sent there. */
static void who_cannot_be_reached_there_is_sent_nothing(void **state)
{
	static const uint8_t wrong[16] = { 1 };
	struct peer_message plain;
	struct pl_notify cookie;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	script_has_tunnel(&w, &p, false, true);
	client_moves(&w, &p, &plain, &inner, &cookie);
	assert_int_equal(cookie.value.n, 16);
	m = peer_inner();
	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_COOKIE2, span_of(wrong, sizeof wrong));
	script_sends(&w, &p, EXCH_INFORMATIONAL, 0, RESPONSE, &m);
	assert_int_equal(w.host[SERVER].ends[0].ends, 1);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	peer_clear(&p);
	sim_clear(&w);
}

/* RFC 4555 3.5: it takes its SAs along and thinks that we do, as strongSwan and libreswan. */
static void client_that_asks_for_no_new_child_is_asked(void **state)
{
	struct peer_message plain;
	struct pl_notify cookie, rekey;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	script_has_tunnel(&w, &p, false, true);
	client_moves(&w, &p, &plain, &inner, &cookie);
	m = peer_inner();
	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_COOKIE2, cookie.value);
	script_sends(&w, &p, EXCH_INFORMATIONAL, 0, RESPONSE, &m);
	nothing_is_sent(&w);
	wait_for_send(&w, 1000);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, REQUEST, &plain, &inner);
	assert_true(pl_notify_find(&inner, N_REKEY_SA, &rekey));
	/* Then there are SAs between the new addresses, and no more is asked. */
	m = peer_inner();
	pl_nonce_write(&m, span_of(p.nonce, sizeof p.nonce));
	peer_write_child(&m, 0x5678, &w.host[SERVER].addr, &w.host[SERVER].ends[0].last.tunnel.inner_remote);
	m.w.base[4 + sizeof p.nonce + 4 + 4] = 3;       /* of the proposals the first without a group */
	script_sends(&w, &p, EXCH_CREATE_CHILD_SA, 1, RESPONSE, &m);
	assert_true(ip_equal(&sim_sends_with(&w, SERVER, REQID)->asked.remote, &w.host[CLIENT].addr));
	script_takes(&w, &p, EXCH_INFORMATIONAL, REQUEST, &plain, &inner);
	assert_non_null(msg_find(&inner, PL_DELETE));
	assert_int_equal(w.host[SERVER].ends[0].rekeyed, 1);
	peer_clear(&p);
	sim_clear(&w);
}

/* What the host asks with COOKIE2 is told back, and no more than RFC 4555 allows. */
static void cookie_is_told_back(void **state)
{
	static const uint8_t cookie[65] = { 2 };
	struct peer_message plain;
	struct pl_notify told;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;

	(void)state;
	script_has_tunnel(&w, &p, false, true);
	for (unsigned i = 0; i < 2; i++) {
		struct msg_wr m = peer_inner();

		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_COOKIE2, span_of(cookie, i ? 65 : 64));
		script_sends(&w, &p, EXCH_INFORMATIONAL, 2 + i, REQUEST, &m);
		script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
		assert_int_equal(pl_notify_find(&inner, N_COOKIE2, &told), i == 0);
	}
	peer_clear(&p);
	sim_clear(&w);
}

/* The NAT of a client that does not do MOBIKE has another address: R makes new keys with it there, if it answers there. */
static void client_with_an_address_is_followed_to_another_one_of_its_nat(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	script_has_tunnel(&w, &p, true, false);
	w.nat_addr = addr("198.51.100.88");
	m = peer_inner();
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	script_takes(&w, &p, EXCH_CREATE_CHILD_SA, REQUEST, &plain, &inner);
	assert_true(has_notify(&inner, N_REKEY_SA));
	assert_false(ip_equal(&sim_sends_with(&w, SERVER, REQID)->asked.remote, &w.nat_addr));
	/* Nobody there: then it was not the client, or is not any more. */
	sim_run_until(&w, w.now_ms + 30000);
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_TIMEOUT);
	peer_clear(&p);
	sim_clear(&w);
}

/* RFC 4555 3.8: nobody tells the client; it asks whether the host lives, and hears as whom that sees it. */
static void client_finds_out_that_its_nat_has_another_address(void **state)
{
	struct sim_world w;

	(void)state;
	start(&w, true);
	w.nat_addr = addr("198.51.100.88");
	w.nat_port = 30000;
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, w.host[CLIENT].ends[0].sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);               /* N(UPDATE_SA_ADDRESSES) */
	sim_run_until(&w, w.now_ms + 20000);
	assert_int_equal(w.host[CLIENT].ends[0].rekeyed, 1);
	/* Asked again, it says that all is as before. */
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, w.host[CLIENT].ends[0].sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	assert_moved(&w, 1);
}

/* RFC 4555 3.8: of one that does, it is for itself to say so. */
static void client_with_mobike_says_itself_that_its_nat_has_another_address(void **state)
{
	struct peer_message plain;
	struct msg_chain inner;
	struct sim_world w;
	struct sim_peer p;
	struct msg_wr m;

	(void)state;
	script_has_tunnel(&w, &p, true, true);
	w.nat_addr = addr("198.51.100.88");
	m = peer_inner();
	script_sends(&w, &p, EXCH_INFORMATIONAL, 2, REQUEST, &m);
	script_takes(&w, &p, EXCH_INFORMATIONAL, RESPONSE, &plain, &inner);
	nothing_is_sent(&w);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	peer_clear(&p);
	sim_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_goes_to_another_network),
		cmocka_unit_test(each_message_may_be_lost),
		cmocka_unit_test(last_address_counts),
		cmocka_unit_test(move_is_told_while_host_makes_additional_key_exchange),
		cmocka_unit_test(move_is_told_again_in_new_ike_sa),
		cmocka_unit_test(move_is_told_in_replaced_ike_sa),
		cmocka_unit_test(client_is_asked_in_new_ike_sa_whether_it_is_there),
		cmocka_unit_test(move_is_told_in_ike_sa_that_the_host_does_not_use_yet),
		cmocka_unit_test(pair_that_the_host_makes_meanwhile_is_replaced),
		cmocka_unit_test(only_an_assigned_address_can_move),
		cmocka_unit_test(who_cannot_be_reached_there_is_sent_nothing),
		cmocka_unit_test(client_that_asks_for_no_new_child_is_asked),
		cmocka_unit_test(cookie_is_told_back),
		cmocka_unit_test(client_with_an_address_is_followed_to_another_one_of_its_nat),
		cmocka_unit_test(client_finds_out_that_its_nat_has_another_address),
		cmocka_unit_test(client_with_mobike_says_itself_that_its_nat_has_another_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
