/* The responder with peers behind a NAT that are up: addresses that change, and who else is there. */
#include "tests/unit/ladder.h"

enum { REQID = KERNEL_REQID_BASE | 1 };

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

/* The kernel sends to where the client can be reached, and all is as it was besides. */
static void assert_followed(struct sim_world *w)
{
	assert_true(sim_reaches(w, CLIENT, REQID));
	assert_true(sim_reaches(w, SERVER, REQID));
	for (unsigned side = 0; side < SIDES; side++) {
		assert_int_equal(sim_sas(w, (enum sim_side)side), 1);
		assert_int_equal(w->host[side].ends[0].ends, 0);
	}
}

static void peer_whose_nat_gives_it_another_port_is_followed(void **state)
{
	struct sim_world w;

	(void)state;
	bring_up_behind_nat(&w);
	ask_from(&w, 30000, 77);
	assert_followed(&w);
	/* R answers, and asks, there. */
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	nothing_is_sent(&w);
	assert_int_equal(ike_check_liveness(w.host[SERVER].ike, w.host[SERVER].ends[0].sa, w.now_ms), IKE_OK);
	sim_pump(&w);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	arrives(&w, CLIENT, EXCH_INFORMATIONAL, RESPONSE);
	assert_int_equal(w.host[SERVER].ends[0].rekeyed, 0);
	at_rest(&w);
}

/* In transport mode it is another pair. */
static void peer_whose_nat_has_another_address_is_told_to_come_again(void **state)
{
	struct sim_world w;

	(void)state;
	bring_up_behind_nat(&w);
	ask_from(&w, 20000, 78);
	/* R answers, and says goodbye, where I is now; its SAs, which go where I was, are gone. */
	arrives(&w, SERVER, EXCH_INFORMATIONAL, RESPONSE);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(sim_sas(&w, CLIENT), 0);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	at_rest(&w);
}

/* R has asked for new keys, and its request is lost with the mapping; of both pairs that there are in the end none is left behind. */
static void port_changes_while_the_host_rekeys(void **state)
{
	(void)state;
	for (unsigned lost = 0; lost < 2; lost++) {
		struct sim_world w;

		bring_up_behind_nat(&w);
		assert_int_equal(ike_rekey_child(w.host[SERVER].ike, w.host[SERVER].ends[0].sa, w.now_ms), IKE_OK);
		sim_pump(&w);
		if (lost)
			is_lost(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
		else
			arrives(&w, SERVER, EXCH_CREATE_CHILD_SA, REQUEST);
		if (!lost)
			is_lost(&w, CLIENT, EXCH_CREATE_CHILD_SA, RESPONSE);
		ask_from(&w, 30000, 77);
		sim_run_until(&w, w.now_ms + 10000);
		assert_followed(&w);
		assert_int_equal(w.host[SERVER].ends[0].rekeyed, 1);
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
	w.now_ms += 1000;
	sim_deliver(&w, again);
	/* R repeats its answer there, where nobody is, and stays. */
	nothing_is_sent(&w);
	assert_followed(&w);
	at_rest(&w);
}

/* What the kernel says that an ESP packet for the server came from; last: the last byte of the address. */
static void esp_comes_from(struct sim_world *w, uint32_t spi_in, uint16_t port, uint8_t last)
{
	struct ip_endpoint from = { .addr = w->nat_addr, .port = port };

	from.addr.b[3] = last;
	ike_peer_seen(w->host[SERVER].ike, spi_in, &from, w->now_ms);
	sim_pump(w);
}

static uint16_t servers_port(const struct sim_world *w)
{
	return sim_sends_with(w, SERVER, REQID)->asked.encap_remote_port;
}

static void kernel_tells_where_esp_comes_from(void **state)
{
	struct sim_world w;
	uint32_t spi_in;

	(void)state;
	bring_up_behind_nat(&w);
	spi_in = w.host[SERVER].ends[0].last.tunnel.spi_in;
	esp_comes_from(&w, spi_in, 24500, 77);
	esp_comes_from(&w, spi_in + 1, 34500, 77);
	assert_int_equal(servers_port(&w), 24500);
	w.nat_port = 30000;
	esp_comes_from(&w, spi_in, 34500, 77);
	nothing_is_sent(&w);
	assert_followed(&w);
	w.now_ms += 1000;
	w.nat_addr.b[3] = 78;
	esp_comes_from(&w, spi_in, 34500, 78);
	/* Nobody has refused anything. */
	assert_closed(&w, SERVER, w.host[SERVER].ends[0].sa, REASON_PEER_MOVED);
	arrives(&w, SERVER, EXCH_INFORMATIONAL, REQUEST);
	assert_int_equal(sim_sas(&w, CLIENT), 0);
	at_rest(&w);
}

/* Somebody who has packets come from all over makes little work, and the next one from where the client is counts again. */
static void port_that_changes_all_the_time_is_followed_now_and_then(void **state)
{
	struct sim_world w;
	uint32_t spi_in;

	(void)state;
	bring_up_behind_nat(&w);
	spi_in = w.host[SERVER].ends[0].last.tunnel.spi_in;
	esp_comes_from(&w, spi_in, 1000, 77);
	assert_int_equal(servers_port(&w), 1000);
	for (uint16_t port = 1001; port < 1100; port++) {
		w.now_ms++;
		esp_comes_from(&w, spi_in, port, 77);
	}
	assert_int_equal(servers_port(&w), 1000);
	w.now_ms++;
	esp_comes_from(&w, spi_in, 24500, 77);
	assert_followed(&w);
	at_rest(&w);
}

/* RFC 7296 2.23: who is behind a NAT himself does not follow; nor is one followed who is behind none. */
static void only_who_is_behind_a_nat_is_followed_and_by_nobody_behind_one(void **state)
{
	struct ip_endpoint from;
	struct sim_world w;

	(void)state;
	bring_up_behind_nat(&w);
	from = w.host[CLIENT].ends[0].last.tunnel.path.remote;
	from.port = 1000;
	ike_peer_seen(w.host[CLIENT].ike, w.host[CLIENT].ends[0].last.tunnel.spi_in, &from, w.now_ms);
	sim_pump(&w);
	assert_int_equal(sim_sends_with(&w, CLIENT, REQID)->asked.encap_remote_port, 4500);
	at_rest(&w);

	sim_init(&w, 62, IP_V4, NULL, NULL, KEY_ED25519, false);
	(void)bring_up(&w);
	from = w.host[SERVER].ends[0].last.tunnel.path.remote;
	from.addr.b[3]++;
	ike_peer_seen(w.host[SERVER].ike, w.host[SERVER].ends[0].last.tunnel.spi_in, &from, w.now_ms);
	sim_pump(&w);
	nothing_is_sent(&w);
	assert_followed(&w);
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
		cmocka_unit_test(peer_whose_nat_gives_it_another_port_is_followed),
		cmocka_unit_test(peer_whose_nat_has_another_address_is_told_to_come_again),
		cmocka_unit_test(port_changes_while_the_host_rekeys),
		cmocka_unit_test(old_message_from_elsewhere_moves_nobody),
		cmocka_unit_test(kernel_tells_where_esp_comes_from),
		cmocka_unit_test(port_that_changes_all_the_time_is_followed_now_and_then),
		cmocka_unit_test(only_who_is_behind_a_nat_is_followed_and_by_nobody_behind_one),
		cmocka_unit_test(second_client_of_an_address_is_told),
		cmocka_unit_test(keepalive_is_one_byte_from_behind_the_nat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
