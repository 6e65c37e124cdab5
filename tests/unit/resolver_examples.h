/* resolver_examples.h - the messages of the examples in docs/protocol.md. */
#ifndef OE_TESTS_RESOLVER_EXAMPLES_H
#define OE_TESTS_RESOLVER_EXAMPLES_H

#include "tests/unit/unit.h"

#include "proto/resolver_proto.h"

struct rp_message example_hello(void);
struct rp_message example_establish(void);
struct rp_message example_establish_gateway(void);
struct rp_message example_allow(void);
struct rp_message example_refuse(void);
struct rp_message example_cancel(void);
struct rp_message example_down(void);
struct rp_message example_pause(void);
struct rp_message example_groups(void);

/* All of them, by their names there. */
enum { N_EXAMPLES = 9 };
struct example {
	const char *name;
	struct rp_message (*make)(void);
};
extern const struct example examples[N_EXAMPLES];

#endif
