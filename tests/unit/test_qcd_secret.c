/* qcd_secret.c: the file that outlives oe-iked. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/qcd_secret.h"

static char folder[] = "/tmp/oe-qcd-XXXXXX", file[64];
static uint8_t next_byte;

static void fill(void *arg, void *to, size_t n)
{
	(void)arg;
	memset(to, ++next_byte, n);
}

static const struct rng rng = { .fill = fill };

static int make_folder(void **state)
{
	(void)state;
	memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
	snprintf(file, sizeof file, "%s/secret", mkdtemp(folder));
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(file);
	return rmdir(folder);
}

static void assert_wrong(const char *words)
{
	char error[QCD_SECRET_ERROR_MAX];
	struct secret s;

	assert_int_equal(qcd_secret_read(file, &rng, &s, error), IKE_E_CONFIG);
	assert_int_equal(s.n, 0);
	assert_non_null(strstr(error, words));
	assert_non_null(strstr(error, file));
}

static void it_is_made_once_and_read_again(void **state)
{
	char error[QCD_SECRET_ERROR_MAX];
	struct secret first, second;
	struct stat st;

	(void)state;
	assert_int_equal(qcd_secret_read(file, &rng, &first, error), IKE_OK);
	assert_int_equal(first.n, QCD_SECRET_LEN);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(qcd_secret_read(file, &rng, &second, error), IKE_OK);
	assert_true(secret_eq(secret_span(&first), secret_span(&second)));
}

static void what_others_can_read_is_refused(void **state)
{
	char error[QCD_SECRET_ERROR_MAX];
	struct secret s;

	(void)state;
	assert_int_equal(qcd_secret_read(file, &rng, &s, error), IKE_OK);
	assert_int_equal(chmod(file, 0640), 0);
	assert_wrong("can be read by others");
}

static void half_a_secret_is_refused(void **state)
{
	FILE *out;

	(void)state;
	out = fopen(file, "w");
	assert_non_null(out);
	assert_int_equal(fwrite("half", 1, 4, out), 4);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(file, 0600), 0);
	assert_wrong("is not a file of 32 bytes");
}

static void folder_that_is_not_there(void **state)
{
	char kept[sizeof file];

	(void)state;
	memcpy(kept, file, sizeof kept);
	snprintf(file, sizeof file, "%s/none/secret", folder);
	assert_wrong("No such file or directory");
	memcpy(file, kept, sizeof kept);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(it_is_made_once_and_read_again),
		IN_FOLDER(what_others_can_read_is_refused),
		IN_FOLDER(half_a_secret_is_refused),
		IN_FOLDER(folder_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
