/* oe-iked whose network process is somebody else's: linked with all of oe-iked, but when the sandbox has been entered it runs the attack
 * that $OE_ATTACK names instead of its loop, and says on the standard error output what came of it: "attack WORD: RESULT". What it asks the
 * keeper for is between $OE_ATTACK_LOCAL and $OE_ATTACK_REMOTE. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/dns_socket.h"
#include "daemon/loop.h"
#include "daemon/sandbox.h"
#include "daemon/signer.h"
#include "kernel/far.h"
#include "kernel/kernel.h"

enum ike_err __real_sandbox_enter(const struct sandbox *s, const struct log *log);
enum ike_err __wrap_sandbox_enter(const struct sandbox *s, const struct log *log);
enum ike_err __real_loop_run(struct loop *loop);
enum ike_err __wrap_loop_run(struct loop *loop);
enum ike_err __real_kernel_far_open(const struct log *log, int calls, int events, int losses, struct kernel **out);
enum ike_err __wrap_kernel_far_open(const struct log *log, int calls, int events, int losses, struct kernel **out);

enum ike_err __real_signer_open(const char *file, const struct sandbox *sandbox, const struct log *log, struct span label,
				struct secret *derived, struct signer **out, char error[SIGNER_ERROR_MAX]);
enum ike_err __wrap_signer_open(const char *file, const struct sandbox *sandbox, const struct log *log, struct span label,
				struct secret *derived, struct signer **out, char error[SIGNER_ERROR_MAX]);

static bool taken_over;                 /* this is the network process, and it is inside */
static struct kernel *kernel;
static struct signer *signer;
static int calls = -1;

enum { FD_MAX = 256, UNASKED_REQID = KERNEL_REQID_BASE + 7 };

static void say(const char *what, const char *result)
{
	fprintf(stderr, "attack %s: %s\n", what, result);
}

static void say_errno(const char *what, bool failed)
{
	say(what, failed ? strerror(errno) : "done");
}

static void files(void)
{
	say_errno("read /etc/passwd", open("/etc/passwd", O_RDONLY) < 0);
	say_errno("read /proc/1/mem", open("/proc/1/mem", O_RDONLY) < 0);
	say_errno("write a file", open("new", O_WRONLY | O_CREAT, 0600) < 0);
	say_errno("link", link("a", "b") < 0);
	say_errno("remove", unlink("a") < 0);
}

static void sockets(void)
{
	say_errno("socket of XFRM", socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM) < 0);
	say_errno("socket of nftables", socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER) < 0);
	say_errno("packet socket", socket(AF_PACKET, SOCK_RAW, 0) < 0);
	say_errno("raw socket", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0);
	say_errno("local socket", socket(AF_UNIX, SOCK_STREAM, 0) < 0);
	say_errno("UDP socket", socket(AF_INET, SOCK_DGRAM, 0) < 0);
	say_errno("TCP socket", socket(AF_INET6, SOCK_STREAM, 0) < 0);
}

static void processes(void)
{
	say_errno("kill the keeper", kill(getppid(), SIGKILL) < 0);
	say_errno("become root", setuid(0) < 0);
}

/* These end it. */
static void execute(void)
{
	char *arguments[] = { (char[]){ "sh" }, NULL };

	execv("/bin/sh", arguments);
}

static void divide(void)
{
	(void)!fork();
}

static void debug(void)
{
	(void)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

/* With what it has ---------------------------------------------------------------------------------------------------------- */

/* The sockets to the resolver, which is not there: TCP is refused at once. */
static void resolver(void)
{
	const struct sockaddr_in other = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr *to = (const struct sockaddr *)&other;
	struct pollfd refused = { .fd = dns_socket_ask(calls, true), .events = POLLOUT };
	int udp = dns_socket_ask(calls, false);
	unsigned given = 2;
	struct sockaddr_in at = { .sin_family = AF_UNSPEC };
	socklen_t n = sizeof at;

	say_errno("socket to the resolver", udp < 0 || getpeername(udp, (struct sockaddr *)&at, &n) != 0);
	say("is to port", at.sin_port == htons(53) && at.sin_addr.s_addr == htonl(INADDR_LOOPBACK) ? "53 of this host" : "another");
	say_errno("connect it to somebody else", connect(udp, to, sizeof other) != 0);
	say_errno("bind", bind(refused.fd, to, sizeof other) != 0);
	(void)poll(&refused, 1, 1000);
	say_errno("send where TCP was refused", send(refused.fd, "x", 1, MSG_NOSIGNAL) < 0);
	say_errno("connect and send there", sendto(refused.fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, to, sizeof other) < 0);
	say_errno("connect and send a message", sendmsg(refused.fd, &(struct msghdr){ .msg_name = (void *)(uintptr_t)to,
			.msg_namelen = sizeof other }, MSG_FASTOPEN | MSG_NOSIGNAL) < 0);
	for (unsigned i = 0; i < 10 * DNS_SOCKETS_PER_SECOND; i++) {
		int fd = dns_socket_ask(calls, i % 2);

		if (fd >= 0)
			close(fd);
		given += fd >= 0;
	}
	/* A second may begin meanwhile. */
	say("sockets in a moment", given <= 2 * DNS_SOCKETS_PER_SECOND ? "bounded" : "not bounded");
}

static int find_socket(int domain)
{
	for (int fd = 3; fd < FD_MAX; fd++) {
		int is = -1;
		socklen_t n = sizeof is;

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &is, &n) == 0 && is == domain)
			return fd;
	}
	return -1;
}

/* The socket by which it asks for routes. */
static void add_address(void)
{
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg body;
		struct rtattr attr;
		uint8_t address[4];
	} request = {
		.header = { .nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.body = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 },
		.attr = { .rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL },
		.address = { 192, 0, 2, 77 },
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t more[1024];
	} answer;
	int fd = find_socket(AF_NETLINK);

	if (fd < 0 || send(fd, &request, sizeof request, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0) {
		say("add an address", "no answer");
		return;
	}
	errno = -answer.error.error;
	say_errno("add an address", errno != 0);
}

static void bypass(void)
{
	struct xfrm_userpolicy_info policy;
	int fd = find_socket(AF_INET);

	memset(&policy, 0, sizeof policy);
	policy.sel.family = AF_INET;
	policy.dir = XFRM_POLICY_OUT;
	policy.action = XFRM_POLICY_ALLOW;
	say_errno("policy of a socket", setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, &policy, sizeof policy) != 0);
}

static struct ip_addr address_in(const char *variable, const char *otherwise)
{
	const char *text = getenv(variable);
	struct ip_addr address;

	if (ip_from_text(text ? text : otherwise, &address) != IKE_OK)
		say(variable, "no address");
	return address;
}

static struct kernel_request request(enum kernel_op op, uint32_t reqid)
{
	return (struct kernel_request){
		.op = op, .reqid = reqid, .spi_in = 0x1000, .spi_out = 0x2000,
		.local = address_in("OE_ATTACK_LOCAL", "127.0.0.1"), .remote = address_in("OE_ATTACK_REMOTE", "192.0.2.77"),
		.suite = { ENCR_AES_GCM_16, 256, INTEG_NONE, true }, .keys_in = { .encr.n = 36 }, .keys_out = { .encr.n = 36 },
	};
}

static void ask(const char *what, const struct kernel_request *r)
{
	enum ike_err err = kernel_apply(kernel, r);

	say(what, err == IKE_OK ? "done" : ike_err_text(err));
}

static void requests(void)
{
	struct kernel_request r = request(KERNEL_PROTECT, UNASKED_REQID);

	ask("protect what nobody asked for", &r);
	r.shield = true;
	ask("shield what nobody asked for", &r);
	r = request(KERNEL_ADD_SAS, UNASKED_REQID);
	ask("SAs for what is not protected", &r);
	r = request(KERNEL_PROTECT, 1);
	ask("protect with another reqid", &r);
	r = request(KERNEL_UNPROTECT, 1);
	ask("unprotect another reqid", &r);
	r = request(KERNEL_UNPROTECT, KERNEL_REQID_ORPHAN);
	ask("unprotect orphans", &r);
	r = request(KERNEL_UNPROTECT, KERNEL_REQID_SHIELD);
	ask("unprotect shields", &r);
	r = request(KERNEL_UNPROTECT, UNASKED_REQID);
	ask("unprotect what it has not protected", &r);
	r = request(KERNEL_PASS, UNASKED_REQID);
	ask("let pass", &r);
	kernel_close(kernel);
	say("flush", "nothing to ask for");
}

static void sign(void)
{
	static uint8_t message[28] = { [17] = 0x20, [18] = 34, [27] = 28 };
	static const uint8_t bytes[64];
	const struct span ike[] = { { message, 28 }, { bytes, 32 }, { bytes, 32 }, { NULL, 0 } };
	const struct span other[] = { { bytes, 64 }, { bytes, 32 }, { bytes, 32 }, { NULL, 0 } };
	uint8_t value[SIGNER_VALUE_MAX], method;
	struct wr w = wr_over(value, sizeof value);
	enum ike_err err = signer_sign(signer, 1u << 2 | 1u << 5, other, SIGNER_PARTS, &method, &w);

	say("sign something else", ike_err_text(err));
	say("sign what IKE signs", ike_err_text(signer_sign(signer, 1u << 2 | 1u << 5, ike, SIGNER_PARTS, &method, &w)));
}

static void nonsense(void)
{
	char answer[64];

	(void)!send(calls, "flush", 5, 0);
	(void)!recv(calls, answer, sizeof answer, 0);
	(void)pause();
}

static const struct {
	const char *word;
	void (*run)(void);
} attacks[] = {
	{ "files", files }, { "sockets", sockets }, { "processes", processes }, { "resolver", resolver }, { "execute", execute }, { "divide", divide },
	{ "debug", debug }, { "add-address", add_address }, { "bypass", bypass }, { "requests", requests }, { "nonsense", nonsense }, { "sign", sign },
};

enum ike_err __wrap_sandbox_enter(const struct sandbox *s, const struct log *log)
{
	taken_over = true;
	return __real_sandbox_enter(s, log);
}

enum ike_err __wrap_kernel_far_open(const struct log *log, int c, int events, int losses, struct kernel **out)
{
	enum ike_err err = __real_kernel_far_open(log, c, events, losses, out);

	kernel = *out;
	calls = c;
	return err;
}

enum ike_err __wrap_signer_open(const char *file, const struct sandbox *sandbox, const struct log *log, struct span label,
				struct secret *derived, struct signer **out, char error[SIGNER_ERROR_MAX])
{
	enum ike_err err = __real_signer_open(file, sandbox, log, label, derived, out, error);

	signer = *out;
	return err;
}

enum ike_err __wrap_loop_run(struct loop *loop)
{
	const char *wanted = getenv("OE_ATTACK");

	if (!taken_over)
		return __real_loop_run(loop);
	for (unsigned i = 0; wanted && i < sizeof attacks / sizeof *attacks; i++)
		if (strcmp(attacks[i].word, wanted) == 0) {
			attacks[i].run();
			say(wanted, "over");
		}
	_exit(0);
}
