/* signer.h - the one holder of this host's private key.
 *
 * Everything that goes through here is a flat value, so that the key can move to a process of its
 * own.
 */
#ifndef OE_DAEMON_SIGNER_H
#define OE_DAEMON_SIGNER_H

#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/secret.h"

struct signer;

enum { SIGNER_ERROR_MAX = 1280, SIGNER_VALUE_MAX = 2048 };

/* Load a PEM file. IKE_E_CONFIG: missing, readable by others than its owner, no key, or one that we
 * do not use; *error is a whole sentence for people that names the file. */
IKE_CHECKED enum ike_err signer_open(const char *file, struct signer **out,
				     char error[SIGNER_ERROR_MAX]);
void signer_close(struct signer *signer);       /* NULL is fine */

/* As privkey_sign(); IKE_E_UNSUPPORTED also for signer NULL. */
IKE_CHECKED enum ike_err signer_sign(const struct signer *signer, uint32_t hashes, const struct span *parts, unsigned n,
				     uint8_t *method, struct wr *auth_value);

/* As privkey_derive(). */
IKE_CHECKED enum ike_err signer_derive(const struct signer *signer, struct span label, struct secret *out);

#endif
