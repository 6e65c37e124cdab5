"""IKEv2 as an adversary needs it: everything can be said, nothing is checked that the other side should check.

Written from RFC 7296, 7383, 7427 and 7619 alone, with Debian's python3-cryptography, so that it shares no mistake with
ike-helper. One suite: AES-GCM-256, HMAC-SHA2-256, and the key exchange that a test asks for. A message is a list of
payloads P(type, body), which a test edits as it likes before it is packed.
"""
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass, field, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SA_INIT, AUTH, CREATE_CHILD, INFORMATIONAL = 34, 35, 36, 37
SA, KE, IDI, IDR, AUTH_PL, NONCE, NOTIFY, DELETE, VENDOR, TSI, TSR, SK, CP, EAP, SKF = (
    33, 34, 35, 36, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 53)
INITIATOR, RESPONSE = 0x08, 0x20
ENCR, PRF, INTEG, GROUP, ESN = 1, 2, 3, 4, 5
AES_CBC, AES_GCM, CHACHA = 12, 20, 28
MODP_2048, P256, P384, X25519 = 14, 19, 20, 31
PROTO_IKE, PROTO_AH, PROTO_ESP = 1, 2, 3
ID_FQDN, ID_KEY, ID_NULL = 2, 11, 13
AUTH_RSA, AUTH_PSK, AUTH_NULL, AUTH_SIGNATURE = 1, 2, 13, 14
INVALID_IKE_SPI, INVALID_SPI, NO_PROPOSAL, INVALID_KE, AUTH_FAILED, FAILED_CP_REQUIRED = 4, 11, 14, 17, 24, 37
INITIAL_CONTACT, NAT_SOURCE, NAT_DESTINATION, COOKIE, TRANSPORT, CHILDLESS, QCD_TOKEN, FRAGMENTATION, HASHES = (
    16384, 16388, 16389, 16390, 16391, 16418, 16419, 16430, 16431)
ERRORS = (1, 4, 5, 7, 9, 11, 14, 17, 24, 34, 35, 36, 37, 38, 39, 43, 44)
HEADER = 28
ED25519_ALGORITHM = bytes.fromhex('300506032b6570')
RSA_SHA256_ALGORITHM = bytes.fromhex('300d06092a864886f70d01010b0500')
RSA_SHA1_ALGORITHM = bytes.fromhex('300d06092a864886f70d0101050500')


# Payloads --------------------------------------------------------------------------------------------------------

@dataclass
class P:
    """One payload; length: what its header says instead of the truth."""
    type: int
    body: bytes = b''
    critical: bool = False
    length: int = None


def chain(payloads):
    """(type of the first, bytes)."""
    out = b''
    for one, following in zip(payloads, [*payloads[1:], P(0)]):
        length = 4 + len(one.body) if one.length is None else one.length
        out += struct.pack('>BBH', following.type, 0x80 if one.critical else 0, length) + one.body
    return (payloads[0].type if payloads else 0), out


def unchain(first, data):
    payloads = []
    while first:
        following, critical, length = struct.unpack_from('>BBH', data)
        payloads.append(P(first, data[4:length], bool(critical & 0x80)))
        if first in (SK, SKF):
            break
        first, data = following, data[length:]
    return payloads


def find(payloads, kind):
    return next((p.body for p in payloads if p.type == kind), None)


def without(payloads, kind):
    return [p for p in payloads if p.type != kind]


def put(payloads, kind, *bodies):
    """The payload of this type, with this body instead; or several of it."""
    out = []
    for p in payloads:
        out += [replace(p, body=body) for body in bodies] if p.type == kind else [p]
    return out


def notify(kind, value=b'', protocol=0, spi=b''):
    return P(NOTIFY, struct.pack('>BBH', protocol, len(spi), kind) + spi + value)


def notifies(payloads):
    return {struct.unpack_from('>H', p.body, 2)[0]: p.body[4 + p.body[1]:] for p in payloads if p.type == NOTIFY}


def transform(kind, ident, bits=0):
    attribute = struct.pack('>HH', 0x800e, bits) if bits else b''
    return struct.pack('>BBH', kind, 0, ident) + attribute


def proposal(transforms, protocol=PROTO_IKE, spi=b'', number=1, last=True):
    body = b''.join(struct.pack('>BBH', 0 if t is transforms[-1] else 3, 0, 4 + len(t)) + t for t in transforms)
    return (struct.pack('>BBHBBBB', 0 if last else 2, 0, 8 + len(spi) + len(body), number, protocol, len(spi), len(transforms)) +
            spi + body)


def ike_transforms(group):
    return [transform(ENCR, AES_GCM, 256), transform(PRF, 5), transform(GROUP, group)]


def esp_transforms():
    return [transform(ENCR, AES_GCM, 256), transform(ESN, 1)]


def selector(first, last=None, ports=(0, 65535), protocol=0):
    last = last or first
    kind = 7 if len(first) == 4 else 8
    return struct.pack('>BBHHH', kind, protocol, 8 + 2 * len(first), *ports) + first + last


def selectors(*many):
    return struct.pack('>BBH', len(many), 0, 0) + b''.join(many)


def identity(kind, value=b''):
    return struct.pack('>BBH', kind, 0, 0) + value


def ke(group, value):
    return struct.pack('>HH', group, 0) + value


def delete(protocol, *spis):
    return P(DELETE, struct.pack('>BBH', protocol, len(spis[0]) if spis else 0, len(spis)) + b''.join(spis))


# Messages --------------------------------------------------------------------------------------------------------

@dataclass
class Header:
    spi_i: bytes
    spi_r: bytes
    exchange: int
    flags: int
    ident: int
    first: int = 0
    version: int = 0x20
    length: int = None

    def pack(self, n):
        return self.spi_i + self.spi_r + struct.pack('>BBBBII', self.first, self.version, self.exchange, self.flags, self.ident,
                                                     n if self.length is None else self.length)

    @staticmethod
    def read(datagram):
        first, version, exchange, flags, ident, length = struct.unpack_from('>BBBBII', datagram, 16)
        return Header(datagram[:8], datagram[8:16], exchange, flags, ident, first, version, length)

    @property
    def is_response(self):
        return bool(self.flags & RESPONSE)


def pack(header, payloads):
    """An unprotected message."""
    first, body = chain(payloads)
    return replace(header, first=first).pack(HEADER + len(body)) + body


def unpack(datagram):
    header = Header.read(datagram)
    return header, unchain(header.first, datagram[HEADER:])


# Cryptography ----------------------------------------------------------------------------------------------------

def pi_bits(n):
    """The integer part of 2^n * pi, by Machin's formula."""
    def arctan_of_inverse(x):
        one = 1 << n + 64
        total = term = one // x
        k, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // k)
            k, sign = k + 2, -sign
        return total
    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 64


def prf(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def prf_plus(key, seed, n):
    out = block = b''
    while len(out) < n:
        block = prf(key, block + seed + bytes([len(out) // 32 + 1]))
        out += block
    return out[:n]


class Exchange:
    """A key pair of one group."""

    def __init__(self, group=X25519):
        self.group = group
        if group == X25519:
            self.key = x25519.X25519PrivateKey.generate()
            self.public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        else:
            self.key = ec.generate_private_key({P256: ec.SECP256R1, P384: ec.SECP384R1}[group]())
            self.public = self.key.public_key().public_bytes(serialization.Encoding.X962,
                                                             serialization.PublicFormat.UncompressedPoint)[1:]

    def agree(self, value):
        if self.group == X25519:
            return self.key.exchange(x25519.X25519PublicKey.from_public_bytes(value))
        return self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self.key.curve, b'\4' + value))


class Signer:
    """A private key, and the AUTH values that can be made with it."""

    def __init__(self, pem):
        with open(pem, 'rb') as file:
            self.key = serialization.load_pem_private_key(file.read(), None)

    def sign(self, octets):
        """(method, value)."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return AUTH_SIGNATURE, bytes([len(ED25519_ALGORITHM)]) + ED25519_ALGORITHM + self.key.sign(octets)
        value = self.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        return AUTH_SIGNATURE, bytes([len(RSA_SHA256_ALGORITHM)]) + RSA_SHA256_ALGORITHM + value

    def sign_sha1(self, octets):
        value = self.key.sign(octets, padding.PKCS1v15(), hashes.SHA1())
        return AUTH_SIGNATURE, bytes([len(RSA_SHA1_ALGORITHM)]) + RSA_SHA1_ALGORITHM + value

    def sign_rsa_method(self, octets):
        """The method of RFC 7296 2.15, which is SHA-1 too."""
        return AUTH_RSA, self.key.sign(octets, padding.PKCS1v15(), hashes.SHA1())


# A peer ----------------------------------------------------------------------------------------------------------

@dataclass
class Peer:
    """One end of an IKE SA: both roles."""
    initiator: bool
    group: int = X25519
    spi_i: bytes = b''
    spi_r: bytes = b'\0' * 8
    nonce: bytes = field(default_factory=lambda: os.urandom(32))
    nonce_other: bytes = b''
    init_own: bytes = b''           # our IKE_SA_INIT message as it was sent
    init_other: bytes = b''         # and theirs
    keys: dict = None
    iv: int = 0

    def __post_init__(self):
        self.exchange = Exchange(self.group)
        if self.initiator:
            self.spi_i = os.urandom(8)
        else:
            self.spi_r = os.urandom(8)

    def header(self, exchange, ident, response=False, **other):
        flags = (INITIATOR if self.initiator else 0) | (RESPONSE if response else 0)
        return Header(self.spi_i, self.spi_r, exchange, flags, ident, **other)

    def init_payloads(self):
        return [P(SA, proposal(ike_transforms(self.group))), P(KE, ke(self.group, self.exchange.public)), P(NONCE, self.nonce),
                notify(FRAGMENTATION), notify(HASHES, bytes([0, 2, 0, 3, 0, 4, 0, 5]))]

    def send_init(self, payloads):
        """The message, which counts as the one that we signed."""
        self.init_own = pack(self.header(SA_INIT, 0, response=not self.initiator), payloads)
        return self.init_own

    def take_init(self, datagram):
        """Their IKE_SA_INIT message: keys, unless the key exchange is impossible."""
        header, payloads = unpack(datagram)
        self.init_other = datagram
        if self.initiator:
            self.spi_r = header.spi_r
        else:
            self.spi_i = header.spi_i
        self.nonce_other = find(payloads, NONCE)
        value = find(payloads, KE)
        if struct.unpack_from('>H', value)[0] == self.group:
            self.derive(self.exchange.agree(value[4:]))
        return payloads

    def derive(self, shared):
        ni, nr = (self.nonce, self.nonce_other) if self.initiator else (self.nonce_other, self.nonce)
        stream = prf_plus(prf(ni + nr, shared), ni + nr + self.spi_i + self.spi_r, 32 + 2 * 36 + 2 * 32)
        self.keys = {'d': stream[:32], 'ei': stream[32:68], 'er': stream[68:104], 'pi': stream[104:136], 'pr': stream[136:168]}

    @property
    def key_p(self):
        return self.keys['pi' if self.initiator else 'pr']

    def octets(self, ident):
        """What our AUTH covers (RFC 7296 2.15), with this ID body."""
        return self.init_own + self.nonce_other + prf(self.key_p, ident)

    def auth_null(self, octets):
        """RFC 7619 2.1: as with a shared secret (RFC 7296 2.15), which is SK_p."""
        return struct.pack('>BBH', AUTH_NULL, 0, 0) + prf(prf(self.key_p, b'Key Pad for IKEv2'), octets)

    def seal_bytes(self, header, first, inner, fragment=b'', outer=()):
        """inner, sealed into SK, or into SKF when fragment is its number and total; behind the payloads outer."""
        secret = self.keys['ei' if self.initiator else 'er']
        self.iv += 1
        iv = struct.pack('>Q', self.iv)
        kind = SKF if fragment else SK
        before_first, before = chain([*outer, P(kind)])
        before = before[:-4]
        generic = struct.pack('>BBH', first, 0, 4 + len(fragment) + 8 + len(inner) + 1 + 16) + fragment
        head = replace(header, first=before_first).pack(HEADER + len(before) + len(generic) + 8 + len(inner) + 1 + 16)
        aad = head + before + generic
        return aad + iv + AESGCM(secret[:32]).encrypt(secret[32:] + iv, inner + b'\0', aad)

    def seal(self, header, payloads, **more):
        first, inner = chain(payloads)
        return self.seal_bytes(header, first, inner, **more)

    def seal_fragments(self, header, payloads, size=100):
        first, inner = chain(payloads)
        pieces = [inner[i:i + size] for i in range(0, len(inner), size)]
        return [self.seal_bytes(header, first if i == 0 else 0, piece, struct.pack('>HH', i + 1, len(pieces)))
                for i, piece in enumerate(pieces)]

    def open(self, datagram):
        """(header, payloads) of a protected message of theirs; None when it is not intact or a fragment."""
        header, outer = unpack(datagram)
        if not outer or outer[-1].type != SK or not self.keys:
            return None
        secret = self.keys['er' if self.initiator else 'ei']
        body = outer[-1].body
        aad = datagram[:len(datagram) - len(body)]
        try:
            plain = AESGCM(secret[:32]).decrypt(secret[32:] + body[:8], body[8:], aad)
        except InvalidTag:
            return None
        return header, unchain(aad[-4], plain[:-1 - plain[-1]])
