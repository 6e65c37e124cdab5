/* main.c - oe-iked: the order in which everything starts and stops. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "daemon/bridge.h"
#include "conf/conf.h"
#include "daemon/controld.h"
#include "daemon/group.h"
#include "daemon/keylookup.h"
#include "daemon/logger.h"
#include "daemon/loop.h"
#include "daemon/net.h"
#include "daemon/priv.h"
#include "daemon/reload.h"
#include "daemon/qcd_secret.h"
#include "daemon/resolverd.h"
#include "daemon/route.h"
#include "daemon/signer.h"
#include "daemon/startup.h"
#include "daemon/unix_socket.h"
#include "daemon/validation.h"
#include "ike/ike.h"
#include "kernel/inner.h"
#include "kernel/kernel.h"
#include "proto/control_proto.h"
#include "tunnel/tunnel.h"

enum { EXIT_USAGE = 2 };

struct options {
	const char *file;
	bool file_given, foreground, check, fake_kernel;
};

struct random {
	size_t left;                    /* the first bytes are not used yet */
	uint8_t b[512];
};

struct daemon {
	struct options options;
	struct conf conf;
	struct log log;
	struct random random;
	struct rng rng;
	struct secret qcd_secret;
	struct tunnel_env env;
	struct bridge bridge;
	char post_quantum[80];
	int control_listener;           /* until controld owns it */
};

/* What stops a start is said in words, once, where the person looks who started us. */
__attribute__((format(printf, 1, 2)))
static enum ike_err stopped(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "oe-iked: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return IKE_E_IO;
}

/* Steps of the start --------------------------------------------------------------------------- */

static enum ike_err start_libraries(struct daemon *d)
{
	(void)d;
	/* No configuration file of the system may load code into this process. */
	if (sodium_init() < 0 || OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return stopped("the crypto libraries do not start");
	return IKE_OK;
}

static enum ike_err start_key(struct daemon *d)
{
	char error[SIGNER_ERROR_MAX];

	if (d->conf.server_key[0] == '\0' ||
	    signer_open(d->conf.server_key, &d->bridge.signer, error) == IKE_OK)
		return IKE_OK;
	return stopped("%s", error);
}

/* Before the kernel's turn: opening it clears away what an earlier run left, and that must not be
 * what a running one owns. */
static enum ike_err start_sockets(struct daemon *d)
{
	char error[NET_ERROR_MAX];
	gid_t group = (gid_t)-1;        /* nobody's: root only */

	if (d->conf.control_group[0] != '\0' && group_find(d->conf.control_group, &group) != IKE_OK)
		return stopped("control-group: there is no group \"%s\"", d->conf.control_group);
	if (unix_listen(d->conf.control_socket, SOCK_STREAM, group, &d->control_listener, error) !=
	    IKE_OK)
		return stopped("control-socket: %s", error);
	if (net_open(&d->conf, !d->options.fake_kernel, &d->log, &d->bridge.net, error) != IKE_OK)
		return stopped("%s", error);
	if (route_open(&d->conf, &d->bridge.route) != IKE_OK)
		return stopped("cannot ask the kernel for routes");
	return IKE_OK;
}

static enum ike_err start_kernel(struct daemon *d)
{
	struct kernel **kernel = &d->bridge.kernel;
	const char *why = "out of memory";
	uint32_t suites;
	enum ike_err err;

	err = d->options.fake_kernel ? kernel_fake_open(&d->log, kernel)
				     : kernel_xfrm_open(&d->log, kernel, &why);
	if (err != IKE_OK)
		return stopped("%s", why);
	if (d->options.fake_kernel)
		kernel_fake_clock(*kernel, loop_now_ms);
	if (kernel_check_esp(*kernel, &suites, &why) != IKE_OK)
		return stopped("%s", why);
	if (kernel_install_exemptions(*kernel, d->bridge.signer != NULL) != IKE_OK)
		return stopped("the kernel does not take the policies that exempt DNS, DHCP and "
			       "neighbour discovery");
	if (inner_open(d->options.fake_kernel, &d->log, &d->bridge.inner) != IKE_OK)
		return stopped("cannot read the kernel's addresses and routes");
	return IKE_OK;
}

static void on_due(void *arg)
{
	struct daemon *d = arg;

	bridge_due(&d->bridge);
}

static void on_stop(void *arg)
{
	struct daemon *d = arg;

	log_info(&d->log, "stopping");
	startup_stopping();
	bridge_stop(&d->bridge);
}

static struct tunnel_config tunnel_config_of(const struct conf *conf)
{
	return (struct tunnel_config){
		.allow_private = conf->allow_private,
		.accept_anonymous = conf->accept_anonymous,
		.accept_identified = conf->accept_identified,
		.identify_to = conf->identify_to.at,
		.n_identify_to = conf->identify_to.n,
		.trust_gateways = conf->trust_gateways.at,
		.n_trust_gateways = conf->trust_gateways.n,
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

/* The control socket asks. */
static enum ike_err on_reload_asked(void *arg, struct reload *out)
{
	struct daemon *d = arg;
	struct tunnel_config tunnels;
	unsigned i;

	if (reload_conf(d->options.file, d->options.file_given, &d->conf, out) != IKE_OK) {
		log_error(&d->log, "nothing changed: %s", out->error);
		return IKE_E_CONFIG;
	}
	d->log.max = d->conf.log_level;
	tunnels = tunnel_config_of(&d->conf);
	tunnels_configure(d->bridge.tunnels, &tunnels);
	for (i = 0; i < out->n_restart; i++)
		log_error(&d->log, "%s has changed in %s: restart oe-iked to use it", out->restart[i], d->options.file);
	for (i = 0; i < out->n_changed; i++)
		log_info(&d->log, "%s has changed", out->changed[i]);
	log_info(&d->log, "read %s again", d->options.file);
	return IKE_OK;
}

static void on_reload(void *arg)
{
	struct reload reload;

	/* What went wrong is in the log. */
	(void)!on_reload_asked(arg, &reload);
}

static void on_kernel(void *arg)
{
	struct daemon *d = arg;

	bridge_kernel_events(&d->bridge);
}

static void on_guard(void *arg)
{
	struct daemon *d = arg;

	bridge_guard(&d->bridge);
}

static void on_routes(void *arg)
{
	struct daemon *d = arg;

	bridge_route_events(&d->bridge);
}

static void on_changed(void *arg)
{
	struct daemon *d = arg;

	bridge_pump(&d->bridge);
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
static const struct kem *find_kem(struct daemon *d)
{
	const struct kem *kem = d->conf.post_quantum ? kem_mlkem768() : NULL;

	if (kem)
		snprintf(d->post_quantum, sizeof d->post_quantum, "ML-KEM-768");
	else if (d->conf.post_quantum)
		snprintf(d->post_quantum, sizeof d->post_quantum, "none (libcrypto %s has no ML-KEM-768)",
			 OpenSSL_version(OPENSSL_VERSION_STRING));
	else
		snprintf(d->post_quantum, sizeof d->post_quantum, "none (post-quantum: no)");
	log_info(&d->log, "post-quantum key exchange: %s", d->post_quantum);
	return kem;
}

/* By what hosts learn that we have restarted; nothing if it would not outlive us. */
static enum ike_err start_qcd(struct daemon *d)
{
	static const char label[] = "unbound-oe QCD_SECRET";
	char error[QCD_SECRET_ERROR_MAX];

	d->rng.fill = fill_random;
	d->rng.arg = &d->random;
	if (!d->conf.qcd)
		return IKE_OK;
	if (d->conf.qcd_secret[0] != '\0')
		return qcd_secret_read(d->conf.qcd_secret, &d->rng, &d->qcd_secret, error) == IKE_OK ? IKE_OK : stopped("%s", error);
	if (d->bridge.signer && signer_derive(d->bridge.signer, span_of(label, sizeof label - 1), &d->qcd_secret) != IKE_OK)
		return stopped("cannot derive the secret of QCD tokens from server-key");
	return IKE_OK;
}

static enum ike_err start_core(struct daemon *d)
{
	const struct conf *conf = &d->conf;
	const struct ike_config ike = {
		.respond = d->bridge.signer != NULL,
		.sas_max = 2 * conf->tunnels_max,       /* while a tunnel is renewed it has two */
		.half_open_max = conf->half_open_max,
		.half_open_per_source = conf->half_open_per_source,
		.cookie_threshold = conf->cookie_threshold,
		.always_cookie = conf->always_cookie,
		.kem = find_kem(d),
		.fragment_max = conf->fragment_size,
		.natt_port = (uint16_t)conf->natt_port,
		.always_encapsulate = conf->always_encapsulate,
		.identity = conf->server_identity,
		.pool_v4 = conf->pool.v4.first,
		.pool_v4_size = conf->pool.v4.n,
		.pool_v6 = conf->pool.v6.first,
		.pool_v6_size = conf->pool.v6.n,
		.qcd_secret = secret_span(&d->qcd_secret),
	};
	const struct tunnel_config tunnels = tunnel_config_of(conf);

	bridge_tunnel_env(&d->bridge, &d->env);
	if (ike_new(&ike, &d->rng, &d->log, &d->bridge.ike) != IKE_OK ||
	    tunnels_new(&tunnels, &d->env, d->bridge.ike, &d->rng, &d->log, &d->bridge.tunnels) !=
		    IKE_OK)
		return stopped("out of memory");
	return IKE_OK;
}

static enum ike_err start_loop(struct daemon *d)
{
	const struct loop_user user = {
		.arg = d, .due = on_due, .stop = on_stop, .reload = on_reload
	};
	struct keylookup_user lookup;
	struct validation_user validation;
	struct net_user net;
	int fd = kernel_event_fd(d->bridge.kernel), guard_fd = kernel_guard_fd(d->bridge.kernel);

	if (loop_new(&user, &d->bridge.loop) != IKE_OK)
		return stopped("cannot make the event loop: %s", strerror(errno));
	if (d->conf.accept_identified) {
		bridge_keylookup_user(&d->bridge, &lookup);
		if (keylookup_new(loop_base(d->bridge.loop), &d->conf.resolver, &d->rng, &lookup, &d->bridge.keylookup) !=
		    IKE_OK)
			return stopped("cannot prepare lookups through the resolver");
	}
	bridge_validation_user(&d->bridge, &validation);
	if (validation_new(loop_base(d->bridge.loop), &d->conf.resolver, &d->rng, &validation, &d->bridge.validation) != IKE_OK)
		return stopped("cannot prepare questions to the resolver");
	bridge_net_user(&d->bridge, &net);
	if (net_start(d->bridge.net, loop_base(d->bridge.loop), &net) != IKE_OK ||
	    (fd >= 0 && loop_watch(d->bridge.loop, fd, on_kernel) != IKE_OK) ||
	    (guard_fd >= 0 && loop_watch(d->bridge.loop, guard_fd, on_guard) != IKE_OK) ||
	    loop_watch(d->bridge.loop, route_event_fd(d->bridge.route), on_routes) != IKE_OK)
		return stopped("out of memory");
	return IKE_OK;
}

/* The resolver's socket comes last: when it is there, questions are answered. */
static enum ike_err start_service(struct daemon *d)
{
	const char *wanted = d->conf.resolver_group;
	struct event_base *base = loop_base(d->bridge.loop);
	struct resolverd_user resolver;
	struct controld_user people;
	char error[UNIX_ERROR_MAX];
	gid_t group;
	int listener;

	if (group_find(wanted[0] != '\0' ? wanted : "unbound", &group) != IKE_OK) {
		if (wanted[0] != '\0')
			return stopped("resolver-group: there is no group \"%s\"", wanted);
		group = 0;
	}
	if (unix_listen(d->conf.resolver_socket, SOCK_SEQPACKET, group, &listener, error) != IKE_OK)
		return stopped("resolver-socket: %s", error);
	bridge_resolverd_user(&d->bridge, &resolver);
	if (resolverd_new(base, listener, &resolver, &d->log, &d->bridge.resolverd) != IKE_OK)
		return stopped("out of memory");
	people = (struct controld_user){
		.arg = d,
		.now_ms = on_time_asked,
		.started_ms = loop_now_ms(),
		.done = on_changed,
		.reload = on_reload_asked,
		.tunnels = d->bridge.tunnels,
		.ike = d->bridge.ike,
		.serves = d->bridge.signer != NULL,
		.post_quantum = d->post_quantum,
		.net = d->bridge.net,
		.resolverd = d->bridge.resolverd,
	};
	listener = d->control_listener;
	d->control_listener = -1;
	if (controld_new(base, listener, &people, &d->log, &d->bridge.controld) != IKE_OK)
		return stopped("out of memory");
	return IKE_OK;
}

static enum ike_err start_finish(struct daemon *d)
{
	if (priv_drop(&d->log) != IKE_OK)
		return stopped("cannot give up privileges");
	bridge_pump(&d->bridge);
	startup_ready();
	log_info(&d->log, "ready%s",
		 d->options.fake_kernel ? " (kernel in memory: no packet is protected)" : "");
	return IKE_OK;
}

static enum ike_err start(struct daemon *d)
{
	static enum ike_err (*const steps[])(struct daemon *d) = {
		start_libraries,        /* randomness, ciphers */
		start_key,              /* server-key */
		start_sockets,          /* control socket, UDP: a second oe-iked stops here */
		start_kernel,           /* close what a crash left, ask for ESP, exempt DNS, ND, ... */
		start_qcd,              /* qcd-secret */
		start_core,             /* IKE, tunnels */
		start_loop,             /* timer, signals, network, kernel events */
		start_service,          /* resolver and control sockets */
		start_finish,           /* give up privileges, say ready */
	};
	enum ike_err err = IKE_OK;
	size_t i;

	for (i = 0; err == IKE_OK && i < sizeof steps / sizeof *steps; i++)
		err = steps[i](d);
	return err;
}

/* In reverse; the kernel forgets us last but one, so that nothing is cleared while somebody still
 * asks. Not in order: a run that failed opens nothing that an earlier one has closed. */
static void finish(struct daemon *d, bool in_order)
{
	struct bridge *b = &d->bridge;

	if (b->resolverd)
		(void)unlink(d->conf.resolver_socket);
	resolverd_free(b->resolverd);
	if (b->controld || d->control_listener >= 0)
		(void)unlink(d->conf.control_socket);
	controld_free(b->controld);
	b->controld = NULL;
	if (d->control_listener >= 0)
		close(d->control_listener);
	validation_free(b->validation);
	keylookup_free(b->keylookup);
	tunnels_free(b->tunnels);
	ike_free(b->ike);
	inner_close(b->inner, in_order);
	if (in_order)
		kernel_close(b->kernel);
	else
		kernel_leave(b->kernel);
	route_close(b->route);
	net_close(b->net);
	loop_free(b->loop);
	signer_close(b->signer);
	secret_clear(&d->qcd_secret);
}

/* Command line --------------------------------------------------------------------------------- */

static void print_help(void)
{
	printf("usage: oe-iked [-d] [-c FILE] [--kernel=fake]\n"
	       "       oe-iked --check [-c FILE]\n"
	       "Establish IPsec with hosts whose names have keys in the DNS, for Unbound.\n\n"
	       "  -c, --config=FILE  read FILE; without it $OE_CONF, or\n"
	       "                     " CONTROL_CONF_DEFAULT "\n"
	       "  -d, --foreground   stay in the foreground and log to the standard error output\n"
	       "      --check        read the configuration and the key that it names, and exit\n"
	       "      --kernel=fake  keep IPsec state in memory instead of the kernel, for tests and\n"
	       "                     measurements: no packet is protected\n"
	       "  -V, --version      print the version and exit\n"
	       "  -h, --help         print this and exit\n\n"
	       "Exit status: 0 stopped by a signal, or nothing wrong; 1 cannot run; 2 wrong usage or\n"
	       "configuration. See oe-iked(8), oe.conf(5), oe(1).\n");
}

enum { OPTION_CHECK = 256, OPTION_KERNEL };

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct options *out)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "foreground", no_argument, NULL, 'd' },
		{ "check", no_argument, NULL, OPTION_CHECK },
		{ "kernel", required_argument, NULL, OPTION_KERNEL },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *environment = getenv("OE_CONF");
	int option;

	*out = (struct options){ .file = CONTROL_CONF_DEFAULT };
	if (environment && environment[0] != '\0') {
		out->file = environment;
		out->file_given = true;
	}
	while ((option = getopt_long(argc, argv, "c:dVh", known, NULL)) != -1)
		switch (option) {
		case 'c':
			out->file = optarg;
			out->file_given = true;
			break;
		case 'd':
			out->foreground = true;
			break;
		case OPTION_CHECK:
			out->check = true;
			break;
		case OPTION_KERNEL:
			if (strcmp(optarg, "fake") != 0) {
				fprintf(stderr,
					"oe-iked: --kernel=%s: only \"fake\" can be asked for\n",
					optarg);
				return EXIT_USAGE;
			}
			out->fake_kernel = true;
			break;
		case 'V':
			printf("oe-iked %s\n", PACKAGE_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		default:
			fprintf(stderr, "oe-iked: --help tells how to use it\n");
			return EXIT_USAGE;
		}
	if (optind == argc)
		return -1;
	fprintf(stderr, "oe-iked: \"%s\" is not expected; --help tells how to use it\n",
		argv[optind]);
	return EXIT_USAGE;
}

static int check(struct daemon *d)
{
	int status =
		start_libraries(d) == IKE_OK && start_key(d) == IKE_OK ? EXIT_SUCCESS : EXIT_USAGE;

	signer_close(d->bridge.signer);
	if (status == EXIT_SUCCESS)
		printf("oe-iked: no errors in %s\n", d->options.file);
	return status;
}

int main(int argc, char **argv)
{
	static struct daemon d = {
		.control_listener = -1,
		.bridge = { .trim_at_ms = UINT64_MAX, .guard_at_ms = UINT64_MAX, .stop_by_ms = UINT64_MAX },
	};
	char error[CONF_ERROR_MAX];
	int status = read_options(argc, argv, &d.options);

	if (status >= 0)
		return status;
	/* A person who goes away in the middle of an answer is an EPIPE, no reason to die. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || priv_seal() != IKE_OK)
		return stopped("cannot switch core dumps and SIGPIPE off"), EXIT_FAILURE;
	if (conf_read(d.options.file, d.options.file_given, &d.conf, error) != IKE_OK)
		return stopped("%s", error), EXIT_USAGE;
	if (d.options.check)
		return check(&d);
	if (!d.options.foreground && startup_background() != IKE_OK)
		return stopped("cannot go to the background: %s", strerror(errno)), EXIT_FAILURE;
	if (d.options.foreground)
		logger_to_stderr(&d.log, d.conf.log_level);
	else
		logger_to_syslog(&d.log, d.conf.log_level);
	d.bridge.log = &d.log;
	d.bridge.slept_ms = loop_slept_ms();

	status = EXIT_FAILURE;
	if (start(&d) == IKE_OK && loop_run(d.bridge.loop) == IKE_OK)
		status = EXIT_SUCCESS;
	finish(&d, status == EXIT_SUCCESS);
	if (status == EXIT_SUCCESS)
		log_info(&d.log, "stopped");
	return status;
}
