/* Random schedules of everything that can happen, each from its seed, against the promises:
 *
 *	- one verdict for each request that was not cancelled, in time (promise 6);
 *	- an address that is allowed is protected at that moment (promise 1);
 *	- a name that was answered is never carried by a key that it does not publish, nor through a gateway that it does not, unless
 *	  it was told DOWN (promise 3);
 *	- the policies stay until the last answer has expired, unless an operator said otherwise (promise 4);
 *	- anonymous clients are counted as what they are;
 *	- after a clean stop nothing is left.
 *
 * A schedule that fails prints its seed; UNIT_SEED=n runs that one alone.
 */
#include "tests/unit/tunnel_double.h"

#include <stdio.h>

enum { ADDRESSES = 4, NAMES = 3, IDS = 400, STEPS = 400, SCHEDULES = 300 };

static const char *const addresses[ADDRESSES] = { "192.0.2.1", "192.0.2.2", "2001:db8::1", "127.0.0.1" };
static const char *const names[NAMES] = { "www.example.org", "mail.example.org", "evil.example" };
/* What each name publishes, now this and now that: the last copies the keys of the others. */
enum { KEY_SETS = 4 };
static const char *const key_sets[NAMES][KEY_SETS] = { { "A", "A", "A", "A" }, { "A", "AB", "BA", "B" }, { "C", "CA", "B", "ABC" } };
/* Any key that it ever published: a name that is alone at its address may bring new ones. */
static const char *const all_keys[NAMES] = { "A", "AB", "ABC" };

/* The ways that it publishes, by precedence: '.' the host itself, otherwise a gateway. The owners of the addresses confirm them all. */
enum { WAY_SETS = 5 };
static const char *const way_sets[NAMES][WAY_SETS] = { { ".", ".", "g", "gh", ".g" }, { ".", ".", "gh", "hg", "g" }, { ".", ".", "e", "eg.", ".e" } };
static const char *const all_ways[NAMES] = { ".gh", ".gh", ".ge" };

enum fate { NOT_ASKED, WAITING, ANSWERED, CANCELLED };

struct asked {
	enum fate fate;
	unsigned name, keys, ways, n, address[2];
	uint64_t by_ms;
};

struct schedule {
	struct world *w;
	uint32_t chance;
	uint32_t n_ids;
	struct asked asked[IDS];
	/* Until when an answer lives that was not taken back by a DOWN. */
	uint64_t granted_until_ms[NAMES][ADDRESSES];
	uint64_t answers_until_ms[ADDRESSES];
	/* The kernel: under which reqid policies are there; 0 = none. */
	uint32_t policies[ADDRESSES];
	uint32_t let_in[ADDRESSES];
	bool stopped;
};

static unsigned pick(struct schedule *s, unsigned n)
{
	s->chance = s->chance * 1103515245 + 12345;
	return (s->chance >> 16) % n;
}

static unsigned address_index(const struct ip_addr *a)
{
	unsigned i;

	for (i = 0; i < ADDRESSES; i++) {
		const struct ip_addr known = address_of(addresses[i]);

		if (ip_equal(&known, a))
			return i;
	}
	fail_msg("an address that nobody asked for");
	return 0;
}

/* Whom it is for. */
static const struct ip_addr *host_of(const struct double_sa *sa)
{
	return sa->host.family != IP_NONE ? &sa->host : &sa->path.remote.addr;
}

static struct ip_addr gateway_of(char way)
{
	char text[32];

	snprintf(text, sizeof text, "203.0.113.%u", (unsigned)way);
	return address_of(text);
}

static char way_of(const struct double_sa *sa)
{
	return sa->host.family != IP_NONE ? (char)sa->path.remote.addr.b[3] : '.';
}

/* The SA that packets leave by: the newest. */
static const struct double_sa *sa_in_use(const struct schedule *s, unsigned address)
{
	const struct ip_addr remote = address_of(addresses[address]);
	unsigned i;

	for (i = s->w->n_sas; i > 0; i--) {
		const struct double_sa *sa = &s->w->sas[i - 1];

		if (sa->up && !sa->ended && ip_equal(host_of(sa), &remote))
			return sa;
	}
	return NULL;
}

/* What came out of the last step ------------------------------------------------------------------------------------------ */

static void on_verdict(struct schedule *s, const struct seen_verdict *seen)
{
	struct asked *q = &s->asked[seen->id];
	unsigned i;

	assert_int_equal(q->fate, WAITING);
	assert_true(s->w->now_ms <= q->by_ms);
	q->fate = ANSWERED;
	assert_int_equal(seen->verdict.n_addresses, q->n);
	for (i = 0; i < q->n; i++) {
		unsigned a = q->address[i];

		if (!seen->verdict.address[i].allowed)
			continue;
		assert_string_not_equal(addresses[a], "127.0.0.1");
		s->granted_until_ms[q->name][a] = s->w->now_ms + s->w->ttl_s * 1000;
		s->answers_until_ms[a] = s->w->now_ms + s->w->ttl_s * 1000;
		assert_int_equal(state_of(s->w, addresses[a]), TUNNEL_PROTECTED);
		assert_int_not_equal(s->policies[a], 0);
	}
}

static void on_down(struct schedule *s, const struct rp_down *down, bool by_operator)
{
	unsigned i, a;

	for (i = 0; i < NAMES; i++) {
		const struct dnsname name = name_of(names[i]);

		for (a = 0; a < ADDRESSES && dnsname_equal(&name, &down->owner); a++) {
			s->granted_until_ms[i][a] = 0;
			if (by_operator)
				s->answers_until_ms[a] = 0;
		}
	}
}

static void on_unprotect(struct schedule *s, const struct kernel_request *request)
{
	unsigned a = address_index(request->inner_remote.family != IP_NONE ? &request->inner_remote : &request->remote);

	assert_int_equal(s->policies[a], request->reqid);
	assert_true(s->answers_until_ms[a] <= s->w->now_ms || s->stopped);
	s->policies[a] = 0;
}

static void check_bindings(const struct schedule *s)
{
	unsigned i, a;

	for (i = 0; i < NAMES; i++) {
		for (a = 0; a < ADDRESSES; a++) {
			const struct double_sa *sa = sa_in_use(s, a);

			if (s->granted_until_ms[i][a] <= s->w->now_ms || !sa)
				continue;
			if (!sa->initiator || !strchr(all_keys[i], sa->proved))
				fail_msg("%s at %s is carried by key %c", names[i], addresses[a], sa->initiator ? sa->proved : '-');
			if (!strchr(all_ways[i], way_of(sa)))
				fail_msg("%s at %s is carried by way %c", names[i], addresses[a], way_of(sa));
		}
	}
}

static unsigned anonymous_now(struct world *w)
{
	struct tunnel_info info;
	uint64_t cursor = 0;
	unsigned n = 0;

	while (tunnels_next(w->t, &cursor, &info))
		n += info.key_text[0] == '\0' && (info.state == TUNNEL_PROTECTED || info.state == TUNNEL_HEALING);
	return n;
}

static void look(struct schedule *s, bool by_operator)
{
	struct world *w = s->w;
	unsigned v = 0, d = 0, k = 0, n = w->n_verdicts + w->n_downs + w->n_unprotects, i;

	for (i = 0; i < n; i++) {
		if (w->order[i] == 'v')
			on_verdict(s, &w->verdicts[v++]);
		else if (w->order[i] == 'd')
			on_down(s, &w->downs[d++], by_operator);
		else
			on_unprotect(s, &w->unprotects[k++]);
	}
	w->n_verdicts = w->n_downs = w->n_unprotects = 0;
	assert_int_equal(tunnels_anonymous(w->t), anonymous_now(w));
	check_bindings(s);
}

/* Steps --------------------------------------------------------------------------------------------------------------------- */

/* Its records: each key for each way. */
static void add_records(const struct asked *asked, struct rp_establish *q, uint8_t rdata[RP_KEYS_MAX][64])
{
	const char *ways = way_sets[asked->name][asked->ways];

	for (unsigned i = 0; ways[i]; i++) {
		for (const char *letter = key_sets[asked->name][asked->keys]; *letter; letter++) {
			struct ipseckey key = { .precedence = (uint8_t)i, .algorithm = IPSECKEY_EDDSA };
			struct wr w = wr_over(rdata[q->n_keys], 64);
			uint8_t plain[3 + 32];

			make_key(plain, *letter);
			key.public_key = span_of(plain + 3, 32);
			if (ways[i] != '.') {
				key.gateway_type = GATEWAY_IPV4;
				key.gateway = gateway_of(ways[i]);
			}
			ipseckey_write(&w, &key);
			q->keys[q->n_keys++] = wr_span(&w);
		}
	}
}

static void step_ask(struct schedule *s)
{
	uint8_t rdata[RP_KEYS_MAX][64];
	struct rp_establish q;
	struct asked *asked;

	if (s->n_ids + 1 >= IDS)
		return;
	asked = &s->asked[++s->n_ids];
	*asked = (struct asked){ WAITING, pick(s, NAMES), pick(s, KEY_SETS), pick(s, WAY_SETS), 1 + pick(s, 2),
				 { pick(s, ADDRESSES), pick(s, ADDRESSES) }, s->w->now_ms + s->w->deadline_ms };
	q = (struct rp_establish){ .owner = name_of(names[asked->name]), .ttl_s = s->w->ttl_s, .deadline_ms = s->w->deadline_ms };
	add_records(asked, &q, rdata);
	for (unsigned i = 0; i < asked->n; i++) {
		q.addresses[q.n_addresses++] = address_of(addresses[asked->address[i]]);
		q.reverse[q.n_reverse++] = (struct rp_reverse){ (uint8_t)i, RP_FOUND, (uint16_t)((1u << q.n_keys) - 1) };
	}
	assert_int_equal(ask_for(s->w, s->n_ids % 3, s->n_ids, &q), IKE_OK);
}

static void answer_attempt(struct schedule *s, ike_handle handle)
{
	struct double_sa *sa = &s->w->sas[handle - 1];
	unsigned a = address_index(host_of(sa));
	struct ipseckey key;

	if (s->policies[a] != 0 && s->policies[a] != sa->reqid) {
		core_fails(s->w, handle, REASON_KERNEL, "another reqid");
		return;
	}
	s->policies[a] = sa->reqid;
	keyset_at(sa->keys, pick(s, keyset_count(sa->keys)), &key);
	core_up(s->w, handle, (char)key.public_key.p[0]);
}

static void step_core(struct schedule *s)
{
	unsigned i = s->w->n_sas ? pick(s, s->w->n_sas) : 0;
	struct double_sa *sa = &s->w->sas[i];

	if (s->w->n_sas == 0 || sa->ended)
		return;
	if (!sa->up && pick(s, 3) == 0)
		core_fails(s->w, i + 1, pick(s, 2) ? REASON_TIMEOUT : REASON_AUTH_FAILED, "no");
	else if (!sa->up)
		answer_attempt(s, i + 1);
	else if (pick(s, 3) == 0)
		core_closed(s->w, i + 1, pick(s, 2) ? REASON_TIMEOUT : REASON_PEER_REFUSED);
}

/* The core ends what takes too long. */
static void give_up(struct schedule *s)
{
	unsigned i;

	for (i = 0; i < s->w->n_sas; i++) {
		struct double_sa *sa = &s->w->sas[i];

		if (!sa->up && !sa->ended && sa->give_up_ms <= s->w->now_ms)
			core_fails(s->w, i + 1, REASON_TIMEOUT, "no answer");
	}
}

static void step_time(struct schedule *s)
{
	static const unsigned spans_ms[] = { 1, 40, 300, 1500, 10000, 65000, 320000 };
	uint64_t until_ms = s->w->now_ms + spans_ms[pick(s, sizeof spans_ms / sizeof *spans_ms)];

	/* From one deadline to the next, so that what comes out is looked at when it does. */
	while (s->w->now_ms < until_ms) {
		uint64_t next_ms = tunnels_deadline_ms(s->w->t);

		if (next_ms > until_ms || next_ms > s->w->now_ms + 500)
			next_ms = until_ms < s->w->now_ms + 500 ? until_ms : s->w->now_ms + 500;
		advance(s->w, next_ms > s->w->now_ms ? next_ms - s->w->now_ms : 0);
		give_up(s);
		look(s, false);
	}
}

static void step_client(struct schedule *s)
{
	unsigned a = pick(s, ADDRESSES);
	uint32_t reqid;

	if (s->let_in[a] != 0) {
		reqid = s->let_in[a];
		s->let_in[a] = 0;
		if (s->policies[a] != 0 && s->policies[a] != reqid)
			return;
		s->policies[a] = reqid;
		client_up(s->w, addresses[a], reqid);
	} else if (authorize(s->w, addresses[a], &reqid) == REASON_NONE) {
		s->let_in[a] = reqid;
	}
}

static void step_kernel(struct schedule *s)
{
	struct world *w = s->w;

	switch (pick(s, 5)) {
	case 0:
		w->traffic.idle_in_s = w->traffic.idle_out_s = pick(s, 2) * 1000;
		break;
	case 1:
		w->traffic.packets_out++;
		w->traffic.idle_in_s = pick(s, 20);
		break;
	case 2:
		w->traffic_err = pick(s, 4) == 0 ? IKE_E_STATE : IKE_OK;
		break;
	default:
		if (w->n_sas > 0) {
			const struct ip_addr *remote = host_of(&w->sas[pick(s, w->n_sas)]);
			struct ip_addr from;

			(void)!w->env.source_address(w, remote, &from);
			from.b[3] ^= (uint8_t)pick(s, 2);       /* what is forwarded */
			tunnels_acquire(w->t, &from, remote, w->now_ms);
		}
		take_outputs(w);
		break;
	}
}

static void step_cancel(struct schedule *s)
{
	uint32_t id = 1 + pick(s, IDS - 1);

	if (s->asked[id].fate != WAITING)
		return;
	tunnels_cancel(s->w->t, id % 3, id);
	s->asked[id].fate = CANCELLED;
	take_outputs(s->w);
}

static void step_operator(struct schedule *s)
{
	const struct dnsname name = name_of(names[pick(s, NAMES)]);

	if (pick(s, 4) != 0)
		return;
	tunnels_down_name(s->w->t, &name, s->w->now_ms);
	take_outputs(s->w);
	look(s, true);
}

static void step(struct schedule *s)
{
	switch (pick(s, 12)) {
	case 0: case 1: case 2:
		step_ask(s);
		break;
	case 3: case 4: case 5: case 6:
		step_core(s);
		break;
	case 7: case 8:
		step_time(s);
		break;
	case 9:
		step_client(s);
		break;
	case 10:
		step_kernel(s);
		break;
	default:
		if (pick(s, 2))
			step_cancel(s);
		else
			step_operator(s);
		break;
	}
	look(s, false);
}

static void stop(struct schedule *s)
{
	uint32_t id;
	unsigned a;

	s->stopped = true;
	tunnels_shutdown(s->w->t, s->w->now_ms);
	take_outputs(s->w);
	look(s, true);
	advance(s->w, 20000);
	look(s, true);
	assert_int_equal(tunnels_count(s->w->t), 0);
	for (a = 0; a < ADDRESSES; a++)
		assert_int_equal(s->policies[a], 0);
	for (id = 1; id <= s->n_ids; id++)
		assert_int_not_equal(s->asked[id].fate, WAITING);
}

static void run_seed(uint32_t seed)
{
	struct schedule *s = calloc(1, sizeof *s);
	void *state;
	unsigned i;

	assert_non_null(s);
	world_setup(&state);
	s->w = state;
	s->chance = seed;
	s->w->config.establishing_max = pick(s, 3);
	s->w->ttl_s = 60;
	world_restart(s->w);
	print_message("seed %u\n", seed);
	for (i = 0; i < STEPS && s->w->n_sas < SAS_MAX - 60; i++)
		step(s);
	stop(s);
	world_teardown(&state);
	free(s);
}

static void random_schedules_keep_the_promises(void **state)
{
	const char *only = getenv("UNIT_SEED");
	uint32_t seed;

	(void)state;
	if (only) {
		run_seed((uint32_t)strtoul(only, NULL, 10));
		return;
	}
	for (seed = 1; seed <= SCHEDULES; seed++)
		run_seed(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_schedules_keep_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
