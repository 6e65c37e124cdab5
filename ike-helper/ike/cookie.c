#include "ike/cookie.h"

#include <string.h>

#include "crypto/prf.h"

enum { SECRET_LEN = 32 };

static void secret_make(struct secret *s, const struct rng *rng)
{
	rng_fill(rng, s->b, SECRET_LEN);
	s->n = SECRET_LEN;
}

void cookie_init(struct cookie_jar *jar, const struct rng *rng, uint64_t now_ms)
{
	*jar = (struct cookie_jar){ .version = 0, .made_ms = now_ms };
	secret_make(&jar->now, rng);
}

void cookie_refresh(struct cookie_jar *jar, const struct rng *rng, uint64_t now_ms)
{
	uint64_t age = now_ms > jar->made_ms ? now_ms - jar->made_ms : 0;

	if (age < COOKIE_LIFE_MS)
		return;
	secret_move(&jar->before, &jar->now);
	/* Nobody refreshed for so long that the present secret is past its second life as well. */
	if (age >= 2 * (uint64_t)COOKIE_LIFE_MS)
		secret_clear(&jar->before);
	secret_make(&jar->now, rng);
	jar->version++;
	jar->made_ms = now_ms;
}

void cookie_clear(struct cookie_jar *jar)
{
	secret_clear(&jar->now);
	secret_clear(&jar->before);
}

/* The family goes in first. Without it Ni | IPi could be cut in two ways: an IPv6 address of sixteen bytes reads as the
 * end of a longer nonce and an IPv4 address that its owner may forge. */
static enum ike_err digest(const struct secret *key, struct span ni, const struct ip_addr *from, const uint8_t spi_i[8],
			   struct secret *out)
{
	const struct span parts[] = { span_of(&from->family, 1), ni, ip_bytes(from), span_of(spi_i, 8) };

	return prf_sum(PRF_HMAC_SHA2_256, secret_span(key), parts, sizeof parts / sizeof *parts, out);
}

enum ike_err cookie_make(const struct cookie_jar *jar, struct span ni, const struct ip_addr *from,
			 const uint8_t spi_i[8], uint8_t out[COOKIE_LEN])
{
	struct secret sum;
	enum ike_err err = digest(&jar->now, ni, from, spi_i, &sum);

	memset(out, 0, COOKIE_LEN);
	if (!err && sum.n != COOKIE_LEN - 1)
		err = IKE_E_CRYPTO;
	if (!err) {
		out[0] = jar->version;
		memcpy(out + 1, sum.b, COOKIE_LEN - 1);
	}
	secret_clear(&sum);
	return err;
}

bool cookie_check(const struct cookie_jar *jar, struct span cookie, struct span ni, const struct ip_addr *from,
		  const uint8_t spi_i[8])
{
	const struct secret *key;
	struct secret sum;
	bool good;

	if (cookie.n != COOKIE_LEN)
		return false;
	if (cookie.p[0] == jar->version)
		key = &jar->now;
	else if (cookie.p[0] == (uint8_t)(jar->version - 1) && jar->before.n > 0)
		key = &jar->before;
	else
		return false;
	good = digest(key, ni, from, spi_i, &sum) == IKE_OK &&
	       secret_eq(secret_span(&sum), span_of(cookie.p + 1, COOKIE_LEN - 1));
	secret_clear(&sum);
	return good;
}
