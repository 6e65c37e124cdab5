/* Read -> write -> read gives the same message; what was read can always be written. */
#include "tests/fuzz/fuzz.h"

#include "proto/resolver_proto.h"

static void check_same_gateways(const struct rp_establish *a, const struct rp_establish *b)
{
	FUZZ_CHECK(a->n_gateways == b->n_gateways && a->n_gateways <= RP_GATEWAYS_MAX);
	for (unsigned i = 0; i < a->n_gateways; i++) {
		const struct rp_gateway *x = &a->gateways[i], *y = &b->gateways[i];

		FUZZ_CHECK(x->keys == y->keys && x->finding == y->finding && x->n_addresses == y->n_addresses);
		FUZZ_CHECK(x->keys != 0 && x->keys >> a->n_keys == 0 && x->n_addresses <= RP_GATEWAY_ADDRESSES_MAX);
		for (unsigned k = 0; k < x->n_addresses; k++)
			FUZZ_CHECK(ip_equal(&x->addresses[k], &y->addresses[k]));
	}
	FUZZ_CHECK(a->n_reverse == b->n_reverse && a->n_reverse <= a->n_addresses);
	for (unsigned i = 0; i < a->n_reverse; i++) {
		const struct rp_reverse *x = &a->reverse[i], *y = &b->reverse[i];

		FUZZ_CHECK(x->address == y->address && x->finding == y->finding && x->keys == y->keys);
		FUZZ_CHECK(x->address < a->n_addresses && x->keys >> a->n_keys == 0);
	}
}

static void check_same_establish(const struct rp_establish *a, const struct rp_establish *b)
{
	unsigned i;

	FUZZ_CHECK(a->n_addresses == b->n_addresses && a->n_addresses >= 1 && a->n_addresses <= RP_ADDRESSES_MAX);
	FUZZ_CHECK(a->n_keys == b->n_keys && a->n_keys >= 1 && a->n_keys <= RP_KEYS_MAX);
	FUZZ_CHECK(dnsname_equal(&a->owner, &b->owner));
	for (i = 0; i < a->n_addresses; i++)
		FUZZ_CHECK(ip_equal(&a->addresses[i], &b->addresses[i]));
	for (i = 0; i < a->n_keys; i++)
		FUZZ_CHECK(span_equal(a->keys[i], b->keys[i]));
	FUZZ_CHECK(a->ttl_s == b->ttl_s && a->deadline_ms == b->deadline_ms);
	check_same_gateways(a, b);
}

static void check_same_verdict(const struct rp_verdict *a, const struct rp_verdict *b)
{
	unsigned i;

	FUZZ_CHECK(a->n_addresses == b->n_addresses && a->n_addresses <= RP_ADDRESSES_MAX);
	FUZZ_CHECK(a->kind == b->kind && a->reason == b->reason && a->ttl_cap_s == b->ttl_cap_s);
	FUZZ_CHECK(span_equal(a->reason_text, b->reason_text));
	for (i = 0; i < a->n_addresses; i++) {
		FUZZ_CHECK(a->address[i].allowed == b->address[i].allowed);
		FUZZ_CHECK(a->address[i].reason == b->address[i].reason);
	}
}

static void check_same(const struct rp_message *a, const struct rp_message *b)
{
	FUZZ_CHECK(a->type == b->type && a->id == b->id);
	switch (a->type) {
	case RP_HELLO:
		FUZZ_CHECK(a->u.hello.version_min == b->u.hello.version_min);
		FUZZ_CHECK(a->u.hello.version_max == b->u.hello.version_max);
		break;
	case RP_ESTABLISH:
		check_same_establish(&a->u.establish, &b->u.establish);
		break;
	case RP_CANCEL:
		break;
	case RP_VERDICT:
		check_same_verdict(&a->u.verdict, &b->u.verdict);
		break;
	case RP_DOWN:
		FUZZ_CHECK(dnsname_equal(&a->u.down.owner, &b->u.down.owner));
		FUZZ_CHECK(a->u.down.reason == b->u.down.reason);
		FUZZ_CHECK(a->u.down.tells_pause == b->u.down.tells_pause && a->u.down.pause_s == b->u.down.pause_s);
		FUZZ_CHECK(a->u.down.tells_groups == b->u.down.tells_groups && a->u.down.groups_digest == b->u.down.groups_digest);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	static uint8_t buffer[RP_MESSAGE_MAX];
	struct wr w = wr_over(buffer, sizeof buffer);
	struct rp_message first, second;

	if (rp_read(span_of(input, n), &first) != IKE_OK)
		return 0;
	FUZZ_CHECK(rp_write(&first, &w) == IKE_OK);
	FUZZ_CHECK(w.n <= n);                   /* ours is the shortest form: no skipped TLVs */
	FUZZ_CHECK(rp_read(wr_span(&w), &second) == IKE_OK);
	check_same(&first, &second);
	return 0;
}
