/* MOBIKE (RFC 4555) for tunnels whose inner address the host has assigned: the client goes to another network, and connections of that
 * address live on. Both roles; who started decides.
 *
 *	INFORMATIONAL { N(UPDATE_SA_ADDRESSES), NAT detection }  -->      from the new address
 *	                                              <--  { NAT detection }
 *	                                              <--  INFORMATIONAL { N(COOKIE2) }: can it be reached there (3.7)?
 *	{ N(COOKIE2) }                                           -->
 *	CREATE_CHILD_SA for the CHILD SA                         -->      new keys for SAs between the new addresses
 *
 * The old SAs are of no use by then: instead of moving them, which needs a kernel that can, new ones take their place, and the policies
 * name the new ends from the same moment. A client that moves its SAs (3.5) does not ask for new ones: the host does, a while later. In transport mode another address is another pair, and another tunnel.
 */
#include <string.h>

#include "ike/engine.h"
#include "ike/rekey.h"
#include "ike/x.h"

/* RFC 4555 4.2.5 */
enum { COOKIE2_MIN = 8, COOKIE2_MAX = 64 };
/* So soon behind its answer the host asks whether we are there, and takes no new keys before that. */
enum { COOKIE2_WAIT_MS = 30 };
/* A client that makes new SAs has asked for them by then, even if it had to ask twice. */
enum { FETCH_WAIT_MS = 1000 };

void mobike_echo(struct msg_wr *m, const struct stimulus *s)
{
	struct pl_notify cookie;

	if (pl_notify_find(s->chain, N_COOKIE2, &cookie) && cookie.value.n >= COOKIE2_MIN && cookie.value.n <= COOKIE2_MAX)
		pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), N_COOKIE2, cookie.value);
}

static enum ike_err ask(struct ike_sa *sa, struct msg_wr *m, uint64_t now_ms)
{
	enum ike_err err = engine_request(sa, EXCH_INFORMATIONAL, m, now_ms);

	if (err == IKE_OK)
		sa->expire_ms = now_ms + LIVENESS_MS;
	return err;
}

static void answer_came(struct ike_sa *sa)
{
	window_request_over(&sa->window, true);
	sa->expire_ms = NEVER_MS;
}

/* As in IKE_SA_INIT: who wants ESP in UDP anyway gives a source that cannot be confirmed. */
static enum ike_err write_natd(const struct ike_sa *sa, struct msg_wr *m, const struct ip_path *seen)
{
	struct ip_path path = *seen;

	if (sa->always_udp)
		path.local.port = 0;
	return natd_write(m, sa->spi_i, sa->spi_r, &path);
}

/* A NAT may have come or gone, and with it ESP in UDP: both ends see it by these, and do the same. */
static void look_for_nat(struct ike_sa *sa, const struct stimulus *s)
{
	struct natd nat;

	if (natd_check(s->chain, s->hdr, s->path, &nat) != IKE_OK || !nat.supported)
		return;
	sa->nat = nat;
	sa->encapsulated = sa->always_udp || nat.local_behind_nat || nat.remote_behind_nat;
	sa->wants_keepalive = sa->encapsulated && (sa->always_udp || nat.local_behind_nat);
}

/* Does the peer see us where it has seen us before (RFC 4555 3.8)? Who is behind a NAT asks that with the question whether the peer lives. In
 * another IKE SA, and from IKE_SA_INIT on port 4500, it looks as if not; then the peer is told once for nothing. */
static bool asks_for_nat(const struct ike_sa *sa)
{
	return sa->mobike && sa->we_started && sa->nat.local_behind_nat;
}

enum ike_err mobike_write_probe(const struct ike_sa *sa, struct msg_wr *m)
{
	return asks_for_nat(sa) ? write_natd(sa, m, &sa->path) : IKE_OK;
}

enum ike_err mobike_answer_probe(const struct ike_sa *sa, struct msg_wr *m, const struct stimulus *s)
{
	struct pl_notify notify;

	if (!sa->mobike || !pl_notify_find(s->chain, N_NAT_DETECTION_SOURCE_IP, &notify))
		return IKE_OK;
	return write_natd(sa, m, s->path);
}

void mobike_probe_answered(struct ike_sa *sa, const struct stimulus *s)
{
	struct natd nat;

	if (!asks_for_nat(sa) || natd_check(s->chain, s->hdr, s->path, &nat) != IKE_OK || !nat.supported ||
	    memcmp(nat.seen, sa->nat.seen, sizeof nat.seen) == 0)
		return;
	log_debug(sa->ike->log, "ike %llu: seen by the peer as somebody else than before", (unsigned long long)sa->handle);
	sa->move_asked = true;
}

/* Ours is made of both addresses (RFC 6290 5.1). */
static void renew_token(struct ike_sa *sa)
{
	sa->owes_token = sa->ike->config.qcd_secret.n > 0 && sa->peer_knows_qcd;
}

/* We have moved -------------------------------------------------------------------------------- */

HANDLER(mobike_tell)
{
	struct msg_wr m = engine_inner(sa->ike);
	enum ike_err err;

	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_UPDATE_SA_ADDRESSES, span_of(NULL, 0));
	err = write_natd(sa, &m, &sa->path);
	if (err == IKE_OK)
		err = sa->state == ST_EMPTY ? engine_request(sa, EXCH_INFORMATIONAL, &m, s->now_ms) : ask(sa, &m, s->now_ms);
	sa->moving = err == IKE_OK;
	return err;
}

QUESTION(mobike_is_told)
{
	(void)s;
	return sa->moving;
}

HANDLER(mobike_refused)
{
	answer_came(sa);
	sa_blame(sa, REASON_PEER_REFUSED, "peer said UNACCEPTABLE_ADDRESSES to our new address");
	return info_farewell(sa, 0, s->now_ms);
}

HANDLER(mobike_accepted)
{
	answer_came(sa);
	sa->moving = false;
	if (sa->move_asked)                 /* and on again */
		return IKE_OK;
	look_for_nat(sa, s);
	renew_token(sa);
	sa->rekey_tries = 0;
	rekey_child_after_move(sa, s->now_ms + COOKIE2_WAIT_MS);
	return IKE_OK;
}

/* The peer has moved --------------------------------------------------------------------------- */

QUESTION(mobike_may_move)
{
	return sa->mobike && !sa->we_started && s->path->remote.addr.family == sa->path.remote.addr.family;
}

HANDLER(mobike_moved)
{
	struct msg_wr m = engine_inner(sa->ike);
	char to[IP_ENDPOINT_TEXT_MAX], label[SA_LABEL_MAX];
	enum ike_err err;

	if (!ip_endpoint_equal(&s->path->remote, &sa->path.remote) || !ip_endpoint_equal(&s->path->local, &sa->path.local)) {
		log_info(sa->ike->log, "%s: has moved to %s", engine_label(sa, label), ip_endpoint_text(&s->path->remote, to));
		engine_set_path(sa, s->path);
		look_for_nat(sa, s);
		rng_fill(sa->ike->rng, sa->cookie2, sizeof sa->cookie2);
		sa->unproved = sa->owes_cookie2 = true;
		/* What is out went to where it is no more. */
		if (sa->window.request)
			packet_send(&sa->ike->out, sa->window.request, &sa->path);
	}
	mobike_echo(&m, s);
	err = write_natd(sa, &m, s->path);
	return err == IKE_OK ? engine_reply(sa, EXCH_INFORMATIONAL, s->hdr->message_id, s->path, &m, s->now_ms) : err;
}

QUESTION(mobike_is_unproved)
{
	(void)s;
	return sa->unproved;
}

/* It waits for the answer to this one, which is out since before it moved, to say where it is. */
QUESTION(mobike_has_gone_on)
{
	return sa->unproved && !ip_endpoint_equal(&s->path->remote, &sa->path.remote);
}

HANDLER(mobike_ask)
{
	struct msg_wr m = engine_inner(sa->ike);
	enum ike_err err;

	pl_notify_write(&m, PROTO_NONE, span_of(NULL, 0), N_COOKIE2, span_of(sa->cookie2, sizeof sa->cookie2));
	/* libreswan 4.10 gives the cookie back only where it is asked about NATs. */
	err = write_natd(sa, &m, &sa->path);
	return err == IKE_OK ? ask(sa, &m, s->now_ms) : err;
}

/* RFC 4555 3.7: whoever can be reached there has seen the cookie. An answer to what was asked before that has none. */
HANDLER(mobike_proved)
{
	struct pl_notify cookie;

	answer_came(sa);
	if (sa->owes_cookie2)
		return IKE_OK;
	if (pl_notify_find(s->chain, N_COOKIE2, &cookie) && span_equal(cookie.value, span_of(sa->cookie2, sizeof sa->cookie2))) {
		sa->unproved = false;
		sa->fetch_ms = s->now_ms + FETCH_WAIT_MS;
		renew_token(sa);
		return IKE_OK;
	}
	sa_blame(sa, REASON_PROTOCOL, "the peer is not where it says");
	return info_farewell(sa, 0, s->now_ms) == IKE_OK ? IKE_E_SYNTAX : IKE_E_NOMEM;
}
