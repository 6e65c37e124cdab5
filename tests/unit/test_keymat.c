/* keymat.c against values that Python's hmac module gives for the formulas of RFC 7296 2.13 to 2.17 and RFC 7619 2.1. */
#include "tests/unit/walk.h"

#include "crypto/keymat.h"
#include "crypto/prf.h"

static struct unit_bytes count(uint8_t from, size_t n)
{
	struct unit_bytes out = { n, { 0 } };

	for (size_t i = 0; i < n; i++)
		out.b[i] = (uint8_t)(from + i);
	return out;
}

static struct dh_shared shared_of(struct span s)
{
	struct dh_shared out = { (uint16_t)s.n, { 0 } };

	if (s.n > 0)
		memcpy(out.b, s.p, s.n);
	return out;
}

static const struct ike_suite gcm = { ENCR_AES_GCM_16, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 };
static const struct ike_suite cbc = { ENCR_AES_CBC, 256, PRF_HMAC_SHA2_512, INTEG_HMAC_SHA2_512_256, GROUP_ECP_256, 0 };
static const struct ike_suite chacha = { ENCR_CHACHA20_POLY1305, 256, PRF_HMAC_SHA2_384, INTEG_NONE, GROUP_ECP_384, 0 };

static enum ike_err derive(const struct ike_suite *suite, struct span g_ir, struct ike_keys *keys)
{
	struct unit_bytes ni = count(0x40, 32), nr = count(0x80, 48), spi_i = count(0x11, 8), spi_r = count(0x21, 8);
	struct dh_shared shared = shared_of(g_ir);

	return ike_keys_derive(suite, &shared, unit_span(&ni), unit_span(&nr), unit_span(&spi_i), unit_span(&spi_r), keys);
}

static void aead_keys(void **state)
{
	(void)state;
	struct unit_bytes g_ir = count(1, 32);
	struct ike_keys k;

	assert_int_equal(derive(&gcm, unit_span(&g_ir), &k), IKE_OK);
	assert_span(secret_span(&k.d), "8253761f024f9a7b00fd8d48ff43e5c509094afea9221f1caad89637185510b9");
	assert_int_equal(k.ai.n, 0);
	assert_int_equal(k.ar.n, 0);
	assert_span(secret_span(&k.ei), "329b12e0d10ab10f20b71b64b5ea17efb59e079d9727dffc0db82c5f24a9060d83e4753f");
	assert_span(secret_span(&k.er), "087209f2ba55fca53b1d8d6100598be0aa393304dcd9dc049e6628b4380a70d74215eccb");
	assert_span(secret_span(&k.pi), "1fdd51c8d441629cb05c721aa6787a00c6382843b8685a9723ae0d24706cd7ba");
	assert_span(secret_span(&k.pr), "6e367070a9054e2066667024b2f738c53bd67630007529250d03103bdfd60f81");

	g_ir = count(1, 48);
	assert_int_equal(derive(&chacha, unit_span(&g_ir), &k), IKE_OK);
	assert_span(secret_span(&k.ei), "fc2eaa5fa03090e5d53f43655c5bab478266e132141c34baff8310afdad029e9e5bb691c");
	assert_span(secret_span(&k.pr),
		    "2fbfab4fcfdc23da4709e15d2c997f344ed36b0043ca57450e99462aad4a4a26d090d500ab56f15240fdb605eb8d1e3c");
	ike_keys_clear(&k);
	assert_int_equal(k.pr.n, 0);
	assert_int_equal(k.pr.b[0], 0);
}

/* g^ir that begins with a zero byte, and separate integrity keys */
static void cbc_keys(void **state)
{
	(void)state;
	struct unit_bytes g_ir = count(0, 64);
	struct ike_keys k;

	assert_int_equal(derive(&cbc, unit_span(&g_ir), &k), IKE_OK);
	assert_span(secret_span(&k.d),
		    "0553f0a62be36a86fb57e445f9d1cd19ec7f717b6f62a8bd0a3a009d27f1abfe"
		    "eb08e1223605017b2d831032124c227b6f802ff5a06d657f5d2a8a67473f6944");
	assert_span(secret_span(&k.ai),
		    "8d04f7441a8943b761d2f9963960482d345e0d2c5ce9c51133737168dddafdcc"
		    "c14bc560063b84986c66f6d0d401bf69aa4bf827b61f2f01ff49aa105b1e2e98");
	assert_span(secret_span(&k.ar),
		    "c83bdef57177517d90ea5082986292333dcf73d527c9a46c84417ff828aea5b0"
		    "1ef9fb9006e034d51fb1c07c0f0ae15f9f3ee43c00092cc8dd5e314aee272148");
	assert_span(secret_span(&k.ei), "8dcf5d6f53c60b22c3878bd19fd5cc90551b5520e84de6fee2aa7449b3bb9c4e");
	assert_span(secret_span(&k.er), "b0735c4e75f566001fb25902b09038bbebffe7d4e5a6ed8aaecc6789bf7de8e9");
	assert_span(secret_span(&k.pi),
		    "44ae4dd3a51bda060aae2d53e1bc71d82dfcf142090e9041d38b73b85b644fae"
		    "47d625e1b973f51df82da26f6ef193a6da6713f73f0d9e7544b738c7106949be");
	assert_span(secret_span(&k.pr),
		    "50a1aa02db09f560f4a382521badbf5ddf3383d3043ae5bc1cd1ab201f10b8cf"
		    "0f5e78396956404ad8d18fab8183f3014e9ec4450a54a1550be88e5122d9ea9e");
}

static void child_keys(const struct ike_suite *ike, const struct esp_suite *esp, struct span g_ir, struct span g_new,
		       const char *want[4])
{
	struct unit_bytes ni = count(0x40, 32), nr = count(0x80, 48);
	struct dh_shared shared = shared_of(g_new);
	struct esp_keys i2r, r2i;
	struct ike_keys k;

	assert_int_equal(derive(ike, g_ir, &k), IKE_OK);
	assert_int_equal(esp_keys_derive(ike, esp, &k.d, g_new.n > 0 ? &shared : NULL, unit_span(&ni), unit_span(&nr), NULL,
					 &i2r, &r2i), IKE_OK);
	assert_span(secret_span(&i2r.encr), want[0]);
	assert_span(secret_span(&i2r.integ), want[1]);
	assert_span(secret_span(&r2i.encr), want[2]);
	assert_span(secret_span(&r2i.integ), want[3]);
	esp_keys_clear(&i2r);
	assert_int_equal(i2r.encr.n, 0);
}

/* RFC 9370 2.2.4: the secret of the additional key exchange goes behind the nonces. */
static void an_additional_key_exchange_goes_behind_the_nonces(void **state)
{
	(void)state;
	const struct esp_suite esp = { ENCR_AES_GCM_16, 256, INTEG_NONE, true };
	struct unit_bytes g = count(1, 32), ni = count(0x40, 32), nr = count(0x80, 48), sk1 = count(0xa0, 32), spi = count(0x11, 8);
	struct dh_shared shared = shared_of(unit_span(&g));
	struct span seed[4] = { unit_span(&g), unit_span(&ni), unit_span(&nr), unit_span(&sk1) }, spi_seed[4];
	struct secret more = { .n = 32 }, skeyseed;
	struct ike_keys k, next;
	struct esp_keys i2r, r2i;
	uint8_t want[72];

	memcpy(more.b, sk1.b, 32);
	assert_int_equal(derive(&gcm, unit_span(&g), &k), IKE_OK);
	assert_int_equal(esp_keys_derive(&gcm, &esp, &k.d, &shared, unit_span(&ni), unit_span(&nr), &more, &i2r, &r2i), IKE_OK);
	assert_int_equal(prf_plus(gcm.prf, secret_span(&k.d), seed, 4, want, sizeof want), IKE_OK);
	unit_assert_span(secret_span(&i2r.encr), span_of(want, 36));
	unit_assert_span(secret_span(&r2i.encr), span_of(want + 36, 36));
	assert_int_equal(ike_keys_rekey(gcm.prf, &k.d, &gcm, &shared, unit_span(&ni), unit_span(&nr), &more, unit_span(&spi),
					unit_span(&spi), &next), IKE_OK);
	assert_int_equal(prf_sum(gcm.prf, secret_span(&k.d), seed, 4, &skeyseed), IKE_OK);
	spi_seed[0] = unit_span(&ni);
	spi_seed[1] = unit_span(&nr);
	spi_seed[2] = spi_seed[3] = unit_span(&spi);
	assert_int_equal(prf_plus(gcm.prf, secret_span(&skeyseed), spi_seed, 4, want, 32), IKE_OK);
	unit_assert_span(secret_span(&next.d), span_of(want, 32));
}

static void esp_keys(void **state)
{
	(void)state;
	const struct esp_suite esp_gcm = { ENCR_AES_GCM_16, 256, INTEG_NONE, true };
	const struct esp_suite esp_gcm_128 = { ENCR_AES_GCM_16, 128, INTEG_NONE, false };
	const struct esp_suite esp_cbc = { ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128, false };
	struct unit_bytes g32 = count(1, 32), g48 = count(1, 48), g64 = count(0, 64);
	struct unit_bytes new32 = count(0x60, 32), new64 = count(0x60, 64);
	const struct span none = { NULL, 0 };

	child_keys(&gcm, &esp_gcm, unit_span(&g32), none, (const char *[]){
		"9cffebc8f72aaf33ed7fbf7e9828b6b28f6f63eac68e802155dbd07376f9c821b6a87d46", "",
		"12c57ed44f397ed2961e4a6be444df71e257fa3201a12324545ad594b58833702910c71e", "" });
	child_keys(&gcm, &esp_gcm, unit_span(&g32), unit_span(&new32), (const char *[]){
		"89b8a54644d56df1783ea8017814310fc1e71e94057d62c3cb2bf409ded71e9322fdb3c2", "",
		"3b2ad9a691faf5c7f1a84e4f66ff020c67261418e4bbd450937b7c7da65b1cb47747b7c8", "" });
	child_keys(&chacha, &esp_gcm_128, unit_span(&g48), none, (const char *[]){
		"0f71a08577262ed86c37624c91948c16e57ae536", "", "5724798e1edd9f51dc2d7c0633d3632a989354d2", "" });
	child_keys(&cbc, &esp_cbc, unit_span(&g64), none, (const char *[]){
		"f2f25e6a3a641aa0bb22d273efb08253be757a6ee440d89704bbd688ee362e25",
		"8be0db69299ca8a005d7fb03512ba3c00cf8b86152f9cb0b2acee3dae660e37b",
		"c25932b7e6f4b3d159ec480fabbdf7136fb2865e1de342e22b4f0fa835beed7a",
		"2d09bf0a7662a6f57535fbd1df277e64d8de66d4715b548dc2d9c3d08d7d5098" });
	child_keys(&cbc, &esp_cbc, unit_span(&g64), unit_span(&new64), (const char *[]){
		"08a7488069f62d12b4ffd45344af59fb5aa2b549361e3da7cf46303d6b424e3c",
		"4b1627ab4902f18aa27c4894834496d779b3bbafa4c71affc58849e7d226eac6",
		"31590da5a09df4f30311417edde9869dbbc6c8fb7ba7acd582efed20babef596",
		"b56a07b413649455c00b3adbade81bb4828eab587882301dfda653d3f4bf8045" });
}

static void auth_values(void **state)
{
	(void)state;
	struct unit_bytes g_ir = count(1, 32), ni = count(0x40, 32);
	const struct span id = span_of("\x02\0\0\0ipsec1.example.org", 22), message = span_of("the whole message", 17);
	struct secret maced, auth;
	struct ike_keys k;

	assert_int_equal(derive(&gcm, unit_span(&g_ir), &k), IKE_OK);
	assert_int_equal(auth_maced_id(gcm.prf, &k.pr, id, &maced), IKE_OK);
	assert_span(secret_span(&maced), "1ae343fd2f462da0bc17089f5083be43361ef02cf9d502b6a156aff8140f770c");
	assert_int_equal(auth_null(gcm.prf, &k.pr, message, unit_span(&ni), &maced, span_of(NULL, 0), &auth), IKE_OK);
	assert_span(secret_span(&auth), "07c4faf865d5f16c923a42999b1ca7c5cace8254d3ed59f6f66dbef0fb0b610d");

	g_ir = count(0, 64);
	assert_int_equal(derive(&cbc, unit_span(&g_ir), &k), IKE_OK);
	assert_int_equal(auth_maced_id(cbc.prf, &k.pr, id, &maced), IKE_OK);
	assert_int_equal(auth_null(cbc.prf, &k.pr, message, unit_span(&ni), &maced, span_of(NULL, 0), &auth), IKE_OK);
	assert_span(secret_span(&auth),
		    "1d538e82c4bf8b5a8d0049a91633d8909bef595becbeac47ff7730a7677c6cc2"
		    "993d83f411d978e9e2a9c9d123c3467c3ed6aed9accacba21610937bd6fd52c8");
	assert_int_equal(auth_null(0, &k.pr, message, unit_span(&ni), &maced, span_of(NULL, 0), &auth), IKE_E_UNSUPPORTED);
	assert_int_equal(auth.n, 0);
}

static void suites_that_we_do_not_do_give_no_keys(void **state)
{
	(void)state;
	static const struct ike_suite bad[] = {
		{ ENCR_AES_GCM_16, 192, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 },
		{ ENCR_AES_GCM_16, 256, 2, INTEG_NONE, GROUP_X25519, 0 },
		{ ENCR_AES_CBC, 256, PRF_HMAC_SHA2_256, INTEG_NONE, GROUP_X25519, 0 },
		{ 3, 0, PRF_HMAC_SHA2_256, INTEG_HMAC_SHA2_256_128, GROUP_X25519, 0 },
	};
	static const struct esp_suite bad_esp[] = {
		{ ENCR_AES_CBC, 256, INTEG_NONE, false }, { ENCR_AES_CBC, 256, 2, false }, { 11, 0, 12, false },
		{ ENCR_AES_GCM_16, 0, INTEG_NONE, true },
	};
	struct unit_bytes g_ir = count(1, 32);
	struct esp_keys i2r, r2i;
	struct ike_keys k;

	for (unsigned i = 0; i < 4; i++) {
		memset(&k, 0xee, sizeof k);
		assert_int_equal(derive(&bad[i], unit_span(&g_ir), &k), IKE_E_UNSUPPORTED);
		assert_int_equal(k.d.n, 0);
		assert_int_equal(k.er.n, 0);
	}
	assert_int_equal(derive(&gcm, unit_span(&g_ir), &k), IKE_OK);
	for (unsigned i = 0; i < 4; i++) {
		memset(&r2i, 0xee, sizeof r2i);
		assert_int_equal(esp_keys_derive(&gcm, &bad_esp[i], &k.d, NULL, unit_span(&g_ir), unit_span(&g_ir), NULL, &i2r,
						 &r2i),
				 IKE_E_UNSUPPORTED);
		assert_int_equal(r2i.encr.n, 0);
	}
}

static void overlong_nonce_is_refused(void **state)
{
	(void)state;
	struct unit_bytes longest = count(0, 257), spi = count(0, 8);
	struct dh_shared shared = { 32, { 1 } };
	struct ike_keys k;

	assert_int_equal(ike_keys_derive(&gcm, &shared, span_of(longest.b, 256), span_of(longest.b, 256), unit_span(&spi),
					 unit_span(&spi), &k), IKE_OK);
	assert_int_equal(ike_keys_derive(&gcm, &shared, span_of(longest.b, 257), span_of(longest.b, 256), unit_span(&spi),
					 unit_span(&spi), &k), IKE_E_SYNTAX);
	assert_int_equal(k.d.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aead_keys),
		cmocka_unit_test(cbc_keys),
		cmocka_unit_test(an_additional_key_exchange_goes_behind_the_nonces),
		cmocka_unit_test(esp_keys),
		cmocka_unit_test(auth_values),
		cmocka_unit_test(suites_that_we_do_not_do_give_no_keys),
		cmocka_unit_test(overlong_nonce_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
