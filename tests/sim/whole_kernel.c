/* The kernels of whole.h: SAs and policies, and whether a packet would go in clear. */
#include <string.h>

#include "base/secret.h"
#include "kernel/plan.h"
#include "tests/sim/whole.h"

static const struct ip_addr every_local;

int whole_pair_of(const struct host *h, uint32_t spi_in)
{
	for (int i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].in && h->pair[i].asked.spi_in == spi_in)
			return i;
	}
	return -1;
}

static int find_pair_out(const struct host *h, uint32_t reqid, uint32_t spi_out)
{
	for (int i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].out && h->pair[i].asked.reqid == reqid && h->pair[i].asked.spi_out == spi_out)
			return i;
	}
	return -1;
}

static int find_policy(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	for (int i = 0; i < POLICIES_MAX; i++) {
		if (h->policy[i].used && ip_equal(&h->policy[i].local, local) &&
		    ip_equal(&h->policy[i].remote, remote))
			return i;
	}
	return -1;
}

/* Would a packet from local, an address of ours, pass in clear? */
bool whole_in_clear(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	return find_policy(h, local, remote) < 0 && find_policy(h, &every_local, remote) < 0;
}

/* The pair with the newest half out for these addresses, as the kernel would choose it; -1 = none. */
int whole_pair_to(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	int best = -1;

	for (int i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].out && ip_equal(&h->pair[i].asked.local, local) && ip_equal(&h->pair[i].asked.remote, remote) &&
		    (best < 0 || h->pair[i].out_serial > h->pair[best].out_serial))
			best = i;
	}
	return best;
}

/* Those of an assigned address besides: its own, and that for what is not translated to it yet. */
bool whole_protected(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	int pair = whole_pair_to(h, local, remote);

	return pair >= 0 && find_policy(h, local, remote) >= 0 && find_policy(h, &every_local, remote) >= 0 &&
	       find_policy(h, request_local(&h->pair[pair].asked), remote) >= 0;
}

bool whole_is_own(const struct host *h, const struct ip_addr *a)
{
	for (unsigned i = 0; i < OWN_MAX; i++) {
		if (ip_equal(&h->own[i], a))
			return true;
	}
	return false;
}

struct host *whole_host_of(struct whole *w, const struct ip_addr *a)
{
	for (unsigned i = 0; i < HOSTS; i++) {
		if (whole_is_own(&w->host[i], a))
			return &w->host[i];
	}
	return NULL;
}

/* An orphan is taken over. */
static void add_policy(struct whole *w, struct host *h, uint32_t reqid, const struct ip_addr *local, const struct ip_addr *remote)
{
	int i = find_policy(h, local, remote);

	if (i < 0) {
		for (i = 0; i < POLICIES_MAX && h->policy[i].used;)
			i++;
	}
	if (i == POLICIES_MAX) {
		whole_broken(w, "the kernel is full");
		return;
	}
	h->policy[i].was_orphan = h->policy[i].used && (h->policy[i].was_orphan || h->policy[i].reqid == KERNEL_REQID_ORPHAN);
	h->policy[i].used = true;
	h->policy[i].reqid = reqid;
	h->policy[i].local = *local;
	h->policy[i].remote = *remote;
}

/* Those of this reqid, or the one between these two alone. They become orphans if they were, unless for_good. */
static void remove_policies(struct host *h, uint32_t reqid, const struct ip_addr *local, const struct ip_addr *remote, bool for_good)
{
	for (unsigned i = 0; i < POLICIES_MAX; i++) {
		if (!h->policy[i].used || h->policy[i].reqid != reqid ||
		    (local && !(ip_equal(&h->policy[i].local, local) && ip_equal(&h->policy[i].remote, remote))))
			continue;
		if (h->policy[i].was_orphan && !for_good)
			h->policy[i].reqid = KERNEL_REQID_ORPHAN;
		else
			h->policy[i].used = false;
	}
}

static bool is_taken(const struct host *h, uint32_t reqid, const struct ip_addr *local, const struct ip_addr *remote)
{
	int i = find_policy(h, local, remote);

	return i >= 0 && h->policy[i].reqid != reqid && h->policy[i].reqid != KERNEL_REQID_ORPHAN;
}

void whole_make_orphans(struct host *h)
{
	for (unsigned i = 0; i < POLICIES_MAX; i++)
		h->policy[i].reqid = KERNEL_REQID_ORPHAN;
}

void whole_clear_orphans(struct host *h)
{
	for (unsigned i = 0; i < POLICIES_MAX; i++)
		h->policy[i].used &= h->policy[i].reqid != KERNEL_REQID_ORPHAN;
}

/* The half out of a pair comes after its half in, which others may have deleted, and is of the only one of this reqid that has none
 * yet. */
static int place_for(const struct host *h, const struct kernel_request *k)
{
	int place = -1;

	for (int i = 0; i < PAIRS_MAX; i++) {
		const struct kernel_request *have = &h->pair[i].asked;
		bool came = h->pair[i].in || h->pair[i].flushed, is_free = !came && !h->pair[i].out;

		if (k->spi_in ? is_free : came && !h->pair[i].out && have->spi_out == 0 && have->reqid == k->reqid)
			place = i;
	}
	return place;
}

/* The SA that the acquire asked for has come: the kernel waits no longer. */
static void delete_larval(struct whole *w, struct host *h, const struct ip_addr *local, const struct ip_addr *remote)
{
	const struct host *peer = whole_host_of(w, remote);

	for (unsigned own = 0; peer && own < OWN_MAX; own++) {
		if (ip_equal(&h->own[own], local))
			h->larval_until_ms[own][peer->number] = 0;
	}
}

static void add_sas(struct whole *w, struct host *h, const struct kernel_request *k)
{
	int pair = place_for(h, k);

	if (pair < 0 || (k->spi_in && whole_pair_of(h, k->spi_in) >= 0)) {
		whole_broken(w, "the kernel is full, an SPI is used twice, or a half out comes alone");
		return;
	}
	if (find_policy(h, request_local(k), request_remote(k)) < 0 && k->op == KERNEL_ADD_SAS)
		whole_broken(w, "SAs are added where there is no policy");
	if (k->spi_in) {
		memset(&h->pair[pair], 0, sizeof h->pair[pair]);
		h->pair[pair].asked = *k;
		h->pair[pair].in = true;
	}
	if (k->spi_out) {
		h->pair[pair].asked.spi_out = k->spi_out;
		h->pair[pair].asked.keys_out = k->keys_out;
		h->pair[pair].out = true;
		h->pair[pair].flushed = false;
		h->pair[pair].out_serial = ++h->outs_added;
		delete_larval(w, h, &k->local, &k->remote);
	}
	h->pair[pair].last_in_ms = h->pair[pair].last_out_ms = w->now_ms;
}

void whole_flush_sas(struct host *h)
{
	for (unsigned i = 0; i < PAIRS_MAX; i++) {
		h->pair[i].flushed |= h->pair[i].in && !h->pair[i].out && h->pair[i].asked.spi_out == 0;
		h->pair[i].in = h->pair[i].out = false;
	}
	memset(h->larval_until_ms, 0, sizeof h->larval_until_ms);
}

static void delete_sas(struct host *h, const struct kernel_request *k)
{
	int pair = k->spi_out ? find_pair_out(h, k->reqid, k->spi_out) : -1;

	if (pair >= 0)
		h->pair[pair].out = false;
	pair = k->spi_in ? whole_pair_of(h, k->spi_in) : -1;
	if (pair >= 0)
		h->pair[pair].in = false;
}

static enum ike_err protect(struct whole *w, struct host *h, const struct kernel_request *k)
{
	const struct host *peer = whole_host_of(w, &k->remote);

	if (h->number == CLIENT && peer && peer->impostor)
		whole_broken(w, "a host with the wrong key has a policy");
	if (is_taken(h, k->reqid, request_local(k), request_remote(k)))
		return IKE_E_CONFLICT;
	add_sas(w, h, k);
	add_policy(w, h, k->reqid, request_local(k), request_remote(k));
	if (request_has_assigned(k))
		add_policy(w, h, k->reqid, &k->local, &k->remote);
	if (k->shield)
		add_policy(w, h, KERNEL_REQID_SHIELD, &every_local, &k->remote);
	return IKE_OK;
}

static void retire(struct whole *w, struct host *h, const struct kernel_request *k)
{
	w->retired++;
	if (retires_out(k))
		remove_policies(h, k->reqid, request_local(k), request_remote(k), true);
}

static void unprotect(struct whole *w, struct host *h, const struct kernel_request *k)
{
	const struct host *peer = whole_host_of(w, &k->remote);

	for (unsigned i = 0; i < PAIRS_MAX; i++) {
		if (h->pair[i].asked.reqid == k->reqid)
			h->pair[i].in = h->pair[i].out = h->pair[i].flushed = false;
	}
	remove_policies(h, k->reqid, NULL, NULL, k->for_good);
	if (k->shield)
		remove_policies(h, KERNEL_REQID_SHIELD, &every_local, &k->remote, k->for_good);
	if (h->number == CLIENT && peer && !w->stopping && w->now_ms < w->answer_expires_ms[peer->number] &&
	    whole_in_clear(h, &k->local, &k->remote))
		whole_broken(w, "the policy of host %u goes %llu ms before its answer expires",
		       peer->number,
		       (unsigned long long)(w->answer_expires_ms[peer->number] - w->now_ms));
}

static enum ike_err carry_out(struct whole *w, struct host *h, const struct kernel_request *k)
{
	switch (k->op) {
	case KERNEL_PROTECT:
		return protect(w, h, k);
	case KERNEL_ADD_SAS:
		add_sas(w, h, k);
		return IKE_OK;
	case KERNEL_RETIRE:
		retire(w, h, k);
		return IKE_OK;
	case KERNEL_DELETE_SAS:
		delete_sas(h, k);
		return IKE_OK;
	case KERNEL_UNPROTECT:
		unprotect(w, h, k);
		return IKE_OK;
	case KERNEL_REMAP:
	case KERNEL_PASS:
	case KERNEL_UNPASS:
		break;
	}
	whole_broken(w, "nothing is forwarded here, and the NAT changes no port");
	return IKE_E_SYNTAX;
}

enum ike_err whole_apply(struct whole *w, struct host *h, struct kernel_request *k)
{
	bool refuses = w->bad_kernels && k->op != KERNEL_DELETE_SAS && whole_chance(w, 30) == 0;
	enum ike_err err = refuses ? IKE_E_KERNEL : carry_out(w, h, k);

	/* Half-way: the SAs cannot be put back (kernel/plan.c). */
	if (refuses && k->op == KERNEL_UNPROTECT && whole_chance(w, 2) == 0)
		for (unsigned i = 0; i < PAIRS_MAX; i++) {
			if (h->pair[i].asked.reqid == k->reqid)
				h->pair[i].in = h->pair[i].out = h->pair[i].flushed = false;
		}
	secret_wipe(k, sizeof *k);
	return err;
}
