"""Clients that break the rules, and datagrams from strangers: nobody else may notice."""
import os
import random
import signal
import socket
import struct
import time

import resolver as r
from resolver import Resolver
from world import CLIENT, CLIENT6, SERVER, check, check_equal, say, wait_for


def malformed_messages_close_only_their_connection(world):
    daemon, _ = world.pair()
    _, key = world.key()
    good = r.establish(1, 'www.example', [SERVER], [key])
    broken = {
        'empty TLVs': r.message(r.ESTABLISH, 1), 'a short header': b'\1\2\0', 'one byte': b'\1',
        'an unknown type': r.message(77, 1), 'a VERDICT': r.message(r.VERDICT, 1), 'a DOWN': r.message(r.DOWN, 0),
        'HELLO twice': r.hello(), 'another version': r.message(r.CANCEL, 1, version=9),
        'a cut TLV': good[:-1], 'an unknown TLV': good + r.tlv(99, b''), 'a TLV twice': good + r.tlv(r.TTL, b'\0' * 4),
        'a name too long': r.message(r.ESTABLISH, 1, r.tlv(r.OWNER, b'\x3f' * 300)),
        'an address of 5 bytes': good.replace(r.tlv(r.ADDRESS, socket.inet_aton(SERVER)), r.tlv(r.ADDRESS, b'\1' * 5)),
        'too long': good + b'\0' * 40000,
    }
    with Resolver(daemon.resolver) as bystander:
        for what, datagram in broken.items():
            with Resolver(daemon.resolver, timeout=2) as bad:
                bad.send(datagram)
                check(bad.is_closed(), f'{what}: the connection stays open')
        with Resolver(daemon.resolver, greet=False, timeout=2) as bad:
            bad.send(good)
            check(bad.is_closed(), 'no HELLO first: the connection stays open')
        with Resolver(daemon.resolver, greet=False, timeout=2) as bad:
            bad.send(r.hello(2, 9))
            check_equal(bad.receive().type, r.HELLO, 'to a HELLO of other versions')
            check(bad.is_closed(), 'versions 2 to 9: the connection stays open')
        with Resolver(daemon.resolver, timeout=2) as bad:
            bad.send(r.establish(5, 'dead.example', ['192.0.2.99'], [key], deadline=20000))
            bad.send(r.establish(5, 'dead.example', ['192.0.2.99'], [key], deadline=20000))
            check(bad.is_closed(), 'an id twice: the connection stays open')
        check_equal(bystander.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'the bystander\'s verdict')


def random_messages_close_or_are_answered(world):
    daemon, _ = world.pair()
    _, key = world.key()
    rng = random.Random(4025)
    good = r.establish(1, 'www.example', ['10.1.2.3'], [key])
    for _ in range(400):
        with Resolver(daemon.resolver) as bad:
            datagram = bytearray(good)
            for _ in range(rng.randint(1, 6)):
                datagram[rng.randrange(len(datagram))] = rng.getrandbits(8)
            try:
                for _ in range(3):
                    bad.send(bytes(datagram[:rng.randint(1, len(datagram))]))
            except OSError:
                pass    # closed already
    with Resolver(daemon.resolver) as after:
        check_equal(after.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'afterwards')


def a_client_that_does_not_read_is_closed(world):
    daemon = world.client(['log-level: info']).start()
    _, key = world.key()
    with Resolver(daemon.resolver, timeout=10) as deaf, Resolver(daemon.resolver) as bystander:
        try:
            for i in range(1, 60000):
                deaf.send(r.establish(i, 'www.example', ['10.1.2.3'], [key]))
        except (BrokenPipeError, ConnectionResetError):
            pass
        wait_for('it is closed', 5, lambda: daemon.says('does not read its answers'))
        check_equal(bystander.request('www.example', ['10.1.2.3'], [key]).reason, r.ADDRESS_NOT_ALLOWED, 'bystander')


def a_client_that_goes_takes_nothing_along(world):
    daemon, _ = world.pair()
    _, key = world.key()
    for i in range(20):
        with Resolver(daemon.resolver) as leaver:
            leaver.ask(f'dead{i}.example', ['192.0.2.99'], [key])
            leaver.ask('www.example', [SERVER], [key])
    wait_for('the tunnel it asked for', 3, lambda: any(t['state'] == 'protected' for t in daemon.tunnels()))
    with Resolver(daemon.resolver) as stayer:
        check_equal(stayer.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'verdict')


def a_cancelled_request_has_no_verdict(world):
    daemon = world.client().start()
    _, key = world.key()
    with Resolver(daemon.resolver, timeout=1.0) as resolver:
        ident = resolver.ask('dead.example', ['192.0.2.99'], [key], deadline=300)
        resolver.send(r.message(r.CANCEL, ident))
        resolver.send(r.message(r.CANCEL, 4711))
        try:
            check(False, f'got {resolver.verdict()}')
        except TimeoutError:
            pass


def too_many_connections_are_refused(world):
    daemon = world.client().start()
    all_of_them = [Resolver(daemon.resolver) for _ in range(64)]
    check(Resolver(daemon.resolver, greet=False).is_closed(), 'the 65th connection stays')
    for one in all_of_them:
        one.close()
    wait_for('their end', 2, lambda: daemon.stat('resolver.connections') == 0)
    Resolver(daemon.resolver).close()
    streams = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(17)]
    for stream in streams:
        stream.connect(daemon.control)
    streams[16].settimeout(2)
    check_equal(streams[16].recv(10), b'', 'the 17th person')
    for stream in streams:
        stream.close()
    wait_for('their end', 2, lambda: daemon.oe('version').returncode == 0)


def clients_that_go_while_none_is_read_take_no_place(world):
    """The keeper reads no resolver while the network process has no room, and so does not see that one has gone."""
    daemon = world.client().start()
    _, key = world.key()
    _, network = daemon.processes()
    os.kill(network, signal.SIGSTOP)
    try:
        with Resolver(daemon.resolver, timeout=1) as busy:
            try:
                for _ in range(100000):
                    busy.ask('www.example', ['10.1.2.3'], [key])
                check(False, 'there is always room')
            except TimeoutError:
                pass
            goers = [Resolver(daemon.resolver, greet=False) for _ in range(65)]
            time.sleep(0.1)
            for goer in goers:
                goer.close()
    finally:
        os.kill(network, signal.SIGCONT)
    wait_for('a look at all of them', 5, lambda: daemon.says('resolver connection 66'))
    with Resolver(daemon.resolver) as after:
        check_equal(after.request('www.example', ['10.1.2.3'], [key]).reason, r.ADDRESS_NOT_ALLOWED, 'afterwards')
    check(not daemon.says('connection refused'), 'a connection was refused')


def a_slow_reader_of_a_long_answer_costs_nobody(world):
    daemon = world.client().start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
        slow.connect(daemon.control)
        slow.setblocking(False)
        sent = 0
        try:
            while sent < 2000000:
                sent += slow.send(b'{"command":"stats"}\n' * 100)
        except BlockingIOError:
            pass
        check_equal(say(daemon.control, b'{"command":"version"}')[0]['result'], 'ok', 'another person')
        check(daemon.memory_kb() < (200000 if world.is_sanitized() else 9000), f'{daemon.memory_kb()} kB')


def datagrams_of_strangers_change_nothing(world):
    daemon, _ = world.pair()
    _, key = world.key()
    rng = random.Random(7296)
    header = struct.pack('>8s8sBBBBII', b'\1' * 8, b'\0' * 8, 33, 0x20, 34, 0x08, 0, 28)
    for family, address in ((socket.AF_INET, CLIENT), (socket.AF_INET6, CLIENT6)):
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            for i in range(300):
                datagram = b'' if i == 0 else header if i == 1 else header + r.random_bytes(rng, rng.randrange(1, 1400))
                udp.sendto(datagram, (address, 500))
                udp.sendto(b'\0\0\0\0' + datagram, (address, 4500))
                if i % 50 == 0:
                    time.sleep(0.01)
            udp.sendto(b'\xff', (address, 4500))
            udp.sendto(b'\x12\x34\x56\x78' + b'esp' * 20, (address, 4500))
            udp.sendto(b'\0\0', (address, 4500))
    wait_for('the counters', 2, lambda: daemon.stat('net.not_ike') == 4)
    check_equal(daemon.stat('net.keepalives'), 2, 'keepalives')
    check(daemon.stat('ike.dropped_syntax') > 100, 'dropped_syntax')
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'afterwards')


CASES = [
    malformed_messages_close_only_their_connection, random_messages_close_or_are_answered,
    a_client_that_does_not_read_is_closed, a_client_that_goes_takes_nothing_along, a_cancelled_request_has_no_verdict,
    too_many_connections_are_refused, clients_that_go_while_none_is_read_take_no_place, a_slow_reader_of_a_long_answer_costs_nobody,
    datagrams_of_strangers_change_nothing,
]
