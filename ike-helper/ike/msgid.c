#include "ike/msgid.h"

#include <assert.h>

#include "base/timers.h"

void window_init(struct window *w)
{
	*w = (struct window){ .resend_ms = NEVER_MS, .forget_ms = NEVER_MS };
}

static void forget_reply(struct window *w)
{
	packet_unref(w->reply);
	w->reply = NULL;
	w->forget_ms = NEVER_MS;
}

void window_clear(struct window *w)
{
	packet_unref(w->request);
	forget_reply(w);
	window_init(w);
}

void window_request_out(struct window *w, struct packet *request, uint64_t now_ms)
{
	assert(!w->request);
	w->request = request;
	w->sent_ms = now_ms;
	w->interval_ms = RESEND_FIRST_MS;
	w->resend_ms = now_ms + RESEND_FIRST_MS;
}

void window_request_over(struct window *w, bool answered)
{
	if (w->request && answered)
		w->next_request++;
	packet_unref(w->request);
	w->request = NULL;
	w->resend_ms = NEVER_MS;
}

void window_reply_out(struct window *w, struct packet *reply, uint64_t now_ms)
{
	forget_reply(w);
	w->reply = reply;
	w->forget_ms = now_ms + REPLY_KEEP_MS;
	w->expected++;
}

enum window_verdict window_judge(const struct window *w, bool response, uint32_t message_id)
{
	if (response)
		return w->request && message_id == w->next_request ? WINDOW_NEW : WINDOW_OUTSIDE;
	if (message_id == w->expected)
		return WINDOW_NEW;
	return w->expected > 0 && message_id == w->expected - 1 && w->reply ? WINDOW_AGAIN
									    : WINDOW_OUTSIDE;
}

uint64_t window_due_ms(const struct window *w)
{
	return w->resend_ms < w->forget_ms ? w->resend_ms : w->forget_ms;
}

struct packet *window_tick(struct window *w, uint64_t now_ms)
{
	if (now_ms >= w->forget_ms)
		forget_reply(w);
	if (!w->request || now_ms < w->resend_ms)
		return NULL;
	w->interval_ms += w->interval_ms / 2;
	if (w->interval_ms > RESEND_MAX_MS)
		w->interval_ms = RESEND_MAX_MS;
	w->resend_ms = now_ms + w->interval_ms;
	return w->request;
}
