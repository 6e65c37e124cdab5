/* privkey.c: keys in PEM, the records that go with them, and the algorithm that is chosen for a signature. */
#include "tests/unit/vector.h"

#include "base/ike_numbers.h"
#include "dnskey/pubkey.h"
#include "dnskey/sigalg.h"

static const struct span parts[3] = {
	{ (const uint8_t *)"message", 7 }, { NULL, 0 }, { (const uint8_t *)"maced id", 8 },
};

enum {
	SHA256 = 1 << HASH_SHA2_256, SHA384 = 1 << HASH_SHA2_384, SHA512 = 1 << HASH_SHA2_512,
	IDENTITY = 1 << HASH_IDENTITY, SHA1 = 1 << 1, ALL = SHA256 | SHA384 | SHA512 | IDENTITY | SHA1,
};

static void records(void **state)
{
	(void)state;
	static const struct { const char *name, *head; size_t n; } keys[] = {
		{ "rsa2048", "\x0a\0\x02\x03\x01\x00\x01", 3 + 4 + 256 }, { "rsa3072", "\x0a\0\x02\x03\x01\x00\x01", 3 + 4 + 384 },
		{ "rsa2048-e3", "\x0a\0\x02\x01\x03", 3 + 2 + 256 }, { "p256", "\x0a\0\x03", 3 + 64 },
		{ "p384", "\x0a\0\x03", 3 + 96 }, { "ed25519", "\x0a\0\x04", 3 + 32 }, { "ed448", "\x0a\0\x04", 3 + 57 },
	};

	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct privkey *key = vector_key(keys[i].name);
		uint8_t buffer[512];

		for (size_t max = 0; max < keys[i].n; max++) {
			struct wr w = wr_over(buffer, max);

			assert_int_equal(privkey_to_ipseckey(key, &w), IKE_E_NOSPACE);
		}
		struct wr w = wr_over(buffer, keys[i].n);

		assert_int_equal(privkey_to_ipseckey(key, &w), IKE_OK);
		assert_int_equal(w.n, keys[i].n);
		assert_memory_equal(buffer, keys[i].head, i < 2 ? 7 : i == 2 ? 5 : 3);
		privkey_free(key);
	}
}

/* RFC 8032 7.1 test 2 in the PKCS #8 form of RFC 8410 10.3 */
static void record_of_a_known_key(void **state)
{
	(void)state;
	static const char pem[] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
		"-----END PRIVATE KEY-----\n";
	struct privkey *key;
	uint8_t buffer[64];
	struct wr w = wr_over(buffer, sizeof buffer);
	struct unit_bytes want = unit_hex("0a 00 04 3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
	const struct span message = span_of("\x72", 1);
	const char *why;
	uint8_t method;

	assert_int_equal(privkey_from_pem(span_of(pem, sizeof pem - 1), &key, &why), IKE_OK);
	assert_null(why);
	assert_int_equal(privkey_to_ipseckey(key, &w), IKE_OK);
	unit_assert_span(wr_span(&w), unit_span(&want));
	w = wr_over((uint8_t[128]){ 0 }, 128);
	want = unit_hex("07 300506032b6570"
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
			"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	assert_int_equal(privkey_sign(key, IDENTITY, &message, 1, &method, &w), IKE_OK);
	unit_assert_span(wr_span(&w), unit_span(&want));
	privkey_free(key);
}

static void traditional_pem_is_the_same_key(void **state)
{
	(void)state;
	struct unit_bytes a = vector_rdata("rsa2048"), b = vector_rdata("rsa2048-traditional");

	unit_assert_span(unit_span(&b), unit_span(&a));
	a = vector_rdata("p256");
	b = vector_rdata("p256-traditional");
	unit_assert_span(unit_span(&b), unit_span(&a));
}

static void other_files_are_refused(void **state)
{
	(void)state;
	static const struct { const char *name; enum ike_err err; const char *why; } files[] = {
		{ "encrypted", IKE_E_SYNTAX, "not an unencrypted private key in PEM format" },
		{ "public", IKE_E_SYNTAX, "not an unencrypted private key in PEM format" },
		{ "rsa1024", IKE_E_UNSUPPORTED, "RSA key of less than 2048 bits" },
		{ "p521", IKE_E_UNSUPPORTED, "neither RSA, P-256, P-384, Ed25519 nor Ed448" },
	};
	struct privkey *key;
	const char *why;

	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		assert_int_equal(vector_load(files[i].name, &key, &why), files[i].err);
		assert_null(key);
		assert_string_equal(why, files[i].why);
	}
	assert_int_equal(privkey_from_pem(span_of(NULL, 0), &key, &why), IKE_E_SYNTAX);
	assert_int_equal(privkey_from_pem(span_of("rubbish", 7), &key, &why), IKE_E_SYNTAX);
	privkey_free(NULL);
}

static enum ike_err load(struct span pem)
{
	struct privkey *key;
	const char *why;
	enum ike_err err = privkey_from_pem(pem, &key, &why);

	assert_true(err == IKE_OK ? key && !why : !key && why);
	privkey_free(key);
	return err;
}

static size_t n_pem;

static bool newline_is_missing(size_t n)
{
	return n + 1 == n_pem;
}

static void every_cut_pem_is_refused(void **state)
{
	(void)state;
	char *pem = vector_read("keys/p256.pem");

	n_pem = strlen(pem);
	unit_walk_prefixes(span_of(pem, n_pem), load, newline_is_missing);
	free(pem);
}

/* Sign, look at what was chosen, and let the reader of the record verify it. */
static void check_choice(const char *name, uint32_t hashes, enum sig_scheme scheme, enum ike_hash hash)
{
	struct unit_bytes rdata = vector_rdata(name), value = { 0 };
	struct wr w = wr_over(value.b, sizeof value.b);
	struct privkey *key = vector_key(name);
	struct ipseckey record;
	struct pubkey *public;
	struct sigalg alg;
	uint8_t method;

	assert_int_equal(privkey_sign(key, hashes, parts, 3, &method, &w), IKE_OK);
	assert_int_equal(method, AUTH_SIGNATURE);
	assert_int_equal(sigalg_read(span_of(value.b + 1, value.b[0]), &alg), IKE_OK);
	assert_int_equal(alg.scheme, scheme);
	assert_int_equal(alg.hash, hash);
	assert_int_equal(alg.salt, scheme == SIG_RSA_PSS ? sigalg_hash_len(hash) : 0);
	assert_int_equal(ipseckey_read(unit_span(&rdata), &record), IKE_OK);
	assert_int_equal(pubkey_read(&record, &public, NULL), IKE_OK);
	assert_int_equal(pubkey_verify(public, AUTH_SIGNATURE, wr_span(&w), parts, 3), IKE_OK);
	assert_int_equal(pubkey_verify(public, AUTH_SIGNATURE, wr_span(&w), parts, 2), IKE_E_AUTH);
	pubkey_free(public);
	privkey_free(key);
}

static void hash_is_chosen_from_the_peers_list(void **state)
{
	(void)state;
	check_choice("rsa2048", ALL, SIG_RSA_PSS, HASH_SHA2_512);
	check_choice("rsa3072", SHA256 | SHA384, SIG_RSA_PSS, HASH_SHA2_384);
	check_choice("rsa2048", SHA256, SIG_RSA_PSS, HASH_SHA2_256);
	check_choice("p256", ALL, SIG_ECDSA, HASH_SHA2_256);
	check_choice("p256", SHA384 | SHA512, SIG_ECDSA, HASH_SHA2_512);
	check_choice("p384", ALL, SIG_ECDSA, HASH_SHA2_384);
	check_choice("p384", SHA256, SIG_ECDSA, HASH_SHA2_256);
	check_choice("ed25519", ALL, SIG_ED25519, HASH_IDENTITY);
	check_choice("ed448", IDENTITY, SIG_ED448, HASH_IDENTITY);
}

static void no_hash_in_common(void **state)
{
	(void)state;
	static const struct { const char *name; uint32_t hashes; } pairs[] = {
		{ "rsa2048", 0 }, { "rsa2048", SHA1 | IDENTITY }, { "p256", SHA1 | IDENTITY }, { "ed25519", ALL & ~IDENTITY },
		{ "ed25519", 0 }, { "ed448", 0 },
	};
	uint8_t method;

	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct privkey *key = vector_key(pairs[i].name);
		uint8_t buffer[600];
		struct wr w = wr_over(buffer, sizeof buffer);

		assert_int_equal(privkey_sign(key, pairs[i].hashes, parts, 3, &method, &w), IKE_E_UNSUPPORTED);
		assert_int_equal(w.n, 0);
		privkey_free(key);
	}
}

/* RFC 7427 4, RFC 4754: the curve's own method; r and s may be shorter than the field, and are padded. */
static void without_a_list_of_hashes_the_curve_says_the_method(void **state)
{
	(void)state;
	static const struct { const char *name; uint8_t method; size_t n; } keys[] = {
		{ "p256", AUTH_ECDSA_256, 64 }, { "p384", AUTH_ECDSA_384, 96 },
	};
	enum { ROUNDS = 300 };              /* a leading zero in one of 128 */

	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct unit_bytes rdata = vector_rdata(keys[i].name), value;
		struct privkey *key = vector_key(keys[i].name);
		struct ipseckey record;
		struct pubkey *public;
		uint8_t method;

		assert_int_equal(ipseckey_read(unit_span(&rdata), &record), IKE_OK);
		assert_int_equal(pubkey_read(&record, &public, NULL), IKE_OK);
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct wr w = wr_over(value.b, sizeof value.b), none = wr_over(value.b, keys[i].n - 1);

			assert_int_equal(privkey_sign(key, 0, parts, 3, &method, &w), IKE_OK);
			assert_int_equal(method, keys[i].method);
			assert_int_equal(w.n, keys[i].n);
			assert_int_equal(pubkey_verify(public, method, wr_span(&w), parts, 3), IKE_OK);
			if (round == 0) {
				assert_int_equal(pubkey_verify(public, method, wr_span(&w), parts, 2), IKE_E_AUTH);
				assert_int_equal(privkey_sign(key, 0, parts, 3, &method, &none), IKE_E_NOSPACE);
			}
		}
		pubkey_free(public);
		privkey_free(key);
	}
}

static void full_writer(void **state)
{
	(void)state;
	struct privkey *key = vector_key("ed25519");
	uint8_t buffer[1 + 7 + 64], method;

	for (size_t max = 0; max <= sizeof buffer; max++) {
		struct wr w = wr_over(buffer, max);

		assert_int_equal(privkey_sign(key, ALL, parts, 3, &method, &w), max < sizeof buffer ? IKE_E_NOSPACE : IKE_OK);
	}
	privkey_free(key);
}

/* The same each time, another for each key and label. */
static void secrets_for_other_purposes(void **state)
{
	(void)state;
	static const char *const names[] = { "rsa2048", "p256", "ed25519" };
	const struct span labels[] = { span_of("one", 3), span_of("two", 3) };
	struct secret made[6];

	for (unsigned i = 0; i < 6; i++) {
		struct privkey *key = vector_key(names[i / 2]);
		struct secret again;

		assert_int_equal(privkey_derive(key, labels[i % 2], &made[i]), IKE_OK);
		assert_int_equal(made[i].n, 32);
		assert_int_equal(privkey_derive(key, labels[i % 2], &again), IKE_OK);
		assert_true(secret_eq(secret_span(&made[i]), secret_span(&again)));
		for (unsigned k = 0; k < i; k++)
			assert_false(secret_eq(secret_span(&made[i]), secret_span(&made[k])));
		privkey_free(key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(record_of_a_known_key),
		cmocka_unit_test(traditional_pem_is_the_same_key),
		cmocka_unit_test(other_files_are_refused),
		cmocka_unit_test(every_cut_pem_is_refused),
		cmocka_unit_test(hash_is_chosen_from_the_peers_list),
		cmocka_unit_test(no_hash_in_common),
		cmocka_unit_test(without_a_list_of_hashes_the_curve_says_the_method),
		cmocka_unit_test(full_writer),
		cmocka_unit_test(secrets_for_other_purposes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
