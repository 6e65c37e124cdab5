/*
 * unbound-module/oe_policy.h - policy groups: what the operator wants.
 */

/**
 * \file
 * The groups of docs/policy-groups.md. The helper obeys them for what it is
 * asked about, which are names with keys. Here is what it never hears of: an
 * answer without keys that must not go out, because it is blocked or because
 * its policy is that it is protected.
 *
 * The module reads the same files as the helper, when Unbound starts or is
 * reloaded, and again when the helper says that it has read other entries. So
 * it knows them without a helper, too. What is wrong in them is passed over at
 * the start; later it leaves all as it was.
 *
 * Which name counts: that of the addresses, as everywhere, and if no entry has
 * that, the name that was asked. Both are looked for in block.
 */

#ifndef OE_POLICY_H
#define OE_POLICY_H

#include "base/groups.h"
#include "proto/resolver_proto.h"

struct module_env;
struct module_qstate;
struct oe_env;
struct oe_qstate;
struct oe_target;
struct reply_info;

/** Read the files for the first time; while no other thread runs. Returns 0 if
 * out of memory. */
int oe_policy_start(struct oe_env* oe, struct module_env* env);

/** The helper has read entries with this digest. */
void oe_policy_told(struct oe_env* oe, struct module_env* env,
	uint64_t digest);

/** Are there any entries */
int oe_policy_is_there(struct oe_env* oe);

/**
 * Is the answer blocked by a name in it?
 * @param oe: the module.
 * @param qstate: the query.
 * @param list: targets in the answer.
 * @param detail: receives the entry if it is.
 */
int oe_policy_blocks(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_target* list, char detail[RP_REASON_TEXT_MAX+1]);

/**
 * Refuse the addresses of a target without keys that are blocked or must be
 * protected; and the target, if those are all, or if there are more addresses
 * than can be judged.
 * @return 0 if none is refused.
 */
int oe_policy_judge(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_target* target);

/** The same for all targets without keys; 0 if nothing is refused. */
int oe_policy_judge_all(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_target* list);

/** Must what is asked for be protected whatever happens, during a pause too:
 * by its name, or by that of an address in the answer. */
int oe_policy_is_private(struct oe_env* oe, struct module_qstate* qstate,
	struct reply_info* rep);

#endif /* OE_POLICY_H */
