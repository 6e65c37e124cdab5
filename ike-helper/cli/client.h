/* client.h - the other end of docs/control.md. */
#ifndef OE_CLI_CLIENT_H
#define OE_CLI_CLIENT_H

#include "cli/oe.h"
#include "conf/conf.h"

enum { CLIENT_PROBLEM_MAX = CONF_ERROR_MAX };

/* The configuration, as far as oe needs it; it is oe-iked that judges it. Otherwise the person has been told why. */
enum oe_exit client_conf(const struct oe *oe, struct conf *out);

/* What to do with a line of the answer that is not the last one; borrowed. */
typedef void client_line(void *arg, const json_t *line);

/* Send request (taken over) and read the answer. *last receives its last line, a new reference,
 * when the status is OE_OK; the caller gives it back. Otherwise the person has been told why, and
 * *last is NULL. */
enum oe_exit client_ask(const struct oe *oe, json_t *request, client_line *each, void *arg,
			json_t **last);

/* Send request (taken over) and have each line of an answer that has no end, whenever it comes. Returns when oe-iked ends it: the person
 * has been told why. */
enum oe_exit client_follow(const struct oe *oe, json_t *request, client_line *each, void *arg);

/* The same as client_ask(), and it is for the caller to tell what went wrong. */
enum oe_exit client_ask_quietly(const struct oe *oe, json_t *request, client_line *each, void *arg, json_t **last,
				char problem[CLIENT_PROBLEM_MAX]);

#endif
