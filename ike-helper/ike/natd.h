/* natd.h - NAT detection (RFC 7296 2.23): is there an address translator between us and the peer, and at whose end? */
#ifndef OE_IKE_NATD_H
#define OE_IKE_NATD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "crypto/prf.h"
#include "wire/msg.h"

struct natd {
	bool supported;                 /* the peer sent both kinds of notify; otherwise the rest is false */
	bool local_behind_nat;          /* the peer sees another address or port of ours than we do */
	bool remote_behind_nat;
	uint8_t seen[SHA1_LEN];         /* how the peer sees us, as it says */
};

/* SHA-1(SPIi | SPIr | address | port), SPIs as in the header of the message that carries it (SPIr is zero in the first
 * request). IKE_E_CRYPTO. */
IKE_CHECKED enum ike_err natd_hash(const uint8_t spi_i[8], const uint8_t spi_r[8], const struct ip_endpoint *e,
				   uint8_t out[SHA1_LEN]);

/* Write NAT_DETECTION_SOURCE_IP (path->local) and NAT_DETECTION_DESTINATION_IP (path->remote) into m. IKE_E_CRYPTO. */
IKE_CHECKED enum ike_err natd_write(struct msg_wr *m, const uint8_t spi_i[8], const uint8_t spi_r[8],
				    const struct ip_path *path);

/* Judge a received IKE_SA_INIT message by its notifies. hdr: its header; path: the way it came. IKE_E_CRYPTO; a
 * notify of wrong length just does not match. */
IKE_CHECKED enum ike_err natd_check(const struct msg_chain *chain, const struct ike_hdr *hdr, const struct ip_path *path,
				    struct natd *out);

#endif
