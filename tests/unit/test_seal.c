/* seal.c against published vectors of its ciphers. Where a vector's last plaintext byte makes a pad length, unseal() is
 * expected to cut that much off, and the buffer is compared whole. */
#include "tests/unit/walk.h"

#include <openssl/evp.h>

#include "crypto/prf.h"
#include "crypto/seal.h"

static const struct ike_suite gcm_128 = { ENCR_AES_GCM_16, 128, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 };
static const struct ike_suite gcm_256 = { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 };
static const struct ike_suite chacha = { ENCR_CHACHA20_POLY1305, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 };
static const struct ike_suite cbc_128 = { ENCR_AES_CBC, 128, PRF_HMAC_SHA2_256, INTEG_HMAC_SHA2_256_128, GROUP_X25519, 0 };
static const struct ike_suite cbc_256 = { ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, INTEG_HMAC_SHA2_384_192, GROUP_X25519, 0 };
static const struct ike_suite cbc_512 = { ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, INTEG_HMAC_SHA2_512_256, GROUP_X25519, 0 };
static const struct ike_suite *const suites[] = { &gcm_128, &gcm_256, &chacha, &cbc_128, &cbc_256, &cbc_512 };

enum { N_SUITES = sizeof suites / sizeof suites[0] };

struct keys {
	struct secret encr, integ;
	struct seal_key key;
};

static void set_keys(struct keys *k, const struct ike_suite *suite, struct span encr)
{
	uint8_t integ[64];

	memset(integ, 0x4d, sizeof integ);
	assert_int_equal(secret_set(&k->encr, encr), IKE_OK);
	assert_int_equal(secret_set(&k->integ, span_of(integ, suite_integ_key_len(suite->integ))), IKE_OK);
	k->key = (struct seal_key){ suite, &k->encr, &k->integ };
}

static void any_keys(struct keys *k, const struct ike_suite *suite)
{
	uint8_t encr[36];

	for (unsigned i = 0; i < sizeof encr; i++)
		encr[i] = (uint8_t)(i * 7);
	set_keys(k, suite, span_of(encr, suite_encr_key_len(suite->encr, suite->encr_bits) + suite_encr_salt_len(suite->encr)));
}

/* An AEAD vector: key | salt, AAD, sealed = IV | ciphertext | tag. Its plaintext without the last pad + 1 bytes. */
static void aead_vector(const struct ike_suite *suite, const char *encr_hex, const char *aad_hex, const char *sealed_hex,
			const char *plain_hex, unsigned pad)
{
	struct unit_bytes encr = unit_hex(encr_hex), aad = unit_hex(aad_hex), sealed = unit_hex(sealed_hex);
	uint8_t plain[256], again[256];
	struct span out;
	struct keys k;
	struct rd r = rd_over(unit_span(&sealed));
	uint64_t iv = rd_u64(&r);

	set_keys(&k, suite, unit_span(&encr));
	assert_int_equal(unseal(&k.key, unit_span(&aad), unit_span(&sealed), plain, sizeof plain, &out), IKE_OK);
	assert_ptr_equal(out.p, plain);
	assert_int_equal(out.n, sealed.n - 8 - 16 - 1 - pad);
	assert_span(span_of(plain, sealed.n - 8 - 16), plain_hex);
	if (pad > 0)
		return;
	assert_int_equal(seal_len(suite, out.n), sealed.n);
	assert_int_equal(seal(&k.key, iv, unit_span(&aad), out, again, sealed.n), IKE_OK);
	unit_assert_span(span_of(again, sealed.n), unit_span(&sealed));
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 2, 14 and 4 */
static void aes_gcm(void **state)
{
	(void)state;
	aead_vector(&gcm_128, "00000000000000000000000000000000" "00000000", "",
		    "0000000000000000" "0388dace60b6a392f328c2b971b2fe78" "ab6e47d42cec13bdf53a67b21257bddf",
		    "00000000000000000000000000000000", 0);
	aead_vector(&gcm_256, "0000000000000000000000000000000000000000000000000000000000000000" "00000000", "",
		    "0000000000000000" "cea7403d4d606b6e074ec5d3baf39d18" "d0d1c8a799996bf0265b98b5d48ab919",
		    "00000000000000000000000000000000", 0);
	aead_vector(&gcm_128, "feffe9928665731c6d6a8f9467308308" "cafebabe", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		    "facedbaddecaf888"
		    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
		    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
		    "5bc94fbc3221a5db94fae95ae7121a47",
		    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39", 0x39);
}

/* RFC 7634 appendix B, an INFORMATIONAL response; RFC 8439 2.8.2 */
static void chacha20_poly1305(void **state)
{
	(void)state;
	aead_vector(&chacha,
		    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" "a0a1a2a3",
		    "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029",
		    "1011121314151617" "610394701f8d017f7c12924889" "6b71bfe25236efd7cdc67066906315b2",
		    "0000000c000040010000000a00", 0);
	aead_vector(&chacha,
		    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" "07000000",
		    "50515253c0c1c2c3c4c5c6c7",
		    "4041424344454647"
		    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
		    "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
		    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
		    "3ff4def08e4b7a9de576d26586cec64b6116" "1ae10b594f09e26a7e902ecbd0600691",
		    "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
		    "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
		    "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
		    "637265656e20776f756c642062652069742e", 0x2e);
}

/* NIST SP 800-38A F.2.1 and F.2.5, with our own checksum behind it */
static void cbc_vector(const struct ike_suite *suite, const char *encr_hex, const char *sealed_hex)
{
	struct unit_bytes encr = unit_hex(encr_hex), sealed = unit_hex(sealed_hex);
	const struct span aad = span_of("header", 6), parts[2] = { aad, unit_span(&sealed) };
	uint8_t plain[256];
	struct secret sum;
	struct span out;
	struct keys k;

	set_keys(&k, suite, unit_span(&encr));
	assert_int_equal(prf_sum(suite == &cbc_128 ? PRF_HMAC_SHA2_256 : PRF_HMAC_SHA2_384, secret_span(&k.integ), parts, 2,
				 &sum), IKE_OK);
	memcpy(sealed.b + sealed.n, sum.b, sum.n / 2u);
	sealed.n += sum.n / 2u;
	assert_int_equal(unseal(&k.key, aad, unit_span(&sealed), plain, sizeof plain, &out), IKE_OK);
	assert_int_equal(out.n, 64 - 16 - 1);
	assert_span(span_of(plain, 64),
		    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
		    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
}

static void aes_cbc(void **state)
{
	(void)state;
	cbc_vector(&cbc_128, "2b7e151628aed2a6abf7158809cf4f3c",
		   "000102030405060708090a0b0c0d0e0f"
		   "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
		   "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7");
	cbc_vector(&cbc_256, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
		   "000102030405060708090a0b0c0d0e0f"
		   "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
		   "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b");
}

/* NIST SP 800-38A appendix C: the IV is the encrypted counter, so it is new for each and nobody can foretell it. */
static void cbc_iv_is_the_encrypted_counter(void **state)
{
	(void)state;
	uint8_t counter[16] = { 0 }, want[16], sealed[128];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	struct keys k;
	int n;

	any_keys(&k, &cbc_256);
	counter[15] = 7;
	counter[8] = 0x80;
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, k.encr.b, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, want, &n, counter, 16), 1);
	EVP_CIPHER_CTX_free(ctx);
	assert_int_equal(seal(&k.key, 0x8000000000000007, span_of("aad", 3), span_of("plain", 5), sealed,
			      seal_len(&cbc_256, 5)), IKE_OK);
	unit_assert_span(span_of(sealed, 16), span_of(want, 16));
}

static void every_length_comes_back(void **state)
{
	(void)state;

	for (unsigned s = 0; s < N_SUITES; s++) {
		struct keys k;

		any_keys(&k, suites[s]);
		for (size_t n = 0; n < 70; n++) {
			size_t n_sealed = seal_len(suites[s], n);
			uint8_t text[70], sealed[256], plain[256];
			struct span out;

			memset(text, (int)n, sizeof text);
			sealed[n_sealed] = 0x5a;
			assert_int_equal(seal(&k.key, n, span_of("aad", 3), span_of(text, n), sealed, n_sealed), IKE_OK);
			assert_int_equal(sealed[n_sealed], 0x5a);
			assert_int_equal(unseal(&k.key, span_of("aad", 3), span_of(sealed, n_sealed), plain, n_sealed, &out),
					 IKE_OK);
			unit_assert_span(out, span_of(text, n));
		}
	}
}

static void room_is_the_inverse_of_len(void **state)
{
	(void)state;

	for (unsigned s = 0; s < N_SUITES; s++) {
		for (size_t room = 0; room < 300; room++) {
			size_t n = seal_room(suites[s], room);

			assert_true(n == 0 || seal_len(suites[s], n) <= room);
			assert_true(seal_len(suites[s], n + 1) > room);
		}
	}
}

static struct keys walk_keys;
static struct span walk_aad;

static enum ike_err unseal_exact(struct span sealed)
{
	uint8_t *plain = malloc(sealed.n > 0 ? sealed.n : 1);
	enum ike_err err;
	struct span out;

	memset(plain, 0xee, sealed.n);
	err = unseal(&walk_keys.key, walk_aad, sealed, plain, sealed.n, &out);
	assert_true(err == IKE_OK || (err == IKE_E_INTEGRITY && out.n == 0));
	free(plain);
	return err;
}

static void every_flipped_bit_is_seen(void **state)
{
	(void)state;

	for (unsigned s = 0; s < N_SUITES; s++) {
		uint8_t whole[128] = "the IKE header", *sealed = whole + 14;
		size_t n = seal_len(suites[s], 20);

		any_keys(&walk_keys, suites[s]);
		walk_aad = span_of(whole, 14);
		assert_int_equal(seal(&walk_keys.key, 3, walk_aad, span_of("twenty bytes of text", 20), sealed, n), IKE_OK);
		assert_int_equal(unseal_exact(span_of(sealed, n)), IKE_OK);
		for (size_t bit = 0; bit < 8 * (14 + n); bit++) {
			whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(unseal_exact(span_of(sealed, n)), IKE_E_INTEGRITY);
			whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		unit_walk_prefixes(span_of(sealed, n), unseal_exact, NULL);
		assert_int_equal(unseal_exact(span_of(sealed, n + 1)), IKE_E_INTEGRITY);
		walk_aad.n--;
		assert_int_equal(unseal_exact(span_of(sealed, n)), IKE_E_INTEGRITY);
		walk_aad.n++;
		if (suite_is_aead(suites[s]->encr))
			walk_keys.encr.b[0] ^= 1;
		else
			walk_keys.integ.b[0] ^= 1;
		assert_int_equal(unseal_exact(span_of(sealed, n)), IKE_E_INTEGRITY);
	}
}

/* GCM test case 3: authentic, but its last byte asks for 0x55 bytes of padding in a text of 64. */
static void impossible_padding_is_refused(void **state)
{
	(void)state;
	struct unit_bytes encr = unit_hex("feffe9928665731c6d6a8f9467308308" "cafebabe");
	struct unit_bytes sealed = unit_hex(
		"facedbaddecaf888"
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
		"4d5c2af327cd64a62cf35abd2ba6fab4");
	uint8_t plain[256];
	struct span out;
	struct keys k;

	set_keys(&k, &gcm_128, unit_span(&encr));
	memset(plain, 0xee, sizeof plain);
	assert_int_equal(unseal(&k.key, span_of(NULL, 0), unit_span(&sealed), plain, sizeof plain, &out), IKE_E_INTEGRITY);
	assert_int_equal(out.n, 0);
	assert_int_equal(plain[0], 0);
	assert_int_equal(plain[63], 0);
}

/* A good checksum over what is not whole blocks, or none. */
static void authentic_nonsense_in_cbc_is_refused(void **state)
{
	(void)state;
	struct keys k;

	any_keys(&k, &cbc_128);
	for (size_t n = 16; n < 50; n++) {
		uint8_t message[128] = { 0 }, plain[128];
		const struct span part = span_of(message, n);
		struct secret sum;
		struct span out;

		if (n % 16 == 0 && n > 16)
			continue;
		assert_int_equal(prf_sum(PRF_HMAC_SHA2_256, secret_span(&k.integ), &part, 1, &sum), IKE_OK);
		memcpy(message + n, sum.b, 16);
		assert_int_equal(unseal(&k.key, span_of(NULL, 0), span_of(message, n + 16), plain, sizeof plain, &out),
				 IKE_E_INTEGRITY);
	}
}

static void wrong_room_and_keys_are_refused(void **state)
{
	(void)state;

	for (unsigned s = 0; s < N_SUITES; s++) {
		size_t n = seal_len(suites[s], 5);
		uint8_t sealed[128], plain[128];
		struct span out;
		struct keys k;

		any_keys(&k, suites[s]);
		assert_int_equal(seal(&k.key, 1, span_of(NULL, 0), span_of("plain", 5), sealed, n - 1), IKE_E_NOSPACE);
		assert_int_equal(seal(&k.key, 1, span_of(NULL, 0), span_of("plain", 5), sealed, n + 1), IKE_E_NOSPACE);
		assert_int_equal(seal(&k.key, 1, span_of(NULL, 0), span_of("plain", 5), sealed, n), IKE_OK);
		assert_int_equal(unseal(&k.key, span_of(NULL, 0), span_of(sealed, n), plain, n - 1, &out), IKE_E_NOSPACE);
		k.encr.n--;
		memset(sealed, 0xee, sizeof sealed);
		assert_int_equal(seal(&k.key, 1, span_of(NULL, 0), span_of("plain", 5), sealed, n), IKE_E_CRYPTO);
		assert_int_equal(sealed[n - 1], 0);
		assert_int_equal(unseal(&k.key, span_of(NULL, 0), span_of(sealed, n), plain, sizeof plain, &out), IKE_E_CRYPTO);
		assert_int_equal(out.n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aes_gcm),
		cmocka_unit_test(chacha20_poly1305),
		cmocka_unit_test(aes_cbc),
		cmocka_unit_test(cbc_iv_is_the_encrypted_counter),
		cmocka_unit_test(every_length_comes_back),
		cmocka_unit_test(room_is_the_inverse_of_len),
		cmocka_unit_test(every_flipped_bit_is_seen),
		cmocka_unit_test(impossible_padding_is_refused),
		cmocka_unit_test(authentic_nonsense_in_cbc_is_refused),
		cmocka_unit_test(wrong_room_and_keys_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
