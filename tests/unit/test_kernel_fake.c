/* The contract of kernel.h over the kernel in memory: above all that a failure at any step leaves what was there. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "kernel/kernel_fake.h"
#include "kernel/ledger.h"

enum { REQID = KERNEL_REQID_BASE + 42, TEXT_MAX = 16384 };

static struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_from_text(text, &a), IKE_OK);
	return a;
}

static unsigned guard(struct kernel *k)
{
	struct kernel_losses lost;

	assert_int_equal(kernel_guard(k, &lost), IKE_OK);
	return lost.policies;
}

/* Every request of the property tests; they run without a shield, with one, in tunnel mode from an address inside, and for a host behind
 * a gateway, which is protected from other addresses of ours too: so its shield stays. */
static bool shielded, tunnelled, behind;
enum { N_WAYS = 4 };

static void set_way(unsigned way)
{
	shielded = way == 1;
	tunnelled = way == 2;
	behind = way == 3;
}

static struct kernel_request request(enum kernel_op op, uint32_t pair)
{
	struct kernel_request r = {
		.op = op, .reqid = REQID, .local = addr("2001:db8::1"), .remote = addr("2001:db8::2"),
		.spi_in = 0x1000 + pair, .spi_out = 0x2000 + pair,
		.suite = { ENCR_AES_GCM_16, 256, INTEG_NONE, true },
		.keys_in = { .encr = { .n = 36, .b = { 1 } } }, .keys_out = { .encr = { .n = 36, .b = { 2 } } },
	};

	if (tunnelled) {
		r.inner_local = addr("fd00:64::1");
		r.inner_remote = r.remote;
	}
	if (behind) {
		r.inner_local = r.local;
		r.inner_remote = addr("2001:db8:7::2");
		r.shield = op == KERNEL_PROTECT;
	}
	return r;
}

/* The addresses of its packets. */
static struct ip_addr packets_local(void)
{
	struct kernel_request r = request(KERNEL_PROTECT, 0);

	return tunnelled ? r.inner_local : r.local;
}

static struct ip_addr packets_remote(void)
{
	struct kernel_request r = request(KERNEL_PROTECT, 0);

	return behind ? r.inner_remote : r.remote;
}

static struct kernel *open_fake(void)
{
	struct kernel *k;

	assert_int_equal(kernel_fake_open(NULL, &k), IKE_OK);
	return k;
}

static enum ike_err apply_from(struct kernel *k, enum kernel_op op, uint32_t pair, const char *local, bool shield)
{
	struct kernel_request r = request(op, pair);

	r.local = addr(local);
	r.shield |= shield;
	return kernel_apply(k, &r);
}

static enum ike_err apply(struct kernel *k, enum kernel_op op, uint32_t pair)
{
	return apply_from(k, op, pair, "2001:db8::1", shielded);
}

static enum kernel_fate fate_out(const struct kernel *k)
{
	struct ip_addr local = packets_local(), remote = packets_remote();

	return kernel_fake_fate_out(k, &local, &remote);
}

static enum kernel_fate fate_in(const struct kernel *k)
{
	struct ip_addr local = packets_local(), remote = packets_remote();

	return kernel_fake_fate_in(k, &local, &remote);
}

/* Starting points for the property test: what was applied before. */
static const struct start {
	const char *name;
	unsigned n;
	struct { enum kernel_op op; uint32_t pair; } ops[4];
	bool foreign_sa, foreign_out, foreign_in, larval, other_reqid, pass;
} starts[] = {
	{ .name = "nothing" },
	{ .name = "foreign SA", .foreign_sa = true },
	{ .name = "foreign policy out", .foreign_out = true },
	{ .name = "foreign policy in", .foreign_in = true },
	{ .name = "one pair", .n = 1, .ops = { { KERNEL_PROTECT, 1 } } },
	{ .name = "two pairs", .n = 2, .ops = { { KERNEL_PROTECT, 1 }, { KERNEL_PROTECT, 2 } } },
	{ .name = "policies only", .n = 2, .ops = { { KERNEL_PROTECT, 1 }, { KERNEL_DELETE_SAS, 1 } } },
	{ .name = "larval", .n = 2, .ops = { { KERNEL_PROTECT, 1 }, { KERNEL_DELETE_SAS, 1 } }, .larval = true },
	{ .name = "released", .n = 2, .ops = { { KERNEL_PROTECT, 1 }, { KERNEL_UNPROTECT, 1 } } },
	{ .name = "another reqid of ours", .other_reqid = true },
	{ .name = "what passes", .pass = true },
};
enum { N_STARTS = sizeof starts / sizeof starts[0] };

static struct kernel *begin(const struct start *s)
{
	struct kernel *k = open_fake();
	struct kernel_request r = request(KERNEL_PROTECT, 0);
	struct ip_addr local = packets_local(), remote = packets_remote();

	for (unsigned i = 0; i < s->n; i++) {
		enum ike_err err = apply(k, s->ops[i].op, s->ops[i].pair);

		assert_true(err == IKE_OK || err == IKE_E_CONFLICT);    /* the same SPIs twice */
	}
	if (s->foreign_sa)
		assert_int_equal(kernel_fake_foreign_sa(k, true, &r.local, &r.remote, 0x1001), IKE_OK);
	if (s->foreign_out)
		assert_int_equal(kernel_fake_foreign_policy(k, false, &local, &remote), IKE_OK);
	if (s->foreign_in)
		assert_int_equal(kernel_fake_foreign_policy(k, true, &local, &remote), IKE_OK);
	if (s->larval)
		assert_int_equal(kernel_fake_acquire(k, &local, &remote), IKE_OK);
	if (s->other_reqid) {
		r.reqid++;
		r.spi_in = r.spi_out = 0x9000;
		assert_int_equal(kernel_apply(k, &r), IKE_OK);
	}
	if (s->pass)
		assert_int_equal(apply(k, KERNEL_PASS, 0), IKE_OK);
	return k;
}

/* What must hold after every single step, also of a roll-back. */
struct moments {
	enum kernel_fate out, in;   /* at the beginning */
	enum kernel_op op;
	bool clear_out, clear_in, dropped;
};

static void moment(void *arg, const struct kernel *k)
{
	struct moments *m = arg;

	m->clear_out |= fate_out(k) == FATE_CLEAR;
	m->clear_in |= fate_in(k) == FATE_CLEAR;
	m->dropped |= fate_out(k) == FATE_DROP || fate_in(k) == FATE_DROP;
}

static void check_moments(const struct moments *m)
{
	if (m->op != KERNEL_UNPROTECT && m->op != KERNEL_RETIRE && m->op != KERNEL_PASS) {
		if (m->out != FATE_CLEAR)
			assert_false(m->clear_out);
		if (m->in != FATE_CLEAR)
			assert_false(m->clear_in);
	}
	/* No packet that the pair before would have carried is dropped; nor, at a first establishment, any packet at all. */
	if (m->op == KERNEL_PROTECT && m->out != FATE_DROP && m->in != FATE_DROP)
		assert_false(m->dropped);
}

static void lines_of_sas(const char *from, char *to)
{
	to[0] = '\0';
	for (const char *line = from; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, "sa ", 3) == 0)
			strncat(to, line, (size_t)(strchr(line, '\n') - line) + 1);
}

static void lines_of_policies(const char *from, char *to)
{
	to[0] = '\0';
	for (const char *line = from; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, "sa ", 3) != 0)
			strncat(to, line, (size_t)(strchr(line, '\n') - line) + 1);
}

/* Is every line of a in b? */
static bool all_lines_in(const char *a, const char *b)
{
	char line[512];

	for (; *a; a = strchr(a, '\n') + 1) {
		snprintf(line, sizeof line, "%.*s", (int)(strchr(a, '\n') - a) + 1, a);
		if (!strstr(b, line))
			return false;
	}
	return true;
}

/* One op from one start with a failure at step n. Returns whether there were so many steps. */
static bool one_failure(const struct start *s, enum kernel_op op, uint32_t pair, unsigned n)
{
	static char before[TEXT_MAX], after[TEXT_MAX], a[TEXT_MAX], b[TEXT_MAX];
	struct kernel *fresh = begin(s), *k = begin(s);
	enum ike_err without_failure = apply(fresh, op, pair);
	struct moments m = { .out = fate_out(k), .in = fate_in(k), .op = op };
	enum ike_err err;
	bool happened;

	kernel_fake_describe(k, before, sizeof before);
	kernel_fake_watch(k, moment, &m);
	kernel_fake_fail_at(k, n);
	err = apply(k, op, pair);
	happened = kernel_fake_steps(k) >= n;
	kernel_fake_describe(k, after, sizeof after);
	check_moments(&m);

	if (err != IKE_OK && op == KERNEL_PROTECT && !s->larval) {
		assert_string_equal(before, after);
	} else if (err != IKE_OK) {
		/* A deleted SA stays deleted (and a larval one that a real one replaced), everything else is as it was. */
		lines_of_policies(before, a);
		lines_of_policies(after, b);
		assert_string_equal(a, b);
		lines_of_sas(after, a);
		assert_true(all_lines_in(a, before));
	}
	/* A failure of the moment stands in the way of no repetition. */
	kernel_fake_fail_at(k, 0);
	if (err == IKE_E_KERNEL)
		assert_int_equal(apply(k, op, pair), without_failure);
	kernel_close(fresh);
	kernel_close(k);
	return happened;
}

/* Every op from this start, with a failure at every step. Returns how many were tried. */
static unsigned all_failures(const struct start *s)
{
	static const enum kernel_op ops[] = { KERNEL_PROTECT, KERNEL_DELETE_SAS, KERNEL_UNPROTECT, KERNEL_PASS, KERNEL_UNPASS,
					      KERNEL_RETIRE };
	unsigned tried = 0;

	for (unsigned o = 0; o < sizeof ops / sizeof ops[0]; o++)
		for (uint32_t pair = 1; pair <= 3; pair++) {
			unsigned n = 1;

			while (one_failure(s, ops[o], pair, n))
				n++;
			tried += n;
		}
	return tried;
}

static void failure_at_any_step_leaves_what_was_there(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (unsigned s = 0; s < N_WAYS * N_STARTS; s++) {
		set_way(s / N_STARTS);
		tried += all_failures(&starts[s % N_STARTS]);
	}
	set_way(0);
	assert_true(tried > 900);
}

static void the_same_after_every_sequence_of_three(void **state)
{
	static const struct { enum kernel_op op; uint32_t pair; } moves[] = {
		{ KERNEL_PROTECT, 1 }, { KERNEL_PROTECT, 2 }, { KERNEL_DELETE_SAS, 1 }, { KERNEL_UNPROTECT, 1 },
	};
	unsigned tried = 0;

	(void)state;
	for (unsigned i = 0; i < N_WAYS * 64; i++) {
		struct start s = { .name = "sequence", .n = 3 };

		set_way(i / 64);
		for (unsigned j = 0, rest = i; j < 3; j++, rest /= 4) {
			s.ops[j].op = moves[rest % 4].op;
			s.ops[j].pair = moves[rest % 4].pair;
		}
		tried += all_failures(&s);
	}
	set_way(0);
	assert_true(tried > 7500);
}

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

/* The host changes from transport mode to tunnel mode and back: the same policies, under the same reqid. */
static void a_pair_changes_its_mode_without_a_gap(void **state)
{
	struct kernel_request tunnel = request(KERNEL_PROTECT, 2), back = request(KERNEL_PROTECT, 3);
	struct moments m = { .out = FATE_ESP, .in = FATE_ESP, .op = KERNEL_PROTECT };
	struct kernel *k = open_fake();

	(void)state;
	tunnel.inner_local = tunnel.local;
	tunnel.inner_remote = tunnel.remote;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_watch(k, moment, &m);
	assert_int_equal(kernel_apply(k, &tunnel), IKE_OK);
	assert_int_equal(kernel_apply(k, &back), IKE_OK);
	check_moments(&m);
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

/* Losses ------------------------------------------------------------------------------------------------------------ */

/* Another program removes all policies at any moment of any short life: all of ours are back, and nothing else is there. */
static void flushed_policies_are_as_they_were_after_any_two_requests(void **state)
{
	static const enum kernel_op ops[] = { KERNEL_PROTECT, KERNEL_DELETE_SAS, KERNEL_RETIRE, KERNEL_UNPROTECT, KERNEL_PASS,
					      KERNEL_UNPASS };
	enum { OPS = sizeof ops / sizeof ops[0] };
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	for (unsigned way = 0; way < N_WAYS; way++) {
		for (unsigned s = 0; s < N_STARTS; s++) {
			for (unsigned i = 0; i < OPS * OPS && !starts[s].foreign_out && !starts[s].foreign_in; i++) {
				struct kernel *k;

				set_way(way);
				k = begin(&starts[s]);
				assert_int_equal(kernel_install_exemptions(k, i % 2), IKE_OK);
				(void)!apply(k, ops[i / OPS], 3);
				(void)!apply(k, ops[i % OPS], 4);
				kernel_fake_describe(k, before, sizeof before);
				kernel_fake_flush(k, true, false);
				assert_true(guard(k) > 0);
				assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
				assert_int_equal(guard(k), 0);
				kernel_close(k);
			}
		}
	}
	set_way(0);
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

static void one_removed_policy_comes_back_alone(void **state)
{
	const struct ip_addr every = { .family = IP_NONE }, local = addr("2001:db8::1"), remote = addr("2001:db8::2");
	struct kernel *k = open_fake();
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	set_way(1);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_describe(k, before, sizeof before);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(kernel_fake_lose_policy(k, i & 1, i & 2 ? &every : &local, &remote), IKE_OK);
		assert_int_equal(guard(k), 1);
		assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
	}
	set_way(0);
	kernel_close(k);
}

/* A removal that is told when we have removed the policy too, or have it again. */
static void late_news_of_a_removal_changes_nothing(void **state)
{
	const struct ip_addr local = addr("2001:db8::1"), remote = addr("2001:db8::2");
	struct kernel *k = open_fake();
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	assert_int_equal(kernel_fake_lose_policy(k, false, &local, &remote), IKE_OK);
	assert_int_equal(apply(k, KERNEL_PROTECT, 2), IKE_OK);
	kernel_fake_describe(k, before, sizeof before);
	assert_int_equal(guard(k), 0);
	assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
	assert_int_equal(kernel_fake_lose_policy(k, false, &local, &remote), IKE_OK);
	assert_int_equal(apply(k, KERNEL_UNPROTECT, 2), IKE_OK);
	assert_int_equal(guard(k), 0);
	assert_string_equal(kernel_fake_describe(k, after, sizeof after), "");
	kernel_close(k);
}

/* The kernel refuses one step of the repair. */
static void what_could_not_be_put_back_is_at_the_next_call(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct kernel_losses lost;

	(void)state;
	set_way(1);
	for (unsigned n = 1; n <= 4; n++) {
		struct kernel *k = open_fake();

		assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
		kernel_fake_describe(k, before, sizeof before);
		kernel_fake_flush(k, true, false);
		kernel_fake_fail_at(k, n);
		assert_int_equal(kernel_guard(k, &lost), IKE_E_KERNEL);
		assert_int_equal(lost.policies, 3);
		assert_int_equal(guard(k), 1);
		assert_string_equal(kernel_fake_describe(k, after, sizeof after), before);
		kernel_close(k);
	}
	set_way(0);
}

/* What protects comes first, and of that what goes out: it is the worst to lose. */
static void check_order(void *arg, const struct kernel *k)
{
	const struct ip_addr local = addr("2001:db8::1"), remote = addr("2001:db8::2");
	struct kernel_fake_counts c;

	(void)arg;
	kernel_fake_count(k, &c);
	if (c.policies >= 2)
		assert_int_not_equal(kernel_fake_fate_out(k, &local, &remote), FATE_CLEAR);
	if (c.exemptions > 0)
		assert_int_not_equal(kernel_fake_fate_in(k, &local, &remote), FATE_CLEAR);
}

static void what_goes_out_is_closed_first(void **state)
{
	struct kernel *k = open_fake();

	(void)state;
	set_way(1);
	assert_int_equal(kernel_install_exemptions(k, true), IKE_OK);
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_flush(k, true, true);
	kernel_fake_watch(k, check_order, NULL);
	assert_true(guard(k) > 4);
	kernel_fake_watch(k, NULL, NULL);
	set_way(0);
	kernel_close(k);
}

static void lost_sas_are_told(void **state)
{
	struct kernel *k = open_fake();
	struct kernel_losses lost;

	(void)state;
	assert_int_equal(apply(k, KERNEL_PROTECT, 1), IKE_OK);
	kernel_fake_flush(k, false, true);
	assert_int_equal(kernel_guard(k, &lost), IKE_OK);
	assert_true(lost.sas.all);
	assert_int_equal(lost.policies, 0);
	assert_int_equal(fate_out(k), FATE_DROP);
	assert_int_equal(kernel_guard(k, &lost), IKE_OK);
	assert_false(lost.sas.all);
	kernel_close(k);
}

static void add_all(void *arg, const struct step *steps, unsigned n, enum ike_err *results)
{
	*(unsigned *)arg += n;
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(steps[i].form.reqid, KERNEL_REQID_ORPHAN);
		results[i] = IKE_OK;
	}
}

/* Orphans are made by no step, and end by themselves. */
static void an_orphan_is_put_back_until_it_expires(void **state)
{
	struct policy_name name = { .kind = POLICY_SHIELD, .dir = DIR_IN, .remote = addr("192.0.2.1") };
	const struct lost_policies all = { .all = true }, this_one = { .n = 1, .policy = { name } };
	unsigned run = 0, failed;
	struct ledger l;

	(void)state;
	assert_int_equal(ledger_init(&l), IKE_OK);
	assert_int_equal(ledger_keep_orphan(&l, &name), IKE_OK);
	name.kind = POLICY_PAIR;
	name.local = addr("192.0.2.2");
	assert_int_equal(ledger_keep_orphan(&l, &name), IKE_OK);
	assert_int_equal(ledger_keep_orphan(&l, &name), IKE_OK);        /* found by a second start */
	assert_int_equal(ledger_put_back(&l, &all, add_all, &run, &failed), 2);
	assert_int_equal(ledger_put_back(&l, &this_one, add_all, &run, &failed), 1);
	ledger_forget(&l, &this_one.policy[0]);
	assert_int_equal(ledger_put_back(&l, &this_one, add_all, &run, &failed), 0);
	assert_int_equal(ledger_put_back(&l, &all, add_all, &run, &failed), 1);
	assert_int_equal(run, 4);
	ledger_clear(&l);
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
		cmocka_unit_test(failure_at_any_step_leaves_what_was_there),
		cmocka_unit_test(the_same_after_every_sequence_of_three),
		cmocka_unit_test(first_protection_protects_both_ways),
		cmocka_unit_test(a_shield_closes_the_host_to_every_other_address_of_ours),
		cmocka_unit_test(a_tunnel_protects_the_address_inside),
		cmocka_unit_test(two_servers_may_assign_the_same_address),
		cmocka_unit_test(a_newly_assigned_address_takes_over_and_the_old_one_retires),
		cmocka_unit_test(a_host_that_begins_to_assign_and_ends_it_leaves_no_gap),
		cmocka_unit_test(a_pair_changes_its_mode_without_a_gap),
		cmocka_unit_test(refused_release_of_a_host_behind_a_gateway_leaves_it_exempt),
		cmocka_unit_test(refused_change_of_mode_leaves_the_mode_that_was),
		cmocka_unit_test(retired_address_of_a_host_behind_a_gateway_leaves_no_policy),
		cmocka_unit_test(what_is_forwarded_passes_until_it_is_told_not_to),
		cmocka_unit_test(renewal_sends_on_the_new_pair_and_still_reads_the_old),
		cmocka_unit_test(new_pair_comes_and_old_pair_goes_half_by_half),
		cmocka_unit_test(same_spi_twice_is_refused_and_the_first_stays),
		cmocka_unit_test(foreign_objects_stay),
		cmocka_unit_test(malformed_request_changes_nothing),
		cmocka_unit_test(unprotect_removes_any_number_of_sas),
		cmocka_unit_test(acquire_is_healed_by_the_next_protect),
		cmocka_unit_test(hard_expiry_drops_and_tells),
		cmocka_unit_test(traffic_is_told_for_a_known_pair_only),
		cmocka_unit_test(two_ends_fit_only_with_the_same_keys),
		cmocka_unit_test(exemptions_are_all_or_none),
		cmocka_unit_test(flushed_policies_are_as_they_were_after_any_two_requests),
		cmocka_unit_test(one_removed_policy_comes_back_alone),
		cmocka_unit_test(late_news_of_a_removal_changes_nothing),
		cmocka_unit_test(what_could_not_be_put_back_is_at_the_next_call),
		cmocka_unit_test(what_goes_out_is_closed_first),
		cmocka_unit_test(lost_sas_are_told),
		cmocka_unit_test(an_orphan_is_put_back_until_it_expires),
		cmocka_unit_test(check_tells_which_ciphers_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
