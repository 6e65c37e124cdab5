#include "wire/msg.h"

#include <string.h>

enum { GENERIC_HDR_LEN = 4, CRITICAL = 0x80, LENGTH_AT = 24, NEXT_PAYLOAD_AT = 16 };

enum ike_err ike_hdr_read(struct span datagram, struct ike_hdr *out)
{
	struct rd r = rd_over(datagram);
	uint8_t version;

	memset(out, 0, sizeof *out);
	rd_copy(&r, out->spi_i, IKE_SPI_LEN);
	rd_copy(&r, out->spi_r, IKE_SPI_LEN);
	out->next_payload = rd_u8(&r);
	version = rd_u8(&r);
	out->major = version >> 4;
	out->minor = version & 0x0f;
	out->exchange = rd_u8(&r);
	out->flags = rd_u8(&r);
	out->message_id = rd_u32(&r);
	out->length = rd_u32(&r);
	if (rd_ok(&r) && out->length == datagram.n)
		return IKE_OK;
	memset(out, 0, sizeof *out);
	return IKE_E_SYNTAX;
}

static bool is_sealed(uint8_t type)
{
	return type == PL_SK || type == PL_SKF;
}

static enum ike_err chain_walk(uint8_t type, struct rd *r, struct msg_chain *out)
{
	while (type != PL_NONE) {
		struct msg_payload *p = &out->payload[out->n];
		uint8_t next = rd_u8(r);
		uint8_t flags = rd_u8(r);
		uint16_t length = rd_u16(r);

		if (!rd_ok(r) || length < GENERIC_HDR_LEN)
			return IKE_E_SYNTAX;
		if (out->n == MSG_PAYLOADS_MAX)
			return IKE_E_NOSPACE;
		p->type = type;
		p->critical = flags & CRITICAL;
		p->body = rd_bytes(r, (size_t)length - GENERIC_HDR_LEN);
		if (!rd_ok(r))
			return IKE_E_SYNTAX;
		out->n++;
		if (is_sealed(type)) {
			out->after = next;      /* names what is inside, not what follows: nothing may */
			break;
		}
		type = next;
	}
	return rd_done(r) ? IKE_OK : IKE_E_SYNTAX;
}

enum ike_err msg_chain_read(uint8_t first, struct span bytes, struct msg_chain *out)
{
	struct rd r = rd_over(bytes);
	enum ike_err err;

	memset(out, 0, sizeof *out);
	err = chain_walk(first, &r, out);
	if (err)
		memset(out, 0, sizeof *out);
	return err;
}

const struct msg_payload *msg_find(const struct msg_chain *chain, uint8_t type)
{
	for (unsigned i = 0; i < chain->n; i++)
		if (chain->payload[i].type == type)
			return &chain->payload[i];
	return NULL;
}

unsigned msg_count(const struct msg_chain *chain, uint8_t type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < chain->n; i++)
		count += chain->payload[i].type == type;
	return count;
}

struct msg_wr msg_begin(void *buffer, size_t max, const struct ike_hdr *hdr)
{
	struct msg_wr m = {
		.w = wr_over(buffer, max),
		.next_at = NEXT_PAYLOAD_AT,
		.open_at = SIZE_MAX,
		.first = PL_NONE,
		.has_header = true,
	};

	wr_bytes(&m.w, hdr->spi_i, IKE_SPI_LEN);
	wr_bytes(&m.w, hdr->spi_r, IKE_SPI_LEN);
	wr_u8(&m.w, PL_NONE);
	wr_u8(&m.w, (uint8_t)(hdr->major << 4 | (hdr->minor & 0x0f)));
	wr_u8(&m.w, hdr->exchange);
	wr_u8(&m.w, hdr->flags);
	wr_u32(&m.w, hdr->message_id);
	wr_u32(&m.w, 0);
	return m;
}

struct msg_wr msg_begin_inner(void *buffer, size_t max)
{
	return (struct msg_wr){
		.w = wr_over(buffer, max),
		.next_at = SIZE_MAX,
		.open_at = SIZE_MAX,
		.first = PL_NONE,
		.has_header = false,
	};
}

void msg_payload_begin(struct msg_wr *m, enum ike_payload_type type)
{
	/* next_at is where the type of this payload goes; behind SK it would overwrite the type of the first inner one. */
	if (m->open_at != SIZE_MAX || m->sealed)
		m->w.bad = true;
	if (m->w.bad)
		return;
	m->open_at = m->w.n;
	if (m->next_at != SIZE_MAX)
		m->w.base[m->next_at] = (uint8_t)type;
	if (m->first == PL_NONE)
		m->first = (uint8_t)type;
	m->next_at = m->open_at;
	m->sealed = is_sealed((uint8_t)type);
	wr_u8(&m->w, PL_NONE);
	wr_u8(&m->w, 0);
	wr_u16(&m->w, 0);
}

void msg_payload_end(struct msg_wr *m)
{
	size_t length;

	if (m->open_at == SIZE_MAX)
		m->w.bad = true;
	if (m->w.bad)
		return;
	length = m->w.n - m->open_at;
	if (length > UINT16_MAX)
		m->w.bad = true;
	wr_patch_u16(&m->w, m->open_at + 2, (uint16_t)length);
	m->open_at = SIZE_MAX;
}

enum ike_err msg_end(struct msg_wr *m, uint8_t *first, struct span *out)
{
	if (m->open_at != SIZE_MAX)
		m->w.bad = true;
	if (m->has_header)
		wr_patch_u32(&m->w, LENGTH_AT, (uint32_t)m->w.n);
	*out = wr_span(&m->w);
	if (first)
		*first = wr_ok(&m->w) ? m->first : PL_NONE;
	return wr_ok(&m->w) ? IKE_OK : IKE_E_NOSPACE;
}
