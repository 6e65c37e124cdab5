/* The XFRM backend over this machine's own kernel, in a network namespace of its own. Needs no ESP: what carries packets is
 * tried in the lab (tests/kernel/live.c); here the messages, the bookkeeping and the clean-up run in every build, also
 * under the sanitizers. Skipped where namespaces or XFRM are not to be had.
 */
#define _GNU_SOURCE                 /* unshare */
#include "tests/unit/unit.h"

#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "kernel/xfrm_nl.h"
#include "kernel/xfrm_policy.h"
#include "kernel/xfrm_sa.h"

enum { REQID = KERNEL_REQID_BASE + 42, SKIP = 77 };

static struct xnl nl;

static struct kernel_request request(enum kernel_op op, const char *local, const char *remote)
{
	struct kernel_request r = {
		.op = op, .reqid = REQID, .spi_in = 0x1001, .spi_out = 0x2001, .suite = { ENCR_AES_GCM_16, 256, INTEG_NONE, true },
		.keys_in = { .encr = { .n = 36, .b = { 1 } } }, .keys_out = { .encr = { .n = 36, .b = { 2 } } },
	};

	assert_int_equal(ip_from_text(local, &r.local), IKE_OK);
	assert_int_equal(ip_from_text(remote, &r.remote), IKE_OK);
	return r;
}

static struct kernel *open_kernel(void)
{
	struct kernel *k;
	const char *why;

	assert_int_equal(kernel_xfrm_open(NULL, &k, &why), IKE_OK);
	return k;
}

static void talk(struct xnl_batch *b)
{
	assert_int_equal(xnl_talk(&nl, b, NULL, NULL), IKE_OK);
	for (unsigned i = 0; i < b->n; i++)
		assert_int_equal(b->r[i].error, 0);
	xnl_clear(b);
}

static void put(const struct kernel_request *r, enum policy_kind kind, enum kernel_dir dir, uint32_t reqid)
{
	struct policy_form form = request_form(r, kind);
	struct xnl_batch b = { .n = 0 };

	form.reqid = reqid;
	xfrm_policy_add(&b, r, kind, dir, &form);
	talk(&b);
}

/* A policy for a pair: ours with our reqid, else somebody else's. */
static void put_policy(const struct kernel_request *r, enum kernel_dir dir, uint32_t reqid)
{
	put(r, POLICY_PAIR, dir, reqid);
}

static void keep_spi(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct xfrm_sa sa;

	(void)i;
	assert_true(xfrm_sa_read(hdr, &sa));
	*(uint32_t *)arg = sa.spi;
}

/* An SA without keys, as one is that waits to be negotiated; the only kind that a kernel without ESP can have. */
static uint32_t put_sa(const struct ip_addr *src, const struct ip_addr *dst, uint32_t reqid)
{
	struct xnl_batch b = { .n = 0 };
	uint32_t spi = 0;

	xfrm_sa_name_larval(&b, src, dst, reqid, XFRM_MODE_TRANSPORT);
	assert_int_equal(xnl_talk(&nl, &b, keep_spi, &spi), IKE_OK);
	xnl_clear(&b);
	assert_int_not_equal(spi, 0);
	return spi;
}

struct counts {
	unsigned sas, our_sas, policies, protect, orphans, pass, exempt;
};

static void count_answer(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct counts *c = arg;
	struct xfrm_policy p;
	struct xfrm_sa sa;

	(void)i;
	if (xfrm_sa_read(hdr, &sa)) {
		c->sas++;
		c->our_sas += (sa.reqid & ~(uint32_t)KERNEL_REQID_MASK) == KERNEL_REQID_BASE;
	} else if (xfrm_policy_read(hdr, &p)) {
		c->policies++;
		c->protect += p.kind == XP_PROTECT;
		c->orphans += p.kind == XP_PROTECT && p.form.reqid == KERNEL_REQID_ORPHAN && p.sound;
		c->pass += p.kind == XP_PASS;
		c->exempt += p.kind == XP_EXEMPT;
	}
}

static struct counts count(void)
{
	struct xnl_batch b = { .n = 0 };
	struct counts c = { 0 };
	bool whole;

	xfrm_sa_list(&b, NULL, NULL);
	assert_int_equal(xnl_dump(&nl, &b, count_answer, &c, &whole), IKE_OK);
	xfrm_policy_list(&b);
	assert_int_equal(xnl_dump(&nl, &b, count_answer, &c, &whole), IKE_OK);
	return c;
}

/* Each test in a namespace of its own: nothing is left over from the one before. */
static int begin(void **state)
{
	const char *why;

	(void)state;
	return unshare(CLONE_NEWNET) == 0 && xnl_open(&nl, NULL, &why) == IKE_OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	xnl_close(&nl);
	return 0;
}

static void opening_closes_what_is_ours_and_touches_nothing_else(void **state)
{
	struct kernel_request v4 = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2");
	struct kernel_request v6 = request(KERNEL_PROTECT, "2001:db8::1", "2001:db8::2");
	struct kernel_request other = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.3");
	struct counts c;

	(void)state;
	put_policy(&v4, DIR_OUT, REQID);
	put_policy(&v4, DIR_IN, KERNEL_REQID_BASE + KERNEL_REQID_MASK);
	put_policy(&v6, DIR_IN, KERNEL_REQID_BASE);
	put_policy(&v6, DIR_OUT, KERNEL_REQID_BASE - 1);
	put_policy(&other, DIR_OUT, 7);
	put_policy(&other, DIR_IN, KERNEL_REQID_BASE + KERNEL_REQID_MASK + 1);
	(void)put_sa(&v4.local, &v4.remote, REQID);
	(void)put_sa(&v6.remote, &v6.local, REQID);
	(void)put_sa(&v4.local, &v4.remote, 7);

	for (unsigned i = 0; i < 2; i++) {
		kernel_leave(open_kernel());
		c = count();
		assert_int_equal(c.policies, 6);
		assert_int_equal(c.protect, 3);
		assert_int_equal(c.orphans, 3);
		assert_int_equal(c.sas, 1);
		assert_int_equal(c.our_sas, 0);
	}
	kernel_close(open_kernel());
	c = count();
	assert_int_equal(c.policies, 3);
	assert_int_equal(c.protect, 0);
	assert_int_equal(c.sas, 1);
}

static void thousands_are_removed(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "198.51.100.1");

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		r.remote.b[2] = (uint8_t)(i >> 8);
		r.remote.b[3] = (uint8_t)i;
		put_policy(&r, DIR_OUT, KERNEL_REQID_BASE + i);
		if (i % 3 == 0)
			(void)put_sa(&r.local, &r.remote, KERNEL_REQID_BASE + i);
	}
	kernel_close(open_kernel());
	assert_int_equal(count().policies, 0);
	assert_int_equal(count().sas, 0);
}

static void exemptions_come_once_and_go(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request other = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.3");
	struct counts c;
	unsigned n = 0;
	struct exemption e;

	(void)state;
	while (exemption_at(n, &e))
		n++;
	put_policy(&other, DIR_OUT, 7);
	assert_int_equal(kernel_install_exemptions(k, true), IKE_OK);
	assert_int_equal(kernel_install_exemptions(k, true), IKE_OK);
	c = count();
	assert_int_equal(c.exempt, n);
	assert_int_equal(c.policies, n + 1);
	kernel_leave(k);
	assert_int_equal(count().exempt, n);
	/* While they still exempt what an orphan would close. */
	kernel_leave(open_kernel());
	assert_int_equal(count().exempt, n);
	kernel_close(open_kernel());
	assert_int_equal(count().policies, 1);

	k = open_kernel();
	assert_int_equal(kernel_install_exemptions(k, true), IKE_OK);
	kernel_close(k);
	assert_int_equal(count().policies, 1);
}

static void foreign_policy_is_a_conflict_and_stays(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request r = request(KERNEL_PROTECT, "2001:db8::1", "2001:db8::2");
	struct counts c;

	(void)state;
	put_policy(&r, DIR_IN, 7);
	assert_int_equal(kernel_apply(k, &r), IKE_E_CONFLICT);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	kernel_close(k);
	c = count();
	assert_int_equal(c.policies, 1);
	assert_int_equal(c.sas, 0);
}

static void address_under_another_reqid_is_a_conflict_and_stays(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2");

	(void)state;
	put_policy(&r, DIR_OUT, REQID + 1);
	assert_int_equal(kernel_apply(k, &r), IKE_E_CONFLICT);
	assert_int_equal(count().sas, 0);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().protect, 1);
	kernel_close(k);
}

struct found {
	unsigned n;
	struct xfrm_policy p[4];
};

static void find_answer(void *arg, unsigned i, struct nlmsghdr *hdr)
{
	struct found *f = arg;

	(void)i;
	if (f->n < 4 && xfrm_policy_read(hdr, &f->p[f->n]))
		f->n++;
}

static struct found find_all(void)
{
	struct xnl_batch b = { .n = 0 };
	struct found f = { 0 };
	bool whole;

	xfrm_policy_list(&b);
	assert_int_equal(xnl_dump(&nl, &b, find_answer, &f, &whole), IKE_OK);
	return f;
}

/* Is it what PROTECT of this request would make? */
static bool serves(const struct xfrm_policy *p, const struct kernel_request *r, enum policy_kind kind)
{
	struct policy_form form = request_form(r, kind);

	return p->sound && form_equal(&p->form, &form);
}

static void a_tunnel_policy_is_for_the_addresses_inside_and_known_by_its_ends(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2");
	struct kernel_request transport = r, elsewhere;
	struct ip_addr inner;
	struct kernel *k;
	struct found f;

	(void)state;
	assert_int_equal(ip_from_text("100.64.0.1", &inner), IKE_OK);
	r.inner_local = inner;
	r.inner_remote = r.remote;
	elsewhere = r;
	elsewhere.local.b[3]++;
	put_policy(&r, DIR_OUT, REQID);
	put_policy(&r, DIR_IN, REQID);
	f = find_all();
	assert_int_equal(f.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(f.p[i].form.assigned);
		assert_true(f.p[i].sound);
		assert_true(f.p[i].priority < PRIORITY_EXEMPT);         /* in clear no answer would find it */
		assert_true(xfrm_policy_covers(&f.p[i].sel, f.p[i].dir, &inner, &r.remote));
		assert_false(xfrm_policy_covers(&f.p[i].sel, f.p[i].dir, &r.local, &r.remote));
		assert_true(serves(&f.p[i], &r, POLICY_PAIR));
		assert_false(serves(&f.p[i], &elsewhere, POLICY_PAIR));
		assert_false(serves(&f.p[i], &transport, POLICY_PAIR));
	}
	/* After a crash nothing passes: the orphans have no ends. */
	k = open_kernel();
	f = find_all();
	assert_int_equal(f.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(f.p[i].form.reqid, KERNEL_REQID_ORPHAN);
		assert_false(f.p[i].form.assigned);
		assert_true(f.p[i].sound);
		assert_true(f.p[i].priority > PRIORITY_EXEMPT);
	}
	kernel_close(k);
	assert_int_equal(count().policies, 0);

	/* Between the hosts themselves exemptions hold as in transport mode. */
	r.inner_local = r.local;
	put_policy(&r, DIR_OUT, REQID);
	f = find_all();
	assert_int_equal(f.n, 1);
	assert_int_equal(f.p[0].priority, PRIORITY_PROTECT);
	assert_true(serves(&f.p[0], &r, POLICY_PAIR));
	kernel_close(open_kernel());
	assert_int_equal(count().policies, 0);

	/* And for a host behind a gateway: a name server there is asked in clear as others are. */
	r.shield = true;
	r.inner_remote.b[3] += 5;
	put_policy(&r, DIR_OUT, REQID);
	f = find_all();
	assert_int_equal(f.n, 1);
	assert_int_equal(f.p[0].priority, PRIORITY_PROTECT);
	assert_true(xfrm_policy_covers(&f.p[0].sel, DIR_OUT, &r.inner_local, &r.inner_remote));
	assert_true(serves(&f.p[0], &r, POLICY_PAIR));
	elsewhere = r;
	elsewhere.remote.b[3]++;        /* another gateway */
	assert_false(serves(&f.p[0], &elsewhere, POLICY_PAIR));
	kernel_close(open_kernel());
	assert_int_equal(count().policies, 0);
	r.shield = false;
	r.inner_remote = r.remote;
	r.inner_local = inner;

	k = open_kernel();
	put_policy(&r, DIR_OUT, REQID);
	put_policy(&r, DIR_IN, REQID);
	transport.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &transport), IKE_OK);
	assert_int_equal(count().policies, 2);
	put(&r, POLICY_UNTRANSLATED, DIR_OUT, REQID);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().policies, 0);
	kernel_close(k);
}

/* Of a gateway of the other family: each end of the template is of that one, and of the selector of the host's. */
static void a_tunnel_policy_may_be_of_another_family_than_its_tunnel(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2"), same_bytes;
	struct kernel *k;
	struct found f;

	(void)state;
	assert_int_equal(ip_from_text("2001:db8::1", &r.inner_local), IKE_OK);
	assert_int_equal(ip_from_text("2001:db8::7", &r.inner_remote), IKE_OK);
	r.shield = true;
	put_policy(&r, DIR_OUT, REQID);
	put_policy(&r, DIR_IN, REQID);
	same_bytes = r;
	same_bytes.local.family = same_bytes.remote.family = IP_V6;
	f = find_all();
	assert_int_equal(f.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(f.p[i].sound);
		assert_int_equal(f.p[i].priority, PRIORITY_PROTECT);
		assert_true(xfrm_policy_covers(&f.p[i].sel, f.p[i].dir, &r.inner_local, &r.inner_remote));
		assert_true(serves(&f.p[i], &r, POLICY_PAIR));
		assert_false(serves(&f.p[i], &same_bytes, POLICY_PAIR));
	}
	k = open_kernel();
	assert_int_equal(count().orphans, 2);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().policies, 2);  /* orphans are not that pair's */
	kernel_close(k);
	assert_int_equal(count().policies, 0);
}

static void what_is_not_translated_yet_has_the_tunnel_and_the_exceptions_of_all(void **state)
{
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2");
	struct kernel *k = open_kernel();
	struct found f;

	(void)state;
	assert_int_equal(ip_from_text("100.64.0.1", &r.inner_local), IKE_OK);
	r.inner_remote = r.remote;
	put(&r, POLICY_UNTRANSLATED, DIR_OUT, REQID);
	f = find_all();
	assert_int_equal(f.n, 1);
	assert_true(f.p[0].sound);
	assert_int_equal(f.p[0].priority, PRIORITY_PROTECT);
	assert_true(xfrm_policy_covers(&f.p[0].sel, DIR_OUT, &r.local, &r.remote));
	assert_true(serves(&f.p[0], &r, POLICY_UNTRANSLATED));
	r.local.b[3]++;
	assert_false(serves(&f.p[0], &r, POLICY_UNTRANSLATED));
	kernel_close(k);
}

static void a_shield_becomes_an_orphan_and_goes_with_the_last_pair(void **state)
{
	struct kernel_request r = request(KERNEL_PASS, "10.0.0.9", "192.0.2.2");
	struct kernel *k;

	(void)state;
	for (unsigned dir = 0; dir < 2; dir++)
		put(&r, POLICY_SHIELD, (enum kernel_dir)dir, KERNEL_REQID_SHIELD);
	k = open_kernel();
	assert_int_equal(count().orphans, 2);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().pass, 1);
	kernel_leave(k);
	/* Nobody knows what passes after a crash: it asks again. */
	k = open_kernel();
	assert_int_equal(count().pass, 0);
	assert_int_equal(count().orphans, 2);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	r.op = KERNEL_UNPASS;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().policies, 2);
	kernel_close(k);
	assert_int_equal(count().policies, 0);

	k = open_kernel();
	for (unsigned dir = 0; dir < 2; dir++) {
		put(&r, POLICY_SHIELD, (enum kernel_dir)dir, KERNEL_REQID_SHIELD);
		put_policy(&r, (enum kernel_dir)dir, REQID);
	}
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().policies, 2);
	assert_int_equal(count().protect, 2);
	r.shield = true;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().policies, 0);
	kernel_close(k);
}

static void somebody_elses_policy_in_place_of_a_shield_is_a_conflict(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2");

	(void)state;
	put(&r, POLICY_SHIELD, DIR_OUT, 7);     /* weaker than what protects a pair: alone it would be no conflict */
	r.shield = true;
	assert_int_equal(kernel_apply(k, &r), IKE_E_CONFLICT);
	assert_int_equal(count().policies, 1);
	r.op = KERNEL_UNPROTECT;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().policies, 1);
	kernel_close(k);
}

static void unprotect_takes_policies_and_every_sa_of_the_pair(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request r = request(KERNEL_UNPROTECT, "2001:db8::1", "2001:db8::2");
	struct kernel_request next = request(KERNEL_UNPROTECT, "2001:db8::1", "2001:db8::3");
	struct counts c;

	(void)state;
	put_policy(&r, DIR_OUT, REQID);
	put_policy(&r, DIR_IN, REQID);
	put_policy(&next, DIR_OUT, REQID + 1);
	(void)put_sa(&r.local, &r.remote, REQID);
	(void)put_sa(&r.remote, &r.local, REQID);
	(void)put_sa(&r.local, &r.remote, 7);
	(void)put_sa(&next.local, &next.remote, REQID + 1);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	c = count();
	assert_int_equal(c.protect, 1);
	assert_int_equal(c.sas, 2);
	assert_int_equal(c.our_sas, 1);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	kernel_close(k);
	assert_int_equal(count().sas, 1);
}

static void delete_sas_takes_those_two_of_this_reqid(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request r = request(KERNEL_DELETE_SAS, "192.0.2.1", "192.0.2.2");

	(void)state;
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	r.spi_out = put_sa(&r.local, &r.remote, 7);
	r.spi_in = put_sa(&r.remote, &r.local, REQID);
	put_policy(&r, DIR_OUT, REQID);
	assert_int_equal(kernel_apply(k, &r), IKE_OK);
	assert_int_equal(count().our_sas, 0);
	assert_int_equal(count().sas, 1);
	assert_int_equal(count().protect, 1);
	kernel_leave(k);
}

static void traffic_of_an_unused_pair_and_of_none(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2");
	struct sa_traffic t = { .bytes_in = 9 };

	(void)state;
	assert_int_equal(kernel_traffic(k, REQID, 1000, 1001, &r.local, &r.remote, &t), IKE_E_STATE);
	assert_int_equal(t.bytes_in, 0);
	r.spi_out = put_sa(&r.local, &r.remote, REQID);
	r.spi_in = put_sa(&r.remote, &r.local, REQID);
	assert_int_equal(kernel_traffic(k, REQID, r.spi_in, r.spi_out, &r.local, &r.remote, &t), IKE_OK);
	assert_int_equal(t.packets_in + t.packets_out + t.bytes_in + t.bytes_out, 0);
	assert_int_equal(kernel_traffic(k, REQID + 1, r.spi_in, r.spi_out, &r.local, &r.remote, &t), IKE_E_STATE);
	kernel_close(k);
}

/* With ESP or without: what the check says is what a request meets, and a refused request leaves nothing. */
static void the_check_tells_what_will_happen(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_request r = request(KERNEL_PROTECT, "192.0.2.1", "192.0.2.2");
	uint32_t works;
	const char *why;
	enum ike_err err = kernel_check_esp(k, &works, &why);

	(void)state;
	assert_int_equal(count().sas, 0);
	if (err == IKE_OK) {
		assert_int_not_equal(works, 0);
		assert_int_equal(kernel_apply(k, &r), works & 1 ? IKE_OK : IKE_E_KERNEL);
	} else {
		assert_int_equal(err, IKE_E_UNSUPPORTED);
		assert_non_null(strstr(why, "modprobe"));
		assert_int_equal(works, 0);
		assert_int_equal(kernel_apply(k, &r), IKE_E_KERNEL);
		assert_int_equal(count().sas + count().policies, 0);
	}
	kernel_close(k);
	assert_int_equal(count().sas + count().policies, 0);
}

static void sockets_take_their_options(void **state)
{
	static const enum ip_family families[] = { IP_V4, IP_V6 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		int fd = socket(families[i] == IP_V6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		assert_int_equal(kernel_socket_bypass(fd, families[i]), IKE_OK);
		close(fd);
	}
	assert_int_equal(kernel_socket_bypass(-1, IP_V4), IKE_E_KERNEL);
	assert_int_equal(kernel_socket_encap(-1), IKE_E_KERNEL);
}

static void no_event_is_no_event(void **state)
{
	struct kernel *k = open_kernel();
	struct kernel_event e;

	(void)state;
	assert_true(kernel_event_fd(k) >= 0);
	assert_false(kernel_next_event(k, &e));
	kernel_close(k);
}

#define XFRM(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		XFRM(opening_closes_what_is_ours_and_touches_nothing_else),
		XFRM(thousands_are_removed),
		XFRM(exemptions_come_once_and_go),
		XFRM(foreign_policy_is_a_conflict_and_stays),
		XFRM(address_under_another_reqid_is_a_conflict_and_stays),
		XFRM(a_tunnel_policy_is_for_the_addresses_inside_and_known_by_its_ends),
		XFRM(a_tunnel_policy_may_be_of_another_family_than_its_tunnel),
		XFRM(what_is_not_translated_yet_has_the_tunnel_and_the_exceptions_of_all),
		XFRM(a_shield_becomes_an_orphan_and_goes_with_the_last_pair),
		XFRM(somebody_elses_policy_in_place_of_a_shield_is_a_conflict),
		XFRM(unprotect_takes_policies_and_every_sa_of_the_pair),
		XFRM(delete_sas_takes_those_two_of_this_reqid),
		XFRM(traffic_of_an_unused_pair_and_of_none),
		XFRM(the_check_tells_what_will_happen),
		XFRM(sockets_take_their_options),
		XFRM(no_event_is_no_event),
	};
	const char *why;

	/* An ordinary user is root in a user namespace of his own. */
	if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		fprintf(stderr, "skipped: no network namespaces for this user\n");
		return SKIP;
	}
	if (xnl_open(&nl, NULL, &why) != IKE_OK) {
		fprintf(stderr, "skipped: %s\n", why);
		return SKIP;
	}
	xnl_close(&nl);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
