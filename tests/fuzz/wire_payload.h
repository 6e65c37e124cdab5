/* wire_payload.h - for the targets of wire/: read one payload body, write it back, compare. */
#ifndef OE_TESTS_FUZZ_WIRE_PAYLOAD_H
#define OE_TESTS_FUZZ_WIRE_PAYLOAD_H

#include "base/cursor.h"

/* Every reader that may be given a body of this type; an unknown type has none. */
void fuzz_wire_payload(uint8_t type, struct span body);

#endif
