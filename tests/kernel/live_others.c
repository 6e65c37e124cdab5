/* What other programs have in the kernel stays, and what they remove of ours comes back. */
#include "tests/kernel/live_others.h"

#include <poll.h>

#include "kernel/exempt.h"
#include "tests/kernel/live_ends.h"

/* Objects of somebody else at the client: near ours in every way that is allowed. */
static void add_foreign(void)
{
	assert_true(net_shell(
		"ip -n client -batch - <<-'X'\n"
		"xfrm state add src 192.0.2.1 dst 192.0.2.10 proto esp spi 0x5001 reqid 7 mode transport "
		"aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128\n"
		"xfrm state add src 192.0.2.10 dst 192.0.2.1 proto esp spi 0x5002 reqid 0x70000000 mode transport "
		"aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128\n"
		"xfrm policy add src 192.0.2.1 dst 192.0.2.77 dir out priority 0x6f000100 tmpl proto esp reqid 7 mode transport\n"
		"xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 53 dir out priority 1000\n"
		"xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 54 dir out priority 0x6f000000\n"
		"xfrm policy add src 192.0.2.10 dst 192.0.2.1 proto tcp dport 22 dir in priority 5\n"
		"xfrm policy add src 198.51.100.0/24 dst 192.0.2.1 dir fwd tmpl proto esp reqid 0x6f000001 mode transport\n"
		"X"));
}

void foreign_objects_survive_everything(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	add_foreign();
	net_snapshot(CLIENT, before);
	assert_int_equal(kernel_install_exemptions(kernels[CLIENT], false), IKE_OK);
	apply_both(IP_V4, KERNEL_PROTECT, 1);
	assert_true(both_ways(IP_V4));
	kernel_leave(kernels[CLIENT]);
	net_snapshot(CLIENT, after);
	assert_string_not_equal(before, after);
	kernels[CLIENT] = open_at(CLIENT);
	kernel_close(kernels[CLIENT]);
	assert_string_equal(net_snapshot(CLIENT, after), before);
	kernels[CLIENT] = open_at(CLIENT);

	assert_int_equal(kernel_install_exemptions(kernels[CLIENT], false), IKE_OK);
	assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_PROTECT, 2), IKE_OK);
	assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_UNPROTECT, 2), IKE_OK);
	kernel_close(kernels[CLIENT]);
	assert_string_equal(net_snapshot(CLIENT, after), before);
	kernels[CLIENT] = open_at(CLIENT);
	assert_string_equal(net_snapshot(CLIENT, after), before);
}

void foreign_policy_is_a_conflict(void **state)
{
	static const char *const policies[] = {
		"src 192.0.2.1 dst 192.0.2.10 dir out tmpl proto esp reqid 7 mode transport",
		"src 192.0.2.10 dst 192.0.2.1 dir in priority 0x70000000",
		"src 192.0.2.0/24 dst 192.0.2.0/28 dir out priority 100 action block",
		"src 0.0.0.0/0 dst 0.0.0.0/0 dir in priority 3000000",
	};
	static const char *const harmless[] = {
		"src 192.0.2.1 dst 192.0.2.10 proto icmp dir out priority 100",
		"src 192.0.2.0/24 dst 192.0.2.0/28 dir out priority 0x70000000 action block",
		"src 192.0.2.1 dst 192.0.2.16/28 dir out priority 100",
		"src 192.0.2.1 dst 192.0.2.10 dir out priority 100 mark 1 mask 1",
		"src 2001:db8:1::/64 dst 2001:db8:1::/64 dir out priority 100",
	};
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof policies / sizeof policies[0]; i++) {
		assert_true(net_shell("ip -n client xfrm policy add %s", policies[i]));
		net_snapshot(CLIENT, before);
		assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_PROTECT, 1), IKE_E_CONFLICT);
		assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_UNPROTECT, 1), IKE_OK);
		assert_string_equal(net_snapshot(CLIENT, after), before);
		assert_true(net_shell("ip -n client xfrm policy flush"));
	}
	for (unsigned i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
		assert_true(net_shell("ip -n client xfrm policy add %s", harmless[i]));
		assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_PROTECT, 1), IKE_OK);
		assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_UNPROTECT, 1), IKE_OK);
		assert_true(net_shell("ip -n client xfrm policy flush"));
	}
}

void same_spi_of_a_stranger_stays(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	assert_true(net_shell("ip -n client xfrm state add src 192.0.2.10 dst 192.0.2.1 proto esp spi 0x1001 mode transport "
			      "aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128"));
	net_snapshot(CLIENT, before);
	assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_PROTECT, 1), IKE_E_CONFLICT);
	assert_string_equal(net_snapshot(CLIENT, after), before);
	assert_int_equal(apply_at(CLIENT, IP_V4, KERNEL_DELETE_SAS, 1), IKE_OK);
	assert_string_equal(net_snapshot(CLIENT, after), before);
}

static bool guard_is_readable(enum host host)
{
	struct pollfd p = { .fd = kernel_guard_fd(kernels[host]), .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* In no order: that is by age. */
static void keep_policies(void)
{
	assert_true(net_shell("ip -n client -o xfrm policy | sort >kept.txt && [ -s kept.txt ]"));
}

static bool policies_are_as_kept(void)
{
	return net_shell("ip -n client -o xfrm policy | sort | diff kept.txt -");
}

/* What others delete, and none of what we do. */
void removed_policies_are_put_back_and_removed_sas_told(void **state)
{
	struct kernel_losses lost;

	(void)state;
	assert_int_equal(kernel_install_exemptions(kernels[CLIENT], true), IKE_OK);
	for (unsigned f = 0; f < 2; f++) {
		const char *ends = families[f] == IP_V6 ? "src 2001:db8:1::1 dst 2001:db8:1::10" : "src 192.0.2.1 dst 192.0.2.10";

		apply_both(families[f], KERNEL_PROTECT, 1);
		apply_both(families[f], KERNEL_PROTECT, 2);
		apply_both(families[f], KERNEL_DELETE_SAS, 1);
		keep_policies();
		assert_false(guard_is_readable(CLIENT));

		assert_true(net_shell("ip -n client xfrm policy flush"));
		assert_true(guard_is_readable(CLIENT));
		lost = guard(CLIENT);
		assert_true(lost.policies > 4 && lost.sas.n == 0 && !lost.sas.all);
		assert_true(policies_are_as_kept());

		assert_true(net_shell("ip -n client xfrm policy delete %s dir out", ends));
		assert_int_equal(guard(CLIENT).policies, 1);
		assert_true(policies_are_as_kept());
		assert_true(both_ways(families[f]));

		/* A stranger's come and go unnoticed. */
		assert_true(net_shell("ip -n client xfrm policy add src 192.0.2.1 dst 203.0.113.9 dir out && "
				      "ip -n client xfrm policy delete src 192.0.2.1 dst 203.0.113.9 dir out"));
		assert_int_equal(guard(CLIENT).policies, 0);

		assert_true(net_shell("ip -n client xfrm state deleteall %s proto esp", ends));
		lost = guard(CLIENT);
		assert_int_equal(lost.sas.n, 1);
		assert_int_equal(lost.sas.sa[0].reqid, REQID);
		assert_int_equal(lost.sas.sa[0].spi, 0x2002);
		assert_true(net_shell("ip -n client xfrm state flush"));
		assert_true(guard(CLIENT).sas.all);
		assert_true(neither_way(families[f]));
		assert_int_equal(net_wire().clear, 0);
		apply_both(families[f], KERNEL_UNPROTECT, 2);
		assert_false(guard_is_readable(CLIENT));
	}
}

void orphans_are_put_back(void **state)
{

	(void)state;
	apply_both(IP_V4, KERNEL_PROTECT, 1);
	apply_both(IP_V6, KERNEL_PROTECT, 1);
	for (unsigned kills = 0; kills < 2; kills++) {
		kernel_leave(kernels[CLIENT]);
		kernels[CLIENT] = open_at(CLIENT);
		keep_policies();
		assert_true(net_shell("ip -n client xfrm policy flush"));
		assert_int_equal(guard(CLIENT).policies, 8);
		assert_true(policies_are_as_kept());
		assert_true(net_shell("ip -n client -s xfrm policy | grep -q 'expire add: soft 0(sec), hard %u(sec)'",
				      (unsigned)PROMISE_MAX_S));
	}
	assert_true(neither_way(IP_V4) && neither_way(IP_V6));
	assert_int_equal(net_wire().clear, 0);
}
