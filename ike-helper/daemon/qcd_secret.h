/* qcd_secret.h - the secret of QCD tokens (RFC 6290) in a file, which outlives the process. */
#ifndef OE_DAEMON_QCD_SECRET_H
#define OE_DAEMON_QCD_SECRET_H

#include "base/err.h"
#include "base/rng.h"
#include "base/secret.h"

enum { QCD_SECRET_LEN = 32, QCD_SECRET_ERROR_MAX = 1280 };

/* Read it; if there is no such file, make it first, of mode 0600. IKE_E_CONFIG: it is readable by others than its owner, is not
 * such a file, or can be neither read nor made; *error is a whole sentence for people that names the file. */
IKE_CHECKED enum ike_err qcd_secret_read(const char *file, const struct rng *rng, struct secret *out,
					 char error[QCD_SECRET_ERROR_MAX]);

#endif
