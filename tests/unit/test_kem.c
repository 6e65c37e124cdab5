/* ML-KEM-768 of libcrypto, where it has it (3.5 and later). */
#include <stdio.h>

#include "crypto/kem.h"
#include "tests/unit/unit.h"

static const struct kem *there(void)
{
	const struct kem *kem = kem_mlkem768();

	if (!kem) {
		printf("libcrypto has no ML-KEM-768\n");
		skip();
	}
	return kem;
}

static void both_ends_have_the_same_secret(void **state)
{
	const struct kem *kem = there();
	uint8_t public_value[KEM_PUBLIC_LEN], ciphertext[KEM_CIPHERTEXT_LEN];
	struct secret ours = { 0 }, theirs = { 0 }, before = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		struct kem_key *key;

		assert_int_equal(kem->key_new(NULL, public_value, &key), IKE_OK);
		assert_int_equal(kem->encapsulate(NULL, span_of(public_value, sizeof public_value), ciphertext, &theirs), IKE_OK);
		assert_int_equal(kem->decapsulate(key, span_of(ciphertext, sizeof ciphertext), &ours), IKE_OK);
		assert_int_equal(ours.n, KEM_SHARED_LEN);
		assert_true(secret_eq(secret_span(&ours), secret_span(&theirs)));
		assert_false(secret_eq(secret_span(&ours), secret_span(&before)));
		secret_move(&before, &ours);
		kem->key_free(key);
	}
	kem->key_free(NULL);
}

static void spoiled_ciphertext_gives_a_secret_that_nobody_has(void **state)
{
	const struct kem *kem = there();
	uint8_t public_value[KEM_PUBLIC_LEN], ciphertext[KEM_CIPHERTEXT_LEN];
	struct secret ours = { 0 }, theirs = { 0 };
	struct kem_key *key;

	(void)state;
	assert_int_equal(kem->key_new(NULL, public_value, &key), IKE_OK);
	assert_int_equal(kem->encapsulate(NULL, span_of(public_value, sizeof public_value), ciphertext, &theirs), IKE_OK);
	ciphertext[700] ^= 1;
	assert_int_equal(kem->decapsulate(key, span_of(ciphertext, sizeof ciphertext), &ours), IKE_OK);
	assert_int_equal(ours.n, KEM_SHARED_LEN);
	assert_false(secret_eq(secret_span(&ours), secret_span(&theirs)));
	kem->key_free(key);
}

static void wrong_values_are_refused(void **state)
{
	const struct kem *kem = there();
	uint8_t public_value[KEM_PUBLIC_LEN + 1] = { 0 }, ciphertext[KEM_CIPHERTEXT_LEN + 1] = { 0 };
	struct secret shared = { 0 };
	struct kem_key *key;

	(void)state;
	assert_int_equal(kem->key_new(NULL, public_value, &key), IKE_OK);
	for (size_t n = KEM_PUBLIC_LEN - 1; n <= KEM_PUBLIC_LEN + 1; n += 2)
		assert_int_equal(kem->encapsulate(NULL, span_of(public_value, n), ciphertext, &shared), IKE_E_SYNTAX);
	for (size_t n = KEM_CIPHERTEXT_LEN - 1; n <= KEM_CIPHERTEXT_LEN + 1; n += 2)
		assert_int_equal(kem->decapsulate(key, span_of(ciphertext, n), &shared), IKE_E_SYNTAX);
	/* The first coefficient, 12 bits, is not below q = 3329: FIPS 203 7.2. */
	public_value[0] = 0xff;
	public_value[1] |= 0x0f;
	assert_int_equal(kem->encapsulate(NULL, span_of(public_value, KEM_PUBLIC_LEN), ciphertext, &shared), IKE_E_SYNTAX);
	assert_int_equal(shared.n, 0);
	kem->key_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_have_the_same_secret),
		cmocka_unit_test(spoiled_ciphertext_gives_a_secret_that_nobody_has),
		cmocka_unit_test(wrong_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
