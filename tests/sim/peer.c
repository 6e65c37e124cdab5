#include "tests/sim/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/prf.h"
#include "crypto/seal.h"
#include "ike/natd.h"

static uint8_t scratch[PEER_MESSAGE_MAX];

static void must(enum ike_err err, const char *what)
{
	if (err == IKE_OK)
		return;
	fprintf(stderr, "scripted peer: %s: %s\n", what, ike_err_text(err));
	abort();
}

static void keep(struct peer_message *to, struct span from)
{
	if (from.n > sizeof to->b)
		abort();
	memcpy(to->b, from.p, from.n);
	to->n = from.n;
}

void peer_start(struct sim_peer *p, bool initiator, const struct rng *rng)
{
	memset(p, 0, sizeof *p);
	p->initiator = initiator;
	p->rng = rng;
	p->suite = (struct ike_suite){
		.encr = ENCR_AES_GCM_16,
		.encr_bits = 256,
		.prf = PRF_HMAC_SHA2_256,
		.integ = INTEG_NONE,
		.group = GROUP_X25519,
	};
	rng_fill(rng, initiator ? p->spi_i : p->spi_r, IKE_SPI_LEN);
	rng_fill(rng, p->nonce, sizeof p->nonce);
	must(dh_new(p->suite.group, rng, &p->dh), "key pair");
}

void peer_clear(struct sim_peer *p)
{
	dh_free(p->dh);
	ike_keys_clear(&p->keys);
	p->dh = NULL;
}

/* IKE_SA_INIT ---------------------------------------------------------------------------------- */

static void write_init(struct sim_peer *p, struct span cookie)
{
	static const uint8_t hashes[] = { 0, HASH_SHA2_256, 0, HASH_SHA2_384,
					  0, HASH_SHA2_512, 0, HASH_IDENTITY };
	struct pl_proposal proposal = {
		.number = 1, .protocol = PROTO_IKE, .n = p->suite.addke1 ? 4 : 3,
		.transform = {
			{ .type = TT_ENCR, .id = p->suite.encr, .key_bits = p->suite.encr_bits },
			{ .type = TT_PRF, .id = p->suite.prf },
			{ .type = TT_KE, .id = p->suite.group },
			{ .type = TT_ADDKE1, .id = p->suite.addke1 },
		},
	};
	struct ike_hdr hdr = { .major = IKE_MAJOR_VERSION, .exchange = EXCH_IKE_SA_INIT };
	struct msg_wr m;
	struct span message;

	hdr.flags = p->initiator ? IKE_FLAG_INITIATOR : IKE_FLAG_RESPONSE;
	memcpy(hdr.spi_i, p->spi_i, IKE_SPI_LEN);
	memcpy(hdr.spi_r, p->spi_r, IKE_SPI_LEN);
	m = msg_begin(scratch, sizeof scratch, &hdr);
	if (cookie.n > 0)
		pl_notify_write(&m, 0, span_of(NULL, 0), N_COOKIE, cookie);
	pl_sa_write(&m, &proposal, 1);
	pl_ke_write(&m, p->suite.group, dh_public(p->dh));
	pl_nonce_write(&m, span_of(p->nonce, sizeof p->nonce));
	if (!p->no_fragments)
		peer_write_notify(&m, N_IKEV2_FRAGMENTATION_SUPPORTED);
	if (!p->no_hashes)
		pl_notify_write(&m, 0, span_of(NULL, 0), N_SIGNATURE_HASH_ALGORITHMS,
				span_of(hashes, sizeof hashes));
	if (p->childless)
		peer_write_notify(&m, N_CHILDLESS_IKEV2_SUPPORTED);
	if (p->suite.addke1 && !p->no_intermediate)
		peer_write_notify(&m, N_INTERMEDIATE_EXCHANGE_SUPPORTED);
	if (p->believed.remote.addr.family != IP_NONE)
		must(natd_write(&m, p->spi_i, p->spi_r, &p->believed), "NAT detection");
	must(msg_end(&m, NULL, &message), "IKE_SA_INIT");
	keep(&p->init_own, message);
}

/* Its KE and nonce, and the keys. */
static void take_init(struct sim_peer *p, struct span datagram)
{
	const struct msg_payload *ke_payload, *nonce_payload;
	struct span nonce, own = span_of(p->nonce, sizeof p->nonce);
	struct dh_shared shared;
	struct msg_chain chain;
	struct ike_hdr hdr;
	struct pl_ke ke;

	must(ike_hdr_read(datagram, &hdr), "header");
	must(msg_chain_read(hdr.next_payload,
			    span_of(datagram.p + IKE_HDR_LEN, datagram.n - IKE_HDR_LEN), &chain),
	     "payloads");
	ke_payload = msg_find(&chain, PL_KE);
	nonce_payload = msg_find(&chain, PL_NONCE);
	must(ke_payload && nonce_payload ? IKE_OK : IKE_E_SYNTAX, "KE and nonce");
	must(pl_ke_read(ke_payload->body, &ke), "KE");
	must(pl_nonce_read(nonce_payload->body, &nonce), "nonce");
	memcpy(p->nonce_other, nonce.p, nonce.n);
	p->nonce_other_n = nonce.n;
	memcpy(p->initiator ? p->spi_r : p->spi_i, p->initiator ? hdr.spi_r : hdr.spi_i,
	       IKE_SPI_LEN);
	keep(&p->init_other, datagram);
	must(dh_agree(p->dh, ke.public_value, &shared), "key agreement");
	must(ike_keys_derive(&p->suite, &shared, p->initiator ? own : nonce,
			     p->initiator ? nonce : own, span_of(p->spi_i, IKE_SPI_LEN),
			     span_of(p->spi_r, IKE_SPI_LEN), &p->keys),
	     "keys");
	dh_shared_clear(&shared);
}

void peer_init_request(struct sim_peer *p, struct span cookie)
{
	write_init(p, cookie);
}

void peer_take_init_answer(struct sim_peer *p, struct span datagram)
{
	take_init(p, datagram);
}

void peer_answer_init(struct sim_peer *p, struct span datagram)
{
	take_init(p, datagram);
	write_init(p, span_of(NULL, 0));
}

void peer_init_notify(struct span datagram, uint16_t type, struct span value,
		      struct peer_message *out)
{
	struct ike_hdr hdr;
	struct span message;
	struct msg_wr m;

	must(ike_hdr_read(datagram, &hdr), "header");
	hdr.flags = IKE_FLAG_RESPONSE;
	m = msg_begin(scratch, sizeof scratch, &hdr);
	pl_notify_write(&m, 0, span_of(NULL, 0), type, value);
	must(msg_end(&m, NULL, &message), "notify");
	keep(out, message);
}

/* Protected messages --------------------------------------------------------------------------- */

struct msg_wr peer_inner(void)
{
	return msg_begin_inner(scratch, sizeof scratch);
}

static void seal_bytes(struct sim_peer *p, const struct ike_hdr *hdr, uint8_t first,
		       struct span inner, uint16_t number, uint16_t total, struct peer_message *out)
{
	struct seal_key key = {
		.suite = &p->suite,
		.encr = p->initiator ? &p->keys.ei : &p->keys.er,
		.integ = p->initiator ? &p->keys.ai : &p->keys.ar,
	};
	size_t sealed = seal_len(&p->suite, inner.n), head;
	struct msg_wr m = msg_begin(out->b, sizeof out->b, hdr);
	struct span message;

	if (total > 0)
		pl_skf_write(&m, first, number, total, sealed);
	else
		pl_sk_write(&m, first, sealed);
	must(msg_end(&m, NULL, &message), "message");
	out->n = message.n;
	head = out->n - sealed;
	must(seal(&key, p->iv++, span_of(out->b, head), inner, out->b + head, sealed), "seal");
}

static struct ike_hdr header(const struct sim_peer *p, uint8_t exchange, uint32_t id, bool response)
{
	struct ike_hdr hdr = { .major = IKE_MAJOR_VERSION, .exchange = exchange, .message_id = id };

	hdr.flags = (uint8_t)((p->initiator ? IKE_FLAG_INITIATOR : 0) |
			      (response ? IKE_FLAG_RESPONSE : 0));
	memcpy(hdr.spi_i, p->spi_i, IKE_SPI_LEN);
	memcpy(hdr.spi_r, p->spi_r, IKE_SPI_LEN);
	return hdr;
}

void peer_seal(struct sim_peer *p, uint8_t exchange, uint32_t id, bool response,
	       struct msg_wr *inner, struct peer_message *out)
{
	struct ike_hdr hdr = header(p, exchange, id, response);
	struct span bytes;
	uint8_t first;

	must(msg_end(inner, &first, &bytes), "inside of a message");
	seal_bytes(p, &hdr, first, bytes, 0, 0, out);
}

void peer_seal_fragment(struct sim_peer *p, uint8_t exchange, uint32_t id, bool response,
			uint8_t first, struct span part, uint16_t number, uint16_t total,
			struct peer_message *out)
{
	struct ike_hdr hdr = header(p, exchange, id, response);

	seal_bytes(p, &hdr, first, part, number, total, out);
}

bool peer_open(const struct sim_peer *p, struct span datagram, struct peer_message *plain,
	       struct msg_chain *chain)
{
	struct seal_key key = {
		.suite = &p->suite,
		.encr = p->initiator ? &p->keys.er : &p->keys.ei,
		.integ = p->initiator ? &p->keys.ar : &p->keys.ai,
	};
	struct msg_chain outer;
	struct ike_hdr hdr;
	struct span sealed, inner;

	if (ike_hdr_read(datagram, &hdr) != IKE_OK || hdr.next_payload != PL_SK ||
	    msg_chain_read(hdr.next_payload,
			   span_of(datagram.p + IKE_HDR_LEN, datagram.n - IKE_HDR_LEN),
			   &outer) != IKE_OK)
		return false;
	sealed = outer.payload[0].body;
	if (unseal(&key, span_of(datagram.p, (size_t)(sealed.p - datagram.p)), sealed, plain->b,
		   sizeof plain->b, &inner) != IKE_OK)
		return false;
	return msg_chain_read(outer.after, inner, chain) == IKE_OK;
}

/* IKE_INTERMEDIATE ----------------------------------------------------------------------------- */

void peer_covers(struct sim_peer *p, bool response, uint8_t first, struct span payloads)
{
	const struct secret *sk_p = response ? &p->keys.pr : &p->keys.pi;
	struct ike_hdr hdr = { .major = IKE_MAJOR_VERSION, .exchange = EXCH_IKE_INTERMEDIATE, .message_id = 1 };
	static uint8_t whole[PEER_MESSAGE_MAX];
	struct msg_wr m;
	struct span covered;

	/* As if neither IV nor checksum had a length: the bytes that pl_sk_write() leaves for them are the payloads. */
	hdr.flags = response ? IKE_FLAG_RESPONSE : IKE_FLAG_INITIATOR;
	memcpy(hdr.spi_i, p->spi_i, IKE_SPI_LEN);
	memcpy(hdr.spi_r, p->spi_r, IKE_SPI_LEN);
	m = msg_begin(whole, sizeof whole, &hdr);
	pl_sk_write(&m, first, payloads.n);
	must(msg_end(&m, NULL, &covered), "covered octets");
	memcpy(whole + covered.n - payloads.n, payloads.p, payloads.n);
	must(prf_sum(p->suite.prf, secret_span(sk_p), &covered, 1, response ? &p->int_auth_r : &p->int_auth_i), "IntAuth");
}

void peer_more_keys(struct sim_peer *p, const struct secret *shared)
{
	struct span own = span_of(p->nonce, sizeof p->nonce), other = span_of(p->nonce_other, p->nonce_other_n);
	struct secret sk_d = p->keys.d;
	struct wr w = wr_over(p->int_auth, sizeof p->int_auth);

	must(ike_keys_derive_more(&p->suite, &sk_d, shared, p->initiator ? own : other, p->initiator ? other : own,
				  span_of(p->spi_i, IKE_SPI_LEN), span_of(p->spi_r, IKE_SPI_LEN), &p->keys),
	     "more keys");
	wr_put(&w, secret_span(&p->int_auth_i));
	wr_put(&w, secret_span(&p->int_auth_r));
	wr_u32(&w, 2);
	p->int_auth_n = w.n;
}

/* Payloads ------------------------------------------------------------------------------------- */

void peer_write_notify(struct msg_wr *m, uint16_t type)
{
	pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), type, span_of(NULL, 0));
}

static void maced_id(const struct sim_peer *p, uint8_t id_type, struct span id, struct secret *out)
{
	uint8_t body[512];
	struct wr w = wr_over(body, sizeof body);

	pl_id_body(&w, id_type, id);
	must(auth_maced_id(p->suite.prf, p->initiator ? &p->keys.pi : &p->keys.pr, wr_span(&w),
			   out),
	     "MACed ID");
}

void peer_write_auth_null(const struct sim_peer *p, struct msg_wr *m, uint8_t id_type,
			  struct span id)
{
	struct secret mac = { 0 }, value = { 0 };

	maced_id(p, id_type, id, &mac);
	must(auth_null(p->suite.prf, p->initiator ? &p->keys.pi : &p->keys.pr,
		       peer_span(&p->init_own), span_of(p->nonce_other, p->nonce_other_n), &mac,
		       span_of(p->int_auth, p->int_auth_n), &value),
	     "AUTH");
	pl_auth_write(m, AUTH_NULL, secret_span(&value));
}

void peer_write_auth_signed(const struct sim_peer *p, struct msg_wr *m, const struct privkey *key,
			    uint8_t id_type, struct span id)
{
	struct secret mac = { 0 };
	uint8_t value[1024], method;
	struct wr w = wr_over(value, sizeof value);
	struct span parts[4] = { peer_span(&p->init_own),
				 span_of(p->nonce_other, p->nonce_other_n) };

	maced_id(p, id_type, id, &mac);
	parts[2] = secret_span(&mac);
	parts[3] = span_of(p->int_auth, p->int_auth_n);
	must(privkey_sign(key, 1u << HASH_SHA2_256 | 1u << HASH_SHA2_512 | 1u << HASH_IDENTITY,
			  parts, 4, &method, &w),
	     "signature");
	pl_auth_write(m, method, wr_span(&w));
}

bool peer_verifies(const struct sim_peer *p, const struct msg_chain *inner, const struct keyset *keys, uint8_t *method)
{
	const struct msg_payload *id_payload = msg_find(inner, p->initiator ? PL_IDR : PL_IDI);
	const struct msg_payload *auth_payload = msg_find(inner, PL_AUTH);
	const struct secret *sk_p = p->initiator ? &p->keys.pr : &p->keys.pi;
	struct secret mac = { 0 };
	struct pl_auth auth;
	struct pl_id id;
	struct span parts[4] = { peer_span(&p->init_other), span_of(p->nonce, sizeof p->nonce) };
	unsigned which;

	*method = 0;
	if (!id_payload || !auth_payload)
		return false;
	must(pl_id_read(id_payload->body, &id), "identity");
	must(pl_auth_read(auth_payload->body, &auth), "AUTH");
	must(auth_maced_id(p->suite.prf, sk_p, id.rest_of_id, &mac), "MACed ID");
	parts[2] = secret_span(&mac);
	parts[3] = span_of(p->int_auth, p->int_auth_n);
	*method = auth.method;
	return keyset_verify(keys, auth.method, auth.value, parts, 4, &which) == IKE_OK;
}

static void write_child(struct msg_wr *m, uint32_t spi, const struct pl_selector *i, const struct ip_addr *r)
{
	struct pl_proposal proposal = {
		.number = 1,
		.protocol = PROTO_ESP,
		.spi_len = 4,
		.n = 2,
		.spi = { (uint8_t)(spi >> 24), (uint8_t)(spi >> 16), (uint8_t)(spi >> 8),
			 (uint8_t)spi },
		.transform = { { .type = TT_ENCR, .id = ENCR_AES_GCM_16, .key_bits = 256 },
			       { .type = TT_ESN, .id = 1 } },
	};
	struct pl_selector tsr = { .family = r->family, .port_last = UINT16_MAX, .first = *r, .last = *r };

	pl_sa_write(m, &proposal, 1);
	pl_ts_write(m, PL_TSI, i, 1);
	pl_ts_write(m, PL_TSR, &tsr, 1);
}

void peer_write_child(struct msg_wr *m, uint32_t spi, const struct ip_addr *i,
		      const struct ip_addr *r)
{
	struct pl_selector tsi = { .family = i->family, .port_last = UINT16_MAX, .first = *i, .last = *i };

	write_child(m, spi, &tsi, r);
}

void peer_write_child_any(struct msg_wr *m, uint32_t spi, const struct ip_addr *r)
{
	struct pl_selector tsi = { .family = r->family, .port_last = UINT16_MAX, .first.family = r->family, .last.family = r->family };

	memset(tsi.last.b, 0xff, r->family == IP_V4 ? 4 : 16);
	write_child(m, spi, &tsi, r);
}
