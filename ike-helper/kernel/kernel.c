/* kernel.c - what both backends have in common. */
#include "kernel/kernel_impl.h"

#include <string.h>
#include <time.h>

/* In the order in which we would like them. */
static const struct esp_suite suites[] = {
	{ ENCR_AES_GCM_16, 256, INTEG_NONE, true },
	{ ENCR_AES_GCM_16, 128, INTEG_NONE, true },
	{ ENCR_CHACHA20_POLY1305, 256, INTEG_NONE, true },
	{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128, true },
	{ ENCR_AES_GCM_16, 256, INTEG_NONE, false },
	{ ENCR_AES_GCM_16, 128, INTEG_NONE, false },
	{ ENCR_CHACHA20_POLY1305, 256, INTEG_NONE, false },
	{ ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128, false },
};
enum { N_SUITES = sizeof suites / sizeof suites[0] };

const struct esp_suite *kernel_suites(unsigned *n)
{
	*n = N_SUITES;
	return suites;
}

enum ike_err kernel_init(struct kernel *k, const struct kernel_ops *ops, const struct log *log)
{
	k->ops = ops;
	k->log = log;
	return ledger_init(&k->ledger);
}

static const char *op_text(enum kernel_op op)
{
	switch (op) {
	case KERNEL_PROTECT:
		return "protect";
	case KERNEL_ADD_SAS:
		return "add SAs";
	case KERNEL_DELETE_SAS:
		return "delete SAs";
	case KERNEL_REMAP:
		return "remap SAs";
	case KERNEL_UNPROTECT:
		return "unprotect";
	case KERNEL_RETIRE:
		return "retire";
	case KERNEL_PASS:
		return "let pass";
	case KERNEL_UNPASS:
		return "let pass no more";
	}
	return "unknown request";
}

static void log_result(struct kernel *k, const struct kernel_request *r, enum ike_err err)
{
	char local[IP_TEXT_MAX], remote[IP_TEXT_MAX];

	log_line(k->log, err == IKE_OK ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
		 "kernel: %s %s - %s%s, reqid %08x, spi %08x/%08x: %s", op_text(r->op),
		 ip_text(&r->local, local), ip_text(&r->remote, remote), r->shield ? " and shield" : "", r->reqid, r->spi_in,
		 r->spi_out, err == IKE_OK ? "done" : ike_err_text(err));
}

/* The runner's arg is void in plan.h, which knows no kernel. */
static void run_steps(void *arg, const struct step *steps, unsigned n, enum ike_err *results)
{
	struct kernel *k = arg;
	enum ike_err err = ledger_reserve(&k->ledger, steps, n);

	if (err == IKE_OK)
		k->ops->run(k, steps, n, results);
	for (unsigned i = 0; i < n; i++) {
		if (err == IKE_OK)
			ledger_note(&k->ledger, &steps[i], results[i]);
		else
			results[i] = err;
	}
}

static enum ike_err carry_out(struct kernel *k, const struct kernel_request *request)
{
	/* Only UNPROTECT can find more SAs than one plan holds; a bound, should somebody add SAs as fast as we delete. */
	enum { ROUNDS_MAX = 1024 };
	struct plan_view view = { .more = true };
	struct plan plan;
	enum ike_err err;

	err = plan_check(request);
	for (unsigned round = 0; err == IKE_OK && view.more && round < ROUNDS_MAX; round++) {
		view = (struct plan_view){ .more = false };
		err = k->ops->look(k, request, &view);
		if (err == IKE_OK && request->op == KERNEL_UNPROTECT && !request->for_good)
			ledger_orphans_again(&k->ledger, request, (uint64_t)time(NULL), &view);
		if (err == IKE_OK)
			err = plan_make(request, &view, &plan);
		if (err == IKE_OK)
			err = plan_run(&plan, run_steps, k);
	}
	if (err == IKE_OK)
		ledger_end(&k->ledger, request);
	return err;
}

/* Pairs of an address that the host had assigned before, whose policies a RETIRE has failed to remove: nobody asks for them any more,
 * and the next one who protects such a pair would find it taken. */
static enum ike_err release_others(struct kernel *k, const struct kernel_request *r)
{
	struct kernel_request other = { .op = KERNEL_UNPROTECT, .reqid = r->reqid, .remote = *request_remote(r) };
	enum ike_err err = IKE_OK;

	while (err == IKE_OK && ledger_has_pair(&k->ledger, other.reqid, &other.remote, &other.local))
		err = carry_out(k, &other);
	return err;
}

enum ike_err kernel_apply(struct kernel *k, const struct kernel_request *request)
{
	enum ike_err err;

	if (k->ops->apply)
		return k->ops->apply(k, request);
	err = carry_out(k, request);
	if (err == IKE_OK && request->op == KERNEL_UNPROTECT)
		err = release_others(k, request);
	log_result(k, request, err);
	return err;
}

enum ike_err kernel_install_exemptions(struct kernel *k, bool serves)
{
	struct plan plan;

	plan_exemptions(&plan, serves);
	return plan_run(&plan, run_steps, k);
}

/* A throw-away SA between two addresses that nobody has (RFC 5737, RFC 3849). */
static void probe_request(enum ip_family family, const struct esp_suite *suite, struct kernel_request *out)
{
	static const uint8_t v4[4] = { 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

	*out = (struct kernel_request){
		.op = KERNEL_PROTECT, .reqid = KERNEL_REQID_BASE, .suite = *suite,
		.spi_in = 0x6f6f6f6f, .spi_out = 0x6f6f6f6f,
		.local.family = (uint8_t)family, .remote.family = (uint8_t)family,
	};
	memcpy(out->local.b, family == IP_V4 ? v4 : v6, family == IP_V4 ? sizeof v4 : sizeof v6);
	out->remote = out->local;
	out->remote.b[family == IP_V4 ? 3 : 15] = 2;

	plan_any_keys(suite, &out->keys_out);
	out->keys_in = out->keys_out;
}

static enum ike_err probe(struct kernel *k, enum ip_family family, const struct esp_suite *suite)
{
	struct kernel_request request;
	struct step add = { .kind = STEP_SA_ADD, .dir = DIR_OUT, .probe = true };
	struct step del;
	enum ike_err result, ignored;

	probe_request(family, suite, &request);
	add.request = &request;
	add.reqid = request.reqid;
	add.spi = request.spi_out;
	k->ops->run(k, &add, 1, &result);
	if (result != IKE_OK)
		return result;
	del = add;
	del.kind = STEP_SA_DELETE;
	k->ops->run(k, &del, 1, &ignored);
	return IKE_OK;
}

enum ike_err kernel_check_esp(struct kernel *k, uint32_t *works, const char **why)
{
	static const enum ip_family families[] = { IP_V4, IP_V6 };
	uint32_t by_family[2] = { 0, 0 };
	bool esp = false;

	*works = 0;
	*why = NULL;
	for (unsigned f = 0; f < 2; f++) {
		for (unsigned s = 0; s < N_SUITES; s++) {
			enum ike_err err = probe(k, families[f], &suites[s]);
			char text[64];

			if (err == IKE_OK)
				by_family[f] |= UINT32_C(1) << s;
			else if (err == IKE_E_UNSUPPORTED)
				break;
			else
				log_info(k->log, "kernel: no %s%s for IPv%d", esp_suite_text(&suites[s], text, sizeof text),
					 suites[s].esn ? " with ESN" : "", families[f]);
			esp = true;
		}
		if (by_family[f] == 0)
			log_error(k->log, "kernel: no ESP for IPv%d: such addresses cannot be protected (modprobe %s)",
				  families[f], f == 0 ? "esp4" : "esp6");
	}

	/* A family without ESP does not take the ciphers from the other one. */
	*works = by_family[0] && by_family[1] ? by_family[0] & by_family[1] : by_family[0] | by_family[1];
	if (*works != 0)
		return IKE_OK;
	*why = esp ? "this kernel has ESP, but none of our ciphers for it: modprobe gcm ctr ghash-generic, "
		     "or build it with CONFIG_CRYPTO_GCM"
		   : "this kernel has no ESP: modprobe esp4 esp6, or build it with CONFIG_INET_ESP and "
		     "CONFIG_INET6_ESP";
	return IKE_E_UNSUPPORTED;
}

enum ike_err kernel_traffic(struct kernel *k, uint32_t reqid, uint32_t spi_in, uint32_t spi_out,
			    const struct ip_addr *local, const struct ip_addr *remote, struct sa_traffic *out)
{
	*out = (struct sa_traffic){ 0 };
	return k->ops->traffic(k, reqid, spi_in, spi_out, local, remote, out);
}

int kernel_event_fd(const struct kernel *k)
{
	return k->ops->event_fd(k);
}

bool kernel_next_event(struct kernel *k, struct kernel_event *out)
{
	return k->ops->next_event(k, out);
}

int kernel_guard_fd(const struct kernel *k)
{
	return k->ops->guard_fd(k);
}

enum ike_err kernel_guard(struct kernel *k, struct kernel_losses *out)
{
	struct kernel_lost lost = { .sas = { .n = 0 } };
	unsigned failed;

	if (k->ops->guard)
		return k->ops->guard(k, out);
	k->ops->lost(k, &lost);
	lost.policies.all |= k->missing;
	for (unsigned i = 0; i < lost.expired.n; i++)
		ledger_forget(&k->ledger, &lost.expired.policy[i]);
	out->policies = ledger_put_back(&k->ledger, &lost.policies, k->ops->run, k, &failed);
	out->sas = lost.sas;
	k->missing = failed > 0;
	return failed > 0 ? IKE_E_KERNEL : IKE_OK;
}

static void end(struct kernel *k, bool remove)
{
	if (!k)
		return;
	ledger_clear(&k->ledger);
	k->ops->close(k, remove);
}

void kernel_close(struct kernel *k)
{
	end(k, true);
}

void kernel_leave(struct kernel *k)
{
	end(k, false);
}
