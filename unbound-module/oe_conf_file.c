/*
 * unbound-module/oe_conf_file.c - what the module reads from oe.conf.
 */

/**
 * \file
 * Reads resolver-socket, policy-dir and deadline from oe.conf.
 */

#include "ub_compat.h"
#include "oe_conf_file.h"
#include "oe_config.h"

#include "base/conf_line.h"

/** longest line of the file */
#define OE_CONF_LINE_MAX 1024

/** note what is wrong with a line, or with the file if there is none: words
 * to follow the name of an option, or no option and whole words */
static void
config_error(struct oe_config* cfg, const char* file, int line,
	const char* option, const char* what)
{
	char at[16] = "";
	if(line)
		snprintf(at, sizeof(at), ":%d", line);
	snprintf(cfg->error, sizeof(cfg->error), "%s%s: %s%s%s", file, at,
		option, *option ? " " : "", what);
	log_err("unbound-oe: %s; names with a key are refused", cfg->error);
}

/** is the name of this option */
static int
option_is(struct span name, const char* option)
{
	return span_equal(name, span_of(option, strlen(option)));
}

/** the number that a value is; -1 if it is none */
static int
number_of(struct span value)
{
	size_t i;
	int number = 0;
	if(value.n == 0 || value.n > 6)
		return -1;
	for(i = 0; i < value.n; i++) {
		if(value.p[i] < '0' || value.p[i] > '9')
			return -1;
		number = number*10 + (value.p[i] - '0');
	}
	return number;
}

/** apply one line; returns what is wrong with it or NULL, and with which
 * option, empty if with none */
static const char*
config_line(struct oe_config* cfg, struct span text, const char** option)
{
	struct conf_line line = conf_line_read(text);
	*option = "";
	if(line.kind == CONF_LINE_BAD)
		return line.error;
	if(line.kind == CONF_LINE_EMPTY)
		return NULL;
	if(option_is(line.name, *option = "resolver-socket"))
		return oe_config_set_socket(cfg, (const char*)line.value.p,
			line.value.n);
	if(option_is(line.name, *option = "policy-dir"))
		return oe_config_set_policy_dir(cfg,
			(const char*)line.value.p, line.value.n);
	if(option_is(line.name, *option = "deadline")) {
		int ms = number_of(line.value);
		return ms < 0 ? "wants a number of milliseconds" :
			oe_config_set_deadline(cfg, ms);
	}
	return NULL; /* the helper's, who checks it */
}

void
oe_conf_file_read(struct oe_config* cfg)
{
	const char* file = getenv("OE_CONF");
	char line[OE_CONF_LINE_MAX];
	int number = 0;
	FILE* in;
	memset(cfg, 0, sizeof(*cfg));
	snprintf(cfg->socket, sizeof(cfg->socket), "%s",
		RUNSTATEDIR "/unbound-oe/resolver.sock");
	snprintf(cfg->policy_dir, sizeof(cfg->policy_dir), "%s",
		SYSCONFDIR "/unbound-oe/policies");
	cfg->deadline_ms = OE_DEADLINE_DEFAULT_MS;
	if(!file || !*file)
		file = SYSCONFDIR "/unbound-oe/oe.conf";
	in = fopen(file, "r");
	if(!in) {
		if(errno != ENOENT)
			config_error(cfg, file, 0, "", strerror(errno));
		return;
	}
	while(!cfg->error[0] && fgets(line, (int)sizeof(line), in)) {
		const char* option = "", *wrong;
		size_t len = strlen(line);
		number++;
		if(len == sizeof(line)-1 && line[len-1] != '\n')
			wrong = "line too long";
		else	wrong = config_line(cfg, span_of(line, len), &option);
		if(wrong)
			config_error(cfg, file, number, option, wrong);
	}
	if(!cfg->error[0] && ferror(in))
		config_error(cfg, file, 0, "", "cannot be read");
	fclose(in);
}
