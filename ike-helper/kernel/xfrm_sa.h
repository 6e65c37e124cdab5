/* xfrm_sa.h - messages about SAs. */
#ifndef OE_KERNEL_XFRM_SA_H
#define OE_KERNEL_XFRM_SA_H

#include "kernel/plan.h"
#include "kernel/xfrm_nl.h"

/* What the kernel says about an SA, without its keys. */
struct xfrm_sa {
	struct ip_addr src, dst;
	uint32_t spi, reqid;
	uint8_t proto, mode;
	uint64_t bytes, packets, added_s;
	uint64_t last_use_s;        /* 0: never, or not told (Linux before 6.2) */
};

/* An answer, or the news that an SA was deleted. False: neither. */
bool xfrm_sa_read(struct nlmsghdr *hdr, struct xfrm_sa *out);

void xfrm_sa_add(struct xnl_batch *b, const struct kernel_request *r, enum kernel_dir dir, uint32_t spi, uint32_t reqid);
/* An SA in UDP that is there gets the ports of r. */
void xfrm_sa_remap(struct xnl_batch *b, const struct kernel_request *r, enum kernel_dir dir, uint32_t spi, uint32_t reqid);
void xfrm_sa_get(struct xnl_batch *b, const struct ip_addr *dst, uint32_t spi);
void xfrm_sa_delete(struct xnl_batch *b, const struct ip_addr *dst, uint32_t spi);
/* All ESP SAs from src to dst; both NULL: all. For xnl_dump(). */
void xfrm_sa_list(struct xnl_batch *b, const struct ip_addr *src, const struct ip_addr *dst);
/* Give a larval SA an SPI, so that it can be deleted like others: the answer is an SA message. Makes one where there is
 * none, of this mode. */
void xfrm_sa_name_larval(struct xnl_batch *b, const struct ip_addr *src, const struct ip_addr *dst, uint32_t reqid, uint8_t mode);

#endif
