/* The presentation format of IPSECKEY. What is accepted is good RDATA, whose text reads back as the same; what is refused
 * has a reason and leaves the writer as it was. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dnskey/ipseckey.h"

static void check_again(struct span rdata)
{
	static char text[IPSECKEY_TEXT_MAX];
	static uint8_t again[IPSECKEY_RDATA_MAX];
	struct wr w = wr_over(again, sizeof again);
	struct ipseckey key;
	const char *error;

	FUZZ_CHECK(ipseckey_read(rdata, &key) == IKE_OK);
	FUZZ_CHECK(ipseckey_to_text(&key, text, sizeof text) == IKE_OK);
	FUZZ_CHECK(ipseckey_from_text(text, &w, &error) == IKE_OK);
	FUZZ_CHECK(span_equal(wr_span(&w), rdata));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	static uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct wr w = wr_over(rdata, sizeof rdata);
	char *text = malloc(n + 1);
	const char *error;
	enum ike_err err;

	FUZZ_CHECK(text);
	if (n > 0)
		memcpy(text, input, n);
	text[n] = '\0';
	err = ipseckey_from_text(text, &w, &error);
	FUZZ_CHECK((err == IKE_OK) == (error == NULL));
	if (!err)
		check_again(wr_span(&w));
	else if (err == IKE_E_SYNTAX)
		FUZZ_CHECK(w.n == 0);
	else
		FUZZ_CHECK(err == IKE_E_NOSPACE);
	free(text);
	return 0;
}
