#define _GNU_SOURCE                 /* setns */
#include "tests/kernel/live_net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const host_names[] = { "client", "server" };
static const char *const addresses[2][2] = { { "192.0.2.1", "192.0.2.10" }, { "2001:db8:1::1", "2001:db8:1::10" } };
static int host_ns[2] = { -1, -1 };
static int wire_fd = -1;
static int service_fd[2][2];        /* by host, by family */
static unsigned sent;               /* numbers the datagrams */

static bool enter(const char *name)
{
	char path[64];
	int fd;
	bool ok;

	snprintf(path, sizeof path, "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

void net_enter(enum host host)
{
	if (setns(host_ns[host], CLONE_NEWNET) != 0)
		abort();
}

struct ip_addr net_addr(enum host host, enum ip_family family)
{
	struct ip_addr a;

	if (ip_from_text(addresses[family == IP_V6][host], &a) != IKE_OK)
		abort();
	return a;
}

static socklen_t sockaddr_of(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (a->family == IP_V6) {
		struct sockaddr_in6 *s = (struct sockaddr_in6 *)out;

		s->sin6_family = AF_INET6;
		s->sin6_port = htons(port);
		memcpy(&s->sin6_addr, a->b, 16);
		return sizeof *s;
	}
	struct sockaddr_in *s = (struct sockaddr_in *)out;

	s->sin_family = AF_INET;
	s->sin_port = htons(port);
	memcpy(&s->sin_addr, a->b, 4);
	return sizeof *s;
}

/* A bound UDP socket in a host. */
static int udp_socket(enum host host, enum ip_family family, uint16_t port)
{
	struct ip_addr a = net_addr(host, family);
	struct sockaddr_storage ss;
	socklen_t n = sockaddr_of(&a, port, &ss);
	int one = 1, fd;

	net_enter(host);
	fd = socket(family == IP_V6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(fd, (struct sockaddr *)&ss, n) != 0)
		abort();
	return fd;
}

bool net_open(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

	if (!enter("wire"))
		return false;
	wire_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ll.sll_ifindex = (int)if_nametoindex("p-client");
	if (wire_fd < 0 || bind(wire_fd, (struct sockaddr *)&ll, sizeof ll) != 0)
		return false;
	for (int h = 0; h < 2; h++) {
		if (!enter(host_names[h]))
			return false;
		host_ns[h] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (host_ns[h] < 0)
			return false;
	}
	for (int h = 0; h < 2; h++) {
		service_fd[h][0] = udp_socket((enum host)h, IP_V4, SERVICE_PORT);
		service_fd[h][1] = udp_socket((enum host)h, IP_V6, SERVICE_PORT);
	}
	return true;
}

void net_close(void)
{
	for (int h = 0; h < 2; h++) {
		close(service_fd[h][0]);
		close(service_fd[h][1]);
		close(host_ns[h]);
	}
	close(wire_fd);
}

bool net_send(enum host from, enum ip_family family, uint16_t sport, uint16_t dport)
{
	struct ip_addr to = net_addr(from == CLIENT ? SERVER : CLIENT, family);
	struct sockaddr_storage ss;
	socklen_t n = sockaddr_of(&to, dport, &ss);
	bool service = sport == SERVICE_PORT;
	int fd = service ? service_fd[from][family == IP_V6] : udp_socket(from, family, sport);
	bool ok;

	sent++;
	ok = sendto(fd, &sent, sizeof sent, 0, (struct sockaddr *)&ss, n) == (ssize_t)sizeof sent;
	if (!service)
		close(fd);
	return ok;
}

bool net_arrived(enum host from, enum ip_family family)
{
	int fd = service_fd[from == CLIENT ? SERVER : CLIENT][family == IP_V6];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	unsigned got;

	while (poll(&p, 1, 150) == 1)
		if (recv(fd, &got, sizeof got, 0) == (ssize_t)sizeof got && got == sent)
			return true;
	return false;
}

bool net_reaches(enum host from, enum ip_family family)
{
	return net_send(from, family, SERVICE_PORT, SERVICE_PORT) && net_arrived(from, family);
}

static void count_frame(const uint8_t *p, size_t n, uint16_t ethertype, struct wire *w)
{
	size_t header = ethertype == ETH_P_IP ? 20 : 40;
	unsigned proto;

	if ((ethertype != ETH_P_IP && ethertype != ETH_P_IPV6) || n < header + 4)
		return;         /* ARP */
	proto = ethertype == ETH_P_IP ? p[9] : p[6];
	if (ethertype == ETH_P_IPV6 && (p[24] == 0xff || (p[8] == 0xfe && p[9] == 0x80)))
		w->neighbours++;                                /* multicast and link-local: not between our addresses */
	else if (proto == IPPROTO_ESP)
		w->esp++;
	else if (proto == IPPROTO_UDP && p[header] == 0x11 && p[header + 1] == 0x94)
		w->esp_in_udp++;                                /* source port 4500 */
	else if (proto == IPPROTO_ICMPV6 && p[header] >= 133 && p[header] <= 137)
		w->neighbours++;
	else
		w->clear++;
}

struct wire net_wire(void)
{
	struct wire w = { 0 };
	struct sockaddr_ll ll;
	uint8_t frame[2048];

	for (;;) {
		socklen_t ll_n = sizeof ll;
		ssize_t n = recvfrom(wire_fd, frame, sizeof frame, MSG_DONTWAIT, (struct sockaddr *)&ll, &ll_n);

		if (n < 0)
			return w;
		count_frame(frame, (size_t)n, ntohs(ll.sll_protocol), &w);
	}
}

bool net_shell(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	if (vsnprintf(command, sizeof command, format, args) >= (int)sizeof command)
		abort();
	va_end(args);
	return system(command) == 0;
}

const char *net_snapshot(enum host host, char to[TEXT_MAX])
{
	char command[128];
	size_t n;
	FILE *f;

	/* Sequence numbers are not of interest, and policies are listed in any order. */
	snprintf(command, sizeof command, "{ ip -n %s xfrm state; ip -n %s xfrm policy; } | grep -v seq", host_names[host],
		 host_names[host]);
	f = popen(command, "r");
	if (!f)
		abort();
	n = fread(to, 1, TEXT_MAX - 1, f);
	to[n] = '\0';
	pclose(f);
	return to;
}
