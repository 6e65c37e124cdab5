/*
 * unbound-module/oe_policy.c - policy groups: what the operator wants.
 */

/**
 * \file
 * Policy groups.
 */

#include "ub_compat.h"
#include "unbound_oe.h"
#include "oe_cache.h"
#include "oe_policy.h"
#include "oe_request.h"

#include "services/cache/rrset.h"

/** read the file of a group; 0 if something in it is wrong, what is not has
 * been added */
static int
read_group(const char* dir, enum group group, struct groups* to)
{
	char path[OE_POLICY_DIR_MAX + 32], line[GROUPS_LINE_MAX];
	char wrong[GROUPS_WRONG_MAX];
	int number = 0, good = 1;
	FILE* in;
	snprintf(path, sizeof(path), "%s/%s", dir, group_word(group));
	in = fopen(path, "r");
	if(!in && errno == ENOENT)
		return 1;
	if(!in) {
		log_err("unbound-oe: %s: %s", path, strerror(errno));
		return 0;
	}
	while(fgets(line, (int)sizeof(line), in)) {
		number++;
		if(groups_add_line(to, group, span_of(line, strlen(line)),
			wrong) == IKE_OK)
			continue;
		log_err("unbound-oe: %s:%d: %s", path, number, wrong);
		good = 0;
	}
	if(ferror(in)) {
		log_err("unbound-oe: %s: cannot be read", path);
		good = 0;
	}
	fclose(in);
	return good;
}

/** read all groups; *good: nothing in them is wrong. NULL if out of memory. */
static struct groups*
read_groups(const char* dir, int* good)
{
	struct groups* g = (struct groups*)malloc(sizeof(*g));
	unsigned i;
	if(!g) {
		log_err("unbound-oe: out of memory");
		return NULL;
	}
	groups_clear(g);
	*good = 1;
	for(i = GROUP_NONE+1; i < GROUPS_END; i++)
		if(!read_group(dir, (enum group)i, g))
			*good = 0;
	return g;
}

/** have these entries from now on; returns those of before, to be freed */
static struct groups*
swap_groups(struct oe_env* oe, struct groups* g)
{
	struct groups* old;
	lock_basic_lock(&oe->lock);
	old = oe->groups;
	oe->groups = g;
	lock_basic_unlock(&oe->lock);
	return old;
}

/** what ends in the cache */
struct end_arg {
	/** the module */
	struct oe_env* oe;
	/** the end: what ended then is used by nobody any more */
	time_t ttl;
};

/** is an address of this owner blocked, or to be protected */
static int
is_strict(struct oe_env* oe, const struct dnsname* owner,
	const struct ip_addr* address)
{
	struct group_entry entry;
	lock_basic_lock(&oe->lock);
	(void)groups_find(oe->groups, owner, address, &entry);
	lock_basic_unlock(&oe->lock);
	return entry.group == GROUP_BLOCK || entry.group == GROUP_PRIVATE;
}

/** End an RRset in the cache, if it has an address that is strict now. Hints
 * may be for any name and are rare: they end in any case. */
static void
end_rrset(struct lruhash_entry* e, void* arg)
{
	struct ub_packed_rrset_key* k = (struct ub_packed_rrset_key*)e->key;
	struct packed_rrset_data* d = (struct packed_rrset_data*)e->data;
	struct end_arg* end = (struct end_arg*)arg;
	struct rd r = rd_over(span_of(k->rk.dname, k->rk.dname_len));
	struct ip_addr address;
	struct dnsname owner;
	uint16_t type = ntohs(k->rk.type);
	size_t i;
	if(!oe_type_is_address(type) || d->ttl <= end->ttl ||
		dnsname_read(&r, &owner) != IKE_OK)
		return;
	if(type != LDNS_RR_TYPE_A && type != LDNS_RR_TYPE_AAAA) {
		d->ttl = end->ttl;
		return;
	}
	for(i = 0; i < d->count; i++) {
		/* RDATA of a wrong length: the name counts */
		if(ip_from_bytes(span_of(d->rr_data[i]+2, d->rr_len[i]-2),
			&address) != IKE_OK)
			memset(&address, 0, sizeof(address));
		if(is_strict(end->oe, &owner, &address)) {
			d->ttl = end->ttl;
			return;
		}
	}
}

/** Cached answers from the time of other entries end, as with unbound-control
 * flush_zone: messages whose RRsets have ended are not used. */
static void
end_cached(struct oe_env* oe, struct module_env* env, time_t now)
{
	struct end_arg end;
	end.oe = oe;
	/* other threads may be a little behind */
	end.ttl = now - 3;
	slabhash_traverse(&env->rrset_cache->table, 1, end_rrset, &end);
}

int
oe_policy_start(struct oe_env* oe, struct module_env* env)
{
	int good;
	oe->groups = read_groups(oe->cfg.policy_dir, &good);
	if(!oe->groups)
		return 0;
	/* reload_keep_cache; env has no clock yet */
	if(groups_count(oe->groups) > 0 && env->rrset_cache)
		end_cached(oe, env, time(NULL));
	return 1;
}

/** the digest of the present entries */
static uint64_t
present_digest(struct oe_env* oe)
{
	uint64_t digest;
	lock_basic_lock(&oe->lock);
	digest = groups_digest(oe->groups);
	lock_basic_unlock(&oe->lock);
	return digest;
}

void
oe_policy_told(struct oe_env* oe, struct module_env* env, uint64_t digest)
{
	struct groups* g;
	int good;
	if(present_digest(oe) == digest)
		return;
	g = read_groups(oe->cfg.policy_dir, &good);
	if(!g)
		return;
	if(good) {
		g = swap_groups(oe, g);
		/* what it was answered by may be another one now */
		oe_cache_forget(oe->cache, env, NULL);
		end_cached(oe, env, *env->now);
	}
	free(g);
	if(present_digest(oe) == digest)
		log_info("unbound-oe: read the policy groups again");
	else	log_err("unbound-oe: the policy groups in %s are not those "
			"that oe-iked has read: oe reload takes over what "
			"has changed", oe->cfg.policy_dir);
}

int
oe_policy_is_there(struct oe_env* oe)
{
	int any;
	lock_basic_lock(&oe->lock);
	any = groups_count(oe->groups) > 0;
	lock_basic_unlock(&oe->lock);
	return any;
}

/** the entry, in words to follow a reason */
static void
policy_text(const struct group_entry* entry, char to[RP_REASON_TEXT_MAX+1])
{
	char text[GROUP_ENTRY_TEXT_MAX];
	snprintf(to, RP_REASON_TEXT_MAX+1, "policy %.180s",
		group_entry_text(entry, text));
}

/** the entry for the name that was asked */
static enum group
of_question(struct oe_env* oe, struct module_qstate* qstate,
	struct group_entry* entry)
{
	struct rd r = rd_over(span_of(qstate->qinfo.qname,
		qstate->qinfo.qname_len));
	struct dnsname name;
	memset(entry, 0, sizeof(*entry));
	if(dnsname_read(&r, &name) != IKE_OK)
		return GROUP_NONE;
	lock_basic_lock(&oe->lock);
	(void)groups_of_name(oe->groups, &name, entry);
	lock_basic_unlock(&oe->lock);
	return entry->group;
}

/** the entry for the owner of addresses */
static enum group
of_owner(struct oe_env* oe, const struct dnsname* owner,
	struct group_entry* entry)
{
	lock_basic_lock(&oe->lock);
	(void)groups_of_name(oe->groups, owner, entry);
	lock_basic_unlock(&oe->lock);
	return entry->group;
}

int
oe_policy_blocks(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_target* list, char detail[RP_REASON_TEXT_MAX+1])
{
	struct group_entry entry;
	int blocked = of_question(oe, qstate, &entry) == GROUP_BLOCK;
	struct oe_target* t;
	for(t = list; t && !blocked; t = t->next)
		blocked = of_owner(oe, &t->owner, &entry) == GROUP_BLOCK;
	if(blocked)
		policy_text(&entry, detail);
	return blocked;
}

/** what counts for an address of a target; question: what counts for the name
 * that was asked */
static void
judge_address(struct oe_env* oe, struct oe_target* t, unsigned i,
	const struct group_entry* question)
{
	struct group_entry entry;
	lock_basic_lock(&oe->lock);
	(void)groups_find(oe->groups, &t->owner, &t->addresses[i], &entry);
	lock_basic_unlock(&oe->lock);
	if(entry.group != GROUP_BLOCK && entry.name.n == 0 &&
		question->group != GROUP_NONE)
		entry = *question;
	if(entry.group != GROUP_BLOCK && entry.group != GROUP_PRIVATE)
		return;
	t->refused[i] = 1;
	t->n_refused++;
	t->reason = entry.group == GROUP_BLOCK ? REASON_POLICY_FORBIDS :
		REASON_POLICY_WANTS_KEY;
	policy_text(&entry, t->detail);
}

/** are there entries by which each address has to be judged */
static int
has_networks(struct oe_env* oe)
{
	int any;
	lock_basic_lock(&oe->lock);
	any = oe->groups->n_networks > 0;
	lock_basic_unlock(&oe->lock);
	return any;
}

int
oe_policy_judge(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_target* target)
{
	struct group_entry question;
	unsigned i;
	(void)of_question(oe, qstate, &question);
	for(i = 0; i < target->n_addresses; i++)
		judge_address(oe, target, i, &question);
	if(target->n_refused == 0 && !(target->too_many && has_networks(oe)))
		return 0;
	if(target->n_refused == target->n_addresses || target->too_many)
		target->kind = RP_REFUSE;
	if(target->n_refused == 0)
		target->reason = REASON_TOO_MANY_RECORDS;
	/* they may be in the cache from a time with other entries */
	oe_cache_forget_plain(oe->cache, qstate->env, &target->owner,
		target->dclass);
	return 1;
}

int
oe_policy_judge_all(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_target* list)
{
	struct oe_target* t;
	int refused = 0;
	if(!oe_policy_is_there(oe))
		return 0;
	for(t = list; t; t = t->next)
		if(t->keys_status != oe_keys_found &&
			oe_policy_judge(oe, qstate, t))
			refused = 1;
	return refused;
}

int
oe_policy_is_private(struct oe_env* oe, struct module_qstate* qstate,
	struct reply_info* rep)
{
	struct group_entry entry;
	struct dnsname owner;
	size_t i;
	if(of_question(oe, qstate, &entry) == GROUP_PRIVATE)
		return 1;
	for(i = 0; rep && i < rep->an_numrrsets; i++) {
		struct rd r = rd_over(span_of(rep->rrsets[i]->rk.dname,
			rep->rrsets[i]->rk.dname_len));
		if(dnsname_read(&r, &owner) == IKE_OK &&
			of_owner(oe, &owner, &entry) == GROUP_PRIVATE)
			return 1;
	}
	return 0;
}
