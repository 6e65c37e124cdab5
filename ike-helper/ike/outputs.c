/* What the layer above is asked for (ike.h, "Out"). */
#include "ike/engine.h"

#include <stdio.h>
#include <string.h>

#include "ike/child.h"

static void ask_output(struct ike_sa *sa, enum out_slot_kind kind, struct ike_output *out)
{
	struct handshake *hs = sa->hs;

	out->id = sa->pending_id = sa->handle << 8 | ++sa->asks;
	if (kind == SLOT_AUTHORIZE) {
		out->kind = OUT_AUTHORIZE;
		out->u.authorize.client.path = sa->path;
		out->u.authorize.client.behind = sa->behind;
		if (sa->assigned)
			out->u.authorize.client.assigned = sa->inner_remote;
		out->u.authorize.asked_name = hs->name;
		if (sa->claim)
			out->u.authorize.claimed = sa->claim->name;
	} else if (kind == SLOT_SIGN) {
		out->kind = OUT_SIGN;
		out->u.sign.hashes = hs->peer_hashes;
		out->u.sign.parts[0] = packet_span(sa->initiator ? hs->message_i : hs->message_r);
		out->u.sign.parts[1] = sa->initiator ? sa_nonce_r(sa) : sa_nonce_i(sa);
		out->u.sign.parts[2] = secret_span(&hs->maced_id);
		out->u.sign.parts[3] = sa_int_auth(sa);
	} else {
		out->kind = OUT_KERNEL;
		child_protect_request(sa->child, &out->u.kernel);
	}
}

static void event_output(struct ike_sa *sa, enum ike_event_kind kind, struct ike_output *out)
{
	out->kind = OUT_EVENT;
	out->u.event.kind = kind;
	sa_tunnel(sa, &out->u.event.tunnel);
	if (kind == EV_ESTABLISHED && sa->claim) {
		out->u.event.tunnel.peer_name = &sa->claim->name;
		out->u.event.tunnel.peer_keys = sa->claim->keys;
	}
	out->u.event.long_silent = kind == EV_SILENT && sa->silence == SILENT_LONG;
	if (kind == EV_ESTABLISHED)
		out->u.event.initial_contact = sa->initial_contact;
	if (kind != EV_FAILED && kind != EV_CLOSED)
		return;
	/* No views: with its last event the SA is freed. */
	out->u.event.reason = sa->reason;
	snprintf(out->u.event.detail, sizeof out->u.event.detail, "%s", sa_detail(sa));
}

/* One event for each; false when there is none (left). What was tried in vain before is no news once it has been done. */
static bool news_output(struct ike_sa *sa, struct ike_output *out)
{
	static const struct {
		unsigned what;
		enum ike_event_kind kind;
	} order[] = { { NEWS_CHILD_REKEYED, EV_REKEYED }, { NEWS_IKE_REKEYED, EV_REKEYED }, { NEWS_CHILD_KEPT, EV_REKEY_FAILED },
		      { NEWS_IKE_KEPT, EV_REKEY_FAILED }, { NEWS_SILENT, EV_SILENT } };
	unsigned i = 0, what;

	if (sa->news & NEWS_CHILD_REKEYED)
		sa->news &= (uint8_t)~NEWS_CHILD_KEPT;
	if (sa->news & NEWS_IKE_REKEYED)
		sa->news &= (uint8_t)~NEWS_IKE_KEPT;
	/* What has been answered meanwhile is no news either. */
	if (!sa->window.request)
		sa->news &= (uint8_t)~NEWS_SILENT;
	while (i < sizeof order / sizeof *order && !(sa->news & order[i].what))
		i++;
	if (i == sizeof order / sizeof *order || !(IN(sa->state) & IN_LIFE))
		return false;
	what = order[i].what;
	sa->news &= (uint8_t)~what;
	if (what & (NEWS_CHILD_REKEYED | NEWS_IKE_REKEYED))
		engine_announce_rekeyed(sa, what);
	event_output(sa, order[i].kind, out);
	out->u.event.ike_sa = what & (NEWS_IKE_REKEYED | NEWS_IKE_KEPT);
	if (sa->news)
		engine_news(sa, 0);
	return true;
}

/* false: the SA has ended meanwhile, and this is not to be asked any more. */
static bool sa_output(struct ike_sa *sa, enum out_slot_kind kind, struct ike_output *out)
{
	switch (kind) {
	case SLOT_AUTHORIZE: case SLOT_SIGN: case SLOT_PROTECT:
		if (!(IN(sa->state) & IN_HANDSHAKE))
			return false;
		ask_output(sa, kind, out);
		return true;
	case SLOT_UP:
		event_output(sa, EV_ESTABLISHED, out);
		return true;
	case SLOT_NEWS:
		return news_output(sa, out);
	case SLOT_END:
		event_output(sa, sa_was_announced(sa) ? EV_CLOSED : EV_FAILED, out);
		return true;
	case SLOT_ADD_SAS: case SLOT_REMAP_SAS: case SLOT_DELETE_SAS: case SLOT_SEND:
		break;
	}
	return false;
}

static bool child_wants(const struct child *c, enum out_slot_kind kind)
{
	if (kind == SLOT_ADD_SAS)
		return c->add_in || c->add_out;
	if (kind == SLOT_DELETE_SAS)
		return c->del_in || c->del_out;
	return (c->has_in || c->has_out) && c->sa->encapsulated;
}

/* false: it is not to be asked any more. c may be freed. */
static bool child_output(struct child *c, enum out_slot_kind kind, struct ike_output *out)
{
	struct ike_sa *sa = c->sa;
	bool wanted = child_wants(c, kind);

	if (wanted) {
		out->kind = OUT_KERNEL;
		out->id = sa->handle << 8 | ++sa->asks;
	}
	if (wanted && kind == SLOT_DELETE_SAS) {
		child_delete_request(c, &out->u.kernel);
	} else if (wanted && kind == SLOT_REMAP_SAS) {
		child_remap_request(c, &out->u.kernel);
	} else if (wanted) {
		*(sa->asked == c ? &sa->pending_id : &c->pending_id) = out->id;
		child_add_request(c, &out->u.kernel);
	}
	if (child_is_over(c))
		child_free(c);
	return wanted;
}

static struct ike_sa *owner_of(struct out_slot *slot)
{
	switch (slot->kind) {
	case SLOT_AUTHORIZE: case SLOT_SIGN: case SLOT_PROTECT:
		return SA_OF(slot, ask);
	case SLOT_UP:
		return SA_OF(slot, up);
	case SLOT_NEWS:
		return SA_OF(slot, tell);
	case SLOT_END:
		return SA_OF(slot, end);
	case SLOT_ADD_SAS:
		return CHILD_OF(slot, add)->sa;
	case SLOT_REMAP_SAS:
		return CHILD_OF(slot, remap)->sa;
	case SLOT_DELETE_SAS:
		return CHILD_OF(slot, del)->sa;
	case SLOT_SEND:
		break;
	}
	return NULL;
}

/* What the slot is for, by its owner. false: it is not to be asked any more. */
static bool slot_output(struct out_slot *slot, struct ike_sa *sa, struct ike_output *out)
{
	switch (slot->kind) {
	case SLOT_ADD_SAS:
		return child_output(CHILD_OF(slot, add), SLOT_ADD_SAS, out);
	case SLOT_REMAP_SAS:
		return child_output(CHILD_OF(slot, remap), SLOT_REMAP_SAS, out);
	case SLOT_DELETE_SAS:
		return child_output(CHILD_OF(slot, del), SLOT_DELETE_SAS, out);
	case SLOT_AUTHORIZE: case SLOT_SIGN: case SLOT_PROTECT: case SLOT_UP: case SLOT_NEWS: case SLOT_END: case SLOT_SEND:
		break;
	}
	return sa_output(sa, slot->kind, out);
}

bool ike_next_output(struct ike *ike, struct ike_output *out)
{
	struct out_slot *slot;

	engine_enter(ike, 0);
	while ((slot = out_take(&ike->out))) {
		*out = (struct ike_output){ .id = 0 };
		if (slot->kind == SLOT_SEND) {
			ike->lent = (struct packet *)slot;
			out->kind = OUT_SEND;
			out->u.send.path = ike->lent->path;
			out->u.send.datagram = packet_span(ike->lent);
			ike->stats.sent++;
			return true;
		}
		struct ike_sa *sa = owner_of(slot);
		bool wanted = slot_output(slot, sa, out);

		engine_collect(sa);
		if (wanted)
			return true;
	}
	return false;
}
