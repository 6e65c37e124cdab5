/* keyset.c: which records of a name count, in which order, and what a rollover looks like. */
#include "tests/unit/vector.h"

#include "base/ike_numbers.h"
#include "dnskey/keyset.h"

static const struct ip_addr host = { IP_V4, { 192, 0, 2, 1 } };

/* The record of a test key with another precedence and gateway. */
static struct unit_bytes record(const char *name, uint8_t precedence, const char *gateway)
{
	struct unit_bytes plain = vector_rdata(name), out = { 0 };
	struct wr w = wr_over(out.b, sizeof out.b);
	struct ipseckey key;

	assert_int_equal(ipseckey_read(unit_span(&plain), &key), IKE_OK);
	key.precedence = precedence;
	if (gateway && ip_from_text(gateway, &key.gateway) == IKE_OK) {
		key.gateway_type = key.gateway.family == IP_V4 ? GATEWAY_IPV4 : GATEWAY_IPV6;
	} else if (gateway) {
		key.gateway_type = GATEWAY_NAME;
		assert_int_equal(dnsname_from_text(gateway, &key.gateway_name), IKE_OK);
	}
	ipseckey_write(&w, &key);
	out.n = w.n;
	return out;
}

static struct keyset *set_of(const struct unit_bytes *records, unsigned n)
{
	struct span rdatas[KEYSET_RECORDS_MAX];
	struct keyset *set;
	const char *why = "not set";

	for (unsigned i = 0; i < n; i++)
		rdatas[i] = unit_span(&records[i]);
	assert_int_equal(keyset_new(rdatas, n, &host, &set, &why), IKE_OK);
	assert_null(why);
	return set;
}

static void assert_unusable(const struct unit_bytes *records, unsigned n, const char *reason)
{
	struct span rdatas[KEYSET_RECORDS_MAX];
	struct keyset *set;
	const char *why;

	for (unsigned i = 0; i < n; i++)
		rdatas[i] = unit_span(&records[i]);
	assert_int_equal(keyset_new(rdatas, n, &host, &set, &why), IKE_E_UNSUPPORTED);
	assert_null(set);
	assert_string_equal(why, reason);
}

static void order_is_by_precedence_whatever_the_answer_was(void **state)
{
	(void)state;
	struct unit_bytes r[4] = {
		record("p256", 20, NULL), record("ed25519", 5, NULL), record("rsa2048", 10, NULL), record("p384", 10, NULL),
	};
	const struct unit_bytes first[4] = { r[1], r[2], r[3], r[0] };

	for (unsigned turn = 0; turn < 4; turn++) {
		struct unit_bytes last = r[3];
		struct keyset *set = set_of(r, 4);
		struct ipseckey key;

		assert_int_equal(keyset_count(set), 4);
		for (unsigned i = 0; i < 4; i++) {
			struct unit_bytes out = { 0 };
			struct wr w = wr_over(out.b, sizeof out.b);

			keyset_at(set, i, &key);
			ipseckey_write(&w, &key);
			unit_assert_span(wr_span(&w), unit_span(&first[i]));
		}
		keyset_unref(set);
		memmove(r + 1, r, 3 * sizeof *r);
		r[0] = last;
	}
}

static void a_key_counts_once(void **state)
{
	(void)state;
	struct unit_bytes r[4] = {
		record("p256", 10, NULL), record("p256", 7, NULL), record("p256", 8, "192.0.2.1"), record("p256", 3, NULL),
	};
	struct keyset *set;
	struct ipseckey key;

	/* with the 0x04 of SEC 1, which is the same key */
	memmove(r[3].b + 4, r[3].b + 3, 64);
	r[3].b[3] = 0x04;
	r[3].n++;
	set = set_of(r, 4);
	assert_int_equal(keyset_count(set), 1);
	keyset_at(set, 0, &key);
	assert_int_equal(key.precedence, 3);
	assert_int_equal(key.public_key.n, 65);
	keyset_unref(set);
}

static void gateway_must_be_the_host_itself(void **state)
{
	(void)state;
	struct unit_bytes r[3] = {
		record("p256", 1, "192.0.2.2"), record("rsa2048", 2, "gateway.example."), record("ed25519", 3, "192.0.2.1"),
	};
	struct keyset *set = set_of(r, 3);
	struct ipseckey key;

	assert_int_equal(keyset_count(set), 1);
	keyset_at(set, 0, &key);
	assert_int_equal(key.algorithm, IPSECKEY_EDDSA);
	keyset_unref(set);
	assert_unusable(r, 2, "gateway is another host");
	assert_unusable(r + 1, 1, "gateway is given by name");
	r[0] = record("p256", 1, "2001:db8::1");
	assert_unusable(r, 1, "gateway is another host");
}

static void unusable_records_are_left_out(void **state)
{
	(void)state;
	struct unit_bytes dsa = unit_hex("01 00 01 08 00"), cut = unit_hex("01"), off_curve = record("p256", 0, NULL), r[4];
	struct keyset *set;

	off_curve.b[10] ^= 1;
	r[0] = dsa;
	r[1] = cut;
	r[2] = off_curve;
	r[3] = record("p384", 9, NULL);
	set = set_of(r, 4);
	assert_int_equal(keyset_count(set), 1);
	keyset_unref(set);
	/* the best one's reason */
	assert_unusable(r, 3, "ECDSA key that is not a point on its curve");
	assert_unusable(r, 2, "algorithm 1 (DSA) is not supported; an RSA key is algorithm 2");
	assert_unusable(r + 1, 1, "malformed IPSECKEY record");
	assert_unusable(r, 0, "no IPSECKEY record");
}

static void a_crowd_of_records_is_refused(void **state)
{
	(void)state;
	struct unit_bytes one = record("ed25519", 1, NULL);
	struct span rdatas[KEYSET_RECORDS_MAX + 1];
	struct keyset *set;
	const char *why;

	for (unsigned i = 0; i <= KEYSET_RECORDS_MAX; i++)
		rdatas[i] = unit_span(&one);
	assert_int_equal(keyset_new(rdatas, KEYSET_RECORDS_MAX + 1, &host, &set, &why), IKE_E_UNSUPPORTED);
	assert_null(set);
	assert_string_equal(why, "more than 16 IPSECKEY records");
	assert_int_equal(keyset_new(rdatas, KEYSET_RECORDS_MAX, &host, &set, &why), IKE_OK);
	assert_int_equal(keyset_count(set), 1);
	keyset_unref(set);
}

static void sets_compare_by_their_keys(void **state)
{
	(void)state;
	struct unit_bytes ab[2] = { record("p256", 1, NULL), record("p384", 2, NULL) };
	struct unit_bytes ba[2] = { record("p384", 1, "192.0.2.1"), record("p256", 9, NULL) };
	struct unit_bytes bc[2] = { record("p384", 1, NULL), record("ed25519", 2, NULL) };
	struct keyset *x = set_of(ab, 2), *y = set_of(ba, 2), *z = set_of(bc, 2), *a = set_of(ab, 1);
	struct ipseckey key;

	assert_true(keyset_equal(x, y) && keyset_equal(y, x) && keyset_equal(x, x));
	assert_false(keyset_equal(x, z) || keyset_equal(x, a) || keyset_equal(a, x));
	keyset_at(z, 0, &key);
	assert_true(keyset_contains(x, &key));
	assert_false(keyset_contains(a, &key));
	/* the same bytes under another algorithm are another key */
	key.algorithm = IPSECKEY_RSA;
	assert_false(keyset_contains(x, &key));
	keyset_unref(x);
	keyset_unref(y);
	keyset_unref(z);
	keyset_unref(a);
}

static void some_of_a_set_are_a_set(void **state)
{
	(void)state;
	struct unit_bytes abc[3] = { record("p256", 1, NULL), record("p384", 2, NULL), record("ed25519", 3, NULL) };
	struct unit_bytes ac[2] = { record("p256", 1, NULL), record("ed25519", 3, NULL) };
	struct keyset *x = set_of(abc, 3), *y = set_of(ac, 2), *some = keyset_select(x, 5), *all = keyset_select(x, 0xffff);

	assert_non_null(some);
	assert_true(keyset_equal(some, y));
	assert_int_equal(keyset_count(some), 2);
	assert_ptr_equal(all, x);
	assert_null(keyset_select(x, 0));
	assert_null(keyset_select(x, 8));
	keyset_unref(x);
	keyset_unref(y);
	keyset_unref(some);
	keyset_unref(all);
}

static void the_last_reference_frees(void **state)
{
	(void)state;
	struct unit_bytes r = record("ed25519", 1, NULL);
	struct keyset *set = set_of(&r, 1);

	assert_ptr_equal(keyset_ref(set), set);
	keyset_unref(set);
	assert_int_equal(keyset_count(set), 1);
	keyset_unref(set);
	keyset_unref(NULL);
}

/* A signature of the named key over the parts, as the responder makes it. */
static struct unit_bytes sign(const char *name, const struct span *parts, unsigned n)
{
	struct privkey *key = vector_key(name);
	struct unit_bytes out = { 0 };
	struct wr w = wr_over(out.b, sizeof out.b);
	uint8_t method;

	assert_int_equal(privkey_sign(key, 1 << HASH_SHA2_256 | 1 << HASH_SHA2_512 | 1 << HASH_IDENTITY, parts, n, &method, &w),
			 IKE_OK);
	assert_int_equal(method, AUTH_SIGNATURE);
	out.n = w.n;
	privkey_free(key);
	return out;
}

static void only_keys_of_the_set_verify(const struct keyset *set, const char *const names[4])
{
	const struct span parts[2] = { span_of("signed ", 7), span_of("octets", 6) };
	struct unit_bytes value;
	unsigned which = 99;

	for (unsigned i = 0; i < 4; i++) {
		value = sign(names[i], parts, 2);
		assert_int_equal(keyset_verify(set, AUTH_SIGNATURE, unit_span(&value), parts, 2, &which), IKE_OK);
		assert_int_equal(which, i);
	}
	/* Signed by a key outside of the set: of the same kind, of the same size, of another kind. */
	value = sign("rsa2048-e3", parts, 2);
	assert_int_equal(keyset_verify(set, AUTH_SIGNATURE, unit_span(&value), parts, 2, &which), IKE_E_AUTH);
	assert_int_equal(which, 0);
	value = sign("p384", parts, 2);
	assert_int_not_equal(keyset_verify(set, AUTH_SIGNATURE, unit_span(&value), parts, 2, &which), IKE_OK);
	value = sign("ed448", parts, 2);
	assert_int_equal(keyset_verify(set, AUTH_SIGNATURE, unit_span(&value), parts, 2, &which), IKE_E_UNSUPPORTED);
	assert_int_equal(keyset_verify(set, AUTH_SIGNATURE, span_of(NULL, 0), parts, 2, &which), IKE_E_SYNTAX);
	assert_int_equal(keyset_verify(set, AUTH_NULL, unit_span(&value), parts, 2, &which), IKE_E_UNSUPPORTED);
}

static void any_key_of_the_set_may_sign(void **state)
{
	(void)state;
	static const char *const names[] = { "ed25519", "p256", "rsa2048", "rsa3072" };
	struct unit_bytes r[4];
	struct keyset *set;

	for (unsigned i = 0; i < 4; i++)
		r[i] = record(names[i], (uint8_t)i, NULL);
	set = set_of(r, 4);
	only_keys_of_the_set_verify(set, names);
	/* Hours later, when a tunnel is renewed. */
	keyset_rest(set);
	only_keys_of_the_set_verify(set, names);
	keyset_rest(set);
	keyset_unref(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_by_precedence_whatever_the_answer_was),
		cmocka_unit_test(a_key_counts_once),
		cmocka_unit_test(gateway_must_be_the_host_itself),
		cmocka_unit_test(unusable_records_are_left_out),
		cmocka_unit_test(a_crowd_of_records_is_refused),
		cmocka_unit_test(sets_compare_by_their_keys),
		cmocka_unit_test(some_of_a_set_are_a_set),
		cmocka_unit_test(the_last_reference_frees),
		cmocka_unit_test(any_key_of_the_set_may_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
