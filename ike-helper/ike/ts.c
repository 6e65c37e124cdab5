#include "ike/ts.h"

#include <string.h>

struct pl_selector ts_host(const struct ip_addr *a)
{
	return (struct pl_selector){
		.family = a->family, .ip_protocol = 0, .port_first = 0, .port_last = UINT16_MAX, .first = *a, .last = *a,
	};
}

struct pl_selector ts_any(enum ip_family family)
{
	struct pl_selector s = {
		.family = (uint8_t)family, .port_last = UINT16_MAX,
		.first.family = (uint8_t)family, .last.family = (uint8_t)family,
	};

	memset(s.last.b, 0xff, family == IP_V4 ? 4 : 16);
	return s;
}

static bool is_one_address(const struct pl_selector *s)
{
	return s->family != IP_NONE && ip_equal(&s->first, &s->last);
}

/* Every protocol and port. OPAQUE (first port above the last, RFC 7296 3.13.1) is not. */
static bool is_any_traffic(const struct pl_selector *s)
{
	return s->ip_protocol == 0 && s->port_first == 0 && s->port_last == UINT16_MAX;
}

static bool contains(const struct pl_selector *s, const struct ip_addr *a)
{
	return s->family == a->family && memcmp(s->first.b, a->b, sizeof a->b) <= 0 &&
	       memcmp(a->b, s->last.b, sizeof a->b) <= 0;
}

/* A list too long for us is not malformed; we only do not want it. */
static enum ike_err ts_read(struct span body, struct pl_ts *out)
{
	enum ike_err err = pl_ts_read(body, out);

	return err == IKE_E_NOSPACE ? IKE_E_NO_PROPOSAL : err;
}

static enum ike_err narrow_one(const struct pl_ts *ts, const struct ip_addr *a, bool behind_nat, struct pl_selector *out)
{
	for (unsigned i = 0; i < ts->n; i++) {
		if (is_any_traffic(&ts->selector[i]) && contains(&ts->selector[i], a)) {
			*out = ts_host(a);
			return IKE_OK;
		}
	}
	for (unsigned i = 0; behind_nat && i < ts->n; i++) {
		const struct pl_selector *s = &ts->selector[i];

		if (s->family == a->family && is_any_traffic(s) && is_one_address(s)) {
			*out = *s;
			return IKE_OK;
		}
	}
	return IKE_E_NO_PROPOSAL;
}

enum ike_err ts_narrow(struct span tsi_body, struct span tsr_body, const struct ts_ends *ends, struct ts_pair *out)
{
	struct pl_ts i, r;
	enum ike_err err;

	memset(out, 0, sizeof *out);
	if ((err = ts_read(tsi_body, &i)) != IKE_OK || (err = ts_read(tsr_body, &r)) != IKE_OK)
		return err;
	err = narrow_one(&i, &ends->peer, ends->peer_behind_nat, &out->i);
	if (!err)
		err = narrow_one(&r, &ends->us, ends->us_behind_nat, &out->r);
	if (err)
		memset(out, 0, sizeof *out);
	return err;
}

/* All of it inside what we asked for, or of what stands for it, and one selector that is all of that. */
static enum ike_err check_one(struct span body, const struct ip_addr *a, bool behind_nat)
{
	const struct ip_addr *expected = a;
	struct pl_ts ts;
	bool whole = false;
	enum ike_err err = ts_read(body, &ts);

	if (err)
		return err;
	/* RFC 7296 2.23.1: whatever one address it is. */
	if (behind_nat && ts.n > 0 && ts.selector[0].family == a->family)
		expected = &ts.selector[0].first;
	for (unsigned i = 0; i < ts.n; i++) {
		const struct pl_selector *s = &ts.selector[i];

		if (!is_one_address(s) || !contains(s, expected))
			return IKE_E_NO_PROPOSAL;
		whole = whole || is_any_traffic(s);
	}
	return whole ? IKE_OK : IKE_E_NO_PROPOSAL;
}

enum ike_err ts_check_answer(struct span tsi_body, struct span tsr_body, const struct ts_ends *ends)
{
	enum ike_err i = check_one(tsi_body, &ends->us, ends->us_behind_nat);
	enum ike_err r = check_one(tsr_body, &ends->peer, ends->peer_behind_nat);

	if (i == IKE_E_SYNTAX || r == IKE_E_SYNTAX)
		return IKE_E_SYNTAX;
	return i ? i : r;
}
