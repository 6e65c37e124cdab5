#include "config.h"

#include "cli/argument.h"

#include <string.h>

static bool is_ascii(const char *text)
{
	while (*text != '\0' && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

/* "192.0.2.300", "10.0.0.0/8", "fe80::1%eth0": no top-level domain looks like the end of these (RFC 3696 2). */
static bool ends_like_an_address(const char *text)
{
	size_t n = strlen(text);
	const char *last;

	if (n > 0 && text[n - 1] == '.')
		n--;
	for (last = text + n; last > text && last[-1] != '.'; last--)
		;
	n -= (size_t)(last - text);
	return n > 0 && (strspn(last, "0123456789/") >= n || strcspn(last, ":%") < n);
}

static enum oe_exit read_name(const struct oe_command *command, const char *text, const char *wanted, struct dnsname *out)
{
	if (!is_ascii(text))
		return oe_usage(command, "\"%s\" is not written as in the DNS: give its form with \"xn--\" (\"idn2 %s\" prints it)", text, text);
	if (dnsname_from_text(text, out) != IKE_OK || ends_like_an_address(text))
		return oe_usage(command, "\"%s\" is %s: a name has 255 bytes at most, in labels of 1 to 63", text, wanted);
	return OE_OK;
}

enum oe_exit argument_name(const struct oe_command *command, const char *text, struct dnsname *out)
{
	struct ip_addr address;

	if (ip_from_text(text, &address) == IKE_OK)
		return oe_usage(command, "\"%s\" is an address: give a name that has it", text);
	return read_name(command, text, "not a domain name", out);
}

enum oe_exit argument_name_or_address(const struct oe_command *command, const char *text, struct dnsname *name, struct ip_addr *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };     /* RFC 4291 2.5.5.2 */
	struct ip_addr inside = { .family = IP_V4 };

	if (ip_from_text(text, out) != IKE_OK)
		return read_name(command, text, "neither a domain name nor an address", name);
	memcpy(inside.b, out->b + sizeof mapped, 4);
	if (out->family == IP_V6 && memcmp(out->b, mapped, sizeof mapped) == 0)
		*out = inside;
	return OE_OK;
}

enum oe_exit argument_match(const struct oe_command *command, const char *text, char *to)
{
	struct dnsname name;
	struct ip_addr address;
	enum oe_exit status = argument_name_or_address(command, text, &name, &address);

	if (status == OE_OK && address.family != IP_NONE)
		ip_text(&address, to);
	else if (status == OE_OK)
		dnsname_text(&name, to);
	return status;
}
