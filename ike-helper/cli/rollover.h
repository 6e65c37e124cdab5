/* rollover.h - where the replacement of this host's key stands. It is in a file, so that nothing depends on somebody's memory.
 *
 *   start    the new key is published beside the old one, for every name          clients that know the old one alone: all
 *   switch   when the last name's TTL has passed: the new key takes the place      nobody does any more
 *            of the file server-key, and oe-iked is restarted
 *   finish   the old key is withdrawn from every name; the file goes
 *   cancel   instead of switch: the new key is withdrawn again
 */
#ifndef OE_CLI_ROLLOVER_H
#define OE_CLI_ROLLOVER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/dnsname.h"
#include "cli/key.h"
#include "dnskey/ipseckey.h"

enum { ROLLOVER_NAMES_MAX = 64, ROLLOVER_PATH_MAX = PATH_MAX };

struct rollover_name {
	struct dnsname name;
	int64_t published_s;        /* time(): both keys have been there since; 0: not yet */
	uint32_t ttl_s;             /* of the records as they were before */
};

/* The record of a key. */
struct rollover_key {
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct ipseckey record;     /* views into rdata */
};

struct rollover {
	struct rollover_key old, new;
	char new_file[ROLLOVER_PATH_MAX];   /* where the new key is until switch */
	char tsig[ROLLOVER_PATH_MAX];       /* "": none */
	char server[64];                    /* as --server; "": none */
	uint32_t ttl_s;                     /* of the records of the new key */
	int64_t switched_s;                 /* time(); 0: not yet */
	unsigned n;
	struct rollover_name names[ROLLOVER_NAMES_MAX];
};

/* *found: there is one under way. Otherwise *out is empty. What is wrong with the file has been said. */
enum oe_exit rollover_load(const char *file, struct rollover *out, bool *found);
/* As a whole or not at all, and on disk when it returns. */
enum oe_exit rollover_save(const char *file, const struct rollover *r);
enum oe_exit rollover_remove(const char *file);

/* When every resolver has forgotten the records without the new key: time(). 0: it is not published for every name. */
int64_t rollover_ripe_s(const struct rollover *r);

#endif
