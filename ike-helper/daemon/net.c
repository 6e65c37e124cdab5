#include "config.h"

#include "daemon/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/conf.h"
#include "kernel/kernel.h"

enum {
	SOCKETS_MAX = 2 * CONF_LISTEN_MAX,
	DATAGRAM_MAX = 65535,
	BATCH_MAX = 64,                 /* datagrams read before others have their turn */
	MARKER_LEN = 4,
};

struct port {
	struct net *net;
	int fd;
	struct ip_endpoint at;          /* address zero (but family set): all */
	bool is_wildcard;
	struct event *readable;
};

struct net {
	const struct log *log;
	uint16_t natt_port;
	struct net_user user;
	struct port ports[SOCKETS_MAX];
	unsigned n_ports;
	struct net_stats stats;
	uint8_t buffer[DATAGRAM_MAX];
};

union control {
	struct cmsghdr align;
	uint8_t b[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		  CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
};

/* Addresses ------------------------------------------------------------------------------------ */

socklen_t net_sockaddr(const struct ip_endpoint *from, struct sockaddr_storage *to)
{
	memset(to, 0, sizeof *to);
	if (from->addr.family == IP_V4) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)to;

		v4->sin_family = AF_INET;
		v4->sin_port = htons(from->port);
		memcpy(&v4->sin_addr, from->addr.b, 4);
		return sizeof *v4;
	} else {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(from->port);
		memcpy(&v6->sin6_addr, from->addr.b, 16);
		return sizeof *v6;
	}
}

static bool from_sockaddr(const struct sockaddr_storage *from, struct ip_endpoint *to)
{
	memset(to, 0, sizeof *to);
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;

		to->addr.family = IP_V4;
		memcpy(to->addr.b, &v4->sin_addr, 4);
		to->port = ntohs(v4->sin_port);
		return true;
	}
	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

		to->addr.family = IP_V6;
		memcpy(to->addr.b, &v6->sin6_addr, 16);
		to->port = ntohs(v6->sin6_port);
		return true;
	}
	return false;
}

/* The address that the datagram was sent to. */
static bool local_address(struct msghdr *m, struct ip_addr *to)
{
	struct cmsghdr *c;

	memset(to, 0, sizeof *to);
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			to->family = IP_V4;
			memcpy(to->b, &info.ipi_addr, 4);
			return true;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			to->family = IP_V6;
			memcpy(to->b, &info.ipi6_addr, 16);
			return true;
		}
	}
	return false;
}

/* In ------------------------------------------------------------------------------------------- */

static bool is_keepalive(struct span datagram)
{
	return datagram.n == 1 && datagram.p[0] == 0xff;
}

/* Take the marker off. False: this is not IKE. Without a marker on the NAT-T port it is ESP that
 * the kernel did not want (RFC 3948 2.1); a message from a peer's NAT-T port may carry one on ours
 * too. */
static bool unwrap(struct net *net, const struct ip_path *path, struct span *datagram)
{
	static const uint8_t marker[MARKER_LEN];
	bool natt = path->local.port == net->natt_port;
	bool marked = datagram->n >= MARKER_LEN && memcmp(datagram->p, marker, MARKER_LEN) == 0;

	if (natt && is_keepalive(*datagram)) {
		net->stats.keepalives++;
		return false;
	}
	if (natt && !marked) {
		net->stats.not_ike++;
		return false;
	}
	if (marked && (natt || path->remote.port == net->natt_port))
		*datagram = span_of(datagram->p + MARKER_LEN, datagram->n - MARKER_LEN);
	return true;
}

static void note_icmp(struct port *port, struct msghdr *m, const struct sockaddr_storage *remote,
		      size_t n)
{
	struct cmsghdr *c;
	struct ip_path path = { .local = port->at };
	struct span datagram = span_of(port->net->buffer, n);
	char text[IP_ENDPOINT_TEXT_MAX];

	port->net->stats.icmp_errors++;
	if (!from_sockaddr(remote, &path.remote))
		return;
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct sock_extended_err error;

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&error, CMSG_DATA(c), sizeof error);
		/* Anybody can send one: it ends nothing (RFC 7296 2.4), but it tells a person
		 * something. */
		log_debug(port->net->log, "%s: %s (ICMP)", ip_endpoint_text(&path.remote, text),
			  strerror((int)error.ee_errno));
		if (error.ee_errno != EMSGSIZE && unwrap(port->net, &path, &datagram))
			port->net->user.undelivered(port->net->user.arg, datagram);
		return;
	}
}

/* One message from fd; n < 0: nothing there. */
static ssize_t receive(struct port *port, int flags, struct sockaddr_storage *remote,
		       union control *control, struct msghdr *m)
{
	struct iovec iov = { .iov_base = port->net->buffer, .iov_len = sizeof port->net->buffer };
	ssize_t n;

	*m = (struct msghdr){
		.msg_name = remote, .msg_namelen = sizeof *remote, .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control->b, .msg_controllen = sizeof control->b,
	};
	n = recvmsg(port->fd, m, flags | MSG_DONTWAIT);
	m->msg_iov = NULL;
	m->msg_iovlen = 0;
	return n;
}

static void read_errors(struct port *port)
{
	struct sockaddr_storage remote;
	union control control;
	struct msghdr m;
	unsigned i;
	ssize_t n;

	for (i = 0; i < BATCH_MAX && (n = receive(port, MSG_ERRQUEUE, &remote, &control, &m)) >= 0;
	     i++)
		note_icmp(port, &m, &remote, (size_t)n);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct port *port = arg;
	struct net *net = port->net;
	struct sockaddr_storage remote;
	union control control;
	struct msghdr m;
	unsigned i;
	bool empty;
	ssize_t n;

	(void)fd;
	(void)what;
	for (i = 0; i < BATCH_MAX; i++) {
		struct ip_path path;
		struct span datagram;

		n = receive(port, 0, &remote, &control, &m);
		empty = n < 0 && (errno == EAGAIN || errno == EINTR);
		/* The ICMP error of a datagram of ours; or sending was told of it, and the queue alone has woken us. */
		if (n < 0 && (!empty || i == 0))
			read_errors(port);
		if (empty)
			break;
		if (n < 0)
			continue;
		net->stats.received++;
		if (!from_sockaddr(&remote, &path.remote) || !local_address(&m, &path.local.addr))
			continue;
		path.local.port = port->at.port;
		datagram = span_of(net->buffer, (size_t)n);
		if (unwrap(net, &path, &datagram))
			net->user.in(net->user.arg, &path, datagram);
	}
}

/* Out ------------------------------------------------------------------------------------------ */

static struct port *port_for(struct net *net, const struct ip_endpoint *local)
{
	struct port *wildcard = NULL;
	unsigned i;

	for (i = 0; i < net->n_ports; i++) {
		struct port *p = &net->ports[i];

		if (p->at.addr.family != local->addr.family || p->at.port != local->port)
			continue;
		if (ip_equal(&p->at.addr, &local->addr))
			return p;
		if (p->is_wildcard)
			wildcard = p;
	}
	return wildcard;
}

static void set_source(struct msghdr *m, union control *control, const struct ip_addr *local)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof *control);
	m->msg_control = control->b;
	if (local->family == IP_V4) {
		struct in_pktinfo info = { 0 };

		m->msg_controllen = CMSG_SPACE(sizeof info);
		c = CMSG_FIRSTHDR(m);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(&info.ipi_spec_dst, local->b, 4);
		memcpy(CMSG_DATA(c), &info, sizeof info);
	} else {
		struct in6_pktinfo info = { 0 };

		m->msg_controllen = CMSG_SPACE(sizeof info);
		c = CMSG_FIRSTHDR(m);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof info);
		memcpy(&info.ipi6_addr, local->b, 16);
		memcpy(CMSG_DATA(c), &info, sizeof info);
	}
}

void net_send(struct net *net, const struct ip_path *path, struct span datagram)
{
	static const uint8_t marker[MARKER_LEN];
	struct port *port = port_for(net, &path->local);
	bool marked = (path->local.port == net->natt_port || path->remote.port == net->natt_port) && !is_keepalive(datagram);
	struct iovec iov[2] = {
		{ .iov_base = (void *)(uintptr_t)marker, .iov_len = marked ? MARKER_LEN : 0 },
		{ .iov_base = (void *)(uintptr_t)datagram.p, .iov_len = datagram.n },
	};
	struct sockaddr_storage remote;
	union control control;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_name = &remote };
	char from[IP_ENDPOINT_TEXT_MAX], to[IP_ENDPOINT_TEXT_MAX];
	ssize_t n = -1;
	unsigned tries;

	errno = EADDRNOTAVAIL;
	if (port) {
		m.msg_namelen = net_sockaddr(&path->remote, &remote);
		set_source(&m, &control, &path->local.addr);
		/* The first try may be told the ICMP error of an earlier datagram instead of being
		 * sent. */
		for (tries = 0; n < 0 && tries < 2; tries++)
			n = sendmsg(port->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (n >= 0) {
		net->stats.sent++;
		return;
	}
	net->stats.send_failed++;
	log_debug(net->log, "cannot send from %s to %s: %s", ip_endpoint_text(&path->local, from),
		  ip_endpoint_text(&path->remote, to), strerror(errno));
}

/* Open ----------------------------------------------------------------------------------------- */

static bool set_on(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool set_options(int fd, uint8_t family)
{
	if (family == IP_V4)
		return set_on(fd, IPPROTO_IP, IP_PKTINFO, 1) &&
		       set_on(fd, IPPROTO_IP, IP_RECVERR, 1) &&
		       /* Never a path MTU that an ICMP message made up. */
		       set_on(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	return set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
	       set_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
	       set_on(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) &&
	       set_on(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

static enum ike_err bind_error(const struct ip_endpoint *at, char *error)
{
	const enum ike_err err = errno == EADDRINUSE ? IKE_E_CONFLICT : IKE_E_IO;
	char text[IP_ENDPOINT_TEXT_MAX];

	if (errno == EADDRINUSE)
		snprintf(error, NET_ERROR_MAX,
			 "UDP port %u is in use (%s): is another IKE daemon running? Stop it, "
			 "or choose other ports with ike-port and natt-port",
			 at->port, ip_endpoint_text(at, text));
	else if (errno == EACCES)
		snprintf(error, NET_ERROR_MAX, "no permission for UDP port %u (%s): start as root",
			 at->port, ip_endpoint_text(at, text));
	else if (errno == EADDRNOTAVAIL)
		snprintf(error, NET_ERROR_MAX,
			 "%s is not an address of this host: correct the option listen",
			 ip_endpoint_text(at, text));
	else
		snprintf(error, NET_ERROR_MAX, "cannot use UDP %s: %s", ip_endpoint_text(at, text),
			 strerror(errno));
	return err;
}

static enum ike_err port_open(struct net *net, const struct ip_endpoint *at, bool wildcard,
			      bool kernel, char *error)
{
	struct port *port = &net->ports[net->n_ports];
	struct sockaddr_storage address;
	socklen_t n = net_sockaddr(at, &address);
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	enum ike_err err;

	if (fd < 0 && errno == EAFNOSUPPORT && wildcard)
		return IKE_OK;
	if (fd < 0 || !set_options(fd, at->addr.family) ||
	    bind(fd, (struct sockaddr *)&address, n) != 0) {
		err = bind_error(at, error);
		if (fd >= 0)
			close(fd);
		return err;
	}
	*port = (struct port){ .net = net, .fd = fd, .at = *at, .is_wildcard = wildcard };
	net->n_ports++;
	if (!kernel)
		return IKE_OK;
	if (kernel_socket_bypass(fd, at->addr.family == IP_V4 ? IP_V4 : IP_V6) != IKE_OK) {
		snprintf(error, NET_ERROR_MAX, "the kernel does not let IKE's own sockets pass by IPsec policies (%s): %s",
			 strerror(errno), errno == EPERM ? "start as root" : "does it have CONFIG_XFRM_USER (modprobe xfrm_user)?");
		return IKE_E_IO;
	}
	if (at->port == net->natt_port && kernel_socket_encap(fd) != IKE_OK)
		log_info(net->log,
			 "this kernel does not take %s ESP from UDP: no tunnels through a NAT",
			 at->addr.family == IP_V4 ? "IPv4" : "IPv6");
	return IKE_OK;
}

static enum ike_err address_open(struct net *net, const struct conf *conf,
				 const struct ip_addr *address, bool wildcard, bool kernel,
				 char *error)
{
	struct ip_endpoint ike = { .addr = *address, .port = (uint16_t)conf->ike_port };
	struct ip_endpoint natt = { .addr = *address, .port = (uint16_t)conf->natt_port };
	enum ike_err err = port_open(net, &ike, wildcard, kernel, error);

	return err == IKE_OK ? port_open(net, &natt, wildcard, kernel, error) : err;
}

enum ike_err net_open(const struct conf *conf, bool kernel, const struct log *log, struct net **out,
		      char error[NET_ERROR_MAX])
{
	static const struct ip_addr any[2] = { { .family = IP_V4 }, { .family = IP_V6 } };
	struct net *net = calloc(1, sizeof *net);
	enum ike_err err = IKE_OK;
	unsigned i;

	*out = NULL;
	if (!net) {
		snprintf(error, NET_ERROR_MAX, "out of memory");
		return IKE_E_NOMEM;
	}
	net->log = log;
	net->natt_port = (uint16_t)conf->natt_port;
	for (i = 0; err == IKE_OK && conf->listen.n == 0 && i < 2; i++)
		err = address_open(net, conf, &any[i], true, kernel, error);
	for (i = 0; err == IKE_OK && i < conf->listen.n; i++)
		err = address_open(net, conf, &conf->listen.at[i], false, kernel, error);
	if (err != IKE_OK) {
		net_close(net);
		return err;
	}
	*out = net;
	return IKE_OK;
}

enum ike_err net_start(struct net *net, struct event_base *base, const struct net_user *user)
{
	unsigned i;

	net->user = *user;
	for (i = 0; i < net->n_ports; i++) {
		struct port *port = &net->ports[i];

		port->readable = event_new(base, port->fd, EV_READ | EV_PERSIST, on_readable, port);
		if (!port->readable || event_add(port->readable, NULL) != 0)
			return IKE_E_NOMEM;
	}
	return IKE_OK;
}

void net_close(struct net *net)
{
	unsigned i;

	if (!net)
		return;
	for (i = 0; i < net->n_ports; i++) {
		if (net->ports[i].readable)
			event_free(net->ports[i].readable);
		close(net->ports[i].fd);
	}
	free(net);
}

const struct net_stats *net_stats(const struct net *net)
{
	return &net->stats;
}
