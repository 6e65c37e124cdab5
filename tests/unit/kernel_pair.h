/* kernel_pair.h - requests about one pair of hosts, and where they may begin, over the kernel in memory. */
#ifndef OE_TESTS_KERNEL_PAIR_H
#define OE_TESTS_KERNEL_PAIR_H

#include "tests/unit/unit_addr.h"

#include "kernel/kernel_fake.h"

enum { REQID = KERNEL_REQID_BASE + 42, TEXT_MAX = 16384 };

/* What the requests ask for from now on: protection without a shield (0), with one (1), in tunnel mode from an address inside (2),
 * or for a host behind a gateway (3), which is protected from other addresses of ours too, so that its shield stays. */
enum { N_WAYS = 4 };
void set_way(unsigned way);

struct kernel_request request(enum kernel_op op, uint32_t pair);

struct kernel *open_fake(void);
enum ike_err apply(struct kernel *k, enum kernel_op op, uint32_t pair);
/* From another address of ours; with a shield, or as the way says. */
enum ike_err apply_from(struct kernel *k, enum kernel_op op, uint32_t pair, const char *local, bool shield);
/* Number of policies that were put back. */
unsigned guard(struct kernel *k);
/* What happens to the packets that the pair is for. */
enum kernel_fate fate_out(const struct kernel *k);
enum kernel_fate fate_in(const struct kernel *k);

/* Starting points: what was applied, or is there otherwise, before. */
enum { N_STARTS = 11 };
struct start {
	const char *name;
	unsigned n;
	struct { enum kernel_op op; uint32_t pair; } ops[4];
	bool foreign_sa, foreign_out, foreign_in, larval, other_reqid, pass;
};
extern const struct start starts[N_STARTS];
struct kernel *begin(const struct start *s);

#endif
