/* options.h - every option of oe.conf, once: its name, kind, default, bounds and what a person is
 * told about it.
 *
 * conf.c reads files by this list; the unit test holds oe.conf.example and docs/oe.conf.5 to it.
 *
 * OPTION_X(name, field, kind, default, min, max, help)
 *   name     as in the file
 *   field    of struct conf
 *   kind     of enum option_kind
 *   default  text, as in the file; "" = not set
 *   min, max of a number; the size of a text
 *   help     whole sentences; each string is one line of oe.conf.example
 */
#ifndef OE_CONF_OPTIONS_H
#define OE_CONF_OPTIONS_H

#define CONF_OPTIONS(X) \
	X("resolver-socket", resolver_socket, OPTION_PATH, \
	  RUNSTATEDIR "/unbound-oe/resolver.sock", 0, CONF_SOCKET_MAX, \
	  "Where Unbound's module reaches oe-iked. Both read this option. Under systemd\n" \
	  "ListenSequentialPacket= of oe-iked.socket has to be the same.") \
	X("resolver-group", resolver_group, OPTION_WORD, "", 0, CONF_WORD_MAX, \
	  "The group that may open resolver-socket: the one that Unbound runs in. When this\n" \
	  "is not set it is \"unbound\" if there is such a group, else root's. Under systemd\n" \
	  "SocketGroup= of oe-iked.socket says it.") \
	X("control-socket", control_socket, OPTION_PATH, RUNSTATEDIR "/unbound-oe/control.sock", \
	  0, CONF_SOCKET_MAX, "Where the command oe reaches oe-iked. Both read this option.") \
	X("control-group", control_group, OPTION_WORD, "", 0, CONF_WORD_MAX, \
	  "A group that may use oe, besides root. Its members can take tunnels down.") \
	X("deadline", deadline_ms, OPTION_NUMBER, "1500", 100, 60000, \
	  "Milliseconds after which the module answers SERVFAIL although oe-iked is still\n" \
	  "trying. Keep it below Unbound's discard-timeout (1900).") \
	X("allow-private", allow_private, OPTION_BOOL, "no", 0, 0, \
	  "Allow tunnels to private addresses: 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7.") \
	X("policy-dir", policy_dir, OPTION_PATH, SYSCONFDIR "/unbound-oe/policies", 0, CONF_PATH_MAX, \
	  "A folder with files block, clear, clear-or-private, private-or-clear and private, each\n" \
	  "a list of networks, addresses and domain names that are treated in this way\n" \
	  "(docs/policy-groups.md). Without it every name with a key is protected or refused.\n" \
	  "oe-iked and oe read it; the module does not.") \
	X("trust-gateways", trust_gateways, OPTION_NAMES, "", 0, CONF_NAMES_MAX, \
	  "A domain; names that are this one, or below it, may send any address through a gateway\n" \
	  "that their IPSECKEY records name, on their word alone. May be given several times. When\n" \
	  "it is not set the reverse name of the address must say the same (docs/gateways.md).") \
	X("server-key", server_key, OPTION_PATH, "", 0, CONF_PATH_MAX, \
	  "A PEM file with this host's private key (\"oe key generate\" makes one). When it is\n" \
	  "set, oe-iked also answers hosts that want a tunnel to this one. Nobody but the\n" \
	  "owner may read the file.") \
	X("server-identity", server_identity, OPTION_NAME, "", 0, 0, \
	  "The domain name that this host calls itself when it answers (IDr), and to hosts of\n" \
	  "identify-to. Its address when this is not set.") \
	X("accept-anonymous", accept_anonymous, OPTION_BOOL, "no", 0, 0, \
	  "Accept hosts that do not say who they are (AUTH_NULL, RFC 7619). Needs server-key.") \
	X("accept-identified", accept_identified, OPTION_BOOL, "no", 0, 0, \
	  "Accept hosts that say who they are and sign with a key that DNS publishes for that\n" \
	  "name, validated by DNSSEC (see resolver). Needs server-key.") \
	X("address-pool", pool, OPTION_POOL, "", 0, 0, \
	  "Addresses that this host assigns to clients, which use them inside of their tunnels\n" \
	  "only: ADDRESS/LENGTH inside 100.64.0.0/10 or fc00::/7, one prefix of each family, of\n" \
	  "which 65536 addresses at most are used. Needs server-key. A client behind a NAT has to\n" \
	  "take one, so that several behind one NAT have tunnels at once and others there can\n" \
	  "reach this host without IPsec; any other gets one if it asks. Without it clients behind\n" \
	  "a NAT are served one at a time.") \
	X("identify-to", identify_to, OPTION_NAMES, "", 0, CONF_NAMES_MAX, \
	  "A domain; hosts of this name, and below it, are told who this host is when it asks\n" \
	  "for a tunnel: it says server-identity and signs with server-key. May be given\n" \
	  "several times; \".\" means every host. When it is not set this host asks anonymously.\n" \
	  "The name is said before the other host has proved anything: nobody who only listens\n" \
	  "can read it, but somebody who answers in the place of the host can.") \
	X("resolver", resolver, OPTION_SERVER, "127.0.0.1@53", 53, 0, \
	  "The validating resolver that is asked for the keys of hosts that say who they are,\n" \
	  "by oe for what it explains, and during a pause whether it validates again: the\n" \
	  "Unbound of this host.") \
	X("trust-resolver", trust_resolver, OPTION_BOOL, "no", 0, 0, \
	  "Believe the resolver also if it is not on this host (the AD bit of its answers).\n" \
	  "Whoever can change packets on the way from it can then pass for any host.") \
	X("always-cookie", always_cookie, OPTION_BOOL, "no", 0, 0, \
	  "Have every host that wants a tunnel prove first that it receives at its address\n" \
	  "(RFC 7296 2.6), not only when there are many.") \
	X("cookie-threshold", cookie_threshold, OPTION_NUMBER, "16", 1, 10000, \
	  "So many handshakes of others that are not finished make every further host prove\n" \
	  "first that it receives at its address, as with always-cookie.") \
	X("half-open-max", half_open_max, OPTION_NUMBER, "256", 1, 10000, \
	  "Handshakes of others that are not finished, at once. Beyond it the oldest goes that\n" \
	  "has had two seconds to go on; if there is none, new ones are not answered.") \
	X("half-open-per-source", half_open_per_source, OPTION_NUMBER, "128", 1, 10000, \
	  "Of these, from one IPv4 address or one IPv6 /64. Beyond it the oldest of that source\n" \
	  "goes, as above, for one that has proved that it receives there.") \
	X("post-quantum", post_quantum, OPTION_BOOL, "yes", 0, 0, \
	  "Add ML-KEM-768 to the key exchange (RFC 9370) with hosts that can do it too, so that\n" \
	  "what is recorded today stays secret from the quantum computers of tomorrow. It takes\n" \
	  "one more round trip. Needs libcrypto 3.5; with an older one this is as good as no.") \
	X("qcd", qcd, OPTION_BOOL, "yes", 0, 0, \
	  "Give hosts a token by which this host can prove after a restart that it has lost its\n" \
	  "tunnels, so that they make new ones at once (RFC 6290). That needs a secret which stays\n" \
	  "the same: that of qcd-secret; without it one that comes from server-key; without both no\n" \
	  "tokens are made. Say no if several machines answer at one address with one server-key\n" \
	  "(anycast, a cluster): one would give away the tokens of another.") \
	X("qcd-secret", qcd_secret, OPTION_PATH, "", 0, CONF_PATH_MAX, \
	  "A file for that secret; it is made at the first start, readable by its owner alone.\n" \
	  "When it is not set, hosts without server-key make no tokens.") \
	X("listen", listen, OPTION_ADDRESS, "", 0, 0, \
	  "An address of this host to use for IKE; may be given several times. All addresses\n" \
	  "when this is not set. A host with a tunnel is not reached from the others.") \
	X("ike-port", ike_port, OPTION_NUMBER, "500", 1, 65535, \
	  "The UDP port of this host for IKE.") \
	X("natt-port", natt_port, OPTION_NUMBER, "4500", 1, 65535, \
	  "The UDP port of this host for IKE and ESP through a NAT (RFC 3948).") \
	X("peer-port", peer_port, OPTION_NUMBER, "500", 1, 65535, \
	  "The UDP port of other hosts to which IKE is sent first.") \
	X("always-encapsulate", always_encapsulate, OPTION_BOOL, "no", 0, 0, \
	  "Send ESP in UDP to and from everybody. Without it that is done behind a NAT, and\n" \
	  "where packets are found to get no answer: some networks pass UDP and drop ESP.") \
	X("log-level", log_level, OPTION_LEVEL, "info", 0, 0, \
	  "error: somebody must act. info: also one line for each event in the life of a\n" \
	  "tunnel. debug: also each exchange and each datagram that was dropped.") \
	X("tunnels-max", tunnels_max, OPTION_NUMBER, "4096", 1, 1000000, \
	  "Tunnels at once. Beyond it the one that was idle longest is released.") \
	X("anonymous-max", anonymous_max, OPTION_NUMBER, "0", 0, 1000000, \
	  "Of these, with hosts that came without saying who they are; 0 means half of\n" \
	  "tunnels-max. Beyond it the one that was idle longest is released for the next, and\n" \
	  "told so; when all are in use the next is refused. A tunnel that this host has asked\n" \
	  "for is never released for one of them.") \
	X("anonymous-per-source", anonymous_per_source, OPTION_NUMBER, "512", 1, 1000000, \
	  "Of these, from one IPv4 address or one IPv6 /64. Beyond it the one of that source\n" \
	  "that was idle longest is released.") \
	X("establishing-max", establishing_max, OPTION_NUMBER, "512", 1, 100000, \
	  "Attempts to establish a tunnel at once. Others wait their turn.") \
	X("attempt", attempt_ms, OPTION_NUMBER, "10000", 500, 120000, \
	  "Milliseconds that an attempt lasts. It may go on after the module's deadline, so\n" \
	  "that the application's next try finds the tunnel ready.") \
	X("idle", idle_s, OPTION_NUMBER, "300", 1, 604800, \
	  "Seconds after which a tunnel is released, counted from its last packet and from the\n" \
	  "time when the last answer that led to it has expired.") \
	X("soft-life", soft_life_s, OPTION_NUMBER, "3600", 10, 86400, \
	  "Seconds after which a tunnel that is in use gets new keys for its packets. Where the\n" \
	  "host does not do that, the tunnel is made anew before the old one goes. One that\n" \
	  "another host has asked for gets them later, if that host does not see to it.") \
	X("ike-life", ike_life_s, OPTION_NUMBER, "14400", 10, 604800, \
	  "Seconds after which it gets new keys for IKE itself, by a new key exchange; likewise.") \
	X("fragment-size", fragment_size, OPTION_NUMBER, "0", 0, 65535, \
	  "Bytes of the largest IP packet that IKE is sent in (RFC 7383); 0 means 576 for IPv4\n" \
	  "and 1280 for IPv6.")

#endif
