/* key_check.c - oe key dns --check: does DNS publish this key, as others will see it? */
#include "config.h"

#include <jansson.h>
#include <stdio.h>

#include "cli/key.h"
#include "cli/lookup.h"
#include "conf/conf.h"
#include "dnskey/dns_answer.h"
#include "dnskey/pubkey.h"

/* The verdict ---------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct ipseckey *a, const struct ipseckey *b)
{
	return a->algorithm == b->algorithm && span_equal(pubkey_canonical(a), pubkey_canonical(b));
}

struct finding {
	enum oe_exit status;        /* OE_OK, OE_NOT_VALIDATED, OE_OTHER_KEY, OE_NOT_PUBLISHED */
	const char *word;           /* for JSON */
	unsigned others;            /* tags of the other keys there */
	uint16_t other[DNS_RECORDS_MAX];
	uint32_t ttl_s;
};

static void judge(const struct dns_answer *answer, const struct ipseckey *own, struct finding *out)
{
	bool found = false;

	*out = (struct finding){ .ttl_s = answer->ttl_s };
	for (unsigned i = 0; i < answer->n; i++) {
		struct ipseckey record;

		if (ipseckey_read(answer->rdata[i], &record) != IKE_OK)
			continue;
		if (is_same(&record, own))
			found = true;
		else
			out->other[out->others++] = ipseckey_tag(&record);
	}
	out->status = !found ? (out->others ? OE_OTHER_KEY : OE_NOT_PUBLISHED) : answer->authentic ? OE_OK : OE_NOT_VALIDATED;
	out->word = !found ? (out->others ? "other-key" : "nothing") : answer->authentic ? "published" : "not-validated";
}

static void print_others(const struct finding *f)
{
	for (unsigned i = 0; i < f->others; i++)
		printf("%s%u", i ? ", " : "", f->other[i]);
}

static void print_text(const char *name, const struct ipseckey *own, const struct finding *f)
{
	if (f->status == OE_NOT_PUBLISHED) {
		printf("%s: no IPSECKEY record; that of this key has tag %u\n", name, ipseckey_tag(own));
		return;
	}
	if (f->status == OE_OTHER_KEY) {
		printf("%s: another key is published: tag ", name);
		print_others(f);
		printf("; this one has tag %u; TTL %u s\n", ipseckey_tag(own), f->ttl_s);
		return;
	}
	if (f->status == OE_OK)
		printf("%s: published and validated", name);
	else
		printf("%s: published, but not validated: the zone is not signed, or the resolver does not validate; nobody will use it",
		       name);
	printf("; tag %u; TTL %u s", ipseckey_tag(own), f->ttl_s);
	if (f->others) {
		printf("; beside it: tag ");
		print_others(f);
	}
	putchar('\n');
}

static void print_json(const char *name, const struct ipseckey *own, const struct finding *f)
{
	json_t *out = json_object(), *others = json_array();

	for (unsigned i = 0; i < f->others; i++)
		json_array_append_new(others, json_integer(f->other[i]));
	json_object_set_new(out, "name", json_string(name));
	json_object_set_new(out, "state", json_string(f->word));
	json_object_set_new(out, "key_tag", json_integer(ipseckey_tag(own)));
	json_object_set_new(out, "other_tags", others);
	json_object_set_new(out, "ttl_s", f->status == OE_NOT_PUBLISHED ? json_null() : json_integer(f->ttl_s));
	json_dumpf(out, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(out);
}

static enum oe_exit read_reply(const struct lookup_question *q, const struct ip_endpoint *resolver, struct dns_answer *out)
{
	char address[IP_TEXT_MAX], server[IP_ENDPOINT_TEXT_MAX];

	snprintf(server, sizeof server, "%s@%u", ip_text(&resolver->addr, address), resolver->port);
	if (!q->answered)
		return oe_error(OE_UNREACHABLE, "the resolver %s: %s", server, q->error);
	if (dns_answer_read(q->message.bytes, &q->name, DNS_TYPE_IPSECKEY, out) != IKE_OK)
		return oe_error(OE_UNREACHABLE, "the resolver %s: malformed answer", server);
	if (out->rcode == DNS_RCODE_SERVFAIL)
		return oe_error(OE_UNREACHABLE, "the resolver %s: SERVFAIL: the zone is bogus or cannot be reached", server);
	if (out->rcode != DNS_RCODE_NOERROR && out->rcode != DNS_RCODE_NXDOMAIN)
		return oe_error(OE_UNREACHABLE, "the resolver %s: error %u", server, out->rcode);
	return OE_OK;
}

enum oe_exit key_check(const struct oe *oe, const char *file, const struct dnsname *name, bool json)
{
	struct lookup_question q = { .name = *name, .type = DNS_TYPE_IPSECKEY };
	char error[CONF_ERROR_MAX], text[DNSNAME_TEXT_MAX];
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct conf conf;
	struct ipseckey own;
	struct dns_answer answer;
	struct finding finding;
	enum oe_exit status;

	if (conf_read(oe->conf, oe->conf_given, &conf, error) != IKE_OK)
		return oe_error(OE_USAGE, "%s", error);
	if (!file && conf.server_key[0] == '\0')
		return oe_usage(&command_key, "%s has no server-key: say FILE", oe->conf);
	status = key_file_record(file ? file : conf.server_key, rdata, &own);
	if (status != OE_OK)
		return status;
	lookup_ask(&conf.resolver, &q, 1);
	status = read_reply(&q, &conf.resolver, &answer);
	if (status == OE_OK) {
		judge(&answer, &own, &finding);
		status = finding.status;
		dnsname_text(name, text);
		if (json)
			print_json(text, &own, &finding);
		else
			print_text(text, &own, &finding);
	}
	lookup_clear(&q, 1);
	return status;
}
