#include "config.h"

#include "daemon/control_commands.h"

#include <string.h>

#include "daemon/control_json.h"
#include "daemon/reload.h"
#include "proto/control_proto.h"
#include "tunnel/tunnel.h"

json_t *control_error(const char *word, const char *text)
{
	return json_pack("{s:s, s:s, s:s}", "result", "error", "word", word, "error", text);
}

json_t *control_read_match(const json_t *request, bool needed, struct control_walk *out)
{
	const json_t *match = json_object_get(request, "match");
	const char *text = json_string_value(match);

	memset(out, 0, sizeof *out);
	if (!match && !needed)
		return NULL;
	if (!text || text[0] == '\0')
		return control_error("bad-request",
				     "\"match\" must be a domain name or an address");
	if (ip_from_text(text, &out->address) == IKE_OK ||
	    dnsname_from_text(text, &out->name) == IKE_OK)
		return NULL;
	return control_error("bad-request", "\"match\" is neither a domain name nor an address");
}

static bool is_match(const struct control_walk *walk, const struct tunnel_info *info)
{
	if (walk->name.n > 0)
		return dnsname_equal(&walk->name, &info->name);
	return walk->address.family == IP_NONE || ip_equal(&walk->address, &info->remote);
}

void control_walk_end(struct control_walk *walk)
{
	json_decref(walk->lines);
	memset(walk, 0, sizeof *walk);
}

static json_t *next_line(struct control_walk *walk)
{
	json_t *line = json_incref(json_array_get(walk->lines, walk->found++));

	if (walk->found == json_array_size(walk->lines))
		control_walk_end(walk);
	return line;
}

json_t *control_walk_next(const struct controld_user *user, struct control_walk *walk)
{
	struct tunnel_info info;
	json_t *last;

	if (walk->lines)
		return next_line(walk);

	while (tunnels_next(user->tunnels, &walk->cursor, &info)) {
		if (!is_match(walk, &info))
			continue;
		walk->found++;
		return json_pack("{s:o}", "tunnel",
				 control_json_tunnel(user, &info, user->now_ms(user->arg)));
	}
	walk->active = false;
	last = json_pack("{s:s, s:i, s:i, s:i, s:i}", "result", "ok", "tunnels", (int)walk->found, "permissions",
			 (int)tunnels_permissions(user->tunnels), "policy_entries", (int)groups_count(user->groups), "paused_s",
			 (int)tunnels_paused_s(user->tunnels, user->now_ms(user->arg)));
	if (user->serves)
		json_object_set_new(last, "server", control_json_server(user));
	return last;
}

static json_t *do_status(const struct controld_user *user, const json_t *request,
			 struct control_walk *walk)
{
	json_t *wrong = control_read_match(request, false, walk);

	(void)user;
	walk->active = !wrong;
	return wrong;
}

static json_t *do_down(const struct controld_user *user, const json_t *request,
		       struct control_walk *walk)
{
	json_t *wrong = control_read_match(request, true, walk);
	uint64_t now_ms = user->now_ms(user->arg);
	unsigned released;

	if (wrong)
		return wrong;
	if (walk->name.n > 0)
		released = tunnels_down_name(user->tunnels, &walk->name, now_ms);
	else
		released = tunnels_down_address(user->tunnels, &walk->address, now_ms);
	user->done(user->arg);
	if (released == 0)
		return control_error("no-such-tunnel", "there is no such tunnel");
	return json_pack("{s:s, s:i}", "result", "ok", "released", (int)released);
}

static json_t *do_monitor(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	(void)user;
	(void)request;
	walk->watch = true;
	return NULL;
}

static json_t *do_stats(const struct controld_user *user, const json_t *request,
			struct control_walk *walk)
{
	(void)request;
	(void)walk;
	return json_pack("{s:s, s:o}", "result", "ok", "stats", control_json_stats(user));
}

static json_t *do_retry(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	(void)request;
	(void)walk;
	tunnels_retry(user->tunnels, user->now_ms(user->arg));
	user->done(user->arg);
	return json_pack("{s:s}", "result", "ok");
}

static json_t *names_json(const char *const *names, unsigned n)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(all, json_string(names[i]));
	return all;
}

static json_t *do_reload(const struct controld_user *user, const json_t *request, struct control_walk *walk)
{
	struct reload reload;

	(void)request;
	(void)walk;
	if (user->reload(user->arg, &reload) != IKE_OK)
		return control_error("bad-configuration", reload.error);
	return json_pack("{s:s, s:o, s:o}", "result", "ok", "changed", names_json(reload.changed, reload.n_changed), "restart",
			 names_json(reload.restart, reload.n_restart));
}

static json_t *do_version(const struct controld_user *user, const json_t *request,
			  struct control_walk *walk)
{
	(void)request;
	(void)walk;
	return json_pack("{s:s, s:s, s:i, s:s, s:I}", "result", "ok", "version", PACKAGE_VERSION, "protocol", CONTROL_VERSION,
			 "post_quantum", user->post_quantum, "up_s",
			 (json_int_t)((user->now_ms(user->arg) - user->started_ms) / 1000));
}

static const struct {
	const char *word;
	json_t *(*run)(const struct controld_user *user, const json_t *request,
		       struct control_walk *walk);
} commands[] = {
	{ "status", do_status },
	{ "why", control_why },
	{ "down", do_down },
	{ "monitor", do_monitor },
	{ "pause", control_pause },
	{ "resume", control_resume },
	{ "clear", control_clear },
	{ "clear-end", control_clear_end },
	{ "clear-list", control_clear_list },
	{ "stats", do_stats },
	{ "retry", do_retry },
	{ "reload", do_reload },
	{ "version", do_version },
};

json_t *control_run(const struct controld_user *user, const json_t *request,
		    struct control_walk *walk)
{
	const char *word = json_string_value(json_object_get(request, "command"));
	size_t i;

	walk->active = walk->watch = false;
	if (!word)
		return control_error("bad-request",
				     "a request is an object with the text \"command\"");
	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(commands[i].word, word) == 0)
			return commands[i].run(user, request, walk);
	return control_error("unknown-command", "no such command (status, why, monitor, down, pause, resume, clear, clear-end, clear-list, stats, retry, reload, version)");
}
