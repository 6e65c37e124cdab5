#include "config.h"

#include "cli/lookup.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "daemon/dns_channel.h"

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct lookup_question *q = arg;

	(void)timeouts;
	if (status != ARES_SUCCESS) {
		snprintf(q->error, sizeof q->error, "%s", ares_strerror(status));
		return;
	}
	q->bytes = malloc((size_t)n);
	if (!q->bytes) {
		snprintf(q->error, sizeof q->error, "out of memory");
		return;
	}
	memcpy(q->bytes, bytes, (size_t)n);
	q->answered = dns_message_open(span_of(q->bytes, (size_t)n), &q->name, q->type, &q->message) == IKE_OK;
	if (!q->answered)
		snprintf(q->error, sizeof q->error, "malformed answer");
}

static void ask(ares_channel channel, struct lookup_question *q)
{
	uint8_t bytes[DNS_QUESTION_MAX];
	struct wr w = wr_over(bytes, sizeof bytes);

	q->answered = false;
	q->bytes = NULL;
	q->error[0] = '\0';
	dns_question_write(&w, (uint16_t)randombytes_uniform(0x10000), &q->name, q->type,
			   q->unchecked ? DNS_FLAG_AD | DNS_FLAG_CD : DNS_FLAG_AD);
	ares_send(channel, bytes, (int)wr_span(&w).n, on_answer, q);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int earlier(const struct timeval *next, uint64_t left_ms)
{
	uint64_t wait_ms = (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1;

	return (int)(wait_ms < left_ms ? wait_ms : left_ms);
}

/* Until c-ares has nothing to wait for, or the time is over. */
static void wait_for_all(ares_channel channel, unsigned wait_ms)
{
	uint64_t end_ms = now_ms() + wait_ms, at_ms;

	/* One less than c-ares offers, whose macro for the last one shifts into the sign. One resolver has two at most. */
	enum { SOCKETS_MAX = ARES_GETSOCK_MAXNUM - 1 };
	ares_socket_t sockets[SOCKETS_MAX];
	struct pollfd fds[SOCKETS_MAX];

	for (;;) {
		int bits = ares_getsock(channel, sockets, SOCKETS_MAX);
		struct timeval wait, *next = ares_timeout(channel, NULL, &wait);
		nfds_t n = 0;

		at_ms = now_ms();
		if (bits == 0 || !next || at_ms >= end_ms)
			return;
		for (int i = 0; i < SOCKETS_MAX; i++) {
			short events = (short)((ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) |
					       (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0));

			if (events != 0)
				fds[n++] = (struct pollfd){ .fd = sockets[i], .events = events };
		}
		if (poll(fds, n, earlier(next, end_ms - at_ms)) <= 0)
			ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		for (nfds_t i = 0; i < n; i++)
			if (fds[i].revents != 0)
				ares_process_fd(channel, fds[i].fd, fds[i].fd);
	}
}

void lookup_ask(const struct ip_endpoint *resolver, struct lookup_question *q, unsigned n)
{
	lookup_ask_for(resolver, q, n, LOOKUP_WAIT_S * 1000);
}

void lookup_ask_for(const struct ip_endpoint *resolver, struct lookup_question *q, unsigned n, unsigned wait_ms)
{
	ares_channel channel = NULL;

	if (sodium_init() >= 0 && ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS)
		(void)dns_channel_open(resolver, NULL, NULL, &channel);
	for (unsigned i = 0; i < n; i++) {
		if (channel)
			ask(channel, &q[i]);
		else
			snprintf(q[i].error, sizeof q[i].error, "out of memory");
	}
	if (!channel)
		return;
	wait_for_all(channel, wait_ms);
	ares_destroy(channel);
	ares_library_cleanup();
}

void lookup_clear(struct lookup_question *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		free(q[i].bytes);
		q[i].bytes = NULL;
		q[i].answered = false;
	}
}
