/* control_commands.h - the commands of docs/control.md: a request in, lines of an answer out. Knows
 * nothing of sockets. */
#ifndef OE_DAEMON_CONTROL_COMMANDS_H
#define OE_DAEMON_CONTROL_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dnsname.h"
#include "daemon/controld.h"

/* An answer of many lines that is under way. */
struct control_walk {
	bool active;                    /* control_walk_next() has more */
	uint64_t cursor;
	unsigned found;
	struct dnsname name;            /* n = 0: any */
	struct ip_addr address;         /* IP_NONE: any */
	json_t *lines;                  /* these, and no tunnels; owned */
	bool watch;                     /* no answer: events, from now on */
};

/* Run a request. Returns the answer's line; NULL when walk->active, or when there is no memory. */
json_t *control_run(const struct controld_user *user, const json_t *request,
		    struct control_walk *walk);

/* The next line of a long answer; the last one ends it. NULL: no memory. */
json_t *control_walk_next(const struct controld_user *user, struct control_walk *walk);

/* The command "why": control_run() for it. */
json_t *control_why(const struct controld_user *user, const json_t *request, struct control_walk *walk);

/* "pause", "resume", "clear", "clear-end", "clear-list". */
json_t *control_pause(const struct controld_user *user, const json_t *request, struct control_walk *walk);
json_t *control_resume(const struct controld_user *user, const json_t *request, struct control_walk *walk);
json_t *control_clear(const struct controld_user *user, const json_t *request, struct control_walk *walk);
json_t *control_clear_end(const struct controld_user *user, const json_t *request, struct control_walk *walk);
json_t *control_clear_list(const struct controld_user *user, const json_t *request, struct control_walk *walk);

/* The member "match", a domain name or an address, into walk. NULL, or what is wrong with it. */
json_t *control_read_match(const json_t *request, bool needed, struct control_walk *out);

/* A line for those who watch (control_json.c). NULL: no memory. */
json_t *control_event(const struct controld_user *user, const struct tunnel_event *event);

/* An answer that is not wanted any more. */
void control_walk_end(struct control_walk *walk);

/* {"result": "error", ...}; NULL: no memory. */
json_t *control_error(const char *word, const char *text);

#endif
