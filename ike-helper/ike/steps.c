#include "ike/steps.h"

#include "ike/engine.h"
#include "ike/x.h"

typedef HANDLER((*step_handler));
typedef QUESTION((*step_question));

struct step {
	uint32_t in;                /* set of states */
	enum step_on on;
	uint8_t exchange;           /* of a message; 0 = any */
	uint32_t need;              /* set of payload types that must be there */
	uint16_t notify;            /* notify that must be there; 0 = none */
	step_question when;         /* what else must be so; NULL = nothing */
	step_handler run;
	enum sa_state next;
	const char *story;
};

#define P(type) (UINT32_C(1) << ((type) - PL_SA))
#define INIT_PAYLOADS (P(PL_SA) | P(PL_KE) | P(PL_NONCE))
#define AUTH_I_PAYLOADS (P(PL_IDI) | P(PL_AUTH) | P(PL_SA) | P(PL_TSI) | P(PL_TSR))
#define AUTH_R_PAYLOADS (P(PL_IDR) | P(PL_AUTH) | P(PL_SA) | P(PL_TSI) | P(PL_TSR))
#define CHILD_PAYLOADS (P(PL_SA) | P(PL_NONCE) | P(PL_TSI) | P(PL_TSR))
#define OVER (IN(ST_LEAVING) | IN(ST_LINGERING))
/* Requests come too early here, or something else is being worked on. */
#define NOT_LISTENING (IN(ST_INIT_SENT) | IN(ST_INTERMEDIATE_SENT) | IN(ST_I_SIGNING) | IN(ST_AUTH_SENT) | IN(ST_CHILD_SENT) | \
		       IN(ST_I_INSTALLING) | \
		       IN(ST_AUTHORIZING) | IN(ST_SIGNING) | IN(ST_R_INSTALLING))
/* In the handshake, and the kernel is not working for us. */
#define UNDER_WAY (IN(ST_INIT_SENT) | IN(ST_INTERMEDIATE_SENT) | IN(ST_I_SIGNING) | IN(ST_AUTH_SENT) | IN(ST_INTERMEDIATE_DUE) | \
		   IN(ST_CHILD_SENT) | IN(ST_INIT_ANSWERED) | IN(ST_AUTHORIZING) | IN(ST_SIGNING) | IN(ST_CHILD_DUE))

/* The first row that fits is taken: what is special stands before what is general. A `next` that
 * equals the state is a row that stays. */
static const struct step steps[] = {
/* We start: IKE_SA_INIT. Nothing in an answer is authenticated: what does not fit is ignored,
 * and we keep asking. */
{ IN(ST_NEW), ON_START, 0, 0, 0, NULL, init_start, ST_INIT_SENT,
	"IKE_SA_INIT sent" },
{ IN(ST_INIT_SENT), ON_REPLY, EXCH_IKE_SA_INIT, 0, N_COOKIE, cookie_is_usable, init_with_cookie, ST_INIT_SENT,
	"asked for a cookie: sent again with it, now or later" },
{ IN(ST_INIT_SENT), ON_SILENCE, 0, 0, 0, cookie_is_due, init_with_held_cookie, ST_INIT_SENT,
	"no answer without the cookie: sent again with it" },
{ IN(ST_INIT_SENT), ON_REPLY, EXCH_IKE_SA_INIT, 0, N_INVALID_KE_PAYLOAD, group_is_ours, init_with_group, ST_INIT_SENT,
	"asked for another group: sent again with it" },
{ IN(ST_INIT_SENT), ON_REPLY, EXCH_IKE_SA_INIT, INIT_PAYLOADS, 0, answer_is_hybrid, init_answered_hybrid, ST_INTERMEDIATE_SENT,
	"keys agreed, ML-KEM-768 public key sent" },
{ IN(ST_INIT_SENT), ON_REPLY, EXCH_IKE_SA_INIT, INIT_PAYLOADS, 0, we_say_who_we_are, init_answered_to_sign, ST_I_SIGNING,
	"keys agreed, signing" },
{ IN(ST_INIT_SENT), ON_REPLY, EXCH_IKE_SA_INIT, INIT_PAYLOADS, 0, NULL, init_answered, ST_AUTH_SENT,
	"keys agreed, proving identity" },
{ IN(ST_INIT_SENT), ON_REPLY, EXCH_IKE_SA_INIT, P(PL_NOTIFY), 0, NULL, init_refused, ST_INIT_SENT,
	"an error that anybody could have sent: noted" },

/* We start: IKE_INTERMEDIATE. */
{ IN(ST_INTERMEDIATE_SENT), ON_REPLY, EXCH_IKE_INTERMEDIATE, P(PL_KE), 0, we_say_who_we_are, intermediate_answered_to_sign, ST_I_SIGNING,
	"ML-KEM-768 ciphertext came, signing" },
{ IN(ST_INTERMEDIATE_SENT), ON_REPLY, EXCH_IKE_INTERMEDIATE, P(PL_KE), 0, NULL, intermediate_answered, ST_AUTH_SENT,
	"ML-KEM-768 ciphertext came, proving identity" },
{ IN(ST_INTERMEDIATE_SENT), ON_REPLY, EXCH_IKE_INTERMEDIATE, P(PL_NOTIFY), 0, NULL, intermediate_refused, ST_GONE,
	"refused" },

/* We start: IKE_AUTH. */
{ IN(ST_I_SIGNING), ON_SIGNED, 0, 0, 0, NULL, auth_send_signed, ST_AUTH_SENT,
	"signed, proving identity" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_IDR) | P(PL_AUTH), 0, child_comes_later, auth_answered_childless, ST_CHILD_SENT,
	"the host proved its key: asked for a CHILD SA" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, AUTH_R_PAYLOADS, 0, NULL, auth_answered, ST_I_INSTALLING,
	"the host proved its key, installing" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_IDR) | P(PL_AUTH), 0, childless_may_help, auth_answered_once_childless, ST_INIT_SENT,
	"the host proved its key: once more, and the CHILD SA after that" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_IDR) | P(PL_AUTH), 0, address_may_help, auth_answered_without_address, ST_INIT_SENT,
	"the host proved its key: once more, asking it for an address" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_IDR) | P(PL_AUTH), 0, NULL, auth_answered_without_child, ST_LEAVING,
	"the host proved its key and refused the CHILD SA" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_NOTIFY), 0, cookie_is_doubtful, auth_refused_cookie, ST_INIT_SENT,
	"refused: once more, and not at once with a cookie" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_NOTIFY), 0, name_was_asked, auth_refused_name, ST_INIT_SENT,
	"refused: once more, without asking for a name" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_NOTIFY), 0, address_may_help, auth_refused_without_address, ST_INIT_SENT,
	"refused: once more, asking for an address" },
{ IN(ST_AUTH_SENT), ON_REPLY, EXCH_IKE_AUTH, P(PL_NOTIFY), 0, NULL, auth_refused, ST_GONE,
	"refused" },

/* We start: the CHILD SA after IKE_AUTH. */
{ IN(ST_CHILD_SENT), ON_REPLY, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, 0, NULL, late_answered, ST_I_INSTALLING,
	"CHILD SA agreed on, installing" },
{ IN(ST_CHILD_SENT), ON_REPLY, EXCH_CREATE_CHILD_SA, 0, N_INVALID_KE_PAYLOAD, late_group_is_ours, late_ask_with_group, ST_CHILD_SENT,
	"asked for another group: sent again with it" },
{ IN(ST_CHILD_SENT), ON_REPLY, EXCH_CREATE_CHILD_SA, P(PL_NOTIFY), 0, NULL, late_refused, ST_LEAVING,
	"CHILD SA refused" },
{ IN(ST_I_INSTALLING), ON_KERNEL, 0, 0, 0, NULL, initiator_installed, ST_UP,
	"up" },

/* The peer starts: IKE_SA_INIT, after cookie and limits (new_initiator() in input.c). */
{ IN(ST_NEW), ON_REQUEST, EXCH_IKE_SA_INIT, INIT_PAYLOADS, 0, request_is_hybrid, init_requested, ST_INTERMEDIATE_DUE,
	"keys agreed, waiting for an ML-KEM-768 public key" },
{ IN(ST_NEW), ON_REQUEST, EXCH_IKE_SA_INIT, INIT_PAYLOADS, 0, NULL, init_requested, ST_INIT_ANSWERED,
	"keys agreed, waiting for its identity" },

/* The peer starts: what comes next. */
{ IN(ST_INTERMEDIATE_DUE) | IN(ST_INIT_ANSWERED) | IN(ST_CHILD_DUE), ON_REQUEST, 0, 0, 0, comes_from_elsewhere, wait_for_it, ST_MAX,
	"from another address than IKE_SA_INIT: ignored" },

/* The peer starts: IKE_INTERMEDIATE. */
{ IN(ST_INTERMEDIATE_DUE), ON_REQUEST, EXCH_IKE_INTERMEDIATE, P(PL_KE), 0, NULL, intermediate_requested, ST_INIT_ANSWERED,
	"ML-KEM-768 ciphertext sent, waiting for its identity" },

/* The peer starts: IKE_AUTH. */
{ IN(ST_INIT_ANSWERED), ON_REQUEST, EXCH_IKE_AUTH, P(PL_IDI), 0, peer_wants_eap, auth_refuse_eap, ST_LINGERING,
	"no proof of who it is: it wants EAP" },
{ IN(ST_INIT_ANSWERED), ON_REQUEST, EXCH_IKE_AUTH, P(PL_IDI) | P(PL_AUTH), 0, claims_without_child, auth_claimed, ST_AUTHORIZING,
	"a peer with a name and a signature, and no CHILD SA yet: whose key is it?" },
{ IN(ST_INIT_ANSWERED), ON_REQUEST, EXCH_IKE_AUTH, P(PL_IDI) | P(PL_AUTH), 0, asks_no_child, auth_requested, ST_AUTHORIZING,
	"anonymous peer, and no CHILD SA yet: may it have one?" },
{ IN(ST_INIT_ANSWERED), ON_REQUEST, EXCH_IKE_AUTH, AUTH_I_PAYLOADS, 0, peer_says_who_it_is, auth_claimed, ST_AUTHORIZING,
	"a peer with a name and a signature: whose key is it?" },
{ IN(ST_INIT_ANSWERED), ON_REQUEST, EXCH_IKE_AUTH, AUTH_I_PAYLOADS, 0, child_is_refused, auth_requested_without_child, ST_SIGNING,
	"anonymous peer; its CHILD SA is not acceptable" },
{ IN(ST_INIT_ANSWERED), ON_REQUEST, EXCH_IKE_AUTH, AUTH_I_PAYLOADS, 0, NULL, auth_requested, ST_AUTHORIZING,
	"anonymous peer, may it have a tunnel?" },
{ IN(ST_AUTHORIZING), ON_AUTHORIZED, 0, 0, 0, late_is_denied, late_deny, ST_CHILD_DUE,
	"the CHILD SA that it has asked for is not for it" },
{ IN(ST_AUTHORIZING), ON_AUTHORIZED, 0, 0, 0, child_was_late, late_authorized, ST_R_INSTALLING,
	"let in, installing" },
{ IN(ST_AUTHORIZING), ON_AUTHORIZED, 0, 0, 0, NULL, auth_authorized, ST_SIGNING,
	"let in, signing" },
{ IN(ST_SIGNING), ON_SIGNED, 0, 0, 0, child_was_refused, auth_signed_without_child, ST_LINGERING,
	"proved our key, CHILD SA refused" },
{ IN(ST_SIGNING), ON_SIGNED, 0, 0, 0, is_childless, auth_signed_childless, ST_CHILD_DUE,
	"proved our key, waiting for a CHILD SA to be asked for" },
{ IN(ST_SIGNING), ON_SIGNED, 0, 0, 0, NULL, auth_signed, ST_R_INSTALLING,
	"signed, installing" },
{ IN(ST_R_INSTALLING), ON_KERNEL, 0, 0, 0, child_was_late, late_installed, ST_UP,
	"up" },
{ IN(ST_R_INSTALLING), ON_KERNEL, 0, 0, 0, NULL, responder_installed, ST_UP,
	"up" },

/* The peer starts: the CHILD SA after IKE_AUTH (RFC 6023). */
{ IN(ST_CHILD_DUE), ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, N_REKEY_SA, NULL, child_not_found, ST_MAX,
	"no such CHILD SA" },
{ IN(ST_CHILD_DUE), ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, 0, late_is_refused, late_refuse, ST_MAX,
	"this CHILD SA is not acceptable" },
{ IN(ST_CHILD_DUE), ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, 0, NULL, late_requested, ST_AUTHORIZING,
	"asked for a CHILD SA: may it have that?" },
{ IN(ST_CHILD_DUE), ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, NULL, child_refuse_now, ST_MAX,
	"nothing else before there is a CHILD SA" },
{ IN(ST_CHILD_DUE), ON_EXPIRED, 0, 0, 0, nobody_pushes_it_out, late_is_over, ST_LEAVING,
	"no CHILD SA was asked for: deleting the IKE SA" },

/* Both: while we wait for somebody a request is not for now. */
{ NOT_LISTENING, ON_REQUEST, 0, 0, 0, NULL, wait_for_it, ST_MAX,
	"not now: the peer will repeat it" },

/* Up, and the kernel is asked for a new CHILD SA: nothing else happens until it has answered. */
{ IN_LIFE, ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, mobike_has_gone_on, child_refuse_now, ST_MAX,
	"not now: the peer has to say first that it has moved again" },
{ IN_LIFE, ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, mobike_is_unproved, wait_for_it, ST_MAX,
	"not now: first the peer has to be where it says" },
{ IN_LIFE, ON_REQUEST, 0, 0, 0, kernel_is_asked, wait_for_it, ST_MAX,
	"not now: the peer will repeat it" },
{ IN_LIFE, ON_REPLY, 0, 0, 0, kernel_is_asked, wait_for_it, ST_MAX,
	"not now: we will ask again" },
{ IN_LIFE, ON_LOST, 0, 0, 0, kernel_is_asked, wait_for_it, ST_MAX,
	"the peer has lost this SA; but the kernel is at work" },
{ IN_LIFE, ON_EXPIRED, 0, 0, 0, kernel_is_asked, expire_later, ST_MAX,
	"no answer in time; but the kernel is at work" },
{ IN_LIFE, ON_CLOSE, 0, 0, 0, kernel_is_asked, info_close_later, ST_MAX,
	"to be closed when the kernel has answered" },

/* Up: the peer could not read what we asked. Without a Delete the IKE SA is over at both ends (RFC 7296 2.21.3). */
{ IN(ST_IKE_REKEYING), ON_REPLY, 0, P(PL_NOTIFY), N_INVALID_SYNTAX, rekey_ike_has_heir, rekey_ike_theirs, ST_GONE,
	"ended by the peer, whose new IKE SA stays" },
{ IN_LIFE, ON_REPLY, 0, P(PL_NOTIFY), N_INVALID_SYNTAX, NULL, info_syntax_error, ST_GONE,
	"the peer has ended it over a request of ours" },

/* Empty: made by rekeying, or replaced by it. */
{ IN(ST_EMPTY), ON_REQUEST, EXCH_INFORMATIONAL, P(PL_DELETE), 0, deletes_ike, info_ike_deleted, ST_LINGERING,
	"deleted by the peer" },
{ IN(ST_EMPTY), ON_REQUEST, EXCH_INFORMATIONAL, P(PL_DELETE), 0, deletes_only_children, wait_for_it, ST_MAX,
	"not now: the CHILD SAs have not come yet" },
{ IN(ST_EMPTY), ON_REQUEST, EXCH_INFORMATIONAL, P(PL_NOTIFY), N_QCD_TOKEN, NULL, info_token_came, ST_MAX,
	"a token for this IKE SA" },
{ IN(ST_EMPTY), ON_REQUEST, EXCH_INFORMATIONAL, P(PL_NOTIFY), N_UPDATE_SA_ADDRESSES, NULL, wait_for_it, ST_MAX,
	"the peer has moved: not before the CHILD SAs are here" },
{ IN(ST_EMPTY), ON_REQUEST, EXCH_INFORMATIONAL, 0, 0, NULL, info_answer, ST_MAX,
	"answered" },
{ IN(ST_EMPTY), ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, NULL, child_refuse_now, ST_MAX,
	"nothing new: not now" },
{ IN(ST_EMPTY), ON_REPLY, 0, 0, 0, NULL, info_bye, ST_MAX,
	"answered, too late to matter" },
{ IN(ST_EMPTY), ON_MOVE, 0, 0, 0, NULL, mobike_tell, ST_EMPTY,
	"we have moved: a peer that does not know the new IKE SA is told" },
{ IN(ST_EMPTY), ON_EXPIRED, 0, 0, 0, request_is_out, forget, ST_GONE,
	"the peer is silent: forgotten" },
{ IN(ST_EMPTY), ON_EXPIRED, 0, 0, 0, NULL, empty_is_deleted, ST_LEAVING,
	"not deleted by the peer: we do it" },

/* Up: INFORMATIONAL. */
{ IN(ST_IKE_REKEYING), ON_REQUEST, EXCH_INFORMATIONAL, P(PL_DELETE), 0, rekey_ike_ends_with_heir, rekey_ike_theirs, ST_LINGERING,
	"deleted by the peer, whose new IKE SA stays" },
{ IN_LIFE | IN(ST_CHILD_DUE), ON_REQUEST, EXCH_INFORMATIONAL, P(PL_NOTIFY), 0, tells_fatal_error, info_fatal_error, ST_LINGERING,
	"the peer says that it is over" },
{ IN_LIFE | IN(ST_CHILD_DUE), ON_REQUEST, EXCH_INFORMATIONAL, P(PL_DELETE), 0, deletes_ike, info_ike_deleted, ST_LINGERING,
	"deleted by the peer" },
{ IN_LIFE, ON_REQUEST, EXCH_INFORMATIONAL, P(PL_DELETE), 0, deletes_last_child, child_last_deleted, ST_LEAVING,
	"CHILD SA deleted by the peer: deleting the IKE SA too" },
{ IN_LIFE, ON_REQUEST, EXCH_INFORMATIONAL, P(PL_DELETE), 0, deletes_child, child_deleted, ST_MAX,
	"old CHILD SA deleted by the peer" },
{ IN_LIFE, ON_REQUEST, EXCH_INFORMATIONAL, P(PL_NOTIFY), N_QCD_TOKEN, NULL, info_token_came, ST_MAX,
	"a token for this IKE SA" },
{ IN_LIFE, ON_REQUEST, EXCH_INFORMATIONAL, P(PL_NOTIFY), N_UPDATE_SA_ADDRESSES, mobike_may_move, mobike_moved, ST_MAX,
	"the peer has moved" },
{ IN(ST_UP), ON_MOVE, 0, 0, 0, NULL, mobike_tell, ST_UP,
	"we have moved: the peer is told" },
{ IN(ST_UP), ON_REPLY, EXCH_INFORMATIONAL, P(PL_NOTIFY), N_UNACCEPTABLE_ADDRESSES, mobike_is_told, mobike_refused, ST_LEAVING,
	"the peer does not want us there" },
{ IN(ST_UP), ON_REPLY, EXCH_INFORMATIONAL, 0, 0, mobike_is_told, mobike_accepted, ST_UP,
	"the peer knows where we are" },
{ IN(ST_UP), ON_COOKIE2, 0, 0, 0, NULL, mobike_ask, ST_UP,
	"asked whether the peer is where it says" },
{ IN(ST_UP), ON_REPLY, EXCH_INFORMATIONAL, 0, 0, mobike_is_unproved, mobike_proved, ST_UP,
	"the peer is where it says" },
{ IN_LIFE | IN(ST_CHILD_DUE) | OVER, ON_REQUEST, EXCH_INFORMATIONAL, 0, 0, NULL, info_answer, ST_MAX,
	"answered" },
{ IN_LIFE, ON_PROBE, 0, 0, 0, request_is_out, wait_for_it, ST_MAX,
	"asked already" },
{ IN_LIFE, ON_PROBE, 0, 0, 0, kernel_is_asked, wait_for_it, ST_MAX,
	"the peer lives: it has just answered" },
{ IN(ST_UP), ON_PROBE, 0, 0, 0, NULL, info_probe, ST_UP,
	"asked whether the peer lives" },
{ IN(ST_UP), ON_TOKEN, 0, 0, 0, NULL, info_token, ST_UP,
	"our token for this IKE SA sent" },
{ IN(ST_UP), ON_REPLY, EXCH_INFORMATIONAL, 0, 0, NULL, info_alive, ST_UP,
	"the peer lives" },
{ IN(ST_LEAVING), ON_REPLY, 0, 0, 0, delete_is_owed, info_delete_now, ST_LEAVING,
	"answered; now the peer is told that it is over" },
{ IN(ST_LEAVING), ON_REPLY, EXCH_INFORMATIONAL, 0, 0, NULL, info_bye, ST_GONE,
	"the peer knows that it is over" },

/* Up: we rekey the CHILD SA. */
{ IN(ST_UP), ON_REKEY_CHILD, 0, 0, 0, NULL, rekey_child_ask, ST_CHILD_REKEYING,
	"asked for a new CHILD SA" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, N_ADDITIONAL_KEY_EXCHANGE, followup_is_lost, rekey_child_left,
	ST_UP, "two new CHILD SAs: the peer's stays" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, N_ADDITIONAL_KEY_EXCHANGE, NULL, rekey_child_with_more,
	ST_CHILD_REKEYING, "new CHILD SA agreed on, ML-KEM-768 public key sent" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, 0, NULL, rekey_child_answered, ST_CHILD_REKEYING,
	"new CHILD SA agreed on, installing" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_IKE_FOLLOWUP_KE, P(PL_KE), 0, followup_is_out, rekey_child_has_more, ST_CHILD_REKEYING,
	"ML-KEM-768 ciphertext came, installing" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_IKE_FOLLOWUP_KE, P(PL_NOTIFY), 0, may_try_again, rekey_child_later, ST_UP,
	"not now: once more in a moment" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_IKE_FOLLOWUP_KE, P(PL_NOTIFY), 0, NULL, rekey_child_refused, ST_UP,
	"no new CHILD SA" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, 0, N_INVALID_KE_PAYLOAD, rekey_group_is_ours, rekey_child_with_group,
	ST_CHILD_REKEYING, "asked for another group: sent again with it" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, 0, N_TEMPORARY_FAILURE, may_try_again, rekey_child_later, ST_UP,
	"not now: once more in a moment" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, P(PL_NOTIFY), N_CHILD_SA_NOT_FOUND, rekey_child_is_wanted, rekey_child_not_found,
	ST_LEAVING, "the peer has no such CHILD SA: deleting the IKE SA too" },
{ IN(ST_CHILD_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, P(PL_NOTIFY), 0, NULL, rekey_child_refused, ST_UP,
	"no new CHILD SA" },
{ IN(ST_CHILD_REKEYING), ON_KERNEL, 0, 0, 0, peer_made_it, rekey_child_reply, ST_CHILD_REKEYING,
	"the peer has a new CHILD SA, while we ask for one" },
{ IN(ST_CHILD_REKEYING), ON_KERNEL, 0, 0, 0, NULL, rekey_child_installed, ST_UP,
	"new CHILD SA" },
{ IN(ST_UP), ON_RETIRE, 0, 0, 0, NULL, child_retire, ST_CHILD_DELETING,
	"deleting an old CHILD SA" },
{ IN(ST_CHILD_DELETING), ON_REPLY, EXCH_INFORMATIONAL, 0, 0, NULL, child_retired, ST_UP,
	"the old CHILD SA is deleted" },

/* Up: the peer rekeys the CHILD SA. */
{ IN(ST_IKE_REKEYING), ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, 0, NULL, child_refuse_now, ST_MAX,
	"a CHILD SA while the IKE SA changes: not now" },
{ IN(ST_CHILD_REKEYING), ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, 0, followup_is_out, child_refuse_now, ST_MAX,
	"a CHILD SA while ours is half made: not now" },
{ IN_LIFE, ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, N_REKEY_SA, rekeys_no_child, child_not_found, ST_MAX,
	"no such CHILD SA" },
{ IN_LIFE, ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, N_REKEY_SA, rekeys_leaving_child, child_refuse_now, ST_MAX,
	"a new CHILD SA for one that goes: not now" },
{ IN_LIFE, ON_REQUEST, EXCH_CREATE_CHILD_SA, CHILD_PAYLOADS, N_REKEY_SA, NULL, rekey_child_requested, ST_MAX,
	"the peer wants a new CHILD SA" },
{ IN_LIFE, ON_REQUEST, EXCH_IKE_FOLLOWUP_KE, P(PL_KE), 0, rekey_child_wants_more, rekey_child_got_more, ST_MAX,
	"ML-KEM-768 public key came, installing" },
{ IN_LIFE, ON_KERNEL, 0, 0, 0, peer_made_it, rekey_child_reply, ST_MAX,
	"the peer has a new CHILD SA" },

/* Up: we rekey the IKE SA. */
{ IN(ST_UP), ON_REKEY_IKE, 0, 0, 0, NULL, rekey_ike_ask, ST_IKE_REKEYING,
	"asked for a new IKE SA" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, N_ADDITIONAL_KEY_EXCHANGE, rekey_ike_is_lost, rekey_ike_theirs,
	ST_EMPTY, "half a new IKE SA, and one of the peer's: that stays" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, N_ADDITIONAL_KEY_EXCHANGE, followup_is_lost, rekey_ike_left, ST_UP,
	"two halves of a new IKE SA: the peer's stays" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, N_ADDITIONAL_KEY_EXCHANGE, NULL, rekey_ike_with_more,
	ST_IKE_REKEYING, "ML-KEM-768 public key sent" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_IKE_FOLLOWUP_KE, P(PL_KE), 0, followup_is_out, rekey_ike_has_more, ST_LEAVING,
	"ML-KEM-768 ciphertext came: new IKE SA, deleting the old one" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_IKE_FOLLOWUP_KE, P(PL_NOTIFY), 0, rekey_ike_has_heir, rekey_ike_theirs, ST_EMPTY,
	"no new IKE SA of ours: the peer's stays" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_IKE_FOLLOWUP_KE, P(PL_NOTIFY), 0, rekey_ike_may_try_again, rekey_ike_later, ST_UP,
	"not now: once more in a moment" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_IKE_FOLLOWUP_KE, P(PL_NOTIFY), 0, NULL, rekey_ike_refused, ST_UP,
	"no new IKE SA" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, 0, rekey_ike_is_lost, rekey_ike_lost, ST_EMPTY,
	"two new IKE SAs: the peer's stays" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, 0, NULL, rekey_ike_answered, ST_LEAVING,
	"new IKE SA, deleting the old one" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, P(PL_NOTIFY), 0, rekey_ike_has_heir, rekey_ike_theirs, ST_EMPTY,
	"no new IKE SA of ours: the peer's stays" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, 0, N_INVALID_KE_PAYLOAD, rekey_ike_group_is_ours, rekey_ike_with_group,
	ST_IKE_REKEYING, "asked for another group: sent again with it" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, 0, N_TEMPORARY_FAILURE, rekey_ike_may_try_again, rekey_ike_later, ST_UP,
	"not now: once more in a moment" },
{ IN(ST_IKE_REKEYING), ON_REPLY, EXCH_CREATE_CHILD_SA, P(PL_NOTIFY), 0, NULL, rekey_ike_refused, ST_UP,
	"no new IKE SA" },
{ IN(ST_IKE_REKEYING), ON_EXPIRED, 0, 0, 0, rekey_ike_has_heir, rekey_ike_theirs, ST_GONE,
	"no answer in time: the peer's new IKE SA stays" },

/* Up: the peer rekeys the IKE SA (RFC 7296 2.25.2). */
{ IN(ST_CHILD_REKEYING) | IN(ST_CHILD_DELETING), ON_REQUEST, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, 0, offers_ike, child_refuse_now,
	ST_MAX, "a new IKE SA while a CHILD SA changes: not now" },
{ IN(ST_IKE_REKEYING), ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, rekey_ike_has_heir, child_refuse_now, ST_MAX,
	"one more new IKE SA: not now" },
{ IN(ST_IKE_REKEYING), ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, followup_is_out, child_refuse_now, ST_MAX,
	"a new IKE SA while ours is half made: not now" },
{ IN_LIFE, ON_REQUEST, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, 0, ike_offer_is_refused, rekey_ike_refuse, ST_MAX,
	"no such IKE SA" },
{ IN(ST_UP) | IN(ST_IKE_REKEYING), ON_REQUEST, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, 0, rekey_ike_wants_more, rekey_ike_promised, ST_MAX,
	"the peer wants a new IKE SA: waiting for an ML-KEM-768 public key" },
{ IN(ST_UP), ON_REQUEST, EXCH_IKE_FOLLOWUP_KE, P(PL_KE), 0, followup_is_for_ike, rekey_ike_got_more, ST_EMPTY,
	"ML-KEM-768 public key came: the peer has a new IKE SA" },
{ IN(ST_IKE_REKEYING), ON_REQUEST, EXCH_IKE_FOLLOWUP_KE, P(PL_KE), 0, followup_is_for_ike, rekey_ike_got_more_too, ST_MAX,
	"ML-KEM-768 public key came: the peer has a new IKE SA too" },
{ IN(ST_UP), ON_REQUEST, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, 0, offers_ike, rekey_ike_requested, ST_EMPTY,
	"the peer has a new IKE SA" },
{ IN(ST_IKE_REKEYING), ON_REQUEST, EXCH_CREATE_CHILD_SA, INIT_PAYLOADS, 0, offers_ike, rekey_ike_requested_too, ST_MAX,
	"the peer wants a new IKE SA too" },

{ IN_LIFE | IN(ST_EMPTY) | OVER, ON_REQUEST, EXCH_IKE_FOLLOWUP_KE, 0, 0, NULL, followup_unknown, ST_MAX,
	"one more key exchange of nothing" },

/* Any other CREATE_CHILD_SA is refused: there is one CHILD SA. */
{ IN_LIFE, ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, NULL, child_refuse, ST_MAX,
	"no more SAs" },
{ OVER, ON_REQUEST, EXCH_CREATE_CHILD_SA, 0, 0, NULL, child_refuse_now, ST_MAX,
	"no more SAs, it is over" },

/* All: our request is not answered yet. */
{ IN(ST_MAX) - 1, ON_SILENCE, 0, 0, 0, NULL, send_again, ST_MAX,
	"no answer: sent again" },

/* The end. While the kernel works for us nothing ends: what it has installed must be known
 * first. */
{ UNDER_WAY, ON_CLOSE, 0, 0, 0, NULL, forget, ST_GONE,
	"given up" },
{ IN(ST_I_INSTALLING) | IN(ST_R_INSTALLING), ON_CLOSE, 0, 0, 0, NULL, info_close_later, ST_MAX,
	"to be closed when the kernel has answered" },
{ IN(ST_IKE_REKEYING), ON_CLOSE, 0, 0, 0, NULL, info_close_later, ST_MAX,
	"to be closed when there is one IKE SA again" },
{ IN_LIFE, ON_CLOSE, 0, 0, 0, request_is_out, info_close_later, ST_LEAVING,
	"closed; the peer is told when it has answered" },
{ IN_LIFE, ON_CLOSE, 0, 0, 0, NULL, info_close, ST_LEAVING,
	"closed, telling the peer" },
{ IN(ST_IKE_REKEYING), ON_LOST, 0, 0, 0, rekey_ike_has_heir, wait_for_it, ST_MAX,
	"the peer has lost this SA; the next one will be found lost too" },
{ IN_LIFE, ON_LOST, 0, 0, 0, NULL, info_lost, ST_GONE,
	"the peer has proved that it has lost this SA" },
{ UNDER_WAY | IN_LIFE, ON_EXPIRED, 0, 0, 0, NULL, give_up, ST_GONE,
	"no answer in time" },
{ OVER, ON_EXPIRED, 0, 0, 0, NULL, forget, ST_GONE,
	"forgotten" },
};

/* Choosing a row ------------------------------------------------------------------------------- */

static bool is_message(const struct stimulus *s)
{
	return s->on == ON_REQUEST || s->on == ON_REPLY;
}

static uint32_t types_in(const struct msg_chain *chain)
{
	uint32_t types = 0;
	unsigned i;

	for (i = 0; i < chain->n; i++) {
		if (chain->payload[i].type >= PL_SA && chain->payload[i].type < PL_SA + 32)
			types |= P(chain->payload[i].type);
	}
	return types;
}

static bool fits(const struct step *row, const struct ike_sa *sa, const struct stimulus *s)
{
	struct pl_notify notify;

	if (!(row->in & IN(sa->state)) || row->on != s->on)
		return false;
	if (is_message(s)) {
		if (row->exchange && row->exchange != s->hdr->exchange)
			return false;
		if (row->need & ~types_in(s->chain))
			return false;
		if (row->notify && !pl_notify_find(s->chain, row->notify, &notify))
			return false;
	}
	return !row->when || row->when(sa, s);
}

static const struct step *find(const struct ike_sa *sa, const struct stimulus *s)
{
	size_t i;

	for (i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (fits(&steps[i], sa, s))
			return &steps[i];
	}
	return NULL;
}

/* When it does not go well --------------------------------------------------------------------- */

/* A Notify that nobody looks for, and a Delete of nothing that we know, are to be well-formed all the same: who sent it believes that
 * it was understood. */
static bool is_readable(const struct msg_payload *payload)
{
	struct pl_notify notify;
	struct pl_delete del;

	if (payload->type == PL_NOTIFY)
		return pl_notify_read(payload->body, &notify) == IKE_OK;
	return payload->type != PL_DELETE || pl_delete_read(payload->body, &del) == IKE_OK;
}

enum ike_err step_check_payloads(const struct msg_chain *chain, uint8_t *critical)
{
	static const uint32_t known = P(PL_SA) | P(PL_KE) | P(PL_IDI) | P(PL_IDR) | P(PL_CERT) |
				      P(PL_CERTREQ) | P(PL_AUTH) | P(PL_NONCE) | P(PL_NOTIFY) |
				      P(PL_DELETE) | P(PL_VENDOR) | P(PL_TSI) | P(PL_TSR) |
				      P(PL_CP) | P(PL_EAP);
	static const uint32_t many =
		P(PL_CERT) | P(PL_CERTREQ) | P(PL_NOTIFY) | P(PL_DELETE) | P(PL_VENDOR);
	uint32_t seen = 0;
	unsigned i;

	*critical = 0;
	for (i = 0; i < chain->n; i++) {
		uint8_t type = chain->payload[i].type;
		uint32_t bit = type >= PL_SA && type < PL_SA + 32 ? P(type) : 0;

		/* RFC 7296 3.14: once, around all others. */
		if (bit & (P(PL_SK) | P(PL_SKF)))
			return IKE_E_SYNTAX;
		if (!(bit & known)) {
			if (!chain->payload[i].critical)
				continue;
			*critical = type;
			return IKE_E_UNSUPPORTED;
		}
		if ((seen & bit & ~many) || !is_readable(&chain->payload[i]))
			return IKE_E_SYNTAX;
		seen |= bit;
	}
	return IKE_OK;
}

static enum rp_reason reason_of(enum ike_err err)
{
	switch (err) {
	case IKE_E_SYNTAX: case IKE_E_UNSUPPORTED: case IKE_E_INTEGRITY:
		return REASON_PROTOCOL;
	case IKE_E_NO_PROPOSAL:
		return REASON_NO_PROPOSAL;
	case IKE_E_AUTH:
		return REASON_AUTH_FAILED;
	case IKE_E_LIMIT:
		return REASON_LIMIT;
	case IKE_E_TIMEOUT:
		return REASON_TIMEOUT;
	case IKE_E_REFUSED:
		return REASON_PEER_REFUSED;
	case IKE_E_KERNEL:
		return REASON_KERNEL;
	case IKE_E_CONFLICT:
		return REASON_KEY_CONFLICT;
	case IKE_OK:
	case IKE_E_NOSPACE:
	case IKE_E_NOMEM:
	case IKE_E_STATE:
	case IKE_E_CRYPTO:
	case IKE_E_CONFIG:
	case IKE_E_IO:
	case IKE_E_MAX:
		break;
	}
	return REASON_INTERNAL;
}

/* It is over. What the handler has queued for the peer decides how long we stay: until our last
 * request is acknowledged, or as long as the peer may have missed our last answer. */
static void fail(struct ike_sa *sa, enum ike_err err, uint64_t now_ms)
{
	sa_blame(sa, reason_of(err), "%s", ike_err_text(err));
	if (sa->state == ST_LEAVING || sa->state == ST_LINGERING)
		return;
	if (sa->window.request && (sa->state >= ST_UP || (sa->state != ST_INIT_SENT && sa->window.next_request > 1)))
		engine_move(sa, ST_LEAVING, now_ms);
	else if (sa->window.reply && (sa->state >= ST_UP || sa->initiator || sa->window.expected > 1))
		engine_move(sa, ST_LINGERING, now_ms);
	else
		engine_move(sa, ST_GONE, now_ms);
}

/* Tell the peer what is wrong with its message. A response is answered by a request of ours: the error while there is no SA yet
 * that other exchanges use (RFC 7296 2.21.2), later a Delete alone (2.21.3). IKE_E_STATE: it has been told already. */
static enum ike_err complain(struct ike_sa *sa, const struct stimulus *s, enum ike_err err,
			     uint8_t critical)
{
	if (s->on == ON_REQUEST && err == IKE_E_UNSUPPORTED)
		return engine_reply_notify(sa, s, N_UNSUPPORTED_CRITICAL_PAYLOAD,
					   span_of(&critical, 1));
	if (s->on == ON_REQUEST)
		return engine_reply_notify(sa, s, N_INVALID_SYNTAX, span_of(NULL, 0));
	if (sa->state >= ST_LEAVING)
		return IKE_E_STATE;
	window_request_over(&sa->window, true);
	return info_farewell(sa, sa->state < ST_UP ? N_INVALID_SYNTAX : 0, s->now_ms);
}

/* An authentic message that no row allows, or that is malformed: RFC 7296 2.21.2, 2.21.3. */
static void refuse_message(struct ike_sa *sa, const struct stimulus *s, enum ike_err err,
			   uint8_t critical)
{
	const char *what = err == IKE_E_SYNTAX        ? "malformed"
			   : err == IKE_E_UNSUPPORTED ? "with an unknown critical payload"
						      : "unexpected";
	const char *kind = s->on == ON_REQUEST ? "request" : "response";
	enum ike_err said;

	/* A bad request waits as a good one would. It must not end an SA that is half made,
	 * least of all one that the kernel is working on. */
	if (s->hdr->exchange == EXCH_IKE_SA_INIT ||
	    (s->on == ON_REQUEST && (IN(sa->state) & NOT_LISTENING))) {
		sa->ike->stats.dropped_state++;
		return;
	}
	said = complain(sa, s, err, critical);
	log_debug(sa->ike->log, "ike %llu: %s %s %s%s", (unsigned long long)sa->handle, what,
		  ike_exchange_name(s->hdr->exchange), kind,
		  said == IKE_OK ? ", told the peer" : "");
	/* RFC 7296 2.5: what has an unknown critical payload is refused; what was established
	 * before stands. */
	if (s->on == ON_REQUEST && err == IKE_E_UNSUPPORTED && said == IKE_OK && sa->state >= ST_UP)
		return;
	sa_blame(sa, REASON_PROTOCOL, "%s %s %s", what, ike_exchange_name(s->hdr->exchange), kind);
	fail(sa, IKE_E_SYNTAX, s->now_ms);
}

void step_run(struct ike_sa *sa, const struct stimulus *s)
{
	const struct step *row;
	uint8_t critical = 0;
	enum ike_err err = IKE_OK;

	if (is_message(s))
		err = s->chain ? step_check_payloads(s->chain, &critical) : IKE_E_SYNTAX;
	row = err == IKE_OK ? find(sa, s) : NULL;
	if (!row) {
		if (is_message(s))
			refuse_message(sa, s, err, critical);
		return;
	}
	err = row->run(sa, s);
	log_debug(sa->ike->log, "ike %llu: %s: %s%s%s", (unsigned long long)sa->handle,
		  sa_state_text(sa->state), row->story, err == IKE_OK ? "" : " - ",
		  err == IKE_OK ? "" : ike_err_text(err));
	if (err == IKE_E_STATE)
		return;
	if (err == IKE_OK)
		engine_move(sa, row->next == ST_MAX ? sa->state : row->next, s->now_ms);
	else
		fail(sa, err, s->now_ms);
}

/* Handlers that do next to nothing ------------------------------------------------------------- */

HANDLER(wait_for_it)
{
	(void)sa;
	(void)s;
	return IKE_E_STATE;
}

HANDLER(send_again)
{
	uint64_t for_ms = s->now_ms - sa->window.sent_ms;
	enum silence silence = for_ms >= LONG_SILENCE_MS ? SILENT_LONG : sa->denied || for_ms >= SILENCE_MS ? SILENT : NOT_SILENT;

	/* It may be back after a long silence: who denies the SA then is news each time. */
	if ((IN(sa->state) & IN_LIFE) && (sa->denied || silence > sa->silence)) {
		sa->silence = silence > sa->silence ? silence : sa->silence;
		sa->denied = false;
		engine_news(sa, NEWS_SILENT);
	}
	sa->ike->stats.retransmitted++;
	packet_send(&sa->ike->out, sa->window.request, &sa->path);
	return IKE_OK;
}

HANDLER(give_up)
{
	char detail[IKE_DETAIL_MAX];
	enum rp_reason reason = sa_outlook(sa, detail);

	(void)s;
	sa_blame(sa, reason, "%s", detail);
	return IKE_OK;
}

HANDLER(expire_later)
{
	sa->expire_ms = s->now_ms + LEAVING_MS;
	return IKE_OK;
}

HANDLER(forget)
{
	sa_dismiss(sa, s->reason);
	return IKE_OK;
}
