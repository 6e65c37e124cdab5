#include "ike/frag.h"

#include <stdlib.h>
#include <string.h>

#include "wire/msg.h"

struct frag_piece_in {
	bool here;
	uint8_t *p;                     /* NULL when n is 0 */
	size_t n;
};

struct frag_store {
	unsigned total, have;
	size_t bytes;                   /* of all pieces here */
	uint8_t first;
	uint8_t *whole;                 /* all pieces joined; NULL until they are all here */
	struct frag_piece_in piece[FRAG_MAX];
};

bool frag_wanted(const struct frag_in *f, uint16_t number, uint16_t total)
{
	if (number < 1 || number > total || total > FRAG_MAX)
		return false;
	if (!f->store || total > f->store->total)
		return true;
	return total == f->store->total && !f->store->piece[number - 1].here;
}

void frag_clear(struct frag_in *f)
{
	if (!f->store)
		return;
	for (unsigned i = 0; i < f->store->total; i++)
		free(f->store->piece[i].p);
	free(f->store->whole);
	free(f->store);
	f->store = NULL;
}

static enum ike_err store_begin(struct frag_in *f, uint16_t total)
{
	if (f->store && total > f->store->total)
		frag_clear(f);
	if (!f->store) {
		f->store = calloc(1, sizeof *f->store);
		if (!f->store)
			return IKE_E_NOMEM;
		f->store->total = total;
	}
	return IKE_OK;
}

static enum ike_err store_piece(struct frag_store *s, unsigned at, struct span plain)
{
	struct frag_piece_in *piece = &s->piece[at];

	if (plain.n > FRAG_BYTES_MAX - s->bytes)
		return IKE_E_LIMIT;
	if (plain.n > 0) {
		piece->p = malloc(plain.n);
		if (!piece->p)
			return IKE_E_NOMEM;
		memcpy(piece->p, plain.p, plain.n);
	}
	piece->n = plain.n;
	piece->here = true;
	s->bytes += plain.n;
	s->have++;
	return IKE_OK;
}

static enum ike_err store_join(struct frag_store *s)
{
	struct wr w;

	s->whole = malloc(s->bytes > 0 ? s->bytes : 1);
	if (!s->whole)
		return IKE_E_NOMEM;
	w = wr_over(s->whole, s->bytes);
	for (unsigned i = 0; i < s->total; i++)
		wr_bytes(&w, s->piece[i].p, s->piece[i].n);
	return IKE_OK;
}

enum ike_err frag_add(struct frag_in *f, uint16_t number, uint16_t total, uint8_t next_payload, struct span plain,
		      struct frag_message *out)
{
	struct frag_store *s;
	enum ike_err err;

	*out = (struct frag_message){ 0 };
	if (!frag_wanted(f, number, total))
		return IKE_E_STATE;
	err = store_begin(f, total);
	if (err)
		return err;
	s = f->store;
	err = store_piece(s, number - 1u, plain);
	if (!err && number == 1)
		s->first = next_payload;
	if (!err && s->have == s->total)
		err = store_join(s);
	if (err) {
		frag_clear(f);
		return err;
	}
	if (s->have == s->total)
		*out = (struct frag_message){ true, s->first, span_of(s->whole, s->bytes) };
	return IKE_OK;
}

/* Sending -------------------------------------------------------------------------------------- */

enum { IPV4_HDR_LEN = 20, IPV6_HDR_LEN = 40, UDP_HDR_LEN = 8, MARKER_LEN = 4, GENERIC_HDR_LEN = 4, SKF_FIELDS_LEN = 4 };

/* Bytes of a datagram before the body of its only payload. */
static size_t overhead(const struct frag_limit *limit)
{
	return (size_t)(limit->family == IP_V4 ? IPV4_HDR_LEN : IPV6_HDR_LEN) + UDP_HDR_LEN +
	       (limit->marker ? MARKER_LEN : 0) + IKE_HDR_LEN + GENERIC_HDR_LEN;
}

size_t frag_sealed_room(const struct frag_limit *limit)
{
	size_t before = overhead(limit) + SKF_FIELDS_LEN;

	return limit->datagram_max > before ? limit->datagram_max - before : 0;
}

bool frag_fits_whole(const struct frag_limit *limit, size_t sealed_len)
{
	size_t before = overhead(limit);

	return limit->datagram_max >= before && sealed_len <= limit->datagram_max - before;
}

unsigned frag_count(size_t inner_len, size_t chunk)
{
	size_t count;

	if (chunk == 0)
		return 0;
	if (inner_len == 0)
		return 1;
	count = (inner_len - 1) / chunk + 1;
	return count <= FRAG_MAX ? (unsigned)count : 0;
}

struct span frag_piece(struct span inner, size_t chunk, unsigned number)
{
	struct rd r = rd_over(inner);

	if (number < 1 || number > frag_count(inner.n, chunk))
		return (struct span){ 0 };
	(void)rd_bytes(&r, (number - 1) * chunk);
	return rd_bytes(&r, rd_left(&r) < chunk ? rd_left(&r) : chunk);
}
