/* whole.h - four hosts, each a tunnel layer over a core, with kernels and a wire in memory: what whole.c lets happen to. */
#ifndef OE_TESTS_SIM_WHOLE_H
#define OE_TESTS_SIM_WHOLE_H

#include "dnskey/privkey.h"
#include "ike/ike.h"
#include "tests/sim/keys.h"
#include "tunnel/tunnel.h"

enum {
	CLIENT,
	POOLED = 2,                     /* the host that assigns addresses to those behind a NAT */
	HOSTS = 4,
	OWN_MAX = 2,
	PAIRS_MAX = 256,
	POLICIES_MAX = 64,
	REQUESTS_MAX = 512,
	DEADLINE_MS = 1490,
	LIFE_MS = 600000,
	NAMES = 3,                      /* of each host */
	AWAY_MS = 30000,
	RETURN_MS = 10000,
	ACQUIRE_MS = 30000              /* of the kernel's larval states */
};

struct host {
	unsigned number;
	struct ip_addr addr;            /* from which it would send */
	struct ip_addr own[OWN_MAX];
	struct ike *ike;
	struct tunnels *tunnels;
	struct privkey *key;
	enum sim_key published[2];      /* by all its names; the impostor's is not its own */
	unsigned n_published;
	bool silent, impostor;
	unsigned outs_added;
	uint64_t larval_until_ms[OWN_MAX][HOSTS];       /* the kernel has said that it wants an SA */
	struct {
		bool in, out;       /* the halves that there are */
		bool flushed;       /* the half in, before the half out came */
		unsigned out_serial;
		struct kernel_request asked;
		uint64_t last_in_ms, last_out_ms, packets_in, packets_out;
	} pair[PAIRS_MAX];
	struct {
		bool used, was_orphan;
		uint32_t reqid;
		struct ip_addr local, remote;   /* local: IP_NONE in a shield */
	} policy[POLICIES_MAX];
	unsigned boots;
};

struct datagram {
	struct datagram *next;
	struct host *to;
	struct ip_path path;
	uint64_t due_ms;
	size_t n;
	uint8_t b[];
};

struct request {
	bool waits;
	unsigned host;
	struct ip_addr from;            /* our address when it was asked */
	uint64_t due_ms;
};

struct whole {
	uint64_t now_ms, random;
	struct rng rng;
	struct log log;
	bool verbose, bad_wire, bad_kernels, stopping;
	bool nat;                       /* between the client and POOLED */
	struct host host[HOSTS];
	struct datagram *wire;
	struct request request[REQUESTS_MAX];
	unsigned n_requests, allowed, refused, retired;
	bool named;                     /* the client says who it is */
	bool back_waits[HOSTS];         /* that host has asked for the client ... */
	struct ip_addr back_to[HOSTS];  /* ... at this address */
	uint64_t answer_expires_ms[HOSTS];      /* the last one of this address that was handed out */
	char broken[200];
};

/* The clock, chance and the log of a new one, which is all zeros but for random, now_ms and verbose. */
void whole_begin(struct whole *w);
/* A host starts, for the first time or again: it has lost all that it had. Its number, addresses and keys are set. */
void whole_boot(struct whole *w, struct host *h);
/* Its daemon was killed, and starts again: its policies are orphans (ike/kernel_req.h), all else is lost. */
void whole_restart(struct whole *w, struct host *h);
/* Below that number. */
uint32_t whole_chance(struct whole *w, uint32_t below);
/* A promise is broken; the first one counts. */
__attribute__((format(printf, 2, 3)))
void whole_broken(struct whole *w, const char *format, ...);

/* Carry out all outputs of a host. */
void whole_pump(struct whole *w, struct host *h);
/* Let all happen that is due until then. */
void whole_run_until(struct whole *w, uint64_t until_ms);

/* The kernels, whole_kernel.c. A place in pair[]; -1: there is none. */
int whole_pair_of(const struct host *h, uint32_t spi_in);
/* The one that the host would send with. */
int whole_pair_to(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote);
/* SAs, the policy and the shield are there. */
bool whole_protected(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote);
/* Would a packet leave unencrypted? */
bool whole_in_clear(const struct host *h, const struct ip_addr *local, const struct ip_addr *remote);
bool whole_is_own(const struct host *h, const struct ip_addr *a);
/* NULL: nobody's. */
struct host *whole_host_of(struct whole *w, const struct ip_addr *a);
/* All SAs go, those that only an acquire has made among them. */
void whole_flush_sas(struct host *h);
void whole_make_orphans(struct host *h);
void whole_clear_orphans(struct host *h);
/* k is wiped. */
enum ike_err whole_apply(struct whole *w, struct host *h, struct kernel_request *k);

#endif
