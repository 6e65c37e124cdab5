/* The presentation format of IPSECKEY, RFC 4025 3.1. */
#include "dnskey/ipseckey.h"
#include "dnskey/text.h"

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void wr_base64(struct wr *w, struct span from)
{
	struct rd r = rd_over(from);

	while (rd_left(&r) > 0) {
		size_t n = rd_left(&r) < 3 ? rd_left(&r) : 3;
		uint32_t group = 0;

		for (size_t i = 0; i < 3; i++)
			group = group << 8 | (i < n ? rd_u8(&r) : 0u);
		for (size_t i = 0; i < 4; i++, group <<= 6)
			wr_u8(w, i <= n ? (uint8_t)base64_digits[group >> 18 & 63] : '=');
	}
}

static void wr_gateway(struct wr *w, const struct ipseckey *key)
{
	char address[IP_TEXT_MAX], name[DNSNAME_TEXT_MAX];

	switch (key->gateway_type) {
	case GATEWAY_IPV4:
	case GATEWAY_IPV6:
		wr_text(w, ip_text(&key->gateway, address));
		break;
	case GATEWAY_NAME:
		wr_text(w, dnsname_text(&key->gateway_name, name));
		if (key->gateway_name.n > 1)
			wr_text(w, ".");
		break;
	default:
		wr_text(w, ".");
		break;
	}
}

enum ike_err ipseckey_to_text(const struct ipseckey *key, char *to, size_t max)
{
	struct wr w = wr_over(to, max);

	wr_decimal(&w, key->precedence);
	wr_text(&w, " ");
	wr_decimal(&w, key->gateway_type);
	wr_text(&w, " ");
	wr_decimal(&w, key->algorithm);
	wr_text(&w, " ");
	wr_gateway(&w, key);
	if (key->public_key.n > 0) {
		wr_text(&w, " ");
		wr_base64(&w, key->public_key);
	}
	return wr_text_end(&w) ? IKE_OK : IKE_E_NOSPACE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

/* 0 to 255, ending at a blank or at the end. */
static bool take_u8(const char **text, uint8_t *out)
{
	const char *s = skip_blanks(*text);
	unsigned v = 0, digits = 0;

	for (; *s >= '0' && *s <= '9' && digits < 3; s++, digits++)
		v = v * 10 + (unsigned)(*s - '0');
	*text = s;
	*out = (uint8_t)v;
	return digits > 0 && v <= UINT8_MAX && (*s == '\0' || is_blank(*s));
}

/* The next word, up to a blank that no backslash precedes; false when it is empty or too long. */
static bool take_word(const char **text, char *to, size_t max)
{
	const char *s = skip_blanks(*text);
	struct wr w = wr_over(to, max);

	while (*s != '\0' && !is_blank(*s)) {
		if (*s == '\\' && s[1] != '\0')
			wr_u8(&w, (uint8_t)*s++);
		wr_u8(&w, (uint8_t)*s++);
	}
	*text = s;
	return w.n > 0 && wr_text_end(&w);
}

static const char *take_gateway(const char **text, struct ipseckey *key)
{
	char word[DNSNAME_TEXT_MAX + 1];

	if (!take_word(text, word, sizeof word))
		return "gateway: missing or too long";
	switch (key->gateway_type) {
	case GATEWAY_NONE:
		return strcmp(word, ".") == 0 ? NULL : "gateway: must be \".\" when the gateway type is 0";
	case GATEWAY_IPV4:
		return ip_from_text(word, &key->gateway) == IKE_OK && key->gateway.family == IP_V4 ?
			NULL : "gateway: not an IPv4 address, as gateway type 1 says";
	case GATEWAY_IPV6:
		return ip_from_text(word, &key->gateway) == IKE_OK && key->gateway.family == IP_V6 ?
			NULL : "gateway: not an IPv6 address, as gateway type 2 says";
	case GATEWAY_NAME:
		return dnsname_from_text(word, &key->gateway_name) == IKE_OK ?
			NULL : "gateway: not a domain name, as gateway type 3 says";
	default:
		return "gateway type: not 0, 1, 2 or 3";
	}
}

/* Everything that is left is base64 (RFC 4648 4: padded, and the bits behind the last byte are zero). */
static bool take_base64(const char *s, struct wr *w)
{
	uint32_t group = 0;
	unsigned digits = 0, padding = 0;

	for (; *s != '\0'; s++) {
		const char *at = strchr(base64_digits, *s);

		if (is_blank(*s))
			continue;
		if (*s == '=' && digits % 4 >= 2) {
			padding++;
		} else if (!at || padding > 0) {
			return false;
		}
		group = group << 6 | (padding > 0 ? 0u : (uint32_t)(at - base64_digits));
		if (++digits % 4 != 0)
			continue;
		if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0))
			return false;
		for (unsigned i = 0; i < 3 - padding; i++)
			wr_u8(w, (uint8_t)(group >> (16 - 8 * i)));
	}
	return digits % 4 == 0;
}

enum ike_err ipseckey_from_text(const char *text, struct wr *rdata, const char **error)
{
	struct ipseckey key = { 0 };
	size_t start = rdata->n, header;

	*error = NULL;
	if (!take_u8(&text, &key.precedence))
		*error = "precedence: not a number from 0 to 255";
	else if (!take_u8(&text, &key.gateway_type))
		*error = "gateway type: not a number from 0 to 255";
	else if (!take_u8(&text, &key.algorithm))
		*error = "algorithm: not a number from 0 to 255";
	else
		*error = take_gateway(&text, &key);
	if (*error)
		return IKE_E_SYNTAX;
	ipseckey_write(rdata, &key);
	header = rdata->n;
	if (!take_base64(text, rdata))
		*error = "public key: not base64";
	else if (wr_ok(rdata) && rdata->n == header && key.algorithm != IPSECKEY_NO_KEY)
		*error = "public key: missing";
	else if (wr_ok(rdata) && rdata->n > header && key.algorithm == IPSECKEY_NO_KEY)
		*error = "public key: must be empty when the algorithm is 0";
	if (*error) {
		rdata->n = start;
		return IKE_E_SYNTAX;
	}
	if (!wr_ok(rdata)) {
		*error = "record too long";
		return IKE_E_NOSPACE;
	}
	return IKE_OK;
}
