#include "config.h"

#include "daemon/logger.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
/* syslog.h and log.h both have names that begin with LOG_; they do not overlap. */
#include <syslog.h>

static const char *prefix(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_INFO:
		return "";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	}
	return "";
}

static void write_bare(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	fprintf(stderr, "oe-iked: %s%s\n", prefix(level), text);
}

static void write_timed(void *arg, enum log_level level, const char *text)
{
	char stamp[sizeof "2026-11-21T09:55:52"] = "";
	struct timespec now;
	struct tm utc;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc))
		(void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(stderr, "%s.%03ldZ oe-iked: %s%s\n", stamp, now.tv_nsec / 1000000, prefix(level),
		text);
}

static void write_syslog(void *arg, enum log_level level, const char *text)
{
	static const int priorities[] = {
		[LOG_LEVEL_ERROR] = LOG_ERR, [LOG_LEVEL_INFO] = LOG_INFO, [LOG_LEVEL_DEBUG] = LOG_DEBUG,
	};

	(void)arg;
	syslog(priorities[level], "%s", text);
}

void logger_to_stderr(struct log *log, enum log_level max)
{
	setvbuf(stderr, NULL, _IOLBF, 1024);
	log->write = getenv("JOURNAL_STREAM") ? write_bare : write_timed;
	log->arg = NULL;
	log->max = max;
}

void logger_to_syslog(struct log *log, enum log_level max)
{
	openlog("oe-iked", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	log->write = write_syslog;
	log->arg = NULL;
	log->max = max;
}
