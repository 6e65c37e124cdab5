#include "kernel/judge.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/table.h"
#include "kernel/plan.h"

/* An address that the resolver has asked for. */
struct asked {
	struct table_link link;     /* first member; by address_hash() */
	TAILQ_ENTRY(asked) queue;   /* by until_ms */
	struct ip_addr address;
	unsigned pairs;             /* that protect it */
	bool again;                 /* asked for since they came */
	uint64_t until_ms;
};

/* What a reqid protects. */
struct pair {
	struct table_link link;     /* first member; by reqid */
	struct asked *asked;        /* NULL: a client's */
};

struct judge {
	struct judge_config config;
	struct table asked, pairs;
	TAILQ_HEAD(, asked) queue;
	unsigned clients;
	uint8_t hash_key[crypto_shorthash_KEYBYTES];    /* strangers choose addresses, and must not be able to make them all meet in one chain */
};

static uint64_t address_hash(const struct judge *j, const struct ip_addr *a)
{
	uint64_t hash;

	_Static_assert(sizeof hash == crypto_shorthash_BYTES, "SipHash");
	(void)crypto_shorthash((uint8_t *)&hash, a->b, sizeof a->b, j->hash_key);
	return hash;
}

static struct asked *find_asked(const struct judge *j, const struct ip_addr *address)
{
	struct table_link *link = table_first(&j->asked, address_hash(j, address));

	while (link && !ip_equal(&((struct asked *)link)->address, address))
		link = table_next(link);
	return (struct asked *)link;
}

static struct pair *find_pair(const struct judge *j, uint32_t reqid)
{
	return (struct pair *)table_first(&j->pairs, reqid);
}

static void forget(struct judge *j, struct asked *a)
{
	table_remove(&j->asked, &a->link);
	TAILQ_REMOVE(&j->queue, a, queue);
	free(a);
}

static void renew(struct judge *j, struct asked *a, uint64_t now_ms)
{
	TAILQ_REMOVE(&j->queue, a, queue);
	TAILQ_INSERT_TAIL(&j->queue, a, queue);
	a->until_ms = now_ms + JUDGE_ASKED_MS;
}

/* Those whose time is over go, a few at a time; of a full memory also the oldest one. What is protected stays. */
static bool make_room(struct judge *j, uint64_t now_ms)
{
	enum { LOOKED_AT_MAX = 64 };

	for (unsigned i = 0; i < LOOKED_AT_MAX; i++) {
		struct asked *oldest = TAILQ_FIRST(&j->queue);

		if (!oldest || (oldest->until_ms > now_ms && j->asked.n < j->config.asked_max))
			break;
		if (oldest->pairs > 0)
			renew(j, oldest, now_ms);
		else
			forget(j, oldest);
	}
	return j->asked.n < j->config.asked_max;
}

void judge_asked(struct judge *j, const struct ip_addr *address, uint64_t now_ms)
{
	struct asked *a = find_asked(j, address);

	if (a) {
		renew(j, a, now_ms);
		a->again = true;
		return;
	}
	a = make_room(j, now_ms) ? calloc(1, sizeof *a) : NULL;
	if (!a)
		return;
	a->address = *address;
	a->until_ms = now_ms + JUDGE_ASKED_MS;
	table_insert(&j->asked, &a->link, address_hash(j, address));
	TAILQ_INSERT_TAIL(&j->queue, a, queue);
}

static struct asked *current(const struct judge *j, const struct ip_addr *address, uint64_t now_ms)
{
	struct asked *a = find_asked(j, address);

	return a && (a->pairs > 0 || a->until_ms > now_ms) ? a : NULL;
}

bool judge_is_asked(const struct judge *j, const struct ip_addr *address, uint64_t now_ms)
{
	return current(j, address, now_ms) != NULL;
}

bool judge_is_inner(const struct ip_addr *a)
{
	return a->family == IP_V4 ? a->b[0] == 100 && (a->b[1] & 0xc0) == 64 : a->family == IP_V6 && (a->b[0] & 0xfe) == 0xfc;
}

/* The pool's addresses differ in their last four bytes at most. */
static bool is_within(const struct ip_addr *a, const struct ip_addr *first, uint32_t n)
{
	size_t tail = a->family == IP_V4 ? 0 : 12;
	uint32_t number = 0, from = 0;

	if (a->family == IP_NONE || a->family != first->family || memcmp(a->b, first->b, tail) != 0)
		return false;
	for (size_t i = 0; i < 4; i++) {
		number = number << 8 | a->b[tail + i];
		from = from << 8 | first->b[tail + i];
	}
	return number - from < n;
}

bool judge_is_pool(const struct judge *j, const struct ip_addr *a)
{
	return is_within(a, &j->config.pool_v4, j->config.pool_v4_size) || is_within(a, &j->config.pool_v6, j->config.pool_v6_size);
}

/* Judging ------------------------------------------------------------------------------------------------------------ */

/* The bytes come from another process: a bool that is neither true nor false must not be looked at as one. */
static bool has_valid_bools(const struct kernel_request *r)
{
	uint8_t shield, esn;

	memcpy(&shield, &r->shield, sizeof shield);
	memcpy(&esn, &r->suite.esn, sizeof esn);
	return shield <= 1 && esn <= 1;
}

static enum ike_err may_client(const struct judge *j, const struct kernel_request *r, const char **why)
{
	*why = "nobody has asked for this address";
	if (j->config.clients_max == 0 || r->shield)
		return IKE_E_REFUSED;
	if (request_is_across(r) ||
	    (request_is_tunnel(r) && !ip_equal(&r->inner_remote, &r->remote) && !judge_is_pool(j, &r->inner_remote)))
		return IKE_E_REFUSED;
	*why = "too many clients";
	return j->clients < j->config.clients_max || find_pair(j, r->reqid) ? IKE_OK : IKE_E_LIMIT;
}

/* Both, of the tunnel and of what goes in it. */
static bool are_local_ends_ours(const struct judge *j, const struct kernel_request *r)
{
	if (!j->config.is_own(j->config.arg, &r->local))
		return false;
	if (request_is_across(r))
		return j->config.is_own(j->config.arg, &r->inner_local);
	return !request_is_from_assigned(r) || judge_is_inner(&r->inner_local);
}

static enum ike_err may_protect(const struct judge *j, const struct kernel_request *r, uint64_t now_ms, const char **why)
{
	*why = "the local end is no address of this host";
	if (!are_local_ends_ours(j, r))
		return IKE_E_REFUSED;
	return current(j, request_remote(r), now_ms) ? IKE_OK : may_client(j, r, why);
}

static enum ike_err may_pass(const struct judge *j, const struct kernel_request *r, const char **why)
{
	const struct asked *a = find_asked(j, request_remote(r));

	*why = "nothing that is forwarded to there meets a shield";
	if (!a || a->pairs == 0)
		return IKE_E_REFUSED;
	*why = "it would let packets of this host pass";
	return j->config.is_behind(j->config.arg, request_local(r)) ? IKE_OK : IKE_E_REFUSED;
}

enum ike_err judge_request(struct judge *j, const struct kernel_request *r, uint64_t now_ms, const char **why)
{
	*why = "malformed";
	if (!has_valid_bools(r) || plan_check(r) != IKE_OK)
		return IKE_E_SYNTAX;
	switch (r->op) {
	case KERNEL_PROTECT:
		return may_protect(j, r, now_ms, why);
	case KERNEL_ADD_SAS:
	case KERNEL_REMAP:
		*why = "its reqid protects nothing";
		return find_pair(j, r->reqid) ? IKE_OK : IKE_E_REFUSED;
	case KERNEL_PASS:
		return may_pass(j, r, why);
	case KERNEL_DELETE_SAS:
	case KERNEL_UNPROTECT:
	case KERNEL_RETIRE:
	case KERNEL_UNPASS:
		return IKE_OK;
	}
	return IKE_E_SYNTAX;
}

/* Books -------------------------------------------------------------------------------------------------------------- */

static void unbind(struct judge *j, struct pair *p)
{
	if (p->asked)
		p->asked->pairs--;
	else
		j->clients--;
}

static void bind_to(struct judge *j, struct pair *p, struct asked *a)
{
	p->asked = a;
	if (a)
		a->pairs++;
	else
		j->clients++;
}

static void note_protected(struct judge *j, const struct kernel_request *r, uint64_t now_ms)
{
	struct asked *a = current(j, request_remote(r), now_ms);
	struct pair *p = find_pair(j, r->reqid);

	if (p) {
		unbind(j, p);
	} else {
		/* Without memory the reqid counts as one that protects nothing: it gets no other SAs. */
		p = calloc(1, sizeof *p);
		if (!p)
			return;
		table_insert(&j->pairs, &p->link, r->reqid);
	}
	bind_to(j, p, a);
	if (a)
		a->again = false;
}

static void note_released(struct judge *j, const struct kernel_request *r)
{
	struct pair *p = find_pair(j, r->reqid);
	struct asked *a = p ? p->asked : NULL;

	if (!p)
		return;
	unbind(j, p);
	if (a && a->pairs == 0 && !a->again)
		forget(j, a);
	table_remove(&j->pairs, &p->link);
	free(p);
}

void judge_note(struct judge *j, const struct kernel_request *r, uint64_t now_ms)
{
	if (r->op == KERNEL_PROTECT)
		note_protected(j, r, now_ms);
	else if (r->op == KERNEL_UNPROTECT)
		note_released(j, r);
}

struct judge_counts judge_counts(const struct judge *j)
{
	return (struct judge_counts){ .asked = (unsigned)j->asked.n, .pairs = (unsigned)j->pairs.n, .clients = j->clients };
}

/* Beginning and end -------------------------------------------------------------------------------------------------- */

enum ike_err judge_new(const struct judge_config *config, struct judge **out)
{
	struct judge *j = calloc(1, sizeof *j);

	*out = NULL;
	if (!j)
		return IKE_E_NOMEM;
	j->config = *config;
	randombytes_buf(j->hash_key, sizeof j->hash_key);
	TAILQ_INIT(&j->queue);
	if (table_init(&j->asked) != IKE_OK || table_init(&j->pairs) != IKE_OK) {
		judge_free(j);
		return IKE_E_NOMEM;
	}
	*out = j;
	return IKE_OK;
}

static void free_pairs(struct judge *j)
{
	struct table_link *link, *next;

	for (size_t i = 0; i < j->pairs.buckets; i++)
		for (link = j->pairs.bucket[i]; link; link = next) {
			next = link->next;
			free(link);
		}
	table_clear(&j->pairs);
}

void judge_free(struct judge *j)
{
	struct asked *a;

	if (!j)
		return;
	free_pairs(j);
	while ((a = TAILQ_FIRST(&j->queue)))
		forget(j, a);
	table_clear(&j->asked);
	free(j);
}
