#include "dnskey/dns_answer.h"

#include <string.h>

enum {
	CLASS_IN = 1, TYPE_OPT = 41,
	FLAG_QR = 0x8000, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_AD = 0x0020, RCODE_MASK = 0x000f,
	POINTER = 0xc0,
};

void dns_question_write(struct wr *w, uint16_t id, const struct dnsname *name, uint16_t type)
{
	wr_u16(w, id);
	wr_u16(w, FLAG_RD | FLAG_AD);
	wr_u16(w, 1);
	wr_u16(w, 0);
	wr_u16(w, 0);
	wr_u16(w, 1);
	wr_put(w, dnsname_span(name));
	wr_u16(w, type);
	wr_u16(w, CLASS_IN);
	/* RFC 6891 6.1.2: root, OPT, size, extended RCODE and flags, no options. */
	wr_u8(w, 0);
	wr_u16(w, TYPE_OPT);
	wr_u16(w, DNS_UDP_MAX);
	wr_u32(w, 0);
	wr_u16(w, 0);
}

/* A name that may be compressed (RFC 1035 4.1.4); r is behind it afterwards. A pointer must point backwards, so that following
 * them ends. */
static enum ike_err read_name(struct span message, struct rd *r, struct dnsname *out)
{
	uint8_t wire[DNSNAME_MAX];
	struct wr w = wr_over(wire, sizeof wire);
	size_t from = message.n - rd_left(r), last = from;
	struct rd at = *r, plain;
	bool jumped = false;
	uint8_t n;

	out->n = 0;
	do {
		n = rd_u8(&at);
		if ((n & POINTER) == POINTER) {
			from = (size_t)(n & ~POINTER) << 8;
			from |= rd_u8(&at);
			if (!jumped)
				*r = at;
			jumped = true;
			if (!rd_ok(&at) || from >= last)
				return IKE_E_SYNTAX;
			last = from;
			at = rd_over(span_of(message.p + from, message.n - from));
			n = 1;
			continue;
		}
		wr_u8(&w, n);
		wr_put(&w, rd_bytes(&at, n));
		if (!rd_ok(&at) || !wr_ok(&w))
			return IKE_E_SYNTAX;
	} while (n > 0);
	if (!jumped)
		*r = at;
	plain = rd_over(wr_span(&w));
	return dnsname_read(&plain, out);
}

/* The question that is answered must be ours. */
static enum ike_err read_question(struct span message, struct rd *r, const struct dnsname *name, uint16_t type)
{
	struct dnsname asked;
	enum ike_err err = read_name(message, r, &asked);

	if (err != IKE_OK)
		return err;
	if (rd_u16(r) != type || rd_u16(r) != CLASS_IN || !rd_ok(r) || !dnsname_equal(&asked, name))
		return IKE_E_SYNTAX;
	return IKE_OK;
}

enum ike_err dns_answer_read(struct span message, const struct dnsname *name, uint16_t type, struct dns_answer *out)
{
	struct rd r = rd_over(message);
	unsigned flags, questions, records;
	enum ike_err err;

	memset(out, 0, sizeof *out);
	(void)rd_u16(&r);               /* whoever received it has compared the id */
	flags = rd_u16(&r);
	questions = rd_u16(&r);
	records = rd_u16(&r);
	(void)rd_u32(&r);
	if (!rd_ok(&r) || !(flags & FLAG_QR) || (flags & FLAG_TC) || questions != 1)
		return IKE_E_SYNTAX;
	err = read_question(message, &r, name, type);
	for (; err == IKE_OK && records > 0; records--) {
		struct dnsname owner;
		struct span rdata;
		unsigned record_type, class;

		err = read_name(message, &r, &owner);
		if (err != IKE_OK)
			break;
		record_type = rd_u16(&r);
		class = rd_u16(&r);
		(void)rd_u32(&r);
		rdata = rd_bytes(&r, rd_u16(&r));
		if (!rd_ok(&r))
			err = IKE_E_SYNTAX;
		else if (record_type != type || class != CLASS_IN || !dnsname_equal(&owner, name))
			continue;
		else if (out->n < DNS_RECORDS_MAX)
			out->rdata[out->n++] = rdata;
		else
			out->more = true;
	}
	if (err != IKE_OK) {
		memset(out, 0, sizeof *out);
		return IKE_E_SYNTAX;
	}
	out->rcode = flags & RCODE_MASK;
	out->authentic = flags & FLAG_AD;
	return IKE_OK;
}
