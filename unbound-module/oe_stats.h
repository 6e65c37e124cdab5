/*
 * unbound-module/oe_stats.h - what the module counts.
 */

/**
 * \file
 * Counters of one worker. Only its own thread touches them, and
 * unbound-control asks every thread for its own: no locks.
 * Built into Unbound they are num.ipsecoe.* of unbound-control stats
 * (ipsecoe.h); dynlib has no way to hand them on, and the helper's own are
 * told by "oe stats" in both forms.
 */

#ifndef OE_STATS_H
#define OE_STATS_H

#include "proto/resolver_proto.h"

#define OE_CAUSE_ONE(symbol, value, text) + 1
/** Causes of a refusal, all of enum rp_reason. One of a later helper, with a
 * higher number, is counted as cause 0, which is none. */
enum { OE_CAUSES = 0 RP_REASONS(OE_CAUSE_ONE) };
#undef OE_CAUSE_ONE

/** a counter */
enum oe_stat {
	/** requests to the helper, one a name with keys */
	OE_STAT_ASKED,
	/** of these, without a verdict now: not a sum, the state at the
	 * moment when it is asked for */
	OE_STAT_WAITING,
	/** answers with protected addresses */
	OE_STAT_ALLOWED,
	/** of these, with an address left out */
	OE_STAT_PARTIAL,
	/** answers of names with keys that the helper let pass in clear */
	OE_STAT_CLEAR,
	/** answers that became SERVFAIL */
	OE_STAT_REFUSED,
	/** the same by cause, from this one on */
	OE_STAT_CAUSE,
	/** number of counters */
	OE_STATS = OE_STAT_CAUSE + OE_CAUSES
};

/** the counters of one worker, since it started or was last reset */
struct oe_stats {
	/** by enum oe_stat */
	long long n[OE_STATS];
};

#endif /* OE_STATS_H */
