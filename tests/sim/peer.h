/* peer.h - a peer that says what the test wants: its keys are real, its messages need not make
 * sense. Made of wire/ and crypto/ alone, so that it shares no code with the core under test.
 *
 * Functions that cannot go wrong with a core that works abort when they do.
 */
#ifndef OE_TESTS_SIM_PEER_H
#define OE_TESTS_SIM_PEER_H

#include "base/rng.h"
#include "crypto/keymat.h"
#include "dnskey/keyset.h"
#include "dnskey/privkey.h"
#include "wire/payloads.h"

enum { PEER_MESSAGE_MAX = 4096 };

struct peer_message {
	size_t n;
	uint8_t b[PEER_MESSAGE_MAX];
};

struct sim_peer {
	bool initiator;
	bool no_fragments;          /* do not announce them */
	bool no_hashes;             /* do not announce SIGNATURE_HASH_ALGORITHMS */
	bool childless;             /* announce that IKE_AUTH may be without a CHILD SA */
	bool no_intermediate;       /* do not announce IKE_INTERMEDIATE, although suite.addke1 is set */
	struct ip_path believed;    /* what it says in IKE_SA_INIT for the detection of NATs; IP_NONE: nothing */
	const struct rng *rng;
	struct ike_suite suite;
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	uint8_t nonce[32], nonce_other[NONCE_MAX];
	size_t nonce_other_n;
	struct dh *dh;
	struct ike_keys keys;
	struct peer_message init_own, init_other;       /* the two IKE_SA_INIT messages */
	uint64_t iv;
	struct secret int_auth_i, int_auth_r;           /* RFC 9242 3.3.1 */
	uint8_t int_auth[2 * SECRET_MAX + 4];           /* both and the message ID of IKE_AUTH, when there is one more exchange */
	size_t int_auth_n;
};

void peer_start(struct sim_peer *p, bool initiator, const struct rng *rng);
void peer_clear(struct sim_peer *p);

static inline struct span peer_span(const struct peer_message *m)
{
	return span_of(m->b, m->n);
}

/* IKE_SA_INIT: our request into init_own; the answer to it. As responder: take the request, our
 * answer into init_own. */
void peer_init_request(struct sim_peer *p, struct span cookie);
void peer_take_init_answer(struct sim_peer *p, struct span datagram);
void peer_answer_init(struct sim_peer *p, struct span datagram);
/* An unprotected message that is one notify, as an answer to the IKE_SA_INIT request in
 * datagram. */
void peer_init_notify(struct span datagram, uint16_t type, struct span value,
		      struct peer_message *out);

/* The inside of a protected message: begin, write payloads, seal. */
struct msg_wr peer_inner(void);
void peer_seal(struct sim_peer *p, uint8_t exchange, uint32_t id, bool response,
	       struct msg_wr *inner, struct peer_message *out);
/* The same as fragment number of total, of whatever bytes. */
void peer_seal_fragment(struct sim_peer *p, uint8_t exchange, uint32_t id, bool response,
			uint8_t first, struct span part, uint16_t number, uint16_t total,
			struct peer_message *out);
/* false: not intact. Views into plain. */
bool peer_open(const struct sim_peer *p, struct span datagram, struct peer_message *plain,
	       struct msg_chain *chain);

/* IKE_INTERMEDIATE: these are the payloads of request or response number 1; with both known, and the secret: the keys
 * from now on. */
void peer_covers(struct sim_peer *p, bool response, uint8_t first, struct span payloads);
void peer_more_keys(struct sim_peer *p, const struct secret *shared);

/* AUTH payloads over our own IKE_SA_INIT message, for an ID of this type and value. */
void peer_write_auth_null(const struct sim_peer *p, struct msg_wr *m, uint8_t id_type,
			  struct span id);
void peer_write_auth_signed(const struct sim_peer *p, struct msg_wr *m, const struct privkey *key,
			    uint8_t id_type, struct span id);
/* Does the other end's AUTH, for the identity that goes with it, verify with a key of the set? Which method it is goes into
 * *method. */
bool peer_verifies(const struct sim_peer *p, const struct msg_chain *inner, const struct keyset *keys, uint8_t *method);
/* SA { AES-GCM-256, ESN }, TSi, TSr: host to host. */
void peer_write_child(struct msg_wr *m, uint32_t spi, const struct ip_addr *i,
		      const struct ip_addr *r);
/* The same with TSi any address: whoever wants to be assigned one. */
void peer_write_child_any(struct msg_wr *m, uint32_t spi, const struct ip_addr *r);
void peer_write_notify(struct msg_wr *m, uint16_t type);

#endif
