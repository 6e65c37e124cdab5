/* why_print.c - what oe why found, for people and for scripts. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/described.h"
#include "cli/term.h"
#include "cli/text.h"
#include "cli/why.h"

/* For people ------------------------------------------------------------------------------------------------------------ */

static void print_label(const char *label)
{
	printf("%-10s ", label);
}

static void print_chain(const struct why *w)
{
	char from[DNSNAME_TEXT_MAX], to[DNSNAME_TEXT_MAX];

	for (unsigned i = 0; i < w->n_links; i++) {
		const struct why_link *link = &w->links[i];

		print_label(link->dname ? "DNAME" : "CNAME");
		printf("%s -> %s (%s)\n", dnsname_text(&link->from, from), dnsname_text(&link->to, to),
		       why_security_text(link->security));
	}
}

static void print_addresses(const struct why_addresses *a)
{
	char text[IP_TEXT_MAX];

	print_label(a->type == DNS_TYPE_A ? "A" : "AAAA");
	for (unsigned i = 0; i < a->n; i++)
		printf("%s ", ip_text(&a->at[i], text));
	if (!a->answered)
		printf("no answer: %s\n", a->error);
	else if (a->rcode == DNS_RCODE_SERVFAIL)
		printf("SERVFAIL%s%s%s\n", a->ipsec[0] != '\0' || a->ede[0] != '\0' ? ": " : "", a->ipsec,
		       a->ipsec[0] == '\0' ? a->ede : "");
	else if (a->n > 0)
		printf("(%s, TTL %u s)\n", why_security_text(a->security), a->ttl_s);
	else
		printf("%s (%s)\n", a->rcode == DNS_RCODE_NXDOMAIN ? "no such name" : "none", why_security_text(a->security));
}

static void print_keys(const struct why *w)
{
	if (w->keys.n == 0) {
		print_label("IPSECKEY");
		printf("none (%s)\n", why_security_text(w->keys_security));
	}
	for (unsigned i = 0; i < w->keys.n; i++) {
		struct described d;

		describe(w->keys.rdata[i], &d);
		print_label("IPSECKEY");
		if (d.readable)
			printf("%u %s/%u ", d.record.precedence, d.usable ? d.key : "unusable", ipseckey_tag(&d.record));
		if (d.gateway[0] != '\0')
			printf("gateway %s ", d.gateway);
		if (!d.usable)
			printf("not usable: %s ", d.why);
		printf("(%s, TTL %u s)\n", why_security_text(w->keys_security), w->keys.ttl_s);
	}
}

static void print_member(const json_t *object, const char *member)
{
	const char *text = why_text(object, member);
	char safe[TEXT_SAFE_MAX];

	printf("%s", text ? text_safe(text, safe) : "-");
}

static void print_tunnel(const json_t *tunnel)
{
	char age[TEXT_NUMBER_MAX];

	print_label("tunnel");
	print_member(tunnel, "address");
	if (why_text(tunnel, "gateway")) {
		printf(" via ");
		print_member(tunnel, "gateway");
	}
	printf(" ");
	print_member(tunnel, "state");
	if (json_is_integer(json_object_get(tunnel, "age_s")))
		printf(" for %s", text_seconds((uint64_t)why_number(tunnel, "age_s"), age));
	printf(" from ");
	print_member(tunnel, "local");
	if (why_text(tunnel, "key")) {
		printf(" by ");
		print_member(tunnel, "key");
		printf("/%lld", why_number(tunnel, "key_tag"));
	}
	if (why_text(tunnel, "name")) {
		printf(", first for ");
		print_member(tunnel, "name");
	}
	printf("\n");
}

static void print_host(const json_t *host)
{
	const json_t *failure = json_object_get(host, "failure"), *tunnel;
	char ago[TEXT_NUMBER_MAX], again[TEXT_NUMBER_MAX];
	size_t i;

	json_array_foreach(json_object_get(host, "tunnels"), i, tunnel)
		print_tunnel(tunnel);
	if (json_array_size(json_object_get(host, "tunnels")) == 0) {
		print_label("tunnel");
		print_member(host, "address");
		printf(" none\n");
	}
	if (why_text(host, "policy")) {
		print_label("policy");
		print_member(host, "address");
		printf(" ");
		print_member(host, "policy");
		printf("\n");
	}
	if (!json_is_object(failure))
		return;
	print_label("failure");
	print_member(host, "address");
	printf(" %s ago, %lld in a row: ", text_seconds((uint64_t)why_number(failure, "ago_s"), ago), why_number(failure, "times"));
	print_member(failure, "text");
	printf(", remembered for %s\n", text_seconds((uint64_t)why_number(failure, "again_in_s"), again));
}

static void print_daemon(const struct why *w)
{
	char ago[TEXT_NUMBER_MAX];
	const json_t *host;
	size_t i;

	json_array_foreach(w->hosts, i, host)
		print_host(host);
	if (!w->daemon_runs) {
		print_label("oe-iked");
		printf("%s\n", w->daemon_error);
	} else if (json_is_object(w->decision)) {
		print_label("decided");
		printf("%s ago: ", text_seconds((uint64_t)why_number(w->decision, "ago_s"), ago));
		print_member(w->decision, "verdict");
		if (why_text(w->decision, "text")) {
			printf(", ");
			print_member(w->decision, "text");
		}
		printf("\n");
	}
}

void why_print_found(const struct why *w)
{
	if (w->addresses[0].answered || w->addresses[1].answered) {
		print_chain(w);
		print_addresses(&w->addresses[0]);
		print_addresses(&w->addresses[1]);
		print_keys(w);
	}
	print_daemon(w);
}

void why_print(const struct why *w, const struct why_verdict *verdict)
{
	const char *outcome = why_outcome_text(verdict->outcome);
	char safe[TEXT_SAFE_MAX];

	why_print_found(w);
	printf("%s%s%s\n", term_colour(outcome), text_safe(verdict->sentence, safe), term_plain(outcome));
}

/* For scripts ----------------------------------------------------------------------------------------------------------- */

static json_t *name_json(const struct dnsname *name)
{
	char text[DNSNAME_TEXT_MAX];

	return json_string(dnsname_text(name, text));
}

static json_t *chain_json(const struct why *w)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < w->n_links; i++)
		json_array_append_new(all, json_pack("{s:o, s:o, s:s, s:s}", "from", name_json(&w->links[i].from), "to",
						     name_json(&w->links[i].to), "type", w->links[i].dname ? "DNAME" : "CNAME",
						     "security", why_security_text(w->links[i].security)));
	return all;
}

static json_t *addresses_json(const struct why_addresses *a)
{
	json_t *all = json_array();
	char text[IP_TEXT_MAX];

	for (unsigned i = 0; i < a->n; i++)
		json_array_append_new(all, json_string(ip_text(&a->at[i], text)));
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:s}", "type", a->type == DNS_TYPE_A ? "A" : "AAAA", "rcode",
			 a->answered ? json_integer(a->rcode) : json_null(), "addresses", all, "ttl_s",
			 a->n > 0 ? json_integer(a->ttl_s) : json_null(), "security", why_security_text(a->security), "text", a->ipsec[0] != '\0' ? a->ipsec : a->answered ? a->ede : a->error);
}

static json_t *keys_json(const struct why *w)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < w->keys.n; i++) {
		struct described d;

		describe(w->keys.rdata[i], &d);
		json_array_append_new(all, json_pack("{s:i, s:i, s:o, s:i, s:o, s:o}", "precedence", d.record.precedence, "algorithm",
						     d.record.algorithm, "key", d.usable ? json_string(d.key) : json_null(), "key_tag",
						     d.readable ? ipseckey_tag(&d.record) : 0, "gateway",
						     d.gateway[0] != '\0' ? json_string(d.gateway) : json_null(), "unusable",
						     d.usable ? json_null() : json_string(d.why)));
	}
	return json_pack("{s:s, s:o, s:o}", "security", why_security_text(w->keys_security), "ttl_s",
			 w->keys.n > 0 ? json_integer(w->keys.ttl_s) : json_null(), "records", all);
}

json_t *why_json(const struct why *w, const struct why_verdict *verdict)
{
	return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:[o, o], s:o, s:o, s:O?, s:O?}", "name", name_json(&w->name),
				"outcome", why_outcome_text(verdict->outcome), "reason", verdict->reason, "sentence", verdict->sentence,
				"resolver", w->resolver, "chain", chain_json(w), "owner", name_json(&w->owner), "addresses",
				addresses_json(&w->addresses[0]), addresses_json(&w->addresses[1]), "keys", keys_json(w), "oe_iked",
				w->daemon_runs ? json_null() : json_string(w->daemon_error), "hosts", w->hosts, "decision", w->decision);
}

void why_print_json(const struct why *w, const struct why_verdict *verdict)
{
	json_t *all = why_json(w, verdict);

	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(all);
}
