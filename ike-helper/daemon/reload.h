/* reload.h - oe.conf read again while oe-iked runs. */
#ifndef OE_DAEMON_RELOAD_H
#define OE_DAEMON_RELOAD_H

#include "conf/conf.h"

enum { RELOAD_MAX = 64 };

/* Names of options, in the order of the documentation. */
struct reload {
	const char *changed[RELOAD_MAX];    /* taken over */
	const char *restart[RELOAD_MAX];    /* have another value in the file, and need a restart */
	unsigned n_changed, n_restart;
	char error[CONF_ERROR_MAX];
};

/* Read file, and take over into conf what can change at run time: nothing that a tunnel or a socket was made with. IKE_E_CONFIG:
 * nothing has changed, and out->error says why. */
IKE_CHECKED enum ike_err reload_conf(const char *file, bool must_exist, struct conf *conf, struct reload *out);

#endif
