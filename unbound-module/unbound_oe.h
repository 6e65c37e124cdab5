/*
 * unbound-module/unbound_oe.h - addresses are answered after protection.
 */

/**
 * \file
 * The unbound-oe module. It sits in front of the validator:
 * module-config: "dynlib validator iterator", with dynlib.c around it, or
 * module-config: "ipsecoe validator iterator", with ipsecoe.c, in an Unbound
 * that it is built into (patches/).
 *
 * The life of a query for www.example.org A, whose zone has an IPSECKEY beside
 * the address:
 *
 * o A client asks and the message cache has no answer: a mesh state is made
 *   and our operate() is called with module_event_new. We raise the guard, see
 *   oe_guard.h, and pass the query on (wait_module). If the zone is known to
 *   be signed and to hold hosts, a detached lookup for IPSECKEY at the same
 *   name is started, so that the two go side by side (oe_lookup.h).
 * o The iterator fetches, the validator validates. They finish, operate() is
 *   called with module_event_moddone. The answer is in qstate->return_msg, and
 *   because of the guard nowhere else.
 * o Not an address, or not secure: we store the answer in the cache as the
 *   validator would have done, and are finished. Secure: a lookup for IPSECKEY
 *   at the owner of the addresses is attached (wait_subquery). That is the end
 *   of an alias chain; that the message is secure says that every link is.
 *   It takes at most as long as the deadline says; Unbound itself would try
 *   for many seconds.
 * o The lookup ends, inform_super() takes the keys out of it, operate() is
 *   called with module_event_pass. A validated denial: finished as above. No
 *   proof of either: refused. Keys that name a gateway: first what there is to
 *   know about that is looked up likewise, see oe_gateway.h. Keys: the helper
 *   is asked (wait_reply), and the worker goes on with other queries.
 * o The verdict arrives in oe_client, which calls our function, which runs the
 *   mesh with module_event_reply; operate() is called. Allowed: the TTL is
 *   cut down to what the helper promises, the answer is stored and finished.
 *   Refused: SERVFAIL with the reason as Extended DNS Error (RFC 8914). See
 *   oe_reply.h.
 * o If the query ends before, because Unbound reloads or makes room, clear()
 *   is called and takes the job away from the client. What the helper answers
 *   later has no job to belong to and is dropped.
 *
 * The operator may pause what is new, see oe_pause.h, and may want some names
 * treated in another way, see oe_policy.h.
 *
 * The module decides nothing. It reports names, addresses, keys and how long
 * they live, and obeys the verdict; and without a verdict it refuses.
 */

#ifndef UNBOUND_OE_H
#define UNBOUND_OE_H

#include "util/locks.h"
#include "util/data/msgreply.h"
#include "oe_config.h"
#include "oe_stats.h"

struct config_file;
struct groups;
struct module_env;
struct module_qstate;
struct oe_cache;
struct oe_client;
struct oe_job;
struct oe_target;

/** Zones remembered for early lookups */
#define OE_ZONES 4096
/** Most workers of one daemon, each has a connection */
#define OE_WORKERS_MAX 256

/** The module's global state. */
struct oe_env {
	/** settings, read at init and then unchanged */
	struct oe_config cfg;
	/** protects clients, log counters, zones and the pause */
	lock_basic_type lock;
	/** connections to the helper, one a worker, made when first needed */
	struct oe_client* clients[OE_WORKERS_MAX];
	/** number of clients */
	size_t num_clients;
	/** protected addresses in Unbound's caches */
	struct oe_cache* cache;
	/** refusals logged: in this second */
	time_t log_second;
	/** so many */
	int log_count;
	/** Hashes of the names of zones that had a secure address: those hold
	 * hosts. A hint, so that two zones that share a place do no harm. */
	hashvalue_type zones[OE_ZONES];
	/** what the operator wants, oe_policy.h */
	struct groups* groups;
	/** the operator has paused what is new until this time, oe_pause.h */
	time_t paused_until;
	/** the module order was found wrong and that was logged */
	int order_logged;
};

/** The module's state of a query, in its region. */
struct oe_qstate {
	/** whose state */
	struct module_qstate* qstate;
	/** A lookup for another query of ours: its addresses need no
	 * protection, unless a client asks for them too. */
	int internal;
	/** operate() has seen the start of this query. Not so for the lookups
	 * that the iterator makes for itself. */
	int started;
	/** no_cache_store is ours to set and clear */
	int guarding;
	/** the guard kept the answer from the cache: storing it is up to us */
	int withheld;
	/** there was a pause when it began: nothing that does not validate
	 * is stored */
	int paused;
	/** the answer is for the client's subnet only (ECS, RFC 7871) */
	int for_subnet;
	/** when the query came to us */
	struct timeval start;
	/** names that have to be protected before the answer goes out */
	struct oe_target* targets;
	/** IPSECKEY of the name itself was asked with the question */
	int early;
	/** IPSECKEY lookups are attached */
	int looking_up;
	/** lookups about gateways are attached, so many; see oe_gateway.h */
	int gateway_lookups;
	/** ends the wait for them, NULL if there is none */
	struct oe_job* alarm;
	/** it went off */
	int late;
	/** verdicts to come */
	int waiting;
	/** of so many requests */
	int asked;
	/** how often it was asked: again, when a verdict may be withdrawn while
	 * others are waited for */
	int rounds;
	/** oe_client_downs() when it was asked */
	unsigned downs;
	/** refused: the code for the client, RFC 8914 */
	sldns_ede_code reason_code;
	/** refused: the text for the client, or NULL */
	char* reason;
};

/** what a handler wants operate() to do next */
enum oe_next {
	/** let the modules behind us work */
	oe_next_module,
	/** wait for attached lookups */
	oe_next_subquery,
	/** wait for verdicts */
	oe_next_verdict,
	/** return_msg or return_rcode is the answer */
	oe_next_finished
};

/** Module init; cfg is copied. */
int oe_init(struct module_env* env, int id, const struct oe_config* cfg,
	struct oe_env** oe);
/** Module deinit. Protected addresses leave the caches, which may outlive us
 * (unbound-control reload_keep_cache): our list of them is gone then. */
void oe_deinit(struct oe_env* oe, struct module_env* env);
/** Module operate on a query. */
void oe_operate(struct oe_env* oe, struct module_qstate* qstate,
	enum module_ev event, int id);
/** Our state of a query, made when it does not exist; NULL: out of memory. */
struct oe_qstate* oe_qstate_get(struct module_qstate* qstate, int id);
/** The connection of the worker that env belongs to, made when it does not
 * exist; NULL: out of memory or too many workers. */
struct oe_client* oe_worker_client(struct oe_env* oe, struct module_env* env);
/** Count one (oe_stats.h) for the worker that env belongs to; nothing where it
 * has no client, which has been logged. */
void oe_count(struct oe_env* oe, struct module_env* env, int stat);
/** A subquery of ours is done. */
void oe_inform_super(struct module_qstate* qstate, int id,
	struct module_qstate* super);
/** Module cleanup of a query. */
void oe_clear(struct module_qstate* qstate, int id);
/** Memory in use. */
size_t oe_get_mem(struct oe_env* oe);
/** The counters of the worker that env belongs to, from its own thread.
 * @param oe: the module's state.
 * @param env: the worker's.
 * @param stats: filled in.
 * @param reset: start again from zero. */
void oe_get_stats(struct oe_env* oe, struct module_env* env,
	struct oe_stats* stats, int reset);
/** Warn of settings of Unbound that let addresses pass by us: docs/roads.md. */
void oe_warn_about_roads(struct config_file* cfg);

#endif /* UNBOUND_OE_H */
