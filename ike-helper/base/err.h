/* err.h - the one error convention of the helper.
 *
 * Every function that can fail returns enum ike_err: IKE_OK is 0, results come back through out-parameters,
 * which are defined (emptied) on failure too. bool is for questions only. errno never crosses a layer.
 */
#ifndef OE_BASE_ERR_H
#define OE_BASE_ERR_H

#define IKE_CHECKED __attribute__((warn_unused_result))

enum ike_err {
	IKE_OK = 0,
	IKE_E_SYNTAX,       /* bytes that break their format: drop them, count them; the sender is wrong or hostile */
	IKE_E_UNSUPPORTED,  /* well-formed, but an algorithm, version or variant that we do not do: refuse it by name */
	IKE_E_NOSPACE,      /* the output buffer or a fixed table is full: nothing was written; use a larger one or refuse */
	IKE_E_NOMEM,        /* no memory: undo what this call was part of and refuse; retrying at once will not help */
	IKE_E_INTEGRITY,    /* a checksum did not verify: drop the datagram, change no state (RFC 7296 2.4) */
	IKE_E_AUTH,         /* the peer did not prove the expected key: delete the SA, do not retry with the same keys */
	IKE_E_NO_PROPOSAL,  /* nothing acceptable in common: send or report NO_PROPOSAL_CHOSEN */
	IKE_E_STATE,        /* not legal now (wrong state, unknown handle): a late or duplicated call; ignore it */
	IKE_E_LIMIT,        /* a configured bound is reached: refuse this one, others go on */
	IKE_E_CONFLICT,     /* the object exists and belongs to somebody else: leave it alone, refuse */
	IKE_E_TIMEOUT,      /* the deadline passed */
	IKE_E_REFUSED,      /* the other side said no: report its reason */
	IKE_E_KERNEL,       /* the kernel refused an operation: what this call installed has been rolled back */
	IKE_E_CRYPTO,       /* the crypto library failed although its input was good: treat as fatal for the exchange */
	IKE_E_CONFIG,       /* the configuration is wrong: tell the user the file, line and option */
	IKE_E_IO,           /* reading or writing a file or socket failed: close it */
	IKE_E_MAX
};

/* Static English text, never NULL, for a log line: "malformed input". Unknown values give "unknown error". */
const char *ike_err_text(enum ike_err err);

#endif
