#include "tests/unit/tunnel_double.h"

#include <stdio.h>

struct dnsname name_of(const char *text)
{
	struct dnsname name;

	assert_int_equal(dnsname_from_text(text, &name), IKE_OK);
	return name;
}

struct ip_addr address_of(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_from_text(text, &a), IKE_OK);
	return a;
}

/* The core --------------------------------------------------------------------------------------------------------- */

static struct world *world_of(struct ike *ike)
{
	return (struct world *)(void *)ike;
}

static struct double_sa *sa_of(struct world *w, ike_handle sa)
{
	assert_in_range(sa, 1, w->n_sas);
	return &w->sas[sa - 1];
}

static struct ike_event event_of(struct world *w, ike_handle handle, enum ike_event_kind kind)
{
	const struct double_sa *sa = sa_of(w, handle);
	struct ike_event e = { .kind = kind };

	e.tunnel.sa = handle;
	e.tunnel.tag = sa->tag;
	e.tunnel.initiator = sa->initiator;
	e.tunnel.path = sa->path;
	e.tunnel.reqid = sa->reqid;
	e.tunnel.encapsulated = sa->encapsulated;
	e.tunnel.round_trip_ms = w->round_trip_ms;
	e.tunnel.behind = w->behind;
	if (sa->assigned.family != IP_NONE) {
		e.tunnel.inner_local = sa->path.local.addr;
		e.tunnel.inner_remote = sa->assigned;
	}
	if (sa->host.family != IP_NONE) {
		e.tunnel.inner_local = sa->source.family != IP_NONE ? sa->source : sa->path.local.addr;
		e.tunnel.inner_remote = sa->host;
	}
	e.tunnel.wants_keepalive = w->wants_keepalive;
	e.tunnel.spi_i[0] = sa->spi;
	return e;
}

enum ike_err ike_initiate(struct ike *ike, const struct ike_initiate *how, uint64_t now_ms, ike_handle *out)
{
	struct world *w = world_of(ike);
	struct double_sa *sa = &w->sas[w->n_sas];

	assert_true(now_ms == w->now_ms);
	assert_true(w->n_sas < SAS_MAX);
	*out = 0;
	if (w->sas_max && w->n_sas >= w->sas_max)
		return IKE_E_LIMIT;
	*sa = (struct double_sa){ .path = how->path, .name = how->name, .host = how->host, .source = how->source,
				  .keys = keyset_ref(how->keys), .reqid = how->reqid, .tag = how->tag, .give_up_ms = how->give_up_ms, .initiator = true, .encapsulated = how->encapsulate,
				  .identified = how->identify, .former = how->former };
	*out = ++w->n_sas;
	return IKE_OK;
}

enum ike_err ike_close(struct ike *ike, ike_handle handle, enum rp_reason reason, uint64_t now_ms)
{
	struct world *w = world_of(ike);
	struct double_sa *sa = sa_of(w, handle);

	(void)now_ms;
	if (sa->ended)
		return IKE_E_STATE;
	sa->ended = true;
	sa->close_reason = reason;
	w->pending[w->n_pending] = event_of(w, handle, sa->up ? EV_CLOSED : EV_FAILED);
	w->pending[w->n_pending++].reason = reason;
	return IKE_OK;
}

enum ike_err ike_check_liveness(struct ike *ike, ike_handle handle, uint64_t now_ms)
{
	struct world *w = world_of(ike);

	(void)now_ms;
	w->liveness_checks++;
	return sa_of(w, handle)->up ? IKE_OK : IKE_E_STATE;
}

enum ike_err ike_rekey_child(struct ike *ike, ike_handle handle, uint64_t now_ms)
{
	struct world *w = world_of(ike);

	(void)now_ms;
	w->rekeys++;
	return sa_of(w, handle)->up && !w->cannot_rekey ? IKE_OK : IKE_E_STATE;
}

enum ike_err ike_rekey_ike(struct ike *ike, ike_handle handle, uint64_t now_ms)
{
	struct world *w = world_of(ike);

	(void)now_ms;
	w->ike_rekeys++;
	return sa_of(w, handle)->up && !w->cannot_rekey ? IKE_OK : IKE_E_STATE;
}

void core_rekeyed(struct world *w, ike_handle handle, uint32_t spi_in, uint32_t spi_out)
{
	struct ike_event e = event_of(w, handle, EV_REKEYED);

	e.tunnel.spi_in = spi_in;
	e.tunnel.spi_out = spi_out;
	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
}

void core_cannot_rekey(struct world *w, ike_handle handle)
{
	struct ike_event e = event_of(w, handle, EV_REKEY_FAILED);

	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
}

void core_silent(struct world *w, ike_handle handle)
{
	struct ike_event e = event_of(w, handle, EV_SILENT);

	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
}

enum ike_err ike_move(struct ike *ike, ike_handle handle, const struct ip_addr *local, uint64_t now_ms)
{
	struct world *w = world_of(ike);

	(void)now_ms;
	if (!w->can_move)
		return IKE_E_STATE;
	sa_of(w, handle)->path.local.addr = *local;
	return IKE_OK;
}

void core_silent_for_long(struct world *w, ike_handle handle)
{
	struct ike_event e = event_of(w, handle, EV_SILENT);

	e.long_silent = true;
	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
}

enum ike_err ike_keepalive(struct ike *ike, ike_handle handle, uint64_t now_ms)
{
	struct world *w = world_of(ike);

	(void)now_ms;
	w->keepalives++;
	return sa_of(w, handle)->up ? IKE_OK : IKE_E_STATE;
}

enum rp_reason ike_outlook(const struct ike *ike, ike_handle handle, char detail[IKE_DETAIL_MAX])
{
	struct world *w = world_of((struct ike *)(uintptr_t)ike);

	snprintf(detail, IKE_DETAIL_MAX, "%s", w->outlook == REASON_NONE ? "" : "peer said NO_PROPOSAL_CHOSEN (unauthenticated)");
	return sa_of(w, handle)->ended ? REASON_NONE : w->outlook;
}

void core_up(struct world *w, ike_handle handle, char key)
{
	struct double_sa *sa = sa_of(w, handle);
	struct ike_event e = event_of(w, handle, EV_ESTABLISHED);
	struct ipseckey record = { 0 };
	unsigned i, n = keyset_count(sa->keys);

	assert_false(sa->ended);
	for (i = 0; i < n; i++) {
		keyset_at(sa->keys, i, &record);
		if (record.public_key.p[1] == (uint8_t)key)
			break;
	}
	/* The real core verifies with these keys: it can not say that another one was proved. */
	assert_true(i < n);
	sa->up = true;
	sa->proved = key;
	e.tunnel.key_index = i;
	e.tunnel.spi_in = 0x1000 + (uint32_t)handle;
	e.tunnel.spi_out = 0x2000 + (uint32_t)handle;
	if (w->inner.family != IP_NONE) {
		e.tunnel.inner_local = w->inner;
		e.tunnel.inner_remote = e.tunnel.path.remote.addr;
	}
	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
}

void core_fails(struct world *w, ike_handle handle, enum rp_reason reason, const char *detail)
{
	struct ike_event e = event_of(w, handle, EV_FAILED);

	assert_false(sa_of(w, handle)->ended);
	sa_of(w, handle)->ended = true;
	e.reason = reason;
	snprintf(e.detail, sizeof e.detail, "%s", detail);
	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
}

void core_closed(struct world *w, ike_handle handle, enum rp_reason reason)
{
	struct ike_event e = event_of(w, handle, EV_CLOSED);

	assert_true(sa_of(w, handle)->up && !sa_of(w, handle)->ended);
	sa_of(w, handle)->ended = true;
	e.reason = reason;
	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
}

/* Of a client that comes from this address. */
static struct ip_path path_of(const struct world *w, const char *address)
{
	const struct ip_addr remote = address_of(address);

	return (struct ip_path){ { remote.family == IP_V6 ? address_of(OUR_V6) : w->local, 500 }, { remote, 500 } };
}

enum rp_reason authorize(struct world *w, const char *address, uint32_t *reqid)
{
	const struct ike_client client = { .path = path_of(w, address), .behind = w->behind,
					   .assigned = w->assigned };
	enum rp_reason reason = tunnels_authorize(w->t, &client, NULL, reqid, w->now_ms);

	take_outputs(w);
	return reason;
}

/* IPSECKEY 10 0 4 . and an Ed25519 key that begins with the letter: of such byte strings about every second is a point. */
void make_key(uint8_t rdata[3 + 32], char letter)
{
	struct ipseckey record;
	struct pubkey *key;
	enum ike_err err;

	memset(rdata, 0, 3 + 32);
	rdata[0] = 10;
	rdata[2] = IPSECKEY_EDDSA;
	rdata[3] = rdata[4] = (uint8_t)letter;
	do {
		rdata[5]++;
		assert_int_equal(ipseckey_read(span_of(rdata, 3 + 32), &record), IKE_OK);
		err = pubkey_read(&record, &key, NULL);
		pubkey_free(key);
	} while (err != IKE_OK);
}

/* In the order of their letters: all have the same precedence. */
static struct keyset *keyset_of(const char *letters, const char *address)
{
	const struct ip_addr a = address_of(address);
	uint8_t rdata[RP_KEYS_MAX][3 + 32];
	struct span spans[RP_KEYS_MAX];
	struct keyset *set;
	const char *why;
	unsigned n = 0;

	for (; letters[n]; n++) {
		make_key(rdata[n], letters[n]);
		spans[n] = span_of(rdata[n], sizeof rdata[n]);
	}
	assert_int_equal(keyset_new(spans, n, &a, &set, &why), IKE_OK);
	return set;
}

enum rp_reason authorize_named(struct world *w, const char *address, const char *keys, uint32_t *reqid)
{
	const struct ike_client client = { .path = path_of(w, address), .behind = w->behind };
	struct keyset *set = keyset_of(keys, address);
	enum rp_reason reason = tunnels_authorize(w->t, &client, set, reqid, w->now_ms);

	keyset_unref(set);
	take_outputs(w);
	return reason;
}

ike_handle named_client_up(struct world *w, const char *address, uint32_t reqid, const char *name, const char *keys, uint8_t spi,
			   bool initial_contact)
{
	struct double_sa *sa = &w->sas[w->n_sas++];
	const struct dnsname client = name_of(name);
	struct ike_event e;

	assert_true(w->n_sas < SAS_MAX);
	*sa = (struct double_sa){ .path = path_of(w, address), .reqid = reqid, .up = true,
				  .spi = spi, .keys = keyset_of(keys, address) };
	e = event_of(w, w->n_sas, EV_ESTABLISHED);
	e.initial_contact = initial_contact;
	e.tunnel.peer_name = &client;
	e.tunnel.peer_keys = sa->keys;
	e.tunnel.spi_in = 0x1000 + w->n_sas;
	e.tunnel.spi_out = 0x2000 + w->n_sas;
	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
	return e.tunnel.sa;
}

ike_handle client_up(struct world *w, const char *address, uint32_t reqid)
{
	struct double_sa *sa = &w->sas[w->n_sas++];
	struct ike_event e;

	assert_true(w->n_sas < SAS_MAX);
	*sa = (struct double_sa){ .path = path_of(w, address), .reqid = reqid, .up = true,
				  .assigned = w->assigned };
	e = event_of(w, w->n_sas, EV_ESTABLISHED);
	tunnels_ike_event(w->t, &e, w->now_ms);
	take_outputs(w);
	return e.tunnel.sa;
}

/* The host --------------------------------------------------------------------------------------------------------- */

static enum ike_err source_address(void *arg, const struct ip_addr *remote, struct ip_addr *local)
{
	const struct world *w = arg;

	*local = remote->family != IP_V6 ? w->local : address_of(w->v6_link_local ? "fe80::1" : OUR_V6);
	if (w->v6_link_local && remote->family == IP_V6)
		return IKE_OK;
	return w->no_route || (remote->family == IP_V6 ? w->no_route_v6 || w->v6_gone : w->no_route_v4) ? IKE_E_REFUSED : IKE_OK;
}

static bool is_own_address(void *arg, const struct ip_addr *a)
{
	const struct world *w = arg;
	struct ip_addr v6 = address_of(OUR_V6);

	return ip_equal(a, &w->local) || ip_equal(a, &w->other) || (ip_equal(a, &v6) && !w->v6_gone);
}

static bool is_behind(void *arg, const struct ip_addr *a)
{
	return !is_own_address(arg, a) && !((const struct world *)arg)->nobody_behind;
}

static enum ike_err traffic(void *arg, uint32_t reqid, uint32_t spi_in, uint32_t spi_out, const struct ip_addr *local,
			    const struct ip_addr *remote, struct sa_traffic *out)
{
	const struct world *w = arg;

	(void)spi_in, (void)spi_out;
	assert_int_equal(local->family, remote->family);        /* the ends of one SA */
	*out = w->traffic;
	for (unsigned i = 0; i < w->n_sas; i++) {
		if (w->sas[i].reqid == reqid && w->sas[i].idle_s != 0)
			out->idle_in_s = out->idle_out_s = w->sas[i].idle_s;
	}
	return w->traffic_err;
}

static void fill(void *arg, void *to, size_t n)
{
	(void)arg;
	memset(to, 0, n);       /* chance is at its mildest: jittered() takes nothing off */
}

static void write_log(void *arg, enum log_level level, const char *text)
{
	struct world *w = arg;

	(void)level;
	snprintf(w->last_log, sizeof w->last_log, "%s", text);
}

static void see_output(struct world *w, const struct tunnel_output *out)
{
	struct seen_verdict *v = &w->verdicts[w->n_verdicts];
	unsigned n = w->n_verdicts + w->n_downs + w->n_unprotects;

	assert_true(n < SEEN_MAX);
	switch (out->kind) {
	case TUNNEL_VERDICT:
		w->order[n] = 'v';
		v->client = out->client;
		v->id = (uint32_t)out->id;
		v->verdict = out->verdict;
		assert_true(out->verdict.reason_text.n <= RP_REASON_TEXT_MAX);
		memcpy(v->text, out->verdict.reason_text.p, out->verdict.reason_text.n);
		v->text[out->verdict.reason_text.n] = '\0';
		w->n_verdicts++;
		break;
	case TUNNEL_DOWN:
		w->order[n] = 'd';
		w->downs[w->n_downs++] = out->down;
		break;
	case TUNNEL_KERNEL:
		if (out->kernel.op == KERNEL_UNPROTECT) {
			w->order[n] = 'k';
			w->unprotects[w->n_unprotects++] = out->kernel;
		} else if (out->kernel.op == KERNEL_RETIRE) {
			w->retired[w->n_retired++] = out->kernel;
		} else {
			assert_true(out->kernel.op == KERNEL_PASS || out->kernel.op == KERNEL_UNPASS);
			assert_true(w->n_passes < PASSES_SEEN_MAX);
			w->passes[w->n_passes++] = out->kernel;
		}
		tunnels_kernel_done(w->t, out->id, w->kernel_err, w->now_ms);
		break;
	}
}

void take_outputs(struct world *w)
{
	struct tunnel_output out;
	bool more;

	do {
		more = w->n_pending > 0;
		if (more) {
			struct ike_event e = w->pending[0];

			memmove(w->pending, w->pending + 1, --w->n_pending * sizeof e);
			tunnels_ike_event(w->t, &e, w->now_ms);
		}
		while (tunnels_next_output(w->t, &out)) {
			see_output(w, &out);
			more = true;
		}
	} while (more);
}

void acquire(struct world *w, const char *local, const char *remote)
{
	const struct ip_addr from = address_of(local), to = address_of(remote);

	tunnels_acquire(w->t, &from, &to, w->now_ms);
	take_outputs(w);
	advance(w, 0);
}

void advance(struct world *w, uint64_t ms)
{
	uint64_t until_ms = w->now_ms + ms;
	unsigned steps = 0;

	while (tunnels_deadline_ms(w->t) <= until_ms) {
		uint64_t due_ms = tunnels_deadline_ms(w->t);

		assert_true(++steps < 100000);  /* a deadline that tick() does not move would spin the daemon */
		w->now_ms = due_ms > w->now_ms ? due_ms : w->now_ms;
		tunnels_tick(w->t, w->now_ms);
		take_outputs(w);
	}
	w->now_ms = until_ms;
}

/* Asking and looking --------------------------------------------------------------------------------------------------- */

/* What a request comes to at once is what `oe why` would have said, and what it says afterwards. Limits are not foreseen. */
static void assert_foreseen(const struct world *w, const struct rp_establish *q, uint32_t id, const struct tunnel_prospect *prospect)
{
	const struct seen_verdict *seen = verdict_of(w, id);
	const struct rp_verdict *v = seen ? &seen->verdict : NULL;
	bool limited = v && (v->reason == REASON_LIMIT || v->reason == REASON_SHUTDOWN);
	struct tunnel_decision decision;

	if (q->n_addresses == 1 && prospect->kind != PROSPECT_TRY && !limited) {
		assert_non_null(v);
		assert_int_equal(v->kind, prospect->kind == PROSPECT_REFUSED ? RP_REFUSE :
					  prospect->kind == PROSPECT_CLEAR ? RP_CLEAR : RP_ALLOW);
		assert_int_equal(v->reason, prospect->reason);
		if (v->kind != RP_CLEAR)
			assert_string_equal(seen->text, prospect->detail);
	}
	if (!v)
		return;
	assert_true(tunnels_decision(w->t, &q->owner, &decision));
	assert_int_equal(decision.kind, v->kind);
	assert_int_equal(decision.reason, v->reason);
	assert_int_equal(decision.n, q->n_addresses);
	for (unsigned i = 0; i < decision.n; i++) {
		assert_true(ip_equal(&decision.at[i].address, &q->addresses[i]));
		assert_int_equal(decision.at[i].reason, v->kind == RP_CLEAR ? REASON_NONE : v->address[i].reason);
	}
}

enum ike_err ask_for(struct world *w, uint64_t client, uint32_t id, const struct rp_establish *q)
{
	struct tunnel_prospect prospect;
	enum ike_err err;

	tunnels_prospect(w->t, q, 0, w->now_ms, &prospect);
	err = tunnels_request(w->t, client, id, q, w->now_ms);
	take_outputs(w);
	if (err == IKE_OK && client == 1)
		assert_foreseen(w, q, id, &prospect);
	return err;
}

enum ike_err ask_as(struct world *w, uint64_t client, uint32_t id, const char *owner, const char *keys, const char *addresses)
{
	struct rp_establish q = { .owner = name_of(owner), .ttl_s = w->ttl_s, .deadline_ms = w->deadline_ms };
	static uint8_t rdata[RP_KEYS_MAX][3 + 32];
	char list[512], *one, *rest = list;

	for (; *keys; keys++) {
		uint8_t *r = rdata[q.n_keys];

		make_key(r, *keys);
		q.keys[q.n_keys++] = span_of(r, *keys == '!' ? 4 : sizeof rdata[0]);
	}
	snprintf(list, sizeof list, "%s", addresses);
	while ((one = strtok_r(rest, " ", &rest)) != NULL)
		q.addresses[q.n_addresses++] = address_of(one);
	return ask_for(w, client, id, &q);
}

void ask(struct world *w, uint32_t id, const char *owner, const char *keys, const char *addresses)
{
	assert_int_equal(ask_as(w, 1, id, owner, keys, addresses), IKE_OK);
}

const struct seen_verdict *verdict_of(const struct world *w, uint32_t id)
{
	const struct seen_verdict *found = NULL;
	unsigned i;

	for (i = 0; i < w->n_verdicts; i++) {
		if (w->verdicts[i].id != id)
			continue;
		assert_null(found);
		found = &w->verdicts[i];
	}
	return found;
}

/* Each verdict must be one that the protocol can carry. */
static const struct rp_verdict *sendable_verdict(const struct world *w, uint32_t id)
{
	const struct seen_verdict *seen = verdict_of(w, id);
	struct rp_message m = { .type = RP_VERDICT, .id = id };
	static uint8_t buffer[4096];
	struct wr to = wr_over(buffer, sizeof buffer);

	if (!seen)
		fail_msg("request %u has no verdict", id);
	m.u.verdict = seen->verdict;
	m.u.verdict.reason_text = span_of(seen->text, strlen(seen->text));
	assert_int_equal(rp_write(&m, &to), IKE_OK);
	return &seen->verdict;
}

void assert_allowed(const struct world *w, uint32_t id)
{
	const struct rp_verdict *v = sendable_verdict(w, id);

	if (v->kind != RP_ALLOW)
		fail_msg("request %u refused: %s", id, rp_reason_text(v->reason));
	assert_int_equal(v->reason, REASON_NONE);
}

void assert_refused(const struct world *w, uint32_t id, enum rp_reason reason)
{
	const struct rp_verdict *v = sendable_verdict(w, id);

	assert_int_equal(v->kind, RP_REFUSE);
	assert_string_equal(rp_reason_word(v->reason), rp_reason_word(reason));
	assert_int_equal(v->ttl_cap_s, 0);
}

void assert_waiting(const struct world *w, uint32_t id)
{
	assert_null(verdict_of(w, id));
}

struct tunnel_info info_of(struct world *w, const char *address)
{
	const struct ip_addr want = address_of(address);
	struct tunnel_info info, found = { 0 };
	uint64_t cursor = 0;

	while (tunnels_next(w->t, &cursor, &info)) {
		if (ip_equal(&info.remote, &want) && info.state != TUNNEL_ESTABLISHING)
			found = info;
	}
	return found;
}

int state_of(const struct world *w, const char *address)
{
	const struct ip_addr want = address_of(address);
	struct tunnel_info info;
	uint64_t cursor = 0;
	int state = -1;

	while (tunnels_next(w->t, &cursor, &info)) {
		if (ip_equal(&info.remote, &want) && (state == -1 || info.state != TUNNEL_ESTABLISHING))
			state = (int)info.state;
	}
	return state;
}

unsigned downs_for(const struct world *w, const char *owner)
{
	const struct dnsname want = name_of(owner);
	unsigned i, n = 0;

	for (i = 0; i < w->n_downs; i++)
		n += dnsname_equal(&w->downs[i].owner, &want);
	return n;
}

void protect(struct world *w, const char *owner, const char *address)
{
	static uint32_t id = 100000;

	ask(w, ++id, owner, "A", address);
	core_up(w, w->n_sas, 'A');
	assert_allowed(w, id);
}

void be_idle(struct world *w, uint32_t seconds)
{
	w->traffic.idle_in_s = w->traffic.idle_out_s = seconds;
}

static void on_event(void *arg, const struct tunnel_event *event)
{
	struct world *w = arg;

	assert_non_null(event->detail);
	if (w->n_events < SEEN_MAX)
		w->events[w->n_events++] = event->kind;
}

/* Setup ------------------------------------------------------------------------------------------------------------------ */

static void start(struct world *w)
{
	assert_int_equal(tunnels_new(&w->config, &w->env, (struct ike *)(void *)w, &w->rng, &w->log, &w->t), IKE_OK);
}

void world_restart(struct world *w)
{
	tunnels_free(w->t);
	start(w);
}

int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->env = (struct tunnel_env){ w, source_address, is_own_address, is_behind, traffic, on_event };
	w->rng = (struct rng){ fill, w };
	w->log = (struct log){ write_log, w, LOG_LEVEL_DEBUG };
	w->config = (struct tunnel_config){ .accept_anonymous = true };
	w->now_ms = 1000000;
	w->ttl_s = 300;
	w->deadline_ms = 1500;
	w->local = address_of("198.51.100.1");
	w->traffic.packets_in = w->traffic.packets_out = 1;
	start(w);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;
	unsigned i;

	tunnels_free(w->t);
	for (i = 0; i < w->n_sas; i++)
		keyset_unref(w->sas[i].keys);
	free(w);
	return 0;
}
