#include "dnskey/sigalg.h"

#include "dnskey/der.h"

struct oid {
	uint8_t n;
	uint8_t b[9];
};

static const struct oid oid_rsassa_pss = { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a } };
static const struct oid oid_mgf1 = { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08 } };

static const struct {
	enum ike_hash hash;
	struct oid oid;
} hashes[] = {
	{ HASH_SHA2_256, { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 } } },
	{ HASH_SHA2_384, { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 } } },
	{ HASH_SHA2_512, { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03 } } },
};

/* Algorithms whose OID says everything. RFC 4055 5: NULL parameters with RSA, which a reader lets be absent;
 * RFC 5758 3.2, RFC 8410 3: none with ECDSA and EdDSA. */
static const struct {
	enum sig_scheme scheme;
	enum ike_hash hash;
	struct oid oid;
} plain[] = {
	{ SIG_RSA_PKCS1, HASH_SHA2_256, { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b } } },
	{ SIG_RSA_PKCS1, HASH_SHA2_384, { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c } } },
	{ SIG_RSA_PKCS1, HASH_SHA2_512, { 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d } } },
	{ SIG_ECDSA, HASH_SHA2_256, { 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 } } },
	{ SIG_ECDSA, HASH_SHA2_384, { 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 } } },
	{ SIG_ECDSA, HASH_SHA2_512, { 8, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04 } } },
	{ SIG_ED25519, HASH_IDENTITY, { 3, { 0x2b, 0x65, 0x70 } } },
	{ SIG_ED448, HASH_IDENTITY, { 3, { 0x2b, 0x65, 0x71 } } },
};

enum { N_HASHES = sizeof hashes / sizeof hashes[0], N_PLAIN = sizeof plain / sizeof plain[0] };

static bool oid_is(struct span s, const struct oid *oid)
{
	return span_equal(s, span_of(oid->b, oid->n));
}

unsigned sigalg_hash_len(enum ike_hash hash)
{
	switch (hash) {
	case HASH_SHA2_256:
		return 32;
	case HASH_SHA2_384:
		return 48;
	case HASH_SHA2_512:
		return 64;
	case HASH_IDENTITY:
		break;
	}
	return 0;
}

static struct span take_oid(struct rd *r)
{
	struct rd oid = der_take(r, DER_OID);

	return rd_rest(&oid);
}

/* Parameters that are NULL or absent, and then nothing. */
static bool no_parameters(struct rd *r)
{
	if (der_next_is(r, DER_NULL)) {
		struct rd null = der_take(r, DER_NULL);

		return rd_done(&null) && rd_done(r);
	}
	return rd_done(r);
}

/* The AlgorithmIdentifier of a hash. */
static enum ike_err take_hash(struct rd *r, enum ike_hash *out)
{
	struct rd alg = der_take(r, DER_SEQUENCE);
	struct span oid = take_oid(&alg);

	if (!rd_ok(&alg) || !no_parameters(&alg))
		return IKE_E_SYNTAX;
	for (unsigned i = 0; i < N_HASHES; i++) {
		if (oid_is(oid, &hashes[i].oid)) {
			*out = hashes[i].hash;
			return IKE_OK;
		}
	}
	return IKE_E_UNSUPPORTED;
}

/* The same, with nothing behind it. */
static enum ike_err read_hash(struct rd *r, enum ike_hash *out)
{
	enum ike_err err = take_hash(r, out);

	return err == IKE_OK && !rd_done(r) ? IKE_E_SYNTAX : err;
}

static enum ike_err read_mgf(struct rd *r, enum ike_hash *out)
{
	struct rd alg = der_take(r, DER_SEQUENCE);
	struct span oid = take_oid(&alg);

	if (!rd_ok(&alg) || !rd_done(r))
		return IKE_E_SYNTAX;
	return oid_is(oid, &oid_mgf1) ? read_hash(&alg, out) : IKE_E_UNSUPPORTED;
}

static enum ike_err read_small(struct rd *r, unsigned *out)
{
	struct span s = der_take_unsigned(r);

	if (!rd_done(r))
		return IKE_E_SYNTAX;
	*out = s.n == 0 ? 0 : s.p[0];
	return s.n <= 1 ? IKE_OK : IKE_E_UNSUPPORTED;
}

/* RSASSA-PSS-params, RFC 4055 3.1. Each field may be absent, and then has a default; the default hash is SHA-1, so the
 * two hash fields must be there. A trailer of 1 is written by RFC 7427's own examples although it is the default. */
static enum ike_err read_pss(struct rd *r, struct sigalg *out)
{
	struct rd params = der_take(r, DER_SEQUENCE), field[4];
	bool present[4];
	enum ike_hash mgf_hash;
	unsigned trailer = 1;
	enum ike_err err = IKE_OK;

	for (unsigned i = 0; i < 4; i++) {
		present[i] = der_next_is(&params, (uint8_t)(DER_CONTEXT_0 + i));
		if (present[i])
			field[i] = der_take(&params, (uint8_t)(DER_CONTEXT_0 + i));
	}
	if (!rd_done(&params) || !rd_done(r))
		return IKE_E_SYNTAX;
	if (!present[0] || !present[1])
		return IKE_E_UNSUPPORTED;
	err = read_hash(&field[0], &out->hash);
	if (!err)
		err = read_mgf(&field[1], &mgf_hash);
	out->salt = 20;
	if (!err && present[2])
		err = read_small(&field[2], &out->salt);
	if (!err && present[3])
		err = read_small(&field[3], &trailer);
	if (!err && (mgf_hash != out->hash || out->salt > sigalg_hash_len(out->hash) || trailer != 1))
		err = IKE_E_UNSUPPORTED;
	out->scheme = SIG_RSA_PSS;
	return err;
}

static enum ike_err read_plain(struct span oid, struct rd *r, struct sigalg *out)
{
	for (unsigned i = 0; i < N_PLAIN; i++) {
		if (!oid_is(oid, &plain[i].oid))
			continue;
		out->scheme = plain[i].scheme;
		out->hash = plain[i].hash;
		if (out->scheme == SIG_RSA_PKCS1)
			return no_parameters(r) ? IKE_OK : IKE_E_SYNTAX;
		return rd_done(r) ? IKE_OK : IKE_E_SYNTAX;
	}
	return IKE_E_UNSUPPORTED;
}

enum ike_err sigalg_read(struct span der, struct sigalg *out)
{
	struct rd r = rd_over(der);
	struct rd alg = der_take(&r, DER_SEQUENCE);
	struct span oid = take_oid(&alg);
	enum ike_err err;

	memset(out, 0, sizeof *out);
	if (!rd_ok(&alg) || !rd_done(&r))
		return IKE_E_SYNTAX;
	err = oid_is(oid, &oid_rsassa_pss) ? read_pss(&alg, out) : read_plain(oid, &alg, out);
	if (err)
		memset(out, 0, sizeof *out);
	return err;
}

enum ike_err digest_info_read(struct span der, enum ike_hash *hash, struct span *digest)
{
	struct rd r = rd_over(der);
	struct rd info = der_take(&r, DER_SEQUENCE), octets;
	enum ike_err err;

	*digest = span_of(NULL, 0);
	err = take_hash(&info, hash);
	if (err)
		return err;
	octets = der_take(&info, DER_OCTET_STRING);
	if (!rd_done(&info) || !rd_done(&r))
		return IKE_E_SYNTAX;
	*digest = rd_rest(&octets);
	return IKE_OK;
}

/* Begin an element; its length, below 128, is known at the end. */
static size_t begin(struct wr *w, uint8_t tag)
{
	wr_u8(w, tag);
	wr_u8(w, 0);
	return w->n;
}

static void end(struct wr *w, size_t start)
{
	if (wr_ok(w))
		w->base[start - 1] = (uint8_t)(w->n - start);
}

static void write_oid(struct wr *w, const struct oid *oid)
{
	size_t at = begin(w, DER_OID);

	wr_bytes(w, oid->b, oid->n);
	end(w, at);
}

static void write_null(struct wr *w)
{
	end(w, begin(w, DER_NULL));
}

static void write_hash(struct wr *w, enum ike_hash hash)
{
	size_t at = begin(w, DER_SEQUENCE);

	for (unsigned i = 0; i < N_HASHES; i++) {
		if (hashes[i].hash == hash)
			write_oid(w, &hashes[i].oid);
	}
	write_null(w);
	end(w, at);
}

static void write_pss_params(struct wr *w, const struct sigalg *alg)
{
	size_t params = begin(w, DER_SEQUENCE), field, inner;

	field = begin(w, DER_CONTEXT_0);
	write_hash(w, alg->hash);
	end(w, field);
	field = begin(w, DER_CONTEXT_0 + 1);
	inner = begin(w, DER_SEQUENCE);
	write_oid(w, &oid_mgf1);
	write_hash(w, alg->hash);
	end(w, inner);
	end(w, field);
	field = begin(w, DER_CONTEXT_0 + 2);
	inner = begin(w, DER_INTEGER);
	wr_u8(w, (uint8_t)alg->salt);
	end(w, inner);
	end(w, field);
	end(w, params);
}

void sigalg_write(struct wr *w, const struct sigalg *alg)
{
	size_t at = begin(w, DER_SEQUENCE);

	if (alg->scheme == SIG_RSA_PSS) {
		write_oid(w, &oid_rsassa_pss);
		write_pss_params(w, alg);
	}
	for (unsigned i = 0; i < N_PLAIN; i++) {
		if (plain[i].scheme == alg->scheme && plain[i].hash == alg->hash)
			write_oid(w, &plain[i].oid);
	}
	if (alg->scheme == SIG_RSA_PKCS1)
		write_null(w);
	end(w, at);
}
