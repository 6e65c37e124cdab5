#include "ike/engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/child.h"
#include "ike/sealed.h"
#include "ike/x.h"

enum { SAS_MAX = 4096, HALF_OPEN_MAX = 256, COOKIE_THRESHOLD = 16, ESP_SPI_MIN = 0x1000 };

#define CHILD_OF(link, member) ((struct child *)(void *)((char *)(link) - offsetof(struct child, member)))
#define SA_OF(link, member) ((struct ike_sa *)(void *)((char *)(link) - offsetof(struct ike_sa, member)))

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
	ike->errors.left = ike->refusals.left = BUCKET_BURST;
	if (!ike->config.sas_max)
		ike->config.sas_max = SAS_MAX;
	if (!ike->config.half_open_max)
		ike->config.half_open_max = HALF_OPEN_MAX;
	if (!ike->config.cookie_threshold)
		ike->config.cookie_threshold = COOKIE_THRESHOLD;
	if (!ike->config.natt_port)
		ike->config.natt_port = NATT_PORT;
	pool_init(&ike->pool_v4, &config->pool_v4, config->pool_size);
	pool_init(&ike->pool_v6, &config->pool_v6, config->pool_size);
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

static void count_in(struct ike_sa *sa)
{
	unsigned *n = load_of(sa);

	if (n)
		++*n;
}

static void count_out(struct ike_sa *sa)
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

		if (other != sa && ip_equal(&other->path.remote.addr, &sa->path.remote.addr))
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
	count_in(sa);
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
	heir->wants_keepalive = from->wants_keepalive;
	heir->said_name = from->said_name;
	heir->owes_end = from->owes_end;
	heir->close_asked = from->close_asked;
	heir->close_reason = from->close_reason;
	heir->rekey_child_asked = from->rekey_child_asked;
	heir->peer_behind_nat = from->peer_behind_nat;
	heir->us_behind_nat = from->us_behind_nat;
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
	heir->child = from->child;
	heir->children = from->children;
	for (c = heir->children; c; c = c->next)
		c->sa = heir;
	if (from->news)
		engine_news(heir, from->news);
	from->claim = NULL;
	from->inner_remote.family = IP_NONE;    /* given back by heir */
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

static void unqueue_half_open(struct ike_sa *sa)
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

/* It has failed, or had its time: a peer that means it goes on within a round trip. */
static bool has_had_its_time(const struct ike_sa *sa)
{
	return sa->state == ST_LINGERING || sa->ike->now_ms + HALF_OPEN_MS >= sa->expire_ms + HALF_OPEN_FAIR_MS;
}

/* A peer that never finishes holds a place for HALF_OPEN_MS, and can have many. Between two addresses, where one tunnel
 * is of use, it takes the places of its own; of all, the oldest goes, but not one of a crowd that has only just come: it
 * would not hear of it, while who is put off asks again. NULL: none has to, or none can. */
static struct ike_sa *half_open_to_drop(const struct ike *ike, const struct ip_path *path)
{
	static const uint32_t idle = IN(ST_INTERMEDIATE_DUE) | IN(ST_INIT_ANSWERED) | IN(ST_LINGERING);
	struct ike_sa *sa, *oldest = NULL, *oldest_of_pair = NULL;
	unsigned of_pair = 0;

	for (sa = ike->oldest; sa; sa = sa->newer) {
		if (!(IN(sa->state) & idle))
			continue;
		if (!oldest && has_had_its_time(sa))
			oldest = sa;
		if (same_addresses(&sa->path, path) && of_pair++ == 0)
			oldest_of_pair = sa;
	}
	if (of_pair >= HALF_OPEN_OF_PAIR)
		return oldest_of_pair;
	return ike->load.half_open >= ike->config.half_open_max ? oldest : NULL;
}

bool engine_make_room(struct ike *ike, const struct ip_path *path)
{
	struct stimulus expired = { .on = ON_EXPIRED, .now_ms = ike->now_ms };
	struct ike_sa *sa = half_open_to_drop(ike, path);

	if (sa) {
		sa_blame(sa, REASON_LIMIT, "a newer one takes its place");
		engine_step(sa, &expired);
	}
	return ike->load.half_open < ike->config.half_open_max;
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

static void leave_tables(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	if (sa->inner_remote.family != IP_NONE)
		pool_give(engine_pool(ike, (enum ip_family)sa->inner_remote.family), &sa->inner_remote);
	table_remove(&ike->by_spi, &sa->by_spi);
	table_remove(&ike->by_handle, &sa->by_handle);
	table_remove(&ike->by_init, &sa->by_init);
	table_remove(&ike->by_peer, &sa->by_peer);
	unqueue_half_open(sa);
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

/* Free it if it is gone and has nothing more to say. */
static void collect(struct ike_sa *sa)
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
	collect(sa);
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

struct ike_sa *engine_by_handle(const struct ike *ike, ike_handle handle)
{
	struct table_link *link = table_first(&ike->by_handle, handle);

	return link ? SA_OF(link, by_handle) : NULL;
}

/* Moving --------------------------------------------------------------------------------------- */

const char *engine_label(const struct ike_sa *sa, char to[SA_LABEL_MAX])
{
	char endpoint[IP_ENDPOINT_TEXT_MAX], name[DNSNAME_TEXT_MAX];
	const struct dnsname *whose = sa->claim ? &sa->claim->name : sa->hs ? &sa->hs->name : NULL;
	bool named = whose && whose->n > 0;

	ip_endpoint_text(&sa->path.remote, endpoint);
	if (named)
		dnsname_text(whose, name);
	snprintf(to, SA_LABEL_MAX, "%s%s%.100s%s", endpoint, named ? " (" : "", named ? name : "",
		 named ? ")" : "");
	return to;
}

/* The one place where an SA says that it ended. */
static void announce_end(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	/* Strangers that fail before they are let in must not fill the log; one that gives a name is somebody's host, whose
	 * owner will look for the reason. */
	bool shown = sa->owes_end || (sa->claim && bucket_take(&ike->refusals, ike->now_ms));
	enum log_level level = shown ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
	char label[SA_LABEL_MAX], why[IKE_DETAIL_MAX + 128];
	struct child *c, *next;

	if (sa->rekey && sa->rekey->fresh_ike)
		engine_forget(sa->rekey->fresh_ike);
	sa_end_rekey(sa);
	for (c = sa->children; c; c = next) {
		next = c->next;
		child_drop(c);
	}
	/* The layer above has never heard of it, or knows its successor. */
	if (sa->was_up && !sa->owes_end) {
		log_debug(ike->log, "ike %llu: an IKE SA without CHILD SAs has ended", (unsigned long long)sa->handle);
		return;
	}
	if (sa->owes_end)
		out_put(&ike->out, &sa->end, SLOT_END);
	sa->owes_end = false;
	if (sa->was_up)
		ike->stats.closed++;
	else
		ike->stats.failed++;
	engine_label(sa, label);
	snprintf(why, sizeof why, "%s%s%s", sa->reason != REASON_NONE ? rp_reason_text(sa->reason) : "",
		 sa->reason != REASON_NONE && sa_detail(sa)[0] != '\0' ? ": " : "", sa_detail(sa));
	if (sa->was_up)
		log_line(ike->log, level, "%s: closed: %s, spi %08x/%08x", label, why, sa->spi_in,
			 sa->spi_out);
	else
		log_line(ike->log, level, "%s: failed: %s", label, why);
}

static void announce_up(struct ike_sa *sa)
{
	char label[SA_LABEL_MAX], esp[64], inner[IP_TEXT_MAX];
	bool tunnel = sa->inner_local.family != IP_NONE;

	log_info(sa->ike->log, "%s: up, %s, %s%s%s%s%s, spi %08x/%08x, IKE_AUTH took %u ms",
		 engine_label(sa, label), sa->initiator ? "we started" : "the peer started",
		 esp_suite_text(&sa->esp_suite, esp, sizeof esp), sa->encapsulated ? " in UDP" : "",
		 sa->suite.addke1 ? ", ML-KEM-768" : "", tunnel ? ", tunnel from " : "",
		 tunnel ? ip_text(&sa->inner_local, inner) : "", sa->spi_in, sa->spi_out, sa->round_trip_ms);
}

static void announce_rekeyed(const struct ike_sa *sa, unsigned what)
{
	char label[SA_LABEL_MAX], suite[64];

	engine_label(sa, label);
	if (what == NEWS_IKE_REKEYED)
		log_info(sa->ike->log, "%s: IKE SA rekeyed, %s", label, ike_suite_text(&sa->suite, suite, sizeof suite));
	else
		log_info(sa->ike->log, "%s: rekeyed, %s, spi %08x/%08x", label,
			 esp_suite_text(&sa->esp_suite, suite, sizeof suite), sa->spi_in, sa->spi_out);
}

void engine_move(struct ike_sa *sa, enum sa_state next, uint64_t now_ms)
{
	enum sa_state from = sa->state;
	enum ike_err err;

	if (next == from)
		return;
	count_out(sa);
	err = sa_set_state(sa, next);
	assert(err == IKE_OK);      /* a row of steps.c names a state that may follow */
	(void)err;
	count_in(sa);
	if (next == ST_UP && (IN(from) & IN_HANDSHAKE))
		announce_up(sa);
	if (from < ST_LEAVING && sa->state >= ST_LEAVING)
		announce_end(sa);
	if (sa->state >= ST_UP) {
		table_remove(&sa->ike->by_init, &sa->by_init);
		sa_end_handshake(sa);
	}
	if (sa->was_up)
		unqueue_half_open(sa);
	if (next == ST_LEAVING)
		sa->expire_ms = now_ms + LEAVING_MS;
	else if (next == ST_LINGERING)
		sa->expire_ms = now_ms + LINGER_MS;
	else if (sa->state == ST_GONE)
		leave_tables(sa);
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* Nothing of ours is out: what we have meant to do can begin. */
static bool is_idle(const struct ike_sa *sa)
{
	return sa->state == ST_UP && !sa->window.request && !sa->asked;
}

/* One thing that was put off; the next one is for when it is over. */
static void run_errand(struct ike_sa *sa, uint64_t now_ms)
{
	struct stimulus s = { .now_ms = now_ms };

	if (child_in_phase(sa, CHILD_DOOMED)) {
		s.on = ON_RETIRE;
	} else if (sa->rekey_child_asked && now_ms >= sa->rekey_at_ms) {
		sa->rekey_child_asked = false;
		s.on = ON_REKEY_CHILD;
	} else if (sa->rekey_ike_asked && now_ms >= sa->rekey_at_ms) {
		sa->rekey_ike_asked = false;
		s.on = ON_REKEY_IKE;
	} else {
		return;
	}
	step_run(sa, &s);
}

static uint64_t due_ms(const struct ike_sa *sa)
{
	uint64_t due = earlier(window_due_ms(&sa->window), sa->expire_ms);

	if (!(IN(sa->state) & IN_LIFE))
		return due;
	due = earlier(due, children_due_ms(sa));
	return is_idle(sa) && (sa->rekey_child_asked || sa->rekey_ike_asked) ? earlier(due, sa->rekey_at_ms) : due;
}

void engine_settle(struct ike_sa *sa, uint64_t now_ms)
{
	struct stimulus close = { .on = ON_CLOSE, .now_ms = now_ms, .reason = sa->close_reason };

	if ((IN(sa->state) & IN_LIFE) && sa->close_asked && !sa->asked && sa->state != ST_IKE_REKEYING) {
		sa->close_asked = false;
		step_run(sa, &close);
	}
	if (is_idle(sa))
		run_errand(sa, now_ms);
	if (sa->state == ST_GONE)
		collect(sa);
	else
		timer_set(&sa->ike->timers, &sa->timer, due_ms(sa));
}

void engine_step(struct ike_sa *sa, const struct stimulus *s)
{
	step_run(sa, s);
	engine_settle(sa, s->now_ms);
}

/* Messages of ours ----------------------------------------------------------------------------- */

void engine_ask(struct ike_sa *sa, enum out_slot_kind kind)
{
	sa->pending_id = 0;
	out_put(&sa->ike->out, &sa->ask, kind);
}

void engine_news(struct ike_sa *sa, unsigned what)
{
	sa->news |= (uint8_t)what;
	out_put(&sa->ike->out, &sa->tell, SLOT_NEWS);
}

struct msg_wr engine_inner(struct ike *ike)
{
	return msg_begin_inner(ike->inner, sizeof ike->inner);
}

enum ike_err engine_request(struct ike_sa *sa, uint8_t exchange, struct msg_wr *inner,
			    uint64_t now_ms)
{
	struct packet *p = NULL;
	struct span bytes;
	uint8_t first;
	enum ike_err err;

	err = msg_end(inner, &first, &bytes);
	if (err == IKE_OK)
		err = sealed_make(sa, exchange, sa->window.next_request, false, first, bytes,
				  &sa->path, &p);
	if (err != IKE_OK)
		return err;
	window_request_out(&sa->window, p, now_ms);
	packet_send(&sa->ike->out, p, &sa->path);
	return IKE_OK;
}

enum ike_err engine_reply(struct ike_sa *sa, uint8_t exchange, uint32_t id,
			  const struct ip_path *path, struct msg_wr *inner, uint64_t now_ms)
{
	struct packet *p = NULL;
	struct span bytes;
	uint8_t first;
	enum ike_err err;

	err = msg_end(inner, &first, &bytes);
	if (err == IKE_OK)
		err = sealed_make(sa, exchange, id, true, first, bytes, path, &p);
	if (err != IKE_OK)
		return err;
	window_reply_out(&sa->window, p, now_ms);
	packet_send(&sa->ike->out, p, path);
	return IKE_OK;
}

enum ike_err engine_hold_reply(struct ike_sa *sa, const struct stimulus *s, struct msg_wr *inner)
{
	struct span bytes;
	uint8_t first;
	enum ike_err err;

	packet_unref(sa->held);
	sa->held = NULL;
	sa->held_id = s->hdr->message_id;
	err = msg_end(inner, &first, &bytes);
	if (err == IKE_OK)
		err = sealed_make(sa, s->hdr->exchange, sa->held_id, true, first, bytes, s->path, &sa->held);
	return err;
}

void engine_release_reply(struct ike_sa *sa, uint64_t now_ms)
{
	struct packet *p = sa->held;
	struct ip_path path = p->path;

	sa->held = NULL;
	window_reply_out(&sa->window, p, now_ms);
	packet_send(&sa->ike->out, p, &path);
}

enum ike_err engine_reply_notify(struct ike_sa *sa, const struct stimulus *s, uint16_t type,
				 struct span value)
{
	struct msg_wr m = engine_inner(sa->ike);

	if (type)
		pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), type, value);
	return engine_reply(sa, s->hdr->exchange, s->hdr->message_id, s->path, &m, s->now_ms);
}

/* Commands and completions --------------------------------------------------------------------- */

enum ike_err ike_initiate(struct ike *ike, const struct ike_initiate *how, uint64_t now_ms,
			  ike_handle *out)
{
	struct stimulus s = { .on = ON_START, .now_ms = engine_enter(ike, now_ms) };
	struct ike_sa *sa;
	enum ike_err err;

	*out = 0;
	if (how->identify && ike->config.identity.n == 0)
		return IKE_E_CONFIG;
	err = engine_add(ike, true, &how->path, &sa);
	if (err != IKE_OK)
		return err;
	sa->tag = how->tag;
	sa->reqid = how->reqid;
	sa->expire_ms = how->give_up_ms;
	sa->owes_end = true;
	sa->hs->path_500 = how->path;
	sa->hs->name = how->name;
	sa->hs->identify = how->identify;
	sa->hs->keys = keyset_ref(how->keys);
	sa->hs->encapsulate = how->encapsulate;
	ike->stats.initiated++;
	*out = sa->handle;
	engine_step(sa, &s);
	return IKE_OK;
}

static enum ike_err command(struct ike *ike, ike_handle handle, const struct stimulus *s,
			    unsigned states)
{
	struct ike_sa *sa = engine_by_handle(ike, handle);

	if (!sa || !(IN(sa->state) & states))
		return IKE_E_STATE;
	engine_step(sa, s);
	return IKE_OK;
}

enum ike_err ike_close(struct ike *ike, ike_handle sa, enum rp_reason reason, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_CLOSE,
			      .now_ms = engine_enter(ike, now_ms),
			      .reason = reason };

	return command(ike, sa, &s, IN_HANDSHAKE | IN_LIFE);
}

enum ike_err ike_check_liveness(struct ike *ike, ike_handle sa, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_PROBE, .now_ms = engine_enter(ike, now_ms) };

	return command(ike, sa, &s, IN_LIFE);
}

static enum ike_err ask_for_rekey(struct ike *ike, ike_handle handle, bool of_ike, uint64_t now_ms)
{
	struct ike_sa *sa = engine_by_handle(ike, handle);
	bool *asked = sa && of_ike ? &sa->rekey_ike_asked : sa ? &sa->rekey_child_asked : NULL;

	now_ms = engine_enter(ike, now_ms);
	if (!sa || !(IN(sa->state) & IN_LIFE))
		return IKE_E_STATE;
	/* What is under way already is what is wanted. */
	if (!(*asked || (sa->rekey && (sa->rekey->fresh_ike != NULL) == of_ike))) {
		*asked = true;
		sa->rekey_at_ms = now_ms;
		sa->rekey_tries = 0;
	}
	engine_settle(sa, now_ms);
	return IKE_OK;
}

enum ike_err ike_rekey_child(struct ike *ike, ike_handle sa, uint64_t now_ms)
{
	return ask_for_rekey(ike, sa, false, now_ms);
}

enum ike_err ike_rekey_ike(struct ike *ike, ike_handle sa, uint64_t now_ms)
{
	return ask_for_rekey(ike, sa, true, now_ms);
}

enum ike_err ike_keepalive(struct ike *ike, ike_handle handle, uint64_t now_ms)
{
	struct ike_sa *sa;
	struct packet *p;

	engine_enter(ike, now_ms);
	sa = engine_by_handle(ike, handle);
	if (!sa || sa->state != ST_UP || !sa->wants_keepalive)
		return IKE_E_STATE;
	p = packet_new(&sa->path, 1);
	if (!p)
		return IKE_E_NOMEM;
	p->bytes[0] = 0xff;
	packet_send(&ike->out, p, &sa->path);
	packet_unref(p);
	return IKE_OK;
}

enum rp_reason ike_outlook(const struct ike *ike, ike_handle handle, char detail[IKE_DETAIL_MAX])
{
	const struct ike_sa *sa = engine_by_handle(ike, handle);

	detail[0] = '\0';
	return sa && (IN(sa->state) & IN_HANDSHAKE) ? sa_outlook(sa, detail) : REASON_NONE;
}

/* The half out of a CHILD SA was asked for when nothing could wait for it any more. Without it the pair is of no use. */
static void nobody_waits(struct ike_sa *sa, uint64_t id, const struct stimulus *s)
{
	struct stimulus close = { .on = ON_CLOSE, .now_ms = s->now_ms, .reason = REASON_KERNEL };
	struct child *c = sa->children;

	while (c && c->pending_id != id)
		c = c->next;
	if (!c)
		return;
	c->pending_id = 0;
	if (s->result == IKE_OK || !(IN(sa->state) & IN_LIFE))
		return;
	c->has_out = false;
	engine_step(sa, &close);
}

/* Ids are the handle and a counter: a completion finds its SA, or that it is gone. */
static void complete(struct ike *ike, uint64_t id, const struct stimulus *s)
{
	struct ike_sa *sa = engine_by_handle(ike, id >> 8);

	if (!sa)
		return;
	if (sa->pending_id != id) {
		nobody_waits(sa, id, s);
		return;
	}
	sa->pending_id = 0;
	engine_step(sa, s);
}

void ike_done(struct ike *ike, uint64_t id, enum ike_err result, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_KERNEL,
			      .now_ms = engine_enter(ike, now_ms),
			      .result = result };

	complete(ike, id, &s);
}

void ike_signed(struct ike *ike, uint64_t id, enum ike_err result, uint8_t method,
		struct span auth_value, uint64_t now_ms)
{
	struct stimulus s = {
		.on = ON_SIGNED,
		.now_ms = engine_enter(ike, now_ms),
		.result = result,
		.auth_method = method,
		.auth_value = auth_value,
	};

	complete(ike, id, &s);
}

void ike_authorized(struct ike *ike, uint64_t id, enum rp_reason refuse, const char *detail,
		    struct keyset *keys, uint32_t reqid, uint64_t now_ms)
{
	struct stimulus s = { .on = ON_AUTHORIZED,
			      .now_ms = engine_enter(ike, now_ms),
			      .reason = refuse,
			      .detail = detail,
			      .keys = keys,
			      .reqid = reqid };

	complete(ike, id, &s);
}

/* Time ----------------------------------------------------------------------------------------- */

uint64_t ike_deadline_ms(const struct ike *ike)
{
	const struct timer *first = timers_first(&ike->timers);

	return first ? first->due_ms : NEVER_MS;
}

void ike_tick(struct ike *ike, uint64_t now_ms)
{
	struct stimulus expired = { .on = ON_EXPIRED, .now_ms = engine_enter(ike, now_ms) };
	struct stimulus silence = { .on = ON_SILENCE, .now_ms = ike->now_ms };
	struct timer *timer;

	while ((timer = timers_first(&ike->timers)) && timer->due_ms <= ike->now_ms) {
		struct ike_sa *sa = SA_OF(timer, timer);
		struct packet *again = window_tick(&sa->window, ike->now_ms);

		if (sa->expire_ms <= ike->now_ms) {
			sa->expire_ms = NEVER_MS;
			expired.reason = sa->reason;
			engine_step(sa, &expired);
			continue;
		}
		if (again) {
			engine_step(sa, &silence);
			continue;
		}
		if (IN(sa->state) & IN_LIFE)
			children_due(sa, ike->now_ms);
		engine_settle(sa, ike->now_ms);
	}
}

/* Outputs -------------------------------------------------------------------------------------- */

static void ask_output(struct ike_sa *sa, enum out_slot_kind kind, struct ike_output *out)
{
	struct handshake *hs = sa->hs;

	out->id = sa->pending_id = sa->handle << 8 | ++sa->asks;
	if (kind == SLOT_AUTHORIZE) {
		out->kind = OUT_AUTHORIZE;
		out->u.authorize.path = sa->path;
		out->u.authorize.asked_name = hs->name;
		out->u.authorize.behind = sa->behind;
		if (sa->claim)
			out->u.authorize.claimed = sa->claim->name;
	} else if (kind == SLOT_SIGN) {
		out->kind = OUT_SIGN;
		out->u.sign.hashes = hs->peer_hashes;
		out->u.sign.parts[0] = packet_span(sa->initiator ? hs->message_i : hs->message_r);
		out->u.sign.parts[1] = sa->initiator ? sa_nonce_r(sa) : sa_nonce_i(sa);
		out->u.sign.parts[2] = secret_span(&hs->maced_id);
		out->u.sign.parts[3] = sa_int_auth(sa);
	} else {
		out->kind = OUT_KERNEL;
		child_protect_request(sa->child, &out->u.kernel);
	}
}

static void event_output(struct ike_sa *sa, enum ike_event_kind kind, struct ike_output *out)
{
	out->kind = OUT_EVENT;
	out->u.event.kind = kind;
	sa_tunnel(sa, &out->u.event.tunnel);
	if (kind == EV_ESTABLISHED && sa->claim) {
		out->u.event.tunnel.peer_name = &sa->claim->name;
		out->u.event.tunnel.peer_keys = sa->claim->keys;
		out->u.event.initial_contact = sa->claim->initial_contact;
	}
	if (kind != EV_FAILED && kind != EV_CLOSED)
		return;
	/* No views: with its last event the SA is freed. */
	out->u.event.reason = sa->reason;
	snprintf(out->u.event.detail, sizeof out->u.event.detail, "%s", sa_detail(sa));
}

/* One event for each; false when there is none (left). What was tried in vain before is no news once it has been done. */
static bool news_output(struct ike_sa *sa, struct ike_output *out)
{
	static const unsigned order[] = { NEWS_CHILD_REKEYED, NEWS_IKE_REKEYED, NEWS_CHILD_KEPT, NEWS_IKE_KEPT };
	unsigned i, what = 0;

	if (sa->news & NEWS_CHILD_REKEYED)
		sa->news &= (uint8_t)~NEWS_CHILD_KEPT;
	if (sa->news & NEWS_IKE_REKEYED)
		sa->news &= (uint8_t)~NEWS_IKE_KEPT;
	for (i = 0; i < sizeof order / sizeof *order && !what; i++)
		what = sa->news & order[i];
	if (!what || !(IN(sa->state) & IN_LIFE))
		return false;
	sa->news &= (uint8_t)~what;
	if (what & (NEWS_CHILD_REKEYED | NEWS_IKE_REKEYED))
		announce_rekeyed(sa, what);
	event_output(sa, what & (NEWS_CHILD_REKEYED | NEWS_IKE_REKEYED) ? EV_REKEYED : EV_REKEY_FAILED, out);
	out->u.event.ike_sa = what & (NEWS_IKE_REKEYED | NEWS_IKE_KEPT);
	if (sa->news)
		engine_news(sa, 0);
	return true;
}

/* false: the SA has ended meanwhile, and this is not to be asked any more. */
static bool sa_output(struct ike_sa *sa, enum out_slot_kind kind, struct ike_output *out)
{
	switch (kind) {
	case SLOT_AUTHORIZE: case SLOT_SIGN: case SLOT_PROTECT:
		if (!(IN(sa->state) & IN_HANDSHAKE))
			return false;
		ask_output(sa, kind, out);
		return true;
	case SLOT_UP:
		event_output(sa, EV_ESTABLISHED, out);
		return true;
	case SLOT_NEWS:
		return news_output(sa, out);
	case SLOT_END:
		event_output(sa, sa->was_up ? EV_CLOSED : EV_FAILED, out);
		return true;
	case SLOT_ADD_SAS: case SLOT_DELETE_SAS: case SLOT_SEND:
		break;
	}
	return false;
}

/* false: it is not to be asked any more. c may be freed. */
static bool child_output(struct child *c, enum out_slot_kind kind, struct ike_output *out)
{
	struct ike_sa *sa = c->sa;
	bool wanted = kind == SLOT_ADD_SAS ? c->add_in || c->add_out : c->del_in || c->del_out;

	if (wanted) {
		out->kind = OUT_KERNEL;
		out->id = sa->handle << 8 | ++sa->asks;
	}
	if (wanted && kind == SLOT_DELETE_SAS) {
		child_delete_request(c, &out->u.kernel);
	} else if (wanted) {
		*(sa->asked == c ? &sa->pending_id : &c->pending_id) = out->id;
		child_add_request(c, &out->u.kernel);
	}
	if (child_is_over(c))
		child_free(c);
	return wanted;
}

static struct ike_sa *owner_of(struct out_slot *slot)
{
	switch (slot->kind) {
	case SLOT_AUTHORIZE: case SLOT_SIGN: case SLOT_PROTECT:
		return SA_OF(slot, ask);
	case SLOT_UP:
		return SA_OF(slot, up);
	case SLOT_NEWS:
		return SA_OF(slot, tell);
	case SLOT_END:
		return SA_OF(slot, end);
	case SLOT_ADD_SAS:
		return CHILD_OF(slot, add)->sa;
	case SLOT_DELETE_SAS:
		return CHILD_OF(slot, del)->sa;
	case SLOT_SEND:
		break;
	}
	return NULL;
}

bool ike_next_output(struct ike *ike, struct ike_output *out)
{
	struct out_slot *slot;

	engine_enter(ike, 0);
	while ((slot = out_take(&ike->out))) {
		*out = (struct ike_output){ .id = 0 };
		if (slot->kind == SLOT_SEND) {
			ike->lent = (struct packet *)slot;
			out->kind = OUT_SEND;
			out->u.send.path = ike->lent->path;
			out->u.send.datagram = packet_span(ike->lent);
			ike->stats.sent++;
			return true;
		}
		struct ike_sa *sa = owner_of(slot);
		bool wanted = slot->kind == SLOT_ADD_SAS      ? child_output(CHILD_OF(slot, add), SLOT_ADD_SAS, out)
			      : slot->kind == SLOT_DELETE_SAS ? child_output(CHILD_OF(slot, del), SLOT_DELETE_SAS, out)
							      : sa_output(sa, slot->kind, out);

		collect(sa);
		if (wanted)
			return true;
	}
	return false;
}
