/* IKE_AUTH (RFC 7296 1.2, 2.15, 2.17; RFC 7619; RFC 7427), initiator: we are nobody, or sign for
 * the name that we give; the host proves its key. */
#include <stdlib.h>
#include <string.h>

#include "ike/child.h"
#include "ike/engine.h"
#include "ike/proof.h"
#include "ike/qcd.h"
#include "ike/x.h"

static void write_notify(struct msg_wr *m, uint16_t type)
{
	pl_notify_write(m, PROTO_NONE, span_of(NULL, 0), type, span_of(NULL, 0));
}

/* AUTH of method NULL over our IKE_SA_INIT message (RFC 7619 2.1), or the signature that we have. */
static enum ike_err write_auth(const struct ike_sa *sa, struct msg_wr *m)
{
	const struct handshake *hs = sa->hs;
	struct secret maced_id = { 0 }, value = { 0 };
	uint8_t id[4];
	struct wr w = wr_over(id, sizeof id);
	enum ike_err err;

	if (hs->identify) {
		pl_auth_write(m, hs->auth_method, span_of(hs->auth_value, hs->auth_value_len));
		return IKE_OK;
	}
	pl_id_body(&w, ID_NULL, span_of(NULL, 0));
	err = auth_maced_id(sa->suite.prf, &sa->keys.pi, wr_span(&w), &maced_id);
	if (err == IKE_OK)
		err = auth_null(sa->suite.prf, &sa->keys.pi, packet_span(hs->message_i),
				hs->nonce_peer, &maced_id, sa_int_auth(sa), &value);
	if (err == IKE_OK)
		pl_auth_write(m, AUTH_NULL, secret_span(&value));
	secret_clear(&maced_id);
	secret_clear(&value);
	return err;
}

static bool asks_for_name(const struct ike_sa *sa)
{
	return sa->hs->name.n > 0 && !sa->hs->without_name;
}

static bool asks_gateway(const struct ike_sa *sa)
{
	return sa->hs->host.family != IP_NONE;
}

const struct ip_addr *auth_wanted_host(const struct ike_sa *sa)
{
	return asks_gateway(sa) ? &sa->hs->host : &sa->path.remote.addr;
}

/* A gateway may be reached by the other family than its host. */
static bool is_of_other_family(const struct ike_sa *sa)
{
	return sa->hs->source.family != IP_NONE;
}

const struct ip_addr *auth_own_end(const struct ike_sa *sa)
{
	return is_of_other_family(sa) ? &sa->hs->source : &sa->path.local.addr;
}

enum ike_err auth_send(struct ike_sa *sa, uint64_t now_ms)
{
	struct msg_wr m = engine_inner(sa->ike);
	struct pl_selector tsi = ts_host(auth_own_end(sa)), tsr = ts_host(auth_wanted_host(sa));
	struct own_id id;
	enum ip_family family = (enum ip_family)tsr.family;
	struct offer offer;
	enum ike_err err;

	proof_own_id(sa, &id);
	pl_id_write(&m, PL_IDI, id.type, id.value);
	if (engine_is_first_contact(sa))
		write_notify(&m, N_INITIAL_CONTACT);
	if (asks_for_name(sa)) {
		char name[DNSNAME_TEXT_MAX];

		dnsname_text(&sa->hs->name, name);
		pl_id_write(&m, PL_IDR, ID_FQDN, span_of(name, strlen(name)));
	}
	err = write_auth(sa, &m);
	if (err != IKE_OK)
		return err;
	if (sa->hs->childless) {
		qcd_write(sa, &m);
		return engine_request(sa, EXCH_IKE_AUTH, &m, now_ms);
	}
	if (sa->hs->ask_address) {
		write_notify(&m, N_MOBIKE_SUPPORTED);
		pl_cp_write(&m, CFG_REQUEST, family, sa->hs->former.family == family ? &sa->hs->former : NULL);
		tsi = ts_any(family);
	} else if (!asks_gateway(sa)) {
		write_notify(&m, N_USE_TRANSPORT_MODE);
	}
	err = child_begin(sa);
	if (err != IKE_OK)
		return err;
	offer_esp(&offer, sa->spi_in);
	offer_write(&m, &offer);
	pl_ts_write(&m, PL_TSI, &tsi, 1);
	pl_ts_write(&m, PL_TSR, &tsr, 1);
	qcd_write(sa, &m);
	return engine_request(sa, EXCH_IKE_AUTH, &m, now_ms);
}

HANDLER(auth_send_signed)
{
	enum ike_err err = proof_take(sa, s);

	if (err != IKE_OK)
		return err;
	engine_has_said_name(sa);
	return auth_send(sa, s->now_ms);
}

/* Refusals ------------------------------------------------------------------------------------- */

uint16_t auth_error_in(const struct stimulus *s)
{
	struct pl_notify notify;
	unsigned i;

	for (i = 0; i < s->chain->n; i++) {
		if (s->chain->payload[i].type == PL_NOTIFY &&
		    pl_notify_read(s->chain->payload[i].body, &notify) == IKE_OK &&
		    notify.type < NOTIFY_FIRST_STATUS)
			return notify.type;
	}
	return 0;
}

/* Some hosts know themselves by their address alone and refuse a request for any other identity.
 * The name in DNS is what counts, and the key proves it: so ask once more without naming
 * anybody. */
QUESTION(name_was_asked)
{
	uint16_t error = auth_error_in(s);

	return asks_for_name(sa) && (error == N_AUTHENTICATION_FAILED || error == N_INVALID_SYNTAX);
}

/* From IKE_SA_INIT on, as if nothing had been. */
static enum ike_err start_anew(struct ike_sa *sa, const struct stimulus *s)
{
	struct handshake *hs = sa->hs;

	window_clear(&sa->window);
	frag_clear(&sa->frags[0]);
	frag_clear(&sa->frags[1]);
	ike_keys_clear(&sa->keys);
	sa_forget_intermediate(sa);
	secret_clear(&hs->maced_id);
	free(hs->auth_value);
	hs->auth_value = NULL;
	packet_unref(hs->message_r);
	hs->message_r = NULL;
	hs->nonce_peer = span_of(NULL, 0);
	hs->cookie_len = 0;
	hs->cookie_held = false;
	hs->rounds = 0;
	sa->fragments = sa->encapsulated = false;
	sa->path = hs->path_500;
	memset(sa->spi_r, 0, IKE_SPI_LEN);
	engine_new_spi(sa);
	return init_start(sa, s);
}

HANDLER(auth_refused_name)
{
	sa->hs->without_name = true;
	return start_anew(sa, s);
}

/* Anybody who sees our request can demand a cookie. The host that demanded none has then answered the first request,
 * while we sign the one with the cookie, and nothing in the answer tells. */
QUESTION(cookie_is_doubtful)
{
	return sa->hs->cookie_len > 0 && sa->hs->cookie_from_ms == 0 && auth_error_in(s) == N_AUTHENTICATION_FAILED;
}

/* This time the host gets twice its round trip to answer a request before one with a cookie, or with another, follows:
 * nobody is faster than that, and of several cookies the host's own comes last. */
HANDLER(auth_refused_cookie)
{
	sa->hs->cookie_from_ms = s->now_ms + 2 * (s->now_ms - sa->window.sent_ms) + 1;
	return start_anew(sa, s);
}

/* A server with an address pool may want to be asked for an address: it says so, or what we are behind a NAT fits nothing
 * that it has (RFC 7296 3.15.4, 2.19). Where the path is of another family than the packets, a NAT there hides nothing of theirs,
 * and the kernel's layer takes our end for one of our own addresses (kernel_req.h). */
QUESTION(address_may_help)
{
	uint16_t error = auth_error_in(s);

	return !sa->hs->ask_address && !is_of_other_family(sa) &&
	       (error == N_FAILED_CP_REQUIRED || error == N_TS_UNACCEPTABLE ||
		(error == N_NO_PROPOSAL_CHOSEN && sa->nat.local_behind_nat));
}

HANDLER(auth_refused_without_address)
{
	sa->hs->ask_address = true;
	return start_anew(sa, s);
}

HANDLER(auth_refused)
{
	uint16_t error = auth_error_in(s);

	if (!error)
		sa_blame(sa, REASON_PROTOCOL, "IKE_AUTH response without AUTH");
	else
		sa_blame(sa, REASON_PEER_REFUSED, "peer said %s to IKE_AUTH",
			 ike_notify_name(error));
	window_request_over(&sa->window, true);
	return IKE_E_REFUSED;
}

/* The answer ----------------------------------------------------------------------------------- */

/* Its IKE_AUTH is answered either way (RFC 7296 2.21.2). */
enum ike_err auth_leave(struct ike_sa *sa, enum ike_err err, uint16_t notify, uint64_t now_ms)
{
	if (info_farewell(sa, notify, now_ms) != IKE_OK)
		log_debug(sa->ike->log, "ike %llu: could not tell the peer that it is over",
			  (unsigned long long)sa->handle);
	return err;
}

/* The host proves a key that DNS has told us. Whatever identity it gives is logged, not believed. */
static enum ike_err verify(struct ike_sa *sa, const struct stimulus *s)
{
	struct secret maced_id = { 0 };
	struct pl_auth auth;
	struct pl_id id;
	enum ike_err err;

	err = pl_id_read(msg_find(s->chain, PL_IDR)->body, &id);
	if (err == IKE_OK)
		err = pl_auth_read(msg_find(s->chain, PL_AUTH)->body, &auth);
	if (err != IKE_OK)
		return auth_leave(sa, err, N_INVALID_SYNTAX, s->now_ms);
	err = auth_maced_id(sa->suite.prf, &sa->keys.pr, id.rest_of_id, &maced_id);
	if (err != IKE_OK)
		return auth_leave(sa, err, 0, s->now_ms);
	err = proof_check(sa, sa->hs->keys, &auth, &maced_id);
	secret_clear(&maced_id);
	if (err != IKE_OK)
		return auth_leave(sa, err, N_AUTHENTICATION_FAILED, s->now_ms);
	sa->peer_id_type = id.type;
	sa->auth_method = auth.method;
	return IKE_OK;
}

static void answer_came(struct ike_sa *sa, uint64_t now_ms)
{
	uint64_t ms = now_ms - sa->window.sent_ms;

	sa->round_trip_ms = (uint16_t)(ms < UINT16_MAX ? ms : UINT16_MAX);
	window_request_over(&sa->window, true);
}

/* Whoever has a key in DNS may assign an address to us, and what has it otherwise is out of our reach from then on. So only
 * where nobody else lives whom we could miss: 100.64/10 (RFC 6598), fc00::/7. */
static bool may_be_assigned(const struct ip_addr *a)
{
	if (a->family == IP_V4)
		return a->b[0] == 100 && (a->b[1] & 0xc0) == 64;
	return a->family == IP_V6 && (a->b[0] & 0xfe) == 0xfc;
}

/* The one address of the reply. Name servers, subnets and what else it may hold are no business of ours. */
static enum ike_err take_address(struct ike_sa *sa, const struct stimulus *s, const struct msg_payload *payload)
{
	struct pl_notify notify;
	char text[IP_TEXT_MAX];
	struct pl_cp cp;
	const struct ip_addr *a;

	if (pl_cp_read(payload->body, &cp) != IKE_OK)
		return IKE_E_SYNTAX;
	a = cp.v4.n > 0 ? &cp.v4.first : &cp.v6.first;
	if (cp.type != CFG_REPLY || cp.v4.n + cp.v6.n != 1 || a->family == IP_NONE) {
		sa_blame(sa, REASON_PROTOCOL, "the host did not assign one address");
		return IKE_E_REFUSED;
	}
	if (a->family != sa->inner_remote.family || !may_be_assigned(a) || ip_equal(a, &sa->inner_remote) ||
	    ip_equal(a, &sa->path.remote.addr)) {
		sa_blame(sa, REASON_PEER_REFUSED, "the host assigned %s, which is not in 100.64.0.0/10 or fc00::/7",
			 ip_text(a, text));
		return IKE_E_REFUSED;
	}
	sa->inner_local = *a;
	sa->mobike = pl_notify_find(s->chain, N_MOBIKE_SUPPORTED, &notify);
	return IKE_OK;
}

/* Transport mode; or, when the host does not do that, tunnel mode between the same two addresses; or to the host behind a
 * gateway; or from an address that the peer assigned. */
static enum ike_err check_mode(struct ike_sa *sa, const struct stimulus *s)
{
	const struct msg_payload *cp = msg_find(s->chain, PL_CP);
	struct pl_notify notify;

	sa->inner_local = sa->inner_remote = (struct ip_addr){ .family = IP_NONE };
	if (pl_notify_find(s->chain, N_USE_TRANSPORT_MODE, &notify)) {
		if (!sa->hs->ask_address && !asks_gateway(sa))
			return IKE_OK;
		sa_blame(sa, REASON_PROTOCOL, "the host chose transport mode unasked");
		return IKE_E_REFUSED;
	}
	sa->inner_local = *auth_own_end(sa);
	sa->inner_remote = *auth_wanted_host(sa);
	return sa->hs->ask_address && cp ? take_address(sa, s, cp) : IKE_OK;
}

enum ike_err auth_check_child(struct ike_sa *sa, const struct stimulus *s, const struct offer *offer)
{
	struct ts_ends ends;
	enum ike_err err;

	err = check_mode(sa, s);
	if (err != IKE_OK)
		return err;
	err = offer_check_esp(offer, msg_find(s->chain, PL_SA)->body, &sa->hs->esp);
	if (err != IKE_OK) {
		sa_blame(sa, REASON_PROTOCOL,
			 "the host chose ESP algorithms that we did not offer");
		return err;
	}
	ends = child_ends(sa);
	err = ts_check_answer(msg_find(s->chain, PL_TSI)->body, msg_find(s->chain, PL_TSR)->body, &ends);
	if (err != IKE_OK)
		sa_blame(sa, REASON_TS_UNACCEPTABLE,
			 "the host answered with other traffic selectors than host to host");
	return err;
}

HANDLER(auth_answered)
{
	struct offer offer;
	enum ike_err err;

	answer_came(sa, s->now_ms);
	err = verify(sa, s);
	if (err != IKE_OK)
		return err;
	qcd_take(sa, s->chain);
	offer_esp(&offer, sa->spi_in);
	err = auth_check_child(sa, s, &offer);
	if (err == IKE_OK)
		err = child_install(sa);
	return err == IKE_OK ? IKE_OK : auth_leave(sa, err, 0, s->now_ms);
}

/* The IKE SA without a CHILD SA is of no use to us, and is deleted before the next is made. */
HANDLER(auth_answered_without_address)
{
	enum ike_err err;

	answer_came(sa, s->now_ms);
	err = verify(sa, s);
	if (err != IKE_OK)
		return err;
	(void)auth_leave(sa, IKE_E_REFUSED, 0, s->now_ms);
	sa->hs->ask_address = true;
	return start_anew(sa, s);
}

/* A host that makes no CHILD SA in IKE_AUTH says that it could do without, and then cannot read ours (strongSwan, childless = force). */
QUESTION(childless_may_help)
{
	return !sa->hs->childless && sa->hs->host_is_childless && auth_error_in(s) == N_INVALID_SYNTAX;
}

/* RFC 7296 2.21.2: with that error its IKE SA is over. */
HANDLER(auth_answered_once_childless)
{
	enum ike_err err;

	answer_came(sa, s->now_ms);
	err = verify(sa, s);
	if (err != IKE_OK)
		return err;
	sa->hs->childless = true;
	return start_anew(sa, s);
}

QUESTION(child_comes_later)
{
	return sa->hs->childless && auth_error_in(s) == 0;
}

HANDLER(auth_answered_childless)
{
	enum ike_err err;

	answer_came(sa, s->now_ms);
	err = verify(sa, s);
	if (err != IKE_OK)
		return err;
	qcd_take(sa, s->chain);
	return late_ask(sa, s->now_ms);
}

void auth_blame_refusal(struct ike_sa *sa, uint16_t error)
{
	if (error == N_NO_PROPOSAL_CHOSEN)
		sa_blame(sa, REASON_NO_PROPOSAL, "peer said NO_PROPOSAL_CHOSEN for ESP");
	else if (error == N_TS_UNACCEPTABLE || error == N_SINGLE_PAIR_REQUIRED)
		/* RFC 7296 2.23.1 wants the responder to put the address that it sees in place of the one
		 * that we know. Not all do, and some serve one client for each address. */
		sa_blame(sa, REASON_TS_UNACCEPTABLE, "peer said %s%s", ike_notify_name(error),
			 sa->nat.local_behind_nat && !is_of_other_family(sa) ? " to this host behind a NAT" : "");
	else
		sa_blame(sa, REASON_PEER_REFUSED, "peer said %s for the CHILD SA", ike_notify_name(error));
}

/* RFC 7296 1.2: the IKE SA stands although the CHILD SA failed. It is of no use to us. */
HANDLER(auth_answered_without_child)
{
	uint16_t error = auth_error_in(s);
	enum ike_err err;

	answer_came(sa, s->now_ms);
	err = verify(sa, s);
	if (err != IKE_OK)
		return err;
	if (error)
		auth_blame_refusal(sa, error);
	else
		sa_blame(sa, REASON_PROTOCOL, msg_find(s->chain, PL_EAP) ? "the host wants us to authenticate by EAP"
									: "IKE_AUTH response without a CHILD SA");
	return auth_leave(sa, IKE_E_REFUSED, 0, s->now_ms);
}

HANDLER(initiator_installed)
{
	char text[IP_TEXT_MAX];

	if (s->result != IKE_OK && sa->hs->ask_address)
		sa_blame(sa, REASON_KERNEL, "with the assigned address %s: %s", ip_text(&sa->inner_local, text),
			 ike_err_text(s->result));
	if (s->result != IKE_OK) {
		sa_blame(sa, REASON_KERNEL, "%s", ike_err_text(s->result));
		return auth_leave(sa, IKE_E_KERNEL, 0, s->now_ms);
	}
	child_is_up(sa);
	return IKE_OK;
}
