/* key_file.c - the record that belongs to a private key in a file. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "cli/key.h"
#include "dnskey/privkey.h"

enum { PEM_MAX = 32768 };

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

static enum oe_exit record_of(const char *file, struct span pem, uint8_t rdata[IPSECKEY_RDATA_MAX], struct ipseckey *out)
{
	struct wr w = wr_over(rdata, IPSECKEY_RDATA_MAX);
	struct privkey *key;
	const char *why = "out of memory";
	enum ike_err err = privkey_from_pem(pem, &key, &why);

	if (err != IKE_OK)
		return oe_error(OE_FAILED, "%s: %s", file, why);
	err = privkey_to_ipseckey(key, &w);
	privkey_free(key);
	if (err == IKE_OK)
		err = ipseckey_read(wr_span(&w), out);
	return err == IKE_OK ? OE_OK : oe_error(OE_FAILED, "%s: %s", file, ike_err_text(err));
}

enum oe_exit key_file_record(const char *file, uint8_t rdata[IPSECKEY_RDATA_MAX], struct ipseckey *out)
{
	static uint8_t pem[PEM_MAX];
	size_t n;
	enum oe_exit status = read_file(file, pem, &n);

	if (status == OE_OK)
		status = record_of(file, span_of(pem, n), rdata, out);
	secret_wipe(pem, sizeof pem);
	return status;
}

enum oe_exit key_own_record(const struct oe *oe, const struct conf *conf, const char *file, uint8_t rdata[IPSECKEY_RDATA_MAX],
			    struct ipseckey *out)
{
	if (!file && conf->server_key[0] == '\0')
		return oe_usage(&command_key, "%s has no server-key: say --key FILE", oe->conf);
	return key_file_record(file ? file : conf->server_key, rdata, out);
}
