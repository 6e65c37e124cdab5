#include "tests/fuzz/wire_payload.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "wire/payloads.h"

static uint8_t buffer[MSG_MAX + 1024];

/* inner lies within outer. */
static void check_within(struct span outer, struct span inner)
{
	FUZZ_CHECK(inner.n == 0 || (inner.p >= outer.p && inner.n <= outer.n && inner.p + inner.n <= outer.p + outer.n));
}

/* The body of the one payload in m; empty when it did not fit, which only a body near 64 KiB may cause. */
static struct span written(struct msg_wr *m, uint8_t type)
{
	struct msg_chain c;
	struct span out;
	uint8_t first;

	if (msg_end(m, &first, &out) != IKE_OK)
		return (struct span){ NULL, 0 };
	FUZZ_CHECK(first == type);
	FUZZ_CHECK(msg_chain_read(first, out, &c) == IKE_OK && c.n == 1);
	return c.payload[0].body;
}

/* Written back it is as long as it was; only RESERVED bytes differ, which the second reading shows. */
static void check_ke(struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct pl_ke a, b;

	if (pl_ke_read(body, &a) != IKE_OK)
		return;
	check_within(body, a.public_value);
	FUZZ_CHECK(a.public_value.n > 0);
	pl_ke_write(&m, a.group, a.public_value);
	FUZZ_CHECK(pl_ke_read(written(&m, PL_KE), &b) == IKE_OK);
	FUZZ_CHECK(a.group == b.group && span_equal(a.public_value, b.public_value));
}

static void check_id(uint8_t type, struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct pl_id a, b;

	if (pl_id_read(body, &a) != IKE_OK)
		return;
	check_within(body, a.value);
	FUZZ_CHECK(span_equal(a.rest_of_id, body));
	FUZZ_CHECK(a.type != ID_NULL || a.value.n == 0);
	pl_id_write(&m, (enum ike_payload_type)type, a.type, a.value);
	FUZZ_CHECK(pl_id_read(written(&m, type), &b) == IKE_OK);
	FUZZ_CHECK(a.type == b.type && span_equal(a.value, b.value));
}

static void check_auth(struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct pl_auth a, b;
	struct pl_auth_signature s;

	if (pl_auth_read(body, &a) != IKE_OK)
		return;
	check_within(body, a.value);
	if (pl_auth_signature_read(a.value, &s) == IKE_OK) {
		check_within(a.value, s.algorithm);
		check_within(a.value, s.signature);
		FUZZ_CHECK(1 + s.algorithm.n + s.signature.n == a.value.n);
	}
	pl_auth_write(&m, a.method, a.value);
	FUZZ_CHECK(pl_auth_read(written(&m, PL_AUTH), &b) == IKE_OK);
	FUZZ_CHECK(a.method == b.method && span_equal(a.value, b.value));
}

static void check_nonce(struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct span a;

	if (pl_nonce_read(body, &a) != IKE_OK)
		return;
	FUZZ_CHECK(a.n >= NONCE_MIN && a.n <= NONCE_MAX && span_equal(a, body));
	pl_nonce_write(&m, a);
	FUZZ_CHECK(span_equal(written(&m, PL_NONCE), body));
}

static void check_cert(uint8_t type, struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct pl_cert a;

	if (pl_cert_read(body, &a) != IKE_OK)
		return;
	pl_cert_write(&m, (enum ike_payload_type)type, a.encoding, a.value);
	FUZZ_CHECK(span_equal(written(&m, type), body));
}

static void check_notify(struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct pl_notify a;

	if (pl_notify_read(body, &a) != IKE_OK)
		return;
	check_within(body, a.spi);
	check_within(body, a.value);
	pl_notify_write(&m, a.protocol, a.spi, a.type, a.value);
	FUZZ_CHECK(span_equal(written(&m, PL_NOTIFY), body));
}

static void check_delete(struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	static uint32_t spis[UINT16_MAX];
	struct pl_delete a;
	struct rd r;

	if (pl_delete_read(body, &a) != IKE_OK)
		return;
	check_within(body, a.spis);
	FUZZ_CHECK(a.spis.n == (size_t)a.n * a.spi_len);
	if (a.spi_len != 4 || a.n == 0)
		return;
	r = rd_over(a.spis);
	for (unsigned i = 0; i < a.n; i++)
		spis[i] = rd_u32(&r);
	FUZZ_CHECK(rd_done(&r));
	pl_delete_write(&m, a.protocol, spis, a.n);
	FUZZ_CHECK(span_equal(written(&m, PL_DELETE), body));
}

static void check_ts(uint8_t type, struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct pl_ts a, b;

	if (pl_ts_read(body, &a) != IKE_OK) {
		FUZZ_CHECK(a.n == 0);
		return;
	}
	FUZZ_CHECK(a.n >= 1 && a.n <= PL_SELECTORS_MAX);
	for (unsigned i = 0; i < a.n; i++) {
		const struct pl_selector *s = &a.selector[i];

		if (s->family == IP_NONE)       /* not kept whole: cannot be written */
			return;
		FUZZ_CHECK(s->first.family == s->family && s->last.family == s->family);
	}
	pl_ts_write(&m, (enum ike_payload_type)type, a.selector, a.n);
	FUZZ_CHECK(pl_ts_read(written(&m, type), &b) == IKE_OK);
	FUZZ_CHECK(memcmp(&a, &b, sizeof a) == 0);
}

static void check_cp(struct span body)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct pl_cp a, b;
	const struct pl_cp_addresses *only = &a.v4;
	enum ip_family family = IP_V4;

	if (pl_cp_read(body, &a) != IKE_OK) {
		FUZZ_CHECK(a.v4.n == 0 && a.v6.n == 0);
		return;
	}
	FUZZ_CHECK(a.v4.first.family == IP_NONE || (a.v4.n > 0 && a.v4.first.family == IP_V4));
	FUZZ_CHECK(a.v6.first.family == IP_NONE || (a.v6.n > 0 && a.v6.first.family == IP_V6));
	if (a.v4.n + a.v6.n != 1)
		return;
	if (a.v6.n == 1) {
		only = &a.v6;
		family = IP_V6;
	}
	pl_cp_write(&m, a.type, family, only->first.family == IP_NONE ? NULL : &only->first);
	FUZZ_CHECK(pl_cp_read(written(&m, PL_CP), &b) == IKE_OK);
	FUZZ_CHECK(memcmp(&a, &b, sizeof a) == 0);
}

static bool is_whole(const struct pl_proposal *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->transform[i].unknown_attribute)
			return false;
	return true;
}

static void check_sa(struct span body)
{
	static struct pl_proposal a[256], b;
	struct pl_sa_reader sa = pl_sa_read(body);
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	bool whole = true;
	unsigned n = 0;
	enum ike_err err;

	while ((err = pl_sa_next(&sa, &a[n])) == IKE_OK || err == IKE_E_NOSPACE) {
		FUZZ_CHECK(a[n].n <= PL_TRANSFORMS_MAX && a[n].spi_len <= sizeof a[n].spi);
		whole = whole && err == IKE_OK && is_whole(&a[n]);
		FUZZ_CHECK(++n < 256);          /* numbers are one byte and grow by one */
	}
	FUZZ_CHECK(err == IKE_E_STATE || err == IKE_E_SYNTAX);
	if (err == IKE_E_SYNTAX || !whole)
		return;
	FUZZ_CHECK(n > 0);
	pl_sa_write(&m, a, n);
	sa = pl_sa_read(written(&m, PL_SA));
	for (unsigned i = 0; i < n; i++) {
		FUZZ_CHECK(pl_sa_next(&sa, &b) == IKE_OK);
		FUZZ_CHECK(memcmp(&a[i], &b, sizeof b) == 0);
	}
	FUZZ_CHECK(pl_sa_next(&sa, &b) == IKE_E_STATE);
}

static void check_skf(struct span body)
{
	struct pl_skf a;

	if (pl_skf_read(body, &a) != IKE_OK)
		return;
	check_within(body, a.rest);
	FUZZ_CHECK(a.number >= 1 && a.number <= a.total && a.rest.n + 4 == body.n);
}

void fuzz_wire_payload(uint8_t type, struct span body)
{
	switch (type) {
	case PL_SA:
		check_sa(body);
		break;
	case PL_KE:
		check_ke(body);
		break;
	case PL_IDI:
	case PL_IDR:
		check_id(type, body);
		break;
	case PL_CERT:
	case PL_CERTREQ:
		check_cert(type, body);
		break;
	case PL_AUTH:
		check_auth(body);
		break;
	case PL_NONCE:
		check_nonce(body);
		break;
	case PL_NOTIFY:
		check_notify(body);
		break;
	case PL_DELETE:
		check_delete(body);
		break;
	case PL_TSI:
	case PL_TSR:
		check_ts(type, body);
		break;
	case PL_CP:
		check_cp(body);
		break;
	case PL_SKF:
		check_skf(body);
		break;
	default:
		break;
	}
}
