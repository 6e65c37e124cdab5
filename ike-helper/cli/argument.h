/* argument.h - names and addresses as people type them. */
#ifndef OE_CLI_ARGUMENT_H
#define OE_CLI_ARGUMENT_H

#include "base/addr.h"
#include "base/dnsname.h"
#include "cli/oe.h"

/* A domain name in the letters that the DNS has (RFC 1035 2.3.1 is not asked for, "xn--" labels are, RFC 5890 2.3.2.1). Otherwise
 * OE_USAGE, and the person has been told what is wrong with it. */
enum oe_exit argument_name(const struct oe_command *command, const char *text, struct dnsname *out);

/* A name, or an address: then *out is that (an IPv4-mapped one as IPv4), else it is IP_NONE. */
enum oe_exit argument_name_or_address(const struct oe_command *command, const char *text, struct dnsname *name, struct ip_addr *out);

/* The same, as the member "match" of the control protocol; to is for DNSNAME_TEXT_MAX. */
enum oe_exit argument_match(const struct oe_command *command, const char *text, char *to);

#endif
