/* network.h - the process that parses what comes from the network: IKE, tunnels, the lookups of clients' names, and the command oe. It
 * can do nothing with the kernel but ask the keeper.
 */
#ifndef OE_DAEMON_NETWORK_H
#define OE_DAEMON_NETWORK_H

#include "daemon/setup.h"

/* Until the keeper says stop, or is gone. Returns the exit status; 0: after a stop. */
int network_run(struct setup *setup, const struct channels *channels);

#endif
