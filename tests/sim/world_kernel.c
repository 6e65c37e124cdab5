#include "tests/sim/world_kernel.h"

#include <string.h>

static bool same_keys(const struct esp_keys *a, const struct esp_keys *b)
{
	return secret_eq(secret_span(&a->encr), secret_span(&b->encr)) &&
	       secret_eq(secret_span(&a->integ), secret_span(&b->integ));
}

static struct sim_sa_pair *find_pair(struct sim_host *h, uint32_t spi_in)
{
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		if ((h->sas[i].in || h->sas[i].out) && h->sas[i].asked.spi_in == spi_in)
			return &h->sas[i];
	}
	return NULL;
}

static struct sim_sa_pair *find_pair_out(struct sim_host *h, uint32_t reqid, uint32_t spi_out)
{
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		if ((h->sas[i].in || h->sas[i].out) && h->sas[i].asked.reqid == reqid && h->sas[i].asked.spi_out == spi_out)
			return &h->sas[i];
	}
	return NULL;
}

/* What one end sends with is what the other one receives with. */
static void check_direction(struct sim_world *w, const struct sim_sa_pair *from, const struct sim_sa_pair *to)
{
	const struct kernel_request *a = &from->asked, *b = &to->asked;

	if (!from->out || !to->in)
		return;
	if (!same_keys(&a->keys_out, &b->keys_in))
		sim_broken(w, "the two ends disagree about ESP keys");
	if (a->suite.encr != b->suite.encr || a->suite.encr_bits != b->suite.encr_bits ||
	    a->suite.integ != b->suite.integ || a->suite.esn != b->suite.esn)
		sim_broken(w, "the two ends disagree about the ESP suite");
	if (!ip_equal(&a->inner_local, &b->inner_remote) || !ip_equal(&a->inner_remote, &b->inner_local))
		sim_broken(w, "the two ends disagree about the addresses inside");
	if ((a->encap_local_port != 0) != (b->encap_local_port != 0) || (w->nat && a->encap_local_port == 0))
		sim_broken(w, "the two ends disagree about encapsulation");
}

static void check_against_peer(struct sim_world *w, enum sim_side side, const struct sim_sa_pair *mine)
{
	struct sim_host *other = &w->host[!side];
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		struct sim_sa_pair *theirs = &other->sas[i];

		if (theirs->in && mine->out && theirs->asked.spi_in == mine->asked.spi_out)
			check_direction(w, mine, theirs);
		if (theirs->out && mine->in && theirs->asked.spi_out == mine->asked.spi_in)
			check_direction(w, theirs, mine);
	}
}

static struct sim_sa_pair *place_for(struct sim_host *h)
{
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		if (!h->sas[i].in && !h->sas[i].out)
			return &h->sas[i];
	}
	return NULL;
}

static void add_in(struct sim_world *w, struct sim_host *h, struct sim_sa_pair *pair, const struct kernel_request *k)
{
	if (k->spi_in < 256)
		sim_broken(w, "a reserved SPI");
	if (pair->in)
		sim_broken(w, "SPI %08x is owned twice", k->spi_in);
	if (k->keys_in.encr.n == 0 || !ip_equal(&k->local, &h->addr))
		sim_broken(w, "no keys, or an SA for an address that is not ours");
	pair->in = true;
	pair->asked.spi_in = k->spi_in;
	pair->asked.keys_in = k->keys_in;
}

static void add_out(struct sim_world *w, struct sim_host *h, struct sim_sa_pair *pair, const struct kernel_request *k)
{
	if (k->spi_out < 256)
		sim_broken(w, "a reserved SPI");
	if (pair->out)
		sim_broken(w, "a half out is added twice");
	if (k->keys_out.encr.n == 0 || same_keys(&pair->asked.keys_in, &k->keys_out))
		sim_broken(w, "no keys, or the same in both directions");
	pair->out = true;
	pair->out_serial = ++h->outs_added;
	pair->asked.spi_out = k->spi_out;
	pair->asked.keys_out = k->keys_out;
	pair->asked.remote = k->remote;
	pair->asked.encap_remote_port = k->encap_remote_port;
}

/* The half out of a pair comes when its half in is there. The request does not say which that is: one of this reqid that has no
 * half out yet. */
static struct sim_sa_pair *half_of(struct sim_host *h, uint32_t reqid)
{
	unsigned i;
	struct sim_sa_pair *found = NULL;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		struct sim_sa_pair *pair = &h->sas[i];

		if (pair->in && !pair->out && pair->asked.spi_out == 0 && pair->asked.reqid == reqid)
			found = pair;
	}
	return found;
}

void sim_kernel_add(struct sim_world *w, enum sim_side side, const struct kernel_request *k)
{
	struct sim_host *h = &w->host[side];
	struct sim_sa_pair *pair = k->spi_in ? find_pair(h, k->spi_in) : half_of(h, k->reqid);

	if (pair && k->spi_in)
		sim_broken(w, "SPI %08x is owned twice", k->spi_in);
	if (!pair && k->spi_in)
		pair = place_for(h);
	if (!pair) {
		sim_broken(w, "too many SAs are left, or a half out without a half in");
		return;
	}
	if (k->spi_in) {
		*pair = (struct sim_sa_pair){ .asked = *k };
		pair->asked.spi_out = 0;
		pair->asked.op = KERNEL_PROTECT;
		add_in(w, h, pair, k);
	}
	if (k->spi_out)
		add_out(w, h, pair, k);
	check_against_peer(w, side, pair);
}

const struct sim_sa_pair *sim_sends_with(const struct sim_world *w, enum sim_side side, uint32_t reqid)
{
	const struct sim_sa_pair *best = NULL;
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		const struct sim_sa_pair *pair = &w->host[side].sas[i];

		if (pair->out && pair->asked.reqid == reqid && (!best || pair->out_serial > best->out_serial))
			best = pair;
	}
	return best;
}

bool sim_receives(const struct sim_world *w, enum sim_side side, uint32_t spi)
{
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		if (w->host[side].sas[i].in && w->host[side].sas[i].asked.spi_in == spi)
			return true;
	}
	return false;
}

/* What the host sends to the client has to find the way back through the translator. */
static bool goes_through_nat(const struct sim_world *w, const struct kernel_request *k)
{
	return ip_equal(&k->remote, &w->nat_addr) && sim_is_mapped(w, k->encap_remote_port);
}

bool sim_reaches(const struct sim_world *w, enum sim_side side, uint32_t reqid)
{
	const struct sim_sa_pair *pair = sim_sends_with(w, side, reqid);

	return pair && sim_receives(w, (enum sim_side)!side, pair->asked.spi_out) &&
	       (side == CLIENT || !w->nat || goes_through_nat(w, &pair->asked));
}

/* A half in that goes alone belongs to a pair that was replaced, or to a tunnel that ends: otherwise nobody may send with it any
 * more. */
static void check_unused(struct sim_world *w, enum sim_side side, uint32_t spi_in)
{
	const struct sim_host *other = &w->host[!side];
	unsigned i;

	for (i = 0; i < SIM_SAS_MAX; i++) {
		if (other->sas[i].out && other->sas[i].asked.spi_out == spi_in &&
		    sim_sends_with(w, (enum sim_side)!side, other->sas[i].asked.reqid) == &other->sas[i])
			w->host[side].missed_spi = spi_in;
	}
}

void sim_kernel_remap(struct sim_world *w, enum sim_side side, const struct kernel_request *k)
{
	struct sim_host *h = &w->host[side];
	struct sim_sa_pair *in = find_pair(h, k->spi_in), *out = find_pair_out(h, k->reqid, k->spi_out);

	if ((k->spi_in && (!in || !in->in || in->asked.encap_remote_port == 0)) ||
	    (k->spi_out && (!out || !out->out || out->asked.encap_remote_port == 0))) {
		sim_broken(w, "SAs are to have another port that do not exist, or have none");
		return;
	}
	if (k->spi_in)
		in->asked.encap_remote_port = k->encap_remote_port;
	if (k->spi_out)
		out->asked.encap_remote_port = k->encap_remote_port;
}

void sim_kernel_delete(struct sim_world *w, enum sim_side side, const struct kernel_request *k)
{
	struct sim_host *h = &w->host[side];
	struct sim_sa_pair *in = find_pair(h, k->spi_in), *out = find_pair_out(h, k->reqid, k->spi_out);

	if ((k->spi_in && (!in || !in->in || in->asked.reqid != k->reqid)) || (k->spi_out && (!out || !out->out))) {
		sim_broken(w, "SAs are deleted that do not exist");
		return;
	}
	if (k->spi_out)
		out->out = false;
	if (k->spi_in)
		in->in = false;
	if (k->spi_in && !k->spi_out)
		check_unused(w, side, k->spi_in);
}
