/* kernel_impl.h - what a backend gives to kernel.c; not for users of kernel.h. */
#ifndef OE_KERNEL_KERNEL_IMPL_H
#define OE_KERNEL_KERNEL_IMPL_H

#include "kernel/kernel.h"
#include "kernel/ledger.h"
#include "kernel/plan.h"

struct kernel_lost {
	struct lost_policies policies, expired;         /* expired: by the kernel; .n of .policy alone */
	struct kernel_lost_sas sas;
};

struct kernel_ops {
	/* As kernel_apply(), for one that passes whole requests on; NULL: by look and run, which such a one does not have. */
	enum ike_err (*apply)(struct kernel *k, const struct kernel_request *request);
	/* Fill the parts of the view that request->op needs (plan.h). */
	enum ike_err (*look)(struct kernel *k, const struct kernel_request *request, struct plan_view *out);
	/* Results as step_runner says; besides, when an SA is added, IKE_E_UNSUPPORTED: no ESP for this family,
	 * IKE_E_NO_PROPOSAL: no such cipher. */
	step_runner *run;
	enum ike_err (*traffic)(struct kernel *k, uint32_t reqid, uint32_t spi_in, uint32_t spi_out,
				const struct ip_addr *local, const struct ip_addr *remote, struct sa_traffic *out);
	int (*event_fd)(const struct kernel *k);
	bool (*next_event)(struct kernel *k, struct kernel_event *out);
	int (*guard_fd)(const struct kernel *k);
	/* As kernel_guard(), for one that passes whole requests on; NULL: by lost and run. */
	enum ike_err (*guard)(struct kernel *k, struct kernel_losses *out);
	/* What others have deleted of ours since the last call. */
	void (*lost)(struct kernel *k, struct kernel_lost *out);
	/* Remove everything of ours, exemptions last, if asked to; then free k. */
	void (*close)(struct kernel *k, bool remove);
};

/* First member of each backend's own struct. */
struct kernel {
	const struct kernel_ops *ops;
	const struct log *log;
	struct ledger ledger;
	bool missing;               /* something of it was lost, and could not be put back */
};

/* For a backend that opens: IKE_E_NOMEM. */
IKE_CHECKED enum ike_err kernel_init(struct kernel *k, const struct kernel_ops *ops, const struct log *log);

#endif
