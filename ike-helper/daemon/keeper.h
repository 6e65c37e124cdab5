/* keeper.h - the process that may change the kernel, and the first one of the program: the one that gets signals, and by whose
 * exit status the program is known.
 *
 * It reads nothing that comes from the network. What the network process asks for is judged by books of its own
 * (kernel/judge.h), for which it reads what the resolver asks, and passes that on.
 */
#ifndef OE_DAEMON_KEEPER_H
#define OE_DAEMON_KEEPER_H

#include <sys/types.h>

#include "daemon/setup.h"

/* Until a signal or the end of the network process. In that case it leaves what is in the kernel as it is, as a killed program would;
 * in that of a signal nothing is left. Returns the exit status. */
int keeper_run(struct setup *setup, const struct channels *channels, pid_t network);

#endif
