/* nsupdate.h - one run of nsupdate(1): a script in, and whether the server took it. */
#ifndef OE_CLI_NSUPDATE_H
#define OE_CLI_NSUPDATE_H

#include <stdio.h>

#include "cli/oe.h"

struct nsupdate {
	FILE *script;               /* for the caller to fill */
};

enum oe_exit nsupdate_open(struct nsupdate *run);

/* Run it with the TSIG key in the file tsig (NULL: none); closes the script. OE_OK: the server has said NOERROR to everything.
 * Otherwise the person has been told, as "FAILED: why". */
enum oe_exit nsupdate_run(struct nsupdate *run, const char *tsig, const char *failed);

#endif
