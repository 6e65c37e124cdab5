/* The core against a peer that holds the keys of the exchange and says anything: the input is a script.
 *
 * First byte: bit 0: the peer starts, otherwise the core does and the peer is the host; bit 1: both can ML-KEM-768, of
 * which a double stands in. Then steps, see step(). Whatever the
 * peer does, the promises of tests/sim/world.c hold, everything comes to rest, and nothing is established unless the peer
 * gave a genuine AUTH.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tests/sim/kem_double.h"
#include "tests/sim/peer.h"
#include "tests/sim/world.h"

enum { STEPS_MAX = 32, PAYLOADS_MAX = 12, REST_MS = 3600 * 1000 };

struct play {
	struct sim_world w;
	struct sim_peer p;
	enum sim_side core;
	ike_handle sa;
	bool proved;                    /* the peer has sent its genuine AUTH */
	struct peer_message request;    /* the core's last IKE_SA_INIT request */
	bool has_public;
	uint8_t public_value[KEM_PUBLIC_LEN];   /* the core's, when it has_public */
	struct kem_key *kem_key;        /* the peer's, when it has sent its public key */
	struct secret shared;           /* of the ciphertext that the peer is about to send */
};

static enum sim_side peer_side(const struct play *x)
{
	return x->core == CLIENT ? SERVER : CLIENT;
}

/* The core's half of the additional key exchange. */
static void take_ke(struct play *x, struct span datagram)
{
	static struct peer_message text;
	const struct msg_payload *payload;
	struct secret shared = { 0 };
	struct msg_chain chain;
	struct pl_ke ke;

	if (!peer_open(&x->p, datagram, &text, &chain))
		return;
	payload = msg_find(&chain, PL_KE);
	if (chain.n != 1 || !payload || pl_ke_read(payload->body, &ke) != IKE_OK)
		return;
	peer_covers(&x->p, x->core == SERVER, PL_KE, span_of(payload->body.p - 4, payload->body.n + 4));
	if (x->core == CLIENT) {
		FUZZ_CHECK(ke.public_value.n == KEM_PUBLIC_LEN);
		memcpy(x->public_value, ke.public_value.p, KEM_PUBLIC_LEN);
		x->has_public = true;
	} else {
		FUZZ_CHECK(x->kem_key && kem_double.decapsulate(x->kem_key, ke.public_value, &shared) == IKE_OK);
		peer_more_keys(&x->p, &shared);
	}
}

/* Take what the core sent; keep its IKE_SA_INIT request. */
static void drain(struct play *x)
{
	struct sim_datagram *d;
	struct ike_hdr hdr;

	while ((d = sim_take(&x->w))) {
		if (ike_hdr_read(span_of(d->b, d->n), &hdr) == IKE_OK && hdr.exchange == EXCH_IKE_INTERMEDIATE)
			take_ke(x, span_of(d->b, d->n));
		if (ike_hdr_read(span_of(d->b, d->n), &hdr) == IKE_OK && hdr.exchange == EXCH_IKE_SA_INIT &&
		    !(hdr.flags & IKE_FLAG_RESPONSE) && d->n <= sizeof x->request.b) {
			memcpy(x->request.b, d->b, d->n);
			x->request.n = d->n;
		}
		free(d);
	}
}

static void inject(struct play *x, struct span bytes)
{
	drain(x);
	sim_inject(&x->w, peer_side(x), 500, bytes);
	drain(x);
}

/* Does the request have a key exchange that the peer can do? */
static bool is_answerable(struct span request)
{
	const struct msg_payload *payload;
	struct msg_chain c;
	struct ike_hdr hdr;
	struct pl_ke ke;

	FUZZ_CHECK(ike_hdr_read(request, &hdr) == IKE_OK);
	FUZZ_CHECK(msg_chain_read(hdr.next_payload, span_of(request.p + IKE_HDR_LEN, request.n - IKE_HDR_LEN), &c) == IKE_OK);
	payload = msg_find(&c, PL_KE);
	FUZZ_CHECK(payload && pl_ke_read(payload->body, &ke) == IKE_OK);
	return ke.group == GROUP_X25519;
}

static const struct ike_config hybrid_config = { .kem = &kem_double, .fragment_max = 4000 };

static void begin_as_host(struct play *x, bool hybrid)
{
	static const enum sim_key key = KEY_ED25519;

	sim_init(&x->w, 1, IP_V4, hybrid ? &hybrid_config : NULL, NULL, key, false);
	sim_remove_host(&x->w, SERVER);
	peer_start(&x->p, false, &x->w.rng);
	x->p.suite.addke1 = hybrid ? GROUP_MLKEM_768 : 0;
	x->sa = sim_initiate(&x->w, sim_keyset(&key, 1, &x->w.host[SERVER].addr), "www.example.org", 5000);
	drain(x);
	peer_answer_init(&x->p, peer_span(&x->request));
}

static void begin_as_client(struct play *x, bool hybrid)
{
	struct sim_datagram *answer;

	sim_init(&x->w, 1, IP_V4, NULL, hybrid ? &hybrid_config : NULL, KEY_ED25519, false);
	sim_remove_host(&x->w, CLIENT);
	peer_start(&x->p, true, &x->w.rng);
	x->p.suite.addke1 = hybrid ? GROUP_MLKEM_768 : 0;
	peer_init_request(&x->p, span_of(NULL, 0));
	sim_inject(&x->w, CLIENT, 500, peer_span(&x->p.init_own));
	answer = sim_take(&x->w);
	FUZZ_CHECK(answer);
	peer_take_init_answer(&x->p, span_of(answer->b, answer->n));
	free(answer);
}

/* Genuine payloads, so that the engine need not invent a signature. */
enum { GENUINE_AUTH = 0xf0, GENUINE_CHILD = 0xf1, GENUINE_KE = 0xf2 };

static void write_auth(struct play *x, struct msg_wr *m)
{
	static const uint8_t name[] = "www.example.org";

	x->proved = true;
	if (x->core == CLIENT) {
		pl_id_write(m, PL_IDR, ID_FQDN, span_of(name, sizeof name - 1));
		peer_write_auth_signed(&x->p, m, x->w.host[SERVER].key, ID_FQDN, span_of(name, sizeof name - 1));
	} else {
		pl_id_write(m, PL_IDI, ID_NULL, span_of(NULL, 0));
		peer_write_auth_null(&x->p, m, ID_NULL, span_of(NULL, 0));
	}
}

static void write_ke(struct play *x, struct msg_wr *m)
{
	uint8_t value[KEM_PUBLIC_LEN];
	size_t n = KEM_PUBLIC_LEN;

	if (x->core == SERVER) {
		kem_double.key_free(x->kem_key);
		FUZZ_CHECK(kem_double.key_new(&x->w.rng, value, &x->kem_key) == IKE_OK);
	} else if (x->has_public) {
		n = KEM_CIPHERTEXT_LEN;
		FUZZ_CHECK(kem_double.encapsulate(&x->w.rng, span_of(x->public_value, KEM_PUBLIC_LEN), value, &x->shared) ==
			   IKE_OK);
	} else {
		return;
	}
	pl_ke_write(m, GROUP_MLKEM_768, span_of(value, n));
}

/* Payloads of a protected message: type, length, body each; type 0 ends. */
static void write_payloads(struct play *x, struct rd *r, struct msg_wr *m)
{
	uint8_t type;

	for (unsigned i = 0; i < PAYLOADS_MAX && (type = rd_u8(r)) != PL_NONE; i++) {
		if (type == GENUINE_AUTH) {
			write_auth(x, m);
		} else if (type == GENUINE_CHILD) {
			peer_write_notify(m, N_USE_TRANSPORT_MODE);
			peer_write_child(m, 0xc0ffee01, &x->w.host[CLIENT].addr, &x->w.host[SERVER].addr);
		} else if (type == GENUINE_KE) {
			write_ke(x, m);
		} else {
			struct span body = rd_bytes(r, rd_u8(r));

			if (type == PL_SK || type == PL_SKF)    /* nothing may follow these; fragments can hold them */
				continue;
			msg_payload_begin(m, (enum ike_payload_type)type);
			wr_put(&m->w, body);
			msg_payload_end(m);
		}
	}
}

static void say_protected(struct play *x, struct rd *r, bool fragment)
{
	static struct peer_message out;
	uint8_t exchange = rd_u8(r), id = rd_u8(r);
	bool response = rd_u8(r) & 1;

	if (fragment) {
		uint8_t first = rd_u8(r), number = rd_u8(r), total = rd_u8(r);
		struct span part = rd_bytes(r, rd_u8(r));

		if (total == 0)                 /* would be SK, whose chain is written above */
			return;
		peer_seal_fragment(&x->p, exchange, id, response, first, part, number, total, &out);
	} else {
		struct msg_wr m = peer_inner();

		write_payloads(x, r, &m);
		if (!wr_ok(&m.w))               /* more than a message holds */
			return;
		peer_seal(&x->p, exchange, id, response, &m, &out);
		if (exchange == EXCH_IKE_INTERMEDIATE && id == 1)
			peer_covers(&x->p, response, m.first, wr_span(&m.w));
		if (x->shared.n > 0)
			peer_more_keys(&x->p, &x->shared);
		secret_clear(&x->shared);
	}
	inject(x, peer_span(&out));
}

/* With the right SPIs, or as the start of another IKE SA, and nothing else right about it. */
static void say_unprotected(struct play *x, struct rd *r)
{
	static const uint8_t no_spi[IKE_SPI_LEN];
	static uint8_t buffer[512];
	struct wr w = wr_over(buffer, sizeof buffer);
	bool anew = rd_u8(r) & 1;
	struct span body;
	size_t length_at;

	wr_bytes(&w, x->p.spi_i, IKE_SPI_LEN);
	wr_bytes(&w, anew ? no_spi : x->p.spi_r, IKE_SPI_LEN);
	wr_u8(&w, rd_u8(r));            /* next payload */
	wr_u8(&w, rd_u8(r));            /* version */
	wr_u8(&w, rd_u8(r));            /* exchange */
	wr_u8(&w, rd_u8(r));            /* flags */
	wr_u32(&w, rd_u8(r));
	length_at = w.n;
	wr_u32(&w, 0);
	body = rd_bytes(r, rd_u8(r));
	wr_put(&w, body);
	wr_patch_u32(&w, length_at, (uint32_t)w.n);
	inject(x, wr_span(&w));
}

static ike_handle handle(const struct play *x)
{
	const struct sim_host *core = &x->w.host[x->core];

	return core->n_ends > 0 ? core->ends[0].sa : x->sa;
}

static void close_sa(struct play *x)
{
	enum ike_err err = ike_close(x->w.host[x->core].ike, handle(x), REASON_SHUTDOWN, x->w.now_ms);

	FUZZ_CHECK(err == IKE_OK || err == IKE_E_STATE);
	sim_pump(&x->w);
}

static void step(struct play *x, struct rd *r)
{
	struct sim_host *core = &x->w.host[x->core];
	enum ike_err err;
	uint8_t how;

	switch (rd_u8(r) & 7) {
	case 0:
		if (x->core == CLIENT && is_answerable(peer_span(&x->request))) {
			peer_answer_init(&x->p, peer_span(&x->request));
			inject(x, peer_span(&x->p.init_own));
		}
		break;
	case 1:
		say_unprotected(x, r);
		break;
	case 2:
		say_protected(x, r, true);
		break;
	case 3:
		sim_run_until(&x->w, x->w.now_ms + rd_u16(r));
		drain(x);
		break;
	case 4:
		err = ike_check_liveness(core->ike, handle(x), x->w.now_ms);
		FUZZ_CHECK(err == IKE_OK || err == IKE_E_STATE);
		sim_pump(&x->w);
		break;
	case 5:
		close_sa(x);
		break;
	case 6:
		how = rd_u8(r);
		core->kernel_fails = how & 1;
		core->sign_fails = how & 2;
		core->refuses = how & 4 ? REASON_KEY_CONFLICT : REASON_NONE;
		core->decides_after_ms = (how >> 3) * 10u;
		break;
	default:
		say_protected(x, r, false);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	static struct play x;
	struct rd r = rd_over(span_of(input, n));
	uint8_t how;

	memset(&x, 0, sizeof x);
	how = rd_u8(&r);
	x.core = how & 1 ? SERVER : CLIENT;
	if (x.core == CLIENT)
		begin_as_host(&x, how & 2);
	else
		begin_as_client(&x, how & 2);
	for (unsigned i = 0; i < STEPS_MAX && rd_left(&r) > 0; i++)
		step(&x, &r);
	/* The peer falls silent. */
	drain(&x);
	close_sa(&x);
	sim_run_until(&x.w, x.w.now_ms + REST_MS);
	for (unsigned i = 0; i < x.w.host[x.core].n_ends; i++)
		FUZZ_CHECK(x.w.host[x.core].ends[i].ups == 0 || x.proved);
	sim_check_rest(&x.w);
	if (x.w.broken[0] != '\0')
		fprintf(stderr, "broken: %s\n", x.w.broken);
	FUZZ_CHECK(x.w.broken[0] == '\0');
	kem_double.key_free(x.kem_key);
	peer_clear(&x.p);
	sim_clear(&x.w);
	return 0;
}
