/* key_check.c - oe key check: a name with a key as its clients see it: what DNS says, validated, and what its host proves.
 *
 * What there is to know is what oe why finds out; here it is looked at by the person who has published the key.
 */
#include "config.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/argument.h"
#include "cli/described.h"
#include "cli/key.h"
#include "cli/text.h"
#include "cli/why.h"
#include "dnskey/pubkey.h"

struct finding {
	enum oe_exit status;
	const char *state;          /* for scripts, see oe(1) */
	char sentence[WHY_SENTENCE_MAX];
};

__attribute__((format(printf, 4, 5)))
static void set(struct finding *f, enum oe_exit status, const char *state, const char *format, ...)
{
	va_list args;

	f->status = status;
	f->state = state;
	va_start(args, format);
	vsnprintf(f->sentence, sizeof f->sentence, format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3)))
static void add(struct finding *f, const char *format, ...)
{
	size_t n = strlen(f->sentence);
	va_list args;

	va_start(args, format);
	vsnprintf(f->sentence + n, sizeof f->sentence - n, format, args);
	va_end(args);
}

/* The records -------------------------------------------------------------------------------------------------------- */

bool key_is_same(const struct ipseckey *a, const struct ipseckey *b)
{
	return a->algorithm == b->algorithm && span_equal(pubkey_canonical(a), pubkey_canonical(b));
}

/* Of own, or when that is NULL of any key: is it published, can it be used? */
struct tally {
	bool found, usable;
	const char *why;            /* found, and not usable */
	char others[256];           /* ", 4711, 12": tags of the other keys */
};

static void count_records(const struct why *w, const struct ipseckey *own, struct tally *t)
{
	memset(t, 0, sizeof *t);
	for (unsigned i = 0; i < w->keys.n; i++) {
		struct described d;
		size_t n = strlen(t->others);

		describe(w->keys.rdata[i], &d);
		if (own && (!d.readable || !key_is_same(&d.record, own))) {
			snprintf(t->others + n, sizeof t->others - n, "%s%u", n > 0 ? ", " : "",
				 d.readable ? ipseckey_tag(&d.record) : 0U);
			continue;
		}
		t->found = true;
		t->usable |= d.usable;
		if (!d.usable)
			t->why = d.why;
	}
}

/* DNS ---------------------------------------------------------------------------------------------------------------- */

static const struct why_link *unsafe_link(const struct why *w)
{
	for (unsigned i = 0; i < w->n_links; i++)
		if (w->links[i].security != WHY_SECURE)
			return &w->links[i];
	return NULL;
}

/* Why nobody would believe what is there; NULL when it validates. */
static const char *unvalidated(const struct why *w)
{
	if (w->addresses[0].security == WHY_BOGUS || w->addresses[1].security == WHY_BOGUS)
		return "the address records are bogus";
	if (w->keys_security == WHY_SECURE && !unsafe_link(w))
		return NULL;
	return w->validates ? w->keys_security == WHY_SECURE ? "an alias on the way to it lies in a zone that is not signed" :
							       "the zone is not signed"
			    : "the resolver does not validate";
}

static void judge_silence(const struct why *w, struct finding *f)
{
	const struct why_addresses *a = &w->addresses[w->addresses[0].answered];

	if (w->keys_security == WHY_LOST || (w->resolver_answers && !w->ask_keys.answered))
		set(f, OE_UNREACHABLE, "cannot-tell", "the name servers of the zone do not answer, as the resolver %s says", w->resolver);
	else if (!w->resolver_answers)
		set(f, OE_UNREACHABLE, "cannot-tell", "the resolver %s: %s", w->resolver, a->error);
	else
		set(f, OE_UNREACHABLE, "cannot-tell", "the resolver %s: error %u", w->resolver, w->ask_keys.message.rcode);
}

static void judge_dns(const struct why *w, const struct ipseckey *own, struct finding *f)
{
	const char *doubt = unvalidated(w);
	struct tally t;

	count_records(w, own, &t);
	if (w->keys_security == WHY_UNKNOWN || w->keys_security == WHY_LOST)
		judge_silence(w, f);
	else if (w->keys_security == WHY_BOGUS)
		set(f, OE_NOT_VALIDATED, "not-validated", "not validated: the IPSECKEY records are bogus; nobody will use them, nor the name");
	else if (w->keys.n == 0 && own)
		set(f, OE_NOT_PUBLISHED, "nothing", "no IPSECKEY record; that of this key has tag %u", ipseckey_tag(own));
	else if (w->keys.n == 0)
		set(f, OE_NOT_PUBLISHED, "nothing", "no IPSECKEY record");
	else if (!t.found)
		set(f, OE_OTHER_KEY, "other-key", "another key is published: tag %s; this one has tag %u; TTL %u s", t.others,
		    ipseckey_tag(own), w->keys.ttl_s);
	else if (doubt)
		set(f, OE_NOT_VALIDATED, "not-validated", "published, but not validated: %s; nobody will use it", doubt);
	else if (w->keys.more)
		set(f, OE_NOT_PUBLISHED, "unusable", "published among more than %d records, which nobody will use", DNS_RECORDS_MAX);
	else if (!t.usable)
		set(f, OE_NOT_PUBLISHED, "unusable", "published, but clients cannot use it: %s", t.why);
	else
		set(f, OE_OK, "published", "published and validated");
	if (!t.found || w->keys_security == WHY_BOGUS || (f->status != OE_OK && f->status != OE_NOT_VALIDATED))
		return;
	if (own)
		add(f, "; tag %u", ipseckey_tag(own));
	add(f, "; TTL %u s", w->keys.ttl_s);
	if (t.others[0] != '\0')
		add(f, "; beside it: tag %s", t.others);
}

/* The host ----------------------------------------------------------------------------------------------------------- */

static bool is_word(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

/* The tag of the key that the host has proved; -1. */
static long long proved_tag(const struct why *w)
{
	const json_t *host, *tunnel;
	size_t i, k;

	json_array_foreach(w->hosts, i, host)
		json_array_foreach(json_object_get(host, "tunnels"), k, tunnel)
			if (why_text(tunnel, "key") && strcmp(why_text(tunnel, "state"), "protected") == 0)
				return why_number(tunnel, "key_tag");
	return -1;
}

/* The question for the addresses has been the exchange with the host: the module has oe-iked establish a tunnel before it answers. */
static void judge_host(const struct why *w, const struct why_verdict *verdict, const struct ipseckey *own, struct finding *f)
{
	/* What says nothing about the host. */
	static const char *const ours[] = { "helper-absent", "helper-silent", "helper-broken", "limit", "kernel", "shutdown", "internal",
					    "no-route", "down-by-operator", "address-not-allowed", "module-absent", NULL };
	long long tag = proved_tag(w);

	if (verdict->outcome == WHY_PROTECTED && own && tag >= 0 && tag != ipseckey_tag(own))
		add(f, "; its host has proved the key with tag %lld, not this one", tag);
	else if (verdict->outcome == WHY_PROTECTED)
		add(f, "; its host has proved its key");
	else if (strcmp(verdict->reason, "own-address") == 0)
		add(f, "; its host is this one: let another one ask, too");
	else if (verdict->outcome == WHY_NOTHING)
		add(f, "; it has no address: only a host that says this name can use it");
	else if (is_word(verdict->reason, ours))
		add(f, "; its host was not tried, because %s", verdict->cause);
	else {
		f->status = OE_NOT_PROVED;
		f->state = "not-proved";
		add(f, "; but %s", verdict->cause);
	}
}

/* Together ----------------------------------------------------------------------------------------------------------- */

static void print(const struct why *w, const struct why_verdict *verdict, const struct finding *f, const struct ipseckey *own, bool json)
{
	char name[DNSNAME_TEXT_MAX], safe[TEXT_SAFE_MAX];
	json_t *out;

	dnsname_text(&w->name, name);
	if (!json) {
		why_print_found(w);
		printf("%s: %s\n", name, text_safe(f->sentence, safe));
		return;
	}
	out = why_json(w, verdict);
	json_object_set_new(out, "state", json_string(f->state));
	json_object_set_new(out, "finding", json_string(f->sentence));
	json_object_set_new(out, "key_tag", own ? json_integer(ipseckey_tag(own)) : json_null());
	json_dumpf(out, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(out);
}

static enum oe_exit check(const struct oe *oe, const struct dnsname *name, const struct ipseckey *own, bool json)
{
	struct finding finding = { 0 };
	struct why_verdict verdict;
	struct why w;
	enum oe_exit status = why_gather(oe, name, &w);

	if (status != OE_OK)
		return status;
	why_judge(&w, &verdict);
	judge_dns(&w, own, &finding);
	if (finding.status == OE_OK)
		judge_host(&w, &verdict, own, &finding);
	print(&w, &verdict, &finding, own, json);
	why_clear(&w);
	return finding.status;
}

enum oe_exit key_check(const struct oe *oe, int argc, char **argv)
{
	static const struct option known[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "key", required_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	const char *file = NULL;
	struct dnsname name;
	struct ipseckey own;
	struct conf conf;
	bool json = false;
	enum oe_exit status;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == '?' || option == ':')
			return oe_bad_option(&command_key, argv, option);
		json |= option == 'j';
		if (option == 'k')
			file = optarg;
	}
	if (argc - optind != 1)
		return oe_usage(&command_key, "check wants one domain name");
	status = argument_name(&command_key, argv[optind], &name);
	if (status == OE_OK)
		status = key_conf(oe, &conf);
	if (status != OE_OK)
		return status;
	if (!file && conf.server_key[0] != '\0')
		file = conf.server_key;
	if (file)
		status = key_file_record(file, rdata, &own);
	if (status != OE_OK)
		return status;
	return check(oe, &name, file ? &own : NULL, json);
}
