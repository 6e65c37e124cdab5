#include "config.h"

#include "conf/groups_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum ike_err cannot_read(const char *path, char *error)
{
	snprintf(error, CONF_ERROR_MAX, "%.800s: cannot be read: %s", path, strerror(errno));
	return IKE_E_CONFIG;
}

static enum ike_err read_lines(FILE *in, const char *path, enum group group, struct groups *out, char *error)
{
	char text[GROUPS_LINE_MAX], wrong[GROUPS_WRONG_MAX];
	unsigned number = 0;

	while (fgets(text, sizeof text, in)) {
		size_t n = strlen(text);

		number++;
		/* A NUL byte ends the text early; it must not hide what follows it. */
		if (n == 0 || (text[n - 1] != '\n' && !feof(in)))
			snprintf(wrong, sizeof wrong, n == sizeof text - 1 ? "line too long (allowed: %d bytes)" : "control character",
				 GROUPS_LINE_MAX - 2);
		else if (groups_add_line(out, group, span_of(text, n), wrong) == IKE_OK)
			continue;
		snprintf(error, CONF_ERROR_MAX, "%.600s:%u: %s", path, number, wrong);
		return IKE_E_CONFIG;
	}
	return ferror(in) ? cannot_read(path, error) : IKE_OK;
}

static enum ike_err read_group(const char *folder, enum group group, struct groups *out, char *error)
{
	char path[CONF_PATH_MAX + 32];
	enum ike_err err;
	FILE *in;

	snprintf(path, sizeof path, "%s/%s", folder, group_word(group));
	in = fopen(path, "re");
	if (!in)
		return errno == ENOENT ? IKE_OK : cannot_read(path, error);
	err = read_lines(in, path, group, out, error);
	fclose(in);
	return err;
}

static bool is_group(const char *name)
{
	for (enum group group = GROUP_NONE + 1; group < GROUPS_END; group++)
		if (strcmp(name, group_word(group)) == 0)
			return true;
	return false;
}

static bool is_passed_over(const char *name)
{
	return strchr(name, '.') || name[strlen(name) - 1] == '~';
}

static enum ike_err look_for_others(const char *folder, char *error)
{
	DIR *in = opendir(folder);
	enum ike_err err = IKE_OK;
	const struct dirent *one;

	if (!in)
		return errno == ENOENT ? IKE_OK : cannot_read(folder, error);
	while (err == IKE_OK && (one = readdir(in)) != NULL) {
		if (is_passed_over(one->d_name) || is_group(one->d_name))
			continue;
		snprintf(error, CONF_ERROR_MAX,
			 "%.600s/%.100s: there is no such group (allowed: block, clear, clear-or-private, private-or-clear, private)",
			 folder, one->d_name);
		err = IKE_E_CONFIG;
	}
	closedir(in);
	return err;
}

enum ike_err groups_read(const char *folder, struct groups *out, char error[CONF_ERROR_MAX])
{
	enum ike_err err = look_for_others(folder, error);

	groups_clear(out);
	for (enum group group = GROUP_NONE + 1; err == IKE_OK && group < GROUPS_END; group++)
		err = read_group(folder, group, out, error);
	if (err != IKE_OK)
		groups_clear(out);
	return err;
}
