#include "config.h"

#include "daemon/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/ike_numbers.h"
#include "base/secret.h"
#include "dnskey/privkey.h"

enum { PEM_MAX = 32768, OCTETS_MAX = 16384 };

/* The end of the one that asks. */
struct signer {
	int fd;
	pid_t process;
};

/* First from the process: what came of the file. */
struct hello {
	enum ike_err err;
	struct secret derived;
	char error[SIGNER_ERROR_MAX];
};

struct question {
	uint32_t hashes;
	uint32_t n[SIGNER_PARTS];       /* bytes of each part, one after the other in octets */
	uint8_t octets[OCTETS_MAX];
};

struct answer {
	enum ike_err err;
	uint8_t method;
	uint32_t n;
	uint8_t value[SIGNER_VALUE_MAX];
};

/* The process ----------------------------------------------------------------------------------------------------------- */

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

static enum ike_err load(const char *file, struct privkey **out, char *error)
{
	uint8_t *pem = malloc(PEM_MAX);
	const char *why = "out of memory";
	enum ike_err err;
	size_t n = 0;

	if (!pem) {
		snprintf(error, SIGNER_ERROR_MAX, "out of memory");
		return IKE_E_NOMEM;
	}
	err = read_pem(file, pem, &n, error);
	if (err == IKE_OK) {
		err = privkey_from_pem(span_of(pem, n), out, &why);
		if (err != IKE_OK)
			snprintf(error, SIGNER_ERROR_MAX, "server-key: %s: %s", file, why);
	}
	secret_wipe(pem, PEM_MAX);
	free(pem);
	return err == IKE_OK ? IKE_OK : IKE_E_CONFIG;
}

/* IKE version 2, IKE_SA_INIT, message ID 0, and as long as it says (RFC 7296 3.1). */
static bool is_init_message(struct span message)
{
	struct rd r = rd_over(message);
	uint8_t version, exchange;
	uint32_t id, length;

	(void)rd_bytes(&r, 17);
	version = rd_u8(&r);
	exchange = rd_u8(&r);
	(void)rd_u8(&r);
	id = rd_u32(&r);
	length = rd_u32(&r);
	return rd_ok(&r) && version == 0x20 && exchange == EXCH_IKE_SA_INIT && id == 0 && length == message.n;
}

bool signer_has_shape(const struct span parts[SIGNER_PARTS])
{
	size_t mac = parts[2].n;

	return is_init_message(parts[0]) && parts[1].n >= 16 && parts[1].n <= 256 && (mac == 32 || mac == 48 || mac == 64) &&
	       (parts[3].n == 0 || parts[3].n == 2 * mac + 4);
}

/* The bucket holds the signatures of a second. */
static bool has_turn(void)
{
	static unsigned left = SIGNER_PER_SECOND;
	static time_t second;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != second) {
		second = now.tv_sec;
		left = SIGNER_PER_SECOND;
	}
	return left > 0 && left--;
}

static void sign(const struct privkey *key, const struct question *q, size_t n, struct answer *a)
{
	struct span parts[SIGNER_PARTS];
	struct wr w = wr_over(a->value, sizeof a->value);
	struct rd r = rd_over(span_of(q->octets, n));

	for (unsigned i = 0; i < SIGNER_PARTS; i++)
		parts[i] = rd_bytes(&r, q->n[i]);
	if (!rd_done(&r) || !signer_has_shape(parts))
		a->err = IKE_E_REFUSED;
	else if (!has_turn())
		a->err = IKE_E_LIMIT;
	else
		a->err = privkey_sign(key, q->hashes, parts, SIGNER_PARTS, &a->method, &w);
	a->n = a->err == IKE_OK ? (uint32_t)wr_span(&w).n : 0;
}

static void serve(const struct privkey *key, int fd)
{
	static struct question q;
	static struct answer a;
	const size_t least = sizeof q - sizeof q.octets;
	ssize_t n;

	while ((n = recv(fd, &q, sizeof q, 0)) >= (ssize_t)least) {
		memset(&a, 0, sizeof a - sizeof a.value);
		sign(key, &q, (size_t)n - least, &a);
		if (send(fd, &a, sizeof a - sizeof a.value + a.n, MSG_NOSIGNAL) < 0)
			return;
	}
}

/* Everything else that was open is the business of others. */
static void close_others(int keep)
{
	const int last = (int)sysconf(_SC_OPEN_MAX);

	for (int fd = STDERR_FILENO + 1; fd < last && fd < 1024; fd++)
		if (fd != keep)
			close(fd);
}

static void run(const char *file, const struct sandbox *sandbox, const struct log *log, struct span label, int fd)
{
	static struct hello hello;
	struct privkey *key = NULL;

	close_others(fd);
	if (signal(SIGTERM, SIG_IGN) == SIG_ERR || signal(SIGINT, SIG_IGN) == SIG_ERR || signal(SIGHUP, SIG_IGN) == SIG_ERR ||
	    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		hello.err = IKE_E_CRYPTO;
	if (hello.err == IKE_OK)
		hello.err = load(file, &key, hello.error);
	if (hello.err == IKE_OK && label.n > 0)
		hello.err = privkey_derive(key, label, &hello.derived);
	if (hello.err == IKE_OK && sandbox)
		hello.err = sandbox_enter(sandbox, log);
	if (hello.err != IKE_OK && hello.error[0] == '\0')
		snprintf(hello.error, sizeof hello.error, "server-key: %s: %s", file, ike_err_text(hello.err));
	if (send(fd, &hello, sizeof hello, MSG_NOSIGNAL) == (ssize_t)sizeof hello && hello.err == IKE_OK) {
		secret_clear(&hello.derived);
		serve(key, fd);
	}
	privkey_free(key);
}

/* The one that asks ------------------------------------------------------------------------------------------------------ */

static enum ike_err take_hello(int fd, struct secret *derived, char error[SIGNER_ERROR_MAX])
{
	struct hello hello;
	enum ike_err err;
	ssize_t n;

	do {
		n = recv(fd, &hello, sizeof hello, 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof hello) {
		snprintf(error, SIGNER_ERROR_MAX, "server-key: the process that signs does not start");
		return IKE_E_IO;
	}
	memcpy(error, hello.error, SIGNER_ERROR_MAX);
	secret_move(derived, &hello.derived);
	err = hello.err;
	secret_wipe(&hello, sizeof hello);
	return err;
}

enum ike_err signer_open(const char *file, const struct sandbox *sandbox, const struct log *log, struct span label,
			 struct secret *derived, struct signer **out, char error[SIGNER_ERROR_MAX])
{
	struct signer *signer = calloc(1, sizeof *signer);
	int ends[2] = { -1, -1 };
	enum ike_err err;

	*out = NULL;
	if (!signer || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 || (signer->process = fork()) < 0) {
		snprintf(error, SIGNER_ERROR_MAX, "cannot make the process that signs: %s", strerror(errno));
		free(signer);
		close(ends[0]);
		close(ends[1]);
		return IKE_E_IO;
	}
	if (signer->process == 0) {
		free(signer);
		run(file, sandbox, log, label, ends[1]);
		exit(EXIT_SUCCESS);
	}
	close(ends[1]);
	signer->fd = ends[0];
	err = take_hello(signer->fd, derived, error);
	if (err != IKE_OK) {
		signer_close(signer);
		return err;
	}
	*out = signer;
	return IKE_OK;
}

void signer_close(struct signer *signer)
{
	if (!signer)
		return;
	close(signer->fd);
	while (waitpid(signer->process, NULL, 0) < 0 && errno == EINTR)
		;
	free(signer);
}

static bool fill(struct question *q, uint32_t hashes, const struct span *parts, size_t *n)
{
	struct wr w = wr_over(q->octets, sizeof q->octets);

	q->hashes = hashes;
	for (unsigned i = 0; i < SIGNER_PARTS; i++) {
		q->n[i] = (uint32_t)parts[i].n;
		wr_put(&w, parts[i]);
	}
	*n = sizeof *q - sizeof q->octets + wr_span(&w).n;
	return wr_ok(&w);
}

enum ike_err signer_sign(const struct signer *signer, uint32_t hashes, const struct span *parts, unsigned n,
			 uint8_t *method, struct wr *auth_value)
{
	static struct question q;
	static struct answer a;
	const size_t least = sizeof a - sizeof a.value;
	size_t length;
	ssize_t got;

	if (!signer)
		return IKE_E_UNSUPPORTED;
	if (n != SIGNER_PARTS || !fill(&q, hashes, parts, &length))
		return IKE_E_NOSPACE;
	if (send(signer->fd, &q, length, MSG_NOSIGNAL) < 0)
		return IKE_E_IO;
	do {
		got = recv(signer->fd, &a, sizeof a, 0);
	} while (got < 0 && errno == EINTR);
	if (got < (ssize_t)least || a.n != (size_t)got - least)
		return IKE_E_IO;
	*method = a.method;
	wr_put(auth_value, span_of(a.value, a.n));
	return a.err != IKE_OK || wr_ok(auth_value) ? a.err : IKE_E_NOSPACE;
}
