#include "ike/rekey.h"

#include <stdlib.h>
#include <string.h>

#include "ike/engine.h"

enum { TRY_AGAIN_MS = 500 };

/* Another key pair. */
IKE_CHECKED static enum ike_err new_dh(struct ike_sa *sa, uint16_t group)
{
	struct rekey *rk = sa->rekey;
	struct dh *dh;
	enum ike_err err = dh_new(group, sa->ike->rng, &dh);

	if (err != IKE_OK)
		return err;
	dh_free(rk->dh);
	rk->dh = dh;
	rk->group = group;
	return IKE_OK;
}

enum ike_err rekey_begin(struct ike_sa *sa, uint16_t group)
{
	enum ike_err err;

	sa->rekey = calloc(1, sizeof *sa->rekey);
	if (!sa->rekey)
		return IKE_E_NOMEM;
	rng_fill(sa->ike->rng, sa->rekey->nonce, NONCE_LEN);
	err = new_dh(sa, group);
	if (err != IKE_OK)
		sa_end_rekey(sa);
	return err;
}

uint16_t rekey_group_wanted(const struct ike_sa *sa, const struct stimulus *s, const struct offer *offer)
{
	struct pl_notify notify;
	struct rd r;
	uint16_t group;

	if (!pl_notify_find(s->chain, N_INVALID_KE_PAYLOAD, &notify))
		return 0;
	r = rd_over(notify.value);
	group = rd_u16(&r);
	if (!rd_done(&r) || sa->rekey->rounds >= INIT_ROUNDS_MAX || group == sa->rekey->group || !offer_has_group(offer, group))
		return 0;
	return group;
}

enum ike_err rekey_take_group(struct ike_sa *sa, const struct stimulus *s, const struct offer *offer)
{
	enum ike_err err = new_dh(sa, rekey_group_wanted(sa, s, offer));

	window_request_over(&sa->window, true);
	sa->rekey->rounds++;
	return err;
}

enum ike_err rekey_read_shared(const struct ike_sa *sa, const struct stimulus *s, uint16_t group, struct dh_shared *out)
{
	const struct msg_payload *payload = msg_find(s->chain, PL_KE);
	struct pl_ke ke;
	enum ike_err err;

	out->n = 0;
	if (group == 0)
		return IKE_OK;
	if (!payload)
		return IKE_E_SYNTAX;
	err = pl_ke_read(payload->body, &ke);
	if (err == IKE_OK && (ke.group != group || group != sa->rekey->group))
		err = IKE_E_SYNTAX;
	return err == IKE_OK ? dh_agree(sa->rekey->dh, ke.public_value, out) : err;
}

enum ike_err rekey_refuse(struct ike_sa *sa, const struct stimulus *s, uint16_t notify, struct span value)
{
	enum ike_err err = engine_reply_notify(sa, s, notify, value);

	if (err != IKE_OK || notify != N_INVALID_SYNTAX)
		return err;
	sa_blame(sa, REASON_PROTOCOL, "malformed %s request", ike_exchange_name(s->hdr->exchange));
	return IKE_E_SYNTAX;
}

uint64_t rekey_again_ms(struct ike_sa *sa, uint64_t now_ms)
{
	uint32_t r;

	rng_fill(sa->ike->rng, &r, sizeof r);
	return now_ms + ((uint64_t)TRY_AGAIN_MS << sa->rekey_tries++) + r % TRY_AGAIN_MS;
}

void rekey_child_after_move(struct ike_sa *sa, uint64_t at_ms)
{
	sa->moved = sa->rekey_child_asked = true;
	sa->rekey_at_ms = at_ms;
}

static int compare_nonces(struct span a, struct span b)
{
	int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return d ? d : a.n < b.n ? -1 : a.n > b.n;
}

struct span nonce_lower(struct span a, struct span b)
{
	return compare_nonces(a, b) <= 0 ? a : b;
}

void rekey_remember_rival(struct rekey *rk, struct span ni, struct span nr)
{
	struct span lowest = nonce_lower(ni, nr);

	memcpy(rk->rival_nonce, lowest.p, lowest.n);
	rk->rival_nonce_len = lowest.n;
}

bool rekey_ours_stays(const struct rekey *rk, struct span nr)
{
	struct span ours = nonce_lower(span_of(rk->nonce, NONCE_LEN), nr);

	return rk->rival_nonce_len == 0 || compare_nonces(ours, span_of(rk->rival_nonce, rk->rival_nonce_len)) > 0;
}
