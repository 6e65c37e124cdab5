/* A stranger's TSi and TSr. The first byte holds flags, the second the length of TSi, TSr is the rest.
 *
 * Whatever they ask for, what we agree to is one host at each end, for any traffic.
 */
#include "tests/fuzz/fuzz.h"

#include "ike/ts.h"

static const struct ip_addr peer_v4 = { IP_V4, { 192, 0, 2, 1 } }, us_v4 = { IP_V4, { 198, 51, 100, 2 } };
static const struct ip_addr peer_v6 = { IP_V6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
static const struct ip_addr us_v6 = { IP_V6, { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 } };

static uint8_t buffers[2][128];

static struct span body_of(unsigned which, const struct pl_selector *s)
{
	struct msg_wr m = msg_begin_inner(buffers[which], sizeof buffers[which]);
	struct span out;

	pl_ts_write(&m, PL_TSI, s, 1);
	FUZZ_CHECK(msg_end(&m, NULL, &out) == IKE_OK);
	return span_of(out.p + 4, out.n - 4);
}

static void check_host(const struct pl_selector *s, const struct ip_addr *seen, bool behind_nat)
{
	FUZZ_CHECK(s->family == seen->family && ip_equal(&s->first, &s->last));
	FUZZ_CHECK(s->ip_protocol == 0 && s->port_first == 0 && s->port_last == UINT16_MAX);
	FUZZ_CHECK(behind_nat || ip_equal(&s->first, seen));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	struct rd r = rd_over(span_of(input, n));
	uint8_t flags = rd_u8(&r);
	struct span tsi = rd_bytes(&r, rd_u8(&r));
	struct span tsr = rd_rest(&r);
	const struct ts_ends ends = {
		.peer = flags & 1 ? peer_v6 : peer_v4, .us = flags & 1 ? us_v6 : us_v4,
		.peer_behind_nat = flags & 2, .us_behind_nat = flags & 4,
	};
	const struct ts_ends swapped = {
		.us = ends.peer, .us_behind_nat = ends.peer_behind_nat, .peer = ends.us, .peer_behind_nat = ends.us_behind_nat,
	};
	struct ts_pair pair;

	if (!rd_ok(&r))
		return 0;
	if (ts_narrow(tsi, tsr, &ends, &pair) == IKE_OK) {
		check_host(&pair.i, &ends.peer, ends.peer_behind_nat);
		check_host(&pair.r, &ends.us, ends.us_behind_nat);
		FUZZ_CHECK(ts_check_answer(body_of(0, &pair.i), body_of(1, &pair.r), &swapped) == IKE_OK);
	} else {
		FUZZ_CHECK(pair.i.family == IP_NONE && pair.r.family == IP_NONE);
	}
	/* An answer that we accept as initiator is one that we would have narrowed to the very same hosts. */
	if (ts_check_answer(tsi, tsr, &swapped) == IKE_OK)
		FUZZ_CHECK(ts_narrow(tsi, tsr, &ends, &pair) == IKE_OK);
	return 0;
}
