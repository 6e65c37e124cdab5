/* control_proto.h - what both ends of the control socket must agree on; docs/control.md is the
 * contract. */
#ifndef OE_PROTO_CONTROL_PROTO_H
#define OE_PROTO_CONTROL_PROTO_H

#define CONTROL_SOCKET_DEFAULT RUNSTATEDIR "/unbound-oe/control.sock"
#define CONTROL_CONF_DEFAULT SYSCONFDIR "/unbound-oe/oe.conf"

enum {
	CONTROL_VERSION = 1,
	CONTROL_REQUEST_MAX = 32768,    /* bytes of a request line, with its newline */
	CONTROL_BY_HAND_MAX_S = 7 * 86400,      /* longest permission, longest pause */
	CONTROL_ANSWER_MAX = 16384,     /* bytes of one line of an answer */
};

#endif
