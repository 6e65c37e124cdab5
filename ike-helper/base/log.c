#include "base/log.h"

#include <stdio.h>

void log_line(const struct log *log, enum log_level level, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!log || !log->write || level > log->max)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log->write(log->arg, level, text);
}
