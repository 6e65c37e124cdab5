/*
 * unbound-module/ipsecoe.c - the module built into Unbound.
 */

/**
 * \file
 * The counterpart of dynlib.c: the functions that Unbound calls, its options
 * and its counters.
 */

#include "ub_compat.h"
#include <ctype.h>
#include "ipsecoe.h"
#include "oe_guard.h"
#include "oe_reply.h"
#include "unbound_oe.h"

#include "libunbound/unbound.h"
#include "proto/resolver_proto.h"
#include "services/modstack.h"

/** the word in module-config */
#define IPSECOE_NAME "ipsecoe"

/** unbound.h, which everybody may include, has room for our counters and no
 * names of ours */
_Static_assert(OE_STATS <= UB_STATS_IPSECOE_NUM, "room for the counters");
_Static_assert(IPSECOE_DEADLINE_DEFAULT == OE_DEADLINE_DEFAULT_MS,
	"the same default in both forms");

/** Paths may be written with the chroot in front, as all of unbound.conf:
 * what it is inside. */
static const char*
inside_chroot(const struct config_file* cfg, const char* path)
{
	size_t chroot = cfg->chrootdir ? strlen(cfg->chrootdir) : 0;
	if(!path)
		return "";
	if(chroot && strncmp(path, cfg->chrootdir, chroot) == 0 &&
		path[chroot] == '/')
		path += chroot;
	return path;
}

/** Take the settings from unbound.conf; returns what is wrong or NULL, valid
 * until the next call. */
static const char*
settings(const struct config_file* cfg, struct oe_config* oe)
{
	static char text[128];
	const char* path = inside_chroot(cfg, cfg->ipsecoe_socket);
	const char* option = "ipsecoe-socket", *wrong;
	memset(oe, 0, sizeof(*oe));
	wrong = oe_config_set_socket(oe, path, strlen(path));
	if(!wrong) {
		option = "ipsecoe-policy-dir";
		path = inside_chroot(cfg, cfg->ipsecoe_policy_dir);
		wrong = oe_config_set_policy_dir(oe, path, strlen(path));
	}
	if(!wrong) {
		option = "ipsecoe-deadline";
		wrong = oe_config_set_deadline(oe, cfg->ipsecoe_deadline);
	}
	if(!wrong)
		return NULL;
	snprintf(text, sizeof(text), "%s: %s", option, wrong);
	return text;
}

int
ipsecoe_init(struct module_env* env, int id)
{
	struct oe_config cfg;
	struct oe_env* oe;
	const char* wrong = settings(env->cfg, &cfg);
	if(wrong) {
		log_err("%s", wrong);
		return 0;
	}
	if(!oe_init(env, id, &cfg, &oe))
		return 0;
	env->modinfo[id] = oe;
	return inplace_cb_register((void*)&oe_query_response,
			inplace_cb_query_response, NULL, env, id) &&
		inplace_cb_register((void*)&oe_reply_servfail,
			inplace_cb_reply_servfail, NULL, env, id);
}

void
ipsecoe_deinit(struct module_env* env, int id)
{
	inplace_cb_delete(env, inplace_cb_query_response, id);
	inplace_cb_delete(env, inplace_cb_reply_servfail, id);
	oe_deinit((struct oe_env*)env->modinfo[id], env);
	env->modinfo[id] = NULL;
}

void
ipsecoe_operate(struct module_qstate* qstate, enum module_ev event, int id,
	struct outbound_entry* ATTR_UNUSED(outbound))
{
	oe_operate((struct oe_env*)qstate->env->modinfo[id], qstate, event,
		id);
}

void
ipsecoe_inform_super(struct module_qstate* qstate, int id,
	struct module_qstate* super)
{
	oe_inform_super(qstate, id, super);
}

void
ipsecoe_clear(struct module_qstate* qstate, int id)
{
	oe_clear(qstate, id);
}

size_t
ipsecoe_get_mem(struct module_env* env, int id)
{
	struct oe_env* oe = (struct oe_env*)env->modinfo[id];
	return oe ? oe_get_mem(oe) : 0;
}

struct module_func_block*
ipsecoe_get_funcblock(void)
{
	/* by name: later versions have more members */
	static struct module_func_block block = {
		.name = IPSECOE_NAME,
		.init = &ipsecoe_init,
		.deinit = &ipsecoe_deinit,
		.operate = &ipsecoe_operate,
		.inform_super = &ipsecoe_inform_super,
		.clear = &ipsecoe_clear,
		.get_mem = &ipsecoe_get_mem
	};
	return &block;
}

int
ipsecoe_is_query_response(inplace_cb_query_response_func_type* fptr)
{
	return fptr == &oe_query_response;
}

int
ipsecoe_is_reply_servfail(inplace_cb_reply_func_type* fptr)
{
	return fptr == &oe_reply_servfail;
}

/** the word in a list of words separated by white space, or NULL */
static char*
word_in(char* list, const char* word)
{
	size_t len = strlen(word);
	char* at;
	for(at = strstr(list, word); at; at = strstr(at + 1, word))
		if((at == list || isspace((unsigned char)at[-1])) &&
			(!at[len] || isspace((unsigned char)at[len])))
			return at;
	return NULL;
}

/** is there anything that can make an answer secure */
static int
has_trust_anchor(const struct config_file* cfg)
{
	return cfg->auto_trust_anchor_file_list || cfg->trust_anchor_file_list
		|| cfg->trust_anchor_list || cfg->trusted_keys_file_list;
}

/** warn of what is not wrong in itself */
static void
check_surroundings(struct config_file* cfg)
{
	size_t chroot = cfg->chrootdir ? strlen(cfg->chrootdir) : 0;
	if(!has_trust_anchor(cfg))
		log_warn("ipsecoe: no trust anchor is configured; nothing is "
			"secure, and nothing is protected");
	if(chroot && strncmp(cfg->ipsecoe_socket, cfg->chrootdir, chroot) != 0)
		log_warn("ipsecoe-socket: %s is looked for inside of the "
			"chroot %s", cfg->ipsecoe_socket, cfg->chrootdir);
	if(cfg->ipsecoe_deadline >= cfg->discard_timeout &&
		cfg->discard_timeout > 0)
		log_warn("ipsecoe-deadline: %d is not below discard-timeout "
			"(%d): late answers are dropped, not refused",
			cfg->ipsecoe_deadline, cfg->discard_timeout);
	oe_warn_about_roads(cfg);
}

const char*
ipsecoe_checkconf(struct config_file* cfg)
{
	struct oe_config oe;
	const char* wrong = settings(cfg, &oe);
	char* ours = word_in(cfg->module_conf, IPSECOE_NAME), *rest;
	if(wrong || !ours)
		return wrong;
	rest = ours + strlen(IPSECOE_NAME);
	if(word_in(rest, IPSECOE_NAME))
		return "module-config: ipsecoe is there twice";
	if(!word_in(rest, "validator"))
		return "module-config: ipsecoe must be in front of validator; "
			"nothing would be protected";
	check_surroundings(cfg);
	while(isspace((unsigned char)*rest))
		rest++;
	memmove(ours, rest, strlen(rest) + 1);
	return NULL;
}

void
ipsecoe_stats(struct module_env* env, struct ub_server_stats* svr, int reset)
{
	int id = modstack_find(&env->mesh->mods, IPSECOE_NAME);
	struct oe_stats stats;
	memset(svr->ipsecoe, 0, sizeof(svr->ipsecoe));
	if(id == -1)
		return;
	oe_get_stats((struct oe_env*)env->modinfo[id], env, &stats, reset);
	memcpy(svr->ipsecoe, stats.n, sizeof(stats.n));
}

void
ipsecoe_stats_add(struct ub_server_stats* total,
	const struct ub_server_stats* a)
{
	int i;
	for(i = 0; i < OE_STATS; i++)
		total->ipsecoe[i] += a->ipsecoe[i];
}

int
ipsecoe_stat_name(int i, char* name, size_t len)
{
	static const char* const words[OE_STAT_CAUSE] = { "asked", "waiting",
		"allowed", "partial", "clear", "refused" };
	if(i < 0 || i >= OE_STATS)
		return 0;
	if(i < OE_STAT_CAUSE)
		snprintf(name, len, "%s", words[i]);
	else	snprintf(name, len, "refused.%s", i == OE_STAT_CAUSE ?
			"unknown" : rp_reason_word((unsigned)(i -
			OE_STAT_CAUSE)));
	return 1;
}
