/* xfrm_policy.h - messages about policies, ours and everybody's. */
#ifndef OE_KERNEL_XFRM_POLICY_H
#define OE_KERNEL_XFRM_POLICY_H

#include "kernel/exempt.h"
#include "kernel/ledger.h"
#include "kernel/plan.h"
#include "kernel/xfrm_nl.h"

/* The policies of plan.h, by what they are for. form: of those that require ESP. */
void xfrm_policy_add(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir,
		     const struct policy_form *form);
void xfrm_policy_update(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir,
			const struct policy_form *form);
/* Whatever has the selector of such a one. */
void xfrm_policy_get(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir);
/* Make this one an orphan, which the kernel removes by itself at the end of its time. */
void xfrm_policy_orphan(struct xnl_batch *b, const struct xfrm_selector *sel, enum kernel_dir dir);
/* index: exactly this one; 0: by its addresses. */
void xfrm_policy_delete(struct xnl_batch *b, const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir,
			uint32_t index);

void xfrm_exemption_add(struct xnl_batch *b, const struct exemption *e);
void xfrm_exemption_delete(struct xnl_batch *b, const struct exemption *e);

/* All policies, for xnl_dump(). */
void xfrm_policy_list(struct xnl_batch *b);
void xfrm_policy_delete_index(struct xnl_batch *b, enum kernel_dir dir, uint16_t family, uint32_t index);

enum xfrm_policy_kind {
	XP_PROTECT,                 /* ours: of a pair, or a shield */
	XP_PASS,                    /* ours */
	XP_EXEMPT,                  /* ours */
	XP_FOREIGN,
	XP_SOCKET,                  /* of one socket, or for forwarded packets: not our business */
};

struct xfrm_policy {
	enum xfrm_policy_kind kind;
	enum kernel_dir dir;
	struct xfrm_selector sel;
	uint32_t index, priority;
	struct policy_form form;    /* XP_PROTECT */
	bool sound;                 /* XP_PROTECT: it is what xfrm_policy_add() makes of its form */
	bool covers_hosts;          /* XP_FOREIGN: decides about all packets between its addresses */
};

/* An answer, or the news that a policy came, changed, went or expired. False: neither. */
bool xfrm_policy_read(struct nlmsghdr *hdr, struct xfrm_policy *out);

/* Of one of ours, but no exemption. */
struct policy_name xfrm_policy_name(const struct xfrm_policy *p);

/* Do the selector's addresses include this pair? */
bool xfrm_policy_covers(const struct xfrm_selector *sel, enum kernel_dir dir, const struct ip_addr *local,
			const struct ip_addr *remote);

#endif
