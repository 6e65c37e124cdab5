/* payloads.h - the bodies of the payloads that we use: read and write, no policy. RFC 7296 3.3 to 3.15, RFC 7383 2.5.
 *
 * Readers take the body (struct msg_payload.body) and return views into it. IKE_E_SYNTAX is the only error of a
 * reader unless said otherwise: the message is malformed (INVALID_SYNTAX, RFC 7296 2.21). Writers write one complete
 * payload, generic header included, into m; a full buffer shows at msg_end().
 */
#ifndef OE_WIRE_PAYLOADS_H
#define OE_WIRE_PAYLOADS_H

#include "base/addr.h"
#include "wire/msg.h"

/* SA (3.3) ------------------------------------------------------------------------------------------------ */
enum { PL_PROPOSALS_MAX = 16, PL_TRANSFORMS_MAX = 48 };

struct pl_transform {
	uint8_t type;               /* enum ike_transform_type or unknown */
	uint16_t id;
	uint16_t key_bits;          /* Key Length attribute, 0 = absent */
	bool unknown_attribute;     /* has an attribute other than one well-formed Key Length: not to be chosen (3.3.6) */
};

struct pl_proposal {
	uint8_t number;             /* 1, 2, ... */
	uint8_t protocol;           /* enum ike_protocol */
	uint8_t spi_len;            /* 0, 4 or 8 */
	uint8_t spi[8];
	struct pl_transform transform[PL_TRANSFORMS_MAX];
	unsigned n;
};

struct pl_sa_reader {
	struct rd r;
	uint8_t expect_more;        /* what the previous proposal said about a next one */
	uint8_t last_number;
};

/* Walk the proposals one by one; a stranger's SA payload is never stored whole. pl_sa_next gives IKE_OK and a
 * proposal, IKE_E_STATE after the last one, IKE_E_SYNTAX for a malformed one, IKE_E_NOSPACE for one with too many
 * transforms (ignore that proposal and go on). The first number may be any (an answer repeats the one chosen); each
 * further one is one more than the last (3.3.1). */
struct pl_sa_reader pl_sa_read(struct span body);
IKE_CHECKED enum ike_err pl_sa_next(struct pl_sa_reader *sa, struct pl_proposal *out);

void pl_sa_write(struct msg_wr *m, const struct pl_proposal *proposals, unsigned n);

/* KE (3.4) ------------------------------------------------------------------------------------------------ */
struct pl_ke {
	uint16_t group;
	struct span public_value;   /* not empty */
};
IKE_CHECKED enum ike_err pl_ke_read(struct span body, struct pl_ke *out);
void pl_ke_write(struct msg_wr *m, uint16_t group, struct span public_value);

/* IDi, IDr (3.5) ------------------------------------------------------------------------------------------- */
struct pl_id {
	uint8_t type;               /* enum ike_id_type or unknown */
	struct span value;          /* empty for ID_NULL (RFC 7619 2.2) */
	struct span rest_of_id;     /* the body from the ID type on: "RestOfInitIDPayload" of RFC 7296 2.15 = whole body */
};
IKE_CHECKED enum ike_err pl_id_read(struct span body, struct pl_id *out);
void pl_id_write(struct msg_wr *m, enum ike_payload_type idi_or_idr, uint8_t type, struct span value);
/* The body that pl_id_write would write (for the signed octets): 4 + value.n bytes into w. */
void pl_id_body(struct wr *w, uint8_t type, struct span value);

/* AUTH (3.8) ----------------------------------------------------------------------------------------------- */
struct pl_auth {
	uint8_t method;             /* enum ike_auth_method or unknown */
	struct span value;
};
IKE_CHECKED enum ike_err pl_auth_read(struct span body, struct pl_auth *out);
void pl_auth_write(struct msg_wr *m, uint8_t method, struct span value);

/* AUTH value of method 14 (RFC 7427 3): length of ASN.1, AlgorithmIdentifier, signature. */
struct pl_auth_signature {
	struct span algorithm;      /* DER AlgorithmIdentifier */
	struct span signature;
};
IKE_CHECKED enum ike_err pl_auth_signature_read(struct span value, struct pl_auth_signature *out);

/* Ni, Nr (3.9): 16 to 256 bytes ------------------------------------------------------------------------------ */
enum { NONCE_MIN = 16, NONCE_MAX = 256 };
IKE_CHECKED enum ike_err pl_nonce_read(struct span body, struct span *out);
void pl_nonce_write(struct msg_wr *m, struct span nonce);

/* CERT, CERTREQ (3.6, 3.7): the encoding byte and the rest ------------------------------------------------------ */
struct pl_cert {
	uint8_t encoding;           /* 15 = raw SPKI (RFC 7670) */
	struct span value;
};
IKE_CHECKED enum ike_err pl_cert_read(struct span body, struct pl_cert *out);
void pl_cert_write(struct msg_wr *m, enum ike_payload_type cert_or_certreq, uint8_t encoding, struct span value);

/* N (3.10) ---------------------------------------------------------------------------------------------------- */
struct pl_notify {
	uint8_t protocol;
	struct span spi;
	uint16_t type;              /* enum ike_notify or unknown */
	struct span value;
};
IKE_CHECKED enum ike_err pl_notify_read(struct span body, struct pl_notify *out);
void pl_notify_write(struct msg_wr *m, uint8_t protocol, struct span spi, uint16_t type, struct span value);
/* First well-formed notify of this type in the chain; false when there is none. */
bool pl_notify_find(const struct msg_chain *chain, uint16_t type, struct pl_notify *out);

/* D (3.11) ---------------------------------------------------------------------------------------------------- */
struct pl_delete {
	uint8_t protocol;
	uint8_t spi_len;            /* 0 for IKE, 4 for ESP and AH */
	uint16_t n;
	struct span spis;           /* n * spi_len bytes */
};
/* Any other SPI length than these for IKE, AH and ESP is IKE_E_SYNTAX. */
IKE_CHECKED enum ike_err pl_delete_read(struct span body, struct pl_delete *out);
void pl_delete_write(struct msg_wr *m, uint8_t protocol, const uint32_t *spis, unsigned n);    /* n = 0: the IKE SA */

/* TSi, TSr (3.13) ----------------------------------------------------------------------------------------------- */
enum { PL_SELECTORS_MAX = 16 };

struct pl_selector {
	uint8_t family;             /* IP_V4, IP_V6; IP_NONE = a type that we do not know (skipped by its length) */
	uint8_t ip_protocol;        /* 0 = any */
	uint16_t port_first, port_last;
	struct ip_addr first, last;
};

struct pl_ts {
	struct pl_selector selector[PL_SELECTORS_MAX];
	unsigned n;                 /* at least 1 */
};
/* IKE_E_NOSPACE: more than PL_SELECTORS_MAX (TS_UNACCEPTABLE). */
IKE_CHECKED enum ike_err pl_ts_read(struct span body, struct pl_ts *out);
void pl_ts_write(struct msg_wr *m, enum ike_payload_type tsi_or_tsr, const struct pl_selector *selectors, unsigned n);

/* CP (3.15): the addresses that live only inside of a tunnel. All other attributes are read over. ---------------------- */
struct pl_cp_addresses {
	unsigned n;                 /* attributes of this kind, empty ones too */
	struct ip_addr first;       /* IP_NONE: the first one is empty, it asks for any */
};

struct pl_cp {
	uint8_t type;               /* enum ike_cfg_type or unknown */
	struct pl_cp_addresses v4, v6;
};
/* An address attribute of another length than its own, or 0, is IKE_E_SYNTAX. */
IKE_CHECKED enum ike_err pl_cp_read(struct span body, struct pl_cp *out);
/* With one INTERNAL_IPx_ADDRESS; address: NULL for an empty one. */
void pl_cp_write(struct msg_wr *m, uint8_t type, enum ip_family family, const struct ip_addr *address);

/* SK (3.14) and SKF (RFC 7383 2.5) -------------------------------------------------------------------------------- */
struct pl_skf {
	uint16_t number, total;     /* 1 <= number <= total */
	struct span rest;           /* IV, ciphertext, checksum */
};
IKE_CHECKED enum ike_err pl_skf_read(struct span body, struct pl_skf *out);
/* The last payload of a message, with sealed_len zero bytes for IV, ciphertext and checksum at its end. After msg_end()
 * everything before those bytes is final (the associated data), and seal() can fill them in. first_inner: type of the
 * first payload inside; in fragments after the first it is 0 (RFC 7383 2.5). */
void pl_sk_write(struct msg_wr *m, uint8_t first_inner, size_t sealed_len);
void pl_skf_write(struct msg_wr *m, uint8_t first_inner, uint16_t number, uint16_t total, size_t sealed_len);

#endif
