#include "config.h"

#include "daemon/qcd_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPORARY_MAX = 1100 };

__attribute__((format(printf, 2, 3)))
static enum ike_err wrong(char *error, const char *format, ...)
{
	int n = snprintf(error, QCD_SECRET_ERROR_MAX, "qcd-secret: ");
	va_list args;

	va_start(args, format);
	vsnprintf(error + n, (size_t)(QCD_SECRET_ERROR_MAX - n), format, args);
	va_end(args);
	return IKE_E_CONFIG;
}

static bool write_all(int fd, const struct secret *s)
{
	return write(fd, s->b, s->n) == (ssize_t)s->n && fsync(fd) == 0;
}

/* Under another name first: whoever is killed in the midst of it leaves no half of a secret. */
static enum ike_err make(const char *file, const struct rng *rng, struct secret *out, char *error)
{
	char temporary[TEMPORARY_MAX];
	bool written;
	int fd;

	rng_fill(rng, out->b, QCD_SECRET_LEN);
	out->n = QCD_SECRET_LEN;
	snprintf(temporary, sizeof temporary, "%s.new", file);
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return wrong(error, "%s: cannot be made: %s", file, strerror(errno));
	written = write_all(fd, out);
	if (close(fd) != 0 || !written || rename(temporary, file) != 0) {
		(void)wrong(error, "%s: cannot be made: %s", file, strerror(errno));
		(void)unlink(temporary);
		return IKE_E_CONFIG;
	}
	return IKE_OK;
}

static enum ike_err take(int fd, const char *file, struct secret *out, char *error)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return wrong(error, "%s: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != QCD_SECRET_LEN)
		return wrong(error, "%s is not a file of %d bytes; remove it to have a new one made", file, QCD_SECRET_LEN);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return wrong(error, "%s can be read by others than its owner; remove it to have a new one made", file);
	if (read(fd, out->b, QCD_SECRET_LEN) != QCD_SECRET_LEN)
		return wrong(error, "%s cannot be read", file);
	out->n = QCD_SECRET_LEN;
	return IKE_OK;
}

enum ike_err qcd_secret_read(const char *file, const struct rng *rng, struct secret *out, char error[QCD_SECRET_ERROR_MAX])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum ike_err err;

	*out = (struct secret){ 0 };
	if (fd < 0 && errno == ENOENT)
		err = make(file, rng, out, error);
	else if (fd < 0)
		err = wrong(error, "%s: %s", file, strerror(errno));
	else
		err = take(fd, file, out, error);
	if (fd >= 0)
		close(fd);
	if (err != IKE_OK)
		secret_clear(out);
	return err;
}
