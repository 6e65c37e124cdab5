/* walk.h - for unit tests of readers: bytes compared with hex, exact heap copies, walks over prefixes and changed bytes.
 *
 * A copy has exactly the length of what is read, so that AddressSanitizer sees a reader that looks one byte too far.
 */
#ifndef OE_TESTS_UNIT_WALK_H
#define OE_TESTS_UNIT_WALK_H

#include "tests/unit/unit.h"

/* Call read with an exact copy of s; the copy is freed afterwards. */
static inline void with_copy(struct span s, void (*read)(struct span copy, void *arg), void *arg)
{
	uint8_t *copy = malloc(s.n > 0 ? s.n : 1);

	assert_non_null(copy);
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	read(span_of(copy, s.n), arg);
	free(copy);
}

/* Every proper prefix of s, the empty one included. */
static inline void with_prefixes(struct span s, void (*read)(struct span prefix, void *arg), void *arg)
{
	for (size_t n = 0; n < s.n; n++)
		with_copy(span_of(s.p, n), read, arg);
}

/* Every single byte of s changed to a few telling values. */
static inline void with_changes(struct span s, void (*read)(struct span changed, void *arg), void *arg)
{
	static const uint8_t masks[] = { 0x01, 0x80, 0xff, 0x7f };
	uint8_t *copy = malloc(s.n > 0 ? s.n : 1);

	assert_non_null(copy);
	for (size_t at = 0; at < s.n; at++) {
		for (unsigned i = 0; i < sizeof masks; i++) {
			memcpy(copy, s.p, s.n);
			copy[at] ^= masks[i];
			with_copy(span_of(copy, s.n), read, arg);
		}
	}
	free(copy);
}

#define assert_span(s, hex) do { \
	struct unit_bytes span_wanted = unit_hex(hex); \
	unit_assert_span((s), unit_span(&span_wanted)); \
} while (0)

#endif
