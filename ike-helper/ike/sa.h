/* sa.h - one IKE SA with its CHILD SA (child.h): what it holds, how long, and which states may follow
 * each other.
 *
 * While it is being set up it has a struct handshake, the larger part, which is freed when it is
 * up. Whoever moves an SA from state to state does so with sa_set_state(), which has no effect
 * but to refuse what is not legal.
 */
#ifndef OE_IKE_SA_H
#define OE_IKE_SA_H

#include "base/table.h"
#include "base/timers.h"
#include "crypto/dh.h"
#include "crypto/kem.h"
#include "crypto/keymat.h"
#include "ike/choose.h"
#include "ike/cookie.h"
#include "ike/frag.h"
#include "ike/ike.h"
#include "ike/msgid.h"
#include "ike/natd.h"
#include "ike/out.h"
#include "ike/ts.h"

enum sa_state {
	ST_NEW,                     /* made, nothing sent */
	/* we started: */
	ST_INIT_SENT,               /* IKE_SA_INIT request is out */
	ST_INTERMEDIATE_SENT,       /* keys agreed, IKE_INTERMEDIATE request is out */
	ST_I_SIGNING,               /* keys agreed; waiting for ike_signed(), where we say who we are */
	ST_AUTH_SENT,               /* keys agreed, IKE_AUTH request is out */
	ST_CHILD_SENT,              /* the host proved its key without a CHILD SA; the request for one is out */
	ST_I_INSTALLING,            /* the host proved its key; the kernel is asked */
	/* the peer started: */
	ST_INTERMEDIATE_DUE,        /* keys agreed, waiting for IKE_INTERMEDIATE */
	ST_INIT_ANSWERED,           /* keys agreed, waiting for IKE_AUTH */
	ST_AUTHORIZING,             /* waiting for ike_authorized() */
	ST_SIGNING,                 /* waiting for ike_signed() */
	ST_CHILD_DUE,               /* both have proved who they are; waiting for the request for a CHILD SA */
	ST_R_INSTALLING,            /* the kernel is asked; the IKE_AUTH response waits for it */
	/* both: */
	ST_UP,                      /* nothing of ours is out, or a liveness check */
	ST_CHILD_REKEYING,          /* a new CHILD SA is asked for, or the kernel is asked for its halves */
	ST_CHILD_DELETING,          /* a Delete of an old CHILD SA is out */
	ST_IKE_REKEYING,            /* a new IKE SA is asked for */
	ST_EMPTY,                   /* without CHILD SAs: made by rekeying and not in use yet, or replaced; the peer deletes it */
	ST_LEAVING,                 /* over; the peer was told and has not acknowledged it yet */
	ST_LINGERING,               /* over; only repeats its last answer to a peer that has missed it */
	ST_GONE,                    /* in no table any more; freed when its last output is taken */
	ST_MAX
};

#define IN(state) (1u << (state))
/* The states in which the handshake goes on. */
#define IN_HANDSHAKE (IN(ST_UP) - 1)
/* The states in which it is up. */
#define IN_LIFE (IN(ST_UP) | IN(ST_CHILD_REKEYING) | IN(ST_CHILD_DELETING) | IN(ST_IKE_REKEYING))

enum { NONCE_LEN = 32, INIT_ROUNDS_MAX = 5, LINK_MAX = 64, INT_AUTH_MAX = 2 * SECRET_MAX + 4 };

/* An IKE_SA_INIT request of ours that a later one with another group has replaced. The demand for that group was not
 * authenticated, so the host may answer this one all the same; its answer names the group. */
struct opening {
	uint16_t group;
	struct dh *dh;                  /* owned, as the message */
	struct packet *message;
};

/* What is needed only until the SA is up. */
struct handshake {
	/* Both roles. The two IKE_SA_INIT messages are kept because both ends sign their own
	 * (RFC 7296 2.15). */
	struct packet *message_i, *message_r;
	uint8_t nonce[NONCE_LEN];       /* ours */
	struct span nonce_peer;         /* a view into the peer's message */
	struct dh *dh;                  /* until the keys are agreed */
	/* What AUTH covers besides when there was an IKE_INTERMEDIATE exchange (RFC 9242 3.3.1):
	 * IntAuth_i1 | IntAuth_r1 | IKE_AUTH_MID; int_auth_len is 0 when there was none. */
	struct secret int_auth_i, int_auth_r;
	uint8_t int_auth[INT_AUTH_MAX], int_auth_len;
	uint32_t peer_hashes;           /* SIGNATURE_HASH_ALGORITHMS as a bit set */
	bool encapsulate;               /* we want ESP in UDP, NAT or not */
	bool childless;                 /* IKE_AUTH makes no CHILD SA: an exchange of its own does (RFC 6023) */
	struct esp_choice esp;
	struct dnsname name;            /* initiator: to be asked for as IDr; responder: asked for by the peer */

	/* Initiator. */
	struct keyset *keys;
	uint16_t group;                 /* of our KE */
	struct kem_key *kem_key;        /* while our IKE_INTERMEDIATE request is out */
	uint8_t cookie[COOKIE_MAX], cookie_len;
	bool cookie_held;               /* it goes with the next repetition from cookie_from_ms on */
	uint64_t cookie_from_ms;        /* not 0: one that we obeyed at once may have been forged */
	uint8_t rounds;                 /* IKE_SA_INIT requests that the peer had us send anew */
	struct opening earlier[INIT_ROUNDS_MAX];
	unsigned n_earlier;
	bool host_is_childless;         /* the host says that IKE_AUTH may be without a CHILD SA */
	bool without_name;              /* second try, without IDr */
	bool identify;                  /* we say who we are, and sign */
	bool ask_address;               /* the next try, in tunnel mode: for an address inside of it (CP), */
	struct ip_addr former;          /* this one, if it can be; IP_NONE: any */
	struct ip_addr host;            /* behind the peer, which is its gateway; IP_NONE: the peer itself */
	struct ip_addr source;          /* our address for it, if it is of another family than the peer; IP_NONE: that of the path */
	enum rp_reason suspicion;       /* what an unauthenticated message says is wrong; REASON_NONE = nothing */
	uint16_t suspicion_notify;
	struct ip_path path_500;        /* where IKE_SA_INIT goes, should it start anew */

	/* Responder. */
	bool transport_asked;
	struct ts_pair ts;
	uint16_t child_refused;         /* notify type with which the CHILD SA is refused; 0 = accepted */
	struct secret ei_before, ai_before;     /* protected the IKE_INTERMEDIATE request; it may come again */
	uint32_t auth_request_id;       /* message ID of the IKE_AUTH request, to be answered later */
	bool child_was_late;            /* it has asked for the CHILD SA after that; the answer is held back */

	/* Whoever signs. */
	struct secret maced_id;         /* last part of the octets to be signed */
	uint8_t auth_method;            /* with which ike_signed() has come back */
	uint8_t *auth_value;            /* owned */
	size_t auth_value_len;
};

/* A peer that started and says who it is. Until it has proved that: what it brought for it. */
struct claim {
	struct dnsname name;
	struct keyset *keys;            /* what DNS publishes for the name; NULL until ike_authorized() */
	struct secret maced_id;
	uint8_t method;
	size_t n;
	uint8_t value[];                /* of its AUTH payload */
};

struct child;
struct followup;
struct qcd_token;

/* Our own rekeying, until it is over. */
struct rekey {
	uint8_t nonce[NONCE_LEN];
	struct dh *dh;
	uint16_t group;                 /* of our KE */
	uint8_t rounds;                 /* requests that the peer had us send anew */
	struct child *fresh;            /* what we make, or */
	struct ike_sa *fresh_ike;       /* this; it does not go before it is let go of here */
	uint32_t old_spi_out;           /* of the one that it is to replace */
	/* What the peer has made for the same one meanwhile, and the lowest nonce of that exchange (RFC 7296 2.8.1, 2.8.2). */
	struct child *rival;
	ike_handle rival_ike;
	uint8_t rival_nonce[NONCE_MAX];
	size_t rival_nonce_len;
	/* Our IKE_FOLLOWUP_KE is out, when there is a key; and of what the keys are made besides (followup.h). */
	struct kem_key *kem_key;
	struct dh_shared shared;
	uint8_t nonce_peer[NONCE_MAX];
	size_t nonce_peer_len;
};

enum silence { NOT_SILENT, SILENT, SILENT_LONG };

/* What the layer above has not been told yet; a set. */
enum { NEWS_CHILD_REKEYED = 1, NEWS_CHILD_KEPT = 2, NEWS_IKE_REKEYED = 4, NEWS_IKE_KEPT = 8, NEWS_SILENT = 16 };

struct ike_sa {
	struct ike *ike;
	ike_handle handle;
	uint64_t tag;
	enum sa_state state;
	bool initiator;                 /* of the exchange that made this IKE SA */
	bool we_started;                /* of the first one, before all rekeying */
	bool encapsulated, always_udp;  /* ESP in UDP; whether there is a NAT or not, because we want it so */
	bool said_name;                 /* we started, and told the peer who we are */
	bool fragments;                 /* both announced IKEV2_FRAGMENTATION_SUPPORTED */
	bool owes_end;                  /* an EV_FAILED or EV_CLOSED has to come */
	bool was_up;                    /* it is to be EV_CLOSED */
	bool dismissed;                 /* somebody here no longer needs it */
	bool initial_contact;           /* a peer that started: it says that it has no other SA with us */
	ike_handle beside;              /* what is sent with until the peer surely has this one: see beside.h; 0: nothing but this */
	bool asks_beside;               /* the question whether it has is to be asked yet */
	bool close_asked;               /* ike_close() while the kernel was busy with our request */
	bool rekey_child_asked, rekey_ike_asked;        /* and it was not the time for it yet */
	enum silence silence;           /* of a peer that does not answer our request, as the layer above knows it */
	bool denied;                    /* somebody says in clear, where its answer is due, that there is no such SA, and
	                                 * the layer above does not know yet */
	uint64_t hinted_ms;             /* when a hint has made us ask; 0: none has */
	struct qcd_token *qcd;          /* the peer's; NULL: it has sent none; owned */
	bool peer_knows_qcd;            /* it has, in this SA or in one before it */
	bool owes_token;                /* ours for this IKE SA has to be sent yet */
	struct natd nat;
	struct ip_addr behind;          /* as in struct ike_tunnel */
	bool wants_keepalive;           /* as in struct ike_tunnel */
	bool assigned;                  /* inner_remote is from our pool */
	bool mobike;                    /* who started may move (RFC 4555): see x_mobike.c. Besides: */
	bool move_asked, moving;        /* we have moved: the peer is to be told, or is being told */
	bool moved;                     /* one end has, and we have not rekeyed the CHILD SA since */
	bool unproved, owes_cookie2;    /* the peer has moved: it has not shown that it is there, and is to be asked yet */
	uint8_t cookie2[16];            /* with this */
	uint64_t followed_ms;           /* when it was found elsewhere; 0: never (follow.h) */
	uint64_t fetch_ms;              /* a peer that has moved is asked for a new CHILD SA then, if it has not asked for one; NEVER_MS */
	enum rp_reason close_reason;    /* with which */
	uint8_t peer_id_type, auth_method;
	uint8_t asks;                   /* counts OUT_KERNEL, OUT_SIGN, OUT_AUTHORIZE for their ids */
	uint16_t round_trip_ms;
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	uint32_t reqid, spi_in, spi_out;        /* SPIs and esp_suite: of what we send with, also when it is gone */
	unsigned key_index;
	struct ip_path path;
	struct ip_addr inner_local, inner_remote;       /* as in struct kernel_request */
	struct ike_suite suite;
	struct esp_suite esp_suite;
	struct ike_keys keys;           /* once up only d, ei, er, ai, ar */
	uint64_t iv_next;               /* never used before in our direction */
	struct window window;
	struct frag_in frags[2];         /* of the request and of the response that is being received, */
	uint32_t frag_ids[2];           /* with these message IDs */
	uint8_t skf_reserved[2];         /* of their first fragments, see struct sealed_text */
	struct handshake *hs;           /* NULL once it is over */
	struct claim *claim;            /* NULL: a host that we asked for, or an anonymous peer */
	struct child *child;            /* what we send with, or make in IKE_AUTH; NULL = none */
	struct child *children;         /* all of them */
	struct child *asked;            /* the kernel is asked for it, and we wait; NULL = none */
	struct rekey *rekey;            /* NULL = none of ours */
	struct followup *due;           /* the peer rekeys, and has an additional key exchange to make; owned, NULL = none */
	struct packet *held;            /* an answer that goes when the kernel is ready; owned */
	uint32_t held_id;
	uint8_t held_exchange;
	uint8_t news, rekey_tries;
	uint64_t rekey_at_ms;           /* not before this time */

	uint64_t expire_ms;             /* give up, forget, or end; NEVER_MS */
	uint64_t pending_id;            /* output that waits for its completion; 0 = none */
	enum rp_reason reason;          /* why it ended */
	char *detail;                   /* and in words; NULL = none; owned */

	struct table_link by_spi, by_handle, by_init, by_peer;
	struct timer timer;             /* the earlier of expire_ms and what the window has to do */
	struct out_slot ask, up, tell, end;
	struct ike_sa *prev, *next;     /* all of them */
	struct ike_sa *older, *newer;   /* a responder's that is not up yet, in the order in which they came */
};

/* Our own SPI and the peer's. */
static inline uint8_t *sa_spi_own(struct ike_sa *sa)
{
	return sa->initiator ? sa->spi_i : sa->spi_r;
}

static inline uint8_t *sa_spi_peer(struct ike_sa *sa)
{
	return sa->initiator ? sa->spi_r : sa->spi_i;
}

static inline struct span sa_nonce_i(const struct ike_sa *sa)
{
	return sa->initiator ? span_of(sa->hs->nonce, NONCE_LEN) : sa->hs->nonce_peer;
}

static inline struct span sa_nonce_r(const struct ike_sa *sa)
{
	return sa->initiator ? sa->hs->nonce_peer : span_of(sa->hs->nonce, NONCE_LEN);
}

/* The last of the signed octets. */
static inline struct span sa_int_auth(const struct ike_sa *sa)
{
	return span_of(sa->hs->int_auth, sa->hs->int_auth_len);
}

/* The layer above has heard that it is up, or will. */
static inline bool sa_was_announced(const struct ike_sa *sa)
{
	return sa->was_up && !sa->beside;
}

static inline struct span packet_span(const struct packet *p)
{
	return span_of(p->bytes, p->n);
}

/* "auth-sent" for debug lines. */
const char *sa_state_text(enum sa_state state);

/* IKE_E_STATE: not a legal move; nothing changed. Moving to the same state is always legal. */
IKE_CHECKED enum ike_err sa_set_state(struct ike_sa *sa, enum sa_state next);

/* Remember why it will have failed, in words for people; the first reason given is kept. */
__attribute__((format(printf, 3, 4)))
void sa_blame(struct ike_sa *sa, enum rp_reason reason, const char *format, ...);

/* What sa_blame() was told; never NULL. */
const char *sa_detail(const struct ike_sa *sa);

/* The same without a detail: the reason says it all. REASON_NONE: somebody here no longer needs it. */
void sa_dismiss(struct ike_sa *sa, enum rp_reason reason);
/* Why it would have failed if no more came: the silence of the peer, or what somebody has said
 * without proof. */
enum rp_reason sa_outlook(const struct ike_sa *sa, char detail[IKE_DETAIL_MAX]);

/* NULL without memory. It is in no table yet. */
struct ike_sa *sa_new(struct ike *ike, bool initiator);
/* As if there had been no IKE_INTERMEDIATE exchange. */
void sa_forget_intermediate(struct ike_sa *sa);
/* The host has answered another one, or all are void. */
void sa_forget_openings(struct handshake *hs);
/* Wipe and free the handshake, and the keys that only it needs. */
void sa_end_handshake(struct ike_sa *sa);
/* The same of our own rekeying; what it has made is not touched. */
void sa_end_rekey(struct ike_sa *sa);
/* Wipe and free all. It must be in no table, queue or heap. */
void sa_free(struct ike_sa *sa);

/* As seen from outside. */
void sa_tunnel(const struct ike_sa *sa, struct ike_tunnel *out);

#endif
