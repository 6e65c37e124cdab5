/* replay.c - main() of a fuzz target without a fuzz engine: runs it over files, those of its corpus in `make check`.
 *
 *	fuzz_NAME [FILE | DIRECTORY]...     default: $srcdir/tests/fuzz/corpus/NAME
 *
 * A file that makes the target misbehave ends the process with a signal, after its name was printed. An empty corpus is an
 * error: it would be a test that cannot fail.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

enum { PATH_TEXT_MAX = 4096, INPUT_MAX = 1 << 20 };

static unsigned files_run;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *input;
	size_t n;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	input = malloc(INPUT_MAX);
	if (!input) {
		fclose(f);
		return 1;
	}
	n = fread(input, 1, INPUT_MAX, f);
	fclose(f);
	printf("%s\n", path);
	fflush(stdout);                 /* so that the last name printed is the guilty one */
	/* A block of exactly n bytes: a read past it is seen. */
	input = realloc(input, n > 0 ? n : 1);
	if (!input)
		return 1;
	LLVMFuzzerTestOneInput(input, n);
	free(input);
	files_run++;
	return 0;
}

static int run_path(const char *path)
{
	char name[PATH_TEXT_MAX];
	struct dirent *entry;
	DIR *dir = opendir(path);
	int failed = 0;

	if (!dir)
		return run_file(path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		failed |= run_file(name);
	}
	closedir(dir);
	return failed;
}

int main(int argc, char **argv)
{
	const char *program = strrchr(argv[0], '/');
	const char *srcdir = getenv("srcdir");
	char corpus[PATH_TEXT_MAX];
	int i, failed = 0;

	program = program ? program + 1 : argv[0];
	if (strncmp(program, "fuzz_", 5) == 0)
		program += 5;
	snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", program);
	if (argc < 2)
		failed = run_path(corpus);
	for (i = 1; i < argc; i++)
		failed |= run_path(argv[i]);
	if (files_run == 0) {
		fprintf(stderr, "%s: no input\n", argv[0]);
		failed = 1;
	}
	return failed;
}
