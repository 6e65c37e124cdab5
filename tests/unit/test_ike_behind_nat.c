/* The responder with peers behind a NAT that are up: addresses that change, and who else is there. */
#include "tests/unit/ladder.h"

static void bring_up_behind_nat(struct sim_world *w)
{
	sim_init(w, 60, IP_V4, NULL, NULL, KEY_ED25519, false);
	w->nat = true;
	(void)bring_up(w);
}

/* The client asks whether R lives, through a NAT that has forgotten it: from another port, or another address. */
static void ask_from(struct sim_world *w, uint16_t port, uint8_t last)
{
	ike_handle sa = w->host[CLIENT].ends[0].last.tunnel.sa;

	w->nat_port = port;
	w->nat_addr.b[3] = last;
	assert_int_equal(ike_check_liveness(w->host[CLIENT].ike, sa, w->now_ms), IKE_OK);
	sim_pump(w);
	arrives(w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
}

static void peer_whose_nat_has_changed_is_told_to_come_again(void **state)
{
	static const struct {
		uint16_t port;
		uint8_t last;
	} cases[] = { { 30000, 77 }, { 20000, 78 } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sim_world w;

		bring_up_behind_nat(&w);
		ask_from(&w, cases[i].port, cases[i].last);
		/* R answers, and says goodbye, where I is now; its SAs, which go where I was, are gone. */
		arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
		arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
		assert_int_equal(sim_sas(&w, CLIENT), 0);
		assert_int_equal(sim_sas(&w, SERVER), 0);
		at_rest(&w);
	}
}

/* RFC 7296 2.23: a repeated message, or a forged one, moves nobody. */
static void old_message_from_elsewhere_moves_nobody(void **state)
{
	struct sim_datagram *d, *again;
	struct sim_world w;

	(void)state;
	bring_up_behind_nat(&w);
	assert_int_equal(ike_check_liveness(w.host[CLIENT].ike, w.host[CLIENT].ends[0].last.tunnel.sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	d = take(&w, CLIENT, EXCH_INFORMATIONAL, REQUEST);
	again = sim_copy(d);
	sim_deliver(&w, d);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	again->path.remote.port = 34500;
	sim_deliver(&w, again);
	/* R repeats its answer there, and stays. */
	is_lost(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	sim_clear(&w);
}

static void kernel_tells_where_esp_comes_from(void **state)
{
	struct ip_endpoint from;
	struct sim_world w;
	uint32_t spi_in;

	(void)state;
	bring_up_behind_nat(&w);
	spi_in = w.host[SERVER].ends[0].last.tunnel.spi_in;
	from = w.host[SERVER].ends[0].last.tunnel.path.remote;
	ike_peer_seen(w.host[SERVER].ike, spi_in, &from, w.now_ms);
	ike_peer_seen(w.host[SERVER].ike, spi_in + 1, &from, w.now_ms);
	sim_pump(&w);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	from.port += 10000;
	w.nat_port = 30000;
	ike_peer_seen(w.host[SERVER].ike, spi_in, &from, w.now_ms);
	sim_pump(&w);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	/* Nobody has refused anything. */
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PEER_MOVED);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(sim_sas(&w, CLIENT), 0);
	at_rest(&w);
}

/* I <-- R  IKE_AUTH { IDr, AUTH, N(TS_UNACCEPTABLE) }: the address is somebody else's already. */
static void second_client_of_an_address_is_told(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 61, IP_V4, NULL, NULL, KEY_ED25519, false);
	w.nat = true;
	w.host[SERVER].refuses = REASON_TS_UNACCEPTABLE;
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	/* I asks for an address inside of IPsec, then, and R has none to give. */
	sim_run_until(&w, w.now_ms + 100);
	assert_failed(&w, CLIENT, sa, REASON_TS_UNACCEPTABLE, "peer said");
	at_rest(&w);
}

static void keepalive_is_one_byte_from_behind_the_nat(void **state)
{
	struct sim_datagram *d;
	struct sim_world w;

	(void)state;
	bring_up_behind_nat(&w);
	assert_true(w.host[CLIENT].ends[0].last.tunnel.wants_keepalive);
	assert_int_equal(ike_keepalive(w.host[CLIENT].ike, w.host[CLIENT].ends[0].last.tunnel.sa, w.now_ms), IKE_OK);
	assert_int_equal(ike_keepalive(w.host[SERVER].ike, w.host[SERVER].ends[0].last.tunnel.sa, w.now_ms), IKE_E_STATE);
	sim_pump(&w);
	d = sim_take(&w);
	assert_int_equal(d->n, 1);
	assert_int_equal(d->b[0], 0xff);
	assert_int_equal(d->path.local.port, 4500);
	free(d);
	nothing_is_sent(&w);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_whose_nat_has_changed_is_told_to_come_again),
		cmocka_unit_test(old_message_from_elsewhere_moves_nobody),
		cmocka_unit_test(kernel_tells_where_esp_comes_from),
		cmocka_unit_test(second_client_of_an_address_is_told),
		cmocka_unit_test(keepalive_is_one_byte_from_behind_the_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
