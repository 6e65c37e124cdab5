/* takeover.h - does all that this host looks up pass by oe-iked? */
#ifndef OE_CLI_TAKEOVER_H
#define OE_CLI_TAKEOVER_H

#include "base/addr.h"

/* Print a warning for each way around this resolver: another one that the system asks, and browsers that may ask their own. */
void takeover_warn(const struct ip_endpoint *resolver);

#endif
