#include "config.h"

#include "cli/conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/conf_line.h"
#include "proto/control_proto.h"

enum oe_exit conf_find(const struct oe *oe, const char *option, const char *otherwise, char *to, size_t max)
{
	char text[CONTROL_REQUEST_MAX];
	enum oe_exit status = OE_OK;
	FILE *in = fopen(oe->conf, "re");

	snprintf(to, max, "%s", otherwise);
	if (!in && (errno != ENOENT || oe->conf_given))
		return oe_error(OE_USAGE, "%s: %s", oe->conf, strerror(errno));
	while (in && status == OE_OK && fgets(text, sizeof text, in)) {
		struct conf_line line = conf_line_read(span_of(text, strlen(text)));

		if (line.kind != CONF_LINE_OPTION || !span_equal(line.name, span_of(option, strlen(option))))
			continue;
		if (line.value.n >= max)
			status = oe_error(OE_USAGE, "%s: %s is too long", oe->conf, option);
		else
			snprintf(to, max, "%.*s", (int)line.value.n, (const char *)line.value.p);
	}
	if (in)
		fclose(in);
	return status;
}
