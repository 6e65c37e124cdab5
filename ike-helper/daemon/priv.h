/* priv.h - what this process must not be able to do. */
#ifndef OE_DAEMON_PRIV_H
#define OE_DAEMON_PRIV_H

#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

/* First thing in main(): keys are in this memory, so no core dump and no debugger of the same user;
 * files that we make are private. IKE_E_IO. */
IKE_CHECKED enum ike_err priv_seal(void);

/* When all sockets are open: keep these capabilities (bit 1 << CAP_...), as far as they are there, and give up every other one for good, across
 * exec too. IKE_E_IO: logged. */
enum { PRIV_NONE = 0 };
IKE_CHECKED enum ike_err priv_drop(const struct log *log, uint32_t keep);
/* Of this, what only root can do: nothing that is executed gets another capability back. */
void priv_bound(uint32_t keep);

#endif
