#include "config.h"

#include "daemon/dns_channel.h"

#include <stdio.h>

#include "dnskey/dns_message.h"

bool dns_channel_open(const struct ip_endpoint *resolver, ares_sock_state_cb interest, void *arg, ares_channel *out)
{
	struct ares_options options = {
		/* NOCHECKRESP: an error is an answer, to be told. STAYOPEN: the next question takes the same socket. */
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP | ARES_FLAG_STAYOPEN,
		.timeout = DNS_TIMEOUT_MS,
		.tries = DNS_TRIES,
		.ednspsz = DNS_UDP_MAX,
		.lookups = (char[]){ "b" },
		.sock_state_cb = interest,
		.sock_state_cb_data = arg,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS;
	char address[IP_TEXT_MAX], server[IP_TEXT_MAX + 16];

	*out = NULL;
	if (ares_init_options(out, &options, interest ? mask | ARES_OPT_SOCK_STATE_CB : mask) != ARES_SUCCESS) {
		*out = NULL;
		return false;
	}
	ip_text(&resolver->addr, address);
	snprintf(server, sizeof server, resolver->addr.family == IP_V6 ? "[%s]:%u" : "%s:%u", address, resolver->port);
	if (ares_set_servers_ports_csv(*out, server) == ARES_SUCCESS)
		return true;
	ares_destroy(*out);
	*out = NULL;
	return false;
}
