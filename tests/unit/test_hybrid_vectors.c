/* The keys after an additional key exchange and the octets that AUTH covers then, against tests/vectors/hybrid.h. */
#include "crypto/keymat.h"
#include "ike/x.h"
#include "tests/unit/unit.h"
#include "tests/vectors/hybrid.h"

static void assert_secret(const struct secret *got, const char *want)
{
	struct unit_bytes bytes = unit_hex(want);

	unit_assert_span(secret_span(got), unit_span(&bytes));
}

static void set_secret(struct secret *s, const char *hex)
{
	struct unit_bytes bytes = unit_hex(hex);

	assert_int_equal(secret_set(s, unit_span(&bytes)), IKE_OK);
}

static void check_int_auth(const struct hybrid_vector *v, const struct ike_keys *keys, bool response)
{
	struct unit_bytes spi_i = unit_hex(v->spi_i), spi_r = unit_hex(v->spi_r),
			  payloads = unit_hex(response ? v->response : v->request);
	struct sealed_text text = { PL_KE, response ? v->response_reserved : v->request_reserved, unit_span(&payloads) };
	struct ike_hdr hdr = {
		.major = 2, .exchange = EXCH_IKE_INTERMEDIATE, .message_id = 1, .next_payload = PL_SKF, .length = 77,
		.flags = response ? IKE_FLAG_RESPONSE : IKE_FLAG_INITIATOR,
	};
	struct secret got = { 0 };

	memcpy(hdr.spi_i, spi_i.b, IKE_SPI_LEN);
	memcpy(hdr.spi_r, spi_r.b, IKE_SPI_LEN);
	assert_int_equal(intermediate_auth(v->suite.prf, response ? &keys->pr : &keys->pi, &hdr, &text, &got), IKE_OK);
	assert_secret(&got, response ? v->int_auth_r : v->int_auth_i);
}

static void check_auth_null(const struct hybrid_vector *v, const struct ike_keys *keys)
{
	static const uint8_t id[4] = { ID_NULL };
	struct unit_bytes message = unit_hex(v->message), nr = unit_hex(v->nr), i = unit_hex(v->int_auth_i),
			  r = unit_hex(v->int_auth_r);
	uint8_t int_auth[INT_AUTH_MAX];
	struct wr w = wr_over(int_auth, sizeof int_auth);
	struct secret maced_id = { 0 }, got = { 0 };

	wr_put(&w, unit_span(&i));
	wr_put(&w, unit_span(&r));
	wr_u32(&w, 2);
	assert_int_equal(auth_maced_id(v->suite.prf, &keys->pi, span_of(id, sizeof id), &maced_id), IKE_OK);
	assert_int_equal(auth_null(v->suite.prf, &keys->pi, unit_span(&message), unit_span(&nr), &maced_id, wr_span(&w), &got),
			 IKE_OK);
	assert_secret(&got, v->auth_null);
}

static void check(const struct hybrid_vector *v)
{
	struct unit_bytes ni = unit_hex(v->ni), nr = unit_hex(v->nr), spi_i = unit_hex(v->spi_i), spi_r = unit_hex(v->spi_r),
			  g_ir = unit_hex(v->shared);
	struct dh_shared shared = { .n = (uint16_t)g_ir.n };
	struct ike_keys before, after;
	struct secret kem_shared;

	memcpy(shared.b, g_ir.b, g_ir.n);
	set_secret(&kem_shared, v->kem_shared);
	assert_int_equal(ike_keys_derive(&v->suite, &shared, unit_span(&ni), unit_span(&nr), unit_span(&spi_i),
					 unit_span(&spi_r), &before), IKE_OK);
	/* The messages are covered under the keys of before. */
	check_int_auth(v, &before, false);
	check_int_auth(v, &before, true);
	assert_int_equal(ike_keys_derive_more(&v->suite, &before.d, &kem_shared, unit_span(&ni), unit_span(&nr),
					      unit_span(&spi_i), unit_span(&spi_r), &after), IKE_OK);
	assert_secret(&after.d, v->d);
	assert_secret(&after.ai, v->ai);
	assert_secret(&after.ar, v->ar);
	assert_secret(&after.ei, v->ei);
	assert_secret(&after.er, v->er);
	assert_secret(&after.pi, v->pi);
	assert_secret(&after.pr, v->pr);
	check_auth_null(v, &after);
}

static void keys_and_auth_are_those_of_the_rfcs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hybrid_vectors / sizeof *hybrid_vectors; i++)
		check(&hybrid_vectors[i]);
}

static void suites_that_we_do_not_do_give_no_more_keys(void **state)
{
	static const struct ike_suite bad = { ENCR_AES_GCM_16, 192, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 };
	struct secret one = { .n = 32 };
	struct ike_keys keys;

	(void)state;
	memset(&keys, 0xee, sizeof keys);
	assert_int_equal(ike_keys_derive_more(&bad, &one, &one, span_of(one.b, 16), span_of(one.b, 16), span_of(one.b, 8),
					      span_of(one.b, 8), &keys), IKE_E_UNSUPPORTED);
	assert_int_equal(keys.d.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_auth_are_those_of_the_rfcs),
		cmocka_unit_test(suites_that_we_do_not_do_give_no_more_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
