#include "kernel/xfrm_policy.h"

#include <netinet/in.h>
#include <string.h>
#include <time.h>

static uint8_t xfrm_dir(enum kernel_dir dir)
{
	return dir == DIR_OUT ? XFRM_POLICY_OUT : XFRM_POLICY_IN;
}

/* A shield has every address at our end. */
static struct xfrm_selector selector_of(const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir)
{
	static const xfrm_address_t every;
	const struct ip_addr *ours = policy_local(r, kind), *theirs = request_remote(r);
	xfrm_address_t local = kind == POLICY_SHIELD ? every : xfrm_addr(ours), remote = xfrm_addr(theirs);
	uint8_t local_bits = kind == POLICY_SHIELD ? 0 : xfrm_prefix(ours), remote_bits = xfrm_prefix(theirs);
	struct xfrm_selector sel;

	XFRM_ZERO(sel);
	sel.family = xfrm_family(theirs);
	sel.saddr = dir == DIR_OUT ? local : remote;
	sel.daddr = dir == DIR_OUT ? remote : local;
	sel.prefixlen_s = dir == DIR_OUT ? local_bits : remote_bits;
	sel.prefixlen_d = dir == DIR_OUT ? remote_bits : local_bits;
	return sel;
}

static bool is_host(const struct xfrm_selector *sel, uint8_t bits)
{
	return bits == (sel->family == AF_INET6 ? 128 : 32);
}

static bool is_tunnel(const struct policy_form *form)
{
	return form->outer_local.family != IP_NONE;
}

/* By its selector: is it for a pair, or a shield? */
static uint32_t protect_priority(const struct policy_form *form, const struct xfrm_selector *sel, enum kernel_dir dir)
{
	if (form->assigned)
		return PRIORITY_ASSIGNED;
	return is_host(sel, dir == DIR_OUT ? sel->prefixlen_s : sel->prefixlen_d) ? PRIORITY_PROTECT : PRIORITY_SHIELD;
}

static struct xfrm_selector exempt_selector(const struct exemption *e)
{
	struct xfrm_selector sel;

	XFRM_ZERO(sel);
	sel.family = e->family == IP_V6 ? AF_INET6 : AF_INET;
	sel.proto = e->proto;
	sel.sport = htons(e->sport);
	sel.sport_mask = e->sport ? 0xffff : 0;
	sel.dport = htons(e->dport);
	sel.dport_mask = e->dport ? 0xffff : 0;
	switch (e->where) {
	case EXEMPT_ANYWHERE:
		break;
	case EXEMPT_LOOPBACK:
		sel.daddr.a6[e->family == IP_V4 ? 0 : 3] = htonl(e->family == IP_V4 ? 0x7f000000 : 1);
		sel.saddr = sel.daddr;
		sel.prefixlen_s = sel.prefixlen_d = e->family == IP_V4 ? 8 : 128;
		break;
	case EXEMPT_MULTICAST:
		sel.daddr.a6[0] = htonl(e->family == IP_V4 ? 0xe0000000 : 0xff000000);
		sel.prefixlen_d = e->family == IP_V4 ? 4 : 8;
		break;
	case EXEMPT_BROADCAST:
		sel.daddr.a4 = INADDR_BROADCAST;
		sel.prefixlen_d = 32;
		break;
	}
	return sel;
}

static void policy_info(struct xfrm_userpolicy_info *info, const struct xfrm_selector *sel, enum kernel_dir dir,
			uint32_t priority)
{
	XFRM_ZERO(*info);
	info->sel = *sel;
	info->lft.soft_byte_limit = info->lft.hard_byte_limit = XFRM_INF;
	info->lft.soft_packet_limit = info->lft.hard_packet_limit = XFRM_INF;
	info->priority = priority;
	info->dir = xfrm_dir(dir);
	info->action = XFRM_POLICY_ALLOW;
	info->share = XFRM_SHARE_ANY;
}

/* What it requires of packets. Not optional: without an SA nothing passes. In transport mode the addresses are the packet's
 * own. */
static struct xfrm_user_tmpl esp_template(const struct policy_form *form, uint16_t family, enum kernel_dir dir)
{
	struct xfrm_user_tmpl tmpl;

	XFRM_ZERO(tmpl);
	tmpl.id.proto = IPPROTO_ESP;
	tmpl.family = family;
	tmpl.reqid = form->reqid;
	tmpl.mode = XFRM_MODE_TRANSPORT;
	tmpl.aalgos = tmpl.ealgos = tmpl.calgos = UINT32_MAX;
	if (is_tunnel(form)) {
		tmpl.family = xfrm_family(&form->outer_local);
		tmpl.mode = XFRM_MODE_TUNNEL;
		tmpl.saddr = xfrm_addr(dir == DIR_OUT ? &form->outer_local : &form->outer_remote);
		tmpl.id.daddr = xfrm_addr(dir == DIR_OUT ? &form->outer_remote : &form->outer_local);
	}
	return tmpl;
}

/* The kernel counts from when it has the policy. */
static uint64_t orphan_life_s(const struct policy_form *form)
{
	uint64_t now_s = (uint64_t)time(NULL);

	if (form->until_s == 0 || form->until_s > now_s + PROMISE_MAX_S)
		return PROMISE_MAX_S;
	return form->until_s > now_s ? form->until_s - now_s : 1;
}

static void put_protect(struct xnl_batch *b, int type, const struct xfrm_selector *sel, enum kernel_dir dir,
			const struct policy_form *form)
{
	struct xfrm_user_tmpl tmpl = esp_template(form, sel->family, dir);
	struct xfrm_userpolicy_info info;

	policy_info(&info, sel, dir, protect_priority(form, sel, dir));
	if (form->reqid == KERNEL_REQID_ORPHAN)
		info.lft.hard_add_expires_seconds = orphan_life_s(form);        /* the kernel removes it then */
	xnl_add(b, type, &info, sizeof info);
	xnl_attr(b, XFRMA_TMPL, &tmpl, sizeof tmpl);
}

/* Without a template: neither ESP nor anything else is asked for. */
static void put_allow(struct xnl_batch *b, const struct xfrm_selector *sel, enum kernel_dir dir, uint32_t priority)
{
	struct xfrm_userpolicy_info info;

	policy_info(&info, sel, dir, priority);
	xnl_add(b, XFRM_MSG_NEWPOLICY, &info, sizeof info);
}

void xfrm_policy_add(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir,
		     const struct policy_form *form)
{
	struct xfrm_selector sel = selector_of(r, kind, dir);

	/* NEWPOLICY refuses what exists, UPDPOLICY replaces it. */
	if (kind == POLICY_PASS)
		put_allow(b, &sel, dir, PRIORITY_PASS);
	else
		put_protect(b, XFRM_MSG_NEWPOLICY, &sel, dir, form);
}

void xfrm_policy_update(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir,
			const struct policy_form *form)
{
	struct xfrm_selector sel = selector_of(r, kind, dir);

	/* An orphan that is taken over loses its end by this, one that is put back gets it anew. */
	put_protect(b, XFRM_MSG_UPDPOLICY, &sel, dir, form);
}

void xfrm_policy_orphan(struct xnl_batch *b, const struct xfrm_selector *sel, enum kernel_dir dir)
{
	static const struct policy_form orphan = { .reqid = KERNEL_REQID_ORPHAN };

	put_protect(b, XFRM_MSG_UPDPOLICY, sel, dir, &orphan);
}

static void put_id(struct xnl_batch *b, int type, const struct xfrm_selector *sel, enum kernel_dir dir, uint32_t index)
{
	struct xfrm_userpolicy_id id;

	XFRM_ZERO(id);
	id.sel = *sel;
	id.index = index;
	id.dir = xfrm_dir(dir);
	xnl_add(b, type, &id, sizeof id);
}

void xfrm_policy_get(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir)
{
	struct xfrm_selector sel = selector_of(r, kind, dir);

	put_id(b, XFRM_MSG_GETPOLICY, &sel, dir, 0);
}

void xfrm_policy_delete(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir,
			uint32_t index)
{
	struct xfrm_selector sel = selector_of(r, kind, dir);

	put_id(b, XFRM_MSG_DELPOLICY, &sel, dir, index);
}

void xfrm_exemption_add(struct xnl_batch *b, const struct exemption *e)
{
	struct xfrm_selector sel = exempt_selector(e);

	put_allow(b, &sel, e->dir, PRIORITY_EXEMPT);
}

void xfrm_exemption_delete(struct xnl_batch *b, const struct exemption *e)
{
	struct xfrm_selector sel = exempt_selector(e);

	put_id(b, XFRM_MSG_DELPOLICY, &sel, e->dir, 0);
}

void xfrm_policy_list(struct xnl_batch *b)
{
	xnl_add(b, XFRM_MSG_GETPOLICY, NULL, 0);
}

void xfrm_policy_delete_index(struct xnl_batch *b, enum kernel_dir dir, uint16_t family, uint32_t index)
{
	struct xfrm_selector sel;

	XFRM_ZERO(sel);
	sel.family = family;
	put_id(b, XFRM_MSG_DELPOLICY, &sel, dir, index);
}

/* Field by field: the struct has padding. */
static bool selector_equal(const struct xfrm_selector *a, const struct xfrm_selector *b)
{
	return memcmp(&a->saddr, &b->saddr, sizeof a->saddr) == 0 && memcmp(&a->daddr, &b->daddr, sizeof a->daddr) == 0 &&
	       a->sport == b->sport && a->sport_mask == b->sport_mask && a->dport == b->dport &&
	       a->dport_mask == b->dport_mask && a->family == b->family && a->prefixlen_s == b->prefixlen_s &&
	       a->prefixlen_d == b->prefixlen_d && a->proto == b->proto && a->ifindex == b->ifindex && a->user == b->user;
}

/* A row of the table of exemptions? */
static bool selector_is_exemption(const struct xfrm_selector *sel, enum kernel_dir dir)
{
	struct exemption e;

	for (unsigned i = 0; exemption_at(i, &e); i++) {
		struct xfrm_selector row = exempt_selector(&e);

		if (e.dir == dir && selector_equal(&row, sel))
			return true;
	}
	return false;
}

/* What lets forwarded packets of one host to one other pass. */
static bool selector_is_pass(const struct xfrm_selector *sel, enum kernel_dir dir)
{
	return dir == DIR_OUT && is_host(sel, sel->prefixlen_s) && is_host(sel, sel->prefixlen_d) && sel->proto == 0 &&
	       sel->sport_mask == 0 && sel->dport_mask == 0 && sel->ifindex == 0 && sel->user == 0;
}

static struct policy_form form_of(const struct xfrm_userpolicy_info *info, const struct xfrm_user_tmpl *tmpl, enum kernel_dir dir)
{
	struct policy_form form = { .reqid = tmpl->reqid };
	struct ip_addr src = xfrm_ip(&tmpl->saddr, tmpl->family), dst = xfrm_ip(&tmpl->id.daddr, tmpl->family);

	if (form.reqid == KERNEL_REQID_ORPHAN)
		form.until_s = info->curlft.add_time + info->lft.hard_add_expires_seconds;
	if (tmpl->mode != XFRM_MODE_TUNNEL)
		return form;
	form.outer_local = dir == DIR_OUT ? src : dst;
	form.outer_remote = dir == DIR_OUT ? dst : src;
	form.assigned = info->priority == PRIORITY_ASSIGNED;
	return form;
}

static void classify(const struct xfrm_userpolicy_info *info, const struct xfrm_user_tmpl *tmpl, size_t tmpls,
		     struct xfrm_policy *out)
{
	if (info->dir != XFRM_POLICY_IN && info->dir != XFRM_POLICY_OUT)
		out->kind = XP_SOCKET;
	else if (tmpls > 0 && (tmpl->reqid & ~(uint32_t)KERNEL_REQID_MASK) == KERNEL_REQID_BASE)
		out->kind = XP_PROTECT;
	else if (tmpls == 0 && info->priority == PRIORITY_EXEMPT && info->action == XFRM_POLICY_ALLOW &&
		 selector_is_exemption(&info->sel, out->dir))
		out->kind = XP_EXEMPT;
	else if (tmpls == 0 && info->priority == PRIORITY_PASS && info->action == XFRM_POLICY_ALLOW &&
		 selector_is_pass(&info->sel, out->dir))
		out->kind = XP_PASS;
	else
		out->kind = XP_FOREIGN;
	if (out->kind == XP_PROTECT) {
		out->form = form_of(info, tmpl, out->dir);
		out->sound = tmpls == 1 && info->priority == protect_priority(&out->form, &info->sel, out->dir) &&
			     info->action == XFRM_POLICY_ALLOW && tmpl->id.proto == IPPROTO_ESP && !tmpl->optional &&
			     (is_tunnel(&out->form) || tmpl->mode == XFRM_MODE_TRANSPORT);
	}
}

/* Where a message has its struct xfrm_userpolicy_info (perhaps not aligned for it), and where its attributes begin. NULL:
 * not a policy message. */
static const void *policy_in(struct nlmsghdr *hdr, int *attrs_at)
{
	struct nlattr *attr;

	*attrs_at = sizeof(struct xfrm_userpolicy_info);
	if (hdr->nlmsg_type == XFRM_MSG_NEWPOLICY || hdr->nlmsg_type == XFRM_MSG_UPDPOLICY)
		return nlmsg_datalen(hdr) >= *attrs_at ? nlmsg_data(hdr) : NULL;
	*attrs_at = sizeof(struct xfrm_user_polexpire);
	if (hdr->nlmsg_type == XFRM_MSG_POLEXPIRE)
		return nlmsg_datalen(hdr) >= *attrs_at ? nlmsg_data(hdr) : NULL;
	*attrs_at = sizeof(struct xfrm_userpolicy_id);
	if (hdr->nlmsg_type != XFRM_MSG_DELPOLICY || nlmsg_datalen(hdr) < *attrs_at)
		return NULL;
	attr = nlmsg_find_attr(hdr, *attrs_at, XFRMA_POLICY);
	return attr && nla_len(attr) >= (int)sizeof(struct xfrm_userpolicy_info) ? nla_data(attr) : NULL;
}

bool xfrm_policy_read(struct nlmsghdr *hdr, struct xfrm_policy *out)
{
	int attrs_at;
	const void *at = policy_in(hdr, &attrs_at);
	struct xfrm_userpolicy_info info;
	struct xfrm_user_tmpl tmpl = { .reqid = 0 };
	struct nlattr *attr;
	size_t tmpls = 0;

	*out = (struct xfrm_policy){ .kind = XP_SOCKET };
	if (!at)
		return false;
	memcpy(&info, at, sizeof info);
	attr = nlmsg_find_attr(hdr, attrs_at, XFRMA_TMPL);
	if (attr) {
		tmpls = (size_t)nla_len(attr) / sizeof tmpl;
		if (tmpls > 0)
			memcpy(&tmpl, nla_data(attr), sizeof tmpl);
	}
	out->dir = info.dir == XFRM_POLICY_OUT ? DIR_OUT : DIR_IN;
	out->sel = info.sel;
	out->index = info.index;
	out->priority = info.priority;
	classify(&info, &tmpl, tmpls, out);
	/* A policy for one port, one mark, one interface is an exception that its owner makes; what it leaves is ours. */
	out->covers_hosts = out->kind == XP_FOREIGN && info.sel.proto == 0 && info.sel.ifindex == 0 &&
			    !nlmsg_find_attr(hdr, attrs_at, XFRMA_MARK) && !nlmsg_find_attr(hdr, attrs_at, XFRMA_IF_ID);
	return true;
}

struct policy_name xfrm_policy_name(const struct xfrm_policy *p)
{
	struct ip_addr src = xfrm_ip(&p->sel.saddr, p->sel.family), dst = xfrm_ip(&p->sel.daddr, p->sel.family);
	struct policy_name name = { .kind = p->kind == XP_PASS ? POLICY_PASS : POLICY_PAIR, .dir = p->dir,
				    .local = p->dir == DIR_OUT ? src : dst, .remote = p->dir == DIR_OUT ? dst : src };

	if (!is_host(&p->sel, p->dir == DIR_OUT ? p->sel.prefixlen_s : p->sel.prefixlen_d)) {
		name.kind = POLICY_SHIELD;
		name.local = (struct ip_addr){ .family = IP_NONE };
	}
	return name;
}

static bool prefix_has(const xfrm_address_t *net, unsigned bits, const struct ip_addr *a)
{
	const uint8_t *n = (const uint8_t *)net;
	unsigned whole = bits / 8;

	if (bits > xfrm_prefix(a) || memcmp(n, a->b, whole) != 0)
		return false;
	return bits % 8 == 0 || ((n[whole] ^ a->b[whole]) & (0xff00u >> (bits % 8)) & 0xff) == 0;
}

bool xfrm_policy_covers(const struct xfrm_selector *sel, enum kernel_dir dir, const struct ip_addr *local,
			const struct ip_addr *remote)
{
	const struct ip_addr *src = dir == DIR_OUT ? local : remote, *dst = dir == DIR_OUT ? remote : local;

	return sel->family == xfrm_family(local) && prefix_has(&sel->saddr, sel->prefixlen_s, src) &&
	       prefix_has(&sel->daddr, sel->prefixlen_d, dst);
}
