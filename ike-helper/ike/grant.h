/* grant.h - the CHILD SA that a peer gets which starts: itself and us, in transport mode, or in tunnel mode from the address that it has
 * or that we assign to it. It asks for it in IKE_AUTH, or after that (x_late.c).
 */
#ifndef OE_IKE_GRANT_H
#define OE_IKE_GRANT_H

#include "ike/steps.h"

/* May it have what this request asks for? 0, and what ESP it would be; or the notify with which it is refused (RFC 7296 1.2, 3.10.1). */
uint16_t grant_judge(const struct ike_sa *sa, const struct stimulus *s, struct esp_choice *esp);
/* Take it: sa->hs->esp and ts, the addresses inside of a tunnel, one of the pool if that was asked for. sa->hs->child_refused says whether
 * there will be a CHILD SA. */
void grant_take(struct ike_sa *sa, const struct stimulus *s);
/* Its part of the answer, in two pieces: what CREATE_CHILD_SA has besides stands between them. */
void grant_write_sa(struct ike_sa *sa, struct msg_wr *m);
void grant_write_ts(const struct ike_sa *sa, struct msg_wr *m);

#endif
