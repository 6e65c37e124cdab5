/* state.h - what the files of this layer share. The outside sees tunnel.h only.
 *
 *	request   what the resolver waits for: one owner name, some addresses; each address waits for an attempt
 *	way       the host itself, or a gateway, with the keys of which one is to be proved there
 *	attempt   one establishment under way, for (address, way); several names may wait for it
 *	peer      an address that the kernel protects: PROTECTED, HEALING or DRAINING
 *	failure   the memory of an attempt that failed, so that it is not repeated at once
 *	pass      a host behind this one whose packets to a protected address we forward
 *
 * A protection is of a pair of addresses, ours and theirs. A remote address that is bound to a key has a shield in the kernel
 * from its first pair to its last: what belongs to no pair is dropped, and makes an acquire. From an address of ours it makes
 * another pair, which begins by healing.
 *
 * Two attempts for one address with different key sets run beside each other (nobody can keep a name from its host by
 * publishing the host's address with a key of his own). Each has a reqid of its own, and the kernel layer refuses to
 * protect an address that is protected under another reqid: the first one that proves its key binds the address.
 */
#ifndef OE_TUNNEL_STATE_H
#define OE_TUNNEL_STATE_H

#include "base/table.h"
#include "base/timers.h"
#include "tunnel/tunnel.h"

enum {
	NAMES_PER_PEER_MAX = 64,
	ATTEMPTS_PER_ADDRESS_MAX = 4,
	ATTEMPTS_PER_GATEWAY_MAX = 32,
	WAYS_MAX = ATTEMPTS_PER_ADDRESS_MAX,
	FAILURES_MAX = 1024,
	DECISIONS_MAX = 256,
	DETAIL_MAX = TUNNEL_DETAIL_MAX,
	FIRST_SUCCESS_WAIT_MS = 300,        /* for the other addresses of a name, once one of them is up */
	OWN_ADDRESS_TTL_S = 60,
	PAUSE_TTL_S = 5,                    /* of an answer in clear during a pause, which may end at any time */
	CLEAR_TTL_S = 60,                   /* of an answer in clear by the operator's word: it ends with that, or so long after */
	CHECK_MS = 4000,                    /* how often a protected address is looked at, */
	CHECK_BUSY_MS = 2000,               /* when packets go out to it, */
	CHECK_CLIENT_MS = 15000,            /* and when it is a client's, who alone can heal it */
	CHECK_STEP_MS = 500,                /* looks are at multiples of this, so that one waking serves many */
	CHECKS_PER_S = 256,                 /* of more tunnels each is looked at less often */
	ANSWER_MS = 400,                    /* or two round trips: by then something has come back to the first packet out */
	WATCH_MS = 5000,                    /* so long after an answer or the first packet a tunnel is watched for that */
	ESP_DROPPED_MAX = 16,
	LEFTOVERS_MAX = 16,
	KEEPALIVE_MS = 20000,               /* RFC 3948 4 */
	SILENT_S = 4,                       /* packets out and none in for this long: ask whether the peer lives, */
	ASK_AGAIN_MS = 10000,               /* but not again so soon: not all that is sent wants an answer */
	HEAL_FIRST_MS = 1000, HEAL_LAST_MS = 60000,     /* pauses between attempts while nobody sends, */
	HEAL_BUSY_MS = 4000,                /* and while somebody does */
	IN_USE_MS = 35000,                  /* the kernel tells again every 30 s that somebody does */
	HEAL_ATTEMPT_MS = 8000,             /* life of such an attempt: a host may have gone in the midst of it */
	HEAL_CALM_MS = 60000,               /* a tunnel that lived this long was healthy: its pauses start again */
	CROSSED_MS = 10000,                 /* two SAs from both ends that are up within this time were begun at once */
	SPARE_MS = 30000,                   /* life of the one that is not kept, if the end that began it does not end it */
	PASSES_MAX = 1024,
	PASS_STAYS_MS = 60000,              /* before another one may push it out */
	PASS_AGAIN_MS = 1000,               /* one that the kernel did not take back */
	TTL_MAX_S = PROMISE_MAX_S,
};

struct attempt;
struct request;
struct peer_name;
struct ways;

/* What a name publishes, by one of its lookups. */
struct said {
	struct keyset *keys;                /* for the way that is bound; borrowed; NULL: not known, or as before */
	const struct ways *ways;            /* borrowed; NULL: likewise */
	uint64_t lookup;                    /* its number: a later one has a larger one, whatever the order in which they are answered */
};

struct way {
	struct ip_addr gateway;             /* IP_NONE: the host itself */
	struct keyset *keys;                /* a reference */
};

/* To one address of a request. */
struct ways {
	struct way at[WAYS_MAX];            /* in the order of precedence */
	unsigned n;
	enum rp_reason reason;              /* why the best record that is not usable is not; REASON_NONE: all are */
	char detail[DETAIL_MAX];
	bool unlooked;                      /* there is one about whose gateway the request does not tell */
};

/* One address of a request. */
struct wait {
	struct request *request;
	struct attempt *attempt;            /* what it waits for; NULL = decided */
	struct wait *next;                  /* of the same attempt */
	struct ip_addr from, remote;        /* our address for it, and the address */
	bool allowed;
	bool local;                         /* our own address: nothing to protect */
	bool clear;                         /* in clear: the operator has permitted it, or it is the policy */
	enum rp_reason reason;
	struct ways ways;
	unsigned next_way;                  /* those before it were begun or refused */
	uint64_t next_way_ms;               /* when it is begun, whatever becomes of those; NEVER_MS: there is none */
	enum rp_reason way_reason;          /* the first of them that failed, or took too long; REASON_NONE: none yet */
	char way_detail[DETAIL_MAX];
};

struct request {
	struct table_link link;             /* by client and id */
	struct timer timer;
	struct request *next_ready;
	uint64_t client, lookup;
	uint64_t due_ms;                    /* when it is answered at the latest */
	uint32_t id, ttl_s;
	bool ready;                         /* in the queue of verdicts */
	unsigned n, pending;
	char detail[DETAIL_MAX];            /* of the first address that was refused */
	struct dnsname owner;
	struct wait wait[];
};

struct attempt {
	struct table_link link;             /* by address */
	struct table_link by_id;
	uint64_t id;                        /* the tag of its ike_initiate */
	struct attempt *next_queued;
	struct wait *waits;
	struct ip_addr remote, local;
	struct ip_addr gateway;             /* of remote; IP_NONE: it is asked itself */
	struct ip_addr outer_local;         /* from where; IP_NONE: there is no route to it */
	struct keyset *keys;
	struct keyset *accepted;            /* what must be proved: keys, or of them the one that the address is bound to */
	uint32_t reqid;
	ike_handle sa;                      /* 0 = waits for its turn */
	bool encapsulated;                  /* ESP in UDP even if there is no NAT */
	bool ending;                        /* whoever waits is being told; it is freed by whoever tells */
	struct dnsname owner;               /* of whoever asked first: IDr */
	uint64_t lookup;                    /* the last one when it began */
	uint32_t ttl_s;                     /* longest of the waiting names */
};

/* What is known of one SA pair. */
struct sa_pair {
	ike_handle sa;                      /* 0 = none */
	bool ours;                          /* we began it */
	uint8_t spi_i[8];                   /* of the IKE SA */
	uint32_t spi_in, spi_out;
	struct esp_suite esp_suite;
	bool post_quantum, encapsulated;
	struct ip_addr inner_local;
	uint64_t packets_out;               /* at the last look */
};

struct peer {
	struct table_link link;             /* by address */
	struct table_link by_reqid;
	struct table_link by_source;        /* of anonymous clients; not when DRAINING */
	struct timer timer;
	struct peer *next_out;              /* in the queue of outputs */
	bool out_queued, tell_down, unprotect, unprotecting;
	enum tunnel_state state;
	enum rp_reason down_reason;
	struct ip_addr remote, local;
	struct ip_addr outer;               /* where its SAs end: remote, its gateway, or where a client comes from that has an
	                                     * address of our pool */
	struct ip_addr outer_local;         /* and where they end here: local, or for a gateway of the other family what that is reached
	                                     * from */
	struct ip_addr gateway;             /* the way that it is bound to; IP_NONE: the host itself */
	uint32_t reqid;
	struct keyset *keys;                /* NULL: an anonymous client of ours */
	unsigned key_index;                 /* which one was proved */
	struct dnsname *client;             /* what the client has proved to be; NULL: nobody, or it never came */
	struct sa_pair spare;               /* of two that crossed, the one that is to go; or what the client has replaced; see client.c */
	bool spare_is_old;                  /* the latter: not used again */
	uint64_t spare_ms;                  /* when it goes */
	ike_handle sa;                      /* 0 = none */
	bool ours;                          /* we began it */
	uint8_t spi_i[8];                   /* of the IKE SA */
	uint32_t spi_in, spi_out;
	struct esp_suite esp_suite;
	bool post_quantum;
	bool encapsulated;
	struct ip_addr inner_local;         /* as in struct kernel_request; inner_remote is remote */
	struct ip_addr retired;             /* our address of packets that other policies of this pair were for; IP_NONE: none */
	bool retire_asked;                  /* the kernel was asked to remove those, and is not asked again before the next look */
	struct ip_addr behind;              /* an anonymous client's own address, when a NAT hides it */
	bool wants_keepalive;               /* as in struct ike_tunnel */
	uint64_t sent_ms;                   /* since then nothing was sent, as far as is known */
	uint64_t looked_ms;
	bool moves;                         /* its end here goes to another address (MOBIKE): until there are new SAs nothing passes */
	bool moved;                         /* it has gone there since it was established */
	bool answered;                      /* a packet has come in on the present SAs */
	bool judged;                        /* or none has, and what follows from it was done */
	uint16_t round_trip_ms;
	uint64_t unanswered_ms;             /* when packets out and none in were first seen; 0: not */
	uint64_t watch_until_ms;
	uint64_t established_ms, answer_expires_ms, renew_ms, renew_ike_ms, heal_ms, drain_ms;
	uint64_t wanted_ms;                 /* HEALING: when somebody last had a use for it */
	uint64_t acquired_ms;               /* when the kernel had a packet for it and no SA; 0: never */
	uint64_t tried_ms;                  /* when the last attempt for it began */
	uint64_t silent_ms;                 /* PROTECTED: its host is silent, and this is when one may begin; NEVER_MS: it is not */
	uint64_t asked_ms;                  /* when its packets made us ask whether the host lives; 0: not on this SA */
	bool doubted;                       /* it does, and was asked for new keys because nothing protected comes in; until something does */
	uint32_t heal_wait_ms;              /* the next pause; 0: none */
	uint64_t packets_out;               /* at the last look, */
	bool busy;                          /* which found new ones */
	uint64_t used_ms;                   /* when its last packet passed, as of the last look; 0: unknown */
	struct peer_name **names;           /* names.c */
	unsigned n_names, down_told;
};

struct failure {
	struct table_link link;             /* by remote address */
	struct failure *older, *newer;
	struct ip_addr local, remote;       /* what fails from here may work from elsewhere */
	struct ip_addr gateway;             /* ... or by another way */
	struct keyset *keys;
	enum rp_reason reason;
	unsigned times;
	uint64_t at_ms, until_ms;
	char detail[DETAIL_MAX];
};

/* The latest verdict about a name. */
struct decision {
	struct table_link link;             /* by owner */
	struct decision *older, *newer;
	struct dnsname owner;
	struct tunnel_decision told;
};

/* `oe clear`. */
struct permission {
	struct permission *next;
	struct tunnel_permission told;
};

/* An owner whose answer in clear the resolver is to forget. */
struct forgotten {
	struct forgotten *next;
	struct dnsname owner;
};

struct pass {
	struct pass *newer, *next_out;
	uint64_t id;
	struct ip_addr source, remote;
	bool wanted;                        /* false: the kernel is to take it back */
	bool out_queued;
	uint64_t since_ms;
};

/* Policies that no pair of ours knows of. */
struct leftover {
	uint32_t reqid;                     /* 0: this place is free */
	struct ip_addr local, outer, inner_local, remote;       /* as in struct peer */
	uint64_t due_ms;                    /* when the kernel is asked to remove them; NEVER_MS: it has been */
};

/* Where protocol 50 does not come through, although UDP does. */
struct esp_dropped {
	struct ip_addr local, remote;       /* remote IP_NONE: from here to anybody */
	uint64_t until_ms;
};

struct tunnels {
	struct tunnel_config config;
	const struct tunnel_env *env;
	struct ike *ike;
	const struct rng *rng;
	const struct log *log;

	struct table requests, attempts, attempts_by_id, peers, peers_by_reqid, failures, decisions;
	struct table anonymous;             /* peers without keys that are not DRAINING, by ip_source() */
	struct tunnel_stats stats;
	struct timers request_timers, peer_timers;
	struct request *ready_first, **ready_tail, *given;
	struct attempt *queue_first, **queue_tail;
	struct peer *out_first, **out_tail;
	struct failure *oldest, *newest;
	struct decision *decision_places;   /* DECISIONS_MAX of them, the first decisions.n in use; NULL: none yet */
	struct decision *oldest_decision, *newest_decision;
	struct pass *oldest_pass, **pass_tail, *pass_out_first, **pass_out_tail;
	unsigned n_passes;
	uint64_t last_pass, passes_again_ms;
	struct permission *permissions;
	unsigned n_permissions;
	uint64_t paused_until_ms;           /* 0: there is no pause */
	bool tell_pause;
	struct forgotten *forget_first, **forget_tail;
	struct esp_dropped dropped[ESP_DROPPED_MAX];
	struct leftover leftovers[LEFTOVERS_MAX];
	unsigned running;                   /* attempts that the core works on */
	uint64_t last_id, last_lookup, now_ms;
	uint64_t hash_key[4];
	uint32_t last_reqid;
	uint64_t roam_ms;                   /* when to look where everybody is reached from now */
	bool way_changed;                   /* ... and to ask all whether they live */
	bool resumed;                       /* ... after so long a sleep that no host has an SA of ours any more */
	bool stopping;
};

/* Keyed: strangers choose addresses, and must not be able to make them all meet in one chain. */
uint64_t hash_address(const struct tunnels *t, const struct ip_addr *a);
uint64_t hash_name(const struct tunnels *t, const struct dnsname *name);
void see(struct tunnels *t, uint64_t now_ms);           /* that is the time; it never goes back */
uint64_t later(uint64_t now_ms, uint64_t seconds);      /* now_ms plus seconds, without overflow */

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint32_t reqid_new(struct tunnels *t);
/* Between seven eighths and all of ms, so that what began together does not end together. */
uint64_t jittered(struct tunnels *t, uint64_t ms);

/* ways.c */
/* May this be the address of a host, or a gateway? */
enum rp_reason address_admit(const struct tunnels *t, const struct ip_addr *a);
/* Is the gateway of another family than its host? IP_NONE: there is none. */
bool way_is_across(const struct ip_addr *host, const struct ip_addr *gateway);
/* May packets by this gateway be from this address of ours? From a link-local one they would find no way back. */
bool way_takes_source(const struct ip_addr *gateway, const struct ip_addr *from);
/* From where IKE and ESP go that carry packets from local by this gateway. IKE_E_REFUSED, IP_NONE: no route to it. */
IKE_CHECKED enum ike_err way_source(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *gateway,
				    struct ip_addr *out);
/* The ways to the address with this number; give them back with ways_clear(). */
void ways_find(const struct tunnels *t, const struct rp_establish *q, unsigned address, struct ways *out);
void ways_clear(struct ways *w);
/* The one by this gateway; NULL: none. */
const struct way *ways_by(const struct ways *w, const struct ip_addr *gateway);

/* request.c */
/* The way that it waits for has failed: the next one is tried, or it is decided. */
void request_way_failed(struct tunnels *t, struct wait *w, enum rp_reason reason, const char *detail);
/* Which of the ways of this wait p is bound to; NULL: none. */
const struct way *request_way_of(const struct wait *w, const struct peer *p);
void request_decide(struct tunnels *t, struct wait *w, enum rp_reason reason, const char *detail);
/* What was allowed while other addresses were still tried must be true when the verdict goes out: after the DOWNs, since the resolver
 * would keep an answer whose DOWN it has heard already. */
void request_confirm(struct tunnels *t, struct request *r);
void request_free(struct tunnels *t, struct request *r);
void request_due(struct tunnels *t, struct request *r);
struct request *request_of_timer(struct timer *timer);
void requests_refuse_all(struct tunnels *t, enum rp_reason reason);

/* attempt.c */
/* The first of those for this address that are under way; NULL. */
const struct attempt *attempt_of_pair(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote);
/* Let w wait for an establishment of w->remote by this way; starts or queues one when there is none. May decide w at once. peer: what
 * protects the pair already, bound: what the remote address is bound to; or NULL. */
void attempt_join(struct tunnels *t, struct wait *w, const struct way *way, struct peer *peer, const struct peer *bound);
/* ... for one that is under way, and is about to be told nothing yet. */
void attempt_wait(struct attempt *a, struct wait *w);
/* Establish p anew, for nobody in particular, unless that is under way. urgent: somebody is sending, or was a moment ago, so that earlier
 * failures do not count. False when it could not be started. */
bool attempt_renew(struct tunnels *t, struct peer *p, bool urgent);
/* Is there room for one more with this address? p: what protects the pair already, or NULL. Otherwise *detail says why not. */
enum rp_reason attempt_admit(struct tunnels *t, const struct ip_addr *remote, const struct ip_addr *gateway, const struct peer *p,
			     const char **detail);
void attempt_leave(struct tunnels *t, struct wait *w);
struct attempt *attempt_by_id(struct tunnels *t, uint64_t id);
struct attempt *attempt_for(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote, const struct way *way);
/* The core has an answer; a is freed. */
void attempt_succeeded(struct tunnels *t, struct attempt *a, struct peer *p);
void attempt_failed(struct tunnels *t, struct attempt *a, enum rp_reason reason, const char *detail);
/* p has just been bound by winner: the other attempts for its address are over. Those that would take its key too are served. */
void attempts_settle(struct tunnels *t, struct peer *p, const struct attempt *winner);
void attempts_start_queued(struct tunnels *t);

/* peer.c */
/* A protection is of a pair of addresses: what leaves from another address of ours is not covered by it. */
struct peer *peer_by_pair(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote);
/* The host has assigned the address from which its packets go. */
bool peer_has_assigned(const struct peer *p);
/* The peer's address of the packets in this tunnel: its own, or one that we have assigned. */
const struct ip_addr *tunnel_local(const struct ike_tunnel *u);
const struct ip_addr *tunnel_remote(const struct ike_tunnel *u);
/* We have assigned its address. */
bool peer_is_assigned(const struct peer *p);
/* The one that packets between these two belong to. */
struct peer *peer_by_packet(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote);
/* A pair whose remote address is bound to a key, and was answered: of several, one for each address of ours that sends to it, any; one that
 * drains only if all do. */
struct peer *peer_bound(const struct tunnels *t, const struct ip_addr *remote);
/* No other pair needs the shield of p's remote address. */
bool peer_is_last(const struct tunnels *t, const struct peer *p);
/* Somebody sends from this address of ours to the host that bound is bound to: a pair of the same binding, which must be healed. */
void peer_wanted_from(struct tunnels *t, const struct peer *bound, const struct ip_addr *local);
/* The pair p was a client's, and is what the host that bound is bound to is reached by from now, with the same binding. What has not
 * proved that key is not the tunnel for it: p is HEALING then. */
void peer_take_from_client(struct tunnels *t, struct peer *p, const struct peer *bound);
struct peer *peer_by_reqid(const struct tunnels *t, uint32_t reqid);
/* a: NULL for a client. */
struct peer *peer_established(struct tunnels *t, const struct ike_event *e, const struct attempt *a);
/* p drains, and one more tunnel for it has come up: what that has put into the kernel beside p's own goes too. */
void peer_too_late(struct tunnels *t, struct peer *p, const struct ike_event *e);
/* EV_REKEYED or EV_REKEY_FAILED of its SA. */
void peer_rekeyed(struct tunnels *t, struct peer *p, const struct ike_event *e);
/* Its SAs are old: new ones, by rekeying. */
void peer_refresh(struct tunnels *t, struct peer *p);
bool peer_key_in(const struct peer *p, const struct keyset *keys);
/* The way of a binding. */
struct way peer_way(const struct peer *p);
/* May this name lead to p's address by another way than the one that p is bound to? Only if nobody else relies on that. */
bool peer_may_move(const struct peer *p, const struct dnsname *name, const struct ip_addr *gateway);
/* Is the host of this attempt, with the key that it proved, the one that p is bound to, or may p be bound anew? */
bool peer_accepts(const struct peer *p, const struct attempt *a, unsigned key_index);
/* Is p bound to this key? */
bool peer_is_bound_to(const struct peer *p, const struct keyset *keys, unsigned key_index);
/* A DRAINING one whose SA still works may be PROTECTED again. */
bool peer_can_revive(const struct tunnels *t, const struct peer *p);
/* It is so. False: too late for that. */
bool peer_revive(struct tunnels *t, struct peer *p);
/* A client said goodbye and is back before its policies are gone: they stay for its new SA. False: it was not that. */
bool peer_readmit(struct tunnels *t, struct peer *p);
void peer_answer(struct tunnels *t, struct peer *p, const struct dnsname *name, struct said said, uint32_t ttl_s);
/* This is what the name publishes now, by the lookup with this number, for all pairs of this address. */
void peers_hear(struct tunnels *t, const struct ip_addr *remote, const struct ways *ways, const struct dnsname *name, uint64_t lookup);
void peer_drain(struct tunnels *t, struct peer *p, enum rp_reason reason, uint64_t wait_ms);
void peer_due(struct tunnels *t, struct peer *p);
void peer_free(struct tunnels *t, struct peer *p);
void peer_queue_out(struct tunnels *t, struct peer *p);
struct peer *peer_of_timer(struct timer *timer);
void peer_set_timer(struct tunnels *t, struct peer *p);
struct peer *peer_of_link(struct table_link *link);
/* The resolver is to forget its names. */
void peer_tell_down(struct tunnels *t, struct peer *p, enum rp_reason reason);

/* health.c: does a tunnel work, and what becomes of one that does not */
/* Is it to be found out whether ESP comes through to this host? */
bool peer_is_watched(const struct tunnels *t, const struct peer *p);
/* Is it for us to establish it again? A client does that itself. */
bool peer_is_ours_to_heal(const struct peer *p);
/* When a PROTECTED one is to be looked at next. */
uint64_t peer_look_due_ms(const struct tunnels *t, const struct peer *p);
/* That look. */
void peer_check(struct tunnels *t, struct peer *p);
/* heal_ms of a HEALING one has come. */
void peer_heal(struct tunnels *t, struct peer *p);
/* A client that fell silent may come back to connections that still live: nothing leaves in clear for them. */
void peer_hold(struct tunnels *t, struct peer *p);
/* EV_SILENT: the host may have lost its SA. What a new handshake proves settles that sooner than silence. */
void peer_silent(struct tunnels *t, struct peer *p, const struct ike_event *e);
/* Establish it anew because of that, if it is time. */
void peer_try_silent(struct tunnels *t, struct peer *p);
/* An attempt for it has failed. */
void peer_attempt_failed(struct tunnels *t, struct peer *p);
/* May an attempt for it begin, whatever came of the earlier ones? */
bool peer_may_be_tried(const struct tunnels *t, const struct peer *p);
/* Ask the kernel; when the SA is gone there, p is HEALING afterwards. */
bool peer_lost_sa(struct tunnels *t, struct peer *p);
/* Its SAs are of no use any more, and the host is told; the policies stay. */
void peer_lost(struct tunnels *t, struct peer *p, enum rp_reason reason);
void peer_closed(struct tunnels *t, struct peer *p, enum rp_reason reason);
/* Somebody sends to a HEALING one. */
void peer_acquired(struct tunnels *t, struct peer *p);
/* sa has ended. */
void peer_sa_ended(struct tunnels *t, struct peer *p, ike_handle sa, enum rp_reason reason);
/* See how much it is used. */
void peer_look_at_use(struct tunnels *t, struct peer *p);

/* limits.c */
/* p has become an anonymous client, or ceased to be one that counts. */
void client_count(struct tunnels *t, struct peer *p);
/* The kernel says how long ago its last packet passed. */
void peer_was_used(struct tunnels *t, struct peer *p, const struct sa_traffic *traffic);
/* Who may be pushed out: all whose answers have expired; those of them for which none was given out; anonymous clients. */
enum evictable { EVICT_ANY, EVICT_CLIENTS, EVICT_ANONYMOUS };
/* Begin to release the one that has been idle for longest. source: of EVICT_ANONYMOUS those from there; NULL: all. False: all are
 * in use. */
bool peers_evict_one(struct tunnels *t, enum evictable kind, const struct ip_addr *source);
/* For one more client from this address? Idle ones may go for it. */
bool client_has_room(struct tunnels *t, const struct ip_addr *remote, bool anonymous);

/* names.c */
/* Has an answer been given out for it? */
bool peer_is_answered(const struct peer *p);
bool peer_has_name(const struct peer *p, const struct dnsname *name);
/* n = 0: it has none. */
void peer_first_name(const struct peer *p, struct dnsname *out);
/* Its names, from 0; false: there are not so many. */
bool peer_name_at(const struct peer *p, unsigned i, struct dnsname *out);
/* Next name to be told as DOWN; false when all are. */
bool peer_next_down(struct peer *p, struct dnsname *out);
/* Without memory, or when there are too many, p does not get it. */
void peer_add_name(struct peer *p, const struct dnsname *name, struct said said);
/* Nothing if p does not have this name, or has heard a later lookup of it. */
void peer_name_publishes(struct peer *p, const struct dnsname *name, struct said said);
/* p is bound to another way: what names had to say was about the earlier one. */
void peer_names_stay(struct peer *p);
void peer_copy_names(struct peer *p, const struct peer *from);
void peer_free_names(struct peer *p);
/* Which of the keys that this name publishes may be proved for p, as bits: the one that it is bound to, and those that all its other names
 * publish too. */
uint32_t peer_allowed_keys(const struct peer *p, const struct dnsname *name, const struct keyset *keys);
/* What its first name publishes, or the bound key when none of that is allowed; with a reference for the caller. NULL: no memory. */
struct keyset *peer_renewal_keys(const struct peer *p);

/* dropped.c */
bool esp_is_dropped(const struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote);
void esp_dropped_remember(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote);
void esp_dropped_forget(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote);

/* client.c: clients that have proved who they are, and SAs that were begun from both ends at once */
/* May this client, whose SA is up, have a share in its address? p: its pair, or NULL. */
bool client_is_accepted(const struct tunnels *t, const struct peer *p, const struct ike_tunnel *u);
/* It has proved a key of its name. */
void client_bind(struct peer *p, const struct ike_tunnel *u);
/* The client that p belongs to knows of no other SA: what it has at other addresses of its is gone (RFC 7296 2.4). */
void client_initial_contact(struct tunnels *t, const struct peer *p);
/* keys: of which the peer has proved key_index. Both ends have asked for the other at once, so that u and what p has are two
 * SAs in opposite directions; the one that both ends keep is what p has. */
bool crossed_and_old_stays(struct tunnels *t, struct peer *p, const struct ike_tunnel *u, const struct keyset *keys);
/* What p had has ended: is there a spare? Then that is what it has now. */
bool crossed_spare_used(struct peer *p);
void crossed_spare_close(struct tunnels *t, struct peer *p, enum rp_reason reason);
/* The peer has made another SA beside the one of p's (RFC 7296 2.8.3), and deletes that when it no longer needs it: until then it is p's
 * spare. False: that is not so, and it goes at once. */
bool client_has_replaced(struct tunnels *t, struct peer *p, const struct ike_event *e);

/* failures.c */
const struct failure *failure_active(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote,
				     const struct way *way);
void failure_remember(struct tunnels *t, const struct attempt *a, enum rp_reason reason, const char *detail);
void failure_forget(struct tunnels *t, const struct attempt *a);
/* Those from this address of ours, which is in another network perhaps; NULL: all. */
void failures_forget_from(struct tunnels *t, const struct ip_addr *local);
void failures_clear(struct tunnels *t);

/* decisions.c */
/* This is what the resolver is told; the oldest of DECISIONS_MAX names is forgotten. */
void decision_remember(struct tunnels *t, const struct request *r, const struct rp_verdict *verdict);
/* The resolver is to forget what it was told last about names that have this address; NULL: about those that were answered in clear. */
void decisions_forget_answers(struct tunnels *t, const struct ip_addr *address);
void decisions_clear(struct tunnels *t);

/* policy.c */
/* We do not ask for a tunnel to it. */
bool policy_is_clear(enum group group);
/* "policy private: example.org; MORE". */
void policy_text(const struct group_entry *entry, const char *more, char detail[DETAIL_MAX]);
/* May this address be answered in clear, which was refused for this reason? By this entry. */
bool policy_falls_back(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *a, enum rp_reason reason,
		       struct group_entry *entry);
/* A client from this address, that claims this name; NULL: it is anonymous. REASON_NONE: nothing is said against it. */
enum rp_reason policy_for_client(const struct tunnels *t, const struct dnsname *claimed, const struct ip_addr *from);

/* events.c */
void event_tell(const struct tunnels *t, const struct tunnel_event *event);
void event_of_peer(const struct tunnels *t, enum tunnel_event_kind kind, const struct peer *p, enum rp_reason reason);
void event_of_attempt(const struct tunnels *t, enum tunnel_event_kind kind, const struct attempt *a, enum rp_reason reason,
		      const char *detail);
void event_of_name(const struct tunnels *t, enum tunnel_event_kind kind, const struct dnsname *name, enum rp_reason reason,
		   const char *detail);

/* by_hand.c */
/* Those of this name, to this address, or all: NULL. Returns how many. */
unsigned peers_drain(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, enum rp_reason reason,
		     uint64_t wait_ms);
/* Until when the operator has permitted this address of this owner in clear; 0: not. */
uint64_t permitted_until_ms(struct tunnels *t, const struct dnsname *owner, const struct ip_addr *address);
uint64_t permissions_deadline_ms(const struct tunnels *t);
void permissions_due(struct tunnels *t);
/* The resolver is to forget its answer in clear for this owner. */
void forget_answer(struct tunnels *t, const struct dnsname *owner);
/* The next one; false when there is none. */
bool forget_output(struct tunnels *t, struct rp_down *out);
bool pause_output(struct tunnels *t, struct rp_down *out);
void by_hand_free(struct tunnels *t);

/* roam.c */
/* Addresses or routes of ours have changed. */
void roam_soon(struct tunnels *t);
/* Is there a tunnel from this address? Most that come and go are no concern of ours. */
bool roam_concerns(const struct tunnels *t, const struct ip_addr *local);
void roam_due(struct tunnels *t);

/* leftover.c */
/* This tunnel is up, and nobody wants it: what it has put into the kernel goes, unless that is also what a pair of ours has. */
void leftover_end(struct tunnels *t, const struct ike_tunnel *u);
/* The next request for the kernel; false when there is none. */
bool leftover_output(struct tunnels *t, struct kernel_request *out, uint64_t *id);
/* The result of one; other ids are ignored. */
void leftover_done(struct tunnels *t, uint64_t id, enum ike_err result);
uint64_t leftovers_due_ms(const struct tunnels *t);

/* pass.c */
/* What we forward from this source, which is not ours, meets the shield of remote, and would be dropped before NAT gives it an
 * address of ours. Let it pass: the translated packet is looked at again, and protected. */
void pass_through(struct tunnels *t, const struct ip_addr *source, const struct ip_addr *remote);
/* The shield of remote ends. */
void passes_end(struct tunnels *t, const struct ip_addr *remote);
/* End those whose source is an address of ours now: this one; NULL: whichever. */
void passes_check(struct tunnels *t, const struct ip_addr *source);
/* The next request for the kernel; false when there is none. */
bool pass_output(struct tunnels *t, struct kernel_request *out, uint64_t *id);
/* False: the id is not one of these. */
bool pass_done(struct tunnels *t, uint64_t id, enum ike_err result);
void passes_due(struct tunnels *t);
void passes_clear(struct tunnels *t);

#endif
