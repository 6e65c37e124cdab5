#include "config.h"

#include "cli/takeover.h"

#include <stdio.h>
#include <string.h>

#include "cli/lookup.h"
#include "cli/text.h"

/* What the C library asks; and, where that is systemd-resolved, what this asks. */
static const char resolv_conf[] = "/etc/resolv.conf", resolved_conf[] = "/run/systemd/resolve/resolv.conf";

enum { CANARY_MS = 500 };

static bool is_resolved(const char *server)
{
	return strcmp(server, "127.0.0.53") == 0 || strcmp(server, "127.0.0.54") == 0;
}

/* The next "nameserver" of resolv.conf(5); false at the end. */
static bool next_server(FILE *file, char server[64])
{
	char line[512];

	while (fgets(line, sizeof line, file))
		if (sscanf(line, " nameserver %63s", server) == 1)
			return true;
	return false;
}

static void warn_about_servers(const char *path, const struct ip_endpoint *resolver)
{
	char server[64], ours[IP_TEXT_MAX], safe[TEXT_SAFE_MAX];
	FILE *file = fopen(path, "re");
	struct ip_addr address;

	while (file && next_server(file, server)) {
		if (is_resolved(server) && path == resolv_conf) {
			warn_about_servers(resolved_conf, resolver);
			continue;
		}
		if (ip_from_text(server, &address) == IKE_OK && ip_equal(&address, &resolver->addr))
			continue;
		printf("warning: %s names %s beside or instead of %s: what is asked there is not protected\n", path,
		       text_safe(server, safe), ip_text(&resolver->addr, ours));
	}
	if (file)
		fclose(file);
}

/* Browsers with DNS over HTTPS of their own leave it off where this name has no address (Mozilla's canary domain). What is not answered at
 * once is not ours to tell. */
static void warn_about_browsers(const struct ip_endpoint *resolver)
{
	static const char canary[] = "use-application-dns.net";
	struct lookup_question q = { .type = DNS_TYPE_A };

	if (dnsname_from_text(canary, &q.name) != IKE_OK)
		return;
	lookup_ask_for(resolver, &q, 1, CANARY_MS);
	if (q.answered && q.message.rcode == DNS_RCODE_NOERROR && q.message.left[DNS_ANSWER] > 0)
		printf("warning: the resolver has an address for %s, so that browsers may ask others over HTTPS: see unbound.conf.example\n",
		       canary);
	lookup_clear(&q, 1);
}

void takeover_warn(const struct ip_endpoint *resolver)
{
	warn_about_servers(resolv_conf, resolver);
	warn_about_browsers(resolver);
}
