/* tunnel_double.h - the tunnel layer between a double of the IKE core, which records what it is asked and says what the test
 * wants, a kernel that is a few numbers, and a clock that the test moves. */
#ifndef OE_TESTS_TUNNEL_DOUBLE_H
#define OE_TESTS_TUNNEL_DOUBLE_H

#include "tests/unit/unit.h"

#include "tunnel/tunnel.h"

#define OUR_V6 "2001:db8:ffff::1"

enum { SAS_MAX = 256, SEEN_MAX = 512, PASSES_SEEN_MAX = 4096 };

/* One IKE SA of the core, as the layer asked for it; sas[n - 1] has the handle n. */
struct double_sa {
	struct ip_path path;
	struct dnsname name;
	struct ip_addr host;        /* that it asks a gateway for; IP_NONE: it asks the host itself */
	struct ip_addr source;      /* as in struct ike_initiate */
	struct keyset *keys;
	uint32_t reqid;
	uint64_t tag, give_up_ms;
	bool up, ended, initiator, encapsulated, identified;
	struct ip_addr former;      /* as in struct ike_initiate */
	uint8_t spi;                /* first byte of the initiator's SPI */
	char proved;                /* the key, once it is up */
	enum rp_reason close_reason;
	struct ip_addr assigned;    /* to a client, from our pool; IP_NONE: none */
	uint32_t idle_s;            /* not 0: as the kernel says of this one, whatever be_idle() says of all */
};

struct seen_verdict {
	uint64_t client;
	uint32_t id;
	struct rp_verdict verdict;  /* reason_text points to text */
	char text[RP_REASON_TEXT_MAX + 1];
};

struct world {
	struct tunnels *t;
	struct tunnel_config config;
	struct tunnel_env env;
	struct log log;
	struct rng rng;
	uint64_t now_ms;
	uint32_t ttl_s, deadline_ms;

	struct double_sa sas[SAS_MAX];
	unsigned n_sas, liveness_checks, keepalives, rekeys, ike_rekeys, sas_max;
	bool can_move;              /* the host does MOBIKE */
	bool cannot_rekey;          /* the core refuses to */
	enum rp_reason outlook;     /* of every attempt */
	struct ike_event pending[SAS_MAX];  /* events of the core that the layer has not heard yet */
	unsigned n_pending;

	struct sa_traffic traffic;          /* of every SA */
	enum ike_err traffic_err, kernel_err;
	bool no_route, no_route_v4, no_route_v6;
	bool v6_gone;               /* our only IPv6 address, OUR_V6, */
	bool v6_link_local;         /* but for a link-local one */
	struct ip_addr behind;              /* own address of the client that comes in; IP_NONE: it is not behind a NAT */
	struct ip_addr assigned;            /* to it, from our pool; IP_NONE: it has none */
	bool wants_keepalive;               /* every tunnel that comes up is behind a NAT */
	bool nobody_behind;
	uint16_t round_trip_ms;             /* of every tunnel that comes up */
	struct ip_addr local;               /* from which we would send */
	struct ip_addr other;               /* another one of ours; IP_NONE: none */
	struct ip_addr inner;               /* that the hosts assign; IP_NONE: transport mode */

	/* What came out, in order. */
	struct seen_verdict verdicts[SEEN_MAX];
	struct rp_down downs[SEEN_MAX];
	struct kernel_request retired[SEEN_MAX];
	unsigned n_retired;
	struct kernel_request unprotects[SEEN_MAX];
	struct kernel_request passes[PASSES_SEEN_MAX];      /* PASS and UNPASS; not in order[] */
	unsigned n_verdicts, n_downs, n_unprotects, n_passes;
	char order[SEEN_MAX];               /* 'v', 'd', 'k' */
	enum tunnel_event_kind events[SEEN_MAX];    /* the first ones */
	unsigned n_events;
	char last_log[512];
};

/* As cmocka's setup and teardown; the state is a struct world with defaults. world_restart() applies a changed config. */
int world_setup(void **state);
int world_teardown(void **state);
void world_restart(struct world *w);

/* The RDATA of the (invented) Ed25519 key of this letter. */
void make_key(uint8_t rdata[3 + 32], char letter);
/* Addresses separated by blanks. keys: letters, one an (invented) Ed25519 key: "A", "AB"; "!" is a broken one. */
void ask(struct world *w, uint32_t id, const char *owner, const char *keys, const char *addresses);
/* Any request. */
enum ike_err ask_for(struct world *w, uint64_t client, uint32_t id, const struct rp_establish *q);
enum ike_err ask_as(struct world *w, uint64_t client, uint32_t id, const char *owner, const char *keys, const char *addresses);
/* Ask with key A and be answered: the address is protected from now on. */
void protect(struct world *w, const char *owner, const char *address);
/* Nothing has passed for this long, as the kernel counts it at the next look. */
void be_idle(struct world *w, uint32_t seconds);

/* The core says: sa (a handle) is up, proved by this key of its set; failed; was ended by the peer. */
void core_up(struct world *w, ike_handle sa, char key);
void core_fails(struct world *w, ike_handle sa, enum rp_reason reason, const char *detail);
void core_closed(struct world *w, ike_handle sa, enum rp_reason reason);
/* It has other SPIs now; or it could not be rekeyed. */
void core_rekeyed(struct world *w, ike_handle sa, uint32_t spi_in, uint32_t spi_out);
void core_cannot_rekey(struct world *w, ike_handle sa);
/* A request of the core's is not answered. */
void core_silent(struct world *w, ike_handle sa);
void core_silent_for_long(struct world *w, ike_handle sa);
/* An anonymous client comes in, after tunnels_authorize() gave it this reqid; its handle. */
ike_handle client_up(struct world *w, const char *address, uint32_t reqid);
enum rp_reason authorize(struct world *w, const char *address, uint32_t *reqid);
/* The same for a client that gives a name, with the keys that DNS has for it, of which it has proved the first one. */
enum rp_reason authorize_named(struct world *w, const char *address, const char *keys, uint32_t *reqid);
ike_handle named_client_up(struct world *w, const char *address, uint32_t reqid, const char *name, const char *keys, uint8_t spi,
			   bool initial_contact);

/* The kernel has a packet from local to remote, and no SA for it. */
void acquire(struct world *w, const char *local, const char *remote);

/* Let time pass, with every deadline at its own time. */
void advance(struct world *w, uint64_t ms);
void take_outputs(struct world *w);

/* The one verdict of this id; NULL when there is none. Two fail the test. */
const struct seen_verdict *verdict_of(const struct world *w, uint32_t id);
void assert_allowed(const struct world *w, uint32_t id);
void assert_refused(const struct world *w, uint32_t id, enum rp_reason reason);
void assert_waiting(const struct world *w, uint32_t id);
/* The state of an address; -1 when the table does not know it. An attempt beside a tunnel does not count. */
/* The tunnel with this address, not an attempt; all zero: none. */
struct tunnel_info info_of(struct world *w, const char *address);
int state_of(const struct world *w, const char *address);
unsigned downs_for(const struct world *w, const char *owner);
struct dnsname name_of(const char *text);
struct ip_addr address_of(const char *text);

#endif
