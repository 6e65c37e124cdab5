/* Public keys of IPSECKEY records: the first byte is the algorithm, the rest the key. A key that is accepted has a kind and a
 * size that we do, can be read again without its tests, and verifies nothing that is empty. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/ike_numbers.h"
#include "dnskey/pubkey.h"

static void check_size(const struct pubkey *key, size_t n)
{
	unsigned bits = pubkey_bits(key);
	char text[24];

	switch (pubkey_kind(key)) {
	case PUBKEY_RSA:
		FUZZ_CHECK(bits >= 2048 && bits <= 8192 && n > bits / 8);
		break;
	case PUBKEY_P256:
		FUZZ_CHECK(bits == 256 && n == 64);
		break;
	case PUBKEY_P384:
		FUZZ_CHECK(bits == 384 && n == 96);
		break;
	case PUBKEY_ED25519:
		FUZZ_CHECK(bits == 255 && n == 32);
		break;
	case PUBKEY_ED448:
		FUZZ_CHECK(bits == 448 && n == 57);
		break;
	}
	FUZZ_CHECK(strlen(pubkey_text(key, text, sizeof text)) >= 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	static const uint8_t methods[] = { AUTH_RSA, AUTH_ECDSA_256, AUTH_ECDSA_384, AUTH_SIGNATURE };
	struct rd r = rd_over(span_of(input, n));
	struct ipseckey record = { .algorithm = rd_u8(&r) };
	struct pubkey *key, *again;
	const char *why;
	enum ike_err err;

	record.public_key = rd_rest(&r);
	if (record.public_key.n == 0)
		return 0;
	err = pubkey_read(&record, &key, &why);
	FUZZ_CHECK((err == IKE_OK) == (key != NULL) && (err == IKE_OK) == (why == NULL));
	FUZZ_CHECK(err == IKE_OK || err == IKE_E_SYNTAX || err == IKE_E_UNSUPPORTED);
	if (err)
		return 0;
	check_size(key, pubkey_canonical(&record).n);
	FUZZ_CHECK(pubkey_reread(&record, &again) == IKE_OK && pubkey_kind(again) == pubkey_kind(key));
	for (unsigned i = 0; i < sizeof methods; i++)
		FUZZ_CHECK(pubkey_verify(again, methods[i], span_of(NULL, 0), NULL, 0) != IKE_OK);
	pubkey_free(key);
	pubkey_free(again);
	return 0;
}
