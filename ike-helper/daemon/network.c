/* network.c - the network process of oe-iked: the order in which its parts start and stop. */
#include "config.h"

#include "daemon/network.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "daemon/bridge.h"
#include "daemon/controld.h"
#include "daemon/keylookup.h"
#include "daemon/link.h"
#include "daemon/loop.h"
#include "daemon/net.h"
#include "daemon/qcd_secret.h"
#include "daemon/reload.h"
#include "daemon/route.h"
#include "daemon/signer.h"
#include "daemon/startup.h"
#include "daemon/validation.h"
#include "ike/ike.h"
#include "kernel/far.h"
#include "kernel/inner.h"
#include "kernel/kernel.h"
#include "tunnel/tunnel.h"

struct random {
	size_t left;                    /* the first bytes are not used yet */
	uint8_t b[512];
};

struct network {
	struct setup *setup;
	struct channels channels;
	struct random random;
	struct rng rng;
	struct secret qcd_secret;
	struct tunnel_env env;
	struct bridge bridge;
	char post_quantum[80];
	bool lost;                      /* the keeper is gone */
};

/* Steps of the start --------------------------------------------------------------------------- */

static enum ike_err start_libraries(struct network *n)
{
	(void)n;
	/* No configuration file of the system may load code into this process. */
	if (sodium_init() < 0 || OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return startup_failed("the crypto libraries do not start");
	return IKE_OK;
}

static enum ike_err start_key(struct network *n)
{
	static const char label[] = "unbound-oe QCD_SECRET";
	char error[SIGNER_ERROR_MAX];

	if (n->setup->conf.server_key[0] == '\0' ||
	    signer_open(n->setup->conf.server_key, &n->setup->sandbox, &n->setup->log, span_of(label, sizeof label - 1), &n->qcd_secret,
			&n->bridge.signer, error) == IKE_OK)
		return IKE_OK;
	return startup_failed("%s", error);
}

static void on_due(void *arg)
{
	struct network *n = arg;

	bridge_due(&n->bridge);
}

static void on_stop(void *arg)
{
	struct network *n = arg;

	bridge_stop(&n->bridge);
}

static void on_lost(void *arg)
{
	struct network *n = arg;

	n->lost = true;
	loop_end(n->bridge.loop);
}

static struct tunnel_config tunnel_config_of(const struct setup *setup)
{
	const struct conf *conf = &setup->conf;

	return (struct tunnel_config){
		.allow_private = conf->allow_private,
		.accept_anonymous = conf->accept_anonymous,
		.accept_identified = conf->accept_identified,
		.identify_to = conf->identify_to.at,
		.n_identify_to = conf->identify_to.n,
		.trust_gateways = conf->trust_gateways.at,
		.n_trust_gateways = conf->trust_gateways.n,
		.groups = &setup->groups,
		.tunnels_max = conf->tunnels_max,
		.anonymous_max = conf->anonymous_max,
		.anonymous_per_source = conf->anonymous_per_source,
		.establishing_max = conf->establishing_max,
		.attempt_ms = conf->attempt_ms,
		.idle_s = conf->idle_s,
		.soft_life_s = conf->soft_life_s,
		.ike_life_s = conf->ike_life_s,
		.ike_port = (uint16_t)conf->ike_port,
		.peer_port = (uint16_t)conf->peer_port,
		.always_encapsulate = conf->always_encapsulate,
	};
}

/* This process cannot open files. */
static enum ike_err ask_for_conf(struct network *n, struct setup_conf *out)
{
	static const uint8_t word = SETUP_CALL_RELOAD;
	ssize_t got = -1;

	if (send(n->channels.calls, &word, sizeof word, MSG_NOSIGNAL) == (ssize_t)sizeof word)
		do {
			got = recv(n->channels.calls, out, sizeof *out, 0);
		} while (got < 0 && errno == EINTR);
	if (got == (ssize_t)sizeof *out)
		return out->err;
	snprintf(out->error, sizeof out->error, "the process that reads it %s", got == 1 ? "cannot send it (net.core.wmem_default)" : "is gone");
	return IKE_E_CONFIG;
}

/* What is new in new is in use from now on; *out says what that is. */
static void take_conf(struct network *n, const struct setup_conf *new, struct reload *out)
{
	struct setup *s = n->setup;
	struct tunnel_config tunnels;

	reload_take(&s->conf, &new->conf, out);
	if (groups_digest(&s->groups) != groups_digest(&new->groups))
		reload_note(out, "policy groups");
	s->groups = new->groups;
	s->log.max = s->conf.log_level;
	tunnels = tunnel_config_of(s);
	tunnels_configure(n->bridge.tunnels, &tunnels);
	link_groups(n->bridge.link);
	for (unsigned i = 0; i < out->n_restart; i++)
		log_error(&s->log, "%s has changed in %s: restart oe-iked to use it", out->restart[i], s->file);
	for (unsigned i = 0; i < out->n_changed; i++)
		log_info(&s->log, "%s has changed", out->changed[i]);
	log_info(&s->log, "read %s again", s->file);
}

/* The control socket asks. */
static enum ike_err on_reload_asked(void *arg, struct reload *out)
{
	struct setup_conf *new = calloc(1, sizeof *new);
	struct network *n = arg;
	enum ike_err err;

	memset(out, 0, sizeof *out);
	if (!new) {
		snprintf(out->error, sizeof out->error, "out of memory");
		return IKE_E_NOMEM;
	}
	err = ask_for_conf(n, new);
	if (err == IKE_OK) {
		take_conf(n, new, out);
	} else {
		snprintf(out->error, sizeof out->error, "%s", new->error);
		log_error(&n->setup->log, "nothing changed: %s", out->error);
	}
	free(new);
	return err;
}

static void on_reload(void *arg)
{
	struct reload reload;

	/* What went wrong is in the log. */
	(void)!on_reload_asked(arg, &reload);
}

static uint64_t on_groups_asked(void *arg)
{
	struct network *n = arg;

	return groups_digest(&n->setup->groups);
}

static void on_kernel(void *arg)
{
	struct network *n = arg;

	bridge_kernel_events(&n->bridge);
}

static void on_guard(void *arg)
{
	struct network *n = arg;

	bridge_guard(&n->bridge);
}

static void on_routes(void *arg)
{
	struct network *n = arg;

	bridge_route_events(&n->bridge);
}

static void on_changed(void *arg)
{
	struct network *n = arg;

	bridge_pump(&n->bridge);
}

static uint64_t on_time_asked(void *arg)
{
	(void)arg;
	return loop_now_ms();
}

/* The core wants a few bytes at a time, a handful of times for a tunnel; the kernel is asked for more at once. What has been
 * given out is wiped here. No child of this process takes any. */
static void fill_random(void *arg, void *to, size_t n)
{
	struct random *r = arg;

	if (n > sizeof r->b) {
		randombytes_buf(to, n);
		return;
	}
	if (n > r->left) {
		randombytes_buf(r->b, sizeof r->b);
		r->left = sizeof r->b;
	}
	r->left -= n;
	memcpy(to, r->b + r->left, n);
	secret_wipe(r->b + r->left, n);
}

/* What is added to the key exchange; said in the log, and to `oe version`. */
static const struct kem *find_kem(struct network *n)
{
	const struct kem *kem = n->setup->conf.post_quantum ? kem_mlkem768() : NULL;

	if (kem)
		snprintf(n->post_quantum, sizeof n->post_quantum, "ML-KEM-768");
	else if (n->setup->conf.post_quantum)
		snprintf(n->post_quantum, sizeof n->post_quantum, "none (libcrypto %s has no ML-KEM-768)",
			 OpenSSL_version(OPENSSL_VERSION_STRING));
	else
		snprintf(n->post_quantum, sizeof n->post_quantum, "none (post-quantum: no)");
	log_info(&n->setup->log, "post-quantum key exchange: %s", n->post_quantum);
	return kem;
}

/* By what hosts learn that we have restarted; nothing if it would not outlive us. */
static enum ike_err start_qcd(struct network *n)
{
	char error[QCD_SECRET_ERROR_MAX];

	n->rng.fill = fill_random;
	n->rng.arg = &n->random;
	if (!n->setup->conf.qcd) {
		secret_clear(&n->qcd_secret);
		return IKE_OK;
	}
	if (n->setup->conf.qcd_secret[0] != '\0')
		return qcd_secret_read(n->setup->conf.qcd_secret, &n->rng, &n->qcd_secret, error) == IKE_OK ? IKE_OK : startup_failed("%s", error);
	return IKE_OK;
}

static enum ike_err start_core(struct network *n)
{
	const struct conf *conf = &n->setup->conf;
	const struct ike_config ike = {
		.respond = n->bridge.signer != NULL,
		.sas_max = 2 * conf->tunnels_max,       /* while a tunnel is renewed it has two */
		.half_open_max = conf->half_open_max,
		.half_open_per_source = conf->half_open_per_source,
		.cookie_threshold = conf->cookie_threshold,
		.always_cookie = conf->always_cookie,
		.kem = find_kem(n),
		.fragment_max = conf->fragment_size,
		.natt_port = (uint16_t)conf->natt_port,
		.always_encapsulate = conf->always_encapsulate,
		.identity = conf->server_identity,
		.pool_v4 = conf->pool.v4.first,
		.pool_v4_size = conf->pool.v4.n,
		.pool_v6 = conf->pool.v6.first,
		.pool_v6_size = conf->pool.v6.n,
		.qcd_secret = secret_span(&n->qcd_secret),
	};
	const struct tunnel_config tunnels = tunnel_config_of(n->setup);

	bridge_tunnel_env(&n->bridge, &n->env);
	if (ike_new(&ike, &n->rng, &n->setup->log, &n->bridge.ike) != IKE_OK ||
	    tunnels_new(&tunnels, &n->env, n->bridge.ike, &n->rng, &n->setup->log, &n->bridge.tunnels) !=
		    IKE_OK)
		return startup_failed("out of memory");
	return IKE_OK;
}

static enum ike_err start_loop(struct network *n)
{
	const struct loop_user user = { .arg = n, .due = on_due };
	const struct ip_endpoint *resolver = &n->setup->conf.resolver;
	struct event_base *base;
	struct keylookup_user lookup;
	struct validation_user validation;
	struct net_user net;

	if (loop_new(&user, &n->bridge.loop) != IKE_OK)
		return startup_failed("cannot make the event loop: %s", strerror(errno));
	base = loop_base(n->bridge.loop);
	if (n->setup->conf.accept_identified) {
		bridge_keylookup_user(&n->bridge, &lookup);
		if (keylookup_new(base, resolver, n->channels.calls, &n->rng, &lookup, &n->bridge.keylookup) != IKE_OK)
			return startup_failed("cannot prepare lookups through the resolver");
	}
	bridge_validation_user(&n->bridge, &validation);
	if (validation_new(base, resolver, n->channels.calls, &n->rng, &validation, &n->bridge.validation) != IKE_OK)
		return startup_failed("cannot prepare questions to the resolver");
	bridge_net_user(&n->bridge, &net);
	if (net_start(n->bridge.net, base, &net) != IKE_OK ||
	    loop_watch(n->bridge.loop, kernel_event_fd(n->bridge.kernel), on_kernel) != IKE_OK ||
	    loop_watch(n->bridge.loop, kernel_guard_fd(n->bridge.kernel), on_guard) != IKE_OK ||
	    loop_watch(n->bridge.loop, route_event_fd(n->bridge.route), on_routes) != IKE_OK)
		return startup_failed("out of memory");
	return IKE_OK;
}

static enum ike_err start_far(struct network *n)
{
	const struct log *log = &n->setup->log;

	if (route_open(&n->setup->conf, &n->bridge.route) != IKE_OK)
		return startup_failed("cannot ask the kernel for routes");
	if (kernel_far_open(log, n->channels.calls, n->channels.events, n->channels.losses, &n->bridge.kernel) != IKE_OK ||
	    inner_far_open(log, &n->channels.calls, &n->bridge.inner) != IKE_OK)
		return startup_failed("out of memory");
	return IKE_OK;
}

static enum ike_err start_service(struct network *n)
{
	struct event_base *base = loop_base(n->bridge.loop);
	struct link_user resolver;
	struct controld_user people;
	int listener = n->setup->control_listener;

	bridge_link_user(&n->bridge, &resolver);
	resolver.owner = n;
	resolver.stop = on_stop;
	resolver.reload = on_reload;
	resolver.groups = on_groups_asked;
	resolver.lost = on_lost;
	if (link_new(base, n->channels.link, &resolver, n->bridge.log, &n->bridge.link) != IKE_OK)
		return startup_failed("out of memory");
	people = (struct controld_user){
		.arg = n,
		.now_ms = on_time_asked,
		.started_ms = loop_now_ms(),
		.done = on_changed,
		.reload = on_reload_asked,
		.tunnels = n->bridge.tunnels,
		.ike = n->bridge.ike,
		.groups = &n->setup->groups,
		.serves = n->bridge.signer != NULL,
		.post_quantum = n->post_quantum,
		.net = n->bridge.net,
		.link = n->bridge.link,
	};
	n->setup->control_listener = -1;
	if (controld_new(base, listener, &people, n->bridge.log, &n->bridge.controld) != IKE_OK)
		return startup_failed("out of memory");
	return IKE_OK;
}

static enum ike_err start_finish(struct network *n)
{
	startup_trim();
	startup_detach();
	if (sandbox_enter(&n->setup->sandbox, &n->setup->log) != IKE_OK)
		return IKE_E_IO;
	bridge_pump(&n->bridge);
	link_ready(n->bridge.link);
	return IKE_OK;
}

static enum ike_err start(struct network *n)
{
	static enum ike_err (*const steps[])(struct network *n) = {
		start_key,              /* server-key: a process of its own, before there is much in this one */
		start_libraries,        /* randomness, ciphers */
		start_qcd,              /* qcd-secret */
		start_far,              /* routes, and the kernel through the keeper */
		start_core,             /* IKE, tunnels */
		start_loop,             /* timer, network, kernel events */
		start_service,          /* the resolver through the keeper, the control socket */
		start_finish,           /* give up privileges, say ready */
	};
	enum ike_err err = IKE_OK;

	for (size_t i = 0; err == IKE_OK && i < sizeof steps / sizeof *steps; i++)
		err = steps[i](n);
	return err;
}

/* In reverse. */
static void finish(struct network *n)
{
	struct bridge *b = &n->bridge;

	controld_free(b->controld);
	b->controld = NULL;
	if (n->setup->control_listener >= 0)
		close(n->setup->control_listener);
	validation_free(b->validation);
	keylookup_free(b->keylookup);
	tunnels_free(b->tunnels);
	ike_free(b->ike);
	inner_close(b->inner, false);
	kernel_leave(b->kernel);
	route_close(b->route);
	net_close(b->net);
	link_free(b->link);
	loop_free(b->loop);
	signer_close(b->signer);
	secret_clear(&n->qcd_secret);
}

/* A terminal and a service manager send these to all processes of a program: what is to be done about it the keeper says. And
 * without the keeper there is nothing to do any more. */
static bool leave_signals_to_keeper(void)
{
	return signal(SIGTERM, SIG_IGN) != SIG_ERR && signal(SIGINT, SIG_IGN) != SIG_ERR && signal(SIGHUP, SIG_IGN) != SIG_ERR &&
	       prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

int network_run(struct setup *setup, const struct channels *channels)
{
	static struct network n = { .bridge = { .trim_at_ms = UINT64_MAX, .guard_at_ms = UINT64_MAX, .stop_by_ms = UINT64_MAX } };
	bool stopped;

	n.setup = setup;
	n.channels = *channels;
	n.bridge.log = &setup->log;
	n.bridge.net = setup->net;
	n.bridge.slept_ms = loop_slept_ms();
	stopped = leave_signals_to_keeper() && start(&n) == IKE_OK && loop_run(n.bridge.loop) == IKE_OK && !n.lost;
	finish(&n);
	return stopped ? EXIT_SUCCESS : EXIT_FAILURE;
}
