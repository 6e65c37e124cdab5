/*
 * unbound-module/oe_config.h - settings of the module.
 */

/**
 * \file
 * Where they come from depends on the form of the module: loaded by dynlib,
 * which hands no options on, it takes them from oe.conf (oe_conf_file.h);
 * built into Unbound, from unbound.conf (ipsecoe.h). What is allowed is the
 * same and is decided here.
 */

#ifndef OE_CONFIG_H
#define OE_CONFIG_H

/** longest path that fits struct sockaddr_un, with its final NUL */
#define OE_SOCKET_PATH_MAX 108
/** The deadline has to end before Unbound's discard-timeout (1900 ms by
 * default), which drops an answer without a word. */
#define OE_DEADLINE_DEFAULT_MS 1500

/** longest path of the folder with the policy groups, with its final NUL */
#define OE_POLICY_DIR_MAX 1024

/** settings of the module */
struct oe_config {
	/** where the helper listens */
	char socket[OE_SOCKET_PATH_MAX];
	/** a question that has waited this long, in milliseconds, is answered
	 * with SERVFAIL */
	int deadline_ms;
	/** the folder of the policy groups, oe_policy.h */
	char policy_dir[OE_POLICY_DIR_MAX];
	/** the settings cannot be used: every keyed name is refused with this
	 * text. Empty if all is well. */
	char error[256];
};

/**
 * Set where the helper listens.
 * @param cfg: socket is set, if the path is good.
 * @param path: need not end with a NUL.
 * @param len: bytes of it.
 * @return what is wrong with the path, in words to follow the name of the
 *	option, or NULL.
 */
const char* oe_config_set_socket(struct oe_config* cfg, const char* path,
	size_t len);

/** Set the folder of the policy groups; returns as oe_config_set_socket(). */
const char* oe_config_set_policy_dir(struct oe_config* cfg, const char* path,
	size_t len);

/** Set the deadline, in milliseconds; returns as oe_config_set_socket(). */
const char* oe_config_set_deadline(struct oe_config* cfg, int ms);

#endif /* OE_CONFIG_H */
