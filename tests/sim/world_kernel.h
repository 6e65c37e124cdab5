/* world_kernel.h - the kernels of the world: what has been asked of them, checked against what the other end has.
 *
 * What breaks a promise is told with sim_broken(): keys that differ from the other end's, an SA that goes while the other end
 * still sends with it, SAs on top of SAs.
 */
#ifndef OE_TESTS_SIM_WORLD_KERNEL_H
#define OE_TESTS_SIM_WORLD_KERNEL_H

#include "tests/sim/world.h"

/* KERNEL_PROTECT and KERNEL_ADD_SAS. */
void sim_kernel_add(struct sim_world *w, enum sim_side side, const struct kernel_request *k);
/* KERNEL_REMAP. */
void sim_kernel_remap(struct sim_world *w, enum sim_side side, const struct kernel_request *k);
/* KERNEL_DELETE_SAS. */
void sim_kernel_delete(struct sim_world *w, enum sim_side side, const struct kernel_request *k);

#endif
