/* short_memory.h - an allocation that fails. For one program alone, whose linker sends malloc(), calloc() and realloc() of our own
 * objects here (--wrap); those of libraries stay as they are.
 */
#ifndef OE_TESTS_UNIT_SHORT_MEMORY_H
#define OE_TESTS_UNIT_SHORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static unsigned fails_in;           /* the allocation to fail, counted from 1; 0 = none, or it has failed */

static bool fails_now(void)
{
	return fails_in > 0 && --fails_in == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : __real_realloc(p, n);
}

#endif
