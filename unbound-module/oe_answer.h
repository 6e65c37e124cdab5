/*
 * unbound-module/oe_answer.h - changes to answers.
 */

/**
 * \file
 * The few things that the module does to an answer. All work on messages in
 * the region of a query, never on what is in a cache.
 */

#ifndef OE_ANSWER_H
#define OE_ANSWER_H

struct oe_target;
struct regional;
struct reply_info;

/** Does the message tell addresses to connect to: in the answer section, or
 * in the additional section of an answer. Glue of a referral does not count:
 * it is where the next question goes, nobody hands it out. */
int oe_answer_tells_address(struct reply_info* rep);

/** Is there a CNAME or DNAME in the answer section: the question goes on from
 * there, and what is found then is added to this message. */
int oe_answer_has_alias(struct reply_info* rep);

/** Are there A, AAAA, HTTPS or SVCB records in the answer section */
int oe_answer_has_address(struct reply_info* rep);

/** Take addresses out of the additional section. Nobody decided about them,
 * and a client that wants them can ask. */
void oe_answer_strip_additional(struct reply_info* rep);

/** Make the answer live no longer than this many seconds. */
void oe_answer_cap_ttl(struct reply_info* rep, time_t ttl);

/**
 * Leave out the addresses that the verdicts exclude. What is left has no
 * signature any more and is marked insecure.
 * @param rep: the answer.
 * @param region: for new records.
 * @param list: targets with verdicts.
 * @return 0 if that cannot be done: nothing would be left, the excluded
 *	address is inside an HTTPS or SVCB record, or out of memory.
 */
int oe_answer_leave_out(struct reply_info* rep, struct regional* region,
	struct oe_target* list);

#endif /* OE_ANSWER_H */
