#include "wire/payloads.h"

enum { ESP_SPI_LEN = 4 };

/* RFC 7296 3.11: the SPI of an IKE SA is the one in the header. */
static bool spi_len_fits(uint8_t protocol, uint8_t spi_len)
{
	switch (protocol) {
	case PROTO_IKE:
		return spi_len == 0;
	case PROTO_AH:
	case PROTO_ESP:
		return spi_len == ESP_SPI_LEN;
	default:
		return true;
	}
}

enum ike_err pl_delete_read(struct span body, struct pl_delete *out)
{
	struct rd r = rd_over(body);

	out->protocol = rd_u8(&r);
	out->spi_len = rd_u8(&r);
	out->n = rd_u16(&r);
	out->spis = rd_bytes(&r, (size_t)out->n * out->spi_len);
	if (rd_done(&r) && spi_len_fits(out->protocol, out->spi_len))
		return IKE_OK;
	*out = (struct pl_delete){ 0 };
	return IKE_E_SYNTAX;
}

void pl_delete_write(struct msg_wr *m, uint8_t protocol, const uint32_t *spis, unsigned n)
{
	msg_payload_begin(m, PL_DELETE);
	wr_u8(&m->w, protocol);
	wr_u8(&m->w, n > 0 ? ESP_SPI_LEN : 0);
	if (n > UINT16_MAX)
		m->w.bad = true;
	wr_u16(&m->w, (uint16_t)n);
	for (unsigned i = 0; i < n; i++)
		wr_u32(&m->w, spis[i]);
	msg_payload_end(m);
}
