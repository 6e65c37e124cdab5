/* Messages between the module and the daemon, as docs/protocol.md has them. */
#include "tests/unit/resolver_examples.h"

#include <stdio.h>

/* Helpers ------------------------------------------------------------------------------------------------------ */

static enum ike_err read_only(struct span s)
{
	struct rp_message m;

	return rp_read(s, &m);
}

static enum ike_err read_hex(const char *hex, struct rp_message *out)
{
	const struct unit_bytes in = unit_hex(hex);

	return rp_read(unit_span(&in), out);
}

static void assert_malformed(const char *hex)
{
	struct rp_message m;

	if (read_hex(hex, &m) != IKE_E_SYNTAX)
		fail_msg("not refused: %s", hex);
}

static struct span write_message(const struct rp_message *m, uint8_t *to, size_t max)
{
	struct wr w = wr_over(to, max);

	assert_int_equal(rp_write(m, &w), IKE_OK);
	return wr_span(&w);
}

static enum ike_err write_only(const struct rp_message *m)
{
	static uint8_t buffer[RP_MESSAGE_MAX];
	struct wr w = wr_over(buffer, sizeof buffer);

	return rp_write(m, &w);
}

static void assert_same_address_results(const struct rp_verdict *a, const struct rp_verdict *b)
{
	unsigned i;

	assert_int_equal(a->n_addresses, b->n_addresses);
	for (i = 0; i < a->n_addresses; i++) {
		assert_int_equal(a->address[i].allowed, b->address[i].allowed);
		assert_int_equal(a->address[i].reason, b->address[i].reason);
	}
}

static void assert_same_gateways(const struct rp_establish *a, const struct rp_establish *b)
{
	assert_int_equal(a->n_gateways, b->n_gateways);
	for (unsigned i = 0; i < a->n_gateways; i++) {
		assert_int_equal(a->gateways[i].keys, b->gateways[i].keys);
		assert_int_equal(a->gateways[i].finding, b->gateways[i].finding);
		assert_int_equal(a->gateways[i].n_addresses, b->gateways[i].n_addresses);
		for (unsigned k = 0; k < a->gateways[i].n_addresses; k++)
			assert_true(ip_equal(&a->gateways[i].addresses[k], &b->gateways[i].addresses[k]));
	}
	assert_int_equal(a->n_reverse, b->n_reverse);
	for (unsigned i = 0; i < a->n_reverse; i++) {
		assert_int_equal(a->reverse[i].address, b->reverse[i].address);
		assert_int_equal(a->reverse[i].finding, b->reverse[i].finding);
		assert_int_equal(a->reverse[i].keys, b->reverse[i].keys);
	}
}

static void assert_same_message(const struct rp_message *a, const struct rp_message *b)
{
	unsigned i;

	assert_int_equal(a->type, b->type);
	assert_int_equal(a->id, b->id);
	switch (a->type) {
	case RP_HELLO:
		assert_int_equal(a->u.hello.version_min, b->u.hello.version_min);
		assert_int_equal(a->u.hello.version_max, b->u.hello.version_max);
		break;
	case RP_ESTABLISH:
		assert_true(dnsname_equal(&a->u.establish.owner, &b->u.establish.owner));
		assert_int_equal(a->u.establish.n_addresses, b->u.establish.n_addresses);
		for (i = 0; i < a->u.establish.n_addresses; i++)
			assert_true(ip_equal(&a->u.establish.addresses[i], &b->u.establish.addresses[i]));
		assert_int_equal(a->u.establish.n_keys, b->u.establish.n_keys);
		for (i = 0; i < a->u.establish.n_keys; i++)
			unit_assert_span(a->u.establish.keys[i], b->u.establish.keys[i]);
		assert_int_equal(a->u.establish.ttl_s, b->u.establish.ttl_s);
		assert_int_equal(a->u.establish.deadline_ms, b->u.establish.deadline_ms);
		assert_same_gateways(&a->u.establish, &b->u.establish);
		break;
	case RP_CANCEL:
		break;
	case RP_VERDICT:
		assert_int_equal(a->u.verdict.kind, b->u.verdict.kind);
		assert_int_equal(a->u.verdict.reason, b->u.verdict.reason);
		unit_assert_span(a->u.verdict.reason_text, b->u.verdict.reason_text);
		assert_int_equal(a->u.verdict.ttl_cap_s, b->u.verdict.ttl_cap_s);
		assert_same_address_results(&a->u.verdict, &b->u.verdict);
		break;
	case RP_DOWN:
		assert_true(dnsname_equal(&a->u.down.owner, &b->u.down.owner));
		assert_int_equal(a->u.down.reason, b->u.down.reason);
		assert_int_equal(a->u.down.tells_pause, b->u.down.tells_pause);
		assert_int_equal(a->u.down.pause_s, b->u.down.pause_s);
		assert_int_equal(a->u.down.tells_groups, b->u.down.tells_groups);
		assert_int_equal(a->u.down.groups_digest, b->u.down.groups_digest);
		break;
	}
}

/* docs/protocol.md --------------------------------------------------------------------------------------------- */

static FILE *open_document(void)
{
	const char *srcdir = getenv("srcdir");
	char path[1024];
	FILE *f;

	snprintf(path, sizeof path, "%s/docs/protocol.md", srcdir ? srcdir : ".");
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: cannot open", path);
	return f;
}

/* The bytes of the block that starts with "```hex NAME". */
static struct unit_bytes document_example(const char *name)
{
	FILE *f = open_document();
	char line[512], start[64], hex[4096] = "";
	bool inside = false;

	snprintf(start, sizeof start, "```hex %s\n", name);
	while (fgets(line, sizeof line, f)) {
		if (inside && strncmp(line, "```", 3) == 0)
			break;
		line[strcspn(line, inside ? "#" : "")] = '\0';
		if (inside)
			strncat(hex, line, sizeof hex - strlen(hex) - 1);
		inside = inside || strcmp(line, start) == 0;
	}
	fclose(f);
	if (!inside)
		fail_msg("no example %s", name);
	return unit_hex(hex);
}

static void documented_examples_are_what_we_write_and_read(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N_EXAMPLES; i++) {
		const struct unit_bytes want = document_example(examples[i].name);
		struct rp_message m = examples[i].make(), back;
		uint8_t buffer[1024];

		unit_assert_span(write_message(&m, buffer, sizeof buffer), unit_span(&want));
		assert_int_equal(rp_read(unit_span(&want), &back), IKE_OK);
		assert_same_message(&m, &back);
	}
}

static void documented_reasons_are_the_list(void **state)
{
	FILE *f = open_document();
	char line[512], row[512];
	bool inside = false;
	unsigned reason = 0;

	(void)state;
	while (fgets(line, sizeof line, f)) {
		unsigned number;

		inside = inside || strncmp(line, "<!-- reasons:", 13) == 0;
		if (!inside || sscanf(line, "| %u |", &number) != 1)
			continue;
		snprintf(row, sizeof row, "| %u | %s |\n", reason, rp_reason_text(reason));
		assert_string_equal(line, row);
		reason++;
	}
	fclose(f);
	assert_string_equal(rp_reason_text(reason - 1), "the operator's policy wants it protected, and it has no key");
	assert_string_equal(rp_reason_text(reason), "unknown reason");
	assert_string_equal(rp_reason_text(70000), "unknown reason");
}

static void words_are_the_symbols(void **state)
{
	static const struct { unsigned reason; const char *symbol; } list[] = {
#define SYMBOL(symbol, value, text) { value, #symbol },
		RP_REASONS(SYMBOL)
#undef SYMBOL
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof list / sizeof *list; i++) {
		const char *word = rp_reason_word(list[i].reason), *symbol = list[i].symbol + strlen("REASON_");

		assert_int_equal(strlen(word), strlen(symbol));
		for (; *word; word++, symbol++)
			assert_int_equal(*word, *symbol == '_' ? '-' : *symbol + ('a' - 'A'));
	}
	assert_string_equal(rp_reason_word(4711), "unknown");
}

/* Limits of the format ----------------------------------------------------------------------------------------- */

static void every_prefix_is_refused(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N_EXAMPLES; i++) {
		struct rp_message m = examples[i].make();
		uint8_t buffer[1024];

		/* A RESULT left out at the end makes an ALLOW without results, or a shorter list: both must be noticed. The
		 * REFUSE is the one message that is whole without its last TLVs. */
		if (strcmp(examples[i].name, "verdict-refuse") != 0 && strcmp(examples[i].name, "establish-gateway") != 0 &&
		    strcmp(examples[i].name, "pause") != 0 && strcmp(examples[i].name, "groups") != 0)
			unit_walk_prefixes(write_message(&m, buffer, sizeof buffer), read_only, NULL);
	}
}

static bool down_is_whole(size_t n)
{
	return n == 19;                 /* a DOWN of the root */
}

static void pause_and_groups_may_be_cut_off_only_whole(void **state)
{
	struct rp_message pause = example_pause(), groups = example_groups();
	uint8_t buffer[64];

	(void)state;
	unit_walk_prefixes(write_message(&pause, buffer, sizeof buffer), read_only, down_is_whole);
	unit_walk_prefixes(write_message(&groups, buffer, sizeof buffer), read_only, down_is_whole);
}

static bool refuse_is_whole(size_t n)
{
	return n == 27 || n == 33;      /* no RESULT; one */
}

static void refuse_may_end_before_its_results(void **state)
{
	struct rp_message m = example_refuse();
	uint8_t buffer[64];
	struct span whole = write_message(&m, buffer, sizeof buffer);

	(void)state;
	assert_int_equal(whole.n, 39);
	unit_walk_prefixes(whole, read_only, refuse_is_whole);
}

static bool gateways_may_be_left_out(size_t n)
{
	return n == 108 || n == 120;    /* neither; no REVERSE */
}

static void gateways_may_be_cut_off_only_whole(void **state)
{
	struct rp_message m = example_establish_gateway();
	uint8_t buffer[256];
	struct span whole = write_message(&m, buffer, sizeof buffer);

	(void)state;
	assert_int_equal(whole.n, 128);
	unit_walk_prefixes(whole, read_only, gateways_may_be_left_out);
}

/* One address, two keys. */
#define TWO_KEYS "01020000 00000001 0002 0001 00 0003 0004 c0000201 0004 0001 01 0004 0001 02 0005 0004 00000001 0006 0004 00000001 "

static void gateways_are_of_keys_and_addresses_that_are_there(void **state)
{
	static const char *const good[] = {
		"800b 0008 0003 01 04 c0000209", "800b 0003 0001 02 800b 0003 0002 06", "800c 0004 00 01 0000",
		"800b 0019 0001 01 04 c0000209 10 20010db8000000000000000000000009", "800c 0004 00 01 0003",
	};
	static const char *const bad[] = {
		"800b 0003 0000 02", "800b 0003 0004 02", "800b 0003 0001 00", "800b 0003 0001 07", "800b 0003 0001 01",
		"800b 0008 0001 02 04 c0000209", "800b 0007 0001 01 03 c00002", "800b 0007 0001 01 04 c00002",
		"800b 0009 0001 01 04 c0000209 04", "800b 0003 0001 02 800b 0003 0001 02", "800b 0002 0001",
		"800b 001c 0001 01 04 c0000201 04 c0000202 04 c0000203 04 c0000204 04 c0000205",
		"800c 0004 01 01 0000", "800c 0004 00 01 0004", "800c 0004 00 02 0001", "800c 0004 00 00 0000", "800c 0004 00 07 0000",
		"800c 0004 00 02 0000 800c 0004 00 02 0000", "800c 0003 00 01 00", "800c 0005 00 01 0000 00",
		"000b 0003 0001 02", "000c 0004 00 01 0000",
	};
	char hex[512];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct rp_message m;

		snprintf(hex, sizeof hex, TWO_KEYS "%s", good[i]);
		if (read_hex(hex, &m) != IKE_OK)
			fail_msg("refused: %s", good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(hex, sizeof hex, TWO_KEYS "%s", bad[i]);
		assert_malformed(hex);
	}
}

static void contradicting_gateways_are_not_written(void **state)
{
	struct rp_message m = example_establish_gateway();

	(void)state;
	m.u.establish.gateways[0].keys = 2;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_establish_gateway();
	m.u.establish.gateways[0].finding = RP_FOUND_BOGUS;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_establish_gateway();
	m.u.establish.reverse[0].address = 1;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_establish_gateway();
	m.u.establish.n_gateways = RP_GATEWAYS_MAX + 1;
	assert_int_equal(write_only(&m), IKE_E_NOSPACE);
}

static void one_byte_more_is_refused(void **state)
{
	size_t i, extra;

	(void)state;
	for (i = 0; i < N_EXAMPLES; i++) {
		struct rp_message m = examples[i].make();
		uint8_t buffer[1024] = { 0 };
		struct span s = write_message(&m, buffer, sizeof buffer - 4);

		for (extra = 1; extra <= 3; extra++)
			assert_int_equal(read_only(span_of(s.p, s.n + extra)), IKE_E_SYNTAX);
		/* four zeros are a TLV of type 0: unknown, not optional */
		if (m.type != RP_HELLO)
			assert_int_equal(read_only(span_of(s.p, s.n + 4)), IKE_E_SYNTAX);
	}
}

static void every_short_buffer_is_no_space(void **state)
{
	size_t i, max;

	(void)state;
	for (i = 0; i < N_EXAMPLES; i++) {
		struct rp_message m = examples[i].make();
		uint8_t buffer[1024];
		size_t whole = write_message(&m, buffer, sizeof buffer).n;

		for (max = 0; max < whole; max++) {
			struct wr w = wr_over(buffer, max);

			assert_int_equal(rp_write(&m, &w), IKE_E_NOSPACE);
		}
	}
}

static void unknown_tlv_is_skipped_only_with_the_high_bit(void **state)
{
	struct rp_message m;

	(void)state;
	assert_int_equal(read_hex("01030000 00000007 8000 0000", &m), IKE_OK);
	assert_int_equal(read_hex("01030000 00000007 ffff 0003 010203 ffff 0000", &m), IKE_OK);
	assert_int_equal(read_hex("01030000 00000007 8001 0002 0101", &m), IKE_OK);
	assert_malformed("01030000 00000007 0000 0000");
	assert_malformed("01030000 00000007 000b 0000");
	assert_malformed("01030000 00000007 7fff 0000");
	assert_malformed("01030000 00000007 ffff 0003 0102");
	assert_malformed("01030000 00000007 0005 0004 00000001");     /* TTL is known, but not here */
}

static void repeated_tlv_is_refused_unless_listed(void **state)
{
	(void)state;
	assert_malformed("01010000 00000000 0001 0002 0101 0001 0002 0101");
	assert_malformed("01050000 00000000 0002 0001 00 0008 0002 0019 0002 0001 00");
	assert_malformed("01050000 00000000 0002 0001 00 0008 0002 0019 0008 0002 0019");
	assert_malformed("01040000 00000007 0007 0001 03 0007 0001 03 0008 0002 0008 0005 0004 00000000");
	assert_malformed("01040000 00000007 0007 0001 03 0008 0002 0008 0005 0004 00000000 0009 0000 0009 0000");
}

static void each_tlv_has_its_exact_length(void **state)
{
	struct rp_message m;

	(void)state;
	assert_malformed("01010000 00000000 0001 0001 01");
	assert_malformed("01010000 00000000 0001 0003 010101");
	assert_int_equal(read_hex("01050000 00000000 0002 0001 00 0008 0002 0019", &m), IKE_OK);
	assert_malformed("01050000 00000000 0002 0002 0000 0008 0002 0019");
	assert_malformed("01050000 00000000 0002 0002 c00c 0008 0002 0019");
	assert_malformed("01050000 00000000 0002 0001 00 0008 0001 19");
	assert_malformed("01050000 00000000 0002 0001 00 0008 0003 001900");
	assert_malformed("01020000 00000001 0002 0001 00 0003 0005 c000020100 0004 0000 0005 0004 00000001 0006 0004 00000001");
	assert_malformed("01020000 00000001 0002 0001 00 0003 0000 0004 0000 0005 0004 00000001 0006 0004 00000001");
	assert_malformed("01040000 00000007 0007 0002 0300 0008 0002 0008 0005 0004 00000000");
	assert_malformed("01040000 00000007 0007 0001 03 0008 0002 0008 0005 0003 000000");
	assert_malformed("01040000 00000007 0007 0001 03 0008 0002 0008 0005 0004 00000000 000a 0001 08");
}

static void broken_key_record_is_not_this_layers_business(void **state)
{
	struct rp_message m;

	(void)state;
	assert_int_equal(read_hex("01020000 00000001 0002 0001 00 0003 0004 c0000201 0004 0000 0004 0001 ff"
				  "0005 0004 00000001 0006 0004 00000001", &m), IKE_OK);
	assert_int_equal(m.u.establish.n_keys, 2);
	assert_int_equal(m.u.establish.keys[0].n, 0);
	assert_int_equal(m.u.establish.keys[1].n, 1);
}

static void hello_can_be_read_in_every_version(void **state)
{
	struct rp_message m;

	(void)state;
	assert_int_equal(read_hex("02010000 00000000 0001 0002 0205 0042 0001 00 8042 0000", &m), IKE_OK);
	assert_int_equal(m.u.hello.version_min, 2);
	assert_int_equal(m.u.hello.version_max, 5);
	assert_int_equal(read_hex("00010000 00000000 0001 0002 0101", &m), IKE_OK);
	assert_int_equal(read_hex("02030000 00000007", &m), IKE_E_UNSUPPORTED);
	assert_int_equal(read_hex("00030000 00000007", &m), IKE_E_UNSUPPORTED);
	assert_malformed("01010000 00000000 0001 0002 0001");
	assert_malformed("01010000 00000000 0001 0002 0201");
	assert_malformed("01010000 00000000");
}

static void ids_and_types_are_checked(void **state)
{
	struct rp_message m;

	(void)state;
	assert_malformed("01010000 00000001 0001 0002 0101");
	assert_malformed("01050000 00000001 0002 0001 00 0008 0002 0019");
	assert_malformed("01000000 00000000");
	assert_malformed("01060000 00000000");
	assert_malformed("01ff0000 00000000");
	assert_malformed("");
	assert_int_equal(read_hex("0103abcd ffffffff", &m), IKE_OK);     /* reserved: ignored */
	assert_true(m.id == UINT32_MAX);
}

static void contradictory_verdict_is_refused(void **state)
{
	struct rp_message m;
	static const char *const wrong[] = {
		"00 0008 0002 0008",                                    /* no such kind */
		"04 0008 0002 0008",
		"01 0008 0002 0000",                                    /* ALLOW without an address */
		"01 0008 0002 0004 000a 0002 0004",                     /* ALLOW, all refused */
		"01 0008 0002 0004 000a 0002 0000",                     /* ALLOW, all allowed, yet a reason */
		"01 0008 0002 0000 000a 0002 0000 000a 0002 0004",      /* one refused, no reason */
		"02 0008 0002 0000 000a 0002 0000",                     /* CLEAR with an address */
		"02 0008 0002 0008",                                    /* CLEAR with a reason */
		"03 0008 0002 0000",                                    /* REFUSE without a reason */
		"03 0008 0002 0008 000a 0002 0000",                     /* REFUSE, one allowed */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char hex[256];

		snprintf(hex, sizeof hex, "01040000 00000007 0005 0004 0000012c 0007 0001 %s", wrong[i]);
		assert_malformed(hex);
	}
	assert_int_equal(read_hex("01040000 00000007 0005 0004 0000012c 0007 0001 02 0008 0002 0000", &m), IKE_OK);
	assert_int_equal(m.u.verdict.kind, RP_CLEAR);
}

static void reason_of_a_later_version_is_kept(void **state)
{
	struct rp_message m, back;
	uint8_t buffer[64];

	(void)state;
	assert_int_equal(read_hex("01040000 00000007 0007 0001 03 0008 0002 0fff 0005 0004 00000000 000a 0002 0ffe", &m), IKE_OK);
	assert_int_equal(m.u.verdict.reason, 0xfff);
	assert_false(m.u.verdict.address[0].allowed);
	assert_int_equal(rp_read(write_message(&m, buffer, sizeof buffer), &back), IKE_OK);
	assert_same_message(&m, &back);
}

static void writer_refuses_what_the_reader_would(void **state)
{
	struct rp_message m = example_hello();

	(void)state;
	m.u.hello.version_min = 2;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_hello();
	m.id = 1;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_establish();
	m.u.establish.n_addresses = 0;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_establish();
	m.u.establish.n_keys = 0;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_establish();
	m.u.establish.addresses[1].family = IP_NONE;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_establish();
	m.u.establish.owner.n = 0;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_allow();
	m.u.verdict.reason = REASON_NONE;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_refuse();
	m.u.verdict.address[0].allowed = true;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m = example_down();
	m.u.down.owner.n = 0;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
	m.type = (enum rp_type)9;
	assert_int_equal(write_only(&m), IKE_E_SYNTAX);
}

static void counts_end_at_their_limits(void **state)
{
	struct rp_message m = example_establish(), back;
	static uint8_t buffer[RP_MESSAGE_MAX];
	struct wr w = wr_over(buffer, sizeof buffer);
	struct wr more;
	unsigned i;

	(void)state;
	for (i = 0; i < RP_ADDRESSES_MAX; i++)
		m.u.establish.addresses[i] = m.u.establish.addresses[1];
	for (i = 0; i < RP_KEYS_MAX; i++)
		m.u.establish.keys[i] = m.u.establish.keys[0];
	m.u.establish.n_addresses = RP_ADDRESSES_MAX;
	m.u.establish.n_keys = RP_KEYS_MAX;
	assert_int_equal(rp_write(&m, &w), IKE_OK);
	assert_int_equal(rp_read(wr_span(&w), &back), IKE_OK);
	assert_same_message(&m, &back);

	more = w;
	wr_u32(&more, 0x00040000);              /* a 17th key */
	assert_int_equal(read_only(wr_span(&more)), IKE_E_SYNTAX);
	more = w;
	wr_u32(&more, 0x00030004);              /* a 33rd address */
	wr_u32(&more, 0xc0000201);
	assert_int_equal(read_only(wr_span(&more)), IKE_E_SYNTAX);

	m.u.establish.n_keys = RP_KEYS_MAX + 1;
	assert_int_equal(write_only(&m), IKE_E_NOSPACE);
	m.u.establish.n_keys = 1;
	m.u.establish.n_addresses = RP_ADDRESSES_MAX + 1;
	assert_int_equal(write_only(&m), IKE_E_NOSPACE);
	m = example_refuse();
	m.u.verdict.n_addresses = RP_ADDRESSES_MAX + 1;
	assert_int_equal(write_only(&m), IKE_E_NOSPACE);
}

static void message_ends_at_its_limit(void **state)
{
	struct rp_message m = example_establish();
	static uint8_t key[70000], buffer[80000];
	struct wr w = wr_over(buffer, sizeof buffer);
	size_t rest;

	(void)state;
	m.u.establish.keys[0] = span_of(key, 1);
	assert_int_equal(rp_write(&m, &w), IKE_OK);
	rest = RP_MESSAGE_MAX - w.n;

	m.u.establish.keys[0] = span_of(key, 1 + rest);
	w = wr_over(buffer, sizeof buffer);
	assert_int_equal(rp_write(&m, &w), IKE_OK);
	assert_int_equal(w.n, RP_MESSAGE_MAX);
	assert_int_equal(read_only(wr_span(&w)), IKE_OK);
	wr_u32(&w, 0x80000000);                 /* well-formed, but too long */
	assert_int_equal(read_only(wr_span(&w)), IKE_E_SYNTAX);

	m.u.establish.keys[0] = span_of(key, 2 + rest);
	w = wr_over(buffer, sizeof buffer);
	assert_int_equal(rp_write(&m, &w), IKE_E_NOSPACE);
	m.u.establish.keys[0] = span_of(key, sizeof key);       /* does not even fit a TLV */
	w = wr_over(buffer, sizeof buffer);
	assert_int_equal(rp_write(&m, &w), IKE_E_NOSPACE);
}

/* Reason text --------------------------------------------------------------------------------------------------- */

static void assert_text_written_as(struct span text, const char *want)
{
	struct rp_message m = example_refuse(), back;
	uint8_t buffer[1024];

	m.u.verdict.reason_text = text;
	assert_int_equal(rp_read(write_message(&m, buffer, sizeof buffer), &back), IKE_OK);
	unit_assert_span(back.u.verdict.reason_text, span_of(want, strlen(want)));
}

static void assert_text(const char *text, const char *want)
{
	assert_text_written_as(span_of(text, strlen(text)), want);
}

static void strangers_bytes_in_the_text_become_question_marks(void **state)
{
	(void)state;
	assert_text("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91");
	assert_text("\x1b[31mred\x7f\n", "?[31mred??");
	assert_text("\xc2\x9b" "31m", "??31m");                 /* C1: CSI in UTF-8 */
	assert_text("\xc2\xa0", "\xc2\xa0");
	assert_text("\xc0\x80", "??");                          /* overlong */
	assert_text("\xe0\x9f\xbf", "???");
	assert_text("\xf0\x8f\xbf\xbf", "????");
	assert_text("\xed\xa0\x80", "???");                     /* surrogate */
	assert_text("\xf4\x90\x80\x80", "????");                /* beyond U+10FFFF */
	assert_text("\xff\xfe\xf8", "???");
	assert_text("a\xc3", "a?");
	assert_text("a\xc3" "b", "a?b");
	assert_text_written_as(span_of("a\0b", 3), "a?b");
}

static void long_text_is_cut_at_a_character(void **state)
{
	char text[RP_REASON_TEXT_MAX + 2] = "", want[RP_REASON_TEXT_MAX + 1] = "";

	(void)state;
	memset(text, 'a', RP_REASON_TEXT_MAX + 1);
	memset(want, 'a', RP_REASON_TEXT_MAX);
	assert_text(text, want);

	memcpy(text + RP_REASON_TEXT_MAX - 1, "\xc3\xa9", 2);
	want[RP_REASON_TEXT_MAX - 1] = '\0';
	assert_text(text, want);
}

static void reader_refuses_unsafe_or_long_text(void **state)
{
	struct rp_message m = example_refuse();
	static const char *const wrong[] = { "\x1b", "\x7f", "\n", "\xc2\x80", "\xc0\xaf", "\xed\xa0\x80", "\xff", "\xe2\x82" };
	uint8_t buffer[1024];
	struct wr w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		w = wr_over(buffer, sizeof buffer);
		assert_int_equal(rp_write(&m, &w), IKE_OK);
		wr_u16(&w, 9);
		wr_u16(&w, (uint16_t)strlen(wrong[i]));
		wr_bytes(&w, wrong[i], strlen(wrong[i]));
		assert_int_equal(read_only(wr_span(&w)), IKE_E_SYNTAX);
	}
	for (i = RP_REASON_TEXT_MAX; i <= RP_REASON_TEXT_MAX + 1; i++) {
		w = wr_over(buffer, sizeof buffer);
		assert_int_equal(rp_write(&m, &w), IKE_OK);
		wr_u16(&w, 9);
		wr_u16(&w, (uint16_t)i);
		memset(wr_reserve(&w, i), 'a', i);
		assert_int_equal(read_only(wr_span(&w)), i > RP_REASON_TEXT_MAX ? IKE_E_SYNTAX : IKE_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_examples_are_what_we_write_and_read),
		cmocka_unit_test(documented_reasons_are_the_list),
		cmocka_unit_test(words_are_the_symbols),
		cmocka_unit_test(every_prefix_is_refused),
		cmocka_unit_test(pause_and_groups_may_be_cut_off_only_whole),
		cmocka_unit_test(refuse_may_end_before_its_results),
		cmocka_unit_test(gateways_may_be_cut_off_only_whole),
		cmocka_unit_test(gateways_are_of_keys_and_addresses_that_are_there),
		cmocka_unit_test(contradicting_gateways_are_not_written),
		cmocka_unit_test(one_byte_more_is_refused),
		cmocka_unit_test(every_short_buffer_is_no_space),
		cmocka_unit_test(unknown_tlv_is_skipped_only_with_the_high_bit),
		cmocka_unit_test(repeated_tlv_is_refused_unless_listed),
		cmocka_unit_test(each_tlv_has_its_exact_length),
		cmocka_unit_test(broken_key_record_is_not_this_layers_business),
		cmocka_unit_test(hello_can_be_read_in_every_version),
		cmocka_unit_test(ids_and_types_are_checked),
		cmocka_unit_test(contradictory_verdict_is_refused),
		cmocka_unit_test(reason_of_a_later_version_is_kept),
		cmocka_unit_test(writer_refuses_what_the_reader_would),
		cmocka_unit_test(counts_end_at_their_limits),
		cmocka_unit_test(message_ends_at_its_limit),
		cmocka_unit_test(strangers_bytes_in_the_text_become_question_marks),
		cmocka_unit_test(long_text_is_cut_at_a_character),
		cmocka_unit_test(reader_refuses_unsafe_or_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
