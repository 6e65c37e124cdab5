/* The straight way, in both roles: two cores, one wire, message by message. */
#include "tests/sim/world.h"
#include "tests/unit/unit.h"

#include "wire/msg.h"

static const enum sim_key ed25519[] = { KEY_ED25519 };

static struct keyset *keys_of(struct sim_world *w, const enum sim_key *which, unsigned n)
{
	return sim_keyset(which, n, &w->host[SERVER].addr);
}

static struct ike_hdr header(const struct sim_datagram *d)
{
	struct ike_hdr hdr;

	assert_non_null(d);
	assert_int_equal(ike_hdr_read(span_of(d->b, d->n), &hdr), IKE_OK);
	return hdr;
}

/* Let the next datagram arrive, which must be this one. */
static void arrives(struct sim_world *w, enum sim_side from, enum ike_exchange exchange, bool response)
{
	struct sim_datagram *d = sim_take(w);
	struct ike_hdr hdr = header(d);

	assert_int_equal(d->from, from);
	assert_int_equal(hdr.exchange, exchange);
	assert_int_equal((hdr.flags & IKE_FLAG_RESPONSE) != 0, response);
	sim_deliver(w, d);
}

static void assert_up(struct sim_world *w, ike_handle sa)
{
	struct sim_end *end = sim_end_of(w, CLIENT, sa);

	assert_int_equal(end->ups, 1);
	assert_int_equal(end->ends, 0);
	assert_int_equal(sim_sas(w, CLIENT), 1);
	assert_int_equal(sim_sas(w, SERVER), 1);
	assert_string_equal(w->broken, "");
}

static void straight_path_takes_four_messages(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 1, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, keys_of(&w, ed25519, 1), "host.example", 3000);
	/* I --> R  IKE_SA_INIT { SA, KE, Ni, N(...) }              I <-- R  { SA, KE, Nr, N(...) } */
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, false);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, true);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	/* I --> R  IKE_AUTH { IDi=NULL, IDr, AUTH, SA, TSi, TSr }: the kernel of R has it before R answers */
	arrives(&w, CLIENT, EXCH_IKE_AUTH, false);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	assert_int_equal(w.host[SERVER].asked_to_authorize, 1);
	/* I <-- R  { IDr, AUTH, SA, TSi, TSr } */
	arrives(&w, SERVER, EXCH_IKE_AUTH, true);
	assert_up(&w, sa);
	assert_null(sim_take(&w));
	sim_run_until(&w, w.now_ms + 600000);
	sim_check_rest(&w);
	assert_string_equal(w.broken, "");
	sim_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(straight_path_takes_four_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
