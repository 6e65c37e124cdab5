/* unit.h - what every unit test needs: cmocka, bytes from hex, and the walk over all prefixes of an input. */
#ifndef OE_TESTS_UNIT_H
#define OE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "base/err.h"

struct unit_bytes {
	size_t n;
	uint8_t b[4096];
};

static inline struct span unit_span(const struct unit_bytes *bytes)
{
	return span_of(bytes->b, bytes->n);
}

/* "0a 0B:0c\n0d"; blanks, colons and newlines are skipped. Anything else fails the test. */
static inline struct unit_bytes unit_hex(const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	struct unit_bytes out = { 0 };
	unsigned nibbles = 0;

	for (; *hex != '\0'; hex++) {
		const char *at;

		if (strchr(" \t\n:", *hex))
			continue;
		at = strchr(digits, *hex >= 'A' && *hex <= 'F' ? *hex + ('a' - 'A') : *hex);
		assert_non_null(at);
		assert_true(out.n < sizeof out.b);
		out.b[out.n] = (uint8_t)(out.b[out.n] << 4 | (at - digits));
		out.n += nibbles++ % 2;
	}
	assert_true(nibbles % 2 == 0);
	return out;
}

/* Same length and bytes; says where they differ. */
static inline void unit_assert_span(struct span got, struct span want)
{
	assert_int_equal(got.n, want.n);
	if (want.n > 0)
		assert_memory_equal(got.p, want.p, want.n);
}

/* Call read() with every proper prefix of whole, each in a block of exactly its size, so that AddressSanitizer sees a read
 * past the end. Every prefix must be refused with an error, unless fine(n) says that n bytes are a whole input too
 * (fine may be NULL). */
static inline void unit_walk_prefixes(struct span whole, enum ike_err (*read)(struct span), bool (*fine)(size_t n))
{
	size_t n;

	for (n = 0; n < whole.n; n++) {
		uint8_t *copy = malloc(n > 0 ? n : 1);
		enum ike_err err;

		assert_non_null(copy);
		if (n > 0)
			memcpy(copy, whole.p, n);
		err = read(span_of(copy, n));
		free(copy);
		if (fine && fine(n))
			assert_int_equal(err, IKE_OK);
		else
			assert_int_not_equal(err, IKE_OK);
	}
}

#endif
