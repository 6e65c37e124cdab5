"""Clients that lie: each has an address of its own, and a handshake of its own with our host.

A Stranger does everything right but for what is given to it: group, init, init_raw, auth, seal, auth_raw and octets as for
a Host, and

    auth_from=address           send IKE_AUTH from there
    instead=f(peer)             messages instead of IKE_AUTH
"""
import os
import os
import select
import socket
import time

import ike as i
from ike import P, Peer, notify
from wire import STRANGERS, udp_socket
from world import CLIENT, check

NAMES = {i.SA: 'SA', i.KE: 'KE', i.NONCE: 'Nr', i.IDR: 'IDr', i.AUTH_PL: 'AUTH', i.TSI: 'TSi', i.TSR: 'TSr', i.DELETE: 'D',
         i.SK: 'SK', i.SKF: 'SKF'}
STATUSES = {i.FRAGMENTATION, i.HASHES, i.CHILDLESS, i.NAT_SOURCE, i.NAT_DESTINATION}   # in every IKE_SA_INIT answer: not worth a word


def words(payloads):
    """'IDr AUTH N(38)'."""
    out = []
    for p in payloads:
        kind = int.from_bytes(p.body[2:4], 'big')
        if p.type == i.NOTIFY and kind not in STATUSES:
            out.append(f'N({kind})')
        elif p.type != i.NOTIFY:
            out.append(NAMES.get(p.type, str(p.type)))
    return ' '.join(out)


INIT_GOOD = 'SA KE Nr'
AUTH_GOOD = 'IDr AUTH N(16391) SA TSi TSr N(16419)'


class Stranger:
    def __init__(self, address, host=CLIENT, group=i.X25519, **changes):
        self.address, self.host, self.changes = address, host, changes
        self.socket = udp_socket(STRANGERS, address)
        self.peer = Peer(initiator=True, group=group)
        self.spi = b'\x0b' + os.urandom(3)
        self.answers = []           # to the present message
        self.heard = ''             # in words

    def close(self):
        self.socket.close()

    def send(self, datagram):
        self.socket.sendto(datagram, (self.host, 500))

    def send_all(self, sent):
        """Not faster than a socket's buffer is emptied: what the kernel drops tests nothing."""
        for n, one in enumerate([sent] if isinstance(sent, bytes) else sent):
            self.send(one)
            if n % 32 == 31:
                time.sleep(0.01)

    def change(self, name, given, *more):
        return self.changes[name](given, *more) if name in self.changes else given

    def send_init(self, cookie=None):
        payloads = self.peer.init_payloads()
        payloads = self.change('init', [notify(i.COOKIE, cookie), *payloads] if cookie else payloads, self.peer)
        self.send_all(self.change('init_raw', self.peer.send_init(payloads), self.peer))

    def auth_payloads(self):
        peer, ident = self.peer, i.identity(i.ID_NULL)
        own, host = (socket.inet_pton(self.socket.family, a) for a in (self.address, self.host))
        return [P(i.IDI, ident), P(i.AUTH_PL, peer.auth_null(peer.octets(ident))), notify(i.TRANSPORT),
                P(i.SA, i.proposal(i.esp_transforms(), i.PROTO_ESP, self.spi)),
                P(i.TSI, i.selectors(i.selector(own))), P(i.TSR, i.selectors(i.selector(host)))]

    def send_auth(self):
        if 'instead' in self.changes:
            self.send_all(self.changes['instead'](self.peer))
            return
        payloads = self.change('auth', self.auth_payloads(), self.peer)
        header = self.peer.header(i.AUTH, 1)
        sent = self.changes.get('seal', lambda inner, by, head: by.seal(head, inner))(payloads, self.peer, header)
        sent = self.change('auth_raw', sent, self.peer)
        if 'auth_from' not in self.changes:
            self.send_all(sent)
            return
        elsewhere = udp_socket(STRANGERS, self.changes['auth_from'])
        elsewhere.sendto(sent, (self.host, 500))
        elsewhere.close()

    def take_init(self, datagram):
        """In words; and keys, if that was an answer to go on with."""
        _, payloads = i.unpack(datagram)
        if words(payloads) == INIT_GOOD:
            self.peer.take_init(datagram)
        return words(payloads)

    def take(self, datagram):
        """In words: 'clear: ...' when it is not protected."""
        opened = self.peer.open(datagram)
        if opened:
            return words(opened[1])
        return 'clear: ' + words(i.unpack(datagram)[1])

    # One by itself, waiting for each answer.

    def wait(self, seconds=2.0):
        """The next datagram; None after a silence."""
        return self.socket.recv(65536) if select.select([self.socket], [], [], seconds)[0] else None

    def exchange_init(self):
        for _ in range(2):
            self.send_init(self.cookie() if self.answers else None)
            got = self.wait()
            check(got, f'{self.address}: no answer to IKE_SA_INIT')
            self.answers = [got]
            heard = self.take_init(got)
            if heard != f'N({i.COOKIE})':
                return heard
        return heard

    def cookie(self):
        return i.notifies(i.unpack(self.answers[0])[1]).get(i.COOKIE)

    def come_up(self):
        """The whole handshake, which must succeed."""
        heard = self.exchange_init()
        check(heard == INIT_GOOD, f'{self.address}: answer to IKE_SA_INIT: {heard}')
        self.send_auth()
        got = self.wait()
        heard = self.take(got) if got else 'silence'
        check(heard == AUTH_GOOD, f'{self.address}: answer to IKE_AUTH: {heard}')
        return self

    def ask(self, exchange, ident, payloads, seconds=2.0):
        """One protected request; the answer in words, or 'silence'."""
        self.send(self.peer.seal(self.peer.header(exchange, ident), payloads))
        got = self.wait(seconds)
        return self.take(got) if got else 'silence'

    def answer(self, request):
        """The empty answer to a request of the host."""
        header = i.Header.read(request)
        self.send(self.peer.seal(self.peer.header(header.exchange, header.ident, response=True), []))


def all_together(strangers, send, take, enough=0.5):
    """Each sends; then what came back to each, in words, joined by ' | ', until nothing more comes for a while."""
    for one in strangers:
        one.answers, one.heard = [], ''
        send(one)
    by_socket = {one.socket: one for one in strangers}
    quiet_at = time.monotonic() + enough
    while time.monotonic() < quiet_at:
        for ready in select.select(list(by_socket), [], [], 0.05)[0]:
            one = by_socket[ready]
            got = one.socket.recv(65536)
            # Not what is for another SA, of one that had this address before, nor a question of the host.
            if got[:8] == one.peer.spi_i and got[19] & i.RESPONSE:
                one.answers.append(got)
                quiet_at = time.monotonic() + enough
    for one in strangers:
        heard = dict.fromkeys(take(one, datagram) for datagram in one.answers)
        one.heard = ' | '.join(heard) or 'silence'


def handshakes(strangers):
    """Up to two rounds of IKE_SA_INIT, for the cookie, and IKE_AUTH for those that got so far. {address: [init, auth]}"""
    heard = {}
    all_together(strangers, Stranger.send_init, Stranger.take_init)
    asked = [one for one in strangers if one.heard == f'N({i.COOKIE})']
    for one in strangers:
        heard[one.address] = [one.heard]
    if asked:
        cookies = {one.address: one.cookie() for one in asked}
        all_together(asked, lambda one: one.send_init(cookies[one.address]), Stranger.take_init)
        for one in asked:
            heard[one.address] = [one.heard]
    going_on = [one for one in strangers if one.peer.keys]
    all_together(going_on, Stranger.send_auth, Stranger.take)
    for one in going_on:
        heard[one.address].append(one.heard)
    return heard
