/* How an SA moves from state to state and what follows from it, and the messages of ours that a handler sends on the way. */
#include "ike/engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ike/beside.h"
#include "ike/child.h"
#include "ike/followup.h"
#include "ike/sealed.h"

const char *engine_label(const struct ike_sa *sa, char to[SA_LABEL_MAX])
{
	char endpoint[IP_ENDPOINT_TEXT_MAX], name[DNSNAME_TEXT_MAX];
	const struct dnsname *whose = sa->claim ? &sa->claim->name : sa->hs ? &sa->hs->name : NULL;
	bool named = whose && whose->n > 0;

	ip_endpoint_text(&sa->path.remote, endpoint);
	if (named)
		dnsname_text(whose, name);
	snprintf(to, SA_LABEL_MAX, "%s%s%.100s%s", endpoint, named ? " (" : "", named ? name : "",
		 named ? ")" : "");
	return to;
}

/* The one place where an SA says that it ended. */
static void announce_end(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	/* Strangers that fail before they are let in must not fill the log; one that gives a name is somebody's host, whose
	 * owner will look for the reason. */
	bool shown = sa->owes_end || (sa->claim && bucket_take(&ike->refusals, ike->now_ms));
	enum log_level level = shown ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
	char label[SA_LABEL_MAX], why[IKE_DETAIL_MAX + 128];
	struct child *c, *next;

	if (sa->rekey && sa->rekey->fresh_ike)
		engine_forget(sa->rekey->fresh_ike);
	sa_end_rekey(sa);
	followup_drop(sa);
	beside_ended(sa, ike->now_ms);
	engine_give_back(sa);
	for (c = sa->children; c; c = next) {
		next = c->next;
		child_drop(c);
	}
	/* The layer above has never heard of it, or knows its successor. */
	if (sa->was_up && !sa->owes_end) {
		log_debug(ike->log, "ike %llu: an IKE SA without CHILD SAs has ended", (unsigned long long)sa->handle);
		return;
	}
	if (sa->owes_end)
		out_put(&ike->out, &sa->end, SLOT_END);
	sa->owes_end = false;
	if (sa_was_announced(sa))
		ike->stats.closed++;
	else
		ike->stats.failed++;
	engine_label(sa, label);
	snprintf(why, sizeof why, "%s%s%s", sa->reason != REASON_NONE ? rp_reason_text(sa->reason) : "",
		 sa->reason != REASON_NONE && sa_detail(sa)[0] != '\0' ? ": " : "", sa_detail(sa));
	if (sa_was_announced(sa))
		log_line(ike->log, level, "%s: closed: %s, spi %08x/%08x", label, why, sa->spi_in,
			 sa->spi_out);
	else
		log_line(ike->log, level, "%s: failed: %s", label, why);
}

static void announce_up(struct ike_sa *sa)
{
	char label[SA_LABEL_MAX], esp[64], inner[IP_TEXT_MAX];
	bool tunnel = sa->inner_local.family != IP_NONE;

	log_info(sa->ike->log, "%s: up, %s, %s%s%s%s%s, spi %08x/%08x, IKE_AUTH took %u ms",
		 engine_label(sa, label), sa->initiator ? "we started" : "the peer started",
		 esp_suite_text(&sa->esp_suite, esp, sizeof esp), sa->encapsulated ? " in UDP" : "",
		 sa->suite.addke1 ? ", ML-KEM-768" : "", tunnel ? ", tunnel from " : "",
		 tunnel ? ip_text(&sa->inner_local, inner) : "", sa->spi_in, sa->spi_out, sa->round_trip_ms);
}

void engine_announce_rekeyed(const struct ike_sa *sa, unsigned what)
{
	char label[SA_LABEL_MAX], suite[64];

	engine_label(sa, label);
	if (what == NEWS_IKE_REKEYED)
		log_info(sa->ike->log, "%s: IKE SA rekeyed, %s", label, ike_suite_text(&sa->suite, suite, sizeof suite));
	else
		log_info(sa->ike->log, "%s: rekeyed, %s, spi %08x/%08x", label,
			 esp_suite_text(&sa->esp_suite, suite, sizeof suite), sa->spi_in, sa->spi_out);
}

void engine_move(struct ike_sa *sa, enum sa_state next, uint64_t now_ms)
{
	enum sa_state from = sa->state;
	enum ike_err err;

	if (next == from)
		return;
	engine_count_out(sa);
	err = sa_set_state(sa, next);
	assert(err == IKE_OK);      /* a row of steps.c names a state that may follow */
	(void)err;
	engine_count_in(sa);
	if (next == ST_UP && (IN(from) & IN_HANDSHAKE))
		announce_up(sa);
	if (from < ST_LEAVING && sa->state >= ST_LEAVING)
		announce_end(sa);
	if (sa->state >= ST_UP) {
		table_remove(&sa->ike->by_init, &sa->by_init);
		sa_end_handshake(sa);
	}
	if (sa->was_up)
		engine_unqueue_half_open(sa);
	if (next == ST_LEAVING)
		sa->expire_ms = now_ms + LEAVING_MS;
	else if (next == ST_LINGERING)
		sa->expire_ms = now_ms + LINGER_MS;
	else if (sa->state == ST_GONE)
		engine_leave_tables(sa);
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* Nothing of ours is out. */
static bool may_ask(const struct ike_sa *sa)
{
	return sa->state == ST_UP && !sa->window.request && !sa->asked;
}

/* Nor is the peer in the midst of something: what we have meant to do can begin. */
static bool is_idle(const struct ike_sa *sa)
{
	return may_ask(sa) && !sa->due;
}

/* Where we are, or whether the peer is where it says. That does not wait for what the peer is in the midst of: it cannot go on with that
 * before it knows. */
static void run_move(struct ike_sa *sa, uint64_t now_ms)
{
	struct stimulus s = { .on = sa->move_asked ? ON_MOVE : ON_COOKIE2, .now_ms = now_ms };

	*(sa->move_asked ? &sa->move_asked : &sa->owes_cookie2) = false;
	step_run(sa, &s);
}

/* One thing that was put off; the next one is for when it is over. */
static void run_errand(struct ike_sa *sa, uint64_t now_ms)
{
	struct stimulus s = { .now_ms = now_ms };

	if (child_in_phase(sa, CHILD_DOOMED)) {
		s.on = ON_RETIRE;
	} else if (sa->asks_beside) {
		sa->asks_beside = false;
		s.on = ON_PROBE;
	} else if (sa->rekey_child_asked && now_ms >= sa->rekey_at_ms && child_is_elsewhere(sa)) {
		sa->rekey_child_asked = false;
		s.on = ON_REKEY_CHILD;
	} else if (now_ms >= sa->fetch_ms) {
		sa->fetch_ms = NEVER_MS;
		sa->rekey_tries = 0;
		s.on = ON_REKEY_CHILD;
	} else if (sa->owes_token && !child_is_elsewhere(sa)) {
		sa->owes_token = false;
		s.on = ON_TOKEN;
	} else if (sa->rekey_child_asked && now_ms >= sa->rekey_at_ms) {
		sa->rekey_child_asked = false;
		s.on = ON_REKEY_CHILD;
	} else if (sa->rekey_ike_asked && now_ms >= sa->rekey_at_ms) {
		sa->rekey_ike_asked = false;
		s.on = ON_REKEY_IKE;
	} else {
		return;
	}
	step_run(sa, &s);
}

static uint64_t due_ms(const struct ike_sa *sa)
{
	uint64_t due = earlier(window_due_ms(&sa->window), sa->expire_ms);

	if (!(IN(sa->state) & IN_LIFE))
		return due;
	due = earlier(due, children_due_ms(sa));
	if (sa->due)
		due = earlier(due, sa->due->until_ms);
	if (is_idle(sa))
		due = earlier(due, sa->fetch_ms);
	return is_idle(sa) && (sa->rekey_child_asked || sa->rekey_ike_asked) ? earlier(due, sa->rekey_at_ms) : due;
}

void engine_settle(struct ike_sa *sa, uint64_t now_ms)
{
	struct stimulus close = { .on = ON_CLOSE, .now_ms = now_ms, .reason = sa->close_reason };

	if ((IN(sa->state) & IN_LIFE) && sa->close_asked && !sa->asked && sa->state != ST_IKE_REKEYING) {
		sa->close_asked = false;
		step_run(sa, &close);
	}
	if (sa->due && now_ms >= sa->due->until_ms)
		followup_drop(sa);
	if ((may_ask(sa) && (sa->move_asked || sa->owes_cookie2)) || (sa->state == ST_EMPTY && !sa->window.request && sa->move_asked))
		run_move(sa, now_ms);
	if (is_idle(sa))
		run_errand(sa, now_ms);
	if (sa->state == ST_GONE)
		engine_collect(sa);
	else
		timer_set(&sa->ike->timers, &sa->timer, due_ms(sa));
}

void engine_step(struct ike_sa *sa, const struct stimulus *s)
{
	step_run(sa, s);
	engine_settle(sa, s->now_ms);
}

/* Messages of ours ----------------------------------------------------------------------------- */

void engine_ask(struct ike_sa *sa, enum out_slot_kind kind)
{
	sa->pending_id = 0;
	out_put(&sa->ike->out, &sa->ask, kind);
}

void engine_news(struct ike_sa *sa, unsigned what)
{
	sa->news |= (uint8_t)what;
	out_put(&sa->ike->out, &sa->tell, SLOT_NEWS);
}

struct msg_wr engine_inner(struct ike *ike)
{
	return msg_begin_inner(ike->inner, sizeof ike->inner);
}

enum ike_err engine_request(struct ike_sa *sa, uint8_t exchange, struct msg_wr *inner,
			    uint64_t now_ms)
{
	struct packet *p = NULL;
	struct span bytes;
	uint8_t first;
	enum ike_err err;

	err = msg_end(inner, &first, &bytes);
	if (err == IKE_OK)
		err = sealed_make(sa, exchange, sa->window.next_request, false, first, bytes,
				  &sa->path, &p);
	if (err != IKE_OK)
		return err;
	window_request_out(&sa->window, p, now_ms);
	sa->silence = NOT_SILENT;
	sa->denied = false;
	packet_send(&sa->ike->out, p, &sa->path);
	return IKE_OK;
}

enum ike_err engine_reply(struct ike_sa *sa, uint8_t exchange, uint32_t id,
			  const struct ip_path *path, struct msg_wr *inner, uint64_t now_ms)
{
	struct packet *p = NULL;
	struct span bytes;
	uint8_t first;
	enum ike_err err;

	err = msg_end(inner, &first, &bytes);
	if (err == IKE_OK)
		err = sealed_make(sa, exchange, id, true, first, bytes, path, &p);
	if (err != IKE_OK)
		return err;
	window_reply_out(&sa->window, p, now_ms);
	packet_send(&sa->ike->out, p, path);
	return IKE_OK;
}

enum ike_err engine_hold_reply(struct ike_sa *sa, const struct stimulus *s, struct msg_wr *inner)
{
	struct span bytes;
	uint8_t first;
	enum ike_err err;

	packet_unref(sa->held);
	sa->held = NULL;
	sa->held_id = s->hdr->message_id;
	sa->held_exchange = s->hdr->exchange;
	err = msg_end(inner, &first, &bytes);
	if (err == IKE_OK)
		err = sealed_make(sa, s->hdr->exchange, sa->held_id, true, first, bytes, s->path, &sa->held);
	return err;
}

void engine_release_reply(struct ike_sa *sa, uint64_t now_ms)
{
	struct packet *p = sa->held;
	struct ip_path path = p->path;

	sa->held = NULL;
	window_reply_out(&sa->window, p, now_ms);
	packet_send(&sa->ike->out, p, &path);
}

enum ike_err engine_reply_notify(struct ike_sa *sa, const struct stimulus *s, uint16_t type,
				 struct span value)
{
	struct msg_wr m = engine_inner(sa->ike);

	if (type)
		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), type, value);
	return engine_reply(sa, s->hdr->exchange, s->hdr->message_id, s->path, &m, s->now_ms);
}
