/* cursor.h - the one bounded reader and the one bounded writer.
 *
 * The first short read or full write sticks: later calls yield zero or do nothing, and the caller asks once,
 * at the end, with rd_ok() or wr_ok(). Nothing here allocates, nothing owns what it points to. All integers on
 * the wire are big-endian. There is no other place in this project that indexes a stranger's bytes.
 */
#ifndef OE_BASE_CURSOR_H
#define OE_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view of n bytes that somebody else owns. {NULL, 0} is the empty view. */
struct span {
	const uint8_t *p;
	size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){ .p = p, .n = n };
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Reader ------------------------------------------------------------------------------------------------ */

struct rd {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static inline struct rd rd_over(struct span s)
{
	return (struct rd){ .p = s.p, .left = s.n, .bad = false };
}

/* Everything asked for so far was there. */
static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

/* Everything was there and nothing is left over. */
static inline bool rd_done(const struct rd *r)
{
	return !r->bad && r->left == 0;
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : r->left;
}

/* n bytes as a view into the input; the empty view when they are not there. */
static inline struct span rd_bytes(struct rd *r, size_t n)
{
	struct span s = { NULL, 0 };

	if (r->bad || n > r->left) {
		r->bad = true;
		return s;
	}
	s = span_of(r->p, n);
	if (n > 0) {
		r->p += n;
		r->left -= n;
	}
	return s;
}

static inline struct span rd_rest(struct rd *r)
{
	return rd_bytes(r, rd_left(r));
}

static inline void rd_copy(struct rd *r, void *to, size_t n)
{
	struct span s = rd_bytes(r, n);

	if (s.n > 0)
		memcpy(to, s.p, n);
	else if (n > 0)
		memset(to, 0, n);
}

static inline uint8_t rd_u8(struct rd *r)
{
	struct span s = rd_bytes(r, 1);

	return s.n > 0 ? s.p[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	struct span s = rd_bytes(r, 2);

	return s.n > 0 ? (uint16_t)((unsigned)s.p[0] << 8 | s.p[1]) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
	struct span s = rd_bytes(r, 4);

	return s.n > 0 ? (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 | s.p[3] : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);

	return high << 32 | rd_u32(r);
}

/* A reader over the next n bytes; the outer one moves past them. Bad when the outer one is. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	struct rd sub = rd_over(rd_bytes(r, n));

	sub.bad = r->bad;
	return sub;
}

/* Writer ------------------------------------------------------------------------------------------------ */

struct wr {
	uint8_t *base;
	size_t n;       /* bytes written */
	size_t max;     /* bytes available */
	bool bad;
};

static inline struct wr wr_over(void *base, size_t max)
{
	return (struct wr){ .base = base, .n = 0, .max = max, .bad = false };
}

static inline bool wr_ok(const struct wr *w)
{
	return !w->bad;
}

static inline struct span wr_span(const struct wr *w)
{
	return span_of(w->base, w->bad ? 0 : w->n);
}

/* Room for n bytes, zeroed, to be filled by the caller; NULL when full (and then the writer is bad). The
 * pointer is good as long as the buffer is: the buffer never moves. */
static inline uint8_t *wr_reserve(struct wr *w, size_t n)
{
	uint8_t *at;

	if (w->bad || n > w->max - w->n) {
		w->bad = true;
		return NULL;
	}
	at = w->base + w->n;
	if (n > 0)
		memset(at, 0, n);
	w->n += n;
	return at;
}

static inline void wr_bytes(struct wr *w, const void *from, size_t n)
{
	uint8_t *at = wr_reserve(w, n);

	if (at && n > 0)
		memcpy(at, from, n);
}

static inline void wr_put(struct wr *w, struct span s)
{
	wr_bytes(w, s.p, s.n);
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_bytes(w, &v, 1);
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	wr_bytes(w, b, sizeof b);
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	wr_bytes(w, b, sizeof b);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

/* Overwrite two or four bytes written earlier, for lengths known only at the end. Out of range makes the writer bad. */
static inline void wr_patch_u16(struct wr *w, size_t at, uint16_t v)
{
	if (w->bad || w->n < 2 || at > w->n - 2) {
		w->bad = true;
		return;
	}
	w->base[at] = (uint8_t)(v >> 8);
	w->base[at + 1] = (uint8_t)v;
}

static inline void wr_patch_u32(struct wr *w, size_t at, uint32_t v)
{
	wr_patch_u16(w, at, (uint16_t)(v >> 16));
	wr_patch_u16(w, at + 2, (uint16_t)v);
}

#endif
