/* child.h - the CHILD SAs of an IKE SA: their SPIs, keys and halves in the kernel. What may be done with them when is in the x_*.c.
 *
 * There is one pair that we send with (sa->child). While it is rekeyed there are two, or three when both ends do it at once
 * (RFC 7296 2.8.1), and old ones are received on for a while:
 *
 *	we rekey:   CHILD_NEW --(kernel has both halves)--> CHILD_LIVE       the old one: CHILD_DOOMED -> CHILD_TOLD -> CHILD_FADING
 *	peer does:  CHILD_NEW --(kernel has it in)--> CHILD_HALF --(the peer surely has its own in)--> CHILD_LIVE
 */
#ifndef OE_IKE_CHILD_H
#define OE_IKE_CHILD_H

#include "ike/sa.h"

enum {
	SWITCH_MS = 5000,           /* after our answer the peer has its half in, even if its Delete of the old pair is late */
	FADE_MS = 3000,             /* how long the half in of a deleted pair is kept for packets on their way */
	CHILDREN_MAX = 6,           /* more than that means that a peer makes them faster than it deletes them */
};

enum child_phase {
	CHILD_NEW,                  /* being agreed on, or the kernel is being asked */
	CHILD_HALF,                 /* the kernel has the half in; the keys of the half out wait */
	CHILD_LIVE,                 /* the kernel has both */
	CHILD_DOOMED,               /* we have to tell the peer that it is deleted */
	CHILD_TOLD,                 /* our Delete is out */
	CHILD_FADING,               /* both ends know; the half in stays until due_ms */
};

struct child_keys {
	struct esp_keys in, out;
};

struct child {
	struct ike_sa *sa;
	struct child *next;
	struct table_link by_esp;
	struct out_slot add, remap, del;
	uint32_t spi_in, spi_out;       /* spi_out 0: not known yet */
	struct ip_addr local, remote;   /* between which the kernel has it, or will */
	uint32_t replaces;              /* spi_out of the one that it is made for; 0 = none, or settled */
	struct esp_suite suite;
	enum child_phase phase;
	bool peer_made;                 /* by a CREATE_CHILD_SA request of the peer */
	bool has_in, has_out;           /* halves that the kernel has, or was asked for */
	bool add_in, add_out, del_in, del_out;  /* what the queued request is about */
	uint64_t due_ms;                /* HALF: to be sent with; LIVE: to be doomed; FADING: to go; NEVER_MS */
	uint64_t pending_id;            /* a half out that the kernel was asked for while nobody waits; 0 = none */
	struct child_keys *keys;        /* until the kernel has them; owned, NULL = none */
};

/* Make one with a new SPI of ours. NULL without memory. */
struct child *child_new(struct ike_sa *sa);
/* Wipe and free; it is in no queue. */
void child_free(struct child *c);
/* Ask the kernel to delete what it has of it; it is freed once that is taken. */
void child_drop(struct child *c);
/* The same for its half out alone. */
void child_drop_out(struct child *c);
/* Nothing is left of it, in the kernel or in a queue. */
bool child_is_over(const struct child *c);
/* Ask the kernel for the halves named. */
void child_add(struct child *c, bool in, bool out);
/* The peer's port has changed: tell the kernel, as far as it has this one. */
void child_remap(struct child *c);
/* From now on we send with it. The event says so. */
void child_take_over(struct child *c);

/* Derive its keys. more: of an additional key exchange, NULL = none. i_asked: we are the initiator of the exchange that makes it (RFC 7296 2.17). */
IKE_CHECKED enum ike_err child_derive(struct child *c, const struct dh_shared *shared, struct span ni, struct span nr,
				      const struct secret *more, bool i_asked);

/* By the SPI that we send with; those that are gone for the peer (FADING) are not found. NULL. */
struct child *child_by_spi_out(const struct ike_sa *sa, uint32_t spi_out);
/* The newest that is to replace c and that the peer has made; NULL. */
struct child *child_heir(const struct child *c);
/* One in this phase; NULL. */
struct child *child_in_phase(const struct ike_sa *sa, enum child_phase phase);
unsigned child_count(const struct ike_sa *sa);
/* When the first of them is due. */
uint64_t children_due_ms(const struct ike_sa *sa);
/* Do what is due: send with a new one, forget an old one. What becomes DOOMED is for the next errand (engine.c). */
void children_due(struct ike_sa *sa, uint64_t now_ms);
/* from has ended, and heir is for the same pair of addresses: what the kernel has of from's halves in is heir's, who keeps them for a
 * while. */
void children_fade_into(struct ike_sa *from, struct ike_sa *heir, uint64_t now_ms);

/* The first one: make sa->child, or give it another SPI. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err child_begin(struct ike_sa *sa);
/* Suite and SPIs are known (sa->hs->esp, sa->child->spi_in): derive the keys. */
IKE_CHECKED enum ike_err child_agree(struct ike_sa *sa, const struct dh_shared *shared, struct span ni, struct span nr);
/* Then ask the kernel for the SAs and policies. Until it has answered the SA cannot end. */
void child_protect(struct ike_sa *sa);
/* IKE_AUTH: both. */
IKE_CHECKED enum ike_err child_install(struct ike_sa *sa);
/* The kernel has them: EV_ESTABLISHED, but not yet if it has the half in alone (beside.h). */
void child_is_up(struct ike_sa *sa);
/* Then: the half out is asked for too. */
void child_is_sent_with(struct ike_sa *sa);

/* One end has moved since the pair was made that we send with: the next one is between other addresses, and nothing passes until it is
 * there. */
bool child_is_elsewhere(const struct ike_sa *sa);
/* Tunnel mode, or transport mode; a rekeyed pair is like the first. */
bool child_is_tunnel(const struct ike_sa *sa);
/* The two addresses whose packets it carries; a NAT does not matter to those inside of a tunnel. */
struct ts_ends child_ends(const struct ike_sa *sa);

/* The requests themselves. PROTECT and ADD take the keys: those of the child are empty afterwards. */
void child_protect_request(struct child *c, struct kernel_request *out);
void child_add_request(struct child *c, struct kernel_request *out);
void child_remap_request(const struct child *c, struct kernel_request *out);
void child_delete_request(struct child *c, struct kernel_request *out);

#endif
