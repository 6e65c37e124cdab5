/* main.c - oe-iked: the command line, what has to be open before the program divides into processes, and the division (setup.h). */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/groups_file.h"
#include "daemon/activation.h"
#include "daemon/group.h"
#include "daemon/keeper.h"
#include "daemon/logger.h"
#include "daemon/net.h"
#include "daemon/network.h"
#include "daemon/priv.h"
#include "daemon/setup.h"
#include "daemon/signer.h"
#include "daemon/startup.h"
#include "daemon/unix_socket.h"
#include "proto/control_proto.h"

enum { EXIT_USAGE = 2, START_ERROR_MAX = NET_ERROR_MAX + 32 };

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
static int read_options(int argc, char **argv, struct setup *out, bool *check_only)
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

	out->file = CONTROL_CONF_DEFAULT;
	*check_only = false;
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
			*check_only = true;
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

static int check(const struct setup *s)
{
	char error[SIGNER_ERROR_MAX];
	struct signer *signer = NULL;
	struct secret none;

	if (s->conf.server_key[0] != '\0' &&
	    signer_open(s->conf.server_key, NULL, NULL, span_of(NULL, 0), &none, &signer, error) != IKE_OK)
		return (void)startup_failed("%s", error), EXIT_USAGE;
	signer_close(signer);
	printf("oe-iked: no errors in %s\n", s->file);
	return EXIT_SUCCESS;
}

/* What has to be open first ----------------------------------------------------------------------- */

/* Before the kernel's turn: opening it clears away what an earlier run left, and that must not be
 * what a running one owns. */
static enum ike_err open_sockets(struct setup *s, gid_t group, char error[START_ERROR_MAX])
{
	char why[UNIX_ERROR_MAX];
	enum ike_err err = unix_listen(s->conf.control_socket, SOCK_STREAM, group, &s->control_listener, why);

	if (err != IKE_OK)
		snprintf(error, START_ERROR_MAX, "control-socket: %s", why);
	else
		err = net_open(&s->conf, !s->fake_kernel, &s->log, &s->net, error);
	if (err != IKE_OK && s->control_listener >= 0) {
		close(s->control_listener);
		(void)unlink(s->conf.control_socket);
		s->control_listener = -1;
	}
	return err;
}

/* The processes of one that was killed end a moment after it, and the sockets with them. */
static enum ike_err start_sockets(struct setup *s)
{
	const struct timespec moment = { .tv_nsec = 20 * 1000 * 1000 };
	enum { TRIES = 10 };
	char error[START_ERROR_MAX];
	gid_t group = (gid_t)-1;        /* nobody's: root only */
	enum ike_err err;

	if (s->conf.control_group[0] != '\0' && group_find(s->conf.control_group, &group) != IKE_OK)
		return startup_failed("control-group: there is no group \"%s\"", s->conf.control_group);
	for (unsigned i = 0; (err = open_sockets(s, group, error)) == IKE_E_CONFLICT && i < TRIES; i++)
		(void)nanosleep(&moment, NULL);
	return err == IKE_OK ? IKE_OK : startup_failed("%s", error);
}

/* The division -------------------------------------------------------------------------------------- */

static bool make_channels(struct channels ends[2])
{
	int calls[2], events[2], losses[2], link[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, calls) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, events) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, losses) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) != 0)
		return false;
	for (unsigned i = 0; i < 2; i++)
		ends[i] = (struct channels){ .calls = calls[i], .events = events[i], .losses = losses[i], .link = link[i] };
	return true;
}

static void close_channels(const struct channels *c)
{
	close(c->calls);
	close(c->events);
	close(c->losses);
	close(c->link);
}

static int divide(struct setup *s)
{
	struct channels ends[2];
	pid_t network;

	if (!make_channels(ends) || (network = fork()) < 0)
		return (void)startup_failed("cannot make a process: %s", strerror(errno)), EXIT_FAILURE;
	if (network == 0) {
		close_channels(&ends[0]);
		if (s->resolver_listener >= 0)
			close(s->resolver_listener);
		exit(network_run(s, &ends[1]));
	}
	close_channels(&ends[1]);
	net_close(s->net);
	close(s->control_listener);
	return keeper_run(s, &ends[0], network);
}

int main(int argc, char **argv)
{
	static struct setup s = { .control_listener = -1, .resolver_listener = -1 };
	char error[CONF_ERROR_MAX], passed[ACTIVATION_ERROR_MAX];
	bool only_check;
	int status = read_options(argc, argv, &s, &only_check);

	if (status >= 0)
		return status;
	/* A person who goes away in the middle of an answer is an EPIPE, no reason to die. */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || priv_seal() != IKE_OK)
		return (void)startup_failed("cannot switch core dumps and SIGPIPE off"), EXIT_FAILURE;
	if (conf_read(s.file, s.file_given, &s.conf, error) != IKE_OK || groups_read(s.conf.policy_dir, &s.groups, error) != IKE_OK)
		return (void)startup_failed("%s", error), EXIT_USAGE;
	if (only_check)
		return check(&s);
	if (activation_take(s.conf.resolver_socket, &s.resolver_listener, passed) != IKE_OK)
		return (void)startup_failed("%s", passed), EXIT_USAGE;
	if (!s.foreground && startup_background() != IKE_OK)
		return (void)startup_failed("cannot go to the background: %s", strerror(errno)), EXIT_FAILURE;
	if (s.foreground)
		logger_to_stderr(&s.log, s.conf.log_level);
	else
		logger_to_syslog(&s.log, s.conf.log_level);

	if (sandbox_find(&s.sandbox) != IKE_OK)
		return (void)startup_failed("there is neither a user \"unbound-oe\" nor \"nobody\""), EXIT_FAILURE;
	if (start_sockets(&s) != IKE_OK)
		return EXIT_FAILURE;
	status = divide(&s);
	(void)unlink(s.conf.control_socket);
	return status;
}
