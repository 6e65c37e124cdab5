/* handshake: what one handshake of the IKE core costs its client, over what its public-key operations alone cost (bare.h).
 *
 *	handshake                a client and a server in memory; counted are the calls into the client's core only,
 *	                         from ike_initiate() to EV_ESTABLISHED, with a kernel that says yes; then what reading the
 *	                         host's key from its IPSECKEY record costs, once before
 *	handshake --both         client and server are processes with a socket between them: handshakes a second, and the
 *	                         processor time of each, the system's included, which bounds them where others are at work
 *	handshake --count N KEY  no figures: N handshakes with this kind of key, for a profiler (callgrind --toggle-collect=client_*)
 *
 * --hybrid before these: with ML-KEM-768 as additional key exchange, at both ends.
 *
 * Exit status 0 unless something does not work; the ratios are for people to judge. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ike/ike.h"
#include "tests/bench/bare.h"

enum { FLIGHT = 32, BATCHES = 60, SECONDS = 3, DATAGRAM_MAX = 2000, NOW_MS = 1000, LIFE_MS = 60000 };

/* One way between the cores: what is on it, oldest first. Pairs of addresses are numbered. */
struct wire {
	unsigned n;
	struct { uint32_t pair; size_t n; uint8_t b[DATAGRAM_MAX]; } datagram[4 * FLIGHT];
};

struct host {
	struct ike *ike;
	const struct subject *key;      /* NULL: the client */
	void (*send)(struct host *h, uint32_t pair, struct span bytes);
	struct wire *out;
	int socket;
	unsigned started, up;
};

static const struct kem *kem;      /* of both; NULL: none */

static void write_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

static const struct log discarded = { write_log, NULL, LOG_LEVEL_INFO };

/* Clients in 10/8, servers in 11/8: each handshake is the first between its two addresses. */
static struct ip_path path_of(const struct host *h, uint32_t pair)
{
	struct ip_path path = {
		.local = { { IP_V4, { h->key ? 11 : 10, (uint8_t)(pair >> 16), (uint8_t)(pair >> 8), (uint8_t)pair } }, 500 },
		.remote = { { IP_V4, { h->key ? 10 : 11, (uint8_t)(pair >> 16), (uint8_t)(pair >> 8), (uint8_t)pair } }, 500 },
	};

	return path;
}

static void host_start(struct host *h, const struct subject *key)
{
	const struct ike_config config = {
		.respond = key != NULL, .sas_max = 1 << 20, .half_open_max = 1 << 20, .cookie_threshold = 1 << 20,
		.kem = kem,
	};

	h->key = key;
	h->started = h->up = 0;
	need(ike_new(&config, &bare_rng, &discarded, &h->ike) == IKE_OK, "ike_new");
}

static void host_signs(struct host *h, const struct ike_output *o)
{
	uint8_t auth[BARE_AUTH_MAX], method;
	struct wr w = wr_over(auth, sizeof auth);
	enum ike_err err = privkey_sign(h->key->priv, o->u.sign.hashes, o->u.sign.parts, IKE_SIGNED_PARTS, &method, &w);

	ike_signed(h->ike, o->id, err, method, wr_span(&w), NOW_MS);
}

/* Everything that a core wants done. */
static void host_serve(struct host *h)
{
	struct ike_output o;

	while (ike_next_output(h->ike, &o)) {
		switch (o.kind) {
		case OUT_SEND:
			h->send(h, (uint32_t)o.u.send.path.remote.addr.b[1] << 16 |
				   (uint32_t)o.u.send.path.remote.addr.b[2] << 8 | o.u.send.path.remote.addr.b[3],
				o.u.send.datagram);
			break;
		case OUT_KERNEL:
			need(o.u.kernel.op == KERNEL_PROTECT, "no SA is deleted");
			secret_wipe(&o, offsetof(struct ike_output, id));
			ike_done(h->ike, o.id, IKE_OK, NOW_MS);
			break;
		case OUT_SIGN:
			host_signs(h, &o);
			break;
		case OUT_AUTHORIZE:
			ike_authorized(h->ike, o.id, REASON_NONE, "", NULL, KERNEL_REQID_BASE + 1 + h->up, NOW_MS);
			break;
		case OUT_EVENT:
			need(o.u.event.kind == EV_ESTABLISHED, "a handshake");
			h->up++;
			break;
		}
	}
}

/* The two things that a client does; these names are what a profiler looks for. */
static __attribute__((noinline)) void client_initiate(struct host *h, struct keyset *keys)
{
	struct ike_initiate how = {
		.path = path_of(h, h->started), .keys = keys, .reqid = KERNEL_REQID_BASE + 1 + h->started,
		.give_up_ms = NOW_MS + LIFE_MS,
	};
	ike_handle sa;

	need(dnsname_from_text("host.example.", &how.name) == IKE_OK, "a name");
	need(ike_initiate(h->ike, &how, NOW_MS, &sa) == IKE_OK, "ike_initiate");
	h->started++;
	host_serve(h);
}

static __attribute__((noinline)) void client_input(struct host *h, uint32_t pair, struct span bytes)
{
	struct ip_path path = path_of(h, pair);

	ike_input(h->ike, &path, bytes, NOW_MS);
	host_serve(h);
}

static void server_input(struct host *h, uint32_t pair, struct span bytes)
{
	struct ip_path path = path_of(h, pair);

	ike_input(h->ike, &path, bytes, NOW_MS);
	host_serve(h);
}

/* In memory --------------------------------------------------------------------------------------------- */

static void send_in_memory(struct host *h, uint32_t pair, struct span bytes)
{
	struct wire *w = h->out;

	need(w->n < 4 * FLIGHT && bytes.n <= DATAGRAM_MAX, "the wire");
	w->datagram[w->n].pair = pair;
	w->datagram[w->n].n = bytes.n;
	memcpy(w->datagram[w->n].b, bytes.p, bytes.n);
	w->n++;
}

static void deliver(struct wire *w, struct host *to, void (*input)(struct host *, uint32_t, struct span))
{
	unsigned n = w->n;

	for (unsigned i = 0; i < n; i++)
		input(to, w->datagram[i].pair, span_of(w->datagram[i].b, w->datagram[i].n));
	memmove(w->datagram, w->datagram + n, (w->n - n) * sizeof w->datagram[0]);
	w->n -= n;
}

/* Microseconds of the client for each of FLIGHT handshakes that go on beside each other. */
static double batch_us(const struct subject *key, struct host *client, struct host *server)
{
	double start, spent;

	host_start(client, NULL);
	host_start(server, key);
	start = bare_now_us();
	while (client->started < FLIGHT)
		client_initiate(client, key->set);
	spent = bare_now_us() - start;
	while (client->up < FLIGHT) {
		deliver(client->out, server, server_input);
		start = bare_now_us();
		deliver(server->out, client, client_input);
		spent += bare_now_us() - start;
	}
	need(server->up == FLIGHT, "the server's side");
	ike_free(client->ike);
	ike_free(server->ike);
	return spent / FLIGHT;
}

static double handshake_us(const struct subject *key, unsigned batches)
{
	static struct wire to_server, to_client;
	struct host client = { .send = send_in_memory, .out = &to_server };
	struct host server = { .send = send_in_memory, .out = &to_client };
	double best = 0;

	for (unsigned i = 0; i < batches; i++) {
		double us = batch_us(key, &client, &server);

		if (i == 0 || us < best)
			best = us;
	}
	return best;
}

/* Two processes ----------------------------------------------------------------------------------------- */

static void send_to_socket(struct host *h, uint32_t pair, struct span bytes)
{
	uint8_t b[4 + DATAGRAM_MAX];
	struct wr w = wr_over(b, sizeof b);

	wr_u32(&w, pair);
	wr_put(&w, bytes);
	need(wr_ok(&w), "room for a datagram");
	/* When the time is over the client goes and does not listen to the rest. */
	if (send(h->socket, b, w.n, MSG_NOSIGNAL) < 0 && h->key)
		_exit(errno == EPIPE || errno == ECONNRESET ? 0 : 1);
}

/* One datagram from the other process; false: it has ended. */
static bool take_from_socket(struct host *h, void (*input)(struct host *, uint32_t, struct span))
{
	uint8_t b[4 + DATAGRAM_MAX];
	ssize_t n = recv(h->socket, b, sizeof b, 0);
	struct rd r = rd_over(span_of(b, n > 0 ? (size_t)n : 0));
	uint32_t pair = rd_u32(&r);

	if (n > 0)
		input(h, pair, rd_rest(&r));
	return n > 0;
}

static double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rusage_us(const struct rusage *r)
{
	return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1e6 + (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec);
}

/* FLIGHT handshakes go on beside each other. */
static void show_both(const struct subject *key)
{
	struct host client = { .send = send_to_socket }, server = { .send = send_to_socket };
	struct rusage before, after, servers;
	double start, took;
	int ends[2], status;
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
	fflush(stdout);
	pid = fork();
	need(pid >= 0, "fork");
	if (pid == 0) {
		close(ends[0]);
		server.socket = ends[1];
		host_start(&server, key);
		while (take_from_socket(&server, server_input))
			;
		_exit(0);
	}
	close(ends[1]);
	client.socket = ends[0];
	host_start(&client, NULL);
	getrusage(RUSAGE_SELF, &before);
	start = wall_s();
	while ((took = wall_s() - start) < SECONDS) {
		while (client.started < client.up + FLIGHT)
			client_initiate(&client, key->set);
		need(take_from_socket(&client, client_input), "the server");
	}
	getrusage(RUSAGE_SELF, &after);
	close(ends[0]);
	need(wait4(pid, &status, 0, &servers) == pid && status == 0, "the server's process");
	ike_free(client.ike);
	printf("%-10s %6.0f handshakes a second; client %4.0f us, server %4.0f us for each\n", key->name, client.up / took,
	       (rusage_us(&after) - rusage_us(&before)) / client.up, rusage_us(&servers) / client.up);
}

static void read_key(struct subject *s)
{
	struct keyset *set;
	const char *why;

	need(keyset_new(&s->rdata, 1, &bare_host, &set, &why) == IKE_OK, "keyset_new");
	keyset_unref(set);
}

static void show(struct subject *s, bool both)
{
	double bare, ours;

	if (both) {
		show_both(s);
		return;
	}
	bare = bare_handshake_us(s);
	ours = handshake_us(s, BATCHES);
	printf("%-10s bare %6.1f us, client %6.1f us, ratio %.2f; its key from DNS %5.1f us\n", s->name, bare, ours, ours / bare,
	       bare_measure(read_key, s));
}

int main(int argc, char **argv)
{
	struct subject subjects[BARE_KEYS];
	bool hybrid = argc > 1 && strcmp(argv[1], "--hybrid") == 0;
	bool both, count;

	argc -= hybrid;
	argv += hybrid;
	both = argc == 2 && strcmp(argv[1], "--both") == 0;
	count = argc == 4 && strcmp(argv[1], "--count") == 0;
	if (hybrid && !(kem = kem_mlkem768())) {
		fprintf(stderr, "handshake: this libcrypto has no ML-KEM-768\n");
		return 1;
	}
	if (argc > 1 && !both && !count) {
		fprintf(stderr, "usage: handshake [--hybrid] [--both | --count N KEY]\n");
		return 2;
	}
	bare_set_up(subjects);
	for (unsigned i = 0; i < BARE_KEYS; i++) {
		if (!count)
			show(&subjects[i], both);
		else if (strcmp(subjects[i].name, argv[3]) == 0)
			(void)handshake_us(&subjects[i], (unsigned)atoi(argv[2]) / FLIGHT);
	}
	bare_clear(subjects);
	return 0;
}
