#include "kernel/translate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	BATCH_BYTES = 8192,             /* of one message at most; the batch has room for as much again */
	ELEMENTS_MAX = 64,              /* in one message */
	ANSWER_WAIT_S = 2,
	PRIORITY = 90,                  /* before NF_IP_PRI_NAT_SRC, 100, where a firewall's masquerading is */
	KEY_REGISTER = NFT_REG_1,
};
#define TABLE "unbound-oe"
#define MAP "assigned"
#define CHAIN "source"

/* What differs between the families. */
struct family {
	uint32_t nfproto, bytes;
	uint32_t nft_type;              /* nft's own number of the address type, so that it can print the map */
	uint32_t daddr_at;              /* in the header */
};

static struct family family_of(enum ip_family family)
{
	if (family == IP_V4)
		return (struct family){ .nfproto = NFPROTO_IPV4, .bytes = 4, .nft_type = 7, .daddr_at = 16 };
	return (struct family){ .nfproto = NFPROTO_IPV6, .bytes = 16, .nft_type = 8, .daddr_at = 24 };
}

/* One transaction, which is sent in pieces and takes effect with its last message. */
struct transaction {
	struct family family;
	uint8_t *buffer;
	struct mnl_nlmsg_batch *batch;
	uint32_t sequence;
	bool failed;                    /* no memory, or no room */
};

/* The message that is to be filled. */
static struct nlmsghdr *message(struct transaction *t, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(t->batch), type, (uint16_t)t->family.nfproto, flags | NLM_F_ACK,
				     t->sequence++);
}

static void filled(struct transaction *t)
{
	t->failed |= !mnl_nlmsg_batch_next(t->batch);
}

static void put_table(struct transaction *t, uint16_t type, uint16_t flags)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table) {
		t->failed = true;
		return;
	}
	nftnl_table_set_u32(table, NFTNL_TABLE_FAMILY, t->family.nfproto);
	t->failed |= nftnl_table_set_str(table, NFTNL_TABLE_NAME, TABLE) < 0;
	nftnl_table_nlmsg_build_payload(message(t, type, flags), table);
	filled(t);
	nftnl_table_free(table);
}

static void put_chain(struct transaction *t)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain) {
		t->failed = true;
		return;
	}
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, t->family.nfproto);
	t->failed |= nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, TABLE) < 0 || nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, CHAIN) < 0 ||
		     nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "nat") < 0;
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, NF_INET_POST_ROUTING);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, PRIORITY);
	nftnl_chain_nlmsg_build_payload(message(t, NFT_MSG_NEWCHAIN, NLM_F_CREATE), chain);
	filled(t);
	nftnl_chain_free(chain);
}

static struct nftnl_set *map_alloc(struct transaction *t)
{
	struct nftnl_set *map = nftnl_set_alloc();

	if (!map || nftnl_set_set_str(map, NFTNL_SET_TABLE, TABLE) < 0 || nftnl_set_set_str(map, NFTNL_SET_NAME, MAP) < 0) {
		t->failed = true;
		nftnl_set_free(map);
		return NULL;
	}
	nftnl_set_set_u32(map, NFTNL_SET_FAMILY, t->family.nfproto);
	nftnl_set_set_u32(map, NFTNL_SET_ID, 1);
	return map;
}

static void put_map(struct transaction *t)
{
	struct nftnl_set *map = map_alloc(t);

	if (!map)
		return;
	nftnl_set_set_u32(map, NFTNL_SET_FLAGS, NFT_SET_MAP);
	nftnl_set_set_u32(map, NFTNL_SET_KEY_TYPE, t->family.nft_type);
	nftnl_set_set_u32(map, NFTNL_SET_KEY_LEN, t->family.bytes);
	nftnl_set_set_u32(map, NFTNL_SET_DATA_TYPE, t->family.nft_type);
	nftnl_set_set_u32(map, NFTNL_SET_DATA_LEN, t->family.bytes);
	nftnl_set_nlmsg_build_payload(message(t, NFT_MSG_NEWSET, NLM_F_CREATE), map);
	filled(t);
	nftnl_set_free(map);
}

/* Those of all that are of this family, from *from on, as many as one message takes. */
static void put_elements(struct transaction *t, const struct translation *all, unsigned n, unsigned *from)
{
	struct nftnl_set *map = map_alloc(t);
	unsigned put = 0;

	for (; map && *from < n && put < ELEMENTS_MAX; ++*from) {
		struct span key = ip_bytes(&all[*from].remote), data = ip_bytes(&all[*from].address);
		struct nftnl_set_elem *e;

		if (key.n != t->family.bytes || data.n != key.n)
			continue;
		e = nftnl_set_elem_alloc();
		if (!e || nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key.p, (uint32_t)key.n) < 0 ||
		    nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, data.p, (uint32_t)data.n) < 0) {
			nftnl_set_elem_free(e);
			break;
		}
		nftnl_set_elem_add(map, e);
		put++;
	}
	if (map && (put == ELEMENTS_MAX || *from == n)) {
		nftnl_set_elems_nlmsg_build_payload(message(t, NFT_MSG_NEWSETELEM, NLM_F_CREATE), map);
		filled(t);
	} else {
		t->failed = true;
	}
	nftnl_set_free(map);
}

static struct nftnl_expr *add_expr(struct transaction *t, struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (e)
		nftnl_rule_add_expr(rule, e);
	t->failed |= !e;
	return e;
}

static void add_is_for_ipsec(struct transaction *t, struct nftnl_rule *rule)
{
	static const uint8_t yes = 1;
	struct nftnl_expr *e = add_expr(t, rule, "rt");

	if (e) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_RT_KEY, NFT_RT_XFRM);
		nftnl_expr_set_u32(e, NFTNL_EXPR_RT_DREG, KEY_REGISTER);
	}
	e = add_expr(t, rule, "cmp");
	if (e) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, KEY_REGISTER);
		nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
		t->failed |= nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, &yes, sizeof yes) < 0;
	}
}

static void add_source_by_map(struct transaction *t, struct nftnl_rule *rule)
{
	struct nftnl_expr *e = add_expr(t, rule, "payload");

	if (e) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, t->family.daddr_at);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, t->family.bytes);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, KEY_REGISTER);
	}
	e = add_expr(t, rule, "lookup");        /* a host that is not in it ends the rule */
	if (e) {
		t->failed |= nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, MAP) < 0;
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, 1);
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, KEY_REGISTER);
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, KEY_REGISTER);
	}
	e = add_expr(t, rule, "nat");
	if (e) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT);
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, t->family.nfproto);
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, KEY_REGISTER);
	}
}

static void put_rule(struct transaction *t)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule) {
		t->failed = true;
		return;
	}
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, t->family.nfproto);
	t->failed |= nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, TABLE) < 0 || nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, CHAIN) < 0;
	add_is_for_ipsec(t, rule);
	add_source_by_map(t, rule);
	nftnl_rule_nlmsg_build_payload(message(t, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), rule);
	filled(t);
	nftnl_rule_free(rule);
}

/* Errors come for single messages; a batch without any is acknowledged message by message. */
static int read_answers(struct mnl_socket *socket, unsigned wanted)
{
	uint8_t buffer[BATCH_BYTES];
	unsigned portid = mnl_socket_get_portid(socket);

	while (wanted > 0) {
		ssize_t n = mnl_socket_recvfrom(socket, buffer, sizeof buffer);
		int left = (int)n;

		if (n <= 0)
			return n < 0 ? errno : EIO;
		for (const struct nlmsghdr *h = (const void *)buffer; wanted > 0 && mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR || !mnl_nlmsg_portid_ok(h, portid))
				continue;
			if (e->error != 0)
				return -e->error;
			wanted--;
		}
	}
	return 0;
}

static int talk(struct transaction *t, unsigned wanted)
{
	const struct timeval wait = { .tv_sec = ANSWER_WAIT_S };
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int error = 0;

	if (!socket)
		return errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
	    mnl_socket_sendto(socket, mnl_nlmsg_batch_head(t->batch), mnl_nlmsg_batch_size(t->batch)) < 0)
		error = errno;
	if (error == 0)
		error = read_answers(socket, wanted);
	mnl_socket_close(socket);
	return error;
}

static void fill(struct transaction *t, const struct translation *all, unsigned n)
{
	/* Made if it is not there, so that it can be removed in any case. */
	put_table(t, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_table(t, NFT_MSG_DELTABLE, 0);
	if (n == 0)
		return;
	put_table(t, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_map(t);
	for (unsigned from = 0; from < n && !t->failed;)
		put_elements(t, all, n, &from);
	put_chain(t);
	put_rule(t);
}

enum ike_err translate_write(enum ip_family family, const struct translation *all, unsigned n)
{
	/* Each element takes less than 72 octets, all that is beside them less than 2048. */
	size_t room = BATCH_BYTES + (size_t)n * 72;
	struct transaction t = { .family = family_of(family) };
	unsigned messages = 0;
	int error = 0;

	t.buffer = calloc(1, room + BATCH_BYTES);
	t.batch = t.buffer ? mnl_nlmsg_batch_start(t.buffer, room) : NULL;
	if (t.batch) {
		nftnl_batch_begin(mnl_nlmsg_batch_current(t.batch), t.sequence++);
		filled(&t);
		fill(&t, all, n);
		messages = t.sequence - 1;
		nftnl_batch_end(mnl_nlmsg_batch_current(t.batch), t.sequence++);
		filled(&t);
	}
	if (t.batch && !t.failed)
		error = talk(&t, messages);
	if (!t.batch || t.failed)
		error = ENOMEM;
	if (t.batch)
		mnl_nlmsg_batch_stop(t.batch);
	free(t.buffer);
	errno = error;
	switch (error) {
	case 0:
		return IKE_OK;
	case ENOMEM:
		return IKE_E_NOMEM;
	case ENOENT:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return IKE_E_UNSUPPORTED;
	default:
		return IKE_E_IO;
	}
}
