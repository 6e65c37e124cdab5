/* A stranger's SA payload, as request and as answer. The first byte says which, the rest is the body.
 *
 * As request: what is chosen is supported, comes from the proposal with that number, and would pass the initiator's check
 * against that proposal. As answer: what is accepted is supported and would have been offered.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "ike/choose.h"

static void check_suite(uint16_t encr, uint16_t bits, uint16_t integ)
{
	uint16_t key_bits = encr == ENCR_CHACHA20_POLY1305 ? 0 : bits;

	FUZZ_CHECK(suite_supports(TT_ENCR, encr, key_bits));
	FUZZ_CHECK(suite_is_aead(encr) ? integ == INTEG_NONE : integ == INTEG_HMAC_SHA2_256_128);
	FUZZ_CHECK(encr != ENCR_AES_CBC || bits == 256);
}

static void check_ike_suite(const struct ike_suite *s)
{
	check_suite(s->encr, s->encr_bits, s->integ);
	FUZZ_CHECK(suite_supports(TT_PRF, s->prf, 0));
	FUZZ_CHECK(suite_supports(TT_KE, s->group, 0));
}

/* The proposal with this number, as an offer of its own. */
static struct offer peers_offer(struct span body, uint8_t number)
{
	struct pl_sa_reader sa = pl_sa_read(body);
	struct offer o = { .n = 1 };
	enum ike_err err;

	do
		err = pl_sa_next(&sa, &o.proposal[0]);
	while (err == IKE_E_NOSPACE || (err == IKE_OK && o.proposal[0].number != number));
	FUZZ_CHECK(err == IKE_OK);
	return o;
}

static uint8_t buffer[1024];

static struct span answer_body(const struct pl_proposal *answer)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct span out;

	pl_sa_write(&m, answer, 1);
	FUZZ_CHECK(msg_end(&m, NULL, &out) == IKE_OK);
	return span_of(out.p + 4, out.n - 4);
}

static void check_request_ike(struct span body, uint16_t ke_group, bool with_spi, bool hybrid)
{
	static const uint8_t spi[IKE_SPI_LEN] = { 1 };
	struct ike_choice c, checked;
	struct offer o;

	if ((hybrid ? choose_ike_hybrid : choose_ike)(body, ke_group, with_spi, &c) != IKE_OK)
		return;
	FUZZ_CHECK(!c.suite.addke1 || (hybrid && suite_supports(TT_ADDKE1, c.suite.addke1, 0)));
	check_ike_suite(&c.suite);
	o = peers_offer(body, c.answer.number);
	if (with_spi)
		choice_set_ike_spi(&c, spi);
	FUZZ_CHECK(offer_check_ike(&o, answer_body(&c.answer), with_spi, &checked) == IKE_OK);
	FUZZ_CHECK(memcmp(&checked.suite, &c.suite, sizeof c.suite) == 0);
}

static void check_request_esp(struct span body, uint16_t ke_group, bool hybrid)
{
	struct esp_choice c, checked;
	struct offer o;

	if ((hybrid ? choose_esp_hybrid : choose_esp_anew)(body, ke_group, &c) != IKE_OK)
		return;
	FUZZ_CHECK(!c.addke1 || (hybrid && c.group));
	check_suite(c.suite.encr, c.suite.encr_bits, c.suite.integ);
	FUZZ_CHECK(c.peer_spi >= 256);
	o = peers_offer(body, c.answer.number);
	choice_set_esp_spi(&c, 0x1000);
	FUZZ_CHECK(offer_check_esp(&o, answer_body(&c.answer), &checked) == IKE_OK);
	FUZZ_CHECK(checked.suite.encr == c.suite.encr && checked.suite.esn == c.suite.esn && checked.addke1 == c.addke1);
}

static void check_answers(struct span body, uint16_t group, bool hybrid)
{
	struct offer o;
	struct ike_choice ike;
	struct esp_choice esp;

	offer_ike(&o, group, span_of(NULL, 0));
	if (hybrid)
		offer_hybrid(&o);
	if (offer_check_ike(&o, body, false, &ike) == IKE_OK) {
		check_ike_suite(&ike.suite);
		FUZZ_CHECK(offer_has_group(&o, ike.suite.group));
	}
	offer_esp(&o, 0x1000);
	if (offer_check_esp(&o, body, &esp) == IKE_OK) {
		check_suite(esp.suite.encr, esp.suite.encr_bits, esp.suite.integ);
		FUZZ_CHECK(esp.peer_spi >= 256);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	static const uint16_t groups[4] = { GROUP_X25519, GROUP_ECP_256, 2, 0 };
	struct span body;

	if (n < 1)
		return 0;
	body = span_of(input + 1, n - 1);
	check_request_ike(body, groups[input[0] & 3], input[0] & 4, input[0] & 8);
	check_request_esp(body, groups[input[0] & 3], input[0] & 8);
	check_answers(body, groups[input[0] & 3], input[0] & 8);
	return 0;
}
