#include "config.h"

#include "daemon/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "dnskey/privkey.h"

enum { PEM_MAX = 32768 };

struct signer {
	struct privkey *key;
};

/* IKE_OK and *n bytes in pem, or a sentence. */
static enum ike_err read_pem(const char *file, uint8_t *pem, size_t *n, char *error)
{
	struct stat st;
	ssize_t got = -1;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*n = 0;
	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(error, SIGNER_ERROR_MAX, "server-key: %s: %s", file, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(error, SIGNER_ERROR_MAX, "server-key: %s is not a file", file);
	} else if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		snprintf(error, SIGNER_ERROR_MAX,
			 "server-key: %s can be read by others than its owner; chmod 600 it, "
			 "and make a new key if somebody may have read it", file);
	} else if (st.st_size > PEM_MAX) {
		snprintf(error, SIGNER_ERROR_MAX, "server-key: %s is too long for a private key",
			 file);
	} else {
		got = read(fd, pem, PEM_MAX);
		if (got < 0)
			snprintf(error, SIGNER_ERROR_MAX, "server-key: %s: %s", file,
				 strerror(errno));
		else
			*n = (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	return got < 0 ? IKE_E_CONFIG : IKE_OK;
}

enum ike_err signer_open(const char *file, struct signer **out, char error[SIGNER_ERROR_MAX])
{
	struct signer *signer = calloc(1, sizeof *signer);
	uint8_t *pem = malloc(PEM_MAX);
	const char *why = "out of memory";
	enum ike_err err = IKE_E_NOMEM;
	size_t n = 0;

	*out = NULL;
	if (!signer || !pem) {
		snprintf(error, SIGNER_ERROR_MAX, "out of memory");
		goto out;
	}
	err = read_pem(file, pem, &n, error);
	if (err != IKE_OK)
		goto out;
	err = privkey_from_pem(span_of(pem, n), &signer->key, &why);
	if (err != IKE_OK) {
		snprintf(error, SIGNER_ERROR_MAX, "server-key: %s: %s", file, why);
		err = IKE_E_CONFIG;
		goto out;
	}
	*out = signer;
	signer = NULL;
out:
	if (pem)
		secret_wipe(pem, PEM_MAX);
	free(pem);
	free(signer);
	return err;
}

void signer_close(struct signer *signer)
{
	if (!signer)
		return;
	privkey_free(signer->key);
	free(signer);
}

enum ike_err signer_sign(const struct signer *signer, uint32_t hashes, const struct span *parts, unsigned n,
			 uint8_t *method, struct wr *auth_value)
{
	if (!signer)
		return IKE_E_UNSUPPORTED;
	return privkey_sign(signer->key, hashes, parts, n, method, auth_value);
}

enum ike_err signer_derive(const struct signer *signer, struct span label, struct secret *out)
{
	return privkey_derive(signer->key, label, out);
}
