/* suite.h - the only list of algorithms that we support, and their sizes. */
#ifndef OE_CRYPTO_SUITE_H
#define OE_CRYPTO_SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ike_numbers.h"

/* The algorithms of an IKE SA. */
struct ike_suite {
	uint16_t encr;              /* enum ike_encr */
	uint16_t encr_bits;         /* 128 or 256; ChaCha20 counts as 256 here */
	uint16_t prf;               /* enum ike_prf */
	uint16_t integ;             /* enum ike_integ; INTEG_NONE with an AEAD */
	uint16_t group;             /* enum ike_group */
	uint16_t addke1;            /* additional key exchange (RFC 9370): GROUP_MLKEM_768, or 0 for none */
};

/* The algorithms of an ESP SA. */
struct esp_suite {
	uint16_t encr, encr_bits, integ;
	bool esn;
};

/* Is this transform one that we do at all? key_bits as on the wire: 0 where the algorithm has no Key Length attribute
 * (ChaCha20: 0; AES: 128 or 256). */
bool suite_supports(enum ike_transform_type type, uint16_t id, uint16_t key_bits);

bool suite_is_aead(uint16_t encr);
/* Key bytes of the cipher, without salt: 16 or 32. */
unsigned suite_encr_key_len(uint16_t encr, uint16_t bits);
/* Salt bytes that follow the key in KEYMAT: 4 for AEADs, 0 for CBC (RFC 5282, RFC 4106, RFC 7634). */
unsigned suite_encr_salt_len(uint16_t encr);
/* Explicit IV on the wire: 8 for AEADs, 16 for CBC. */
unsigned suite_encr_iv_len(uint16_t encr);
/* Checksum bytes on the wire: 16 for AEADs, else by integ. */
unsigned suite_icv_len(uint16_t encr, uint16_t integ);
/* Key bytes of the integrity algorithm; 0 for INTEG_NONE. */
unsigned suite_integ_key_len(uint16_t integ);
/* Output and preferred key bytes of the PRF (32, 48, 64); 0 for one that we do not do. */
unsigned suite_prf_len(uint16_t prf);
/* Bytes of a public value of this group: 256, 384, 64, 96, 32; 0 for one that we do not do. */
unsigned suite_group_public_len(uint16_t group);

/* "AES-GCM-256", "AES-CBC-256/HMAC-SHA2-256-128/ESN"; "AES-GCM-256/PRF-HMAC-SHA2-384/x25519/mlkem768"; for people; into to
 * (at least 80 bytes); returns to. */
const char *esp_suite_text(const struct esp_suite *s, char *to, unsigned max);
const char *ike_suite_text(const struct ike_suite *s, char *to, unsigned max);

#endif
