#include "config.h"

#include "cli/primary.h"

#include <string.h>

#include "cli/key.h"
#include "cli/nsupdate.h"

enum { CLASS_IN = 1, DNS_PORT = 53 };

/* Finding it ---------------------------------------------------------------------------------------------------------- */

static enum oe_exit ask(const struct ip_endpoint *server, const struct dnsname *name, uint16_t type, struct lookup_question *q)
{
	char text[DNSNAME_TEXT_MAX], at[IP_ENDPOINT_TEXT_MAX];

	*q = (struct lookup_question){ .name = *name, .type = type };
	lookup_ask(server, q, 1);
	if (!q->answered)
		return oe_error(OE_UNREACHABLE, "%s: %s; --server names the server that takes changes of the zone", ip_endpoint_text(server, at),
				q->error);
	if (q->message.rcode == DNS_RCODE_NOERROR || q->message.rcode == DNS_RCODE_NXDOMAIN)
		return OE_OK;
	return oe_error(OE_UNREACHABLE, "%s answers with error %u about %s", ip_endpoint_text(server, at), q->message.rcode,
			dnsname_text(name, text));
}

/* The SOA record of the zone that name is in: in the answer about the zone's own name, else in the authority section. */
static bool find_soa(const struct lookup_question *q, struct dnsname *zone, struct dnsname *mname)
{
	struct dns_message m = q->message;
	struct dns_record record;

	while (dns_record_next(&m, &record))
		if (record.type == DNS_TYPE_SOA && record.class == CLASS_IN && dnsname_is_under(&q->name, &record.owner) &&
		    dns_record_name(&q->message, &record, mname) == IKE_OK) {
			*zone = record.owner;
			return true;
		}
	return false;
}

static bool find_address(const struct ip_endpoint *resolver, const struct dnsname *host, struct ip_addr *out)
{
	struct lookup_question q[2] = { { .name = *host, .type = DNS_TYPE_A }, { .name = *host, .type = DNS_TYPE_AAAA } };
	struct dns_record record;
	bool found = false;

	lookup_ask(resolver, q, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct dns_message m = q[i].message;

		while (!found && q[i].answered && m.left[DNS_ANSWER] > 0 && dns_record_next(&m, &record))
			found = record.type == q[i].type && record.class == CLASS_IN && ip_from_bytes(record.rdata, out) == IKE_OK;
	}
	lookup_clear(q, 2);
	return found;
}

static enum oe_exit find(const struct ip_endpoint *resolver, const struct ip_endpoint *server, struct primary *p)
{
	struct lookup_question q;
	struct dnsname mname;
	char text[DNSNAME_TEXT_MAX];
	enum oe_exit status = ask(server ? server : resolver, &p->name, DNS_TYPE_SOA, &q);

	if (status == OE_OK && !find_soa(&q, &p->zone, &mname))
		status = oe_error(OE_FAILED, "no SOA record leads to the zone of %s", dnsname_text(&p->name, text));
	lookup_clear(&q, 1);
	if (status != OE_OK)
		return status;
	p->at = server ? *server : (struct ip_endpoint){ .port = DNS_PORT };
	if (!server && !find_address(resolver, &mname, &p->at.addr))
		return oe_error(OE_FAILED, "the primary server %s has no address: say --server", dnsname_text(&mname, text));
	return OE_OK;
}

/* Its records -------------------------------------------------------------------------------------------------------- */

/* An update of a name that is an alias is ignored without a word (RFC 2136 3.4.2.2). */
static bool is_alias(const struct lookup_question *q)
{
	struct dns_message m = q->message;
	struct dns_record record;

	while (m.left[DNS_ANSWER] > 0 && dns_record_next(&m, &record))
		if (record.type == DNS_TYPE_CNAME && dnsname_equal(&record.owner, &q->name))
			return true;
	return false;
}

enum oe_exit primary_read(const struct ip_endpoint *resolver, const struct ip_endpoint *server, const struct dnsname *name,
			  struct primary *out)
{
	char text[DNSNAME_TEXT_MAX];
	enum oe_exit status;

	*out = (struct primary){ .name = *name };
	status = find(resolver, server, out);
	if (status != OE_OK)
		return status;
	status = ask(&out->at, name, DNS_TYPE_IPSECKEY, &out->question);
	if (status != OE_OK)
		return status;
	dnsname_text(name, text);
	if (is_alias(&out->question))
		return oe_error(OE_FAILED, "%s is an alias: a key belongs to the name at its end", text);
	if (dns_answer_read(out->question.message.bytes, name, DNS_TYPE_IPSECKEY, &out->keys) != IKE_OK || out->keys.more)
		return oe_error(OE_FAILED, "%s has more than %d IPSECKEY records, or the answer is malformed", text, DNS_RECORDS_MAX);
	return OE_OK;
}

void primary_clear(struct primary *p)
{
	lookup_clear(&p->question, 1);
}

int primary_find(const struct primary *p, const struct ipseckey *key)
{
	struct ipseckey record;

	for (unsigned i = 0; i < p->keys.n; i++)
		if (ipseckey_read(p->keys.rdata[i], &record) == IKE_OK && key_is_same(&record, key))
			return (int)i;
	return -1;
}

const char *primary_other_tags(const struct primary *p, const struct ipseckey *key, char to[PRIMARY_TAGS_MAX])
{
	struct ipseckey record;
	size_t n = 0;

	to[0] = '\0';
	for (unsigned i = 0; i < p->keys.n && n + 8 < PRIMARY_TAGS_MAX; i++)
		if (ipseckey_read(p->keys.rdata[i], &record) == IKE_OK && !key_is_same(&record, key))
			n += (size_t)snprintf(to + n, PRIMARY_TAGS_MAX - n, "%s%u", n > 0 ? ", " : "", ipseckey_tag(&record));
	return to;
}

/* Changing it -------------------------------------------------------------------------------------------------------- */

/* As RFC 4025 3.1, and what does not read as that as RFC 3597 5. */
static void print_rdata(struct span rdata, FILE *out)
{
	char text[IPSECKEY_TEXT_MAX];
	struct ipseckey record;

	if (ipseckey_read(rdata, &record) == IKE_OK && ipseckey_to_text(&record, text, sizeof text) == IKE_OK) {
		fprintf(out, "%s\n", text);
		return;
	}
	fprintf(out, "\\# %zu ", rdata.n);
	for (size_t i = 0; i < rdata.n; i++)
		fprintf(out, "%02x", rdata.p[i]);
	fprintf(out, "\n");
}

static void print_head(const struct primary *p, FILE *out)
{
	char text[IP_TEXT_MAX], zone[DNSNAME_TEXT_MAX];

	fprintf(out, "server %s %u\nzone %s\n", ip_text(&p->at.addr, text), p->at.port, dnsname_text(&p->zone, zone));
}

static void print_required(const char *name, struct span rdata, FILE *out)
{
	fprintf(out, "prereq yxrrset %s. IN IPSECKEY ", name);
	print_rdata(rdata, out);
}

static bool goes(const struct primary_change *change, struct span rdata)
{
	struct ipseckey record;

	return !change->add && (!change->key || (ipseckey_read(rdata, &record) == IKE_OK && key_is_same(&record, change->key)));
}

static void print_update(const struct primary_change *change, FILE *out)
{
	const struct primary *p = change->primary;
	char name[DNSNAME_TEXT_MAX];

	dnsname_text(&p->name, name);
	print_head(p, out);
	fprintf(out, "prereq nxrrset %s. IN CNAME\n", name);
	if (p->keys.n == 0)
		fprintf(out, "prereq nxrrset %s. IN IPSECKEY\n", name);
	for (unsigned i = 0; i < p->keys.n; i++)
		print_required(name, p->keys.rdata[i], out);
	if (change->add) {
		fprintf(out, "update add %s. %u IN IPSECKEY ", name, change->ttl_s);
		print_rdata(change->rdata, out);
	}
	for (unsigned i = 0; i < p->keys.n; i++)
		if (goes(change, p->keys.rdata[i])) {
			fprintf(out, "update delete %s. IN IPSECKEY ", name);
			print_rdata(p->keys.rdata[i], out);
		}
	fprintf(out, "send\n");
}

/* A message of conditions alone: NOERROR says that the records are exactly these. */
static void print_confirmation(const struct primary_change *change, FILE *out)
{
	const struct primary *p = change->primary;
	char name[DNSNAME_TEXT_MAX];
	bool any = change->add;

	dnsname_text(&p->name, name);
	print_head(p, out);
	if (change->add)
		print_required(name, change->rdata, out);
	for (unsigned i = 0; i < p->keys.n; i++) {
		if (goes(change, p->keys.rdata[i]))
			continue;
		any = true;
		print_required(name, p->keys.rdata[i], out);
	}
	if (!any)
		fprintf(out, "prereq nxrrset %s. IN IPSECKEY\n", name);
	fprintf(out, "send\n");
}

void primary_print_change(const struct primary_change *change, FILE *out)
{
	print_update(change, out);
	print_confirmation(change, out);
}

enum oe_exit primary_change(const struct primary_change *change, const char *tsig)
{
	struct nsupdate run;
	enum oe_exit status = nsupdate_open(&run);

	if (status != OE_OK)
		return status;
	print_update(change, run.script);
	status = nsupdate_run(&run, tsig, "the change was not made");
	if (status != OE_OK)
		return status;
	status = nsupdate_open(&run);
	if (status != OE_OK)
		return status;
	print_confirmation(change, run.script);
	return nsupdate_run(&run, tsig, "the change was made, but the server does not confirm it");
}
