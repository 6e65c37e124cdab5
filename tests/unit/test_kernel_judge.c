/* What the process that parses the network may ask of the kernel, whoever runs in it; and that a request that crosses to another
 * process does there what it does here. */
#include "tests/unit/unit_addr.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/far.h"
#include "kernel/judge.h"
#include "kernel/inner.h"
#include "kernel/kernel.h"

enum { NOW = 1000000, ASKED_MAX = 4, CLIENTS_MAX = 2 };

static struct judge *books;
static const char *why;

/* Ours are 192.0.2.1 and 2001:db8::1; behind us is 10.0.0.0/8. */
static bool is_own(void *arg, const struct ip_addr *a)
{
	struct ip_addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1");

	(void)arg;
	return ip_equal(a, &v4) || ip_equal(a, &v6);
}

static bool is_behind(void *arg, const struct ip_addr *a)
{
	(void)arg;
	return a->family == IP_V4 && a->b[0] == 10;
}

static struct kernel_request request(enum kernel_op op, uint32_t number, const char *remote)
{
	return (struct kernel_request){
		.op = op, .reqid = KERNEL_REQID_BASE + number, .spi_in = 0x1000 + number, .spi_out = 0x2000 + number,
		.local = addr("192.0.2.1"), .remote = addr(remote),
		.suite = { ENCR_AES_GCM_16, 256, INTEG_NONE, true },
		.keys_in = { .encr.n = 36 }, .keys_out = { .encr.n = 36 },
	};
}

static enum ike_err judge(const struct kernel_request *r)
{
	return judge_request(books, r, NOW, &why);
}

static enum ike_err protect(uint32_t number, const char *remote)
{
	struct kernel_request r = request(KERNEL_PROTECT, number, remote);
	enum ike_err err = judge(&r);

	if (err == IKE_OK)
		judge_note(books, &r, NOW);
	return err;
}

static void release(uint32_t number, const char *remote)
{
	struct kernel_request r = request(KERNEL_UNPROTECT, number, remote);

	assert_int_equal(judge(&r), IKE_OK);
	judge_note(books, &r, NOW);
}

static void ask(const char *remote, uint64_t now_ms)
{
	struct ip_addr a = addr(remote);

	judge_asked(books, &a, now_ms);
}

static void open_judge(unsigned clients_max)
{
	const struct judge_config config = {
		.asked_max = ASKED_MAX, .clients_max = clients_max, .is_own = is_own, .is_behind = is_behind,
		.pool_v4 = addr("100.64.0.0"), .pool_v4_size = 256, .pool_v6 = addr("fd00::ff00"), .pool_v6_size = 16,
	};

	assert_int_equal(judge_new(&config, &books), IKE_OK);
}

static int client_only(void **state)
{
	(void)state;
	open_judge(0);
	return 0;
}

static int serving(void **state)
{
	(void)state;
	open_judge(CLIENTS_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	judge_free(books);
	return 0;
}

static void an_address_nobody_asked_for_is_refused(void **state)
{
	(void)state;
	assert_int_equal(protect(7, "192.0.2.2"), IKE_E_REFUSED);
	assert_string_equal(why, "nobody has asked for this address");
	ask("192.0.2.2", NOW);
	assert_int_equal(protect(7, "192.0.2.2"), IKE_OK);
	assert_int_equal(protect(8, "192.0.2.3"), IKE_E_REFUSED);
}

static void what_was_asked_long_ago_counts_no_more(void **state)
{
	(void)state;
	ask("192.0.2.2", NOW - JUDGE_ASKED_MS);
	assert_int_equal(protect(7, "192.0.2.2"), IKE_E_REFUSED);
}

static void what_is_protected_may_be_protected_anew(void **state)
{
	struct kernel_request again = request(KERNEL_PROTECT, 9, "192.0.2.2"), keys = request(KERNEL_ADD_SAS, 7, "192.0.2.2");

	(void)state;
	ask("192.0.2.2", NOW);
	assert_int_equal(protect(7, "192.0.2.2"), IKE_OK);
	assert_int_equal(judge_request(books, &again, NOW + 2 * JUDGE_ASKED_MS, &why), IKE_OK);
	assert_int_equal(judge_request(books, &keys, NOW + 2 * JUDGE_ASKED_MS, &why), IKE_OK);
	release(7, "192.0.2.2");
	assert_int_equal(protect(9, "192.0.2.2"), IKE_E_REFUSED);
	assert_int_equal(judge(&keys), IKE_E_REFUSED);
}

static void what_is_asked_again_meanwhile_may_be_protected_again(void **state)
{
	(void)state;
	ask("192.0.2.2", NOW);
	assert_int_equal(protect(7, "192.0.2.2"), IKE_OK);
	ask("192.0.2.2", NOW);
	release(7, "192.0.2.2");
	assert_int_equal(protect(9, "192.0.2.2"), IKE_OK);
}

static void a_reqid_outside_our_range_is_refused(void **state)
{
	static const uint32_t others[] = { 0, 1, KERNEL_REQID_BASE - 1, KERNEL_REQID_ORPHAN, KERNEL_REQID_SHIELD, 0x70000000 };
	static const enum kernel_op ops[] = { KERNEL_PROTECT, KERNEL_ADD_SAS, KERNEL_DELETE_SAS, KERNEL_REMAP, KERNEL_UNPROTECT,
					      KERNEL_RETIRE };

	(void)state;
	ask("192.0.2.2", NOW);
	for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
		for (unsigned j = 0; j < sizeof ops / sizeof *ops; j++) {
			struct kernel_request r = request(ops[j], 7, "192.0.2.2");

			r.reqid = others[i];
			assert_int_equal(judge(&r), IKE_E_SYNTAX);
		}
}

static void keys_for_what_is_not_protected_are_refused(void **state)
{
	struct kernel_request r = request(KERNEL_ADD_SAS, 7, "192.0.2.2");

	(void)state;
	ask("192.0.2.2", NOW);
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	r.op = KERNEL_REMAP;
	r.encap_local_port = r.encap_remote_port = 4500;
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	assert_int_equal(protect(7, "192.0.2.2"), IKE_OK);
	assert_int_equal(judge(&r), IKE_OK);
}

static void only_our_own_end_can_be_protected(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, 7, "192.0.2.2");

	(void)state;
	ask("192.0.2.2", NOW);
	r.local = addr("10.0.0.1");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	r.local = addr("192.0.2.1");
	r.inner_local = addr("10.0.0.1");
	r.inner_remote = r.remote;
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	r.inner_local = addr("100.64.0.9");
	assert_int_equal(judge(&r), IKE_OK);
	r.inner_remote = addr("192.0.2.3");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
}

/* IPv6 in IPv4: both ends here are addresses of this host, none that somebody assigned; and nobody comes in like that. */
static void tunnel_of_the_other_family_has_our_own_ends(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, 7, "192.0.2.2");

	(void)state;
	r.inner_local = addr("2001:db8::1");
	r.inner_remote = addr("2001:db8::7");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	assert_string_equal(why, "nobody has asked for this address");
	r.inner_remote = addr("fd00::ff01");    /* of our pool */
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	r.inner_remote = addr("2001:db8::7");
	ask("192.0.2.2", NOW);
	assert_int_equal(judge(&r), IKE_E_REFUSED);     /* that is its gateway */
	ask("2001:db8::7", NOW);
	assert_int_equal(judge(&r), IKE_OK);
	r.inner_local = addr("2001:db8::2");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	r.inner_local = addr("fd00::9");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	assert_string_equal(why, "the local end is no address of this host");
	r.inner_local = addr("2001:db8::1");
	r.local = addr("192.0.2.9");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
}

static void nothing_of_this_host_can_be_let_pass(void **state)
{
	struct kernel_request r = request(KERNEL_PASS, 0, "192.0.2.2");

	(void)state;
	ask("192.0.2.2", NOW);
	r.local = addr("10.0.0.1");
	assert_int_equal(judge(&r), IKE_E_REFUSED);     /* no shield yet */
	assert_int_equal(protect(7, "192.0.2.2"), IKE_OK);
	assert_int_equal(judge(&r), IKE_OK);
	r.local = addr("192.0.2.1");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	r.local = addr("198.51.100.1");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
}

static void what_is_no_request_is_refused(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, 7, "192.0.2.2");

	(void)state;
	ask("192.0.2.2", NOW);
	memset(&r.shield, 2, 1);
	assert_int_equal(judge(&r), IKE_E_SYNTAX);
	memset(&r.shield, 1, 1);
	r.op = 99;
	assert_int_equal(judge(&r), IKE_E_SYNTAX);
	r.op = KERNEL_PROTECT;
	r.keys_in.encr.n = 200;
	assert_int_equal(judge(&r), IKE_E_SYNTAX);
}

static void memory_is_bounded_and_what_is_protected_stays_in_it(void **state)
{
	char text[32];

	(void)state;
	ask("192.0.2.2", NOW);
	assert_int_equal(protect(7, "192.0.2.2"), IKE_OK);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "203.0.113.%u", i % 250 + 1);
		ask(text, NOW);
		assert_true(judge_counts(books).asked <= ASKED_MAX);
	}
	assert_int_equal(protect(8, text), IKE_OK);
	assert_int_equal(protect(9, "192.0.2.2"), IKE_OK);
	assert_int_equal(protect(10, "203.0.113.1"), IKE_E_REFUSED);
}

static void a_client_has_no_shield_and_no_more_than_its_share(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, 7, "198.51.100.1");

	(void)state;
	r.shield = true;
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	assert_int_equal(protect(7, "198.51.100.1"), IKE_OK);
	assert_int_equal(protect(8, "198.51.100.2"), IKE_OK);
	assert_int_equal(protect(9, "198.51.100.3"), IKE_E_LIMIT);
	assert_int_equal(protect(8, "198.51.100.2"), IKE_OK);
	release(8, "198.51.100.2");
	assert_int_equal(protect(9, "198.51.100.3"), IKE_OK);
	ask("192.0.2.2", NOW);
	assert_int_equal(protect(10, "192.0.2.2"), IKE_OK);
	assert_int_equal(judge_counts(books).clients, CLIENTS_MAX);
	assert_int_equal(judge_counts(books).pairs, 3);
}

static void a_client_gets_addresses_of_the_pool_alone(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, 7, "198.51.100.1");
	struct ip_addr v6;

	(void)state;
	r.inner_local = r.local;
	r.inner_remote = addr("100.64.0.255");
	assert_int_equal(judge(&r), IKE_OK);
	r.inner_remote = addr("100.64.1.0");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	r.inner_remote = addr("100.63.255.255");
	assert_int_equal(judge(&r), IKE_E_REFUSED);
	v6 = addr("fd00::ff0f");
	assert_true(judge_is_pool(books, &v6));
	v6 = addr("fd00::ff10");
	assert_false(judge_is_pool(books, &v6));
	v6 = addr("fd01::ff0f");
	assert_false(judge_is_pool(books, &v6));
}

/* Two processes ------------------------------------------------------------------------------------------------------- */

static int calls, events;
static pid_t other;

/* Until the calls end. 0: all were calls, and nothing of them was left in the buffer. */
static int serve(int fd, int told)
{
	struct far_served served = { .judge = books };
	uint8_t call[FAR_CALL_MAX], answer[FAR_ANSWER_MAX];
	bool wiped = true;
	struct kernel_event event = { .kind = KERNEL_EV_ACQUIRE, .reqid = KERNEL_REQID_BASE + 7 };
	ssize_t n;

	if (kernel_fake_open(NULL, &served.kernel) != IKE_OK || inner_open(true, NULL, &served.inner) != IKE_OK ||
	    send(told, &event, sizeof event, 0) < 0)
		return 255;
	while ((n = recv(fd, call, sizeof call, 0)) > 0) {
		unsigned length = far_serve(&served, call, (unsigned)n, NOW, answer);

		for (ssize_t i = 0; i < n; i++)
			wiped &= length == 0 || call[i] == 0;
		if (length == 0)
			return 254;
		if (send(fd, answer, length, 0) < 0)
			return 253;
	}
	kernel_leave(served.kernel);
	inner_close(served.inner, false);
	return wiped ? 0 : 1;
}

static int two_processes(void **state)
{
	int pair[2], told[2];

	client_only(state);
	ask("192.0.2.2", NOW);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, told), 0);
	other = fork();
	assert_true(other >= 0);
	if (other == 0) {
		close(pair[0]);
		_exit(serve(pair[1], told[1]));
	}
	close(pair[1]);
	close(told[1]);
	calls = pair[0];
	events = told[0];
	return 0;
}

static int ended_with(void)
{
	int status;

	close(calls);
	close(events);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_request_crosses_and_its_keys_are_wiped_there(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, 7, "192.0.2.2"), stranger = request(KERNEL_PROTECT, 8, "192.0.2.3");
	struct sa_traffic traffic;
	struct kernel_event event;
	struct kernel *k;

	(void)state;
	memset(r.keys_in.encr.b, 0xaa, sizeof r.keys_in.encr.b);
	assert_int_equal(kernel_far_open(NULL, calls, events, events, &k), IKE_OK);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_apply(k, &stranger), IKE_E_REFUSED);
	assert_int_equal(kernel_traffic(k, r.reqid, r.spi_in, r.spi_out, &r.local, &r.remote, &traffic), IKE_OK);
	assert_int_equal(kernel_traffic(k, r.reqid, 1, 2, &r.local, &r.remote, &traffic), IKE_E_STATE);
	assert_int_equal(kernel_traffic(k, 1, r.spi_in, r.spi_out, &r.local, &r.remote, &traffic), IKE_E_REFUSED);
	assert_true(kernel_next_event(k, &event));
	assert_int_equal(event.reqid, KERNEL_REQID_BASE + 7);
	assert_false(kernel_next_event(k, &event));
	kernel_close(k);
	assert_int_equal(ended_with(), 0);
}

static void an_assigned_address_crosses(void **state)
{
	struct ip_addr inner = addr("100.64.0.9"), other_inner = addr("10.0.0.9"), local = addr("192.0.2.1"), got;
	struct ip_addr remote = addr("192.0.2.2"), stranger = addr("192.0.2.3"), outside = addr("100.65.0.1");
	struct inner *n;
	bool fresh;

	(void)state;
	assert_int_equal(inner_far_open(NULL, &calls, &n), IKE_OK);
	assert_int_equal(inner_add(n, &inner, &local, &remote, &fresh), IKE_OK);
	assert_true(fresh);
	assert_true(inner_local(n, &remote, &got));
	assert_int_equal(inner_add(n, &inner, &local, &remote, &fresh), IKE_OK);
	assert_false(fresh);
	assert_int_equal(inner_add(n, &other_inner, &local, &remote, &fresh), IKE_E_REFUSED);
	assert_int_equal(inner_add(n, &inner, &local, &stranger, &fresh), IKE_E_REFUSED);
	assert_int_equal(inner_client_add(n, &outside, &local, &remote), IKE_E_REFUSED);
	inner_refresh(n, NULL);
	inner_remove(n, &inner, &remote);
	assert_false(inner_local(n, &remote, &got));
	inner_close(n, false);
	assert_int_equal(ended_with(), 0);
}

static void what_is_no_call_ends_the_conversation(void **state)
{
	(void)state;
	assert_int_equal(send(calls, "?", 1, 0), 1);
	assert_int_equal(ended_with(), 254);
}

static void without_the_other_end_nothing_is_done(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, 7, "192.0.2.2");
	struct kernel *k;

	(void)state;
	assert_int_equal(kernel_far_open(NULL, calls, events, events, &k), IKE_OK);
	assert_int_equal(send(calls, "?", 1, 0), 1);
	assert_int_equal(kernel_apply(k, &r), IKE_E_KERNEL);
	kernel_close(k);
	assert_int_equal(ended_with(), 254);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_address_nobody_asked_for_is_refused, client_only, teardown),
		cmocka_unit_test_setup_teardown(what_was_asked_long_ago_counts_no_more, client_only, teardown),
		cmocka_unit_test_setup_teardown(what_is_protected_may_be_protected_anew, client_only, teardown),
		cmocka_unit_test_setup_teardown(what_is_asked_again_meanwhile_may_be_protected_again, client_only, teardown),
		cmocka_unit_test_setup_teardown(a_reqid_outside_our_range_is_refused, serving, teardown),
		cmocka_unit_test_setup_teardown(keys_for_what_is_not_protected_are_refused, serving, teardown),
		cmocka_unit_test_setup_teardown(only_our_own_end_can_be_protected, client_only, teardown),
		cmocka_unit_test_setup_teardown(tunnel_of_the_other_family_has_our_own_ends, serving, teardown),
		cmocka_unit_test_setup_teardown(nothing_of_this_host_can_be_let_pass, client_only, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_request_is_refused, serving, teardown),
		cmocka_unit_test_setup_teardown(memory_is_bounded_and_what_is_protected_stays_in_it, client_only, teardown),
		cmocka_unit_test_setup_teardown(a_client_has_no_shield_and_no_more_than_its_share, serving, teardown),
		cmocka_unit_test_setup_teardown(a_client_gets_addresses_of_the_pool_alone, serving, teardown),
		cmocka_unit_test_setup_teardown(a_request_crosses_and_its_keys_are_wiped_there, two_processes, teardown),
		cmocka_unit_test_setup_teardown(an_assigned_address_crosses, two_processes, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_call_ends_the_conversation, two_processes, teardown),
		cmocka_unit_test_setup_teardown(without_the_other_end_nothing_is_done, two_processes, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
