/* keyset.h - the usable IPSECKEY records of one name: immutable, counted references, compared as a set.
 *
 * A new set has its keys ready for verification, a few kilobytes each. keyset_rest() leaves the RDATA: a tunnel lives for
 * hours and needs its keys again only when it is renewed.
 */
#ifndef OE_DNSKEY_KEYSET_H
#define OE_DNSKEY_KEYSET_H

#include "base/cursor.h"
#include "base/err.h"
#include "dnskey/ipseckey.h"
#include "dnskey/pubkey.h"

struct keyset;

/* From raw RDATA, with the address they are meant for: keeps the records whose key is usable and whose gateway is none
 * or this address, ordered by precedence; drops duplicates. NULL: the caller has looked at the gateways.
 * IKE_E_UNSUPPORTED: none is usable, *why says why the best one is not (static text); or there are more than
 * KEYSET_RECORDS_MAX, a price for each of which a stranger's zone could make us pay. IKE_E_NOMEM.
 * The new set has one reference; it belongs to one thread. */
enum { KEYSET_RECORDS_MAX = 16 };
IKE_CHECKED enum ike_err keyset_new(const struct span *rdatas, unsigned n, const struct ip_addr *address,
				    struct keyset **out, const char **why);
struct keyset *keyset_ref(struct keyset *set);          /* returns set */
void keyset_unref(struct keyset *set);                  /* NULL is fine; the last one frees */

/* The records i of set for which bit i of keep is set, as a set of their own; set itself, with one more reference, when that is all
 * of them. NULL: it is none of them, or no memory. */
struct keyset *keyset_select(struct keyset *set, uint32_t keep);

/* Give back the memory of keys that are ready. They are made anew for each verification from now on. */
void keyset_rest(struct keyset *set);

unsigned keyset_count(const struct keyset *set);
/* Record i in order of precedence, 0 <= i < count; views live as long as the set. */
void keyset_at(const struct keyset *set, unsigned i, struct ipseckey *out);

/* The same public keys (precedence and gateway do not count). */
bool keyset_equal(const struct keyset *a, const struct keyset *b);
/* Is key i of a among b's? */
bool keyset_contains(const struct keyset *b, const struct ipseckey *key);

/* Verify an AUTH value with each key in turn (RFC 4025 1.3: several records are a rollover). *which receives the index
 * that proved it. Errors as pubkey_verify(), of the key that came closest (IKE_E_AUTH before IKE_E_SYNTAX
 * before IKE_E_UNSUPPORTED); IKE_E_NOMEM and IKE_E_CRYPTO at once, since then not every key was tried. */
IKE_CHECKED enum ike_err keyset_verify(const struct keyset *set, uint8_t method, struct span value,
				       const struct span *signed_octets, unsigned n, unsigned *which);

#endif
