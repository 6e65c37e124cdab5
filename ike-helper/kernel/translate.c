#include "kernel/translate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 8192,
	ELEMENTS_MAX = 64,              /* in one message */
	ELEMENT_ROOM = 72, OTHER_ROOM = 4096,   /* no element takes more; all the rest neither */
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

/* Messages ---------------------------------------------------------------------------------------------------------------- */

/* One transaction, which takes effect with its last message. */
struct transaction {
	struct family family;
	uint8_t *messages;              /* those that are complete */
	size_t n, room;
	struct nl_msg *message;         /* the one that is being filled; NULL: none, or no memory for it */
	uint32_t sequence;              /* of the next one */
	bool failed;                    /* no memory, or no room */
};

static void begin(struct transaction *t, int type, int flags, uint32_t nfproto, uint16_t resource)
{
	struct nfgenmsg body = { .nfgen_family = (uint8_t)nfproto, .version = NFNETLINK_V0, .res_id = htons(resource) };

	t->message = nlmsg_alloc_size(MESSAGE_MAX);
	t->failed |= !t->message || !nlmsg_put(t->message, 0, t->sequence++, type, 0, NLM_F_REQUEST | flags) ||
		     nlmsg_append(t->message, &body, sizeof body, NLMSG_ALIGNTO) < 0;
}

static void begin_nft(struct transaction *t, int type, int flags)
{
	begin(t, NFNL_SUBSYS_NFTABLES << 8 | type, flags | NLM_F_ACK, t->family.nfproto, 0);
}

static void end(struct transaction *t)
{
	const struct nlmsghdr *header = t->message ? nlmsg_hdr(t->message) : NULL;
	size_t bytes = header ? NLMSG_ALIGN(header->nlmsg_len) : 0;

	t->failed |= !header || bytes > t->room - t->n;
	if (!t->failed) {
		memcpy(t->messages + t->n, header, bytes);
		t->n += bytes;
	}
	nlmsg_free(t->message);
	t->message = NULL;
}

static void put(struct transaction *t, int type, const void *value, size_t n)
{
	t->failed = t->failed || nla_put(t->message, type, (int)n, value) < 0;
}

static void put_text(struct transaction *t, int type, const char *text)
{
	put(t, type, text, strlen(text) + 1);
}

static void put_number(struct transaction *t, int type, uint32_t number)
{
	const uint32_t value = htonl(number);

	put(t, type, &value, sizeof value);
}

/* What is put until close() is inside of this attribute. */
static struct nlattr *open_attr(struct transaction *t, int type)
{
	struct nlattr *attr = t->failed ? NULL : nla_nest_start(t->message, type);

	t->failed |= !attr;
	return attr;
}

static void close_attr(struct transaction *t, struct nlattr *attr)
{
	t->failed = t->failed || nla_nest_end(t->message, attr) < 0;
}

static void put_data(struct transaction *t, int type, const void *value, size_t n)
{
	struct nlattr *data = open_attr(t, type);

	put(t, NFTA_DATA_VALUE, value, n);
	close_attr(t, data);
}

/* The table --------------------------------------------------------------------------------------------------------------- */

static void put_table(struct transaction *t, int type, int flags)
{
	begin_nft(t, type, flags);
	put_text(t, NFTA_TABLE_NAME, TABLE);
	end(t);
}

static void put_chain(struct transaction *t)
{
	struct nlattr *hook;

	begin_nft(t, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	put_text(t, NFTA_CHAIN_TABLE, TABLE);
	put_text(t, NFTA_CHAIN_NAME, CHAIN);
	hook = open_attr(t, NFTA_CHAIN_HOOK);
	put_number(t, NFTA_HOOK_HOOKNUM, NF_INET_POST_ROUTING);
	put_number(t, NFTA_HOOK_PRIORITY, PRIORITY);
	close_attr(t, hook);
	put_text(t, NFTA_CHAIN_TYPE, "nat");
	end(t);
}

static void put_map(struct transaction *t)
{
	begin_nft(t, NFT_MSG_NEWSET, NLM_F_CREATE);
	put_text(t, NFTA_SET_TABLE, TABLE);
	put_text(t, NFTA_SET_NAME, MAP);
	put_number(t, NFTA_SET_ID, 1);
	put_number(t, NFTA_SET_FLAGS, NFT_SET_MAP);
	put_number(t, NFTA_SET_KEY_TYPE, t->family.nft_type);
	put_number(t, NFTA_SET_KEY_LEN, t->family.bytes);
	put_number(t, NFTA_SET_DATA_TYPE, t->family.nft_type);
	put_number(t, NFTA_SET_DATA_LEN, t->family.bytes);
	end(t);
}

/* False: it is of the other family. */
static bool put_element(struct transaction *t, const struct translation *one)
{
	const struct span key = ip_bytes(&one->remote), data = ip_bytes(&one->address);
	struct nlattr *element;

	if (key.n != t->family.bytes || data.n != key.n)
		return false;
	element = open_attr(t, NFTA_LIST_ELEM);
	put_data(t, NFTA_SET_ELEM_KEY, key.p, key.n);
	put_data(t, NFTA_SET_ELEM_DATA, data.p, data.n);
	close_attr(t, element);
	return true;
}

/* Those of all from *from on, as many as one message takes. */
static void put_elements(struct transaction *t, const struct translation *all, unsigned n, unsigned *from)
{
	struct nlattr *elements;

	begin_nft(t, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	put_text(t, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	put_text(t, NFTA_SET_ELEM_LIST_SET, MAP);
	put_number(t, NFTA_SET_ELEM_LIST_SET_ID, 1);
	elements = open_attr(t, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (unsigned put = 0; put < ELEMENTS_MAX && *from < n; ++*from)
		put += put_element(t, &all[*from]);
	close_attr(t, elements);
	end(t);
}

/* The rule ---------------------------------------------------------------------------------------------------------------- */

struct expression {
	struct nlattr *element, *data;
};

static struct expression open_expression(struct transaction *t, const char *name)
{
	struct expression e;

	e.element = open_attr(t, NFTA_LIST_ELEM);
	put_text(t, NFTA_EXPR_NAME, name);
	e.data = open_attr(t, NFTA_EXPR_DATA);
	return e;
}

static void close_expression(struct transaction *t, struct expression e)
{
	close_attr(t, e.data);
	close_attr(t, e.element);
}

static void put_is_for_ipsec(struct transaction *t)
{
	static const uint8_t yes = 1;
	struct expression e = open_expression(t, "rt");

	put_number(t, NFTA_RT_KEY, NFT_RT_XFRM);
	put_number(t, NFTA_RT_DREG, KEY_REGISTER);
	close_expression(t, e);
	e = open_expression(t, "cmp");
	put_number(t, NFTA_CMP_SREG, KEY_REGISTER);
	put_number(t, NFTA_CMP_OP, NFT_CMP_EQ);
	put_data(t, NFTA_CMP_DATA, &yes, sizeof yes);
	close_expression(t, e);
}

static void put_source_by_map(struct transaction *t)
{
	struct expression e = open_expression(t, "payload");

	put_number(t, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	put_number(t, NFTA_PAYLOAD_OFFSET, t->family.daddr_at);
	put_number(t, NFTA_PAYLOAD_LEN, t->family.bytes);
	put_number(t, NFTA_PAYLOAD_DREG, KEY_REGISTER);
	close_expression(t, e);
	e = open_expression(t, "lookup");       /* a host that is not in it ends the rule */
	put_text(t, NFTA_LOOKUP_SET, MAP);
	put_number(t, NFTA_LOOKUP_SET_ID, 1);
	put_number(t, NFTA_LOOKUP_SREG, KEY_REGISTER);
	put_number(t, NFTA_LOOKUP_DREG, KEY_REGISTER);
	close_expression(t, e);
	e = open_expression(t, "nat");
	put_number(t, NFTA_NAT_TYPE, NFT_NAT_SNAT);
	put_number(t, NFTA_NAT_FAMILY, t->family.nfproto);
	put_number(t, NFTA_NAT_REG_ADDR_MIN, KEY_REGISTER);
	close_expression(t, e);
}

static void put_rule(struct transaction *t)
{
	struct nlattr *expressions;

	begin_nft(t, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	put_text(t, NFTA_RULE_TABLE, TABLE);
	put_text(t, NFTA_RULE_CHAIN, CHAIN);
	expressions = open_attr(t, NFTA_RULE_EXPRESSIONS);
	put_is_for_ipsec(t);
	put_source_by_map(t);
	close_attr(t, expressions);
	end(t);
}

/* All of it --------------------------------------------------------------------------------------------------------------- */

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

/* Errors come for single messages; a batch without any is acknowledged message by message. 0, or an errno. */
static int read_answers(int fd, uint32_t wanted)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[MESSAGE_MAX];

	while (wanted > 0) {
		ssize_t n = recv(fd, buffer, sizeof buffer, 0);
		int left = (int)n;

		if (n <= 0)
			return n < 0 ? errno : EIO;
		for (struct nlmsghdr *h = (void *)buffer; wanted > 0 && nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = nlmsg_data(h);

			if (h->nlmsg_type != NLMSG_ERROR || nlmsg_datalen(h) < (int)sizeof *e)
				continue;
			if (e->error != 0)
				return -e->error;
			wanted--;
		}
	}
	return 0;
}

/* Connected: from nobody but the kernel. 0, or an errno. */
static int talk(const struct transaction *t, uint32_t wanted)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct timeval wait = { .tv_sec = ANSWER_WAIT_S };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int error = 0;

	if (fd < 0)
		return errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
	    connect(fd, (const struct sockaddr *)&kernel, sizeof kernel) != 0 || send(fd, t->messages, t->n, 0) < 0)
		error = errno;
	if (error == 0)
		error = read_answers(fd, wanted);
	close(fd);
	return error;
}

enum ike_err translate_write(enum ip_family family, const struct translation *all, unsigned n)
{
	struct transaction t = { .family = family_of(family), .room = OTHER_ROOM + (size_t)n * ELEMENT_ROOM };
	uint32_t messages;
	int error = ENOMEM;

	t.messages = malloc(t.room);
	t.failed = !t.messages;
	begin(&t, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end(&t);
	fill(&t, all, n);
	messages = t.sequence - 1;      /* that are acknowledged */
	begin(&t, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	end(&t);
	if (!t.failed)
		error = talk(&t, messages);
	free(t.messages);
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
