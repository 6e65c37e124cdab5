/* msg.h - an IKE message as a header and a chain of payloads (RFC 7296 3.1, 3.2), read and written.
 *
 * This layer knows formats and nothing else: no crypto, no policy, no state. What it returns are views into the
 * datagram. Lengths are exact; RESERVED fields are ignored on receipt and zero when sent (RFC 7296 2.5).
 */
#ifndef OE_WIRE_MSG_H
#define OE_WIRE_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/ike_numbers.h"

enum {
	IKE_HDR_LEN = 28,
	IKE_SPI_LEN = 8,
	IKE_MAJOR_VERSION = 2,
	MSG_PAYLOADS_MAX = 32,      /* payloads of one chain; more is IKE_E_NOSPACE (nobody sends that honestly) */
	MSG_MAX = 65507,            /* a reassembled message is never larger than a UDP datagram could be */
};

enum ike_flags { IKE_FLAG_INITIATOR = 0x08, IKE_FLAG_VERSION = 0x10, IKE_FLAG_RESPONSE = 0x20 };

struct ike_hdr {
	uint8_t spi_i[IKE_SPI_LEN], spi_r[IKE_SPI_LEN];
	uint8_t next_payload;
	uint8_t major, minor;
	uint8_t exchange;           /* enum ike_exchange or a number that we do not know */
	uint8_t flags;
	uint32_t message_id;
	uint32_t length;            /* whole message, header included */
};

struct msg_payload {
	uint8_t type;               /* enum ike_payload_type or a number that we do not know */
	bool critical;
	struct span body;           /* without the generic header */
};

struct msg_chain {
	struct msg_payload payload[MSG_PAYLOADS_MAX];
	unsigned n;
	uint8_t after;              /* next-payload field of the last one: for SK and SKF the first inner type, else 0 */
};

/* The header of a datagram. IKE_E_SYNTAX: too short, or length differs from the datagram's. The version is not
 * judged here (RFC 7296 2.5 wants an answer to a higher major version): the caller does. */
IKE_CHECKED enum ike_err ike_hdr_read(struct span datagram, struct ike_hdr *out);

/* Split a chain whose first payload has type first. SK and SKF must be last (RFC 7296 3.14) and end the walk.
 * IKE_E_SYNTAX: a length below 4 or beyond the end, bytes left over, SK not last. IKE_E_NOSPACE: too many. */
IKE_CHECKED enum ike_err msg_chain_read(uint8_t first, struct span bytes, struct msg_chain *out);

/* First payload of this type, or NULL. */
const struct msg_payload *msg_find(const struct msg_chain *chain, uint8_t type);
/* How many of this type. */
unsigned msg_count(const struct msg_chain *chain, uint8_t type);

/* Writing: header, then payloads in order; lengths and next-payload fields are filled in behind. ----------------- */

struct msg_wr {
	struct wr w;
	size_t next_at;             /* where the next-payload byte of the last payload (or of the header) lies */
	size_t open_at;             /* where the open payload starts; SIZE_MAX = none open */
	uint8_t first;              /* type of the first payload, PL_NONE before there is one */
	bool sealed;                /* the last payload is SK or SKF */
	bool has_header;
};

/* A whole message: writes hdr (its length and next_payload are ignored and filled in by msg_end). */
struct msg_wr msg_begin(void *buffer, size_t max, const struct ike_hdr *hdr);
/* A chain without header, for the inside of SK. *first receives the type of the first payload at msg_end. */
struct msg_wr msg_begin_inner(void *buffer, size_t max);
/* Open a payload; write its body through &m->w; close it. Payloads do not nest, and nothing can follow SK or SKF (see
 * pl_sk_write()): either makes the writer bad, and msg_end() fails. */
void msg_payload_begin(struct msg_wr *m, enum ike_payload_type type);
void msg_payload_end(struct msg_wr *m);
/* The complete bytes; the first payload's type into *first when not NULL (PL_NONE for an empty chain). Fails with
 * IKE_E_NOSPACE when the buffer was full, a payload outgrew 65535 bytes or one is still open. */
IKE_CHECKED enum ike_err msg_end(struct msg_wr *m, uint8_t *first, struct span *out);

#endif
