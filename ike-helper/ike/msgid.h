/* msgid.h - the message window of one (RFC 7296 2.1 to 2.3): our request that is not answered
 * yet, to be sent again, and our answer to the peer's last request, to be repeated byte for
 * byte.
 */
#ifndef OE_IKE_MSGID_H
#define OE_IKE_MSGID_H

#include <stdbool.h>
#include <stdint.h>

#include "ike/out.h"

enum {
	RESEND_FIRST_MS = 200,      /* then 1.5 times as long each time ... */
	RESEND_MAX_MS = 4000,       /* ... up to this */
	REPLY_KEEP_MS = 180000,     /* an answer may be forgotten after several minutes (RFC 7296 2.1) */
};

struct window {
	uint32_t next_request;      /* message ID of our next request; of the one that is out while request is set */
	uint32_t expected;          /* message ID of the peer's next request */
	struct packet *request;     /* out and not answered; owned */
	struct packet *reply;       /* to the peer's request expected - 1; NULL = none, or forgotten; owned */
	uint32_t interval_ms;
	uint64_t sent_ms;           /* when it was first sent */
	uint64_t resend_ms, forget_ms;  /* NEVER_MS = not due */
};

void window_init(struct window *w);
void window_clear(struct window *w);

/* Our request goes out: takes over the caller's reference. None may be out. */
void window_request_out(struct window *w, struct packet *request, uint64_t now_ms);
/* It was answered, or is not worth waiting for: free it. answered: the next one has the next ID. */
void window_request_over(struct window *w, bool answered);
/* Our answer to request expected goes out: takes over the caller's reference. */
void window_reply_out(struct window *w, struct packet *reply, uint64_t now_ms);

/* What the message ID of an incoming message says. */
enum window_verdict {
	WINDOW_NEW,                 /* to be handled */
	WINDOW_AGAIN,               /* a request that was answered: repeat the answer */
	WINDOW_OUTSIDE,             /* old, far ahead, or an answer that nobody waits for: drop it */
};
enum window_verdict window_judge(const struct window *w, bool response, uint32_t message_id);

/* When something is due, NEVER_MS = nothing. */
uint64_t window_due_ms(const struct window *w);
/* Do what is due: the request to be sent once more, or NULL. Forgets an old answer. */
struct packet *window_tick(struct window *w, uint64_t now_ms);

#endif
