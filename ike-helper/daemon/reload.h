/* reload.h - oe.conf read again while oe-iked runs. */
#ifndef OE_DAEMON_RELOAD_H
#define OE_DAEMON_RELOAD_H

#include "conf/conf.h"

enum { RELOAD_MAX = 64 };

/* Names of options, in the order of the documentation, and "policy groups". */
struct reload {
	const char *changed[RELOAD_MAX];    /* taken over */
	const char *restart[RELOAD_MAX];    /* have another value in the file, and need a restart */
	unsigned n_changed, n_restart;
	char error[CONF_ERROR_MAX];
};

/* Take over from new into conf what can change at run time: nothing that a tunnel or a socket was made with. Fills in the names;
 * error is the caller's. */
void reload_take(struct conf *conf, const struct conf *new, struct reload *out);

/* Something that is no option has changed, too; the text is kept by reference. */
void reload_note(struct reload *out, const char *what);

#endif
