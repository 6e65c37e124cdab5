/* tunnel.h - which addresses are protected, for whom, and until when. Pure: no I/O, no clock, no global.
 *
 * The IKE core knows how to establish one SA; this layer decides whether, and what becomes of an address afterwards. It is
 * the only place that knows the states of an address, joins requests by (address, key set), enforces the limits, and
 * releases a protection.
 *
 *	  request                established                 SA gone (peer deleted it, dead, expired)
 *	-----------> ESTABLISHING -----------> PROTECTED ------------------------------> HEALING
 *	                  |                        ^  |                                     |
 *	                  | failed                 |  | last answer expired and idle,       | re-established
 *	                  v                        |  | `oe down`, limit: oldest idle first v
 *	                (gone: nothing             |  |                                  PROTECTED
 *	                 was installed;            |  v
 *	                 remembered as a         DRAINING --(resolver was told, a moment later)--> gone: policies removed
 *	                 failure for a while)
 *
 * In PROTECTED, HEALING and DRAINING the kernel holds policies that make cleartext to and from the address impossible, for one
 * whose key was proved whatever our own address is.
 *
 * Rules (design: promises 3, 4, 6):
 *  - An address that is bound to a key set is never bound again by a name with a key set that has no key in common:
 *    REASON_KEY_CONFLICT for the second, nothing changes for the first.
 *  - A record that names a gateway is used only if the owner of the address, or the operator, says the same (ways.c,
 *    docs/gateways.md). The ways to an address, itself or gateways, are tried in the order of precedence: the next one when one has failed,
 *    or when its share of the time to the deadline is over; what was begun goes on, and the first that proves its key is it.
 *    The binding is of the way, too: only a name that no other one shares the address with may lead to it by another one,
 *    in the place of the first.
 *  - A failed establishment leaves nothing, except that the same (addresses, gateway, key set) is refused with the reason and text of that
 *    failure for 2 s, then 10 s, then 60 s, in a bounded memory.
 *  - Networks that pass UDP and drop ESP are found out by packets that go out while none ever comes in, within a second of the first
 *    one: the tunnel is established anew with ESP in UDP, later ones from this address of ours begin so. Once for each establishment;
 *    remembered for a day, and forgotten when an attempt of that kind is not answered.
 *  - The binding follows a key rollover: the key set of a name is the one that it publishes now, and a key that all names of the
 *    address publish may take the bound one's place. While both are published nothing changes; once the old one is withdrawn the
 *    next lookup has the host prove the new one, beside the tunnel that stands, and healing accepts the new one only. A key
 *    that another name of the address does not publish is never accepted, whoever brings it (names.c).
 *  - A tunnel that cannot be rekeyed is established anew beside the old one, which goes when the new one is up. Its policies
 *    stay through all of that.
 *  - A client that makes a new IKE SA beside the one that it has (reauthentication, RFC 7296 2.8.3) deletes the old one itself; we do
 *    after 30 s. With INITIAL_CONTACT, or when it has proved another key, or one for the first time, the old one goes at once.
 *  - An anonymous client never gets a share in an address that is bound to a key: the kernel sends with the newest SA, which
 *    would be one that nobody proved. Of two hosts that both ask and of which one does not say who it is, the second is refused
 *    while the first one's tunnel stands.
 *  - A client that has proved the key of its name binds its address to it. As long as no answer has been given out for the
 *    address nobody relies on that, and whoever proves another key may have it; nor is there a shield, so that a lookup of its
 *    name makes a tunnel of its own.
 *  - Of two SAs that were begun from both ends at once, both ends keep the same one.
 *  - Anonymous clients have a number of tunnels of their own, and each source of them has (an IPv4 address, an IPv6 /64): the one that
 *    has been idle for longest goes, at once, for one that comes, and one that is in use never. What this host has asked for,
 *    or a client that has proved a name, does not go for an anonymous one.
 *  - A client that has an address of our pool is known by that one, whatever address its NAT has: the pair is between ours and the
 *    assigned one. It lives no longer than its SA, since the client comes back with another address.
 *  - Of several clients behind one NAT address the first one is served while it lives: what we send to that address goes by the newest
 *    SA, and nothing in a packet says to whom of them. The others are refused; whether the first one lives is asked then.
 *  - A binding is to the remote address, an SA between two: while an address is bound, what goes to it from another address of
 *    ours, or comes from it to there, is dropped until that pair has a tunnel too, with the same key. The first packet out makes
 *    it begin. Packets that we forward for others are let through; those of a client are not our business there.
 *  - When addresses or routes change, the tunnels of an address that is gone end, and every bound host gets a pair with the address that
 *    it would be sent to from now, 0.2 s later, 64 at once and 200 a second then. When packets leave by another way, others are asked whether they live. After a sleep of
 *    more than a minute all are established anew. A tunnel whose address the host has assigned goes along instead, if the host does MOBIKE
 *    (RFC 4555), and with it the connections from that address.
 *  - A host that does not answer (packets out, none in for 4 s; then the core's question for 1.5 s, or for 4 s where connections depend
 *    on an assigned address) is established anew beside the SA that it may have lost. It is asked for the address that it assigned before.
 *    While somebody sends to a host whose SA is gone an attempt begins every 4 s, one at a time, whatever came of
 *    the earlier ones; while nobody does, but an answer lives, with growing pauses up to a minute; otherwise none.
 *  - Our own address is allowed at once: packets to it never leave this host.
 *  - During a pause (tunnels_pause) an address that is not bound is answered in clear, for 5 s at most; what is bound stays as it is.
 *  - What the operator has permitted in clear (tunnels_clear) is answered at once, and nothing is established for it; its policies
 *    go by that word alone. The answer lives for a minute at most, and not longer than the permission. What another name has
 *    established for the same address stays, and what a host asks of us for itself is not meant.
 *  - Policy groups (docs/policy-groups.md): nothing is established for what is in block, which is refused, or in clear and
 *    clear-or-private, which is answered in clear. What is in private-or-clear, and not bound, is answered in clear when its host does not
 *    do what its name says: if none of the addresses can be protected, and never if somebody else answers there. A pause does not
 *    concern what is in private. Clients are refused that are in block or clear. What stands when the groups change ends when it is idle.
 *  - An attempt outlives the verdict: at the request's deadline the verdict is REFUSE, the attempt itself goes on for attempt_ms.
 *  - A response is given to every request exactly once, unless it was cancelled or its client is gone.
 */
#ifndef OE_TUNNEL_TUNNEL_H
#define OE_TUNNEL_TUNNEL_H

#include "base/addr.h"
#include "base/dnsname.h"
#include "base/groups.h"
#include "base/log.h"
#include "base/rng.h"
#include "ike/ike.h"
#include "proto/resolver_proto.h"

struct tunnels;

struct tunnel_config {
	bool allow_private;         /* RFC 1918, ULA, 100.64/10 may be protected */
	bool accept_anonymous;      /* responder: let AUTH_NULL clients in */
	bool accept_identified;     /* ... and those that prove the key that DNS has for the name they give */
	/* Initiator: hosts whose name is one of these, or below one, are told who we are; borrowed. */
	const struct dnsname *identify_to;
	unsigned n_identify_to;
	/* Names that are one of these, or below one, are believed when they name a gateway; borrowed. docs/gateways.md */
	const struct dnsname *trust_gateways;
	unsigned n_trust_gateways;
	const struct groups *groups;        /* policy groups; borrowed. NULL: none */
	unsigned tunnels_max;       /* in all; 0: 4096 */
	unsigned anonymous_max;     /* of them with anonymous clients; 0: half */
	unsigned anonymous_per_source;  /* of these from one source, as ip_source() has it; 0: 512 */
	unsigned establishing_max;  /* attempts of ours at once; 0: 512. Beyond it: queued while the deadline allows, then REASON_LIMIT */
	unsigned per_peer_max;      /* addresses of one request that go to one owner name; 0: RP_ADDRESSES_MAX */
	unsigned requests_max;      /* waiting requests in all; 0: 4096 */
	uint32_t attempt_ms;        /* an attempt's whole life; 0: 10000 */
	uint32_t idle_s;            /* release this long after the last answer expired and the last packet passed; 0: 300 */
	uint32_t soft_life_s;       /* the CHILD SA of a tunnel of ours is rekeyed after this long, a client's a quarter later; 0: 3600 */
	uint32_t ike_life_s;        /* its IKE SA after this long; likewise; 0: 14400 */
	uint32_t drain_ms;          /* between DOWN to the resolver and the removal of the policies; 0: 2000 */
	uint16_t ike_port;          /* source port of IKE; 0: 500 */
	uint16_t peer_port;         /* destination port of IKE; 0: 500 */
	bool always_encapsulate;    /* ESP in UDP from the start; otherwise behind a NAT, and where ESP is found to be dropped */
};

/* What happens, for people who watch: of an address, of a name, or of all. */
#define TUNNEL_EVENTS(X) \
	X(TUNNEL_EV_ESTABLISHING, "establishing")       /* an attempt begins */ \
	X(TUNNEL_EV_FAILED, "failed")                   /* it has failed */ \
	X(TUNNEL_EV_PROTECTED, "protected")             /* a tunnel is up, for the first time or again */ \
	X(TUNNEL_EV_REKEYED, "rekeyed") \
	X(TUNNEL_EV_HEALING, "healing")                 /* its SA is gone */ \
	X(TUNNEL_EV_DRAINING, "draining")               /* it is to be released; REASON_NONE: idle */ \
	X(TUNNEL_EV_GONE, "gone")                       /* its policies are removed */ \
	X(TUNNEL_EV_ANSWERED, "answered")               /* a verdict: what is protected may be answered, */ \
	X(TUNNEL_EV_CLEAR, "clear")                     /* in clear, */ \
	X(TUNNEL_EV_REFUSED, "refused")                 /* or not */ \
	X(TUNNEL_EV_FORGOTTEN, "forgotten")             /* the resolver is to forget its answers */ \
	X(TUNNEL_EV_PERMITTED, "permitted")             /* in clear, by the operator */ \
	X(TUNNEL_EV_PERMISSION_END, "permission-end") \
	X(TUNNEL_EV_PAUSED, "paused") \
	X(TUNNEL_EV_RESUMED, "resumed")

#define TUNNEL_EVENT_KIND(symbol, word) symbol,
enum tunnel_event_kind { TUNNEL_EVENTS(TUNNEL_EVENT_KIND) };
#undef TUNNEL_EVENT_KIND

const char *tunnel_event_word(enum tunnel_event_kind kind); /* "protected" */

struct tunnel_event {
	enum tunnel_event_kind kind;
	struct dnsname name;            /* n = 0: none */
	struct ip_addr address, local;  /* IP_NONE: none */
	enum rp_reason reason;
	const char *detail;             /* beside the reason; valid during the call */
};

/* What this layer must ask the outside at once: answered without waiting. */
struct tunnel_env {
	void *arg;
	/* Address from which this host would send to remote. IKE_E_REFUSED: no route. */
	enum ike_err (*source_address)(void *arg, const struct ip_addr *remote, struct ip_addr *local);
	/* Does this address belong to this host? */
	bool (*is_own_address)(void *arg, const struct ip_addr *a);
	/* Is it certain that it is somebody else's, for whom this host forwards? What is neither is not known. */
	bool (*is_behind)(void *arg, const struct ip_addr *a);
	/* Bytes carried and time since the last packet of an SA pair, from the kernel. IKE_E_STATE: no such SA. */
	enum ike_err (*traffic)(void *arg, uint32_t reqid, uint32_t spi_in, uint32_t spi_out, const struct ip_addr *local,
				const struct ip_addr *remote, struct sa_traffic *out);
	/* Told as it happens; it may look, and must not change anything. NULL: nobody watches. */
	void (*event)(void *arg, const struct tunnel_event *event);
};

/* ike, env, rng and log are borrowed. */
IKE_CHECKED enum ike_err tunnels_new(const struct tunnel_config *config, const struct tunnel_env *env, struct ike *ike,
				     const struct rng *rng, const struct log *log, struct tunnels **out);
void tunnels_free(struct tunnels *t);
/* Other values from now on, for what begins from now on; the ports, identify_to and trust_gateways must be the same. */
void tunnels_configure(struct tunnels *t, const struct tunnel_config *config);

/* In --------------------------------------------------------------------------------------------------------- */

/* client: the connection that the request came by, chosen by the caller; (client, id) is unique among waiting requests:
 * a duplicate id is IKE_E_SYNTAX (close the connection). Otherwise IKE_OK, and the verdict comes as an output, perhaps
 * at once. */
IKE_CHECKED enum ike_err tunnels_request(struct tunnels *t, uint64_t client, uint32_t id, const struct rp_establish *request,
					 uint64_t now_ms);
void tunnels_cancel(struct tunnels *t, uint64_t client, uint32_t id);
void tunnels_client_gone(struct tunnels *t, uint64_t client);

/* OUT_EVENT and OUT_AUTHORIZE of the core. */
void tunnels_ike_event(struct tunnels *t, const struct ike_event *event, uint64_t now_ms);
/* keys: of the name that the client claims; NULL: it is anonymous. */
enum rp_reason tunnels_authorize(struct tunnels *t, const struct ike_client *client, const struct keyset *keys, uint32_t *reqid,
				 uint64_t now_ms);
/* A client claims a name: is it worth the question to DNS? The same answer as tunnels_authorize(), as far as it does not
 * depend on the keys; and what the policy of that name says. */
enum rp_reason tunnels_consider(struct tunnels *t, const struct ike_client *client, const struct dnsname *claimed, uint64_t now_ms);
/* Result of a TUNNEL_KERNEL output. */
void tunnels_kernel_done(struct tunnels *t, uint64_t id, enum ike_err result, uint64_t now_ms);
/* The kernel wants to send to a protected address and has no SA (XFRM acquire). local: the packet's source, perhaps not ours. */
void tunnels_acquire(struct tunnels *t, const struct ip_addr *local, const struct ip_addr *remote, uint64_t now_ms);
/* An SA has reached its soft limit of bytes or packets: it is rekeyed, whoever started. */
void tunnels_aging(struct tunnels *t, uint32_t reqid, uint32_t spi, uint64_t now_ms);
/* An SA reached its hard limit. */
void tunnels_sa_expired(struct tunnels *t, uint32_t reqid, uint64_t now_ms);
/* Somebody else has deleted this SA; or perhaps any of ours. What is gone is established again. */
void tunnels_sa_deleted(struct tunnels *t, uint32_t reqid, uint32_t spi, uint64_t now_ms);
void tunnels_sas_flushed(struct tunnels *t, uint64_t now_ms);
/* This host has this new address; NULL: perhaps some, which is not known. At once: until then, packets of ours from an address
 * that somebody behind us had may be let through as his. */
void tunnels_own_address(struct tunnels *t, const struct ip_addr *address, uint64_t now_ms);
/* This address of ours is gone. */
void tunnels_address_gone(struct tunnels *t, const struct ip_addr *address, uint64_t now_ms);
/* Packets leave by another way now. */
void tunnels_network_changed(struct tunnels *t, uint64_t now_ms);
/* The network is believed to work again: what has failed is tried anew at once, what is up is asked whether it lives. */
void tunnels_retry(struct tunnels *t, uint64_t now_ms);
/* This host has slept for so long. */
void tunnels_resumed(struct tunnels *t, uint64_t slept_ms, uint64_t now_ms);

void tunnels_tick(struct tunnels *t, uint64_t now_ms);
uint64_t tunnels_deadline_ms(const struct tunnels *t);

/* `oe down`: by owner name (all its addresses) or by address. Returns how many tunnels are being released. */
unsigned tunnels_down_name(struct tunnels *t, const struct dnsname *name, uint64_t now_ms);
unsigned tunnels_down_address(struct tunnels *t, const struct ip_addr *address, uint64_t now_ms);

/* `oe clear`: a permission to answer in clear, and to reach in clear, until a time; not kept over a restart. */
enum { TUNNEL_PERMISSIONS_MAX = 64 };

struct tunnel_permission {
	struct dnsname name;        /* the owner of the addresses; n = 0: an address, whatever name has it */
	struct ip_addr address;     /* IP_NONE: a name */
	uint64_t until_ms;
};

struct tunnel_cleared {
	unsigned released;          /* tunnels */
	struct ip_addr shared;      /* IKE_E_CONFLICT: this address is protected for another name, too */
	struct dnsname with;
};

/* Either name or address, the other one is NULL; a permission that is there gets another end. IKE_E_CONFLICT: the name shares an address
 * with one that has no permission, nothing has changed: the address would have to be given. IKE_E_LIMIT: there are too many. */
IKE_CHECKED enum ike_err tunnels_clear(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, uint32_t for_s,
				       uint64_t now_ms, struct tunnel_cleared *out);
/* False: there is no such permission. The resolver forgets what it answered by it. */
bool tunnels_clear_end(struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, uint64_t now_ms);
unsigned tunnels_permissions(const struct tunnels *t);
/* Number i, from 0; false when there are not so many. */
bool tunnels_permission(const struct tunnels *t, unsigned i, struct tunnel_permission *out);

/* `oe pause`: what is new is answered in clear for so long, in a network where nothing can be validated. Not kept over a restart. */
void tunnels_pause(struct tunnels *t, uint32_t for_s, uint64_t now_ms);
/* why: for the log. False: there is no pause. */
bool tunnels_resume(struct tunnels *t, const char *why, uint64_t now_ms);
/* Seconds left of it, the last one counts; 0: there is none. */
uint32_t tunnels_paused_s(const struct tunnels *t, uint64_t now_ms);

/* Clean stop: refuse waiting requests with REASON_SHUTDOWN, tell the resolver, delete all. Done when no tunnels are left. */
void tunnels_shutdown(struct tunnels *t, uint64_t now_ms);

/* Out -------------------------------------------------------------------------------------------------------- */

enum tunnel_output_kind { TUNNEL_VERDICT, TUNNEL_DOWN, TUNNEL_KERNEL };

struct tunnel_output {
	enum tunnel_output_kind kind;
	uint64_t client;            /* TUNNEL_VERDICT */
	uint64_t id;                /* TUNNEL_VERDICT: the request's id; TUNNEL_KERNEL: for tunnels_kernel_done() */
	struct rp_verdict verdict;  /* reason_text is valid until the next call */
	struct rp_down down;        /* for every resolver connection */
	struct kernel_request kernel;
};

bool tunnels_next_output(struct tunnels *t, struct tunnel_output *out);

/* Looking ----------------------------------------------------------------------------------------------------- */

enum tunnel_state { TUNNEL_ESTABLISHING, TUNNEL_PROTECTED, TUNNEL_HEALING, TUNNEL_DRAINING };

const char *tunnel_state_text(enum tunnel_state state);     /* "protected" */

struct tunnel_info {
	enum tunnel_state state;
	bool initiator;
	struct dnsname name;        /* first owner name, or what a client of ours has proved to be; n = 0: an anonymous one */
	unsigned names;             /* how many owner names share it */
	struct ip_addr local, remote;
	struct ip_addr outer;       /* the gateway; or where a client comes from that has an address of our pool; otherwise remote */
	struct ip_addr gateway;     /* IP_NONE: none */
	char key_text[24];          /* "RSA-3072"; "" for an anonymous client */
	uint16_t key_tag;
	uint32_t spi_in, spi_out, reqid;
	struct esp_suite esp_suite;
	bool post_quantum;          /* its keys come from ML-KEM-768 too */
	bool encapsulated;
	struct ip_addr inner_local; /* tunnel mode: our address inside; IP_NONE: transport mode */
	uint64_t established_ms;    /* when; 0 = not yet */
	uint64_t answer_expires_ms; /* when the last answer handed out expires */
	struct sa_traffic traffic;      /* zero when the kernel has no SA */
};

unsigned tunnels_count(const struct tunnels *t);
/* Of them with anonymous clients, without those that are being released. */
unsigned tunnels_anonymous(const struct tunnels *t);

/* Clients that were refused by a limit, and tunnels that were released for somebody else: by tunnels_max, anonymous_max,
 * anonymous_per_source. */
#define TUNNEL_STATS(X) \
	X(refused_all) X(refused_anonymous) X(refused_per_source) \
	X(pushed_out_by_all) X(pushed_out_by_anonymous) X(pushed_out_by_source)

struct tunnel_stats {
#define TUNNEL_STAT_FIELD(name) uint64_t name;
	TUNNEL_STATS(TUNNEL_STAT_FIELD)
#undef TUNNEL_STAT_FIELD
};

const struct tunnel_stats *tunnels_stats(const struct tunnels *t);
/* Is this the address of a host, or client, that has a tunnel? */
bool tunnels_has_host(const struct tunnels *t, const struct ip_addr *remote);
/* Number i of those with this host, from 0; false when there are not so many. */
bool tunnels_of_host(struct tunnels *t, const struct ip_addr *remote, unsigned i, struct tunnel_info *out);
/* Walk all: start with *cursor = 0; false at the end. Changes of the table between calls may hide or repeat one. */
bool tunnels_next(struct tunnels *t, uint64_t *cursor, struct tunnel_info *out);

/* Why --------------------------------------------------------------------------------------------------------- */

enum { TUNNEL_DETAIL_MAX = 128 };

/* What the resolver was told last about a name. */
struct tunnel_decision {
	enum rp_verdict_kind kind;
	enum rp_reason reason;
	char detail[TUNNEL_DETAIL_MAX];
	uint64_t at_ms;
	unsigned n;
	struct {
		struct ip_addr address;
		enum rp_reason reason;      /* REASON_NONE: allowed */
	} at[RP_ADDRESSES_MAX];
};

/* False: never, or so many names have been asked for since that it is forgotten. */
bool tunnels_decision(const struct tunnels *t, const struct dnsname *owner, struct tunnel_decision *out);

/* What a request would come to. */
enum tunnel_prospect_kind {
	PROSPECT_REFUSED,           /* at once, with reason and detail */
	PROSPECT_OWN,               /* allowed: it is our own address */
	PROSPECT_CLEAR,             /* in clear: the operator has permitted it, paused what is new, or it is the policy */
	PROSPECT_PROTECTED,         /* allowed at once */
	PROSPECT_TRY,               /* an attempt decides: a new one, or one that is under way */
	PROSPECT_GATEWAY,           /* what the lookups say that the resolver makes about gateways decides */
};

struct tunnel_prospect {
	enum tunnel_prospect_kind kind;
	enum rp_reason reason;
	char detail[TUNNEL_DETAIL_MAX];
	uint64_t until_ms;          /* PROSPECT_CLEAR: the end of the permission or pause; 0: it is the policy */
	bool paused;                /* PROSPECT_CLEAR: it is a pause */
	struct {                    /* of the same keys at this address; at_ms = 0: none is remembered */
		enum rp_reason reason;
		char detail[TUNNEL_DETAIL_MAX];
		unsigned times;             /* in a row */
		uint64_t at_ms, until_ms;
	} failure;
};

/* For one address of this request, by its number, made now; it need not tell about gateways. Changes nothing, and does not know
 * whether there would be room for an attempt. */
void tunnels_prospect(struct tunnels *t, const struct rp_establish *request, unsigned address, uint64_t now_ms,
		      struct tunnel_prospect *out);

/* The entry of the policy groups that counts for this address of this name. */
enum group tunnels_policy(const struct tunnels *t, const struct dnsname *name, const struct ip_addr *address, struct group_entry *out);

#endif
