/* IKE_INTERMEDIATE (RFC 9242) with ML-KEM-768 as additional key exchange (RFC 9370), both roles.
 * One such exchange, between IKE_SA_INIT and IKE_AUTH, when both want it; what it agrees on goes
 * into all keys from IKE_AUTH on.
 */
#include <string.h>

#include "ike/engine.h"
#include "ike/proof.h"
#include "ike/x.h"

/* IntAuth_i1 or IntAuth_r1 (RFC 9242 3.3.2): the headers of the message as if it were in one
 * piece, with lengths that count neither IV nor padding nor checksum, and its payloads. Payloads
 * outside of SK, which nobody has a reason to send, are left out: with them AUTH fails. */
enum ike_err intermediate_auth(uint16_t prf, const struct secret *sk_p, const struct ike_hdr *hdr,
			       const struct sealed_text *text, struct secret *out)
{
	uint8_t head[IKE_HDR_LEN + 4];
	struct wr w = wr_over(head, sizeof head);
	struct span parts[2];

	wr_bytes(&w, hdr->spi_i, IKE_SPI_LEN);
	wr_bytes(&w, hdr->spi_r, IKE_SPI_LEN);
	wr_u8(&w, PL_SK);
	wr_u8(&w, (uint8_t)(hdr->major << 4 | hdr->minor));
	wr_u8(&w, hdr->exchange);
	wr_u8(&w, hdr->flags);
	wr_u32(&w, hdr->message_id);
	wr_u32(&w, (uint32_t)(sizeof head + text->payloads.n));
	wr_u8(&w, text->first);
	wr_u8(&w, text->reserved);
	wr_u16(&w, (uint16_t)(4 + text->payloads.n));
	parts[0] = wr_span(&w);
	parts[1] = text->payloads;
	return prf_sum(prf, secret_span(sk_p), parts, 2, out);
}

/* The same of our own message, which was just made of inner. */
static enum ike_err int_auth_own(struct ike_sa *sa, const struct secret *sk_p, uint32_t id,
				 const struct msg_wr *inner, struct secret *out)
{
	struct sealed_text text = { .first = inner->first, .payloads = wr_span(&inner->w) };
	struct ike_hdr hdr = sealed_header(sa, EXCH_IKE_INTERMEDIATE, id, !sa->initiator);

	return intermediate_auth(sa->suite.prf, sk_p, &hdr, &text, out);
}

/* The exchange is over, and IKE_AUTH comes with the next message ID. */
static void complete(struct ike_sa *sa, const struct ike_keys *keys, uint32_t auth_id)
{
	struct handshake *hs = sa->hs;
	struct wr w = wr_over(hs->int_auth, sizeof hs->int_auth);

	wr_put(&w, secret_span(&hs->int_auth_i));
	wr_put(&w, secret_span(&hs->int_auth_r));
	wr_u32(&w, auth_id);
	hs->int_auth_len = (uint8_t)w.n;
	sa->keys = *keys;
}

/* RFC 9370 2.2.2: all keys anew. */
static enum ike_err more_keys(const struct ike_sa *sa, const struct secret *shared,
			      struct ike_keys *out)
{
	return ike_keys_derive_more(&sa->suite, &sa->keys.d, shared, sa_nonce_i(sa),
				    sa_nonce_r(sa), span_of(sa->spi_i, IKE_SPI_LEN),
				    span_of(sa->spi_r, IKE_SPI_LEN), out);
}

/* The value of the peer's KE payload, which must be of the method agreed on. */
static enum ike_err read_ke(const struct ike_sa *sa, const struct stimulus *s, struct span *value)
{
	struct pl_ke ke;
	enum ike_err err = pl_ke_read(msg_find(s->chain, PL_KE)->body, &ke);

	*value = ke.public_value;
	return err == IKE_OK && ke.group != sa->suite.addke1 ? IKE_E_SYNTAX : err;
}

/* Initiator ------------------------------------------------------------------------------------ */

enum ike_err intermediate_send(struct ike_sa *sa, uint64_t now_ms)
{
	struct handshake *hs = sa->hs;
	struct msg_wr m = engine_inner(sa->ike);
	uint8_t public_value[KEM_PUBLIC_LEN];
	enum ike_err err;

	err = sa->ike->config.kem->key_new(sa->ike->rng, public_value, &hs->kem_key);
	if (err != IKE_OK)
		return err;
	pl_ke_write(&m, sa->suite.addke1, span_of(public_value, sizeof public_value));
	err = engine_request(sa, EXCH_IKE_INTERMEDIATE, &m, now_ms);
	if (err == IKE_OK)
		err = int_auth_own(sa, &sa->keys.pi, sa->window.next_request, &m, &hs->int_auth_i);
	return err;
}

static enum ike_err take_ciphertext(struct ike_sa *sa, const struct stimulus *s)
{
	struct handshake *hs = sa->hs;
	struct secret shared = { 0 };
	struct ike_keys keys = { 0 };
	struct span value;
	enum ike_err err;

	err = read_ke(sa, s, &value);
	if (err == IKE_OK)
		err = sa->ike->config.kem->decapsulate(hs->kem_key, value, &shared);
	if (err == IKE_OK)
		err = more_keys(sa, &shared, &keys);
	if (err == IKE_OK)
		err = intermediate_auth(sa->suite.prf, &sa->keys.pr, s->hdr, &s->text, &hs->int_auth_r);
	if (err == IKE_OK) {
		window_request_over(&sa->window, true);
		complete(sa, &keys, sa->window.next_request);
	} else if (err == IKE_E_SYNTAX) {
		/* The peer has other keys by now, it would not understand us. */
		sa_blame(sa, REASON_PROTOCOL, "malformed key exchange in IKE_INTERMEDIATE");
	}
	secret_clear(&shared);
	ike_keys_clear(&keys);
	return err;
}

HANDLER(intermediate_answered)
{
	enum ike_err err = take_ciphertext(sa, s);

	return err == IKE_OK ? auth_send(sa, s->now_ms) : err;
}

HANDLER(intermediate_answered_to_sign)
{
	enum ike_err err = take_ciphertext(sa, s);

	return err == IKE_OK ? proof_ask(sa) : err;
}

HANDLER(intermediate_refused)
{
	uint16_t error = auth_error_in(s);

	if (error)
		sa_blame(sa, REASON_PEER_REFUSED, "peer said %s to IKE_INTERMEDIATE",
			 ike_notify_name(error));
	else
		sa_blame(sa, REASON_PROTOCOL, "IKE_INTERMEDIATE response without KE");
	return IKE_E_REFUSED;
}

/* Responder ------------------------------------------------------------------------------------ */

/* The answer goes out under the old keys; they are kept for a copy of the request. */
static enum ike_err answer(struct ike_sa *sa, const struct stimulus *s, struct span ciphertext,
			   const struct ike_keys *keys)
{
	struct handshake *hs = sa->hs;
	struct msg_wr m = engine_inner(sa->ike);
	enum ike_err err;

	err = intermediate_auth(sa->suite.prf, &sa->keys.pi, s->hdr, &s->text, &hs->int_auth_i);
	if (err != IKE_OK)
		return err;
	pl_ke_write(&m, sa->suite.addke1, ciphertext);
	err = engine_reply(sa, EXCH_IKE_INTERMEDIATE, s->hdr->message_id, s->path, &m, s->now_ms);
	if (err == IKE_OK)
		err = int_auth_own(sa, &sa->keys.pr, s->hdr->message_id, &m, &hs->int_auth_r);
	if (err != IKE_OK)
		return err;
	secret_move(&hs->ei_before, &sa->keys.ei);
	secret_move(&hs->ai_before, &sa->keys.ai);
	complete(sa, keys, sa->window.expected);
	return IKE_OK;
}

HANDLER(intermediate_requested)
{
	uint8_t ciphertext[KEM_CIPHERTEXT_LEN];
	struct secret shared = { 0 };
	struct ike_keys keys = { 0 };
	struct span value;
	enum ike_err err;

	/* Behind a NAT the peer comes by another port now. */
	sa->path = *s->path;
	err = read_ke(sa, s, &value);
	if (err == IKE_OK)
		err = sa->ike->config.kem->encapsulate(sa->ike->rng, value, ciphertext, &shared);
	if (err == IKE_OK)
		err = more_keys(sa, &shared, &keys);
	if (err == IKE_OK)
		err = answer(sa, s, span_of(ciphertext, sizeof ciphertext), &keys);
	else if (err == IKE_E_SYNTAX &&
		 engine_reply_notify(sa, s, N_INVALID_SYNTAX, span_of(NULL, 0)) != IKE_OK)
		log_debug(sa->ike->log, "ike %llu: could not answer", (unsigned long long)sa->handle);
	secret_clear(&shared);
	ike_keys_clear(&keys);
	return err;
}
