/* oe.conf: every option, every complaint word by word, and the documents that must say the same as
 * the table. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "conf/conf.h"

static char file[] = "/tmp/test_conf.XXXXXX";

static struct conf conf;
static char said[CONF_ERROR_MAX];

static enum ike_err read_bytes(const void *text, size_t n)
{
	FILE *out = fopen(file, "w");
	enum ike_err err;
	char *at;

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, n, out), n);
	assert_int_equal(fclose(out), 0);
	err = conf_read(file, true, &conf, said);
	/* The name of the file is another one each time. */
	at = strstr(said, file);
	if (at) {
		memmove(at + 4, at + strlen(file), strlen(at + strlen(file)) + 1);
		memcpy(at, "FILE", 4);
	}
	return err;
}

static enum ike_err read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void assert_complaint(const char *text, const char *complaint)
{
	assert_int_equal(read_text(text), IKE_E_CONFIG);
	assert_string_equal(said, complaint);
}

static void an_empty_file_means_the_defaults(void **state)
{
	struct conf defaults;

	(void)state;
	conf_defaults(&defaults);
	assert_int_equal(read_text(""), IKE_OK);
	assert_memory_equal(&conf, &defaults, sizeof conf);
	assert_int_equal(read_text("# only a comment\n\n   \t\n"), IKE_OK);
	assert_memory_equal(&conf, &defaults, sizeof conf);
	assert_int_equal(conf.deadline_ms, 1500);
	assert_int_equal(conf.ike_port, 500);
	assert_int_equal(conf.natt_port, 4500);
	assert_int_equal(conf.log_level, LOG_LEVEL_INFO);
	assert_false(conf.allow_private);
	assert_string_equal(conf.server_key, "");
	assert_string_equal(conf.control_socket, RUNSTATEDIR "/unbound-oe/control.sock");
}

static void a_missing_file_is_an_error_only_when_asked_for(void **state)
{
	(void)state;
	assert_int_equal(conf_read("/nonexistent/oe.conf", false, &conf, said), IKE_OK);
	assert_int_equal(conf_read("/nonexistent/oe.conf", true, &conf, said), IKE_E_CONFIG);
	assert_string_equal(said, "/nonexistent/oe.conf: No such file or directory");
	assert_int_equal(conf_read("/", true, &conf, said), IKE_E_CONFIG);
	assert_string_equal(said, "/: cannot be read: Is a directory");
}

static void every_option_is_read(void **state)
{
	char text[DNSNAME_TEXT_MAX];

	(void)state;
	assert_int_equal(read_text("resolver-socket: /a/resolver\n"
				   "resolver-group: \"named\"\n"
				   "control-socket: '/a/control'  # comment\n"
				   "control-group: wheel\n"
				   "deadline: 100\n"
				   "allow-private: yes\n"
				   "policy-dir: /etc/policies\n"
				   "server-key: /etc/key.pem\n"
				   "server-identity: Www.Example.ORG\n"
				   "accept-anonymous: yes\n"
				   "accept-identified: yes\n"
				   "address-pool: 100.64.0.0/24\n"
				   "address-pool: fd00:64::/64\n"
				   "identify-to: Friends.example\n"
				   "identify-to: .\n"
				   "trust-gateways: lan.example\n"
				   "resolver: ::1@5353\n"
				   "trust-resolver: yes\n"
				   "always-cookie: yes\n"
				   "cookie-threshold: 1\n"
				   "half-open-max: 10000\n"
				   "half-open-per-source: 2\n"
				   "post-quantum: no\n"
				   "listen: 192.0.2.1\n"
				   "  listen: 2001:db8::1\n"
				   "ike-port: 1\n"
				   "natt-port: 65535\n"
				   "peer-port: 1500\n"
				   "always-encapsulate: yes\n"
				   "log-level: debug\n"
				   "tunnels-max: 1000000\n"
				   "anonymous-max: 1000000\n"
				   "anonymous-per-source: 1\n"
				   "establishing-max: 1\n"
				   "attempt: 120000\n"
				   "idle: 1\n"
				   "soft-life: 86400\n"
				   "fragment-size: 576"), IKE_OK);
	assert_string_equal(conf.resolver_socket, "/a/resolver");
	assert_string_equal(conf.resolver_group, "named");
	assert_string_equal(conf.control_socket, "/a/control");
	assert_string_equal(conf.control_group, "wheel");
	assert_string_equal(conf.policy_dir, "/etc/policies");
	assert_int_equal(conf.deadline_ms, 100);
	assert_true(conf.allow_private);
	assert_string_equal(conf.server_key, "/etc/key.pem");
	assert_string_equal(dnsname_text(&conf.server_identity, text), "www.example.org");
	assert_true(conf.accept_anonymous);
	assert_true(conf.accept_identified);
	assert_string_equal(ip_text(&conf.pool.v4.first, text), "100.64.0.1");
	assert_int_equal(conf.pool.v4.n, 254);
	assert_string_equal(ip_text(&conf.pool.v6.first, text), "fd00:64::1");
	assert_int_equal(conf.pool.v6.n, 65534);
	assert_int_equal(conf.identify_to.n, 2);
	assert_string_equal(dnsname_text(&conf.identify_to.at[0], text), "friends.example");
	assert_string_equal(dnsname_text(&conf.identify_to.at[1], text), ".");
	assert_int_equal(conf.trust_gateways.n, 1);
	assert_string_equal(dnsname_text(&conf.trust_gateways.at[0], text), "lan.example");
	assert_int_equal(conf.resolver.addr.family, IP_V6);
	assert_int_equal(conf.resolver.port, 5353);
	assert_true(conf.trust_resolver);
	assert_true(conf.always_cookie);
	assert_int_equal(conf.cookie_threshold, 1);
	assert_int_equal(conf.half_open_max, 10000);
	assert_int_equal(conf.half_open_per_source, 2);
	assert_false(conf.post_quantum);
	assert_int_equal(conf.listen.n, 2);
	assert_int_equal(conf.listen.at[0].family, IP_V4);
	assert_int_equal(conf.listen.at[1].family, IP_V6);
	assert_int_equal(conf.ike_port, 1);
	assert_int_equal(conf.natt_port, 65535);
	assert_int_equal(conf.peer_port, 1500);
	assert_true(conf.always_encapsulate);
	assert_int_equal(conf.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(conf.tunnels_max, 1000000);
	assert_int_equal(conf.anonymous_max, 1000000);
	assert_int_equal(conf.anonymous_per_source, 1);
	assert_int_equal(conf.establishing_max, 1);
	assert_int_equal(conf.attempt_ms, 120000);
	assert_int_equal(conf.idle_s, 1);
	assert_int_equal(conf.soft_life_s, 86400);
	assert_int_equal(conf.fragment_size, 576);
}

static void the_last_of_two_counts(void **state)
{
	(void)state;
	assert_int_equal(read_text("deadline: 200\ndeadline: 300\n"), IKE_OK);
	assert_int_equal(conf.deadline_ms, 300);
}

static void an_error_leaves_the_defaults(void **state)
{
	struct conf defaults;

	(void)state;
	conf_defaults(&defaults);
	assert_int_equal(read_text("deadline: 200\nidle: -1\n"), IKE_E_CONFIG);
	assert_memory_equal(&conf, &defaults, sizeof conf);
}

static void complaints_say_where_what_and_what_is_allowed(void **state)
{
	(void)state;
	assert_complaint("\n\ndeadline: soon\n",
			 "FILE:3: deadline: \"soon\" is not a number (allowed: 100 to 60000)");
	assert_complaint("deadline: 1500ms\n",
			 "FILE:1: deadline: \"1500ms\" is not a number (allowed: 100 to 60000)");
	assert_complaint("deadline: 99",
			 "FILE:1: deadline: \"99\" is out of range (allowed: 100 to 60000)");
	assert_complaint("deadline: -1",
			 "FILE:1: deadline: \"-1\" is not a number (allowed: 100 to 60000)");
	assert_complaint("deadline: 99999999999999999999",
			 "FILE:1: deadline: \"99999999999999999999\" is out of range (allowed: 100 to 60000)");
	assert_complaint("ike-port: 0",
			 "FILE:1: ike-port: \"0\" is out of range (allowed: 1 to 65535)");
	assert_complaint("anonymous-max: half",
			 "FILE:1: anonymous-max: \"half\" is not a number (allowed: 0 to 1000000)");
	assert_complaint("half-open-per-source: 0",
			 "FILE:1: half-open-per-source: \"0\" is out of range (allowed: 1 to 10000)");
	assert_complaint("allow-private: true",
			 "FILE:1: allow-private: \"true\" is neither yes nor no");
	assert_complaint("server-key: key.pem",
			 "FILE:1: server-key: \"key.pem\" is not an absolute path");
	assert_complaint("server-identity: a..b",
			 "FILE:1: server-identity: \"a..b\" is not a domain name");
	assert_complaint("address-pool: 100.64.0.0", "FILE:1: address-pool: \"100.64.0.0\" is not a prefix "
			 "(allowed: ADDRESS/LENGTH inside 100.64.0.0/10 or fc00::/7)");
	assert_complaint("address-pool: 10.0.0.0/24", "FILE:1: address-pool: \"10.0.0.0/24\" is out of range "
			 "(allowed: ADDRESS/LENGTH inside 100.64.0.0/10 or fc00::/7)");
	assert_complaint("address-pool: 100.64.0.1/24", "FILE:1: address-pool: \"100.64.0.1/24\" has bits behind its length "
			 "(allowed: ADDRESS/LENGTH inside 100.64.0.0/10 or fc00::/7)");
	assert_complaint("address-pool: fd00::/129", "FILE:1: address-pool: \"fd00::/129\" is out of range "
			 "(allowed: ADDRESS/LENGTH inside 100.64.0.0/10 or fc00::/7)");
	assert_complaint("identify-to: a..b", "FILE:1: identify-to: \"a..b\" is not a domain name");
	assert_complaint("resolver: localhost", "FILE:1: resolver: \"localhost\" is not the address of a server "
			 "(allowed: ADDRESS or ADDRESS@PORT)");
	assert_complaint("resolver: 127.0.0.1@", "FILE:1: resolver: \"127.0.0.1@\" is not the address of a server "
			 "(allowed: ADDRESS or ADDRESS@PORT)");
	assert_complaint("resolver: 127.0.0.1@65536", "FILE:1: resolver: \"127.0.0.1@65536\" is not the address of a server "
			 "(allowed: ADDRESS or ADDRESS@PORT)");
	assert_complaint("server-identity: .",
			 "FILE:1: server-identity: \".\" is not a domain name");
	assert_complaint("listen: example.org",
			 "FILE:1: listen: \"example.org\" is not an IPv4 or IPv6 address");
	assert_complaint("listen: ff02::1",
			 "FILE:1: listen: \"ff02::1\" is not the address of a host");
	assert_complaint("log-level: 3",
			 "FILE:1: log-level: \"3\" is not a level (allowed: error, info, debug)");
	assert_complaint("resolver-group: a b",
			 "FILE:1: resolver-group: \"a b\" is not the name of a group");
	assert_complaint("resolver-group: \"\"",
			 "FILE:1: resolver-group: \"\" is not the name of a group");
}

static void long_values_are_refused(void **state)
{
	char text[CONF_LINE_MAX + 10], complaint[CONF_ERROR_MAX];

	(void)state;
	snprintf(text, sizeof text, "resolver-socket: /%0107d\n", 0);
	snprintf(complaint, sizeof complaint,
		 "FILE:1: resolver-socket: \"/%0107d\" is too long (allowed: 107 bytes)", 0);
	assert_complaint(text, complaint);
	snprintf(text, sizeof text, "resolver-socket: /%0106d\n", 0);
	assert_int_equal(read_text(text), IKE_OK);
	snprintf(text, sizeof text, "resolver-group: a%063d\n", 0);
	snprintf(complaint, sizeof complaint,
		 "FILE:1: resolver-group: \"a%063d\" is too long (allowed: 63 bytes)", 0);
	assert_complaint(text, complaint);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_complaint(text, "FILE:1: line too long (allowed: 2046 bytes)");
}

static void a_nul_byte_hides_nothing(void **state)
{
	static const char text[] = "idle: 5\0 garbage\n";
	static const char first[] = "\0\n";

	(void)state;
	assert_int_equal(read_bytes(text, sizeof text - 1), IKE_E_CONFIG);
	assert_string_equal(said, "FILE:1: control character");
	assert_int_equal(read_bytes(first, sizeof first - 1), IKE_E_CONFIG);
	assert_string_equal(said, "FILE:1: control character");
}

static void broken_lines_are_named(void **state)
{
	(void)state;
	assert_complaint("idle 5", "FILE:1: no colon after the option name");
	assert_complaint("idle:", "FILE:1: no value");
	assert_complaint("server-key: \"/a", "FILE:1: quote not closed");
	assert_complaint("idle: \x01", "FILE:1: control character");
}

static void an_unknown_option_suggests_the_nearest(void **state)
{
	(void)state;
	assert_complaint("dedline: 5",
			 "FILE:1: unknown option \"dedline\"; do you mean \"deadline\"?");
	assert_complaint("server_key: /a",
			 "FILE:1: unknown option \"server_key\"; do you mean \"server-key\"?");
	assert_complaint("tunnel-max: 5",
			 "FILE:1: unknown option \"tunnel-max\"; do you mean \"tunnels-max\"?");
	assert_complaint("verbosity: 5", "FILE:1: unknown option \"verbosity\"");
	assert_complaint("x: 5", "FILE:1: unknown option \"x\"");
}

static void options_that_contradict_are_refused(void **state)
{
	(void)state;
	assert_complaint("ike-port: 4500", "FILE: ike-port and natt-port must differ");
	assert_complaint("half-open-max: 15",
			 "FILE: cookie-threshold must not exceed half-open-max: no cookie would ever be demanded");
	assert_complaint("accept-anonymous: yes",
			 "FILE: accept-anonymous: \"yes\" needs server-key: without a key nobody is answered");
	assert_complaint("accept-identified: yes",
			 "FILE: accept-identified: \"yes\" needs server-key: without a key nobody is answered");
	assert_complaint("address-pool: fd00::/120", "FILE: address-pool needs server-key: without a key nobody is answered");
	assert_complaint("identify-to: .\nserver-key: /x",
			 "FILE: identify-to needs server-key and server-identity: the name to say, and the key to sign for it");
	assert_complaint("identify-to: .\nserver-identity: x",
			 "FILE: identify-to needs server-key and server-identity: the name to say, and the key to sign for it");
	assert_complaint("resolver: 192.0.2.53", "FILE: resolver: it is not on this host, so what it says is believed only "
			 "with trust-resolver: yes");
	assert_int_equal(read_text("resolver: 192.0.2.53\ntrust-resolver: yes"), IKE_OK);
	assert_int_equal(read_text("resolver: 127.8.8.8"), IKE_OK);
	assert_int_equal(conf.resolver.port, 53);
	assert_complaint("resolver-socket: /a\ncontrol-socket: /a",
			 "FILE: resolver-socket and control-socket must differ");
	assert_complaint("fragment-size: 575",
			 "FILE: fragment-size: a value below 576 is too small for IKE (allowed: 0 and 576 to 65535)");
}

static void too_many_addresses_are_refused(void **state)
{
	char text[CONF_LINE_MAX] = "";
	unsigned i;

	(void)state;
	for (i = 1; i <= CONF_LISTEN_MAX + 1; i++)
		sprintf(text + strlen(text), "listen: 192.0.2.%u\n", i);
	assert_complaint(text, "FILE:33: listen: \"192.0.2.33\" is one too many (allowed: 32)");
	text[0] = '\0';
	for (i = 1; i <= CONF_NAMES_MAX + 1; i++)
		sprintf(text + strlen(text), "identify-to: a%u.example\n", i);
	assert_complaint(text, "FILE:33: identify-to: \"a33.example\" is one too many (allowed: 32)");
}

static void a_change_is_seen(void **state)
{
	static const char *const changes[] = {
		"resolver-socket: /x", "resolver-group: x", "control-socket: /x", "control-group: x", "deadline: 101",
		"allow-private: yes", "policy-dir: /x", "trust-gateways: a", "server-key: /x", "server-identity: x", "accept-anonymous: yes\nserver-key: /x",
		"accept-identified: yes\nserver-key: /x", "address-pool: 100.64.0.0/24\nserver-key: /x",
		"identify-to: a\nserver-key: /x\nserver-identity: x",
		"resolver: 127.0.0.1@54", "trust-resolver: yes", "always-cookie: yes",
		"cookie-threshold: 5", "half-open-max: 50", "half-open-per-source: 5", "post-quantum: no", "qcd: no", "qcd-secret: /x", "listen: 192.0.2.1",
		"ike-port: 501", "natt-port: 501", "peer-port: 501", "always-encapsulate: yes", "log-level: debug", "tunnels-max: 5",
		"anonymous-max: 5", "anonymous-per-source: 5", "establishing-max: 5", "attempt: 501", "idle: 5", "soft-life: 31", "ike-life: 61", "fragment-size: 600",
	};
	struct conf defaults;
	const struct option_row *rows;
	unsigned n, i;

	(void)state;
	conf_defaults(&defaults);
	rows = conf_options(&n);
	assert_int_equal(n, sizeof changes / sizeof *changes);
	for (i = 0; i < n; i++) {
		assert_true(conf_same(&rows[i], &defaults, &defaults));
		assert_int_equal(read_text(changes[i]), IKE_OK);
		assert_false(conf_same(&rows[i], &defaults, &conf));
	}
}

/* Documents ------------------------------------------------------------------------------------ */

static char *read_document(const char *name)
{
	const char *top = getenv("srcdir");
	char path[4096];
	char *text = calloc(1, 65536);
	FILE *in;

	snprintf(path, sizeof path, "%s/%s", top ? top : ".", name);
	in = fopen(path, "r");
	if (!in || !text)
		fail_msg("cannot read %s", path);
	(void)!fread(text, 1, 65535, in);
	fclose(in);
	return text;
}

/* The documents show the paths of an installation by a package. */
static const char *shown_default(const struct option_row *row, char to[256])
{
	const char *text = row->fallback;

	if (strncmp(text, RUNSTATEDIR "/unbound-oe", strlen(RUNSTATEDIR "/unbound-oe")) == 0)
		snprintf(to, 256, "/run%s", text + strlen(RUNSTATEDIR));
	else if (strncmp(text, SYSCONFDIR "/unbound-oe", strlen(SYSCONFDIR "/unbound-oe")) == 0)
		snprintf(to, 256, "/etc%s", text + strlen(SYSCONFDIR));
	else
		snprintf(to, 256, "%s", text);
	return to;
}

static const char *shown_value(const struct option_row *row)
{
	switch (row->kind) {
	case OPTION_PATH:
		return "PATH";
	case OPTION_WORD:
		return "GROUP";
	case OPTION_NUMBER:
		return "NUMBER";
	case OPTION_BOOL:
		return "yes | no";
	case OPTION_POOL:
		return "PREFIX";
	case OPTION_NAME: case OPTION_NAMES:
		return "NAME";
	case OPTION_SERVER:
		return "ADDRESS[@PORT]";
	case OPTION_ADDRESS:
		return "ADDRESS";
	case OPTION_LEVEL:
		return "error | info | debug";
	}
	return "";
}

static void assert_contains(const char *document, const char *name, const char *wanted)
{
	if (!strstr(document, wanted))
		fail_msg("%s does not contain this text:\n%s", name, wanted);
}

static void oe_conf_example_says_what_the_table_says(void **state)
{
	char *document = read_document("oe.conf.example");
	const struct option_row *rows;
	unsigned n, i;

	(void)state;
	rows = conf_options(&n);
	for (i = 0; i < n; i++) {
		char wanted[2048] = "", value[256];
		const char *at;

		strcat(wanted, "\n# ");
		for (at = rows[i].help; *at != '\0'; at++)
			if (*at == '\n')
				strcat(wanted, "\n# ");
			else
				strncat(wanted, at, 1);
		sprintf(wanted + strlen(wanted), "\n# %s: %s", rows[i].name,
			shown_default(&rows[i], value));
		if (value[0] == '\0')
			strcat(wanted, shown_value(&rows[i]));
		strcat(wanted, "\n");
		assert_contains(document, "oe.conf.example", wanted);
	}
	free(document);
}

static void the_manual_page_says_what_the_table_says(void **state)
{
	char *document = read_document("docs/oe.conf.5");
	const struct option_row *rows;
	unsigned n, i;

	(void)state;
	rows = conf_options(&n);
	for (i = 0; i < n; i++) {
		char wanted[2048], value[256];

		sprintf(wanted, "\n.TP\n.BI %s: \" %s\"\n%s\n", rows[i].name, shown_value(&rows[i]),
			rows[i].help);
		if (rows[i].kind == OPTION_NUMBER)
			sprintf(wanted + strlen(wanted), "Allowed: %u to %u.\n", rows[i].min,
				rows[i].max);
		shown_default(&rows[i], value);
		if (value[0] != '\0')
			sprintf(wanted + strlen(wanted), "Default: %s.\n", value);
		assert_contains(document, "docs/oe.conf.5", wanted);
	}
	free(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_means_the_defaults),
		cmocka_unit_test(a_missing_file_is_an_error_only_when_asked_for),
		cmocka_unit_test(every_option_is_read),
		cmocka_unit_test(the_last_of_two_counts),
		cmocka_unit_test(an_error_leaves_the_defaults),
		cmocka_unit_test(complaints_say_where_what_and_what_is_allowed),
		cmocka_unit_test(long_values_are_refused),
		cmocka_unit_test(a_nul_byte_hides_nothing),
		cmocka_unit_test(broken_lines_are_named),
		cmocka_unit_test(an_unknown_option_suggests_the_nearest),
		cmocka_unit_test(options_that_contradict_are_refused),
		cmocka_unit_test(too_many_addresses_are_refused),
		cmocka_unit_test(a_change_is_seen),
		cmocka_unit_test(oe_conf_example_says_what_the_table_says),
		cmocka_unit_test(the_manual_page_says_what_the_table_says),
	};
	int fd = mkstemp(file);
	int failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(file);
	return failed;
}
