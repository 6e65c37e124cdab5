/* why_judge.c - one sentence: what the next query comes to, and why. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "cli/why.h"
#include "dnskey/ipseckey.h"
#include "dnskey/pubkey.h"

/* What one address type comes to. */
struct finding {
	enum why_outcome outcome;
	const char *reason;
	char cause[WHY_CAUSE_MAX];  /* "..., because CAUSE" */
	const char *again;          /* WHY_REFUSED: what the next query does instead of being refused; NULL: nothing new */
	unsigned wait_s;            /* WHY_REFUSED: not tried again for so long; 0: it may be */
	char left_out[WHY_CAUSE_MAX];       /* WHY_PROTECTED: addresses that are refused, and why; "" */
};

const char *why_security_text(enum why_security security)
{
	switch (security) {
	case WHY_UNKNOWN: return "unknown";
	case WHY_SECURE: return "secure";
	case WHY_INSECURE: return "insecure";
	case WHY_BOGUS: return "bogus";
	case WHY_LOST: return "not answered";
	}
	return "unknown";
}

const char *why_outcome_text(enum why_outcome outcome)
{
	switch (outcome) {
	case WHY_PROTECTED: return "protected";
	case WHY_PLAIN: return "plain";
	case WHY_REFUSED: return "refused";
	case WHY_CANNOT_TELL: return "cannot-tell";
	case WHY_NOTHING: return "nothing";
	}
	return "cannot-tell";
}

__attribute__((format(printf, 4, 5)))
static void set(struct finding *f, enum why_outcome outcome, const char *reason, const char *format, ...)
{
	va_list args;

	f->outcome = outcome;
	f->reason = reason;
	va_start(args, format);
	vsnprintf(f->cause, sizeof f->cause, format, args);
	va_end(args);
}

static bool is(const json_t *host, const char *member, const char *text)
{
	const char *got = why_text(host, member);

	return got && strcmp(got, text) == 0;
}

/* In clear ------------------------------------------------------------------------------------------------------------ */

static const struct why_link *insecure_link(const struct why *w)
{
	for (unsigned i = 0; i < w->n_links; i++)
		if (w->links[i].security == WHY_INSECURE)
			return &w->links[i];
	return NULL;
}

static void judge_insecure(const struct why *w, struct finding *f)
{
	const struct why_link *link = insecure_link(w);
	char text[DNSNAME_TEXT_MAX];

	if (!w->validates)
		set(f, WHY_PLAIN, "not-validating", "the resolver %s does not validate DNSSEC", w->resolver);
	else if (link)
		set(f, WHY_PLAIN, "alias-unsigned", "the alias %s lies in a zone that DNSSEC does not sign, and could lead anywhere",
		    dnsname_text(&link->from, text));
	else
		set(f, WHY_PLAIN, "unsigned", "its zone is not signed by DNSSEC%s",
		    w->keys.n > 0 ? ", so that the IPSECKEY records there prove nothing" : "");
}

/* The module takes the signatures from an answer when it has to leave out addresses. */
static bool is_insecure(const struct why *w, const struct why_addresses *a)
{
	return !a->authentic && (insecure_link(w) || w->keys_security == WHY_INSECURE);
}

/* Answered ------------------------------------------------------------------------------------------------------------ */

/* A tunnel of this host in this state. */
static const json_t *tunnel_of(const json_t *host, const char *state)
{
	const json_t *tunnel;
	size_t i;

	json_array_foreach(json_object_get(host, "tunnels"), i, tunnel)
		if (is(tunnel, "state", state))
			return tunnel;
	return NULL;
}

static void judge_paused(unsigned for_s, struct finding *f)
{
	char time[TEXT_NUMBER_MAX];

	set(f, WHY_PLAIN, "paused", "the operator has paused what is new for %s (oe pause)", text_seconds(for_s, time));
}

static void judge_permitted(const json_t *host, const json_t *tunnel, const char *ip, struct finding *f)
{
	const char *other = tunnel ? why_text(tunnel, "name") : NULL;
	char time[TEXT_NUMBER_MAX];

	set(f, WHY_PLAIN, "permitted", "the operator permits it for %s (oe clear)",
	    text_seconds((uint64_t)why_number(host, "clear_for_s"), time));
	if (tunnel)
		snprintf(f->cause + strlen(f->cause), sizeof f->cause - strlen(f->cause),
			 "; packets to %s are encrypted nevertheless, because of %s", ip, other ? other : "that host itself");
}

static void judge_policy(const json_t *host, const json_t *tunnel, const char *ip, struct finding *f)
{
	const char *policy = why_text(host, "policy");

	set(f, WHY_PLAIN, "policy", "the operator's policy says so (%s)", policy ? policy : "unknown");
	if (tunnel)
		snprintf(f->cause + strlen(f->cause), sizeof f->cause - strlen(f->cause), "; packets to %s are encrypted until they cease", ip);
}

static void judge_host(const struct why *w, const struct ip_addr *address, struct finding *f)
{
	const json_t *host = why_host(w, address), *tunnel = tunnel_of(host, "protected");
	const char *gateway = why_text(tunnel, "gateway");
	char ip[IP_TEXT_MAX], owner[DNSNAME_TEXT_MAX];

	ip_text(address, ip);
	dnsname_text(&w->owner, owner);
	if (is(host, "next", "clear") && why_number(host, "paused_s") > 0)
		judge_paused((unsigned)why_number(host, "paused_s"), f);
	else if (is(host, "next", "clear") && why_number(host, "clear_for_s") == 0)
		judge_policy(host, tunnel, ip, f);
	else if (is(host, "next", "clear"))
		judge_permitted(host, tunnel, ip, f);
	else if (is(host, "next", "protected") && tunnel)
		set(f, WHY_PROTECTED, "ok", "packets to %s are encrypted%s%s, and its %s has proved the key %s/%lld of %s", ip,
		    gateway ? " as far as " : "", gateway ? gateway : "", gateway ? "gateway" : "host", why_text(tunnel, "key"),
		    why_number(tunnel, "key_tag"), owner);
	else if (is(host, "next", "own"))
		set(f, WHY_PLAIN, "own-address", "%s is an address of this host, and packets to it never leave it", ip);
	else if (tunnel_of(host, "healing"))
		set(f, WHY_PROTECTED, "healing",
		    "packets to %s are encrypted or dropped: its host has lost the tunnel or is gone, and it is established again", ip);
	else
		set(f, WHY_PLAIN, "module-absent", "the resolver %s has answered without asking oe-iked: it does not use the module",
		    w->resolver);
}

static void judge_answered(const struct why *w, const struct why_addresses *a, struct finding *f)
{
	if (w->paused_s > 0 && !a->authentic && !w->validates) {
		judge_paused(w->paused_s, f);
		return;
	}
	if (is_insecure(w, a)) {
		judge_insecure(w, f);
		return;
	}
	if (w->keys_security == WHY_SECURE && w->keys.n == 0) {
		char owner[DNSNAME_TEXT_MAX];

		set(f, WHY_PLAIN, "no-key", "the signed zone of %s proves that it has no IPSECKEY record", dnsname_text(&w->owner, owner));
		return;
	}
	judge_host(w, &a->at[0], f);
	for (unsigned i = 1; i < a->n && f->outcome == WHY_PROTECTED; i++) {
		struct finding other = { .outcome = WHY_PROTECTED };

		judge_host(w, &a->at[i], &other);
		if (other.outcome != WHY_PROTECTED)
			*f = other;
	}
}

/* Addresses of this family that were left out of the answer. */
static void judge_left_out(const struct why *w, const struct why_addresses *a, struct finding *f)
{
	const json_t *host;
	size_t i;

	json_array_foreach(w->hosts, i, host) {
		const char *text = why_text(host, "address");
		bool told = false;
		struct ip_addr ip;

		if (!text || ip_from_text(text, &ip) != IKE_OK || (ip.family == IP_V4) != (a->type == DNS_TYPE_A))
			continue;
		for (unsigned k = 0; k < a->n; k++)
			told |= ip_equal(&a->at[k], &ip);
		if (told || !why_text(host, "decided") || is(host, "decided", "allowed"))
			continue;
		snprintf(f->left_out, sizeof f->left_out, "%s is left out, because %s", text, why_text(host, "decided_text"));
		return;
	}
}

/* Refused ------------------------------------------------------------------------------------------------------------- */

/* The word for the reason that this text begins with. */
static const char *reason_word(const char *text)
{
	for (unsigned r = REASON_NONE + 1; strcmp(rp_reason_word(r), "unknown") != 0; r++)
		if (strncmp(text, rp_reason_text(r), strlen(rp_reason_text(r))) == 0)
			return rp_reason_word(r);
	return "unknown";
}

/* What oe-iked would do with the next question. */
static void judge_next(const struct why *w, const struct why_addresses *a, struct finding *f)
{
	const json_t *host;
	size_t i;

	json_array_foreach(w->hosts, i, host) {
		long long again_s = why_number(json_object_get(host, "failure"), "again_in_s");
		const char *text = why_text(host, "address");
		struct ip_addr ip;

		if (!text || ip_from_text(text, &ip) != IKE_OK || (ip.family == IP_V4) != (a->type == DNS_TYPE_A))
			continue;
		if (is(host, "next", "protected"))
			f->again = "is answered, for the tunnel has come up meanwhile";
		else if (is(host, "next", "try") && tunnel_of(host, "establishing"))
			f->again = "waits for the attempt that is under way";
		else if (is(host, "next", "try"))
			f->again = "tries the host again";
		else if (again_s > 0)
			f->wait_s = (unsigned)again_s;
		if (f->again)
			return;
	}
}

static void judge_servfail(const struct why *w, const struct why_addresses *a, struct finding *f)
{
	const char *text = why_text(w->decision, "text");

	if (a->ipsec[0] != '\0') {
		set(f, WHY_REFUSED, reason_word(a->ipsec), "%s", a->ipsec);
		judge_next(w, a, f);
	} else if (a->security == WHY_LOST) {
		set(f, WHY_REFUSED, "servers-silent", "the name servers of its zone do not answer");
	} else if (is(w->decision, "verdict", "refuse") && text && why_number(w->decision, "ago_s") <= LOOKUP_WAIT_S) {
		/* A resolver that gives no reasons. */
		set(f, WHY_REFUSED, reason_word(text), "%s", text);
		judge_next(w, a, f);
	} else {
		set(f, WHY_REFUSED, "address-bogus", "its address records do not validate");
	}
}

/* Together ------------------------------------------------------------------------------------------------------------ */

static void judge_type(const struct why *w, const struct why_addresses *a, struct finding *f)
{
	memset(f, 0, sizeof *f);
	if (!a->answered && w->resolver_answers)
		set(f, WHY_REFUSED, "servers-silent", "the name servers of its zone do not answer");
	else if (!a->answered)
		set(f, WHY_CANNOT_TELL, "resolver-silent",
		    "nobody answers at %s, where the option resolver of oe.conf says that this host's resolver is (%s)", w->resolver, a->error);
	else if (a->rcode == DNS_RCODE_SERVFAIL)
		judge_servfail(w, a, f);
	else if (a->rcode == DNS_RCODE_NXDOMAIN)
		set(f, WHY_NOTHING, "no-such-name", "the name does not exist");
	else if (a->rcode != DNS_RCODE_NOERROR)
		set(f, WHY_CANNOT_TELL, "resolver-error", "the resolver %s answers with error %u%s%s", w->resolver, a->rcode,
		    a->ede[0] != '\0' ? ": " : "", a->ede);
	else if (a->n == 0)
		set(f, WHY_NOTHING, "no-address", "the name has no address");
	else
		judge_answered(w, a, f);
	if (f->outcome == WHY_PROTECTED)
		judge_left_out(w, a, f);
}

static const char *family_text(const struct why_addresses *a)
{
	return a->type == DNS_TYPE_A ? "IPv4" : "IPv6";
}

__attribute__((format(printf, 2, 3)))
static void add(struct why_verdict *v, const char *format, ...)
{
	size_t n = strlen(v->sentence);
	va_list args;

	va_start(args, format);
	vsnprintf(v->sentence + n, sizeof v->sentence - n, format, args);
	va_end(args);
}

static void say(const struct why *w, const struct finding *f, struct why_verdict *v)
{
	char name[DNSNAME_TEXT_MAX];

	dnsname_text(&w->name, name);
	switch (f->outcome) {
	case WHY_PROTECTED:
		add(v, "The next query for %s is answered, because %s", name, f->cause);
		break;
	case WHY_PLAIN:
		add(v, "The next query for %s is answered in clear, because %s", name, f->cause);
		break;
	case WHY_REFUSED:
		if (f->again)
			add(v, "The next query for %s %s; the last one was refused, because %s", name, f->again, f->cause);
		else
			add(v, "The next query for %s is refused, because %s", name, f->cause);
		if (!f->again && f->wait_s > 0)
			add(v, "; the host is not tried again for %u s", f->wait_s);
		break;
	case WHY_CANNOT_TELL:
		add(v, "What the next query for %s comes to cannot be told, because %s", name, f->cause);
		break;
	case WHY_NOTHING:
		add(v, "The next query for %s finds nothing to protect, because %s", name, f->cause);
		break;
	}
	if (f->left_out[0] != '\0')
		add(v, "; %s", f->left_out);
}

void why_judge(const struct why *w, struct why_verdict *out)
{
	struct finding f[2];
	unsigned lead, other;

	judge_type(w, &w->addresses[0], &f[0]);
	judge_type(w, &w->addresses[1], &f[1]);
	/* The outcomes are in the order in which they decide about a name with both kinds of address. */
	lead = f[1].outcome < f[0].outcome;
	other = 1 - lead;
	out->outcome = f[lead].outcome;
	out->reason = f[lead].reason;
	memcpy(out->cause, f[lead].cause, sizeof out->cause);
	out->may_change = f[lead].again || f[lead].wait_s > 0;
	out->wait_s = f[lead].again ? 0 : f[lead].wait_s;
	out->sentence[0] = '\0';
	say(w, &f[lead], out);
	if (f[lead].outcome != f[other].outcome && f[other].outcome != WHY_NOTHING)
		add(out, "; its %s addresses are %s, because %s", family_text(&w->addresses[other]),
		    f[other].outcome == WHY_REFUSED ? "refused" : f[other].outcome == WHY_PLAIN ? "answered in clear" : "not known",
		    f[other].cause);
	add(out, ".");
}
