/* pubkey.c, sigalg.c: keys and signatures, good ones and all the ways to be wrong (tests/vectors/auth.txt). */
#include "tests/unit/vector.h"

#include "base/ike_numbers.h"
#include "dnskey/pubkey.h"
#include "dnskey/sigalg.h"

/* The octets that auth.txt signs, as the core hands them over. */
static const struct span octets[3] = {
	{ (const uint8_t *)"the message, ", 13 }, { (const uint8_t *)"the nonce, ", 11 },
	{ (const uint8_t *)"and the MACed ID", 16 },
};

static struct pubkey *key_of(struct span public, uint8_t algorithm)
{
	const struct ipseckey record = { .algorithm = algorithm, .public_key = public };
	struct pubkey *key;
	const char *why;

	assert_int_equal(pubkey_read(&record, &key, &why), IKE_OK);
	assert_null(why);
	return key;
}

static struct pubkey *named_key(const char *name)
{
	struct unit_bytes rdata = vector_rdata(name);
	struct ipseckey record;

	assert_int_equal(ipseckey_read(unit_span(&rdata), &record), IKE_OK);
	return key_of(record.public_key, record.algorithm);
}

struct vector {
	char key[32], result[16], what[96];
	uint8_t method;
	struct unit_bytes value;
};

/* Calls check for each vector; returns how many there were. */
static unsigned each_vector(void (*check)(const struct vector *v))
{
	char *file = vector_read("auth.txt"), *rest = file, *line;
	unsigned count = 0;

	while ((line = strtok_r(rest, "\n", &rest))) {
		struct vector v = { 0 };
		unsigned method;
		char *hex;

		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%31s %u %15s %95[^\n]", v.key, &method, v.result, v.what), 4);
		hex = strtok_r(rest, "\n", &rest);
		assert_non_null(hex);
		v.method = (uint8_t)method;
		v.value = unit_hex(strcmp(hex, "-") == 0 ? "" : hex);
		check(&v);
		count++;
	}
	free(file);
	return count;
}

static enum ike_err result_of(const char *name)
{
	if (strcmp(name, "ok") == 0)
		return IKE_OK;
	if (strcmp(name, "auth") == 0)
		return IKE_E_AUTH;
	if (strcmp(name, "syntax") == 0)
		return IKE_E_SYNTAX;
	assert_string_equal(name, "unsupported");
	return IKE_E_UNSUPPORTED;
}

/* On the heap with its exact size, so that AddressSanitizer sees a read past the end. */
static enum ike_err verify_exact(const struct pubkey *key, uint8_t method, struct span value)
{
	uint8_t *copy = malloc(value.n > 0 ? value.n : 1);
	enum ike_err err;

	assert_non_null(copy);
	if (value.n > 0)
		memcpy(copy, value.p, value.n);
	err = pubkey_verify(key, method, span_of(copy, value.n), octets, 3);
	free(copy);
	return err;
}

static void check_result(const struct vector *v)
{
	struct pubkey *key = named_key(v->key);
	enum ike_err err = verify_exact(key, v->method, unit_span(&v->value));

	if (err != result_of(v->result))
		fail_msg("%s, method %u, %s: %s", v->key, v->method, v->what, ike_err_text(err));
	pubkey_free(key);
}

static void every_auth_value_has_its_result(void **state)
{
	(void)state;
	assert_true(each_vector(check_result) > 100);
}

static void check_bits(const struct vector *v)
{
	struct pubkey *key;
	struct unit_bytes value = v->value;

	if (strcmp(v->result, "ok") != 0)
		return;
	key = named_key(v->key);
	for (size_t bit = 0; bit < 8 * value.n; bit += value.n > 200 ? 7 : 1) {
		value.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (pubkey_verify(key, v->method, unit_span(&value), octets, 3) == IKE_OK)
			fail_msg("%s, method %u, %s: bit %zu does not matter", v->key, v->method, v->what, bit);
		value.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < value.n; n++)
		assert_int_not_equal(verify_exact(key, v->method, span_of(value.b, n)), IKE_OK);
	pubkey_free(key);
}

static void every_flipped_bit_and_every_cut_fails(void **state)
{
	(void)state;
	each_vector(check_bits);
}

static void check_others(const struct vector *v)
{
	static const char *const names[] = { "rsa2048", "rsa3072", "rsa2048-e3", "p256", "p384", "ed25519", "ed448" };
	struct span changed[3] = { octets[0], octets[1], octets[2] };
	struct pubkey *key;

	if (strcmp(v->result, "ok") != 0)
		return;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(names[i], v->key) == 0)
			continue;
		key = named_key(names[i]);
		assert_int_not_equal(verify_exact(key, v->method, unit_span(&v->value)), IKE_OK);
		pubkey_free(key);
	}
	key = named_key(v->key);
	changed[2].n--;
	assert_int_equal(pubkey_verify(key, v->method, unit_span(&v->value), changed, 3), IKE_E_AUTH);
	changed[2] = octets[2];
	changed[1] = octets[0];
	assert_int_equal(pubkey_verify(key, v->method, unit_span(&v->value), changed, 3), IKE_E_AUTH);
	assert_int_equal(pubkey_verify(key, v->method, unit_span(&v->value), NULL, 0), IKE_E_AUTH);
	pubkey_free(key);
}

static void other_keys_and_other_octets_prove_nothing(void **state)
{
	(void)state;
	each_vector(check_others);
}

/* One signature that an RFC prints, with the algorithm in front of it. */
static void rfc_vector(uint8_t algorithm, const char *public_hex, const char *message, uint8_t method, const char *value_hex)
{
	struct unit_bytes public = unit_hex(public_hex), value = unit_hex(value_hex);
	struct pubkey *key = key_of(unit_span(&public), algorithm);
	const struct span part = span_of(message, strlen(message));

	assert_int_equal(pubkey_verify(key, method, unit_span(&value), &part, 1), IKE_OK);
	value.b[value.n - 2] ^= 4;
	assert_int_equal(pubkey_verify(key, method, unit_span(&value), &part, 1), IKE_E_AUTH);
	pubkey_free(key);
}

/* RFC 8032 7.1 test 2 and 7.4 "1 octet"; RFC 6979 A.2.5 and A.2.6 */
static void rfc_signatures(void **state)
{
	(void)state;
	rfc_vector(IPSECKEY_EDDSA, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72", AUTH_SIGNATURE,
		   "07 300506032b6570"
		   "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		   "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
	rfc_vector(IPSECKEY_EDDSA,
		   "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c23516062"
		   "7b4c3a9480", "\x03", AUTH_SIGNATURE,
		   "07 300506032b6571"
		   "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037"
		   "ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adaf"
		   "d1d234441cf807c03a00");
	rfc_vector(IPSECKEY_ECDSA,
		   "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
		   "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299", "sample", AUTH_ECDSA_256,
		   "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
		   "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
	rfc_vector(IPSECKEY_ECDSA,
		   "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13"
		   "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
		   "sample", AUTH_ECDSA_384,
		   "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46"
		   "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8");
}

/* A key of small order verifies anything with S = 0 and R = the same point, where nobody looks. */
static void ed25519_keys_of_small_order_prove_nothing(void **state)
{
	(void)state;
	static const char *const points[] = {
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	};

	for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
		struct unit_bytes public = unit_hex(points[i]), value = unit_hex("07 300506032b6570");
		struct pubkey *key = key_of(unit_span(&public), IPSECKEY_EDDSA);
		struct span r_points[2] = { unit_span(&public), { NULL, 0 } };
		struct unit_bytes identity = unit_hex(points[0]);

		r_points[1] = unit_span(&identity);
		value.n += 64;
		for (unsigned r = 0; r < 2; r++) {
			memcpy(value.b + 8, r_points[r].p, 32);
			for (uint8_t message = 0; message < 16; message++) {
				const struct span part = span_of(&message, 1);

				assert_int_equal(pubkey_verify(key, AUTH_SIGNATURE, unit_span(&value), &part, 1), IKE_E_AUTH);
			}
		}
		pubkey_free(key);
	}
}

static void assert_unreadable(uint8_t algorithm, struct span public, enum ike_err want, const char *reason)
{
	uint8_t *copy = malloc(public.n > 0 ? public.n : 1);
	struct pubkey *key = NULL;
	struct ipseckey record = { .algorithm = algorithm };
	const char *why = NULL;
	enum ike_err err;

	if (public.n > 0)
		memcpy(copy, public.p, public.n);
	record.public_key = span_of(copy, public.n);
	err = pubkey_read(&record, &key, &why);
	if (err != want || !why || strcmp(why, reason) != 0)
		fail_msg("wanted \"%s\", got \"%s\" (%s)", reason, why ? why : "nothing", ike_err_text(err));
	assert_null(key);
	assert_int_equal(pubkey_read(&record, &key, NULL), want);
	free(copy);
}

/* An RSA key as in RFC 3110 2: its length bytes and exponent in hex, and a modulus of n bytes 0xd3, odd. */
static void assert_rsa(const char *exponent, size_t n, uint8_t first, uint8_t last, enum ike_err want, const char *reason)
{
	struct unit_bytes key = unit_hex(exponent);

	if (n > 0) {
		memset(key.b + key.n, 0xd3, n);
		key.b[key.n] = first;
		key.b[key.n + n - 1] = last;
	}
	key.n += n;
	if (want)
		assert_unreadable(IPSECKEY_RSA, unit_span(&key), want, reason);
	else
		pubkey_free(key_of(unit_span(&key), IPSECKEY_RSA));
}

static void rsa_keys(void **state)
{
	(void)state;
	static const char tiny[] = "RSA key with an impossible exponent";
	static const char zeros[] = "RSA key with leading zeros";
	static const char cut[] = "RSA key that is cut off";
	static const char small[] = "RSA key of less than 2048 bits";
	static const char form[] = "RSA key whose exponent length is not in its short form";

	assert_rsa("03 010001", 256, 0x80, 0x01, IKE_OK, NULL);
	assert_rsa("01 03", 256, 0x80, 0x01, IKE_OK, NULL);
	assert_rsa("04 ffffffff", 1024, 0xff, 0xff, IKE_OK, NULL);
	assert_rsa("03 010001", 256, 0x7f, 0x01, IKE_E_UNSUPPORTED, small);     /* 2047 bits */
	assert_rsa("03 010001", 128, 0x80, 0x01, IKE_E_UNSUPPORTED, small);
	assert_rsa("03 010001", 1, 0x03, 0x03, IKE_E_UNSUPPORTED, small);
	assert_rsa("03 010001", 1025, 0x01, 0x01, IKE_E_UNSUPPORTED, "RSA key of more than 8192 bits");
	assert_rsa("05 0100000001", 256, 0x80, 0x01, IKE_E_UNSUPPORTED, "RSA key with an exponent of more than 32 bits");
	assert_rsa("03 010001", 256, 0x80, 0x02, IKE_E_SYNTAX, "RSA key with an even modulus");
	assert_rsa("03 010001", 257, 0x00, 0x01, IKE_E_SYNTAX, zeros);
	assert_rsa("04 00010001", 256, 0x80, 0x01, IKE_E_SYNTAX, zeros);
	assert_rsa("01 00", 256, 0x80, 0x01, IKE_E_SYNTAX, zeros);
	assert_rsa("01 01", 256, 0x80, 0x01, IKE_E_SYNTAX, tiny);
	assert_rsa("01 02", 256, 0x80, 0x01, IKE_E_SYNTAX, tiny);
	assert_rsa("03 010000", 256, 0x80, 0x01, IKE_E_SYNTAX, tiny);
	assert_rsa("00 0003 010001", 256, 0x80, 0x01, IKE_E_SYNTAX, form);
	assert_rsa("00 0000", 256, 0x80, 0x01, IKE_E_SYNTAX, form);
	assert_rsa("00", 0, 0, 0, IKE_E_SYNTAX, form);
	assert_rsa("03 010001", 0, 0, 0, IKE_E_SYNTAX, cut);
	assert_rsa("03 0100", 0, 0, 0, IKE_E_SYNTAX, cut);
	assert_rsa("ff", 200, 0x80, 0x01, IKE_E_SYNTAX, cut);
	assert_rsa("00 0100", 200, 0x80, 0x01, IKE_E_SYNTAX, cut);
}

static void rsa_exponent_in_its_long_form(void **state)
{
	(void)state;
	struct unit_bytes key = unit_hex("00 0100");

	memset(key.b + 3, 0xd3, 512);
	key.n += 512;
	assert_unreadable(IPSECKEY_RSA, unit_span(&key), IKE_E_UNSUPPORTED, "RSA key with an exponent of more than 32 bits");
}

static void ecdsa_keys(void **state)
{
	(void)state;
	static const char off[] = "ECDSA key that is not a point on its curve";
	static const char size[] = "ECDSA key that is neither P-256 (64 bytes) nor P-384 (96 bytes)";
	static const char *const names[] = { "p256", "p384" };

	for (unsigned i = 0; i < 2; i++) {
		struct unit_bytes rdata = vector_rdata(names[i]), raw = { 1 + rdata.n - 3, { 0x04 } };
		struct span point = { raw.b + 1, raw.n - 1 };
		struct pubkey *key;

		memcpy(raw.b + 1, rdata.b + 3, rdata.n - 3);
		/* with and without the 0x04 of SEC 1 */
		key = key_of(unit_span(&raw), IPSECKEY_ECDSA);
		assert_int_equal(pubkey_bits(key), i == 0 ? 256 : 384);
		pubkey_free(key);
		pubkey_free(key_of(point, IPSECKEY_ECDSA));
		for (size_t n = 1; n < raw.n; n++) {
			if (n != 64 && n != 96 && n != 65)
				assert_unreadable(IPSECKEY_ECDSA, span_of(point.p, n), IKE_E_SYNTAX, size);
		}
		raw.b[0] = 0x06;        /* hybrid form */
		assert_unreadable(IPSECKEY_ECDSA, unit_span(&raw), IKE_E_SYNTAX, size);
		raw.b[0] = 0x02;        /* compressed form */
		assert_unreadable(IPSECKEY_ECDSA, span_of(raw.b, 1 + point.n / 2), IKE_E_SYNTAX, size);
		raw.b[raw.n - 1] ^= 1;
		assert_unreadable(IPSECKEY_ECDSA, point, IKE_E_SYNTAX, off);
		memset(raw.b, 0, raw.n);
		assert_unreadable(IPSECKEY_ECDSA, point, IKE_E_SYNTAX, off);
		memset(raw.b, 0xff, raw.n);
		assert_unreadable(IPSECKEY_ECDSA, point, IKE_E_SYNTAX, off);
	}
}

static void eddsa_keys(void **state)
{
	(void)state;
	static const char size[] = "EdDSA key that is neither Ed25519 (32 bytes) nor Ed448 (57 bytes)";
	struct unit_bytes two = { 32, { 2 } }, any = { 128, { 0 } };

	/* y = 2 has no x */
	assert_unreadable(IPSECKEY_EDDSA, unit_span(&two), IKE_E_SYNTAX, "Ed25519 key that is not a point on its curve");
	for (size_t n = 1; n <= any.n; n++) {
		if (n != 32 && n != 57)
			assert_unreadable(IPSECKEY_EDDSA, span_of(any.b, n), IKE_E_SYNTAX, size);
	}
}

static void kinds_that_we_do_not_do(void **state)
{
	(void)state;
	assert_unreadable(IPSECKEY_NO_KEY, span_of(NULL, 0), IKE_E_UNSUPPORTED, "record without a key");
	assert_unreadable(IPSECKEY_DSA, span_of("\x08key", 4), IKE_E_UNSUPPORTED,
			  "algorithm 1 (DSA) is not supported; an RSA key is algorithm 2");
	assert_unreadable(5, span_of("key", 3), IKE_E_UNSUPPORTED, "unknown key algorithm");
	assert_unreadable(255, span_of("key", 3), IKE_E_UNSUPPORTED, "unknown key algorithm");
	pubkey_free(NULL);
}

static void text_for_people(void **state)
{
	(void)state;
	static const struct { const char *name, *text; enum pubkey_kind kind; unsigned bits; } keys[] = {
		{ "rsa3072", "RSA-3072", PUBKEY_RSA, 3072 }, { "p256", "ECDSA-P256", PUBKEY_P256, 256 },
		{ "p384", "ECDSA-P384", PUBKEY_P384, 384 }, { "ed25519", "Ed25519", PUBKEY_ED25519, 255 },
		{ "ed448", "Ed448", PUBKEY_ED448, 448 },
	};

	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct pubkey *key = named_key(keys[i].name);
		char to[24];

		assert_string_equal(pubkey_text(key, to, sizeof to), keys[i].text);
		assert_int_equal(pubkey_kind(key), keys[i].kind);
		assert_int_equal(pubkey_bits(key), keys[i].bits);
		pubkey_free(key);
	}
}

/* RFC 7427 appendix A, RFC 8420 appendix A; RSASSA-PSS without the trailer, which DER leaves out when it is the default. */
static void algorithm_identifiers_are_canonical(void **state)
{
	(void)state;
	static const struct { struct sigalg alg; const char *der; } algs[] = {
		{ { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, "300d06092a864886f70d01010b0500" },
		{ { SIG_RSA_PKCS1, HASH_SHA2_512, 0 }, "300d06092a864886f70d01010d0500" },
		{ { SIG_RSA_PSS, HASH_SHA2_256, 32 },
		  "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
		  "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120" },
		{ { SIG_ECDSA, HASH_SHA2_256, 0 }, "300a06082a8648ce3d040302" },
		{ { SIG_ECDSA, HASH_SHA2_384, 0 }, "300a06082a8648ce3d040303" },
		{ { SIG_ED25519, HASH_IDENTITY, 0 }, "300506032b6570" },
		{ { SIG_ED448, HASH_IDENTITY, 0 }, "300506032b6571" },
	};

	for (unsigned i = 0; i < sizeof algs / sizeof *algs; i++) {
		struct unit_bytes want = unit_hex(algs[i].der);
		uint8_t der[SIGALG_MAX];
		struct wr w = wr_over(der, sizeof der);
		struct sigalg back;

		sigalg_write(&w, &algs[i].alg);
		unit_assert_span(wr_span(&w), unit_span(&want));
		assert_int_equal(sigalg_read(wr_span(&w), &back), IKE_OK);
		assert_int_equal(back.scheme, algs[i].alg.scheme);
		assert_int_equal(back.hash, algs[i].alg.hash);
		assert_int_equal(back.salt, algs[i].alg.salt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_auth_value_has_its_result),
		cmocka_unit_test(every_flipped_bit_and_every_cut_fails),
		cmocka_unit_test(other_keys_and_other_octets_prove_nothing),
		cmocka_unit_test(rfc_signatures),
		cmocka_unit_test(ed25519_keys_of_small_order_prove_nothing),
		cmocka_unit_test(rsa_keys),
		cmocka_unit_test(rsa_exponent_in_its_long_form),
		cmocka_unit_test(ecdsa_keys),
		cmocka_unit_test(eddsa_keys),
		cmocka_unit_test(kinds_that_we_do_not_do),
		cmocka_unit_test(text_for_people),
		cmocka_unit_test(algorithm_identifiers_are_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
