#define _GNU_SOURCE
#include "tests/kernel/live_ends.h"

#include <linux/netlink.h>
#include <sys/socket.h>

const enum ip_family families[2] = { IP_V4, IP_V6 };

/* Linked with --wrap=sendmsg, so that the product needs no hook. */
static unsigned spoil_at, messages;

ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	for (size_t i = 0; i < m->msg_iovlen; i++) {
		struct nlmsghdr *hdr = m->msg_iov[i].iov_base;

		if (++messages == spoil_at)
			hdr->nlmsg_type = 0x7fff;
	}
	return __real_sendmsg(fd, m, flags);
}

void spoil(unsigned n)
{
	spoil_at = n;
	messages = 0;
}

bool was_spoiled(unsigned n)
{
	return messages >= n;
}

struct kernel *kernels[2];

static void write_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	print_message("    %s\n", text);
}
static const struct log quiet_log = { .write = write_log, .max = LOG_LEVEL_INFO };

const struct esp_suite gcm = { ENCR_AES_GCM_16, 256, INTEG_NONE, true };

struct kernel_request request_of(enum host host, enum ip_family family, enum kernel_op op, const struct esp_suite *suite, uint32_t pair)
{
	struct kernel_request r = {
		.op = op, .reqid = REQID, .local = net_addr(host, family),
		.remote = net_addr(host == CLIENT ? SERVER : CLIENT, family), .suite = *suite,
		.shield = host == CLIENT,       /* who asked */
	};
	uint32_t to_client = 0x1000 + pair, to_server = 0x2000 + pair;
	struct esp_keys *keys[2] = { &r.keys_in, &r.keys_out };

	r.spi_in = host == CLIENT ? to_client : to_server;
	r.spi_out = host == CLIENT ? to_server : to_client;
	for (unsigned i = 0; i < 2; i++) {
		/* The same at both ends, different for each direction and pair. */
		uint8_t seed = (uint8_t)(pair * 2 + (i == (unsigned)host));

		keys[i]->encr.n = (uint8_t)(suite_encr_key_len(suite->encr, suite->encr_bits) + suite_encr_salt_len(suite->encr));
		keys[i]->integ.n = (uint8_t)suite_integ_key_len(suite->integ);
		for (unsigned j = 0; j < SECRET_MAX; j++) {
			keys[i]->encr.b[j] = (uint8_t)(seed + j);
			keys[i]->integ.b[j] = (uint8_t)(seed ^ j);
		}
	}
	return r;
}

enum ike_err apply_at(enum host host, enum ip_family family, enum kernel_op op, uint32_t pair)
{
	struct kernel_request r = request_of(host, family, op, &gcm, pair);

	return kernel_apply(kernels[host], &r);
}

void apply_both(enum ip_family family, enum kernel_op op, uint32_t pair)
{
	assert_int_equal(apply_at(SERVER, family, op, pair), IKE_OK);
	assert_int_equal(apply_at(CLIENT, family, op, pair), IKE_OK);
}

struct kernel *open_at(enum host host)
{
	struct kernel *k;
	const char *why;

	net_enter(host);
	if (kernel_xfrm_open(&quiet_log, &k, &why) != IKE_OK)
		fail_msg("open: %s", why);
	return k;
}

bool both_ways(enum ip_family family)
{
	bool there = net_reaches(CLIENT, family), back = net_reaches(SERVER, family);

	return there && back;
}

bool neither_way(enum ip_family family)
{
	bool there = net_reaches(CLIENT, family), back = net_reaches(SERVER, family);

	return !there && !back;
}

bool nothing_left(enum host host)
{
	char text[TEXT_MAX];

	net_snapshot(host, text);
	if (text[0] != '\0')
		print_message("left: %s\n", text);
	return text[0] == '\0';
}

int begin(void **state)
{
	(void)state;
	if (!net_shell("ip -n client xfrm state flush; ip -n client xfrm policy flush;"
		       "ip -n server xfrm state flush; ip -n server xfrm policy flush"))
		return -1;
	kernels[CLIENT] = open_at(CLIENT);
	kernels[SERVER] = open_at(SERVER);
	(void)net_wire();
	return 0;
}

int end(void **state)
{
	(void)state;
	spoil(0);
	kernel_close(kernels[CLIENT]);
	kernel_close(kernels[SERVER]);
	return 0;
}

struct kernel_losses guard(enum host host)
{
	struct kernel_losses lost;

	assert_int_equal(kernel_guard(kernels[host], &lost), IKE_OK);
	return lost;
}
