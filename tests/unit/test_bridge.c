/* What a flood of the kernel's events costs everybody else. The events are this test's own; all else is real, and has no tunnels. */
#include "tests/unit/unit.h"

#include <string.h>

#include "daemon/bridge.h"
#include "daemon/loop.h"
#include "daemon/route.h"
#include "ike/ike.h"
#include "kernel/inner.h"
#include "kernel/kernel.h"
#include "tunnel/tunnel.h"

enum { FLOOD = 100000, AT_ONCE_MAX = 256 };

static unsigned acquires, moves, refreshes;
static struct bridge bridge = { .trim_at_ms = UINT64_MAX, .stop_by_ms = UINT64_MAX };
static struct tunnel_env env;

bool __wrap_kernel_next_event(struct kernel *k, struct kernel_event *out);
bool __wrap_route_next_event(struct route *r, struct route_event *out);
void __wrap_inner_refresh(struct inner *n, const struct ip_addr *remote);

/* Somebody behind this host, with ever new source addresses. */
bool __wrap_kernel_next_event(struct kernel *k, struct kernel_event *out)
{
	(void)k;
	*out = (struct kernel_event){ .kind = KERNEL_EV_ACQUIRE, .reqid = KERNEL_REQID_SHIELD,
				      .local = { .family = IP_V4, .b = { 10, 0, (uint8_t)(acquires >> 8), (uint8_t)acquires } },
				      .remote = { .family = IP_V4, .b = { 192, 0, 2, 1 } } };
	return acquires++ < FLOOD;
}

bool __wrap_route_next_event(struct route *r, struct route_event *out)
{
	(void)r;
	*out = (struct route_event){ .kind = ROUTE_CHANGED };
	return moves++ < FLOOD;
}

void __wrap_inner_refresh(struct inner *n, const struct ip_addr *remote)
{
	(void)n, (void)remote;
	refreshes++;
}

static void fill(void *arg, void *to, size_t n)
{
	(void)arg;
	memset(to, 1, n);
}

static void nothing(void *arg)
{
	(void)arg;
}

static int begin(void **state)
{
	static const struct log log;
	static const struct rng rng = { .fill = fill };
	const struct loop_user user = { .due = nothing, .stop = nothing, .reload = nothing };
	const struct tunnel_config tunnels = { .tunnels_max = 16 };
	const struct ike_config ike = { .sas_max = 32 };

	(void)state;
	bridge.log = &log;
	bridge_tunnel_env(&bridge, &env);
	acquires = moves = refreshes = 0;
	return loop_new(&user, &bridge.loop) == IKE_OK && ike_new(&ike, &rng, &log, &bridge.ike) == IKE_OK &&
	       tunnels_new(&tunnels, &env, bridge.ike, &rng, &log, &bridge.tunnels) == IKE_OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	tunnels_free(bridge.tunnels);
	ike_free(bridge.ike);
	loop_free(bridge.loop);
	return 0;
}

/* Promise 5: the resolver's questions and the answers of hosts have their turn in between. */
static void flood_of_acquires_does_not_keep_others_waiting(void **state)
{
	(void)state;
	bridge_kernel_events(&bridge);
	assert_in_range(acquires, 1, AT_ONCE_MAX);
}

static void flood_of_route_news_does_not_keep_others_waiting(void **state)
{
	(void)state;
	bridge_route_events(&bridge);
	assert_in_range(moves, 1, AT_ONCE_MAX);
	/* Once for all: it is a few questions to the kernel for each host with an assigned address. */
	assert_int_equal(refreshes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flood_of_acquires_does_not_keep_others_waiting, begin, end),
		cmocka_unit_test_setup_teardown(flood_of_route_news_does_not_keep_others_waiting, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
