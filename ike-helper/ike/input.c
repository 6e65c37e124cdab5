/* ike_input(): from a datagram to the SA that it is for. What comes in here is a stranger's
 * until unsealed. */
#include <string.h>

#include "ike/beside.h"
#include "ike/engine.h"
#include "ike/follow.h"
#include "ike/hint.h"
#include "ike/sealed.h"
#include "ike/x.h"

static const uint8_t no_spi[IKE_SPI_LEN];

/* Answers without an SA ------------------------------------------------------------------------ */

static bool may_send_error(struct ike *ike)
{
	if (bucket_take(&ike->errors, ike->now_ms))
		return true;
	ike->stats.dropped_limit++;
	return false;
}

void engine_stateless_answer(struct ike *ike, const struct ike_hdr *request, const struct ip_path *path,
			     const struct pl_notify *notifies, unsigned n)
{
	uint16_t type = notifies[0].type;
	struct ike_hdr hdr = *request;
	uint8_t bytes[IKE_HDR_LEN + 128];
	struct span message;
	struct packet *p;
	struct msg_wr m;

	/* A cookie or another group is how the exchange goes on; they are shorter than the
	 * request. */
	if (type != N_COOKIE && type != N_INVALID_KE_PAYLOAD && !may_send_error(ike))
		return;
	hdr.major = IKE_MAJOR_VERSION;
	hdr.minor = 0;
	hdr.flags = (uint8_t)((request->flags & IKE_FLAG_INITIATOR ? 0 : IKE_FLAG_INITIATOR) |
			      IKE_FLAG_RESPONSE);
	m = msg_begin(bytes, sizeof bytes, &hdr);
	for (unsigned i = 0; i < n; i++)
		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), notifies[i].type, notifies[i].value);
	if (msg_end(&m, NULL, &message) != IKE_OK)
		return;
	p = packet_new(path, message.n);
	if (!p)
		return;
	memcpy(p->bytes, message.p, message.n);
	packet_send(&ike->out, p, path);
	packet_unref(p);
	log_debug(ike->log, "ike: answered without state: %s", ike_notify_name(type));
}

void engine_stateless_notify(struct ike *ike, const struct ike_hdr *request, const struct ip_path *path, uint16_t type,
			     struct span value)
{
	const struct pl_notify notify = { .type = type, .value = value };

	engine_stateless_answer(ike, request, path, &notify, 1);
}

/* A new initiator ------------------------------------------------------------------------------ */

/* RFC 7296 2.6: has the request brought a cookie that proves its address, or need it not? */
static bool cookie_is_fine(struct ike *ike, const struct stimulus *s)
{
	const struct msg_payload *nonce = msg_find(s->chain, PL_NONCE);
	uint8_t cookie[COOKIE_LEN];
	struct pl_notify brought;
	struct span ni;

	/* Whoever pushes out those of his source has to be there: who is not could keep out whom he likes. */
	if (!ike->config.always_cookie && ike->load.half_open < ike->config.cookie_threshold &&
	    !engine_source_is_full(ike, s->path))
		return true;
	if (!nonce || pl_nonce_read(nonce->body, &ni) != IKE_OK) {
		ike->stats.dropped_syntax++;
		return false;
	}
	cookie_refresh(&ike->cookies, ike->rng, ike->now_ms);
	if (pl_notify_find(s->chain, N_COOKIE, &brought)) {
		if (cookie_check(&ike->cookies, brought.value, ni, &s->path->remote.addr,
				 s->hdr->spi_i))
			return true;
		ike->stats.cookies_wrong++;
	}
	if (cookie_make(&ike->cookies, ni, &s->path->remote.addr, s->hdr->spi_i, cookie) ==
	    IKE_OK) {
		ike->stats.cookies_demanded++;
		engine_stateless_notify(ike, s->hdr, s->path, N_COOKIE,
					span_of(cookie, sizeof cookie));
	}
	return false;
}

/* The initiator has not heard our answer. */
static bool is_repeated_init(struct ike *ike, const struct stimulus *s)
{
	struct ike_sa *sa = engine_by_init(ike, s->hdr->spi_i, s->path, s->datagram);

	if (!sa)
		return false;
	if (sa->state == ST_INTERMEDIATE_DUE || (sa->state == ST_INIT_ANSWERED && sa->window.expected == 1)) {
		ike->stats.retransmitted++;
		packet_send(&ike->out, sa->window.reply, s->path);
	}
	return true;
}

static void new_initiator(struct ike *ike, const struct stimulus *s)
{
	struct ike_sa *sa;
	uint8_t critical;
	enum ike_err err;

	if (!ike->config.respond || memcmp(s->hdr->spi_i, no_spi, IKE_SPI_LEN) == 0 ||
	    s->hdr->message_id != 0) {
		ike->stats.dropped_state++;
		return;
	}
	if (is_repeated_init(ike, s))
		return;
	err = step_check_payloads(s->chain, &critical);
	if (err == IKE_E_UNSUPPORTED) {
		engine_stateless_notify(ike, s->hdr, s->path, N_UNSUPPORTED_CRITICAL_PAYLOAD,
					span_of(&critical, 1));
		return;
	}
	if (err != IKE_OK || !msg_find(s->chain, PL_SA) || !msg_find(s->chain, PL_KE) ||
	    !msg_find(s->chain, PL_NONCE)) {
		ike->stats.dropped_syntax++;
		engine_stateless_notify(ike, s->hdr, s->path, N_INVALID_SYNTAX, span_of(NULL, 0));
		return;
	}
	if (!cookie_is_fine(ike, s))
		return;
	if (!engine_make_room(ike, s->path))
		return;
	if (engine_add(ike, false, s->path, &sa) != IKE_OK) {
		ike->stats.dropped_limit++;
		return;
	}
	memcpy(sa->spi_i, s->hdr->spi_i, IKE_SPI_LEN);
	ike->stats.accepted++;
	engine_step(sa, s);
}

/* A known SA ----------------------------------------------------------------------------------- */

/* An unprotected notify where a protected answer is due: anybody could have sent it (RFC 7296
 * 2.21). It may tell why, if nothing better comes. */
static void note_unprotected(struct ike_sa *sa, struct stimulus *s)
{
	struct pl_notify notify;
	bool knows_nothing = pl_notify_find(s->chain, N_INVALID_IKE_SPI, &notify);

	sa->ike->stats.dropped_integrity++;
	if (s->on != ON_REPLY)
		return;
	if ((IN(sa->state) & IN_LIFE) && knows_nothing)
		hint_ike_spi(sa, s);
	else if ((IN(sa->state) & (IN(ST_INTERMEDIATE_SENT) | IN(ST_AUTH_SENT) | IN(ST_CHILD_SENT))) && !knows_nothing)
		(void)init_refused(sa, s);
}

static void repeat_answer(struct ike_sa *sa, const struct stimulus *s)
{
	struct ike *ike = sa->ike;

	if (!sealed_is_authentic(sa, s->hdr, s->datagram, s->chain, ike->plain, sizeof ike->plain)) {
		ike->stats.dropped_integrity++;
		return;
	}
	ike->stats.retransmitted++;
	packet_send(&ike->out, sa->window.reply, s->path);
}

static bool is_protected(const struct msg_chain *chain)
{
	return chain->n > 0 && (chain->payload[chain->n - 1].type == PL_SK ||
				chain->payload[chain->n - 1].type == PL_SKF);
}

static void protected_message(struct ike_sa *sa, struct stimulus *s, bool again)
{
	struct ike *ike = sa->ike;
	uint8_t spi[IKE_SPI_LEN];
	struct msg_chain inner;
	enum ike_err err;

	/* Keys exist from the moment that both SPIs are known. */
	if (sa->suite.prf == 0 || sa->keys.ei.n == 0) {
		ike->stats.dropped_state++;
		return;
	}
	if (!is_protected(s->chain)) {
		note_unprotected(sa, s);
		return;
	}
	if (again) {
		repeat_answer(sa, s);
		return;
	}
	/* A late copy of a fragment, which came while its message was being worked on, is no part of the next one. */
	if (sa->frag_ids[s->on == ON_REPLY] != s->hdr->message_id)
		frag_clear(&sa->frags[s->on == ON_REPLY]);
	sa->frag_ids[s->on == ON_REPLY] = s->hdr->message_id;
	err = sealed_open(sa, s->hdr, s->datagram, s->chain, ike->plain, sizeof ike->plain, &inner, &s->text);
	if (err == IKE_E_STATE)
		return;
	if (err == IKE_E_INTEGRITY) {
		ike->stats.dropped_integrity++;
		log_debug(ike->log, "ike %llu: %s dropped: integrity check failed",
			  (unsigned long long)sa->handle, ike_exchange_name(s->hdr->exchange));
		return;
	}
	s->chain = err == IKE_OK ? &inner : NULL;
	if (err == IKE_OK)
		beside_heard(sa, s);
	memcpy(spi, sa_spi_own(sa), sizeof spi);
	engine_step(sa, s);
	/* Did it survive that? Then its fragments are no longer needed. */
	sa = engine_by_spi(ike, spi);
	if (sa)
		frag_clear(&sa->frags[s->on == ON_REPLY]);
	secret_wipe(ike->plain, s->datagram.n);
	if (sa && err == IKE_OK)
		follow_peer(sa, &s->path->remote, s->now_ms);
}

static void message_for(struct ike_sa *sa, struct stimulus *s)
{
	struct ike *ike = sa->ike;
	bool init_reply = sa->state == ST_INIT_SENT;
	enum window_verdict verdict;

	/* Before the answer to IKE_SA_INIT the peer's SPI is not known, but where the answer
	 * must come from is. */
	if (init_reply ? !ip_endpoint_equal(&sa->path.remote, &s->path->remote)
		       : memcmp(sa_spi_peer(sa), sa->initiator ? s->hdr->spi_r : s->hdr->spi_i,
				IKE_SPI_LEN) != 0) {
		ike->stats.dropped_state++;
		return;
	}
	if (init_reply != (s->hdr->exchange == EXCH_IKE_SA_INIT)) {
		ike->stats.dropped_state++;
		return;
	}
	verdict = window_judge(&sa->window, s->on == ON_REPLY, s->hdr->message_id);
	if (verdict == WINDOW_OUTSIDE) {
		ike->stats.dropped_state++;
		return;
	}
	if (init_reply)
		engine_step(sa, s);
	else
		protected_message(sa, s, verdict == WINDOW_AGAIN);
}

void ike_input(struct ike *ike, const struct ip_path *path, struct span datagram, uint64_t now_ms)
{
	struct stimulus s = { .now_ms = engine_enter(ike, now_ms),
			      .path = path,
			      .datagram = datagram };
	struct msg_chain chain;
	struct ike_hdr hdr;
	struct ike_sa *sa;
	bool from_initiator;

	ike->stats.received++;
	if (ike_hdr_read(datagram, &hdr) != IKE_OK) {
		ike->stats.dropped_syntax++;
		return;
	}
	s.hdr = &hdr;
	s.on = hdr.flags & IKE_FLAG_RESPONSE ? ON_REPLY : ON_REQUEST;
	if (hdr.major != IKE_MAJOR_VERSION) {
		ike->stats.dropped_version++;
		/* RFC 7296 2.5, 2.21.1 */
		if (hdr.major > IKE_MAJOR_VERSION && s.on == ON_REQUEST && ike->config.respond)
			engine_stateless_notify(ike, &hdr, path, N_INVALID_MAJOR_VERSION,
						span_of(NULL, 0));
		return;
	}
	if (msg_chain_read(hdr.next_payload,
			   span_of(datagram.p + IKE_HDR_LEN, datagram.n - IKE_HDR_LEN),
			   &chain) != IKE_OK) {
		ike->stats.dropped_syntax++;
		return;
	}
	s.chain = &chain;
	from_initiator = hdr.flags & IKE_FLAG_INITIATOR;
	if (from_initiator && s.on == ON_REQUEST && hdr.exchange == EXCH_IKE_SA_INIT &&
	    memcmp(hdr.spi_r, no_spi, IKE_SPI_LEN) == 0) {
		new_initiator(ike, &s);
		return;
	}
	sa = engine_by_spi(ike, from_initiator ? hdr.spi_r : hdr.spi_i);
	if (!sa || sa->initiator == from_initiator) {
		ike->stats.dropped_state++;
		if (s.on == ON_REQUEST && is_protected(&chain))
			hint_unknown_sa(ike, &s);
		else if (s.on == ON_REQUEST && hdr.exchange == EXCH_INFORMATIONAL)
			hint_esp_spi(ike, &s);
		return;
	}
	message_for(sa, &s);
}

void ike_undelivered(struct ike *ike, struct span datagram)
{
	struct rd r = rd_over(datagram);
	struct span spi_i = rd_bytes(&r, IKE_SPI_LEN);
	struct ike_sa *sa;

	if (!rd_ok(&r))
		return;
	sa = engine_by_spi(ike, spi_i.p);
	if (sa && sa->initiator && sa->hs && sa->hs->suspicion == REASON_NONE)
		sa->hs->suspicion = REASON_UNREACHABLE;
}
