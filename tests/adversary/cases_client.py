"""Clients that lie to our host, in a table as the hosts' is, and those that begin as honest clients do."""
import os
import socket
import time

import host as h
import ike as i
from cases_host import (BAD_POINTS_P256, BAD_POINTS_X25519, GCM, SHA256, CURVE, EXTENDED, OTHER, STRANGE, S, T, auth_body,
                        auth_header, auth_plus, auth_twice, auth_without, child_sa, client_ts, fragments, init_body,
                        init_header, init_only, init_plus, init_transforms, init_twice, init_without, one_bit, own_ts,
                        piece)
from client import AUTH_GOOD, INIT_GOOD, Stranger, handshakes
from ike import P, notify
from judge import Journal
from world import CLIENT, check, check_equal, many, wait_for

TABLE = []
OTHER_TEXT = socket.inet_ntoa(OTHER)


def row(name, init, auth=None, /, **changes):
    """init, auth: what our host answers to each, in words; None: it does not come so far."""
    TABLE.append((name, init, auth, changes))


def at(position, value):
    """These bytes of the IKE_SA_INIT message."""
    return {'init_raw': lambda message, _: message[:position] + value + message[position + len(value):]}


def instead(make):
    return {'instead': make}


def nat_lie(payloads, peer):
    return payloads + [notify(i.NAT_SOURCE, os.urandom(20)), notify(i.NAT_DESTINATION, os.urandom(20))]


def auth_null_over(octets):
    return {'auth': lambda payloads, peer: i.put(payloads, i.AUTH_PL, peer.auth_null(octets(peer, i.find(payloads, i.IDI))))}


def without_child(payloads, _=None):
    """RFC 6023 4."""
    return [p for p in payloads if p.type not in (i.NOTIFY, i.SA, i.TSI, i.TSR)]


def in_tunnel_mode(make):
    return {'auth': lambda payloads, peer: client_ts(make)['auth'](i.without(payloads, i.NOTIFY), peer)}


CLEAR_ERRORS = {'instead': lambda peer: [i.pack(peer.header(exchange, 1), [notify(kind)])
                                         for exchange in (i.AUTH, i.INFORMATIONAL, i.CREATE_CHILD) for kind in i.ERRORS]}
SYNTAX, NONE, CRITICAL, BAD_TS, FAILED = 'N(7)', 'N(14)', 'N(1)', 'N(38)', 'N(24)'
GOOD, UP, TUNNEL = INIT_GOOD, AUTH_GOOD, 'IDr AUTH SA TSi TSr N(16419)'
CHILDLESS = 'IDr AUTH N(16419)'      # proved as well, and the CHILD SA may be asked for
PROVED = 'IDr AUTH '    # who we are is proved all the same; the CHILD SA is refused

row('nothing wrong', GOOD, UP)
row('P-256', GOOD, UP, group=i.P256)
row('P-384', GOOD, UP, group=i.P384)
row('init: an unknown payload, not critical', GOOD, UP, **init_plus(P(200, b'?'), first=True))
row('init: an error beside the request', GOOD, UP, **init_plus(notify(i.NO_PROPOSAL)))
row('auth: INITIAL_CONTACT', GOOD, UP, **auth_plus(notify(i.INITIAL_CONTACT)))
row('auth: fragments backwards', GOOD, UP, **fragments(lambda sent, *_: sent[::-1]))
row('init: lies about a NAT', GOOD, UP, init=nat_lie)

row('init: a cipher not known', NONE, **init_transforms(T(i.ENCR, i.AES_GCM, 192), SHA256, CURVE))
row('init: 3DES', NONE, **init_transforms(T(i.ENCR, 3), SHA256, T(i.INTEG, 2), CURVE))
row('init: PRF SHA-1', NONE, **init_transforms(GCM, T(i.PRF, 2), CURVE))
row('init: MODP-1024', NONE, **init_transforms(GCM, SHA256, T(i.GROUP, 2)))
row('init: no PRF', NONE, **init_transforms(GCM, CURVE))
row('init: CBC without integrity', NONE, **init_transforms(T(i.ENCR, i.AES_CBC, 256), SHA256, CURVE))
row('init: protocol ESP', NONE, **init_transforms(GCM, SHA256, CURVE, protocol=i.PROTO_ESP))
row('init: an empty SA', SYNTAX, **init_body(i.SA, b''))
row('init: SA cut in a transform', SYNTAX, **init_body(i.SA, i.proposal([GCM, SHA256, CURVE])[:-3]))
for kind, what in ((i.SA, 'SA'), (i.KE, 'KE'), (i.NONCE, 'nonce')):
    row(f'init: no {what}', SYNTAX, **init_without(kind))
    row(f'init: two {what}', SYNTAX, **init_twice(kind))
row('init: an unknown critical payload', CRITICAL, **init_plus(STRANGE))
row('init: an empty message', SYNTAX, **init_only())
row('init: errors alone', SYNTAX, **init_only(*[notify(kind) for kind in i.ERRORS]))
row('init: KE of 31 bytes', SYNTAX, **init_body(i.KE, i.ke(i.X25519, b'\1' * 31)))
row('init: KE of 1000 bytes', SYNTAX, **init_body(i.KE, i.ke(i.X25519, b'\1' * 1000)))
for what, point in BAD_POINTS_X25519.items():
    row(f'init: X25519 point {what}', SYNTAX, **init_body(i.KE, i.ke(i.X25519, point)))
for what, point in BAD_POINTS_P256.items():
    row(f'init: P-256 point {what}', SYNTAX, group=i.P256, **init_body(i.KE, i.ke(i.P256, point)))
MODP_2048_P = (1 << 2048) - (1 << 1984) - 1 + (1 << 64) * (i.pi_bits(1918) + 124476)       # RFC 3526 3
for what, number in (('zero', 0), ('one', 1), ('p minus one', MODP_2048_P - 1), ('p', MODP_2048_P), ('above p', (1 << 2048) - 1)):
    row(f'init: MODP-2048 value {what}', SYNTAX, init=lambda payloads, peer, number=number: i.put(
        i.put(payloads, i.KE, i.ke(i.MODP_2048, number.to_bytes(256, 'big'))), i.SA, i.proposal([GCM, SHA256, T(i.GROUP, i.MODP_2048)])))
for n in (0, 15, 257):
    row(f'init: nonce of {n} bytes', SYNTAX, **init_body(i.NONCE, b'n' * n))
row('init: KE of a group not in the SA', 'N(17)', **init_body(i.KE, i.ke(i.P256, b'\1' * 64)))
row('init: SPI zero', 'silence', **init_header(spi_i=bytes(8)))
row('init: version 1', 'silence', **at(17, b'\x10'))
row('init: version 3', 'N(5)', **at(17, b'\x30'))
row('init: exchange INFORMATIONAL', 'silence', **at(18, b'\x25'))
row('init: as a response', 'silence', **at(19, b'\x28'))
row('init: from the responder', 'silence', **at(19, b'\0'))
row('init: message ID 1', 'silence', **at(20, b'\0\0\0\1'))
row('init: a length of 2^32 - 1', 'silence', **at(24, b'\xff' * 4))
row('init: a length of 28', 'silence', **at(24, b'\0\0\0\x1c'))

row('auth: truncated at every length, then whole', GOOD, UP,
    auth_raw=lambda message, *_: [message[:n] for n in range(len(message))] + [message])
row('auth: a bit flipped in every byte, then whole', GOOD, UP,
    auth_raw=lambda message, *_: [one_bit(message, n) for n in range(16, len(message)) if n != 19] + [message])
row('auth: every error in clear instead', GOOD, 'silence', **CLEAR_ERRORS)
row('auth: from another address', GOOD, 'silence', auth_from=OTHER_TEXT, **client_ts(lambda a: [S(OTHER)]))
row('auth: message ID 0', GOOD, 'clear: ' + GOOD, **auth_header(ident=0))   # ours: it missed our answer
row('auth: message ID 2', GOOD, 'silence', **auth_header(ident=2))
row('auth: as a response', GOOD, 'silence', **auth_header(flags=i.INITIATOR | i.RESPONSE))
row('auth: from the responder', GOOD, 'silence', **auth_header(flags=0))
row('auth: the SPI of somebody else', GOOD, 'silence', **auth_header(spi_i=b'\7' * 8))
row('auth: exchange INFORMATIONAL', GOOD, SYNTAX, **auth_header(exchange=i.INFORMATIONAL))
row('auth: exchange CREATE_CHILD_SA', GOOD, SYNTAX, **auth_header(exchange=i.CREATE_CHILD))
row('auth: Delete of our IKE SA instead', GOOD, SYNTAX,
    **instead(lambda peer: peer.seal(peer.header(i.INFORMATIONAL, 1), [i.delete(i.PROTO_IKE)])))
for kind, what in ((i.IDI, 'IDi'), (i.AUTH_PL, 'AUTH'), (i.SA, 'SA'), (i.TSI, 'TSi'), (i.TSR, 'TSr')):
    row(f'auth: no {what}', GOOD, FAILED if kind == i.AUTH_PL else SYNTAX, **auth_without(kind))
    row(f'auth: two {what}', GOOD, SYNTAX, **auth_twice(kind))
row('auth: no CHILD SA', GOOD, CHILDLESS, auth=without_child)
row('auth: no CHILD SA, but selectors', GOOD, SYNTAX, **auth_without(i.SA))
row('auth: an unknown critical payload', GOOD, CRITICAL, **auth_plus(STRANGE))
row('auth: nested SK', GOOD, SYNTAX, **auth_plus(P(i.SK, b'x' * 40)))
row('auth: SK is not the last', GOOD, 'silence',
    seal=lambda payloads, peer, header: peer.seal(header, payloads) + i.chain([notify(7)])[1])
row('auth: wants EAP', GOOD, FAILED, **auth_without(i.AUTH_PL))
row('auth: AUTH of zeros', GOOD, FAILED, **auth_body(i.AUTH_PL, h.auth_body(i.AUTH_NULL, bytes(32))))
row('auth: an empty AUTH', GOOD, SYNTAX, **auth_body(i.AUTH_PL, b''))
row('auth: a shared secret', GOOD, FAILED, **auth_body(i.AUTH_PL, h.auth_body(i.AUTH_PSK, b'p' * 32)))
row('auth: a signature', GOOD, FAILED,
    **auth_body(i.AUTH_PL, h.auth_body(i.AUTH_SIGNATURE, b'\7' + i.ED25519_ALGORITHM + bytes(64))))
row('auth: AUTH over our own nonce', GOOD, FAILED,
    **auth_null_over(lambda peer, ident: peer.init_own + peer.nonce + i.prf(peer.key_p, ident)))
row('auth: AUTH over the other message', GOOD, FAILED,
    **auth_null_over(lambda peer, ident: peer.init_other + peer.nonce_other + i.prf(peer.key_p, ident)))
row('auth: AUTH without the MACed ID', GOOD, FAILED, **auth_null_over(lambda peer, ident: peer.init_own + peer.nonce_other))

row('fragments: one is missing', GOOD, 'silence', **fragments(lambda sent, *_: sent[:-1]))
row('fragments: number 0', GOOD, 'silence',
    **fragments(lambda sent, peer, header, _: [piece(peer, header, 0, 2), piece(peer, header, 2, 2)]))
row('fragments: number above total', GOOD, 'silence', **fragments(lambda sent, peer, header, _: [piece(peer, header, 3, 2)]))
row('fragments: total 65535', GOOD, 'silence', **fragments(lambda sent, peer, header, _: [piece(peer, header, 1, 65535)]))
row('fragments: a larger total starts anew', GOOD, UP,
    **fragments(lambda sent, peer, header, payloads: [piece(peer, header, 1, 2), *peer.seal_fragments(header, payloads, 40)]))

row('child: NULL encryption', GOOD, PROVED + NONE, **child_sa(T(i.ENCR, 11), T(i.INTEG, 12), EXTENDED))
row('child: AH', GOOD, PROVED + NONE, **child_sa(T(i.INTEG, 12), EXTENDED, protocol=i.PROTO_AH))
row('child: SPI zero', GOOD, PROVED + NONE, **child_sa(GCM, EXTENDED, spi=bytes(4)))
row('child: SPI of 7 bytes', GOOD, PROVED + NONE, **child_sa(GCM, EXTENDED, spi=b'1234567'))
row('child: tunnel mode', GOOD, TUNNEL, **in_tunnel_mode(lambda a: [S(a)]))
row('child: tunnel mode for another client', GOOD, PROVED + BAD_TS, **in_tunnel_mode(lambda a: [S(OTHER)]))
row('child: tunnel mode for another client, behind a NAT that is a lie', GOOD, PROVED + BAD_TS, init=nat_lie,
    **in_tunnel_mode(lambda a: [S(OTHER)]))
row('child: tunnel mode for all clients', GOOD, TUNNEL, **in_tunnel_mode(lambda a: [S(bytes(4), b'\xff' * 4)]))
row('ts: another client', GOOD, PROVED + BAD_TS, **client_ts(lambda a: [S(OTHER)]))
row('ts: another client, behind a NAT that is a lie', GOOD, UP, init=nat_lie, **client_ts(lambda a: [S(OTHER)]))
row('ts: all clients', GOOD, UP, **client_ts(lambda a: [S(bytes(4), b'\xff' * 4)]))
row('ts: another host', GOOD, PROVED + BAD_TS, **own_ts(lambda a: [S(OTHER)]))
row('ts: all hosts', GOOD, UP, **own_ts(lambda a: [S(bytes(4), b'\xff' * 4)]))
row('ts: one port', GOOD, PROVED + BAD_TS, **own_ts(lambda a: [S(a, ports=(80, 80))]))
row('ts: backwards', GOOD, PROVED + BAD_TS, **own_ts(lambda a: [S(b'\xff' * 4, bytes(4))]))
row('ts: the other family', GOOD, PROVED + BAD_TS, **own_ts(lambda a: [S(b'\x20\1\x0d\xb8' + bytes(11) + b'\2')]))


# The cases -------------------------------------------------------------------------------------------------------

AT_ONCE, PACE_S = 10, 1.0       # errors to strangers are answered 20 at once and 10 a second


def victim(world, *lines):
    """Our host, at the client's end of the cable: the strangers are at the other."""
    return world.server(name='victim', lines=lines, host='client').start()


def lies_get_their_answer_and_install_nothing(world):
    host = victim(world)
    wrong, ups = [], 0
    for first in range(0, len(TABLE), AT_ONCE):
        began, rows = time.monotonic(), TABLE[first:first + AT_ONCE]
        strangers = [Stranger(many(first + n), **changes) for n, (_, _, _, changes) in enumerate(rows)]
        heard = handshakes(strangers)
        for stranger, (name, init, auth, _) in zip(strangers, rows):
            got, wanted = heard[stranger.address], [init] if auth is None else [init, auth]
            if got != wanted:
                wrong.append(f'{name}: {got}, wanted {wanted}')
            stranger.close()
        time.sleep(max(0.0, began + PACE_S - time.monotonic()))
    journal = Journal(host.log())
    for number, (name, _, auth, _) in enumerate(TABLE):
        pairs = [(p.local, p.remote, p.state) for p in journal.ever if p.remote == many(number)]
        ups += auth in (UP, TUNNEL)
        if pairs != ([(CLIENT, many(number), 'up')] if auth in (UP, TUNNEL) else []):
            wrong.append(f'{name}: the kernel had {pairs}')
    check(not wrong, f'{len(wrong)} of {len(TABLE)}:\n' + '\n'.join(wrong))
    check_equal((len(journal.ever), host.stat('ike.sas_established')), (ups, ups), 'installed, established')
    return f'{len(TABLE)} clients, {ups} of them let in'


def up(host_log, *addresses):
    """Exactly these addresses have a pair in the kernel now, and it was never taken away."""
    got = [(p.remote, p.state) for p in Journal(host_log).ever]
    check_equal(sorted(got), sorted((address, 'up') for address in addresses), 'pairs in the kernel')


def a_stranger_with_a_tunnel_cannot_touch_anothers(world):
    host = victim(world)
    anna, otto = Stranger(many(1)).come_up(), Stranger(many(2)).come_up()
    mine, hers = [pair for address in (many(2), many(1)) for pair in Journal(host.log()).pairs(address)]
    her_spi = bytes.fromhex(hers.spi_in)
    check_equal(otto.ask(i.INFORMATIONAL, 2, [i.delete(i.PROTO_ESP, her_spi)]), '', 'Delete of the host\'s SPI of another')
    check_equal(otto.ask(i.INFORMATIONAL, 3, [i.delete(i.PROTO_ESP, bytes.fromhex(mine.spi_in))]), '',
                'Delete of the host\'s own SPI')
    check_equal(otto.ask(i.INFORMATIONAL, 4, [notify(i.INITIAL_CONTACT), notify(i.INVALID_SPI, her_spi)]), '',
                'INITIAL_CONTACT')
    again = Stranger(many(2), auth=lambda payloads, peer: payloads + [notify(i.INITIAL_CONTACT)]).come_up()
    check_equal(anna.ask(i.INFORMATIONAL, 2, []), '', 'the other is alive')
    her_pairs = [(p.spi_in, p.state) for p in Journal(host.log()).ever if p.remote == many(1)]
    check_equal(her_pairs, [(hers.spi_in, 'up')], 'her pair')
    for one in (anna, otto, again):
        one.close()


def messages_again_old_early_and_of_others_change_nothing(world):
    host = victim(world)
    anna, otto = Stranger(many(1)).come_up(), Stranger(many(2)).come_up()
    peer = anna.peer
    request = peer.seal(peer.header(i.INFORMATIONAL, 2), [])
    anna.send(request)
    answer = anna.wait()
    check_equal(anna.take(answer), '', 'an empty request')
    anna.send(request)
    check(anna.wait() == answer, 'the same request again: not the same answer, byte for byte')
    otto.send(request)
    check(otto.wait() == answer, 'the same from another address: not the same answer')
    quiet = {
        'an old message ID': peer.seal(peer.header(i.INFORMATIONAL, 1), []),
        'a message ID far ahead': peer.seal(peer.header(i.INFORMATIONAL, 77), []),
        'the first message ID': peer.seal(peer.header(i.AUTH, 0), []),
        'a response to no request': peer.seal(peer.header(i.INFORMATIONAL, 0, response=True), [i.delete(i.PROTO_IKE)]),
        'the answer back': answer,
        'another\'s keys': otto.peer.seal(peer.header(i.INFORMATIONAL, 3), [i.delete(i.PROTO_IKE)]),
        'an error in clear': i.pack(peer.header(i.INFORMATIONAL, 3), [notify(i.AUTH_FAILED)]),
        'a Delete in clear': i.pack(peer.header(i.INFORMATIONAL, 3), [i.delete(i.PROTO_IKE)]),
        'IKEv1': i.pack(peer.header(i.INFORMATIONAL, 3, version=0x10), [i.delete(i.PROTO_IKE)]),
        'SPIs zero': bytes(16) + request[16:],
    }
    for what, datagram in quiet.items():
        for one in (anna, otto):
            one.send(datagram)
            got = one.wait(0.1)
            check(got is None, f'{what}: {got and one.take(got)}')
    check_equal(anna.ask(i.INFORMATIONAL, 3, [STRANGE]), 'N(1)', 'an unknown critical payload')
    check_equal(anna.ask(i.INFORMATIONAL, 4, []), '', 'alive')
    check_equal(otto.ask(i.INFORMATIONAL, 2, []), '', 'alive too')
    up(host.log(), many(1), many(2))
    anna.close()
    otto.close()


def one_spi_from_two_sources_is_two_strangers(world):
    host = victim(world)
    spi = os.urandom(8)
    both = [Stranger(many(n)) for n in (1, 2)]
    for one in both:
        one.peer.spi_i = spi
    check_equal([one.exchange_init() for one in both], [INIT_GOOD] * 2, 'answers to IKE_SA_INIT')
    check(both[0].peer.spi_r != both[1].peer.spi_r, 'one SPI of the host for both')
    for one in both:
        one.send_auth()
        check_equal(one.take(one.wait()), AUTH_GOOD, 'answer to IKE_AUTH')
        one.close()
    up(host.log(), many(1), many(2))


def a_stranger_has_one_try_at_auth(world):
    host = victim(world)
    one = Stranger(many(1))
    check_equal(one.exchange_init(), INIT_GOOD, 'answer to IKE_SA_INIT')
    good = one.peer.seal(one.peer.header(i.AUTH, 1), one.auth_payloads())
    bad = i.put(one.auth_payloads(), i.AUTH_PL, h.auth_body(i.AUTH_NULL, bytes(32)))
    one.send(one.peer.seal(one.peer.header(i.AUTH, 1), bad))
    check_equal(one.take(one.wait()), FAILED, 'a wrong AUTH')
    before = host.stat('ike.sent')
    for n in range(200):
        one.send(one.peer.seal(one.peer.header(i.AUTH, 2 + n), bad))
    one.send(one.peer.seal(one.peer.header(i.AUTH, 2), one.auth_payloads()))
    one.send(good)
    wait_for('all were seen', 3, lambda: host.stat('ike.received') >= 200)
    check(host.stat('ike.sent') - before <= 203, 'more answers than requests')
    check_equal((host.stat('ike.auth_failed'), host.stat('ike.established'), Journal(host.log()).ever), (1, 0, []),
                'AUTHs that were looked at, tunnels, pairs')
    one.close()


CASES = [
    lies_get_their_answer_and_install_nothing, a_stranger_with_a_tunnel_cannot_touch_anothers,
    messages_again_old_early_and_of_others_change_nothing, one_spi_from_two_sources_is_two_strangers,
    a_stranger_has_one_try_at_auth,
]
