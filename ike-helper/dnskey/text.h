/* text.h - put text into a writer; private to dnskey/. */
#ifndef OE_DNSKEY_TEXT_H
#define OE_DNSKEY_TEXT_H

#include <string.h>

#include "base/cursor.h"

static inline void wr_text(struct wr *w, const char *text)
{
	wr_bytes(w, text, strlen(text));
}

static inline void wr_decimal(struct wr *w, unsigned v)
{
	if (v >= 10)
		wr_decimal(w, v / 10);
	wr_u8(w, (uint8_t)('0' + v % 10));
}

/* End the text with NUL; an empty one (when there is room for that) if it did not fit. */
static inline bool wr_text_end(struct wr *w)
{
	wr_u8(w, 0);
	if (!wr_ok(w) && w->max > 0)
		w->base[0] = 0;
	return wr_ok(w);
}

#endif
