/* key_check.c - oe key dns --check: does DNS publish this key, as others will see it? */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>

#include "cli/conf.h"
#include "cli/key.h"
#include "daemon/dns_channel.h"
#include "dnskey/dns_answer.h"
#include "dnskey/pubkey.h"

enum { FILE_MAX = 1024, SERVER_MAX = 128, DNS_PORT = 53 };

/* What the resolver has answered. */
struct reply {
	bool done;
	int status;                 /* of c-ares */
	uint8_t *message;           /* owned */
	size_t n;
};

static void on_reply(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct reply *reply = arg;

	(void)timeouts;
	reply->done = true;
	reply->status = status;
	if (status != ARES_SUCCESS || n <= 0)
		return;
	reply->message = malloc((size_t)n);
	if (!reply->message)
		return;
	memcpy(reply->message, bytes, (size_t)n);
	reply->n = (size_t)n;
}

static void wait_for_reply(ares_channel channel, const struct reply *reply)
{
	while (!reply->done) {
		fd_set in, out;
		struct timeval wait;
		int n;

		FD_ZERO(&in);
		FD_ZERO(&out);
		n = ares_fds(channel, &in, &out);
		if (n == 0)
			return;
		(void)select(n, &in, &out, NULL, ares_timeout(channel, NULL, &wait));
		ares_process(channel, &in, &out);
	}
}

static enum oe_exit ask(const struct ip_endpoint *resolver, const struct dnsname *name, struct reply *reply)
{
	uint8_t question[DNS_QUESTION_MAX];
	struct wr w = wr_over(question, sizeof question);
	ares_channel channel = NULL;
	struct timespec now;

	*reply = (struct reply){ .status = ARES_ENOMEM };
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	/* c-ares puts its own, random id there; this one is for versions that do not. */
	dns_question_write(&w, (uint16_t)now.tv_nsec, name, DNS_TYPE_IPSECKEY, DNS_FLAG_AD);
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return oe_error(OE_FAILED, "c-ares does not start");
	if (dns_channel_open(resolver, NULL, NULL, &channel)) {
		ares_send(channel, question, (int)wr_span(&w).n, on_reply, reply);
		wait_for_reply(channel, reply);
		ares_destroy(channel);
	}
	ares_library_cleanup();
	return OE_OK;
}

/* The validating resolver of this host, as oe-iked uses it: the options resolver and trust-resolver. */
static enum oe_exit find_resolver(const struct oe *oe, struct ip_endpoint *out, char text[SERVER_MAX])
{
	char trust[8], *at, *end = NULL;
	unsigned long port = DNS_PORT;
	enum oe_exit status = conf_find(oe, "resolver", "127.0.0.1@53", text, SERVER_MAX);
	char address[SERVER_MAX];

	if (status == OE_OK)
		status = conf_find(oe, "trust-resolver", "no", trust, sizeof trust);
	if (status != OE_OK)
		return status;
	snprintf(address, sizeof address, "%s", text);
	at = strchr(address, '@');
	if (at) {
		*at = '\0';
		port = strtoul(at + 1, &end, 10);
	}
	if (ip_from_text(address, &out->addr) != IKE_OK || port == 0 || port > UINT16_MAX || (end && (*end != '\0' || end == at + 1)))
		return oe_error(OE_USAGE, "%s: resolver: \"%s\" is not the address of a server (allowed: ADDRESS or ADDRESS@PORT)",
				oe->conf, text);
	out->port = (uint16_t)port;
	if (ip_scope(&out->addr) != IP_SCOPE_LOOPBACK && strcmp(trust, "yes") != 0)
		return oe_error(OE_USAGE, "%s: resolver: %s is not on this host, so what it says is believed only with "
				"trust-resolver: yes", oe->conf, text);
	return OE_OK;
}

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

static enum oe_exit read_reply(const struct reply *reply, const char *server, const struct dnsname *name, struct dns_answer *out)
{
	if (reply->status != ARES_SUCCESS)
		return oe_error(OE_UNREACHABLE, "the resolver %s: %s", server, ares_strerror(reply->status));
	if (dns_answer_read(span_of(reply->message, reply->n), name, DNS_TYPE_IPSECKEY, out) != IKE_OK)
		return oe_error(OE_UNREACHABLE, "the resolver %s: malformed answer", server);
	if (out->rcode == DNS_RCODE_SERVFAIL)
		return oe_error(OE_UNREACHABLE, "the resolver %s: SERVFAIL: the zone is bogus or cannot be reached", server);
	if (out->rcode != DNS_RCODE_NOERROR && out->rcode != DNS_RCODE_NXDOMAIN)
		return oe_error(OE_UNREACHABLE, "the resolver %s: error %u", server, out->rcode);
	return OE_OK;
}

enum oe_exit key_check(const struct oe *oe, const char *file, const struct dnsname *name, bool json)
{
	char server[SERVER_MAX], own_file[FILE_MAX] = "", text[DNSNAME_TEXT_MAX];
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct ip_endpoint resolver;
	struct ipseckey own;
	struct dns_answer answer;
	struct finding finding;
	struct reply reply = { .message = NULL };
	enum oe_exit status = find_resolver(oe, &resolver, server);

	if (status == OE_OK && !file)
		status = conf_find(oe, "server-key", "", own_file, sizeof own_file);
	if (status == OE_OK && !file && own_file[0] == '\0')
		return oe_usage(&command_key, "%s has no server-key: say FILE", oe->conf);
	if (status == OE_OK)
		status = key_file_record(file ? file : own_file, rdata, &own);
	if (status == OE_OK)
		status = ask(&resolver, name, &reply);
	if (status == OE_OK)
		status = read_reply(&reply, server, name, &answer);
	if (status == OE_OK) {
		judge(&answer, &own, &finding);
		status = finding.status;
		dnsname_text(name, text);
		if (json)
			print_json(text, &own, &finding);
		else
			print_text(text, &own, &finding);
	}
	free(reply.message);
	return status;
}
