/* unit_addr.h - an address from its text; a text that is none fails the test. */
#ifndef OE_TESTS_UNIT_ADDR_H
#define OE_TESTS_UNIT_ADDR_H

#include "tests/unit/unit.h"

#include "base/addr.h"

static inline struct ip_addr addr(const char *text)
{
	struct ip_addr a;

	assert_int_equal(ip_from_text(text, &a), IKE_OK);
	return a;
}

#endif
