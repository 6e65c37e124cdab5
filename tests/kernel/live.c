/* live.c - kernel.h over a real kernel: two hosts of the lab (tests/lab/scenarios/kernel-xfrm.sh starts this there). The
 * wire tells what was encrypted; `ip xfrm` tells what is left.
 */
#define _GNU_SOURCE
#include "tests/kernel/live_ends.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kernel/exempt.h"
#include "tests/kernel/live_others.h"

static enum ike_err traffic_of(enum host host, const struct kernel_request *r, struct sa_traffic *t)
{
	return kernel_traffic(kernels[host], r->reqid, r->spi_in, r->spi_out, &r->local, &r->remote, t);
}

static void the_check_finds_every_suite(void **state)
{
	uint32_t works;
	const char *why;

	(void)state;
	assert_int_equal(kernel_check_esp(kernels[CLIENT], &works, &why), IKE_OK);
	assert_int_equal(works, 0xff);
	assert_true(nothing_left(CLIENT));
}

static void idle_counts_from_the_last_packet(void **state)
{
	struct kernel_request r = request_of(CLIENT, IP_V4, KERNEL_PROTECT, &gcm, 1);
	struct sa_traffic t;

	(void)state;
	apply_both(IP_V4, KERNEL_PROTECT, 1);
	sleep(3);
	assert_int_equal(traffic_of(CLIENT, &r, &t), IKE_OK);
	assert_in_range(t.idle_out_s, 2, 4);            /* none yet: since the SA is there */
	/* Kernels that keep no time of last use need a look now and then. */
	assert_true(both_ways(IP_V4));
	assert_int_equal(traffic_of(CLIENT, &r, &t), IKE_OK);
	assert_in_range(t.idle_out_s, 0, 1);
	sleep(3);
	assert_true(net_reaches(SERVER, IP_V4));
	assert_int_equal(traffic_of(CLIENT, &r, &t), IKE_OK);
	assert_in_range(t.idle_out_s, 2, 4);
	assert_in_range(t.idle_in_s, 0, 1);
	sleep(2);
	assert_int_equal(traffic_of(CLIENT, &r, &t), IKE_OK);
	assert_in_range(t.idle_out_s, 4, 6);
	assert_in_range(t.idle_in_s, 1, 3);
}

static int encap_socket(enum host host, enum ip_family family)
{
	struct ip_addr a = net_addr(host, family);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(4500) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(4500) };
	int fd, failed;

	memcpy(&v4.sin_addr, a.b, 4);
	memcpy(&v6.sin6_addr, a.b, 16);
	net_enter(host);
	fd = socket(family == IP_V6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	failed = family == IP_V6 ? bind(fd, (struct sockaddr *)&v6, sizeof v6) : bind(fd, (struct sockaddr *)&v4, sizeof v4);
	assert_int_equal(failed, 0);
	assert_int_equal(kernel_socket_bypass(fd, family), IKE_OK);
	assert_int_equal(kernel_socket_encap(fd), IKE_OK);
	return fd;
}

/* The life of a pair: protected, SAs gone, released. */
static void one_life(const struct esp_suite *suite, enum ip_family family, bool encap)
{
	int fd[2] = { -1, -1 };
	struct kernel_request r[2];
	struct sa_traffic t;
	struct wire w;

	for (int h = 0; h < 2; h++) {
		if (encap)
			fd[h] = encap_socket((enum host)h, family);
		r[h] = request_of((enum host)h, family, KERNEL_PROTECT, suite, 1);
		r[h].encap_local_port = r[h].encap_remote_port = encap ? 4500 : 0;
		assert_int_equal(kernel_apply(kernels[h], &r[h]), IKE_OK);
	}
	(void)net_wire();
	assert_true(both_ways(family));
	assert_true(both_ways(family));
	w = net_wire();
	assert_int_equal(w.clear, 0);
	assert_int_equal(encap ? w.esp_in_udp : w.esp, 4);
	for (int h = 0; h < 2; h++) {
		assert_int_equal(traffic_of((enum host)h, &r[h], &t), IKE_OK);
		assert_int_equal(t.packets_in, 2);
		assert_int_equal(t.packets_out, 2);
		assert_true(t.bytes_in > 0 && t.bytes_out > 0 && t.idle_in_s <= 1 && t.idle_out_s <= 1);
	}

	r[CLIENT].op = r[SERVER].op = KERNEL_DELETE_SAS;
	for (int h = 0; h < 2; h++)
		assert_int_equal(kernel_apply(kernels[h], &r[h]), IKE_OK);
	assert_int_equal(traffic_of(CLIENT, &r[CLIENT], &t), IKE_E_STATE);
	(void)net_send(CLIENT, family, SERVICE_PORT, SERVICE_PORT);
	(void)net_send(SERVER, family, SERVICE_PORT, SERVICE_PORT);
	w = net_wire();
	assert_int_equal(w.clear + w.esp + w.esp_in_udp, 0);

	r[CLIENT].op = r[SERVER].op = KERNEL_UNPROTECT;
	for (int h = 0; h < 2; h++) {
		assert_int_equal(kernel_apply(kernels[h], &r[h]), IKE_OK);
		if (encap)
			close(fd[h]);
	}
}

static void every_suite_carries_packets_both_ways(void **state)
{
	static const struct esp_suite more[] = {
		{ ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128, true },
		{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_384_192, true },
		{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_512_256, false },
	};
	unsigned n;
	const struct esp_suite *suites = kernel_suites(&n);

	(void)state;
	/* Or answers of neighbours count among the packets. */
	assert_int_equal(kernel_install_exemptions(kernels[CLIENT], false), IKE_OK);
	assert_int_equal(kernel_install_exemptions(kernels[SERVER], true), IKE_OK);
	for (unsigned i = 0; i < n + 3; i++)
		for (unsigned f = 0; f < 2; f++)
			for (unsigned encap = 0; encap < 2; encap++)
				one_life(i < n ? &suites[i] : &more[i - n], families[f], encap);
	kernel_close(kernels[CLIENT]);
	assert_true(nothing_left(CLIENT));
	kernels[CLIENT] = open_at(CLIENT);
}

static void without_sas_nothing_passes_and_released_all_does(void **state)
{
	struct wire w;

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		assert_true(both_ways(families[f]));
		assert_true(net_wire().clear >= 2);
		apply_both(families[f], KERNEL_PROTECT, 1);
		assert_true(both_ways(families[f]));
		apply_both(families[f], KERNEL_DELETE_SAS, 1);
		(void)net_wire();
		assert_true(neither_way(families[f]));
		w = net_wire();
		assert_int_equal(w.clear + w.esp, 0);
		/* Cleartext from a peer that knows no better is dropped. */
		assert_int_equal(apply_at(CLIENT, families[f], KERNEL_UNPROTECT, 1), IKE_OK);
		assert_false(net_reaches(CLIENT, families[f]));
		assert_true(net_wire().clear >= 1);
		assert_int_equal(apply_at(SERVER, families[f], KERNEL_UNPROTECT, 1), IKE_OK);
		assert_true(both_ways(families[f]));
	}
	assert_true(nothing_left(CLIENT));
}

static void what_a_killed_run_left_stays_closed_until_it_is_taken_over(void **state)
{
	struct kernel_request release;
	char text[TEXT_MAX];

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		apply_both(families[f], KERNEL_PROTECT, 1);
		kernel_leave(kernels[CLIENT]);
		(void)net_wire();
		kernels[CLIENT] = open_at(CLIENT);
		assert_true(neither_way(families[f]));
		assert_int_equal(net_wire().clear, 0);
		assert_null(strstr(net_snapshot(CLIENT, text), "spi 0x00001001"));
		/* Killed again: its end does not move away. */
		assert_true(net_shell("ip -n client xfrm policy | grep -q 'reqid %u'", (unsigned)KERNEL_REQID_ORPHAN));
		assert_true(net_shell("ip -n client -s xfrm policy | grep -q 'expire add: soft 0(sec), hard %u(sec)'",
				      (unsigned)PROMISE_MAX_S));
		kernel_leave(kernels[CLIENT]);
		kernels[CLIENT] = open_at(CLIENT);
		assert_true(neither_way(families[f]));

		/* Another run, another number. */
		apply_both(families[f], KERNEL_PROTECT, 2);
		assert_true(both_ways(families[f]));
		assert_int_equal(net_wire().clear, 0);
		assert_false(net_shell("ip -n client xfrm policy | grep -q 'reqid %u'", (unsigned)KERNEL_REQID_ORPHAN));
		assert_false(net_shell("ip -n client -s xfrm policy | grep -q 'hard %u(sec)'", (unsigned)PROMISE_MAX_S));
		apply_both(families[f], KERNEL_UNPROTECT, 2);
		assert_int_equal(apply_at(SERVER, families[f], KERNEL_DELETE_SAS, 1), IKE_OK);

		/* What the killed run has answered may live longer than what this one has: closed again, until the same time. */
		assert_false(net_reaches(CLIENT, families[f]));
		assert_int_equal(net_wire().clear, 0);
		assert_true(net_shell("ip -n client xfrm policy | grep -c 'reqid %u' | grep -qx 4", (unsigned)KERNEL_REQID_ORPHAN));
		assert_false(net_shell("ip -n client -s xfrm policy | grep -q 'expire add: soft 0(sec), hard 0(sec)'"));
		/* But for the operator's word. */
		release = request_of(CLIENT, families[f], KERNEL_UNPROTECT, &gcm, 3);
		release.for_good = true;
		apply_both(families[f], KERNEL_PROTECT, 3);
		assert_int_equal(kernel_apply(kernels[CLIENT], &release), IKE_OK);
		assert_int_equal(apply_at(SERVER, families[f], KERNEL_UNPROTECT, 3), IKE_OK);
		assert_true(both_ways(families[f]));
		(void)net_wire();
	}
	kernel_close(kernels[CLIENT]);
	assert_true(nothing_left(CLIENT));
	kernels[CLIENT] = open_at(CLIENT);
}

static void refused_message_leaves_what_was_there(void **state)
{
	static const struct { enum kernel_op before, op; uint32_t pair; } cases[] = {
		{ KERNEL_UNPROTECT, KERNEL_PROTECT, 1 },        /* from nothing */
		{ KERNEL_PROTECT, KERNEL_PROTECT, 2 },          /* renewal */
		{ KERNEL_DELETE_SAS, KERNEL_PROTECT, 1 },       /* healing */
		{ KERNEL_PROTECT, KERNEL_UNPROTECT, 1 },
	};
	char before[TEXT_MAX], after[TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		unsigned n = 1;

		for (bool spoiled = true; spoiled; n++) {
			enum ike_err err;

			apply_both(IP_V6, KERNEL_UNPROTECT, 1);
			if (cases[i].before != KERNEL_UNPROTECT)
				apply_both(IP_V6, KERNEL_PROTECT, 1);
			if (cases[i].before == KERNEL_DELETE_SAS)
				apply_both(IP_V6, KERNEL_DELETE_SAS, 1);
			net_snapshot(CLIENT, before);
			spoil(n);
			err = apply_at(CLIENT, IP_V6, cases[i].op, cases[i].pair);
			spoiled = was_spoiled(n);
			spoil(0);
			net_snapshot(CLIENT, after);
			/* A message that a second try replaces may be lost. */
			if (spoiled && err != IKE_OK && cases[i].op == KERNEL_PROTECT)
				assert_string_equal(after, before);
			else if (spoiled && err != IKE_OK)
				assert_non_null(strstr(after, "dir out"));
			if (!spoiled)
				assert_int_equal(err, IKE_OK);
		}
		assert_true(n > 4);
		print_message("    case %u: %u messages\n", i, n - 2);
	}
}

static void renewal_loses_no_packet(void **state)
{
	enum { ROUNDS = 30, EACH = 20 };
	unsigned lost = 0;
	struct wire w;

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		apply_both(families[f], KERNEL_PROTECT, 0);
		(void)net_wire();
		for (uint32_t pair = 1; pair <= ROUNDS; pair++) {
			/* The receiving side first, as IKE does. */
			assert_int_equal(apply_at(SERVER, families[f], KERNEL_PROTECT, pair), IKE_OK);
			for (unsigned i = 0; i < EACH / 2; i++)
				lost += net_reaches(CLIENT, families[f]) ? 0 : 1;
			assert_int_equal(apply_at(CLIENT, families[f], KERNEL_PROTECT, pair), IKE_OK);
			for (unsigned i = 0; i < EACH / 2; i++)
				lost += both_ways(families[f]) ? 0 : 1;
			apply_both(families[f], KERNEL_DELETE_SAS, pair - 1);
			lost += both_ways(families[f]) ? 0 : 1;
		}
		w = net_wire();
		assert_int_equal(w.clear, 0);
		assert_int_equal(lost, 0);
		apply_both(families[f], KERNEL_UNPROTECT, ROUNDS);
	}
	assert_true(nothing_left(CLIENT));
	assert_true(nothing_left(SERVER));
}

static bool next_event(struct kernel *k, struct kernel_event *e)
{
	struct pollfd p = { .fd = kernel_event_fd(k), .events = POLLIN };

	while (poll(&p, 1, 300) == 1)
		if (kernel_next_event(k, e))
			return true;
	return false;
}

static void acquire_is_told_once_and_healed(void **state)
{
	char text[TEXT_MAX];
	struct kernel_event e;

	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		apply_both(families[f], KERNEL_PROTECT, 1);
		assert_int_equal(apply_at(CLIENT, families[f], KERNEL_DELETE_SAS, 1), IKE_OK);
		assert_false(net_reaches(CLIENT, families[f]));
		assert_true(next_event(kernels[CLIENT], &e));
		assert_int_equal(e.kind, KERNEL_EV_ACQUIRE);
		assert_int_equal(e.reqid, REQID);
		assert_false(next_event(kernels[CLIENT], &e));
		assert_non_null(strstr(net_snapshot(CLIENT, text), "spi 0x00000000"));

		apply_both(families[f], KERNEL_PROTECT, 2);
		assert_null(strstr(net_snapshot(CLIENT, text), "spi 0x00000000"));
		assert_true(both_ways(families[f]));

		/* And one that nobody healed goes with the protection, or with the next start. */
		apply_both(families[f], KERNEL_DELETE_SAS, 1);
		apply_both(families[f], KERNEL_DELETE_SAS, 2);
		assert_false(net_reaches(CLIENT, families[f]));
		assert_non_null(strstr(net_snapshot(CLIENT, text), "spi 0x00000000"));
		if (f == 0) {
			apply_both(families[f], KERNEL_UNPROTECT, 2);
		} else {
			kernel_leave(kernels[CLIENT]);
			kernels[CLIENT] = open_at(CLIENT);
			kernel_close(kernels[CLIENT]);
			kernels[CLIENT] = open_at(CLIENT);
			assert_int_equal(apply_at(SERVER, families[f], KERNEL_UNPROTECT, 2), IKE_OK);
		}
		assert_true(nothing_left(CLIENT));
		while (next_event(kernels[CLIENT], &e))
			assert_int_equal(e.reqid, REQID);
	}
}

/* The kernel knows a larval SA by its mode, too. After a packet to a host behind a gateway a killed oe-iked did not start again for
 * as long as the SA lived. */
static void larval_sa_of_a_tunnel_goes_with_the_next_start_or_the_release(void **state)
{
	struct kernel_request r = request_of(CLIENT, IP_V4, KERNEL_PROTECT, &gcm, 1), sas = r, release = r;
	char text[TEXT_MAX];

	(void)state;
	r.inner_local = r.local;
	r.inner_remote = r.remote;
	sas.op = KERNEL_DELETE_SAS;
	release = r;
	release.op = KERNEL_UNPROTECT;
	release.for_good = true;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(kernel_apply(kernels[CLIENT], &r), IKE_OK);
		assert_int_equal(kernel_apply(kernels[CLIENT], &sas), IKE_OK);
		assert_false(net_reaches(CLIENT, IP_V4));
		assert_non_null(strstr(net_snapshot(CLIENT, text), "spi 0x00000000"));
		if (i == 0) {
			kernel_leave(kernels[CLIENT]);
			kernels[CLIENT] = open_at(CLIENT);
			assert_null(strstr(net_snapshot(CLIENT, text), "spi 0x"));
		} else {
			assert_int_equal(kernel_apply(kernels[CLIENT], &release), IKE_OK);
		}
	}
	assert_true(nothing_left(CLIENT));
}

static void events_of_others_are_not_told(void **state)
{
	struct kernel_event e;

	(void)state;
	assert_true(net_shell("ip -n client xfrm policy add src 192.0.2.1 dst 192.0.2.10 dir out tmpl proto esp reqid 7 mode transport"));
	assert_false(net_reaches(CLIENT, IP_V4));
	assert_false(next_event(kernels[CLIENT], &e));
	assert_true(net_shell("ip -n client xfrm policy flush; ip -n client xfrm state flush"));
}

static bool second_address_reaches(enum ip_family family)
{
	return net_shell("ip netns exec client ping -q -c 1 -W 1 -I %s %s >second.txt",
			 family == IP_V6 ? "2001:db8:1::77" : "192.0.2.77", family == IP_V6 ? "2001:db8:1::10" : "192.0.2.10");
}

static bool server_reaches_second_address(enum ip_family family)
{
	return net_shell("ip netns exec server ping -q -c 1 -W 1 %s >second.txt",
			 family == IP_V6 ? "2001:db8:1::77" : "192.0.2.77");
}

static void a_shield_closes_the_host_to_our_other_addresses(void **state)
{
	struct ip_addr second[2];
	struct kernel_event e;

	(void)state;
	assert_true(net_shell("ip -n client addr add 192.0.2.77/24 dev eth0; "
			      "ip -n client addr add 2001:db8:1::77/64 dev eth0 nodad"));
	assert_int_equal(ip_from_text("192.0.2.77", &second[0]), IKE_OK);
	assert_int_equal(ip_from_text("2001:db8:1::77", &second[1]), IKE_OK);
	assert_int_equal(kernel_install_exemptions(kernels[CLIENT], false), IKE_OK);
	for (unsigned f = 0; f < 2; f++) {
		struct kernel_request r = request_of(CLIENT, families[f], KERNEL_PROTECT, &gcm, 1);
		struct kernel_request pass = { .op = KERNEL_PASS, .local = second[f], .remote = r.remote };

		assert_true(second_address_reaches(families[f]));
		assert_int_equal(apply_at(SERVER, families[f], KERNEL_PROTECT, 1), IKE_OK);
		assert_int_equal(kernel_apply(kernels[CLIENT], &r), IKE_OK);
		assert_true(both_ways(families[f]));
		(void)net_wire();
		assert_false(second_address_reaches(families[f]));
		assert_int_equal(net_wire().clear, 0);
		assert_true(next_event(kernels[CLIENT], &e));
		assert_int_equal(e.kind, KERNEL_EV_ACQUIRE);
		assert_int_equal(e.reqid, KERNEL_REQID_SHIELD);
		assert_true(ip_equal(&e.local, &second[f]));
		assert_true(ip_equal(&e.remote, &r.remote));
		assert_false(server_reaches_second_address(families[f]));
		assert_true(both_ways(families[f]));

		/* As if it were forwarded: out it goes, and still nothing comes in. */
		assert_int_equal(kernel_apply(kernels[CLIENT], &pass), IKE_OK);
		(void)net_wire();
		assert_false(second_address_reaches(families[f]));
		assert_true(net_wire().clear >= 1);
		pass.op = KERNEL_UNPASS;
		assert_int_equal(kernel_apply(kernels[CLIENT], &pass), IKE_OK);
		(void)net_wire();
		assert_false(second_address_reaches(families[f]));
		assert_int_equal(net_wire().clear, 0);

		r.op = KERNEL_UNPROTECT;
		assert_int_equal(kernel_apply(kernels[CLIENT], &r), IKE_OK);
		assert_int_equal(apply_at(SERVER, families[f], KERNEL_UNPROTECT, 1), IKE_OK);
		assert_true(second_address_reaches(families[f]));
	}
	assert_true(net_shell("ip -n client addr del 192.0.2.77/24 dev eth0; ip -n client addr del 2001:db8:1::77/64 dev eth0"));
}

static void expiry_is_told_and_fails_closed(void **state)
{
	struct kernel_event e;

	(void)state;
	apply_both(IP_V4, KERNEL_PROTECT, 1);
	/* The same SA out with a limit that can be reached. */
	assert_true(net_shell("ip -n client xfrm state delete src 192.0.2.1 dst 192.0.2.10 proto esp spi 0x2001;"
			      "ip -n client xfrm state add src 192.0.2.1 dst 192.0.2.10 proto esp spi 0x2001 reqid %u mode transport "
			      "aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128 "
			      "limit packet-soft 2 limit packet-hard 4",
			      (unsigned)REQID));
	for (unsigned i = 0; i < 8; i++)
		(void)net_send(CLIENT, IP_V4, SERVICE_PORT, SERVICE_PORT);
	assert_true(next_event(kernels[CLIENT], &e));
	assert_int_equal(e.kind, KERNEL_EV_SOFT_EXPIRE);
	assert_int_equal(e.spi, 0x2001);
	do
		assert_true(next_event(kernels[CLIENT], &e));
	while (e.kind == KERNEL_EV_SOFT_EXPIRE);
	assert_int_equal(e.kind, KERNEL_EV_HARD_EXPIRE);
	assert_int_equal(e.reqid, REQID);
	assert_int_equal(net_wire().clear, 0);
}

static void exempt_traffic_passes_in_clear(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		apply_both(families[f], KERNEL_PROTECT, 1);
		apply_both(families[f], KERNEL_DELETE_SAS, 1);
		/* The server, which has no policies any more, plays a name server and a time server. */
		assert_int_equal(apply_at(SERVER, families[f], KERNEL_UNPROTECT, 1), IKE_OK);
		(void)net_send(SERVER, families[f], 53, SERVICE_PORT);
		assert_false(net_arrived(SERVER, families[f]));
		assert_int_equal(kernel_install_exemptions(kernels[CLIENT], false), IKE_OK);
		(void)net_send(SERVER, families[f], 53, SERVICE_PORT);
		assert_true(net_arrived(SERVER, families[f]));
		(void)net_send(SERVER, families[f], 123, SERVICE_PORT);
		assert_true(net_arrived(SERVER, families[f]));
		(void)net_send(SERVER, families[f], 54, SERVICE_PORT);
		assert_false(net_arrived(SERVER, families[f]));
		(void)net_wire();
		(void)net_send(CLIENT, families[f], SERVICE_PORT, 53);
		assert_true(net_wire().clear >= 1);
		(void)net_send(CLIENT, families[f], SERVICE_PORT, 54);
		assert_int_equal(net_wire().clear, 0);
		kernel_close(kernels[CLIENT]);
		assert_true(nothing_left(CLIENT));
		kernels[CLIENT] = open_at(CLIENT);
	}
}

static void neighbours_are_found_under_the_policy(void **state)
{
	struct wire w;

	(void)state;
	assert_int_equal(kernel_install_exemptions(kernels[CLIENT], false), IKE_OK);
	assert_int_equal(kernel_install_exemptions(kernels[SERVER], true), IKE_OK);
	apply_both(IP_V6, KERNEL_PROTECT, 1);
	assert_true(net_shell("ip -n client -6 neigh flush all; ip -n server -6 neigh flush all"));
	(void)net_wire();
	assert_true(both_ways(IP_V6));
	w = net_wire();
	assert_true(w.neighbours >= 2);
	assert_int_equal(w.clear, 0);

	/* Even with no SA left at one end a neighbour must answer, or the next IKE message never leaves. The socket of IKE is
	 * exempt by itself. */
	apply_both(IP_V6, KERNEL_DELETE_SAS, 1);
	assert_true(net_shell("ip -n client -6 neigh flush all; ip -n server -6 neigh flush all"));
	int fd = encap_socket(CLIENT, IP_V6);
	struct ip_addr to = net_addr(SERVER, IP_V6);
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(4500) };

	memcpy(&sin6.sin6_addr, to.b, 16);
	(void)net_wire();
	assert_int_equal(sendto(fd, "abcdefgh", 8, 0, (struct sockaddr *)&sin6, sizeof sin6), 8);
	usleep(100000);
	w = net_wire();
	assert_true(w.neighbours >= 2);
	assert_int_equal(w.esp_in_udp, 1);      /* from port 4500, in clear: past the policy */
	close(fd);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Many at once: each address of its own reqid. Tells how long one takes. */
static void many_pairs_come_and_go(void **state)
{
	enum { PAIRS = 1000 };
	uint64_t start = now_us(), protect_us, unprotect_us, back_us;

	(void)state;
	for (unsigned phase = 0; phase < 2; phase++) {
		for (uint32_t i = 0; i < PAIRS; i++) {
			struct kernel_request r = request_of(CLIENT, IP_V4, phase ? KERNEL_UNPROTECT : KERNEL_PROTECT, &gcm, i);

			r.reqid = KERNEL_REQID_BASE + 2 + i;
			r.remote.b[2] = (uint8_t)(100 + i / 250);
			r.remote.b[3] = (uint8_t)(i % 250);
			assert_int_equal(kernel_apply(kernels[CLIENT], &r), IKE_OK);
		}
		if (phase == 0) {
			protect_us = now_us() - start;
			assert_true(net_shell("ip -n client xfrm policy flush"));
			start = now_us();
			assert_int_equal(guard(CLIENT).policies, PAIRS * 4);
			back_us = now_us() - start;
			start = now_us();
		}
	}
	unprotect_us = now_us() - start;
	print_message("    %d pairs: %u us to protect one, %u us to put its policies back, %u us to release it\n", PAIRS,
		      (unsigned)(protect_us / PAIRS), (unsigned)(back_us / PAIRS), (unsigned)(unprotect_us / PAIRS));
	assert_true(nothing_left(CLIENT));
	assert_true(protect_us / PAIRS < 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(the_check_finds_every_suite),
		LIVE(every_suite_carries_packets_both_ways),
		LIVE(idle_counts_from_the_last_packet),
		LIVE(without_sas_nothing_passes_and_released_all_does),
		LIVE(what_a_killed_run_left_stays_closed_until_it_is_taken_over),
		LIVE(foreign_objects_survive_everything),
		LIVE(foreign_policy_is_a_conflict),
		LIVE(same_spi_of_a_stranger_stays),
		LIVE(refused_message_leaves_what_was_there),
		LIVE(renewal_loses_no_packet),
		LIVE(acquire_is_told_once_and_healed),
		LIVE(larval_sa_of_a_tunnel_goes_with_the_next_start_or_the_release),
		LIVE(events_of_others_are_not_told),
		LIVE(a_shield_closes_the_host_to_our_other_addresses),
		LIVE(expiry_is_told_and_fails_closed),
		LIVE(exempt_traffic_passes_in_clear),
		LIVE(neighbours_are_found_under_the_policy),
		LIVE(removed_policies_are_put_back_and_removed_sas_told),
		LIVE(orphans_are_put_back),
		LIVE(many_pairs_come_and_go),
	};
	int failed;

	if (!net_open()) {
		fprintf(stderr, "live: not in the lab: run tests/lab/run tests/lab/scenarios/kernel-xfrm.sh\n");
		return 2;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	net_close();
	return failed != 0;
}
