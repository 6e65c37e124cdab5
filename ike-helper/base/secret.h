/* secret.h - key material of at most 64 bytes: fixed size, wiped by its owner, compared in constant time.
 *
 * A struct secret owns its bytes. Copying the struct copies the secret: use secret_move() where ownership passes on.
 */
#ifndef OE_BASE_SECRET_H
#define OE_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"

enum { SECRET_MAX = 64 };

struct secret {
	uint8_t n;                  /* bytes in use */
	uint8_t b[SECRET_MAX];
};

/* Take a copy of n bytes. IKE_E_NOSPACE when n > SECRET_MAX; s is then empty. */
IKE_CHECKED enum ike_err secret_set(struct secret *s, struct span from);

/* Wipe; the secret is empty afterwards. Safe on an empty one. */
void secret_clear(struct secret *s);

/* to takes over what from had; to is wiped before, from afterwards. */
void secret_move(struct secret *to, struct secret *from);

/* Same length and bytes; the time taken depends on the lengths only. */
bool secret_eq(struct span a, struct span b);

/* Wipe any memory; the compiler cannot leave it out. */
void secret_wipe(void *p, size_t n);

static inline struct span secret_span(const struct secret *s)
{
	return span_of(s->b, s->n);
}

#endif
