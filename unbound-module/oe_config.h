/*
 * unbound-module/oe_config.h - what the module reads from oe.conf.
 */

/**
 * \file
 * oe.conf is shared with the helper. The module takes two options from it
 * and leaves judging all others to the helper, which refuses to start with a
 * file that has a mistake.
 */

#ifndef OE_CONFIG_H
#define OE_CONFIG_H

/** longest path that fits struct sockaddr_un, with its final NUL */
#define OE_SOCKET_PATH_MAX 108

/** settings of the module */
struct oe_config {
	/** where the helper listens */
	char socket[OE_SOCKET_PATH_MAX];
	/** a question that has waited this long, in milliseconds, is answered
	 * with SERVFAIL */
	int deadline_ms;
	/** the file cannot be used: every keyed name is refused with this
	 * text. Empty if all is well. */
	char error[256];
};

/**
 * Read the configuration: the file named by the environment variable OE_CONF,
 * or SYSCONFDIR/unbound-oe/oe.conf. A file that does not exist means defaults.
 * Never fails as such: a resolver has to start. What is wrong with the file is
 * logged and kept in the error text.
 * @param cfg: filled in.
 */
void oe_config_read(struct oe_config* cfg);

#endif /* OE_CONFIG_H */
