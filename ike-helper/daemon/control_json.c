#include "config.h"

#include "daemon/control_json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/control_commands.h"
#include "daemon/net.h"
#include "daemon/link.h"

static json_t *spi_json(uint32_t spi)
{
	char text[9];

	if (spi == 0)
		return json_null();
	snprintf(text, sizeof text, "%08x", spi);
	return json_string(text);
}

static json_t *name_json(const struct dnsname *name)
{
	char text[DNSNAME_TEXT_MAX];

	return name->n > 0 ? json_string(dnsname_text(name, text)) : json_null();
}

static json_t *address_json(const struct ip_addr *address)
{
	char text[IP_TEXT_MAX];

	return address->family != IP_NONE ? json_string(ip_text(address, text)) : json_null();
}

static void add_traffic(json_t *to, const struct sa_traffic *traffic)
{
	uint32_t idle_s =
		traffic->idle_in_s < traffic->idle_out_s ? traffic->idle_in_s : traffic->idle_out_s;

	json_object_set_new(to, "bytes_in", json_integer((json_int_t)traffic->bytes_in));
	json_object_set_new(to, "bytes_out", json_integer((json_int_t)traffic->bytes_out));
	json_object_set_new(to, "packets_in", json_integer((json_int_t)traffic->packets_in));
	json_object_set_new(to, "packets_out", json_integer((json_int_t)traffic->packets_out));
	json_object_set_new(to, "idle_s", json_integer(idle_s));
}

/* From one time to the other; 0 when it has passed. */
static json_t *seconds_json(uint64_t from_ms, uint64_t to_ms)
{
	return json_integer(to_ms > from_ms ? (json_int_t)((to_ms - from_ms) / 1000) : 0);
}

json_t *control_json_policy(const struct controld_user *user, const struct dnsname *name, const struct ip_addr *address)
{
	char text[GROUP_ENTRY_TEXT_MAX];
	struct group_entry entry;

	if (tunnels_policy(user->tunnels, name, address, &entry) == GROUP_NONE)
		return json_null();
	return json_string(group_entry_text(&entry, text));
}

json_t *control_json_tunnel(const struct controld_user *user, const struct tunnel_info *info, uint64_t now_ms)
{
	json_t *to = json_object();
	char suite[64];
	bool is_up = info->established_ms != 0;
	bool is_tunnel = info->inner_local.family != IP_NONE;

	json_object_set_new(to, "name", name_json(&info->name));
	json_object_set_new(to, "names", json_integer(info->names));
	json_object_set_new(to, "address", address_json(&info->remote));
	json_object_set_new(to, "local", address_json(&info->local));
	json_object_set_new(to, "outer", ip_equal(&info->outer, &info->remote) || info->gateway.family != IP_NONE
						 ? json_null() : address_json(&info->outer));
	json_object_set_new(to, "gateway", address_json(&info->gateway));
	json_object_set_new(to, "state", json_string(tunnel_state_text(info->state)));
	json_object_set_new(to, "initiator", json_boolean(info->initiator));
	json_object_set_new(to, "key",
			    info->key_text[0] != '\0' ? json_string(info->key_text) : json_null());
	json_object_set_new(to, "key_tag",
			    info->key_text[0] != '\0' ? json_integer(info->key_tag) : json_null());
	json_object_set_new(to, "spi_in", spi_json(info->spi_in));
	json_object_set_new(to, "spi_out", spi_json(info->spi_out));
	if (is_up)
		esp_suite_text(&info->esp_suite, suite, sizeof suite);
	json_object_set_new(to, "cipher", is_up ? json_string(suite) : json_null());
	json_object_set_new(to, "esn", json_boolean(is_up && info->esp_suite.esn));
	json_object_set_new(to, "post_quantum", json_boolean(info->post_quantum));
	json_object_set_new(to, "encapsulated", json_boolean(info->encapsulated));
	json_object_set_new(to, "mode", is_up ? json_string(is_tunnel ? "tunnel" : "transport") : json_null());
	json_object_set_new(to, "inner", is_tunnel && !ip_equal(&info->inner_local, &info->local)
						 ? address_json(&info->inner_local) : json_null());
	json_object_set_new(to, "reqid", json_integer(info->reqid));
	json_object_set_new(to, "age_s",
			    is_up ? seconds_json(info->established_ms, now_ms) : json_null());
	json_object_set_new(to, "answer_expires_in_s",
			    seconds_json(now_ms, info->answer_expires_ms));
	json_object_set_new(to, "policy", control_json_policy(user, &info->name, &info->remote));
	add_traffic(to, &info->traffic);
	return to;
}

/* "the host refused: no", or without the detail. */
static json_t *reason_json(enum rp_reason reason, const char *detail)
{
	return json_sprintf("%s%s%s", rp_reason_text(reason), detail[0] != '\0' ? ": " : "", detail);
}

static const char *verdict_text(enum rp_verdict_kind kind)
{
	switch (kind) {
	case RP_ALLOW: return "allow";
	case RP_CLEAR: return "clear";
	case RP_REFUSE: return "refuse";
	}
	return "refuse";
}

json_t *control_json_decision(const struct tunnel_decision *decision, uint64_t now_ms)
{
	bool fine = decision->reason == REASON_NONE;

	return json_pack("{s:s, s:o, s:o, s:o}", "verdict", verdict_text(decision->kind), "reason",
			 fine ? json_null() : json_string(rp_reason_word(decision->reason)), "text",
			 fine ? json_null() : reason_json(decision->reason, decision->detail), "ago_s",
			 seconds_json(decision->at_ms, now_ms));
}

static const char *prospect_text(enum tunnel_prospect_kind kind)
{
	switch (kind) {
	case PROSPECT_REFUSED: return "refused";
	case PROSPECT_OWN: return "own";
	case PROSPECT_CLEAR: return "clear";
	case PROSPECT_PROTECTED: return "protected";
	case PROSPECT_TRY: return "try";
	case PROSPECT_GATEWAY: return "gateway";
	}
	return "refused";
}

/* The last second counts: it is not over yet. */
static json_t *wait_json(uint64_t now_ms, uint64_t until_ms)
{
	return json_integer(until_ms > now_ms ? (json_int_t)((until_ms - now_ms + 999) / 1000) : 0);
}

void control_json_prospect(const struct tunnel_prospect *prospect, uint64_t now_ms, json_t *host)
{
	bool fine = prospect->kind != PROSPECT_REFUSED;

	json_object_set_new(host, "next", json_string(prospect_text(prospect->kind)));
	json_object_set_new(host, "reason", fine ? json_null() : json_string(rp_reason_word(prospect->reason)));
	json_object_set_new(host, "text", fine ? json_null() : reason_json(prospect->reason, prospect->detail));
	if (prospect->kind == PROSPECT_CLEAR && prospect->until_ms > 0)
		json_object_set_new(host, prospect->paused ? "paused_s" : "clear_for_s", wait_json(now_ms, prospect->until_ms));
	if (prospect->failure.at_ms == 0)
		return;
	json_object_set_new(host, "failure",
			    json_pack("{s:s, s:o, s:i, s:o, s:o}", "reason", rp_reason_word(prospect->failure.reason), "text",
				      reason_json(prospect->failure.reason, prospect->failure.detail), "times",
				      (int)prospect->failure.times, "ago_s", seconds_json(prospect->failure.at_ms, now_ms),
				      "again_in_s", wait_json(now_ms, prospect->failure.until_ms)));
}

/* A name that this permission has nothing to do with protects the address of its answer. */
static json_t *protected_for_json(const struct controld_user *user, const struct tunnel_permission *p)
{
	struct tunnel_decision decision = { .n = 0 };
	struct tunnel_info info;

	if (p->name.n > 0)
		(void)tunnels_decision(user->tunnels, &p->name, &decision);
	for (unsigned i = 0; i < decision.n; i++) {
		for (unsigned k = 0; tunnels_of_host(user->tunnels, &decision.at[i].address, k, &info); k++) {
			if (info.established_ms != 0)
				return info.name.n > 0 ? name_json(&info.name) : address_json(&info.remote);
		}
	}
	return json_null();
}

json_t *control_json_permission(const struct controld_user *user, const struct tunnel_permission *p)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "name", name_json(&p->name), "address", address_json(&p->address), "ends_in_s",
			 wait_json(user->now_ms(user->arg), p->until_ms), "protected_for", protected_for_json(user, p));
}

static json_t *now_json(void)
{
	char stamp[sizeof "2026-11-21T09:55:52"] = "";
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc))
		(void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
	return json_sprintf("%s.%03ldZ", stamp, now.tv_nsec / 1000000);
}

/* Of a tunnel that is up: what proved it, and what protects it. */
static json_t *protection_json(const struct controld_user *user, const struct tunnel_event *event)
{
	struct tunnel_info info;
	char suite[64];

	for (unsigned i = 0; tunnels_of_host(user->tunnels, &event->address, i, &info); i++) {
		if (info.established_ms == 0 || !ip_equal(&info.local, &event->local))
			continue;
		esp_suite_text(&info.esp_suite, suite, sizeof suite);
		if (info.key_text[0] == '\0')
			return json_sprintf("an anonymous client, %s", suite);
		return json_sprintf("%s/%u, %s", info.key_text, (unsigned)info.key_tag, suite);
	}
	return json_null();
}

static json_t *event_text(const struct controld_user *user, const struct tunnel_event *event)
{
	if (event->kind == TUNNEL_EV_PROTECTED || event->kind == TUNNEL_EV_REKEYED)
		return protection_json(user, event);
	if (event->reason != REASON_NONE)
		return reason_json(event->reason, event->detail);
	if (event->kind == TUNNEL_EV_DRAINING)
		return json_string("idle");
	return event->detail[0] != '\0' ? json_string(event->detail) : json_null();
}

json_t *control_event(const struct controld_user *user, const struct tunnel_event *event)
{
	return json_pack("{s:{s:o, s:s, s:o, s:o, s:o, s:o, s:o}}", "event", "at", now_json(), "what", tunnel_event_word(event->kind),
			 "name", name_json(&event->name), "address", address_json(&event->address), "local", address_json(&event->local),
			 "reason", event->reason != REASON_NONE ? json_string(rp_reason_word(event->reason)) : json_null(), "text",
			 event_text(user, event));
}

static void add_count(json_t *to, const char *group, const char *name, uint64_t count)
{
	char key[64];

	snprintf(key, sizeof key, "%s.%s", group, name);
	json_object_set_new(to, key, json_integer((json_int_t)count));
}

static void add_tunnels(json_t *to, struct tunnels *tunnels)
{
	static const enum tunnel_state states[] = {
		TUNNEL_ESTABLISHING, TUNNEL_PROTECTED, TUNNEL_HEALING, TUNNEL_DRAINING,
	};
	uint64_t counts[sizeof states / sizeof *states] = { 0 }, cursor = 0;
	struct tunnel_info info;
	size_t i;

	while (tunnels_next(tunnels, &cursor, &info))
		for (i = 0; i < sizeof states / sizeof *states; i++)
			counts[i] += info.state == states[i];
	add_count(to, "tunnels", "all", tunnels_count(tunnels));
	add_count(to, "tunnels", "anonymous", tunnels_anonymous(tunnels));
	for (i = 0; i < sizeof states / sizeof *states; i++)
		add_count(to, "tunnels", tunnel_state_text(states[i]), counts[i]);
#define ADD_TUNNEL(name) add_count(to, "tunnels", #name, tunnels_stats(tunnels)->name);
	TUNNEL_STATS(ADD_TUNNEL)
#undef ADD_TUNNEL
}

json_t *control_json_server(const struct controld_user *user)
{
	const struct tunnel_stats *tunnels = tunnels_stats(user->tunnels);
	const struct ike_stats *ike = ike_stats(user->ike);
	json_t *to = json_object(), *refused = json_object(), *released = json_object();

	json_object_set_new(to, "anonymous", json_integer(tunnels_anonymous(user->tunnels)));
	json_object_set_new(to, "half_open", json_integer(ike_load(user->ike).half_open));
	json_object_set_new(refused, "tunnels-max", json_integer((json_int_t)tunnels->refused_all));
	json_object_set_new(refused, "anonymous-max", json_integer((json_int_t)tunnels->refused_anonymous));
	json_object_set_new(refused, "anonymous-per-source", json_integer((json_int_t)tunnels->refused_per_source));
	json_object_set_new(refused, "half-open-max", json_integer((json_int_t)ike->dropped_limit));
	json_object_set_new(refused, "half-open-per-source", json_integer((json_int_t)ike->dropped_per_source));
	json_object_set_new(released, "tunnels-max", json_integer((json_int_t)tunnels->pushed_out_by_all));
	json_object_set_new(released, "anonymous-max", json_integer((json_int_t)tunnels->pushed_out_by_anonymous));
	json_object_set_new(released, "anonymous-per-source", json_integer((json_int_t)tunnels->pushed_out_by_source));
	json_object_set_new(released, "half-open-max", json_integer((json_int_t)ike->half_open_pushed_out));
	json_object_set_new(released, "half-open-per-source", json_integer((json_int_t)ike->half_open_pushed_out_by_source));
	json_object_set_new(to, "refused", refused);
	json_object_set_new(to, "released", released);
	return to;
}

json_t *control_json_stats(const struct controld_user *user)
{
	const struct ike_stats *ike = ike_stats(user->ike);
	const struct net_stats *net = net_stats(user->net);
	struct ike_load load = ike_load(user->ike);
	json_t *to = json_object();

	add_tunnels(to, user->tunnels);
	add_count(to, "resolver", "connections", link_clients(user->link));
	add_count(to, "ike", "sas", load.sas);
	add_count(to, "ike", "initiating", load.initiating);
	add_count(to, "ike", "half_open", load.half_open);
	add_count(to, "ike", "sas_established", load.established);
#define ADD_IKE(name) add_count(to, "ike", #name, ike->name);
	IKE_STATS(ADD_IKE)
#undef ADD_IKE
#define ADD_NET(name) add_count(to, "net", #name, net->name);
	NET_STATS(ADD_NET)
#undef ADD_NET
	return to;
}
