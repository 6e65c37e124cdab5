/* NAT detection. */
#include "tests/unit/walk.h"

#include "ike/natd.h"
#include "wire/payloads.h"

static struct ip_endpoint endpoint(const char *text, uint16_t port)
{
	struct ip_endpoint e = { .port = port };

	assert_int_equal(ip_from_text(text, &e.addr), IKE_OK);
	return e;
}

static const struct ike_hdr hdr = {
	.spi_i = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08 }, .major = 2, .exchange = EXCH_IKE_SA_INIT,
};

/* Computed with sha1sum over SPIi | SPIr | address | port. */
static void hash_is_sha1_of_spis_address_and_port(void **state)
{
	struct ip_endpoint v4 = endpoint("192.0.2.1", 500), v6 = endpoint("2001:db8::1", 4500);
	uint8_t out[SHA1_LEN];

	(void)state;
	assert_int_equal(natd_hash(hdr.spi_i, hdr.spi_r, &v4, out), IKE_OK);
	assert_span(span_of(out, sizeof out), "644b4575455bd6fcc1efe2be8162a9218e448e5f");
	assert_int_equal(natd_hash(hdr.spi_i, hdr.spi_r, &v6, out), IKE_OK);
	assert_span(span_of(out, sizeof out), "98c75483db80168697635aa7844504963e87de33");
}

static uint8_t buffer[512];

/* What the sender, who sees sent, writes; judged by the receiver, who sees seen. */
static struct natd judge(const struct ip_path *sent, const struct ip_path *seen)
{
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct msg_chain c;
	struct span out;
	uint8_t first;
	struct natd result;

	assert_int_equal(natd_write(&m, hdr.spi_i, hdr.spi_r, sent), IKE_OK);
	assert_int_equal(msg_end(&m, &first, &out), IKE_OK);
	assert_int_equal(msg_chain_read(first, out, &c), IKE_OK);
	assert_int_equal(c.n, 2);
	assert_int_equal(natd_check(&c, &hdr, seen, &result), IKE_OK);
	return result;
}

static void nat_is_found_at_the_end_where_it_is(void **state)
{
	struct ip_endpoint inner = endpoint("10.0.0.5", 500), outer = endpoint("192.0.2.1", 1024);
	struct ip_endpoint server = endpoint("198.51.100.2", 500), hidden = endpoint("172.16.0.1", 500);
	struct ip_path sent, seen;
	struct natd n;

	(void)state;
	sent = (struct ip_path){ .local = inner, .remote = server };
	seen = (struct ip_path){ .local = server, .remote = inner };
	n = judge(&sent, &seen);
	assert_true(n.supported);
	assert_false(n.local_behind_nat);
	assert_false(n.remote_behind_nat);

	seen.remote = outer;
	n = judge(&sent, &seen);
	assert_false(n.local_behind_nat);
	assert_true(n.remote_behind_nat);

	seen.remote = inner;
	seen.local = hidden;
	n = judge(&sent, &seen);
	assert_true(n.local_behind_nat);
	assert_false(n.remote_behind_nat);

	/* Only the port was changed. */
	seen.local = server;
	seen.remote.port = 501;
	n = judge(&sent, &seen);
	assert_true(n.remote_behind_nat);
}

static void other_spis_match_nothing(void **state)
{
	struct ip_path path = { .local = endpoint("10.0.0.5", 500), .remote = endpoint("198.51.100.2", 500) };
	struct ike_hdr other = hdr;
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct msg_chain c;
	struct span out;
	struct natd n;

	(void)state;
	other.spi_r[7] = 1;
	assert_int_equal(natd_write(&m, hdr.spi_i, hdr.spi_r, &path), IKE_OK);
	assert_int_equal(msg_end(&m, NULL, &out), IKE_OK);
	assert_int_equal(msg_chain_read(PL_NOTIFY, out, &c), IKE_OK);
	assert_int_equal(natd_check(&c, &other, &(struct ip_path){ path.remote, path.local }, &n), IKE_OK);
	assert_true(n.supported);
	assert_true(n.local_behind_nat);
	assert_true(n.remote_behind_nat);
}

static struct natd judge_notifies(const uint16_t *types, const uint8_t (*hashes)[SHA1_LEN], unsigned n, size_t hash_len)
{
	struct ip_path path = { .local = endpoint("198.51.100.2", 500), .remote = endpoint("192.0.2.1", 500) };
	struct msg_wr m = msg_begin_inner(buffer, sizeof buffer);
	struct msg_chain c;
	struct span out;
	struct natd result;
	uint8_t first;

	for (unsigned i = 0; i < n; i++)
		pl_notify_write(&m, PROTO_NONE, (struct span){ NULL, 0 }, types[i], span_of(hashes[i], hash_len));
	assert_int_equal(msg_end(&m, &first, &out), IKE_OK);
	assert_int_equal(msg_chain_read(first, out, &c), IKE_OK);
	assert_int_equal(natd_check(&c, &hdr, &path, &result), IKE_OK);
	return result;
}

static void several_sources_and_missing_notifies(void **state)
{
	struct ip_endpoint us = endpoint("198.51.100.2", 500), peer = endpoint("192.0.2.1", 500);
	const uint16_t types[] = { N_NAT_DETECTION_SOURCE_IP, N_NAT_DETECTION_SOURCE_IP, N_NAT_DETECTION_DESTINATION_IP };
	uint8_t hashes[3][SHA1_LEN] = { { 0 } };
	struct natd n;

	(void)state;
	assert_int_equal(natd_hash(hdr.spi_i, hdr.spi_r, &peer, hashes[1]), IKE_OK);
	assert_int_equal(natd_hash(hdr.spi_i, hdr.spi_r, &us, hashes[2]), IKE_OK);
	/* The second of two source addresses is the one used. */
	n = judge_notifies(types, hashes, 3, SHA1_LEN);
	assert_true(n.supported);
	assert_false(n.remote_behind_nat);
	assert_false(n.local_behind_nat);
	/* Or the first. */
	memcpy(hashes[0], hashes[1], SHA1_LEN);
	memset(hashes[1], 0, SHA1_LEN);
	n = judge_notifies(types, hashes, 3, SHA1_LEN);
	assert_false(n.remote_behind_nat);
	/* No destination: the peer does not do NAT traversal. */
	n = judge_notifies(types, hashes, 2, SHA1_LEN);
	assert_false(n.supported);
	assert_false(n.local_behind_nat);
	n = judge_notifies(types, hashes, 0, SHA1_LEN);
	assert_false(n.supported);
	/* Cut hashes match nothing. */
	n = judge_notifies(types, hashes, 3, SHA1_LEN - 1);
	assert_true(n.supported);
	assert_true(n.local_behind_nat);
	assert_true(n.remote_behind_nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_is_sha1_of_spis_address_and_port),
		cmocka_unit_test(nat_is_found_at_the_end_where_it_is),
		cmocka_unit_test(other_spis_match_nothing),
		cmocka_unit_test(several_sources_and_missing_notifies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
