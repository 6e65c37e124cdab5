/* conf_line.h - one line of oe.conf, in the syntax of unbound.conf: `name: value`, `# comment`, "quoted value".
 *
 * Used by the daemon and by the module, so that one file serves both. It knows no option names.
 */
#ifndef OE_BASE_CONF_LINE_H
#define OE_BASE_CONF_LINE_H

#include "base/cursor.h"
#include "base/err.h"

enum conf_line_kind {
	CONF_LINE_EMPTY,            /* blank or comment only */
	CONF_LINE_OPTION,           /* name and value are set */
	CONF_LINE_BAD,              /* error is set: a static text that says what is wrong */
};

struct conf_line {
	enum conf_line_kind kind;
	struct span name;           /* without the colon; a view into the line */
	struct span value;          /* without surrounding blanks or quotes; may be empty only when quoted */
	const char *error;          /* "no colon after the option name", "no option name", "no value",
	                             * "quote not closed", "text after the closing quote", "control character" */
};

/* line: without or with its newline. Never fails; CONF_LINE_BAD tells. */
struct conf_line conf_line_read(struct span line);

#endif
