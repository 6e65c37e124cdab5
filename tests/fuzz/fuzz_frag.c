/* A sequence of fragments, against a slow model: an array of what came, joined at the end.
 *
 * Each step of the input: number, total, next payload, length in units of 64 bytes.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "ike/frag.h"

struct model {
	unsigned total;
	size_t bytes;
	bool here[FRAG_MAX + 1];
	uint8_t fill[FRAG_MAX + 1];
	size_t n[FRAG_MAX + 1];
	uint8_t first;
};

static bool model_wants(const struct model *m, unsigned number, unsigned total)
{
	return number >= 1 && number <= total && total <= FRAG_MAX && total >= m->total &&
	       (total > m->total || !m->here[number]);
}

static bool model_complete(const struct model *m)
{
	for (unsigned i = 1; i <= m->total; i++)
		if (!m->here[i])
			return false;
	return true;
}

static void check_whole(const struct model *m, const struct frag_message *whole)
{
	struct rd r = rd_over(whole->inner);

	FUZZ_CHECK(whole->complete && whole->inner.n == m->bytes && whole->inner.n <= FRAG_BYTES_MAX);
	FUZZ_CHECK(whole->first == m->first);
	for (unsigned i = 1; i <= m->total; i++)
		for (size_t k = 0; k < m->n[i]; k++)
			FUZZ_CHECK(rd_u8(&r) == m->fill[i]);
	FUZZ_CHECK(rd_done(&r));
}

static void step(struct frag_in *f, struct model *m, struct rd *r)
{
	static uint8_t plain[255 * 64];
	unsigned number = rd_u8(r), total = rd_u8(r);
	uint8_t next = rd_u8(r);
	size_t n = rd_u8(r) * 64u;
	bool wanted = model_wants(m, number, total);
	struct frag_message out;
	enum ike_err err;

	if (!rd_ok(r))
		return;
	memset(plain, next, n);
	FUZZ_CHECK(frag_wanted(f, (uint16_t)number, (uint16_t)total) == wanted);
	err = frag_add(f, (uint16_t)number, (uint16_t)total, next, span_of(plain, n), &out);
	if (!wanted) {
		FUZZ_CHECK(err == IKE_E_STATE && !out.complete);
		return;
	}
	if (total > m->total)
		*m = (struct model){ .total = total };
	if (m->bytes + n > FRAG_BYTES_MAX) {
		FUZZ_CHECK(err == IKE_E_LIMIT && !f->store);
		*m = (struct model){ 0 };
		return;
	}
	m->here[number] = true;
	m->fill[number] = next;
	m->n[number] = n;
	m->bytes += n;
	m->first = number == 1 ? next : m->first;
	FUZZ_CHECK(err == IKE_OK && out.complete == model_complete(m));
	if (out.complete)
		check_whole(m, &out);
}

/* The same bytes once more as a message to be cut. */
static void check_cut(struct span all)
{
	size_t chunk = all.n > 0 ? all.p[0] : 0;
	unsigned count = frag_count(all.n, chunk);
	size_t sum = 0;

	for (unsigned i = 1; i <= count; i++) {
		struct span piece = frag_piece(all, chunk, i);

		FUZZ_CHECK(piece.n <= chunk && (piece.n == chunk || i == count));
		FUZZ_CHECK(piece.n == 0 || piece.p == all.p + sum);
		sum += piece.n;
	}
	FUZZ_CHECK(count == 0 || sum == all.n);
	FUZZ_CHECK(count <= FRAG_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	struct rd r = rd_over(span_of(input, n));
	struct frag_in f = { 0 };
	struct model m = { 0 };

	while (rd_left(&r) > 0)
		step(&f, &m, &r);
	frag_clear(&f);
	check_cut(span_of(input, n));
	return 0;
}
