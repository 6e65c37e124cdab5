/* key_rollover.c - oe key rollover: this host's key is replaced, and at no time does a client see a key that the host does not prove.
 *
 * rollover.h has the steps. Each may be said again: what is done already is not done twice.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/argument.h"
#include "cli/client.h"
#include "cli/primary.h"
#include "cli/rollover.h"

struct job {
	const struct oe *oe;
	struct conf conf;
	struct key_options o;
	struct rollover r;
	bool under_way;
};

static enum oe_exit save(const struct job *job)
{
	return rollover_save(job->o.state, &job->r);
}

/* DNS ---------------------------------------------------------------------------------------------------------------- */

/* What one step does to a name: this key must stay or be there, that one comes or goes. */
struct step {
	const struct rollover_key *there, *moving;
	bool add;
};

static enum oe_exit change_records(const struct job *job, const struct step *step, const struct primary *p, bool *changed)
{
	char name[DNSNAME_TEXT_MAX], tags[PRIMARY_TAGS_MAX];
	const struct primary_change change = { .primary = p, .add = step->add, .ttl_s = job->r.ttl_s, .key = &step->moving->record,
					       .rdata = key_rdata(step->moving->rdata, &step->moving->record) };

	dnsname_text(&p->name, name);
	*changed = false;
	if (primary_find(p, &step->there->record) < 0)
		return oe_error(OE_OTHER_KEY, "%s does not publish the key with tag %u (there is: %s)", name,
				ipseckey_tag(&step->there->record),
				p->keys.n > 0 ? primary_other_tags(p, &step->there->record, tags) : "none");
	if ((primary_find(p, &step->moving->record) >= 0) == step->add)
		return OE_OK;
	*changed = true;
	return primary_change(&change, job->r.tsig[0] != '\0' ? job->r.tsig : NULL);
}

static enum oe_exit change_name(const struct job *job, const struct step *step, struct rollover_name *name)
{
	struct key_server server = { 0 };
	struct primary primary;
	char text[DNSNAME_TEXT_MAX];
	enum oe_exit status = job->r.server[0] != '\0' ? key_server_set(&server, job->r.server) : OE_OK;
	bool changed;

	if (status != OE_OK)
		return status;
	status = primary_read(&job->conf.resolver, key_server(&server), &name->name, &primary);
	if (status == OE_OK) {
		uint32_t ttl_s = primary.keys.ttl_s;

		status = change_records(job, step, &primary, &changed);
		/* What was read before the change is what resolvers remember; what was changed before may be as young as that. */
		if (status == OE_OK && step->add && name->published_s == 0) {
			name->ttl_s = ttl_s;
			name->published_s = time(NULL) + 1;     /* the end of this second: a TTL must have passed as a whole */
		}
	}
	if (status == OE_OK)
		printf("%s: key with tag %u %s\n", dnsname_text(&name->name, text), ipseckey_tag(&step->moving->record),
		       !changed ? step->add ? "is published" : "is not there" : step->add ? "published" : "withdrawn");
	primary_clear(&primary);
	return status;
}

/* start -------------------------------------------------------------------------------------------------------------- */

static enum oe_exit begin(struct job *job)
{
	struct rollover *r = &job->r;
	enum oe_exit status;

	if (job->conf.server_key[0] == '\0')
		return oe_usage(&command_key, "%s has no server-key that could be replaced", job->oe->conf);
	if (job->o.n < 2 || job->o.n - 1 > ROLLOVER_NAMES_MAX)
		return oe_usage(&command_key, "rollover start wants the FILE of the new key, and 1 to %d names", ROLLOVER_NAMES_MAX);
	if (!realpath(job->o.arguments[0], r->new_file))
		return oe_error(OE_FAILED, "%s: %s", job->o.arguments[0], strerror(errno));
	if (job->o.server.tsig && !realpath(job->o.server.tsig, r->tsig))
		return oe_error(OE_FAILED, "--tsig %s: %s", job->o.server.tsig, strerror(errno));
	status = key_file_record(job->conf.server_key, r->old.rdata, &r->old.record);
	if (status == OE_OK)
		status = key_file_record(r->new_file, r->new.rdata, &r->new.record);
	if (status != OE_OK)
		return status;
	if (key_is_same(&r->old.record, &r->new.record))
		return oe_error(OE_FAILED, "%s has the same key as server-key", r->new_file);
	for (unsigned i = 1; status == OE_OK && i < job->o.n; i++)
		status = argument_name(&command_key, job->o.arguments[i], &r->names[r->n++].name);
	snprintf(r->server, sizeof r->server, "%s", job->o.server.text ? job->o.server.text : "");
	r->ttl_s = job->o.ttl_s;
	return status;
}

static enum oe_exit start(struct job *job)
{
	struct step step = { .there = &job->r.old, .moving = &job->r.new, .add = true };
	enum oe_exit status = OE_OK;
	char text[KEY_TIME_TEXT_MAX];

	if (job->under_way && job->o.n > 0)
		return oe_error(OE_FAILED, "one is under way (%s): oe key rollover status", job->o.state);
	if (!job->under_way) {
		status = begin(job);
		if (status == OE_OK)
			status = save(job);
	}
	for (unsigned i = 0; status == OE_OK && i < job->r.n; i++) {
		status = change_name(job, &step, &job->r.names[i]);
		if (status == OE_OK)
			status = save(job);
	}
	if (status != OE_OK)
		return status;
	printf("both keys are published; next: oe key rollover switch, not before %s\n", key_time_text(rollover_ripe_s(&job->r), text));
	return OE_OK;
}

/* switch ------------------------------------------------------------------------------------------------------------- */

static enum oe_exit ripen(const struct job *job)
{
	int64_t ripe_s = rollover_ripe_s(&job->r);
	char text[KEY_TIME_TEXT_MAX];

	if (ripe_s == 0)
		return oe_error(OE_FAILED, "the new key is not published for every name yet: say oe key rollover start again");
	if (!job->o.wait && time(NULL) < ripe_s)
		return oe_error(OE_FAILED, "resolvers may know the old key alone until %s (or --wait)", key_time_text(ripe_s, text));
	key_wait_until(ripe_s);
	return OE_OK;
}

/* The old key keeps a name of its own, and there is a key under that of server-key at every moment. */
static enum oe_exit replace_file(const struct job *job)
{
	char kept[ROLLOVER_PATH_MAX + 8];

	snprintf(kept, sizeof kept, "%s.old", job->conf.server_key);
	if (link(job->conf.server_key, kept) != 0)
		return oe_error(OE_FAILED, errno == EEXIST ? "%s exists: move it away" : "%s cannot be made", kept);
	if (rename(job->r.new_file, job->conf.server_key) != 0) {
		int why = errno;

		(void)unlink(kept);
		return oe_error(OE_FAILED, why == EXDEV ? "%s has to be in the file system of server-key" : "%s cannot be moved to server-key",
				job->r.new_file);
	}
	printf("%s has the new key; the old one is in %s\n", job->conf.server_key, kept);
	return OE_OK;
}

static enum oe_exit switch_keys(struct job *job)
{
	struct rollover_key now;
	enum oe_exit status = ripen(job);

	if (status == OE_OK)
		status = key_file_record(job->conf.server_key, now.rdata, &now.record);
	if (status == OE_OK && !key_is_same(&now.record, &job->r.new.record))
		status = key_is_same(&now.record, &job->r.old.record)
				 ? replace_file(job)
				 : oe_error(OE_FAILED, "%s has a key that is neither the old nor the new one", job->conf.server_key);
	if (status == OE_OK && job->r.switched_s == 0) {
		job->r.switched_s = time(NULL);
		status = save(job);
	}
	if (status == OE_OK)
		printf("next: restart oe-iked, which then signs with it, and oe key rollover finish\n");
	return status;
}

/* finish, cancel ------------------------------------------------------------------------------------------------------ */

/* Has oe-iked started after the switch? One that does not run signs nothing. */
static enum oe_exit uses_new_key(const struct job *job)
{
	char problem[CLIENT_PROBLEM_MAX];
	json_t *last;
	enum oe_exit status = client_ask_quietly(job->oe, json_pack("{s:s}", "command", "version"), NULL, NULL, &last, problem);
	int64_t up_s = json_integer_value(json_object_get(last, "up_s"));

	json_decref(last);
	if (status == OE_UNREACHABLE)
		return OE_OK;
	if (status != OE_OK)
		return oe_error(status, "%s", problem);
	return time(NULL) - up_s >= job->r.switched_s ? OE_OK
						      : oe_error(OE_FAILED, "oe-iked still signs with the old key: restart it");
}

static enum oe_exit withdraw(struct job *job, const struct step *step)
{
	enum oe_exit status = OE_OK;

	for (unsigned i = 0; status == OE_OK && i < job->r.n; i++)
		status = change_name(job, step, &job->r.names[i]);
	return status == OE_OK ? rollover_remove(job->o.state) : status;
}

static enum oe_exit finish(struct job *job)
{
	struct step step = { .there = &job->r.new, .moving = &job->r.old };
	enum oe_exit status;

	if (job->r.switched_s == 0)
		return oe_error(OE_FAILED, "server-key still has the old key: oe key rollover switch comes first");
	status = uses_new_key(job);
	if (status == OE_OK)
		status = withdraw(job, &step);
	if (status == OE_OK)
		printf("the old key is withdrawn; nobody needs its file any more\n");
	return status;
}

static enum oe_exit cancel(struct job *job)
{
	struct step step = { .there = &job->r.old, .moving = &job->r.new };

	if (job->r.switched_s != 0)
		return oe_error(OE_FAILED, "server-key has the new key already: oe key rollover finish");
	return withdraw(job, &step);
}

/* status ------------------------------------------------------------------------------------------------------------- */

static enum oe_exit status(struct job *job)
{
	const struct rollover *r = &job->r;
	char text[DNSNAME_TEXT_MAX], at[KEY_TIME_TEXT_MAX];

	if (!job->under_way) {
		printf("none is under way\n");
		return OE_OK;
	}
	printf("from the key with tag %u to that with tag %u\n", ipseckey_tag(&r->old.record), ipseckey_tag(&r->new.record));
	for (unsigned i = 0; i < r->n; i++)
		printf("  %s: %s%s; the TTL before was %u s\n", dnsname_text(&r->names[i].name, text),
		       r->names[i].published_s != 0 ? "both published since " : "the new one is not published yet",
		       r->names[i].published_s != 0 ? key_time_text(r->names[i].published_s, at) : "", r->names[i].ttl_s);
	if (r->switched_s != 0)
		printf("server-key is the new one since %s; next: restart oe-iked, and oe key rollover finish\n", key_time_text(r->switched_s, at));
	else if (rollover_ripe_s(r) == 0)
		printf("next: oe key rollover start\n");
	else
		printf("next: oe key rollover switch, not before %s\n", key_time_text(rollover_ripe_s(r), at));
	return OE_OK;
}

/* The command --------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	enum oe_exit (*run)(struct job *job);
	const char *options;        /* letters of struct key_options */
	bool needs_one, takes_arguments;
} words[] = {
	{ "start", start, "flst", false, true },
	{ "switch", switch_keys, "fw", true, false },
	{ "finish", finish, "f", true, false },
	{ "cancel", cancel, "f", true, false },
	{ "status", status, "f", false, false },
};

enum oe_exit key_rollover(const struct oe *oe, int argc, char **argv)
{
	static struct job job;
	enum oe_exit result;
	size_t i = 0;

	job = (struct job){ .oe = oe };
	while (argc > 1 && i < sizeof words / sizeof *words && strcmp(words[i].word, argv[1]) != 0)
		i++;
	if (argc < 2 || i == sizeof words / sizeof *words)
		return oe_usage(&command_key, "rollover wants start, switch, finish, cancel or status");
	result = key_options_read(argc - 1, argv + 1, words[i].options, &job.o);
	if (result == OE_OK && job.o.n > 0 && !words[i].takes_arguments)
		return oe_usage(&command_key, "rollover %s takes no argument", words[i].word);
	if (result == OE_OK)
		result = key_conf(oe, &job.conf);
	if (result == OE_OK)
		result = rollover_load(job.o.state, &job.r, &job.under_way);
	if (result == OE_OK && words[i].needs_one && !job.under_way)
		return oe_error(OE_FAILED, "no rollover is under way");
	return result == OE_OK ? words[i].run(&job) : result;
}
