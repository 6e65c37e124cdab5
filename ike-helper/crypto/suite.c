#include "crypto/suite.h"

#include "base/cursor.h"

static bool encr_supported(uint16_t id, uint16_t key_bits)
{
	switch (id) {
	case ENCR_AES_CBC:
	case ENCR_AES_GCM_16:
		return key_bits == 128 || key_bits == 256;
	case ENCR_CHACHA20_POLY1305:
		return key_bits == 0;   /* RFC 7634 4: the Key Length attribute MUST NOT be used */
	default:
		return false;
	}
}

bool suite_supports(enum ike_transform_type type, uint16_t id, uint16_t key_bits)
{
	if (type == TT_ENCR)
		return encr_supported(id, key_bits);
	/* RFC 7296 3.3.5: only ciphers with variable key length have the attribute. */
	if (key_bits != 0)
		return false;
	switch (type) {
	case TT_PRF:
		return suite_prf_len(id) > 0;
	case TT_INTEG:
		return id == INTEG_NONE || suite_integ_key_len(id) > 0;
	case TT_KE:
		return suite_group_public_len(id) > 0;
	case TT_ESN:
		return id <= 1;
	case TT_ADDKE1:
		return id == GROUP_MLKEM_768;
	case TT_ENCR:
		break;
	}
	return false;
}

bool suite_is_aead(uint16_t encr)
{
	return encr == ENCR_AES_GCM_16 || encr == ENCR_CHACHA20_POLY1305;
}

unsigned suite_encr_key_len(uint16_t encr, uint16_t bits)
{
	switch (encr) {
	case ENCR_AES_CBC:
	case ENCR_AES_GCM_16:
		return bits == 128 || bits == 256 ? bits / 8u : 0;
	case ENCR_CHACHA20_POLY1305:
		return 32;
	default:
		return 0;
	}
}

unsigned suite_encr_salt_len(uint16_t encr)
{
	return suite_is_aead(encr) ? 4 : 0;
}

unsigned suite_encr_iv_len(uint16_t encr)
{
	return suite_is_aead(encr) ? 8 : 16;
}

unsigned suite_icv_len(uint16_t encr, uint16_t integ)
{
	/* HMAC-SHA2 is cut to half of its output: RFC 4868 2.3. */
	return suite_is_aead(encr) ? 16 : suite_integ_key_len(integ) / 2;
}

unsigned suite_integ_key_len(uint16_t integ)
{
	switch (integ) {
	case INTEG_HMAC_SHA2_256_128:
		return 32;
	case INTEG_HMAC_SHA2_384_192:
		return 48;
	case INTEG_HMAC_SHA2_512_256:
		return 64;
	default:
		return 0;
	}
}

unsigned suite_prf_len(uint16_t prf)
{
	switch (prf) {
	case PRF_HMAC_SHA2_256:
		return 32;
	case PRF_HMAC_SHA2_384:
		return 48;
	case PRF_HMAC_SHA2_512:
		return 64;
	default:
		return 0;
	}
}

unsigned suite_group_public_len(uint16_t group)
{
	switch (group) {
	case GROUP_MODP_2048:
		return 256;
	case GROUP_MODP_3072:
		return 384;
	case GROUP_ECP_256:
		return 64;
	case GROUP_ECP_384:
		return 96;
	case GROUP_X25519:
		return 32;
	default:
		return 0;
	}
}

static void put(struct wr *w, const char *text)
{
	wr_bytes(w, text, strlen(text));
}

static void put_cipher(struct wr *w, uint16_t encr, uint16_t bits, uint16_t integ)
{
	put(w, ike_encr_name(encr));
	if (encr != ENCR_CHACHA20_POLY1305)
		put(w, bits == 128 ? "-128" : "-256");
	if (!suite_is_aead(encr)) {
		put(w, "/");
		put(w, ike_integ_name(integ));
	}
}

static const char *finish(struct wr *w, char *to, unsigned max)
{
	wr_u8(w, 0);
	if (!wr_ok(w) && max > 0)
		to[0] = '\0';
	return to;
}

const char *esp_suite_text(const struct esp_suite *s, char *to, unsigned max)
{
	struct wr w = wr_over(to, max);

	put_cipher(&w, s->encr, s->encr_bits, s->integ);
	if (s->esn)
		put(&w, "/ESN");
	return finish(&w, to, max);
}

const char *ike_suite_text(const struct ike_suite *s, char *to, unsigned max)
{
	struct wr w = wr_over(to, max);

	put_cipher(&w, s->encr, s->encr_bits, s->integ);
	put(&w, "/PRF-");
	put(&w, ike_prf_name(s->prf));
	put(&w, "/");
	put(&w, ike_group_name(s->group));
	if (s->addke1) {
		put(&w, "/");
		put(&w, ike_group_name(s->addke1));
	}
	return finish(&w, to, max);
}
