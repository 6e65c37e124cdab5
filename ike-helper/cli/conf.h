/* conf.h - single options of oe.conf. The rest of the file is oe-iked's to judge. */
#ifndef OE_CLI_CONF_H
#define OE_CLI_CONF_H

#include <stddef.h>

#include "cli/oe.h"

/* The value of an option into to[max]: the last one in the file, or otherwise, which fits, when there is none or no file. What is
 * wrong has been said. */
enum oe_exit conf_find(const struct oe *oe, const char *option, const char *otherwise, char *to, size_t max);

#endif
