/*
 * unbound-module/oe_conf_file.h - what the module reads from oe.conf.
 */

/**
 * \file
 * oe.conf is shared with the helper. The module takes two options from it
 * and leaves judging all others to the helper, which refuses to start with a
 * file that has a mistake.
 */

#ifndef OE_CONF_FILE_H
#define OE_CONF_FILE_H

struct oe_config;

/**
 * Read the configuration: the file named by the environment variable OE_CONF,
 * or SYSCONFDIR/unbound-oe/oe.conf. A file that does not exist means defaults.
 * Never fails as such: a resolver has to start. What is wrong with the file is
 * logged and kept in the error text.
 * @param cfg: filled in.
 */
void oe_conf_file_read(struct oe_config* cfg);

#endif /* OE_CONF_FILE_H */
