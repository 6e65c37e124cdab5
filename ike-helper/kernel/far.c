#include "kernel/far.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "kernel/judge.h"
#include "kernel/inner.h"
#include "kernel/kernel_impl.h"

enum call_kind {
	CALL_APPLY,
	CALL_TRAFFIC,
	CALL_INNER,
};

struct call {
	enum call_kind kind;
	union {
		struct kernel_request request;
		struct {
			uint32_t reqid, spi_in, spi_out;
			struct ip_addr local, remote;
		} traffic;
		struct inner_call inner;
	} u;
};

struct answer {
	enum ike_err err;
	uint8_t fresh;              /* CALL_INNER: INNER_ADD */
	struct sa_traffic traffic;
};

_Static_assert(sizeof(struct call) <= FAR_CALL_MAX && sizeof(struct answer) <= FAR_ANSWER_MAX, "buffers hold them");

/* From here --------------------------------------------------------------------------------------------------------- */

struct far {
	struct kernel base;
	int calls, events, losses;
};

static const struct far *far_of(const struct kernel *k)
{
	return (const struct far *)k;
}

/* Without an answer the other end is gone, and so is everything that could be done about it here. The call is wiped. */
static enum ike_err ask(int calls, struct call *call, struct answer *out)
{
	ssize_t n;

	memset(out, 0, sizeof *out);
	do {
		n = send(calls, call, sizeof *call, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	secret_wipe(call, sizeof *call);
	while (n >= 0) {
		n = recv(calls, out, sizeof *out, 0);
		if (n == (ssize_t)sizeof *out)
			return out->err;
		if (n < 0 && errno == EINTR)
			n = 0;
		else
			break;
	}
	memset(out, 0, sizeof *out);
	return IKE_E_KERNEL;
}

static enum ike_err far_apply(struct kernel *k, const struct kernel_request *request)
{
	struct call call;
	struct answer answer;

	memset(&call, 0, sizeof call);
	call.kind = CALL_APPLY;
	call.u.request = *request;
	return ask(far_of(k)->calls, &call, &answer);
}

static enum ike_err far_traffic(struct kernel *k, uint32_t reqid, uint32_t spi_in, uint32_t spi_out, const struct ip_addr *local,
				const struct ip_addr *remote, struct sa_traffic *out)
{
	struct call call;
	struct answer answer;
	enum ike_err err;

	memset(&call, 0, sizeof call);
	call.kind = CALL_TRAFFIC;
	call.u.traffic.reqid = reqid;
	call.u.traffic.spi_in = spi_in;
	call.u.traffic.spi_out = spi_out;
	call.u.traffic.local = *local;
	call.u.traffic.remote = *remote;
	err = ask(far_of(k)->calls, &call, &answer);
	*out = answer.traffic;
	return err;
}

static int far_event_fd(const struct kernel *k)
{
	return far_of(k)->events;
}

static bool far_next_event(struct kernel *k, struct kernel_event *out)
{
	ssize_t n;

	do {
		n = recv(far_of(k)->events, out, sizeof *out, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *out;
}

static int far_guard_fd(const struct kernel *k)
{
	return far_of(k)->losses;
}

/* What is missing has been put back by then: there it goes on until it is. */
static enum ike_err far_guard(struct kernel *k, struct kernel_losses *out)
{
	ssize_t n;

	do {
		n = recv(far_of(k)->losses, out, sizeof *out, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof *out)
		memset(out, 0, sizeof *out);
	return IKE_OK;
}

static void far_close(struct kernel *k, bool remove)
{
	(void)remove;
	free(k);
}

static const struct kernel_ops far_ops = {
	.apply = far_apply, .traffic = far_traffic, .event_fd = far_event_fd, .next_event = far_next_event, .guard_fd = far_guard_fd,
	.guard = far_guard, .close = far_close,
};

enum ike_err kernel_far_open(const struct log *log, int calls, int events, int losses, struct kernel **out)
{
	struct far *far = calloc(1, sizeof *far);

	*out = NULL;
	if (!far || kernel_init(&far->base, &far_ops, log) != IKE_OK) {
		free(far);
		return IKE_E_NOMEM;
	}
	far->calls = calls;
	far->events = events;
	far->losses = losses;
	*out = &far->base;
	return IKE_OK;
}

static enum ike_err far_inner(void *arg, const struct inner_call *what, bool *fresh)
{
	struct call call;
	struct answer answer;
	enum ike_err err;

	memset(&call, 0, sizeof call);
	call.kind = CALL_INNER;
	call.u.inner = *what;
	err = ask(*(int *)arg, &call, &answer);
	*fresh = answer.fresh == 1;
	return err;
}

enum ike_err inner_far_open(const struct log *log, int *calls, struct inner **out)
{
	return inner_books_open(log, far_inner, calls, out);
}

/* To there ----------------------------------------------------------------------------------------------------------- */

static enum ike_err refuse(const struct far_served *served, const struct kernel_request *r, enum ike_err err, const char *why)
{
	char local[IP_TEXT_MAX], remote[IP_TEXT_MAX];

	log_error(served->log, "kernel: a request (%d) for %s - %s, reqid %08x, is refused: %s", (int)r->op,
		  ip_text(request_local(r), local), ip_text(request_remote(r), remote), r->reqid, why);
	return err;
}

static enum ike_err serve_apply(const struct far_served *served, const struct kernel_request *r, uint64_t now_ms)
{
	const char *why;
	enum ike_err err = judge_request(served->judge, r, now_ms, &why);

	if (err != IKE_OK)
		return refuse(served, r, err, why);
	err = kernel_apply(served->kernel, r);
	if (err == IKE_OK)
		judge_note(served->judge, r, now_ms);
	return err;
}

static bool inner_is_allowed(const struct far_served *served, const struct inner_call *what, uint64_t now_ms)
{
	switch (what->op) {
	case INNER_ADD:
		return judge_is_inner(&what->address) && judge_is_asked(served->judge, &what->remote, now_ms);
	case INNER_CLIENT_ADD:
		return judge_is_pool(served->judge, &what->address);
	case INNER_REMOVE:
	case INNER_CLIENT_REMOVE:
	case INNER_UNROUTE:
	case INNER_REFRESH:
		return true;
	}
	return false;
}

static enum ike_err serve_inner(const struct far_served *served, const struct inner_call *what, uint64_t now_ms, bool *fresh)
{
	char address[IP_TEXT_MAX];

	if (inner_is_allowed(served, what, now_ms))
		return inner_carry_out(served->inner, what, fresh);
	log_error(served->log, "an assigned address, %s, is refused: nobody has asked for it", ip_text(&what->address, address));
	return IKE_E_REFUSED;
}

static bool is_ours(uint32_t reqid)
{
	return (reqid & ~(uint32_t)KERNEL_REQID_MASK) == KERNEL_REQID_BASE;
}

static enum ike_err serve(const struct far_served *served, const struct call *call, uint64_t now_ms, struct answer *answer)
{
	enum ike_err err = IKE_E_SYNTAX;
	bool fresh = false;

	switch (call->kind) {
	case CALL_APPLY:
		return serve_apply(served, &call->u.request, now_ms);
	case CALL_TRAFFIC:
		return is_ours(call->u.traffic.reqid)
			       ? kernel_traffic(served->kernel, call->u.traffic.reqid, call->u.traffic.spi_in, call->u.traffic.spi_out,
						&call->u.traffic.local, &call->u.traffic.remote, &answer->traffic)
			       : IKE_E_REFUSED;
	case CALL_INNER:
		err = serve_inner(served, &call->u.inner, now_ms, &fresh);
		answer->fresh = fresh;
		return err;
	}
	return err;
}

unsigned far_serve(const struct far_served *served, uint8_t *bytes, unsigned n, uint64_t now_ms, uint8_t to[FAR_ANSWER_MAX])
{
	struct answer answer;
	struct call call;

	if (n != sizeof call)
		return 0;
	memcpy(&call, bytes, sizeof call);
	secret_wipe(bytes, n);
	memset(&answer, 0, sizeof answer);
	answer.err = serve(served, &call, now_ms, &answer);
	secret_wipe(&call, sizeof call);
	memcpy(to, &answer, sizeof answer);
	return sizeof answer;
}
