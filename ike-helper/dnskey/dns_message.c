#include "dnskey/dns_message.h"

#include <string.h>

enum {
	CLASS_IN = 1,
	FLAG_QR = 0x8000, FLAG_TC = 0x0200, FLAG_RD = 0x0100, RCODE_MASK = 0x000f,
	POINTER = 0xc0,
	OPTION_EDE = 15,
};

void dns_question_write(struct wr *w, uint16_t id, const struct dnsname *name, uint16_t type, uint16_t flags)
{
	wr_u16(w, id);
	wr_u16(w, (uint16_t)(FLAG_RD | flags));
	wr_u16(w, 1);
	wr_u16(w, 0);
	wr_u16(w, 0);
	wr_u16(w, 1);
	wr_put(w, dnsname_span(name));
	wr_u16(w, type);
	wr_u16(w, CLASS_IN);
	/* RFC 6891 6.1.2: root, OPT, size, extended RCODE and flags, no options. */
	wr_u8(w, 0);
	wr_u16(w, DNS_TYPE_OPT);
	wr_u16(w, DNS_UDP_MAX);
	wr_u32(w, 0);
	wr_u16(w, 0);
}

/* A name that may be compressed (RFC 1035 4.1.4); r is behind it afterwards. A pointer must point backwards, so that following
 * them ends. */
static enum ike_err read_name(struct span message, struct rd *r, size_t from, struct dnsname *out)
{
	uint8_t wire[DNSNAME_MAX];
	struct wr w = wr_over(wire, sizeof wire);
	size_t last = from;
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
static enum ike_err read_question(struct dns_message *m, const struct dnsname *name, uint16_t type)
{
	struct dnsname asked;
	enum ike_err err = read_name(m->bytes, &m->at, m->bytes.n - rd_left(&m->at), &asked);

	if (err != IKE_OK)
		return err;
	if (rd_u16(&m->at) != type || rd_u16(&m->at) != CLASS_IN || !rd_ok(&m->at) || !dnsname_equal(&asked, name))
		return IKE_E_SYNTAX;
	return IKE_OK;
}

enum ike_err dns_message_open(struct span bytes, const struct dnsname *name, uint16_t type, struct dns_message *out)
{
	unsigned flags, questions;

	memset(out, 0, sizeof *out);
	out->bytes = bytes;
	out->at = rd_over(bytes);
	(void)rd_u16(&out->at);         /* whoever received it has compared the id */
	flags = rd_u16(&out->at);
	questions = rd_u16(&out->at);
	for (unsigned i = 0; i < DNS_SECTIONS; i++)
		out->left[i] = rd_u16(&out->at);
	if (!rd_ok(&out->at) || !(flags & FLAG_QR) || (flags & FLAG_TC) || questions != 1 ||
	    read_question(out, name, type) != IKE_OK) {
		memset(out, 0, sizeof *out);
		return IKE_E_SYNTAX;
	}
	out->rcode = flags & RCODE_MASK;
	out->authentic = flags & DNS_FLAG_AD;
	return IKE_OK;
}

bool dns_record_next(struct dns_message *m, struct dns_record *out)
{
	unsigned section = 0;

	memset(out, 0, sizeof *out);
	while (section < DNS_SECTIONS && m->left[section] == 0)
		section++;
	if (section == DNS_SECTIONS || m->malformed)
		return false;
	m->left[section]--;
	out->section = (enum dns_section)section;
	if (read_name(m->bytes, &m->at, m->bytes.n - rd_left(&m->at), &out->owner) == IKE_OK) {
		out->type = rd_u16(&m->at);
		out->class = rd_u16(&m->at);
		out->ttl_s = rd_u32(&m->at);
		out->rdata = rd_bytes(&m->at, rd_u16(&m->at));
		if (rd_ok(&m->at))
			return true;
	}
	m->malformed = true;
	memset(out, 0, sizeof *out);
	return false;
}

enum ike_err dns_record_name(const struct dns_message *m, const struct dns_record *record, struct dnsname *out)
{
	struct rd r = rd_over(record->rdata);
	enum ike_err err = read_name(m->bytes, &r, (size_t)(record->rdata.p - m->bytes.p), out);

	if (err != IKE_OK || !rd_ok(&r) || (rd_left(&r) > 0 && record->type != DNS_TYPE_SOA)) {
		out->n = 0;
		return IKE_E_SYNTAX;
	}
	return IKE_OK;
}

static void take_text(struct span from, char text[DNS_EDE_TEXT_MAX])
{
	size_t n = from.n < DNS_EDE_TEXT_MAX ? from.n : DNS_EDE_TEXT_MAX - 1;

	for (size_t i = 0; i < n; i++)
		text[i] = from.p[i] >= 0x20 && from.p[i] < 0x7f ? (char)from.p[i] : '?';
	text[n] = '\0';
}

bool dns_ede_next(const struct dns_record *opt, size_t *cursor, uint16_t *code, char text[DNS_EDE_TEXT_MAX])
{
	*code = 0;
	text[0] = '\0';
	while (*cursor < opt->rdata.n) {
		struct rd r = rd_over(span_of(opt->rdata.p + *cursor, opt->rdata.n - *cursor));
		unsigned option = rd_u16(&r);
		struct rd value = rd_over(rd_bytes(&r, rd_u16(&r)));

		if (!rd_ok(&r))
			return false;
		*cursor = opt->rdata.n - rd_left(&r);
		if (option != OPTION_EDE)
			continue;
		*code = rd_u16(&value);
		if (!rd_ok(&value))
			return false;
		take_text(rd_rest(&value), text);
		return true;
	}
	return false;
}
