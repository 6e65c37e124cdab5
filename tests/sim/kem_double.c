#include "tests/sim/kem_double.h"

#include <stdlib.h>
#include <string.h>

enum { SEED_LEN = 32 };

struct kem_key {
	uint8_t seed[SEED_LEN], public_value[KEM_PUBLIC_LEN];
};

/* FNV-1a over a and b, drawn out with splitmix64. */
static void mix(struct span a, struct span b, uint8_t *to, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325), z;

	for (size_t k = 0; k < a.n; k++)
		h = (h ^ a.p[k]) * UINT64_C(0x100000001b3);
	for (size_t k = 0; k < b.n; k++)
		h = (h ^ b.p[k]) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < n; i++) {
		z = (h += UINT64_C(0x9e3779b97f4a7c15));
		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		to[i] = (uint8_t)(z >> 32);
	}
}

static void share(const uint8_t *public_value, const uint8_t *ciphertext, struct secret *shared)
{
	mix(span_of(public_value, KEM_PUBLIC_LEN), span_of(ciphertext, KEM_CIPHERTEXT_LEN), shared->b, KEM_SHARED_LEN);
	shared->n = KEM_SHARED_LEN;
}

static enum ike_err key_new(const struct rng *rng, uint8_t public_value[KEM_PUBLIC_LEN], struct kem_key **out)
{
	struct kem_key *key = calloc(1, sizeof *key);

	*out = key;
	if (!key)
		return IKE_E_NOMEM;
	rng_fill(rng, key->seed, SEED_LEN);
	mix(span_of(key->seed, SEED_LEN), span_of(NULL, 0), key->public_value, KEM_PUBLIC_LEN);
	key->public_value[0] = 0;       /* never the invalid one */
	memcpy(public_value, key->public_value, KEM_PUBLIC_LEN);
	return IKE_OK;
}

static void key_free(struct kem_key *key)
{
	free(key);
}

/* As with ML-KEM a first coefficient of 0xfff makes a public key invalid. */
static enum ike_err encapsulate(const struct rng *rng, struct span public_value, uint8_t ciphertext[KEM_CIPHERTEXT_LEN],
				struct secret *shared)
{
	uint8_t seed[SEED_LEN];

	secret_clear(shared);
	if (public_value.n != KEM_PUBLIC_LEN || (public_value.p[0] == 0xff && (public_value.p[1] & 0x0f) == 0x0f))
		return IKE_E_SYNTAX;
	rng_fill(rng, seed, SEED_LEN);
	mix(span_of(seed, SEED_LEN), public_value, ciphertext, KEM_CIPHERTEXT_LEN);
	share(public_value.p, ciphertext, shared);
	return IKE_OK;
}

static enum ike_err decapsulate(const struct kem_key *key, struct span ciphertext, struct secret *shared)
{
	secret_clear(shared);
	if (ciphertext.n != KEM_CIPHERTEXT_LEN)
		return IKE_E_SYNTAX;
	share(key->public_value, ciphertext.p, shared);
	return IKE_OK;
}

const struct kem kem_double = { key_new, key_free, encapsulate, decapsulate };
