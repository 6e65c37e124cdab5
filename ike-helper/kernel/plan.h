/* plan.h - a request of the IKE core as an ordered list of single steps, and how to undo them. Pure: the backends look
 * and carry out, everything about order and roll-back is here, once.
 *
 *	look (backend) -> plan_make (here) -> plan_run (here): stage by stage through the backend, undone on failure
 */
#ifndef OE_KERNEL_PLAN_H
#define OE_KERNEL_PLAN_H

#include "base/addr.h"
#include "base/err.h"
#include "ike/kernel_req.h"

enum kernel_dir { DIR_OUT, DIR_IN };

enum policy_kind {
	POLICY_PAIR,                /* between local and remote: requires ESP */
	POLICY_SHIELD,              /* between remote and any address of ours: requires ESP, of which there is none */
	POLICY_PASS,                /* from local, which is not ours, to remote: lets pass. Out only */
	POLICY_UNTRANSLATED,        /* the host has assigned an address, and this is for what has our own one yet: into the
				     * same tunnel, before translate.h gives it the assigned one. Out only */
};

/* What a policy that requires ESP asks of packets: all that the kernel holds of it beside its selector. */
struct policy_form {
	uint32_t reqid;
	struct ip_addr outer_local, outer_remote;       /* tunnel mode: its ends; IP_NONE, both: transport mode */
	bool assigned;              /* stronger than exemptions: one of its addresses is known to the two ends of the tunnel alone */
	uint64_t until_s;           /* an orphan: when the kernel removes it, by the wall clock; 0: after PROMISE_MAX_S */
};

enum policy_owner {
	POLICY_ABSENT,
	POLICY_OURS,                /* its template carries a reqid of our range */
	POLICY_OURS_PASS,           /* lets pass what is forwarded */
	POLICY_FOREIGN,             /* never touched */
};

struct policy_view {
	enum policy_owner owner;
	bool sound;                 /* POLICY_OURS: it is what we make of its form */
	struct policy_form form;    /* POLICY_OURS */
	uint32_t index;             /* the kernel's number of it */
	uint64_t orphan_until_s;    /* UNPROTECT: it was an orphan, and is to be one again until then; 0: it is not */
};

/* spi 0: a larval SA, which the kernel made together with an acquire and which has no SPI yet. */
struct sa_view {
	enum kernel_dir dir;
	uint32_t spi;
	bool tunnel;                /* its mode */
};

enum { PLAN_SAS_MAX = 16 };

/* What the kernel holds now for a request: filled by the backend. */
struct plan_view {
	struct policy_view pair[2];             /* by enum kernel_dir; all but DELETE_SAS, REMAP; PASS, UNPASS: out */
	struct policy_view shield[2];           /* PROTECT and UNPROTECT with it */
	struct policy_view untranslated;        /* all but DELETE_SAS, REMAP, if request_has_assigned() */
	struct sa_view sa[PLAN_SAS_MAX];        /* of this reqid only. DELETE_SAS, REMAP: those of the two SPIs; UNPROTECT: all */
	unsigned sas;
	bool more;                              /* there are more SAs than fit: ask again afterwards */
};

enum step_kind {
	STEP_SA_ADD,
	STEP_SA_DELETE,
	STEP_SA_REMAP,
	STEP_POLICY_ADD,
	STEP_POLICY_UPDATE,
	STEP_POLICY_DELETE,
	STEP_EXEMPT_ADD,
	STEP_EXEMPT_DELETE,
};

struct step {
	enum step_kind kind;
	unsigned stage;             /* steps of a stage may travel together; the next stage waits for their results */
	enum kernel_dir dir;
	enum policy_kind policy;    /* policy steps */
	struct policy_form form;    /* policy steps: what the step installs; deleting: what was there */
	struct policy_form old;     /* STEP_POLICY_UPDATE: what was there */
	uint32_t spi, reqid;        /* SA steps */
	bool tunnel;                /* STEP_SA_DELETE: its mode, by which the kernel knows a larval one */
	uint32_t index;             /* STEP_POLICY_DELETE: exactly this policy, 0 = by its addresses; exemptions: which */
	bool probe;                 /* a refusal is an answer, not an error to log */
	const struct kernel_request *request;   /* addresses, and for STEP_SA_ADD suite and keys; borrowed */
};

enum { PLAN_STEPS_MAX = 96 };      /* the longest are all exemptions, and the SAs of UNPROTECT */

struct plan {
	struct step steps[PLAN_STEPS_MAX];
	unsigned n;
};

/* The addresses of the packets that a request is about: those inside in tunnel mode. */
static inline bool request_is_tunnel(const struct kernel_request *r)
{
	return r->inner_local.family != IP_NONE;
}

static inline const struct ip_addr *request_local(const struct kernel_request *r)
{
	return request_is_tunnel(r) ? &r->inner_local : &r->local;
}

static inline const struct ip_addr *request_remote(const struct kernel_request *r)
{
	return request_is_tunnel(r) ? &r->inner_remote : &r->remote;
}

/* Are the packets inside of another family than the tunnel? */
static inline bool request_is_across(const struct kernel_request *r)
{
	return request_is_tunnel(r) && r->inner_local.family != r->local.family;
}

/* Has somebody assigned us the address that our packets have: the host, or its gateway? */
static inline bool request_is_from_assigned(const struct kernel_request *r)
{
	return request_is_tunnel(r) && !request_is_across(r) && !ip_equal(&r->inner_local, &r->local);
}

/* PROTECT: is one of the two addresses inside known to nobody but the two ends of the tunnel: assigned by the host, or by us? What is
 * behind a gateway is known to everybody. (Of other requests a shield tells nothing about that.) */
static inline bool request_is_assigned(const struct kernel_request *r)
{
	return request_is_from_assigned(r) || (request_is_tunnel(r) && !request_is_across(r) && !r->shield &&
					       !ip_equal(&r->inner_remote, &r->remote));
}

/* Has the host itself assigned us an address? */
static inline bool request_has_assigned(const struct kernel_request *r)
{
	return request_is_from_assigned(r) && ip_equal(&r->inner_remote, &r->remote);
}

/* The policy of this kind that a request is for. */
static inline struct policy_form request_form(const struct kernel_request *r, enum policy_kind kind)
{
	struct policy_form form = { .reqid = kind == POLICY_SHIELD ? KERNEL_REQID_SHIELD : r->reqid };

	if (kind == POLICY_SHIELD || kind == POLICY_PASS || !request_is_tunnel(r))
		return form;
	form.outer_local = r->local;
	form.outer_remote = r->remote;
	/* What is not translated yet has the exceptions of all other packets. */
	form.assigned = kind == POLICY_PAIR && request_is_assigned(r);
	return form;
}

static inline bool form_equal(const struct policy_form *a, const struct policy_form *b)
{
	return a->reqid == b->reqid && ip_equal(&a->outer_local, &b->outer_local) && ip_equal(&a->outer_remote, &b->outer_remote) &&
	       a->assigned == b->assigned;
}

/* Between which addresses a policy of this kind is; a shield has every address at our end. */
static inline const struct ip_addr *policy_local(const struct kernel_request *r, enum policy_kind kind)
{
	return kind == POLICY_UNTRANSLATED ? &r->local : request_local(r);
}

/* RETIRE: the policy out goes too, unless it has become that for the untranslated, which a host behind a gateway has none of. */
static inline bool retires_out(const struct kernel_request *r)
{
	return !ip_equal(request_local(r), &r->local) || !ip_equal(request_remote(r), &r->remote);
}

/* IKE_E_SYNTAX: values that the core never makes (a reqid outside our range, key lengths that do not fit the suite, ...):
 * carry out nothing, the two sides do not agree about the interface. */
IKE_CHECKED enum ike_err plan_check(const struct kernel_request *request);

/* IKE_E_CONFLICT: somebody else, or another reqid of ours, has a policy for this pair; the plan is then empty. */
IKE_CHECKED enum ike_err plan_make(const struct kernel_request *request, const struct plan_view *view, struct plan *out);

/* Keys that fit, for a message that must have some and protects no packet with them. No secret. */
void plan_any_keys(const struct esp_suite *suite, struct esp_keys *out);

/* The exemptions of exempt.h, those of servers only for one. */
void plan_exemptions(struct plan *out, bool serves);

/* Carries out the steps of one stage in order and reports each: IKE_OK; IKE_E_STATE: nothing to delete; IKE_E_CONFLICT:
 * to be added, but it exists; any other: refused. A failed step does not stop those behind it in the same call. */
typedef void step_runner(void *arg, const struct step *steps, unsigned n, enum ike_err *results);

/* All steps, or on failure none (but see plan.c about deleted SAs). Returns the first failure: IKE_E_CONFLICT for
 * something that exists (an exemption that exists is no failure), IKE_E_KERNEL for all others. */
IKE_CHECKED enum ike_err plan_run(const struct plan *plan, step_runner *run, void *arg);

#endif
