"""Just enough DNS: questions to a resolver and what it answers. Written for the tests, shares nothing with the product."""
import random
import select
import socket
import struct
import time

A, NS, CNAME, MX, TXT, AAAA, SRV, DNAME, OPT, RRSIG, IPSECKEY, SVCB, HTTPS, ANY = \
    1, 2, 5, 15, 16, 28, 33, 39, 41, 46, 45, 64, 65, 255
TYPES = {k: v for k, v in globals().items() if k.isupper() and isinstance(v, int)}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def name_to_wire(name):
    wire = b''
    for label in name.rstrip('.').split('.'):
        if label:
            wire += bytes([len(label)]) + label.encode()
    return wire + b'\0'


def name_from_wire(packet, at):
    labels, after, hops = [], None, 0
    while True:
        n = packet[at]
        if n >= 0xc0:
            after = after if after is not None else at + 2
            at = struct.unpack_from('!H', packet, at)[0] & 0x3fff
            hops += 1
            assert hops < 64, 'compression loop'
            continue
        at += 1
        if n == 0:
            return '.'.join(labels) or '.', after if after is not None else at
        labels.append(packet[at:at + n].decode('latin-1').lower())
        at += n


class Record:
    def __init__(self, name, rtype, ttl, rdata):
        self.name, self.type, self.ttl, self.rdata = name, rtype, ttl, rdata

    @property
    def address(self):
        return socket.inet_ntop(socket.AF_INET if self.type == A else socket.AF_INET6, self.rdata)


class Answer:
    """rcode, flags (ad, tc), sections answer, authority, additional, and ede: [(code, text)]"""

    def __init__(self, packet, took):
        self.took, self.packet = took, packet
        self.id, flags, qd, an, ns, ar = struct.unpack_from('!6H', packet)
        self.rcode, self.ad, self.tc = flags & 15, bool(flags & 0x20), bool(flags & 0x200)
        at = 12
        for _ in range(qd):
            self.qname, at = name_from_wire(packet, at)
            self.qtype = struct.unpack_from('!H', packet, at)[0]
            at += 4
        self.ede, sections = [], []
        for count in (an, ns, ar):
            records = []
            for _ in range(count):
                name, at = name_from_wire(packet, at)
                rtype, _, ttl, n = struct.unpack_from('!HHIH', packet, at)
                rdata = packet[at + 10:at + 10 + n]
                at += 10 + n
                if rtype == OPT:
                    self._options(rdata)
                else:
                    records.append(Record(name, rtype, ttl, rdata))
            sections.append(records)
        self.answer, self.authority, self.additional = sections

    def _options(self, rdata):
        at = 0
        while at < len(rdata):
            code, n = struct.unpack_from('!HH', rdata, at)
            if code == 15:      # Extended DNS Error, RFC 8914
                ede = rdata[at + 4:at + 4 + n]
                self.ede.append((struct.unpack_from('!H', ede)[0], ede[2:].decode()))
            at += 4 + n

    @property
    def addresses(self):
        return sorted(r.address for r in self.answer if r.type in (A, AAAA))

    @property
    def reasons(self):
        return ' | '.join(text for _, text in self.ede)

    def __str__(self):
        return 'rcode %d%s %s%s in %d ms' % (
            self.rcode, ' ad' if self.ad else '', self.addresses or [r.type for r in self.answer],
            ' EDE %s' % self.ede if self.ede else '', self.took * 1000)


def question(name, rtype, do=False, cd=False, rd=True, edns=True, qclass=1):
    flags = 0x20 | (0x100 if rd else 0) | (0x10 if cd else 0)    # AD: tell us if it is secure, RFC 6840 5.7
    packet = struct.pack('!6H', random.randrange(65536), flags, 1, 0, 0, 1 if edns else 0)
    packet += name_to_wire(name) + struct.pack('!HH', rtype, qclass)
    if edns:
        packet += b'\0' + struct.pack('!HHIH', OPT, 1232, 0x8000 if do else 0, 0)
    return packet


class Pending:
    """A question under way, so that a test can have many of them."""

    def __init__(self, server, name, rtype, source='', **how):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.socket.connect(server)
        self.packet = question(name, rtype, **how)
        self.asked = time.monotonic()
        self.socket.send(self.packet)

    def answer(self, timeout=6):
        """The Answer, or None when there is none in time."""
        self.socket.settimeout(timeout)
        try:
            while True:
                packet = self.socket.recv(65535)
                if packet[:2] == self.packet[:2]:
                    return Answer(packet, time.monotonic() - self.asked)
        except (socket.timeout, ConnectionRefusedError):
            return None
        finally:
            self.socket.close()


class Gather:
    """Reads the answers to many questions as they come, so that each is timed when it came. pending is filled by add()."""

    def __init__(self, pending):
        self.pending, self.poll, self.left, self.answers = pending, select.poll(), {}, {}

    def add(self, question):
        self.pending.append(question)
        self.left[question.socket.fileno()] = question
        self.poll.register(question.socket, select.POLLIN)

    def read(self, seconds):
        end = time.monotonic() + seconds
        while self.left:
            for fd, _ in self.poll.poll(max(0, (end - time.monotonic()) * 1000)):
                q = self.left.pop(fd)
                self.poll.unregister(fd)
                self.answers[q] = Answer(q.socket.recv(65535), time.monotonic() - q.asked)
            if time.monotonic() >= end:
                return
        time.sleep(max(0, end - time.monotonic()))

    def finish(self, timeout=6):
        """The answers in the order of the questions, None where none came."""
        end = time.monotonic() + timeout
        while self.left and time.monotonic() < end:
            self.read(0.05)
        for q in self.pending:
            q.socket.close()
        return [self.answers.get(q) for q in self.pending]
