/* xfrm_nl.h - the conversation with XFRM over netlink: several requests in one datagram, every answer read.
 *
 * What is sent and received may hold keys (the kernel tells them to whoever may ask), so both are wiped after use.
 */
#ifndef OE_KERNEL_XFRM_NL_H
#define OE_KERNEL_XFRM_NL_H

#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"

enum { XNL_BATCH_MAX = 16, XNL_ANSWER_MAX = 4096 };

struct xnl {
	struct nl_sock *sock;
	const struct log *log;
	uint32_t seq;
	_Alignas(8) uint8_t answers[XNL_BATCH_MAX][XNL_ANSWER_MAX];
};

/* A request and what became of it. */
struct xnl_request {
	struct nl_msg *msg;
	int error;                  /* errno of the kernel's answer; 0 = done */
	char text[80];              /* the kernel's own words about an error, or "" */
};

struct xnl_batch {
	struct xnl_request r[XNL_BATCH_MAX];
	unsigned n;
	bool bad;                   /* no memory, or an attribute that did not fit: nothing is sent */
};

/* Each message carries its port, and so does the news of what it has changed.
 * IKE_E_IO: *why says what is missing. */
IKE_CHECKED enum ike_err xnl_open(struct xnl *x, const struct log *log, const char **why);
void xnl_close(struct xnl *x);
uint32_t xnl_port(const struct xnl *x);

/* Append a request that begins with n bytes of body (none: NULL, 0); for attributes: xnl_attr(). At most XNL_BATCH_MAX;
 * more is bad. */
void xnl_add(struct xnl_batch *b, int type, const void *body, size_t n);
/* To the last request. */
void xnl_attr(struct xnl_batch *b, int type, const void *body, size_t n);

/* What the kernel tells beside the acknowledgement; i: which request. hdr is valid during the call. */
typedef void xnl_answer(void *arg, unsigned i, struct nlmsghdr *hdr);

/* Send all in one datagram, in order, and read every answer; answer may be NULL. Each request's fate is in its error; a
 * failed one does not stop the next. IKE_E_KERNEL: the conversation itself failed and errors tell nothing. Afterwards
 * requests are wiped and freed; error and text stay until xnl_clear(). */
IKE_CHECKED enum ike_err xnl_talk(struct xnl *x, struct xnl_batch *b, xnl_answer *answer, void *arg);
void xnl_clear(struct xnl_batch *b);

/* Send the only request of b as a dump. *whole is false if the tables changed meanwhile: something may be missing. */
IKE_CHECKED enum ike_err xnl_dump(struct xnl *x, struct xnl_batch *b, xnl_answer *answer, void *arg, bool *whole);

/* Bodies ---------------------------------------------------------------------------------------------------------- */

uint16_t xfrm_family(const struct ip_addr *a);          /* AF_INET, AF_INET6 */
uint8_t xfrm_prefix(const struct ip_addr *a);           /* 32, 128 */
/* How each struct for the kernel begins. An initialiser leaves undefined what lies between the fields, and the kernel takes all
 * of it, keeps some and shows it to who asks: what happened to be on our stack. */
#define XFRM_ZERO(object) memset(&(object), 0, sizeof (object))
xfrm_address_t xfrm_addr(const struct ip_addr *a);
struct ip_addr xfrm_ip(const xfrm_address_t *a, uint16_t family);

#endif
