/* dh.c: shared secrets with peers whose private number is known, and public values that RFC 6989 refuses. */
#include "tests/unit/walk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/dh.h"

static const uint16_t groups[] = { GROUP_MODP_2048, GROUP_MODP_3072, GROUP_ECP_256, GROUP_ECP_384, GROUP_X25519 };

enum { N_GROUPS = sizeof groups / sizeof groups[0] };

/* A source of "chance" that yields the same bytes again and again. */
static void fill_with(void *arg, void *to, size_t n)
{
	memcpy(to, arg, n);
}

static const char alice[] = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";

static struct dh *new_dh(uint16_t group)
{
	struct unit_bytes key = unit_hex(alice);
	const struct rng rng = { fill_with, key.b };
	struct dh *dh;

	assert_int_equal(dh_new(group, &rng, &dh), IKE_OK);
	return dh;
}

static void assert_refused(const struct dh *dh, struct span value)
{
	struct dh_shared shared;

	memset(&shared, 0xee, sizeof shared);
	assert_int_equal(dh_agree(dh, value, &shared), IKE_E_SYNTAX);
	assert_int_equal(shared.n, 0);
	assert_int_equal(shared.b[0], 0);
}

static void assert_refused_hex(const struct dh *dh, const char *hex)
{
	struct unit_bytes value = unit_hex(hex);

	assert_refused(dh, unit_span(&value));
}

/* RFC 7748 6.1 */
static void x25519(void **state)
{
	(void)state;
	struct unit_bytes bob = unit_hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	struct dh *dh = new_dh(GROUP_X25519);
	struct dh_shared shared;

	assert_span(dh_public(dh), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	assert_int_equal(dh_agree(dh, unit_span(&bob), &shared), IKE_OK);
	assert_span(span_of(shared.b, shared.n), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	/* RFC 7748 5: the top bit of the peer's value is ignored. */
	bob.b[31] |= 0x80;
	assert_int_equal(dh_agree(dh, unit_span(&bob), &shared), IKE_OK);
	assert_span(span_of(shared.b, shared.n), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	dh_free(dh);
}

/* All points of order 1, 2, 4 and 8, in every encoding of 32 bytes. */
static void x25519_points_of_small_order_are_refused(void **state)
{
	(void)state;
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct dh *dh = new_dh(GROUP_X25519);

	for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
		struct unit_bytes p = unit_hex(points[i]);

		assert_refused(dh, unit_span(&p));
		p.b[31] |= 0x80;
		assert_refused(dh, unit_span(&p));
	}
	dh_free(dh);
}

/* Who sends the group's generator gets our own public value back: g^x, of which ECP groups keep the x coordinate only
 * (RFC 5903 7, RFC 7296 2.14). */
static void generator_yields_our_public_value(void **state)
{
	(void)state;
	static const char *const ecp[2] = {
		"6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
		"4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
		"aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
		"3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
	};

	for (unsigned i = 0; i < N_GROUPS; i++) {
		struct dh *dh = new_dh(groups[i]);
		struct span public = dh_public(dh);
		struct unit_bytes g = { public.n, { 0 } };
		struct dh_shared shared;

		if (groups[i] == GROUP_ECP_256 || groups[i] == GROUP_ECP_384) {
			g = unit_hex(ecp[groups[i] - GROUP_ECP_256]);
			public.n /= 2;
		} else if (groups[i] == GROUP_X25519) {
			g.b[0] = 9;
		} else {
			g.b[g.n - 1] = 2;
		}
		assert_int_equal(dh_agree(dh, unit_span(&g), &shared), IKE_OK);
		unit_assert_span(span_of(shared.b, shared.n), public);
		dh_free(dh);
	}
}

/* The other side of RFC 5903 8: its private number in libcrypto, its public value as it goes over the wire. */
static void agree_with(uint16_t group, char *curve, const char *private_hex, const char *public_hex)
{
	struct unit_bytes private = unit_hex(private_hex), public = unit_hex(public_hex);
	uint8_t encoded[1 + 96] = { 0x04 }, ours[1 + 96] = { 0x04 }, theirs[48];
	BIGNUM *number = BN_bin2bn(private.b, (int)private.n, NULL);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL), *derive;
	EVP_PKEY *key = NULL, *peer = EVP_PKEY_new();
	struct dh *dh = new_dh(group);
	size_t n_theirs = sizeof theirs;
	struct dh_shared shared;
	OSSL_PARAM params[4];

	memcpy(encoded + 1, public.b, public.n);
	assert_true(BN_bn2nativepad(number, private.b, (int)private.n) > 0);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
	params[1] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, private.b, private.n);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded, 1 + public.n);
	params[3] = OSSL_PARAM_construct_end();
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	memcpy(ours + 1, dh_public(dh).p, dh_public(dh).n);
	assert_int_equal(EVP_PKEY_copy_parameters(peer, key), 1);
	assert_int_equal(EVP_PKEY_set1_encoded_public_key(peer, ours, 1 + dh_public(dh).n), 1);
	derive = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	assert_int_equal(EVP_PKEY_derive_init(derive), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(derive, peer), 1);
	assert_int_equal(EVP_PKEY_derive(derive, theirs, &n_theirs), 1);
	assert_int_equal(dh_agree(dh, unit_span(&public), &shared), IKE_OK);
	unit_assert_span(span_of(shared.b, shared.n), span_of(theirs, n_theirs));
	dh_free(dh);
	EVP_PKEY_CTX_free(derive);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(key);
	BN_free(number);
}

static void rfc_5903_initiators(void **state)
{
	(void)state;
	char p256[] = "P-256", p384[] = "P-384";

	agree_with(GROUP_ECP_256, p256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
		   "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
		   "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3");
	agree_with(GROUP_ECP_384, p384,
		   "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
		   "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa"
		   "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c");
}

static void ecp_values_off_the_curve_are_refused(void **state)
{
	(void)state;
	struct dh *dh = new_dh(GROUP_ECP_256);
	struct unit_bytes zero = { 64, { 0 } };
	struct unit_bytes five = unit_hex("0000000000000000000000000000000000000000000000000000000000000005"
					  "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
	struct dh_shared shared;

	assert_refused(dh, unit_span(&zero));
	/* the generator with its y one higher */
	assert_refused_hex(dh, "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
			       "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f6");
	/* 5 is the x of a point, and p + 5 the same coordinate, not reduced */
	assert_int_equal(dh_agree(dh, unit_span(&five), &shared), IKE_OK);
	assert_refused_hex(dh, "ffffffff00000001000000000000000000000001000000000000000000000004"
			       "459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc");
	assert_refused_hex(dh, "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
			       "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
	dh_free(dh);
}

/* RFC 6989 2.1: 1 < y < p - 1 */
static void modp_values_out_of_range_are_refused(void **state)
{
	(void)state;

	for (unsigned i = 0; i < 2; i++) {
		BIGNUM *p = i == 0 ? BN_get_rfc3526_prime_2048(NULL) : BN_get_rfc3526_prime_3072(NULL);
		struct dh *dh = new_dh(groups[i]);
		struct unit_bytes value = { dh_public(dh).n, { 0 } };

		assert_refused(dh, unit_span(&value));
		value.b[value.n - 1] = 1;
		assert_refused(dh, unit_span(&value));
		for (int more = -1; more <= 1; more++) {
			BIGNUM *y = BN_dup(p);

			assert_int_equal(more < 0 ? BN_sub_word(y, 1) : BN_add_word(y, (BN_ULONG)more), 1);
			assert_true(BN_bn2binpad(y, value.b, (int)value.n) > 0);
			assert_refused(dh, unit_span(&value));
			BN_free(y);
		}
		memset(value.b, 0xff, value.n);
		assert_refused(dh, unit_span(&value));
		dh_free(dh);
		BN_free(p);
	}
}

/* A modp value or secret that begins with zeros keeps them (RFC 7296 2.14, 3.4): one key in 256 shows it. */
static void leading_zeros_stay(void **state)
{
	(void)state;
	struct unit_bytes two = { 256, { 0 } };
	struct dh_shared shared;
	struct dh *dh;

	two.b[255] = 2;
	dh = new_dh(GROUP_MODP_2048);
	for (unsigned tries = 0; dh_public(dh).p[0] != 0; tries++) {
		assert_true(tries < 20000);
		dh_free(dh);
		dh = new_dh(GROUP_MODP_2048);
	}
	assert_int_equal(dh_agree(dh, unit_span(&two), &shared), IKE_OK);
	assert_int_equal(shared.n, 256);
	assert_int_equal(shared.b[0], 0);
	unit_assert_span(span_of(shared.b, shared.n), dh_public(dh));
	dh_free(dh);
}

static const struct dh *walked;

static enum ike_err agree_exact(struct span value)
{
	struct dh_shared shared;

	return dh_agree(walked, value, &shared);
}

static void every_other_length_is_refused(void **state)
{
	(void)state;

	for (unsigned i = 0; i < N_GROUPS; i++) {
		struct dh *ours = new_dh(groups[i]), *theirs = new_dh(groups[i]);
		struct unit_bytes value = { dh_public(theirs).n, { 0 } };
		struct dh_shared a, b;

		memcpy(value.b, dh_public(theirs).p, value.n);
		assert_int_equal(dh_agree(ours, unit_span(&value), &a), IKE_OK);
		assert_int_equal(dh_agree(theirs, dh_public(ours), &b), IKE_OK);
		unit_assert_span(span_of(a.b, a.n), span_of(b.b, b.n));
		walked = ours;
		unit_walk_prefixes(unit_span(&value), agree_exact, NULL);
		assert_refused(ours, span_of(value.b, value.n + 1));
		assert_refused(ours, span_of(value.b, 2 * value.n));
		dh_shared_clear(&a);
		assert_int_equal(a.n, 0);
		dh_free(ours);
		dh_free(theirs);
	}
}

static void unknown_group_is_refused(void **state)
{
	(void)state;
	static const uint16_t unknown[] = { 0, 1, 2, 5, 16, 21, 22, 32, 65535 };
	const struct rng rng = { fill_with, NULL };
	struct dh *dh;

	for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		assert_int_equal(dh_new(unknown[i], &rng, &dh), IKE_E_UNSUPPORTED);
		assert_null(dh);
	}
	dh_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x25519),
		cmocka_unit_test(x25519_points_of_small_order_are_refused),
		cmocka_unit_test(generator_yields_our_public_value),
		cmocka_unit_test(rfc_5903_initiators),
		cmocka_unit_test(ecp_values_off_the_curve_are_refused),
		cmocka_unit_test(modp_values_out_of_range_are_refused),
		cmocka_unit_test(leading_zeros_stay),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(unknown_group_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
