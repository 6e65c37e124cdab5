"""The DNS around the resolver under test: signed zones on NSD, and in front of each NSD a proxy that counts questions and
can delay, lose or fail them. Everything is on loopback addresses of a network namespace of our own, with name servers on port 53."""
import base64
import calendar
import collections
import glob
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import threading
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

import dns

ROOT, TLD, LEAF = '127.0.1.1', '127.0.1.2', '127.0.1.3'
NSD_PORT = 5300
RESOLVER = ('127.0.0.1', 5353)
KEY = base64.b64encode(bytes(range(32))).decode()       # Ed25519, as RFC 9373 puts it in IPSECKEY algorithm 4


def ipseckey(name):
    return '%s IN IPSECKEY 10 0 4 . %s\n' % (name, KEY)


def via(name, precedence, kind, gateway, key=KEY):
    """IPSECKEY with a gateway of this type, RFC 4025 2.3."""
    return '%s IN IPSECKEY %d %d 4 %s %s\n' % (name, precedence, kind, gateway, key)


def svc(name, rtype, priority, target, *params):
    """HTTPS or SVCB as RFC 3597 writes unknown types, so that no tool has to know them."""
    rdata = struct.pack('!H', priority) + dns.name_to_wire(target)
    for key, value in params:
        rdata += struct.pack('!HH', key, len(value)) + value
    return '%s IN TYPE%d \\# %d %s\n' % (name, rtype, len(rdata), rdata.hex())


def ip4(*addresses):
    return b''.join(socket.inet_aton(a) for a in addresses)


def ip6(*addresses):
    return b''.join(socket.inet_pton(socket.AF_INET6, a) for a in addresses)


def soa(zone, ns):
    return '$ORIGIN %s\n$TTL 300\n@ IN SOA %s hostmaster.test. 1 3600 600 86400 60\n@ IN NS %s\n' % (zone, ns, ns)


def host(name, address, *more):
    return '%s IN %s %s\n' % (name, 'AAAA' if ':' in address else 'A', address) + ''.join(host(name, a) for a in more)


def gateway_zones():
    """Hosts behind gateways: what their names say in example.test., and what the reverse tree says."""
    there, back = '', soa('2.0.192.in-addr.arpa.', 'ns.example.test.')
    named = (('gwname', 102, 'gate.example.test.'), ('gwalias', 103, 'gatealias.example.test.'), ('gwplain', 104, 'www.plain.test.'),
             ('gwbogus', 105, 'bogusa.example.test.'), ('gwlost', 106, 'lostgate.example.test.'), ('gwnone', 107, 'nogate.example.test.'),
             ('gwkeyed', 110, 'host.example.test.'), ('gwmutual', 115, 'gwback.example.test.'), ('gwdname', 118, 'www.dn.example.test.'),
             ('gwtoplain', 119, 'toplain.example.test.'), ('gwloop', 120, 'gateloop.example.test.'), ('gwsix', 121, 'gate6.example.test.'))
    for name, last, gateway in named:
        there += host(name, '192.0.2.%d' % last) + via(name, 10, 3, gateway)
        back += via(last, 5, 3, gateway)
    there += host('gate', '192.0.2.200', '2001:db8::200', '192.0.2.201') + 'gatealias IN CNAME gate.other.test.\n'
    there += host('gate6', '2001:db8::201') + host('gate4', '192.0.2.204')
    there += 'gateloop IN CNAME gatepool\ngatepool IN CNAME gateloop\n'
    there += host('lostgate', '192.0.2.203') + host('gwback', '192.0.2.116') + via('gwback', 10, 3, 'gwmutual.example.test.')
    back += via(116, 10, 3, 'gwmutual.example.test.')
    there += host('gw4', '192.0.2.101') + via('gw4', 10, 1, '192.0.2.200')
    back += via(101, 20, 1, '192.0.2.200').replace(' IN', ' 20 IN')
    there += host('gwvictim', '192.0.2.108') + via('gwvictim', 10, 1, '203.0.113.66')
    back += via(108, 10, 1, '192.0.2.200')
    there += host('gwother', '192.0.2.109') + via('gwother', 10, 1, '203.0.113.66')
    there += host('gwself', '192.0.2.111') + via('gwself', 10, 3, 'gwself.example.test.') + via('gwself', 20, 1, '192.0.2.111')
    there += host('gwcname', '192.0.2.112') + via('gwcname', 10, 1, '192.0.2.200')
    back += '112 IN CNAME 112.net\n' + via('112.net', 10, 1, '192.0.2.200')
    there += host('gwmany', '192.0.2.113', '192.0.2.117') + via('gwmany', 10, 1, '192.0.2.200') + via('gwmany', 20, 3, 'gate.example.test.')
    there += via('gwmany', 30, 0, '.') + via('gwmany', 40, 1, '192.0.2.113')
    back += via(113, 10, 1, '192.0.2.200') + via(113, 10, 3, 'gate.example.test.', KEY[:-8] + 'AAAAAAA=')
    back += via(117, 10, 3, 'gate.example.test.')
    there += host('gwbogusback', '192.0.2.114') + via('gwbogusback', 10, 1, '192.0.2.200')
    back += via(114, 10, 1, '192.0.2.200')
    there += host('gwplainback', '198.51.100.200') + via('gwplainback', 10, 1, '192.0.2.200')
    there += host('gw6', '2001:db8::70') + via('gw6', 10, 2, '2001:db8::200') + host('gw6name', '2001:db8::71')
    there += via('gw6name', 10, 3, 'gate.example.test.') + host('gw6four', '2001:db8::72') + via('gw6four', 10, 3, 'gate4.example.test.')
    back6 = soa('8.b.d.0.1.0.0.2.ip6.arpa.', 'ns.example.test.')
    back6 += via('0.7' + '.0' * 22, 10, 2, '2001:db8::200') + via('1.7' + '.0' * 22, 10, 3, 'gate.example.test.')
    back6 += via('2.7' + '.0' * 22, 10, 3, 'gate4.example.test.')
    plain = soa('100.51.198.in-addr.arpa.', 'ns.example.test.') + via(200, 10, 1, '192.0.2.200')
    return there, {'2.0.192.in-addr.arpa.': back, '8.b.d.0.1.0.0.2.ip6.arpa.': back6, '100.51.198.in-addr.arpa.': plain}


def malformed_https():
    """HTTPS records that are not what RFC 9460 2.2 says, and yet tell an address to who reads kindly: what is wrong -> RDATA as a
    zone file has it, and what the proxy makes of it, in as many bytes. A target that is no name does not get past Unbound."""
    found = {}
    for i, (what, key, size) in enumerate((('cut', 4, 5), ('rest', 4, 3), ('empty', 4, 0), ('short', 6, 4))):
        address = ip4('192.0.2.%d' % (60 + i))
        found[what] = (b'\0\1\0' + struct.pack('!HH', 4, 4) + address, b'\0\1\0' + struct.pack('!HH', key, size) + address)
    return found


def leaf_zones():
    """zone -> text; which are signed and which tampered with is in World."""
    example = soa('example.test.', 'ns.example.test.') + host('ns', LEAF)
    example += host('@', '192.0.2.80') + ipseckey('@')
    example += host('host', '192.0.2.1', '2001:db8::1') + ipseckey('host')
    for i in range(40):
        example += host('k%d' % i, '198.51.100.%d' % (i + 1)) + ipseckey('k%d' % i)
        example += host('p%d' % i, '203.0.113.%d' % (i + 1))
    example += host('multi', '192.0.2.2', '192.0.2.3', '192.0.2.4') + ipseckey('multi')
    example += host('many', *['198.18.0.%d' % i for i in range(1, 40)]) + ipseckey('many')
    example += host('short', '192.0.2.5').replace(' IN', ' 2 IN') + ipseckey('short')
    example += 'alias IN CNAME host\nalias2 IN CNAME alias\nout IN CNAME host.other.test.\n'
    example += 'toplain IN CNAME www.plain.test.\n'
    example += 'dn IN DNAME tgt\n' + host('www.tgt', '192.0.2.6') + ipseckey('www.tgt')
    example += host('*.wild', '192.0.2.7') + ipseckey('*.wild')
    example += host('*.wildplain', '192.0.2.8')
    example += host('bogusa', '192.0.2.9') + ipseckey('bogusa')
    example += host('boguskey', '192.0.2.10') + ipseckey('boguskey')
    example += host('lostkey', '192.0.2.11') + ipseckey('lostkey')
    example += host('failkey', '192.0.2.12') + ipseckey('failkey')
    example += host('box', '192.0.2.13') + ipseckey('box') + host('a.box', '192.0.2.14') + 'a.box IN TXT "x"\n'
    example += 'mail IN MX 10 host\n*.wildmail IN MX 10 host\nsrv IN SRV 0 0 25 host\n'
    example += host('root-key-sentinel-is-ta-00001', '192.0.2.17') + ipseckey('root-key-sentinel-is-ta-00001')
    example += host('web', '192.0.2.15') + ipseckey('web')
    example += svc('web', 65, 1, '.', (1, b'\x02h2'), (4, ip4('192.0.2.15')), (6, ip6('2001:db8::15')))
    example += svc('webother', 65, 1, 'host.example.test.', (4, ip4('192.0.2.1')))
    example += svc('webplain', 65, 1, '.', (4, ip4('192.0.2.16')))
    example += host('webtwo', '192.0.2.18') + ipseckey('webtwo') + svc('webtwo', 65, 1, '.', (4, ip4('192.0.2.18')))
    example += svc('webtwo', 65, 2, 'host.example.test.', (4, ip4('192.0.2.1')))
    for name in ('webmany', 'webmanyplain'):
        example += svc(name, 65, 1, '.', (4, ip4(*['198.18.0.%d' % i for i in range(1, 40)])))
    example += ipseckey('webmany') + host('manyplain', *['198.18.1.%d' % i for i in range(1, 40)])
    for i, what in enumerate(malformed_https()):
        example += svc(what + '.bad', 65, 1, '.', (4, ip4('192.0.2.%d' % (60 + i)))) + ipseckey(what + '.bad')
    example += svc('webalias', 65, 0, 'web.example.test.')
    example += svc('_dns', 64, 1, 'web.example.test.', (1, b'\x03dot'), (4, ip4('192.0.2.15')))
    example += host('plainhost', '192.0.2.20') + host('twoplain', '192.0.2.21', '192.0.2.22')
    behind, reverse = gateway_zones()
    example += behind
    other = soa('other.test.', 'ns.other.test.') + host('ns', LEAF)
    other += host('host', '192.0.2.30') + ipseckey('host') + host('gate', '192.0.2.202')
    other += 'wild IN CNAME a.wild.example.test.\nwildq IN CNAME q.wild.example.test.\n'
    plain = soa('plain.test.', 'ns.plain.test.') + host('ns', LEAF)
    plain += host('www', '192.0.2.40') + ipseckey('www') + 'alias IN CNAME host.example.test.\n'
    # a zone whose name server has a name, and a key, of its own elsewhere
    keyed = soa('keyed.test.', 'ns') + host('ns', LEAF) + host('srv', LEAF) + ipseckey('srv')
    far = soa('far.test.', 'srv.keyed.test.') + host('www', '192.0.2.50')
    zones = {'example.test.': example, 'other.test.': other, 'plain.test.': plain, 'keyed.test.': keyed, 'far.test.': far}
    zones.update(reverse)
    return zones


def with_client_subnet(query, answer):
    """The answer of a server that has answers for subnets (RFC 7871): the option of the query, with a scope."""
    at = query.find(struct.pack('!HHH', 8, 7, 1))       # ECS, 7 octets of it, IPv4: what Unbound sends for /24
    opt = answer.rfind(b'\0' + struct.pack('!H', dns.OPT))
    if at < 0 or opt < 0:
        return answer
    option = query[at:at + 7] + b'\x18' + query[at + 8:at + 11]
    size = struct.unpack_from('!H', answer, opt + 9)[0] + len(option)
    return answer[:opt + 9] + struct.pack('!H', size) + answer[opt + 11:] + option


class Proxy(threading.Thread):
    """UDP port 53 of one address, to NSD. asked counts (name, type) in lower case."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind((address, 53))
        self.back = (address, NSD_PORT)
        self.asked, self.lost, self.failed, self.delay, self.has_subnets = [], set(), set(), 0, False
        self.portal = None      # answers every question itself, that for A with this address
        self.swaps = []
        self.start()

    def run(self):
        poll = select.poll()
        poll.register(self.front, select.POLLIN)
        waiting, later = {}, collections.deque()
        while True:
            wait = max(0, (later[0][0] - time.monotonic()) * 1000) if later else None
            for fd, _ in poll.poll(wait):
                if fd != self.front.fileno():
                    s, client, query = waiting.pop(fd)
                    poll.unregister(fd)
                    answer = s.recv(65535)
                    for old, new in self.swaps:
                        answer = answer.replace(old, new)
                    if self.has_subnets:
                        answer = with_client_subnet(query, answer)
                    later.append((time.monotonic() + self.delay, answer, client))
                    s.close()
                    continue
                packet, client = self.front.recvfrom(65535)
                name, at = dns.name_from_wire(packet, 12)
                what = (name, struct.unpack_from('!H', packet, at)[0])
                self.asked.append(what)
                if what in self.lost:
                    continue
                if self.portal:
                    record = b'\xc0\x0c' + struct.pack('!HHIH', dns.A, 1, 60, 4) + socket.inet_aton(self.portal)
                    records = [record] if what[1] == dns.A else []
                    self.front.sendto(packet[:2] + b'\x84\x80' + struct.pack('!HHHH', 1, len(records), 0, 0) +
                                      packet[12:at + 4] + b''.join(records), client)
                    continue
                if what in self.failed:
                    self.front.sendto(packet[:2] + b'\x84\x02' + packet[4:6] + b'\0' * 6 + packet[12:at + 4], client)
                    continue
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.connect(self.back)
                s.send(packet)
                waiting[s.fileno()] = (s, client, packet)
                poll.register(s, select.POLLIN)
            while later and later[0][0] <= time.monotonic():
                self.front.sendto(*later.popleft()[1:])


class World:
    """Another choice of zones is a subclass."""
    unsigned = ('plain.test.', '100.51.198.in-addr.arpa.')
    delegations = {'far': 'far IN NS srv.keyed.test.\n'}        # of those that are not served by a name of their own

    @staticmethod
    def zones():
        return leaf_zones()

    def tamper(self):
        self._tamper('example.test.', 'bogusa.example.test.', 'A', '192.0.2.9', '192.0.2.99')
        self._tamper('example.test.', 'boguskey.example.test.', 'IPSECKEY', KEY, KEY[:-8] + 'AAAAAAA=')
        for what, (_, rdata) in malformed_https().items():
            self._sign_by_hand('example.test.', what + '.bad.example.test.', 'HTTPS', 65, rdata)
        self._tamper('2.0.192.in-addr.arpa.', '114.2.0.192.in-addr.arpa.', 'IPSECKEY', KEY, KEY[:-8] + 'AAAAAAA=')

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.trust_anchor = os.path.join(folder, 'root.key')
        self._make_zones()
        for address, zones in ((ROOT, ['.']), (TLD, ['test.']), (LEAF, list(self.zones()))):
            self._nsd(address, zones)
        self.root, self.tld, self.leaf = Proxy(ROOT), Proxy(TLD), Proxy(LEAF)
        self._wait()

    def file(self, zone):
        return os.path.join(self.folder, 'zone.' + zone.rstrip('.'))

    def _run(self, *command):
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def _sign(self, zone, text):
        """Write and sign a zone; the DS text for its parent."""
        with open(self.file(zone), 'w') as f:
            f.write(text)
        key = self._run('ldns-keygen', '-k', '-a', 'ECDSAP256SHA256', zone).strip()
        self._run('ldns-signzone', '-e', '20371231235959', '-o', zone, self.file(zone), key)
        with open(os.path.join(self.folder, key + '.ds')) as f:
            return f.read(), key

    def _make_zones(self):
        delegations = arpa = ''
        for zone, text in self.zones().items():
            label = zone.split('.')[0]
            if zone.endswith('.arpa.'):     # from the root at once
                arpa += '%s IN NS ns.example.test.\n' % zone
                if zone not in self.unsigned:
                    arpa += self._sign(zone, text)[0]
                    continue
            elif label in self.delegations:
                delegations += self.delegations[label]
            else:
                delegations += '%s IN NS ns.%s\nns.%s IN A %s\n' % (label, zone, zone, LEAF)
            if zone in self.unsigned:
                with open(self.file(zone) + '.signed', 'w') as f:
                    f.write(text)
            else:
                delegations += self._sign(zone, text)[0]
        self.tamper()
        tld = soa('test.', 'ns.test.') + host('ns', TLD) + delegations
        ds, _ = self._sign('test.', tld)
        root = soa('.', 'ns.') + host('ns.', ROOT) + 'test. IN NS ns.test.\nns.test. IN A %s\n' % TLD + ds + arpa
        _, key = self._sign('.', root)
        shutil.copy(os.path.join(self.folder, key + '.key'), self.trust_anchor)

    def _tamper(self, zone, name, rtype, was, becomes):
        path = self.file(zone) + '.signed'
        with open(path) as f:
            lines = f.readlines()
        hits = [i for i, line in enumerate(lines)
                if line.startswith(name) and '\t%s\t' % rtype in line and was in line]
        assert len(hits) == 1, (name, rtype, hits)
        lines[hits[0]] = lines[hits[0]].replace(was, becomes)
        with open(path, 'w') as f:
            f.writelines(lines)

    def _signature(self, zone, name, mnemonic, rtype, rdata):
        """Where the signature of a record is: file, its lines, number of the line; and what is one of other RDATA there."""
        path = self.file(zone) + '.signed'
        with open(path) as f:
            lines = f.readlines()
        at, = [i for i, line in enumerate(lines) if line.startswith(name) and '\tRRSIG\t%s ' % mnemonic in line]
        algorithm, labels, ttl, expires, began, tag, signer = lines[at].split('RRSIG\t')[1].split()[1:8]
        with open(glob.glob(os.path.join(self.folder, 'K%s+*+%05d.private' % (zone, int(tag))))[0]) as f:
            secret = int.from_bytes(base64.b64decode(re.search('^PrivateKey: (.*)', f.read(), re.M)[1]), 'big')
        times = [calendar.timegm(time.strptime(t, '%Y%m%d%H%M%S')) for t in (expires, began)]
        fields = struct.pack('!HBBIIIH', rtype, int(algorithm), int(labels), int(ttl), *times, int(tag)) + dns.name_to_wire(signer)
        record = dns.name_to_wire(name) + struct.pack('!HHIH', rtype, 1, int(ttl), len(rdata)) + rdata
        r, s = decode_dss_signature(ec.derive_private_key(secret, ec.SECP256R1()).sign(fields + record, ec.ECDSA(hashes.SHA256())))
        return path, lines, at, r.to_bytes(32, 'big') + s.to_bytes(32, 'big')

    def _sign_by_hand(self, zone, name, mnemonic, rtype, rdata):
        """The signature of a record becomes that of another RDATA, of which no tool would make a zone."""
        path, lines, at, signature = self._signature(zone, name, mnemonic, rtype, rdata)
        lines[at] = lines[at].replace(lines[at].split()[12], base64.b64encode(signature).decode())
        with open(path, 'w') as f:
            f.writelines(lines)

    def rotate(self, zone, name, address):
        """From now on a name has this address, until the end of the test: secure as before."""
        path, lines, at, signature = self._signature(zone, name, 'A', 1, ip4(address))
        was, = [line.split()[4] for line in lines if line.startswith(name) and '\tA\t' in line]
        self.leaf.swaps = self.leaf.swaps + [(b'\0\4' + ip4(was), b'\0\4' + ip4(address)),
                                             (base64.b64decode(lines[at].split()[12]), signature)]

    def _nsd(self, address, zones):
        conf = os.path.join(self.folder, 'nsd-%s.conf' % address)
        with open(conf, 'w') as f:
            f.write('server:\n ip-address: %s@%d\n username: ""\n chroot: ""\n zonesdir: "%s"\n database: ""\n'
                    ' pidfile: ""\n xfrdfile: "%s/xfrd-%s"\n zonelistfile: "%s/zonelist-%s"\n logfile: "%s/nsd.log"\n'
                    ' server-count: 1\n minimal-responses: no\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n' %
                    (address, NSD_PORT, self.folder, self.folder, address, self.folder, address, self.folder))
            for zone in zones:
                f.write('zone:\n name: "%s"\n zonefile: "%s.signed"\n' % (zone, self.file(zone)))
        self.processes.append(subprocess.Popen([shutil.which('nsd') or '/usr/sbin/nsd', '-d', '-c', conf]))

    def _wait(self):
        for proxy, name in ((self.root, '.'), (self.tld, 'test'), (self.leaf, next(iter(self.zones())).rstrip('.'))):
            for _ in range(100):
                answer = dns.Pending((proxy.back[0], NSD_PORT), name, 6).answer(0.1)
                if answer and answer.rcode == 0 and answer.answer:
                    break
                time.sleep(0.05)
            else:
                raise RuntimeError('NSD does not serve %s: see nsd.log' % name)

    def forget(self):
        """A new test: no losses, no failures, counters at zero."""
        for proxy in (self.root, self.tld, self.leaf):
            proxy.asked, proxy.lost, proxy.failed, proxy.delay, proxy.has_subnets = [], set(), set(), 0, False
            proxy.portal, proxy.swaps = None, list(malformed_https().values())

    def upstream(self, rtype=None):
        """What was asked of the leaf servers, all of it or of one type."""
        return [w for w in self.leaf.asked if rtype is None or w[1] == rtype]

    def stop(self):
        for p in self.processes:
            p.terminate()
        for p in self.processes:
            p.wait()


class Resolver:
    """One run of the Unbound under test."""

    def __init__(self, paths, world, folder, socket_path, server='', deadline=1500, threads=1, modules='dynlib validator iterator',
                 conf=None, extra=''):
        """modules speaks of dynlib; where the module is built in its own name goes there. conf is all of oe.conf, which only the
        form for dynlib reads."""
        self.paths, self.folder = paths, folder
        self.log = os.path.join(folder, 'unbound.log')
        self.conf = os.path.join(folder, 'unbound.conf')
        self.oe_conf = os.path.join(folder, 'oe.conf')
        self.socket_path = socket_path
        if paths.module:
            extra += 'dynlib:\n dynlib-file: "%s"\n' % paths.module
            with open(self.oe_conf, 'w') as f:
                f.write('resolver-socket: "%s"\ndeadline: %d\n' % (socket_path, deadline) if conf is None else conf)
        else:
            modules = modules.replace('dynlib', 'ipsecoe')
            server += '\n ipsecoe-socket: "%s"\n ipsecoe-deadline: %d\n' % (socket_path, deadline)
        with open(self.conf, 'w') as f:
            f.write('''server:
 interface: %s@%d
 directory: "%s"
 logfile: "%s"
 use-syslog: no
 log-time-ascii: yes
 verbosity: 1
 num-threads: %d
 do-ip6: no
 do-not-query-localhost: no
 module-config: "%s"
 trust-anchor-file: "%s"
 trust-anchor-signaling: no
 root-hints: "%s"
 discard-timeout: 1900
 jostle-timeout: 5000
 qname-minimisation: yes
 ede: yes
 val-log-level: 2
 local-zone: "test." nodefault
%s
remote-control:
 control-enable: yes
 control-interface: "%s"
 control-use-cert: no
%s
''' % (RESOLVER[0], RESOLVER[1], folder, self.log, threads, modules, world.trust_anchor, self._hints(folder), server,
                os.path.join(folder, 'control'), extra))
        self.start()

    @staticmethod
    def _hints(folder):
        path = os.path.join(folder, 'root.hints')
        with open(path, 'w') as f:
            f.write('. 3600 IN NS ns.\nns. 3600 IN A %s\n' % ROOT)
        return path

    def environment(self):
        env = dict(os.environ, OE_CONF=self.oe_conf, UBSAN_OPTIONS='print_stacktrace=1')
        env['ASAN_OPTIONS'] = 'detect_leaks=1:exitcode=99:log_path=%s/asan' % self.folder
        # Unbound keeps its configuration in static memory until the end, see its own use of valgrind.
        env['LSAN_OPTIONS'] = 'report_objects=0'
        return env

    def start(self):
        self.process = subprocess.Popen([self.paths.unbound, '-d', '-c', self.conf], env=self.environment(),
                                        stderr=open(os.path.join(self.folder, 'stderr'), 'w'))
        for _ in range(200):
            if self.process.poll() is not None:
                raise RuntimeError('Unbound ended with %d: %s' % (self.process.returncode, self.log_text()))
            answer = dns.Pending(RESOLVER, 'version.server', dns.TXT, qclass=3).answer(0.1)
            if answer:
                return
            time.sleep(0.02)
        raise RuntimeError('Unbound does not answer')

    def ask(self, name, rtype=dns.A, **how):
        return dns.Pending(RESOLVER, name, rtype, **how)

    def answer(self, name, rtype=dns.A, **how):
        answer = self.ask(name, rtype, **how).answer()
        assert answer is not None, 'no answer for %s; log:\n%s' % (name, self.log_text())
        return answer

    def control(self, *command):
        return subprocess.run([self.paths.control, '-c', self.conf, *command], capture_output=True, text=True, timeout=20)

    def log_text(self):
        with open(self.log, errors='replace') as f:
            text = f.read()
        with open(os.path.join(self.folder, 'stderr'), errors='replace') as f:
            return text + f.read()

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """End it; what it left behind that it should not have, or ''."""
        if self.alive():
            self.process.terminate()
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return 'Unbound does not end'
        complaints = ''
        for name in os.listdir(self.folder):
            if name.startswith('asan'):
                with open(os.path.join(self.folder, name)) as f:
                    complaints += f.read()
        complaints += ''.join(line for line in self.log_text().splitlines(True)
                              if 'runtime error' in line and 'unbound-module' in line or 'error: internal error' in line)
        return complaints or ('Unbound ended with status %d' % status if status != 0 else '')
