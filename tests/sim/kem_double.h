/* kem_double.h - in place of ML-KEM-768 where libcrypto has none: the same sizes and errors, all from the world's chance,
 * and no security at all.
 */
#ifndef OE_TESTS_SIM_KEM_DOUBLE_H
#define OE_TESTS_SIM_KEM_DOUBLE_H

#include "crypto/kem.h"

extern const struct kem kem_double;

#endif
