/*
 * unbound-module/oe_config.c - settings of the module.
 */

/**
 * \file
 * What the settings may be.
 */

#include "ub_compat.h"
#include "oe_config.h"

/** bounds of the deadline, in milliseconds; its message names them too */
#define OE_DEADLINE_MIN_MS 100
#define OE_DEADLINE_MAX_MS 60000

const char*
oe_config_set_socket(struct oe_config* cfg, const char* path, size_t len)
{
	if(len == 0 || path[0] != '/')
		return "wants an absolute path";
	if(len >= sizeof(cfg->socket))
		return "path too long for a socket";
	memcpy(cfg->socket, path, len);
	cfg->socket[len] = 0;
	return NULL;
}

const char*
oe_config_set_policy_dir(struct oe_config* cfg, const char* path, size_t len)
{
	if(len == 0 || path[0] != '/')
		return "wants an absolute path";
	if(len >= sizeof(cfg->policy_dir))
		return "path too long";
	memcpy(cfg->policy_dir, path, len);
	cfg->policy_dir[len] = 0;
	return NULL;
}

const char*
oe_config_set_deadline(struct oe_config* cfg, int ms)
{
	if(ms < OE_DEADLINE_MIN_MS || ms > OE_DEADLINE_MAX_MS)
		return "must be between 100 and 60000 milliseconds";
	cfg->deadline_ms = ms;
	return NULL;
}
