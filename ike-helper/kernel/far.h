/* far.h - kernel.h and inner.h in a process that may not change the kernel: each call is a datagram to the one that may, which
 * judges it (judge.h), carries it out and answers.
 *
 * Both are the same program, so that a call is a struct as it is; the other end believes nothing of it. Keys are wiped at both
 * ends as soon as they have gone on.
 */
#ifndef OE_KERNEL_FAR_H
#define OE_KERNEL_FAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/log.h"
#include "ike/kernel_req.h"

struct judge;
struct inner;
struct kernel;

/* From here --------------------------------------------------------------------------------------------------------- */

/* calls: a connected SOCK_SEQPACKET socket that blocks; events, losses: others, on which struct kernel_event and struct
 * kernel_losses come. All stay the caller's, inner's calls where it is. kernel_close(), kernel_leave(): neither touches the kernel, that is the other end's to decide. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err kernel_far_open(const struct log *log, int calls, int events, int losses, struct kernel **out);
IKE_CHECKED enum ike_err inner_far_open(const struct log *log, int *calls, struct inner **out);

/* To there ----------------------------------------------------------------------------------------------------------- */

/* All borrowed. */
struct far_served {
	struct kernel *kernel;
	struct inner *inner;
	struct judge *judge;
	const struct log *log;
};

enum { FAR_CALL_MAX = 1024, FAR_ANSWER_MAX = 256 };

/* Carry out the call in call[0 .. n-1], which is wiped; the answer goes to answer. Returns its length; 0: that was no call, and who
 * sends such is not to be heard any more. */
unsigned far_serve(const struct far_served *served, uint8_t *call, unsigned n, uint64_t now_ms, uint8_t answer[FAR_ANSWER_MAX]);

#endif
