/* whole: random schedules of the tunnel layer over real IKE cores: one host that resolves names, three that are named. The
 * first one has a name too, for which the others ask now and then, and say who they are.
 *
 *	whole --seeds 200                  seeds 1 to 200
 *	whole --from 17 --seeds 1 -v       one of them again, with its story
 *
 * Hosts reboot, lose packets, have their SAs flushed, hold the wrong key, roll over to a new one; one assigns addresses, each time it
 * boots others, since there is a NAT in between; kernels refuse anything; the client's daemon is killed; names come and go; the operator
 * takes tunnels down; the client has two addresses and uses both. The promises of the design are looked at from outside, where the kernel and the resolver stand:
 *  - each request has one verdict, by its deadline;
 *  - an address is allowed only while the kernel holds a policy and an SA for it;
 *  - from then on until that answer has expired no packet from either address would pass in clear, but for the
 *    operator's word;
 *  - a host that cannot prove its key never gets a policy, whoever asks for whom;
 *  - after somebody else has deleted all SAs at one end, packets in a tunnel that the client began are answered again within 10 s;
 *  - a host that was away, and has lost all its SAs, answers packets in a tunnel that the client began again within 10 s of its
 *    return, with the key that its names published last;
 *  - in the end nothing is left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "tests/sim/whole.h"

/* What happens ------------------------------------------------------------------------------------ */

static struct span rdata_of(enum sim_key published)
{
	static uint8_t rdata[KEY_MAX][IPSECKEY_RDATA_MAX];
	static struct wr written[KEY_MAX];

	if (!written[published].base) {
		struct privkey *key = sim_privkey(published);

		written[published] = wr_over(rdata[published], sizeof rdata[published]);
		if (privkey_to_ipseckey(key, &written[published]) != IKE_OK)
			abort();
		privkey_free(key);
	}
	return wr_span(&written[published]);
}

static void publish(const struct host *h, struct rp_establish *q)
{
	q->n_keys = h->n_published;
	for (unsigned i = 0; i < h->n_published; i++)
		q->keys[i] = rdata_of(h->published[i]);
}

/* This host asks for the client, often in the same moment in which the client asks for it. */
static void ask_back(struct whole *w, unsigned host)
{
	struct rp_establish q = { .n_addresses = 1, .ttl_s = 10, .deadline_ms = 1500 };

	if (w->back_waits[host] || (w->nat && host == POOLED))
		return;
	q.addresses[0] = w->host[CLIENT].addr;
	publish(&w->host[CLIENT], &q);
	if (dnsname_from_text("host0.example", &q.owner) != IKE_OK)
		abort();
	w->back_waits[host] = true;
	w->back_to[host] = q.addresses[0];
	if (tunnels_request(w->host[host].tunnels, 2, 1, &q, w->now_ms) != IKE_OK)
		whole_broken(w, "a request was not taken");
	whole_pump(w, &w->host[host]);
}

/* One of three names of this host is asked for. The impostor's publish a key that it does not hold. */
static void ask(struct whole *w, unsigned host, unsigned which)
{
	struct rp_establish q = {
		.n_addresses = 1, .ttl_s = 5 + whole_chance(w, 40), .deadline_ms = 1500
	};
	char name[32];

	if (w->n_requests == REQUESTS_MAX)
		return;
	snprintf(name, sizeof name, "%c.host%u.example", 'a' + (int)which, host);
	if (dnsname_from_text(name, &q.owner) != IKE_OK)
		abort();
	q.addresses[0] = w->host[host].addr;
	publish(&w->host[host], &q);
	w->request[w->n_requests] = (struct request){ .waits = true,
						      .host = host,
						      .from = w->host[CLIENT].addr,
						      .due_ms = w->now_ms + DEADLINE_MS + 10 };
	if (tunnels_request(w->host[CLIENT].tunnels, 1, w->n_requests, &q, w->now_ms) != IKE_OK)
		whole_broken(w, "a request was not taken");
	w->n_requests++;
	whole_pump(w, &w->host[CLIENT]);
}

/* The kernel has no SA for a packet: it says so, but not for every one. */
static void want(struct whole *w, unsigned own, unsigned host)
{
	struct host *c = &w->host[CLIENT];
	uint64_t *until_ms = &c->larval_until_ms[own][host];

	if (w->now_ms < *until_ms)
		return;
	*until_ms = w->now_ms + ACQUIRE_MS;
	tunnels_acquire(c->tunnels, &c->own[own], &w->host[host].addr, w->now_ms);
	whole_pump(w, c);
}

/* An application sends a packet, and the host answers if it can read it. False: no answer. */
static bool use(struct whole *w, unsigned own, unsigned host)
{
	struct host *c = &w->host[CLIENT], *h = &w->host[host];
	const struct ip_addr *from = &c->own[own];
	int pair = whole_pair_to(c, from, &h->addr), theirs;

	if (whole_in_clear(c, from, &h->addr))
		return false;
	if (pair < 0) {
		want(w, own, host);
		return false;
	}
	c->pair[pair].packets_out++;
	c->pair[pair].last_out_ms = w->now_ms;
	theirs = whole_pair_of(h, c->pair[pair].asked.spi_out);
	if (theirs < 0 || h->silent)
		return false;
	if (!secret_eq(secret_span(&h->pair[theirs].asked.keys_in.encr),
		       secret_span(&c->pair[pair].asked.keys_out.encr)))
		whole_broken(w, "the two ends have different keys");
	c->pair[pair].packets_in++;
	c->pair[pair].last_in_ms = w->now_ms;
	h->pair[theirs].packets_in++;
	h->pair[theirs].packets_out++;
	h->pair[theirs].last_in_ms = h->pair[theirs].last_out_ms = w->now_ms;
	return true;
}

/* Somebody sends until he is answered, or until then. */
static bool send_until_answered(struct whole *w, unsigned own, unsigned host, uint64_t until_ms)
{
	while (w->now_ms < until_ms) {
		if (use(w, own, host))
			return true;
		whole_run_until(w, w->now_ms + 200);
	}
	return false;
}

/* Has the client begun the tunnel that it uses to reach the host? One that a host has begun is the host's to bring back. */
static bool began(const struct whole *w, unsigned host)
{
	const struct host *c = &w->host[CLIENT];
	struct tunnel_info info;
	uint64_t cursor = 0;

	while (tunnels_next(c->tunnels, &cursor, &info)) {
		if (info.state == TUNNEL_PROTECTED && ip_equal(&info.local, &c->addr) && ip_equal(&info.remote, &w->host[host].addr))
			return info.initiator;
	}
	return false;
}

/* The host loses all that it has while somebody sends, is away for a while, and comes back. */
static void crash(struct whole *w, unsigned host)
{
	struct host *c = &w->host[CLIENT], *h = &w->host[host];
	unsigned own = ip_equal(&c->addr, &c->own[0]) ? 0 : 1;
	bool answered, ours = began(w, host);

	log_info(&w->log, "--- host %u crashes", host);
	h->silent = true;
	w->bad_kernels = false;
	(void)send_until_answered(w, own, host, w->now_ms + whole_chance(w, AWAY_MS));
	log_info(&w->log, "--- host %u comes back", host);
	whole_boot(w, h);
	h->silent = w->bad_wire = false;
	answered = send_until_answered(w, own, host, w->now_ms + RETURN_MS);
	w->bad_kernels = true;
	/* It may have been given back meanwhile. */
	if (!answered && ours && !h->impostor && !whole_in_clear(c, &c->own[own], &h->addr) && w->now_ms < w->answer_expires_ms[host])
		whole_broken(w, "host %u does not answer 10 s after its return", host);
}

/* The new key beside the old one, until all names have been asked for; then it alone. Meanwhile the host may lose all it has, after
 * which it knows the new one only. */
static void roll_over(struct whole *w, unsigned host)
{
	static const enum sim_key new_key[HOSTS][2] = { [1] = { KEY_ED25519, KEY_P256 }, [2] = { KEY_ED25519_OTHER, KEY_P256 } };
	struct host *h = &w->host[host];

	if (h->impostor || w->n_requests + NAMES > REQUESTS_MAX)
		return;
	h->published[1] = new_key[host][h->published[0] == new_key[host][0]];
	h->n_published = 2;
	log_info(&w->log, "--- host %u publishes a new key", host);
	for (unsigned i = 0; i < NAMES; i++)
		ask(w, host, i);
	whole_run_until(w, w->now_ms + DEADLINE_MS + whole_chance(w, 10000));
	privkey_free(h->key);
	h->key = sim_privkey(h->published[1]);
	if (whole_chance(w, 2) == 0)
		crash(w, host);
	h->published[0] = h->published[1];
	h->n_published = 1;
	log_info(&w->log, "--- host %u withdraws the old key", host);
	ask(w, host, whole_chance(w, NAMES));
}

/* Another program deletes all SAs of the client, or of a host, and all policies, which are back before any packet comes
 * (kernel/ledger.h). */
static void flush(struct whole *w, unsigned host)
{
	struct host *c = &w->host[CLIENT], *h = &w->host[host], *who = whole_chance(w, 2) ? c : h;
	unsigned own = ip_equal(&c->addr, &c->own[0]) ? 0 : 1;
	bool ours = began(w, host);

	log_info(&w->log, "--- somebody flushes host %u", who->number);
	whole_flush_sas(who);
	w->bad_kernels = w->bad_wire = false;
	tunnels_sas_flushed(who->tunnels, w->now_ms);
	whole_pump(w, who);
	if (!send_until_answered(w, own, host, w->now_ms + RETURN_MS) && ours && !h->impostor && !h->silent &&
	    !whole_in_clear(c, &c->own[own], &h->addr) && w->now_ms < w->answer_expires_ms[host])
		whole_broken(w, "host %u does not answer 10 s after a flush", host);
	w->bad_kernels = true;
}

/* The client's daemon is killed and starts again. Nobody remembers its tunnels, but the answers are out there. */
static void be_killed(struct whole *w)
{
	log_info(&w->log, "--- the client's daemon is killed");
	whole_restart(w, &w->host[CLIENT]);
}

static void happen(struct whole *w)
{
	unsigned host = 1 + whole_chance(w, HOSTS - 1);

	switch (whole_chance(w, 20)) {
	case 0:
		if (whole_chance(w, 3) == 0) {
			log_info(&w->log, "--- host %u reboots", host);
			whole_boot(w, &w->host[host]);
		} else {
			crash(w, host);
		}
		break;
	case 1:
		w->host[host].silent = !w->host[host].silent;
		log_info(&w->log, "--- host %u is %s", host,
			 w->host[host].silent ? "silent" : "back");
		break;
	case 2:
		w->bad_wire = !w->bad_wire;
		w->host[CLIENT].addr = w->host[CLIENT].own[whole_chance(w, OWN_MAX)];
		break;
	case 3:
		if (whole_chance(w, 3) == 0) {
			log_info(&w->log, "--- the operator takes host %u down", host);
			/* The resolver is told to forget the answers. */
			w->answer_expires_ms[host] = 0;
			(void)tunnels_down_address(w->host[CLIENT].tunnels, &w->host[host].addr,
						   w->now_ms);
			whole_pump(w, &w->host[CLIENT]);
		}
		break;
	case 4: case 5: case 6: case 7: case 8:
		ask(w, host, whole_chance(w, NAMES));
		if (whole_chance(w, 3) == 0)
			ask_back(w, host);
		break;
	case 9:
		ask_back(w, host);
		break;
	case 10:
		if (whole_chance(w, 2) == 0)
			roll_over(w, host);
		break;
	case 11:
		if (whole_chance(w, 3) == 0)
			flush(w, host);
		else if (whole_chance(w, 2) == 0)
			be_killed(w);
		break;
	default:
		(void)use(w, whole_chance(w, OWN_MAX), host);
		break;
	}
	for (unsigned i = 1; i < HOSTS; i++) {
		for (unsigned own = 0; own < OWN_MAX; own++) {
			if (w->now_ms < w->answer_expires_ms[i] &&
			    whole_in_clear(&w->host[CLIENT], &w->host[CLIENT].own[own], &w->host[i].addr))
				whole_broken(w, "packets to host %u would go in clear from address %u of ours", i, own);
		}
	}
}

static void stop(struct whole *w)
{
	w->stopping = true;
	w->bad_wire = false;
	for (unsigned i = 0; i < HOSTS; i++) {
		w->host[i].silent = false;
		tunnels_shutdown(w->host[i].tunnels, w->now_ms);
		whole_pump(w, &w->host[i]);
	}
	whole_run_until(w, w->now_ms + 120000);
	whole_clear_orphans(&w->host[CLIENT]);
	for (unsigned i = 0; i < HOSTS; i++) {
		unsigned left = tunnels_count(w->host[i].tunnels) + ike_load(w->host[i].ike).sas;

		for (unsigned k = 0; k < PAIRS_MAX; k++)
			left += w->host[i].pair[k].in || w->host[i].pair[k].out;
		for (unsigned k = 0; k < POLICIES_MAX; k++)
			left += w->host[i].policy[k].used;
		if (left > 0)
			whole_broken(w, "host %u has %u tunnels, SAs or policies left", i, left);
	}
	for (unsigned i = 0; i < w->n_requests; i++) {
		if (w->request[i].waits)
			whole_broken(w, "a request without a verdict");
	}
}

static bool run(uint64_t seed, bool verbose, unsigned *allowed, unsigned *refused, unsigned *retired)
{
	static const enum sim_key keys[HOSTS] = { KEY_P256, KEY_ED25519, KEY_ED25519_OTHER,
						  KEY_ED25519 };
	static struct whole w;
	struct datagram *d;

	memset(&w, 0, sizeof w);
	w.random = seed;
	w.now_ms = 1000;
	w.verbose = verbose;
	w.named = seed & 1;
	w.nat = seed & 2;
	w.bad_kernels = true;
	whole_begin(&w);
	for (unsigned i = 0; i < HOSTS; i++) {
		w.host[i].number = i;
		w.host[i].addr = (struct ip_addr){ .family = IP_V4,
						   .b = { 203, 0, 113, (uint8_t)(10 + i) } };
		for (unsigned own = 0; own < OWN_MAX; own++)
			w.host[i].own[own] = w.host[i].addr;
		w.host[i].key = sim_privkey(keys[i]);
		w.host[i].impostor = i == HOSTS - 1;
		w.host[i].published[0] = w.host[i].impostor ? KEY_P256 : keys[i];
		w.host[i].n_published = 1;
		whole_boot(&w, &w.host[i]);
	}
	w.host[CLIENT].own[1].b[3] = 99;
	while (w.now_ms < LIFE_MS && w.broken[0] == '\0') {
		happen(&w);
		whole_run_until(&w, w.now_ms + whole_chance(&w, 4000));
	}
	stop(&w);
	*allowed += w.allowed;
	*refused += w.refused;
	*retired += w.retired;
	for (unsigned i = 0; i < HOSTS; i++) {
		tunnels_free(w.host[i].tunnels);
		ike_free(w.host[i].ike);
		privkey_free(w.host[i].key);
	}
	while ((d = w.wire)) {
		w.wire = d->next;
		free(d);
	}
	if (w.broken[0] != '\0')
		printf("seed %llu: %s\n", (unsigned long long)seed, w.broken);
	return w.broken[0] == '\0';
}

int main(int argc, char **argv)
{
	uint64_t from = 1, seeds = 60, seed;
	unsigned failed = 0, allowed = 0, refused = 0, retired = 0;
	bool verbose = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
			seeds = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc) {
			from = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--verbose") == 0 || strcmp(argv[i], "-v") == 0) {
			verbose = true;
		} else {
			printf("usage: whole [--seeds N] [--from SEED] [--verbose]\n");
			return strcmp(argv[i], "--help") == 0 ? 0 : 2;
		}
	}
	for (seed = from; seed < from + seeds; seed++)
		failed += !run(seed, verbose, &allowed, &refused, &retired);
	printf("whole: %llu passed, %u failed; %u names allowed, %u refused; %u times another address%s\n",
	       (unsigned long long)(seeds - failed), failed, allowed, refused, retired,
	       failed ? "; again with: whole --from SEED --seeds 1 --verbose" : "");
	return failed || allowed == 0 || refused == 0 ? 1 : 0;
}
