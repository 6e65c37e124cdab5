#include "config.h"

#include "cli/text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

const char *text_safe(const char *text, char to[TEXT_SAFE_MAX])
{
	size_t n = 0;

	for (; *text != '\0' && n + 5 < TEXT_SAFE_MAX; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c < 0x7f)
			to[n++] = *text;
		else
			n += (size_t)snprintf(to + n, TEXT_SAFE_MAX - n, "\\%03u", c);
	}
	to[n] = '\0';
	return to;
}

const char *text_bytes(uint64_t bytes, char to[TEXT_NUMBER_MAX])
{
	static const char units[] = "kMGTPE";
	uint64_t unit = 1000;
	size_t i = 0;

	if (bytes < 1000) {
		snprintf(to, TEXT_NUMBER_MAX, "%" PRIu64, bytes);
		return to;
	}
	while (i + 2 < sizeof units && bytes / unit >= 1000) {
		unit *= 1000;
		i++;
	}
	if (bytes / unit < 10)
		snprintf(to, TEXT_NUMBER_MAX, "%" PRIu64 ".%" PRIu64 "%c", bytes / unit,
			 bytes % unit / (unit / 10), units[i]);
	else
		snprintf(to, TEXT_NUMBER_MAX, "%" PRIu64 "%c", bytes / unit, units[i]);
	return to;
}

const char *text_seconds(uint64_t seconds, char to[TEXT_NUMBER_MAX])
{
	if (seconds < 100)
		snprintf(to, TEXT_NUMBER_MAX, "%" PRIu64 "s", seconds);
	else if (seconds < 100 * 60)
		snprintf(to, TEXT_NUMBER_MAX, "%" PRIu64 "m", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(to, TEXT_NUMBER_MAX, "%" PRIu64 "h", seconds / 3600);
	else
		snprintf(to, TEXT_NUMBER_MAX, "%" PRIu64 "d", seconds / 86400);
	return to;
}
