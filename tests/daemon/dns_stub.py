"""dns_stub.py ADDRESS RECORDS LOG: a resolver whose answers the test writes, over UDP and TCP, port 53.

RECORDS is JSON, read for each question: {NAME: {"rdata": [HEX...], "ad": bool, "rcode": N, "after": SECONDS, "silent": bool, "cut": bool}};
a name that is not there does not exist; what is cut comes whole over TCP alone. Each question goes into LOG.
"""
import json
import socket
import struct
import sys
import threading

address, records_file, log_file = sys.argv[1:]


def answer(question, name_end, entry, cut):
    flags = 0x8180 | (0x20 if entry.get('ad', True) else 0) | entry.get('rcode', 0)
    rdatas = [bytes.fromhex(r) for r in entry.get('rdata', [])]
    if cut:
        flags, rdatas = flags | 0x200, []
    out = question[:2] + struct.pack('>HHHHH', flags, 1, len(rdatas), 0, 1) + question[12:name_end + 4]
    for rdata in rdatas:
        out += b'\xc0\x0c' + struct.pack('>HHIH', 45, 1, 3600, len(rdata)) + rdata
    return out + b'\0' + struct.pack('>HHIH', 41, 1232, 0, 0)


def read(question, way):
    """The entry of its name, and the answer."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]].decode())
        at += 1 + question[at]
    name = '.'.join(labels)
    wants_ad = bool(question[3] & 0x20)
    with open(log_file, 'a', encoding='ascii') as log:
        log.write(f'{name} {struct.unpack(">H", question[at + 1:at + 3])[0]} {"ad" if wants_ad else "-"}{way}\n')
    with open(records_file, encoding='ascii') as file:
        entry = json.load(file).get(name, {'rcode': 3})
    return entry, answer(question, at + 1, entry, entry.get('cut') and not way)


def serve_tcp(listener):
    while True:
        peer, _ = listener.accept()
        with peer, peer.makefile('rb') as stream:
            while length := stream.read(2):
                _, reply = read(stream.read(struct.unpack('>H', length)[0]), ' tcp')
                peer.sendall(struct.pack('>H', len(reply)) + reply)


def serve():
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock, socket.create_server((address, 53), family=family) as listener:
        threading.Thread(target=serve_tcp, args=(listener,), daemon=True).start()
        sock.bind((address, 53))
        while True:
            question, peer = sock.recvfrom(4096)
            entry, reply = read(question, '')
            if not entry.get('silent'):
                threading.Timer(entry.get('after', 0), sock.sendto, (reply, peer)).start()


serve()
