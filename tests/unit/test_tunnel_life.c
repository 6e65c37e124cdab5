/* An address after its first SA: healing, renewal, idleness, release, the end. */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

#define HOST "192.0.2.1"
#define HOST2 "192.0.2.2"
#define OUR "198.51.100.1"

/* Healing ---------------------------------------------------------------------------------------------------------------- */

static void lost_tunnel_is_healed_at_once(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 70000);
	core_closed(w, 1, REASON_PEER_REFUSED);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	assert_int_equal(downs_for(w, "www.example.org"), 1);
	assert_int_equal(w->n_unprotects, 0);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(w->sas[1].reqid, w->sas[0].reqid);
	assert_true(dnsname_equal(&w->sas[1].name, &w->sas[0].name));
	ask(w, 1, "www.example.org", "A", HOST);        /* joins the attempt */
	assert_int_equal(w->n_sas, 2);
	assert_waiting(w, 1);
	core_up(w, 2, 'A');
	assert_allowed(w, 1);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void every_name_is_told(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	ask(w, 1, "mail.example.org", "A", HOST);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(downs_for(w, "www.example.org"), 1);
	assert_int_equal(downs_for(w, "mail.example.org"), 1);
	assert_int_equal(w->downs[0].reason, REASON_TIMEOUT);
}

static void host_that_ends_every_tunnel_does_not_make_us_run(void **state)
{
	struct world *w = *state;
	unsigned i;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	for (i = 0; i < 600; i++) {
		advance(w, 1000);
		if (w->sas[w->n_sas - 1].up && !w->sas[w->n_sas - 1].ended)
			core_closed(w, w->n_sas, REASON_PEER_REFUSED);
		else if (!w->sas[w->n_sas - 1].ended)
			core_up(w, w->n_sas, 'A');
	}
	assert_in_range(w->n_sas, 5, 20);       /* 1, 2, 4 ... 60 s */
	assert_int_equal(w->n_unprotects, 0);
}

static void dead_host_is_tried_with_growing_pauses(void **state)
{
	struct world *w = *state;
	unsigned i;

	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	core_closed(w, 1, REASON_TIMEOUT);
	for (i = 0; i < 1000; i++) {
		advance(w, 1000);
		if (!w->sas[w->n_sas - 1].ended)
			core_fails(w, w->n_sas, REASON_TIMEOUT, "");
	}
	assert_in_range(w->n_sas, 10, 40);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);    /* the answer lives for an hour: encrypted or dropped */
	assert_int_equal(w->n_unprotects, 0);
}

/* What was protected in tunnel mode is what is released. */
static void release_names_the_addresses_inside(void **state)
{
	struct world *w = *state;
	struct ip_addr remote = address_of("192.0.2.1");
	struct tunnel_info info;
	uint64_t cursor = 0;

	w->inner = address_of("100.64.0.1");
	protect(w, "a.example", "192.0.2.1");
	assert_true(tunnels_next(w->t, &cursor, &info));
	assert_true(ip_equal(&info.inner_local, &w->inner));
	assert_true(ip_equal(&info.local, &w->local));
	(void)tunnels_down_address(w->t, &remote, w->now_ms);
	advance(w, 10000);
	assert_int_equal(w->n_unprotects, 1);
	assert_true(ip_equal(&w->unprotects[0].inner_local, &w->inner));
	assert_true(ip_equal(&w->unprotects[0].inner_remote, &remote));
	assert_true(ip_equal(&w->unprotects[0].local, &w->local));
}

/* A renewal brings another address: what protected the old one goes once the new one is in place. */
static void address_that_is_no_longer_assigned_retires(void **state)
{
	struct world *w = *state;
	struct ip_addr first = address_of("100.64.0.1");

	w->inner = first;
	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	w->inner = address_of("100.64.0.2");
	assert_int_equal(w->n_retired, 0);
	core_up(w, 2, 'A');
	assert_int_equal(w->n_retired, 1);
	assert_true(ip_equal(&w->retired[0].inner_local, &first));
	assert_int_equal(w->retired[0].reqid, w->sas[0].reqid);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_unprotects, 0);
	core_closed(w, 2, REASON_TIMEOUT);
	advance(w, 70000);
	core_up(w, w->n_sas, 'A');
	assert_int_equal(w->n_retired, 1);      /* the same again */
}

/* The kernel is asked again at each look, and before the rest goes. */
static void policies_that_the_kernel_fails_to_retire_are_retired_later(void **state)
{
	struct world *w = *state;
	struct ip_addr first = address_of("100.64.0.1");
	unsigned asked;

	w->inner = first;
	w->ttl_s = 3600;
	protect(w, "www.example.org", HOST);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	w->inner = address_of("100.64.0.2");
	w->kernel_err = IKE_E_KERNEL;
	core_up(w, 2, 'A');
	advance(w, 20000);
	asked = w->n_retired;
	assert_in_range(asked, 2, 20);
	w->kernel_err = IKE_OK;
	advance(w, 60000);
	assert_int_equal(w->n_retired, asked + 1);
	assert_true(ip_equal(&w->retired[asked].inner_local, &first));
	assert_int_equal(w->n_unprotects, 0);
}

static void policies_that_are_in_use_again_are_not_retired(void **state)
{
	struct world *w = *state;

	w->ttl_s = 3600;
	w->inner = address_of("100.64.0.1");
	protect(w, "www.example.org", HOST);
	w->kernel_err = IKE_E_KERNEL;
	for (unsigned i = 1; i <= 2; i++) {
		advance(w, 70000);
		core_closed(w, i, REASON_TIMEOUT);
		w->inner = address_of(i == 1 ? "100.64.0.2" : "100.64.0.1");
		core_up(w, i + 1, 'A');
	}
	w->kernel_err = IKE_OK;
	w->n_retired = 0;
	advance(w, 60000);
	assert_int_equal(w->n_retired, 1);
	assert_int_equal(w->retired[0].inner_local.b[3], 2);
}

/* The same private address in two networks, and a NAT in the second one: the policies of transport mode are for other packets than
 * those of the assigned address, and would stay when the tunnel goes. */
static void policies_of_another_mode_retire(void **state)
{
	struct world *w = *state;
	struct ip_addr none = w->inner;

	w->ttl_s = 36000;
	protect(w, "www.example.org", HOST);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	w->inner = address_of("100.64.0.1");
	core_up(w, 2, 'A');
	assert_int_equal(w->n_retired, 1);
	assert_true(ip_equal(&w->retired[0].inner_local, &w->local));
	advance(w, 70000);
	core_closed(w, 2, REASON_TIMEOUT);
	w->inner = none;
	core_up(w, 3, 'A');
	assert_int_equal(w->n_retired, 2);
	assert_true(ip_equal(&w->retired[1].inner_local, &(struct ip_addr){ .family = IP_V4, .b = { 100, 64, 0, 1 } }));
	/* Between the two hosts packets are the same in both modes. */
	advance(w, 70000);
	core_closed(w, 3, REASON_TIMEOUT);
	w->inner = w->local;
	core_up(w, 4, 'A');
	assert_int_equal(w->n_retired, 2);
}

/* The one that drains gives back what it had, and what a tunnel that came up meanwhile has brought. */
static void tunnel_that_comes_too_late_leaves_no_assigned_address(void **state)
{
	struct world *w = *state;
	struct dnsname other = name_of("other.example.org");
	struct ip_addr second = address_of("100.64.0.2");

	w->inner = address_of("100.64.0.1");
	protect(w, "www.example.org", HOST);
	ask(w, 2, "other.example.org", "A", HOST);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(tunnels_down_name(w->t, &other, w->now_ms), 1);
	w->inner = second;
	core_up(w, 2, 'A');
	assert_int_equal(w->n_retired, 1);
	assert_true(ip_equal(&w->retired[0].inner_local, &second));
	advance(w, 3000);
	assert_int_equal(w->n_unprotects, 1);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void healing_that_nobody_wants_drains(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 400 * 1000);
	core_closed(w, 1, REASON_TIMEOUT);      /* the answer has expired, the tunnel was not idle for long enough */
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	advance(w, 500 * 1000);
	assert_int_equal(tunnels_count(w->t), 0);
	assert_int_equal(w->n_unprotects, 1);
	assert_int_equal(w->unprotects[0].reqid, w->sas[0].reqid);
}

static void acquire_heals_what_nobody_asked_for(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 400 * 1000);
	core_closed(w, 1, REASON_TIMEOUT);
	assert_int_equal(w->n_sas, 1);
	advance(w, 5000);
	acquire(w, OUR, HOST);
	assert_int_equal(w->n_sas, 2);
	acquire(w, OUR, HOST);                  /* for each packet, until it is up */
	acquire(w, OUR, HOST2);                 /* not bound any more */
	assert_int_equal(w->n_sas, 2);
	core_up(w, 2, 'A');
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void packets_do_not_make_us_run_either(void **state)
{
	struct world *w = *state;
	unsigned i;

	protect(w, "www.example.org", HOST);
	for (i = 0; i < 600; i++) {
		advance(w, 1000);
		if (!w->sas[w->n_sas - 1].up)
			core_up(w, w->n_sas, 'A');
		else if (!w->sas[w->n_sas - 1].ended)
			core_closed(w, w->n_sas, REASON_PEER_REFUSED);
		acquire(w, OUR, HOST);
	}
	assert_in_range(w->n_sas, 140, 152);    /* every 4 s */
	assert_int_equal(w->n_unprotects, 0);
}

static void late_acquire_does_not_end_the_new_sa(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	acquire(w, OUR, HOST);
	assert_false(w->sas[0].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void sa_that_the_kernel_lost_is_established_again(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 70000);
	w->traffic_err = IKE_E_STATE;
	acquire(w, OUR, HOST);
	assert_true(w->sas[0].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_HEALING);
	assert_int_equal(w->n_sas, 2);
}

static void look_that_fails_says_nothing_about_the_sa(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	w->traffic_err = IKE_E_KERNEL;
	advance(w, 200 * 1000);
	assert_false(w->sas[0].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
}

static void packets_without_answer_ask_for_life(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	advance(w, 16000);
	assert_int_equal(w->liveness_checks, 0);
	w->traffic.packets_out += 5;
	w->traffic.idle_in_s = 12;
	advance(w, 16000);
	assert_int_equal(w->liveness_checks, 1);
	w->traffic.packets_out += 5;
	w->traffic.packets_in += 5;
	w->traffic.idle_in_s = 1;
	advance(w, 16000);
	assert_int_equal(w->liveness_checks, 1);
}

/* Renewal ------------------------------------------------------------------------------------------------------------------ */

static void soft_life_makes_new_keys_and_begins_anew(void **state)
{
	struct world *w = *state;

	w->ttl_s = 20000;
	protect(w, "www.example.org", HOST);
	advance(w, 3600 * 1000 - 1);
	assert_int_equal(w->rekeys, 0);
	advance(w, 1);
	assert_int_equal(w->rekeys, 1);
	core_rekeyed(w, 1, 0x7001, 0x7002);
	assert_int_equal(info_of(w, HOST).spi_in, 0x7001);
	assert_int_equal(info_of(w, HOST).spi_out, 0x7002);
	advance(w, 3600 * 1000 - 1);
	assert_int_equal(w->rekeys, 1);
	advance(w, 1);
	assert_int_equal(w->rekeys, 2);
	assert_int_equal(w->n_sas, 1);
	assert_int_equal(w->n_downs + w->n_unprotects, 0);
}

static void silence_about_rekeying_is_asked_again(void **state)
{
	struct world *w = *state;

	w->ttl_s = 7200;
	protect(w, "www.example.org", HOST);
	advance(w, 3600 * 1000 + 60000);
	assert_int_equal(w->rekeys, 2);
	assert_int_equal(w->n_sas, 1);
}

static void soft_limit_of_the_kernel_rekeys_what_it_is_about(void **state)
{
	struct world *w = *state;
	uint32_t reqid;

	protect(w, "www.example.org", HOST);
	reqid = info_of(w, HOST).reqid;
	tunnels_aging(w->t, reqid, 0x9999, w->now_ms);
	assert_int_equal(w->rekeys, 0);
	tunnels_aging(w->t, reqid, info_of(w, HOST).spi_out, w->now_ms);
	assert_int_equal(w->rekeys, 1);
}

static void ike_life_makes_a_new_ike_sa(void **state)
{
	struct world *w = *state;

	w->config.soft_life_s = 86400;
	world_restart(w);
	w->ttl_s = 40000;
	protect(w, "www.example.org", HOST);
	advance(w, 14400 * 1000 - 1);
	assert_int_equal(w->ike_rekeys, 0);
	advance(w, 1);
	assert_int_equal(w->ike_rekeys, 1);
	assert_int_equal(w->rekeys, 0);
	w->cannot_rekey = true;
	advance(w, 61000);
	assert_int_equal(w->n_sas, 2);          /* made anew */
}

static void tunnel_is_renewed_where_it_cannot_be_rekeyed(void **state)
{
	struct world *w = *state;

	w->ttl_s = 7200;
	protect(w, "www.example.org", HOST);
	advance(w, 3600 * 1000);
	assert_int_equal(w->n_sas, 1);
	core_cannot_rekey(w, 1);
	assert_int_equal(w->n_sas, 2);
	assert_int_equal(w->sas[1].reqid, w->sas[0].reqid);
	assert_false(w->sas[0].ended);
	core_up(w, 2, 'A');
	advance(w, 5000);
	assert_true(w->sas[0].ended);
	assert_false(w->sas[1].ended);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
	assert_int_equal(w->n_unprotects, 0);
}

static void renewal_that_fails_keeps_the_old_sa(void **state)
{
	struct world *w = *state;

	w->ttl_s = 7200;
	w->cannot_rekey = true;
	protect(w, "www.example.org", HOST);
	advance(w, 3600 * 1000);
	core_fails(w, 2, REASON_TIMEOUT, "");
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_false(w->sas[0].ended);
	ask(w, 1, "www.example.org", "A", HOST);
	assert_allowed(w, 1);
	advance(w, 61000);
	assert_int_equal(w->n_sas, 3);
}

/* Release -------------------------------------------------------------------------------------------------------------------- */

static void idle_tunnel_is_released_in_order(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	be_idle(w, 10000);
	advance(w, 599 * 1000);                 /* 300 s of answer, 300 s of idleness */
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	advance(w, 17 * 1000);
	assert_int_equal(tunnels_count(w->t), 0);
	assert_string_equal(w->order + w->n_verdicts - 1, "vdk");
	assert_true(w->sas[0].ended);
	assert_int_equal(w->n_unprotects, 1);
	assert_true(ip_equal(&w->unprotects[0].remote, &w->sas[0].path.remote.addr));
	assert_true(ip_equal(&w->unprotects[0].local, &w->sas[0].path.local.addr));
}

static void traffic_keeps_it(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	be_idle(w, 299);
	advance(w, 7200 * 1000 / 2 - 1000);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_int_equal(w->n_downs, 0);
}

static void last_answer_keeps_it(void **state)
{
	struct world *w = *state;
	unsigned i;

	protect(w, "www.example.org", HOST);
	be_idle(w, 10000);
	for (i = 1; i <= 10; i++) {
		advance(w, 290 * 1000);
		ask(w, i, "www.example.org", "A", HOST);
		assert_allowed(w, i);
	}
	assert_int_equal(w->n_downs, 0);
}

static void policies_outlive_the_word_to_the_resolver(void **state)
{
	struct world *w = *state;
	uint64_t told_ms;

	protect(w, "www.example.org", HOST);
	be_idle(w, 10000);
	while (w->n_downs == 0)
		advance(w, 100);
	told_ms = w->now_ms;
	assert_int_equal(state_of(w, HOST), TUNNEL_DRAINING);
	assert_false(w->sas[0].ended);
	while (w->n_unprotects == 0)
		advance(w, 100);
	assert_true(w->now_ms >= told_ms + 1900);
}

static void question_takes_a_draining_one_back(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	be_idle(w, 10000);
	while (w->n_downs == 0)
		advance(w, 100);
	ask(w, 1, "www.example.org", "A", HOST);
	assert_allowed(w, 1);
	advance(w, 290 * 1000);
	assert_int_equal(state_of(w, HOST), TUNNEL_PROTECTED);
	assert_false(w->sas[0].ended);
	assert_int_equal(w->n_unprotects, 0);
}

/* It was: the SAs were looked for in tunnels that do not drain only. */
static void draining_one_without_sas_is_not_taken_back(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	be_idle(w, 10000);
	while (w->n_downs == 0)
		advance(w, 100);
	assert_int_equal(state_of(w, HOST), TUNNEL_DRAINING);
	w->traffic_err = IKE_E_STATE;
	tunnels_sas_flushed(w->t, w->now_ms);
	advance(w, 1);
	assert_true(w->sas[0].ended);
	ask(w, 1, "www.example.org", "A", HOST);
	assert_refused(w, 1, REASON_BACKOFF);
	advance(w, 5000);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void policies_that_stay_in_the_kernel_are_removed_again(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	w->kernel_err = IKE_E_KERNEL;
	assert_int_equal(tunnels_down_address(w->t, &w->sas[0].path.remote.addr, w->now_ms), 1);
	advance(w, 10000);
	assert_int_equal(tunnels_count(w->t), 1);
	assert_in_range(w->n_unprotects, 5, 12);
	w->kernel_err = IKE_OK;
	advance(w, 2000);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void operator_takes_down_by_name(void **state)
{
	struct world *w = *state;
	const struct dnsname name = name_of("www.example.org");

	protect(w, "www.example.org", HOST);
	protect(w, "www.example.org", HOST2);
	protect(w, "mail.example.org", "192.0.2.3");
	assert_int_equal(tunnels_down_name(w->t, &name, w->now_ms), 2);
	take_outputs(w);
	assert_int_equal(downs_for(w, "www.example.org"), 2);
	assert_int_equal(downs_for(w, "mail.example.org"), 0);
	ask(w, 1, "www.example.org", "A", HOST);
	assert_refused(w, 1, REASON_DOWN_BY_OPERATOR);
	advance(w, 3000);
	assert_int_equal(tunnels_count(w->t), 1);
	assert_int_equal(w->n_unprotects, 2);
	ask(w, 2, "www.example.org", "A", HOST);
	assert_waiting(w, 2);
}

static void operator_ends_what_is_on_its_way_up(void **state)
{
	struct world *w = *state;
	const struct dnsname name = name_of("www.example.org");

	ask(w, 1, "www.example.org", "A", HOST);
	assert_int_equal(tunnels_down_name(w->t, &name, w->now_ms), 1);
	take_outputs(w);
	assert_refused(w, 1, REASON_DOWN_BY_OPERATOR);
	assert_int_equal(tunnels_count(w->t), 0);
}

static void shutdown_leaves_nothing(void **state)
{
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	ask(w, 1, "mail.example.org", "A", HOST2);
	tunnels_shutdown(w->t, w->now_ms);
	take_outputs(w);
	assert_refused(w, 1, REASON_SHUTDOWN);
	ask(w, 2, "www.example.org", "A", HOST);
	assert_refused(w, 2, REASON_SHUTDOWN);
	advance(w, 1000);
	assert_int_equal(tunnels_count(w->t), 0);
	assert_int_equal(w->n_unprotects, 1);
	assert_int_equal(downs_for(w, "www.example.org"), 1);
	assert_true(w->sas[0].ended && w->sas[1].ended);
}

static void stop_does_not_answer_with_what_it_takes_down(void **state)
{
	struct world *w = *state;

	ask(w, 1, "www.example.org", "A", HOST " " HOST2);
	core_up(w, 1, 'A');
	assert_waiting(w, 1);
	tunnels_shutdown(w->t, w->now_ms);
	take_outputs(w);
	assert_refused(w, 1, REASON_SHUTDOWN);
}

/* Watching ----------------------------------------------------------------------------------------------------------------- */

static void life_is_told_as_it_happens(void **state)
{
	static const enum tunnel_event_kind life[] = {
		TUNNEL_EV_ESTABLISHING, TUNNEL_EV_PROTECTED, TUNNEL_EV_ANSWERED, TUNNEL_EV_REKEYED,
		TUNNEL_EV_HEALING, TUNNEL_EV_ESTABLISHING, TUNNEL_EV_FORGOTTEN, TUNNEL_EV_FAILED,
		TUNNEL_EV_DRAINING, TUNNEL_EV_FORGOTTEN, TUNNEL_EV_GONE,
	};
	struct world *w = *state;

	protect(w, "www.example.org", HOST);
	core_rekeyed(w, 1, 7, 8);
	advance(w, 70000);
	core_closed(w, 1, REASON_TIMEOUT);
	core_fails(w, 2, REASON_TIMEOUT, "");
	tunnels_down_address(w->t, &(struct ip_addr){ IP_V4, { 192, 0, 2, 1 } }, w->now_ms);
	advance(w, 3000);
	assert_int_equal(w->n_events, sizeof life / sizeof *life);
	for (unsigned i = 0; i < w->n_events; i++)
		assert_string_equal(tunnel_event_word(w->events[i]), tunnel_event_word(life[i]));
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(life_is_told_as_it_happens),
		WITH_WORLD(lost_tunnel_is_healed_at_once),
		WITH_WORLD(every_name_is_told),
		WITH_WORLD(host_that_ends_every_tunnel_does_not_make_us_run),
		WITH_WORLD(dead_host_is_tried_with_growing_pauses),
		WITH_WORLD(release_names_the_addresses_inside),
		WITH_WORLD(address_that_is_no_longer_assigned_retires),
		WITH_WORLD(policies_that_the_kernel_fails_to_retire_are_retired_later),
		WITH_WORLD(policies_that_are_in_use_again_are_not_retired),
		WITH_WORLD(policies_of_another_mode_retire),
		WITH_WORLD(tunnel_that_comes_too_late_leaves_no_assigned_address),
		WITH_WORLD(healing_that_nobody_wants_drains),
		WITH_WORLD(acquire_heals_what_nobody_asked_for),
		WITH_WORLD(packets_do_not_make_us_run_either),
		WITH_WORLD(late_acquire_does_not_end_the_new_sa),
		WITH_WORLD(sa_that_the_kernel_lost_is_established_again),
		WITH_WORLD(look_that_fails_says_nothing_about_the_sa),
		WITH_WORLD(packets_without_answer_ask_for_life),
		WITH_WORLD(soft_life_makes_new_keys_and_begins_anew),
		WITH_WORLD(silence_about_rekeying_is_asked_again),
		WITH_WORLD(soft_limit_of_the_kernel_rekeys_what_it_is_about),
		WITH_WORLD(ike_life_makes_a_new_ike_sa),
		WITH_WORLD(tunnel_is_renewed_where_it_cannot_be_rekeyed),
		WITH_WORLD(renewal_that_fails_keeps_the_old_sa),
		WITH_WORLD(idle_tunnel_is_released_in_order),
		WITH_WORLD(traffic_keeps_it),
		WITH_WORLD(last_answer_keeps_it),
		WITH_WORLD(policies_outlive_the_word_to_the_resolver),
		WITH_WORLD(question_takes_a_draining_one_back),
		WITH_WORLD(draining_one_without_sas_is_not_taken_back),
		WITH_WORLD(policies_that_stay_in_the_kernel_are_removed_again),
		WITH_WORLD(operator_takes_down_by_name),
		WITH_WORLD(operator_ends_what_is_on_its_way_up),
		WITH_WORLD(shutdown_leaves_nothing),
		WITH_WORLD(stop_does_not_answer_with_what_it_takes_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
