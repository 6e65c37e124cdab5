#include "config.h"

#include "cli/rollover.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1 };

/* Reading ------------------------------------------------------------------------------------------------------------- */

static bool read_text(const json_t *all, const char *member, char *to, size_t max)
{
	const char *text = json_string_value(json_object_get(all, member));

	return text && snprintf(to, max, "%s", text) < (int)max;
}

static bool read_key(const json_t *all, const char *member, struct rollover_key *out)
{
	const char *text = json_string_value(json_object_get(all, member)), *why;
	struct wr w = wr_over(out->rdata, sizeof out->rdata);

	return text && ipseckey_from_text(text, &w, &why) == IKE_OK && ipseckey_read(wr_span(&w), &out->record) == IKE_OK;
}

static bool read_name(const json_t *one, struct rollover_name *out)
{
	const char *name = json_string_value(json_object_get(one, "name"));
	json_int_t ttl_s = json_integer_value(json_object_get(one, "ttl_s"));

	out->published_s = json_integer_value(json_object_get(one, "published_s"));
	out->ttl_s = (uint32_t)ttl_s;
	return name && ttl_s >= 0 && ttl_s <= INT32_MAX && dnsname_from_text(name, &out->name) == IKE_OK;
}

static bool read_all(const json_t *all, struct rollover *out)
{
	const json_t *names = json_object_get(all, "names"), *one;
	size_t i;

	if (json_integer_value(json_object_get(all, "version")) != FORMAT || json_array_size(names) > ROLLOVER_NAMES_MAX ||
	    !read_key(all, "old", &out->old) || !read_key(all, "new", &out->new) ||
	    !read_text(all, "new_file", out->new_file, sizeof out->new_file) || !read_text(all, "tsig", out->tsig, sizeof out->tsig) ||
	    !read_text(all, "server", out->server, sizeof out->server))
		return false;
	out->ttl_s = (uint32_t)json_integer_value(json_object_get(all, "ttl_s"));
	out->switched_s = json_integer_value(json_object_get(all, "switched_s"));
	json_array_foreach(names, i, one)
		if (!read_name(one, &out->names[out->n++]))
			return false;
	return out->n > 0;
}

enum oe_exit rollover_load(const char *file, struct rollover *out, bool *found)
{
	json_error_t error;
	json_t *all;
	bool good;

	memset(out, 0, sizeof *out);
	*found = access(file, F_OK) == 0 || errno != ENOENT;
	if (!*found)
		return OE_OK;
	all = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
	if (!all)
		return oe_error(OE_FAILED, "%s is not the state of a rollover, or cannot be read: %s", file, error.text);
	good = read_all(all, out);
	json_decref(all);
	return good ? OE_OK : oe_error(OE_FAILED, "%s is not of this version of oe, or damaged", file);
}

/* Writing ------------------------------------------------------------------------------------------------------------- */

static json_t *key_json(const struct rollover_key *key)
{
	char text[IPSECKEY_TEXT_MAX];

	return ipseckey_to_text(&key->record, text, sizeof text) == IKE_OK ? json_string(text) : json_null();
}

static json_t *names_json(const struct rollover *r)
{
	json_t *all = json_array();
	char text[DNSNAME_TEXT_MAX];

	for (unsigned i = 0; i < r->n; i++)
		json_array_append_new(all, json_pack("{s:s, s:I, s:I}", "name", dnsname_text(&r->names[i].name, text), "ttl_s",
						     (json_int_t)r->names[i].ttl_s, "published_s", (json_int_t)r->names[i].published_s));
	return all;
}

static bool write_file(const char *file, const json_t *all)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good;

	if (fd < 0)
		return false;
	good = json_dumpfd(all, fd, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0 && fsync(fd) == 0;
	return close(fd) == 0 && good;
}

/* The folder of its own that the state has by default may not be there yet. */
static void make_folder(const char *file)
{
	char folder[ROLLOVER_PATH_MAX];
	char *slash;

	snprintf(folder, sizeof folder, "%s", file);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		(void)mkdir(folder, 0755);
	}
}

enum oe_exit rollover_save(const char *file, const struct rollover *r)
{
	char beside[ROLLOVER_PATH_MAX + 8];
	enum oe_exit status = OE_OK;
	json_t *all;

	all = json_pack("{s:i, s:o, s:o, s:s, s:s, s:s, s:I, s:I, s:o}", "version", FORMAT, "old", key_json(&r->old), "new",
			key_json(&r->new), "new_file", r->new_file, "tsig", r->tsig, "server", r->server, "ttl_s", (json_int_t)r->ttl_s,
			"switched_s", (json_int_t)r->switched_s, "names", names_json(r));
	make_folder(file);
	snprintf(beside, sizeof beside, "%s.new", file);
	if (!all)
		return oe_error(OE_FAILED, "out of memory");
	if (!write_file(beside, all) || rename(beside, file) != 0)
		status = oe_error(OE_FAILED, "%s: %s", file, strerror(errno));
	json_decref(all);
	return status;
}

enum oe_exit rollover_remove(const char *file)
{
	return unlink(file) == 0 ? OE_OK : oe_error(OE_FAILED, "%s: %s", file, strerror(errno));
}

int64_t rollover_ripe_s(const struct rollover *r)
{
	int64_t ripe = 0;

	for (unsigned i = 0; i < r->n; i++) {
		if (r->names[i].published_s == 0)
			return 0;
		if (r->names[i].published_s + r->names[i].ttl_s > ripe)
			ripe = r->names[i].published_s + r->names[i].ttl_s;
	}
	return ripe;
}
