/* resolver_proto.h - messages between the Unbound module and the helper, over a SOCK_SEQPACKET socket.
 *
 * docs/protocol.md is the contract; this header and resolver_proto.c are its one implementation, used by both ends.
 * One message a datagram: an 8-byte header {version, type, reserved u16 = 0, id u32}, then TLVs {type u16, length u16,
 * value}. Unknown TLVs with the high bit of the type set are skipped; other unknown TLVs are an error. A TLV that may
 * occur once and occurs twice is an error. Both ends treat the other as hostile: strict lengths, bounded counts.
 *
 * The reader's results are views into the datagram: they are valid as long as it is.
 */
#ifndef OE_PROTO_RESOLVER_PROTO_H
#define OE_PROTO_RESOLVER_PROTO_H

#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/dnsname.h"
#include "base/err.h"

enum {
	RP_VERSION = 1,
	RP_MESSAGE_MAX = 32768,     /* bytes of one datagram */
	RP_ADDRESSES_MAX = 32,      /* of one request; a name with a key and more is refused by the module */
	RP_KEYS_MAX = 16,           /* IPSECKEY records of one request */
	RP_GATEWAYS_MAX = 4,        /* names of gateways in them */
	RP_GATEWAY_ADDRESSES_MAX = 4,       /* of one such name */
	RP_REASON_TEXT_MAX = 200,   /* bytes of reason text, UTF-8 without control characters */
};

enum rp_type {
	RP_HELLO = 1,               /* both directions, first message: versions spoken {min, max}; id 0 */
	RP_ESTABLISH = 2,           /* module to helper */
	RP_CANCEL = 3,              /* module to helper: nobody waits for id any more; the attempt may go on */
	RP_VERDICT = 4,             /* helper to module: exactly one for each ESTABLISH that was not cancelled */
	RP_DOWN = 5,                /* helper to module: forget cached answers for this owner; id 0 */
};

/* Why. One list for EDE texts, logs and `oe why`. The text is what a person reads; details may be appended to it. */
#define RP_REASONS(X) \
	X(REASON_NONE, 0, "ok") \
	X(REASON_NO_USABLE_KEY, 1, "no usable key in the IPSECKEY records") \
	X(REASON_ADDRESS_NOT_ALLOWED, 2, "a tunnel to this kind of address is not allowed") \
	X(REASON_NO_ROUTE, 3, "no route to the host") \
	X(REASON_TIMEOUT, 4, "the host does not answer IKE") \
	X(REASON_UNREACHABLE, 5, "the network says that the host's IKE port is unreachable") \
	X(REASON_PEER_REFUSED, 6, "the host refused") \
	X(REASON_NO_PROPOSAL, 7, "the host offers no algorithms that we accept") \
	X(REASON_AUTH_FAILED, 8, "the host does not hold the key that its DNS name publishes") \
	X(REASON_TS_UNACCEPTABLE, 9, "the host does not protect this address") \
	X(REASON_KEY_CONFLICT, 10, "the address is already protected for another name with another key") \
	X(REASON_LIMIT, 11, "too many tunnels or establishments at once") \
	X(REASON_KERNEL, 12, "the kernel refused the IPsec state") \
	X(REASON_PROTOCOL, 13, "the host broke the IKE protocol") \
	X(REASON_HELPER_ABSENT, 14, "oe-iked is not running") \
	X(REASON_HELPER_SILENT, 15, "oe-iked did not answer in time") \
	X(REASON_HELPER_BROKEN, 16, "oe-iked answered nonsense") \
	X(REASON_KEY_LOOKUP_FAILED, 17, "the IPSECKEY lookup failed") \
	X(REASON_KEY_BOGUS, 18, "the IPSECKEY records do not validate") \
	X(REASON_GATEWAY_UNSUPPORTED, 19, "the IPSECKEY records name another gateway") \
	X(REASON_TOO_MANY_RECORDS, 20, "too many address or IPSECKEY records") \
	X(REASON_BACKOFF, 21, "a recent attempt failed; not tried again yet") \
	X(REASON_SHUTDOWN, 22, "oe-iked is stopping") \
	X(REASON_NOT_SECURE, 23, "the alias chain is not validated by DNSSEC") \
	X(REASON_INTERNAL, 24, "internal error") \
	X(REASON_DOWN_BY_OPERATOR, 25, "taken down by the operator") \
	X(REASON_GATEWAY_LOOKUP, 26, "the gateway's name has no validated address") \
	X(REASON_GATEWAY_UNCONFIRMED, 27, "the address's reverse name does not confirm the gateway") \
	X(REASON_SA_GONE, 28, "the IPsec state is gone from the kernel") \
	X(REASON_PEER_MOVED, 29, "its NAT has given it another address or port") \
	X(REASON_RECORD_MALFORMED, 30, "an address record of the name is malformed") \
	X(REASON_POLICY_FORBIDS, 31, "the operator's policy forbids it") \
	X(REASON_POLICY_WANTS_KEY, 32, "the operator's policy wants it protected, and it has no key")

#define RP_REASON_ENTRY(symbol, value, text) symbol = value,
enum rp_reason { RP_REASONS(RP_REASON_ENTRY) };
#undef RP_REASON_ENTRY

/* "the host does not answer IKE"; "unknown reason" for a number that is not in the list. Never NULL. */
const char *rp_reason_text(unsigned reason);
/* "timeout", "unknown": a short word for scripts (JSON, statistics): the symbol in lower case, '-' for '_', without REASON_. */
const char *rp_reason_word(unsigned reason);

enum rp_verdict_kind {
	RP_ALLOW = 1,               /* answer; addresses marked refused are left out (or all refused for a DO client) */
	RP_CLEAR = 2,               /* answer in clear: policy says that this name is not protected */
	RP_REFUSE = 3,              /* SERVFAIL with the reason */
};

/* What came of a lookup beside those of the addresses and their IPSECKEY records. */
enum rp_finding {
	RP_FOUND = 1,               /* records, validated as secure */
	RP_FOUND_NONE = 2,          /* their validated denial */
	RP_FOUND_INSECURE = 3,      /* an answer of a zone without DNSSEC */
	RP_FOUND_BOGUS = 4,
	RP_FOUND_FAILED = 5,        /* no answer that says anything */
	RP_FOUND_LATE = 6,          /* none in time */
};

/* "bogus". */
const char *rp_finding_text(enum rp_finding finding);

/* The name that the gateway field of IPSECKEY records has (RFC 4025 2.5, type 3). */
struct rp_gateway {
	uint16_t keys;              /* bit i: keys[i] has it; each of them in one such at most */
	enum rp_finding finding;
	struct ip_addr addresses[RP_GATEWAY_ADDRESSES_MAX];
	unsigned n_addresses;       /* RP_FOUND: at least 1; otherwise 0 */
};

/* What the owner of an address publishes about it: IPSECKEY at its name below in-addr.arpa or ip6.arpa (RFC 4025 1.2). */
struct rp_reverse {
	uint8_t address;            /* number in addresses; each once at most */
	enum rp_finding finding;
	uint16_t keys;              /* RP_FOUND: bit i: there is keys[i], but for its precedence; otherwise 0 */
};

struct rp_establish {
	struct dnsname owner;       /* owner of the address RRset (the end of any alias chain) */
	struct ip_addr addresses[RP_ADDRESSES_MAX];
	unsigned n_addresses;       /* at least 1 */
	struct span keys[RP_KEYS_MAX];      /* raw IPSECKEY RDATA, RFC 4025 2; all of them, in DNS order */
	unsigned n_keys;            /* at least 1 */
	struct rp_gateway gateways[RP_GATEWAYS_MAX];
	unsigned n_gateways;
	struct rp_reverse reverse[RP_ADDRESSES_MAX];        /* of addresses for which a record names another gateway */
	unsigned n_reverse;
	uint32_t ttl_s;             /* how long the answer may live in caches: min of all TTLs used */
	uint32_t deadline_ms;       /* the module answers SERVFAIL by itself this long after sending */
};

struct rp_verdict {
	enum rp_verdict_kind kind;
	enum rp_reason reason;      /* REASON_NONE with RP_ALLOW when every address is allowed */
	struct span reason_text;    /* detail for people, may be empty; a view */
	uint32_t ttl_cap_s;         /* the answer may be cached this long; 0 = do not cache */
	struct {                    /* one for each address of the request, in its order; none with RP_CLEAR,
	                             * all or none with RP_REFUSE */
		bool allowed;
		enum rp_reason reason;
	} address[RP_ADDRESSES_MAX];
	unsigned n_addresses;
};

struct rp_down {
	struct dnsname owner;
	enum rp_reason reason;
	bool tells_pause;           /* the owner is the root then */
	uint32_t pause_s;           /* the operator has paused what is new for so long; 0: no longer */
	bool tells_groups;          /* likewise */
	uint64_t groups_digest;     /* groups_digest() of the policy groups that are obeyed */
};

struct rp_hello {
	uint8_t version_min, version_max;
};

struct rp_message {
	enum rp_type type;
	uint32_t id;
	union {
		struct rp_hello hello;
		struct rp_establish establish;
		struct rp_verdict verdict;
		struct rp_down down;
	} u;
};

/* Read one datagram. IKE_E_SYNTAX: the other end is broken or hostile: close the connection. IKE_E_UNSUPPORTED: a
 * version that we do not speak: answer HELLO and close. A RP_HELLO is readable in every version.
 * A reason number that is not in the list is kept: a later version of the other end may have more of them. */
IKE_CHECKED enum ike_err rp_read(struct span datagram, struct rp_message *out);

/* Write one datagram into w. IKE_E_NOSPACE: too many or too long fields for w or for the protocol's own limits;
 * nothing useful is in w. IKE_E_SYNTAX: the message contradicts itself (no address, ALLOW without an allowed address,
 * REFUSE without a reason, ...): a bug of the caller, and the other end would close the connection. reason_text longer
 * than RP_REASON_TEXT_MAX is cut at a character; what is not printable UTF-8 in it is sent as '?'. */
IKE_CHECKED enum ike_err rp_write(const struct rp_message *message, struct wr *w);

#endif
