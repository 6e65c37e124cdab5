/* control_by_hand.c - the commands "clear", "clear-end", "clear-list", "pause", "resume": what the operator permits in clear. */
#include "config.h"

#include <stdio.h>

#include "daemon/control_commands.h"
#include "daemon/control_json.h"
#include "daemon/link.h"
#include "proto/control_proto.h"
#include "tunnel/tunnel.h"

static const struct dnsname *name_of(const struct control_walk *walk)
{
	return walk->name.n > 0 ? &walk->name : NULL;
}

static const struct ip_addr *address_of(const struct control_walk *walk)
{
	return walk->name.n > 0 ? NULL : &walk->address;
}

static json_t *shared_error(const struct tunnel_cleared *cleared)
{
	char text[IP_TEXT_MAX + DNSNAME_TEXT_MAX + 64], address[IP_TEXT_MAX], name[DNSNAME_TEXT_MAX];

	snprintf(text, sizeof text, "its address %s is protected for %s, too: permit the address", ip_text(&cleared->shared, address),
		 dnsname_text(&cleared->with, name));
	return control_error("shared-address", text);
}

/* The member "for_s"; 0: it is wrong. */
static uint32_t read_time(const json_t *request)
{
	json_int_t for_s = json_integer_value(json_object_get(request, "for_s"));

	return for_s >= 1 && for_s <= CONTROL_BY_HAND_MAX_S ? (uint32_t)for_s : 0;
}

static json_t *time_error(void)
{
	return control_error("bad-request", "\"for_s\" must be seconds, at most a week");
}

json_t *control_clear(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	json_t *wrong = control_read_match(request, true, walk);
	uint32_t for_s = read_time(request);
	struct tunnel_cleared cleared;
	enum ike_err err;

	if (wrong)
		return wrong;
	if (for_s == 0)
		return time_error();
	err = tunnels_clear(user->tunnels, name_of(walk), address_of(walk), for_s, user->now_ms(user->arg), &cleared);
	if (err == IKE_E_CONFLICT)
		return shared_error(&cleared);
	if (err == IKE_E_LIMIT)
		return control_error("too-many", "there are too many permissions; end one");
	if (err != IKE_OK)
		return NULL;
	user->done(user->arg);
	return json_pack("{s:s, s:i}", "result", "ok", "released", (int)cleared.released);
}

json_t *control_clear_end(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	json_t *wrong = control_read_match(request, true, walk);

	if (wrong)
		return wrong;
	if (!tunnels_clear_end(user->tunnels, name_of(walk), address_of(walk), user->now_ms(user->arg)))
		return control_error("no-such-permission", "there is no such permission");
	user->done(user->arg);
	return json_pack("{s:s}", "result", "ok");
}

json_t *control_clear_list(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	struct tunnel_permission permission;
	json_t *lines = json_array();
	unsigned n;

	(void)request;
	for (n = 0; tunnels_permission(user->tunnels, n, &permission); n++)
		json_array_append_new(lines, json_pack("{s:o}", "permission", control_json_permission(user, &permission)));
	json_array_append_new(lines, json_pack("{s:s, s:i}", "result", "ok", "permissions", (int)n));
	*walk = (struct control_walk){ .active = true, .lines = lines };
	return NULL;
}

json_t *control_pause(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	uint32_t for_s = read_time(request);

	(void)walk;
	if (for_s == 0)
		return time_error();
	tunnels_pause(user->tunnels, for_s, user->now_ms(user->arg));
	user->done(user->arg);
	return json_pack("{s:s, s:i}", "result", "ok", "resolver_connections", (int)link_clients(user->link));
}

json_t *control_resume(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	(void)request;
	(void)walk;
	if (!tunnels_resume(user->tunnels, "the operator says so", user->now_ms(user->arg)))
		return control_error("not-paused", "nothing is paused");
	user->done(user->arg);
	return json_pack("{s:s}", "result", "ok");
}
