/* ike.h - the IKEv2 core: RFC 7296 with AUTH_NULL (RFC 7619), signatures (RFC 7427), fragmentation (RFC 7383), IKE SAs without CHILD SA
 * (RFC 6023), an additional key exchange (RFC 9370) and Quick Crash Detection (RFC 6290).
 *
 * It has no clock, no socket, no random source and no global of its own. Bytes and the time go in; outputs come out:
 *
 *	ike_initiate() ---.                          .--> OUT_SEND       a datagram for the wire
 *	ike_input()    ---+--> [ the core ] ---------+--> OUT_KERNEL     carry out; answer with ike_done()
 *	ike_tick()     ---'    ike_next_output()     +--> OUT_SIGN       sign these octets; answer with ike_signed()
 *	ike_done() ...                               +--> OUT_AUTHORIZE  may this peer have a tunnel? ike_authorized()
 *	                                             '--> OUT_EVENT      established, failed, rekeyed, closed
 *
 * The life of an exchange that we start, in one look (the rows of steps.c tell all of it):
 *
 *	ike_initiate      SA_INIT sent; COOKIE and INVALID_KE_PAYLOAD make it go again with what the peer asked for, and
 *	                  an answer to what went before is as good: anybody could have asked
 *	SA_INIT answer    keys agreed; when both can, first IKE_INTERMEDIATE with ML-KEM-768, one
 *	                  round trip more (RFC 9242, RFC 9370); then IKE_AUTH { IDi=NULL, IDr=owner name, AUTH_NULL, SA, TSi, TSr } sent,
 *	                  in fragments if long; or, where we say who we are, OUT_SIGN first, and IDi=FQDN, AUTH
 *	IKE_AUTH answer   signature checked against the key set from DNS; CHILD SA chosen; OUT_KERNEL PROTECT
 *	                  (a host that refuses the name, or wants to assign an address: once more from the start, as it wishes)
 *	ike_done          EV_ESTABLISHED
 *
 * A peer that starts may leave the CHILD SA out of IKE_AUTH, and ask for it by CREATE_CHILD_SA: then OUT_AUTHORIZE comes twice, for who it
 * is and for what it wants. Until it has its CHILD SA it is half open. We do so with a host that refuses ours and says that it could do
 * without.
 *
 * Life after that: CREATE_CHILD_SA rekeys the CHILD SA (REKEY_SA, with a key exchange of its own where the peer has one), asked by
 * us or by the peer; a second CHILD SA beside it is refused with NO_ADDITIONAL_SAS.
 *
 *	we ask        ike_rekey_child: CREATE_CHILD_SA sent; answer: OUT_KERNEL ADD_SAS, both halves; ike_done: EV_REKEYED; Delete of
 *	              the old pair sent; its answer: the half out of the old pair goes at once, the half in after a while
 *	the peer asks OUT_KERNEL ADD_SAS, half in; ike_done: answer sent; the peer's Delete of the old pair, or a while: ADD_SAS, half
 *	              out, EV_REKEYED
 *
 * Where the first keys came from ML-KEM-768 too, so do the new ones: one exchange more, IKE_FOLLOWUP_KE, before anything is made
 * (RFC 9370 2.2.4).
 *
 * The IKE SA is rekeyed by the same exchange (RFC 7296 2.18), by ike_rekey_ike() or by the peer: the CHILD SAs and the handle go
 * over to the new IKE SA, and who asked deletes the old one. EV_REKEYED says so, with the new SPIs.
 *
 * So a packet that is sent always finds an SA at the other end. When both ask at once, of the two that were made
 * the one with the lowest nonce goes (RFC 7296 2.8.1, 2.8.2). An answer that takes too long ends the IKE SA, as with liveness.
 *
 * Whatever goes wrong on the way ends in exactly one EV_FAILED with a reason, and leaves nothing in
 * the kernel. While a KERNEL_PROTECT is out nothing ends: an ike_close() or a deadline in that moment
 * takes effect after ike_done(), as EV_ESTABLISHED and then EV_CLOSED, because the policies are in the
 * kernel by then and only the layer above may remove them.
 *
 * Call order: after every ike_initiate, ike_input, ike_tick, ike_done, ike_signed, ike_authorized or
 * ike_close take all outputs with ike_next_output() until it says false. now_ms is a monotonic clock
 * that includes suspend; it must not go backwards (if it does, the core takes the latest it has seen).
 */
#ifndef OE_IKE_IKE_H
#define OE_IKE_IKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/dnsname.h"
#include "base/err.h"
#include "base/log.h"
#include "base/rng.h"
#include "crypto/kem.h"
#include "dnskey/keyset.h"
#include "ike/kernel_req.h"
#include "proto/resolver_proto.h"

struct ike;

/* Names one IKE SA, and those that replace it when it is rekeyed, for their whole life; never 0, never used again within the life of the core. */
typedef uint64_t ike_handle;

struct ike_config {
	bool respond;               /* accept IKE_SA_INIT requests (we have a key of our own) */
	unsigned sas_max;           /* IKE SAs in all, both roles; default when 0: 4096 */
	unsigned half_open_max;     /* responder SAs before IKE_AUTH is done; beyond it the oldest goes that had time to go on; 0: 256 */
	unsigned half_open_per_source;  /* of them from one source, as ip_source() has it; beyond it as with half_open_max;
	                                 * 0: 128 */
	unsigned cookie_threshold;  /* half-open responder SAs from which a COOKIE is demanded (RFC 7296 2.6), as from a source that
	                             * has all of its own; 0: 16 */
	bool always_cookie;         /* demand a COOKIE from everybody */
	unsigned fragment_max;      /* largest IP datagram that we send, in bytes (RFC 7383 2.5.1); 0: 576 IPv4, 1280 IPv6 */
	uint16_t natt_port;         /* our own UDP port for encapsulated traffic; 0: 4500 */
	/* Responder: the first of the addresses that are assigned to peers, one to each, in tunnel mode (CP), and how many there are;
	 * IP_NONE: none. A peer gets one that asks for it; one whose address a NAT has changed has to ask. */
	struct ip_addr pool_v4, pool_v6;
	unsigned pool_v4_size, pool_v6_size;
	const struct kem *kem;      /* offer and accept ML-KEM-768 as additional key exchange; NULL: do neither */
	bool always_encapsulate;    /* responder: ESP in UDP also where no NAT is found */
	/* Tokens by which peers learn of a restart are made from this (RFC 6290): the same before and after, borrowed for the life of the
	 * core. Empty: none are made. */
	struct span qcd_secret;
	struct dnsname identity;    /* our own name: IDr that we send as responder (n = 0: our address), and IDi to hosts that are to
	                             * know who we are */
};

/* log and rng are borrowed for the life of the core. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err ike_new(const struct ike_config *config, const struct rng *rng,
				 const struct log *log, struct ike **out);
/* Wipes and frees all SAs; sends nothing, leaves the kernel as it is. NULL is fine. */
void ike_free(struct ike *ike);

/* In ------------------------------------------------------------------------------------------- */

/* A datagram from the wire. The caller has removed the non-ESP marker of port 4500 (RFC 7296
 * 2.23) and has kept ESP and keepalives away. Never fails: what is wrong with the datagram is
 * counted, logged at debug and, where RFC 7296 says so, answered. */
void ike_input(struct ike *ike, const struct ip_path *path, struct span datagram, uint64_t now_ms);

/* The network says that a datagram of ours was not delivered (ICMP port or host unreachable). Anybody can say so: it ends
 * nothing, and is the reason of the attempt only if nothing better comes. datagram: what came back of ours, IKE header first,
 * perhaps cut. */
void ike_undelivered(struct ike *ike, struct span datagram);

/* Do what is due. Call at or after ike_deadline_ms(); earlier calls do nothing. */
void ike_tick(struct ike *ike, uint64_t now_ms);
/* When ike_tick() is next due; UINT64_MAX = never. */
uint64_t ike_deadline_ms(const struct ike *ike);

struct ike_initiate {
	struct ip_path path;        /* from our address and IKE port to the peer's address and port 500 */
	struct ip_addr host;        /* the peer is the gateway of this address, which is the other end of the CHILD SA, in tunnel mode;
	                             * IP_NONE: the peer is the host itself */
	struct ip_addr source;      /* our end of the CHILD SA, where that host is of another family than the gateway; IP_NONE: the
	                             * path's own */
	struct dnsname name;        /* sent as IDr, FQDN; n = 0: no IDr */
	bool identify;              /* say who we are (config.identity), and sign: before the peer has proved anything, so that
	                             * somebody who answers in its place learns it (RFC 7296 2.15) */
	struct keyset *keys;        /* the core takes its own reference */
	uint32_t reqid;             /* for the kernel, from our range */
	uint64_t give_up_ms;        /* absolute: EV_FAILED REASON_TIMEOUT at this time at the latest */
	bool encapsulate;           /* ESP in UDP also where no NAT is found */
	struct ip_addr former;      /* what the host has assigned to us before: if it is asked for an address, then for this one
	                             * (RFC 7296 3.15.1); IP_NONE: for any */
	uint64_t tag;               /* given back in events; the core does not look at it */
};

/* Start to establish an IKE SA with one CHILD SA, between two addresses. IKE_E_LIMIT: sas_max reached.
 * IKE_E_CONFIG: asked to identify, without an identity; or the gateway's address and the host's are the same, or of
 * different families without a source of the host's, or of one family with a source. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err ike_initiate(struct ike *ike, const struct ike_initiate *how,
				      uint64_t now_ms, ike_handle *out);

/* Delete an IKE SA and its CHILD SA: asks the kernel to delete the SAs and ends in EV_CLOSED (or
 * EV_FAILED with reason when it was not established yet), at once, but while the IKE SA is being rekeyed when that is over; tells the peer if there is an
 * authenticated one, again and again for a bounded while after the event. reason: REASON_NONE = no
 * longer needed. IKE_E_STATE: no such SA, or it has ended already. */
IKE_CHECKED enum ike_err ike_close(struct ike *ike, ike_handle sa, enum rp_reason reason,
				   uint64_t now_ms);

/* Ask the peer whether it still lives (empty INFORMATIONAL). When nothing comes back, EV_CLOSED
 * with REASON_TIMEOUT, after EV_SILENT. IKE_E_STATE: no such SA, or not established. Asking twice at once is one
 * question. */
IKE_CHECKED enum ike_err ike_check_liveness(struct ike *ike, ike_handle sa, uint64_t now_ms);

/* Make a new CHILD SA for the old one. Ends in EV_REKEYED, also when it was the peer who did it; or in EV_REKEY_FAILED: the peer does
 * not do it, the old pair stays as it is, and the caller may establish anew; or in EV_CLOSED, also when the peer has lost the old one. Asking twice is one question.
 * IKE_E_STATE: no such SA, or not established. */
IKE_CHECKED enum ike_err ike_rekey_child(struct ike *ike, ike_handle sa, uint64_t now_ms);
/* The same for the IKE SA, with a new key exchange: the CHILD SA goes over to the new one as it is. */
IKE_CHECKED enum ike_err ike_rekey_ike(struct ike *ike, ike_handle sa, uint64_t now_ms);

/* Our end of an IKE SA that we began is at this address now (RFC 4555): the peer is told, and makes new keys with us for a CHILD SA
 * between the new addresses, EV_REKEYED. Until then nothing passes. IKE_E_STATE: no such SA, or not one that can move: the host has not
 * assigned an address to us, or does not do this. */
IKE_CHECKED enum ike_err ike_move(struct ike *ike, ike_handle sa, const struct ip_addr *local, uint64_t now_ms);

/* Keep the way through the NAT open that is between us and the peer (RFC 3948 4): to be called when nothing was sent for a while.
 * IKE_E_STATE: no such SA, or there is none at our end; nothing is sent. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err ike_keepalive(struct ike *ike, ike_handle sa, uint64_t now_ms);

/* An authentic ESP packet on this SA of ours, not a repeated one, came from there (the kernel says). When that is not where the peer was, its
 * NAT has changed, and we follow (RFC 7296 2.23); to another address only if we have assigned one to the peer: EV_REKEYED when
 * there are SAs to there. Otherwise the SA ends in EV_CLOSED with REASON_PEER_MOVED, and the peer, who is told where it is now, may come
 * again. */
void ike_peer_seen(struct ike *ike, uint32_t spi_in, const struct ip_endpoint *from, uint64_t now_ms);

/* Completions, by the id of the output; each OUT_KERNEL PROTECT and ADD_SAS, OUT_SIGN and OUT_AUTHORIZE must
 * get its own. Unknown ids (the SA ended meanwhile; a KERNEL_DELETE_SAS) are ignored. */
void ike_done(struct ike *ike, uint64_t id, enum ike_err result, uint64_t now_ms);
/* auth_value: the whole value of an AUTH payload of this method; empty when result is not
 * IKE_OK. */
void ike_signed(struct ike *ike, uint64_t id, enum ike_err result, uint8_t method,
		struct span auth_value, uint64_t now_ms);
/* REASON_NONE lets the peer in, with this reqid; any other reason refuses it (and is not told to
 * the peer, but for REASON_TS_UNACCEPTABLE: it is the addresses, and nothing else), and logged, with a detail for people that
 * may be empty. keys: those that DNS publishes for the name that the peer claims (validated): it comes in only if it has signed
 * with one of them. NULL for an anonymous peer. The core takes its own reference. */
void ike_authorized(struct ike *ike, uint64_t id, enum rp_reason refuse, const char *detail,
		    struct keyset *keys, uint32_t reqid, uint64_t now_ms);

/* Out ------------------------------------------------------------------------------------------ */

/* Who the tunnel is with and how, for logs and `oe status`. */
struct ike_tunnel {
	ike_handle sa;
	uint64_t tag;               /* of ike_initiate; 0 when the peer started */
	bool initiator;             /* we started */
	uint8_t spi_i[8], spi_r[8]; /* of the IKE SA */
	struct ip_path path;        /* where IKE goes now (port 4500 behind a NAT) */
	struct ip_addr inner_local, inner_remote;       /* tunnel mode: as in struct kernel_request */
	uint32_t reqid;
	uint32_t spi_in, spi_out;
	struct ike_suite ike_suite;
	struct esp_suite esp_suite;
	bool encapsulated;          /* ESP in UDP */
	struct ip_addr behind;      /* as in struct ike_client */
	bool wants_keepalive;       /* a NAT at our end, or what made ESP go in UDP, forgets us when we are silent */
	unsigned key_index;         /* which key of the set proved it */
	uint8_t auth_method;        /* by which the peer authenticated */
	uint8_t peer_id_type;       /* the ID that it returned: logged, not believed */
	/* EV_ESTABLISHED: a peer that started, and has proved to hold key_index of the keys of this name; NULL for others. Views,
	 * valid until the next call of any ike_ function. */
	const struct dnsname *peer_name;
	struct keyset *peer_keys;
	uint16_t round_trip_ms;     /* of IKE_AUTH */
};

enum { IKE_DETAIL_MAX = 128 };

enum ike_event_kind {
	EV_ESTABLISHED,             /* kernel has SAs and policies: packets are protected now. Of a peer that had a tunnel
	                             * (with this reqid): packets leave with the new pair, and it receives with it */
	EV_FAILED,                  /* an attempt ended; nothing is left in the kernel. One of ours,
	                             * or of a peer after ike_authorized() let it in; peers that fail
	                             * earlier make no event */
	EV_REKEYED,                 /* we send with another pair of SAs now: new SPIs and suite, and the path where one end has
	                             * moved; or there is another IKE SA. The handle is the same */
	EV_REKEY_FAILED,            /* of ike_rekey_child() or ike_rekey_ike(); all is as it was before */
	EV_SILENT,                  /* a request of ours, whichever, has not been answered for 1.5 s, or for 0.2 s and
	                             * somebody says that there is no such SA: perhaps the peer has lost it. Once for
	                             * each request, once more after 4 s, and with each repetition before which
	                             * somebody has said that again; the SA stays until EV_CLOSED */
	EV_CLOSED,                  /* an established SA ended (deleted by the peer, by ike_close, or dead): its SAs are being
	                             * removed from the kernel (a KERNEL_DELETE_SAS goes before this event), its policies stay. Where there
	                             * is another one with this reqid, the half in stays for a moment more */
};

struct ike_event {
	enum ike_event_kind kind;
	struct ike_tunnel tunnel;   /* EV_FAILED: sa, tag, path and reqid are set, the rest as far as it got */
	bool long_silent;           /* EV_SILENT: for 4 s */
	bool ike_sa;                /* EV_REKEYED, EV_REKEY_FAILED: it is about the IKE SA, not about the CHILD SA */
	enum rp_reason reason;      /* EV_FAILED: never REASON_NONE; EV_CLOSED */
	bool initial_contact;       /* EV_ESTABLISHED, a peer that started: it knows of no other SA with us (RFC 7296 2.4) */
	char detail[IKE_DETAIL_MAX];    /* for people, what the reason does not say: "peer said
	                                 * NO_PROPOSAL_CHOSEN (unauthenticated)"; may be empty */
};

enum { IKE_SIGNED_PARTS = 4 };

/* A peer that wants in, by its addresses. */
struct ike_client {
	struct ip_path path;
	struct ip_addr behind;      /* its own address, when a NAT hides it; IP_NONE: none does */
	struct ip_addr assigned;    /* from the pool: its packets carry this one; IP_NONE: none */
};

enum ike_output_kind { OUT_SEND, OUT_KERNEL, OUT_SIGN, OUT_AUTHORIZE, OUT_EVENT };

struct ike_output {
	enum ike_output_kind kind;
	uint64_t id;                /* OUT_KERNEL, OUT_SIGN, OUT_AUTHORIZE: for the completion */
	union {
		struct {
			struct ip_path path;
			struct span datagram;       /* IKE header first; the caller adds the non-ESP marker when either port is the
			                             * NAT-T one. Or one byte, 0xff: a keepalive, as it is */
		} send;
		struct kernel_request kernel;       /* holds keys: the caller wipes it after use */
		struct {
			uint32_t hashes;            /* bit set of the peer's SIGNATURE_HASH_ALGORITHMS, see privkey_sign(); 0:
			                             * it announces none */
			struct span parts[IKE_SIGNED_PARTS];    /* octets to sign, concatenated */
		} sign;
		struct {
			struct ike_client client;
			struct dnsname asked_name;  /* IDr of the request when it was an FQDN; n = 0 otherwise */
			struct dnsname claimed;     /* who the peer says it is, with a signature that is still to be
			                             * checked; n = 0: anonymous */
		} authorize;
		struct ike_event event;
	} u;
};

/* The next thing to do; false when there is none. Spans in *out are valid until the next call of
 * any ike_ function. */
bool ike_next_output(struct ike *ike, struct ike_output *out);

/* Counters ------------------------------------------------------------------------------------- */

#define IKE_STATS(X) \
	X(received) X(sent) X(retransmitted) \
	X(dropped_syntax) X(dropped_version) X(dropped_integrity) X(dropped_state) X(dropped_limit) X(dropped_per_source) \
	X(half_open_pushed_out) X(half_open_pushed_out_by_source) \
	X(cookies_demanded) X(cookies_wrong) X(fragments_received) X(fragments_dropped) \
	X(initiated) X(accepted) X(established) X(failed) X(closed) X(auth_failed)

struct ike_stats {
#define IKE_STAT_FIELD(name) uint64_t name;
	IKE_STATS(IKE_STAT_FIELD)
#undef IKE_STAT_FIELD
};

/* An attempt that still goes on: the reason and detail that EV_FAILED would have if nothing more
 * came, for somebody who cannot wait for it. "no answer to IKE_AUTH"; or what a message said
 * that anybody could have sent and that therefore does not end the attempt. REASON_NONE and an
 * empty detail: no such attempt, it has ended or is up. */
enum rp_reason ike_outlook(const struct ike *ike, ike_handle sa, char detail[IKE_DETAIL_MAX]);

const struct ike_stats *ike_stats(const struct ike *ike);
/* IKE SAs now, by phase. */
struct ike_load {
	unsigned sas, initiating, half_open, established;
};
struct ike_load ike_load(const struct ike *ike);

#endif
