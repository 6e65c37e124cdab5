/* Our proposals, the choice among a peer's, and the check of its answer. */
#include "tests/unit/walk.h"

#include "ike/choose.h"

struct body {
	uint8_t b[2048];
	size_t n;
};

static struct span body_span(const struct body *b)
{
	return span_of(b->b, b->n);
}

static struct body body_of(const struct pl_proposal *p, unsigned n)
{
	struct body out;
	uint8_t buffer[sizeof out.b];
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct span all;

	pl_sa_write(&m, p, n);
	assert_int_equal(msg_end(&m, NULL, &all), IKE_OK);
	out.n = all.n - 4;
	memcpy(out.b, all.p + 4, out.n);
	return out;
}

static struct body offer_body(const struct offer *o)
{
	return body_of(o->proposal, o->n);
}

static const struct span no_spi = { NULL, 0 };
static const uint8_t new_spi[8] = { 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8 };

/* Transforms by short names, for readable cases. */
#define T(type_, id_, bits_) { .type = (type_), .id = (id_), .key_bits = (bits_) }
#define GCM256 T(TT_ENCR, ENCR_AES_GCM_16, 256)
#define GCM128 T(TT_ENCR, ENCR_AES_GCM_16, 128)
#define CHACHA T(TT_ENCR, ENCR_CHACHA20_POLY1305, 0)
#define CBC256 T(TT_ENCR, ENCR_AES_CBC, 256)
#define CBC128 T(TT_ENCR, ENCR_AES_CBC, 128)
#define TRIPLE_DES T(TT_ENCR, 3, 0)
#define PRF256 T(TT_PRF, PRF_HMAC_SHA2_256, 0)
#define PRF512 T(TT_PRF, PRF_HMAC_SHA2_512, 0)
#define PRF_SHA1 T(TT_PRF, 2, 0)
#define SHA256 T(TT_INTEG, INTEG_HMAC_SHA2_256_128, 0)
#define SHA1 T(TT_INTEG, 2, 0)
#define NO_INTEG T(TT_INTEG, INTEG_NONE, 0)
#define X25519 T(TT_KE, GROUP_X25519, 0)
#define P256 T(TT_KE, GROUP_ECP_256, 0)
#define MODP2048 T(TT_KE, GROUP_MODP_2048, 0)
#define MODP1024 T(TT_KE, 2, 0)
#define NO_KE T(TT_KE, 0, 0)
#define ESN T(TT_ESN, 1, 0)
#define NO_ESN T(TT_ESN, 0, 0)
#define COUNT(...) (sizeof (struct pl_transform[]){ __VA_ARGS__ } / sizeof (struct pl_transform))
#define IKE(number_, ...) { .number = (number_), .protocol = PROTO_IKE, .transform = { __VA_ARGS__ }, .n = COUNT(__VA_ARGS__) }
#define ESP(number_, ...) { .number = (number_), .protocol = PROTO_ESP, .spi_len = 4, .spi = { 0xc0, 0xff, 0xee, 1 }, \
			    .transform = { __VA_ARGS__ }, .n = COUNT(__VA_ARGS__) }

static bool proposal_has(const struct pl_proposal *p, uint8_t type, uint16_t id, uint16_t bits)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->transform[i].type == type && p->transform[i].id == id && p->transform[i].key_bits == bits)
			return true;
	return false;
}

/* Offering */

/* The bytes that leave, so that a change of what we offer is seen. */
static void ike_offer_as_on_the_wire(void **state)
{
	struct offer o;
	struct body b;

	(void)state;
	offer_ike(&o, 0, no_spi);
	b = offer_body(&o);
	assert_span(body_span(&b),
		    "02 00 0048 01 01 00 07"
		    "03 00 000c 01 00 0014 800e 0100  03 00 000c 01 00 0014 800e 0080  03 00 0008 01 00 001c"
		    "03 00 0008 02 00 0005  03 00 0008 02 00 0006  03 00 0008 02 00 0007"
		    "00 00 0008 04 00 001f"
		    "02 00 0068 02 01 00 0b"
		    "03 00 000c 01 00 0014 800e 0100  03 00 000c 01 00 0014 800e 0080  03 00 0008 01 00 001c"
		    "03 00 0008 02 00 0005  03 00 0008 02 00 0006  03 00 0008 02 00 0007"
		    "03 00 0008 04 00 001f  03 00 0008 04 00 0013  03 00 0008 04 00 0014  03 00 0008 04 00 000e"
		    "00 00 0008 04 00 000f"
		    "00 00 005c 03 01 00 0a"
		    "03 00 000c 01 00 000c 800e 0100"
		    "03 00 0008 02 00 0005  03 00 0008 02 00 0006  03 00 0008 02 00 0007"
		    "03 00 0008 03 00 000c"
		    "03 00 0008 04 00 001f  03 00 0008 04 00 0013  03 00 0008 04 00 0014  03 00 0008 04 00 000e"
		    "00 00 0008 04 00 000f");
}

/* One more proposal before the others, which are as without it but for their numbers. */
static void hybrid_offer_stands_before_the_others(void **state)
{
	struct offer o, plain;
	struct body b;

	(void)state;
	offer_ike(&plain, GROUP_ECP_256, no_spi);
	offer_ike(&o, GROUP_ECP_256, no_spi);
	offer_hybrid(&o);
	b = body_of(o.proposal, 1);
	assert_span(body_span(&b),
		    "00 00 0050 01 01 00 08"
		    "03 00 000c 01 00 0014 800e 0100  03 00 000c 01 00 0014 800e 0080  03 00 0008 01 00 001c"
		    "03 00 0008 02 00 0005  03 00 0008 02 00 0006  03 00 0008 02 00 0007"
		    "03 00 0008 04 00 0013  00 00 0008 06 00 0024");
	assert_int_equal(o.n, plain.n + 1);
	for (unsigned i = 0; i < plain.n; i++) {
		assert_int_equal(o.proposal[i + 1].number, i + 2);
		o.proposal[i + 1].number = plain.proposal[i].number;
		assert_memory_equal(&o.proposal[i + 1], &plain.proposal[i], sizeof plain.proposal[i]);
	}
}

static void esp_offer_as_on_the_wire(void **state)
{
	struct offer o;
	struct body b;

	(void)state;
	offer_esp(&o, 0xc0ffee01);
	b = offer_body(&o);
	assert_span(body_span(&b),
		    "02 00 003c 01 03 04 05 c0ffee01"
		    "03 00 000c 01 00 0014 800e 0100  03 00 000c 01 00 0014 800e 0080  03 00 0008 01 00 001c"
		    "03 00 0008 05 00 0001  00 00 0008 05 00 0000"
		    "00 00 0030 02 03 04 04 c0ffee01"
		    "03 00 000c 01 00 000c 800e 0100  03 00 0008 03 00 000c  03 00 0008 05 00 0001  00 00 0008 05 00 0000");
}

/* All that we offer is something that the crypto layer does. */
static void everything_offered_is_supported(void **state)
{
	struct offer o[3];

	(void)state;
	offer_ike(&o[0], 0, no_spi);
	offer_esp(&o[1], 0x1000);
	offer_ike(&o[2], 0, no_spi);
	offer_hybrid(&o[2]);
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned i = 0; i < o[k].n; i++) {
			for (unsigned t = 0; t < o[k].proposal[i].n; t++) {
				const struct pl_transform *x = &o[k].proposal[i].transform[t];

				assert_true(suite_supports((enum ike_transform_type)x->type, x->id, x->key_bits));
			}
		}
	}
}

/* Alone in the first proposal, before the others in the rest. */
static void group_of_the_ke_payload_goes_first(void **state)
{
	static const uint16_t all[] = { GROUP_X25519, GROUP_ECP_256, GROUP_ECP_384, GROUP_MODP_2048, GROUP_MODP_3072 };
	struct offer o;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		offer_ike(&o, all[i], no_spi);
		assert_int_equal(o.proposal[0].n, 7);
		assert_int_equal(o.proposal[1].n, 11);
		assert_int_equal(o.proposal[1].transform[6].id, all[i]);
		for (unsigned k = 0; k < 5; k++) {
			assert_int_equal(proposal_has(&o.proposal[0], TT_KE, all[k], 0), k == i);
			assert_true(proposal_has(&o.proposal[1], TT_KE, all[k], 0));
			assert_true(proposal_has(&o.proposal[2], TT_KE, all[k], 0));
			assert_true(offer_has_group(&o, all[k]));
		}
	}
	assert_false(offer_has_group(&o, 0));
	assert_false(offer_has_group(&o, 2));
	offer_ike(&o, 2, no_spi);
	assert_int_equal(o.proposal[0].transform[6].id, GROUP_X25519);
	assert_false(offer_has_group(&o, 2));
}

/* Choosing */

struct ike_case {
	const char *what;
	struct pl_proposal p[3];
	unsigned n;
	uint16_t ke_group;
	enum ike_err err;
	uint8_t number;
	struct ike_suite suite;
};

static const struct ike_case ike_cases[] = {
	{ "our preference inside a proposal", { IKE(1, CHACHA, GCM128, GCM256, PRF512, PRF256, MODP2048, P256, X25519) }, 1, 0,
	  IKE_OK, 1, { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 } },
	{ "the group of the KE payload", { IKE(1, GCM256, PRF256, X25519, MODP2048) }, 1, GROUP_MODP_2048,
	  IKE_OK, 1, { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_MODP_2048, 0 } },
	{ "not when it is not in the proposal", { IKE(1, GCM256, PRF256, X25519) }, 1, GROUP_ECP_256,
	  IKE_OK, 1, { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 } },
	{ "nor when it is one that we do not do", { IKE(1, GCM256, PRF256, MODP1024, P256) }, 1, 2,
	  IKE_OK, 1, { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_ECP_256, 0 } },
	{ "the peer's order of proposals", { IKE(1, CBC256, PRF256, SHA256, P256), IKE(2, GCM256, PRF256, X25519) }, 2, 0,
	  IKE_OK, 1, { ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, INTEG_HMAC_SHA2_256_128, GROUP_ECP_256, 0 } },
	{ "ChaCha20 counts as 256", { IKE(1, CHACHA, PRF256, X25519) }, 1, 0,
	  IKE_OK, 1, { ENCR_CHACHA20_POLY1305, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 } },
	{ "an AEAD with INTEG NONE", { IKE(1, GCM256, PRF256, NO_INTEG, X25519) }, 1, 0,
	  IKE_OK, 1, { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 } },
	{ "an AEAD with real INTEG only", { IKE(1, GCM256, PRF256, SHA256, X25519) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "AEAD and CBC mixed, with INTEG NONE", { IKE(1, GCM256, CBC256, PRF256, SHA256, NO_INTEG, X25519) }, 1, 0,
	  IKE_OK, 1, { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 } },
	{ "AEAD and CBC mixed, without it", { IKE(1, GCM256, CBC256, PRF256, SHA256, X25519) }, 1, 0,
	  IKE_OK, 1, { ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, INTEG_HMAC_SHA2_256_128, GROUP_X25519, 0 } },
	{ "CBC without INTEG", { IKE(1, CBC256, PRF256, X25519) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "CBC with INTEG NONE", { IKE(1, CBC256, PRF256, NO_INTEG, X25519) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "CBC-128", { IKE(1, CBC128, PRF256, SHA256, X25519) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "SHA-1", { IKE(1, CBC256, PRF256, SHA1, X25519), IKE(2, CBC256, PRF_SHA1, SHA256, X25519) }, 2, 0,
	  IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "3DES passed over", { IKE(1, TRIPLE_DES, PRF256, SHA256, X25519), IKE(2, GCM128, PRF256, X25519) }, 2, 0,
	  IKE_OK, 2, { ENCR_AES_GCM_16, 128, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 } },
	{ "no cipher", { IKE(1, PRF256, X25519) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "no PRF", { IKE(1, GCM256, X25519) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "no group", { IKE(1, GCM256, PRF256) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "group NONE", { IKE(1, GCM256, PRF256, NO_KE) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "1024 bit group", { IKE(1, GCM256, PRF256, MODP1024) }, 1, 2, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "AES-GCM without key length", { IKE(1, T(TT_ENCR, ENCR_AES_GCM_16, 0), PRF256, X25519) }, 1, 0,
	  IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "unknown transform type passed over (RFC 9370)",
	  { IKE(1, GCM256, PRF256, X25519, T(6, 36, 0)), IKE(2, GCM256, PRF256, X25519) }, 2, 0,
	  IKE_OK, 2, { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 } },
	{ "transform type 240 passed over", { IKE(1, GCM256, PRF256, X25519, T(240, 1, 0)) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "ESN has no meaning for IKE", { IKE(1, GCM256, PRF256, X25519, NO_ESN) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "the right transforms for another protocol",
	  { { .number = 1, .protocol = PROTO_AH, .transform = { GCM256, PRF256, X25519 }, .n = 3 } }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "ESP is not IKE", { ESP(1, GCM256, NO_ESN) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
};

static void check_ike_case(const struct ike_case *c)
{
	struct body b = body_of(c->p, c->n);
	struct ike_choice out;
	enum ike_err err = choose_ike(body_span(&b), c->ke_group, false, &out);

	if (err != c->err)
		fail_msg("%s: %d", c->what, (int)err);
	if (out.answer.number != c->number || memcmp(&out.suite, &c->suite, sizeof c->suite) != 0)
		fail_msg("%s: proposal %u: cipher %u/%u prf %u integ %u group %u", c->what, out.answer.number,
			 out.suite.encr, out.suite.encr_bits, out.suite.prf, out.suite.integ, out.suite.group);
}

static void ike_choices(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof ike_cases / sizeof *ike_cases; i++)
		check_ike_case(&ike_cases[i]);
}

#define MLKEM768 T(TT_ADDKE1, GROUP_MLKEM_768, 0)
#define MLKEM1024 T(TT_ADDKE1, 37, 0)
#define NO_ADDKE1 T(TT_ADDKE1, 0, 0)
#define GCM_X25519 ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519

/* When both ends can do an additional key exchange. */
static const struct ike_case hybrid_cases[] = {
	{ "ML-KEM-768", { IKE(1, GCM256, PRF256, X25519, MLKEM768), IKE(2, GCM256, PRF256, X25519) }, 2, 0,
	  IKE_OK, 1, { GCM_X25519, GROUP_MLKEM_768 } },
	{ "in the peer's order of proposals", { IKE(1, GCM256, PRF256, X25519), IKE(2, GCM256, PRF256, X25519, MLKEM768) }, 2, 0,
	  IKE_OK, 1, { GCM_X25519, 0 } },
	{ "ours among several", { IKE(1, GCM256, PRF256, X25519, NO_ADDKE1, MLKEM1024, MLKEM768) }, 1, 0,
	  IKE_OK, 1, { GCM_X25519, GROUP_MLKEM_768 } },
	{ "another or none", { IKE(1, GCM256, PRF256, X25519, MLKEM1024, NO_ADDKE1) }, 1, 0, IKE_OK, 1, { GCM_X25519, 0 } },
	{ "another", { IKE(1, GCM256, PRF256, X25519, MLKEM1024), IKE(2, GCM256, PRF256, X25519) }, 2, 0,
	  IKE_OK, 2, { GCM_X25519, 0 } },
	{ "two of them", { IKE(1, GCM256, PRF256, X25519, MLKEM768, T(7, 37, 0)), IKE(2, GCM256, PRF256, X25519) }, 2, 0,
	  IKE_OK, 2, { GCM_X25519, 0 } },
	{ "as the first key exchange", { IKE(1, GCM256, PRF256, T(TT_KE, GROUP_MLKEM_768, 0)) }, 1, GROUP_MLKEM_768,
	  IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "alone", { IKE(1, GCM256, PRF256, MLKEM768) }, 1, 0, IKE_E_NO_PROPOSAL, 0, { 0 } },
};

static void hybrid_choices(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof hybrid_cases / sizeof *hybrid_cases; i++) {
		const struct ike_case *c = &hybrid_cases[i];
		struct body b = body_of(c->p, c->n);
		struct ike_choice out;
		enum ike_err err = choose_ike_hybrid(body_span(&b), c->ke_group, false, &out);

		if (err != c->err || out.answer.number != c->number || memcmp(&out.suite, &c->suite, sizeof c->suite) != 0)
			fail_msg("%s: %d, proposal %u, additional %u", c->what, (int)err, out.answer.number,
				 out.suite.addke1);
	}
}

struct esp_case {
	const char *what;
	struct pl_proposal p[3];
	unsigned n;
	enum ike_err err;
	uint8_t number;
	struct esp_suite suite;
};

static const struct esp_case esp_cases[] = {
	{ "our preference", { ESP(1, CHACHA, GCM256, NO_ESN, ESN) }, 1, IKE_OK, 1, { ENCR_AES_GCM_16, 256, INTEG_NONE, true } },
	{ "without ESN", { ESP(1, CHACHA, NO_ESN) }, 1, IKE_OK, 1, { ENCR_CHACHA20_POLY1305, 256, INTEG_NONE, false } },
	{ "CBC", { ESP(1, CBC256, SHA256, NO_ESN) }, 1, IKE_OK, 1, { ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128, false } },
	{ "group NONE", { ESP(1, GCM256, X25519, NO_KE, NO_ESN) }, 1, IKE_OK, 1, { ENCR_AES_GCM_16, 256, INTEG_NONE, false } },
	{ "a group in IKE_AUTH", { ESP(1, GCM256, X25519, NO_ESN), ESP(2, GCM256, NO_ESN) }, 2,
	  IKE_OK, 2, { ENCR_AES_GCM_16, 256, INTEG_NONE, false } },
	{ "no word about ESN", { ESP(1, GCM256) }, 1, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "an additional key exchange passed over", { ESP(1, GCM256, X25519, MLKEM768, NO_ESN), ESP(2, GCM256, NO_ESN) }, 2,
	  IKE_OK, 2, { ENCR_AES_GCM_16, 256, INTEG_NONE, false } },
	{ "a PRF", { ESP(1, GCM256, PRF256, NO_ESN) }, 1, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "null encryption", { ESP(1, T(TT_ENCR, 11, 0), SHA256, NO_ESN) }, 1, IKE_E_NO_PROPOSAL, 0, { 0 } },
	{ "CBC without INTEG", { ESP(1, CBC256, NO_ESN) }, 1, IKE_E_NO_PROPOSAL, 0, { 0 } },
};

static void esp_choices(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof esp_cases / sizeof *esp_cases; i++) {
		const struct esp_case *c = &esp_cases[i];
		struct body b = body_of(c->p, c->n);
		struct esp_choice out;

		if (choose_esp(body_span(&b), &out) != c->err)
			fail_msg("%s", c->what);
		assert_int_equal(out.answer.number, c->number);
		assert_int_equal(out.peer_spi, c->err ? 0 : 0xc0ffee01);
		if (out.suite.encr != c->suite.encr || out.suite.encr_bits != c->suite.encr_bits ||
		    out.suite.integ != c->suite.integ || out.suite.esn != c->suite.esn)
			fail_msg("%s", c->what);
	}
}

static void ah_and_reserved_spis_are_passed_over(void **state)
{
	struct pl_proposal p = ESP(1, GCM256, NO_ESN);
	struct esp_choice out;
	struct body b;

	(void)state;
	memcpy(p.spi, "\0\0\0\377", 4);
	b = body_of(&p, 1);
	assert_int_equal(choose_esp(body_span(&b), &out), IKE_E_NO_PROPOSAL);
	memcpy(p.spi, "\0\0\1\0", 4);
	b = body_of(&p, 1);
	assert_int_equal(choose_esp(body_span(&b), &out), IKE_OK);
	assert_int_equal(out.peer_spi, 256);
	p.spi_len = 8;
	b = body_of(&p, 1);
	assert_int_equal(choose_esp(body_span(&b), &out), IKE_E_NO_PROPOSAL);
	p.spi_len = 0;
	b = body_of(&p, 1);
	assert_int_equal(choose_esp(body_span(&b), &out), IKE_E_NO_PROPOSAL);
	p.spi_len = 4;
	p.protocol = PROTO_AH;
	b = body_of(&p, 1);
	assert_int_equal(choose_esp(body_span(&b), &out), IKE_E_NO_PROPOSAL);
}

static void spi_belongs_to_rekeying_and_only_there(void **state)
{
	struct offer o;
	struct body without, with;
	struct ike_choice out;

	(void)state;
	offer_ike(&o, 0, no_spi);
	without = offer_body(&o);
	offer_ike(&o, 0, span_of(new_spi, 8));
	with = offer_body(&o);
	assert_int_equal(choose_ike(body_span(&without), 0, true, &out), IKE_E_NO_PROPOSAL);
	assert_int_equal(choose_ike(body_span(&with), 0, false, &out), IKE_E_NO_PROPOSAL);
	assert_int_equal(choose_ike(body_span(&without), 0, false, &out), IKE_OK);
	assert_int_equal(choose_ike(body_span(&with), 0, true, &out), IKE_OK);
	assert_memory_equal(out.peer_spi, new_spi, 8);
	offer_ike(&o, 0, span_of("\0\0\0\0\0\0\0\0", 8));
	with = offer_body(&o);
	assert_int_equal(choose_ike(body_span(&with), 0, true, &out), IKE_E_NO_PROPOSAL);
}

static void transform_with_an_unknown_attribute_is_never_chosen(void **state)
{
	/* AES-GCM-256 with attribute 15, AES-GCM-128, PRF, X25519 */
	struct unit_bytes b = unit_hex("00 00 0034 01 01 00 04 03 00 0010 01 00 0014 800e 0100 800f 0001"
				       "03 00 000c 01 00 0014 800e 0080 03 00 0008 02 00 0005 00 00 0008 04 00 001f");
	struct ike_choice out;

	(void)state;
	assert_int_equal(choose_ike(unit_span(&b), 0, false, &out), IKE_OK);
	assert_int_equal(out.suite.encr_bits, 128);
}

/* One good proposal does not excuse rubbish behind it. */
static void malformed_payload_is_refused_as_a_whole(void **state)
{
	struct pl_proposal p[2] = { IKE(1, GCM256, PRF256, X25519), IKE(2, GCM256, PRF256, X25519) };
	struct body b = body_of(p, 2);
	struct ike_choice out;

	(void)state;
	for (size_t n = 0; n < b.n; n++) {
		assert_int_equal(choose_ike(span_of(b.b, n), 0, false, &out), IKE_E_SYNTAX);
		assert_int_equal(out.suite.encr, 0);
	}
}

static void proposal_with_too_many_transforms_is_passed_over(void **state)
{
	struct unit_bytes b = { 0 };
	struct wr w = wr_over(b.b, sizeof b.b);
	struct pl_proposal good = IKE(2, GCM256, PRF256, X25519);
	struct body second = body_of(&good, 1);
	struct ike_choice out;

	(void)state;
	wr_u16(&w, 0x0200);
	wr_u16(&w, 8 + 8 * 200);
	wr_u32(&w, 0x010100c8);
	for (unsigned i = 0; i < 200; i++) {
		wr_u32(&w, i < 199 ? 0x03000008 : 0x00000008);
		wr_u32(&w, 0x0400001f);
	}
	wr_put(&w, body_span(&second));
	assert_int_equal(choose_ike(wr_span(&w), 0, false, &out), IKE_OK);
	assert_int_equal(out.answer.number, 2);
}

/* Our own two ends */

static void what_we_choose_from_our_offer_passes_our_check(void **state)
{
	static const uint16_t all[] = { GROUP_X25519, GROUP_ECP_256, GROUP_ECP_384, GROUP_MODP_2048, GROUP_MODP_3072 };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct offer o;
		struct ike_choice chosen, checked;
		struct body b;

		offer_ike(&o, all[i], no_spi);
		b = offer_body(&o);
		assert_int_equal(choose_ike(body_span(&b), all[i], false, &chosen), IKE_OK);
		assert_int_equal(chosen.suite.group, all[i]);
		b = body_of(&chosen.answer, 1);
		assert_int_equal(offer_check_ike(&o, body_span(&b), false, &checked), IKE_OK);
		assert_memory_equal(&checked.suite, &chosen.suite, sizeof chosen.suite);
	}
}

/* The hybrid proposal is taken by one who can and passed over by one who cannot; its answer must say which KEM. */
static void hybrid_offer_falls_through(void **state)
{
	struct ike_choice chosen, checked;
	struct offer o;
	struct body b;

	(void)state;
	offer_ike(&o, 0, no_spi);
	offer_hybrid(&o);
	b = offer_body(&o);
	assert_int_equal(choose_ike(body_span(&b), GROUP_X25519, false, &chosen), IKE_OK);
	assert_int_equal(chosen.answer.number, 2);
	assert_int_equal(chosen.suite.addke1, 0);
	assert_int_equal(choose_ike_hybrid(body_span(&b), GROUP_X25519, false, &chosen), IKE_OK);
	assert_int_equal(chosen.answer.number, 1);
	b = body_of(&chosen.answer, 1);
	assert_int_equal(offer_check_ike(&o, body_span(&b), false, &checked), IKE_OK);
	assert_int_equal(checked.suite.addke1, GROUP_MLKEM_768);
	chosen.answer.transform[--chosen.answer.n].id = 0;
	b = body_of(&chosen.answer, 1);
	assert_int_equal(offer_check_ike(&o, body_span(&b), false, &checked), IKE_E_NO_PROPOSAL);
	chosen.answer.n++;
	b = body_of(&chosen.answer, 1);
	assert_int_equal(offer_check_ike(&o, body_span(&b), false, &checked), IKE_E_NO_PROPOSAL);
}

static void spis_cross_when_rekeying(void **state)
{
	static const uint8_t theirs[8] = { 9, 8, 7, 6, 5, 4, 3, 2 };
	struct offer o;
	struct ike_choice chosen, checked;
	struct body b;

	(void)state;
	offer_ike(&o, 0, span_of(new_spi, 8));
	b = offer_body(&o);
	assert_int_equal(choose_ike(body_span(&b), 0, true, &chosen), IKE_OK);
	choice_set_ike_spi(&chosen, theirs);
	b = body_of(&chosen.answer, 1);
	assert_int_equal(offer_check_ike(&o, body_span(&b), true, &checked), IKE_OK);
	assert_memory_equal(checked.peer_spi, theirs, 8);
	assert_int_equal(offer_check_ike(&o, body_span(&b), false, &checked), IKE_E_NO_PROPOSAL);
}

static void esp_spis_cross(void **state)
{
	struct offer o;
	struct esp_choice chosen, checked;
	struct body b;

	(void)state;
	offer_esp(&o, 0xc0ffee01);
	b = offer_body(&o);
	assert_int_equal(choose_esp(body_span(&b), &chosen), IKE_OK);
	assert_int_equal(chosen.peer_spi, 0xc0ffee01);
	choice_set_esp_spi(&chosen, 0xdecade02);
	b = body_of(&chosen.answer, 1);
	assert_int_equal(offer_check_esp(&o, body_span(&b), &checked), IKE_OK);
	assert_int_equal(checked.peer_spi, 0xdecade02);
	assert_int_equal(checked.suite.encr, chosen.suite.encr);
	assert_true(checked.suite.esn);
	choice_set_esp_spi(&chosen, 255);
	b = body_of(&chosen.answer, 1);
	assert_int_equal(offer_check_esp(&o, body_span(&b), &checked), IKE_E_NO_PROPOSAL);
}

/* Checking answers */

struct answer_case {
	const char *what;
	struct pl_proposal p[2];
	unsigned n;
	enum ike_err err;
};

static void check_answers(const struct answer_case *cases, size_t n, const struct offer *o, bool esp)
{
	for (size_t i = 0; i < n; i++) {
		struct body b = body_of(cases[i].p, cases[i].n);
		struct ike_choice ike;
		struct esp_choice child;
		enum ike_err err = esp ? offer_check_esp(o, body_span(&b), &child)
				       : offer_check_ike(o, body_span(&b), false, &ike);

		if (err != cases[i].err)
			fail_msg("%s: %d", cases[i].what, (int)err);
	}
}

static void ike_answers(void **state)
{
	static const struct answer_case cases[] = {
		{ "the first", { IKE(1, GCM128, PRF512, X25519) }, 1, IKE_OK },
		{ "a group of the next one", { IKE(1, GCM128, PRF512, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "one of each", { IKE(2, GCM128, PRF512, P256) }, 1, IKE_OK },
		{ "in another order", { IKE(2, P256, PRF512, CHACHA) }, 1, IKE_OK },
		{ "with INTEG NONE", { IKE(2, GCM128, PRF512, NO_INTEG, P256) }, 1, IKE_OK },
		{ "with INTEG NONE twice", { IKE(2, GCM128, PRF512, NO_INTEG, NO_INTEG, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "the last", { IKE(3, CBC256, PRF256, SHA256, MODP2048) }, 1, IKE_OK },
		{ "two proposals", { IKE(2, GCM128, PRF512, P256), IKE(3, CBC256, PRF256, SHA256, P256) }, 2, IKE_E_NO_PROPOSAL },
		{ "a number not offered", { IKE(4, GCM128, PRF512, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "the wrong number", { IKE(3, GCM128, PRF512, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "two ciphers", { IKE(2, GCM128, GCM256, PRF512, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "the same twice", { IKE(2, GCM128, PRF512, P256, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "no group", { IKE(2, GCM128, PRF512) }, 1, IKE_E_NO_PROPOSAL },
		{ "no PRF", { IKE(2, GCM128, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "no INTEG", { IKE(3, CBC256, PRF256, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "INTEG NONE with CBC", { IKE(3, CBC256, PRF256, NO_INTEG, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "INTEG with an AEAD", { IKE(2, GCM128, PRF512, SHA256, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "weaker cipher", { IKE(2, CBC128, PRF512, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "3DES", { IKE(3, TRIPLE_DES, PRF256, SHA256, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "weaker group", { IKE(2, GCM128, PRF512, MODP1024) }, 1, IKE_E_NO_PROPOSAL },
		{ "group NONE", { IKE(2, GCM128, PRF512, NO_KE) }, 1, IKE_E_NO_PROPOSAL },
		{ "another key length", { IKE(2, T(TT_ENCR, ENCR_AES_GCM_16, 192), PRF512, P256) }, 1, IKE_E_NO_PROPOSAL },
		{ "a type not offered", { IKE(2, GCM128, PRF512, P256, NO_ESN) }, 1, IKE_E_NO_PROPOSAL },
		{ "another protocol", { ESP(1, GCM128, NO_ESN) }, 1, IKE_E_NO_PROPOSAL },
		{ "nothing", { { .number = 2, .protocol = PROTO_IKE } }, 1, IKE_E_NO_PROPOSAL },
	};
	struct offer o;

	(void)state;
	offer_ike(&o, 0, no_spi);
	check_answers(cases, sizeof cases / sizeof *cases, &o, false);
}

static void esp_answers(void **state)
{
	static const struct answer_case cases[] = {
		{ "with ESN", { ESP(1, GCM256, ESN) }, 1, IKE_OK },
		{ "without ESN", { ESP(1, CHACHA, NO_ESN) }, 1, IKE_OK },
		{ "CBC", { ESP(2, CBC256, SHA256, NO_ESN) }, 1, IKE_OK },
		{ "with group NONE", { ESP(1, GCM256, NO_KE, ESN) }, 1, IKE_OK },
		{ "with a group", { ESP(1, GCM256, X25519, ESN) }, 1, IKE_E_NO_PROPOSAL },
		{ "no word about ESN", { ESP(1, GCM256) }, 1, IKE_E_NO_PROPOSAL },
		{ "both", { ESP(1, GCM256, ESN, NO_ESN) }, 1, IKE_E_NO_PROPOSAL },
		{ "INTEG with an AEAD", { ESP(1, GCM256, SHA256, ESN) }, 1, IKE_E_NO_PROPOSAL },
		{ "null encryption", { ESP(2, T(TT_ENCR, 11, 0), SHA256, ESN) }, 1, IKE_E_NO_PROPOSAL },
		{ "CBC without INTEG", { ESP(2, CBC256, ESN) }, 1, IKE_E_NO_PROPOSAL },
		{ "IKE", { IKE(1, GCM256, ESN) }, 1, IKE_E_NO_PROPOSAL },
	};
	struct offer o;

	(void)state;
	offer_esp(&o, 0x1000);
	check_answers(cases, sizeof cases / sizeof *cases, &o, true);
}

static void answer_with_an_unknown_attribute_is_refused(void **state)
{
	struct unit_bytes b = unit_hex("00 00 0028 01 01 00 03 03 00 0010 01 00 0014 800e 0100 800f 0001"
				       "03 00 0008 02 00 0005 00 00 0008 04 00 001f");
	struct ike_choice out;
	struct offer o;

	(void)state;
	offer_ike(&o, 0, no_spi);
	assert_int_equal(offer_check_ike(&o, unit_span(&b), false, &out), IKE_E_NO_PROPOSAL);
}

static void malformed_answer_is_a_syntax_error(void **state)
{
	struct pl_proposal p = IKE(1, GCM256, PRF256, X25519);
	struct body b = body_of(&p, 1);
	struct ike_choice out;
	struct offer o;

	(void)state;
	offer_ike(&o, 0, no_spi);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(offer_check_ike(&o, span_of(b.b, n), false, &out), IKE_E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ike_offer_as_on_the_wire),
		cmocka_unit_test(hybrid_offer_stands_before_the_others),
		cmocka_unit_test(esp_offer_as_on_the_wire),
		cmocka_unit_test(everything_offered_is_supported),
		cmocka_unit_test(group_of_the_ke_payload_goes_first),
		cmocka_unit_test(ike_choices),
		cmocka_unit_test(hybrid_choices),
		cmocka_unit_test(esp_choices),
		cmocka_unit_test(ah_and_reserved_spis_are_passed_over),
		cmocka_unit_test(spi_belongs_to_rekeying_and_only_there),
		cmocka_unit_test(transform_with_an_unknown_attribute_is_never_chosen),
		cmocka_unit_test(malformed_payload_is_refused_as_a_whole),
		cmocka_unit_test(proposal_with_too_many_transforms_is_passed_over),
		cmocka_unit_test(what_we_choose_from_our_offer_passes_our_check),
		cmocka_unit_test(hybrid_offer_falls_through),
		cmocka_unit_test(spis_cross_when_rekeying),
		cmocka_unit_test(esp_spis_cross),
		cmocka_unit_test(ike_answers),
		cmocka_unit_test(esp_answers),
		cmocka_unit_test(answer_with_an_unknown_attribute_is_refused),
		cmocka_unit_test(malformed_answer_is_a_syntax_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
