/* x.h - handlers of the rows in steps.c, one file for each exchange.
 *
 * A handler does the work of one row. It returns
 *	IKE_OK          the SA moves to the row's next state
 *	IKE_E_STATE     nothing happened: the message is ignored, the SA stays as it is
 *	anything else   the SA is over; sa_blame() said why, or the error's own text must do
 * It never sets a state, and it changes nothing before it knows that it will not return IKE_E_STATE.
 */
#ifndef OE_IKE_X_H
#define OE_IKE_X_H

#include "ike/steps.h"

#define HANDLER(name) enum ike_err name(struct ike_sa *sa, const struct stimulus *s)
#define QUESTION(name) bool name(const struct ike_sa *sa, const struct stimulus *s)

/* x_init.c: IKE_SA_INIT, initiator */
HANDLER(init_start);
HANDLER(init_with_cookie);
QUESTION(cookie_is_due);
HANDLER(init_with_held_cookie);
QUESTION(cookie_is_usable);
HANDLER(init_with_group);
QUESTION(group_is_ours);
QUESTION(answer_is_hybrid);
QUESTION(we_say_who_we_are);
HANDLER(init_answered_to_sign);
HANDLER(init_answered);
HANDLER(init_answered_hybrid);
HANDLER(init_refused);
/* responder */
QUESTION(request_is_hybrid);
HANDLER(init_requested);

/* x_intermediate.c: IKE_INTERMEDIATE */
enum ike_err intermediate_auth(uint16_t prf, const struct secret *sk_p, const struct ike_hdr *hdr,
			       const struct sealed_text *text, struct secret *out);
/* initiator */
enum ike_err intermediate_send(struct ike_sa *sa, uint64_t now_ms);
HANDLER(intermediate_answered_to_sign);
HANDLER(intermediate_answered);
HANDLER(intermediate_refused);
/* responder */
HANDLER(intermediate_requested);

/* x_auth.c: IKE_AUTH, initiator */
enum ike_err auth_send(struct ike_sa *sa, uint64_t now_ms);
uint16_t auth_error_in(const struct stimulus *s);   /* the first error notify; 0 = none */
/* The other end of what is to be protected. */
const struct ip_addr *auth_wanted_host(const struct ike_sa *sa);
/* Our end of that, unless one is to be assigned. */
const struct ip_addr *auth_own_end(const struct ike_sa *sa);
/* Is this the CHILD SA of our offer, between the addresses that we want? If so, that is what it is for. */
enum ike_err auth_check_child(struct ike_sa *sa, const struct stimulus *s, const struct offer *offer);
void auth_blame_refusal(struct ike_sa *sa, uint16_t error);
/* Tell the peer that there will be no SA, and fail with err. */
enum ike_err auth_leave(struct ike_sa *sa, enum ike_err err, uint16_t notify, uint64_t now_ms);
HANDLER(auth_send_signed);
QUESTION(cookie_is_doubtful);
HANDLER(auth_refused_cookie);
QUESTION(name_was_asked);
HANDLER(auth_refused_name);
QUESTION(address_may_help);
HANDLER(auth_refused_without_address);
HANDLER(auth_answered_without_address);
HANDLER(auth_answered);
QUESTION(childless_may_help);
HANDLER(auth_answered_once_childless);
QUESTION(child_comes_later);
HANDLER(auth_answered_childless);
HANDLER(auth_answered_without_child);
HANDLER(auth_refused);
HANDLER(initiator_installed);

/* x_auth_r.c: IKE_AUTH, responder */
QUESTION(comes_from_elsewhere);
QUESTION(asks_no_child);
QUESTION(claims_without_child);
QUESTION(is_childless);
HANDLER(auth_signed_childless);
QUESTION(peer_wants_eap);
HANDLER(auth_refuse_eap);
QUESTION(peer_says_who_it_is);
HANDLER(auth_claimed);
QUESTION(child_is_refused);
QUESTION(child_was_refused);
HANDLER(auth_requested);
HANDLER(auth_requested_without_child);
HANDLER(auth_authorized);
HANDLER(auth_signed);
HANDLER(auth_signed_without_child);
HANDLER(responder_installed);

/* x_late.c: the first CHILD SA after IKE_AUTH, initiator */
enum ike_err late_ask(struct ike_sa *sa, uint64_t now_ms);
QUESTION(late_group_is_ours);
HANDLER(late_ask_with_group);
HANDLER(late_answered);
HANDLER(late_refused);
/* responder */
QUESTION(late_is_refused);
HANDLER(late_refuse);
HANDLER(late_requested);
QUESTION(child_was_late);
QUESTION(late_is_denied);
HANDLER(late_deny);
HANDLER(late_authorized);
HANDLER(late_installed);
QUESTION(nobody_pushes_it_out);
HANDLER(late_is_over);

/* x_info.c: INFORMATIONAL */
enum ike_err info_farewell(struct ike_sa *sa, uint16_t notify, uint64_t now_ms);
QUESTION(deletes_ike);
HANDLER(info_ike_deleted);
QUESTION(tells_fatal_error);
HANDLER(info_fatal_error);
HANDLER(info_syntax_error);
HANDLER(info_answer);
HANDLER(info_probe);
HANDLER(info_alive);
HANDLER(info_token);
HANDLER(info_token_came);
HANDLER(info_lost);
QUESTION(request_is_out);
HANDLER(info_close);
HANDLER(info_close_later);
QUESTION(delete_is_owed);
HANDLER(info_delete_now);
HANDLER(info_bye);

/* x_mobike.c: RFC 4555 */
void mobike_echo(struct msg_wr *m, const struct stimulus *s);
enum ike_err mobike_write_probe(const struct ike_sa *sa, struct msg_wr *m);
enum ike_err mobike_answer_probe(const struct ike_sa *sa, struct msg_wr *m, const struct stimulus *s);
void mobike_probe_answered(struct ike_sa *sa, const struct stimulus *s);
HANDLER(mobike_tell);
QUESTION(mobike_is_told);
HANDLER(mobike_refused);
HANDLER(mobike_accepted);
QUESTION(mobike_may_move);
HANDLER(mobike_moved);
QUESTION(mobike_is_unproved);
QUESTION(mobike_has_gone_on);
HANDLER(mobike_ask);
HANDLER(mobike_proved);

/* x_child.c: what CREATE_CHILD_SA is refused, and the Delete of CHILD SAs */
QUESTION(rekeys_no_child);
HANDLER(child_not_found);
QUESTION(rekeys_leaving_child);
HANDLER(child_refuse);
HANDLER(child_refuse_now);
QUESTION(deletes_last_child);
HANDLER(child_last_deleted);
QUESTION(deletes_child);
HANDLER(child_deleted);
HANDLER(child_retire);
HANDLER(child_retired);

/* x_rekey_child.c: CREATE_CHILD_SA for a CHILD SA that there is */
HANDLER(rekey_child_ask);
QUESTION(rekey_group_is_ours);
HANDLER(rekey_child_with_group);
HANDLER(rekey_child_answered);
HANDLER(rekey_child_installed);
QUESTION(may_try_again);
HANDLER(rekey_child_later);
QUESTION(rekey_child_is_wanted);
HANDLER(rekey_child_not_found);
HANDLER(rekey_child_refused);
QUESTION(kernel_is_asked);
QUESTION(peer_made_it);
HANDLER(rekey_child_requested);
HANDLER(rekey_child_reply);
HANDLER(rekey_child_with_more);
HANDLER(rekey_child_has_more);
HANDLER(rekey_child_left);
QUESTION(rekey_child_wants_more);
HANDLER(rekey_child_got_more);

/* followup.c: IKE_FOLLOWUP_KE, what both have in common */
QUESTION(followup_is_out);
QUESTION(followup_is_lost);
QUESTION(followup_is_for_ike);
QUESTION(followup_is_for_child);
HANDLER(followup_unknown);

/* x_rekey_ike.c: CREATE_CHILD_SA for the IKE SA */
HANDLER(rekey_ike_ask);
QUESTION(rekey_ike_group_is_ours);
HANDLER(rekey_ike_with_group);
QUESTION(rekey_ike_has_heir);
QUESTION(rekey_ike_is_lost);
HANDLER(rekey_ike_answered);
HANDLER(rekey_ike_lost);
HANDLER(rekey_ike_theirs);
QUESTION(rekey_ike_ends_with_heir);
QUESTION(rekey_ike_may_try_again);
HANDLER(rekey_ike_later);
HANDLER(rekey_ike_refused);
QUESTION(offers_ike);
QUESTION(ike_offer_is_refused);
HANDLER(rekey_ike_refuse);
HANDLER(rekey_ike_requested);
HANDLER(rekey_ike_requested_too);
HANDLER(rekey_ike_with_more);
HANDLER(rekey_ike_has_more);
HANDLER(rekey_ike_left);
QUESTION(rekey_ike_wants_more);
HANDLER(rekey_ike_promised);
HANDLER(rekey_ike_got_more);
HANDLER(rekey_ike_got_more_too);
QUESTION(deletes_only_children);
HANDLER(empty_is_deleted);

/* steps.c */
HANDLER(wait_for_it);
HANDLER(send_again);
HANDLER(give_up);
HANDLER(forget);
HANDLER(expire_later);

#endif
