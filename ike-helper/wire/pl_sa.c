#include "wire/payloads.h"

#include <string.h>

/* RFC 7296 3.3.1, 3.3.2: first byte of a proposal or transform: is another one behind it? */
enum { LAST_SUBSTRUCTURE = 0, MORE_PROPOSALS = 2, MORE_TRANSFORMS = 3 };
enum { PROPOSAL_HDR_LEN = 8, TRANSFORM_HDR_LEN = 8 };
/* RFC 7296 3.3.5: the top bit says that the attribute has a value of two bytes instead of a length. */
enum { ATTRIBUTE_SHORT = 0x8000, ATTRIBUTE_KEY_LENGTH = 14 };

struct pl_sa_reader pl_sa_read(struct span body)
{
	return (struct pl_sa_reader){ .r = rd_over(body), .expect_more = MORE_PROPOSALS, .last_number = 0 };
}

static void attributes_read(struct rd *r, struct pl_transform *t)
{
	bool has_key_length = false;

	while (rd_left(r) > 0) {
		uint16_t type = rd_u16(r);
		uint16_t value = rd_u16(r);

		if (type == (ATTRIBUTE_SHORT | ATTRIBUTE_KEY_LENGTH) && !has_key_length && value > 0) {
			t->key_bits = value;
			has_key_length = true;
			continue;
		}
		t->unknown_attribute = true;
		if (!(type & ATTRIBUTE_SHORT))
			(void)rd_bytes(r, value);
	}
}

/* One transform; *more: what it says about a next one. */
static void transform_read(struct rd *r, struct pl_transform *t, uint8_t *more)
{
	uint16_t length;
	struct rd attributes;

	*t = (struct pl_transform){ 0 };
	*more = rd_u8(r);
	(void)rd_u8(r);
	length = rd_u16(r);
	t->type = rd_u8(r);
	(void)rd_u8(r);
	t->id = rd_u16(r);
	if (length < TRANSFORM_HDR_LEN) {
		r->bad = true;
		return;
	}
	attributes = rd_sub(r, (size_t)length - TRANSFORM_HDR_LEN);
	attributes_read(&attributes, t);
	if (!rd_ok(&attributes))
		r->bad = true;
}

static enum ike_err transforms_read(struct rd *r, unsigned count, struct pl_proposal *out)
{
	struct pl_transform beyond;

	for (unsigned i = 0; i < count; i++) {
		uint8_t more;

		transform_read(r, i < PL_TRANSFORMS_MAX ? &out->transform[i] : &beyond, &more);
		if (!rd_ok(r) || more != (i + 1 < count ? MORE_TRANSFORMS : LAST_SUBSTRUCTURE))
			return IKE_E_SYNTAX;
	}
	if (!rd_done(r))
		return IKE_E_SYNTAX;
	if (count > PL_TRANSFORMS_MAX)
		return IKE_E_NOSPACE;
	out->n = count;
	return IKE_OK;
}

static enum ike_err proposal_read(struct pl_sa_reader *sa, struct pl_proposal *out)
{
	struct rd *r = &sa->r;
	uint16_t length;
	unsigned count;
	struct rd inside;

	sa->expect_more = rd_u8(r);
	(void)rd_u8(r);
	length = rd_u16(r);
	out->number = rd_u8(r);
	out->protocol = rd_u8(r);
	out->spi_len = rd_u8(r);
	count = rd_u8(r);
	if (!rd_ok(r) || length < PROPOSAL_HDR_LEN)
		return IKE_E_SYNTAX;
	if (sa->expect_more != MORE_PROPOSALS && sa->expect_more != LAST_SUBSTRUCTURE)
		return IKE_E_SYNTAX;
	if (out->number == 0 || (sa->last_number != 0 && out->number != sa->last_number + 1))
		return IKE_E_SYNTAX;
	sa->last_number = out->number;
	if (out->spi_len != 0 && out->spi_len != 4 && out->spi_len != 8)
		return IKE_E_SYNTAX;
	inside = rd_sub(r, (size_t)length - PROPOSAL_HDR_LEN);
	rd_copy(&inside, out->spi, out->spi_len);
	if (!rd_ok(&inside))
		return IKE_E_SYNTAX;
	return transforms_read(&inside, count, out);
}

enum ike_err pl_sa_next(struct pl_sa_reader *sa, struct pl_proposal *out)
{
	enum ike_err err;

	memset(out, 0, sizeof *out);
	if (rd_done(&sa->r) && sa->expect_more == LAST_SUBSTRUCTURE)
		return IKE_E_STATE;
	/* Bytes behind the last proposal, or none where one was announced, an empty SA payload included. */
	if (rd_left(&sa->r) == 0 || sa->expect_more == LAST_SUBSTRUCTURE)
		err = IKE_E_SYNTAX;
	else
		err = proposal_read(sa, out);
	if (err)
		memset(out, 0, sizeof *out);
	if (err == IKE_E_SYNTAX)
		sa->r.bad = true;
	return err;
}

static void transform_write(struct wr *w, const struct pl_transform *t, bool last)
{
	wr_u8(w, last ? LAST_SUBSTRUCTURE : MORE_TRANSFORMS);
	wr_u8(w, 0);
	wr_u16(w, TRANSFORM_HDR_LEN + (t->key_bits ? 4 : 0));
	wr_u8(w, t->type);
	wr_u8(w, 0);
	wr_u16(w, t->id);
	if (t->key_bits) {
		wr_u16(w, ATTRIBUTE_SHORT | ATTRIBUTE_KEY_LENGTH);
		wr_u16(w, t->key_bits);
	}
}

static void proposal_write(struct wr *w, const struct pl_proposal *p, bool last)
{
	size_t at = w->n;

	wr_u8(w, last ? LAST_SUBSTRUCTURE : MORE_PROPOSALS);
	wr_u8(w, 0);
	wr_u16(w, 0);
	wr_u8(w, p->number);
	wr_u8(w, p->protocol);
	wr_u8(w, p->spi_len);
	wr_u8(w, (uint8_t)p->n);
	wr_bytes(w, p->spi, p->spi_len);
	for (unsigned i = 0; i < p->n; i++)
		transform_write(w, &p->transform[i], i + 1 == p->n);
	wr_patch_u16(w, at + 2, (uint16_t)(w->n - at));
}

void pl_sa_write(struct msg_wr *m, const struct pl_proposal *proposals, unsigned n)
{
	msg_payload_begin(m, PL_SA);
	for (unsigned i = 0; i < n; i++)
		proposal_write(&m->w, &proposals[i], i + 1 == n);
	msg_payload_end(m);
}
