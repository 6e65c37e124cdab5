#include "base/err.h"

static const char *const texts[IKE_E_MAX] = {
	[IKE_OK] = "success",
	[IKE_E_SYNTAX] = "malformed input",
	[IKE_E_UNSUPPORTED] = "not supported",
	[IKE_E_NOSPACE] = "too large",
	[IKE_E_NOMEM] = "out of memory",
	[IKE_E_INTEGRITY] = "integrity check failed",
	[IKE_E_AUTH] = "authentication failed",
	[IKE_E_NO_PROPOSAL] = "no proposal in common",
	[IKE_E_STATE] = "not possible in this state",
	[IKE_E_LIMIT] = "limit reached",
	[IKE_E_CONFLICT] = "conflicts with something that exists",
	[IKE_E_TIMEOUT] = "timed out",
	[IKE_E_REFUSED] = "refused",
	[IKE_E_KERNEL] = "the kernel refused",
	[IKE_E_CRYPTO] = "the crypto library failed",
	[IKE_E_CONFIG] = "configuration error",
	[IKE_E_IO] = "input/output error",
};

const char *ike_err_text(enum ike_err err)
{
	return (unsigned)err < IKE_E_MAX ? texts[err] : "unknown error";
}
