/* What a stranger sends to the IKE core, in each phase of an SA, outside and inside of SK.
 *
 * Input: a byte that says the phase, then records {length (2), control (1), bytes}. In the
 * phases without keys a record is a datagram. In those with keys it is the inside of a protected
 * message, sealed by a scripted peer that has the right keys: control says exchange, message ID,
 * direction, and whether it goes as a fragment.
 *
 * The promises of tests/sim/world.c must hold: one end for each attempt, nothing left in the
 * kernel after a failure, nothing left in the core when all time has passed.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/sim/peer.h"
#include "tests/sim/world.h"

enum phase {
	RESPONDER_FRESH, RESPONDER_COOKIE, INITIATOR_INIT_SENT,         /* datagrams */
	RESPONDER_INIT_ANSWERED, RESPONDER_UP, INITIATOR_AUTH_SENT, INITIATOR_UP,       /* sealed */
	PHASES,
};

enum { RECORDS_MAX = 16, INNER_MAX = 2048, FIRST_INNER = 1 };

static const char host[] = "host.example";

/* Made once: reading a key costs more than all the rest. */
static struct privkey *host_key;
static struct keyset *published;

/* Getting there -------------------------------------------------------------------------------- */

static struct sim_datagram *taken(struct sim_world *w)
{
	struct sim_datagram *d = sim_take(w);

	FUZZ_CHECK(d);
	return d;
}

static void seal_and_send(struct sim_world *w, struct sim_peer *p, uint8_t exchange, uint32_t id,
			  bool response, struct msg_wr *m)
{
	static struct peer_message message;

	peer_seal(p, exchange, id, response, m, &message);
	sim_inject(w, p->initiator ? CLIENT : SERVER, 500, peer_span(&message));
}

static void drop_wire(struct sim_world *w)
{
	struct sim_datagram *d;

	while ((d = sim_take(w)))
		free(d);
}

static void script_client(struct sim_world *w, struct sim_peer *p, bool up)
{
	struct sim_datagram *d;
	struct msg_wr m;

	sim_remove_host(w, CLIENT);
	peer_start(p, true, &w->rng);
	peer_init_request(p, span_of(NULL, 0));
	sim_inject(w, CLIENT, 500, peer_span(&p->init_own));
	d = taken(w);
	peer_take_init_answer(p, span_of(d->b, d->n));
	free(d);
	if (!up)
		return;
	m = peer_inner();
	pl_id_write(&m, PL_IDI, ID_NULL, span_of(NULL, 0));
	peer_write_auth_null(p, &m, ID_NULL, span_of(NULL, 0));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0xabcd1234, &w->host[CLIENT].addr, &w->host[SERVER].addr);
	seal_and_send(w, p, EXCH_IKE_AUTH, 1, false, &m);
	FUZZ_CHECK(w->host[SERVER].n_ends == 1 && w->host[SERVER].ends[0].ups == 1);
	drop_wire(w);
}

static void start_client(struct sim_world *w)
{
	static const enum sim_key key[] = { KEY_ED25519 };

	sim_remove_host(w, SERVER);
	if (!published)
		published = sim_keyset(key, 1, &w->host[SERVER].addr);
	(void)sim_initiate(w, keyset_ref(published), host, 2000);
}

static void script_server(struct sim_world *w, struct sim_peer *p, bool up)
{
	struct sim_datagram *d;
	struct msg_wr m;

	start_client(w);
	peer_start(p, false, &w->rng);
	d = taken(w);
	peer_answer_init(p, span_of(d->b, d->n));
	free(d);
	sim_inject(w, SERVER, 500, peer_span(&p->init_own));
	drop_wire(w);
	if (!up)
		return;
	m = peer_inner();
	pl_id_write(&m, PL_IDR, ID_FQDN, span_of(host, sizeof host - 1));
	peer_write_auth_signed(p, &m, w->host[SERVER].key, ID_FQDN, span_of(host, sizeof host - 1));
	peer_write_notify(&m, N_USE_TRANSPORT_MODE);
	peer_write_child(&m, 0x1234, &w->host[CLIENT].addr, &w->host[SERVER].addr);
	seal_and_send(w, p, EXCH_IKE_AUTH, 1, true, &m);
	FUZZ_CHECK(w->host[CLIENT].ends[0].ups == 1);
	drop_wire(w);
}

/* Records -------------------------------------------------------------------------------------- */

static void send_datagram(struct sim_world *w, enum phase phase, uint8_t control, struct span bytes)
{
	static uint8_t copy[UINT16_MAX];
	const struct sim_datagram *ours = w->wire;
	size_t n = bytes.n;

	memcpy(copy, bytes.p, n);
	/* The engine need not guess our SPI. */
	if (phase == INITIATOR_INIT_SENT && (control & 1) && ours && n >= IKE_SPI_LEN)
		memcpy(copy, ours->b, IKE_SPI_LEN);
	drop_wire(w);
	sim_inject(w, phase == INITIATOR_INIT_SENT ? SERVER : CLIENT, 500, span_of(copy, n));
}

static void send_sealed(struct sim_world *w, struct sim_peer *p, enum phase phase, uint8_t control,
			struct span bytes)
{
	static const uint8_t exchanges[] = { EXCH_IKE_AUTH, EXCH_INFORMATIONAL,
					     EXCH_CREATE_CHILD_SA, 99 };
	/* Message ID of the peer's next request, and of our own that is out, in this phase. */
	static const uint32_t next_request[PHASES] = {
		[RESPONDER_INIT_ANSWERED] = 1, [RESPONDER_UP] = 2
	};
	static const uint32_t answered[PHASES] = { [INITIATOR_AUTH_SENT] = 1, [INITIATOR_UP] = 2 };
	static struct peer_message message;
	uint8_t exchange = exchanges[control & 3];
	bool response = control & 4;
	uint32_t id = (response ? answered[phase] : next_request[phase]) + (control >> 3 & 3);
	struct span inner;

	if (bytes.n < FIRST_INNER || bytes.n > INNER_MAX)
		return;
	inner = span_of(bytes.p + FIRST_INNER, bytes.n - FIRST_INNER);
	/* total 0 is a whole message in SK. */
	if (control & 0x20)
		peer_seal_fragment(p, exchange, id, response, bytes.p[0], inner,
				   (uint16_t)(1 + (control >> 6)), 3, &message);
	else
		peer_seal_fragment(p, exchange, id, response, bytes.p[0], inner, 0, 0, &message);
	drop_wire(w);
	sim_inject(w, p->initiator ? CLIENT : SERVER, 500, peer_span(&message));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
	static struct sim_world w;
	struct ike_config config = { 0 };
	struct rd r = rd_over(span_of(input, n));
	enum phase phase = (enum phase)(rd_u8(&r) % PHASES);
	struct sim_peer p = { .initiator = false };
	unsigned i;

	config.always_cookie = phase == RESPONDER_COOKIE;
	sim_init(&w, 1, IP_V4, NULL, &config, KEY_MAX, false);
	if (!host_key)
		host_key = sim_privkey(KEY_ED25519);
	w.host[SERVER].key = host_key;
	if (phase == RESPONDER_FRESH || phase == RESPONDER_COOKIE)
		sim_remove_host(&w, CLIENT);
	else if (phase == INITIATOR_INIT_SENT)
		start_client(&w);
	else if (phase == RESPONDER_INIT_ANSWERED || phase == RESPONDER_UP)
		script_client(&w, &p, phase == RESPONDER_UP);
	else
		script_server(&w, &p, phase == INITIATOR_UP);
	if (phase == INITIATOR_UP &&
	    ike_check_liveness(w.host[CLIENT].ike, w.host[CLIENT].ends[0].sa, w.now_ms) == IKE_OK)
		sim_pump(&w);

	for (i = 0; i < RECORDS_MAX && rd_left(&r) > 3; i++) {
		uint16_t length = rd_u16(&r);
		uint8_t control = rd_u8(&r);
		struct span bytes = rd_bytes(&r, length < rd_left(&r) ? length : rd_left(&r));

		if (phase >= RESPONDER_INIT_ANSWERED)
			send_sealed(&w, &p, phase, control, bytes);
		else if (bytes.n > 0)
			send_datagram(&w, phase, control, bytes);
	}
	/* Time for everything that can end by itself to end. */
	drop_wire(&w);
	sim_run_until(&w, w.now_ms + 300000);
	sim_check_rest(&w);
	if (w.broken[0] != '\0')
		fprintf(stderr, "broken: %s\n", w.broken);
	FUZZ_CHECK(w.broken[0] == '\0');
	peer_clear(&p);
	w.host[SERVER].key = NULL;
	sim_clear(&w);
	return 0;
}
