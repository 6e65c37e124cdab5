/* signer.h - the one holder of this host's private key: a process of its own that does nothing but sign (RFC 7296 2.15).
 *
 * It reads the file, goes into the sandbox, and signs octets that have the shape of what IKE signs: its own IKE_SA_INIT message, a nonce, the
 * MAC of an identity, and IntAuth (RFC 9242 3.3.2) or nothing. So nobody who takes over whoever asks has the key, nor signatures
 * for anything but IKE; and no more of them than SIGNER_PER_SECOND.
 */
#ifndef OE_DAEMON_SIGNER_H
#define OE_DAEMON_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/sandbox.h"

struct signer;

enum { SIGNER_ERROR_MAX = 1280, SIGNER_VALUE_MAX = 2048, SIGNER_PARTS = 4, SIGNER_PER_SECOND = 8000 };

/* Load a PEM file, in the new process. label: signer_open() fills in derived as privkey_derive() would; empty: it does not. IKE_E_CONFIG: missing,
 * readable by others than its owner, no key, or one that we do not use. IKE_E_IO, IKE_E_CRYPTO, IKE_E_NOMEM. *error is a whole
 * sentence for people. */
IKE_CHECKED enum ike_err signer_open(const char *file, const struct sandbox *sandbox, const struct log *log, struct span label,
				     struct secret *derived, struct signer **out, char error[SIGNER_ERROR_MAX]);
void signer_close(struct signer *signer);       /* NULL is fine */

/* As privkey_sign(); IKE_E_UNSUPPORTED also for signer NULL. IKE_E_REFUSED: not the shape of IKE's octets. IKE_E_LIMIT: too many.
 * IKE_E_IO: the process is gone. */
IKE_CHECKED enum ike_err signer_sign(const struct signer *signer, uint32_t hashes, const struct span *parts, unsigned n,
				     uint8_t *method, struct wr *auth_value);

/* Have parts the shape of the octets that IKE signs? For tests. */
bool signer_has_shape(const struct span parts[SIGNER_PARTS]);

#endif
