/* keys.h - fixed private keys for tests, and key sets from them as DNS would publish them. */
#ifndef OE_TESTS_SIM_KEYS_H
#define OE_TESTS_SIM_KEYS_H

#include "base/addr.h"
#include "dnskey/keyset.h"
#include "dnskey/privkey.h"

enum sim_key { KEY_ED25519, KEY_ED25519_OTHER, KEY_P256, KEY_RSA2048, KEY_MAX };

/* Aborts when the key cannot be loaded: then the tests are broken. Free with privkey_free(). */
struct privkey *sim_privkey(enum sim_key which);

/* The IPSECKEY records of these keys, meant for address. */
struct keyset *sim_keyset(const enum sim_key *which, unsigned n, const struct ip_addr *address);

#endif
