"""Somebody on the cable between client and server, who sees every IKE message and may keep, change, delay or invent any.

The cable of tests/daemon/world.py ends here in a namespace of its own, and this program carries each frame across. Nobody
can tell the difference: addresses, ports and TTL stay as they are.
"""
import ctypes
import heapq
import os
import select
import socket
import struct
import threading
import time
import traceback
from dataclasses import dataclass

import world as w

MIDDLE = 'oe-middle'
STRANGERS = os.environ.get('OE_STRANGERS', 'oe-server')     # where they live; '' = where this program runs, as in the lab
ETH_IPV4, ETH_IPV6, UDP, ETH_P_ALL = 0x0800, 0x86dd, 17, 3
CLONE_NEWNET = 0x40000000
BUFFER = 8 << 20
SO_RCVBUFFORCE, IP_PKTINFO, IPV6_FREEBIND = 33, 8, 78     # <linux/socket.h>, <linux/in6.h>: Python does not know them


def in_namespace(name, make):
    """make() in another network namespace; a socket stays where it was made."""
    setns = ctypes.CDLL(None, use_errno=True).setns
    with open('/proc/thread-self/ns/net', 'rb') as here, open(f'/run/netns/{name}', 'rb') as there:
        if setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f'namespace {name}')
        try:
            return make()
        finally:
            if setns(here.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), 'back from the namespace')


def udp_socket(namespace, address='', port=500):
    """A UDP socket in a namespace ('' = this one), with room for floods."""
    def make():
        made = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        if made.family == socket.AF_INET:
            made.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        else:       # a local route is enough in IPv4, and not in IPv6
            made.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        made.bind((address, port))
        return made

    return in_namespace(namespace, make) if namespace else make()


def send_from(udp, source, to, datagram):
    """From any address of this host."""
    info = struct.pack('=I4s4s', 0, socket.inet_aton(source), b'\0' * 4)
    udp.sendmsg([datagram], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, to)


def checksum(data):
    data += b'\0' * (len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


@dataclass
class Message:
    """One IKE datagram on the wire, between two of its addresses."""
    eth: bytes
    src: str
    dst: str
    sport: int
    dport: int
    ike: bytes
    to_server: bool

    def with_ike(self, ike):
        return Message(self.eth, self.src, self.dst, self.sport, self.dport, ike, self.to_server)

    def back(self, ike):
        """As if the one that this is for had answered."""
        return Message(self.eth[6:] + self.eth[:6], self.dst, self.src, self.dport, self.sport, ike, not self.to_server)

    @property
    def exchange(self):
        return self.ike[18]

    @property
    def is_response(self):
        return bool(self.ike[19] & 0x20)

    def frame(self):
        marker = b'\0\0\0\0' if 4500 in (self.sport, self.dport) else b''
        n = 8 + len(marker) + len(self.ike)
        if n > 1480:
            raise ValueError('an adversary that sends IP fragments needs another tool')
        # UDP without a checksum: RFC 768 allows that in IPv4.
        datagram = struct.pack('!HHHH', self.sport, self.dport, n, 0) + marker + self.ike
        head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + n, 0, 0x4000, 64, UDP, 0, socket.inet_aton(self.src),
                           socket.inet_aton(self.dst))
        head = head[:10] + struct.pack('!H', checksum(head)) + head[12:]
        return self.eth + struct.pack('!H', ETH_IPV4) + head + datagram


def is_fragment(raw):
    return bool(struct.unpack_from('!H', raw, 20)[0] & 0x3fff)


def is_udp4(raw):
    return (len(raw) >= 42 and struct.unpack_from('!H', raw, 12)[0] == ETH_IPV4 and raw[14] == 0x45 and raw[23] == UDP and
            not is_fragment(raw))


def parse(raw, to_server):
    """The IKE message in an Ethernet frame; None when it holds none."""
    if not is_udp4(raw):
        return None
    sport, dport, length = struct.unpack_from('!HHH', raw, 34)
    ike = raw[42:34 + length]
    if not {sport, dport} & {500, 4500}:
        return None
    if 4500 in (sport, dport):
        if ike[:4] != b'\0\0\0\0':
            return None
        ike = ike[4:]
    if len(ike) < 28:
        return None
    return Message(raw[:12], socket.inet_ntoa(raw[26:30]), socket.inet_ntoa(raw[30:34]), sport, dport, ike, to_server)


def whole_checksum(raw):
    """The kernel leaves the checksum of UDP to the network card, and there is none: it would be wrong on the other side."""
    if is_udp4(raw):
        return raw[:40] + b'\0\0' + raw[42:]
    if len(raw) >= 62 and struct.unpack_from('!H', raw, 12)[0] == ETH_IPV6 and raw[20] == UDP:
        datagram = raw[54:60] + b'\0\0' + raw[62:]
        total = checksum(raw[22:54] + struct.pack('!II', len(datagram), UDP) + datagram) or 0xffff
        return raw[:60] + struct.pack('!H', total) + raw[62:]
    return raw


class Wire:
    """Carries frames until stopped. rule(message) says what becomes of an IKE message: None = let it pass, or the list of
    messages, or (seconds, message), to send instead. It runs in the thread of the wire."""

    def __init__(self):
        self.rule = None
        self.errors = []
        self.ends = in_namespace(MIDDLE, lambda: [self._listen('m-client'), self._listen('m-server')])
        self.wake_read, self.wake_write = os.pipe()
        self.later = []
        self.count = 0
        self.lock = threading.Lock()
        threading.Thread(target=self._run, daemon=True).start()

    @staticmethod
    def _listen(interface):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        made.bind((interface, 0))
        made.setblocking(False)
        return made

    def send(self, message, seconds=0.0):
        with self.lock:
            self.count += 1
            heapq.heappush(self.later, (time.monotonic() + seconds, self.count, message))
        os.write(self.wake_write, b'x')

    def _put(self, message):
        self.ends[1 if message.to_server else 0].send(message.frame())

    def _carry(self, side, raw):
        message = parse(raw, side == 0) if self.rule else None
        answer = self.rule(message) if message else None
        if answer is None:
            self.ends[1 - side].send(whole_checksum(raw))
            return
        for one in answer:
            if isinstance(one, tuple):
                self.send(one[1], one[0])
            else:
                self._put(one)

    def _due(self):
        while True:
            with self.lock:
                if not self.later or self.later[0][0] > time.monotonic():
                    return self.later[0][0] if self.later else None
                message = heapq.heappop(self.later)[2]
            self._put(message)

    def _run(self):
        while True:
            try:
                due = self._due()
                timeout = None if due is None else max(0.0, due - time.monotonic())
                ready = select.select([*self.ends, self.wake_read], [], [], timeout)[0]
                if self.wake_read in ready:
                    os.read(self.wake_read, 4096)
                for side in (0, 1):
                    self._drain(side)
            except OSError as error:
                self.errors.append(str(error))
            except Exception:       # a rule that is wrong is a test that failed, which the case finds here
                self.errors.append(traceback.format_exc())

    def _drain(self, side):
        for _ in range(64):
            try:
                raw, address = self.ends[side].recvfrom(65536)
            except BlockingIOError:
                return
            if address[2] != socket.PACKET_OUTGOING:
                self._carry(side, raw)


def lay_cut_cable(world):
    w.lay_cable(MIDDLE)
    world.wire = Wire()
