#include "config.h"

#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf_line.h"
#include "conf/options.h"

#define OPTION_ROW(name_, field, kind_, fallback_, min_, max_, help_) \
	{ .name = name_, .kind = kind_, .offset = offsetof(struct conf, field), \
	  .fallback = fallback_, .min = min_, .max = max_, .help = help_ },

static const struct option_row rows[] = { CONF_OPTIONS(OPTION_ROW) };

enum { ROWS = sizeof rows / sizeof *rows, VALUE_MAX = CONF_LINE_MAX, NAME_TEXT_MAX = 32 };

static const char *const level_words[] = { "error", "info", "debug" };

const struct option_row *conf_options(unsigned *n)
{
	*n = ROWS;
	return rows;
}

/* Values: each setter says what is wrong as "... (allowed: ...)", or "" ------------------------ */

enum { WRONG_MAX = 200 };

static void set_number(uint32_t *field, const struct option_row *row, const char *value,
		       char *wrong)
{
	unsigned long long number;
	char *end;

	if (value[0] < '0' || value[0] > '9') {
		snprintf(wrong, WRONG_MAX, "is not a number (allowed: %u to %u)", row->min,
			 row->max);
		return;
	}
	errno = 0;
	number = strtoull(value, &end, 10);
	if (*end != '\0')
		snprintf(wrong, WRONG_MAX, "is not a number (allowed: %u to %u)", row->min,
			 row->max);
	else if (errno != 0 || number < row->min || number > row->max)
		snprintf(wrong, WRONG_MAX, "is out of range (allowed: %u to %u)", row->min,
			 row->max);
	else
		*field = (uint32_t)number;
}

static void set_bool(bool *field, const char *value, char *wrong)
{
	if (strcmp(value, "yes") == 0)
		*field = true;
	else if (strcmp(value, "no") == 0)
		*field = false;
	else
		snprintf(wrong, WRONG_MAX, "is neither yes nor no");
}

static void set_path(char *field, const struct option_row *row, const char *value, char *wrong)
{
	if (value[0] != '/')
		snprintf(wrong, WRONG_MAX, "is not an absolute path");
	else if (strlen(value) >= row->max)
		snprintf(wrong, WRONG_MAX, "is too long (allowed: %u bytes)", row->max - 1);
	else
		memcpy(field, value, strlen(value) + 1);
}

static void set_word(char *field, const struct option_row *row, const char *value, char *wrong)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (value[0] == '\0' || value[strspn(value, allowed)] != '\0')
		snprintf(wrong, WRONG_MAX, "is not the name of a group");
	else if (strlen(value) >= row->max)
		snprintf(wrong, WRONG_MAX, "is too long (allowed: %u bytes)", row->max - 1);
	else
		memcpy(field, value, strlen(value) + 1);
}

static void set_level(enum log_level *field, const char *value, char *wrong)
{
	unsigned i;

	for (i = 0; i < sizeof level_words / sizeof *level_words; i++)
		if (strcmp(value, level_words[i]) == 0) {
			*field = (enum log_level)i;
			return;
		}
	snprintf(wrong, WRONG_MAX, "is not a level (allowed: error, info, debug)");
}

static void set_name(struct dnsname *field, const char *value, char *wrong)
{
	struct dnsname name;

	if (value[0] == '\0' || dnsname_from_text(value, &name) != IKE_OK || name.n <= 1)
		snprintf(wrong, WRONG_MAX, "is not a domain name");
	else
		*field = name;
}

static void add_name(struct conf_names *field, const char *value, char *wrong)
{
	struct dnsname name;

	if (value[0] == '\0' || dnsname_from_text(value, &name) != IKE_OK)
		snprintf(wrong, WRONG_MAX, "is not a domain name");
	else if (field->n == CONF_NAMES_MAX)
		snprintf(wrong, WRONG_MAX, "is one too many (allowed: %d)", CONF_NAMES_MAX);
	else
		field->at[field->n++] = name;
}

/* row->min is the port when none is given. */
static void set_server(struct ip_endpoint *field, const struct option_row *row, const char *value, char *wrong)
{
	struct ip_endpoint server;

	if (ip_server_from_text(value, (uint16_t)row->min, &server) != IKE_OK)
		snprintf(wrong, WRONG_MAX, "is not the address of a server (allowed: ADDRESS or ADDRESS@PORT)");
	else
		*field = server;
}

static void add_address(struct conf *conf, const char *value, char *wrong)
{
	struct ip_addr address;

	if (ip_from_text(value, &address) != IKE_OK)
		snprintf(wrong, WRONG_MAX, "is not an IPv4 or IPv6 address");
	else if (ip_scope(&address) == IP_SCOPE_MULTICAST ||
		 ip_scope(&address) == IP_SCOPE_UNUSABLE)
		snprintf(wrong, WRONG_MAX, "is not the address of a host");
	else if (conf->listen.n == CONF_LISTEN_MAX)
		snprintf(wrong, WRONG_MAX, "is one too many (allowed: %d)", CONF_LISTEN_MAX);
	else
		conf->listen.at[conf->listen.n++] = address;
}

/* Clients take no other addresses (RFC 6598, RFC 4193): what they are assigned, others must not have. */
static bool may_be_assigned(const struct ip_addr *a)
{
	return a->family == IP_V4 ? a->b[0] == 100 && (a->b[1] & 0xc0) == 64 : (a->b[0] & 0xfe) == 0xfc;
}

static bool has_host_bits(const struct ip_addr *a, unsigned length)
{
	struct span bytes = ip_bytes(a);

	for (unsigned bit = length; bit < 8 * bytes.n; bit++)
		if (bytes.p[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

/* All addresses of the prefix but, where there are more than two, the first and the last, which some take for something else. */
static struct conf_pool pool_of(const struct ip_addr *prefix, unsigned host_bits)
{
	struct conf_pool pool = { .first = *prefix, .n = host_bits >= 16 ? CONF_POOL_MAX : 1u << host_bits };

	if (pool.n > 2) {
		pool.first.b[ip_bytes(prefix).n - 1] |= 1;
		pool.n -= 2;
	}
	return pool;
}

static void set_pool(struct conf *conf, const char *value, char *wrong)
{
	static const char allowed[] = "(allowed: ADDRESS/LENGTH inside 100.64.0.0/10 or fc00::/7)";
	const char *slash = strchr(value, '/');
	char address[IP_TEXT_MAX] = "", *end = NULL;
	struct ip_addr prefix = { .family = IP_NONE };
	unsigned long length = 0;
	unsigned bits;

	if (slash && (size_t)(slash - value) < sizeof address && slash[1] >= '0' && slash[1] <= '9') {
		memcpy(address, value, (size_t)(slash - value));
		length = strtoul(slash + 1, &end, 10);
	}
	if (!end || *end != '\0' || ip_from_text(address, &prefix) != IKE_OK) {
		snprintf(wrong, WRONG_MAX, "is not a prefix %s", allowed);
		return;
	}
	bits = prefix.family == IP_V4 ? 32 : 128;
	if (length > bits || length < (prefix.family == IP_V4 ? 10u : 7u) || !may_be_assigned(&prefix))
		snprintf(wrong, WRONG_MAX, "is out of range %s", allowed);
	else if (has_host_bits(&prefix, (unsigned)length))
		snprintf(wrong, WRONG_MAX, "has bits behind its length %s", allowed);
	else
		*(prefix.family == IP_V4 ? &conf->pool.v4 : &conf->pool.v6) = pool_of(&prefix, bits - (unsigned)length);
}

static void set_option(struct conf *conf, const struct option_row *row, const char *value,
		       char *wrong)
{
	void *field = (char *)conf + row->offset;

	switch (row->kind) {
	case OPTION_PATH:
		set_path(field, row, value, wrong);
		break;
	case OPTION_WORD:
		set_word(field, row, value, wrong);
		break;
	case OPTION_NUMBER:
		set_number(field, row, value, wrong);
		break;
	case OPTION_BOOL:
		set_bool(field, value, wrong);
		break;
	case OPTION_NAME:
		set_name(field, value, wrong);
		break;
	case OPTION_NAMES:
		add_name(field, value, wrong);
		break;
	case OPTION_ADDRESS:
		add_address(conf, value, wrong);
		break;
	case OPTION_POOL:
		set_pool(conf, value, wrong);
		break;
	case OPTION_SERVER:
		set_server(field, row, value, wrong);
		break;
	case OPTION_LEVEL:
		set_level(field, value, wrong);
		break;
	}
}

bool conf_same(const struct option_row *row, const struct conf *a, const struct conf *b)
{
	const void *one = (const char *)a + row->offset, *other = (const char *)b + row->offset;

	switch (row->kind) {
	case OPTION_PATH:
	case OPTION_WORD:
		return strcmp(one, other) == 0;
	case OPTION_NUMBER:
		return *(const uint32_t *)one == *(const uint32_t *)other;
	case OPTION_BOOL:
		return *(const bool *)one == *(const bool *)other;
	case OPTION_NAME:
		return dnsname_equal(one, other);
	case OPTION_NAMES:
		return memcmp(one, other, sizeof(struct conf_names)) == 0;
	case OPTION_POOL:
		return memcmp(&a->pool, &b->pool, sizeof a->pool) == 0;
	case OPTION_SERVER:
		return ip_endpoint_equal(one, other);
	case OPTION_ADDRESS:
		return memcmp(&a->listen, &b->listen, sizeof a->listen) == 0;
	case OPTION_LEVEL:
		return *(const enum log_level *)one == *(const enum log_level *)other;
	}
	return false;
}

void conf_take(const struct option_row *row, struct conf *to, const struct conf *from)
{
	void *field = (char *)to + row->offset;
	const void *value = (const char *)from + row->offset;

	switch (row->kind) {
	case OPTION_PATH:
	case OPTION_WORD:
		memcpy(field, value, row->max);
		break;
	case OPTION_NUMBER:
		memcpy(field, value, sizeof(uint32_t));
		break;
	case OPTION_BOOL:
		memcpy(field, value, sizeof(bool));
		break;
	case OPTION_NAME:
		memcpy(field, value, sizeof(struct dnsname));
		break;
	case OPTION_NAMES:
		memcpy(field, value, sizeof(struct conf_names));
		break;
	case OPTION_ADDRESS:
		to->listen = from->listen;
		break;
	case OPTION_POOL:
		to->pool = from->pool;
		break;
	case OPTION_SERVER:
		memcpy(field, value, sizeof(struct ip_endpoint));
		break;
	case OPTION_LEVEL:
		memcpy(field, value, sizeof(enum log_level));
		break;
	}
}

void conf_defaults(struct conf *out)
{
	char wrong[WRONG_MAX];
	unsigned i;

	memset(out, 0, sizeof *out);
	for (i = 0; i < ROWS; i++)
		if (rows[i].fallback[0] != '\0')
			set_option(out, &rows[i], rows[i].fallback, wrong);
}

/* Names ---------------------------------------------------------------------------------------- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, delete or replace to get from one to the other (Levenshtein). */
static unsigned edits(const char *from, const char *to)
{
	unsigned row[NAME_TEXT_MAX + 1];
	size_t n = strlen(to), i, j;

	for (j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (i = 0; from[i] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (j = 0; j < n; j++) {
			unsigned above = row[j + 1];

			row[j + 1] = min3(row[j] + 1, above + 1, diagonal + (from[i] != to[j]));
			diagonal = above;
		}
	}
	return row[n];
}

/* The option that somebody who wrote this name may have meant, or NULL. */
static const char *nearest(const char *name)
{
	const char *best = NULL;
	unsigned best_edits = 4, i;

	if (strlen(name) > NAME_TEXT_MAX)
		return NULL;
	for (i = 0; i < ROWS; i++) {
		unsigned now = edits(name, rows[i].name);

		if (now < best_edits && now < strlen(name)) {
			best_edits = now;
			best = rows[i].name;
		}
	}
	return best;
}

static const struct option_row *find(const char *name)
{
	unsigned i;

	for (i = 0; i < ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

/* File ----------------------------------------------------------------------------------------- */

static enum ike_err apply_line(struct conf *conf, const char *file, unsigned number,
			       struct span text, char *error)
{
	struct conf_line line = conf_line_read(text);
	char name[VALUE_MAX], value[VALUE_MAX], wrong[WRONG_MAX] = "";
	const struct option_row *row;

	if (line.kind == CONF_LINE_EMPTY)
		return IKE_OK;
	if (line.kind == CONF_LINE_BAD) {
		snprintf(error, CONF_ERROR_MAX, "%s:%u: %s", file, number, line.error);
		return IKE_E_CONFIG;
	}
	snprintf(name, sizeof name, "%.*s", (int)line.name.n, (const char *)line.name.p);
	snprintf(value, sizeof value, "%.*s", (int)line.value.n, (const char *)line.value.p);
	row = find(name);
	if (!row) {
		const char *meant = nearest(name);

		snprintf(error, CONF_ERROR_MAX, "%s:%u: unknown option \"%.100s\"%s%s%s", file,
			 number, name, meant ? "; do you mean \"" : "", meant ? meant : "",
			 meant ? "\"?" : "");
		return IKE_E_CONFIG;
	}
	set_option(conf, row, value, wrong);
	if (wrong[0] == '\0')
		return IKE_OK;
	snprintf(error, CONF_ERROR_MAX, "%s:%u: %s: \"%.200s\" %s", file, number, row->name, value,
		 wrong);
	return IKE_E_CONFIG;
}

/* strict: a wrong line is an error; otherwise it is passed over. */
static enum ike_err read_lines(FILE *in, const char *file, bool strict, struct conf *conf, char *error)
{
	char text[CONF_LINE_MAX];
	unsigned number = 0;

	while (fgets(text, sizeof text, in)) {
		size_t n = strlen(text);
		enum ike_err err;

		number++;
		/* A NUL byte ends the text early; it must not hide what follows it. */
		if (strict && (n == 0 || (text[n - 1] != '\n' && !feof(in)))) {
			snprintf(error, CONF_ERROR_MAX,
				 n == sizeof text - 1 ? "%s:%u: line too long (allowed: %d bytes)"
						      : "%s:%u: control character",
				 file, number, CONF_LINE_MAX - 2);
			return IKE_E_CONFIG;
		}
		err = apply_line(conf, file, number, span_of(text, n), error);
		if (err != IKE_OK && strict)
			return err;
	}
	if (ferror(in)) {
		snprintf(error, CONF_ERROR_MAX, "%s: cannot be read: %s", file, strerror(errno));
		return IKE_E_CONFIG;
	}
	return IKE_OK;
}

/* What no single line can be blamed for. */
static enum ike_err check_together(const struct conf *conf, const char *file, char *error)
{
	const char *wrong = NULL;

	if (conf->ike_port == conf->natt_port)
		wrong = "ike-port and natt-port must differ";
	else if (conf->accept_anonymous && conf->server_key[0] == '\0')
		wrong = "accept-anonymous: \"yes\" needs server-key: "
			"without a key nobody is answered";
	else if (conf->accept_identified && conf->server_key[0] == '\0')
		wrong = "accept-identified: \"yes\" needs server-key: "
			"without a key nobody is answered";
	else if ((conf->pool.v4.n > 0 || conf->pool.v6.n > 0) && conf->server_key[0] == '\0')
		wrong = "address-pool needs server-key: without a key nobody is answered";
	else if (conf->identify_to.n > 0 && (conf->server_key[0] == '\0' || conf->server_identity.n == 0))
		wrong = "identify-to needs server-key and server-identity: the name to say, and the key to sign for it";
	else if (ip_scope(&conf->resolver.addr) != IP_SCOPE_LOOPBACK && !conf->trust_resolver)
		wrong = "resolver: it is not on this host, so what it says is believed only with trust-resolver: yes";
	else if (conf->cookie_threshold > conf->half_open_max)
		wrong = "cookie-threshold must not exceed half-open-max: no cookie would ever be demanded";
	else if (strcmp(conf->resolver_socket, conf->control_socket) == 0)
		wrong = "resolver-socket and control-socket must differ";
	else if (conf->fragment_size != 0 && conf->fragment_size < 576)
		wrong = "fragment-size: a value below 576 is too small for IKE "
			"(allowed: 0 and 576 to 65535)";
	if (!wrong)
		return IKE_OK;
	snprintf(error, CONF_ERROR_MAX, "%s: %s", file, wrong);
	return IKE_E_CONFIG;
}

static enum ike_err read_file(const char *file, bool must_exist, bool strict, struct conf *out, char *error)
{
	enum ike_err err;
	FILE *in;

	error[0] = '\0';
	conf_defaults(out);
	in = fopen(file, "re");
	if (!in) {
		if (errno == ENOENT && !must_exist)
			return IKE_OK;
		snprintf(error, CONF_ERROR_MAX, "%s: %s", file, strerror(errno));
		return IKE_E_CONFIG;
	}
	err = read_lines(in, file, strict, out, error);
	fclose(in);
	if (err == IKE_OK && strict)
		err = check_together(out, file, error);
	if (err != IKE_OK)
		conf_defaults(out);
	return err;
}

enum ike_err conf_read(const char *file, bool must_exist, struct conf *out, char error[CONF_ERROR_MAX])
{
	return read_file(file, must_exist, true, out, error);
}

enum ike_err conf_read_unjudged(const char *file, bool must_exist, struct conf *out, char error[CONF_ERROR_MAX])
{
	return read_file(file, must_exist, false, out, error);
}
