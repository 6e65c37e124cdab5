#include "dnskey/ipseckey.h"

enum ike_err ipseckey_read(struct span rdata, struct ipseckey *out)
{
	struct rd r = rd_over(rdata);
	enum ike_err err = IKE_OK;

	memset(out, 0, sizeof *out);
	out->precedence = rd_u8(&r);
	out->gateway_type = rd_u8(&r);
	out->algorithm = rd_u8(&r);
	switch (out->gateway_type) {
	case GATEWAY_NONE:
		break;
	case GATEWAY_IPV4:
		err = ip_from_bytes(rd_bytes(&r, 4), &out->gateway);
		break;
	case GATEWAY_IPV6:
		err = ip_from_bytes(rd_bytes(&r, 16), &out->gateway);
		break;
	case GATEWAY_NAME:
		err = dnsname_read(&r, &out->gateway_name);
		break;
	default:
		err = IKE_E_SYNTAX;
		break;
	}
	out->public_key = rd_rest(&r);
	/* RFC 4025 2.4: algorithm 0 says that there is no key; every other number has one. */
	if (!err && rd_ok(&r) && (out->public_key.n == 0) == (out->algorithm == IPSECKEY_NO_KEY))
		return IKE_OK;
	memset(out, 0, sizeof *out);
	return IKE_E_SYNTAX;
}

void ipseckey_write(struct wr *w, const struct ipseckey *key)
{
	wr_u8(w, key->precedence);
	wr_u8(w, key->gateway_type);
	wr_u8(w, key->algorithm);
	if (key->gateway_type == GATEWAY_IPV4 || key->gateway_type == GATEWAY_IPV6)
		wr_put(w, ip_bytes(&key->gateway));
	else if (key->gateway_type == GATEWAY_NAME)
		wr_put(w, dnsname_span(&key->gateway_name));
	wr_put(w, key->public_key);
}

uint16_t ipseckey_tag(const struct ipseckey *key)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < key->public_key.n; i++)
		sum += i % 2 ? key->public_key.p[i] : (uint32_t)key->public_key.p[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}
