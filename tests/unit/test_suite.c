/* suite.c: what we do, what we do not, and the sizes that key derivation rests on. */
#include "tests/unit/unit.h"

#include "crypto/suite.h"

static void transforms_below_the_line_are_refused(void **state)
{
	(void)state;
	/* RFC 8247: DES, 3DES, NULL, AES-CTR, CCM, AES-GCM with short checksums. */
	static const uint16_t encr[] = { 0, 1, 2, 3, 11, 13, 14, 15, 16, 18, 19, 21, 65535 };
	static const uint16_t prf[] = { 0, 1, 2, 3, 4, 8, 65535 };
	static const uint16_t integ[] = { 1, 2, 3, 5, 8, 15, 65535 };
	static const uint16_t group[] = { 0, 1, 2, 5, 16, 22, 23, 24, 21, 32, 65535 };

	for (unsigned i = 0; i < sizeof encr / sizeof *encr; i++) {
		assert_false(suite_supports(TT_ENCR, encr[i], 0));
		assert_false(suite_supports(TT_ENCR, encr[i], 128));
		assert_int_equal(suite_encr_key_len(encr[i], 256), 0);
	}
	for (unsigned i = 0; i < sizeof prf / sizeof *prf; i++)
		assert_false(suite_supports(TT_PRF, prf[i], 0));
	for (unsigned i = 0; i < sizeof integ / sizeof *integ; i++)
		assert_false(suite_supports(TT_INTEG, integ[i], 0));
	for (unsigned i = 0; i < sizeof group / sizeof *group; i++)
		assert_false(suite_supports(TT_KE, group[i], 0));
	assert_false(suite_supports(TT_ESN, 2, 0));
	/* Not as the first key exchange (RFC 9370 2.2), and no group as an additional one. */
	assert_false(suite_supports(TT_KE, GROUP_MLKEM_768, 0));
	assert_int_equal(suite_group_public_len(GROUP_MLKEM_768), 0);
	assert_true(suite_supports(TT_ADDKE1, GROUP_MLKEM_768, 0));
	assert_false(suite_supports(TT_ADDKE1, GROUP_X25519, 0));
	assert_false(suite_supports((enum ike_transform_type)7, GROUP_MLKEM_768, 0));
}

static void key_length_attribute_is_where_it_belongs(void **state)
{
	(void)state;
	assert_true(suite_supports(TT_ENCR, ENCR_AES_GCM_16, 128));
	assert_true(suite_supports(TT_ENCR, ENCR_AES_GCM_16, 256));
	assert_true(suite_supports(TT_ENCR, ENCR_AES_CBC, 128));
	assert_true(suite_supports(TT_ENCR, ENCR_AES_CBC, 256));
	assert_true(suite_supports(TT_ENCR, ENCR_CHACHA20_POLY1305, 0));
	assert_false(suite_supports(TT_ENCR, ENCR_AES_GCM_16, 0));
	assert_false(suite_supports(TT_ENCR, ENCR_AES_GCM_16, 192));
	assert_false(suite_supports(TT_ENCR, ENCR_AES_CBC, 255));
	assert_false(suite_supports(TT_ENCR, ENCR_CHACHA20_POLY1305, 256));
	assert_true(suite_supports(TT_PRF, PRF_HMAC_SHA2_256, 0));
	assert_false(suite_supports(TT_PRF, PRF_HMAC_SHA2_256, 128));
	assert_true(suite_supports(TT_INTEG, INTEG_NONE, 0));
	assert_true(suite_supports(TT_INTEG, INTEG_HMAC_SHA2_512_256, 0));
	assert_false(suite_supports(TT_INTEG, INTEG_HMAC_SHA2_256_128, 128));
	assert_true(suite_supports(TT_ESN, 0, 0));
	assert_true(suite_supports(TT_ESN, 1, 0));
	assert_false(suite_supports(TT_ESN, 1, 64));
}

static void sizes(void **state)
{
	(void)state;
	static const struct { uint16_t encr, bits, key, salt, iv, icv; } ciphers[] = {
		{ ENCR_AES_GCM_16, 128, 16, 4, 8, 16 },
		{ ENCR_AES_GCM_16, 256, 32, 4, 8, 16 },
		{ ENCR_CHACHA20_POLY1305, 256, 32, 4, 8, 16 },
		{ ENCR_AES_CBC, 128, 16, 0, 16, 24 },
		{ ENCR_AES_CBC, 256, 32, 0, 16, 24 },
	};
	static const struct { uint16_t group, n; } groups[] = {
		{ GROUP_MODP_2048, 256 }, { GROUP_MODP_3072, 384 }, { GROUP_ECP_256, 64 }, { GROUP_ECP_384, 96 },
		{ GROUP_X25519, 32 },
	};

	for (unsigned i = 0; i < sizeof ciphers / sizeof *ciphers; i++) {
		uint16_t encr = ciphers[i].encr;

		assert_int_equal(suite_encr_key_len(encr, ciphers[i].bits), ciphers[i].key);
		assert_int_equal(suite_encr_salt_len(encr), ciphers[i].salt);
		assert_int_equal(suite_encr_iv_len(encr), ciphers[i].iv);
		assert_int_equal(suite_icv_len(encr, INTEG_HMAC_SHA2_384_192), ciphers[i].icv);
		assert_int_equal(suite_is_aead(encr), ciphers[i].salt == 4);
	}
	for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++) {
		assert_true(suite_supports(TT_KE, groups[i].group, 0));
		assert_int_equal(suite_group_public_len(groups[i].group), groups[i].n);
	}
	/* RFC 4868 2.6: key 32, 48, 64; checksum half of it. */
	assert_int_equal(suite_integ_key_len(INTEG_NONE), 0);
	assert_int_equal(suite_integ_key_len(INTEG_HMAC_SHA2_256_128), 32);
	assert_int_equal(suite_integ_key_len(INTEG_HMAC_SHA2_512_256), 64);
	assert_int_equal(suite_icv_len(ENCR_AES_CBC, INTEG_HMAC_SHA2_256_128), 16);
	assert_int_equal(suite_icv_len(ENCR_AES_CBC, INTEG_HMAC_SHA2_512_256), 32);
	assert_int_equal(suite_icv_len(ENCR_AES_CBC, INTEG_NONE), 0);
	assert_int_equal(suite_prf_len(PRF_HMAC_SHA2_256), 32);
	assert_int_equal(suite_prf_len(PRF_HMAC_SHA2_384), 48);
	assert_int_equal(suite_prf_len(PRF_HMAC_SHA2_512), 64);
}

static void text_for_people(void **state)
{
	(void)state;
	const struct esp_suite gcm = { ENCR_AES_GCM_16, 256, INTEG_NONE, false };
	const struct esp_suite cbc = { ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_512_256, true };
	const struct ike_suite chacha = { ENCR_CHACHA20_POLY1305, 256, PRF_HMAC_SHA2_384, INTEG_NONE, GROUP_X25519, 0 };
	const struct ike_suite longest = { ENCR_AES_CBC, 256, PRF_HMAC_SHA2_512, INTEG_HMAC_SHA2_512_256, GROUP_MODP_3072,
					   GROUP_MLKEM_768 };
	char to[80];

	assert_string_equal(esp_suite_text(&gcm, to, sizeof to), "AES-GCM-256");
	assert_string_equal(esp_suite_text(&cbc, to, sizeof to), "AES-CBC-128/HMAC-SHA2-512-256/ESN");
	assert_string_equal(ike_suite_text(&chacha, to, sizeof to), "ChaCha20-Poly1305/PRF-HMAC-SHA2-384/x25519");
	assert_string_equal(ike_suite_text(&longest, to, sizeof to),
			    "AES-CBC-256/HMAC-SHA2-512-256/PRF-HMAC-SHA2-512/modp3072/mlkem768");
	assert_string_equal(esp_suite_text(&gcm, to, 12), "AES-GCM-256");
	assert_string_equal(esp_suite_text(&gcm, to, 11), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transforms_below_the_line_are_refused),
		cmocka_unit_test(key_length_attribute_is_where_it_belongs),
		cmocka_unit_test(sizes),
		cmocka_unit_test(text_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
