#include "ike/qcd.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/prf.h"
#include "ike/engine.h"

enum ike_err qcd_make(const struct ike *ike, const uint8_t spi_i[IKE_SPI_LEN], const uint8_t spi_r[IKE_SPI_LEN],
		      const struct ip_path *path, struct secret *out)
{
	const struct span parts[] = {
		span_of(&path->local.addr.family, 1), ip_bytes(&path->local.addr), ip_bytes(&path->remote.addr),
		span_of(spi_i, IKE_SPI_LEN), span_of(spi_r, IKE_SPI_LEN),
	};
	enum ike_err err;

	*out = (struct secret){ 0 };
	if (ike->config.qcd_secret.n == 0)
		return IKE_E_CONFIG;
	err = prf_sum(PRF_HMAC_SHA2_256, ike->config.qcd_secret, parts, sizeof parts / sizeof *parts, out);
	if (err == IKE_OK)
		out->n = QCD_TOKEN_LEN;
	return err;
}

void qcd_write(const struct ike_sa *sa, struct msg_wr *m)
{
	struct secret token;

	if (qcd_make(sa->ike, sa->spi_i, sa->spi_r, &sa->path, &token) == IKE_OK)
		pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), N_QCD_TOKEN, secret_span(&token));
	secret_clear(&token);
}

static bool find(const struct msg_chain *chain, struct span *out)
{
	struct pl_notify notify;

	if (!pl_notify_find(chain, N_QCD_TOKEN, &notify) || notify.value.n < QCD_TOKEN_MIN || notify.value.n > QCD_TOKEN_MAX)
		return false;
	*out = notify.value;
	return true;
}

void qcd_take(struct ike_sa *sa, const struct msg_chain *chain)
{
	struct qcd_token *token;
	struct span value;

	if (!find(chain, &value))
		return;
	sa->peer_knows_qcd = true;
	token = malloc(sizeof *token + value.n);
	if (!token)
		return;
	token->n = (uint8_t)value.n;
	memcpy(token->b, value.p, value.n);
	free(sa->qcd);
	sa->qcd = token;
}

bool qcd_proves(const struct ike_sa *sa, const struct msg_chain *chain)
{
	struct span value;

	return sa->qcd && find(chain, &value) && secret_eq(value, span_of(sa->qcd->b, sa->qcd->n));
}
