#include "ike/sealed.h"

#include "crypto/seal.h"
#include "ike/engine.h"

enum { FRAGMENT_V4 = 576, FRAGMENT_V6 = 1280 };

static struct seal_key key_out(const struct ike_sa *sa)
{
	return (struct seal_key){
		.suite = &sa->suite,
		.encr = sa->initiator ? &sa->keys.ei : &sa->keys.er,
		.integ = sa->initiator ? &sa->keys.ai : &sa->keys.ar,
	};
}

static struct seal_key key_in(const struct ike_sa *sa)
{
	return (struct seal_key){
		.suite = &sa->suite,
		.encr = sa->initiator ? &sa->keys.er : &sa->keys.ei,
		.integ = sa->initiator ? &sa->keys.ar : &sa->keys.ai,
	};
}

/* Making --------------------------------------------------------------------------------------- */

struct piece {
	struct ike_hdr hdr;
	uint8_t first;
	struct span inner;
	unsigned number, total;     /* 0, 0: the whole message in SK */
};

static enum ike_err make_piece(struct ike_sa *sa, const struct piece *piece,
			       const struct ip_path *path, struct packet **out)
{
	bool whole = piece->total == 0;
	size_t sealed = seal_len(&sa->suite, piece->inner.n);
	size_t head = (size_t)IKE_HDR_LEN + (whole ? 4 : 8);
	struct packet *p = packet_new(path, head + sealed);
	struct seal_key key = key_out(sa);
	struct span message;
	struct msg_wr m;
	enum ike_err err;

	*out = NULL;
	if (!p)
		return IKE_E_NOMEM;
	m = msg_begin(p->bytes, p->n, &piece->hdr);
	if (whole)
		pl_sk_write(&m, piece->first, sealed);
	else
		pl_skf_write(&m, piece->first, (uint16_t)piece->number, (uint16_t)piece->total,
			     sealed);
	err = msg_end(&m, NULL, &message);
	if (err == IKE_OK)
		err = seal(&key, sa->iv_next++, span_of(p->bytes, head), piece->inner,
			   p->bytes + head, sealed);
	if (err != IKE_OK) {
		packet_unref(p);
		return err;
	}
	*out = p;
	return IKE_OK;
}

static struct frag_limit limit_for(const struct ike_sa *sa, const struct ip_path *path)
{
	unsigned max = sa->ike->config.fragment_max;

	if (max == 0)
		max = path->remote.addr.family == IP_V4 ? FRAGMENT_V4 : FRAGMENT_V6;
	return (struct frag_limit){
		.family = path->remote.addr.family,
		.marker = path->remote.port == NATT_PORT ||
			  path->local.port == sa->ike->config.natt_port,
		.datagram_max = max,
	};
}

struct ike_hdr sealed_header(const struct ike_sa *sa, uint8_t exchange, uint32_t message_id, bool response)
{
	struct ike_hdr hdr = { .major = IKE_MAJOR_VERSION, .exchange = exchange, .message_id = message_id };

	hdr.flags = (uint8_t)((sa->initiator ? IKE_FLAG_INITIATOR : 0) |
			      (response ? IKE_FLAG_RESPONSE : 0));
	memcpy(hdr.spi_i, sa->spi_i, IKE_SPI_LEN);
	memcpy(hdr.spi_r, sa->spi_r, IKE_SPI_LEN);
	return hdr;
}

enum ike_err sealed_make(struct ike_sa *sa, uint8_t exchange, uint32_t message_id, bool response,
			 uint8_t first, struct span inner, const struct ip_path *path,
			 struct packet **out)
{
	struct frag_limit limit = limit_for(sa, path);
	struct piece piece = { .first = first, .inner = inner };
	struct packet **tail = out;
	size_t chunk;
	enum ike_err err;

	*out = NULL;
	piece.hdr = sealed_header(sa, exchange, message_id, response);
	if (!sa->fragments || frag_fits_whole(&limit, seal_len(&sa->suite, inner.n)))
		return make_piece(sa, &piece, path, out);

	chunk = seal_room(&sa->suite, frag_sealed_room(&limit));
	piece.total = frag_count(inner.n, chunk);
	if (piece.total == 0)
		return IKE_E_NOSPACE;
	for (piece.number = 1; piece.number <= piece.total; piece.number++) {
		piece.first = piece.number == 1 ? first : PL_NONE;
		piece.inner = frag_piece(inner, chunk, piece.number);
		err = make_piece(sa, &piece, path, tail);
		if (err != IKE_OK) {
			packet_unref(*out);
			*out = NULL;
			return err;
		}
		tail = &(*tail)->next;
	}
	return IKE_OK;
}

/* Opening -------------------------------------------------------------------------------------- */

static const struct msg_payload *protected_payload(const struct msg_chain *outer)
{
	const struct msg_payload *last = outer->n > 0 ? &outer->payload[outer->n - 1] : NULL;

	return last && (last->type == PL_SK || last->type == PL_SKF) ? last : NULL;
}

static enum ike_err decrypt(const struct seal_key *key, struct span datagram, struct span sealed,
			    uint8_t *plain, size_t max, struct span *out)
{
	struct span aad = span_of(datagram.p, (size_t)(sealed.p - datagram.p));

	return unseal(key, aad, sealed, plain, max, out);
}

/* The second byte of the generic header. */
static uint8_t reserved_of(const struct msg_payload *payload)
{
	return *(payload->body.p - 3);
}

enum ike_err sealed_open(struct ike_sa *sa, const struct ike_hdr *hdr, struct span datagram,
			 const struct msg_chain *outer, uint8_t *plain, size_t max,
			 struct msg_chain *inner, struct sealed_text *text)
{
	unsigned response = hdr->flags & IKE_FLAG_RESPONSE ? 1 : 0;
	struct frag_in *frags = &sa->frags[response];
	const struct msg_payload *last = protected_payload(outer);
	struct ike_stats *stats = &sa->ike->stats;
	struct seal_key key = key_in(sa);
	struct frag_message message;
	struct span bytes;
	struct pl_skf skf;
	enum ike_err err;

	*inner = (struct msg_chain){ .n = 0 };
	*text = (struct sealed_text){ 0 };
	if (!last)
		return IKE_E_INTEGRITY;
	if (last->type == PL_SK) {
		if (decrypt(&key, datagram, last->body, plain, max, &bytes) != IKE_OK)
			return IKE_E_INTEGRITY;
		*text = (struct sealed_text){ outer->after, reserved_of(last), bytes };
		return msg_chain_read(text->first, text->payloads, inner);
	}
	stats->fragments_received++;
	/* RFC 7383 2.3: SKF only when both have announced it. */
	if (!sa->fragments || pl_skf_read(last->body, &skf) != IKE_OK ||
	    !frag_wanted(frags, skf.number, skf.total)) {
		stats->fragments_dropped++;
		return IKE_E_STATE;
	}
	if (decrypt(&key, datagram, skf.rest, plain, max, &bytes) != IKE_OK)
		return IKE_E_INTEGRITY;
	if (skf.number == 1)
		sa->skf_reserved[response] = reserved_of(last);
	err = frag_add(frags, skf.number, skf.total, outer->after, bytes, &message);
	if (err != IKE_OK) {
		stats->fragments_dropped++;
		return IKE_E_STATE;
	}
	if (!message.complete)
		return IKE_E_STATE;
	*text = (struct sealed_text){ message.first, sa->skf_reserved[response], message.inner };
	return msg_chain_read(text->first, text->payloads, inner);
}

bool sealed_is_authentic(const struct ike_sa *sa, const struct ike_hdr *hdr, struct span datagram,
			 const struct msg_chain *outer, uint8_t *plain, size_t max)
{
	const struct msg_payload *last = protected_payload(outer);
	struct seal_key key = key_in(sa);
	struct span sealed, bytes;
	struct pl_skf skf;

	/* The keys have changed with the answer, and this was sent before (RFC 9370 2.2.2). */
	if (hdr->exchange == EXCH_IKE_INTERMEDIATE && sa->hs && sa->hs->ei_before.n > 0) {
		key.encr = &sa->hs->ei_before;
		key.integ = &sa->hs->ai_before;
	}
	if (!last)
		return false;
	sealed = last->body;
	if (last->type == PL_SKF) {
		if (!sa->fragments || pl_skf_read(last->body, &skf) != IKE_OK || skf.number != 1)
			return false;
		sealed = skf.rest;
	}
	return decrypt(&key, datagram, sealed, plain, max, &bytes) == IKE_OK;
}
