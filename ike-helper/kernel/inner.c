#include "kernel/inner.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "kernel/translate.h"

enum {
	OUR_PROTOCOL = 0x6f,        /* "o", as in our reqids; of routes, and of addresses from Linux 5.18 on */
	OUR_METRIC = 111,
	CLIENT_METRIC = 112,        /* of routes to clients: those have no address of ours to be removed with them */
	ANSWER_WAIT_S = 2,          /* the kernel answers while it is asked, or never: it had no memory for the answer */
	LATE_MAX = 64,
	ATTR_ADDRESS_PROTO = 11,    /* IFA_PROTO, which older headers do not have; older kernels read over it */
};
#define OUR_LABEL "lo:oe"

/* One host, and what it assigned. */
struct hold {
	struct ip_addr address, local, remote;
	bool routed;                /* it has the route to remote; one at most does */
};

/* A client of ours, and what we have assigned to it. */
struct client {
	struct ip_addr address, local, via;
};

struct inner {
	const struct log *log;
	struct nl_sock *sock;           /* NULL: in memory, or by call */
	inner_caller *call;
	void *call_arg;
	int lo;                         /* index of the interface */
	struct hold *holds;
	unsigned n, max;
	struct client *clients;
	unsigned n_clients, max_clients;
	bool untranslated;              /* the kernel does not do it, and that has been said */
	bool stale[2];                  /* by family, IPv4 first: its table is not what it should be */
};

static uint8_t family_of(const struct ip_addr *a)
{
	return a->family == IP_V4 ? AF_INET : AF_INET6;
}

static uint8_t bits_of(const struct ip_addr *a)
{
	return a->family == IP_V4 ? 32 : 128;
}

static int put_address(struct nl_msg *m, int type, const struct ip_addr *a)
{
	struct span bytes = ip_bytes(a);

	return nla_put(m, type, (int)bytes.n, bytes.p);
}

/* Talking to the kernel ---------------------------------------------------------------------------------------------- */

/* What came too late for the question that it answers is not the answer to the next one: there, sequence numbers are not compared,
 * or a lost answer would make all that follow wrong. */
static void forget_late_answers(struct inner *n)
{
	uint8_t late[LATE_MAX];

	while (recv(nl_socket_get_fd(n->sock), late, sizeof late, MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
}

static bool bound_waiting(struct nl_sock *sock)
{
	const struct timeval wait = { .tv_sec = ANSWER_WAIT_S };

	nl_socket_disable_seq_check(sock);
	return setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0;
}

/* 0, or the negative error of libnl; m is freed. */
static int talk(struct inner *n, struct nl_msg *m)
{
	int err;

	forget_late_answers(n);
	err = nl_send_auto(n->sock, m);

	nlmsg_free(m);
	return err < 0 ? err : nl_wait_for_ack(n->sock);
}

/* What is refused is asked once more, as in plan.c: nobody asks for it later. What is absent is removed: the kernel takes a route along
 * with its interface or its source. */
static int talk_to_remove(struct inner *n, struct nl_msg *m)
{
	int err;

	nlmsg_get(m);
	err = talk(n, m);
	if (err != 0 && err != -NLE_OBJ_NOTFOUND && err != -NLE_NOADDR) {
		nlmsg_hdr(m)->nlmsg_seq = NL_AUTO_SEQ;
		err = talk(n, m);
	} else {
		nlmsg_free(m);
	}
	return err == -NLE_OBJ_NOTFOUND || err == -NLE_NOADDR ? 0 : err;
}

static enum ike_err report(struct inner *n, int error, const char *what, const struct ip_addr *a)
{
	char text[IP_TEXT_MAX];

	if (error == 0)
		return IKE_OK;
	log_error(n->log, "%s %s: %s", what, ip_text(a, text), nl_geterror(error));
	return IKE_E_KERNEL;
}

/* Deprecated and, in IPv4, of host scope: nothing takes it as a source by itself. No other route comes with it. */
static enum ike_err change_address(struct inner *n, int type, const struct ip_addr *a)
{
	const struct ifa_cacheinfo life = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };
	struct ifaddrmsg body = {
		.ifa_family = family_of(a), .ifa_prefixlen = bits_of(a), .ifa_index = (unsigned)n->lo,
		.ifa_scope = a->family == IP_V4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
	};
	struct nl_msg *m = nlmsg_alloc_simple(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0);
	uint8_t protocol = OUR_PROTOCOL;
	uint32_t flags = IFA_F_NOPREFIXROUTE | (a->family == IP_V6 ? IFA_F_NODAD : 0u);
	int err;

	if (!m)
		return IKE_E_NOMEM;
	err = nlmsg_append(m, &body, sizeof body, NLMSG_ALIGNTO);
	err = err ? err : put_address(m, IFA_LOCAL, a);
	err = err ? err : put_address(m, IFA_ADDRESS, a);
	if (a->family == IP_V4)
		err = err ? err : nla_put_string(m, IFA_LABEL, OUR_LABEL);
	if (type == RTM_NEWADDR) {
		err = err ? err : nla_put(m, IFA_FLAGS, sizeof flags, &flags);
		err = err ? err : nla_put(m, IFA_CACHEINFO, sizeof life, &life);
		err = err ? err : nla_put(m, ATTR_ADDRESS_PROTO, sizeof protocol, &protocol);
	}
	if (err)
		nlmsg_free(m);
	else
		err = type == RTM_DELADDR ? talk_to_remove(n, m) : talk(n, m);
	return report(n, err, type == RTM_NEWADDR ? "cannot add the assigned address" : "cannot remove the assigned address",
		      a);
}

/* The way to an address, as the kernel would go. */
struct way {
	bool found, can_be_copied;
	uint8_t type, dst_bits;         /* RTN_UNICAST, ...; of the route that was chosen: 0 = a default route */
	uint32_t interface;
	struct ip_addr gateway, source;
};

static void read_way(const struct nlmsghdr *hdr, struct way *out)
{
	const struct rtmsg *r = nlmsg_data(hdr);
	struct nlattr *attrs[RTA_MAX + 1];

	*out = (struct way){ .found = false };
	if (hdr->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)hdr, sizeof *r, attrs, RTA_MAX, NULL) < 0)
		return;
	out->type = r->rtm_type;
	out->dst_bits = r->rtm_dst_len;
	if (attrs[RTA_OIF] && nla_len(attrs[RTA_OIF]) == (int)sizeof out->interface)
		out->interface = nla_get_u32(attrs[RTA_OIF]);
	out->found = true;
	/* Not a gateway of the other family. Nor several next hops: there is no interface then. */
	out->can_be_copied = !attrs[RTA_VIA] && out->interface != 0;
	if (attrs[RTA_GATEWAY])
		out->can_be_copied &= ip_from_bytes(span_of(nla_data(attrs[RTA_GATEWAY]), (size_t)nla_len(attrs[RTA_GATEWAY])),
					    &out->gateway) == IKE_OK;
	if (attrs[RTA_PREFSRC])
		out->can_be_copied &= ip_from_bytes(span_of(nla_data(attrs[RTA_PREFSRC]), (size_t)nla_len(attrs[RTA_PREFSRC])),
					    &out->source) == IKE_OK;
}

static int on_way(struct nl_msg *m, void *arg)
{
	read_way(nlmsg_hdr(m), arg);
	return NL_OK;
}

/* flags: RTM_F_FIB_MATCH for the route itself. False: there is none. */
static bool find_way(struct inner *n, const struct ip_addr *to, uint32_t flags, struct way *out)
{
	struct rtmsg body = { .rtm_family = family_of(to), .rtm_dst_len = bits_of(to), .rtm_flags = flags };
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	bool sent;

	*out = (struct way){ .found = false };
	if (!m)
		return false;
	forget_late_answers(n);
	sent = nlmsg_append(m, &body, sizeof body, NLMSG_ALIGNTO) == 0 && put_address(m, RTA_DST, to) == 0 &&
	       nl_socket_modify_cb(n->sock, NL_CB_VALID, NL_CB_CUSTOM, on_way, out) == 0 && nl_send_auto(n->sock, m) >= 0;
	nlmsg_free(m);
	/* An answer and then the acknowledgement, or an error. */
	return sent && nl_recvmsgs_default(n->sock) == 0 && nl_wait_for_ack(n->sock) == 0 && out->found;
}

/* The route to one address, from another; via: NULL to delete. */
static enum ike_err change_route_to(struct inner *n, const struct ip_addr *to, const struct ip_addr *source, uint32_t metric,
				    const struct way *via)
{
	struct rtmsg body = {
		.rtm_family = family_of(to), .rtm_dst_len = bits_of(to), .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = OUR_PROTOCOL, .rtm_type = RTN_UNICAST,
		.rtm_scope = via && via->gateway.family == IP_NONE ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
	};
	struct nl_msg *m = nlmsg_alloc_simple(via ? RTM_NEWROUTE : RTM_DELROUTE, via ? NLM_F_CREATE | NLM_F_EXCL : 0);
	int err;

	if (!m)
		return IKE_E_NOMEM;
	if (!via)
		body.rtm_scope = RT_SCOPE_NOWHERE;      /* any */
	err = nlmsg_append(m, &body, sizeof body, NLMSG_ALIGNTO);
	err = err ? err : put_address(m, RTA_DST, to);
	err = err ? err : put_address(m, RTA_PREFSRC, source);
	err = err ? err : nla_put(m, RTA_PRIORITY, sizeof metric, &metric);
	if (via)
		err = err ? err : nla_put(m, RTA_OIF, sizeof via->interface, &via->interface);
	if (via && via->gateway.family != IP_NONE)
		err = err ? err : put_address(m, RTA_GATEWAY, &via->gateway);
	if (err)
		nlmsg_free(m);
	else
		err = via ? talk(n, m) : talk_to_remove(n, m);
	return report(n, err, via ? "cannot make the route to" : "cannot remove the route to", to);
}

static enum ike_err change_route(struct inner *n, const struct hold *h, const struct way *via)
{
	return change_route_to(n, &h->remote, &h->address, OUR_METRIC, via);
}

/* Translation ---------------------------------------------------------------------------------------------------------- */

/* Without it a socket that is bound to another address of ours does not reach the host, and all others do. */
static void translate(struct inner *n, enum ip_family family)
{
	struct translation *all = calloc(n->n + 1, sizeof *all);
	unsigned count = 0;
	enum ike_err err = IKE_E_NOMEM;

	for (unsigned i = 0; all && i < n->n; i++)
		if (n->holds[i].routed && n->holds[i].address.family == family)
			all[count++] = (struct translation){ .remote = n->holds[i].remote, .address = n->holds[i].address };
	if (all)
		err = translate_write(family, all, count);
	free(all);
	if (err == IKE_E_UNSUPPORTED && !n->untranslated)
		log_info(n->log, "sockets bound to an address of this host do not reach hosts that assign it another one: the kernel "
			 "has no NAT of nftables (nft_nat)");
	else if (err != IKE_OK && err != IKE_E_UNSUPPORTED)
		log_error(n->log, "cannot translate to assigned addresses (nftables): %s", strerror(errno));
	n->untranslated |= err == IKE_E_UNSUPPORTED;
	n->stale[family == IP_V6] = err != IKE_OK && err != IKE_E_UNSUPPORTED;
}

static void translate_stale(struct inner *n)
{
	if (n->stale[0])
		translate(n, IP_V4);
	if (n->stale[1])
		translate(n, IP_V6);
}

/* Somebody else changes the kernel, or there is none. */
static enum ike_err elsewhere(struct inner *n, enum inner_op op, const struct ip_addr *address, const struct ip_addr *local,
			      const struct ip_addr *remote)
{
	static const struct ip_addr none = { .family = IP_NONE };
	const struct inner_call what = {
		.op = op, .address = address ? *address : none, .local = local ? *local : none, .remote = remote ? *remote : none,
	};
	bool fresh;                     /* as the books here say */

	return n->call ? n->call(n->call_arg, &what, &fresh) : IKE_OK;
}

/* Holding ------------------------------------------------------------------------------------------------------------ */

static struct hold *find_hold(const struct inner *n, const struct ip_addr *address, const struct ip_addr *remote)
{
	for (unsigned i = 0; i < n->n; i++)
		if ((!address || ip_equal(&n->holds[i].address, address)) &&
		    (!remote || ip_equal(&n->holds[i].remote, remote)))
			return &n->holds[i];
	return NULL;
}

static bool make_room(struct inner *n)
{
	unsigned want = n->max ? 2 * n->max : 16;
	struct hold *more;

	if (n->n < n->max)
		return true;
	more = realloc(n->holds, want * sizeof *more);
	if (!more)
		return false;
	n->holds = more;
	n->max = want;
	return true;
}

static enum ike_err refuse(struct inner *n, const struct hold *h, const char *why)
{
	char address[IP_TEXT_MAX], remote[IP_TEXT_MAX];

	log_error(n->log, "%s, which %s assigned, is not taken: %s", ip_text(&h->address, address),
		  ip_text(&h->remote, remote), why);
	return IKE_E_CONFLICT;
}

/* Whatever has this address otherwise is out of reach from now on: so nobody may have it that this host knows of. */
static enum ike_err check_free(struct inner *n, const struct hold *h)
{
	struct way to;

	if (!find_way(n, &h->address, RTM_F_FIB_MATCH, &to))
		return IKE_OK;
	if (to.type == RTN_LOCAL)
		return refuse(n, h, "it is an address of this host");
	return to.dst_bits > 0 ? refuse(n, h, "this host has a route to it") : IKE_OK;
}

static bool is_source_now(struct inner *n, const struct hold *h)
{
	struct way to;

	return find_way(n, &h->remote, 0, &to) && ip_equal(&to.source, &h->address);
}

/* The same way as before, but from the assigned address. */
static enum ike_err route_from(struct inner *n, const struct hold *h)
{
	struct way to;
	enum ike_err err;

	if (!find_way(n, &h->remote, 0, &to) || to.type != RTN_UNICAST || !to.can_be_copied)
		return refuse(n, h, "the way to the host cannot be copied");
	err = change_route(n, h, &to);
	if (err != IKE_OK)
		return err;
	if (is_source_now(n, h))
		return IKE_OK;
	(void)change_route(n, h, NULL);
	return refuse(n, h, "another route to the host is preferred");
}

/* One host may have assigned several, one after the other: the route is the latest one's. */
static struct hold *routed_to(const struct inner *n, const struct ip_addr *remote)
{
	for (unsigned i = 0; i < n->n; i++)
		if (n->holds[i].routed && ip_equal(&n->holds[i].remote, remote))
			return &n->holds[i];
	return NULL;
}

static void drop_route(struct inner *n, struct hold *h)
{
	(void)change_route(n, h, NULL);
	h->routed = false;
}

/* Also if h has it already: by the way that there is now. */
static enum ike_err take_route(struct inner *n, struct hold *h)
{
	struct hold *before = routed_to(n, &h->remote);
	enum ike_err err;

	if (before)
		drop_route(n, before);
	err = route_from(n, h);
	h->routed = err == IKE_OK;
	if (err != IKE_OK && before && before != h)
		before->routed = route_from(n, before) == IKE_OK;
	return err;
}

/* What the kernel holds for h; its address is there already if others have it. */
static enum ike_err install(struct inner *n, struct hold *h)
{
	bool shared = find_hold(n, &h->address, NULL) != NULL;
	enum ike_err err = shared ? IKE_OK : check_free(n, h);

	if (err == IKE_OK && !shared)
		err = change_address(n, RTM_NEWADDR, &h->address);
	if (err != IKE_OK)
		return err;
	err = take_route(n, h);
	if (err != IKE_OK && !shared)
		(void)change_address(n, RTM_DELADDR, &h->address);
	return err;
}

enum ike_err inner_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local,
		       const struct ip_addr *remote, bool *fresh)
{
	struct hold h = { .address = *address, .local = *local, .remote = *remote };
	struct hold *have = find_hold(n, address, remote);
	enum ike_err err;

	*fresh = !have;
	if (have) {
		have->local = *local;
		err = n->sock ? take_route(n, have) : elsewhere(n, INNER_ADD, address, local, remote);
		if (n->sock)
			translate(n, address->family);
		return err;
	}
	if (!make_room(n))
		return IKE_E_NOMEM;
	err = n->sock ? install(n, &h) : elsewhere(n, INNER_ADD, address, local, remote);
	if (err == IKE_OK)
		n->holds[n->n++] = h;
	if (n->sock)
		translate(n, address->family);
	return err;
}

void inner_remove(struct inner *n, const struct ip_addr *address, const struct ip_addr *remote)
{
	struct hold *have = find_hold(n, address, remote), *heir;
	struct hold gone;

	if (!have)
		return;
	gone = *have;
	*have = n->holds[--n->n];
	if (!n->sock) {
		(void)!elsewhere(n, INNER_REMOVE, address, NULL, remote);
		return;
	}
	/* What is left by a run that is killed is found by its address and routes: so the table goes before them. */
	translate(n, gone.address.family);
	if (gone.routed)
		(void)change_route(n, &gone, NULL);
	if (!find_hold(n, &gone.address, NULL))
		(void)change_address(n, RTM_DELADDR, &gone.address);
	heir = gone.routed ? find_hold(n, NULL, remote) : NULL;
	if (heir && take_route(n, heir) == IKE_OK)
		translate(n, gone.address.family);
}

bool inner_local(const struct inner *n, const struct ip_addr *remote, struct ip_addr *local)
{
	const struct hold *h = find_hold(n, NULL, remote);

	if (h)
		*local = h->local;
	return h != NULL;
}

void inner_unroute(struct inner *n, const struct ip_addr *remote)
{
	struct hold *h = n->sock ? routed_to(n, remote) : NULL;

	if (h)
		drop_route(n, h);
	else if (!n->sock)
		(void)!elsewhere(n, INNER_UNROUTE, NULL, NULL, remote);
}

/* Clients ------------------------------------------------------------------------------------------------------------ */

static struct client *find_client(const struct inner *n, const struct ip_addr *address)
{
	for (unsigned i = 0; i < n->n_clients; i++)
		if (ip_equal(&n->clients[i].address, address))
			return &n->clients[i];
	return NULL;
}

static enum ike_err route_to_client(struct inner *n, const struct client *c)
{
	char address[IP_TEXT_MAX], via[IP_TEXT_MAX];
	struct way to;

	if (find_way(n, &c->via, 0, &to) && to.type == RTN_UNICAST && to.can_be_copied)
		return change_route_to(n, &c->address, &c->local, CLIENT_METRIC, &to);
	log_error(n->log, "%s is not assigned to %s: the way there cannot be copied", ip_text(&c->address, address),
		  ip_text(&c->via, via));
	return IKE_E_CONFLICT;
}

enum ike_err inner_client_add(struct inner *n, const struct ip_addr *address, const struct ip_addr *local, const struct ip_addr *via)
{
	const struct client c = { .address = *address, .local = *local, .via = *via };
	enum ike_err err;

	inner_client_remove(n, address);
	if (n->n_clients == n->max_clients) {
		unsigned want = n->max_clients ? 2 * n->max_clients : 16;
		struct client *more = realloc(n->clients, want * sizeof *more);

		if (!more)
			return IKE_E_NOMEM;
		n->clients = more;
		n->max_clients = want;
	}
	err = n->sock ? route_to_client(n, &c) : elsewhere(n, INNER_CLIENT_ADD, address, local, via);
	if (err == IKE_OK)
		n->clients[n->n_clients++] = c;
	return err;
}

void inner_client_remove(struct inner *n, const struct ip_addr *address)
{
	struct client *have = find_client(n, address);
	struct client gone;

	if (!have)
		return;
	gone = *have;
	*have = n->clients[--n->n_clients];
	if (n->sock)
		(void)change_route_to(n, &gone.address, &gone.local, CLIENT_METRIC, NULL);
	else
		(void)!elsewhere(n, INNER_CLIENT_REMOVE, address, NULL, NULL);
}

/* Routes that change ------------------------------------------------------------------------------------------------- */

/* Its route may have been taken along with an interface. While there is no way to the host, there is no route either. */
static void copy_again(struct inner *n, struct hold *h)
{
	struct way to;

	if (h->routed)
		drop_route(n, h);
	if (find_way(n, &h->remote, 0, &to))
		(void)!take_route(n, h);
}

void inner_refresh(struct inner *n, const struct ip_addr *remote)
{
	if (!n->sock && (remote ? find_hold(n, NULL, remote) != NULL : n->n + n->n_clients > 0))
		(void)!elsewhere(n, INNER_REFRESH, NULL, NULL, remote);
	if (n->sock)
		translate_stale(n);
	for (unsigned i = 0; n->sock && i < n->n; i++) {
		struct hold *h = &n->holds[i], *has = routed_to(n, &h->remote);

		if ((!has || has == h) && (!remote || (ip_equal(&h->remote, remote) && !is_source_now(n, h))))
			copy_again(n, h);
	}
	for (unsigned i = 0; n->sock && !remote && i < n->n_clients; i++) {
		const struct client *c = &n->clients[i];

		(void)change_route_to(n, &c->address, &c->local, CLIENT_METRIC, NULL);
		(void)!route_to_client(n, c);
	}
}

/* What an earlier run left ------------------------------------------------------------------------------------------- */

/* Found first, removed afterwards: the kernel does not like its tables changed under a dump. */
struct litter {
	struct inner *n;
	struct hold *holds;             /* remote IP_NONE: an address; address IP_NONE: a route to a client */
	unsigned found, max;
};

static void remember(struct litter *l, const struct hold *h)
{
	unsigned want = l->max ? 2 * l->max : 16;
	struct hold *more;

	if (l->found == l->max) {
		more = realloc(l->holds, want * sizeof *more);
		if (!more)
			return;
		l->holds = more;
		l->max = want;
	}
	l->holds[l->found++] = *h;
}

static bool read_address(struct nlattr *attr, struct ip_addr *out)
{
	return attr && ip_from_bytes(span_of(nla_data(attr), (size_t)nla_len(attr)), out) == IKE_OK;
}

static void route_left(struct litter *l, struct nlmsghdr *hdr)
{
	const struct rtmsg *r = nlmsg_data(hdr);
	struct nlattr *attrs[RTA_MAX + 1];
	struct hold h = { .local.family = IP_NONE };
	uint32_t metric;

	if (nlmsg_parse(hdr, sizeof *r, attrs, RTA_MAX, NULL) < 0 || r->rtm_protocol != OUR_PROTOCOL || !attrs[RTA_PRIORITY] ||
	    !read_address(attrs[RTA_DST], &h.remote) ||
	    !read_address(attrs[RTA_PREFSRC], &h.address) || r->rtm_dst_len != bits_of(&h.remote))
		return;
	metric = nla_get_u32(attrs[RTA_PRIORITY]);
	if (metric != OUR_METRIC && metric != CLIENT_METRIC)
		return;
	if (metric == CLIENT_METRIC) {
		h.local = h.address;
		h.address.family = IP_NONE;
	}
	remember(l, &h);
}

static void address_left(struct litter *l, struct nlmsghdr *hdr)
{
	const struct ifaddrmsg *a = nlmsg_data(hdr);
	struct nlattr *attrs[ATTR_ADDRESS_PROTO + 1];
	struct hold h = { .remote.family = IP_NONE };
	bool ours;

	if (nlmsg_parse(hdr, sizeof *a, attrs, ATTR_ADDRESS_PROTO, NULL) < 0 || a->ifa_index != (unsigned)l->n->lo ||
	    !read_address(attrs[IFA_ADDRESS], &h.address) || a->ifa_prefixlen != bits_of(&h.address))
		return;
	if (h.address.family == IP_V4)
		ours = attrs[IFA_LABEL] && nla_strcmp(attrs[IFA_LABEL], OUR_LABEL) == 0;
	else
		ours = attrs[ATTR_ADDRESS_PROTO] && nla_get_u8(attrs[ATTR_ADDRESS_PROTO]) == OUR_PROTOCOL;
	if (ours)
		remember(l, &h);
}

static int on_left(struct nl_msg *m, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(m);

	if (hdr->nlmsg_type == RTM_NEWROUTE)
		route_left(arg, hdr);
	else if (hdr->nlmsg_type == RTM_NEWADDR)
		address_left(arg, hdr);
	return NL_OK;
}

static enum ike_err dump(struct litter *l, int type)
{
	struct rtgenmsg all = { .rtgen_family = AF_UNSPEC };

	if (nl_socket_modify_cb(l->n->sock, NL_CB_VALID, NL_CB_CUSTOM, on_left, l) != 0 ||
	    nl_send_simple(l->n->sock, type, NLM_F_DUMP, &all, sizeof all) < 0 || nl_recvmsgs_default(l->n->sock) < 0)
		return IKE_E_IO;
	return IKE_OK;
}

/* Is it the source of one of the routes that were found? Kernels before 5.18 do not tell whose an IPv6 address is. */
static bool is_source(const struct litter *l, const struct ip_addr *a)
{
	for (unsigned i = 0; i < l->found; i++)
		if (l->holds[i].remote.family != IP_NONE && ip_equal(&l->holds[i].address, a))
			return true;
	return false;
}

static enum ike_err remove_left(struct inner *n)
{
	struct litter l = { .n = n };
	enum ike_err err = dump(&l, RTM_GETROUTE);

	if (err == IKE_OK)
		err = dump(&l, RTM_GETADDR);
	/* First, as when they are removed one by one: what else is found tells the next start of it. */
	if (err == IKE_OK && l.found > 0) {
		translate(n, IP_V4);
		translate(n, IP_V6);
		translate_stale(n);
	}
	for (unsigned i = 0; i < l.found && err == IKE_OK; i++)
		if (l.holds[i].address.family == IP_NONE)
			(void)change_route_to(n, &l.holds[i].remote, &l.holds[i].local, CLIENT_METRIC, NULL);
		else if (l.holds[i].remote.family != IP_NONE)
			(void)change_route(n, &l.holds[i], NULL);
	for (unsigned i = 0; i < l.found && err == IKE_OK; i++) {
		const struct ip_addr *address = &l.holds[i].address;

		if (l.holds[i].remote.family == IP_NONE || (address->family == IP_V6 && is_source(&l, address)))
			(void)change_address(n, RTM_DELADDR, address);
	}
	if (l.found > 0)
		log_info(n->log, "removed %u assigned addresses and routes that an earlier run left", l.found);
	free(l.holds);
	return err;
}

/* Opening, closing --------------------------------------------------------------------------------------------------- */

enum ike_err inner_open(bool in_memory, const struct log *log, struct inner **out)
{
	struct inner *n = calloc(1, sizeof *n);
	enum ike_err err;

	*out = n;
	if (!n)
		return IKE_E_NOMEM;
	n->log = log;
	if (in_memory)
		return IKE_OK;
	n->lo = (int)if_nametoindex("lo");
	n->sock = nl_socket_alloc();
	err = n->lo > 0 && n->sock && nl_connect(n->sock, NETLINK_ROUTE) == 0 && bound_waiting(n->sock) ? remove_left(n)
														    : IKE_E_IO;
	if (err != IKE_OK) {
		inner_close(n, false);
		*out = NULL;
	}
	return err;
}

enum ike_err inner_books_open(const struct log *log, inner_caller *call, void *arg, struct inner **out)
{
	enum ike_err err = inner_open(true, log, out);

	if (err != IKE_OK)
		return err;
	(*out)->call = call;
	(*out)->call_arg = arg;
	return IKE_OK;
}

enum ike_err inner_carry_out(struct inner *n, const struct inner_call *what, bool *fresh)
{
	*fresh = false;
	switch (what->op) {
	case INNER_ADD:
		return inner_add(n, &what->address, &what->local, &what->remote, fresh);
	case INNER_REMOVE:
		inner_remove(n, &what->address, &what->remote);
		return IKE_OK;
	case INNER_CLIENT_ADD:
		return inner_client_add(n, &what->address, &what->local, &what->remote);
	case INNER_CLIENT_REMOVE:
		inner_client_remove(n, &what->address);
		return IKE_OK;
	case INNER_UNROUTE:
		inner_unroute(n, &what->remote);
		return IKE_OK;
	case INNER_REFRESH:
		inner_refresh(n, what->remote.family != IP_NONE ? &what->remote : NULL);
		return IKE_OK;
	}
	return IKE_E_SYNTAX;
}

void inner_close(struct inner *n, bool remove)
{
	if (!n)
		return;
	while (remove && n->n > 0)
		inner_remove(n, &n->holds[0].address, &n->holds[0].remote);
	while (remove && n->n_clients > 0)
		inner_client_remove(n, &n->clients[0].address);
	if (remove)
		translate_stale(n);
	nl_socket_free(n->sock);
	free(n->holds);
	free(n->clients);
	free(n);
}
