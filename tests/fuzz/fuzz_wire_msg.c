/* A datagram: header, chain, every payload. A message that was read can be written again and then reads the same. */
#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/wire_payload.h"
#include "wire/payloads.h"

static uint8_t buffer[MSG_MAX + 1024];

static void check_chain(const struct ike_hdr *hdr, const struct msg_chain *c, struct span datagram)
{
	struct msg_wr m = msg_begin(buffer, sizeof buffer, hdr);
	struct msg_chain again;
	struct ike_hdr hdr_again;
	struct span out;
	uint8_t first;

	for (unsigned i = 0; i < c->n; i++) {
		const struct msg_payload *p = &c->payload[i];

		if (p->type == PL_SK) {
			FUZZ_CHECK(i + 1 == c->n);
			pl_sk_write(&m, c->after, p->body.n);
		} else {
			msg_payload_begin(&m, (enum ike_payload_type)p->type);
			wr_put(&m.w, p->body);
			msg_payload_end(&m);
		}
	}
	FUZZ_CHECK(msg_end(&m, &first, &out) == IKE_OK);
	FUZZ_CHECK(out.n == datagram.n && first == hdr->next_payload);
	FUZZ_CHECK(ike_hdr_read(out, &hdr_again) == IKE_OK);
	FUZZ_CHECK(hdr_again.next_payload == hdr->next_payload && hdr_again.message_id == hdr->message_id);
	FUZZ_CHECK(msg_chain_read(first, span_of(out.p + IKE_HDR_LEN, out.n - IKE_HDR_LEN), &again) == IKE_OK);
	FUZZ_CHECK(again.n == c->n);
	for (unsigned i = 0; i < c->n; i++) {
		FUZZ_CHECK(again.payload[i].type == c->payload[i].type);
		FUZZ_CHECK(again.payload[i].body.n == c->payload[i].body.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	struct span datagram = span_of(input, n);
	struct ike_hdr hdr;
	struct msg_chain c;
	struct pl_notify notify;

	if (n > MSG_MAX || ike_hdr_read(datagram, &hdr) != IKE_OK)
		return 0;
	FUZZ_CHECK(hdr.length == n && n >= IKE_HDR_LEN);
	if (msg_chain_read(hdr.next_payload, span_of(input + IKE_HDR_LEN, n - IKE_HDR_LEN), &c) != IKE_OK) {
		FUZZ_CHECK(c.n == 0);
		return 0;
	}
	FUZZ_CHECK(c.n <= MSG_PAYLOADS_MAX);
	for (unsigned i = 0; i < c.n; i++) {
		FUZZ_CHECK(msg_find(&c, c.payload[i].type) <= &c.payload[i]);
		FUZZ_CHECK(msg_count(&c, c.payload[i].type) >= 1);
		fuzz_wire_payload(c.payload[i].type, c.payload[i].body);
	}
	if (pl_notify_find(&c, N_COOKIE, &notify))
		FUZZ_CHECK(notify.type == N_COOKIE && msg_find(&c, PL_NOTIFY));
	check_chain(&hdr, &c, datagram);
	return 0;
}
