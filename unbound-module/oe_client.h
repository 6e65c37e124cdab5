/*
 * unbound-module/oe_client.h - one worker's connection to the helper.
 */

/**
 * \file
 * The client asks the helper to establish protection and brings the verdict
 * back, without ever waiting: everything that takes time happens in callbacks
 * of the worker's event loop.
 *
 * Each worker thread has a client of its own, made when it is first needed,
 * and only that thread uses it; so there are no locks here. The exception is
 * oe_job_cancel(): at reload and exit Unbound clears the queries of all
 * workers from the main thread, when the other threads have ended.
 *
 * The callbacks are raw ub_events. Unbound checks comm_point and comm_timer
 * callbacks against a list of its own functions and exits when it meets one
 * from a library; with libevent it does not check events. With another event
 * library the client refuses everything, see oe_client_create().
 */

#ifndef OE_CLIENT_H
#define OE_CLIENT_H

#include "proto/resolver_proto.h"
#include "oe_stats.h"

struct module_env;
struct oe_client;
struct oe_job;
struct oe_config;

/**
 * The verdict for a job. Called from the event loop, never from within
 * oe_client_establish(). The job is gone when this is called.
 * @param arg: as given to oe_client_establish().
 * @param verdict: valid during the call. When the helper did not answer the
 *	client has made it: RP_REFUSE with the reason.
 */
typedef void oe_done_func(void* arg, const struct rp_verdict* verdict);

/**
 * The helper says that cached answers for this owner must not be used any
 * more, or that what is new is paused; NULL: nor any other, because the
 * connection to the helper is gone.
 */
typedef void oe_down_func(struct module_env* env, void* arg,
	const struct rp_down* down);

/**
 * Make the client of the worker that env belongs to. Does not connect.
 * @param env: the worker's environment, for its event base.
 * @param cfg: settings, kept by reference.
 * @param down: called for DOWN messages and lost connections.
 * @param arg: passed to down.
 * @return NULL if out of memory.
 */
struct oe_client* oe_client_create(struct module_env* env,
	const struct oe_config* cfg, oe_down_func* down, void* arg);

/**
 * Delete the client. The event base of the worker is gone when modules are
 * deinitialised: this touches no event, it only closes and frees.
 */
void oe_client_delete(struct oe_client* client);

/** is this the client of the worker with this environment */
int oe_client_is_for(struct oe_client* client, struct module_env* env);

/** Connect, so that what the helper tells all is heard. */
void oe_client_greet(struct oe_client* client);

/**
 * Ask the helper.
 * @param client: of this worker.
 * @param ask: the request; copied. Its deadline_ms also limits the wait: done
 *	is called a little after it at the latest.
 * @param done: called with the verdict.
 * @param arg: passed to done.
 * @param refused: if NULL is returned, the reason.
 * @return the job, or NULL when it is clear at once that there will be no
 *	verdict; done is not called then.
 */
struct oe_job* oe_client_establish(struct oe_client* client,
	const struct rp_establish* ask, oe_done_func* done, void* arg,
	enum rp_reason* refused);

/**
 * Wait without asking anybody: done is called after this number of
 * milliseconds, with a refusal.
 * @return NULL if out of memory or there is no libevent.
 */
struct oe_job* oe_client_alarm(struct oe_client* client, int ms,
	oe_done_func* done, void* arg);

/** Nobody waits for this job any more: done is not called. The helper is
 * told; it may go on so that the next question finds the work done. */
void oe_job_cancel(struct oe_job* job);

/**
 * Call func(arg) from the event loop of this client's worker at least once
 * more, after this number of seconds. An earlier call that is already planned
 * stays.
 */
void oe_client_wake(struct oe_client* client, time_t seconds,
	time_t (*func)(struct module_env* env, void* arg), void* arg);

/** How often this worker has heard that cached answers must not be used any
 * more, of whatever owner, or has lost the connection: a verdict from before
 * that may be withdrawn. */
unsigned oe_client_downs(struct oe_client* client);

/** The counters of this worker: the module counts in them. The client itself
 * counts nothing. */
struct oe_stats* oe_client_stats(struct oe_client* client);

/** requests that have no verdict yet */
size_t oe_client_waiting(struct oe_client* client);

/** memory in use */
size_t oe_client_get_mem(struct oe_client* client);

#endif /* OE_CLIENT_H */
