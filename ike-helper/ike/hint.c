#include "ike/hint.h"

#include <string.h>

#include "ike/qcd.h"

void hint_esp_spi(struct ike *ike, const struct stimulus *s)
{
	struct stimulus probe = { .on = ON_PROBE, .now_ms = s->now_ms };
	struct pl_notify notify;
	struct ike_sa *sa;
	struct rd r;

	if (!pl_notify_find(s->chain, N_INVALID_SPI, &notify) || notify.value.n != sizeof(uint32_t))
		return;
	if (!bucket_take(&ike->hints, s->now_ms)) {
		ike->stats.dropped_limit++;
		return;
	}
	r = rd_over(notify.value);
	sa = engine_by_esp_out(ike, &s->path->remote.addr, rd_u32(&r));
	if (!sa || (sa->hinted_ms && s->now_ms < sa->hinted_ms + HINT_PAUSE_MS))
		return;
	sa->hinted_ms = s->now_ms;
	engine_step(sa, &probe);
}

void hint_ike_spi(struct ike_sa *sa, struct stimulus *s)
{
	sa->denied = true;
	if (!qcd_proves(sa, s->chain))
		return;
	s->on = ON_LOST;
	engine_step(sa, s);
}

static bool is_zero(const uint8_t spi[IKE_SPI_LEN])
{
	static const uint8_t zero[IKE_SPI_LEN];

	return memcmp(spi, zero, IKE_SPI_LEN) == 0;
}

void hint_unknown_sa(struct ike *ike, const struct stimulus *s)
{
	struct pl_notify notifies[2] = { { .type = N_INVALID_IKE_SPI } };
	struct secret token = { 0 };
	unsigned n = 1;

	if (!ike->config.respond && ike->config.qcd_secret.n == 0)
		return;
	if (is_zero(s->hdr->spi_i) || is_zero(s->hdr->spi_r))
		return;                     /* no request that an SA could be for */
	/* Whichever end began it, and whatever the flags say: for an SA that we have nobody gets a token (RFC 6290 8). */
	if (engine_by_spi(ike, s->hdr->spi_i) || engine_by_spi(ike, s->hdr->spi_r))
		return;
	if (qcd_make(ike, s->hdr->spi_i, s->hdr->spi_r, s->path, &token) == IKE_OK)
		notifies[n++] = (struct pl_notify){ .type = N_QCD_TOKEN, .value = secret_span(&token) };
	engine_stateless_answer(ike, s->hdr, s->path, notifies, n);
	secret_clear(&token);
}
