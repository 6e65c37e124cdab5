/* Whole exchanges of strongSwan with itself and with libreswan: read, decrypted and verified with our parts, and every
 * key that we derive compared with what charon logged, an implementation that shares no code with this one.
 */
#include "tests/unit/walk.h"

#include "crypto/keymat.h"
#include "crypto/seal.h"
#include "dnskey/pubkey.h"
#include "ike/choose.h"
#include "ike/frag.h"
#include "ike/natd.h"
#include "ike/ts.h"
#include "tests/vectors/charon.h"

struct init_message {
	struct unit_bytes bytes;
	struct ike_hdr hdr;
	struct msg_chain chain;
	struct span sa, nonce;
	struct pl_ke ke;
};

struct auth_message {
	struct unit_bytes inner;
	struct msg_chain chain;
};

struct exchange {
	const struct charon_exchange *v;
	struct init_message init[2];            /* request, response */
	struct ike_keys keys;
	struct auth_message auth[2];
};

static void assert_secret(const struct secret *s, const char *hex)
{
	assert_span(secret_span(s), hex);
}

static struct span body_of(const struct msg_chain *chain, uint8_t type)
{
	const struct msg_payload *p = msg_find(chain, type);

	assert_non_null(p);
	assert_int_equal(msg_count(chain, type), 1);
	return p->body;
}

static void read_init(struct init_message *m, const char *hex)
{
	m->bytes = unit_hex(hex);
	assert_int_equal(ike_hdr_read(unit_span(&m->bytes), &m->hdr), IKE_OK);
	assert_int_equal(m->hdr.exchange, EXCH_IKE_SA_INIT);
	assert_int_equal(msg_chain_read(m->hdr.next_payload, span_of(m->bytes.b + IKE_HDR_LEN, m->bytes.n - IKE_HDR_LEN),
					&m->chain), IKE_OK);
	m->sa = body_of(&m->chain, PL_SA);
	assert_int_equal(pl_ke_read(body_of(&m->chain, PL_KE), &m->ke), IKE_OK);
	assert_int_equal(pl_nonce_read(body_of(&m->chain, PL_NONCE), &m->nonce), IKE_OK);
}

static void derive(struct exchange *x)
{
	struct unit_bytes secret = unit_hex(x->v->shared);
	struct dh_shared shared = { .n = (uint16_t)secret.n };
	const struct ike_hdr *hdr = &x->init[1].hdr;

	memcpy(shared.b, secret.b, secret.n);
	assert_int_equal(ike_keys_derive(&x->v->ike, &shared, x->init[0].nonce, x->init[1].nonce, span_of(hdr->spi_i, 8),
					 span_of(hdr->spi_r, 8), &x->keys), IKE_OK);
}

/* One datagram of IKE_AUTH: whole, or a fragment that goes into f. True when out holds the whole inside. */
static bool unseal_one(struct exchange *x, unsigned from_responder, const char *hex, struct frag_in *f,
		       struct frag_message *whole, struct unit_bytes *plain)
{
	struct seal_key key = {
		.suite = &x->v->ike, .encr = from_responder ? &x->keys.er : &x->keys.ei,
		.integ = from_responder ? &x->keys.ar : &x->keys.ai,
	};
	struct unit_bytes b = unit_hex(hex);
	struct span inner, sealed;
	struct ike_hdr hdr;
	struct msg_chain c;
	struct pl_skf skf = { 1, 1, { NULL, 0 } };
	const struct msg_payload *last;

	assert_int_equal(ike_hdr_read(unit_span(&b), &hdr), IKE_OK);
	assert_int_equal(hdr.exchange, EXCH_IKE_AUTH);
	assert_int_equal(msg_chain_read(hdr.next_payload, span_of(b.b + IKE_HDR_LEN, b.n - IKE_HDR_LEN), &c), IKE_OK);
	last = &c.payload[c.n - 1];
	sealed = last->body;
	if (last->type == PL_SKF) {
		assert_int_equal(pl_skf_read(last->body, &skf), IKE_OK);
		sealed = skf.rest;
	} else {
		assert_int_equal(last->type, PL_SK);
	}
	assert_int_equal(unseal(&key, span_of(b.b, (size_t)(sealed.p - b.b)), sealed, plain->b, sizeof plain->b, &inner),
			 IKE_OK);
	assert_int_equal(frag_add(f, skf.number, skf.total, c.after, inner, whole), IKE_OK);
	return whole->complete;
}

static void read_auth(struct exchange *x, unsigned which, const char *const *datagrams)
{
	struct frag_in f = { 0 };
	struct frag_message whole = { 0 };
	struct unit_bytes plain;

	for (unsigned i = 0; i < CHARON_FRAGMENTS_MAX && datagrams[i]; i++)
		assert_int_equal(unseal_one(x, which, datagrams[i], &f, &whole, &plain),
				 i + 1 == CHARON_FRAGMENTS_MAX || !datagrams[i + 1]);
	assert_true(whole.complete);
	x->auth[which].inner.n = whole.inner.n;
	memcpy(x->auth[which].inner.b, whole.inner.p, whole.inner.n);
	frag_clear(&f);
	assert_int_equal(msg_chain_read(whole.first, unit_span(&x->auth[which].inner), &x->auth[which].chain), IKE_OK);
}

/* All of the exchange up to its inner payloads; the caller frees it with free(). */
static struct exchange *read_exchange(const struct charon_exchange *v)
{
	struct exchange *x = calloc(1, sizeof *x);

	assert_non_null(x);
	x->v = v;
	read_init(&x->init[0], v->init_request[0]);
	read_init(&x->init[1], v->init_response[0]);
	derive(x);
	read_auth(x, 0, v->auth_request);
	read_auth(x, 1, v->auth_response);
	return x;
}

static void for_each(void (*check)(struct exchange *x))
{
	for (unsigned i = 0; i < sizeof charon_exchanges / sizeof *charon_exchanges; i++) {
		struct exchange *x = read_exchange(&charon_exchanges[i]);

		print_message("%s\n", x->v->name);
		check(x);
		ike_keys_clear(&x->keys);
		free(x);
	}
}

static void check_ike_keys(struct exchange *x)
{
	assert_secret(&x->keys.d, x->v->d);
	assert_secret(&x->keys.ai, x->v->ai);
	assert_secret(&x->keys.ar, x->v->ar);
	assert_secret(&x->keys.ei, x->v->ei);
	assert_secret(&x->keys.er, x->v->er);
	assert_secret(&x->keys.pi, x->v->pi);
	assert_secret(&x->keys.pr, x->v->pr);
}

static void ike_keys_are_those_that_charon_logged(void **state)
{
	(void)state;
	for_each(check_ike_keys);
}

static void check_esp_keys(struct exchange *x)
{
	struct esp_keys i2r, r2i;

	assert_int_equal(esp_keys_derive(&x->v->ike, &x->v->esp, &x->keys.d, NULL, x->init[0].nonce, x->init[1].nonce, NULL,
					 &i2r, &r2i), IKE_OK);
	assert_secret(&i2r.encr, x->v->esp_encr_i);
	assert_secret(&i2r.integ, x->v->esp_integ_i);
	assert_secret(&r2i.encr, x->v->esp_encr_r);
	assert_secret(&r2i.integ, x->v->esp_integ_r);
	esp_keys_clear(&i2r);
	esp_keys_clear(&r2i);
}

static void esp_keys_are_those_that_charon_logged(void **state)
{
	(void)state;
	for_each(check_esp_keys);
}

/* The peer's own offer, as if it were ours. */
static struct offer offer_of(struct span sa_body)
{
	struct pl_sa_reader sa = pl_sa_read(sa_body);
	struct offer o = { 0 };

	while (o.n < OFFER_MAX && pl_sa_next(&sa, &o.proposal[o.n]) == IKE_OK)
		o.n++;
	assert_true(o.n > 0);
	return o;
}

static void check_proposals(struct exchange *x)
{
	struct offer o = offer_of(x->init[0].sa);
	struct ike_choice ike;
	struct esp_choice esp;
	struct span sa;

	assert_int_equal(choose_ike(x->init[0].sa, x->init[0].ke.group, false, &ike), IKE_OK);
	assert_memory_equal(&ike.suite, &x->v->ike, sizeof ike.suite);
	assert_int_equal(offer_check_ike(&o, x->init[1].sa, false, &ike), IKE_OK);
	assert_memory_equal(&ike.suite, &x->v->ike, sizeof ike.suite);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(x->init[i].ke.group, x->v->ike.group);
		assert_int_equal(x->init[i].ke.public_value.n, suite_group_public_len(x->v->ike.group));
	}

	sa = body_of(&x->auth[0].chain, PL_SA);
	o = offer_of(sa);
	assert_int_equal(choose_esp(sa, &esp), IKE_OK);
	assert_int_equal(esp.suite.encr, x->v->esp.encr);
	assert_int_equal(esp.suite.encr_bits, x->v->esp.encr_bits);
	assert_int_equal(esp.suite.integ, x->v->esp.integ);
	assert_int_equal(esp.suite.esn, x->v->esp.esn);
	assert_int_equal(offer_check_esp(&o, body_of(&x->auth[1].chain, PL_SA), &esp), IKE_OK);
	assert_int_equal(esp.suite.esn, x->v->esp.esn);
}

static void proposals_lead_to_the_same_suites(void **state)
{
	(void)state;
	for_each(check_proposals);
}

static struct ip_addr address(const char *hex)
{
	struct unit_bytes b = unit_hex(hex);
	struct ip_addr a;

	assert_int_equal(ip_from_bytes(unit_span(&b), &a), IKE_OK);
	return a;
}

static void check_addresses(struct exchange *x)
{
	struct ip_endpoint i = { address(x->v->initiator), 500 }, r = { address(x->v->responder), 500 };
	const struct ts_ends ends = { .peer = i.addr, .us = r.addr }, from_i = { .peer = r.addr, .us = i.addr };
	struct ts_pair pair;
	struct natd nat;

	for (unsigned k = 0; k < 2; k++) {
		struct ip_path path = { .local = k == 0 ? r : i, .remote = k == 0 ? i : r };

		assert_int_equal(natd_check(&x->init[k].chain, &x->init[k].hdr, &path, &nat), IKE_OK);
		assert_true(nat.supported);
		assert_false(nat.local_behind_nat);
		assert_false(nat.remote_behind_nat);
		path.remote.port = 501;
		assert_int_equal(natd_check(&x->init[k].chain, &x->init[k].hdr, &path, &nat), IKE_OK);
		assert_true(nat.remote_behind_nat);
	}
	assert_int_equal(ts_narrow(body_of(&x->auth[0].chain, PL_TSI), body_of(&x->auth[0].chain, PL_TSR), &ends, &pair), IKE_OK);
	assert_int_equal(ts_check_answer(body_of(&x->auth[1].chain, PL_TSI), body_of(&x->auth[1].chain, PL_TSR), &from_i), IKE_OK);
}

static void addresses_are_seen_alike(void **state)
{
	(void)state;
	for_each(check_addresses);
}

/* RFC 7296 2.15: the responder signs its IKE_SA_INIT message | Ni | prf(SK_pr, IDr body). */
static void check_signature(struct exchange *x)
{
	struct unit_bytes rdata = unit_hex(x->v->key);
	struct ipseckey record;
	struct pubkey *key;
	struct pl_auth auth;
	struct secret maced_id;
	struct span parts[3];

	assert_int_equal(ipseckey_read(unit_span(&rdata), &record), IKE_OK);
	assert_int_equal(pubkey_read(&record, &key, NULL), IKE_OK);
	assert_int_equal(pl_auth_read(body_of(&x->auth[1].chain, PL_AUTH), &auth), IKE_OK);
	assert_int_equal(auth_maced_id(x->v->ike.prf, &x->keys.pr, body_of(&x->auth[1].chain, PL_IDR), &maced_id), IKE_OK);
	parts[0] = unit_span(&x->init[1].bytes);
	parts[1] = x->init[0].nonce;
	parts[2] = secret_span(&maced_id);
	assert_int_equal(pubkey_verify(key, auth.method, auth.value, parts, 3), IKE_OK);
	parts[1] = x->init[1].nonce;
	assert_int_equal(pubkey_verify(key, auth.method, auth.value, parts, 3), IKE_E_AUTH);
	secret_clear(&maced_id);
	pubkey_free(key);
}

static void responder_proves_its_key(void **state)
{
	(void)state;
	for_each(check_signature);
}

static void check_transport_mode(struct exchange *x)
{
	struct pl_notify n;

	assert_true(pl_notify_find(&x->auth[0].chain, N_USE_TRANSPORT_MODE, &n));
	assert_true(pl_notify_find(&x->auth[1].chain, N_USE_TRANSPORT_MODE, &n));
	assert_true(pl_notify_find(&x->init[0].chain, N_SIGNATURE_HASH_ALGORITHMS, &n));
	assert_true(pl_notify_find(&x->init[1].chain, N_IKEV2_FRAGMENTATION_SUPPORTED, &n));
	assert_false(pl_notify_find(&x->init[1].chain, N_COOKIE, &n));
}

static void notifies_are_found(void **state)
{
	(void)state;
	for_each(check_transport_mode);
}

/* One bit of it wrong, and no datagram of IKE_AUTH opens. */
static void changed_datagrams_do_not_open(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof charon_exchanges / sizeof *charon_exchanges; i++) {
		struct exchange *x = read_exchange(&charon_exchanges[i]);
		struct seal_key key = { .suite = &x->v->ike, .encr = &x->keys.er, .integ = &x->keys.ar };
		struct unit_bytes b = unit_hex(x->v->auth_response[0]), plain;
		size_t before = IKE_HDR_LEN + 4 + (x->v->auth_response[1] ? 4 : 0);
		struct span inner;

		for (size_t at = 0; at < b.n; at++) {
			b.b[at] ^= 0x10;
			assert_int_equal(unseal(&key, span_of(b.b, before), span_of(b.b + before, b.n - before), plain.b,
						sizeof plain.b, &inner), IKE_E_INTEGRITY);
			b.b[at] ^= 0x10;
		}
		assert_int_equal(unseal(&key, span_of(b.b, before), span_of(b.b + before, b.n - before), plain.b,
					sizeof plain.b, &inner), IKE_OK);
		ike_keys_clear(&x->keys);
		free(x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ike_keys_are_those_that_charon_logged),
		cmocka_unit_test(esp_keys_are_those_that_charon_logged),
		cmocka_unit_test(proposals_lead_to_the_same_suites),
		cmocka_unit_test(addresses_are_seen_alike),
		cmocka_unit_test(responder_proves_its_key),
		cmocka_unit_test(notifies_are_found),
		cmocka_unit_test(changed_datagrams_do_not_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
