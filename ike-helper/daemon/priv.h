/* priv.h - what this process must not be able to do. */
#ifndef OE_DAEMON_PRIV_H
#define OE_DAEMON_PRIV_H

#include "base/err.h"
#include "base/log.h"

/* First thing in main(): keys are in this memory, so no core dump and no debugger of the same user;
 * files that we make are private. IKE_E_IO. */
IKE_CHECKED enum ike_err priv_seal(void);

/* When all sockets are open: keep one capability, or none, and give up every other one for good, across exec too. Logged. A process
 * that has none to give up is fine. IKE_E_IO. */
enum { PRIV_NONE = -1 };
IKE_CHECKED enum ike_err priv_drop(const struct log *log, int capability);

#endif
