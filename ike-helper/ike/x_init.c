/* IKE_SA_INIT (RFC 7296 1.2, 2.6, 2.14, 2.21.1), both roles. */
#include <stdlib.h>
#include <string.h>

#include "ike/engine.h"
#include "ike/proof.h"
#include "ike/x.h"

enum { INIT_MESSAGE_MAX = 2048 };

/* Announced in SIGNATURE_HASH_ALGORITHMS (RFC 7427 4, RFC 8420 2): no SHA-1. */
static const uint16_t our_hashes[] = { HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512, HASH_IDENTITY };

static void write_notify(struct msg_wr *m, uint16_t type, struct span value)
{
	pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), type, value);
}

/* What both requests and answers carry behind the nonce. */
static enum ike_err write_notifies(const struct ike_sa *sa, struct msg_wr *m)
{
	struct ip_path path = sa->path;
	uint8_t hashes[sizeof our_hashes];
	struct wr w = wr_over(hashes, sizeof hashes);
	size_t i;

	write_notify(m, N_IKEV2_FRAGMENTATION_SUPPORTED, span_of(NULL, 0));
	for (i = 0; i < sizeof our_hashes / sizeof *our_hashes; i++)
		wr_u16(&w, our_hashes[i]);
	write_notify(m, N_SIGNATURE_HASH_ALGORITHMS, wr_span(&w));
	if (!sa->initiator)
		write_notify(m, N_CHILDLESS_IKEV2_SUPPORTED, span_of(NULL, 0));
	/* RFC 9370 2.2.1: with the offer, and with the answer that takes it. */
	if (sa->initiator ? sa->ike->config.kem != NULL : sa->suite.addke1 != 0)
		write_notify(m, N_INTERMEDIATE_EXCHANGE_SUPPORTED, span_of(NULL, 0));
	/* RFC 7296 2.23: a peer that cannot confirm our source encapsulates. No datagram has port 0. */
	if (sa->hs->encapsulate)
		path.local.port = 0;
	return natd_write(m, sa->spi_i, sa->spi_r, &path);
}

static struct packet *packet_of(const struct ip_path *path, struct span bytes)
{
	struct packet *p = packet_new(path, bytes.n);

	if (p && bytes.n > 0)
		memcpy(p->bytes, bytes.p, bytes.n);
	return p;
}

static struct ike_hdr init_header(const struct ike_sa *sa)
{
	struct ike_hdr hdr = { .major = IKE_MAJOR_VERSION, .exchange = EXCH_IKE_SA_INIT };

	hdr.flags = sa->initiator ? IKE_FLAG_INITIATOR : IKE_FLAG_RESPONSE;
	memcpy(hdr.spi_i, sa->spi_i, IKE_SPI_LEN);
	memcpy(hdr.spi_r, sa->spi_r, IKE_SPI_LEN);
	return hdr;
}

/* What the peer's message tells about its abilities. */
static enum ike_err read_notifies(struct ike_sa *sa, const struct stimulus *s)
{
	struct pl_notify notify;
	struct rd r;

	sa->fragments = pl_notify_find(s->chain, N_IKEV2_FRAGMENTATION_SUPPORTED, &notify);
	sa->hs->host_is_childless = pl_notify_find(s->chain, N_CHILDLESS_IKEV2_SUPPORTED, &notify);
	sa->hs->peer_hashes = 0;
	if (pl_notify_find(s->chain, N_SIGNATURE_HASH_ALGORITHMS, &notify)) {
		r = rd_over(notify.value);
		while (rd_left(&r) >= 2) {
			unsigned hash = rd_u16(&r);

			if (hash < 32)
				sa->hs->peer_hashes |= UINT32_C(1) << hash;
		}
	}
	return natd_check(s->chain, s->hdr, s->path, &sa->nat);
}

static enum ike_err agree_on_keys(struct ike_sa *sa, const struct ike_suite *suite,
				  struct span peer_public, const uint8_t spi_r[IKE_SPI_LEN],
				  struct ike_keys *keys)
{
	struct dh_shared shared;
	enum ike_err err = dh_agree(sa->hs->dh, peer_public, &shared);

	if (err == IKE_OK)
		err = ike_keys_derive(suite, &shared, sa_nonce_i(sa), sa_nonce_r(sa),
				      span_of(sa->spi_i, IKE_SPI_LEN), span_of(spi_r, IKE_SPI_LEN),
				      keys);
	dh_shared_clear(&shared);
	return err;
}

/* Initiator ------------------------------------------------------------------------------------ */

static void make_offer(const struct ike_sa *sa, uint16_t group, struct offer *out)
{
	offer_ike(out, group, span_of(NULL, 0));
	if (sa->ike->config.kem)
		offer_hybrid(out);
}

static enum ike_err send_request(struct ike_sa *sa, uint64_t now_ms)
{
	struct handshake *hs = sa->hs;
	struct ike_hdr hdr = init_header(sa);
	uint8_t bytes[INIT_MESSAGE_MAX];
	struct msg_wr m = msg_begin(bytes, sizeof bytes, &hdr);
	struct span message;
	struct offer offer;
	struct packet *p;
	enum ike_err err;

	if (hs->cookie_len > 0 && !hs->cookie_held)
		write_notify(&m, N_COOKIE, span_of(hs->cookie, hs->cookie_len));
	make_offer(sa, hs->group, &offer);
	offer_write(&m, &offer);
	pl_ke_write(&m, hs->group, dh_public(hs->dh));
	pl_nonce_write(&m, span_of(hs->nonce, NONCE_LEN));
	err = write_notifies(sa, &m);
	if (err == IKE_OK)
		err = msg_end(&m, NULL, &message);
	if (err != IKE_OK)
		return err;
	p = packet_of(&sa->path, message);
	if (!p)
		return IKE_E_NOMEM;
	packet_unref(hs->message_i);
	hs->message_i = p;
	p->refs++;
	window_request_over(&sa->window, false);
	window_request_out(&sa->window, p, now_ms);
	packet_send(&sa->ike->out, p, &sa->path);
	return IKE_OK;
}

static enum ike_err new_dh(struct ike_sa *sa, uint16_t group)
{
	struct dh *dh;
	enum ike_err err = dh_new(group, sa->ike->rng, &dh);

	if (err != IKE_OK)
		return err;
	dh_free(sa->hs->dh);
	sa->hs->dh = dh;
	sa->hs->group = group;
	return IKE_OK;
}

/* Openings: one for each group that the host seemed to want ------------------------------------- */

static void keep_opening(struct handshake *hs)
{
	hs->earlier[hs->n_earlier++] = (struct opening){ hs->group, hs->dh, hs->message_i };
	hs->dh = NULL;
	hs->message_i = NULL;
}

/* Make the one of this group the present one, and keep that instead; false: there is none. */
static bool recall_opening(struct handshake *hs, uint16_t group)
{
	for (unsigned i = 0; i < hs->n_earlier; i++) {
		struct opening other = hs->earlier[i];

		if (other.group != group)
			continue;
		hs->earlier[i] = (struct opening){ hs->group, hs->dh, hs->message_i };
		hs->group = other.group;
		hs->dh = other.dh;
		hs->message_i = other.message;
		return true;
	}
	return false;
}

HANDLER(init_start)
{
	/* A second start, without the name, keeps the group that the host wanted. */
	enum ike_err err = new_dh(sa, sa->hs->group ? sa->hs->group : GROUP_X25519);

	if (err != IKE_OK)
		return err;
	sa_forget_openings(sa->hs);
	rng_fill(sa->ike->rng, sa->hs->nonce, NONCE_LEN);
	return send_request(sa, s->now_ms);
}

/* One that we have sent already is a late copy of the demand: the request with it is out. */
QUESTION(cookie_is_usable)
{
	struct pl_notify cookie;

	return sa->hs->rounds < INIT_ROUNDS_MAX && pl_notify_find(s->chain, N_COOKIE, &cookie) &&
	       cookie.value.n > 0 && cookie.value.n <= COOKIE_MAX &&
	       !span_equal(cookie.value, span_of(sa->hs->cookie, sa->hs->cookie_len));
}

HANDLER(init_with_cookie)
{
	struct handshake *hs = sa->hs;
	struct pl_notify cookie;

	if (!pl_notify_find(s->chain, N_COOKIE, &cookie))
		return IKE_E_STATE;
	/* The first is obeyed at once. Should another one come instead of the answer, then one of the two is forged. */
	hs->cookie_held = hs->cookie_len > 0 || hs->cookie_from_ms > 0;
	memcpy(hs->cookie, cookie.value.p, cookie.value.n);
	hs->cookie_len = (uint8_t)cookie.value.n;
	if (hs->cookie_held)
		return IKE_OK;
	hs->rounds++;
	return send_request(sa, s->now_ms);
}

QUESTION(cookie_is_due)
{
	return sa->hs->cookie_held && s->now_ms >= sa->hs->cookie_from_ms;
}

HANDLER(init_with_held_cookie)
{
	sa->hs->cookie_held = false;
	sa->hs->rounds++;
	return send_request(sa, s->now_ms);
}

static uint16_t group_wanted(const struct stimulus *s)
{
	struct pl_notify notify;
	struct rd r;
	uint16_t group;

	if (!pl_notify_find(s->chain, N_INVALID_KE_PAYLOAD, &notify))
		return 0;
	r = rd_over(notify.value);
	group = rd_u16(&r);
	return rd_done(&r) ? group : 0;
}

/* Only a group that we offered, or anybody could have us use one that we think weak (RFC 7296
 * 1.2). */
QUESTION(group_is_ours)
{
	uint16_t group = group_wanted(s);
	struct offer offer;

	make_offer(sa, sa->hs->group, &offer);
	return sa->hs->rounds < INIT_ROUNDS_MAX && group != sa->hs->group &&
	       offer_has_group(&offer, group);
}

HANDLER(init_with_group)
{
	struct handshake *hs = sa->hs;
	uint16_t group = group_wanted(s);
	enum ike_err err;

	if (!recall_opening(hs, group)) {
		keep_opening(hs);
		err = new_dh(sa, group);
		if (err != IKE_OK)
			return err;
	}
	hs->rounds++;
	return send_request(sa, s->now_ms);
}

static enum rp_reason reason_of_notify(uint16_t type)
{
	switch (type) {
	case N_NO_PROPOSAL_CHOSEN: case N_INVALID_KE_PAYLOAD:
		return REASON_NO_PROPOSAL;
	case N_INVALID_SYNTAX: case N_INVALID_MAJOR_VERSION: case N_UNSUPPORTED_CRITICAL_PAYLOAD:
		return REASON_PROTOCOL;
	default:
		return REASON_PEER_REFUSED;
	}
}

/* RFC 7296 2.21.1: such an error must not end the attempt, since anybody could have sent it. It
 * tells why, if nothing better comes. */
HANDLER(init_refused)
{
	struct pl_notify notify;
	unsigned i;

	for (i = 0; i < s->chain->n; i++) {
		if (s->chain->payload[i].type != PL_NOTIFY ||
		    pl_notify_read(s->chain->payload[i].body, &notify) != IKE_OK ||
		    notify.type >= NOTIFY_FIRST_STATUS)
			continue;
		sa->hs->suspicion = reason_of_notify(notify.type);
		sa->hs->suspicion_notify = notify.type;
		log_debug(sa->ike->log, "ike %llu: peer said %s (%u, unauthenticated)",
			  (unsigned long long)sa->handle, ike_notify_name(notify.type),
			  notify.type);
		break;
	}
	return IKE_E_STATE;
}

static bool knows_intermediate(const struct stimulus *s)
{
	struct pl_notify notify;

	return pl_notify_find(s->chain, N_INTERMEDIATE_EXCHANGE_SUPPORTED, &notify);
}

/* Which opening this answers; 0: none. */
static uint16_t group_answered(const struct stimulus *s)
{
	struct pl_ke ke;

	return pl_ke_read(msg_find(s->chain, PL_KE)->body, &ke) == IKE_OK ? ke.group : 0;
}

/* What the peer has chosen of our offer. RFC 9370 2.2.1: with an additional key exchange it must
 * say that it knows how. */
static enum ike_err read_choice(const struct ike_sa *sa, const struct stimulus *s,
				struct ike_choice *out)
{
	struct offer offer;
	enum ike_err err;

	make_offer(sa, group_answered(s), &offer);
	err = offer_check_ike(&offer, msg_find(s->chain, PL_SA)->body, false, out);
	return err == IKE_OK && out->suite.addke1 && !knows_intermediate(s) ? IKE_E_SYNTAX : err;
}

QUESTION(answer_is_hybrid)
{
	struct ike_choice choice;

	return read_choice(sa, s, &choice) == IKE_OK && choice.suite.addke1;
}

/* Does the answer fit what we asked, and what keys come of it? Changes nothing but the nonce
 * view, which a later answer replaces. */
static enum ike_err judge_answer(struct ike_sa *sa, const struct stimulus *s,
				 struct ike_suite *suite, struct ike_keys *keys)
{
	static const uint8_t none[IKE_SPI_LEN];
	struct handshake *hs = sa->hs;
	struct ike_choice choice;
	struct pl_ke ke;
	enum ike_err err;

	if (memcmp(s->hdr->spi_r, none, IKE_SPI_LEN) == 0)
		return IKE_E_SYNTAX;
	err = read_choice(sa, s, &choice);
	if (err == IKE_OK)
		err = pl_ke_read(msg_find(s->chain, PL_KE)->body, &ke);
	if (err == IKE_OK)
		err = pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, &hs->nonce_peer);
	if (err != IKE_OK)
		return err;
	if (ke.group != hs->group || choice.suite.group != hs->group)
		return IKE_E_NO_PROPOSAL;
	*suite = choice.suite;
	return agree_on_keys(sa, suite, ke.public_value, s->hdr->spi_r, keys);
}

QUESTION(we_say_who_we_are)
{
	(void)s;
	return sa->hs->identify;
}

static enum ike_err take_answer(struct ike_sa *sa, const struct stimulus *s)
{
	struct handshake *hs = sa->hs;
	uint16_t group = hs->group;
	struct ike_suite suite;
	struct ike_keys keys;
	struct packet *answer;
	enum ike_err err;

	(void)recall_opening(hs, group_answered(s));
	err = judge_answer(sa, s, &suite, &keys);
	if (err != IKE_OK) {
		(void)recall_opening(hs, group);
		/* Not authenticated: perhaps not from the host at all. A better answer may still
		 * come. */
		hs->suspicion = err == IKE_E_NO_PROPOSAL ? REASON_NO_PROPOSAL : REASON_PROTOCOL;
		hs->suspicion_notify = 0;
		log_debug(sa->ike->log, "ike %llu: IKE_SA_INIT response: %s",
			  (unsigned long long)sa->handle, ike_err_text(err));
		return IKE_E_STATE;
	}
	answer = packet_of(s->path, s->datagram);
	if (answer)
		hs->nonce_peer.p = answer->bytes + (hs->nonce_peer.p - s->datagram.p);
	hs->message_r = answer;
	memcpy(sa->spi_r, s->hdr->spi_r, IKE_SPI_LEN);
	sa->suite = suite;
	sa->keys = keys;
	ike_keys_clear(&keys);
	err = answer ? read_notifies(sa, s) : IKE_E_NOMEM;
	if (err != IKE_OK)
		return err;
	dh_free(hs->dh);
	hs->dh = NULL;
	sa_forget_openings(hs);
	hs->suspicion = REASON_NONE;
	window_request_over(&sa->window, true);
	/* A peer that knows nothing of NATs would send ESP as such. */
	hs->encapsulate = hs->encapsulate && sa->nat.supported;
	if (hs->encapsulate || sa->nat.local_behind_nat || sa->nat.remote_behind_nat) {
		/* RFC 7296 2.23: from here on by the port that NATs leave alone, with ESP in
		 * UDP. */
		sa->encapsulated = true;
		sa->path.local.port = sa->ike->config.natt_port;
		sa->path.remote.port = NATT_PORT;
	}
	return IKE_OK;
}

HANDLER(init_answered)
{
	enum ike_err err = take_answer(sa, s);

	return err == IKE_OK ? auth_send(sa, s->now_ms) : err;
}

HANDLER(init_answered_hybrid)
{
	enum ike_err err = take_answer(sa, s);

	return err == IKE_OK ? intermediate_send(sa, s->now_ms) : err;
}

HANDLER(init_answered_to_sign)
{
	enum ike_err err = take_answer(sa, s);

	return err == IKE_OK ? proof_ask(sa) : err;
}

/* Responder ------------------------------------------------------------------------------------ */

static enum ike_err send_answer(struct ike_sa *sa, const struct stimulus *s,
				const struct ike_choice *choice)
{
	struct handshake *hs = sa->hs;
	struct ike_hdr hdr = init_header(sa);
	uint8_t bytes[INIT_MESSAGE_MAX];
	struct msg_wr m = msg_begin(bytes, sizeof bytes, &hdr);
	struct span message;
	enum ike_err err;

	pl_sa_write(&m, &choice->answer, 1);
	pl_ke_write(&m, choice->suite.group, dh_public(hs->dh));
	pl_nonce_write(&m, span_of(hs->nonce, NONCE_LEN));
	err = write_notifies(sa, &m);
	if (err == IKE_OK)
		err = msg_end(&m, NULL, &message);
	if (err != IKE_OK)
		return err;
	hs->message_r = packet_of(s->path, message);
	if (!hs->message_r)
		return IKE_E_NOMEM;
	hs->message_r->refs++;
	window_reply_out(&sa->window, hs->message_r, s->now_ms);
	packet_send(&sa->ike->out, hs->message_r, s->path);
	return IKE_OK;
}

static enum ike_err choose(const struct ike_sa *sa, const struct stimulus *s, uint16_t ke_group,
			   struct ike_choice *out)
{
	struct span offered = msg_find(s->chain, PL_SA)->body;

	return sa->ike->config.kem && knows_intermediate(s)
		       ? choose_ike_hybrid(offered, ke_group, false, out)
		       : choose_ike(offered, ke_group, false, out);
}

QUESTION(request_is_hybrid)
{
	struct ike_choice choice;
	struct pl_ke ke;

	return pl_ke_read(msg_find(s->chain, PL_KE)->body, &ke) == IKE_OK &&
	       choose(sa, s, ke.group, &choice) == IKE_OK && choice.suite.addke1;
}

/* What the request asks for, judged before anything expensive is done. Refusals are answered
 * without an SA (RFC 7296 2.21.1). */
static enum ike_err judge_request(struct ike_sa *sa, const struct stimulus *s,
				  struct ike_choice *choice, struct pl_ke *ke)
{
	struct ike *ike = sa->ike;
	uint8_t group[2];
	struct wr w = wr_over(group, sizeof group);
	enum ike_err err;

	err = pl_ke_read(msg_find(s->chain, PL_KE)->body, ke);
	if (err == IKE_OK)
		err = pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, &sa->hs->nonce_peer);
	if (err == IKE_OK)
		err = choose(sa, s, ke->group, choice);
	if (err == IKE_E_NO_PROPOSAL)
		engine_stateless_notify(ike, s->hdr, s->path, N_NO_PROPOSAL_CHOSEN,
					span_of(NULL, 0));
	else if (err != IKE_OK)
		engine_stateless_notify(ike, s->hdr, s->path, N_INVALID_SYNTAX, span_of(NULL, 0));
	if (err != IKE_OK)
		return err;
	if (choice->suite.group != ke->group) {
		wr_u16(&w, choice->suite.group);
		engine_stateless_notify(ike, s->hdr, s->path, N_INVALID_KE_PAYLOAD, wr_span(&w));
		return IKE_E_NO_PROPOSAL;
	}
	return IKE_OK;
}

HANDLER(init_requested)
{
	struct handshake *hs = sa->hs;
	struct ike_choice choice;
	struct packet *request;
	struct pl_ke ke;
	enum ike_err err;

	err = judge_request(sa, s, &choice, &ke);
	if (err != IKE_OK)
		return err;
	request = packet_of(s->path, s->datagram);
	if (!request)
		return IKE_E_NOMEM;
	hs->message_i = request;
	engine_remember_init(sa);
	hs->nonce_peer.p = request->bytes + (hs->nonce_peer.p - s->datagram.p);
	memcpy(sa->spi_i, s->hdr->spi_i, IKE_SPI_LEN);
	rng_fill(sa->ike->rng, hs->nonce, NONCE_LEN);
	sa->suite = choice.suite;
	err = new_dh(sa, choice.suite.group);
	if (err == IKE_OK)
		err = agree_on_keys(sa, &sa->suite, ke.public_value, sa->spi_r, &sa->keys);
	if (err == IKE_E_SYNTAX)
		engine_stateless_notify(sa->ike, s->hdr, s->path, N_INVALID_SYNTAX,
					span_of(NULL, 0));
	if (err == IKE_OK)
		err = read_notifies(sa, s);
	hs->encapsulate = sa->ike->config.always_encapsulate && sa->nat.supported;
	if (err == IKE_OK)
		err = send_answer(sa, s, &choice);
	dh_free(hs->dh);
	hs->dh = NULL;
	if (err == IKE_OK)
		sa->expire_ms = s->now_ms + HALF_OPEN_MS;
	return err;
}
