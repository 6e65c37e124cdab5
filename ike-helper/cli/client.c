#include "config.h"

#include "cli/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/text.h"
#include "proto/control_proto.h"

enum { ANSWER_WAIT_S = 10 };

enum oe_exit client_conf(const struct oe *oe, struct conf *out)
{
	char error[CONF_ERROR_MAX];

	if (conf_read_unjudged(oe->conf, oe->conf_given, out, error) == IKE_OK)
		return OE_OK;
	return oe_error(OE_USAGE, "%s", error);
}

/* What went wrong, for the caller to tell. */
__attribute__((format(printf, 3, 4)))
static enum oe_exit problem_is(char problem[CLIENT_PROBLEM_MAX], enum oe_exit status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(problem, CLIENT_PROBLEM_MAX, format, args);
	va_end(args);
	return status;
}

/* wait_s: for a line of the answer; 0: for ever. */
static enum oe_exit open_stream(const struct oe *oe, unsigned wait_s, FILE **out, char *problem)
{
	const struct timeval wait = { .tv_sec = wait_s };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct conf conf;
	int fd;

	*out = NULL;
	if (conf_read_unjudged(oe->conf, oe->conf_given, &conf, problem) != IKE_OK)
		return OE_USAGE;
	memcpy(address.sun_path, conf.control_socket, sizeof address.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return problem_is(problem, OE_FAILED, "%s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		int why = errno;

		close(fd);
		if (why == ENOENT || why == ECONNREFUSED)
			return problem_is(problem, OE_UNREACHABLE, "oe-iked is not running (nobody listens on %s)", address.sun_path);
		if (why == EACCES)
			return problem_is(problem, OE_UNREACHABLE,
					  "no permission for %s: be root, or a member of the group that the option control-group names",
					  address.sun_path);
		return problem_is(problem, OE_UNREACHABLE, "%s: %s", address.sun_path, strerror(why));
	}
	*out = fdopen(fd, "r+");
	if (*out)
		return OE_OK;
	close(fd);
	return problem_is(problem, OE_FAILED, "out of memory");
}

static enum oe_exit refused(const json_t *line, char *problem)
{
	const char *text = json_string_value(json_object_get(line, "error"));
	char safe[TEXT_SAFE_MAX];

	return problem_is(problem, OE_FAILED, "%s", text_safe(text ? text : "refused without a reason", safe));
}

static enum oe_exit read_answer(FILE *stream, client_line *each, void *arg, json_t **last, char *problem)
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
			status = strcmp(result, "ok") == 0 ? OE_OK : refused(line, problem);
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
		(void)problem_is(problem, status, line || feof(stream) ? "oe-iked broke off its answer" : "oe-iked does not answer");
	}
	json_decref(line);
	free(text);
	return status;
}

static enum oe_exit converse(const struct oe *oe, json_t *request, unsigned wait_s, client_line *each, void *arg, json_t **last,
			     char *problem)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	enum oe_exit status;
	FILE *stream = NULL;

	*last = NULL;
	problem[0] = '\0';
	json_decref(request);
	if (!text)
		return problem_is(problem, OE_FAILED, "out of memory");
	status = open_stream(oe, wait_s, &stream, problem);
	if (status == OE_OK && (fprintf(stream, "%s\n", text) < 0 || fflush(stream) != 0))
		status = problem_is(problem, OE_UNREACHABLE, "oe-iked does not answer");
	if (status == OE_OK)
		status = read_answer(stream, each, arg, last, problem);
	if (stream)
		fclose(stream);
	free(text);
	return status;
}

enum oe_exit client_ask_quietly(const struct oe *oe, json_t *request, client_line *each, void *arg, json_t **last,
				char problem[CLIENT_PROBLEM_MAX])
{
	return converse(oe, request, ANSWER_WAIT_S, each, arg, last, problem);
}

enum oe_exit client_follow(const struct oe *oe, json_t *request, client_line *each, void *arg)
{
	char problem[CLIENT_PROBLEM_MAX];
	json_t *last;
	enum oe_exit status = converse(oe, request, 0, each, arg, &last, problem);

	json_decref(last);
	return oe_error(status, "%s", problem);
}

enum oe_exit client_ask(const struct oe *oe, json_t *request, client_line *each, void *arg, json_t **last)
{
	char problem[CLIENT_PROBLEM_MAX];
	enum oe_exit status = client_ask_quietly(oe, request, each, arg, last, problem);

	return status == OE_OK ? OE_OK : oe_error(status, "%s", problem);
}
