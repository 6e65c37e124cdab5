"""Clients with a tunnel that lie when they rekey it (CREATE_CHILD_SA, RFC 7296 1.3.3)."""
import os
import socket

import ike as i
from cases_client import victim
from cases_host import BAD_POINTS_X25519, CURVE, EXTENDED, GCM, OTHER, S, STRANGE, T
from client import Stranger
from ike import P, notify
from judge import Journal
from world import CLIENT, check, check_equal, many, wait_for

REKEY_SA, NOT_FOUND, SYNTAX = 16393, 'N(44)', 'N(7)'
NONE, NO_MORE, BAD_TS, BAD_GROUP = 'N(14)', 'N(35)', 'N(38)', 'N(17)'
GOOD = 'N(16391) SA Nr KE TSi TSr'


def rekey_payloads(one, old=None):
    """An honest request for a new pair in the place of the old one."""
    one.fresh, one.exchange = b'\x0c' + os.urandom(3), i.Exchange()
    return [notify(REKEY_SA, protocol=i.PROTO_ESP, spi=old or one.spi), notify(i.TRANSPORT),
            P(i.SA, i.proposal([*i.esp_transforms(), CURVE], i.PROTO_ESP, one.fresh)), P(i.NONCE, os.urandom(32)),
            P(i.KE, i.ke(i.X25519, one.exchange.public)), P(i.TSI, i.selectors(S(socket.inet_aton(one.address)))),
            P(i.TSR, i.selectors(S(socket.inet_aton(CLIENT))))]


def sa(*transforms, protocol=i.PROTO_ESP, spi=None):
    return lambda payloads, one: i.put(payloads, i.SA,
                                       i.proposal(list(transforms), protocol, one.fresh if spi is None else spi))


def ike_sa(spi):
    """The same client rekeys the IKE SA (RFC 7296 1.3.2)."""
    return lambda payloads, one: [P(i.SA, i.proposal(i.ike_transforms(i.X25519), spi=spi)), *payloads[3:5]]


def body(kind, value):
    return lambda payloads, one: i.put(payloads, kind, value)


# name, answer, change of the payloads; is it the end of the IKE SA (RFC 7296 2.21.3)? Then the policies stay all the same.
TABLE = [
    ('no REKEY_SA: one more pair', NO_MORE, lambda payloads, one: payloads[1:], False),
    ('REKEY_SA of the host\'s own SPI', NOT_FOUND, lambda payloads, one: rekey_payloads(one, one.host_spi), False),
    ('REKEY_SA of another\'s SPI', NOT_FOUND, lambda payloads, one: rekey_payloads(one, one.other.spi), False),
    ('REKEY_SA of SPI zero', NOT_FOUND, lambda payloads, one: rekey_payloads(one, bytes(4)), False),
    ('REKEY_SA of 7 bytes', NOT_FOUND, lambda payloads, one: rekey_payloads(one, b'1234567'), False),
    ('of the IKE SA: SPI zero', NONE, ike_sa(spi=bytes(8)), False),
    ('of the IKE SA: SPI of 4 bytes', NONE, ike_sa(spi=os.urandom(4)), False),
    ('of the IKE SA: without KE', NO_MORE, lambda payloads, one: ike_sa(spi=os.urandom(8))(payloads, one)[:2], False),
    ('of the IKE SA: X25519 point zero', SYNTAX,
     lambda payloads, one: i.put(ike_sa(spi=os.urandom(8))(payloads, one), i.KE, i.ke(i.X25519, BAD_POINTS_X25519['zero'])), True),
    ('NULL encryption', NONE, sa(T(i.ENCR, 11), T(i.INTEG, 12), EXTENDED, CURVE), False),
    ('AH', NONE, sa(T(i.INTEG, 12), EXTENDED, CURVE, protocol=i.PROTO_AH), False),
    ('SPI zero', NONE, sa(GCM, EXTENDED, CURVE, spi=bytes(4)), False),
    ('tunnel mode', NONE, lambda payloads, one: [payloads[0], *payloads[2:]], False),
    ('another client', BAD_TS, body(i.TSI, i.selectors(S(OTHER))), False),
    ('another host', BAD_TS, body(i.TSR, i.selectors(S(OTHER))), False),
    ('one port', BAD_TS, body(i.TSR, i.selectors(S(socket.inet_aton(CLIENT), ports=(80, 80)))), False),
    ('KE of another group', BAD_GROUP, body(i.KE, i.ke(i.P256, b'\1' * 64)), False),
    ('an unknown critical payload', 'N(1)', lambda payloads, one: [*payloads, STRANGE], False),
    ('X25519 point zero', SYNTAX, body(i.KE, i.ke(i.X25519, BAD_POINTS_X25519['zero'])), True),
    ('nonce of 15 bytes', SYNTAX, body(i.NONCE, b'n' * 15), True),
    ('two nonces', SYNTAX, lambda payloads, one: [*payloads, P(i.NONCE, b'n' * 32)], True),
    ('encrypted inside of SK', SYNTAX, lambda payloads, one: [*payloads, P(i.SK, b'x' * 40)], True),
]


def rekeys_that_lie_add_no_pair(world):
    host = victim(world)
    other = Stranger(many(999)).come_up()
    wrong = []
    for number, (name, wanted, change, is_end) in enumerate(TABLE):
        one = Stranger(many(number)).come_up()
        pair, = Journal(host.log()).pairs(many(number))
        one.other, one.host_spi = other, bytes.fromhex(pair.spi_in)
        got = one.ask(i.CREATE_CHILD, 2, change(rekey_payloads(one), one))
        alive = one.ask(i.INFORMATIONAL, 3, [])
        pairs = [p.state for p in Journal(host.log()).ever if p.remote == many(number)]
        if (got, alive, pairs) != (wanted, '', ['blocked'] if is_end else ['up']):
            wrong.append(f'{name}: {got}, then {alive}, pairs {pairs}, wanted {wanted}')
        one.close()
    check(not wrong, '\n'.join(wrong))
    check_equal(other.ask(i.INFORMATIONAL, 2, []), '', 'the other')
    check_equal([p.state for p in Journal(host.log()).pairs(many(999))], ['up'], 'the other\'s pair')
    other.close()
    return f'{len(TABLE)} requests'


def sends_with(host, remote):
    pair, = Journal(host.log()).pairs(remote)
    return [spi for way, spi in pair.sas if way == 'out']


def an_honest_rekey_replaces_its_own_pair(world):
    """The control; and what was replaced cannot be rekeyed or replaced again."""
    host = victim(world)
    one = Stranger(many(1)).come_up()
    request = rekey_payloads(one)
    first = one.fresh
    check_equal(one.ask(i.CREATE_CHILD, 2, request), GOOD, 'the answer')
    check_equal(one.ask(i.CREATE_CHILD, 3, rekey_payloads(one)), 'N(43)', 'the same pair once more')
    check_equal(one.ask(i.INFORMATIONAL, 4, [i.delete(i.PROTO_ESP, one.spi)]), 'D', 'Delete of the old one')
    check(first.hex() in sends_with(host, many(1)), 'the new pair was not there yet when the Delete was answered')
    wait_for('the old SA to go', 5, lambda: sends_with(host, many(1)) == [first.hex()])
    check_equal([p.state for p in Journal(host.log()).pairs(many(1))], ['up'], 'the pair')
    one.close()


CASES = [rekeys_that_lie_add_no_pair, an_honest_rekey_replaces_its_own_pair]
