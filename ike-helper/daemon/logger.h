/* logger.h - where log lines go: the standard error output, with the time, or syslog. */
#ifndef OE_DAEMON_LOGGER_H
#define OE_DAEMON_LOGGER_H

#include <stdbool.h>

#include "base/log.h"

/* A time in front of each line, unless the journal, which adds its own, reads them
 * (JOURNAL_STREAM). */
void logger_to_stderr(struct log *log, enum log_level max);
void logger_to_syslog(struct log *log, enum log_level max);

#endif
