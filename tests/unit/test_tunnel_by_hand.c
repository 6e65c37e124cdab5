/* What the operator permits in clear, and pauses: who is meant, until when, and what stays protected. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

#define HOST "192.0.2.1"
#define HOST2 "192.0.2.2"
#define NAME "www.example.org"
#define OTHER "mail.example.org"

static enum ike_err clear_name(struct world *w, const char *text, uint32_t for_s, struct tunnel_cleared *out)
{
	const struct dnsname name = name_of(text);
	enum ike_err err = tunnels_clear(w->t, &name, NULL, for_s, w->now_ms, out);

	take_outputs(w);
	return err;
}

static enum ike_err clear_address(struct world *w, const char *text, uint32_t for_s, struct tunnel_cleared *out)
{
	const struct ip_addr address = address_of(text);
	enum ike_err err = tunnels_clear(w->t, NULL, &address, for_s, w->now_ms, out);

	take_outputs(w);
	return err;
}

static void permit(struct world *w, const char *name)
{
	struct tunnel_cleared cleared;

	assert_int_equal(clear_name(w, name, 3600, &cleared), IKE_OK);
}

static void assert_clear(struct world *w, uint32_t id, uint32_t ttl_s)
{
	const struct seen_verdict *seen = verdict_of(w, id);

	assert_non_null(seen);
	assert_int_equal(seen->verdict.kind, RP_CLEAR);
	assert_int_equal(seen->verdict.ttl_cap_s, ttl_s);
	assert_string_equal(seen->text, "permitted by the operator");
}

static void tunnel_goes_by_that_word_and_none_comes(void **state)
{
	struct world *w = *state;
	struct tunnel_cleared cleared;

	w->ttl_s = 3600;
	protect(w, NAME, HOST);
	assert_int_equal(clear_name(w, NAME, 3600, &cleared), IKE_OK);
	assert_int_equal(cleared.released, 1);
	assert_int_equal(downs_for(w, NAME), 1);
	ask(w, 1, NAME, "A", HOST);
	assert_clear(w, 1, 60);
	advance(w, 1);
	assert_int_equal(w->n_unprotects, 1);
	assert_true(w->unprotects[0].shield);
	assert_int_equal(tunnels_count(w->t), 0);
	ask(w, 2, NAME, "A", HOST);
	assert_clear(w, 2, 60);
	assert_int_equal(w->n_sas, 1);
	/* A packet to it is nobody's any more. */
	acquire(w, "198.51.100.1", HOST);
	assert_int_equal(w->n_sas, 1);
}

/* What is being established would protect it behind the operator's back. */
static void attempt_ends(void **state)
{
	struct world *w = *state;

	ask(w, 1, NAME, "A", HOST);
	permit(w, NAME);
	assert_refused(w, 1, REASON_DOWN_BY_OPERATOR);
	assert_true(w->sas[0].ended);
	ask(w, 2, NAME, "A", HOST);
	assert_clear(w, 2, 60);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void answer_ends_with_the_permission(void **state)
{
	struct world *w = *state;
	struct tunnel_cleared cleared;

	w->ttl_s = 300;
	assert_int_equal(clear_name(w, NAME, 100, &cleared), IKE_OK);
	advance(w, 70000);
	ask(w, 1, NAME, "A", HOST);
	assert_clear(w, 1, 30);
	advance(w, 29999);
	assert_int_equal(tunnels_permissions(w->t), 1);
	ask(w, 2, NAME, "A", HOST);
	assert_clear(w, 2, 0);
	advance(w, 1);
	assert_int_equal(tunnels_permissions(w->t), 0);
	assert_int_equal(downs_for(w, NAME), 1);
	ask(w, 3, NAME, "A", HOST);
	assert_waiting(w, 3);
}

static void operator_ends_it_earlier(void **state)
{
	struct world *w = *state;
	const struct dnsname name = name_of(NAME);

	permit(w, NAME);
	assert_true(tunnels_clear_end(w->t, &name, NULL, w->now_ms));
	assert_false(tunnels_clear_end(w->t, &name, NULL, w->now_ms));
	take_outputs(w);
	assert_int_equal(downs_for(w, NAME), 1);
	ask(w, 1, NAME, "A", HOST);
	assert_waiting(w, 1);
}

static void permission_again_moves_its_end(void **state)
{
	struct world *w = *state;
	struct tunnel_cleared cleared;
	struct tunnel_permission told;

	permit(w, NAME);
	assert_int_equal(clear_name(w, NAME, 10, &cleared), IKE_OK);
	assert_int_equal(tunnels_permissions(w->t), 1);
	assert_true(tunnels_permission(w->t, 0, &told));
	assert_int_equal(told.until_ms, w->now_ms + 10000);
	assert_false(tunnels_permission(w->t, 1, &told));
}

/* Promise 4: the other name's connections would leave in clear. */
static void name_that_shares_its_address_is_not_permitted(void **state)
{
	struct world *w = *state;
	const struct dnsname other = name_of(OTHER);
	const struct ip_addr host = address_of(HOST);
	struct tunnel_cleared cleared;

	protect(w, NAME, HOST);
	ask(w, 1, OTHER, "A", HOST);
	assert_int_equal(clear_name(w, NAME, 60, &cleared), IKE_E_CONFLICT);
	assert_true(dnsname_equal(&cleared.with, &other));
	assert_true(ip_equal(&cleared.shared, &host));
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
	assert_int_equal(tunnels_permissions(w->t), 0);
	/* The address is another matter. */
	assert_int_equal(clear_address(w, HOST, 60, &cleared), IKE_OK);
	assert_int_equal(cleared.released, 1);
	assert_int_equal(downs_for(w, OTHER), 1);
	ask(w, 2, OTHER, "A", HOST);
	assert_clear(w, 2, 60);
}

static void other_name_protects_the_address_for_itself(void **state)
{
	struct world *w = *state;
	struct tunnel_cleared cleared;

	permit(w, NAME);
	protect(w, OTHER, HOST);
	ask(w, 1, NAME, "A", HOST);
	assert_clear(w, 1, 60);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	/* And it stays so: that word was not about the other name. */
	assert_int_equal(clear_name(w, NAME, 60, &cleared), IKE_OK);
	assert_int_equal(cleared.released, 0);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void one_address_of_two_is_permitted(void **state)
{
	struct world *w = *state;
	struct tunnel_cleared cleared;
	const struct ip_addr host = address_of(HOST);

	w->ttl_s = 300;
	assert_int_equal(clear_address(w, HOST, 3600, &cleared), IKE_OK);
	ask(w, 1, NAME, "A", HOST " " HOST2);
	assert_waiting(w, 1);
	core_up(w, 1, 'A');
	assert_allowed(w, 1);
	assert_int_equal(verdict_of(w, 1)->verdict.ttl_cap_s, 60);
	assert_int_equal(w->n_sas, 1);
	assert_true(ip_equal(&w->sas[0].path.remote.addr, &(struct ip_addr){ IP_V4, { 192, 0, 2, 2 } }));
	/* The names that were answered by it are known. */
	assert_true(tunnels_clear_end(w->t, NULL, &host, w->now_ms));
	take_outputs(w);
	assert_int_equal(downs_for(w, NAME), 1);
}

/* It is about what this host asks for. */
static void client_that_asks_for_itself_comes_in(void **state)
{
	struct world *w = *state;
	struct tunnel_cleared cleared;
	uint32_t reqid;

	w->config.accept_anonymous = true;
	world_restart(w);
	assert_int_equal(clear_address(w, HOST, 3600, &cleared), IKE_OK);
	assert_int_equal(authorize(w, HOST, &reqid), REASON_NONE);
	client_up(w, HOST, reqid);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void permissions_are_bounded(void **state)
{
	struct world *w = *state;
	struct tunnel_cleared cleared;
	unsigned i;

	for (i = 0; i < TUNNEL_PERMISSIONS_MAX; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example.org", i);
		assert_int_equal(clear_name(w, name, 60 + i, &cleared), IKE_OK);
	}
	assert_int_equal(clear_name(w, NAME, 60, &cleared), IKE_E_LIMIT);
	assert_int_equal(clear_name(w, "n7.example.org", 600, &cleared), IKE_OK);
	advance(w, 60000);
	assert_int_equal(clear_name(w, NAME, 60, &cleared), IKE_OK);
}

/* Pause -------------------------------------------------------------------------------------------------------------------- */

static void assert_paused(struct world *w, uint32_t id)
{
	const struct seen_verdict *seen = verdict_of(w, id);

	assert_non_null(seen);
	assert_int_equal(seen->verdict.kind, RP_CLEAR);
	assert_true(seen->verdict.ttl_cap_s <= 5);
	assert_string_equal(seen->text, "paused by the operator");
}

static void pause_for(struct world *w, uint32_t seconds)
{
	tunnels_pause(w->t, seconds, w->now_ms);
	take_outputs(w);
}

/* Promise 4: whatever DNS says now, from whomever. */
static void what_is_protected_stays_protected_in_a_pause(void **state)
{
	struct world *w = *state;

	protect(w, NAME, HOST);
	pause_for(w, 900);
	assert_true(w->downs[0].tells_pause);
	assert_int_equal(w->downs[0].pause_s, 900);
	ask(w, 1, NAME, "A", HOST);
	assert_allowed(w, 1);
	ask(w, 2, OTHER, "B", HOST);
	assert_refused(w, 2, REASON_KEY_CONFLICT);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	ask(w, 3, NAME, "A", HOST);
	assert_waiting(w, 3);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	assert_int_equal(w->n_unprotects, 0);
}

static void what_is_new_is_answered_in_clear_in_a_pause(void **state)
{
	struct world *w = *state;

	pause_for(w, 900);
	ask(w, 1, NAME, "A", HOST);
	assert_paused(w, 1);
	ask(w, 2, NAME, "!", HOST2);
	assert_paused(w, 2);
	ask(w, 3, NAME, "A", "10.1.2.3");
	assert_paused(w, 3);
	w->no_route = true;
	ask(w, 4, NAME, "A", HOST);
	assert_paused(w, 4);
	assert_int_equal(w->n_sas, 0);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void pause_ends_with_its_time(void **state)
{
	struct world *w = *state;

	pause_for(w, 10);
	advance(w, 8000);
	ask(w, 1, NAME, "A", HOST);
	assert_paused(w, 1);
	assert_int_equal(verdict_of(w, 1)->verdict.ttl_cap_s, 2);
	assert_int_equal(tunnels_paused_s(w->t, w->now_ms), 2);
	advance(w, 2000);
	assert_int_equal(tunnels_paused_s(w->t, w->now_ms), 0);
	assert_int_equal(downs_for(w, NAME), 1);        /* the resolver forgets what was answered in clear */
	assert_int_equal(downs_for(w, "."), 2);
	assert_false(tunnels_resume(w->t, "", w->now_ms));
	ask(w, 2, NAME, "A", HOST);
	assert_waiting(w, 2);
}

static void operator_ends_a_pause(void **state)
{
	struct world *w = *state;

	pause_for(w, 900);
	pause_for(w, 60);
	assert_int_equal(tunnels_paused_s(w->t, w->now_ms), 60);
	assert_true(tunnels_resume(w->t, "the operator says so", w->now_ms));
	take_outputs(w);
	assert_true(w->downs[2].tells_pause);
	assert_int_equal(w->downs[2].pause_s, 0);
	ask(w, 1, NAME, "A", HOST);
	assert_waiting(w, 1);
}

/* What was refused before is not new, but nothing is protected there. */
static void failure_is_not_held_against_a_name_in_a_pause(void **state)
{
	struct world *w = *state;

	ask(w, 1, NAME, "A", HOST);
	core_fails(w, 1, REASON_UNREACHABLE, "");
	ask(w, 2, NAME, "A", HOST);
	assert_refused(w, 2, REASON_UNREACHABLE);
	pause_for(w, 900);
	ask(w, 3, NAME, "A", HOST);
	assert_paused(w, 3);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(tunnel_goes_by_that_word_and_none_comes),
		WITH_WORLD(attempt_ends),
		WITH_WORLD(answer_ends_with_the_permission),
		WITH_WORLD(operator_ends_it_earlier),
		WITH_WORLD(permission_again_moves_its_end),
		WITH_WORLD(name_that_shares_its_address_is_not_permitted),
		WITH_WORLD(other_name_protects_the_address_for_itself),
		WITH_WORLD(one_address_of_two_is_permitted),
		WITH_WORLD(client_that_asks_for_itself_comes_in),
		WITH_WORLD(permissions_are_bounded),
		WITH_WORLD(what_is_protected_stays_protected_in_a_pause),
		WITH_WORLD(what_is_new_is_answered_in_clear_in_a_pause),
		WITH_WORLD(pause_ends_with_its_time),
		WITH_WORLD(operator_ends_a_pause),
		WITH_WORLD(failure_is_not_held_against_a_name_in_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
