#include "kernel/xfrm_sa.h"

#include <linux/udp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

/* Packets that may overtake each other without loss. Fast links with several queues need more than the usual 32 or 64;
 * 1024 is 128 bytes of kernel memory. Sending needs a window only because the kernel refuses ESN without. */
enum { REPLAY_WINDOW_IN = 1024, REPLAY_WINDOW_OUT = 32 };

/* The life of an SA ends with its keys' use, not with time: time is the daemon's business (it establishes anew), and an SA
 * whose daemon is gone must go on. 2^46 bytes are 2^42 blocks of AES: an attacker's advantage stays below 2^-44, with GCM
 * and with CBC. Without ESN sequence numbers end at 2^32 (RFC 4303 3.3.3). Soft leaves a quarter for the change. */
static const uint64_t hard_bytes = UINT64_C(1) << 46;
static const uint64_t hard_packets_no_esn = (UINT64_C(1) << 32) - 1024;

/* Fixed sizes, so that the algorithm structs with their flexible arrays can live on the stack. */
struct alg_key_space {
	union {
		struct xfrm_algo crypt;
		struct xfrm_algo_auth auth;
		struct xfrm_algo_aead aead;
		uint8_t bytes[sizeof(struct xfrm_algo_auth) + SECRET_MAX];
	} u;
};

static void lifetimes(struct xfrm_lifetime_cfg *lft, bool esn)
{
	*lft = (struct xfrm_lifetime_cfg){
		.soft_byte_limit = hard_bytes / 4 * 3, .hard_byte_limit = hard_bytes,
		.soft_packet_limit = esn ? XFRM_INF : hard_packets_no_esn / 4 * 3,
		.hard_packet_limit = esn ? XFRM_INF : hard_packets_no_esn,
	};
}

static void put_aead(struct xnl_batch *b, const char *name, const struct secret *key)
{
	struct alg_key_space a = { .u.aead = { .alg_key_len = key->n * 8u, .alg_icv_len = 128 } };

	snprintf(a.u.aead.alg_name, sizeof a.u.aead.alg_name, "%s", name);
	memcpy(a.u.bytes + sizeof a.u.aead, key->b, key->n);
	xnl_attr(b, XFRMA_ALG_AEAD, &a, sizeof a.u.aead + key->n);
	secret_wipe(&a, sizeof a);
}

static void put_crypt(struct xnl_batch *b, const char *name, const struct secret *key)
{
	struct alg_key_space a = { .u.crypt = { .alg_key_len = key->n * 8u } };

	snprintf(a.u.crypt.alg_name, sizeof a.u.crypt.alg_name, "%s", name);
	memcpy(a.u.bytes + sizeof a.u.crypt, key->b, key->n);
	xnl_attr(b, XFRMA_ALG_CRYPT, &a, sizeof a.u.crypt + key->n);
	secret_wipe(&a, sizeof a);
}

static void put_auth(struct xnl_batch *b, const char *name, unsigned icv_bytes, const struct secret *key)
{
	struct alg_key_space a = { .u.auth = { .alg_key_len = key->n * 8u, .alg_trunc_len = icv_bytes * 8 } };

	snprintf(a.u.auth.alg_name, sizeof a.u.auth.alg_name, "%s", name);
	memcpy(a.u.bytes + sizeof a.u.auth, key->b, key->n);
	/* Not XFRMA_ALG_AUTH, which has no length of the checksum: there the kernel takes 96 bits for SHA-256. */
	xnl_attr(b, XFRMA_ALG_AUTH_TRUNC, &a, sizeof a.u.auth + key->n);
	secret_wipe(&a, sizeof a);
}

/* The kernel's names; what is not in the list was refused by plan_check(). */
static void put_algorithms(struct xnl_batch *b, const struct esp_suite *s, const struct esp_keys *keys)
{
	if (s->encr == ENCR_AES_GCM_16)
		put_aead(b, "rfc4106(gcm(aes))", &keys->encr);
	else if (s->encr == ENCR_CHACHA20_POLY1305)
		put_aead(b, "rfc7539esp(chacha20,poly1305)", &keys->encr);
	else if (s->encr == ENCR_AES_CBC)
		put_crypt(b, "cbc(aes)", &keys->encr);

	if (s->integ == INTEG_HMAC_SHA2_256_128)
		put_auth(b, "hmac(sha256)", suite_icv_len(s->encr, s->integ), &keys->integ);
	else if (s->integ == INTEG_HMAC_SHA2_384_192)
		put_auth(b, "hmac(sha384)", suite_icv_len(s->encr, s->integ), &keys->integ);
	else if (s->integ == INTEG_HMAC_SHA2_512_256)
		put_auth(b, "hmac(sha512)", suite_icv_len(s->encr, s->integ), &keys->integ);
}

/* The replay state with a bitmap, which carries wide windows also without ESN. */
static void put_replay(struct xnl_batch *b, enum kernel_dir dir)
{
	unsigned window = dir == DIR_IN ? REPLAY_WINDOW_IN : REPLAY_WINDOW_OUT;
	struct {
		struct xfrm_replay_state_esn esn;
		uint32_t bmp[REPLAY_WINDOW_IN / 32];
	} r = { .esn = { .bmp_len = window / 32, .replay_window = window } };

	xnl_attr(b, XFRMA_REPLAY_ESN_VAL, &r, sizeof r.esn + window / 8);
}

static void put_encap(struct xnl_batch *b, const struct kernel_request *r, enum kernel_dir dir)
{
	uint16_t local = htons(r->encap_local_port), remote = htons(r->encap_remote_port);
	struct xfrm_encap_tmpl e;

	XFRM_ZERO(e);
	e.encap_type = UDP_ENCAP_ESPINUDP;
	e.encap_sport = dir == DIR_OUT ? local : remote;
	e.encap_dport = dir == DIR_OUT ? remote : local;
	if (r->encap_local_port != 0)
		xnl_attr(b, XFRMA_ENCAP, &e, sizeof e);
}

/* type: XFRM_MSG_NEWSA or XFRM_MSG_UPDSA. */
static void put_sa(struct xnl_batch *b, int type, const struct kernel_request *r, const struct esp_keys *keys, enum kernel_dir dir,
		   uint32_t spi, uint32_t reqid)
{
	const struct ip_addr *src = dir == DIR_OUT ? &r->local : &r->remote;
	const struct ip_addr *dst = dir == DIR_OUT ? &r->remote : &r->local;
	const struct ip_addr *from = dir == DIR_OUT ? request_local(r) : request_remote(r);
	const struct ip_addr *to = dir == DIR_OUT ? request_remote(r) : request_local(r);
	struct xfrm_usersa_info sa;

	XFRM_ZERO(sa);
	/* What comes out of this SA is taken only between these two hosts, whatever its keys are good for. What goes in has yet to
	 * be translated if the host has assigned an address. */
	if (dir == DIR_IN || !request_has_assigned(r)) {
		sa.sel.saddr = xfrm_addr(from);
		sa.sel.prefixlen_s = xfrm_prefix(from);
	}
	sa.sel.daddr = xfrm_addr(to);
	sa.sel.family = xfrm_family(from);
	sa.sel.prefixlen_d = xfrm_prefix(to);
	sa.saddr = xfrm_addr(src);
	sa.id.daddr = xfrm_addr(dst);
	sa.family = xfrm_family(src);
	sa.id.spi = htonl(spi);
	sa.id.proto = IPPROTO_ESP;
	sa.reqid = reqid;
	sa.mode = request_is_tunnel(r) ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	sa.flags = r->suite.esn ? XFRM_STATE_ESN : 0;
	lifetimes(&sa.lft, r->suite.esn);
	xnl_add(b, type, &sa, sizeof sa);
	put_algorithms(b, &r->suite, keys);
	put_replay(b, dir);
	put_encap(b, r, dir);
}

void xfrm_sa_add(struct xnl_batch *b, const struct kernel_request *r, enum kernel_dir dir, uint32_t spi, uint32_t reqid)
{
	put_sa(b, XFRM_MSG_NEWSA, r, dir == DIR_OUT ? &r->keys_out : &r->keys_in, dir, spi, reqid);
}

/* An update wants a whole SA and takes from it the ports and the lifetimes alone (xfrm_state_update() in Linux): keys, sequence numbers
 * and what was carried stay. So the keys in it may be any, and nobody needs to have kept the right ones. */
void xfrm_sa_remap(struct xnl_batch *b, const struct kernel_request *r, enum kernel_dir dir, uint32_t spi, uint32_t reqid)
{
	struct esp_keys any;

	plan_any_keys(&r->suite, &any);
	put_sa(b, XFRM_MSG_UPDSA, r, &any, dir, spi, reqid);
}

static void put_id(struct xnl_batch *b, int type, const struct ip_addr *dst, uint32_t spi)
{
	struct xfrm_usersa_id id;

	XFRM_ZERO(id);
	id.daddr = xfrm_addr(dst);
	id.spi = htonl(spi);
	id.family = xfrm_family(dst);
	id.proto = IPPROTO_ESP;
	xnl_add(b, type, &id, sizeof id);
}

void xfrm_sa_get(struct xnl_batch *b, const struct ip_addr *dst, uint32_t spi)
{
	put_id(b, XFRM_MSG_GETSA, dst, spi);
}

void xfrm_sa_delete(struct xnl_batch *b, const struct ip_addr *dst, uint32_t spi)
{
	put_id(b, XFRM_MSG_DELSA, dst, spi);
}

void xfrm_sa_list(struct xnl_batch *b, const struct ip_addr *src, const struct ip_addr *dst)
{
	uint8_t proto = IPPROTO_ESP;

	/* Without a body: of a dump the kernel reads attributes from the start. */
	xnl_add(b, XFRM_MSG_GETSA, NULL, 0);
	xnl_attr(b, XFRMA_PROTO, &proto, sizeof proto);
	if (src && dst) {
		struct xfrm_address_filter f = { .saddr = xfrm_addr(src), .daddr = xfrm_addr(dst),
						 .family = xfrm_family(src), .splen = xfrm_prefix(src),
						 .dplen = xfrm_prefix(dst) };

		xnl_attr(b, XFRMA_ADDRESS_FILTER, &f, sizeof f);
	}
}

void xfrm_sa_name_larval(struct xnl_batch *b, const struct ip_addr *src, const struct ip_addr *dst, uint32_t reqid, uint8_t mode)
{
	struct xfrm_userspi_info info;

	XFRM_ZERO(info);
	info.info.id.daddr = xfrm_addr(dst);
	info.info.id.proto = IPPROTO_ESP;
	info.info.saddr = xfrm_addr(src);
	info.info.family = xfrm_family(src);
	info.info.mode = mode;
	info.info.reqid = reqid;
	info.min = 256;
	info.max = UINT32_MAX;
	xnl_add(b, XFRM_MSG_ALLOCSPI, &info, sizeof info);
}

/* Where a message has its struct xfrm_usersa_info (netlink aligns to four bytes, the struct wants eight). NULL: not an SA message. */
static const void *sa_in(struct nlmsghdr *hdr)
{
	struct nlattr *attr;

	if (hdr->nlmsg_type == XFRM_MSG_NEWSA)
		return nlmsg_datalen(hdr) >= (int)sizeof(struct xfrm_usersa_info) ? nlmsg_data(hdr) : NULL;
	if (hdr->nlmsg_type != XFRM_MSG_DELSA || nlmsg_datalen(hdr) < (int)sizeof(struct xfrm_usersa_id))
		return NULL;
	attr = nlmsg_find_attr(hdr, sizeof(struct xfrm_usersa_id), XFRMA_SA);
	return attr && nla_len(attr) >= (int)sizeof(struct xfrm_usersa_info) ? nla_data(attr) : NULL;
}

bool xfrm_sa_read(struct nlmsghdr *hdr, struct xfrm_sa *out)
{
	const void *at = sa_in(hdr);
	struct xfrm_usersa_info sa;
	struct nlattr *last;

	*out = (struct xfrm_sa){ 0 };
	if (!at)
		return false;
	memcpy(&sa, at, sizeof sa);
	*out = (struct xfrm_sa){
		.src = xfrm_ip(&sa.saddr, sa.family), .dst = xfrm_ip(&sa.id.daddr, sa.family),
		.spi = ntohl(sa.id.spi), .reqid = sa.reqid, .proto = sa.id.proto, .mode = sa.mode,
		.bytes = sa.curlft.bytes, .packets = sa.curlft.packets, .added_s = sa.curlft.add_time,
	};
	if (hdr->nlmsg_type != XFRM_MSG_NEWSA)
		return true;
	last = nlmsg_find_attr(hdr, sizeof sa, XFRMA_LASTUSED);
	if (last && nla_len(last) == (int)sizeof out->last_use_s)
		memcpy(&out->last_use_s, nla_data(last), sizeof out->last_use_s);
	return true;
}
