#include "ike/proof.h"

#include <stdlib.h>
#include <string.h>

#include "ike/engine.h"

void proof_own_id(const struct ike_sa *sa, struct own_id *out)
{
	const struct dnsname *name = &sa->ike->config.identity;

	if (sa->initiator && !sa->hs->identify) {
		out->type = ID_NULL;
		out->value = span_of(NULL, 0);
	} else if (name->n > 0) {
		dnsname_text(name, out->text);
		out->type = ID_FQDN;
		out->value = span_of(out->text, strlen(out->text));
	} else {
		out->type = sa->path.local.addr.family == IP_V4 ? ID_IPV4_ADDR : ID_IPV6_ADDR;
		out->value = ip_bytes(&sa->path.local.addr);
	}
}

enum ike_err proof_ask(struct ike_sa *sa)
{
	const struct secret *sk_p = sa->initiator ? &sa->keys.pi : &sa->keys.pr;
	uint8_t body[4 + DNSNAME_TEXT_MAX];
	struct wr w = wr_over(body, sizeof body);
	struct own_id id;
	enum ike_err err;

	proof_own_id(sa, &id);
	pl_id_body(&w, id.type, id.value);
	err = auth_maced_id(sa->suite.prf, sk_p, wr_span(&w), &sa->hs->maced_id);
	if (err == IKE_OK)
		engine_ask(sa, SLOT_SIGN);
	return err;
}

enum ike_err proof_take(struct ike_sa *sa, const struct stimulus *s)
{
	struct handshake *hs = sa->hs;

	if (s->result == IKE_OK && s->auth_value.n > 0)
		hs->auth_value = malloc(s->auth_value.n);
	if (!hs->auth_value && s->result == IKE_E_UNSUPPORTED) {
		sa_blame(sa, REASON_NO_PROPOSAL,
			 hs->peer_hashes ? "the peer announces no signature that our key can make"
					 : "the peer announces no hashes for signatures (RFC 7427): our key would have to be ECDSA");
		return IKE_E_UNSUPPORTED;
	}
	if (!hs->auth_value) {
		sa_blame(sa, REASON_INTERNAL, "signing with our key: %s",
			 ike_err_text(s->result != IKE_OK ? s->result : IKE_E_NOMEM));
		return IKE_E_CRYPTO;
	}
	memcpy(hs->auth_value, s->auth_value.p, s->auth_value.n);
	hs->auth_value_len = s->auth_value.n;
	hs->auth_method = s->auth_method;
	return IKE_OK;
}

static void blame(struct ike_sa *sa, const struct keyset *keys, const struct pl_auth *auth, enum ike_err err)
{
	const char *how = err == IKE_E_AUTH          ? "does not verify"
			  : err == IKE_E_UNSUPPORTED ? "is of a kind not accepted"
						     : "is malformed";
	unsigned n = keyset_count(keys);
	struct ipseckey record;
	struct pubkey *key;
	char text[24];

	keyset_at(keys, 0, &record);
	if (n == 1 && pubkey_read(&record, &key, NULL) == IKE_OK) {
		sa_blame(sa, REASON_AUTH_FAILED, "AUTH (%s) %s with the published key, %s",
			 ike_auth_method_name(auth->method), how,
			 pubkey_text(key, text, sizeof text));
		pubkey_free(key);
	}
	sa_blame(sa, REASON_AUTH_FAILED, "AUTH (%s) %s with any of %u published keys",
		 ike_auth_method_name(auth->method), how, n);
}

enum ike_err proof_check(struct ike_sa *sa, const struct keyset *keys, const struct pl_auth *auth,
			 const struct secret *maced_id)
{
	struct handshake *hs = sa->hs;
	const struct span octets[IKE_SIGNED_PARTS] = {
		packet_span(sa->initiator ? hs->message_r : hs->message_i),
		sa->initiator ? sa_nonce_i(sa) : sa_nonce_r(sa),
		secret_span(maced_id),
		sa_int_auth(sa),
	};
	enum ike_err err = keyset_verify(keys, auth->method, auth->value, octets, IKE_SIGNED_PARTS, &sa->key_index);

	if (err == IKE_E_AUTH || err == IKE_E_UNSUPPORTED || err == IKE_E_SYNTAX) {
		blame(sa, keys, auth, err);
		sa->ike->stats.auth_failed++;
		err = IKE_E_AUTH;
	}
	return err;
}
