"""A scripted oe-iked: the helper's end of docs/protocol.md, written from that page and not from the product's code."""
import heapq
import itertools
import os
import select
import socket
import struct
import threading
import time

VERSION = 1
HELLO, ESTABLISH, CANCEL, VERDICT, DOWN = 1, 2, 3, 4, 5
T_VERSIONS, T_OWNER, T_ADDRESS, T_KEY, T_TTL, T_DEADLINE, T_KIND, T_REASON, T_TEXT, T_RESULT = range(1, 11)
T_PAUSE = 0x800d
T_GATEWAY, T_REVERSE = 0x800b, 0x800c
FOUND, NONE, INSECURE, BOGUS, FAILED, LATE = range(1, 7)
ALLOW, CLEAR, REFUSE = 1, 2, 3
REASON_TIMEOUT, REASON_AUTH_FAILED = 4, 8


def tlv(kind, value):
    return struct.pack('!HH', kind, len(value)) + value


def message(kind, ident, *tlvs):
    return struct.pack('!BBHI', VERSION, kind, 0, ident) + b''.join(tlvs)


def hello(low=VERSION, high=VERSION):
    return message(HELLO, 0, tlv(T_VERSIONS, bytes([low, high])))


class Request:
    """An ESTABLISH: owner, addresses, keys, ttl (s), deadline (ms); gateways: (numbers of keys, finding, addresses); reverse:
    (number of the address, finding, numbers of keys)."""

    def __init__(self, ident, values):
        self.id = ident
        self.owner = self._name(values[T_OWNER][0])
        self.addresses = [socket.inet_ntop(socket.AF_INET if len(a) == 4 else socket.AF_INET6, a)
                          for a in values[T_ADDRESS]]
        self.keys = values[T_KEY]
        self.gateways = [self._gateway(v) for v in values.get(T_GATEWAY, [])]
        self.reverse = [(v[0], v[1], self._bits(v[2:])) for v in values.get(T_REVERSE, [])]
        self.ttl = struct.unpack('!I', values[T_TTL][0])[0]
        self.deadline = struct.unpack('!I', values[T_DEADLINE][0])[0]
        self.at = time.monotonic()

    @staticmethod
    def _bits(mask):
        return [i for i in range(16) if struct.unpack('!H', mask)[0] >> i & 1]

    def _gateway(self, value):
        addresses, at = [], 3
        while at < len(value):
            n = value[at]
            addresses.append(socket.inet_ntop(socket.AF_INET if n == 4 else socket.AF_INET6, value[at + 1:at + 1 + n]))
            at += 1 + n
        return self._bits(value[:2]), value[2], addresses

    @staticmethod
    def _name(wire):
        labels, at = [], 0
        while wire[at]:
            labels.append(wire[at + 1:at + 1 + wire[at]].decode('latin-1'))
            at += 1 + wire[at]
        return '.'.join(labels)

    def verdict(self, kind, reason=0, text='', ttl=300, refused=(), ident=None, results=None):
        if kind == ALLOW and refused:
            reason = REASON_TIMEOUT
        tlvs = [tlv(T_KIND, bytes([kind])), tlv(T_REASON, struct.pack('!H', reason)), tlv(T_TTL, struct.pack('!I', ttl))]
        if text:
            tlvs.append(tlv(T_TEXT, text.encode()))
        if kind == ALLOW:
            for address in self.addresses[:results]:
                tlvs.append(tlv(T_RESULT, struct.pack('!H', REASON_TIMEOUT if address in refused else 0)))
        elif kind == REFUSE:
            tlvs += [tlv(T_RESULT, struct.pack('!H', reason))] * len(self.addresses)
        return message(VERDICT, self.id if ident is None else ident, *tlvs)

    def allow(self, **how):
        return self.verdict(ALLOW, **how)

    def refuse(self, reason=REASON_AUTH_FAILED, **how):
        return self.verdict(REFUSE, reason, **how)


class Helper:
    """Listens on a socket. decide(request) returns what to send for an ESTABLISH: bytes, a list of bytes, None for
    nothing, Helper.CLOSE, or (seconds, any of these) to do it later. listener: what stop(keep=True) of another one gave."""
    CLOSE = object()

    def __init__(self, path, decide=lambda request: request.allow(), greeting=hello(), listener=None):
        self.path, self.decide, self.greeting = path, decide, greeting
        self.requests, self.cancels, self.answered = [], [], []
        self._later, self._order = [], itertools.count()
        self._peers = {}
        self._wake_r, self._wake_w = os.pipe()
        self._stopping = False
        self._lock = threading.Lock()
        self._listener = listener or self._listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _listen(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.path.exists(self.path):
            os.unlink(self.path)
        listener.bind(self.path)
        listener.listen(64)
        return listener

    def owners(self):
        return [r.owner for r in self.requests]

    def peers(self):
        with self._lock:
            return len(self._peers)

    def broadcast(self, data):
        """Send to every worker, from the test's thread."""
        with self._lock:
            for peer in list(self._peers.values()):
                peer.send(data)

    def down(self, owner, reason=25):
        wire = b''.join(bytes([len(label)]) + label.encode() for label in owner.split('.')) + b'\0'
        self.broadcast(message(DOWN, 0, tlv(T_OWNER, wire), tlv(T_REASON, struct.pack('!H', reason))))

    def pause(self, seconds):
        """What is new is paused; 0: no longer."""
        self.broadcast(message(DOWN, 0, tlv(T_OWNER, b'\0'), tlv(T_REASON, struct.pack('!H', 25)), tlv(T_PAUSE, struct.pack('!I', seconds))))

    def stop(self, keep=False):
        """As kill -9 would: the sockets close, nothing is said. keep: all but the one that listens, which is returned, as a
        service manager keeps it (system/oe-iked.socket)."""
        self._stopping = True
        os.write(self._wake_w, b'x')
        self._thread.join()
        for s in self._peers.values():
            s.close()
        if keep:
            return self._listener
        self._listener.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
        return None

    def _run(self):
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake_r, select.POLLIN)
        while not self._stopping:
            wait = None
            if self._later:
                wait = max(0, (self._later[0][0] - time.monotonic()) * 1000)
            for fd, _ in poll.poll(wait):
                if fd == self._listener.fileno():
                    self._welcome(poll)
                elif fd in self._peers:
                    self._receive(poll, self._peers[fd])
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, peer, request, action = heapq.heappop(self._later)
                self._act(poll, peer, request, action)

    def _welcome(self, poll):
        """Its greeting comes before all that is told to everybody."""
        peer, _ = self._listener.accept()
        try:
            if self.greeting:
                peer.send(self.greeting)
        except OSError:     # an Unbound that reloads has gone already
            peer.close()
            return
        with self._lock:
            self._peers[peer.fileno()] = peer
        poll.register(peer, select.POLLIN)

    def _drop(self, poll, peer):
        with self._lock:
            if self._peers.pop(peer.fileno(), None):
                poll.unregister(peer)
                peer.close()

    def _receive(self, poll, peer):
        try:
            data = peer.recv(65536)
        except OSError:
            data = b''
        if not data:
            self._drop(poll, peer)
            return
        _, kind, _, ident = struct.unpack_from('!BBHI', data)
        values, at = {}, 8
        while at < len(data):
            t, n = struct.unpack_from('!HH', data, at)
            values.setdefault(t, []).append(data[at + 4:at + 4 + n])
            at += 4 + n
        if kind == CANCEL:
            self.cancels.append(ident)
        elif kind == ESTABLISH:
            request = Request(ident, values)
            self.requests.append(request)
            self._act(poll, peer, request, self.decide(request))

    def _act(self, poll, peer, request, action):
        if peer.fileno() == -1 or action is None:
            return
        if isinstance(action, tuple):
            heapq.heappush(self._later, (time.monotonic() + action[0], next(self._order), peer, request, action[1]))
            return
        if action is Helper.CLOSE:
            self._drop(poll, peer)
            return
        self.answered.append(time.monotonic())
        for data in action if isinstance(action, list) else [action]:
            try:
                peer.send(data)
            except OSError:
                return
