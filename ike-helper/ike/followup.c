#include "ike/followup.h"

#include <stdlib.h>
#include <string.h>

#include "ike/child.h"
#include "ike/engine.h"
#include "ike/rekey.h"
#include "ike/x.h"

static bool find_link(const struct stimulus *s, struct span *link)
{
	struct pl_notify notify;

	if (!pl_notify_find(s->chain, N_ADDITIONAL_KEY_EXCHANGE, &notify))
		return false;
	*link = notify.value;
	return true;
}

/* The value of the peer's KE payload, which is of the only method that there is. */
static enum ike_err read_ke(const struct stimulus *s, struct span *value)
{
	struct pl_ke ke;
	enum ike_err err = pl_ke_read(msg_find(s->chain, PL_KE)->body, &ke);

	*value = ke.public_value;
	return err == IKE_OK && ke.group != GROUP_MLKEM_768 ? IKE_E_SYNTAX : err;
}

static void write_link(struct msg_wr *m, struct span link)
{
	pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), N_ADDITIONAL_KEY_EXCHANGE, link);
}

/* We ask --------------------------------------------------------------------------------------- */

enum ike_err followup_send(struct ike_sa *sa, const struct stimulus *s, uint16_t method, const struct dh_shared *shared,
			   struct span nr)
{
	const struct kem *kem = sa->ike->config.kem;
	struct rekey *rk = sa->rekey;
	struct msg_wr m = engine_inner(sa->ike);
	uint8_t public_value[KEM_PUBLIC_LEN];
	struct span link;
	enum ike_err err;

	if (method != GROUP_MLKEM_768 || shared->n == 0 || !find_link(s, &link) || link.n == 0 || link.n > LINK_MAX)
		return IKE_E_SYNTAX;
	err = kem->key_new(sa->ike->rng, public_value, &rk->kem_key);
	if (err != IKE_OK)
		return err;
	rk->shared = *shared;
	memcpy(rk->nonce_peer, nr.p, nr.n);
	rk->nonce_peer_len = nr.n;
	pl_ke_write(&m, method, span_of(public_value, sizeof public_value));
	write_link(&m, link);
	return engine_request(sa, EXCH_IKE_FOLLOWUP_KE, &m, s->now_ms);
}

enum ike_err followup_take(const struct ike_sa *sa, const struct stimulus *s, struct secret *more)
{
	struct span value;
	enum ike_err err = read_ke(s, &value);

	return err == IKE_OK ? sa->ike->config.kem->decapsulate(sa->rekey->kem_key, value, more) : err;
}

struct span followup_nonce(const struct rekey *rk)
{
	return span_of(rk->nonce_peer, rk->nonce_peer_len);
}

QUESTION(followup_is_out)
{
	(void)s;
	return sa->rekey && sa->rekey->kem_key;
}

QUESTION(followup_is_lost)
{
	struct span nr;

	return sa->rekey->rival_nonce_len > 0 && pl_nonce_read(msg_find(s->chain, PL_NONCE)->body, &nr) == IKE_OK &&
	       !rekey_ours_stays(sa->rekey, nr);
}

/* The peer asks -------------------------------------------------------------------------------- */

struct followup *followup_expect(struct ike_sa *sa, const struct dh_shared *shared, struct span ni, struct span nr, uint64_t now_ms)
{
	struct followup *due = calloc(1, sizeof *due);

	if (!due)
		return NULL;
	followup_drop(sa);
	rng_fill(sa->ike->rng, due->link, sizeof due->link);
	due->shared = *shared;
	memcpy(due->ni, ni.p, ni.n);
	due->ni_len = ni.n;
	memcpy(due->nr, nr.p, nr.n);
	due->until_ms = now_ms + FOLLOWUP_MS;
	sa->due = due;
	return due;
}

void followup_write_link(struct msg_wr *m, const struct followup *due)
{
	write_link(m, span_of(due->link, sizeof due->link));
}

void followup_drop(struct ike_sa *sa)
{
	struct followup *due = sa->due;

	if (!due)
		return;
	sa->due = NULL;
	if (due->fresh)
		child_drop(due->fresh);
	if (due->fresh_ike)
		engine_forget(due->fresh_ike);
	secret_wipe(due, sizeof *due);
	free(due);
}

enum ike_err followup_receive(const struct ike_sa *sa, const struct stimulus *s, uint8_t ciphertext[KEM_CIPHERTEXT_LEN],
			      struct secret *more)
{
	struct span value;
	enum ike_err err = read_ke(s, &value);

	return err == IKE_OK ? sa->ike->config.kem->encapsulate(sa->ike->rng, value, ciphertext, more) : err;
}

static bool is_due(const struct ike_sa *sa, const struct stimulus *s)
{
	struct span link;

	return sa->due && find_link(s, &link) && span_equal(link, span_of(sa->due->link, sizeof sa->due->link));
}

QUESTION(followup_is_for_ike)
{
	return is_due(sa, s) && sa->due->fresh_ike;
}

QUESTION(followup_is_for_child)
{
	return is_due(sa, s) && sa->due->fresh;
}

/* RFC 9370 2.2.4: of a CREATE_CHILD_SA that is not known, or no longer. */
HANDLER(followup_unknown)
{
	return engine_reply_notify(sa, s, N_STATE_NOT_FOUND, span_of(NULL, 0));
}
