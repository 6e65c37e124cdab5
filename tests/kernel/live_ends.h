/* live_ends.h - the two ends of the tests over a real kernel, and what is asked of each. */
#ifndef OE_TESTS_KERNEL_LIVE_ENDS_H
#define OE_TESTS_KERNEL_LIVE_ENDS_H

#include "tests/unit/unit.h"

#include "kernel/kernel.h"
#include "tests/kernel/live_net.h"

enum { REQID = KERNEL_REQID_BASE + 42 };
extern const enum ip_family families[2];
extern const struct esp_suite gcm;

/* By host. begin() opens them over empty tables, end() closes them: the set-up and the end of each test. */
extern struct kernel *kernels[2];
int begin(void **state);
int end(void **state);
#define LIVE(test) cmocka_unit_test_setup_teardown(test, begin, end)
struct kernel *open_at(enum host host);

struct kernel_request request_of(enum host host, enum ip_family family, enum kernel_op op, const struct esp_suite *suite, uint32_t pair);
enum ike_err apply_at(enum host host, enum ip_family family, enum kernel_op op, uint32_t pair);
void apply_both(enum ip_family family, enum kernel_op op, uint32_t pair);
/* Put back what others removed, and say what that was. */
struct kernel_losses guard(enum host host);

bool both_ways(enum ip_family family);
bool neither_way(enum ip_family family);
bool nothing_left(enum host host);

/* The n-th netlink message from now on reaches the kernel with a type that it refuses; 0: none. */
void spoil(unsigned n);
/* Were there so many messages since? */
bool was_spoiled(unsigned n);

#endif
