/* world.h - two hosts that speak IKE in memory: a wire with a clock of its own, kernels that
 * keep what they are asked, and a list of what was promised and broken. Used by the simulation
 * (random schedules) and by the ladders (chosen ones).
 */
#ifndef OE_TESTS_SIM_WORLD_H
#define OE_TESTS_SIM_WORLD_H

#include "dnskey/privkey.h"
#include "ike/ike.h"
#include "tests/sim/keys.h"

enum sim_side { CLIENT, SERVER, SIDES };
enum { SIM_SAS_MAX = 64, SIM_ENDS_MAX = 64, SIM_PENDING_MAX = 64 };

struct sim_datagram {
	struct sim_datagram *next;
	enum sim_side from, to;
	struct ip_path path;        /* as the receiver sees it */
	uint64_t due_ms;
	unsigned serial;            /* the n-th that was sent, from 1 */
	size_t n;
	uint8_t b[];
};

/* What a kernel holds. */
struct sim_sa_pair {
	bool in, out;               /* the halves that there are; none: a free place */
	unsigned out_serial;        /* the kernel sends with the highest of a reqid */
	struct kernel_request asked;    /* with both halves, once they were asked for */
};

/* What happened to one IKE SA, by its events. */
struct sim_end {
	ike_handle sa;
	bool ours;                  /* made by sim_initiate() */
	unsigned ups, ends, rekeyed, kept, silent;      /* kept: rekeying failed; silent: a request was not answered for a while */
	struct ike_event last;
	struct dnsname peer_name;   /* who it has proved to be, when it was up; n = 0: nobody */
};

struct sim_pending {
	bool used;
	uint64_t due_ms, id;
	enum ike_output_kind kind;
	enum ike_err result;
	bool kernel;
	uint8_t auth[1024], method;
	size_t auth_n;
	enum rp_reason reason;
	struct keyset *keys;        /* borrowed */
	uint32_t reqid;
};

struct sim_world;

struct sim_host {
	struct ike *ike;
	struct ike_config config;       /* that it runs with, also after sim_restart() */
	struct ip_addr addr;
	struct privkey *key;
	/* How it decides. */
	uint64_t decides_after_ms;  /* kernel, signature, authorisation take this long */
	unsigned kernel_fails;      /* the next n requests to protect fail */
	bool sign_fails;
	struct ip_addr former;      /* that its attempts ask for again; IP_NONE: none */
	bool encapsulate;           /* its attempts ask for ESP in UDP */
	struct ip_addr asks_for;    /* for which the other one is the gateway; IP_NONE: it is the host itself */
	struct ip_addr asks_from;   /* as source in struct ike_initiate */
	uint8_t sign_method;        /* 0: as the key says */
	enum rp_reason refuses;
	bool identifies;            /* says its name when it starts */
	struct keyset *known;       /* what DNS publishes for any name that the other one claims; NULL: nothing */
	/* What became of it. */
	struct sim_sa_pair sas[SIM_SAS_MAX];
	struct sim_end ends[SIM_ENDS_MAX];
	unsigned n_ends, asked_to_authorize, asked_to_sign, outs_added;
	struct dnsname asked_name, claimed;
	struct sim_pending pending[SIM_PENDING_MAX];
	uint32_t last_reqid, missed_spi;
};

struct sim_world {
	uint64_t now_ms, rng_state;
	struct rng rng;
	struct log log;
	bool verbose;
	bool one_pair;              /* all that is asked for is for the same pair, the first reqid, as the layer above has it */
	bool nat;                   /* the client is behind a translator, which changes address and port */
	struct ip_addr nat_addr;
	uint16_t nat_port;          /* ... the latter by adding this */
	struct sim_host host[SIDES];
	struct sim_datagram *wire;      /* in flight, by due_ms */
	unsigned sent;
	/* Decides the fate of a datagram: it owns d. NULL: sim_deliver_later(w, d, 5). */
	void (*carry)(struct sim_world *w, struct sim_datagram *d, void *arg);
	void *carry_arg;
	char broken[256];           /* the first promise that was broken; "" = none */
};

/* client, server: NULL = defaults; respond is set for the server. server_key: KEY_MAX = none. */
void sim_init(struct sim_world *w, uint64_t seed, enum ip_family family,
	      const struct ike_config *client, const struct ike_config *server,
	      enum sim_key server_key, bool verbose);
void sim_clear(struct sim_world *w);

/* From now on the client says its name (of its ike_config) and signs with key; DNS publishes known for it, KEY_MAX: nothing. */
void sim_identify(struct sim_world *w, enum sim_key key, enum sim_key known);

uint32_t sim_random(struct sim_world *w, uint32_t below);

/* This side loses all that it has and starts again, with the same configuration; its ends begin at 0 again. */
void sim_restart(struct sim_world *w, enum sim_side side);
/* One side becomes a script: take what is sent to it with sim_take(), answer with sim_inject(). */
void sim_remove_host(struct sim_world *w, enum sim_side side);
/* From that side, port to port, straight into the other one's core. Nothing else may be on the
 * wire. */
void sim_inject(struct sim_world *w, enum sim_side from, uint16_t port, struct span bytes);

/* Start an attempt of the client; keys: consumed. 0: the core refused. */
ike_handle sim_initiate(struct sim_world *w, struct keyset *keys, const char *name,
			uint64_t life_ms);

/* Take all outputs of both sides: datagrams onto the wire, decisions into pending. */
void sim_pump(struct sim_world *w);
void sim_deliver_later(struct sim_world *w, struct sim_datagram *d, uint64_t delay_ms);
struct sim_datagram *sim_copy(const struct sim_datagram *d);
/* Into the receiver's core at once; frees d. */
void sim_deliver(struct sim_world *w, struct sim_datagram *d);
/* Take the next one off the wire, for a ladder; NULL = none. */
struct sim_datagram *sim_take(struct sim_world *w);

/* Time of the next thing that happens by itself; UINT64_MAX = nothing. */
uint64_t sim_next_ms(const struct sim_world *w);
/* Let all happen that is due until then. */
void sim_run_until(struct sim_world *w, uint64_t until_ms);

struct sim_end *sim_end_of(struct sim_world *w, enum sim_side side, ike_handle sa);
/* SAs of the direction that has more. */
unsigned sim_sas(const struct sim_world *w, enum sim_side side);
/* What this side sends with now for this reqid; NULL = nothing. */
const struct sim_sa_pair *sim_sends_with(const struct sim_world *w, enum sim_side side, uint32_t reqid);
/* This side has an SA for a packet with this SPI. */
bool sim_receives(const struct sim_world *w, enum sim_side side, uint32_t spi);
/* This port of the translator's is one of the client's two. */
bool sim_is_mapped(const struct sim_world *w, uint16_t port);
/* A packet of this side, sent now with that, finds its way, and an SA at the other one. */
bool sim_reaches(const struct sim_world *w, enum sim_side side, uint32_t reqid);

__attribute__((format(printf, 2, 3)))
void sim_broken(struct sim_world *w, const char *format, ...);
/* The promises that hold at the end, when nothing goes on any more. */
void sim_check_rest(struct sim_world *w);

#endif
