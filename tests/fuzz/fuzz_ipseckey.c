/* RDATA of IPSECKEY records. What is accepted is written back as the same bytes (a gateway's name in lower case), prints as
 * text that reads back as the same record, and makes a key set or has a reason why not. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "dnskey/keyset.h"

/* The reader takes names in any case and keeps them in lower case. */
static bool equal_but_for_case(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		bool capital = a.p[i] >= 'A' && a.p[i] <= 'Z';

		if (a.p[i] != b.p[i] && !(capital && a.p[i] + ('a' - 'A') == b.p[i]))
			return false;
	}
	return true;
}

static void check_text(const struct ipseckey *key, struct span written)
{
	static char text[IPSECKEY_TEXT_MAX];
	static uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct wr w = wr_over(rdata, sizeof rdata);
	const char *error;

	if (written.n > IPSECKEY_RDATA_MAX)
		return;
	FUZZ_CHECK(ipseckey_to_text(key, text, sizeof text) == IKE_OK);
	for (const char *c = text; *c; c++)
		FUZZ_CHECK(*c >= 0x20 && *c < 0x7f);
	FUZZ_CHECK(ipseckey_from_text(text, &w, &error) == IKE_OK);
	FUZZ_CHECK(span_equal(wr_span(&w), written));
}

static void check_set(struct span rdata)
{
	const struct ip_addr address = { IP_V4, { 192, 0, 2, 1 } };
	struct keyset *set;
	struct ipseckey key;
	const char *why;
	enum ike_err err = keyset_new(&rdata, 1, &address, &set, &why);

	FUZZ_CHECK((err == IKE_OK) == (set != NULL) && (err == IKE_OK) == (why == NULL));
	if (err)
		return;
	FUZZ_CHECK(keyset_count(set) == 1);
	keyset_at(set, 0, &key);
	FUZZ_CHECK(keyset_contains(set, &key) && keyset_equal(set, set));
	keyset_unref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	static uint8_t written[UINT16_MAX];
	struct wr w = wr_over(written, sizeof written);
	struct span rdata = span_of(input, n);
	struct ipseckey key;

	if (n > sizeof written)
		return 0;
	if (ipseckey_read(rdata, &key) == IKE_OK) {
		ipseckey_write(&w, &key);
		FUZZ_CHECK(equal_but_for_case(rdata, wr_span(&w)));
		FUZZ_CHECK(span_equal(span_of(input + n - key.public_key.n, key.public_key.n), key.public_key));
		check_text(&key, wr_span(&w));
		(void)ipseckey_tag(&key);
	} else {
		FUZZ_CHECK(key.public_key.n == 0 && key.gateway_name.n == 0);
	}
	check_set(rdata);
	return 0;
}
