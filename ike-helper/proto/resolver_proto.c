#include "proto/resolver_proto.h"

#include <string.h>

enum { HEADER_LEN = 8, TLV_HEADER_LEN = 4, TLV_OPTIONAL = 0x8000 };

enum tlv_type {
	TLV_VERSIONS = 1,       /* u8 lowest, u8 highest */
	TLV_OWNER = 2,          /* name */
	TLV_ADDRESS = 3,        /* 4 or 16 bytes; one for each address */
	TLV_KEY = 4,            /* RDATA; one for each record */
	TLV_TTL = 5,            /* u32, seconds */
	TLV_DEADLINE = 6,       /* u32, milliseconds */
	TLV_KIND = 7,           /* u8, enum rp_verdict_kind */
	TLV_REASON = 8,         /* u16 */
	TLV_REASON_TEXT = 9,    /* UTF-8 */
	TLV_RESULT = 10,        /* u16 reason, 0 = allowed; one for each address */
	TLV_GATEWAY = 11,       /* on the wire with TLV_OPTIONAL: u16 keys, u8 finding, {u8 4 or 16, address}... */
	TLV_REVERSE = 12,       /* likewise: u8 number of the address, u8 finding, u16 keys */
	TLV_PAUSE = 13,         /* likewise: u32, seconds left; 0 = it is over */
	TLV_GROUPS = 14,        /* likewise: u64, digest */
	TLV_END
};

/* Those that an end that does not know them may skip: it refuses what it cannot use without them. */
static bool is_optional(unsigned type)
{
	return type >= TLV_GATEWAY;
}

#define BIT(tlv) (1u << (tlv))

/* Which TLVs a message has: this table is the multiplicity chapter of docs/protocol.md. */
static const struct form {
	uint16_t need, may, repeat;     /* repeat: those of need and may that can occur more than once */
	bool id_zero;
} forms[] = {
	[RP_HELLO] = { .need = BIT(TLV_VERSIONS), .id_zero = true },
	[RP_ESTABLISH] = {
		.need = BIT(TLV_OWNER) | BIT(TLV_ADDRESS) | BIT(TLV_KEY) | BIT(TLV_TTL) | BIT(TLV_DEADLINE),
		.may = BIT(TLV_GATEWAY) | BIT(TLV_REVERSE),
		.repeat = BIT(TLV_ADDRESS) | BIT(TLV_KEY) | BIT(TLV_GATEWAY) | BIT(TLV_REVERSE),
	},
	[RP_CANCEL] = { .need = 0 },
	[RP_VERDICT] = {
		.need = BIT(TLV_KIND) | BIT(TLV_REASON) | BIT(TLV_TTL),
		.may = BIT(TLV_REASON_TEXT) | BIT(TLV_RESULT),
		.repeat = BIT(TLV_RESULT),
	},
	[RP_DOWN] = { .need = BIT(TLV_OWNER) | BIT(TLV_REASON), .may = BIT(TLV_PAUSE) | BIT(TLV_GROUPS), .id_zero = true },
};

static const struct form *form_of(unsigned type)
{
	return type >= RP_HELLO && type < sizeof forms / sizeof *forms ? &forms[type] : NULL;
}

/* Text -------------------------------------------------------------------------------------------------------- */

/* Bytes of the printable UTF-8 character at the start of s (RFC 3629); 0 when there is none: a control character (C0,
 * DEL, C1), a cut, overlong or surrogate sequence. What passes here may go to a terminal. */
static size_t text_char_len(struct span s)
{
	uint32_t v;
	size_t n, i;

	if (s.n == 0)
		return 0;
	if (s.p[0] < 0x80)
		return s.p[0] >= 0x20 && s.p[0] != 0x7f ? 1 : 0;
	if ((s.p[0] & 0xe0) == 0xc0) {
		n = 2;
		v = s.p[0] & 0x1fu;
	} else if ((s.p[0] & 0xf0) == 0xe0) {
		n = 3;
		v = s.p[0] & 0x0fu;
	} else if ((s.p[0] & 0xf8) == 0xf0) {
		n = 4;
		v = s.p[0] & 0x07u;
	} else {
		return 0;
	}
	if (s.n < n)
		return 0;
	for (i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s.p[i] & 0x3fu);
	}
	if ((n == 2 && v < 0xa0) || (n == 3 && v < 0x800) || (n == 4 && (v < 0x10000 || v > 0x10ffff)))
		return 0;
	return v >= 0xd800 && v < 0xe000 ? 0 : n;
}

static bool text_ok(struct span s)
{
	while (s.n > 0) {
		size_t n = text_char_len(s);

		if (n == 0)
			return false;
		s = span_of(s.p + n, s.n - n);
	}
	return true;
}

/* The text may quote what a stranger sent: whatever the other end would refuse becomes '?'. */
static void put_text(struct wr *w, struct span s)
{
	size_t written = 0;

	while (s.n > 0) {
		size_t n = text_char_len(s);
		size_t taken = n > 0 ? n : 1;

		if (written + taken > RP_REASON_TEXT_MAX)
			return;
		if (n > 0)
			wr_bytes(w, s.p, n);
		else
			wr_u8(w, '?');
		written += taken;
		s = span_of(s.p + taken, s.n - taken);
	}
}

/* Reading ------------------------------------------------------------------------------------------------------ */

static enum ike_err read_versions(struct rd *r, struct rp_hello *out)
{
	out->version_min = rd_u8(r);
	out->version_max = rd_u8(r);
	return out->version_min > 0 && out->version_min <= out->version_max ? IKE_OK : IKE_E_SYNTAX;
}

static enum ike_err read_finding(struct rd *r, enum rp_finding *out)
{
	*out = (enum rp_finding)rd_u8(r);
	return *out >= RP_FOUND && *out <= RP_FOUND_LATE ? IKE_OK : IKE_E_SYNTAX;
}

static enum ike_err read_gateway(struct rd *r, struct rp_gateway *out)
{
	out->keys = rd_u16(r);
	if (read_finding(r, &out->finding) != IKE_OK)
		return IKE_E_SYNTAX;
	while (rd_left(r) > 0) {
		size_t n = rd_u8(r);

		if (out->n_addresses == RP_GATEWAY_ADDRESSES_MAX ||
		    ip_from_bytes(rd_bytes(r, n), &out->addresses[out->n_addresses++]) != IKE_OK)
			return IKE_E_SYNTAX;
	}
	return IKE_OK;
}

static enum ike_err read_reverse(struct rd *r, struct rp_reverse *out)
{
	enum ike_err err;

	out->address = rd_u8(r);
	err = read_finding(r, &out->finding);
	out->keys = rd_u16(r);
	return err;
}

static enum ike_err read_establish(struct rd *r, enum tlv_type type, struct rp_establish *out)
{
	switch ((int)type) {
	case TLV_OWNER:
		return dnsname_read(r, &out->owner);
	case TLV_ADDRESS:
		if (out->n_addresses == RP_ADDRESSES_MAX)
			return IKE_E_SYNTAX;
		return ip_from_bytes(rd_rest(r), &out->addresses[out->n_addresses++]);
	case TLV_KEY:
		/* Any bytes: a zone's broken record is that name's trouble, not this connection's. */
		if (out->n_keys == RP_KEYS_MAX)
			return IKE_E_SYNTAX;
		out->keys[out->n_keys++] = rd_rest(r);
		return IKE_OK;
	case TLV_GATEWAY:
		return out->n_gateways < RP_GATEWAYS_MAX ? read_gateway(r, &out->gateways[out->n_gateways++]) : IKE_E_SYNTAX;
	case TLV_REVERSE:
		return out->n_reverse < RP_ADDRESSES_MAX ? read_reverse(r, &out->reverse[out->n_reverse++]) : IKE_E_SYNTAX;
	case TLV_TTL:
		out->ttl_s = rd_u32(r);
		return IKE_OK;
	case TLV_DEADLINE:
		out->deadline_ms = rd_u32(r);
		return IKE_OK;
	default:
		return IKE_E_SYNTAX;
	}
}

static enum ike_err read_verdict(struct rd *r, enum tlv_type type, struct rp_verdict *out)
{
	unsigned reason, i;

	switch ((int)type) {
	case TLV_KIND:
		out->kind = (enum rp_verdict_kind)rd_u8(r);
		return out->kind >= RP_ALLOW && out->kind <= RP_REFUSE ? IKE_OK : IKE_E_SYNTAX;
	case TLV_REASON:
		out->reason = (enum rp_reason)rd_u16(r);
		return IKE_OK;
	case TLV_REASON_TEXT:
		out->reason_text = rd_rest(r);
		return out->reason_text.n <= RP_REASON_TEXT_MAX && text_ok(out->reason_text) ? IKE_OK : IKE_E_SYNTAX;
	case TLV_TTL:
		out->ttl_cap_s = rd_u32(r);
		return IKE_OK;
	case TLV_RESULT:
		i = out->n_addresses;
		if (i == RP_ADDRESSES_MAX)
			return IKE_E_SYNTAX;
		reason = rd_u16(r);
		out->address[i].allowed = reason == REASON_NONE;
		out->address[i].reason = (enum rp_reason)reason;
		out->n_addresses++;
		return IKE_OK;
	default:
		return IKE_E_SYNTAX;
	}
}

static enum ike_err read_down(struct rd *r, enum tlv_type type, struct rp_down *out)
{
	switch ((int)type) {
	case TLV_OWNER:
		return dnsname_read(r, &out->owner);
	case TLV_REASON:
		out->reason = (enum rp_reason)rd_u16(r);
		return IKE_OK;
	case TLV_PAUSE:
		out->tells_pause = true;
		out->pause_s = rd_u32(r);
		return IKE_OK;
	case TLV_GROUPS:
		out->tells_groups = true;
		out->groups_digest = rd_u64(r);
		return IKE_OK;
	default:
		return IKE_E_SYNTAX;
	}
}

static enum ike_err read_value(struct rd *r, enum tlv_type type, struct rp_message *out)
{
	switch (out->type) {
	case RP_HELLO:
		return read_versions(r, &out->u.hello);
	case RP_ESTABLISH:
		return read_establish(r, type, &out->u.establish);
	case RP_VERDICT:
		return read_verdict(r, type, &out->u.verdict);
	case RP_DOWN:
		return read_down(r, type, &out->u.down);
	case RP_CANCEL:
		break;
	}
	return IKE_E_SYNTAX;
}

/* What is said about gateways and reverse names is about keys and addresses that are there, and said once. */
static bool establish_is_consistent(const struct rp_establish *e)
{
	const uint32_t all = (1u << e->n_keys) - 1;
	uint32_t keys = 0, addresses = 0;

	_Static_assert(RP_KEYS_MAX <= 16 && RP_ADDRESSES_MAX <= 32, "a bit for each");
	for (unsigned i = 0; i < e->n_gateways; i++) {
		const struct rp_gateway *g = &e->gateways[i];

		if (g->keys == 0 || (g->keys & ~all) || (g->keys & keys) || (g->finding == RP_FOUND) != (g->n_addresses > 0))
			return false;
		keys |= g->keys;
	}
	for (unsigned i = 0; i < e->n_reverse; i++) {
		const struct rp_reverse *v = &e->reverse[i];

		if (v->address >= e->n_addresses || (addresses >> v->address & 1) || (v->keys & ~all) ||
		    (v->finding != RP_FOUND && v->keys))
			return false;
		addresses |= 1u << v->address;
	}
	return true;
}

/* A verdict that contradicts itself would let the other end choose what to believe. */
static bool verdict_is_consistent(const struct rp_verdict *v)
{
	unsigned i, allowed = 0;

	for (i = 0; i < v->n_addresses; i++) {
		if (v->address[i].allowed != (v->address[i].reason == REASON_NONE))
			return false;
		allowed += v->address[i].allowed;
	}
	switch (v->kind) {
	case RP_ALLOW:
		return allowed > 0 && (v->reason == REASON_NONE) == (allowed == v->n_addresses);
	case RP_CLEAR:
		return v->n_addresses == 0 && v->reason == REASON_NONE;
	case RP_REFUSE:
		return allowed == 0 && v->reason != REASON_NONE;
	}
	return false;
}

static enum ike_err read_tlvs(struct rd *r, const struct form *form, struct rp_message *out)
{
	uint16_t seen = 0;

	while (rd_left(r) > 0) {
		uint16_t on_wire = rd_u16(r), type = (uint16_t)(on_wire & ~TLV_OPTIONAL);
		struct rd value = rd_sub(r, rd_u16(r));
		bool known = type < TLV_END && !!(on_wire & TLV_OPTIONAL) == is_optional(type) &&
			     ((form->need | form->may) & BIT(type)) != 0;

		if (!rd_ok(r))
			return IKE_E_SYNTAX;
		/* A HELLO of a later version may carry anything beside the versions. */
		if (!known && ((on_wire & TLV_OPTIONAL) || out->type == RP_HELLO))
			continue;
		if (!known || ((seen & BIT(type)) && !(form->repeat & BIT(type))))
			return IKE_E_SYNTAX;
		if (read_value(&value, (enum tlv_type)type, out) != IKE_OK || !rd_done(&value))
			return IKE_E_SYNTAX;
		seen = (uint16_t)(seen | BIT(type));
	}
	return rd_ok(r) && (seen & form->need) == form->need ? IKE_OK : IKE_E_SYNTAX;
}

enum ike_err rp_read(struct span datagram, struct rp_message *out)
{
	struct rd r = rd_over(datagram);
	unsigned version = rd_u8(&r);
	unsigned type = rd_u8(&r);
	const struct form *form = form_of(type);

	memset(out, 0, sizeof *out);
	(void)rd_u16(&r);               /* reserved: zero when sent, ignored on receipt */
	out->id = rd_u32(&r);
	if (!rd_ok(&r) || datagram.n > RP_MESSAGE_MAX)
		return IKE_E_SYNTAX;
	if (version != RP_VERSION && type != RP_HELLO)
		return IKE_E_UNSUPPORTED;
	if (!form || (form->id_zero && out->id != 0))
		return IKE_E_SYNTAX;
	out->type = (enum rp_type)type;
	if (read_tlvs(&r, form, out) != IKE_OK)
		return IKE_E_SYNTAX;
	if (out->type == RP_ESTABLISH && !establish_is_consistent(&out->u.establish))
		return IKE_E_SYNTAX;
	if (out->type == RP_VERDICT && !verdict_is_consistent(&out->u.verdict))
		return IKE_E_SYNTAX;
	return IKE_OK;
}

/* Writing ------------------------------------------------------------------------------------------------------ */

static size_t tlv_begin(struct wr *w, enum tlv_type type)
{
	wr_u16(w, (uint16_t)(is_optional(type) ? TLV_OPTIONAL | (unsigned)type : type));
	wr_u16(w, 0);
	return w->n;
}

static void tlv_end(struct wr *w, size_t value_at)
{
	if (!wr_ok(w))
		return;
	if (w->n - value_at > UINT16_MAX)
		w->bad = true;
	else
		wr_patch_u16(w, value_at - 2, (uint16_t)(w->n - value_at));
}

static void put_bytes(struct wr *w, enum tlv_type type, struct span value)
{
	size_t at = tlv_begin(w, type);

	wr_put(w, value);
	tlv_end(w, at);
}

static void put_u16(struct wr *w, enum tlv_type type, unsigned value)
{
	size_t at = tlv_begin(w, type);

	wr_u16(w, (uint16_t)value);
	tlv_end(w, at);
}

static void put_u32(struct wr *w, enum tlv_type type, uint32_t value)
{
	size_t at = tlv_begin(w, type);

	wr_u32(w, value);
	tlv_end(w, at);
}

static void put_u64(struct wr *w, enum tlv_type type, uint64_t value)
{
	size_t at = tlv_begin(w, type);

	wr_u64(w, value);
	tlv_end(w, at);
}

static enum ike_err write_hello(const struct rp_hello *hello, struct wr *w)
{
	const uint8_t versions[2] = { hello->version_min, hello->version_max };

	if (hello->version_min == 0 || hello->version_min > hello->version_max)
		return IKE_E_SYNTAX;
	put_bytes(w, TLV_VERSIONS, span_of(versions, sizeof versions));
	return IKE_OK;
}

static void put_gateway(struct wr *w, const struct rp_gateway *g)
{
	size_t at = tlv_begin(w, TLV_GATEWAY);

	wr_u16(w, g->keys);
	wr_u8(w, (uint8_t)g->finding);
	for (unsigned i = 0; i < g->n_addresses; i++) {
		wr_u8(w, (uint8_t)ip_bytes(&g->addresses[i]).n);
		wr_put(w, ip_bytes(&g->addresses[i]));
	}
	tlv_end(w, at);
}

static void put_reverse(struct wr *w, const struct rp_reverse *v)
{
	size_t at = tlv_begin(w, TLV_REVERSE);

	wr_u8(w, v->address);
	wr_u8(w, (uint8_t)v->finding);
	wr_u16(w, v->keys);
	tlv_end(w, at);
}

static enum ike_err write_establish(const struct rp_establish *e, struct wr *w)
{
	unsigned i;

	if (e->n_addresses > RP_ADDRESSES_MAX || e->n_keys > RP_KEYS_MAX || e->n_gateways > RP_GATEWAYS_MAX ||
	    e->n_reverse > RP_ADDRESSES_MAX)
		return IKE_E_NOSPACE;
	if (e->owner.n == 0 || e->n_addresses == 0 || e->n_keys == 0 || !establish_is_consistent(e))
		return IKE_E_SYNTAX;
	put_bytes(w, TLV_OWNER, dnsname_span(&e->owner));
	for (i = 0; i < e->n_addresses; i++) {
		if (ip_bytes(&e->addresses[i]).n == 0)
			return IKE_E_SYNTAX;
		put_bytes(w, TLV_ADDRESS, ip_bytes(&e->addresses[i]));
	}
	for (i = 0; i < e->n_keys; i++)
		put_bytes(w, TLV_KEY, e->keys[i]);
	put_u32(w, TLV_TTL, e->ttl_s);
	put_u32(w, TLV_DEADLINE, e->deadline_ms);
	for (i = 0; i < e->n_gateways; i++)
		put_gateway(w, &e->gateways[i]);
	for (i = 0; i < e->n_reverse; i++)
		put_reverse(w, &e->reverse[i]);
	return IKE_OK;
}

static enum ike_err write_verdict(const struct rp_verdict *v, struct wr *w)
{
	const uint8_t kind = (uint8_t)v->kind;
	unsigned i;

	if (v->n_addresses > RP_ADDRESSES_MAX)
		return IKE_E_NOSPACE;
	if (!verdict_is_consistent(v))
		return IKE_E_SYNTAX;
	put_bytes(w, TLV_KIND, span_of(&kind, 1));
	put_u16(w, TLV_REASON, v->reason);
	if (v->reason_text.n > 0) {
		size_t at = tlv_begin(w, TLV_REASON_TEXT);

		put_text(w, v->reason_text);
		tlv_end(w, at);
	}
	put_u32(w, TLV_TTL, v->ttl_cap_s);
	for (i = 0; i < v->n_addresses; i++)
		put_u16(w, TLV_RESULT, v->address[i].reason);
	return IKE_OK;
}

static enum ike_err write_down(const struct rp_down *down, struct wr *w)
{
	if (down->owner.n == 0)
		return IKE_E_SYNTAX;
	put_bytes(w, TLV_OWNER, dnsname_span(&down->owner));
	put_u16(w, TLV_REASON, down->reason);
	if (down->tells_pause)
		put_u32(w, TLV_PAUSE, down->pause_s);
	if (down->tells_groups)
		put_u64(w, TLV_GROUPS, down->groups_digest);
	return IKE_OK;
}

static enum ike_err write_body(const struct rp_message *m, struct wr *w)
{
	switch (m->type) {
	case RP_HELLO:
		return write_hello(&m->u.hello, w);
	case RP_ESTABLISH:
		return write_establish(&m->u.establish, w);
	case RP_CANCEL:
		return IKE_OK;
	case RP_VERDICT:
		return write_verdict(&m->u.verdict, w);
	case RP_DOWN:
		return write_down(&m->u.down, w);
	}
	return IKE_E_SYNTAX;
}

enum ike_err rp_write(const struct rp_message *m, struct wr *w)
{
	const struct form *form = form_of(m->type);
	size_t start = w->n;
	enum ike_err err;

	if (!form || (form->id_zero && m->id != 0))
		return IKE_E_SYNTAX;
	wr_u8(w, RP_VERSION);
	wr_u8(w, (uint8_t)m->type);
	wr_u16(w, 0);
	wr_u32(w, m->id);
	err = write_body(m, w);
	if (err != IKE_OK)
		return err;
	return wr_ok(w) && w->n - start <= RP_MESSAGE_MAX ? IKE_OK : IKE_E_NOSPACE;
}

/* Words -------------------------------------------------------------------------------------------------------- */

const char *rp_reason_text(unsigned reason)
{
	switch (reason) {
#define REASON_TEXT_CASE(symbol, value, text) case value: return text;
	RP_REASONS(REASON_TEXT_CASE)
#undef REASON_TEXT_CASE
	default: return "unknown reason";
	}
}

const char *rp_reason_word(unsigned reason)
{
	switch ((enum rp_reason)reason) {
	case REASON_NONE: return "none";
	case REASON_NO_USABLE_KEY: return "no-usable-key";
	case REASON_ADDRESS_NOT_ALLOWED: return "address-not-allowed";
	case REASON_NO_ROUTE: return "no-route";
	case REASON_TIMEOUT: return "timeout";
	case REASON_UNREACHABLE: return "unreachable";
	case REASON_PEER_REFUSED: return "peer-refused";
	case REASON_NO_PROPOSAL: return "no-proposal";
	case REASON_AUTH_FAILED: return "auth-failed";
	case REASON_TS_UNACCEPTABLE: return "ts-unacceptable";
	case REASON_KEY_CONFLICT: return "key-conflict";
	case REASON_LIMIT: return "limit";
	case REASON_KERNEL: return "kernel";
	case REASON_PROTOCOL: return "protocol";
	case REASON_HELPER_ABSENT: return "helper-absent";
	case REASON_HELPER_SILENT: return "helper-silent";
	case REASON_HELPER_BROKEN: return "helper-broken";
	case REASON_KEY_LOOKUP_FAILED: return "key-lookup-failed";
	case REASON_KEY_BOGUS: return "key-bogus";
	case REASON_GATEWAY_UNSUPPORTED: return "gateway-unsupported";
	case REASON_TOO_MANY_RECORDS: return "too-many-records";
	case REASON_BACKOFF: return "backoff";
	case REASON_SHUTDOWN: return "shutdown";
	case REASON_NOT_SECURE: return "not-secure";
	case REASON_INTERNAL: return "internal";
	case REASON_DOWN_BY_OPERATOR: return "down-by-operator";
	case REASON_GATEWAY_LOOKUP: return "gateway-lookup";
	case REASON_GATEWAY_UNCONFIRMED: return "gateway-unconfirmed";
	case REASON_SA_GONE: return "sa-gone";
	case REASON_PEER_MOVED: return "peer-moved";
	case REASON_RECORD_MALFORMED: return "record-malformed";
	case REASON_POLICY_FORBIDS: return "policy-forbids";
	case REASON_POLICY_WANTS_KEY: return "policy-wants-key";
	}
	return "unknown";
}

const char *rp_finding_text(enum rp_finding finding)
{
	switch (finding) {
	case RP_FOUND: return "found";
	case RP_FOUND_NONE: return "no such record";
	case RP_FOUND_INSECURE: return "not signed";
	case RP_FOUND_BOGUS: return "bogus";
	case RP_FOUND_FAILED: return "the lookup failed";
	case RP_FOUND_LATE: return "no answer in time";
	}
	return "unknown";
}
