/* prf.c against RFC 4231 (HMAC) and RFC 5869: HKDF-Expand is prf+ with the info as seed. */
#include "tests/unit/walk.h"

#include "crypto/prf.h"

static void hmac(const char *key_hex, const char *text_hex, const char *sum256, const char *sum384, const char *sum512)
{
	struct unit_bytes key = unit_hex(key_hex), text = unit_hex(text_hex);
	struct span part = unit_span(&text);
	struct secret out;

	assert_int_equal(prf_sum(PRF_HMAC_SHA2_256, unit_span(&key), &part, 1, &out), IKE_OK);
	assert_span(secret_span(&out), sum256);
	assert_int_equal(prf_sum(PRF_HMAC_SHA2_384, unit_span(&key), &part, 1, &out), IKE_OK);
	assert_span(secret_span(&out), sum384);
	assert_int_equal(prf_sum(PRF_HMAC_SHA2_512, unit_span(&key), &part, 1, &out), IKE_OK);
	assert_span(secret_span(&out), sum512);
}

static void rfc_4231(void **state)
{
	(void)state;
	/* 4.2 */
	hmac("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
	     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
	     "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4"
	     "be9d914eeb61f1702e696c203a126854");
	/* 4.3: a key shorter than the output */
	hmac("4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
	     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
	     "caeab1a34d4a6b4b636e070a38bce737");
}

/* 4.7: a key longer than the block */
static void rfc_4231_long_key(void **state)
{
	(void)state;
	char key[2 * 131 + 1];

	for (unsigned i = 0; i < sizeof key - 1; i++)
		key[i] = 'a';
	key[sizeof key - 1] = '\0';
	hmac(key, "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b657920"
	     "4669727374",
	     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
	     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
	     "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52"
	     "95e64f73f63f0aec8b915a985d786598");
}

static void parts_are_concatenated(void **state)
{
	(void)state;
	const struct span parts[] = {
		span_of("what do ", 8), span_of(NULL, 0), span_of("ya want", 7), span_of(" for nothing?", 13),
	};
	struct secret out;

	assert_int_equal(prf_sum(PRF_HMAC_SHA2_256, span_of("Jefe", 4), parts, 4, &out), IKE_OK);
	assert_span(secret_span(&out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(prf_sum(PRF_HMAC_SHA2_256, span_of(NULL, 0), NULL, 0, &out), IKE_OK);
	assert_span(secret_span(&out), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void expand(const char *prk, const char *info, const char *okm)
{
	struct unit_bytes key = unit_hex(prk), seed = unit_hex(info), want = unit_hex(okm);
	struct span parts[2] = { span_of(seed.b, seed.n / 2), span_of(seed.b + seed.n / 2, seed.n - seed.n / 2) };
	uint8_t out[128];

	for (size_t n = 0; n <= want.n; n++) {
		memset(out, 0xee, sizeof out);
		assert_int_equal(prf_plus(PRF_HMAC_SHA2_256, unit_span(&key), parts, 2, out, n), IKE_OK);
		unit_assert_span(span_of(out, n), span_of(want.b, n));
		assert_int_equal(out[n], 0xee);
	}
}

static void rfc_5869(void **state)
{
	(void)state;
	expand("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", "f0f1f2f3f4f5f6f7f8f9",
	       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
	expand("06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
	       "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
	       "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
	       "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
	expand("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04", "",
	       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void at_most_255_outputs(void **state)
{
	(void)state;
	static uint8_t out[255 * 64 + 1];
	static const uint16_t prf[] = { PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_384, PRF_HMAC_SHA2_512 };
	static const size_t len[] = { 32, 48, 64 };
	const struct span seed = span_of("seed", 4);

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(prf_plus(prf[i], span_of("k", 1), &seed, 1, out, 255 * len[i]), IKE_OK);
		memset(out, 0xee, sizeof out);
		assert_int_equal(prf_plus(prf[i], span_of("k", 1), &seed, 1, out, 255 * len[i] + 1), IKE_E_NOSPACE);
		assert_int_equal(out[0], 0);
		assert_int_equal(out[255 * len[i]], 0);
	}
}

static void unknown_prf_is_refused(void **state)
{
	(void)state;
	static const uint16_t unknown[] = { 0, 1, 2 /* HMAC-SHA1 */, 4, 8, 65535 };
	uint8_t out[4];
	struct secret sum;

	for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		memset(&sum, 0xee, sizeof sum);
		memset(out, 0xee, sizeof out);
		assert_int_equal(prf_sum(unknown[i], span_of("k", 1), NULL, 0, &sum), IKE_E_UNSUPPORTED);
		assert_int_equal(sum.n, 0);
		assert_int_equal(sum.b[0], 0);
		assert_int_equal(prf_plus(unknown[i], span_of("k", 1), NULL, 0, out, sizeof out), IKE_E_UNSUPPORTED);
		assert_int_equal(out[3], 0);
	}
}

static void nat_detection(void **state)
{
	(void)state;
	const struct span abc[2] = { span_of("a", 1), span_of("bc", 2) };
	uint8_t out[SHA1_LEN];

	/* FIPS 180-4's first example */
	assert_int_equal(nat_detection_hash(abc, 2, out), IKE_OK);
	assert_span(span_of(out, sizeof out), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_4231),
		cmocka_unit_test(rfc_4231_long_key),
		cmocka_unit_test(parts_are_concatenated),
		cmocka_unit_test(rfc_5869),
		cmocka_unit_test(at_most_255_outputs),
		cmocka_unit_test(unknown_prf_is_refused),
		cmocka_unit_test(nat_detection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
