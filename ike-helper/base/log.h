/* log.h - a handle to whoever writes the log; no globals.
 *
 * Levels: LOG_ERROR = somebody must act; LOG_INFO = one line for each event in the life of a tunnel (default);
 * LOG_DEBUG = one line for each exchange and each dropped datagram. Keys, nonces and packets appear at no level.
 */
#ifndef OE_BASE_LOG_H
#define OE_BASE_LOG_H

#include <stdarg.h>

enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_INFO = 1, LOG_LEVEL_DEBUG = 2 };

struct log {
	/* text is one line without a newline; valid during the call only. */
	void (*write)(void *arg, enum log_level level, const char *text);
	void *arg;
	enum log_level max;         /* lines above this level are not formatted at all */
};

/* A line longer than 512 bytes is cut. log may be NULL: then nothing happens. */
__attribute__((format(printf, 3, 4)))
void log_line(const struct log *log, enum log_level level, const char *format, ...);

#define log_error(log, ...) log_line((log), LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_info(log, ...) log_line((log), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_line((log), LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
