#include "ike/engine.h"

#include <stdlib.h>
#include <string.h>

#include "ike/child.h"

enum { SAS_MAX = 4096, HALF_OPEN_MAX = 256, HALF_OPEN_PER_SOURCE = 128, COOKIE_THRESHOLD = 16, ESP_SPI_MIN = 0x1000 };

/* The core ------------------------------------------------------------------------------------- */

enum ike_err ike_new(const struct ike_config *config, const struct rng *rng, const struct log *log,
		     struct ike **out)
{
	struct ike *ike = calloc(1, sizeof *ike);

	*out = NULL;
	if (!ike)
		return IKE_E_NOMEM;
	ike->config = *config;
	ike->rng = rng;
	ike->log = log;
	ike->errors.left = ike->hints.left = ike->refusals.left = ike->moves.left = BUCKET_BURST;
	if (!ike->config.sas_max)
		ike->config.sas_max = SAS_MAX;
	if (!ike->config.half_open_max)
		ike->config.half_open_max = HALF_OPEN_MAX;
	if (!ike->config.half_open_per_source)
		ike->config.half_open_per_source = HALF_OPEN_PER_SOURCE;
	if (!ike->config.cookie_threshold)
		ike->config.cookie_threshold = COOKIE_THRESHOLD;
	if (!ike->config.natt_port)
		ike->config.natt_port = NATT_PORT;
	pool_init(&ike->pool_v4, &config->pool_v4, config->pool_v4_size);
	pool_init(&ike->pool_v6, &config->pool_v6, config->pool_v6_size);
	out_init(&ike->out);
	cookie_init(&ike->cookies, rng, 0);
	if (table_init(&ike->by_spi) != IKE_OK || table_init(&ike->by_handle) != IKE_OK ||
	    table_init(&ike->by_esp) != IKE_OK || table_init(&ike->by_init) != IKE_OK ||
	    table_init(&ike->by_peer) != IKE_OK) {
		ike_free(ike);
		return IKE_E_NOMEM;
	}
	*out = ike;
	return IKE_OK;
}

void ike_free(struct ike *ike)
{
	struct ike_sa *sa, *next;
	struct out_slot *slot;

	if (!ike)
		return;
	while ((slot = out_take(&ike->out))) {
		if (slot->kind == SLOT_SEND)
			packet_unref((struct packet *)slot);
	}
	for (sa = ike->all; sa; sa = next) {
		next = sa->next;
		sa_free(sa);
	}
	packet_unref(ike->lent);
	cookie_clear(&ike->cookies);
	timers_clear(&ike->timers);
	table_clear(&ike->by_spi);
	table_clear(&ike->by_handle);
	table_clear(&ike->by_esp);
	table_clear(&ike->by_init);
	table_clear(&ike->by_peer);
	secret_wipe(ike, sizeof *ike);
	free(ike);
}

const struct ike_stats *ike_stats(const struct ike *ike)
{
	return &ike->stats;
}

struct ike_load ike_load(const struct ike *ike)
{
	return ike->load;
}

bool bucket_take(struct bucket *b, uint64_t now_ms)
{
	uint64_t more = (now_ms - b->since_ms) * BUCKET_PER_S / 1000;

	if (more > 0) {
		b->left = more < BUCKET_BURST - b->left ? b->left + (unsigned)more : BUCKET_BURST;
		b->since_ms = now_ms;
	}
	if (b->left == 0)
		return false;
	b->left--;
	return true;
}

uint64_t engine_enter(struct ike *ike, uint64_t now_ms)
{
	if (now_ms > ike->now_ms)
		ike->now_ms = now_ms;
	packet_unref(ike->lent);
	ike->lent = NULL;
	return ike->now_ms;
}

/* SAs enter and leave -------------------------------------------------------------------------- */

static uint64_t spi_hash(const uint8_t spi[IKE_SPI_LEN])
{
	struct rd r = rd_over(span_of(spi, IKE_SPI_LEN));

	return rd_u64(&r);
}

static uint64_t addr_hash(const struct ip_addr *a)
{
	struct rd r = rd_over(span_of(a->b, sizeof a->b));
	uint64_t high = rd_u64(&r);

	return high * UINT64_C(0x100000001b3) ^ rd_u64(&r);
}

static uint64_t init_hash(const uint8_t spi_i[IKE_SPI_LEN], const struct ip_path *path)
{
	return spi_hash(spi_i) ^ addr_hash(&path->remote.addr) ^ path->remote.port;
}

/* The counter that it counts in. A peer that failed is half open until it is forgotten: its kind
 * shall not fill the table. */
static unsigned *load_of(struct ike_sa *sa)
{
	struct ike_load *load = &sa->ike->load;

	if (IN(sa->state) & IN_LIFE)
		return &load->established;
	if (IN(sa->state) & IN_HANDSHAKE)
		return sa->initiator ? &load->initiating : &load->half_open;
	return sa->state == ST_LINGERING && !sa->was_up ? &load->half_open : NULL;
}

void engine_count_in(struct ike_sa *sa)
{
	unsigned *n = load_of(sa);

	if (n)
		++*n;
}

void engine_count_out(struct ike_sa *sa)
{
	unsigned *n = load_of(sa);

	if (n)
		--*n;
}

void engine_new_spi(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	uint8_t *spi = sa_spi_own(sa);

	table_remove(&ike->by_spi, &sa->by_spi);
	do {
		rng_fill(ike->rng, spi, IKE_SPI_LEN);
	} while (spi_hash(spi) == 0 || table_first(&ike->by_spi, spi_hash(spi)));
	table_insert(&ike->by_spi, &sa->by_spi, spi_hash(spi));
}

void engine_new_esp_spi(struct child *c)
{
	struct ike *ike = c->sa->ike;

	table_remove(&ike->by_esp, &c->by_esp);
	/* Values below 256 are reserved (RFC 4303 2.1); a few more are left to people who make
	 * SAs by hand. */
	do {
		rng_fill(ike->rng, &c->spi_in, sizeof c->spi_in);
	} while (c->spi_in < ESP_SPI_MIN || table_first(&ike->by_esp, c->spi_in));
	table_insert(&ike->by_esp, &c->by_esp, c->spi_in);
}

void engine_has_said_name(struct ike_sa *sa)
{
	if (!sa->said_name)
		sa->ike->said_name++;
	sa->said_name = true;
}

bool engine_is_first_contact(const struct ike_sa *sa)
{
	const struct table_link *link;

	/* It ends what the peer has between the two names, whatever the addresses: a host of two addresses, or of two names,
	 * would end our other SA with it. */
	if (sa->said_name && sa->ike->said_name > 1)
		return false;
	for (link = table_first(&sa->ike->by_peer, sa->by_peer.hash); link;
	     link = table_next(link)) {
		const struct ike_sa *other = SA_OF(link, by_peer);

		if (other != sa && other->state < ST_LEAVING && ip_equal(&other->path.remote.addr, &sa->path.remote.addr))
			return false;
	}
	return true;
}

static enum ike_err add(struct ike *ike, bool initiator, const struct ip_path *path, struct ike_sa **out)
{
	struct ike_sa *sa;

	*out = NULL;
	if (timers_reserve(&ike->timers, ike->load.sas + 1) != IKE_OK)
		return IKE_E_NOMEM;
	sa = sa_new(ike, initiator);
	if (!sa)
		return IKE_E_NOMEM;
	sa->path = *path;
	sa->handle = ++ike->last_handle;
	table_insert(&ike->by_handle, &sa->by_handle, sa->handle);
	engine_new_spi(sa);
	table_insert(&ike->by_peer, &sa->by_peer, addr_hash(&path->remote.addr));
	sa->next = ike->all;
	if (sa->next)
		sa->next->prev = sa;
	ike->all = sa;
	ike->load.sas++;
	engine_count_in(sa);
	*out = sa;
	return IKE_OK;
}

enum ike_err engine_add(struct ike *ike, bool initiator, const struct ip_path *path,
			struct ike_sa **out)
{
	*out = NULL;
	return ike->load.sas < ike->config.sas_max ? add(ike, initiator, path, out) : IKE_E_LIMIT;
}

enum ike_err engine_add_successor(struct ike_sa *sa, bool initiator, struct ike_sa **out)
{
	enum ike_err err = add(sa->ike, initiator, &sa->path, out);
	struct ike_sa *fresh = *out;

	if (err != IKE_OK)
		return err;
	fresh->encapsulated = sa->encapsulated;
	fresh->fragments = sa->fragments;
	fresh->was_up = true;
	engine_move(fresh, ST_EMPTY, sa->ike->now_ms);
	return IKE_OK;
}

static void swap_handles(struct ike_sa *a, struct ike_sa *b)
{
	struct table *by_handle = &a->ike->by_handle;
	ike_handle handle = a->handle;

	table_remove(by_handle, &a->by_handle);
	table_remove(by_handle, &b->by_handle);
	a->handle = b->handle;
	b->handle = handle;
	table_insert(by_handle, &a->by_handle, a->handle);
	table_insert(by_handle, &b->by_handle, b->handle);
}

void engine_inherit(struct ike_sa *from, struct ike_sa *heir)
{
	struct child *c;

	swap_handles(from, heir);
	heir->tag = from->tag;
	heir->we_started = from->we_started;
	heir->encapsulated = from->encapsulated;
	heir->always_udp = from->always_udp;
	heir->wants_keepalive = from->wants_keepalive;
	heir->said_name = from->said_name;
	heir->peer_knows_qcd |= from->peer_knows_qcd;
	heir->owes_end = from->owes_end;
	heir->close_asked = from->close_asked;
	heir->close_reason = from->close_reason;
	heir->rekey_child_asked = from->rekey_child_asked;
	heir->nat = from->nat;
	heir->peer_id_type = from->peer_id_type;
	heir->auth_method = from->auth_method;
	heir->asks = from->asks;
	heir->round_trip_ms = from->round_trip_ms;
	heir->reqid = from->reqid;
	heir->spi_in = from->spi_in;
	heir->spi_out = from->spi_out;
	heir->esp_suite = from->esp_suite;
	heir->key_index = from->key_index;
	heir->claim = from->claim;
	heir->inner_local = from->inner_local;
	heir->inner_remote = from->inner_remote;
	heir->assigned = from->assigned;
	heir->mobike = from->mobike;
	/* What has not been answered on the old one is of no use on the new one, and is asked again. */
	heir->move_asked = from->move_asked || from->moving;
	heir->moved = from->moved;
	heir->unproved = heir->owes_cookie2 = from->unproved;
	memcpy(heir->cookie2, from->cookie2, sizeof heir->cookie2);
	heir->fetch_ms = from->fetch_ms;
	engine_set_path(heir, &from->path);
	heir->child = from->child;
	heir->children = from->children;
	for (c = heir->children; c; c = c->next)
		c->sa = heir;
	if (from->news)
		engine_news(heir, from->news);
	from->claim = NULL;
	from->assigned = false;                 /* given back by heir */
	from->child = from->children = NULL;
	from->news = 0;
	from->said_name = from->owes_end = from->close_asked = from->rekey_child_asked = from->rekey_ike_asked = false;
}

/* Half-open ones ------------------------------------------------------------------------------- */

static void queue_half_open(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	sa->older = ike->newest;
	if (sa->older)
		sa->older->newer = sa;
	else
		ike->oldest = sa;
	ike->newest = sa;
}

void engine_unqueue_half_open(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	if (!sa->older && ike->oldest != sa)
		return;
	*(sa->older ? &sa->older->newer : &ike->oldest) = sa->newer;
	*(sa->newer ? &sa->newer->older : &ike->newest) = sa->older;
	sa->older = sa->newer = NULL;
}

static bool same_addresses(const struct ip_path *a, const struct ip_path *b)
{
	return ip_equal(&a->remote.addr, &b->remote.addr) && ip_equal(&a->local.addr, &b->local.addr);
}

static bool is_from_source(const struct ike_sa *sa, const struct ip_addr *source)
{
	const struct ip_addr own = ip_source(&sa->path.remote.addr);

	return ip_equal(&own, source);
}

/* It has failed, or had its time: a peer that means it goes on within a round trip. */
static bool has_had_its_time(const struct ike_sa *sa)
{
	return sa->state == ST_LINGERING || sa->ike->now_ms + HALF_OPEN_MS >= sa->expire_ms + HALF_OPEN_FAIR_MS;
}

/* The peer is to go on; we are not at work for it. */
static bool is_waiting(const struct ike_sa *sa)
{
	return IN(sa->state) & (IN(ST_INTERMEDIATE_DUE) | IN(ST_INIT_ANSWERED) | IN(ST_CHILD_DUE) | IN(ST_LINGERING));
}

/* The half-open ones, and which could go: a peer that never finishes holds a place for HALF_OPEN_MS, and can have many. Between two
 * addresses, where one tunnel is of use, the oldest goes. Of a source, and of all, it is the oldest as well, but not one of a crowd
 * that has only just come: it would not hear of it, while who is put off asks again. NULL: none can. */
struct half_open {
	unsigned of_pair, of_source;
	struct ike_sa *oldest_of_pair, *oldest_of_source, *oldest;
};

static struct half_open half_open_ones(const struct ike *ike, const struct ip_path *path)
{
	const struct ip_addr source = ip_source(&path->remote.addr);
	struct half_open all = { .of_pair = 0 };
	struct ike_sa *sa;

	for (sa = ike->oldest; sa; sa = sa->newer) {
		bool of_source = is_from_source(sa, &source), of_pair = of_source && same_addresses(&sa->path, path);

		all.of_source += of_source;
		all.of_pair += of_pair;
		if (!is_waiting(sa))
			continue;
		if (of_pair && !all.oldest_of_pair)
			all.oldest_of_pair = sa;
		if (!has_had_its_time(sa))
			continue;
		if (of_source && !all.oldest_of_source)
			all.oldest_of_source = sa;
		if (!all.oldest)
			all.oldest = sa;
	}
	return all;
}

bool engine_source_is_full(const struct ike *ike, const struct ip_path *path)
{
	struct half_open all = half_open_ones(ike, path);

	return all.of_pair >= HALF_OPEN_OF_PAIR || all.of_source >= ike->config.half_open_per_source;
}

static void push_out(struct ike_sa *sa, uint64_t *counter)
{
	struct stimulus expired = { .on = ON_EXPIRED, .now_ms = sa->ike->now_ms };

	++*counter;
	sa_blame(sa, REASON_LIMIT, "a newer one takes its place");
	engine_step(sa, &expired);
}

bool engine_make_room(struct ike *ike, const struct ip_path *path)
{
	struct half_open all = half_open_ones(ike, path);
	struct ike_sa *sa = all.oldest;
	bool of_source = true;

	if (all.of_pair >= HALF_OPEN_OF_PAIR)
		sa = all.oldest_of_pair;
	else if (all.of_source >= ike->config.half_open_per_source)
		sa = all.oldest_of_source;
	else if (ike->load.half_open >= ike->config.half_open_max)
		of_source = false;
	else
		return true;
	if (!sa) {
		++*(of_source ? &ike->stats.dropped_per_source : &ike->stats.dropped_limit);
		return false;
	}
	push_out(sa, of_source ? &ike->stats.half_open_pushed_out_by_source : &ike->stats.half_open_pushed_out);
	return true;
}

void engine_remember_init(struct ike_sa *sa)
{
	queue_half_open(sa);
	table_insert(&sa->ike->by_init, &sa->by_init,
		     init_hash(sa->spi_i, &sa->hs->message_i->path));
}

struct pool *engine_pool(struct ike *ike, enum ip_family family)
{
	return family == IP_V4 ? &ike->pool_v4 : &ike->pool_v6;
}

void engine_set_path(struct ike_sa *sa, const struct ip_path *path)
{
	table_remove(&sa->ike->by_peer, &sa->by_peer);
	sa->path = *path;
	table_insert(&sa->ike->by_peer, &sa->by_peer, addr_hash(&path->remote.addr));
}

void engine_give_back(struct ike_sa *sa)
{
	if (sa->assigned)
		pool_give(engine_pool(sa->ike, (enum ip_family)sa->inner_remote.family), &sa->inner_remote);
	sa->assigned = false;
}

void engine_leave_tables(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	engine_give_back(sa);
	table_remove(&ike->by_spi, &sa->by_spi);
	table_remove(&ike->by_handle, &sa->by_handle);
	table_remove(&ike->by_init, &sa->by_init);
	table_remove(&ike->by_peer, &sa->by_peer);
	engine_unqueue_half_open(sa);
	timer_set(&ike->timers, &sa->timer, NEVER_MS);
	ike->said_name -= sa->said_name;
	ike->load.sas--;
}

static bool has_output(const struct ike_sa *sa)
{
	const struct child *c = sa->children;

	while (c && !c->add.queued && !c->del.queued)
		c = c->next;
	return c || sa->ask.queued || sa->up.queued || sa->tell.queued || sa->end.queued;
}

void engine_collect(struct ike_sa *sa)
{
	if (sa->state != ST_GONE || has_output(sa))
		return;
	if (sa->prev)
		sa->prev->next = sa->next;
	else
		sa->ike->all = sa->next;
	if (sa->next)
		sa->next->prev = sa->prev;
	sa_free(sa);
}

void engine_forget(struct ike_sa *sa)
{
	engine_move(sa, ST_GONE, sa->ike->now_ms);
	engine_collect(sa);
}

struct ike_sa *engine_by_spi(const struct ike *ike, const uint8_t spi[IKE_SPI_LEN])
{
	struct table_link *link = table_first(&ike->by_spi, spi_hash(spi));

	return link ? SA_OF(link, by_spi) : NULL;
}

struct ike_sa *engine_by_init(const struct ike *ike, const uint8_t spi_i[IKE_SPI_LEN],
			      const struct ip_path *path, struct span request)
{
	struct table_link *link;

	for (link = table_first(&ike->by_init, init_hash(spi_i, path)); link;
	     link = table_next(link)) {
		struct ike_sa *sa = SA_OF(link, by_init);

		if (ip_endpoint_equal(&sa->hs->message_i->path.remote, &path->remote) &&
		    span_equal(packet_span(sa->hs->message_i), request))
			return sa;
	}
	return NULL;
}

struct ike_sa *engine_by_esp(const struct ike *ike, uint32_t spi_in)
{
	struct table_link *link = table_first(&ike->by_esp, spi_in);

	return link ? ((struct child *)(void *)((char *)link - offsetof(struct child, by_esp)))->sa : NULL;
}

struct ike_sa *engine_by_esp_out(const struct ike *ike, const struct ip_addr *remote, uint32_t spi_out)
{
	const struct table_link *link;

	for (link = table_first(&ike->by_peer, addr_hash(remote)); link; link = table_next(link)) {
		struct ike_sa *sa = SA_OF(link, by_peer);
		const struct child *c = ip_equal(&sa->path.remote.addr, remote) ? sa->children : NULL;

		while (c && !(c->has_out && c->spi_out == spi_out))
			c = c->next;
		if (c)
			return sa;
	}
	return NULL;
}

struct ike_sa *engine_by_handle(const struct ike *ike, ike_handle handle)
{
	struct table_link *link = table_first(&ike->by_handle, handle);

	return link ? SA_OF(link, by_handle) : NULL;
}
