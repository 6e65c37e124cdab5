#include "config.h"

#include "cli/text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

bool text_read_seconds(const char *text, uint32_t max, uint32_t *out)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t value = 0;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 9 || (text[n] != '\0' && text[n + 1] != '\0'))
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (units[i].unit != text[n])
			continue;
		*out = value * units[i].seconds <= max ? (uint32_t)(value * units[i].seconds) : 0;
		return *out > 0;
	}
	return false;
}
