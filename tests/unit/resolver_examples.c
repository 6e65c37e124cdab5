#include "tests/unit/resolver_examples.h"

static const uint8_t example_key[] = {
	0x0a, 0x00, 0x04,
	0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
	0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
};
static const char example_text[] = "2001:db8::1: 10 s of silence";

struct rp_message example_hello(void)
{
	return (struct rp_message){ .type = RP_HELLO, .u.hello = { 1, 1 } };
}

struct rp_message example_establish(void)
{
	struct rp_message m = { .type = RP_ESTABLISH, .id = 7 };
	struct rp_establish *e = &m.u.establish;

	assert_int_equal(dnsname_from_text("www.example.org", &e->owner), IKE_OK);
	assert_int_equal(ip_from_text("192.0.2.1", &e->addresses[0]), IKE_OK);
	assert_int_equal(ip_from_text("2001:db8::1", &e->addresses[1]), IKE_OK);
	e->n_addresses = 2;
	e->keys[0] = span_of(example_key, sizeof example_key);
	e->n_keys = 1;
	e->ttl_s = 300;
	e->deadline_ms = 1500;
	return m;
}

struct rp_message example_establish_gateway(void)
{
	static const uint8_t key[] = {
		0x0a, 0x03, 0x04, 0x02, 'g', 'w', 0x07, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0x03, 'o', 'r', 'g', 0x00,
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
		0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
	};
	struct rp_message m = { .type = RP_ESTABLISH, .id = 8 };
	struct rp_establish *e = &m.u.establish;

	assert_int_equal(dnsname_from_text("box.example.org", &e->owner), IKE_OK);
	assert_int_equal(ip_from_text("192.0.2.2", &e->addresses[0]), IKE_OK);
	e->n_addresses = 1;
	e->keys[0] = span_of(key, sizeof key);
	e->n_keys = 1;
	e->ttl_s = 300;
	e->deadline_ms = 1500;
	e->gateways[0] = (struct rp_gateway){ .keys = 1, .finding = RP_FOUND, .n_addresses = 1 };
	assert_int_equal(ip_from_text("192.0.2.99", &e->gateways[0].addresses[0]), IKE_OK);
	e->n_gateways = 1;
	e->reverse[0] = (struct rp_reverse){ .address = 0, .finding = RP_FOUND, .keys = 1 };
	e->n_reverse = 1;
	return m;
}

struct rp_message example_allow(void)
{
	struct rp_message m = { .type = RP_VERDICT, .id = 7 };
	struct rp_verdict *v = &m.u.verdict;

	v->kind = RP_ALLOW;
	v->reason = REASON_TIMEOUT;
	v->reason_text = span_of(example_text, strlen(example_text));
	v->ttl_cap_s = 300;
	v->n_addresses = 2;
	v->address[0].allowed = true;
	v->address[1].reason = REASON_TIMEOUT;
	return m;
}

struct rp_message example_refuse(void)
{
	struct rp_message m = { .type = RP_VERDICT, .id = 7 };
	struct rp_verdict *v = &m.u.verdict;

	v->kind = RP_REFUSE;
	v->reason = REASON_AUTH_FAILED;
	v->n_addresses = 2;
	v->address[0].reason = REASON_AUTH_FAILED;
	v->address[1].reason = REASON_AUTH_FAILED;
	return m;
}

struct rp_message example_cancel(void)
{
	return (struct rp_message){ .type = RP_CANCEL, .id = 7 };
}

struct rp_message example_down(void)
{
	struct rp_message m = { .type = RP_DOWN };

	assert_int_equal(dnsname_from_text("www.example.org", &m.u.down.owner), IKE_OK);
	m.u.down.reason = REASON_DOWN_BY_OPERATOR;
	return m;
}

struct rp_message example_pause(void)
{
	struct rp_message m = { .type = RP_DOWN };

	assert_int_equal(dnsname_from_text(".", &m.u.down.owner), IKE_OK);
	m.u.down.reason = REASON_DOWN_BY_OPERATOR;
	m.u.down.tells_pause = true;
	m.u.down.pause_s = 900;
	return m;
}

struct rp_message example_groups(void)
{
	struct rp_message m = { .type = RP_DOWN };

	assert_int_equal(dnsname_from_text(".", &m.u.down.owner), IKE_OK);
	m.u.down.reason = REASON_DOWN_BY_OPERATOR;
	m.u.down.tells_groups = true;
	m.u.down.groups_digest = UINT64_C(0xcbf29ce484222325);
	return m;
}

const struct example examples[N_EXAMPLES] = {
	{ "hello", example_hello },
	{ "establish", example_establish },
	{ "establish-gateway", example_establish_gateway },
	{ "verdict-allow", example_allow },
	{ "verdict-refuse", example_refuse },
	{ "cancel", example_cancel },
	{ "down", example_down },
	{ "pause", example_pause },
	{ "groups", example_groups },
};
