#include "config.h"

#include "daemon/bridge.h"

#include <malloc.h>

#include "base/secret.h"
#include "daemon/controld.h"
#include "daemon/keylookup.h"
#include "daemon/link.h"
#include "daemon/loop.h"
#include "daemon/net.h"
#include "daemon/route.h"
#include "daemon/signer.h"
#include "daemon/validation.h"
#include "ike/ike.h"
#include "kernel/inner.h"
#include "kernel/kernel.h"
#include "kernel/plan.h"
#include "tunnel/tunnel.h"

/* Outputs -------------------------------------------------------------------------------------- */

static void do_sign(struct bridge *b, const struct ike_output *out, uint64_t now_ms)
{
	uint8_t value[SIGNER_VALUE_MAX];
	struct wr w = wr_over(value, sizeof value);
	uint8_t method = AUTH_SIGNATURE;
	enum ike_err err = signer_sign(b->signer, out->u.sign.hashes, out->u.sign.parts, IKE_SIGNED_PARTS, &method, &w);

	/* That the peer takes no signature of our kind is said by the core, with its name. */
	if (err != IKE_OK && err != IKE_E_UNSUPPORTED)
		log_error(b->log, "cannot sign with our own key: %s", ike_err_text(err));
	ike_signed(b->ike, out->id, err, method, err == IKE_OK ? wr_span(&w) : span_of(NULL, 0), now_ms);
}

static void decide(struct bridge *b, uint64_t id, const struct ike_client *client, struct keyset *keys, uint64_t now_ms)
{
	uint32_t reqid = 0;
	enum rp_reason refuse = tunnels_authorize(b->tunnels, client, keys, &reqid, now_ms);

	ike_authorized(b->ike, id, refuse, "", keys, reqid, now_ms);
}

/* One that says who it is: DNS is asked first, unless it may not come in anyway. */
static void do_authorize(struct bridge *b, const struct ike_output *out, uint64_t now_ms)
{
	const struct ike_client client = out->u.authorize.client;
	const struct dnsname claimed = out->u.authorize.claimed;
	enum rp_reason refuse = REASON_PEER_REFUSED;

	if (claimed.n == 0) {
		decide(b, out->id, &client, NULL, now_ms);
		return;
	}
	if (b->keylookup)
		refuse = tunnels_consider(b->tunnels, &client, &claimed, now_ms);
	if (refuse == REASON_NONE)
		keylookup_start(b->keylookup, out->id, &client, &claimed);
	else
		ike_authorized(b->ike, out->id, refuse, "", NULL, 0, now_ms);
}

static void on_found(void *arg, uint64_t id, const struct ike_client *client, enum rp_reason reason, const char *detail,
		     struct keyset *keys)
{
	struct bridge *b = arg;

	if (reason == REASON_NONE)
		decide(b, id, client, keys, loop_now_ms());
	else
		ike_authorized(b->ike, id, reason, detail, NULL, 0, loop_now_ms());
}

static enum ike_err take_assigned(struct bridge *b, const struct kernel_request *r, bool *fresh)
{
	char address[IP_TEXT_MAX], remote[IP_TEXT_MAX];

	/* It would be ours, and what is sent there would not leave this host any more. */
	if (tunnels_has_host(b->tunnels, &r->inner_local)) {
		log_error(b->log, "%s, which %s assigned, is not taken: it is the address of a host with a tunnel",
			  ip_text(&r->inner_local, address), ip_text(&r->inner_remote, remote));
		return IKE_E_CONFLICT;
	}
	return inner_add(b->inner, &r->inner_local, &r->local, &r->inner_remote, fresh);
}

/* An address that the host has assigned is there before the policies that protect it, and goes before them: so there is no
 * moment at which its packets could leave in clear while the host counts as protected. So it is with the route to an address that we
 * have assigned. */
static enum ike_err apply(struct bridge *b, const struct kernel_request *r)
{
	bool tunnel = request_is_tunnel(r);
	bool assigned = request_is_from_assigned(r);
	/* What is behind a gateway has another address too, but a shield; the last request for any of them may end one. */
	bool other = tunnel && !ip_equal(&r->inner_remote, &r->remote);
	bool client = other && !r->shield;
	bool fresh = false;
	enum ike_err err = IKE_OK;

	/* What was assigned may end when the tunnel is of another family already. */
	if (tunnel && (r->op == KERNEL_UNPROTECT || r->op == KERNEL_RETIRE))
		inner_remove(b->inner, &r->inner_local, &r->inner_remote);
	if (other && r->op == KERNEL_UNPROTECT)
		inner_client_remove(b->inner, &r->inner_remote);
	if (assigned && r->op == KERNEL_PROTECT)
		err = take_assigned(b, r, &fresh);
	else if (client && r->op == KERNEL_PROTECT)
		err = inner_client_add(b->inner, &r->inner_remote, &r->local, &r->remote);
	if (err == IKE_OK)
		err = kernel_apply(b->kernel, r);
	if (err != IKE_OK && fresh)
		inner_remove(b->inner, &r->inner_local, &r->inner_remote);
	if (err != IKE_OK && client && r->op == KERNEL_PROTECT)
		inner_client_remove(b->inner, &r->inner_remote);
	return err;
}

/* The request holds keys: it is wiped here, as soon as the kernel has them. */
static enum ike_err do_kernel(struct bridge *b, struct kernel_request *request)
{
	enum ike_err err = apply(b, request);

	secret_wipe(request, sizeof *request);
	return err;
}

static void do_ike_output(struct bridge *b, struct ike_output *out, uint64_t now_ms)
{
	switch (out->kind) {
	case OUT_SEND:
		net_send(b->net, &out->u.send.path, out->u.send.datagram);
		break;
	case OUT_KERNEL: {
		enum ike_err err = do_kernel(b, &out->u.kernel);

		ike_done(b->ike, out->id, err, now_ms);
		break;
	}
	case OUT_SIGN:
		do_sign(b, out, now_ms);
		break;
	case OUT_AUTHORIZE:
		do_authorize(b, out, now_ms);
		break;
	case OUT_EVENT:
		tunnels_ike_event(b->tunnels, &out->u.event, now_ms);
		break;
	}
}

static void do_tunnel_output(struct bridge *b, struct tunnel_output *out, uint64_t now_ms)
{
	switch (out->kind) {
	case TUNNEL_VERDICT:
		link_verdict(b->link, out->client, (uint32_t)out->id, &out->verdict);
		break;
	case TUNNEL_DOWN:
		link_down(b->link, &out->down);
		break;
	case TUNNEL_KERNEL: {
		enum ike_err err = do_kernel(b, &out->kernel);

		tunnels_kernel_done(b->tunnels, out->id, err, now_ms);
		break;
	}
	}
}

/* The allocator keeps what tunnels used. A moment after a crowd has gone the system gets it back;
 * not at once, since crowds go one by one. */
static void give_memory_back(struct bridge *b, uint64_t now_ms)
{
	enum { CROWD = 64, WAIT_MS = 2000 };
	unsigned now = tunnels_count(b->tunnels) + ike_load(b->ike).sas;

	if (now > b->heap_peak)
		b->heap_peak = now;
	if (b->heap_peak - now < CROWD)
		return;
	if (b->trim_at_ms == UINT64_MAX) {
		b->trim_at_ms = now_ms + WAIT_MS;
	} else if (now_ms >= b->trim_at_ms) {
		b->heap_peak = now;
		b->trim_at_ms = UINT64_MAX;
		(void)malloc_trim(0);
	}
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* One reading of the clock for all that follows from one input. */
static void pump(struct bridge *b, uint64_t now_ms)
{
	struct ike_output ike;
	struct tunnel_output tunnel;
	bool busy = true;

	while (busy) {
		busy = false;
		while (ike_next_output(b->ike, &ike)) {
			busy = true;
			do_ike_output(b, &ike, now_ms);
		}
		while (tunnels_next_output(b->tunnels, &tunnel)) {
			busy = true;
			do_tunnel_output(b, &tunnel, now_ms);
		}
	}
	validation_watch(b->validation, tunnels_paused_s(b->tunnels, now_ms) > 0);
	give_memory_back(b, now_ms);
	if (b->stop_by_ms != UINT64_MAX &&
	    (tunnels_count(b->tunnels) == 0 || now_ms >= b->stop_by_ms))
		loop_end(b->loop);
	loop_wake_at(b->loop,
		     earlier(earlier(ike_deadline_ms(b->ike), tunnels_deadline_ms(b->tunnels)),
			     earlier(earlier(b->trim_at_ms, b->guard_at_ms), b->stop_by_ms)));
}

void bridge_pump(struct bridge *b)
{
	pump(b, loop_now_ms());
}

void bridge_stop(struct bridge *b)
{
	enum { STOP_MS = 3000 };

	if (b->stop_by_ms != UINT64_MAX) {
		loop_end(b->loop);
		return;
	}
	b->stop_by_ms = loop_now_ms() + STOP_MS;
	tunnels_shutdown(b->tunnels, loop_now_ms());
	bridge_pump(b);
}

/* Inputs --------------------------------------------------------------------------------------- */

/* The repair is never put off; what is said about it is. */
static void tell_put_back(struct bridge *b, unsigned n, uint64_t now_ms)
{
	enum { TELL_AGAIN_MS = 10000 };

	b->put_back += n;
	if (b->put_back == 0 || (b->put_back_told_ms != 0 && now_ms < b->put_back_told_ms + TELL_AGAIN_MS))
		return;
	log_info(b->log, "kernel: another program has removed policies of ours: %u put back", b->put_back);
	b->put_back = 0;
	b->put_back_told_ms = now_ms;
}

/* Policies first: without SAs packets are dropped, without policies they leave in clear. */
static void guard(struct bridge *b, uint64_t now_ms)
{
	enum { AGAIN_MS = 100 };
	struct kernel_losses lost;

	b->guard_at_ms = kernel_guard(b->kernel, &lost) == IKE_OK ? UINT64_MAX : now_ms + AGAIN_MS;
	tell_put_back(b, lost.policies, now_ms);
	for (unsigned i = 0; i < lost.sas.n && !lost.sas.all; i++)
		tunnels_sa_deleted(b->tunnels, lost.sas.sa[i].reqid, lost.sas.sa[i].spi, now_ms);
	if (lost.sas.all)
		tunnels_sas_flushed(b->tunnels, now_ms);
}

void bridge_guard(struct bridge *b)
{
	const uint64_t now_ms = loop_now_ms();

	guard(b, now_ms);
	pump(b, now_ms);
}

void bridge_due(struct bridge *b)
{
	enum { NAP_MS = 1000 };
	const uint64_t now_ms = loop_now_ms(), slept_ms = loop_slept_ms();

	/* The timer fires at once when the machine wakes up. */
	if (slept_ms >= b->slept_ms + NAP_MS) {
		log_info(b->log, "woke up after %llu s", (unsigned long long)(slept_ms - b->slept_ms) / 1000);
		tunnels_resumed(b->tunnels, slept_ms - b->slept_ms, now_ms);
	}
	b->slept_ms = slept_ms;
	if (now_ms >= b->guard_at_ms)
		guard(b, now_ms);
	tell_put_back(b, 0, now_ms);
	ike_tick(b->ike, now_ms);
	tunnels_tick(b->tunnels, now_ms);
	pump(b, now_ms);
}

static void on_done(void *arg)
{
	bridge_pump(arg);
}

static void on_datagram(void *arg, const struct ip_path *path, struct span datagram)
{
	struct bridge *b = arg;
	const uint64_t now_ms = loop_now_ms();

	ike_input(b->ike, path, datagram, now_ms);
	pump(b, now_ms);
}

static void on_undelivered(void *arg, struct span datagram)
{
	struct bridge *b = arg;

	ike_undelivered(b->ike, datagram);
}

void bridge_net_user(struct bridge *b, struct net_user *out)
{
	*out = (struct net_user){ .arg = b, .in = on_datagram, .undelivered = on_undelivered };
}

static enum ike_err on_request(void *arg, uint64_t client, uint32_t id,
			       const struct rp_establish *request)
{
	struct bridge *b = arg;
	const uint64_t now_ms = loop_now_ms();
	enum ike_err err = tunnels_request(b->tunnels, client, id, request, now_ms);

	/* At once: one that is answered already must not take the room of the next. */
	pump(b, now_ms);
	return err;
}

static void on_cancel(void *arg, uint64_t client, uint32_t id)
{
	struct bridge *b = arg;

	tunnels_cancel(b->tunnels, client, id);
}

static void on_gone(void *arg, uint64_t client)
{
	struct bridge *b = arg;

	tunnels_client_gone(b->tunnels, client);
}

static uint32_t on_paused_asked(void *arg)
{
	struct bridge *b = arg;

	return tunnels_paused_s(b->tunnels, loop_now_ms());
}

void bridge_link_user(struct bridge *b, struct link_user *out)
{
	*out = (struct link_user){
		.arg = b,
		.request = on_request,
		.cancel = on_cancel,
		.gone = on_gone,
		.paused_s = on_paused_asked,
	};
}

void bridge_keylookup_user(struct bridge *b, struct keylookup_user *out)
{
	*out = (struct keylookup_user){ .arg = b, .found = on_found, .done = on_done };
}

static void on_validation(void *arg)
{
	struct bridge *b = arg;

	(void)tunnels_resume(b->tunnels, "DNSSEC validates here", loop_now_ms());
}

void bridge_validation_user(struct bridge *b, struct validation_user *out)
{
	*out = (struct validation_user){ .arg = b, .works = on_validation, .done = on_done };
}

static enum ike_err env_source(void *arg, const struct ip_addr *remote, struct ip_addr *local)
{
	struct bridge *b = arg;

	/* The table names the assigned address, which is no source for IKE. */
	if (inner_local(b->inner, remote, local)) {
		if (route_is_own(b->route, local))
			return IKE_OK;
		inner_unroute(b->inner, remote);
	}
	return route_source(b->route, remote, local);
}

static bool env_is_own(void *arg, const struct ip_addr *address)
{
	struct bridge *b = arg;

	return route_is_own(b->route, address);
}

static bool env_is_behind(void *arg, const struct ip_addr *address)
{
	struct bridge *b = arg;

	return route_is_behind(b->route, address);
}

static enum ike_err env_traffic(void *arg, uint32_t reqid, uint32_t spi_in, uint32_t spi_out,
				const struct ip_addr *local, const struct ip_addr *remote,
				struct sa_traffic *out)
{
	struct bridge *b = arg;

	return kernel_traffic(b->kernel, reqid, spi_in, spi_out, local, remote, out);
}

static void env_event(void *arg, const struct tunnel_event *event)
{
	struct bridge *b = arg;

	if (b->controld)
		controld_event(b->controld, event);
}

void bridge_tunnel_env(struct bridge *b, struct tunnel_env *out)
{
	*out = (struct tunnel_env){
		.arg = b,
		.source_address = env_source,
		.is_own_address = env_is_own,
		.is_behind = env_is_behind,
		.traffic = env_traffic,
		.event = env_event,
	};
}

/* Of the kernel's events, before others have their turn: somebody whose packets we forward can make an acquire with each. */
enum { EVENTS_MAX = 64 };

void bridge_kernel_events(struct bridge *b)
{
	struct kernel_event event;
	unsigned i;

	for (i = 0; i < EVENTS_MAX && kernel_next_event(b->kernel, &event); i++)
		switch (event.kind) {
		case KERNEL_EV_ACQUIRE:
			/* Perhaps it has lost its route, by something that route.h does not tell. */
			inner_refresh(b->inner, &event.remote);
			tunnels_acquire(b->tunnels, &event.local, &event.remote, loop_now_ms());
			break;
		case KERNEL_EV_HARD_EXPIRE:
			tunnels_sa_expired(b->tunnels, event.reqid, loop_now_ms());
			break;
		case KERNEL_EV_MAPPING:
			ike_peer_seen(b->ike, event.spi, &event.from, loop_now_ms());
			break;
		case KERNEL_EV_SOFT_EXPIRE:
			log_debug(b->log, "the kernel says that SA %08x of reqid %08x grows old",
				  event.spi, event.reqid);
			tunnels_aging(b->tunnels, event.reqid, event.spi, loop_now_ms());
			break;
		}
	bridge_pump(b);
}

void bridge_route_events(struct bridge *b)
{
	struct route_event event;
	bool changed = false;
	unsigned i;

	for (i = 0; i < EVENTS_MAX && route_next_event(b->route, &event); i++)
		switch (event.kind) {
		case ROUTE_NEW_ADDRESS:
			tunnels_own_address(b->tunnels,
					    event.address.family == IP_NONE ? NULL : &event.address,
					    loop_now_ms());
			break;
		case ROUTE_ADDRESS_GONE:
			tunnels_address_gone(b->tunnels, &event.address, loop_now_ms());
			break;
		case ROUTE_CHANGED:
			changed = true;
			tunnels_network_changed(b->tunnels, loop_now_ms());
			break;
		}
	if (changed)
		inner_refresh(b->inner, NULL);
	bridge_pump(b);
}
