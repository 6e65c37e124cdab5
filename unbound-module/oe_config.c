/*
 * unbound-module/oe_config.c - what the module reads from oe.conf.
 */

/**
 * \file
 * Reads resolver-socket and deadline from oe.conf.
 */

#include "ub_compat.h"
#include "oe_config.h"

#include "base/conf_line.h"

/** the deadline has to end before Unbound's discard-timeout (1900 ms by
 * default), which drops an answer without a word */
#define OE_DEADLINE_DEFAULT_MS 1500
/** bounds of the deadline option */
#define OE_DEADLINE_MIN_MS 100
#define OE_DEADLINE_MAX_MS 60000
/** longest line of the file */
#define OE_CONF_LINE_MAX 1024

/** note what is wrong; the first mistake counts */
static void
config_error(struct oe_config* cfg, const char* file, int line,
	const char* what)
{
	if(cfg->error[0])
		return;
	if(line)
		snprintf(cfg->error, sizeof(cfg->error), "%s:%d: %s", file,
			line, what);
	else	snprintf(cfg->error, sizeof(cfg->error), "%s: %s", file, what);
	log_err("unbound-oe: %s; names with a key are refused", cfg->error);
}

/** is the name of this option */
static int
option_is(struct span name, const char* option)
{
	return span_equal(name, span_of(option, strlen(option)));
}

/** apply resolver-socket */
static const char*
set_socket(struct oe_config* cfg, struct span value)
{
	if(value.n == 0 || value.p[0] != '/')
		return "resolver-socket wants an absolute path";
	if(value.n >= sizeof(cfg->socket))
		return "resolver-socket: path too long for a socket";
	memcpy(cfg->socket, value.p, value.n);
	cfg->socket[value.n] = 0;
	return NULL;
}

/** apply deadline */
static const char*
set_deadline(struct oe_config* cfg, struct span value)
{
	size_t i;
	int ms = 0;
	for(i = 0; i < value.n; i++) {
		if(value.p[i] < '0' || value.p[i] > '9' || i > 5)
			return "deadline wants a number of milliseconds";
		ms = ms*10 + (value.p[i] - '0');
	}
	if(ms < OE_DEADLINE_MIN_MS || ms > OE_DEADLINE_MAX_MS)
		return "deadline must be between 100 and 60000 milliseconds";
	cfg->deadline_ms = ms;
	return NULL;
}

/** apply one line; returns what is wrong with it or NULL */
static const char*
config_line(struct oe_config* cfg, struct span text)
{
	struct conf_line line = conf_line_read(text);
	if(line.kind == CONF_LINE_BAD)
		return line.error;
	if(line.kind == CONF_LINE_EMPTY)
		return NULL;
	if(option_is(line.name, "resolver-socket"))
		return set_socket(cfg, line.value);
	if(option_is(line.name, "deadline"))
		return set_deadline(cfg, line.value);
	return NULL; /* the helper's, who checks it */
}

void
oe_config_read(struct oe_config* cfg)
{
	const char* file = getenv("OE_CONF");
	char line[OE_CONF_LINE_MAX];
	int number = 0;
	FILE* in;
	memset(cfg, 0, sizeof(*cfg));
	snprintf(cfg->socket, sizeof(cfg->socket), "%s",
		RUNSTATEDIR "/unbound-oe/resolver.sock");
	cfg->deadline_ms = OE_DEADLINE_DEFAULT_MS;
	if(!file || !*file)
		file = SYSCONFDIR "/unbound-oe/oe.conf";
	in = fopen(file, "r");
	if(!in) {
		if(errno != ENOENT)
			config_error(cfg, file, 0, strerror(errno));
		return;
	}
	while(fgets(line, (int)sizeof(line), in)) {
		const char* wrong;
		size_t len = strlen(line);
		number++;
		if(len == sizeof(line)-1 && line[len-1] != '\n')
			wrong = "line too long";
		else	wrong = config_line(cfg, span_of(line, len));
		if(wrong) {
			config_error(cfg, file, number, wrong);
			break;
		}
	}
	if(ferror(in))
		config_error(cfg, file, 0, "cannot be read");
	fclose(in);
}
