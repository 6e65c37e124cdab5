/* What carries the outputs and events of the parts. Those of the kernel and of the core are this test's own; tunnel/ is real. */
#include "tests/unit/unit_addr.h"

#include <string.h>

#include "daemon/bridge.h"
#include "daemon/loop.h"
#include "daemon/route.h"
#include "ike/ike.h"
#include "kernel/inner.h"
#include "kernel/kernel.h"
#include "tunnel/tunnel.h"

enum { FLOOD = 100000, AT_ONCE_MAX = 256 };

static unsigned acquires, moves, refreshes, assigned, clients, protected;
static struct ike_output from_core;
static bool core_has_output;
static enum ike_err told_core;
static struct bridge bridge = { .trim_at_ms = UINT64_MAX, .guard_at_ms = UINT64_MAX, .stop_by_ms = UINT64_MAX };
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

bool __wrap_ike_next_output(struct ike *ike, struct ike_output *out);
void __wrap_ike_done(struct ike *ike, uint64_t id, enum ike_err result, uint64_t now_ms);
enum ike_err __wrap_inner_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local,
			      const struct ip_addr *remote, bool *fresh);
enum ike_err __wrap_inner_client_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local,
				     const struct ip_addr *via);
enum ike_err __wrap_kernel_apply(struct kernel *k, const struct kernel_request *request);

bool __wrap_ike_next_output(struct ike *ike, struct ike_output *out)
{
	bool has = core_has_output;

	(void)ike;
	*out = from_core;
	core_has_output = false;
	return has;
}

void __wrap_ike_done(struct ike *ike, uint64_t id, enum ike_err result, uint64_t now_ms)
{
	(void)ike, (void)id, (void)now_ms;
	told_core = result;
}

enum ike_err __wrap_inner_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local,
			      const struct ip_addr *remote, bool *fresh)
{
	(void)n, (void)address, (void)local, (void)remote;
	*fresh = true;
	assigned++;
	return IKE_OK;
}

enum ike_err __wrap_inner_client_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local,
				     const struct ip_addr *via)
{
	(void)n, (void)address, (void)local, (void)via;
	clients++;
	return IKE_OK;
}

enum ike_err __wrap_kernel_apply(struct kernel *k, const struct kernel_request *request)
{
	(void)k, (void)request;
	protected++;
	return IKE_OK;
}

enum ike_err __wrap_kernel_guard(struct kernel *k, struct kernel_losses *out);
static unsigned guards, lines;
static bool kernel_refuses;

/* Somebody flushes as fast as he can. */
enum ike_err __wrap_kernel_guard(struct kernel *k, struct kernel_losses *out)
{
	(void)k;
	*out = (struct kernel_losses){ .policies = 8, .sas = { .all = true } };
	guards++;
	return kernel_refuses ? IKE_E_KERNEL : IKE_OK;
}

static void count_lines(void *arg, enum log_level level, const char *text)
{
	(void)arg, (void)level;
	lines += strstr(text, "another program has removed") != NULL;
}

static bool nothing_is_own(void *arg, const struct ip_addr *a)
{
	(void)arg, (void)a;
	return false;
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
	static const struct log log = { .write = count_lines, .max = LOG_LEVEL_INFO };
	static const struct rng rng = { .fill = fill };
	const struct loop_user user = { .due = nothing, .stop = nothing, .reload = nothing };
	const struct tunnel_config tunnels = { .tunnels_max = 16, .accept_anonymous = true };
	const struct ike_config ike = { .sas_max = 32 };

	(void)state;
	bridge.log = &log;
	bridge_tunnel_env(&bridge, &env);
	env.is_own_address = nothing_is_own;
	acquires = moves = refreshes = assigned = clients = protected = guards = lines = 0;
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

/* Promise 4: each is repaired at once. Promise 6: it is not told each time. */
static void storm_of_flushes_is_repaired_each_time_and_told_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		bridge_guard(&bridge);
	assert_int_equal(guards, 1000);
	assert_int_equal(lines, 1);
	assert_int_equal(bridge.put_back, 999 * 8);
	bridge.put_back_told_ms -= 10000;
	bridge_due(&bridge);
	assert_int_equal(lines, 2);
	assert_int_equal(bridge.put_back, 0);
}

static void what_the_kernel_does_not_take_back_is_tried_again_soon(void **state)
{
	(void)state;
	kernel_refuses = true;
	bridge_guard(&bridge);
	kernel_refuses = false;
	assert_in_range(bridge.guard_at_ms, loop_now_ms() - 1000, loop_now_ms() + 100);
	bridge_due(&bridge);
	assert_int_equal(guards, 1);
	bridge.guard_at_ms = loop_now_ms();
	bridge_due(&bridge);
	assert_int_equal(guards, 2);
	assert_true(bridge.guard_at_ms == UINT64_MAX);
}

static void client_has_a_tunnel(const char *address)
{
	struct ike_event up = { .kind = EV_ESTABLISHED };
	struct ike_client client = { .behind.family = IP_NONE };

	up.tunnel.sa = 1;
	up.tunnel.path = (struct ip_path){ { addr("198.51.100.1"), 500 }, { addr(address), 500 } };
	client.path = up.tunnel.path;
	assert_int_equal(tunnels_authorize(bridge.tunnels, &client, NULL, &up.tunnel.reqid, 0), REASON_NONE);
	tunnels_ike_event(bridge.tunnels, &up, 0);
	assert_int_equal(tunnels_count(bridge.tunnels), 1);
}

static void host_assigns(const char *address)
{
	from_core = (struct ike_output){ .kind = OUT_KERNEL };
	from_core.u.kernel = (struct kernel_request){
		.op = KERNEL_PROTECT, .local = addr("198.51.100.1"), .remote = addr("192.0.2.1"),
		.inner_local = addr(address), .inner_remote = addr("192.0.2.1"),
	};
	core_has_output = true;
	bridge_pump(&bridge);
}

/* Promise 3: it would be an address of ours from then on, and its tunnel out of reach. */
static void address_of_another_tunnels_host_is_not_taken_as_assigned(void **state)
{
	(void)state;
	client_has_a_tunnel("100.64.0.9");
	host_assigns("100.64.0.9");
	assert_int_equal(told_core, IKE_E_CONFLICT);
	assert_int_equal(assigned + protected, 0);
	host_assigns("100.64.0.10");
	assert_int_equal(told_core, IKE_OK);
	assert_int_equal(assigned + protected, 2);
}

/* What is behind a gateway is reached as before: no route of ours. A client's address is nowhere else. */
static void host_behind_a_gateway_is_no_client(void **state)
{
	(void)state;
	for (unsigned shield = 0; shield < 2; shield++) {
		from_core = (struct ike_output){ .kind = OUT_KERNEL };
		from_core.u.kernel = (struct kernel_request){
			.op = KERNEL_PROTECT, .local = addr("198.51.100.1"), .remote = addr("192.0.2.1"), .shield = shield,
			.inner_local = addr("198.51.100.1"), .inner_remote = addr("192.0.2.7"),
		};
		core_has_output = true;
		bridge_pump(&bridge);
		assert_int_equal(told_core, IKE_OK);
		assert_int_equal(clients, 1);
		assert_int_equal(protected, shield + 1);
	}
}

/* Our end inside is an address that this host has: nothing is put on lo, and no route is made. */
static void tunnel_of_the_other_family_assigns_nothing(void **state)
{
	(void)state;
	from_core = (struct ike_output){ .kind = OUT_KERNEL };
	from_core.u.kernel = (struct kernel_request){
		.op = KERNEL_PROTECT, .local = addr("198.51.100.1"), .remote = addr("192.0.2.1"), .shield = true,
		.inner_local = addr("2001:db8::1"), .inner_remote = addr("2001:db8::7"),
	};
	core_has_output = true;
	bridge_pump(&bridge);
	assert_int_equal(told_core, IKE_OK);
	assert_int_equal(protected, 1);
	assert_int_equal(assigned + clients, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(host_behind_a_gateway_is_no_client, begin, end),
		cmocka_unit_test_setup_teardown(tunnel_of_the_other_family_assigns_nothing, begin, end),
		cmocka_unit_test_setup_teardown(address_of_another_tunnels_host_is_not_taken_as_assigned, begin, end),
		cmocka_unit_test_setup_teardown(flood_of_acquires_does_not_keep_others_waiting, begin, end),
		cmocka_unit_test_setup_teardown(storm_of_flushes_is_repaired_each_time_and_told_once, begin, end),
		cmocka_unit_test_setup_teardown(what_the_kernel_does_not_take_back_is_tried_again_soon, begin, end),
		cmocka_unit_test_setup_teardown(flood_of_route_news_does_not_keep_others_waiting, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
