/* Names whose keys change while their address is protected: rollovers go through, nobody else's key gets in. */
#include "tests/unit/tunnel_double.h"

#define HOST "192.0.2.1"
#define OUR "198.51.100.1"
#define OTHER "198.51.100.2"
#define WWW "www.example.org"
#define MAIL "mail.example.org"
#define EVIL "evil.example"

/* The keys that the host may prove to SA n, as letters. */
static void assert_asked_for(const struct world *w, ike_handle n, const char *letters)
{
	const struct keyset *keys = w->sas[n - 1].keys;

	assert_int_equal(keyset_count(keys), strlen(letters));
	for (unsigned i = 0; i < keyset_count(keys); i++) {
		struct ipseckey key;

		keyset_at(keys, i, &key);
		assert_non_null(strchr(letters, key.public_key.p[0]));
	}
}

static void assert_uninterrupted(const struct world *w)
{
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
	assert_int_equal(w->n_unprotects, 0);
}

static void the_new_key_beside_the_old_one_changes_nothing(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, WWW, "AB", HOST);
	assert_allowed(w, 2);
	assert_int_equal(w->n_sas, 1);
	assert_uninterrupted(w);
}

static void a_withdrawn_key_is_replaced_without_an_interruption(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, WWW, "AB", HOST);
	ask(w, 3, WWW, "B", HOST);
	assert_waiting(w, 3);           /* who relies on B waits for it; who has an answer goes on with A */
	assert_asked_for(w, 2, "B");
	assert_int_equal(w->sas[1].reqid, w->sas[0].reqid);
	assert_false(w->sas[0].ended);
	core_up(w, 2, 'B');
	assert_allowed(w, 3);
	assert_true(w->sas[0].ended);
	assert_uninterrupted(w);
	ask(w, 4, WWW, "B", HOST);
	assert_allowed(w, 4);
	assert_int_equal(w->n_sas, 2);
}

/* The host does not have the new key yet: the name is refused, and what was answered stays encrypted with what was proved for it. */
static void a_new_key_that_is_not_proved_leaves_the_tunnel(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, WWW, "B", HOST);
	core_fails(w, 2, REASON_AUTH_FAILED, "");
	assert_refused(w, 2, REASON_AUTH_FAILED);
	assert_false(w->sas[0].ended);
	assert_uninterrupted(w);
}

/* It may have been stolen. */
static void a_withdrawn_key_heals_nothing(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, WWW, "B", HOST);
	core_fails(w, 2, REASON_AUTH_FAILED, "");
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 3);
	assert_asked_for(w, 3, "B");
	core_up(w, 3, 'B');
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

/* The host was restarted with its new key before anybody asked for the name again. */
static void healing_knows_the_key_that_was_published_last(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, WWW, "AB", HOST);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 2);
	assert_asked_for(w, 2, "AB");
	core_up(w, 2, 'B');
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	ask(w, 3, WWW, "B", HOST);
	assert_allowed(w, 3);
	assert_int_equal(w->n_sas, 2);
}

/* Both lookups of www wait for the host; the later one is served first. */
static void healing_knows_the_last_lookup_not_the_one_answered_last(void **state)
{
	struct world *w = *state;

	ask(w, 1, WWW, "A", HOST);
	ask(w, 2, WWW, "AB", HOST);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	assert_allowed(w, 2);
	advance(w, 70000);
	core_closed(w, 2, REASON_TIMEOUT);
	assert_asked_for(w, 3, "AB");
}

/* The same at the end of a rollover: the key that was withdrawn may have been stolen. */
static void a_withdrawn_key_is_not_brought_back_by_an_earlier_lookup(void **state)
{
	struct world *w = *state;

	ask(w, 1, WWW, "AB", HOST);
	ask(w, 2, WWW, "B", HOST);
	core_up(w, 2, 'B');
	assert_allowed(w, 1);
	assert_allowed(w, 2);
	advance(w, 70000);
	core_closed(w, 2, REASON_TIMEOUT);
	assert_asked_for(w, 3, "B");
}

static void names_that_roll_together_move_together(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, MAIL, "A", HOST);
	ask(w, 3, MAIL, "AB", HOST);
	ask(w, 4, WWW, "AB", HOST);
	assert_allowed(w, 4);
	ask(w, 5, WWW, "B", HOST);
	assert_waiting(w, 5);
	core_up(w, 2, 'B');
	assert_allowed(w, 5);
	ask(w, 6, MAIL, "B", HOST);
	assert_allowed(w, 6);
	assert_int_equal(w->n_sas, 2);
	assert_uninterrupted(w);
}

/* Without a time of both keys the first name waits for the others. */
static void the_last_name_to_publish_it_moves_the_key(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, MAIL, "A", HOST);
	ask(w, 3, WWW, "B", HOST);
	assert_refused(w, 3, REASON_KEY_CONFLICT);
	ask(w, 4, MAIL, "B", HOST);
	core_up(w, 2, 'B');
	assert_allowed(w, 4);
	ask(w, 5, WWW, "B", HOST);
	assert_allowed(w, 5);
	assert_uninterrupted(w);
}

/* evil.example copies the key in order to share the address, then brings its own as if it rolled over. */
static void a_copied_key_cannot_be_rolled_over(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, EVIL, "A", HOST);
	ask(w, 3, EVIL, "AX", HOST);
	assert_allowed(w, 3);
	ask(w, 4, EVIL, "X", HOST);
	assert_refused(w, 4, REASON_KEY_CONFLICT);
	assert_int_equal(w->n_sas, 1);
	/* nor when the tunnel heals, whichever name was first */
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_asked_for(w, 2, "A");
}

static void a_stranger_who_was_first_cannot_roll_it_over_either(void **state)
{
	struct world *w = *state;

	ask(w, 1, EVIL, "AX", HOST);
	core_up(w, 1, 'A');
	ask(w, 2, WWW, "A", HOST);
	assert_allowed(w, 2);
	ask(w, 3, EVIL, "X", HOST);
	assert_refused(w, 3, REASON_KEY_CONFLICT);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_asked_for(w, 2, "A");
}

/* evil.example publishes what www will roll to, and something of its own. */
static void a_stranger_in_a_rollover_brings_no_key_of_his_own(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, WWW, "AB", HOST);
	ask(w, 3, EVIL, "ABX", HOST);
	assert_allowed(w, 3);
	ask(w, 4, EVIL, "BX", HOST);
	assert_waiting(w, 4);
	assert_asked_for(w, 2, "B");
}

static void a_new_key_is_asked_for_from_our_other_addresses_too(void **state)
{
	struct world *w = *state;
	const struct ip_addr other = address_of(OTHER);

	protect(w, WWW, HOST);
	w->other = other;
	acquire(w, OTHER, HOST);
	advance(w, 1);
	core_up(w, 2, 'A');
	ask(w, 2, WWW, "B", HOST);
	core_up(w, 3, 'B');
	assert_allowed(w, 2);
	assert_int_equal(w->n_sas, 4);
	assert_true(ip_equal(&w->sas[3].path.local.addr, &other));
	assert_asked_for(w, 4, "B");
	assert_false(w->sas[1].ended);
	core_up(w, 4, 'B');
	assert_true(w->sas[1].ended);
	assert_uninterrupted(w);
}

/* The host was restarted with the new key while both are published, and is missed from both addresses at once. */
static void a_new_key_proved_to_one_address_ends_no_attempt_from_another(void **state)
{
	struct world *w = *state;

	protect(w, WWW, HOST);
	ask(w, 2, MAIL, "A", HOST);
	w->other = address_of(OTHER);
	acquire(w, OTHER, HOST);
	advance(w, 1);
	core_up(w, 2, 'A');
	ask(w, 3, WWW, "AB", HOST);
	ask(w, 4, MAIL, "AB", HOST);
	advance(w, 70000);
	core_silent(w, 1);
	core_silent(w, 2);
	assert_asked_for(w, 4, "AB");
	core_up(w, 3, 'B');
	assert_false(w->sas[3].ended);
	core_up(w, 4, 'B');
	assert_true(w->sas[1].ended);
	assert_uninterrupted(w);
}

/* A zone with another set every second: what is remembered does not grow, and what is forgotten stands by the bound key. */
static void many_different_sets_are_not_remembered(void **state)
{
	struct world *w = *state;
	static const char *const sets[] = { "AB", "AC", "AD", "AE", "AF", "AB" };
	static const char *const names[] = { "b.example", "c.example", "d.example", "e.example", "f.example", WWW };

	protect(w, WWW, HOST);
	for (uint32_t i = 0; i < 6; i++) {
		ask(w, 2 + i, names[i], sets[i], HOST);
		assert_allowed(w, 2 + i);
	}
	ask(w, 20, "f.example", "F", HOST);
	assert_refused(w, 20, REASON_KEY_CONFLICT);
	for (uint32_t i = 0; i < 200; i++) {
		char keys[3] = { 'A', (char)('B' + i % 20), 0 };

		ask(w, 30 + i, WWW, keys, HOST);
		assert_allowed(w, 30 + i);
	}
	assert_int_equal(w->n_sas, 1);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(the_new_key_beside_the_old_one_changes_nothing),
		WITH_WORLD(a_withdrawn_key_is_replaced_without_an_interruption),
		WITH_WORLD(a_new_key_that_is_not_proved_leaves_the_tunnel),
		WITH_WORLD(a_withdrawn_key_heals_nothing),
		WITH_WORLD(healing_knows_the_key_that_was_published_last),
		WITH_WORLD(healing_knows_the_last_lookup_not_the_one_answered_last),
		WITH_WORLD(a_withdrawn_key_is_not_brought_back_by_an_earlier_lookup),
		WITH_WORLD(names_that_roll_together_move_together),
		WITH_WORLD(the_last_name_to_publish_it_moves_the_key),
		WITH_WORLD(a_copied_key_cannot_be_rolled_over),
		WITH_WORLD(a_stranger_who_was_first_cannot_roll_it_over_either),
		WITH_WORLD(a_stranger_in_a_rollover_brings_no_key_of_his_own),
		WITH_WORLD(a_new_key_is_asked_for_from_our_other_addresses_too),
		WITH_WORLD(a_new_key_proved_to_one_address_ends_no_attempt_from_another),
		WITH_WORLD(many_different_sets_are_not_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
