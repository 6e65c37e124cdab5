/* The contract of kernel.h over the kernel in memory. test_kernel_failures.c has what a failure leaves, test_kernel_losses.c what
 * others remove. */
#include "tests/unit/kernel_pair.h"

#include <stdio.h>

static void first_protection_protects_both_ways(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_fake_counts c;

	(void)state;
	assert_int_equal(fate_out(k), FATE_CLEAR);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(fate_out(k), FATE_ESP);
	assert_int_equal(fate_in(k), FATE_ESP);
	kernel_fake_count(k, &c);
	assert_int_equal(c.sas, 2);
	assert_int_equal(c.policies, 2);
	assert_int_equal(apply(k, KERNEL_DELETE_SAS, 1), IKE_OK);
	assert_int_equal(fate_out(k), FATE_DROP);
	assert_int_equal(fate_in(k), FATE_DROP);
	assert_int_equal(apply(k, KERNEL_DELETE_SAS, 1), IKE_OK);
	assert_int_equal(apply(k, KERNEL_UNPROTECT, 1), IKE_OK);
	assert_int_equal(fate_out(k), FATE_CLEAR);
	assert_int_equal(fate_in(k), FATE_CLEAR);
	assert_int_equal(apply(k, KERNEL_UNPROTECT, 1), IKE_OK);
	kernel_close(k);
}

static enum kernel_fate fate_from(const struct kernel *k, const char *local, bool in)
{
	struct kernel_request r = request(KERNEL_PROTECT, 0);

	r.local = addr(local);
	return in ? kernel_fake_fate_in(k, &r.local, &r.remote) : kernel_fake_fate_out(k, &r.local, &r.remote);
}

static void a_shield_closes_the_host_to_every_other_address_of_ours(void **state)
{
	struct kernel *k = open_fake();

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(fate_from(k, "2001:db8::9", false), FATE_CLEAR);
	assert_int_equal(fate_from(k, "2001:db8::9", true), FATE_CLEAR);
	assert_int_equal(apply_from(k, KERNEL_PROTECT, 2, "2001:db8::1", true), IKE_OK);
	assert_int_equal(fate_out(k), FATE_ESP);
	assert_int_equal(fate_from(k, "2001:db8::9", false), FATE_DROP);
	assert_int_equal(fate_from(k, "2001:db8::9", true), FATE_DROP);
	/* A second pair beside the first. */
	assert_int_equal(apply_from(k, KERNEL_PROTECT, 3, "2001:db8::9", true), IKE_OK);
	assert_int_equal(fate_from(k, "2001:db8::9", false), FATE_ESP);
	assert_int_equal(fate_out(k), FATE_ESP);
	/* The end of one leaves the host closed to its address, and the other pair as it is. */
	assert_int_equal(apply(k, KERNEL_UNPROTECT, 1), IKE_OK);
	assert_int_equal(fate_out(k), FATE_DROP);
	assert_int_equal(fate_in(k), FATE_DROP);
	assert_int_equal(fate_from(k, "2001:db8::9", true), FATE_ESP);
	assert_int_equal(apply_from(k, KERNEL_UNPROTECT, 3, "2001:db8::9", true), IKE_OK);
	assert_int_equal(fate_out(k), FATE_CLEAR);
	assert_int_equal(fate_from(k, "2001:db8::9", true), FATE_CLEAR);
	kernel_close(k);
}

static struct kernel_request tunnel_from(enum kernel_op op, uint32_t pair, const char *inner, const char *remote)
{
	struct kernel_request r = request(op, pair);

	r.reqid += pair;
	r.inner_local = addr(inner);
	r.remote = r.inner_remote = addr(remote);
	r.shield = true;
	return r;
}

static void a_tunnel_protects_packets_of_the_other_family(void **state)
{
	struct kernel_request r = tunnel_from(KERNEL_PROTECT, 1, "192.0.2.1", "2001:db8::2");
	struct kernel *k = open_fake();

	(void)state;
	r.inner_remote = addr("192.0.2.7");
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &r.inner_local, &r.inner_remote), FATE_ESP);
	assert_int_equal(kernel_fake_fate_in(k, &r.inner_local, &r.inner_remote), FATE_ESP);
	assert_true(kernel_fake_accepts(k, &r.inner_local, &r.inner_remote, r.spi_in));
	/* To the gateway itself nothing changes. */
	assert_int_equal(kernel_fake_fate_out(k, &r.local, &r.remote), FATE_CLEAR);
	assert_int_equal(kernel_fake_fate_in(k, &r.local, &r.remote), FATE_CLEAR);
	/* The gateway has another address now, of the host's family. */
	r.op = KERNEL_PROTECT;
	r.spi_in++;
	r.spi_out++;
	r.local = r.inner_local;
	r.remote = addr("192.0.2.20");
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &r.inner_local, &r.inner_remote), FATE_ESP);
	assert_int_equal(kernel_fake_spi_out(k, &r.inner_local, &r.inner_remote), r.spi_out);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &r.inner_local, &r.inner_remote), FATE_CLEAR);
	kernel_close(k);
}

/* The packets of the assigned address are encrypted; those of our own meet the shield. */
static void a_tunnel_protects_the_address_inside(void **state)
{
	struct kernel_request r = tunnel_from(KERNEL_PROTECT, 1, "fd00:64::1", "2001:db8::2");
	struct kernel *k = open_fake();

	(void)state;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &r.inner_local, &r.remote), FATE_ESP);
	assert_int_equal(kernel_fake_fate_in(k, &r.inner_local, &r.remote), FATE_ESP);
	/* To be translated on its way into the tunnel. */
	assert_int_equal(kernel_fake_fate_out(k, &r.local, &r.remote), FATE_ESP);
	assert_int_equal(kernel_fake_fate_in(k, &r.local, &r.remote), FATE_DROP);
	assert_true(kernel_fake_accepts(k, &r.inner_local, &r.remote, r.spi_in));
	assert_false(kernel_fake_accepts(k, &r.local, &r.remote, r.spi_in));
	r.op = KERNEL_DELETE_SAS;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &r.inner_local, &r.remote), FATE_DROP);
	assert_int_equal(kernel_fake_fate_in(k, &r.inner_local, &r.remote), FATE_DROP);
	assert_int_equal(kernel_fake_fate_out(k, &r.local, &r.remote), FATE_DROP);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &r.inner_local, &r.remote), FATE_CLEAR);
	assert_int_equal(kernel_fake_fate_out(k, &r.local, &r.remote), FATE_CLEAR);
	kernel_close(k);
}

static void two_servers_may_assign_the_same_address(void **state)
{
	struct kernel_request a = tunnel_from(KERNEL_PROTECT, 1, "fd00:64::1", "2001:db8::2");
	struct kernel_request b = tunnel_from(KERNEL_PROTECT, 2, "fd00:64::1", "2001:db8::3");
	struct kernel *k = open_fake();

	(void)state;
	assert_int_equal(kernel_apply(k, &a), IKE_OK);
	assert_int_equal(kernel_apply(k, &b), IKE_OK);
	assert_int_equal(kernel_fake_spi_out(k, &a.inner_local, &a.remote), a.spi_out);
	assert_int_equal(kernel_fake_spi_out(k, &b.inner_local, &b.remote), b.spi_out);
	a.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &a), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &a.inner_local, &a.remote), FATE_CLEAR);
	assert_int_equal(kernel_fake_fate_out(k, &b.inner_local, &b.remote), FATE_ESP);
	kernel_close(k);
}

static void a_newly_assigned_address_takes_over_and_the_old_one_retires(void **state)
{
	struct kernel_request first = tunnel_from(KERNEL_PROTECT, 1, "fd00:64::1", "2001:db8::2");
	struct kernel_request second = first;
	struct kernel *k = open_fake();
	struct kernel_fake_counts c;

	(void)state;
	second.spi_in++;
	second.spi_out++;
	second.inner_local = addr("fd00:64::2");
	assert_int_equal(kernel_apply(k, &first), IKE_OK);
	assert_int_equal(kernel_apply(k, &second), IKE_OK);
	first.op = KERNEL_RETIRE;
	assert_int_equal(kernel_apply(k, &first), IKE_OK);
	assert_int_equal(kernel_fake_spi_out(k, &second.inner_local, &second.remote), second.spi_out);
	/* The shield stays: nothing is in clear. */
	assert_int_equal(kernel_fake_fate_out(k, &first.inner_local, &first.remote), FATE_DROP);
	assert_int_equal(kernel_fake_fate_in(k, &first.local, &first.remote), FATE_DROP);
	/* What is to be translated takes the tunnel that there is. */
	assert_int_equal(kernel_fake_spi_out(k, &first.local, &first.remote), second.spi_out);
	kernel_fake_count(k, &c);
	assert_int_equal(c.sas, 4);
	assert_int_equal(c.policies, 5);
	kernel_close(k);
}

static struct kernel_request behind_gateway(enum kernel_op op, uint32_t pair)
{
	struct kernel_request r = request(op, pair);

	r.inner_local = r.local;
	r.inner_remote = addr("2001:db8:7::2");
	r.shield = op == KERNEL_PROTECT;
	return r;
}

/* DNS and NTP of such a host are exempt as others' are. Its release tells nothing of a shield while another pair has it, and so
 * looks like that of a client with an address of ours, whose policies are above the exemptions. */
static void refused_release_of_a_host_behind_a_gateway_leaves_it_exempt(void **state)
{
	struct kernel_request r = behind_gateway(KERNEL_PROTECT, 1), release = behind_gateway(KERNEL_UNPROTECT, 1);
	char before[TEXT_MAX], after[TEXT_MAX];
	struct kernel *k = open_fake();

	(void)state;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	kernel_fake_describe(k, before, sizeof before);
	assert_null(strstr(before, "assigned"));
	for (unsigned n = 2; n <= 3; n++) {     /* one policy is gone, both; SAs are gone in the second case */
		kernel_fake_fail_at(k, n + 1);
		assert_int_equal(kernel_apply(k, &release), IKE_E_KERNEL);
		kernel_fake_fail_at(k, 0);
		assert_null(strstr(kernel_fake_describe(k, after, sizeof after), "assigned"));
		kernel_fake_flush(k, true, false);
		assert_int_equal(guard(k), 4);
		assert_null(strstr(kernel_fake_describe(k, after, sizeof after), "assigned"));
	}
	kernel_close(k);
}

/* The host had a pair in transport mode, then assigns an address, and in the middle of that the kernel refuses. */
static void refused_change_of_mode_leaves_the_mode_that_was(void **state)
{
	struct kernel_request transport = request(KERNEL_PROTECT, 1), assigned = tunnel_from(KERNEL_PROTECT, 2, "fd00:64::1", "2001:db8::2");
	char before[TEXT_MAX], after[TEXT_MAX];
	struct kernel *k = open_fake();
	unsigned n = 0;

	(void)state;
	transport.shield = true;
	assigned.reqid = transport.reqid;
	assert_int_equal(kernel_apply(k, &transport), IKE_OK);
	kernel_fake_describe(k, before, sizeof before);
	do {
		assert_int_equal(kernel_fake_fate_out(k, &transport.local, &transport.remote), FATE_ESP);
		assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
		kernel_fake_fail_at(k, ++n);
	} while (kernel_apply(k, &assigned) == IKE_E_KERNEL);
	assert_int_equal(n, 7);                 /* a look, two SAs, three policies */
	kernel_close(k);
}

/* Nobody asks again for what a refused RETIRE has left, once the pair is released. The host assigns the same address for a pair that
 * comes later, and found it taken. */
static void release_takes_what_a_refused_retire_has_left(void **state)
{
	struct kernel_request first = tunnel_from(KERNEL_PROTECT, 1, "fd00:64::1", "2001:db8::2"), second = first, later = first;
	struct kernel_request retire = first;
	struct kernel_fake_counts c;
	struct kernel *k = open_fake();

	(void)state;
	second.spi_in++;
	second.spi_out++;
	second.inner_local = addr("fd00:64::2");
	retire.op = KERNEL_RETIRE;
	later.reqid++;
	assert_int_equal(kernel_apply(k, &first), IKE_OK);
	assert_int_equal(kernel_apply(k, &second), IKE_OK);
	kernel_fake_fail_at(k, 2);
	assert_int_equal(kernel_apply(k, &retire), IKE_E_KERNEL);
	kernel_fake_fail_at(k, 0);
	second.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &second), IKE_OK);
	kernel_fake_count(k, &c);
	assert_int_equal(c.policies + c.sas, 0);
	assert_int_equal(kernel_apply(k, &later), IKE_OK);
	kernel_close(k);
}

/* It was asked for itself; now it assigns. There is no policy for what is not translated, as the host is another. */
static void retired_address_of_a_host_behind_a_gateway_leaves_no_policy(void **state)
{
	struct kernel_request own = behind_gateway(KERNEL_PROTECT, 1), assigned = behind_gateway(KERNEL_PROTECT, 2);
	struct kernel_fake_counts c;
	struct kernel *k = open_fake();

	(void)state;
	assigned.inner_local = addr("fd00:64::1");
	assert_int_equal(kernel_apply(k, &own), IKE_OK);
	assert_int_equal(kernel_apply(k, &assigned), IKE_OK);
	own.op = KERNEL_RETIRE;
	assert_int_equal(kernel_apply(k, &own), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &own.inner_local, &own.inner_remote), FATE_DROP);
	assigned.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &assigned), IKE_OK);
	kernel_fake_count(k, &c);
	assert_int_equal(c.policies, 0);
	kernel_close(k);
}

/* The policy of a pair in transport mode and that for what is not translated yet are in the same place. */
static void a_host_that_begins_to_assign_and_ends_it_leaves_no_gap(void **state)
{
	struct kernel_request transport = request(KERNEL_PROTECT, 1), assigned = tunnel_from(KERNEL_PROTECT, 2, "fd00:64::1", "2001:db8::2");
	struct kernel_request again = request(KERNEL_PROTECT, 3), gone = transport;
	struct kernel *k = open_fake();
	struct kernel_fake_counts c;

	(void)state;
	transport.shield = again.shield = true;
	assigned.reqid = transport.reqid;
	assert_int_equal(kernel_apply(k, &transport), IKE_OK);
	assert_int_equal(kernel_apply(k, &assigned), IKE_OK);
	gone.op = KERNEL_RETIRE;
	gone.inner_local = gone.local;          /* as tunnel/ says it */
	gone.inner_remote = gone.remote;
	assert_int_equal(kernel_apply(k, &gone), IKE_OK);
	assert_int_equal(kernel_fake_fate_out(k, &assigned.inner_local, &assigned.remote), FATE_ESP);
	assert_int_equal(kernel_fake_fate_out(k, &transport.local, &transport.remote), FATE_ESP);
	kernel_fake_flush(k, true, false);
	assert_int_equal(guard(k), 5);
	assert_int_equal(kernel_fake_fate_out(k, &transport.local, &transport.remote), FATE_ESP);
	assert_int_equal(kernel_apply(k, &again), IKE_OK);
	gone = assigned;
	gone.op = KERNEL_RETIRE;
	assert_int_equal(kernel_apply(k, &gone), IKE_OK);
	assert_int_equal(kernel_fake_spi_out(k, &again.local, &again.remote), again.spi_out);
	assert_int_equal(kernel_fake_fate_in(k, &again.local, &again.remote), FATE_ESP);
	assert_int_equal(kernel_fake_fate_out(k, &assigned.inner_local, &assigned.remote), FATE_DROP);
	kernel_fake_count(k, &c);
	assert_int_equal(c.policies, 4);
	kernel_close(k);
}

static void what_is_forwarded_passes_until_it_is_told_not_to(void **state)
{
	struct kernel *k = open_fake();
	struct ip_addr forwarded = addr("2001:db8:5::5"), remote = addr("2001:db8::2");
	struct kernel_event e;

	(void)state;
	assert_int_equal(apply_from(k, KERNEL_PROTECT, 1, "2001:db8::1", true), IKE_OK);
	assert_int_equal(kernel_fake_acquire(k, &forwarded, &remote), IKE_OK);
	assert_true(kernel_next_event(k, &e));
	assert_int_equal(e.kind, KERNEL_EV_ACQUIRE);
	assert_int_equal(e.reqid, KERNEL_REQID_SHIELD);
	assert_true(ip_equal(&e.local, &forwarded));
	assert_true(ip_equal(&e.remote, &remote));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(apply_from(k, KERNEL_PASS, 0, "2001:db8:5::5", false), IKE_OK);
	assert_int_equal(fate_from(k, "2001:db8:5::5", false), FATE_CLEAR);
	assert_int_equal(fate_from(k, "2001:db8:5::5", true), FATE_DROP);
	assert_int_equal(fate_from(k, "2001:db8:5::6", false), FATE_DROP);
	/* It stands in for nothing: neither a pair's policy nor the reverse. */
	assert_int_equal(apply(k, KERNEL_PASS, 0), IKE_E_CONFLICT);
	assert_int_equal(fate_out(k), FATE_ESP);
	assert_int_equal(apply_from(k, KERNEL_PROTECT, 2, "2001:db8:5::5", true), IKE_E_CONFLICT);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(apply_from(k, KERNEL_UNPASS, 0, "2001:db8:5::5", false), IKE_OK);
	assert_int_equal(fate_from(k, "2001:db8:5::5", false), FATE_DROP);
	kernel_close(k);
}

static void renewal_sends_on_the_new_pair_and_still_reads_the_old(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1);

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(apply(k, KERNEL_PROTECT, 2), IKE_OK);
	assert_int_equal(kernel_fake_spi_out(k, &r.local, &r.remote), 0x2002);
	assert_true(kernel_fake_accepts(k, &r.local, &r.remote, 0x1001));
	assert_true(kernel_fake_accepts(k, &r.local, &r.remote, 0x1002));
	assert_int_equal(apply(k, KERNEL_DELETE_SAS, 1), IKE_OK);
	assert_false(kernel_fake_accepts(k, &r.local, &r.remote, 0x1001));
	assert_int_equal(fate_out(k), FATE_ESP);
	kernel_close(k);
}

/* Rekeying, as the end that did not ask for it does it. */
static void new_pair_comes_and_old_pair_goes_half_by_half(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1), in = request(KERNEL_ADD_SAS, 2), out = in;

	(void)state;
	in.spi_out = out.spi_in = 0;
	in.keys_out.encr.n = out.keys_in.encr.n = 0;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(kernel_apply(k, &in), IKE_OK);
	assert_int_equal(kernel_fake_spi_out(k, &r.local, &r.remote), 0x2001);
	assert_true(kernel_fake_accepts(k, &r.local, &r.remote, 0x1002));
	assert_int_equal(kernel_apply(k, &out), IKE_OK);
	assert_int_equal(kernel_fake_spi_out(k, &r.local, &r.remote), 0x2002);
	r.op = KERNEL_DELETE_SAS;
	r.spi_in = 0;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_true(kernel_fake_accepts(k, &r.local, &r.remote, 0x1001));
	r.spi_in = 0x1001;
	r.spi_out = 0;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_false(kernel_fake_accepts(k, &r.local, &r.remote, 0x1001));
	assert_int_equal(fate_out(k), FATE_ESP);
	assert_int_equal(fate_in(k), FATE_ESP);
	kernel_close(k);
}

/* A NAT has given the other end another port. */
static void sas_in_udp_get_another_port_and_keep_the_rest(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX], *port;
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1);

	(void)state;
	r.encap_local_port = 4500;
	r.encap_remote_port = 30001;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	(void)kernel_fake_describe(k, before, sizeof before);
	r = (struct kernel_request){ .op = KERNEL_REMAP, .reqid = REQID, .local = r.local, .remote = r.remote, .spi_in = r.spi_in,
				     .spi_out = r.spi_out, .suite = r.suite, .encap_local_port = 4500, .encap_remote_port = 30002 };
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	(void)kernel_fake_describe(k, after, sizeof after);
	for (unsigned i = 0; i < 2; i++) {
		port = strstr(after, "4500-30002");
		assert_non_null(port);
		port[strlen("4500-3000")] = '1';
	}
	assert_string_equal(before, after);
	kernel_close(k);
}

/* One that is not there, or not in UDP, or somebody else's. */
static void what_has_no_port_gets_none(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1);

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(kernel_fake_foreign_sa(k, false, &r.local, &r.remote, 0x2002), IKE_OK);
	(void)kernel_fake_describe(k, before, sizeof before);
	r = (struct kernel_request){ .op = KERNEL_REMAP, .reqid = REQID, .local = r.local, .remote = r.remote, .spi_out = 0x2002,
				     .suite = r.suite, .encap_local_port = 4500, .encap_remote_port = 30002 };
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	r.spi_out = 0x2001;
	assert_int_equal(kernel_apply(k, &r), IKE_E_KERNEL);
	r.encap_remote_port = 0;
	assert_int_equal(kernel_apply(k, &r), IKE_E_SYNTAX);
	(void)kernel_fake_describe(k, after, sizeof after);
	assert_string_equal(before, after);
	kernel_close(k);
}

static void same_spi_twice_is_refused_and_the_first_stays(void **state)
{
	struct kernel *k = open_fake();

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_E_CONFLICT);
	assert_int_equal(fate_out(k), FATE_ESP);
	assert_int_equal(fate_in(k), FATE_ESP);
	kernel_close(k);
}

static void foreign_objects_stay(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1);
	struct kernel_fake_counts c;

	(void)state;
	assert_int_equal(kernel_fake_foreign_policy(k, true, &r.local, &r.remote), IKE_OK);
	assert_int_equal(kernel_fake_foreign_sa(k, true, &r.local, &r.remote, r.spi_in), IKE_OK);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_E_CONFLICT);
	assert_int_equal(apply(k, KERNEL_DELETE_SAS, 1), IKE_OK);
	assert_int_equal(apply(k, KERNEL_UNPROTECT, 1), IKE_OK);
	kernel_fake_count(k, &c);
	assert_int_equal(c.foreign_policies, 1);
	assert_int_equal(c.foreign_sas, 1);
	assert_int_equal(c.sas + c.policies, 0);
	kernel_close(k);
}

static void malformed_request_changes_nothing(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1);
	struct kernel_fake_counts c;

	(void)state;
	r.keys_out.encr.n = 16;
	assert_int_equal(kernel_apply(k, &r), IKE_E_SYNTAX);
	kernel_fake_count(k, &c);
	assert_int_equal(c.sas + c.policies, 0);
	kernel_close(k);
}

static void unprotect_removes_any_number_of_sas(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_fake_counts c;

	(void)state;
	for (uint32_t pair = 1; pair <= 50; pair++)
		assert_int_equal(apply(k, KERNEL_PROTECT, pair), IKE_OK);
	assert_int_equal(apply(k, KERNEL_UNPROTECT, 1), IKE_OK);
	kernel_fake_count(k, &c);
	assert_int_equal(c.sas, 0);
	assert_int_equal(c.policies, 0);
	kernel_close(k);
}

static void acquire_is_healed_by_the_next_protect(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1);
	struct kernel_fake_counts c;
	struct kernel_event e;

	(void)state;
	assert_int_equal(kernel_event_fd(k), -1);
	assert_int_equal(kernel_fake_acquire(k, &r.local, &r.remote), IKE_E_STATE);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(kernel_fake_acquire(k, &r.local, &r.remote), IKE_E_STATE);
	assert_int_equal(apply(k, KERNEL_DELETE_SAS, 1), IKE_OK);
	assert_int_equal(kernel_fake_acquire(k, &r.local, &r.remote), IKE_OK);
	assert_int_equal(kernel_fake_acquire(k, &r.local, &r.remote), IKE_E_STATE);
	assert_true(kernel_next_event(k, &e));
	assert_int_equal(e.kind, KERNEL_EV_ACQUIRE);
	assert_int_equal(e.reqid, REQID);
	assert_false(kernel_next_event(k, &e));
	assert_int_equal(apply(k, KERNEL_PROTECT, 2), IKE_OK);
	kernel_fake_count(k, &c);
	assert_int_equal(c.sas, 2);
	assert_int_equal(fate_out(k), FATE_ESP);
	kernel_close(k);
}

static void hard_expiry_drops_and_tells(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_event e;

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(kernel_fake_expire(k, 0x2001, false), IKE_OK);
	assert_int_equal(fate_out(k), FATE_ESP);
	assert_int_equal(kernel_fake_expire(k, 0x2001, true), IKE_OK);
	assert_int_equal(kernel_fake_expire(k, 0x2001, true), IKE_E_STATE);
	assert_int_equal(fate_out(k), FATE_DROP);
	assert_true(kernel_next_event(k, &e));
	assert_int_equal(e.kind, KERNEL_EV_SOFT_EXPIRE);
	assert_true(kernel_next_event(k, &e));
	assert_int_equal(e.kind, KERNEL_EV_HARD_EXPIRE);
	assert_int_equal(e.spi, 0x2001);
	kernel_close(k);
}

static void traffic_is_told_for_a_known_pair_only(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 1);
	struct sa_traffic set = { .bytes_in = 5, .packets_out = 3, .idle_in_s = 7 }, got = { .bytes_in = 99 };

	(void)state;
	assert_int_equal(kernel_traffic(k, r.reqid, r.spi_in, r.spi_out, &r.local, &r.remote, &got), IKE_E_STATE);
	assert_int_equal(got.bytes_in, 0);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	kernel_fake_set_traffic(k, REQID, &set);
	assert_int_equal(kernel_traffic(k, r.reqid, r.spi_in, r.spi_out, &r.local, &r.remote, &got), IKE_OK);
	assert_int_equal(got.bytes_in, 5);
	assert_int_equal(got.packets_out, 3);
	assert_int_equal(got.idle_in_s, 7);
	kernel_close(k);
}

static void two_ends_fit_only_with_the_same_keys(void **state)
{
	struct kernel *a = open_fake(), *b = open_fake();
	struct kernel_request ra = request(KERNEL_PROTECT, 1), rb = ra;

	(void)state;
	rb.local = ra.remote;
	rb.remote = ra.local;
	rb.spi_in = ra.spi_out;
	rb.spi_out = ra.spi_in;
	rb.keys_in = ra.keys_out;
	rb.keys_out = ra.keys_in;
	assert_int_equal(kernel_apply(a, &ra), IKE_OK);
	assert_int_equal(kernel_apply(b, &rb), IKE_OK);
	assert_true(kernel_fake_pair(a, b, &ra.local, &ra.remote));
	assert_int_equal(apply(b, KERNEL_UNPROTECT, 0), IKE_OK);        /* another pair of addresses: changes nothing */
	assert_true(kernel_fake_pair(a, b, &ra.local, &ra.remote));
	rb.spi_in++;
	rb.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(b, &rb), IKE_OK);
	rb.op = KERNEL_PROTECT;
	rb.spi_in--;
	rb.keys_in.encr.b[0] ^= 1;
	assert_int_equal(kernel_apply(b, &rb), IKE_OK);
	assert_false(kernel_fake_pair(a, b, &ra.local, &ra.remote));
	kernel_close(a);
	kernel_close(b);
}

static void exemptions_are_all_or_none(void **state)
{
	struct kernel_fake_counts c;
	unsigned all, n = 0;
	struct kernel *k = open_fake();

	(void)state;
	assert_int_equal(kernel_install_exemptions(k, true), IKE_OK);
	assert_int_equal(kernel_install_exemptions(k, true), IKE_OK);
	kernel_fake_count(k, &c);
	all = c.exemptions;
	assert_true(all > 20);
	kernel_close(k);
	for (n = 1; n <= all; n++) {
		k = open_fake();
		kernel_fake_fail_at(k, n);
		assert_int_equal(kernel_install_exemptions(k, true), IKE_E_KERNEL);
		kernel_fake_count(k, &c);
		assert_int_equal(c.exemptions, 0);
		kernel_close(k);
	}
}

static void check_tells_which_ciphers_work(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_fake_counts c;
	uint32_t works;
	const char *why;

	(void)state;
	assert_int_equal(kernel_check_esp(k, &works, &why), IKE_OK);
	assert_int_equal(works, 0xff);
	kernel_fake_count(k, &c);
	assert_int_equal(c.sas, 0);
	kernel_fake_without(k, ENCR_CHACHA20_POLY1305, IP_V4);
	assert_int_equal(kernel_check_esp(k, &works, &why), IKE_OK);
	assert_int_equal(works, 0xff & ~(1 << 2) & ~(1 << 6));
	kernel_fake_without(k, 0, IP_V6);
	assert_int_equal(kernel_check_esp(k, &works, &why), IKE_OK);
	assert_int_equal(works, 0xff & ~(1 << 2) & ~(1 << 6));
	kernel_fake_without(k, ENCR_AES_GCM_16, IP_V4);
	kernel_fake_without(k, ENCR_AES_CBC, IP_V4);
	assert_int_equal(kernel_check_esp(k, &works, &why), IKE_E_UNSUPPORTED);
	assert_non_null(strstr(why, "ciphers"));
	kernel_fake_without(k, 0, IP_V4);
	assert_int_equal(kernel_check_esp(k, &works, &why), IKE_E_UNSUPPORTED);
	assert_int_equal(works, 0);
	assert_non_null(strstr(why, "no ESP"));
	kernel_close(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_protection_protects_both_ways),
		cmocka_unit_test(a_shield_closes_the_host_to_every_other_address_of_ours),
		cmocka_unit_test(a_tunnel_protects_packets_of_the_other_family),
		cmocka_unit_test(a_tunnel_protects_the_address_inside),
		cmocka_unit_test(two_servers_may_assign_the_same_address),
		cmocka_unit_test(a_newly_assigned_address_takes_over_and_the_old_one_retires),
		cmocka_unit_test(a_host_that_begins_to_assign_and_ends_it_leaves_no_gap),
		cmocka_unit_test(refused_release_of_a_host_behind_a_gateway_leaves_it_exempt),
		cmocka_unit_test(refused_change_of_mode_leaves_the_mode_that_was),
		cmocka_unit_test(release_takes_what_a_refused_retire_has_left),
		cmocka_unit_test(retired_address_of_a_host_behind_a_gateway_leaves_no_policy),
		cmocka_unit_test(what_is_forwarded_passes_until_it_is_told_not_to),
		cmocka_unit_test(renewal_sends_on_the_new_pair_and_still_reads_the_old),
		cmocka_unit_test(new_pair_comes_and_old_pair_goes_half_by_half),
		cmocka_unit_test(sas_in_udp_get_another_port_and_keep_the_rest),
		cmocka_unit_test(what_has_no_port_gets_none),
		cmocka_unit_test(same_spi_twice_is_refused_and_the_first_stays),
		cmocka_unit_test(foreign_objects_stay),
		cmocka_unit_test(malformed_request_changes_nothing),
		cmocka_unit_test(unprotect_removes_any_number_of_sas),
		cmocka_unit_test(acquire_is_healed_by_the_next_protect),
		cmocka_unit_test(hard_expiry_drops_and_tells),
		cmocka_unit_test(traffic_is_told_for_a_known_pair_only),
		cmocka_unit_test(two_ends_fit_only_with_the_same_keys),
		cmocka_unit_test(exemptions_are_all_or_none),
		cmocka_unit_test(check_tells_which_ciphers_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
