/* why_gather.c - ask the resolver and oe-iked about a name. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/why.h"
#include "conf/conf.h"
#include "dnskey/ipseckey.h"

enum { CLASS_IN = 1, SERVERS_SILENT_FIRST = 22, SERVERS_SILENT_LAST = 23, BOGUS_FIRST = 5, BOGUS_LAST = 12 };

static enum why_security security_of(const struct lookup_question *q)
{
	if (!q->answered || (q->message.rcode != DNS_RCODE_NOERROR && q->message.rcode != DNS_RCODE_NXDOMAIN))
		return WHY_UNKNOWN;
	return q->message.authentic ? WHY_SECURE : WHY_INSECURE;
}

/* A question that is not for addresses: the module does not mind it. What is bogus is answered without validation, so that it
 * can be looked at; what that does not bring is lost. */
static enum why_security look(const struct ip_endpoint *resolver, const struct dnsname *name, uint16_t type, struct lookup_question *q)
{
	*q = (struct lookup_question){ .name = *name, .type = type };
	lookup_ask(resolver, q, 1);
	if (!q->answered || q->message.rcode != DNS_RCODE_SERVFAIL)
		return security_of(q);
	lookup_clear(q, 1);
	q->unchecked = true;
	lookup_ask(resolver, q, 1);
	return security_of(q) == WHY_UNKNOWN ? WHY_LOST : WHY_BOGUS;
}

/* Addresses ---------------------------------------------------------------------------------------------------------- */

static void take_reason(struct why_addresses *a, uint16_t code, const char *text)
{
	static const char ours[] = "ipsec: ";

	if (strncmp(text, ours, strlen(ours)) == 0) {
		snprintf(a->ipsec, sizeof a->ipsec, "%s", text + strlen(ours));
		return;
	}
	if (code >= BOGUS_FIRST && code <= BOGUS_LAST)
		a->security = WHY_BOGUS;
	else if (code >= SERVERS_SILENT_FIRST && code <= SERVERS_SILENT_LAST)
		a->security = WHY_LOST;
	if (text[0] != '\0')
		snprintf(a->ede, sizeof a->ede, "%s", text);
}

static void take_addresses(const struct lookup_question *q, struct why_addresses *a)
{
	struct dns_message m = q->message;
	struct dns_record record;
	char text[DNS_EDE_TEXT_MAX];
	uint16_t code;
	size_t cursor = 0;

	a->type = q->type;
	a->answered = q->answered;
	memcpy(a->error, q->error, sizeof a->error);
	a->security = security_of(q);
	if (!q->answered)
		return;
	a->rcode = m.rcode;
	a->authentic = m.authentic;
	while (dns_record_next(&m, &record)) {
		if (record.type == DNS_TYPE_OPT) {
			for (cursor = 0; dns_ede_next(&record, &cursor, &code, text);)
				take_reason(a, code, text);
		} else if (record.type == q->type && record.class == CLASS_IN && record.section == DNS_ANSWER &&
			   a->n < RP_ADDRESSES_MAX && ip_from_bytes(record.rdata, &a->at[a->n]) == IKE_OK) {
			if (a->n == 0 || record.ttl_s < a->ttl_s)
				a->ttl_s = record.ttl_s;
			a->n++;
		}
	}
}

/* SERVFAIL of an address says little by itself. What the module refuses is secure; and servers that have said something about the
 * keys of the name do answer. */
static void settle_security(struct why *w)
{
	for (unsigned i = 0; i < 2; i++) {
		struct why_addresses *a = &w->addresses[i];

		if (!a->answered || a->rcode != DNS_RCODE_SERVFAIL || a->security == WHY_BOGUS || a->security == WHY_LOST)
			continue;
		if (a->ipsec[0] != '\0')
			a->security = WHY_SECURE;
		else
			a->security = w->keys_security == WHY_LOST ? WHY_LOST : WHY_BOGUS;
	}
}

/* Chain, keys --------------------------------------------------------------------------------------------------------- */

static bool take_link(const struct lookup_question *q, struct why_link *link)
{
	struct dns_message m = q->message;
	struct dns_record record;
	bool found = false;

	while (q->answered && m.left[DNS_ANSWER] > 0 && dns_record_next(&m, &record)) {
		if (record.type == DNS_TYPE_DNAME)
			link->dname = true;
		else if (record.type == DNS_TYPE_CNAME && !found && dnsname_equal(&record.owner, &q->name))
			found = dns_record_name(&q->message, &record, &link->to) == IKE_OK;
	}
	return found;
}

/* Each link is asked for by itself: a name that is refused has no answer to read the chain from. */
static void walk_chain(const struct ip_endpoint *resolver, struct why *w)
{
	w->owner = w->name;
	while (w->n_links < WHY_LINKS_MAX) {
		struct why_link *link = &w->links[w->n_links];
		struct lookup_question q;
		bool found;

		*link = (struct why_link){ .from = w->owner };
		link->security = look(resolver, &w->owner, DNS_TYPE_CNAME, &q);
		found = take_link(&q, link);
		lookup_clear(&q, 1);
		if (!found)
			return;
		w->owner = link->to;
		w->n_links++;
	}
}

void why_follow(const struct ip_endpoint *resolver, const struct dnsname *name, struct dnsname *owner)
{
	struct why w = { .name = *name };

	walk_chain(resolver, &w);
	*owner = *name;
	for (unsigned i = 0; i < w.n_links && w.links[i].security == WHY_SECURE; i++)
		*owner = w.links[i].to;
}

static void find_keys(const struct ip_endpoint *resolver, struct why *w)
{
	w->keys_security = look(resolver, &w->owner, DNS_TYPE_IPSECKEY, &w->ask_keys);
	if (w->ask_keys.answered && dns_answer_read(w->ask_keys.message.bytes, &w->owner, DNS_TYPE_IPSECKEY, &w->keys) != IKE_OK)
		w->keys_security = WHY_UNKNOWN;
}

static bool is_any_insecure(const struct why *w)
{
	bool insecure = w->keys_security == WHY_INSECURE;

	for (unsigned i = 0; i < w->n_links; i++)
		insecure |= w->links[i].security == WHY_INSECURE;
	return insecure;
}

static void ask_resolver(const struct ip_endpoint *resolver, struct why *w)
{
	static const struct dnsname root = { .n = 1 };
	struct lookup_question q[2] = { { .name = w->name, .type = DNS_TYPE_A }, { .name = w->name, .type = DNS_TYPE_AAAA } };

	w->owner = w->name;
	lookup_ask(resolver, q, 2);
	for (unsigned i = 0; i < 2; i++)
		take_addresses(&q[i], &w->addresses[i]);
	lookup_clear(q, 2);
	w->resolver_answers = w->addresses[0].answered || w->addresses[1].answered;
	if (!w->resolver_answers) {
		w->resolver_answers = look(resolver, &root, DNS_TYPE_SOA, &q[0]) != WHY_UNKNOWN;
		lookup_clear(q, 1);
		return;
	}
	walk_chain(resolver, w);
	find_keys(resolver, w);
	settle_security(w);
	if (is_any_insecure(w)) {
		w->validates = look(resolver, &root, DNS_TYPE_SOA, &q[0]) == WHY_SECURE;
		lookup_clear(q, 1);
	}
}

/* oe-iked ------------------------------------------------------------------------------------------------------------- */

static json_t *keys_json(const struct why *w)
{
	static const char digits[] = "0123456789abcdef";
	json_t *all = json_array();

	for (unsigned i = 0; w->keys_security == WHY_SECURE && i < w->keys.n; i++) {
		char hex[2 * IPSECKEY_RDATA_MAX + 1];
		struct span rdata = w->keys.rdata[i];

		if (rdata.n > IPSECKEY_RDATA_MAX)
			continue;
		for (size_t b = 0; b < rdata.n; b++) {
			hex[2 * b] = digits[rdata.p[b] >> 4];
			hex[2 * b + 1] = digits[rdata.p[b] & 15];
		}
		hex[2 * rdata.n] = '\0';
		json_array_append_new(all, json_string(hex));
	}
	return all;
}

static json_t *addresses_json(const struct why *w)
{
	json_t *all = json_array();
	char text[IP_TEXT_MAX];

	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < w->addresses[i].n; k++)
			json_array_append_new(all, json_string(ip_text(&w->addresses[i].at[k], text)));
	return all;
}

static void on_host(void *arg, const json_t *line)
{
	json_array_append(arg, json_object_get(line, "host"));
}

static void ask_daemon(const struct oe *oe, struct why *w)
{
	char owner[DNSNAME_TEXT_MAX];
	json_t *last;

	w->hosts = json_array();
	w->daemon_runs = client_ask_quietly(oe, json_pack("{s:s, s:s, s:o, s:o}", "command", "why", "name",
							  dnsname_text(&w->owner, owner), "addresses", addresses_json(w),
							  "keys", keys_json(w)),
					    on_host, w->hosts, &last, w->daemon_error) == OE_OK;
	w->paused_s = (unsigned)why_number(last, "paused_s");
	w->decision = json_incref(json_object_get(last, "decision"));
	json_decref(last);
}

const char *why_text(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

long long why_number(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

const json_t *why_host(const struct why *w, const struct ip_addr *address)
{
	char text[IP_TEXT_MAX];
	const json_t *host;
	size_t i;

	ip_text(address, text);
	json_array_foreach(w->hosts, i, host)
		if (why_text(host, "address") && strcmp(why_text(host, "address"), text) == 0)
			return host;
	return NULL;
}

enum oe_exit why_gather(const struct oe *oe, const struct dnsname *name, struct why *out)
{
	struct conf conf;
	char address[IP_TEXT_MAX];
	enum oe_exit status = client_conf(oe, &conf);

	memset(out, 0, sizeof *out);
	if (status != OE_OK)
		return status;
	out->name = *name;
	snprintf(out->resolver, sizeof out->resolver, "%s@%u", ip_text(&conf.resolver.addr, address), conf.resolver.port);
	ask_resolver(&conf.resolver, out);
	ask_daemon(oe, out);
	return OE_OK;
}

void why_clear(struct why *w)
{
	lookup_clear(&w->ask_keys, 1);
	json_decref(w->hosts);
	json_decref(w->decision);
}
