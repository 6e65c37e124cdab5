#include "ike/sa.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ike/child.h"
#include "ike/engine.h"
#include "ike/followup.h"

/* Which states may follow which. GONE may follow all. */
static const uint32_t legal_next[ST_MAX] = {
	[ST_NEW] = IN(ST_INIT_SENT) | IN(ST_INTERMEDIATE_DUE) | IN(ST_INIT_ANSWERED) | IN(ST_EMPTY),
	[ST_INIT_SENT] = IN(ST_INTERMEDIATE_SENT) | IN(ST_I_SIGNING) | IN(ST_AUTH_SENT),
	[ST_INTERMEDIATE_SENT] = IN(ST_I_SIGNING) | IN(ST_AUTH_SENT) | IN(ST_LEAVING),
	[ST_I_SIGNING] = IN(ST_AUTH_SENT),
	[ST_AUTH_SENT] = IN(ST_CHILD_SENT) | IN(ST_I_INSTALLING) | IN(ST_INIT_SENT) | IN(ST_LEAVING),
	[ST_CHILD_SENT] = IN(ST_I_INSTALLING) | IN(ST_LEAVING),
	[ST_I_INSTALLING] = IN(ST_UP) | IN(ST_LEAVING),
	[ST_INTERMEDIATE_DUE] = IN(ST_INIT_ANSWERED) | IN(ST_LINGERING),
	[ST_INIT_ANSWERED] = IN(ST_AUTHORIZING) | IN(ST_SIGNING) | IN(ST_LINGERING),
	[ST_AUTHORIZING] = IN(ST_SIGNING) | IN(ST_CHILD_DUE) | IN(ST_R_INSTALLING) | IN(ST_LINGERING),
	[ST_SIGNING] = IN(ST_CHILD_DUE) | IN(ST_R_INSTALLING) | IN(ST_LINGERING),
	[ST_CHILD_DUE] = IN(ST_AUTHORIZING) | IN(ST_LEAVING) | IN(ST_LINGERING),
	[ST_R_INSTALLING] = IN(ST_UP) | IN(ST_LINGERING),
	[ST_UP] = IN(ST_CHILD_REKEYING) | IN(ST_CHILD_DELETING) | IN(ST_IKE_REKEYING) | IN(ST_EMPTY) | IN(ST_LEAVING) | IN(ST_LINGERING),
	[ST_CHILD_REKEYING] = IN(ST_UP) | IN(ST_LEAVING) | IN(ST_LINGERING),
	[ST_CHILD_DELETING] = IN(ST_UP) | IN(ST_LEAVING) | IN(ST_LINGERING),
	[ST_IKE_REKEYING] = IN(ST_UP) | IN(ST_EMPTY) | IN(ST_LEAVING) | IN(ST_LINGERING),
	[ST_EMPTY] = IN(ST_UP) | IN(ST_LEAVING) | IN(ST_LINGERING),
	[ST_LEAVING] = IN(ST_LINGERING),
	[ST_LINGERING] = 0,
	[ST_GONE] = 0,
};

static const char *const state_texts[ST_MAX] = {
	[ST_NEW] = "new",
	[ST_INIT_SENT] = "init-sent",
	[ST_INTERMEDIATE_SENT] = "intermediate-sent",
	[ST_I_SIGNING] = "signing",
	[ST_AUTH_SENT] = "auth-sent",
	[ST_CHILD_SENT] = "child-sent",
	[ST_I_INSTALLING] = "installing",
	[ST_INTERMEDIATE_DUE] = "intermediate-due",
	[ST_INIT_ANSWERED] = "init-answered",
	[ST_AUTHORIZING] = "authorizing",
	[ST_SIGNING] = "signing",
	[ST_CHILD_DUE] = "child-due",
	[ST_R_INSTALLING] = "installing",
	[ST_UP] = "up",
	[ST_CHILD_REKEYING] = "child-rekeying",
	[ST_CHILD_DELETING] = "child-deleting",
	[ST_IKE_REKEYING] = "ike-rekeying",
	[ST_EMPTY] = "empty",
	[ST_LEAVING] = "leaving",
	[ST_LINGERING] = "lingering",
	[ST_GONE] = "gone",
};

const char *sa_state_text(enum sa_state state)
{
	return (unsigned)state < ST_MAX ? state_texts[state] : "?";
}

enum ike_err sa_set_state(struct ike_sa *sa, enum sa_state next)
{
	if (next != sa->state && next != ST_GONE && !(legal_next[sa->state] & IN(next)))
		return IKE_E_STATE;
	sa->state = next;
	return IKE_OK;
}

void sa_blame(struct ike_sa *sa, enum rp_reason reason, const char *format, ...)
{
	va_list args;

	if (sa->reason != REASON_NONE)
		return;
	sa->reason = reason;
	/* Without memory the reason says it alone. */
	sa->detail = malloc(IKE_DETAIL_MAX);
	if (!sa->detail)
		return;
	va_start(args, format);
	vsnprintf(sa->detail, IKE_DETAIL_MAX, format, args);
	va_end(args);
}

const char *sa_detail(const struct ike_sa *sa)
{
	if (sa->detail)
		return sa->detail;
	return sa->dismissed ? "no longer needed" : "";
}

void sa_dismiss(struct ike_sa *sa, enum rp_reason reason)
{
	if (sa->reason != REASON_NONE)
		return;
	sa->dismissed = reason == REASON_NONE;
	/* What never was up has failed, and a failure without a reason would read as a success. */
	sa->reason = reason == REASON_NONE && !sa->was_up ? REASON_INTERNAL : reason;
}

enum rp_reason sa_outlook(const struct ike_sa *sa, char detail[IKE_DETAIL_MAX])
{
	const char *what = "handshake not finished in time";

	if (sa->hs && sa->hs->suspicion != REASON_NONE) {
		if (sa->hs->suspicion_notify)
			snprintf(detail, IKE_DETAIL_MAX, "peer said %s (unauthenticated)",
				 ike_notify_name(sa->hs->suspicion_notify));
		else
			snprintf(detail, IKE_DETAIL_MAX, "%s", sa->hs->suspicion == REASON_UNREACHABLE ?
				 "by ICMP (unauthenticated)" : "unusable answer to IKE_SA_INIT");
		return sa->hs->suspicion;
	}
	if (sa->state == ST_INIT_SENT)
		what = "no answer to IKE_SA_INIT";
	else if (sa->state == ST_INTERMEDIATE_SENT)
		what = "no answer to IKE_INTERMEDIATE";
	else if (sa->state == ST_AUTH_SENT)
		what = "no answer to IKE_AUTH";
	else if (sa->state == ST_CHILD_SENT)
		what = "no answer to CREATE_CHILD_SA";
	else if (sa->state == ST_UP)
		what = "no answer to a liveness check";
	else if (IN(sa->state) & IN_LIFE)
		what = "no answer to rekeying";
	snprintf(detail, IKE_DETAIL_MAX, "%s", what);
	return REASON_TIMEOUT;
}

struct ike_sa *sa_new(struct ike *ike, bool initiator)
{
	struct ike_sa *sa = calloc(1, sizeof *sa);

	if (!sa)
		return NULL;
	sa->hs = calloc(1, sizeof *sa->hs);
	if (!sa->hs) {
		free(sa);
		return NULL;
	}
	sa->ike = ike;
	sa->initiator = sa->we_started = initiator;
	sa->expire_ms = sa->fetch_ms = NEVER_MS;
	window_init(&sa->window);
	return sa;
}

void sa_forget_intermediate(struct ike_sa *sa)
{
	struct handshake *hs = sa->hs;

	if (hs->kem_key)
		sa->ike->config.kem->key_free(hs->kem_key);
	hs->kem_key = NULL;
	hs->int_auth_len = 0;
}

void sa_forget_openings(struct handshake *hs)
{
	while (hs->n_earlier > 0) {
		struct opening *o = &hs->earlier[--hs->n_earlier];

		dh_free(o->dh);
		packet_unref(o->message);
	}
}

void sa_end_handshake(struct ike_sa *sa)
{
	struct handshake *hs = sa->hs;

	if (!hs)
		return;
	/* SK_d stays for what rekeying makes; nothing more is signed. */
	secret_clear(&sa->keys.pi);
	secret_clear(&sa->keys.pr);
	sa_forget_openings(hs);
	packet_unref(hs->message_i);
	packet_unref(hs->message_r);
	dh_free(hs->dh);
	sa_forget_intermediate(sa);
	keyset_unref(hs->keys);
	free(hs->auth_value);
	secret_wipe(hs, sizeof *hs);
	free(hs);
	sa->hs = NULL;
}

void sa_end_rekey(struct ike_sa *sa)
{
	if (!sa->rekey)
		return;
	dh_free(sa->rekey->dh);
	if (sa->rekey->kem_key)
		sa->ike->config.kem->key_free(sa->rekey->kem_key);
	secret_wipe(sa->rekey, sizeof *sa->rekey);
	free(sa->rekey);
	sa->rekey = NULL;
}

void sa_free(struct ike_sa *sa)
{
	sa_end_handshake(sa);
	if (sa->claim) {
		keyset_unref(sa->claim->keys);
		secret_clear(&sa->claim->maced_id);
		free(sa->claim);
	}
	sa_end_rekey(sa);
	if (sa->due) {
		secret_wipe(sa->due, sizeof *sa->due);
		free(sa->due);
	}
	while (sa->children)
		child_free(sa->children);
	packet_unref(sa->held);
	window_clear(&sa->window);
	free(sa->detail);
	free(sa->qcd);
	frag_clear(&sa->frags[0]);
	frag_clear(&sa->frags[1]);
	ike_keys_clear(&sa->keys);
	secret_wipe(sa, sizeof *sa);
	free(sa);
}

void sa_tunnel(const struct ike_sa *sa, struct ike_tunnel *out)
{
	*out = (struct ike_tunnel){
		.sa = sa->handle,
		.tag = sa->tag,
		.initiator = sa->we_started,
		.path = sa->path,
		.inner_local = sa->inner_local,
		.inner_remote = sa->inner_remote,
		.reqid = sa->reqid,
		.spi_in = sa->spi_in,
		.spi_out = sa->spi_out,
		.ike_suite = sa->suite,
		.esp_suite = sa->esp_suite,
		.encapsulated = sa->encapsulated,
		.wants_keepalive = sa->wants_keepalive,
		.behind = sa->behind,
		.key_index = sa->key_index,
		.auth_method = sa->auth_method,
		.peer_id_type = sa->peer_id_type,
		.round_trip_ms = sa->round_trip_ms,
	};
	memcpy(out->spi_i, sa->spi_i, sizeof out->spi_i);
	memcpy(out->spi_r, sa->spi_r, sizeof out->spi_r);
}
