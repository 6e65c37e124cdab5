"""Hosts that lie to our client. All of them at once: each has its own address, and its own line in the table."""
import os
import socket
import struct

import host as h
import ike as i
import resolver as r
from host import Host, Hosts
from ike import P, notify
from judge import Journal
from resolver import Resolver
from world import CLIENT, check, check_equal, many, wait_for

BAD_POINTS_X25519 = {
    'zero': bytes(32), 'one': b'\1' + bytes(31), 'minus one': b'\xec' + b'\xff' * 30 + b'\x7f',
    'p': b'\xed' + b'\xff' * 30 + b'\x7f', 'p plus one': b'\xee' + b'\xff' * 30 + b'\x7f',
    'of order 8': bytes.fromhex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'),
    'of order 8, the other': bytes.fromhex('5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157'),
}
P256_P = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
BAD_POINTS_P256 = {
    'zero': bytes(64), 'not on the curve': b'\1' * 64, 'above p': (P256_P + 1).to_bytes(32, 'big') + b'\1' * 32,
    'cut': b'\1' * 63,    'compressed': b'\2' + b'\1' * 32,
}


# Changes ---------------------------------------------------------------------------------------------------------

def init_sa(*proposals):
    return {'init': lambda payloads, peer: i.put(payloads, i.SA, b''.join(proposals))}


def init_transforms(*transforms, **more):
    return init_sa(i.proposal(list(transforms), **more))


def init_body(kind, body):
    return {'init': lambda payloads, peer: i.put(payloads, kind, body)}


def init_without(kind):
    return {'init': lambda payloads, peer: i.without(payloads, kind)}


def init_plus(*more, first=False):
    return {'init': lambda payloads, peer: [*more, *payloads] if first else [*payloads, *more]}


def init_twice(kind):
    return {'init': lambda payloads, peer: payloads + [p for p in payloads if p.type == kind]}


def init_only(*payloads):
    return {'init': lambda _, peer: list(payloads)}


def init_header(**changes):
    """Another header before the same payloads."""
    def make(payloads, peer):
        for name, value in changes.items():
            setattr(peer, name, value(peer) if callable(value) else value)
        return payloads
    return {'init': make}


def init_bytes(at, value):
    return {'init_raw': lambda message, _: message[:at] + value + message[at + len(value):]}


def auth_body(kind, *bodies):
    return {'auth': lambda payloads, peer: i.put(payloads, kind, *bodies)}


def auth_without(*kinds):
    return {'auth': lambda payloads, peer: [p for p in payloads if p.type not in kinds]}


def auth_twice(kind):
    return {'auth': lambda payloads, peer: payloads + [p for p in payloads if p.type == kind]}


def auth_plus(*more):
    return {'auth': lambda payloads, peer: payloads + list(more)}


def auth_only(*payloads):
    return {'auth': lambda _, peer: list(payloads)}


def auth_value(method, value):
    return auth_body(i.AUTH_PL, h.auth_body(method, value))


def child_sa(*transforms, protocol=i.PROTO_ESP, spi=h.SPI, more=b''):
    return auth_body(i.SA, i.proposal(list(transforms), protocol, spi, last=not more) + more)


def own_ts(make):
    """Other traffic selectors for the host's own end, made from its address."""
    def change(payloads, peer):
        own = i.find(payloads, i.TSR)[-4:]
        return i.put(payloads, i.TSR, i.selectors(*make(own)))
    return {'auth': change}


def client_ts(make):
    def change(payloads, peer):
        client = i.find(payloads, i.TSI)[-4:]
        return i.put(payloads, i.TSI, i.selectors(*make(client)))
    return {'auth': change}


def signed_over(octets):
    return {'octets': octets}


def auth_header(**changes):
    def seal(payloads, peer, header):
        for name, value in changes.items():
            setattr(header, name, value(header) if callable(value) else value)
        return peer.seal(header, payloads)
    return {'seal': seal}


def fragments(arrange):
    """The answer in fragments; arrange(list of fragments, peer, header, payloads) is what is sent of them."""
    return {'seal': lambda payloads, peer, header: arrange(peer.seal_fragments(header, payloads), peer, header, payloads)}


def piece(peer, header, number, total, inner=b'\0' * 20, first=i.IDR):
    return peer.seal_bytes(header, first if number == 1 else 0, inner, struct.pack('>HH', number, total))


def one_bit(message, at):
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]

def assigns(address):
    """Says FAILED_CP_REQUIRED, and the next time gives the client this address for its own."""
    asked = []

    def change(payloads, peer):
        asked.append(peer)
        if len(asked) == 1:
            return [notify(i.FAILED_CP_REQUIRED)]
        reply = P(i.CP, struct.pack('>BBHHH', 2, 0, 0, 1, len(address)) + address)
        return [*i.put(i.without(payloads, i.NOTIFY), i.TSI, i.selectors(S(address))), reply]
    return {'auth': change}


def endless_cookies(message, request):
    return i.pack(i.Header(request[:8], bytes(8), i.SA_INIT, i.RESPONSE, 0), [notify(i.COOKIE, os.urandom(16))])


def endless_groups(message, request):
    group = struct.unpack_from('>H', i.find(i.unpack(request)[1], i.KE))[0]
    return i.pack(i.Header(request[:8], bytes(8), i.SA_INIT, i.RESPONSE, 0),
                  [notify(i.INVALID_KE, struct.pack('>H', {31: 19, 19: 20, 20: 14, 14: 15, 15: 31}[group]))])


def clear_errors_first(message, peer, request):
    """Every error in clear, in the name of the host, and then the truth."""
    header = i.Header(peer.spi_i, peer.spi_r, i.AUTH, i.RESPONSE, 1)
    return [i.pack(header, [notify(kind)]) for kind in i.ERRORS] + [message]


def init_errors_first(message, request):
    header = i.Header(request[:8], bytes(8), i.SA_INIT, i.RESPONSE, 0)
    return [i.pack(header, [notify(kind)]) for kind in i.ERRORS if kind != i.INVALID_KE] + [message]


T = i.transform
GCM, SHA256, CURVE = T(i.ENCR, i.AES_GCM, 256), T(i.PRF, 5), T(i.GROUP, i.X25519)
EXTENDED = T(i.ESN, 1)
STRANGE = P(200, b'what?', critical=True)
OTHER = bytes([198, 18, 200, 1])
TABLE = []


def row(name, reason, words='', /, **changes):
    TABLE.append((name, reason, words, changes))


OK, LATE, REFUSED, PROPOSAL, BAD_AUTH, BAD_TS, PROTOCOL = 0, r.TIMEOUT, r.PEER_REFUSED, 7, r.AUTH_FAILED, 9, 13

# The control, and what may be unusual.
row('nothing wrong', OK)
row('P-256', OK, group=i.P256)
row('P-384', OK, group=i.P384)
row('init: an unknown payload, not critical', OK, **init_plus(P(200, b'?'), first=True))
row('init: a known payload marked critical', OK, **init_plus(P(i.VENDOR, b'?', critical=True)))
row('init: nonce of 16 bytes', OK, **init_header(nonce=os.urandom(16)))
row('auth: an unknown payload, not critical', OK, **auth_plus(P(200, b'?')))
row('auth: another name as ID, signed', OK, identity=i.identity(i.ID_FQDN, b'elsewhere.example'))
row('auth: ID of another type, signed', OK, identity=i.identity(i.ID_KEY, b'\0\1\2'))
row('auth: ID_NULL, signed', OK, identity=i.identity(i.ID_NULL))
row('auth: fragments', OK, **fragments(lambda sent, *_: sent))
row('auth: fragments backwards', OK, **fragments(lambda sent, *_: sent[::-1]))
row('auth: fragments three times', OK, **fragments(lambda sent, *_: sent * 3))

# IKE_SA_INIT: nothing is authenticated, so nothing of it ends the attempt; the reason tells what came.
UNUSABLE = 'unusable answer to IKE_SA_INIT'
row('init: a cipher not offered', PROPOSAL, UNUSABLE, **init_transforms(T(i.ENCR, i.AES_GCM, 192), SHA256, CURVE))
row('init: 3DES', PROPOSAL, UNUSABLE, **init_transforms(T(i.ENCR, 3), SHA256, T(i.INTEG, 2), CURVE))
row('init: PRF SHA-1', PROPOSAL, UNUSABLE, **init_transforms(GCM, T(i.PRF, 2), CURVE))
row('init: MODP-1024', PROPOSAL, UNUSABLE, **init_transforms(GCM, SHA256, T(i.GROUP, 2)))
row('init: no key exchange', PROPOSAL, UNUSABLE, **init_transforms(GCM, SHA256))
row('init: no PRF', PROPOSAL, UNUSABLE, **init_transforms(GCM, CURVE))
row('init: two ciphers', PROPOSAL, UNUSABLE, **init_transforms(GCM, T(i.ENCR, i.AES_GCM, 128), SHA256, CURVE))
row('init: a transform twice', PROPOSAL, UNUSABLE, **init_transforms(GCM, GCM, SHA256, CURVE))
row('init: a key length not offered', PROPOSAL, UNUSABLE,
    **init_transforms(T(i.ENCR, i.AES_CBC, 128), SHA256, T(i.INTEG, 12), CURVE))
row('init: CBC without integrity', PROPOSAL, UNUSABLE, **init_transforms(T(i.ENCR, i.AES_CBC, 256), SHA256, CURVE))
row('init: GCM with integrity', PROPOSAL, UNUSABLE, **init_transforms(GCM, SHA256, T(i.INTEG, 12), CURVE))
row('init: protocol ESP', PROPOSAL, UNUSABLE, **init_transforms(GCM, SHA256, CURVE, protocol=i.PROTO_ESP))
row('init: proposal 9', PROPOSAL, UNUSABLE, **init_transforms(GCM, SHA256, CURVE, number=9))
row('init: proposal with an SPI', PROPOSAL, UNUSABLE, **init_transforms(GCM, SHA256, CURVE, spi=b'12345678'))
row('init: two proposals', PROPOSAL, UNUSABLE, **init_sa(i.proposal([GCM, SHA256, CURVE], last=False),
                                                        i.proposal([GCM, SHA256, CURVE], number=2)))
row('init: an empty SA', PROTOCOL, UNUSABLE, **init_body(i.SA, b''))
row('init: SA cut in a transform', PROTOCOL, UNUSABLE, **init_body(i.SA, i.proposal([GCM, SHA256, CURVE])[:-3]))
for kind, what in ((i.SA, 'SA'), (i.KE, 'KE'), (i.NONCE, 'nonce')):
    row(f'init: no {what}', LATE, **init_without(kind))
    row(f'init: two {what}', LATE, **init_twice(kind))
row('init: an unknown critical payload', LATE, **init_plus(STRANGE))
row('init: an empty message', LATE, **init_only())
row('init: KE of another group', PROPOSAL, UNUSABLE, **init_body(i.KE, i.ke(i.P256, b'\1' * 64)))
row('init: KE of 31 bytes', PROTOCOL, UNUSABLE, **init_body(i.KE, i.ke(i.X25519, b'\1' * 31)))
row('init: KE of 1000 bytes', PROTOCOL, UNUSABLE, **init_body(i.KE, i.ke(i.X25519, b'\1' * 1000)))
row('init: KE of no bytes', PROTOCOL, UNUSABLE, **init_body(i.KE, i.ke(i.X25519, b'')))
for what, point in BAD_POINTS_X25519.items():
    row(f'init: X25519 point {what}', PROTOCOL, UNUSABLE, **init_body(i.KE, i.ke(i.X25519, point)))
for what, point in BAD_POINTS_P256.items():
    row(f'init: P-256 point {what}', PROTOCOL, UNUSABLE, group=i.P256, **init_body(i.KE, i.ke(i.P256, point)))
row('init: P-384 point zero', PROTOCOL, UNUSABLE, group=i.P384, **init_body(i.KE, i.ke(i.P384, bytes(96))))
for n in (0, 15, 257):
    row(f'init: nonce of {n} bytes', PROTOCOL, UNUSABLE, **init_body(i.NONCE, b'n' * n))
row('init: SPI zero', PROTOCOL, UNUSABLE, **init_header(spi_r=bytes(8)))
row('init: SPI of somebody else', LATE, **init_header(spi_i=b'\5' * 8))
row('init: version 1', LATE, **init_bytes(17, b'\x10'))
row('init: version 3', LATE, **init_bytes(17, b'\x30'))
row('init: exchange IKE_AUTH', LATE, **init_bytes(18, b'\x23'))
row('init: exchange INFORMATIONAL', LATE, **init_bytes(18, b'\x25'))
row('init: as a request', LATE, **init_bytes(19, b'\0'))
row('init: from the initiator', LATE, **init_bytes(19, b'\x28'))
row('init: message ID 1', LATE, **init_bytes(20, b'\0\0\0\1'))
row('init: a length of 2^32 - 1', LATE, **init_bytes(24, b'\xff' * 4))
row('init: a length of 28', LATE, **init_bytes(24, b'\0\0\0\x1c'))
row('init: our own message back', LATE, init_raw=lambda _, request: request)
row('init: our own message back as a response', PROTOCOL, UNUSABLE,
    init_raw=lambda _, request: request[:19] + b'\x20' + request[20:])
row('init: truncated at every length, then whole', OK,
    init_raw=lambda message, _: [message[:n] for n in range(len(message))] + [message])
row('init: every error, then the answer', OK, init_raw=init_errors_first)
for kind in i.ERRORS:
    reason = {14: PROPOSAL, 17: PROPOSAL, 1: PROTOCOL, 5: PROTOCOL, 7: PROTOCOL}.get(kind, REFUSED)
    row(f'init: error {kind} alone', reason, 'unauthenticated', **init_only(notify(kind)))
row('init: an error beside the answer', OK, **init_plus(notify(i.NO_PROPOSAL)))
row('init: endless cookies', LATE, init_raw=endless_cookies)
row('init: a cookie of 65 bytes', LATE, **init_only(notify(i.COOKIE, b'c' * 65)))
row('init: an empty cookie', LATE, **init_only(notify(i.COOKIE)))
row('init: endless groups', PROPOSAL, 'INVALID_KE_PAYLOAD', init_raw=endless_groups)
row('init: wants group 2', PROPOSAL, 'INVALID_KE_PAYLOAD', **init_only(notify(i.INVALID_KE, b'\0\2')))

# IKE_AUTH: what is intact and wrong ends the attempt at once; what is not intact is nothing.
row('auth: truncated at every length, then whole', OK,
    auth_raw=lambda message, *_: [message[:n] for n in range(len(message))] + [message])
row('auth: a bit flipped in every byte, then whole', OK,
    auth_raw=lambda message, *_: [one_bit(message, at) for at in range(len(message))] + [message])
row('auth: every error in clear, then the answer', OK, auth_raw=clear_errors_first)
row('auth: our own request back', LATE, auth_raw=lambda message, peer, request: request)
row('auth: our own request back as a response', LATE,
    auth_raw=lambda message, peer, request: request[:19] + b'\x20' + request[20:])
row('auth: message ID 0', LATE, **auth_header(ident=0))
row('auth: message ID 2', LATE, **auth_header(ident=2))
row('auth: as a request', LATE, **auth_header(flags=0))
row('auth: from the initiator', LATE, **auth_header(flags=i.INITIATOR | i.RESPONSE))
row('auth: exchange INFORMATIONAL', PROTOCOL, **auth_header(exchange=i.INFORMATIONAL))
row('auth: exchange IKE_SA_INIT', LATE, **auth_header(exchange=i.SA_INIT))
row('auth: the SPI of somebody else', LATE, **auth_header(spi_r=b'\7' * 8))
for kind, what in ((i.SA, 'SA'), (i.TSI, 'TSi'), (i.TSR, 'TSr')):
    row(f'auth: no {what}', PROTOCOL, 'without a CHILD SA', **auth_without(kind))
for kind, what in ((i.IDR, 'IDr'), (i.AUTH_PL, 'AUTH')):
    row(f'auth: no {what}', PROTOCOL, 'without AUTH', **auth_without(kind))
for kind, what in ((i.IDR, 'IDr'), (i.AUTH_PL, 'AUTH'), (i.SA, 'SA'), (i.TSI, 'TSi'), (i.TSR, 'TSr')):
    row(f'auth: two {what}', PROTOCOL, **auth_twice(kind))
row('auth: an empty message', PROTOCOL, **auth_only())
row('auth: an unknown critical payload', PROTOCOL, 'unknown critical payload', **auth_plus(STRANGE))
row('auth: EAP', PROTOCOL, **auth_only(P(i.IDR, i.identity(i.ID_FQDN, h.NAME)), P(i.EAP, b'\1\1\0\5\1')))
row('auth: nested SK', PROTOCOL, **auth_plus(P(i.SK, b'x' * 40)))
row('auth: SK is not the last', LATE, seal=lambda payloads, peer, header: peer.seal(header, payloads) + i.chain([notify(7)])[1])
row('auth: a payload before SK', OK, seal=lambda payloads, peer, header: peer.seal(header, payloads, outer=[notify(7)]))
row('auth: an empty AUTH', PROTOCOL, **auth_body(i.AUTH_PL, b''))
for kind in i.ERRORS:
    row(f'auth: error {kind}', REFUSED, **auth_only(notify(kind)))
row('auth: all of it from the next key', BAD_AUTH, key=('ed25519', 1))
row('auth: a signature of zeros', BAD_AUTH, **auth_value(i.AUTH_SIGNATURE, b'\7' + i.ED25519_ALGORITHM + bytes(64)))
row('auth: no signature', BAD_AUTH, **auth_value(i.AUTH_SIGNATURE, b'\7' + i.ED25519_ALGORITHM))
row('auth: signature over another nonce', BAD_AUTH,
    **signed_over(lambda peer, ident: peer.init_own + peer.nonce + i.prf(peer.key_p, ident)))
row('auth: signature over the other message', BAD_AUTH,
    **signed_over(lambda peer, ident: peer.init_other + peer.nonce_other + i.prf(peer.key_p, ident)))
row('auth: signature of the other role', BAD_AUTH,
    **signed_over(lambda peer, ident: peer.init_other + peer.nonce + i.prf(peer.keys['pi'], ident)))
row('auth: signature without the MACed ID', BAD_AUTH, **signed_over(lambda peer, ident: peer.init_own + peer.nonce_other))
row('auth: signature with the MACed ID of another', BAD_AUTH,
    **signed_over(lambda peer, ident: peer.octets(i.identity(i.ID_FQDN, b'elsewhere.example'))))
row('auth: signature by SHA-1', BAD_AUTH, key=('rsa', 0), sign=lambda signer, octets: signer.sign_sha1(octets))
row('auth: the RSA method, by SHA-1', BAD_AUTH, key=('rsa', 0), sign=lambda signer, octets: signer.sign_rsa_method(octets))
row('auth: RSA and SHA-256', OK, key=('rsa', 0))
row('auth: AUTH_NULL', BAD_AUTH,
    auth=lambda payloads, peer: i.put(payloads, i.AUTH_PL, peer.auth_null(peer.octets(i.find(payloads, i.IDR)))))
row('auth: a shared secret', BAD_AUTH, **auth_value(i.AUTH_PSK, b'p' * 32))
row('auth: an unknown method', BAD_AUTH, **auth_value(201, b'?' * 64))

# Fragments.
row('fragments: one is missing', LATE, **fragments(lambda sent, *_: sent[:-1]))
row('fragments: number 0', LATE,
    **fragments(lambda sent, peer, header, _: [piece(peer, header, 0, 2), piece(peer, header, 2, 2)]))
row('fragments: number above total', LATE, **fragments(lambda sent, peer, header, _: [piece(peer, header, 3, 2)]))
row('fragments: total 65535', LATE, **fragments(lambda sent, peer, header, _: [piece(peer, header, 1, 65535)]))
row('fragments: 300 of 300 with 20 bytes each', LATE,
    **fragments(lambda sent, peer, header, _: [piece(peer, header, n, 300) for n in range(1, 301)]))
row('fragments: a smaller total afterwards', LATE,
    **fragments(lambda sent, peer, header, payloads: [peer.seal_fragments(header, payloads, 60)[0], piece(peer, header, 2, 2)]))
row('fragments: a larger total starts anew', OK,
    **fragments(lambda sent, peer, header, payloads: [piece(peer, header, 1, 2), *peer.seal_fragments(header, payloads, 60)]))
row('fragments: not intact', LATE, **fragments(lambda sent, *_: [one_bit(one, len(one) - 1) for one in sent]))
row('fragments: one not intact, then all', OK, **fragments(lambda sent, *_: [one_bit(sent[0], 60), *sent]))
row('fragments: another message in the middle', OK,
    **fragments(lambda sent, peer, header, payloads: [sent[0], peer.seal(header, payloads), *sent[1:]]))
row('fragments: of nothing', PROTOCOL, **fragments(lambda sent, peer, header, _: [piece(peer, header, 1, 1, b'', 0)]))

# The CHILD SA.
row('child: NULL encryption', PROTOCOL, 'did not offer', **child_sa(T(i.ENCR, 11), T(i.INTEG, 12), EXTENDED))
row('child: a key length not offered', PROTOCOL, 'did not offer', **child_sa(T(i.ENCR, i.AES_GCM, 192), EXTENDED))
row('child: CBC without integrity', PROTOCOL, 'did not offer', **child_sa(T(i.ENCR, i.AES_CBC, 256), EXTENDED))
row('child: two ciphers', PROTOCOL, 'did not offer', **child_sa(GCM, T(i.ENCR, i.CHACHA), EXTENDED))
row('child: both kinds of sequence numbers', PROTOCOL, 'did not offer', **child_sa(GCM, EXTENDED, T(i.ESN, 0)))
row('child: no kind of sequence numbers', PROTOCOL, 'did not offer', **child_sa(GCM))
row('child: AH', PROTOCOL, 'did not offer', **child_sa(T(i.INTEG, 12), EXTENDED, protocol=i.PROTO_AH))
row('child: IKE', PROTOCOL, 'did not offer', **child_sa(GCM, EXTENDED, protocol=i.PROTO_IKE))
row('child: a key exchange', PROTOCOL, 'did not offer', **child_sa(GCM, EXTENDED, CURVE))
row('child: two proposals', PROTOCOL, 'did not offer',
    **child_sa(GCM, EXTENDED, more=i.proposal([GCM, EXTENDED], i.PROTO_ESP, h.SPI)))
for spi, what in ((bytes(4), 'zero'), (b'\0\0\0\xff', '255'), (b'1234567', 'of 7 bytes'), (b'', 'absent')):
    row(f'child: SPI {what}', PROTOCOL, 'did not offer', **child_sa(GCM, EXTENDED, spi=spi))
row('child: tunnel mode', OK, auth=lambda payloads, peer: i.without(payloads, i.NOTIFY))
row('child: a compressed proposal', PROTOCOL, **auth_body(i.SA, b'\0' * 8))

S = i.selector
row('ts: the subnet of the host', BAD_TS, **own_ts(lambda a: [S(a[:3] + b'\0', a[:3] + b'\xff')]))
row('ts: all addresses', BAD_TS, **own_ts(lambda a: [S(bytes(4), b'\xff' * 4)]))
row('ts: another address', BAD_TS, **own_ts(lambda a: [S(OTHER)]))
row('ts: the host and another address', BAD_TS, **own_ts(lambda a: [S(a), S(OTHER)]))
row('ts: one port', BAD_TS, **own_ts(lambda a: [S(a, ports=(80, 80))]))
row('ts: one protocol', BAD_TS, **own_ts(lambda a: [S(a, protocol=6)]))
row('ts: opaque ports', BAD_TS, **own_ts(lambda a: [S(a, ports=(65535, 0))]))
row('ts: backwards', BAD_TS, **own_ts(lambda a: [S(b'\xff' * 4, bytes(4))]))
row('ts: the other family', BAD_TS, **own_ts(lambda a: [S(b'\x20\1\x0d\xb8' + bytes(11) + b'\2')]))
row('ts: IPv4 in IPv6', BAD_TS, **own_ts(lambda a: [S(bytes(10) + b'\xff\xff' + a)]))
row('ts: none', BAD_TS, **own_ts(lambda a: []))
row('ts: 200 times the host', BAD_TS, **own_ts(lambda a: [S(a)] * 200))
row('ts: another client', BAD_TS, **client_ts(lambda a: [S(OTHER)]))
row('ts: the subnet of the client', BAD_TS, **client_ts(lambda a: [S(a[:3] + b'\0', a[:3] + b'\xff')]))
for what, make in (('the subnet of the host', lambda a: [S(a[:3] + b'\0', a[:3] + b'\xff')]),
                   ('all addresses', lambda a: [S(bytes(4), b'\xff' * 4)]), ('another address', lambda a: [S(OTHER)])):
    row(f'tunnel mode, ts: {what}', BAD_TS,
        auth=lambda payloads, peer, make=make: own_ts(make)['auth'](i.without(payloads, i.NOTIFY), peer))
for address in ('127.0.0.1', CLIENT, '192.0.2.254', '224.0.0.1', '255.255.255.255', '0.0.0.0', '10.0.0.1', '198.18.200.1'):
    row(f'assigns {address}', REFUSED, f'assigned {address}, which is not in 100.64.0.0/10', **assigns(socket.inet_aton(address)))
row('assigns 100.64.0.9', OK, **assigns(socket.inet_aton('100.64.0.9')))
row('ts: both ends exchanged', BAD_TS,
    auth=lambda payloads, peer: i.put(i.put(payloads, i.TSI, i.find(payloads, i.TSR)), i.TSR, i.find(payloads, i.TSI)))


# The case --------------------------------------------------------------------------------------------------------

ATTEMPT_MS, AT_ONCE = 2500, 70


def lie(world, hosts, signers, number):
    """One host of the table: (address, IPSECKEY RDATA)."""
    _, _, _, changes = TABLE[number]
    kind = changes.get('key', ('ed25519', 0))
    if kind not in signers:
        signers[kind] = i.Signer(world.key(*kind)[0])
    address = many(number)
    hosts.add(address, Host(signers[kind], **{name: value for name, value in changes.items() if name != 'key'}))
    return address, world.key(kind[0])[1]


def judge(number, verdict, journal, address):
    """What is wrong with this verdict; None = nothing."""
    name, reason, words, _ = TABLE[number]
    held = [entry for entry in journal.ever if entry.remote == address]
    if reason == OK:
        if verdict.kind != r.ALLOW:
            return f'{name}: {verdict}'
        return None if [e.state for e in journal.pairs(address)] == ['up'] else f'{name}: allowed, and the kernel has {held}'
    if verdict.kind != r.REFUSE or verdict.reason != reason or words not in verdict.text:
        return f'{name}: {verdict}, wanted {reason} "{words}"'
    return f'{name}: refused, and the kernel had {held}' if held else None


def lies_are_refused_and_install_nothing(world):
    client = world.client([f'attempt: {ATTEMPT_MS}', 'fragment-size: 1280']).start()
    signers, verdicts = {}, []
    with Hosts() as hosts, Resolver(client.resolver, timeout=20) as resolver:
        targets = [lie(world, hosts, signers, number) for number in range(len(TABLE))]
        for first in range(0, len(targets), AT_ONCE):
            asked = [resolver.ask(f'h{first + n}.example', [address], [key], deadline=2 * ATTEMPT_MS)
                     for n, (address, key) in enumerate(targets[first:first + AT_ONCE])]
            verdicts += [resolver.verdict(ident) for ident in asked]
    journal = Journal(client.log())
    wrong = [judge(number, verdict, journal, targets[number][0]) for number, verdict in enumerate(verdicts)]
    wrong = [text for text in wrong if text] + hosts.errors
    check(not wrong, f'{len(wrong)} of {len(TABLE)}:\n' + '\n'.join(wrong))
    good = sum(reason == OK for _, reason, _, _ in TABLE)
    wait_for('no half-open SA is left', 12, lambda: client.stat('ike.sas') == good)
    check_equal((client.stat('ike.sas_established'), client.stat('ike.initiating'), client.stat('tunnels.protected')),
                (good, 0, good), 'established, initiating, protected')
    check_equal(client.stat('ike.established'), good, 'ever established')
    return f'{len(TABLE)} hosts, {good} of them honest'


def a_host_with_a_tunnel_cannot_touch_anothers(world):
    client = world.client().start()
    signer, key = i.Signer(world.key()[0]), world.key()[1]
    with Hosts() as hosts, Resolver(client.resolver) as resolver:
        honest, liar = [hosts.add(many(n), Host(signer)) for n in (1, 2)]
        for number in (1, 2):
            verdict = resolver.request(f'h{number}.example', [many(number)], [key])
            check_equal(verdict.kind, r.ALLOW, f'{verdict}')
        hers = Journal(client.log()).pairs(honest.address)[0]
        other, = honest.peers.values()
        peer, = liar.peers.values()
        header = peer.header(i.INFORMATIONAL, 0)
        lies = {
            'Delete of another\'s SPI': peer.seal(header, [i.delete(i.PROTO_ESP, bytes.fromhex(hers.spi_in))]),
            'INITIAL_CONTACT': peer.seal(peer.header(i.INFORMATIONAL, 1), [notify(i.INITIAL_CONTACT)]),
            'a response to no request': peer.seal(peer.header(i.INFORMATIONAL, 2, response=True), [i.delete(i.PROTO_IKE)]),
            'the IKE_AUTH answer again': next(a[0] for d, a in liar.answers.items() if i.Header.read(d).exchange == i.AUTH),
            'another\'s SPIs': peer.seal(other.header(i.INFORMATIONAL, 0), [i.delete(i.PROTO_IKE)]),
            'an error in clear': i.pack(header, [notify(i.AUTH_FAILED)]),
            'a Delete in clear': i.pack(header, [i.delete(i.PROTO_IKE)]),
        }
        received = client.stat('ike.received')
        for datagram in lies.values():
            hosts.send(liar.address, CLIENT, datagram)
        wait_for('all were received', 3, lambda: client.stat('ike.received') >= received + len(lies))
        check_equal([p.state for p in Journal(client.log()).ever], ['up', 'up'], 'pairs after the lies')
        # It may end what is its own, and even then nothing goes out in clear.
        hosts.send(liar.address, CLIENT, peer.seal(peer.header(i.INFORMATIONAL, 2), [i.delete(i.PROTO_IKE)]))
        wait_for('its end', 3, lambda: client.says('deleted by the peer'))
        states = [p.state for p in Journal(client.log()).ever]
        check_equal(states[:2], ['up', 'blocked'], 'pairs after its own Delete')
        check('gone' not in states, f'policies were removed: {states}')
    check(not hosts.errors, hosts.errors)


def rsa_record(bits):
    """IPSECKEY RDATA with a key of this size; nobody has the other half."""
    modulus = (1 << bits - 1 | int.from_bytes(os.urandom(bits // 8), 'big') | 1).to_bytes(bits // 8, 'big')
    return bytes([10, 0, 2]) + b'\3\1\0\1' + modulus


def keys_and_signatures_too_large_cost_nothing(world):
    client = world.client(['attempt: 1000']).start()
    signer, key = i.Signer(world.key()[0]), world.key()[1]
    large = bytes([len(i.RSA_SHA256_ALGORITHM)]) + i.RSA_SHA256_ALGORITHM + b'\x7f' * 2048
    with Hosts() as hosts, Resolver(client.resolver) as resolver:
        hosts.add(many(1), Host(signer, **auth_value(i.AUTH_SIGNATURE, large)))
        hosts.add(many(2), Host(signer, **auth_value(i.AUTH_SIGNATURE, b'\xff' * 8000)))
        for bits in (8200, 16384):
            verdict = resolver.request(f'rsa{bits}.example', [many(3)], [rsa_record(bits)])
            check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.NO_USABLE_KEY), f'{verdict}')
        for number, record in ((1, rsa_record(8192)), (1, key), (2, key)):
            verdict = resolver.request(f'h{number}.example', [many(number)], [record])
            check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.AUTH_FAILED), f'{verdict}')
    check_equal((client.stat('ike.initiated'), Journal(client.log()).ever), (3, []), 'attempts, pairs')


CASES = [
    lies_are_refused_and_install_nothing, a_host_with_a_tunnel_cannot_touch_anothers, keys_and_signatures_too_large_cost_nothing,
]
