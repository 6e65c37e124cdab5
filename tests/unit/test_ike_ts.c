/* Traffic selectors: host to host, no wider, no narrower. */
#include "tests/unit/unit_addr.h"
#include "tests/unit/walk.h"

#include "ike/ts.h"

struct body {
	uint8_t b[1024];
	size_t n;
};

static struct span body_span(const struct body *b)
{
	return span_of(b->b, b->n);
}

static struct body body_of(const struct pl_selector *s, unsigned n)
{
	struct body out;
	uint8_t buffer[sizeof out.b];
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct span all;

	pl_ts_write(&m, PL_TSI, s, n);
	assert_int_equal(msg_end(&m, NULL, &all), IKE_OK);
	out.n = all.n - 4;
	memcpy(out.b, all.p + 4, out.n);
	return out;
}

static struct pl_selector range(const char *first, const char *last)
{
	struct pl_selector s = ts_host(&(struct ip_addr){ 0 });

	s.first = addr(first);
	s.last = addr(last);
	s.family = s.first.family;
	return s;
}

static struct pl_selector host(const char *text)
{
	return range(text, text);
}

/* RFC 7296 3.13.1 */
static void selector_of_a_host_as_on_the_wire(void **state)
{
	struct ip_addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1");
	struct pl_selector s[2] = { ts_host(&v4), ts_host(&v6) };
	struct body b = body_of(s, 2);

	(void)state;
	assert_span(body_span(&b), "02 000000 07 00 0010 0000 ffff c0000201 c0000201"
		    "08 00 0028 0000 ffff 20010db8000000000000000000000001 20010db8000000000000000000000001");
}

static enum ike_err narrow(const struct pl_selector *i, unsigned n, bool peer_behind_nat, struct ts_pair *out)
{
	struct pl_selector us = host("198.51.100.2");
	struct body tsi = body_of(i, n), tsr = body_of(&us, 1);
	struct ts_ends ends = {
		.peer = addr("192.0.2.1"), .us = addr("198.51.100.2"), .peer_behind_nat = peer_behind_nat,
	};

	return ts_narrow(body_span(&tsi), body_span(&tsr), &ends, out);
}

static void assert_host(const struct pl_selector *s, const char *text)
{
	struct pl_selector want = host(text);

	assert_int_equal(s->family, want.family);
	assert_true(ip_equal(&s->first, &want.first));
	assert_true(ip_equal(&s->last, &want.last));
	assert_int_equal(s->ip_protocol, 0);
	assert_int_equal(s->port_first, 0);
	assert_int_equal(s->port_last, 65535);
}

static void host_to_host_is_accepted(void **state)
{
	struct pl_selector s = host("192.0.2.1");
	struct ts_pair out;

	(void)state;
	assert_int_equal(narrow(&s, 1, false, &out), IKE_OK);
	assert_host(&out.i, "192.0.2.1");
	assert_host(&out.r, "198.51.100.2");
}

static void wider_request_is_narrowed_to_the_host(void **state)
{
	struct pl_selector s[3] = { host("192.0.2.1"), range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
				    range("0.0.0.0", "255.255.255.255") };
	struct ts_pair out;

	(void)state;
	/* RFC 7296 2.9: the packet that triggered it goes first; it alone would be too narrow. */
	s[0].ip_protocol = 6;
	s[0].port_first = s[0].port_last = 4711;
	assert_int_equal(narrow(s, 3, false, &out), IKE_OK);
	assert_host(&out.i, "192.0.2.1");
	s[2] = range("192.0.2.0", "192.0.2.1");
	assert_int_equal(narrow(s, 3, false, &out), IKE_OK);
	s[2] = range("192.0.2.1", "192.0.2.255");
	assert_int_equal(narrow(s, 3, false, &out), IKE_OK);
}

static void requests_without_the_whole_host_are_unacceptable(void **state)
{
	struct pl_selector s;
	struct ts_pair out;

	(void)state;
	s = host("192.0.2.2");
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
	assert_int_equal(out.r.family, IP_NONE);
	s = range("192.0.2.2", "192.0.2.255");
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
	s = range("192.0.2.2", "192.0.2.0");            /* upside down */
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
	s = host("2001:db8::1");
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
	s = host("192.0.2.1");
	s.ip_protocol = 17;
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
	s = host("192.0.2.1");
	s.port_first = 1;
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
	s = host("192.0.2.1");
	s.port_last = 65534;
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
	s.port_first = 65535;                           /* OPAQUE */
	s.port_last = 0;
	assert_int_equal(narrow(&s, 1, false, &out), IKE_E_NO_PROPOSAL);
}

/* RFC 7296 2.23.1: the address that the peer knows itself by stands for the one that we see. */
static void private_address_behind_a_nat_is_put_back_into_the_answer(void **state)
{
	struct pl_selector s[2] = { host("2001:db8::1"), host("10.0.0.5") };
	struct ts_pair out;

	(void)state;
	assert_int_equal(narrow(s, 2, true, &out), IKE_OK);
	assert_host(&out.i, "10.0.0.5");
	assert_int_equal(narrow(s, 2, false, &out), IKE_E_NO_PROPOSAL);
	s[1] = range("10.0.0.0", "10.0.0.255");
	assert_int_equal(narrow(s, 2, true, &out), IKE_E_NO_PROPOSAL);
	s[1] = host("10.0.0.5");
	s[1].ip_protocol = 6;
	assert_int_equal(narrow(s, 2, true, &out), IKE_E_NO_PROPOSAL);
	s[0] = host("10.0.0.5");
	s[1] = host("192.0.2.1");
	assert_int_equal(narrow(s, 2, true, &out), IKE_OK);
	assert_host(&out.i, "192.0.2.1");
}

static void our_own_address_behind_a_nat(void **state)
{
	struct pl_selector i = host("192.0.2.1"), r = host("203.0.113.9");
	struct body tsi = body_of(&i, 1), tsr = body_of(&r, 1);
	struct ts_ends ends = { .peer = addr("192.0.2.1"), .us = addr("10.1.1.1"), .us_behind_nat = true };
	struct ts_pair out;

	(void)state;
	assert_int_equal(ts_narrow(body_span(&tsi), body_span(&tsr), &ends, &out), IKE_OK);
	assert_host(&out.r, "203.0.113.9");
	ends.us_behind_nat = false;
	assert_int_equal(ts_narrow(body_span(&tsi), body_span(&tsr), &ends, &out), IKE_E_NO_PROPOSAL);
}

static void unknown_selector_types_are_passed_over(void **state)
{
	struct unit_bytes tsi = unit_hex("02 000000 09 00 0008 00000000 07 00 0010 0000 ffff c0000201 c0000201");
	struct pl_selector r = host("198.51.100.2");
	struct body tsr = body_of(&r, 1);
	struct ts_ends ends = { .peer = addr("192.0.2.1"), .us = addr("198.51.100.2"), .peer_behind_nat = true };
	struct ts_ends from_i = { .peer = ends.us, .us = ends.peer, .us_behind_nat = true };
	struct ts_pair out;

	(void)state;
	assert_int_equal(ts_narrow(unit_span(&tsi), body_span(&tsr), &ends, &out), IKE_OK);
	assert_host(&out.i, "192.0.2.1");
	/* An answer with one is wider than what we asked. */
	assert_int_equal(ts_check_answer(unit_span(&tsi), body_span(&tsr), &from_i), IKE_E_NO_PROPOSAL);
}

static void malformed_lists_are_syntax_errors(void **state)
{
	struct unit_bytes none = unit_hex("00 000000");
	struct pl_selector s = host("192.0.2.1");
	struct body good = body_of(&s, 1);
	struct ts_ends ends = { .peer = addr("192.0.2.1"), .us = addr("192.0.2.1") };
	struct ts_pair out;

	(void)state;
	assert_int_equal(ts_narrow(body_span(&good), unit_span(&none), &ends, &out), IKE_E_SYNTAX);
	assert_int_equal(ts_narrow(unit_span(&none), body_span(&good), &ends, &out), IKE_E_SYNTAX);
	assert_int_equal(ts_check_answer(body_span(&good), unit_span(&none), &ends), IKE_E_SYNTAX);
	assert_int_equal(ts_check_answer(unit_span(&none), body_span(&good), &ends), IKE_E_SYNTAX);
}

static void list_longer_than_the_table_is_unacceptable(void **state)
{
	struct pl_selector s[PL_SELECTORS_MAX + 1];
	struct ts_pair out;

	(void)state;
	for (unsigned i = 0; i <= PL_SELECTORS_MAX; i++)
		s[i] = host("192.0.2.1");
	assert_int_equal(narrow(s, PL_SELECTORS_MAX, false, &out), IKE_OK);
	assert_int_equal(narrow(s, PL_SELECTORS_MAX + 1, false, &out), IKE_E_NO_PROPOSAL);
}

/* An answer with these selectors for the host, which is behind a NAT or not. */
static enum ike_err answer_past(bool nat, const struct pl_selector *r, unsigned n)
{
	struct ts_ends ends = { .us = addr("192.0.2.1"), .peer = addr("198.51.100.2"), .peer_behind_nat = nat };
	struct ts_ends swapped = { .us = ends.peer, .peer = ends.us, .us_behind_nat = nat };
	struct pl_selector i = ts_host(&ends.us);
	struct body tsi = body_of(&i, 1), tsr = body_of(r, n);
	enum ike_err as_tsr = ts_check_answer(body_span(&tsi), body_span(&tsr), &ends);

	/* The same at the other end. */
	assert_int_equal(ts_check_answer(body_span(&tsr), body_span(&tsi), &swapped), as_tsr);
	return as_tsr;
}

static enum ike_err answer(const struct pl_selector *r, unsigned n)
{
	return answer_past(false, r, n);
}

static void answer_that_is_what_we_asked_is_accepted(void **state)
{
	struct pl_selector s[2] = { host("198.51.100.2"), host("198.51.100.2") };

	(void)state;
	assert_int_equal(answer(s, 1), IKE_OK);
	s[0].ip_protocol = 6;
	assert_int_equal(answer(s, 2), IKE_OK);
}

static void wider_answer_is_refused(void **state)
{
	struct pl_selector s[2];

	(void)state;
	s[0] = range("198.51.100.0", "198.51.100.255");
	assert_int_equal(answer(s, 1), IKE_E_NO_PROPOSAL);
	s[0] = range("198.51.100.2", "198.51.100.3");
	assert_int_equal(answer(s, 1), IKE_E_NO_PROPOSAL);
	s[0] = host("198.51.100.2");
	s[1] = host("198.51.100.3");
	assert_int_equal(answer(s, 2), IKE_E_NO_PROPOSAL);
	s[1] = range("0.0.0.0", "255.255.255.255");
	assert_int_equal(answer(s, 2), IKE_E_NO_PROPOSAL);
}

static void narrower_answer_is_refused(void **state)
{
	struct pl_selector s = host("198.51.100.2");

	(void)state;
	s.ip_protocol = 6;
	assert_int_equal(answer(&s, 1), IKE_E_NO_PROPOSAL);
	s = host("198.51.100.2");
	s.port_first = s.port_last = 443;
	assert_int_equal(answer(&s, 1), IKE_E_NO_PROPOSAL);
	s = host("198.51.100.3");
	assert_int_equal(answer(&s, 1), IKE_E_NO_PROPOSAL);
}

/* RFC 7296 2.23.1: what the host knows an end by that is behind a NAT; strongSwan answers so. */
static void other_address_of_an_end_behind_a_nat_is_accepted(void **state)
{
	struct pl_selector s[2] = { host("10.0.0.5"), host("10.0.0.5") };

	(void)state;
	assert_int_equal(answer(s, 1), IKE_E_NO_PROPOSAL);
	assert_int_equal(answer_past(true, s, 1), IKE_OK);
	s[0].ip_protocol = 6;
	assert_int_equal(answer_past(true, s, 1), IKE_E_NO_PROPOSAL);
	assert_int_equal(answer_past(true, s, 2), IKE_OK);
	s[0] = host("198.51.100.2");
	assert_int_equal(answer_past(true, s, 1), IKE_OK);
}

static void nat_makes_no_answer_wider(void **state)
{
	struct pl_selector s[2] = { host("10.0.0.5"), host("198.51.100.2") };

	(void)state;
	assert_int_equal(answer_past(true, s, 2), IKE_E_NO_PROPOSAL);
	s[1] = host("10.0.0.6");
	assert_int_equal(answer_past(true, s, 2), IKE_E_NO_PROPOSAL);
	s[0] = range("10.0.0.5", "10.0.0.6");
	assert_int_equal(answer_past(true, s, 1), IKE_E_NO_PROPOSAL);
	s[0] = range("10.0.0.6", "10.0.0.5");
	assert_int_equal(answer_past(true, s, 1), IKE_E_NO_PROPOSAL);
	s[0] = range("0.0.0.0", "255.255.255.255");
	assert_int_equal(answer_past(true, s, 1), IKE_E_NO_PROPOSAL);
	s[0] = host("2001:db8::1");
	assert_int_equal(answer_past(true, s, 1), IKE_E_NO_PROPOSAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selector_of_a_host_as_on_the_wire),
		cmocka_unit_test(host_to_host_is_accepted),
		cmocka_unit_test(wider_request_is_narrowed_to_the_host),
		cmocka_unit_test(requests_without_the_whole_host_are_unacceptable),
		cmocka_unit_test(private_address_behind_a_nat_is_put_back_into_the_answer),
		cmocka_unit_test(our_own_address_behind_a_nat),
		cmocka_unit_test(unknown_selector_types_are_passed_over),
		cmocka_unit_test(malformed_lists_are_syntax_errors),
		cmocka_unit_test(list_longer_than_the_table_is_unacceptable),
		cmocka_unit_test(answer_that_is_what_we_asked_is_accepted),
		cmocka_unit_test(wider_answer_is_refused),
		cmocka_unit_test(narrower_answer_is_refused),
		cmocka_unit_test(other_address_of_an_end_behind_a_nat_is_accepted),
		cmocka_unit_test(nat_makes_no_answer_wider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
