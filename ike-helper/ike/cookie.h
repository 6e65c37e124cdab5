/* cookie.h - stateless cookies against floods of IKE_SA_INIT from forged addresses (RFC 7296 2.6).
 *
 * Cookie = version of the secret | prf(secret, Ni | IPi | SPIi). The secret is changed every COOKIE_LIFE_MS; cookies of
 * the one before are still accepted, so that a cookie is good for at least that long and at most twice.
 */
#ifndef OE_IKE_COOKIE_H
#define OE_IKE_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/secret.h"

enum {
	COOKIE_MAX = 64,                /* of a peer's cookie that we send back (RFC 7296 2.6: 1 to 64 bytes) */
	COOKIE_LEN = 33,                /* of ours */
	COOKIE_LIFE_MS = 60000,
};

struct cookie_jar {
	uint8_t version;                /* of the present secret */
	uint64_t made_ms;               /* when it was made */
	struct secret now, before;      /* before is empty until the first change */
};

/* Make the first secret. */
void cookie_init(struct cookie_jar *jar, const struct rng *rng, uint64_t now_ms);
/* Change the secret if it is due. Cheap: call it before cookie_make() and cookie_check(). */
void cookie_refresh(struct cookie_jar *jar, const struct rng *rng, uint64_t now_ms);
void cookie_clear(struct cookie_jar *jar);

/* ni: the nonce, from: where the request came from, spi_i: from its header. IKE_E_CRYPTO. */
IKE_CHECKED enum ike_err cookie_make(const struct cookie_jar *jar, struct span ni, const struct ip_addr *from,
				     const uint8_t spi_i[8], uint8_t out[COOKIE_LEN]);
/* Is this a cookie that we made for the same request not long ago? */
bool cookie_check(const struct cookie_jar *jar, struct span cookie, struct span ni, const struct ip_addr *from,
		  const uint8_t spi_i[8]);

#endif
