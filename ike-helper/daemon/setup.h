/* setup.h - what main() has made when the program divides into processes; each has its own copy from then on.
 *
 *	keeper     CAP_NET_ADMIN: IPsec and addresses in the kernel, the resolver's socket and those to it, the configuration (keeper.h)
 *	network    nothing: IKE, tunnels, what people ask (network.h)
 *	signer     the private key, if there is one; the network process makes it (signer.h)
 */
#ifndef OE_DAEMON_SETUP_H
#define OE_DAEMON_SETUP_H

#include <stdbool.h>

#include "base/groups.h"
#include "base/log.h"
#include "conf/conf.h"
#include "daemon/sandbox.h"

struct net;

struct setup {
	const char *file;               /* oe.conf */
	bool file_given, foreground, fake_kernel;
	struct conf conf;
	struct groups groups;           /* of conf.policy_dir */
	struct log log;
	struct net *net;                /* bound; the network process keeps it */
	int control_listener;           /* likewise */
	int resolver_listener;          /* the keeper keeps it: from a service manager (activation.h); -1: it makes one */
	struct sandbox sandbox;         /* of the network process */
};

/* One end of each pair between keeper and network. */
struct channels {
	int calls, events, losses;      /* kernel/far.h */
	int link;                       /* link.h */
};

/* What is sent over calls beside those of kernel/far.h, as one byte. */
enum setup_call {
	SETUP_CALL_RELOAD = 1,          /* read oe.conf and the policy groups again; the answer is a struct setup_conf; one byte: it cannot be sent */
	SETUP_CALL_RESOLVER_UDP,        /* dns_socket.h */
	SETUP_CALL_RESOLVER_TCP,
};
struct setup_conf {
	enum ike_err err;               /* IKE_E_CONFIG: error says why, and the rest means nothing */
	char error[CONF_ERROR_MAX];
	struct conf conf;
	struct groups groups;
};

#endif
