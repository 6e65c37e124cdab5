#include "tests/unit/kernel_pair.h"

static bool shielded, tunnelled, behind;

void set_way(unsigned way)
{
	shielded = way == 1;
	tunnelled = way == 2;
	behind = way == 3;
}

struct kernel_request request(enum kernel_op op, uint32_t pair)
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

struct kernel *open_fake(void)
{
	struct kernel *k;

	assert_int_equal(kernel_fake_open(NULL, &k), IKE_OK);
	return k;
}

enum ike_err apply_from(struct kernel *k, enum kernel_op op, uint32_t pair, const char *local, bool shield)
{
	struct kernel_request r = request(op, pair);

	r.local = addr(local);
	r.reqid += r.local.b[15] - 1u;          /* one for each pair of addresses */
	r.shield |= shield;
	return kernel_apply(k, &r);
}

enum ike_err apply(struct kernel *k, enum kernel_op op, uint32_t pair)
{
	return apply_from(k, op, pair, "2001:db8::1", shielded);
}

unsigned guard(struct kernel *k)
{
	struct kernel_losses lost;

	assert_int_equal(kernel_guard(k, &lost), IKE_OK);
	return lost.policies;
}

enum kernel_fate fate_out(const struct kernel *k)
{
	struct ip_addr local = packets_local(), remote = packets_remote();

	return kernel_fake_fate_out(k, &local, &remote);
}

enum kernel_fate fate_in(const struct kernel *k)
{
	struct ip_addr local = packets_local(), remote = packets_remote();

	return kernel_fake_fate_in(k, &local, &remote);
}

const struct start starts[N_STARTS] = {
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

struct kernel *begin(const struct start *s)
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
