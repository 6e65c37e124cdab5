/* What the kernel's tables say about an address, in a network namespace of its own. Skipped where there are none, or no ip(8). */
#define _GNU_SOURCE                 /* unshare */
#include "tests/unit/unit_addr.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/conf.h"
#include "daemon/route.h"

enum { SKIP = 77 };

static struct conf conf;            /* no `listen`: every address will do */
static struct route *route;

static bool is_own(const char *text)
{
	const struct ip_addr a = addr(text);

	return route_is_own(route, &a);
}

static bool is_behind(const char *text)
{
	const struct ip_addr a = addr(text);

	return route_is_behind(route, &a);
}

static bool shell(const char *command)
{
	return system(command) == 0;
}

/* News that nobody has asked for yet. */
static struct route_event waiting[32];
static unsigned n_waiting;

/* One link, with a way to everybody through it. */
static int begin(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) != 0 ||
	    !shell("ip link set lo up && ip link add near type veth peer name far && "
		   /* Link-local addresses come when they like. */
		   "ip link set near addrgenmode none && ip link set far addrgenmode none && "
		   "ip link set near up && ip link set far up && "
		   "ip addr add 192.0.2.1/24 dev near && ip addr add 2001:db8::1/64 dev near nodad && "
		   "timeout 10 sh -c 'until ip -6 route show table local | grep -q \"2001:db8::1 \"; do sleep 0.01; done' && "
		   "ip route add default via 192.0.2.254 && ip route add default via 2001:db8::fe"))
		return -1;
	n_waiting = 0;
	return route_open(&conf, &route) == IKE_OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	route_close(route);
	return 0;
}

static void source_and_owner_of_an_address(void **state)
{
	const struct ip_addr remote = addr("198.51.100.7"), want = addr("192.0.2.1");
	struct ip_addr local;

	(void)state;
	assert_int_equal(route_source(route, &remote, &local), IKE_OK);
	assert_true(ip_equal(&local, &want));
	assert_true(is_own("192.0.2.1"));
	assert_true(is_own("2001:db8::1"));
	assert_true(is_own("127.0.0.1"));
	assert_false(is_own("192.0.2.2"));
	assert_true(is_behind("192.0.2.2"));
	assert_true(is_behind("2001:db8::2"));
	assert_false(is_behind("192.0.2.1"));
	assert_false(is_behind("2001:db8::1"));
}

static void what_there_is_no_way_to_is_not_behind(void **state)
{
	(void)state;
	assert_true(shell("ip route del default && ip -6 route del default && ip route add blackhole 203.0.113.0/24"));
	assert_false(is_behind("198.51.100.7"));
	assert_false(is_behind("203.0.113.7"));
	assert_false(is_behind("2001:db8:1::7"));
	assert_false(is_own("198.51.100.7"));
}

/* As those of a VRF, which the main tables take for somebody's behind the default gateway. */
static void address_of_an_interface_is_not_behind_whatever_the_tables_say(void **state)
{
	(void)state;
	assert_true(shell("ip addr add 10.9.9.9/32 dev near && ip route del local 10.9.9.9 dev near table local"));
	assert_false(is_own("10.9.9.9"));
	assert_false(is_behind("10.9.9.9"));
	assert_true(is_behind("10.9.9.8"));
}

/* This one has come or comes, in whatever order: the kernel tells of an IPv6 address when its own work queue gets to it, and may
 * tell of those of the links once more. */
static void told(enum route_event_kind kind, const char *text)
{
	struct pollfd p = { .fd = route_event_fd(route), .events = POLLIN };
	const struct ip_addr want = addr(text);
	struct route_event e;

	for (unsigned i = 0; i < n_waiting; i++) {
		if (waiting[i].kind == kind && ip_equal(&waiting[i].address, &want)) {
			waiting[i] = waiting[--n_waiting];
			return;
		}
	}
	for (;;) {
		while (!route_next_event(route, &e))
			assert_int_equal(poll(&p, 1, 10000), 1);
		if (e.kind == kind && ip_equal(&e.address, &want))
			return;
		if (n_waiting < sizeof waiting / sizeof *waiting)
			waiting[n_waiting++] = e;
	}
}

static unsigned changes_of_routes(void)
{
	struct route_event e;
	unsigned n = 0;

	while (route_next_event(route, &e))
		n += e.kind == ROUTE_CHANGED;
	return n;
}

static void news_of_addresses_are_told(void **state)
{
	(void)state;
	assert_true(shell("ip addr add 192.0.2.77/24 dev near && ip addr add 2001:db8::77/64 dev near nodad && "
			  "ip addr add 10.8.8.1 peer 10.8.8.2 dev near && ip addr del 192.0.2.77/24 dev near"));
	told(ROUTE_NEW_ADDRESS, "192.0.2.77");
	told(ROUTE_NEW_ADDRESS, "2001:db8::77");
	told(ROUTE_NEW_ADDRESS, "10.8.8.1");
	told(ROUTE_ADDRESS_GONE, "192.0.2.77");
	assert_int_equal(changes_of_routes(), 0);
	/* Of routes only a default one. */
	assert_true(shell("ip route add 203.0.113.0/24 dev near && ip route add default dev near metric 4000"));
	assert_int_equal(changes_of_routes(), 1);
}

/* Those of this address until there are no more. */
static unsigned news_of(const char *text)
{
	const struct ip_addr want = addr(text);
	struct route_event e;
	unsigned n = 0;

	while (route_next_event(route, &e))
		n += ip_equal(&e.address, &want);
	return n;
}

/* As a router's advertisements and a DHCP server do it, every few seconds perhaps. */
static void address_that_is_renewed_is_no_news(void **state)
{
	(void)state;
	assert_true(shell("ip addr add 2001:db8::77/64 dev near nodad valid_lft 1000 preferred_lft 900 && "
			  "ip addr add 192.0.2.77/24 dev near valid_lft 1000 preferred_lft 900"));
	told(ROUTE_NEW_ADDRESS, "2001:db8::77");
	told(ROUTE_NEW_ADDRESS, "192.0.2.77");
	assert_true(shell("ip addr change 192.0.2.77/24 dev near valid_lft 1100 preferred_lft 1000"));
	assert_int_equal(news_of("192.0.2.77"), 0);
	assert_true(shell("ip addr change 2001:db8::77/64 dev near nodad valid_lft 1100 preferred_lft 1000"));
	assert_int_equal(news_of("2001:db8::77"), 0);
	/* Another one is the source from now. */
	assert_true(shell("ip addr change 2001:db8::77/64 dev near nodad valid_lft 1100 preferred_lft 0"));
	assert_int_equal(news_of("2001:db8::77"), 1);
	/* Gone, and back. */
	assert_true(shell("ip addr del 192.0.2.77/24 dev near && ip addr add 192.0.2.77/24 dev near valid_lft 1000 preferred_lft 900"));
	assert_int_equal(news_of("192.0.2.77"), 2);
}

/* kernel/inner.h puts them there and takes them away, with every tunnel of such a host. */
static void assigned_address_is_no_news(void **state)
{
	(void)state;
	assert_true(shell("ip addr add 100.64.0.1/32 dev lo label lo:oe scope host preferred_lft 0 noprefixroute && "
			  "ip addr del 100.64.0.1/32 dev lo"));
	assert_int_equal(news_of("100.64.0.1"), 0);
	assert_true(shell("ip addr add fd00:64::1/128 dev lo nodad preferred_lft 0 noprefixroute && ip addr del fd00:64::1/128 dev lo"));
	assert_int_equal(news_of("fd00:64::1"), 0);
	assert_true(shell("ip addr add 100.64.0.2/32 dev lo"));
	assert_int_equal(news_of("100.64.0.2"), 1);
}

static void lost_news_are_told_too(void **state)
{
	struct route_event e;
	bool lost = false;

	(void)state;
	assert_true(shell("for i in $(seq 0 3999); do echo addr add 10.7.$((i / 250)).$((i % 250 + 1))/32 dev near; done | "
			  "ip -batch -"));
	while (route_next_event(route, &e))
		lost |= e.kind == ROUTE_NEW_ADDRESS && e.address.family == IP_NONE;
	assert_true(lost);
}

#define ROUTE(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* Whoever parses the network may not open any: forwarded packets met the shield for ever. */
static void no_new_socket_is_needed_to_know_what_is_behind(void **state)
{
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_true(is_behind("192.0.2.2"));
	assert_true(is_behind("2001:db8::2"));
	assert_false(is_behind("192.0.2.1"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROUTE(source_and_owner_of_an_address),
		ROUTE(what_there_is_no_way_to_is_not_behind),
		ROUTE(address_of_an_interface_is_not_behind_whatever_the_tables_say),
		ROUTE(no_new_socket_is_needed_to_know_what_is_behind),
		ROUTE(news_of_addresses_are_told),
		ROUTE(address_that_is_renewed_is_no_news),
		ROUTE(assigned_address_is_no_news),
		ROUTE(lost_news_are_told_too),
	};

	/* An ordinary user is root in a user namespace of his own. */
	if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0 ||
	    !shell("ip link add near type veth peer name far >/dev/null 2>&1")) {
		fprintf(stderr, "skipped: no network namespaces for this user, or no ip(8)\n");
		return SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
