#include "ike/choose.h"

#include <string.h>

enum { KE_NONE = 0, ESN_NO = 0, ESN_YES = 1, KEY_BITS_CHACHA20 = 256, ESP_SPI_LEN = 4, ESP_SPI_FIRST = 256 };

/* What we do, best first. key_bits as on the wire: ChaCha20 has no Key Length attribute (RFC 7634 2). */
struct algorithm {
	uint16_t id, key_bits;
};

static const struct algorithm aeads[] = {
	{ ENCR_AES_GCM_16, 256 }, { ENCR_AES_GCM_16, 128 }, { ENCR_CHACHA20_POLY1305, 0 },
};
static const struct algorithm cbcs[] = { { ENCR_AES_CBC, 256 } };
static const struct algorithm integs[] = { { INTEG_HMAC_SHA2_256_128, 0 } };
static const struct algorithm integ_none[] = { { INTEG_NONE, 0 } };
static const struct algorithm prfs[] = {
	{ PRF_HMAC_SHA2_256, 0 }, { PRF_HMAC_SHA2_384, 0 }, { PRF_HMAC_SHA2_512, 0 },
};
static const struct algorithm groups[] = {
	{ GROUP_X25519, 0 }, { GROUP_ECP_256, 0 }, { GROUP_ECP_384, 0 }, { GROUP_MODP_2048, 0 }, { GROUP_MODP_3072, 0 },
};
static const struct algorithm group_none[] = { { KE_NONE, 0 } };
static const struct algorithm kems[] = { { GROUP_MLKEM_768, 0 } };
static const struct algorithm esns[] = { { ESN_YES, 0 }, { ESN_NO, 0 } };

#define LIST(array) (array), sizeof (array) / sizeof *(array)

/* Offering ------------------------------------------------------------------------------------- */

static void add(struct pl_proposal *p, enum ike_transform_type type, const struct algorithm *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p->transform[p->n++] = (struct pl_transform){
			.type = (uint8_t)type, .id = list[i].id, .key_bits = list[i].key_bits,
		};
}

static void add_groups(struct pl_proposal *p, uint16_t first_group)
{
	unsigned at = p->n;

	add(p, TT_KE, LIST(groups));
	for (unsigned i = at; i < p->n; i++) {
		struct pl_transform first = p->transform[i];

		if (first.id != first_group)
			continue;
		memmove(&p->transform[at + 1], &p->transform[at], (i - at) * sizeof first);
		p->transform[at] = first;
		return;
	}
}

static struct pl_proposal *add_proposal(struct offer *o, enum ike_protocol protocol, struct span spi)
{
	struct pl_proposal *p = &o->proposal[o->n++];

	p->number = (uint8_t)o->n;
	p->protocol = (uint8_t)protocol;
	if (spi.n > 0 && spi.n <= sizeof p->spi) {
		memcpy(p->spi, spi.p, spi.n);
		p->spi_len = (uint8_t)spi.n;
	}
	return p;
}

/* RFC 5282 8: ciphers with and without their own integrity go into separate proposals. The first
 * proposal has one group alone: a responder with an order of groups of its own (libreswan puts
 * modp2048 first) takes it, where it would answer one list of all groups with INVALID_KE_PAYLOAD.
 * That saves a round trip. */
void offer_ike(struct offer *out, uint16_t first_group, struct span spi)
{
	struct pl_proposal *p;

	memset(out, 0, sizeof *out);
	p = add_proposal(out, PROTO_IKE, spi);
	add(p, TT_ENCR, LIST(aeads));
	add(p, TT_PRF, LIST(prfs));
	add_groups(p, first_group);
	p->n -= (unsigned)(sizeof groups / sizeof *groups) - 1;
	p = add_proposal(out, PROTO_IKE, spi);
	add(p, TT_ENCR, LIST(aeads));
	add(p, TT_PRF, LIST(prfs));
	add_groups(p, first_group);
	p = add_proposal(out, PROTO_IKE, spi);
	add(p, TT_ENCR, LIST(cbcs));
	add(p, TT_PRF, LIST(prfs));
	add(p, TT_INTEG, LIST(integs));
	add_groups(p, first_group);
}

/* A peer that knows nothing of transform type 6 must pass over the proposal that has it, so that it gets one of its own
 * (RFC 9370 2.2.1). */
void offer_hybrid(struct offer *offer)
{
	struct pl_proposal *first = &offer->proposal[0];

	memmove(&offer->proposal[1], first, offer->n * sizeof *first);
	offer->n++;
	add(first, TT_ADDKE1, LIST(kems));
	for (unsigned i = 0; i < offer->n; i++)
		offer->proposal[i].number = (uint8_t)(i + 1);
}

static void spi_bytes(uint32_t spi, uint8_t to[ESP_SPI_LEN])
{
	struct wr w = wr_over(to, ESP_SPI_LEN);

	wr_u32(&w, spi);
}

void offer_esp(struct offer *out, uint32_t spi_in)
{
	uint8_t spi[ESP_SPI_LEN];
	struct pl_proposal *p;

	memset(out, 0, sizeof *out);
	spi_bytes(spi_in, spi);
	p = add_proposal(out, PROTO_ESP, span_of(spi, sizeof spi));
	add(p, TT_ENCR, LIST(aeads));
	add(p, TT_ESN, LIST(esns));
	p = add_proposal(out, PROTO_ESP, span_of(spi, sizeof spi));
	add(p, TT_ENCR, LIST(cbcs));
	add(p, TT_INTEG, LIST(integs));
	add(p, TT_ESN, LIST(esns));
}

void offer_esp_anew(struct offer *out, uint32_t spi_in, uint16_t first_group)
{
	struct offer plain;

	offer_esp(&plain, spi_in);
	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < 2 * plain.n; i++) {
		struct pl_proposal *p = &out->proposal[out->n++];

		*p = plain.proposal[i % plain.n];
		p->number = (uint8_t)out->n;
		if (i < plain.n)
			add_groups(p, first_group);
	}
}

void offer_write(struct msg_wr *m, const struct offer *offer)
{
	pl_sa_write(m, offer->proposal, offer->n);
}

static bool same_transform(const struct pl_transform *a, const struct pl_transform *b)
{
	return a->type == b->type && a->id == b->id && a->key_bits == b->key_bits &&
	       !a->unknown_attribute && !b->unknown_attribute;
}

static bool has_transform(const struct pl_proposal *p, const struct pl_transform *t)
{
	for (unsigned i = 0; i < p->n; i++)
		if (same_transform(&p->transform[i], t))
			return true;
	return false;
}

static unsigned count_type(const struct pl_proposal *p, uint8_t type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < p->n; i++)
		count += p->transform[i].type == type;
	return count;
}

bool offer_has_group(const struct offer *offer, uint16_t group)
{
	struct pl_transform wanted = { .type = TT_KE, .id = group };

	for (unsigned i = 0; i < offer->n; i++)
		if (has_transform(&offer->proposal[i], &wanted))
			return true;
	return false;
}

/* What a proposal with one transform of each type means ---------------------------------------- */

static uint16_t suite_bits(const struct pl_transform *encr)
{
	return encr->id == ENCR_CHACHA20_POLY1305 ? KEY_BITS_CHACHA20 : encr->key_bits;
}

static struct ike_suite ike_suite_of(const struct pl_proposal *p)
{
	struct ike_suite s = { .integ = INTEG_NONE };

	for (unsigned i = 0; i < p->n; i++) {
		const struct pl_transform *t = &p->transform[i];

		switch (t->type) {
		case TT_ENCR:
			s.encr = t->id;
			s.encr_bits = suite_bits(t);
			break;
		case TT_PRF:
			s.prf = t->id;
			break;
		case TT_INTEG:
			s.integ = t->id;
			break;
		case TT_KE:
			s.group = t->id;
			break;
		case TT_ADDKE1:
			s.addke1 = t->id;
			break;
		default:
			break;
		}
	}
	return s;
}

static struct esp_suite esp_suite_of(const struct pl_proposal *p)
{
	struct esp_suite s = { .integ = INTEG_NONE };

	for (unsigned i = 0; i < p->n; i++) {
		const struct pl_transform *t = &p->transform[i];

		switch (t->type) {
		case TT_ENCR:
			s.encr = t->id;
			s.encr_bits = suite_bits(t);
			break;
		case TT_INTEG:
			s.integ = t->id;
			break;
		case TT_ESN:
			s.esn = t->id == ESN_YES;
			break;
		default:
			break;
		}
	}
	return s;
}

static void esp_choice_of(const struct pl_proposal *p, struct esp_choice *out)
{
	const struct ike_suite exchanges = ike_suite_of(p);

	out->suite = esp_suite_of(p);
	out->group = exchanges.group;
	out->addke1 = exchanges.addke1;
}

static bool ike_spi_fits(const struct pl_proposal *p, bool with_spi)
{
	static const uint8_t none[IKE_SPI_LEN];

	if (!with_spi)
		return p->spi_len == 0;
	return p->spi_len == IKE_SPI_LEN && memcmp(p->spi, none, sizeof none) != 0;
}

/* 0 when it is not an SPI for ESP: RFC 4303 2.1 reserves those below 256. */
static uint32_t esp_spi(const struct pl_proposal *p)
{
	struct rd r = rd_over(span_of(p->spi, ESP_SPI_LEN));
	uint32_t spi = rd_u32(&r);

	return p->spi_len == ESP_SPI_LEN && spi >= ESP_SPI_FIRST ? spi : 0;
}

/* Choosing ------------------------------------------------------------------------------------- */

/* The first of list that p has for this type goes into answer. */
static bool take(const struct pl_proposal *p, enum ike_transform_type type, const struct algorithm *list, size_t n,
		 struct pl_proposal *answer)
{
	for (size_t i = 0; i < n; i++) {
		struct pl_transform t = { .type = (uint8_t)type, .id = list[i].id, .key_bits = list[i].key_bits };

		if (has_transform(p, &t)) {
			answer->transform[answer->n++] = t;
			return true;
		}
	}
	return false;
}

static bool has_type(const struct pl_proposal *p, enum ike_transform_type type)
{
	return count_type(p, (uint8_t)type) > 0;
}

/* RFC 7296 3.3: a combined mode cipher goes without INTEG or with INTEG NONE; any other cipher needs INTEG. */
static bool take_cipher(const struct pl_proposal *p, struct pl_proposal *answer)
{
	unsigned n = answer->n;

	if (take(p, TT_ENCR, LIST(aeads), answer) &&
	    (!has_type(p, TT_INTEG) || take(p, TT_INTEG, LIST(integ_none), answer)))
		return true;
	answer->n = n;
	return take(p, TT_ENCR, LIST(cbcs), answer) && take(p, TT_INTEG, LIST(integs), answer);
}

static bool take_group(const struct pl_proposal *p, uint16_t ke_group, struct pl_proposal *answer)
{
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
		if (groups[i].id == ke_group && take(p, TT_KE, &groups[i], 1, answer))
			return true;
	return take(p, TT_KE, LIST(groups), answer);
}

/* RFC 7296 3.3.6: a proposal with a transform type that we do not know is not acceptable as a whole. */
static bool has_other_type(const struct pl_proposal *p, unsigned known)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->transform[i].type >= 32 || !(known & 1u << p->transform[i].type))
			return true;
	return false;
}

static struct pl_proposal answer_to(const struct pl_proposal *p)
{
	return (struct pl_proposal){ .number = p->number, .protocol = p->protocol, .spi_len = p->spi_len };
}

/* What a peer asks of us in IKE_SA_INIT, or when it rekeys. */
struct ike_wish {
	uint16_t ke_group;
	bool with_spi, hybrid;
};

/* And for ESP. */
struct esp_wish {
	uint16_t ke_group;
	bool hybrid;
};

/* beside: there is a first one. */
static bool take_additional(const struct pl_proposal *p, bool beside, struct pl_proposal *answer)
{
	return !has_type(p, TT_ADDKE1) || (beside && take(p, TT_ADDKE1, LIST(kems), answer)) ||
	       take(p, TT_ADDKE1, LIST(group_none), answer);
}

static bool accept_ike(const struct pl_proposal *p, const struct ike_wish *wish, struct pl_proposal *answer)
{
	const unsigned known = 1u << TT_ENCR | 1u << TT_PRF | 1u << TT_INTEG | 1u << TT_KE |
			       (wish->hybrid ? 1u << TT_ADDKE1 : 0);

	*answer = answer_to(p);
	return p->protocol == PROTO_IKE && ike_spi_fits(p, wish->with_spi) && !has_other_type(p, known) &&
	       take_cipher(p, answer) && take(p, TT_PRF, LIST(prfs), answer) && take_group(p, wish->ke_group, answer) &&
	       take_additional(p, true, answer);
}

/* A proposal with groups may also hold NONE; a key exchange is preferred where there can be one. */
static bool take_esp_group(const struct pl_proposal *p, uint16_t ke_group, struct pl_proposal *answer)
{
	if (!has_type(p, TT_KE))
		return true;
	return (ke_group != KE_NONE && take_group(p, ke_group, answer)) || take(p, TT_KE, LIST(group_none), answer);
}

static bool accept_esp(const struct pl_proposal *p, const struct esp_wish *wish, struct pl_proposal *answer)
{
	const unsigned known = 1u << TT_ENCR | 1u << TT_INTEG | 1u << TT_ESN | 1u << TT_KE | (wish->hybrid ? 1u << TT_ADDKE1 : 0);

	*answer = answer_to(p);
	return p->protocol == PROTO_ESP && esp_spi(p) != 0 && !has_other_type(p, known) && take_cipher(p, answer) &&
	       take(p, TT_ESN, LIST(esns), answer) && take_esp_group(p, wish->ke_group, answer) &&
	       take_additional(p, ike_suite_of(answer).group != KE_NONE, answer);
}

/* The whole payload is read even when an early proposal is good: a malformed message is not half accepted. */
static enum ike_err choose_by(struct span sa_body, const struct ike_wish *wish, struct ike_choice *out)
{
	struct pl_sa_reader sa = pl_sa_read(sa_body);
	struct pl_proposal p, answer;
	bool found = false;
	enum ike_err err;

	memset(out, 0, sizeof *out);
	while ((err = pl_sa_next(&sa, &p)) != IKE_E_STATE) {
		if (err == IKE_E_SYNTAX) {
			memset(out, 0, sizeof *out);
			return err;
		}
		if (err || found || !accept_ike(&p, wish, &answer))
			continue;
		found = true;
		out->suite = ike_suite_of(&answer);
		memcpy(out->peer_spi, p.spi, IKE_SPI_LEN);
		out->answer = answer;
	}
	return found ? IKE_OK : IKE_E_NO_PROPOSAL;
}

enum ike_err choose_ike(struct span sa_body, uint16_t ke_group, bool with_spi, struct ike_choice *out)
{
	return choose_by(sa_body, &(struct ike_wish){ ke_group, with_spi, false }, out);
}

enum ike_err choose_ike_hybrid(struct span sa_body, uint16_t ke_group, bool with_spi, struct ike_choice *out)
{
	return choose_by(sa_body, &(struct ike_wish){ ke_group, with_spi, true }, out);
}

static enum ike_err choose_esp_by(struct span sa_body, const struct esp_wish *wish, struct esp_choice *out)
{
	struct pl_sa_reader sa = pl_sa_read(sa_body);
	struct pl_proposal p, answer;
	bool found = false;
	enum ike_err err;

	memset(out, 0, sizeof *out);
	while ((err = pl_sa_next(&sa, &p)) != IKE_E_STATE) {
		if (err == IKE_E_SYNTAX) {
			memset(out, 0, sizeof *out);
			return err;
		}
		if (err || found || !accept_esp(&p, wish, &answer))
			continue;
		found = true;
		esp_choice_of(&answer, out);
		out->peer_spi = esp_spi(&p);
		out->answer = answer;
	}
	return found ? IKE_OK : IKE_E_NO_PROPOSAL;
}

enum ike_err choose_esp(struct span sa_body, struct esp_choice *out)
{
	return choose_esp_anew(sa_body, KE_NONE, out);
}

enum ike_err choose_esp_anew(struct span sa_body, uint16_t ke_group, struct esp_choice *out)
{
	return choose_esp_by(sa_body, &(struct esp_wish){ ke_group, false }, out);
}

enum ike_err choose_esp_hybrid(struct span sa_body, uint16_t ke_group, struct esp_choice *out)
{
	return choose_esp_by(sa_body, &(struct esp_wish){ ke_group, true }, out);
}

void choice_set_ike_spi(struct ike_choice *c, const uint8_t spi[IKE_SPI_LEN])
{
	memcpy(c->answer.spi, spi, IKE_SPI_LEN);
	c->answer.spi_len = IKE_SPI_LEN;
}

void choice_set_esp_spi(struct esp_choice *c, uint32_t spi_in)
{
	spi_bytes(spi_in, c->answer.spi);
	c->answer.spi_len = ESP_SPI_LEN;
}

/* Checking an answer --------------------------------------------------------------------------- */

/* Exactly one proposal. */
static enum ike_err answer_read(struct span sa_body, struct pl_proposal *out)
{
	struct pl_sa_reader sa = pl_sa_read(sa_body);
	struct pl_proposal second;
	enum ike_err err = pl_sa_next(&sa, out);

	if (err)
		return err == IKE_E_SYNTAX ? err : IKE_E_NO_PROPOSAL;
	err = pl_sa_next(&sa, &second);
	if (err == IKE_E_STATE)
		return IKE_OK;
	return err == IKE_E_SYNTAX ? err : IKE_E_NO_PROPOSAL;
}

/* INTEG NONE and KE NONE say what leaving them out says as well. */
static bool means_nothing(const struct pl_transform *t)
{
	static const struct pl_transform no_integ = { .type = TT_INTEG, .id = INTEG_NONE };
	static const struct pl_transform no_ke = { .type = TT_KE, .id = KE_NONE };

	return same_transform(t, &no_integ) || same_transform(t, &no_ke);
}

/* One transform of each offered type, from among those offered, and nothing else that means anything. */
static bool is_from(const struct pl_proposal *answer, const struct pl_proposal *offered)
{
	for (unsigned i = 0; i < answer->n; i++) {
		const struct pl_transform *t = &answer->transform[i];

		if (count_type(answer, t->type) != 1)
			return false;
		if (!has_transform(offered, t) && !(means_nothing(t) && count_type(offered, t->type) == 0))
			return false;
	}
	for (unsigned i = 0; i < offered->n; i++)
		if (count_type(answer, offered->transform[i].type) != 1)
			return false;
	return answer->protocol == offered->protocol;
}

static enum ike_err answer_check(const struct offer *offer, struct span sa_body, struct pl_proposal *answer)
{
	enum ike_err err = answer_read(sa_body, answer);

	if (err)
		return err;
	for (unsigned i = 0; i < offer->n; i++)
		if (offer->proposal[i].number == answer->number)
			return is_from(answer, &offer->proposal[i]) ? IKE_OK : IKE_E_NO_PROPOSAL;
	return IKE_E_NO_PROPOSAL;
}

enum ike_err offer_check_ike(const struct offer *offer, struct span sa_body, bool with_spi, struct ike_choice *out)
{
	struct pl_proposal answer;
	enum ike_err err = answer_check(offer, sa_body, &answer);

	memset(out, 0, sizeof *out);
	if (!err && !ike_spi_fits(&answer, with_spi))
		err = IKE_E_NO_PROPOSAL;
	if (err)
		return err;
	out->suite = ike_suite_of(&answer);
	memcpy(out->peer_spi, answer.spi, IKE_SPI_LEN);
	return IKE_OK;
}

enum ike_err offer_check_esp(const struct offer *offer, struct span sa_body, struct esp_choice *out)
{
	struct pl_proposal answer;
	enum ike_err err = answer_check(offer, sa_body, &answer);

	memset(out, 0, sizeof *out);
	if (!err && esp_spi(&answer) == 0)
		err = IKE_E_NO_PROPOSAL;
	if (err)
		return err;
	esp_choice_of(&answer, out);
	out->peer_spi = esp_spi(&answer);
	return IKE_OK;
}
