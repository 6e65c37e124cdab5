#include "config.h"

#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/conf.h"
#include "cli/text.h"
#include "proto/control_proto.h"

enum { ANSWER_WAIT_S = 10 };

static enum oe_exit open_stream(const struct oe *oe, FILE **out)
{
	const struct timeval wait = { .tv_sec = ANSWER_WAIT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	enum oe_exit status = conf_find(oe, "control-socket", CONTROL_SOCKET_DEFAULT, address.sun_path, sizeof address.sun_path);
	int fd;

	*out = NULL;
	if (status != OE_OK)
		return status;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return oe_error(OE_FAILED, "%s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		int why = errno;

		close(fd);
		if (why == ENOENT || why == ECONNREFUSED)
			return oe_error(OE_UNREACHABLE,
					"oe-iked is not running (nobody listens on %s)",
					address.sun_path);
		if (why == EACCES)
			return oe_error(
				OE_UNREACHABLE,
				"no permission for %s: be root, or a member of the group that the option "
				"control-group names",
				address.sun_path);
		return oe_error(OE_UNREACHABLE, "%s: %s", address.sun_path, strerror(why));
	}
	*out = fdopen(fd, "r+");
	if (*out)
		return OE_OK;
	close(fd);
	return oe_error(OE_FAILED, "out of memory");
}

static enum oe_exit refused(const json_t *line)
{
	const char *text = json_string_value(json_object_get(line, "error"));
	char safe[TEXT_SAFE_MAX];

	return oe_error(OE_FAILED, "%s", text_safe(text ? text : "refused without a reason", safe));
}

static enum oe_exit read_answer(FILE *stream, client_line *each, void *arg, json_t **last)
{
	char *text = malloc(CONTROL_ANSWER_MAX);
	enum oe_exit status = OE_UNREACHABLE;
	json_t *line = NULL;

	while (text && fgets(text, CONTROL_ANSWER_MAX, stream)) {
		const char *result;

		line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(line))
			break;
		result = json_string_value(json_object_get(line, "result"));
		if (result) {
			status = strcmp(result, "ok") == 0 ? OE_OK : refused(line);
			break;
		}
		if (each)
			each(arg, line);
		json_decref(line);
		line = NULL;
	}
	if (status == OE_OK) {
		*last = line;
		line = NULL;
	} else if (status == OE_UNREACHABLE) {
		(void)oe_error(status, line || feof(stream) ? "oe-iked broke off its answer"
							    : "oe-iked does not answer");
	}
	json_decref(line);
	free(text);
	return status;
}

enum oe_exit client_ask(const struct oe *oe, json_t *request, client_line *each, void *arg,
			json_t **last)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	enum oe_exit status;
	FILE *stream = NULL;

	*last = NULL;
	json_decref(request);
	if (!text)
		return oe_error(OE_FAILED, "out of memory");
	status = open_stream(oe, &stream);
	if (status == OE_OK && (fprintf(stream, "%s\n", text) < 0 || fflush(stream) != 0))
		status = oe_error(OE_UNREACHABLE, "oe-iked does not answer");
	if (status == OE_OK)
		status = read_answer(stream, each, arg, last);
	if (stream)
		fclose(stream);
	free(text);
	return status;
}
