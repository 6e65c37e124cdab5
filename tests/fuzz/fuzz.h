/* fuzz.h - what a fuzz target is: one function, called with every input; what it means to misbehave: FUZZ_CHECK. */
#ifndef OE_TESTS_FUZZ_H
#define OE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Returns 0. Aborts when the code under test broke a promise. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

/* assert() that NDEBUG does not take away. */
#define FUZZ_CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #what); \
			abort(); \
		} \
	} while (0)

#endif
