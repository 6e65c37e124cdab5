/* ledger.h - the policies that are ours and belong in the kernel, so that those that somebody else removes can be put back.
 *
 * Kept by the steps that were carried out, whoever asked for them: what a step has added stays here until a step deletes it, whatever
 * becomes of it in the kernel meanwhile. Pure, and the same for both backends.
 */
#ifndef OE_KERNEL_LEDGER_H
#define OE_KERNEL_LEDGER_H

#include "base/table.h"
#include "kernel/exempt.h"
#include "kernel/plan.h"

/* What names a policy: its selector. */
struct policy_name {
	enum policy_kind kind;
	enum kernel_dir dir;
	struct ip_addr local, remote;           /* of its packets; local: IP_NONE in a shield */
};

struct ledger_entry;

struct ledger {
	struct table by_name;
	struct ledger_entry *first, *spare;
	bool exempt[EXEMPT_MAX];
	uint8_t hash_key[16];           /* strangers choose addresses, and must not be able to make them all meet in one chain */
};

/* IKE_E_NOMEM. */
IKE_CHECKED enum ike_err ledger_init(struct ledger *l);
void ledger_clear(struct ledger *l);

/* Before steps are carried out: have room for what they may add, so that nothing is put into the kernel that could not be put back.
 * IKE_E_NOMEM: do not carry them out. */
IKE_CHECKED enum ike_err ledger_reserve(struct ledger *l, const struct step *steps, unsigned n);
/* One of them was carried out, with this result. */
void ledger_note(struct ledger *l, const struct step *s, enum ike_err result);
/* This request was carried out. What it has ended ends here too, also if others had removed it before, so that no step did. */
void ledger_end(struct ledger *l, const struct kernel_request *r);
/* UNPROTECT finds these policies: tell which of them are to be orphans again, at now_s of the wall clock. */
void ledger_orphans_again(const struct ledger *l, const struct kernel_request *r, uint64_t now_s, struct plan_view *view);
/* Is there a policy of a pair with this reqid and remote address? *local: of one of those. */
bool ledger_has_pair(const struct ledger *l, uint32_t reqid, const struct ip_addr *remote, struct ip_addr *local);
/* The kernel holds this orphan, which no step has made. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err ledger_keep_orphan(struct ledger *l, const struct policy_name *name);
/* The kernel has removed it by itself, at its end. */
void ledger_forget(struct ledger *l, const struct policy_name *name);

/* Some of what others have removed, or may have. */
enum { LOST_MAX = 32 };
struct lost_policies {
	bool all;                   /* any may be missing; otherwise: */
	bool exemptions;            /* some of these, and */
	unsigned n;
	struct policy_name policy[LOST_MAX];
};

/* Add those again that are missing: first those that protect, out before in. *failed: how many could not be. Returns how many were
 * missing and are there again. */
unsigned ledger_put_back(struct ledger *l, const struct lost_policies *lost, step_runner *run, void *arg, unsigned *failed);

#endif
