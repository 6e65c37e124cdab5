/* key_dns.c - oe key dns: the IPSECKEY record of a key. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/dnsname.h"
#include "base/secret.h"
#include "cli/key.h"
#include "dnskey/ipseckey.h"
#include "dnskey/privkey.h"

enum { PEM_MAX = 32768, KEY_RDATA_TEXT_MAX = IPSECKEY_TEXT_MAX };

static enum oe_exit read_file(const char *file, uint8_t pem[PEM_MAX], size_t *n)
{
	bool is_stdin = strcmp(file, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(file, "re");
	enum oe_exit status = OE_OK;

	*n = 0;
	if (!in)
		return oe_error(OE_FAILED, "%s: %s", file, strerror(errno));
	/* No copy of the key in a buffer that nobody wipes. */
	setvbuf(in, NULL, _IONBF, 0);
	*n = fread(pem, 1, PEM_MAX, in);
	if (ferror(in))
		status = oe_error(OE_FAILED, "%s: %s", file, strerror(errno));
	else if (*n == PEM_MAX)
		status = oe_error(OE_FAILED, "%s: too long for a private key", file);
	if (!is_stdin)
		fclose(in);
	return status;
}

static enum oe_exit rdata_text(const char *file, struct span pem, char to[KEY_RDATA_TEXT_MAX])
{
	uint8_t rdata[IPSECKEY_RDATA_MAX];
	struct wr w = wr_over(rdata, sizeof rdata);
	struct privkey *key;
	struct ipseckey record;
	const char *why = "out of memory";
	enum ike_err err = privkey_from_pem(pem, &key, &why);

	if (err != IKE_OK)
		return oe_error(OE_FAILED, "%s: %s", file, why);
	err = privkey_to_ipseckey(key, &w);
	privkey_free(key);
	if (err == IKE_OK)
		err = ipseckey_read(wr_span(&w), &record);
	if (err == IKE_OK)
		err = ipseckey_to_text(&record, to, KEY_RDATA_TEXT_MAX);
	if (err != IKE_OK)
		return oe_error(OE_FAILED, "%s: %s", file, ike_err_text(err));
	return OE_OK;
}

static enum oe_exit key_rdata_text(const char *file, char to[KEY_RDATA_TEXT_MAX])
{
	static uint8_t pem[PEM_MAX];
	size_t n;
	enum oe_exit status = read_file(file, pem, &n);

	if (status == OE_OK)
		status = rdata_text(file, span_of(pem, n), to);
	secret_wipe(pem, sizeof pem);
	return status;
}

enum oe_exit key_dns(int argc, char **argv)
{
	char text[KEY_RDATA_TEXT_MAX], owner[DNSNAME_TEXT_MAX];
	struct dnsname name;
	enum oe_exit status;

	if (argc != 3)
		return oe_usage(&command_key, "dns wants FILE and NAME");
	if (dnsname_from_text(argv[2], &name) != IKE_OK)
		return oe_usage(&command_key, "NAME is not a domain name");
	status = key_rdata_text(argv[1], text);
	if (status != OE_OK)
		return status;
	dnsname_text(&name, owner);
	printf("%s%s IN IPSECKEY %s\n", owner, strcmp(owner, ".") == 0 ? "" : ".", text);
	return OE_OK;
}
