/* key.h - the two halves of oe key. */
#ifndef OE_CLI_KEY_H
#define OE_CLI_KEY_H

#include "cli/oe.h"

/* argv[0] is "dns" or "generate". */
enum oe_exit key_dns(int argc, char **argv);
enum oe_exit key_generate(int argc, char **argv);

#endif
