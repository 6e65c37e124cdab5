/* Assigned addresses over this machine's own kernel, in a network namespace of its own. Skipped where namespaces, veth or ip(8)
 * are not to be had. What carries packets is tried in the lab.
 */
#define _GNU_SOURCE                 /* unshare */
#include "tests/unit/unit_addr.h"

#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/inner.h"
#include "kernel/translate.h"

enum { SKIP = 77, TEXT_MAX = 16384 };

#define SERVER "192.0.2.10"
#define SERVER2 "198.51.100.20"
#define SERVER6 "2001:db8:1::10"

/* What a command says. */
__attribute__((format(printf, 2, 3)))
static const char *run(char to[TEXT_MAX], const char *format, ...)
{
	char command[1024];
	va_list args;
	size_t n;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	n = fread(to, 1, TEXT_MAX - 1, pipe);
	to[n] = '\0';
	assert_int_equal(pclose(pipe), 0);
	return to;
}

static bool make_network(void)
{
	return unshare(CLONE_NEWNET) == 0 &&
	       system("{ ip link set lo up && ip link add eth0 type veth peer name eth1 && "
		      /* Link-local addresses come when they like. */
		      "ip link set eth0 addrgenmode none && ip link set eth1 addrgenmode none && ip addr add 192.0.2.1/24 dev eth0 && "
		      "ip addr add 2001:db8:1::1/64 dev eth0 nodad && ip link set eth0 up && ip link set eth1 up && "
		      "ip route add default via 192.0.2.254 && ip route add default via 2001:db8:1::fe && "
		      "ip route add 100.100.0.0/16 via 192.0.2.253 && "
		      /* The carrier comes in its own time, too, and routes with it. */
		      "for i in $(seq 200); do ip link show eth0 | grep -q 'state UP' && ip link show eth1 | grep -q 'state UP' && "
		      "ip -6 route show table local dev eth0 | grep -q ff00 && ip -6 route show table local dev eth1 | grep -q ff00 && "
		      "! ip route | grep -q linkdown && exit 0; sleep 0.02; done; exit 1; } >/dev/null 2>&1") == 0;
}

static int begin(void **state)
{
	(void)state;
	return make_network() ? 0 : -1;
}

static struct inner *open_inner(void)
{
	struct inner *n;

	assert_int_equal(inner_open(false, NULL, &n), IKE_OK);
	return n;
}

static enum ike_err add(struct inner *n, const char *address, const char *remote, bool *fresh)
{
	struct ip_addr a = addr(address), r = addr(remote), local = addr(r.family == IP_V4 ? "192.0.2.1" : "2001:db8:1::1");

	return inner_add(n, &a, &local, &r, fresh);
}

static void drop(struct inner *n, const char *address, const char *remote)
{
	struct ip_addr a = addr(address), r = addr(remote);

	inner_remove(n, &a, &r);
}

/* Addresses and routes, all of them: two equal texts are two equal states. An IPv6 address is tentative until a
 * kernel thread has looked at it, also with nodad, and a moment later it has its route. */
static const char *snapshot(char to[TEXT_MAX])
{
	return run(to, "for i in $(seq 200); do ip -6 addr show tentative | grep -q . || "
		       "[ $(ip -6 -o addr show | wc -l) != $(ip -6 route show table local type local | wc -l) ] || break; sleep 0.02; done; "
		       "ip -o addr show | sed 's/\\\\.*//'; ip route show table all; ip -6 route show table all | sort");
}

static void assert_source(const char *remote, const char *source)
{
	char said[TEXT_MAX], wanted[64];

	snprintf(wanted, sizeof wanted, " src %s ", source);
	if (!strstr(run(said, "ip route get %s", remote), wanted))
		fail_msg("not from %s: %s", source, said);
}

static void address_is_the_source_for_its_host_alone(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX], said[TEXT_MAX];
	struct inner *n = open_inner();
	struct ip_addr local, remote = addr(SERVER);
	bool fresh;

	(void)state;
	snapshot(before);
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_OK);
	assert_true(fresh);
	assert_source(SERVER, "100.64.0.1");
	assert_source("192.0.2.11", "192.0.2.1");
	assert_source(SERVER2, "192.0.2.1");
	assert_non_null(strstr(run(said, "ip addr show dev lo"), "inet 100.64.0.1/32 scope host deprecated noprefixroute lo:oe"));
	assert_true(inner_local(n, &remote, &local));
	assert_true(ip_equal(&local, &(struct ip_addr){ .family = IP_V4, .b = { 192, 0, 2, 1 } }));
	/* Renewed: nothing changes. */
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_OK);
	assert_false(fresh);
	drop(n, "100.64.0.1", SERVER);
	assert_false(inner_local(n, &remote, &local));
	assert_string_equal(snapshot(after), before);
	drop(n, "100.64.0.1", SERVER);
	inner_close(n, true);
	assert_string_equal(snapshot(after), before);
}

static void ipv6_address_is_the_source_for_its_host_alone(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX], said[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	snapshot(before);
	assert_int_equal(add(n, "fd00:64::1", SERVER6, &fresh), IKE_OK);
	assert_source(SERVER6, "fd00:64::1");
	assert_source("2001:db8:1::11", "2001:db8:1::1");
	assert_source("2001:db8:9::1", "2001:db8:1::1");
	assert_non_null(strstr(run(said, "ip addr show dev lo"), "inet6 fd00:64::1/128 scope global nodad deprecated"));
	inner_close(n, true);
	assert_string_equal(snapshot(after), before);
}

static void two_hosts_may_assign_the_same_address(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	snapshot(before);
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_OK);
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	assert_true(fresh);
	assert_source(SERVER, "100.64.0.1");
	assert_source(SERVER2, "100.64.0.1");
	drop(n, "100.64.0.1", SERVER);
	assert_source(SERVER, "192.0.2.1");
	assert_source(SERVER2, "100.64.0.1");
	drop(n, "100.64.0.1", SERVER2);
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
}

static void host_may_assign_another_address_later(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	snapshot(before);
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_OK);
	assert_int_equal(add(n, "100.64.0.2", SERVER, &fresh), IKE_OK);
	assert_source(SERVER, "100.64.0.2");
	drop(n, "100.64.0.1", SERVER);
	assert_source(SERVER, "100.64.0.2");
	/* One that cannot be taken leaves the one that is there. */
	assert_int_equal(add(n, "100.100.0.1", SERVER, &fresh), IKE_E_CONFLICT);
	assert_source(SERVER, "100.64.0.2");
	inner_close(n, true);
	assert_string_equal(snapshot(after), before);
}

/* The new one is taken back because its tunnel has failed, or is another pair's and ends: the host is reached from the one that is
 * left. */
static void route_goes_back_to_the_address_that_is_left(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_OK);
	snapshot(before);
	assert_int_equal(add(n, "100.64.0.2", SERVER, &fresh), IKE_OK);
	assert_source(SERVER, "100.64.0.2");
	drop(n, "100.64.0.2", SERVER);
	assert_source(SERVER, "100.64.0.1");
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
}

/* A laptop moves: another gateway; the interface goes and comes again. */
static void route_follows_the_way_to_the_host(void **state)
{
	char said[TEXT_MAX], before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	assert_int_equal(add(n, "fd00:64::1", "2001:db8:9::1", &fresh), IKE_OK);
	assert_non_null(strstr(run(said, "ip route get " SERVER2), "via 192.0.2.254"));
	inner_refresh(n, NULL);
	(void)run(said, "ip route replace default via 192.0.2.253 && ip route replace default via 2001:db8:1::fd");
	inner_refresh(n, NULL);
	assert_non_null(strstr(run(said, "ip route get " SERVER2), "via 192.0.2.253"));
	assert_non_null(strstr(run(said, "ip route get 2001:db8:9::1"), "via 2001:db8:1::fd"));
	assert_source(SERVER2, "100.64.0.1");
	assert_source("2001:db8:9::1", "fd00:64::1");
	(void)run(said, "ip link set eth0 down");
	inner_refresh(n, NULL);
	(void)run(said, "ip link set eth0 up && ip route add default via 192.0.2.252");
	inner_refresh(n, NULL);
	assert_non_null(strstr(run(said, "ip route get " SERVER2), "via 192.0.2.252"));
	assert_source(SERVER2, "100.64.0.1");
	/* A tunnel that is made anew looks itself. */
	(void)run(said, "ip route del " SERVER2 " && ip route replace default via 192.0.2.251");
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	assert_non_null(strstr(run(said, "ip route get " SERVER2), "via 192.0.2.251"));
	assert_source(SERVER2, "100.64.0.1");
	snapshot(before);
	inner_refresh(n, NULL);
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
	assert_null(strstr(snapshot(after), "100.64.0.1"));
	assert_null(strstr(after, "fd00:64::1"));
}

/* Each packet without an SA asks for this: somebody may send many, and a connection that begins meanwhile needs its route. */
static void route_that_is_right_is_left_alone(void **state)
{
	const struct sockaddr_nl groups = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE };
	struct inner *n = open_inner();
	struct ip_addr remote = addr(SERVER2);
	uint8_t news[4096];
	bool fresh;
	int fd;

	(void)state;
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	assert_int_equal(bind(fd, (const struct sockaddr *)&groups, sizeof groups), 0);
	inner_refresh(n, &remote);
	assert_int_equal(recv(fd, news, sizeof news, MSG_DONTWAIT), -1);
	inner_unroute(n, &remote);
	inner_refresh(n, &remote);
	assert_source(SERVER2, "100.64.0.1");
	close(fd);
	inner_close(n, true);
}

static void unrouted_host_tells_our_own_address(void **state)
{
	struct inner *n = open_inner();
	struct ip_addr remote = addr(SERVER2);
	bool fresh;

	(void)state;
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	inner_unroute(n, &remote);
	assert_source(SERVER2, "192.0.2.1");
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	assert_source(SERVER2, "100.64.0.1");
	inner_close(n, true);
}

static void address_that_somebody_has_is_refused(void **state)
{
	static const char *const taken[] = { "192.0.2.1", "192.0.2.77", "100.100.3.3", "100.99.0.1" };
	char before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	(void)run(before, "ip addr add 100.99.0.1/32 dev eth0");
	snapshot(before);
	for (unsigned i = 0; i < sizeof taken / sizeof *taken; i++) {
		assert_int_equal(add(n, taken[i], SERVER, &fresh), IKE_E_CONFLICT);
		assert_string_equal(snapshot(after), before);
	}
	inner_close(n, true);
	assert_string_equal(snapshot(after), before);
}

/* Networks that route IPv4 by IPv6 neighbours (RFC 8950) have a gateway of the other family. */
static void address_routed_by_the_other_family_is_refused(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	(void)run(before, "ip route add 100.70.0.0/16 via inet6 2001:db8:1::fd dev eth0");
	snapshot(before);
	assert_int_equal(add(n, "100.70.0.1", SERVER, &fresh), IKE_E_CONFLICT);
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
}

/* The administrator's route to the very host is preferred, so the source would be another. */
static void stronger_route_is_a_conflict_and_stays(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	(void)run(before, "ip route add " SERVER "/32 via 192.0.2.253");
	snapshot(before);
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_E_CONFLICT);
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
}

static void next_start_removes_what_a_killed_run_left_and_nothing_else(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct inner *n;
	bool fresh;

	(void)state;
	/* Look-alikes of somebody else's. */
	(void)run(before, "ip addr add 100.64.7.7/32 dev lo label lo:vip && ip addr add fd00:77::7/128 dev lo nodad && "
			  "ip route add 198.51.100.77/32 via 192.0.2.253 proto 111 && "
			  "ip route add 198.51.100.78/32 via 192.0.2.253 metric 111 src 192.0.2.1");
	snapshot(before);
	n = open_inner();
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_OK);
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	assert_int_equal(add(n, "fd00:64::1", SERVER6, &fresh), IKE_OK);
	inner_close(n, false);
	assert_source(SERVER, "100.64.0.1");
	n = open_inner();
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
	assert_string_equal(snapshot(after), before);
}

static enum ike_err add_client(struct inner *n, const char *address, const char *via)
{
	struct ip_addr a = addr(address), v = addr(via), local = addr(v.family == IP_V4 ? "192.0.2.1" : "2001:db8:1::1");

	return inner_client_add(n, &a, &local, &v);
}

/* One route, by the way to its NAT, from the end of its tunnel; and none that was left, but for somebody else's. */
static void client_is_reached_by_the_way_to_where_it_comes_from(void **state)
{
	static const struct { const char *address, *via, *way; } cases[] = {
		{ "100.64.0.1", SERVER2, "via 192.0.2.254 dev eth0 src 192.0.2.1 metric 112" },
		{ "100.64.0.2", SERVER, "dev eth0 scope link src 192.0.2.1 metric 112" },
		{ "fd00:64::1", "2001:db8:9::9", "via 2001:db8:1::fe dev eth0 src 2001:db8:1::1 metric 112" },
	};
	char before[TEXT_MAX], after[TEXT_MAX], said[TEXT_MAX];
	struct inner *n = open_inner();

	(void)state;
	run(said, "ip addr add 2001:db8:1::1/128 dev lo");     /* a server's own address may well be there */
	snapshot(before);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ip_addr a = addr(cases[i].address);

		assert_int_equal(add_client(n, cases[i].address, cases[i].via), IKE_OK);
		if (!strstr(run(said, "ip route show proto 0x6f; ip -6 route show proto 0x6f"), cases[i].way))
			fail_msg("%s: %s", cases[i].address, said);
		/* It has moved, or comes again: still one. */
		assert_int_equal(add_client(n, cases[i].address, cases[i].via), IKE_OK);
		inner_refresh(n, NULL);
		inner_client_remove(n, &a);
		assert_string_equal(snapshot(after), before);
		inner_client_remove(n, &a);
	}
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(add_client(n, cases[i].address, cases[i].via), IKE_OK);
	inner_close(n, false);
	n = open_inner();
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
}

static void client_to_whom_there_is_no_way_is_refused(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX], said[TEXT_MAX];
	struct inner *n = open_inner();

	(void)state;
	run(said, "ip route del default");
	snapshot(before);
	assert_int_equal(add_client(n, "100.64.0.1", SERVER2), IKE_E_CONFLICT);
	assert_string_equal(snapshot(after), before);
	inner_close(n, true);
}

static void in_memory_nothing_is_touched(void **state)
{
	char before[TEXT_MAX], after[TEXT_MAX];
	struct ip_addr local, remote = addr(SERVER);
	struct inner *n;
	bool fresh;

	(void)state;
	snapshot(before);
	assert_int_equal(inner_open(true, NULL, &n), IKE_OK);
	assert_int_equal(add(n, "192.0.2.77", SERVER, &fresh), IKE_OK);
	assert_true(inner_local(n, &remote, &local));
	assert_string_equal(snapshot(after), before);
	drop(n, "192.0.2.77", SERVER);
	assert_false(inner_local(n, &remote, &local));
	inner_close(n, true);
}

/* What nft(8) lists of the table; "" if there is none. */
static const char *list_table(char to[TEXT_MAX], const char *family)
{
	return run(to, "nft list table %s unbound-oe 2>/dev/null || :", family);
}

/* More than fit one message. */
static void translations_replace_each_other_as_a_whole(void **state)
{
	enum { MANY = 150 };
	static struct translation all[MANY];
	char text[TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		all[i] = (struct translation){ .remote = addr(i % 2 ? SERVER : SERVER6), .address = addr(i % 2 ? "100.64.0.1" : "fd64::1") };
		all[i].remote.b[2] = (uint8_t)i;
	}
	if (system("command -v nft >/dev/null") != 0 || translate_write(IP_V4, NULL, 0) == IKE_E_UNSUPPORTED)
		skip();
	assert_int_equal(translate_write(IP_V4, all, MANY), IKE_OK);
	assert_int_equal(translate_write(IP_V6, all, MANY), IKE_OK);
	list_table(text, "ip");
	assert_non_null(strstr(text, "rt ipsec exists snat to ip daddr map @assigned"));
	assert_non_null(strstr(text, "192.0.149.10 : 100.64.0.1"));
	assert_non_null(strstr(list_table(text, "ip6"), "2001:94b8:"));
	assert_int_equal(translate_write(IP_V4, &all[1], 1), IKE_OK);
	list_table(text, "ip");
	assert_non_null(strstr(text, "192.0.1.10 : 100.64.0.1"));
	assert_null(strstr(text, "192.0.149.10"));
	assert_int_equal(translate_write(IP_V4, NULL, 0), IKE_OK);
	assert_int_equal(translate_write(IP_V6, NULL, 0), IKE_OK);
	assert_string_equal(list_table(text, "ip"), "");
	assert_string_equal(list_table(text, "ip6"), "");
}

/* A firewall that is loaded anew flushes all tables. */
static void what_a_firewall_flushed_comes_back_with_the_next_address(void **state)
{
	char text[TEXT_MAX];
	struct inner *n = open_inner();
	bool fresh;

	(void)state;
	assert_int_equal(add(n, "100.64.0.1", SERVER, &fresh), IKE_OK);
	if (list_table(text, "ip")[0] == '\0') {
		inner_close(n, true);
		skip();
	}
	run(text, "nft flush ruleset");
	assert_int_equal(add(n, "100.64.0.1", SERVER2, &fresh), IKE_OK);
	list_table(text, "ip");
	assert_non_null(strstr(text, SERVER " : 100.64.0.1"));
	assert_non_null(strstr(text, SERVER2 " : 100.64.0.1"));
	inner_close(n, true);
	assert_string_equal(list_table(text, "ip"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(address_is_the_source_for_its_host_alone, begin),
		cmocka_unit_test_setup(ipv6_address_is_the_source_for_its_host_alone, begin),
		cmocka_unit_test_setup(two_hosts_may_assign_the_same_address, begin),
		cmocka_unit_test_setup(host_may_assign_another_address_later, begin),
		cmocka_unit_test_setup(route_goes_back_to_the_address_that_is_left, begin),
		cmocka_unit_test_setup(route_follows_the_way_to_the_host, begin),
		cmocka_unit_test_setup(route_that_is_right_is_left_alone, begin),
		cmocka_unit_test_setup(unrouted_host_tells_our_own_address, begin),
		cmocka_unit_test_setup(address_that_somebody_has_is_refused, begin),
		cmocka_unit_test_setup(address_routed_by_the_other_family_is_refused, begin),
		cmocka_unit_test_setup(stronger_route_is_a_conflict_and_stays, begin),
		cmocka_unit_test_setup(next_start_removes_what_a_killed_run_left_and_nothing_else, begin),
		cmocka_unit_test_setup(client_is_reached_by_the_way_to_where_it_comes_from, begin),
		cmocka_unit_test_setup(client_to_whom_there_is_no_way_is_refused, begin),
		cmocka_unit_test_setup(translations_replace_each_other_as_a_whole, begin),
		cmocka_unit_test_setup(what_a_firewall_flushed_comes_back_with_the_next_address, begin),
		cmocka_unit_test_setup(in_memory_nothing_is_touched, begin),
	};

	if (!make_network())
		return SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
