/* vector.h - files of tests/vectors, and the test keys among them. */
#ifndef OE_TESTS_UNIT_VECTOR_H
#define OE_TESTS_UNIT_VECTOR_H

#include <stdio.h>

#include "tests/unit/unit.h"

#include "dnskey/ipseckey.h"
#include "dnskey/privkey.h"

/* The whole file with a NUL behind it; free() it. */
static inline char *vector_read(const char *name)
{
	char path[512], *text;
	FILE *file;
	long n;

	snprintf(path, sizeof path, "%s/%s", VECTORS, name);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("cannot open %s", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	n = ftell(file);
	assert_true(n >= 0);
	rewind(file);
	text = malloc((size_t)n + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)n, file), n);
	text[n] = '\0';
	fclose(file);
	return text;
}

static inline enum ike_err vector_load(const char *name, struct privkey **out, const char **why)
{
	char path[128], *pem;
	enum ike_err err;

	snprintf(path, sizeof path, "keys/%s.pem", name);
	pem = vector_read(path);
	err = privkey_from_pem(span_of(pem, strlen(pem)), out, why);
	free(pem);
	return err;
}

/* The private key keys/NAME.pem; privkey_free() it. */
static inline struct privkey *vector_key(const char *name)
{
	struct privkey *key;
	const char *why;

	assert_int_equal(vector_load(name, &key, &why), IKE_OK);
	return key;
}

/* The RDATA of its IPSECKEY record. */
static inline struct unit_bytes vector_rdata(const char *name)
{
	struct privkey *key = vector_key(name);
	struct unit_bytes out = { 0 };
	struct wr w = wr_over(out.b, sizeof out.b);

	assert_int_equal(privkey_to_ipseckey(key, &w), IKE_OK);
	out.n = w.n;
	privkey_free(key);
	return out;
}

#endif
