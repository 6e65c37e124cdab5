#include "config.h"

#include "daemon/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "conf/conf.h"

/* An address of ours as the kernel told it last. */
struct known {
	struct ip_addr address;
	uint32_t interface, flags;
};

enum { KNOWN_MAX = 256 };           /* more are told again each time */

struct route {
	const struct conf *conf;
	int fd;                     /* questions */
	int events;                 /* what the kernel tells unasked */
	uint32_t seq;
	uint32_t lo;                /* index of the interface */
	struct known known[KNOWN_MAX];
	unsigned n_known;
};

struct question {
	struct nlmsghdr header;
	struct rtmsg route;
	struct rtattr dst_header;
	uint8_t dst[16];
};

struct answer {
	uint8_t type;               /* RTN_UNICAST, RTN_LOCAL, ... */
	struct ip_addr source;      /* IP_NONE: the kernel named none */
};

enum { ANSWER_MAX = 4096, DUMP_MAX = 16384, WAIT_S = 1 };

static bool read_answer(const struct nlmsghdr *header, uint8_t family, struct answer *out)
{
	const struct rtmsg *route = NLMSG_DATA(header);
	const struct rtattr *a;
	size_t left;

	if (header->nlmsg_type != RTM_NEWROUTE || header->nlmsg_len < NLMSG_LENGTH(sizeof *route))
		return false;
	out->type = route->rtm_type;
	left = header->nlmsg_len - NLMSG_LENGTH(sizeof *route);
	for (a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type != RTA_PREFSRC)
			continue;
		if (ip_from_bytes(span_of(RTA_DATA(a), RTA_PAYLOAD(a)), &out->source) != IKE_OK ||
		    out->source.family != family)
			return false;
	}
	return true;
}

/* False: the kernel says that there is no way. */
static bool ask(struct route *r, const struct ip_addr *address, struct answer *out)
{
	union {
		struct nlmsghdr header;
		uint8_t b[ANSWER_MAX];
	} in;
	struct span dst = ip_bytes(address);
	struct question question = {
		.header = { .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = ++r->seq },
		.route = { .rtm_family = address->family == IP_V4 ? AF_INET : AF_INET6,
			   .rtm_dst_len = (uint8_t)(dst.n * 8) },
		.dst_header = { .rta_type = RTA_DST, .rta_len = (unsigned short)RTA_LENGTH(dst.n) },
	};
	ssize_t n;

	memset(out, 0, sizeof *out);
	if (dst.n == 0)
		return false;
	memcpy(question.dst, dst.p, dst.n);
	question.header.nlmsg_len = (uint32_t)(offsetof(struct question, dst) + dst.n);
	if (send(r->fd, &question, question.header.nlmsg_len, 0) < 0)
		return false;
	/* The kernel answers before send() returns; what is older than our question is left from
	 * one that timed out. */
	do {
		n = recv(r->fd, &in, sizeof in, 0);
	} while (n >= (ssize_t)sizeof in.header && in.header.nlmsg_seq != r->seq);
	return n >= (ssize_t)sizeof in.header && NLMSG_OK(&in.header, (size_t)n) &&
	       read_answer(&in.header, address->family, out);
}

static bool is_listened(const struct conf *conf, const struct ip_addr *address)
{
	unsigned i;

	for (i = 0; i < conf->listen.n; i++)
		if (ip_equal(&conf->listen.at[i], address))
			return true;
	return conf->listen.n == 0;
}

/* The kernel's choice if we listen there, else the first address of the family where we do. */
static bool choose(const struct conf *conf, struct ip_addr *source)
{
	unsigned i;

	if (is_listened(conf, source))
		return true;
	for (i = 0; i < conf->listen.n; i++)
		if (conf->listen.at[i].family == source->family) {
			*source = conf->listen.at[i];
			return true;
		}
	return false;
}

enum ike_err route_source(struct route *route, const struct ip_addr *remote, struct ip_addr *local)
{
	struct answer answer;

	memset(local, 0, sizeof *local);
	if (!ask(route, remote, &answer) || answer.type != RTN_UNICAST ||
	    answer.source.family == IP_NONE || !choose(route->conf, &answer.source))
		return IKE_E_REFUSED;
	*local = answer.source;
	return IKE_OK;
}

bool route_is_own(struct route *route, const struct ip_addr *address)
{
	struct answer answer;

	return ask(route, address, &answer) && answer.type == RTN_LOCAL;
}

static bool read_address(const struct nlmsghdr *header, struct known *out)
{
	const struct ifaddrmsg *address = NLMSG_DATA(header);
	const struct rtattr *a;
	size_t left;

	memset(out, 0, sizeof *out);
	if (header->nlmsg_len < NLMSG_LENGTH(sizeof *address))
		return false;
	out->interface = address->ifa_index;
	out->flags = address->ifa_flags;
	left = header->nlmsg_len - NLMSG_LENGTH(sizeof *address);
	for (a = IFA_RTA(address); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		/* On a link between two, IFA_ADDRESS is the other one's. */
		if (a->rta_type == IFA_LOCAL || (a->rta_type == IFA_ADDRESS && out->address.family == IP_NONE))
			(void)!ip_from_bytes(span_of(RTA_DATA(a), RTA_PAYLOAD(a)), &out->address);
		else if (a->rta_type == IFA_FLAGS && RTA_PAYLOAD(a) == sizeof out->flags)
			memcpy(&out->flags, RTA_DATA(a), sizeof out->flags);
	}
	return out->address.family != IP_NONE;
}

/* One answer of a dump. False: there are more to come. */
static bool is_last(const struct nlmsghdr *header, const struct ip_addr *address, bool *found)
{
	struct known known;

	if (header->nlmsg_type == RTM_NEWADDR && read_address(header, &known))
		*found |= ip_equal(&known.address, address);
	*found |= header->nlmsg_type == NLMSG_ERROR;    /* perhaps */
	return header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR;
}

/* Also on one that is down: the table of routes has only those that are up. getifaddrs() would open a socket, which whoever parses
 * the network may not. */
static bool is_on_interface(struct route *r, const struct ip_addr *address)
{
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg body;
	} question = {
		.header = { .nlmsg_len = sizeof question, .nlmsg_type = RTM_GETADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			    .nlmsg_seq = ++r->seq },
		.body = { .ifa_family = address->family == IP_V4 ? AF_INET : AF_INET6 },
	};
	union {
		struct nlmsghdr header;
		uint8_t b[DUMP_MAX];
	} in;
	bool last = false, found = false;

	if (send(r->fd, &question, sizeof question, 0) < 0)
		return true;            /* perhaps */
	while (!last) {
		ssize_t n = recv(r->fd, &in, sizeof in, 0);
		const struct nlmsghdr *header = &in.header;

		if (n < 0)
			return true;
		for (size_t left = (size_t)n; !last && NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
			if (header->nlmsg_seq == r->seq)
				last = is_last(header, address, &found);
	}
	return found;
}

bool route_is_behind(struct route *route, const struct ip_addr *address)
{
	struct answer answer;

	return ask(route, address, &answer) && answer.type == RTN_UNICAST &&
	       !is_on_interface(route, address);
}

int route_event_fd(const struct route *route)
{
	return route->events;
}

/* As kernel/inner.c makes them: not a way to be somewhere else, and each tunnel with one would shake all others. */
static bool is_assigned(const struct route *r, const struct known *k)
{
	return k->interface == r->lo && (k->flags & IFA_F_DEPRECATED) && (k->flags & IFA_F_NOPREFIXROUTE);
}

static struct known *find_known(struct route *r, const struct known *k)
{
	for (unsigned i = 0; i < r->n_known; i++)
		if (r->known[i].interface == k->interface && ip_equal(&r->known[i].address, &k->address))
			return &r->known[i];
	return NULL;
}

/* The kernel tells of an address each time that its life is prolonged: with every advertisement of a router, which anybody on the
 * link can send. */
static bool is_news(struct route *r, const struct known *k)
{
	struct known *have = find_known(r, k);
	bool same = have && have->flags == k->flags;

	if (have)
		*have = *k;
	else if (r->n_known < KNOWN_MAX)
		r->known[r->n_known++] = *k;
	return !same;
}

static void forget(struct route *r, const struct known *k)
{
	struct known *have = find_known(r, k);

	if (have)
		*have = r->known[--r->n_known];
}

/* Whole tables of routes pass by on some hosts: only a default route says that this host is somewhere else. */
static bool is_default_route(const struct nlmsghdr *header)
{
	const struct rtmsg *route = NLMSG_DATA(header);

	return header->nlmsg_len >= NLMSG_LENGTH(sizeof *route) && route->rtm_dst_len == 0 && route->rtm_type == RTN_UNICAST;
}

static bool read_event(struct route *route, const struct nlmsghdr *header, struct route_event *out)
{
	struct known address;

	out->kind = ROUTE_CHANGED;
	switch (header->nlmsg_type) {
	case RTM_NEWADDR:
		out->kind = ROUTE_NEW_ADDRESS;
		if (!read_address(header, &address) || is_assigned(route, &address))
			return false;
		out->address = address.address;
		return is_news(route, &address);
	case RTM_DELADDR:
		out->kind = ROUTE_ADDRESS_GONE;
		if (!read_address(header, &address) || is_assigned(route, &address))
			return false;
		out->address = address.address;
		forget(route, &address);
		return true;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return is_default_route(header);
	default:
		return false;
	}
}

bool route_next_event(struct route *route, struct route_event *out)
{
	union {
		struct nlmsghdr header;
		uint8_t b[ANSWER_MAX];
	} in;

	for (;;) {
		ssize_t n = recv(route->events, &in, sizeof in, MSG_DONTWAIT | MSG_TRUNC);

		memset(out, 0, sizeof *out);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS)
			return false;
		/* The kernel sends one a datagram. */
		if (n < 0 || (size_t)n > sizeof in || !NLMSG_OK(&in.header, (size_t)n)) {
			out->kind = ROUTE_NEW_ADDRESS;
			route->n_known = 0;
			return true;
		}
		if (read_event(route, &in.header, out))
			return true;
	}
}

static int listen_to_changes(void)
{
	const struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
					    .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
							 RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&groups, sizeof groups) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

enum ike_err route_open(const struct conf *conf, struct route **out)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct route *r = calloc(1, sizeof *r);

	*out = NULL;
	if (!r)
		return IKE_E_NOMEM;
	r->conf = conf;
	r->lo = if_nametoindex("lo");
	r->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	r->events = listen_to_changes();
	if (r->fd < 0 || r->events < 0 || setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0) {
		route_close(r);
		return IKE_E_IO;
	}
	*out = r;
	return IKE_OK;
}

void route_close(struct route *route)
{
	if (!route)
		return;
	if (route->fd >= 0)
		close(route->fd);
	if (route->events >= 0)
		close(route->events);
	free(route);
}
