/* steps.h - the legal moves of the protocol, and how one is made. The rows are in steps.c; the
 * handlers in x_*.c. */
#ifndef OE_IKE_STEPS_H
#define OE_IKE_STEPS_H

#include "ike/sa.h"
#include "ike/sealed.h"

/* What can happen to an SA. */
enum step_on {
	ON_START,                   /* ike_initiate() */
	ON_REQUEST, ON_REPLY,       /* a message of the peer: intact, and inside of the window */
	ON_AUTHORIZED, ON_SIGNED, ON_KERNEL,    /* completions */
	ON_SILENCE,                 /* our request is due to go again */
	ON_EXPIRED,                 /* sa->expire_ms is over */
	ON_CLOSE,                   /* ike_close() */
	ON_PROBE,                   /* ike_check_liveness() */
	ON_REKEY_CHILD,             /* ike_rekey_child(), and nothing else of ours goes on */
	ON_REKEY_IKE,               /* the same for ike_rekey_ike() */
	ON_LOST,                    /* the peer has proved that it has lost this SA (RFC 6290) */
	ON_TOKEN,                   /* our token for a new IKE SA has to go to the peer, and nothing else of ours goes on */
	ON_MOVE,                    /* ike_move(), and nothing else of ours goes on */
	ON_COOKIE2,                 /* the peer says that it has moved, and nothing else of ours goes on */
	ON_RETIRE,                  /* the peer has to be told of an old CHILD SA, and nothing else of ours goes on */
};

struct stimulus {
	enum step_on on;
	uint64_t now_ms;
	/* ON_REQUEST, ON_REPLY */
	const struct ike_hdr *hdr;
	const struct ip_path *path;     /* the way it came */
	struct span datagram;
	const struct msg_chain *chain;  /* the payloads; those inside of SK when it is protected */
	struct sealed_text text;        /* empty when it is not protected */
	/* ON_AUTHORIZED, ON_SIGNED, ON_KERNEL, ON_CLOSE */
	enum ike_err result;
	enum rp_reason reason;
	uint32_t reqid;
	const char *detail;             /* ON_AUTHORIZED: of the reason */
	struct keyset *keys;            /* ON_AUTHORIZED: of the name that the peer claims; borrowed */
	uint8_t auth_method;
	struct span auth_value;
};

/* Do what the table says. Messages that fit no row are answered or dropped as RFC 7296 2.21
 * demands. */
void step_run(struct ike_sa *sa, const struct stimulus *s);

/* One payload of each type that may occur once only, none that is encrypted, no unknown critical one, and each Notify and Delete
 * well-formed. IKE_E_SYNTAX; IKE_E_UNSUPPORTED with the type. */
IKE_CHECKED enum ike_err step_check_payloads(const struct msg_chain *chain, uint8_t *critical);

#endif
