/* key_generate.c - oe key generate: a new private key in a new file. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/key.h"

enum { RSA_BITS_DEFAULT = 3072, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

struct wish {
	const char *type;
	size_t bits;
	bool bits_given;
};

static EVP_PKEY *make(const struct wish *wish)
{
	if (strcmp(wish->type, "rsa") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", wish->bits);
	if (strcmp(wish->type, "p256") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (strcmp(wish->type, "p384") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

/* The file never exists with another mode than 0600, and never with half a key under its name. */
static enum oe_exit write_key(const char *file, EVP_PKEY *key)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *out;
	bool good;

	if (fd < 0 && errno == EEXIST)
		return oe_error(OE_FAILED, "%s exists; a key is never overwritten", file);
	if (fd < 0)
		return oe_error(OE_FAILED, "%s: %s", file, strerror(errno));
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		(void)unlink(file);
		return oe_error(OE_FAILED, "out of memory");
	}
	good = PEM_write_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 &&
	       fflush(out) == 0 && fsync(fd) == 0;
	if (fclose(out) != 0)
		good = false;
	if (good)
		return OE_OK;
	(void)unlink(file);
	return oe_error(OE_FAILED, "%s cannot be written", file);
}

static bool is_type(const char *type)
{
	return strcmp(type, "rsa") == 0 || strcmp(type, "p256") == 0 || strcmp(type, "p384") == 0 ||
	       strcmp(type, "ed25519") == 0;
}

static enum oe_exit read_wish(int argc, char **argv, struct wish *wish)
{
	static const struct option known[] = {
		{ "type", required_argument, NULL, 't' },
		{ "bits", required_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	char *end;

	*wish = (struct wish){ .type = "rsa", .bits = RSA_BITS_DEFAULT };
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1)
		switch (option) {
		case 't':
			wish->type = optarg;
			break;
		case 'b':
			wish->bits = strtoul(optarg, &end, 10);
			wish->bits_given = true;
			if (*end != '\0' || wish->bits < RSA_BITS_MIN || wish->bits > RSA_BITS_MAX)
				return oe_usage(&command_key, "--bits wants a number from %d to %d",
						RSA_BITS_MIN, RSA_BITS_MAX);
			break;
		default:
			return oe_bad_option(&command_key, argv, option);
		}
	if (!is_type(wish->type))
		return oe_usage(&command_key, "--type must be rsa, p256, p384 or ed25519");
	if (wish->bits_given && strcmp(wish->type, "rsa") != 0)
		return oe_usage(&command_key, "--bits is for RSA keys only");
	if (argc - optind != 1)
		return oe_usage(&command_key, "generate wants one FILE");
	return OE_OK;
}

enum oe_exit key_generate(int argc, char **argv)
{
	struct wish wish;
	enum oe_exit status = read_wish(argc, argv, &wish);
	EVP_PKEY *key;

	if (status != OE_OK)
		return status;
	/* Before the seconds that a long RSA key takes; O_EXCL decides. */
	if (access(argv[optind], F_OK) == 0)
		return oe_error(OE_FAILED, "%s exists; a key is never overwritten", argv[optind]);
	key = make(&wish);
	if (!key)
		return oe_error(OE_FAILED, "libcrypto cannot make such a key");
	status = write_key(argv[optind], key);
	EVP_PKEY_free(key);
	return status;
}
