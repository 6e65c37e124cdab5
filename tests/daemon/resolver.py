"""The resolver's end of docs/protocol.md, as a client that can also misbehave."""
import base64
import ipaddress
import socket
import struct

HELLO, ESTABLISH, CANCEL, VERDICT, DOWN = 1, 2, 3, 4, 5
VERSIONS, OWNER, ADDRESS, KEY, TTL, DEADLINE, KIND, REASON, REASON_TEXT, RESULT = range(1, 11)
PAUSE, GROUPS = 0x800d, 0x800e
ALLOW, CLEAR, REFUSE = 1, 2, 3

NO_USABLE_KEY, ADDRESS_NOT_ALLOWED, NO_ROUTE, TIMEOUT, UNREACHABLE, AUTH_FAILED = 1, 2, 3, 4, 5, 8
PEER_REFUSED, KEY_CONFLICT, LIMIT, BACKOFF, SHUTDOWN, DOWN_BY_OPERATOR, POLICY_FORBIDS = 6, 10, 11, 21, 22, 25, 31


class Closed(Exception):
    """oe-iked closed the connection."""


def wire_name(text):
    labels = [label.encode() for label in text.rstrip('.').split('.') if label]
    return b''.join(bytes([len(label)]) + label for label in labels) + b'\0'


def text_name(wire):
    labels, at = [], 0
    while wire[at]:
        labels.append(wire[at + 1:at + 1 + wire[at]].decode())
        at += 1 + wire[at]
    return '.'.join(labels)


def rdata(text):
    """IPSECKEY RDATA from its presentation format; its gateway, if any, is an address."""
    precedence, gateway_type, algorithm, gateway, key = text.split()[-5:]
    assert gateway_type in '012' and (gateway_type == '0') == (gateway == '.')
    at = b'' if gateway == '.' else ipaddress.ip_address(gateway).packed
    return bytes([int(precedence), int(gateway_type), int(algorithm)]) + at + base64.b64decode(key)


def tlv(kind, value):
    return struct.pack('>HH', kind, len(value)) + value


def message(kind, ident=0, tlvs=b'', version=1):
    return struct.pack('>BBHI', version, kind, 0, ident) + tlvs


def hello(lowest=1, highest=1):
    return message(HELLO, 0, tlv(VERSIONS, bytes([lowest, highest])))


def establish(ident, owner, addresses, keys, ttl=300, deadline=1500):
    return message(ESTABLISH, ident, tlv(OWNER, wire_name(owner)) +
                   b''.join(tlv(ADDRESS, ipaddress.ip_address(a).packed) for a in addresses) +
                   b''.join(tlv(KEY, k) for k in keys) +
                   tlv(TTL, struct.pack('>I', ttl)) + tlv(DEADLINE, struct.pack('>I', deadline)))


class Answer:
    """A message from oe-iked."""

    def __init__(self, datagram):
        _, self.type, _, self.id = struct.unpack('>BBHI', datagram[:8])
        self.kind = self.reason = self.ttl = self.pause = self.groups = None
        self.text, self.owner, self.results = '', None, []
        at = 8
        while at < len(datagram):
            kind, length = struct.unpack('>HH', datagram[at:at + 4])
            value = datagram[at + 4:at + 4 + length]
            at += 4 + length
            if kind == KIND:
                self.kind = value[0]
            elif kind == REASON:
                self.reason = int.from_bytes(value, 'big')
            elif kind == REASON_TEXT:
                self.text = value.decode()
            elif kind == TTL:
                self.ttl = int.from_bytes(value, 'big')
            elif kind == RESULT:
                self.results.append(int.from_bytes(value, 'big'))
            elif kind == PAUSE:
                self.pause = int.from_bytes(value, 'big')
            elif kind == GROUPS:
                self.groups = value
            elif kind == OWNER:
                self.owner = text_name(value)

    def __repr__(self):
        return (f'type {self.type} id {self.id} kind {self.kind} reason {self.reason} "{self.text}" ttl {self.ttl} '
                f'results {self.results} owner {self.owner}')


class Resolver:
    """One connection."""

    def __init__(self, path, greet=True, timeout=5.0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.last_id = 0
        self.waiting = []
        if greet:
            self.send(hello())
            assert self.receive().type == HELLO

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, datagram):
        self.socket.send(datagram)

    def receive(self):
        """The next message; Closed at the end, TimeoutError after a silence."""
        try:
            datagram = self.socket.recv(65536)
        except ConnectionResetError:
            raise Closed() from None
        if not datagram:
            raise Closed()
        return Answer(datagram)

    def ask(self, owner, addresses, keys, ttl=300, deadline=1500):
        """Send a request; returns its id."""
        self.last_id += 1
        self.send(establish(self.last_id, owner, addresses, keys, ttl, deadline))
        return self.last_id

    def verdict(self, ident=None):
        """The verdict of a request (any one when ident is None). Other messages wait for their turn."""
        for answer in self.waiting:
            if answer.type == VERDICT and ident in (None, answer.id):
                self.waiting.remove(answer)
                return answer
        while True:
            answer = self.receive()
            if answer.type == VERDICT and ident in (None, answer.id):
                return answer
            self.waiting.append(answer)

    def request(self, *args, **kwargs):
        return self.verdict(self.ask(*args, **kwargs))

    def down(self, groups=False):
        """The next DOWN that tells of policy groups, or that does not."""
        def is_meant(answer):
            return answer.type == DOWN and (answer.groups is not None) == groups
        for answer in self.waiting:
            if is_meant(answer):
                self.waiting.remove(answer)
                return answer
        while True:
            answer = self.receive()
            if is_meant(answer):
                return answer
            self.waiting.append(answer)

    def groups(self):
        """The digest in the next DOWN that tells of policy groups, which must be for the root."""
        down = self.down(groups=True)
        assert down.owner == '', down
        return down.groups

    def pause(self):
        """Seconds in the next DOWN, which must be for the root."""
        down = self.down()
        assert down.owner == '', down
        return down.pause

    def is_closed(self):
        """oe-iked closes within the time limit; what it says before does not matter."""
        try:
            while True:
                self.receive()
        except (Closed, BrokenPipeError):
            return True
        except TimeoutError:
            return False


def random_bytes(rng, n):
    return bytes(rng.getrandbits(8) for _ in range(n))

