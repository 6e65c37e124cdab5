/* child.h - the one CHILD SA of an IKE SA: its keys, and what the kernel is asked. */
#ifndef OE_IKE_CHILD_H
#define OE_IKE_CHILD_H

#include "ike/sa.h"

/* Suite and SPIs are known (sa->hs->esp, sa->spi_in): derive the keys and ask the kernel for the
 * SAs and policies. Until it has answered the SA cannot end. */
IKE_CHECKED enum ike_err child_install(struct ike_sa *sa);
/* The kernel has them: EV_ESTABLISHED. */
void child_is_up(struct ike_sa *sa);

/* The requests themselves. PROTECT takes the keys: those of the handshake are empty afterwards. */
void child_protect_request(struct ike_sa *sa, struct kernel_request *out);
void child_delete_request(const struct ike_sa *sa, struct kernel_request *out);

#endif
