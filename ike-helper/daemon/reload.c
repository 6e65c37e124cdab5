#include "config.h"

#include "daemon/reload.h"

#include <string.h>

/* What is looked at each time that it is needed. */
static const char *const at_run_time[] = {
	"allow-private", "anonymous-max", "anonymous-per-source", "attempt", "establishing-max", "idle", "ike-life", "log-level", "policy-dir",
	"soft-life",
};

static bool is_at_run_time(const char *name)
{
	for (size_t i = 0; i < sizeof at_run_time / sizeof *at_run_time; i++)
		if (strcmp(at_run_time[i], name) == 0)
			return true;
	return false;
}

static void note(const char **names, unsigned *n, const char *name)
{
	if (*n < RELOAD_MAX)
		names[(*n)++] = name;
}

void reload_note(struct reload *out, const char *what)
{
	note(out->changed, &out->n_changed, what);
}

void reload_take(struct conf *conf, const struct conf *new, struct reload *out)
{
	const struct option_row *rows;
	unsigned n;

	out->n_changed = out->n_restart = 0;
	rows = conf_options(&n);
	for (unsigned i = 0; i < n; i++) {
		if (conf_same(&rows[i], conf, new))
			continue;
		if (is_at_run_time(rows[i].name)) {
			conf_take(&rows[i], conf, new);
			note(out->changed, &out->n_changed, rows[i].name);
		} else {
			note(out->restart, &out->n_restart, rows[i].name);
		}
	}
}
