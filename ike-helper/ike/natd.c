#include "ike/natd.h"

#include <string.h>

#include "wire/payloads.h"

enum ike_err natd_hash(const uint8_t spi_i[8], const uint8_t spi_r[8], const struct ip_endpoint *e, uint8_t out[SHA1_LEN])
{
	const uint8_t port[2] = { (uint8_t)(e->port >> 8), (uint8_t)e->port };
	const struct span parts[] = {
		span_of(spi_i, IKE_SPI_LEN), span_of(spi_r, IKE_SPI_LEN), ip_bytes(&e->addr), span_of(port, sizeof port),
	};

	return nat_detection_hash(parts, sizeof parts / sizeof *parts, out);
}

enum ike_err natd_write(struct msg_wr *m, const uint8_t spi_i[8], const uint8_t spi_r[8], const struct ip_path *path)
{
	const struct span no_spi = { NULL, 0 };
	uint8_t source[SHA1_LEN], destination[SHA1_LEN];
	enum ike_err err = natd_hash(spi_i, spi_r, &path->local, source);

	if (!err)
		err = natd_hash(spi_i, spi_r, &path->remote, destination);
	if (err)
		return err;
	pl_notify_write(m, PROTO_NONE, no_spi, N_NAT_DETECTION_SOURCE_IP, span_of(source, sizeof source));
	pl_notify_write(m, PROTO_NONE, no_spi, N_NAT_DETECTION_DESTINATION_IP, span_of(destination, sizeof destination));
	return IKE_OK;
}

enum ike_err natd_check(const struct msg_chain *chain, const struct ike_hdr *hdr, const struct ip_path *path,
			struct natd *out)
{
	uint8_t local[SHA1_LEN], remote[SHA1_LEN];
	bool source_seen = false, source_matches = false, destination_seen = false, destination_matches = false;
	enum ike_err err = natd_hash(hdr->spi_i, hdr->spi_r, &path->local, local);

	*out = (struct natd){ 0 };
	if (!err)
		err = natd_hash(hdr->spi_i, hdr->spi_r, &path->remote, remote);
	if (err)
		return err;
	/* A sender with several addresses may send several source notifies: one that matches is enough. */
	for (unsigned i = 0; i < chain->n; i++) {
		struct pl_notify n;

		if (chain->payload[i].type != PL_NOTIFY || pl_notify_read(chain->payload[i].body, &n) != IKE_OK)
			continue;
		if (n.type == N_NAT_DETECTION_SOURCE_IP) {
			source_seen = true;
			source_matches |= span_equal(n.value, span_of(remote, sizeof remote));
		} else if (n.type == N_NAT_DETECTION_DESTINATION_IP) {
			destination_seen = true;
			memcpy(out->seen, n.value.p, n.value.n < sizeof out->seen ? n.value.n : sizeof out->seen);
			destination_matches |= span_equal(n.value, span_of(local, sizeof local));
		}
	}
	out->supported = source_seen && destination_seen;
	out->local_behind_nat = out->supported && !destination_matches;
	out->remote_behind_nat = out->supported && !source_matches;
	return IKE_OK;
}
