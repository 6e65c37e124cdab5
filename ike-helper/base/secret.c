#include "base/secret.h"

#include <sodium.h>

enum ike_err secret_set(struct secret *s, struct span from)
{
	if (from.n > SECRET_MAX) {
		secret_clear(s);
		return IKE_E_NOSPACE;
	}
	if (from.n > 0)
		memmove(s->b, from.p, from.n);
	s->n = (uint8_t)from.n;
	return IKE_OK;
}

void secret_clear(struct secret *s)
{
	sodium_memzero(s, sizeof *s);
}

void secret_move(struct secret *to, struct secret *from)
{
	if (to == from)
		return;
	secret_clear(to);
	memcpy(to->b, from->b, from->n);
	to->n = from->n;
	secret_clear(from);
}

bool secret_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

void secret_wipe(void *p, size_t n)
{
	if (n > 0)
		sodium_memzero(p, n);
}
