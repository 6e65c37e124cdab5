"""Hosts that lie: each has an address of its own, and answers IKE there in its own way.

A Host does everything right but for what is given to it:

    init=f(payloads, peer)      change the payloads of its IKE_SA_INIT answer
    init_raw=f(bytes, request)  change that message, after it was signed; a list of messages is sent one by one
    auth=f(payloads, peer)      change the payloads inside of its IKE_AUTH answer
    seal=f(payloads, peer, header)  make the IKE_AUTH answer; bytes, or a list of them
    auth_raw=f(bytes, peer, request)  change that message
    octets=f(peer, id)          what its signature covers
    sign=f(signer, octets)      (method, value) of AUTH
    after=f(peer, datagram)     what it answers to any later message; a list of bytes
    identity=bytes              the body of its IDr
"""
import select
import socket
import struct
import threading
import time
import traceback

from ike import (AUTH, AUTH_PL, ID_FQDN, IDR, INVALID_KE, KE, PROTO_ESP, RESPONSE, SA, SA_INIT, TRANSPORT, TSI, TSR, X25519, Header,
                 P, Peer, esp_transforms, find, identity, notify, pack, proposal, selector, selectors, unpack)
from wire import STRANGERS, send_from, udp_socket

SPI = bytes.fromhex('0badcafe')
NAME = b'host.example'
LATER_MAX = 32      # messages of one attempt that a host looks at
SERIES_MAX = 10


def as_list(sent):
    return [sent] if isinstance(sent, bytes) else list(sent or [])


def auth_body(method, value):
    return struct.pack('>BBH', method, 0, 0) + value


class Host:
    def __init__(self, signer, group=X25519, **changes):
        self.signer, self.group, self.changes = signer, group, changes
        self.peers = {}             # by SPI of the client
        self.answers = {}           # by message of the client
        self.heard = []             # (header, payloads or None) of what came after IKE_SA_INIT
        self.address = self.client = None

    def change(self, name, given, *more):
        return self.changes[name](given, *more) if name in self.changes else given

    def child_payloads(self):
        client, own = socket.inet_aton(self.client), socket.inet_aton(self.address)
        return [notify(TRANSPORT), P(SA, proposal(esp_transforms(), PROTO_ESP, SPI)),
                P(TSI, selectors(selector(client))), P(TSR, selectors(selector(own)))]

    def auth_payloads(self, peer):
        ident = self.changes.get('identity', identity(ID_FQDN, NAME))
        octets = self.changes['octets'](peer, ident) if 'octets' in self.changes else peer.octets(ident)
        sign = self.changes.get('sign', lambda signer, over: signer.sign(over))
        return [P(IDR, ident), P(AUTH_PL, auth_body(*sign(self.signer, octets))), *self.child_payloads()]

    def answer_init(self, request):
        wanted = struct.pack('>H', self.group)
        if find(unpack(request)[1], KE)[:2] != wanted:
            return [pack(Header(request[:8], bytes(8), SA_INIT, RESPONSE, 0), [notify(INVALID_KE, wanted)])]
        peer = Peer(initiator=False, group=self.group)
        peer.take_init(request)
        self.peers[peer.spi_i] = peer
        answer = peer.send_init(self.change('init', peer.init_payloads(), peer))
        return as_list(self.change('init_raw', answer, request))

    def answer_auth(self, peer, request, header):
        payloads = self.change('auth', self.auth_payloads(peer), peer)
        header = peer.header(AUTH, header.ident, response=True)
        seal = self.changes.get('seal', lambda inner, by, head: by.seal(head, inner))
        sent = seal(payloads, peer, header)
        if 'auth_raw' in self.changes:
            sent = self.changes['auth_raw'](sent, peer, request)
        return as_list(sent)

    def answer(self, datagram):
        """Repeated for a repeated message, as RFC 7296 2.1 wants; of a long series only its end."""
        if datagram not in self.answers:
            self.answers[datagram] = self.new_answer(datagram)
            return self.answers[datagram]
        return self.answers[datagram][-SERIES_MAX:]

    def new_answer(self, datagram):
        header = Header.read(datagram)
        if header.exchange == SA_INIT:
            return self.answer_init(datagram)
        peer = self.peers.get(header.spi_i)
        if not peer or not peer.keys or len(self.heard) > LATER_MAX:
            return []
        opened = peer.open(datagram)
        self.heard.append((header, opened[1] if opened else None))
        if header.exchange == AUTH and not header.is_response:
            return self.answer_auth(peer, datagram, header)
        return self.changes['after'](peer, datagram) if 'after' in self.changes else []


class Hosts:
    """All of them, at port 500 of their addresses, while a `with` lasts."""

    def __init__(self):
        self.socket = udp_socket(STRANGERS)
        self.by_address = {}
        self.errors = []
        self.stopped = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def add(self, address, host):
        host.address = address
        self.by_address[address] = host
        return host

    def send(self, address, to, datagram, port=500):
        send_from(self.socket, address, (to, port), datagram)

    def run(self):
        while not self.stopped:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            datagram, extra, _, source = self.socket.recvmsg(65536, 256)
            own = socket.inet_ntoa(extra[0][2][8:12])
            host = self.by_address.get(own)
            if not host:
                continue
            host.client = source[0]
            try:
                for n, sent in enumerate(host.answer(datagram)):
                    self.send(own, source[0], sent, source[1])
                    if n % 32 == 31:
                        time.sleep(0.01)        # what the kernel drops for want of a buffer tests nothing
            except Exception:       # a lie that cannot be told is a test that failed, which the case finds here
                self.errors.append(f'{own}: {traceback.format_exc()}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()
        self.socket.close()
