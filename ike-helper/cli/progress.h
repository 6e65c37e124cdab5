/* progress.h - says on a terminal that something takes longer than a second, and for how long it has. */
#ifndef OE_CLI_PROGRESS_H
#define OE_CLI_PROGRESS_H

#include <sys/types.h>

struct progress {
	pid_t child;                /* 0: nothing is shown */
};

/* "TEXT (3 s)" on the standard error output from the second second on, if that is a terminal. text: safe for it. A child of this process
 * does that, so that whatever is waited for may block; nothing else may be written until progress_end(). */
void progress_begin(struct progress *p, const char *text);
void progress_end(struct progress *p);

#endif
