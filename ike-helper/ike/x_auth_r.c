/* IKE_AUTH (RFC 7296 1.2, 2.15, 2.17; RFC 7619; RFC 7427), responder: the peer is anybody, or a name
 * whose key DNS knows; we prove our key.
 *
 * request -> may it? -> is it who it says? -> sign -> kernel -> response: the peer hears nothing
 * before its packets can be answered.
 */
#include <stdlib.h>
#include <string.h>

#include "ike/beside.h"
#include "ike/child.h"
#include "ike/engine.h"
#include "ike/grant.h"
#include "ike/proof.h"
#include "ike/qcd.h"
#include "ike/x.h"

static void write_notify(struct msg_wr *m, uint16_t type)
{
	pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), type, span_of(NULL, 0));
}

/* Refuse the whole IKE SA, and fail with err. */
static enum ike_err refuse(struct ike_sa *sa, uint32_t id, enum ike_err err, uint16_t notify,
			   uint64_t now_ms)
{
	struct msg_wr m = engine_inner(sa->ike);

	write_notify(&m, notify);
	if (engine_reply(sa, EXCH_IKE_AUTH, id, &sa->path, &m, now_ms) != IKE_OK)
		log_debug(sa->ike->log, "ike %llu: could not answer",
			  (unsigned long long)sa->handle);
	return err;
}

/* The answer to the IKE_AUTH request that waited for a decision. */
static enum ike_err refuse_auth(struct ike_sa *sa, enum ike_err err, uint64_t now_ms)
{
	return refuse(sa, sa->hs->auth_request_id, err, N_AUTHENTICATION_FAILED, now_ms);
}

/* The request ---------------------------------------------------------------------------------- */

/* Our answer to IKE_SA_INIT has shown that the peer receives at that address, and the policies will
 * be for the address that IKE_AUTH comes from: were it another, anybody could bind to himself the
 * address of somebody whom he only pretends to be. The port may change (RFC 7296 2.23). */
QUESTION(comes_from_elsewhere)
{
	return !ip_equal(&s->path->remote.addr, &sa->path.remote.addr) ||
	       !ip_equal(&s->path->local.addr, &sa->path.local.addr);
}

/* IKE_OK: the peer sent a right AUTH of method NULL. That proves only that it is the one that
 * sent IKE_SA_INIT. */
static enum ike_err verify_anonymous(struct ike_sa *sa, const struct stimulus *s)
{
	struct secret maced_id = { 0 }, expected = { 0 };
	struct pl_auth auth;
	struct pl_id id;
	enum ike_err err;

	err = pl_id_read(msg_find(s->chain, PL_IDI)->body, &id);
	if (err == IKE_OK)
		err = pl_auth_read(msg_find(s->chain, PL_AUTH)->body, &auth);
	if (err != IKE_OK)
		return err;
	err = auth_maced_id(sa->suite.prf, &sa->keys.pi, id.rest_of_id, &maced_id);
	if (err == IKE_OK)
		err = auth_null(sa->suite.prf, &sa->keys.pi, packet_span(sa->hs->message_i),
				sa_nonce_r(sa), &maced_id, sa_int_auth(sa), &expected);
	if (err == IKE_OK && !secret_eq(secret_span(&expected), auth.value))
		err = IKE_E_AUTH;
	secret_clear(&maced_id);
	secret_clear(&expected);
	sa->peer_id_type = id.type;
	sa->auth_method = auth.method;
	return err;
}

/* false: not a domain name. */
static bool read_name(const struct pl_id *id, struct dnsname *out)
{
	char text[DNSNAME_TEXT_MAX];

	out->n = 0;
	if (id->type != ID_FQDN || id->value.n == 0 || id->value.n >= sizeof text ||
	    memchr(id->value.p, 0, id->value.n))
		return false;
	memcpy(text, id->value.p, id->value.n);
	text[id->value.n] = '\0';
	return dnsname_from_text(text, out) == IKE_OK;
}

/* The name that the peer wants to talk to; a hint for the choice of a key, no more. */
static void read_asked_name(struct handshake *hs, const struct msg_chain *chain)
{
	const struct msg_payload *payload = msg_find(chain, PL_IDR);
	struct pl_id id;

	hs->name.n = 0;
	if (payload && pl_id_read(payload->body, &id) == IKE_OK && !read_name(&id, &hs->name))
		hs->name.n = 0;
}

/* Keep who the peer says it is, and its proof. */
static enum ike_err take_claim(struct ike_sa *sa, const struct stimulus *s)
{
	struct pl_auth auth;
	struct pl_id id;
	enum ike_err err;

	err = pl_id_read(msg_find(s->chain, PL_IDI)->body, &id);
	if (err == IKE_OK)
		err = pl_auth_read(msg_find(s->chain, PL_AUTH)->body, &auth);
	if (err != IKE_OK)
		return err;
	sa->peer_id_type = id.type;
	sa->auth_method = auth.method;
	sa->claim = calloc(1, sizeof *sa->claim + auth.value.n);
	if (!sa->claim)
		return IKE_E_NOMEM;
	if (!read_name(&id, &sa->claim->name)) {
		sa_blame(sa, REASON_AUTH_FAILED, "the peer signs for an identity that is not a domain name");
		return IKE_E_AUTH;
	}
	if (auth.method == AUTH_PSK) {
		sa_blame(sa, REASON_AUTH_FAILED, "the peer authenticates by %s", ike_auth_method_name(auth.method));
		return IKE_E_AUTH;
	}
	sa->claim->method = auth.method;
	sa->claim->n = auth.value.n;
	memcpy(sa->claim->value, auth.value.p, auth.value.n);
	return auth_maced_id(sa->suite.prf, &sa->keys.pi, id.rest_of_id, &sa->claim->maced_id);
}

QUESTION(child_is_refused)
{
	struct esp_choice esp;

	return grant_judge(sa, s, &esp) != 0;
}

static enum ike_err take_request(struct ike_sa *sa, const struct stimulus *s,
				 enum ike_err (*take_identity)(struct ike_sa *sa, const struct stimulus *s))
{
	struct handshake *hs = sa->hs;
	struct pl_notify contact;
	enum ike_err err;

	hs->childless = asks_no_child(sa, s);
	hs->auth_request_id = s->hdr->message_id;
	sa->initial_contact = pl_notify_find(s->chain, N_INITIAL_CONTACT, &contact);
	/* Behind a NAT the peer comes by another port now; and ours may be the one for NAT
	 * traversal. */
	sa->path = *s->path;
	err = take_identity(sa, s);
	if (err == IKE_E_AUTH)
		sa->ike->stats.auth_failed++;
	if (err != IKE_OK)
		return refuse(sa, hs->auth_request_id, err,
			      err == IKE_E_SYNTAX ? N_INVALID_SYNTAX : N_AUTHENTICATION_FAILED,
			      s->now_ms);
	sa->encapsulated = hs->encapsulate || sa->nat.local_behind_nat || sa->nat.remote_behind_nat;
	read_asked_name(hs, s->chain);
	qcd_take(sa, s->chain);
	if (!hs->childless)
		grant_take(sa, s);
	return IKE_OK;
}

/* Anything but AUTH_NULL: then it is let in for who it says it is, or not at all. */
QUESTION(peer_says_who_it_is)
{
	struct pl_auth auth;

	(void)sa;
	return pl_auth_read(msg_find(s->chain, PL_AUTH)->body, &auth) == IKE_OK && auth.method != AUTH_NULL;
}

/* RFC 7296 2.16: it has left AUTH out. */
QUESTION(peer_wants_eap)
{
	(void)sa;
	return !msg_find(s->chain, PL_AUTH);
}

HANDLER(auth_refuse_eap)
{
	sa->path = *s->path;
	sa->ike->stats.auth_failed++;
	sa_blame(sa, REASON_AUTH_FAILED, "the peer wants to authenticate by EAP");
	return refuse(sa, s->hdr->message_id, IKE_E_AUTH, N_AUTHENTICATION_FAILED, s->now_ms);
}

/* RFC 6023 4. */
QUESTION(asks_no_child)
{
	(void)sa;
	return !msg_find(s->chain, PL_SA) && !msg_find(s->chain, PL_TSI) && !msg_find(s->chain, PL_TSR);
}

QUESTION(claims_without_child)
{
	return asks_no_child(sa, s) && peer_says_who_it_is(sa, s);
}

HANDLER(auth_claimed)
{
	enum ike_err err = take_request(sa, s, take_claim);

	if (err == IKE_OK)
		engine_ask(sa, SLOT_AUTHORIZE);
	return err;
}

HANDLER(auth_requested)
{
	enum ike_err err = take_request(sa, s, verify_anonymous);

	if (err == IKE_OK)
		engine_ask(sa, SLOT_AUTHORIZE);
	return err;
}

static void blame_child(struct ike_sa *sa)
{
	sa_blame(sa,
		 sa->hs->child_refused == N_TS_UNACCEPTABLE ? REASON_TS_UNACCEPTABLE
							    : REASON_NO_PROPOSAL,
		 "CHILD SA refused: %s", ike_notify_name(sa->hs->child_refused));
}

HANDLER(auth_requested_without_child)
{
	enum ike_err err = take_request(sa, s, verify_anonymous);

	if (err != IKE_OK)
		return err;
	blame_child(sa);
	return proof_ask(sa);
}

/* The decisions -------------------------------------------------------------------------------- */

/* The claim against the keys that DNS has for it. */
static enum ike_err verify_claim(struct ike_sa *sa, struct keyset *keys)
{
	struct claim *claim = sa->claim;
	const struct pl_auth auth = { .method = claim->method, .value = span_of(claim->value, claim->n) };
	enum ike_err err;

	if (!keys)
		return IKE_E_AUTH;
	err = proof_check(sa, keys, &auth, &claim->maced_id);
	if (err == IKE_OK)
		claim->keys = keyset_ref(keys);
	return err;
}

HANDLER(auth_authorized)
{
	enum ike_err err = IKE_OK;

	/* RFC 7296 1.2: told as what it is, with our identity proved. Without a CHILD SA there is nothing yet that could be so. */
	if (s->reason == REASON_TS_UNACCEPTABLE) {
		sa->hs->child_refused = sa->hs->childless ? 0 : N_TS_UNACCEPTABLE;
	} else if (s->reason != REASON_NONE) {
		sa_blame(sa, s->reason, "%s", s->detail);
		return refuse_auth(sa, IKE_E_REFUSED, s->now_ms);
	}
	if (sa->claim)
		err = verify_claim(sa, s->keys);
	if (err == IKE_OK) {
		sa->reqid = s->reqid;
		sa->owes_end = !sa->hs->childless;
		if (sa->hs->child_refused)
			blame_child(sa);
		err = proof_ask(sa);
	}
	return err == IKE_OK ? IKE_OK : refuse_auth(sa, err, s->now_ms);
}

QUESTION(child_was_refused)
{
	(void)s;
	return sa->hs->child_refused != 0;
}

/* The response: IDr, AUTH, and the CHILD SA or why there is none. */
static enum ike_err respond(struct ike_sa *sa, uint16_t refusal, uint64_t now_ms)
{
	struct handshake *hs = sa->hs;
	struct msg_wr m = engine_inner(sa->ike);
	struct own_id id;

	proof_own_id(sa, &id);
	pl_id_write(&m, PL_IDR, id.type, id.value);
	pl_auth_write(&m, hs->auth_method, span_of(hs->auth_value, hs->auth_value_len));
	if (refusal) {
		write_notify(&m, refusal);
	} else {
		if (!hs->childless) {
			grant_write_sa(sa, &m);
			grant_write_ts(sa, &m);
		}
		qcd_write(sa, &m);
	}
	return engine_reply(sa, EXCH_IKE_AUTH, hs->auth_request_id, &sa->path, &m, now_ms);
}

static enum ike_err take_signature(struct ike_sa *sa, const struct stimulus *s)
{
	enum ike_err err = proof_take(sa, s);

	return err == IKE_OK ? IKE_OK : refuse_auth(sa, err, s->now_ms);
}

HANDLER(auth_signed)
{
	enum ike_err err = take_signature(sa, s);

	if (err != IKE_OK)
		return err;
	beside_begin(sa, s->now_ms);
	err = child_begin(sa);
	if (err == IKE_OK)
		err = child_install(sa);
	return err == IKE_OK ? IKE_OK : refuse_auth(sa, err, s->now_ms);
}

QUESTION(is_childless)
{
	(void)s;
	return sa->hs->childless;
}

/* It has the time that is left of a half-open one to ask for its CHILD SA. */
HANDLER(auth_signed_childless)
{
	enum ike_err err = take_signature(sa, s);

	return err == IKE_OK ? respond(sa, 0, s->now_ms) : err;
}

/* RFC 7296 1.2: the peer hears that we are who it looks for, and that there is no CHILD SA. It
 * will delete the rest. */
HANDLER(auth_signed_without_child)
{
	enum ike_err err = take_signature(sa, s);

	return err == IKE_OK ? respond(sa, sa->hs->child_refused, s->now_ms) : err;
}

HANDLER(responder_installed)
{
	enum ike_err err;

	if (s->result != IKE_OK) {
		sa_blame(sa, REASON_KERNEL, "%s", ike_err_text(s->result));
		err = respond(sa, N_NO_PROPOSAL_CHOSEN, s->now_ms);
		return err == IKE_OK ? IKE_E_KERNEL : err;
	}
	/* Should the answer fail, then it was up for a moment: the policies are in the kernel,
	 * and the layer above must know. */
	child_is_up(sa);
	if (beside_waits(sa))
		beside_installed(sa);
	return respond(sa, 0, s->now_ms);
}
