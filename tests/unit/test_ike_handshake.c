/* The straight way, in both roles: two cores, one wire, message by message. */
#include "tests/unit/ladder.h"

static void straight_path_takes_four_messages(void **state)
{
	struct sim_world w;
	ike_handle sa;

	(void)state;
	sim_init(&w, 1, IP_V4, NULL, NULL, KEY_ED25519, false);
	sa = sim_initiate(&w, published(&w), "host.example", LIFE_MS);
	/* I --> R  IKE_SA_INIT { SA, KE, Ni, N(...) }              I <-- R  { SA, KE, Nr, N(...) } */
	arrives(&w, CLIENT, EXCH_IKE_SA_INIT, REQUEST);
	arrives(&w, SERVER, EXCH_IKE_SA_INIT, RESPONSE);
	assert_int_equal(sim_sas(&w, SERVER), 0);
	/* I --> R  IKE_AUTH { IDi=NULL, IDr, AUTH, SA, TSi, TSr }: the kernel of R has it before
	 * R answers */
	arrives(&w, CLIENT, EXCH_IKE_AUTH, REQUEST);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	assert_int_equal(w.host[SERVER].asked_to_authorize, 1);
	/* I <-- R  { IDr, AUTH, SA, TSi, TSr } */
	arrives(&w, SERVER, EXCH_IKE_AUTH, RESPONSE);
	assert_up(&w, CLIENT, sa);
	assert_int_equal(sim_sas(&w, SERVER), 1);
	/* Whoever asked knows the host; whoever was asked knows a pair of addresses. */
	assert_true(w.host[CLIENT].sas[0].asked.shield);
	assert_false(w.host[SERVER].sas[0].asked.shield);
	nothing_is_sent(&w);
	at_rest(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(straight_path_takes_four_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
