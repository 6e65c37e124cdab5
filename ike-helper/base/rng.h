/* rng.h - chance is an argument: the caller of the core says where randomness comes from. */
#ifndef OE_BASE_RNG_H
#define OE_BASE_RNG_H

#include <stddef.h>

struct rng {
	void (*fill)(void *arg, void *to, size_t n);    /* n random bytes; cannot fail */
	void *arg;
};

static inline void rng_fill(const struct rng *rng, void *to, size_t n)
{
	rng->fill(rng->arg, to, n);
}

#endif
