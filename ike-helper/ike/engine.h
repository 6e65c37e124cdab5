/* engine.h - inside of the core: what all IKE SAs share, and what handlers may ask of it. */
#ifndef OE_IKE_ENGINE_H
#define OE_IKE_ENGINE_H

#include "ike/cookie.h"
#include "ike/pool.h"
#include "ike/sa.h"
#include "ike/steps.h"

enum {
	IKE_PORT = 500,
	NATT_PORT = 4500,
	HALF_OPEN_MS = 30000,       /* life of a responder's SA until its CHILD SA has been asked for */
	HALF_OPEN_FAIR_MS = 2000,   /* of that, before another peer may have its place */
	HALF_OPEN_OF_PAIR = 8,      /* how many of those between the same two addresses */
	LEAVING_MS = 5000,          /* how long the peer is told that it is over */
	LINGER_MS = 10000,          /* how long the last answer is repeated */
	REPLACED_MS = 60000,        /* how long the peer may take to delete what it has replaced; then we do */
	LIVENESS_MS = 8000,         /* how long we ask whether the peer still lives */
	EXCHANGE_MS = 20000,        /* how long we wait for the answer to any other request */
	SILENCE_MS = 1500,          /* of a request that is answered later than this the layer above hears, */
	LONG_SILENCE_MS = 4000,     /* and once more */
	INNER_MAX = 4096,           /* payloads of one message of ours, before sealing */
	BUCKET_BURST = 20,          /* of what strangers can make us say: at once ... */
	BUCKET_PER_S = 10,          /* ... and in the long run */
};

/* The owner of a link, timer or slot. */
#define CHILD_OF(link, member) ((struct child *)(void *)((char *)(link) - offsetof(struct child, member)))
#define SA_OF(link, member) ((struct ike_sa *)(void *)((char *)(link) - offsetof(struct ike_sa, member)))

/* A token bucket. */
struct bucket {
	uint64_t since_ms;
	unsigned left;
};

/* Is there one left? */
bool bucket_take(struct bucket *b, uint64_t now_ms);

struct ike {
	struct ike_config config;
	const struct rng *rng;
	const struct log *log;
	uint64_t now_ms;                /* the latest time seen */
	/* by our own SPI, by handle, by our ESP SPI; a responder's by the peer's SPI and
	 * endpoint until it is up; by address of the peer */
	struct table by_spi, by_handle, by_esp, by_init, by_peer;
	struct timers timers;
	struct out_queue out;
	struct packet *lent;            /* whose bytes the caller looks at */
	struct ike_sa *all;
	struct ike_sa *oldest, *newest; /* responders' SAs that are not up */
	ike_handle last_handle;
	unsigned said_name;             /* SAs in which we have said our name as initiator */
	struct ike_load load;
	struct cookie_jar cookies;
	struct pool pool_v4, pool_v6;
	struct bucket errors;           /* unprotected error answers */
	struct bucket hints;            /* INVALID_SPI that is looked at */
	struct bucket refusals;         /* log lines about peers that were not let in, */
	struct bucket moves;            /* and about those that have moved */
	struct ike_stats stats;
	uint8_t inner[INNER_MAX];       /* a message of ours is put together here */
	uint8_t plain[MSG_MAX];         /* a message of the peer is decrypted into this */
};

/* Make an SA and enter it everywhere: SPI, handle, timer. IKE_E_LIMIT, IKE_E_NOMEM. */
IKE_CHECKED enum ike_err engine_add(struct ike *ike, bool initiator, const struct ip_path *path,
				    struct ike_sa **out);
/* Has the source of path all the half-open SAs that it may have, or this pair of addresses? */
bool engine_source_is_full(const struct ike *ike, const struct ip_path *path);
/* Make room for a peer that starts, if there are too many half-open ones: the oldest of its pair, or of its source, or of all goes. False, and
 * counted: none can. */
bool engine_make_room(struct ike *ike, const struct ip_path *path);
/* The IKE SA that is to follow sa: with what it has learnt of the peer, ST_EMPTY, and unknown to the layer above. It may be one
 * more than sas_max. */
IKE_CHECKED enum ike_err engine_add_successor(struct ike_sa *sa, bool initiator, struct ike_sa **out);
/* CHILD SAs, handle and duties of from go to heir, which is ST_EMPTY. */
void engine_inherit(struct ike_sa *from, struct ike_sa *heir);
/* In and out of the counter of its state. */
void engine_count_in(struct ike_sa *sa);
void engine_count_out(struct ike_sa *sa);
/* It is half open no more. */
void engine_unqueue_half_open(struct ike_sa *sa);
/* It is ST_GONE: nobody finds it any more, and no timer wakes it. */
void engine_leave_tables(struct ike_sa *sa);
/* Free it if it is gone and has nothing more to say. */
void engine_collect(struct ike_sa *sa);
/* It is gone without a word: the peer does not know of it, or will find out. May free it. */
void engine_forget(struct ike_sa *sa);
/* Give it another SPI of ours, for an IKE_SA_INIT from the start. */
void engine_new_spi(struct ike_sa *sa);
/* Choose and reserve c->spi_in. */
void engine_new_esp_spi(struct child *c);
/* Enter a responder's SA by the IKE_SA_INIT request that made it (hs->message_i) and where it
 * came from, so that a repeated one finds it. It leaves that table with its handshake. */
void engine_remember_init(struct ike_sa *sa);
struct ike_sa *engine_by_init(const struct ike *ike, const uint8_t spi_i[IKE_SPI_LEN],
			      const struct ip_path *path, struct span request);
/* Of the addresses that we assign; empty if there are none. */
struct pool *engine_pool(struct ike *ike, enum ip_family family);
/* It goes between these two from now on. */
void engine_set_path(struct ike_sa *sa, const struct ip_path *path);
/* What it was assigned is for others again, or for the same one that comes back. */
void engine_give_back(struct ike_sa *sa);
/* The one with a CHILD SA that sends to this address with this SPI; NULL. */
struct ike_sa *engine_by_esp_out(const struct ike *ike, const struct ip_addr *remote, uint32_t spi_out);
/* The one with a CHILD SA of this SPI of ours; NULL. */
struct ike_sa *engine_by_esp(const struct ike *ike, uint32_t spi_in);
struct ike_sa *engine_by_handle(const struct ike *ike, ike_handle handle);
struct ike_sa *engine_by_spi(const struct ike *ike, const uint8_t own_spi[IKE_SPI_LEN]);
/* It tells the peer our name from now on. */
void engine_has_said_name(struct ike_sa *sa);
/* No other SA of ours goes to this peer's address, and none to anybody in which we have said our name, if this one says it. */
bool engine_is_first_contact(const struct ike_sa *sa);

/* Move to a state, with what belongs to it: counters, the last event, the tables. A row's next
 * state is always legal. */
void engine_move(struct ike_sa *sa, enum sa_state next, uint64_t now_ms);

/* Make a step and what follows from it: events, timers. sa may be freed by it. */
void engine_step(struct ike_sa *sa, const struct stimulus *s);
/* What follows from a change of an SA that is not the one of the step: errands, timers. May free it. */
void engine_settle(struct ike_sa *sa, uint64_t now_ms);
/* Each entry point starts with this: time never goes back, and what was lent to the caller is
 * taken back. Returns the time. */
uint64_t engine_enter(struct ike *ike, uint64_t now_ms);

/* Queue something that has a completion. */
void engine_ask(struct ike_sa *sa, enum out_slot_kind kind);
/* The log line of an SA that was rekeyed; what: one of NEWS_... */
void engine_announce_rekeyed(const struct ike_sa *sa, unsigned what);
/* Tell the layer above, with an event, about one of NEWS_... */
void engine_news(struct ike_sa *sa, unsigned what);

/* Put together the inside of a protected message: msg_payload_begin() ... into this, then one of
 * the two. */
struct msg_wr engine_inner(struct ike *ike);
/* Seal it as our next request, and send it until it is answered. */
IKE_CHECKED enum ike_err engine_request(struct ike_sa *sa, uint8_t exchange, struct msg_wr *inner,
					uint64_t now_ms);
/* Seal it as the answer to request id, and keep it to be repeated. */
IKE_CHECKED enum ike_err engine_reply(struct ike_sa *sa, uint8_t exchange, uint32_t id,
				      const struct ip_path *path, struct msg_wr *inner,
				      uint64_t now_ms);
/* The same, but it is kept back until it is let go of: then the peer hears it. */
IKE_CHECKED enum ike_err engine_hold_reply(struct ike_sa *sa, const struct stimulus *s, struct msg_wr *inner);
void engine_release_reply(struct ike_sa *sa, uint64_t now_ms);
/* An answer that is one notify, or empty with type 0. */
IKE_CHECKED enum ike_err engine_reply_notify(struct ike_sa *sa, const struct stimulus *s,
					     uint16_t type, struct span value);

/* Answer a request without an SA, unprotected: type and value of some notifies. Bounded by the token bucket when the first one is
 * an error. */
void engine_stateless_answer(struct ike *ike, const struct ike_hdr *request, const struct ip_path *path,
			     const struct pl_notify *notifies, unsigned n);
/* The same with one. */
void engine_stateless_notify(struct ike *ike, const struct ike_hdr *hdr, const struct ip_path *path,
			     uint16_t type, struct span value);

/* "192.0.2.1:500 (mail.example.org)", for log lines. */
enum { SA_LABEL_MAX = IP_ENDPOINT_TEXT_MAX + 128 };
const char *engine_label(const struct ike_sa *sa, char to[SA_LABEL_MAX]);

#endif
