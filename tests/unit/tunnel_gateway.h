/* tunnel_gateway.h - requests for names whose records name gateways, and what the resolver would find out about these. */
#ifndef OE_TESTS_TUNNEL_GATEWAY_H
#define OE_TESTS_TUNNEL_GATEWAY_H

#include "tests/unit/tunnel_double.h"

#define HOST "192.0.2.7"
#define NAME "box.example.org"

enum { ALL = 0xffff };

/* A request for NAME at HOST whose records the test adds. */
struct question {
	struct rp_establish q;
	uint8_t rdata[RP_KEYS_MAX][3 + DNSNAME_MAX + 32];
};

static inline void begin(const struct world *w, struct question *to, const char *owner)
{
	memset(to, 0, sizeof *to);
	to->q = (struct rp_establish){ .owner = name_of(owner), .ttl_s = w->ttl_s, .deadline_ms = w->deadline_ms, .n_addresses = 1,
				       .addresses[0] = address_of(HOST) };
}

/* gateway: an address, a name, or "." */
static inline void record(struct question *to, uint8_t precedence, const char *gateway, char letter)
{
	unsigned i = to->q.n_keys++;
	struct wr w = wr_over(to->rdata[i], sizeof to->rdata[i]);
	struct ipseckey key = { .precedence = precedence, .algorithm = IPSECKEY_EDDSA };
	uint8_t plain[3 + 32];

	make_key(plain, letter);
	key.public_key = span_of(plain + 3, 32);
	if (ip_from_text(gateway, &key.gateway) == IKE_OK) {
		key.gateway_type = key.gateway.family == IP_V4 ? GATEWAY_IPV4 : GATEWAY_IPV6;
	} else if (strcmp(gateway, ".") != 0) {
		key.gateway_type = GATEWAY_NAME;
		key.gateway_name = name_of(gateway);
	}
	ipseckey_write(&w, &key);
	to->q.keys[i] = wr_span(&w);
}

/* What the reverse name of HOST says about these records. */
static inline void reverse(struct question *to, enum rp_finding finding, uint16_t keys)
{
	to->q.reverse[0] = (struct rp_reverse){ .finding = finding, .keys = (uint16_t)(keys & ((1u << to->q.n_keys) - 1)) };
	to->q.n_reverse = 1;
}

/* What the name in these records has come to. */
static inline void resolved(struct question *to, uint16_t keys, enum rp_finding finding, const char *address)
{
	struct rp_gateway *g = &to->q.gateways[to->q.n_gateways++];

	*g = (struct rp_gateway){ .keys = keys, .finding = finding };
	if (finding == RP_FOUND)
		g->addresses[g->n_addresses++] = address_of(address);
}

static inline void ask_it(struct world *w, uint32_t id, const struct question *q)
{
	assert_int_equal(ask_for(w, 1, id, &q->q), IKE_OK);
}

/* NAME at HOST, with key A, by this gateway, as the owner of the address has it. */
static inline void ask_through(struct world *w, uint32_t id, const char *owner, const char *gateway, char letter)
{
	struct question q;

	begin(w, &q, owner);
	record(&q, 10, gateway, letter);
	reverse(&q, RP_FOUND, ALL);
	ask_it(w, id, &q);
}

static inline void assert_asked(const struct world *w, ike_handle sa, const char *peer, const char *host)
{
	const struct ip_addr to = address_of(peer), inside = host ? address_of(host) : (struct ip_addr){ .family = IP_NONE };

	assert_in_range(sa, 1, w->n_sas);
	assert_true(ip_equal(&w->sas[sa - 1].path.remote.addr, &to));
	assert_true(ip_equal(&w->sas[sa - 1].host, &inside));
}

static inline void assert_refused_with(const struct world *w, uint32_t id, enum rp_reason reason, const char *text)
{
	assert_refused(w, id, reason);
	assert_string_equal(verdict_of(w, id)->text, text);
}

/* Two gateways, each with its key. */
static inline void two_ways(const struct world *w, struct question *q, char first, char second)
{
	begin(w, q, NAME);
	record(q, 10, "192.0.2.1", first);
	record(q, 20, "192.0.2.2", second);
	reverse(q, RP_FOUND, ALL);
}

#endif
