/* text.h - text for people: safe for a terminal, and short forms of numbers. */
#ifndef OE_CLI_TEXT_H
#define OE_CLI_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { TEXT_SAFE_MAX = 1200, TEXT_NUMBER_MAX = 24 };

/* Everything but printable ASCII becomes \DDD, as in DNS names; what does not fit is cut. Returns
 * to. */
const char *text_safe(const char *text, char to[TEXT_SAFE_MAX]);

/* "512", "1.2k", "34M": bytes in powers of 1000. Returns to. */
const char *text_bytes(uint64_t bytes, char to[TEXT_NUMBER_MAX]);

/* "90", "90s", "15m", "2h", "7d": 1 to max seconds; false otherwise. */
bool text_read_seconds(const char *text, uint32_t max, uint32_t *out);

/* "5s", "12m", "3h", "2d". Returns to. */
const char *text_seconds(uint64_t seconds, char to[TEXT_NUMBER_MAX]);

#endif
