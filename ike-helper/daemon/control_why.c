/* control_why.c - the command "why": what was decided about a name, and what would be. */
#include "config.h"

#include <string.h>

#include "daemon/control_commands.h"
#include "daemon/control_json.h"
#include "daemon/link.h"
#include "proto/control_proto.h"
#include "tunnel/tunnel.h"

enum { HOSTS_MAX = 2 * RP_ADDRESSES_MAX, TUNNELS_MAX = 8 };

struct question {
	struct dnsname name;
	struct ip_addr at[HOSTS_MAX];
	enum rp_reason decided[HOSTS_MAX];
	unsigned n_decided, n;              /* the first n_decided are of the decision */
	struct span keys[RP_KEYS_MAX];
	unsigned n_keys;
	uint8_t bytes[CONTROL_REQUEST_MAX / 2];     /* of the keys */
};

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool read_hex(const char *text, struct wr *w)
{
	for (; *text != '\0'; text += 2) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return false;
		wr_u8(w, (uint8_t)(high << 4 | low));
	}
	return wr_ok(w);
}

static const char *read_keys(const json_t *request, struct question *q)
{
	struct wr w = wr_over(q->bytes, sizeof q->bytes);
	const json_t *key;
	size_t i;

	json_array_foreach(json_object_get(request, "keys"), i, key) {
		const char *text = json_string_value(key);
		size_t from = w.n;

		if (!text || q->n_keys == RP_KEYS_MAX || !read_hex(text, &w))
			return "\"keys\" must be RDATA in hexadecimal, at most 16 of them";
		q->keys[q->n_keys++] = span_of(q->bytes + from, w.n - from);
	}
	return NULL;
}

static void add_address(struct question *q, const struct ip_addr *a)
{
	for (unsigned i = 0; i < q->n; i++)
		if (ip_equal(&q->at[i], a))
			return;
	if (q->n < HOSTS_MAX)
		q->at[q->n++] = *a;
}

static const char *read_addresses(const json_t *request, struct question *q)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(request, "addresses"), i, one) {
		const char *text = json_string_value(one);
		struct ip_addr a;

		if (!text || ip_from_text(text, &a) != IKE_OK)
			return "\"addresses\" must be addresses";
		add_address(q, &a);
	}
	return NULL;
}

static json_t *tunnels_json(const struct controld_user *user, const struct ip_addr *host, uint64_t now_ms)
{
	json_t *all = json_array();
	struct tunnel_info info;

	for (unsigned i = 0; i < TUNNELS_MAX && tunnels_of_host(user->tunnels, host, i, &info); i++)
		json_array_append_new(all, control_json_tunnel(user, &info, now_ms));
	return all;
}

static json_t *host_json(const struct controld_user *user, const struct question *q, unsigned i)
{
	uint64_t now_ms = user->now_ms(user->arg);
	json_t *host = json_object();
	char text[IP_TEXT_MAX];

	json_object_set_new(host, "address", json_string(ip_text(&q->at[i], text)));
	if (i < q->n_decided) {
		json_object_set_new(host, "decided", json_string(q->decided[i] == REASON_NONE ? "allowed"
									: rp_reason_word(q->decided[i])));
		json_object_set_new(host, "decided_text", json_string(rp_reason_text(q->decided[i])));
	}
	if (q->n_keys > 0) {
		struct rp_establish ask = { .owner = q->name, .addresses[0] = q->at[i], .n_addresses = 1, .n_keys = q->n_keys };
		struct tunnel_prospect prospect;

		memcpy(ask.keys, q->keys, sizeof ask.keys);
		tunnels_prospect(user->tunnels, &ask, 0, now_ms, &prospect);
		control_json_prospect(&prospect, now_ms, host);
	}
	json_object_set_new(host, "policy", control_json_policy(user, &q->name, &q->at[i]));
	json_object_set_new(host, "tunnels", tunnels_json(user, &q->at[i], now_ms));
	return json_pack("{s:o}", "host", host);
}

/* The addresses of the last decision come first. */
static json_t *take_decision(const struct controld_user *user, struct question *q)
{
	struct tunnel_decision told;

	if (!tunnels_decision(user->tunnels, &q->name, &told))
		return json_null();
	for (unsigned i = 0; i < told.n; i++) {
		q->decided[q->n] = told.at[i].reason;
		add_address(q, &told.at[i].address);
	}
	q->n_decided = q->n;
	return control_json_decision(&told, user->now_ms(user->arg));
}

json_t *control_why(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	struct question q = { .n = 0 };
	json_t *decision, *lines;
	const char *wrong;

	if (!name || dnsname_from_text(name, &q.name) != IKE_OK)
		return control_error("bad-request", "\"name\" must be a domain name");
	decision = take_decision(user, &q);
	wrong = read_addresses(request, &q);
	if (!wrong)
		wrong = read_keys(request, &q);
	if (wrong) {
		json_decref(decision);
		return control_error("bad-request", wrong);
	}
	lines = json_array();
	for (unsigned i = 0; i < q.n; i++)
		json_array_append_new(lines, host_json(user, &q, i));
	json_array_append_new(lines, json_pack("{s:s, s:o, s:i, s:i}", "result", "ok", "decision", decision, "resolver_connections",
					       (int)link_clients(user->link), "paused_s",
					       (int)tunnels_paused_s(user->tunnels, user->now_ms(user->arg))));
	*walk = (struct control_walk){ .active = true, .lines = lines };
	return NULL;
}
