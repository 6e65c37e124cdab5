"""Tunnels from a request to their end, with a second oe-iked as the host."""
import re
import signal
import time

import resolver as r
from resolver import Resolver
from world import CLIENT, NOBODY, SERVER, SERVER6, check, check_equal, many, wait_for

DRAIN_S = 2.0


def a_name_is_protected_shown_and_released(world):
    daemon, server = world.pair(kind='rsa')
    _, key = world.key('rsa')
    with Resolver(daemon.resolver) as resolver, Resolver(daemon.resolver) as other:
        began = time.monotonic()
        verdict = resolver.request('www.example', [SERVER], [key], ttl=120)
        took_ms = (time.monotonic() - began) * 1000
        check_equal((verdict.kind, verdict.reason, verdict.results), (r.ALLOW, 0, [0]), f'{verdict}')
        check(0 < verdict.ttl <= 120, f'ttl {verdict.ttl}')

        table = daemon.oe('status').stdout.splitlines()
        check_equal(len(table), 2, f'lines of oe status: {table}')
        check(re.fullmatch(r'www\.example +192\.0\.2\.2 +192\.0\.2\.1 +protected +RSA-3072/\d+ +[0-9a-f]{8}/[0-9a-f]{8} +\S+ '
                           r'+transport +\ds +0 +0 +\ds', table[1]), table[1])
        [tunnel] = daemon.tunnels()
        [mirror] = server.tunnels()
        check_equal((tunnel['spi_in'], tunnel['spi_out']), (mirror['spi_out'], mirror['spi_in']), 'SPIs of both ends')
        check_equal((tunnel['mode'], tunnel['inner'], mirror['mode']), ('transport', None, 'transport'), 'modes')
        check_equal((mirror['name'], mirror['address'], mirror['initiator']), (None, CLIENT, False), 'the host\'s side')
        check_equal(len(daemon.tunnels('www.example')), 1, 'by name')
        check_equal(len(daemon.tunnels('WWW.example.')), 1, 'by name in capitals')
        check_equal(len(daemon.tunnels(SERVER)), 1, 'by address')
        check_equal(len(daemon.tunnels('other.example')), 0, 'by another name')

        got = daemon.oe('down', 'www.example')
        check_equal((got.returncode, got.stdout), (0, '1 tunnel released\n'), 'oe down')
        for one in (resolver, other):
            down = one.down()
            check_equal((down.owner, down.reason), ('www.example', r.DOWN_BY_OPERATOR), 'DOWN')
        wait_for('the release', DRAIN_S + 1, lambda: not daemon.tunnels())
        wait_for('the release at the host', 12, lambda: all(t['state'] != 'protected' for t in server.tunnels()))
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'the next lookup')
    return f'{took_ms:.1f} ms'


def every_kind_of_key_and_ipv6(world):
    daemon = world.client().start()
    for kind, text in (('rsa', 'RSA-3072'), ('p256', 'ECDSA-P256'), ('p384', 'ECDSA-P384'), ('ed25519', 'Ed25519')):
        server = world.server(kind=kind).start()
        _, key = world.key(kind)
        with Resolver(daemon.resolver) as resolver:
            verdict = resolver.request(f'{kind}.example', [SERVER6], [key])
            check_equal(verdict.kind, r.ALLOW, f'{kind}: {verdict}')
            [tunnel] = daemon.tunnels(SERVER6)
            check_equal((tunnel['key'], tunnel['address']), (text, SERVER6), kind)
            check_equal(daemon.oe('down', SERVER6).returncode, 0, 'oe down')
            wait_for('the release', DRAIN_S + 1, lambda: not daemon.tunnels())
        server.stop()


def cookies_and_small_fragments(world):
    daemon = world.client(['fragment-size: 576']).start()
    world.server(kind='rsa', lines=['always-cookie: yes', 'fragment-size: 576']).start()
    _, key = world.key('rsa')
    with Resolver(daemon.resolver) as resolver:
        for address in (SERVER, SERVER6):
            check_equal(resolver.request('www.example', [address], [key]).kind, r.ALLOW, address)
    check(daemon.stat('ike.fragments_received') > 0, 'no fragment was received')


def post_quantum_where_both_can(world):
    """What libcrypto can decides whether there is ML-KEM; each tunnel comes up all the same."""
    client = world.client().start()
    there = client.oe('version').stdout.splitlines()[-1]
    check(re.fullmatch(r'post-quantum key exchange: (ML-KEM-768|none \(libcrypto \S+ has no ML-KEM-768\))', there), there)
    can = there.endswith(': ML-KEM-768')
    _, key = world.key()
    for word, wanted in (('yes', can), ('no', False)):
        server = world.server(lines=[f'post-quantum: {word}']).start()
        check_equal('none (post-quantum: no)' in server.oe('version').stdout, word == 'no', 'oe version')
        with Resolver(client.resolver) as resolver:
            check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, word)
            check_equal([t['post_quantum'] for t in client.tunnels() + server.tunnels()], [wanted] * 2, word)
            check_equal(client.oe('down', SERVER).returncode, 0, 'oe down')
            wait_for('the release', DRAIN_S + 1, lambda: not client.tunnels())
        server.stop()
    return there.partition(': ')[2]


def other_ports_and_a_chosen_address(world):
    daemon = world.client([f'listen: {CLIENT}', 'ike-port: 5500', 'natt-port: 5501', 'peer-port: 6500']).start()
    world.server(lines=[f'listen: {SERVER}', 'ike-port: 6500', 'natt-port: 6501']).start()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        verdict = resolver.request('www.example', [SERVER], [key])
        check_equal(verdict.kind, r.ALLOW, f'{verdict}')
        verdict = resolver.request('six.example', [SERVER6], [key])
        check_equal((verdict.kind, verdict.results), (r.REFUSE, [r.NO_ROUTE]), f'IPv6 without an address in listen: {verdict}')


def a_wrong_key_is_refused_and_leaves_nothing(world):
    daemon, server = world.pair()
    _, wrong = world.key('ed25519', 1)
    with Resolver(daemon.resolver) as resolver:
        verdict = resolver.request('www.example', [SERVER], [wrong])
        check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.AUTH_FAILED), f'{verdict}')
        check_equal(daemon.tunnels(), [], 'tunnels')
        verdict = resolver.request('www.example', [SERVER], [wrong])
        check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.AUTH_FAILED), f'{verdict}')
        check_equal(daemon.stat('ike.initiated'), 1, 'attempts with the wrong key')
        _, key = world.key()
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'with the right key')
        check_equal(resolver.request('new.example', [SERVER], [wrong, key]).kind, r.ALLOW, 'during a rollover')
    wait_for('one tunnel at the host', 12, lambda: len(server.tunnels()) == 1)


def an_icmp_error_is_the_reason(world):
    """Nobody listens at the host, and its kernel says so: to us when we read, or when we send again."""
    daemon = world.client().start()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        for address in (SERVER, SERVER6, many(1)):
            verdict = resolver.request('www.example', [address], [key], deadline=1400)
            check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.UNREACHABLE), f'{verdict}')
        began = daemon.processor_s()
        time.sleep(1)
        check(daemon.processor_s() - began < 0.3, 'errors are read, and wake nobody for ever')


def a_dead_host_is_refused_in_time(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        began = time.monotonic()
        dead = resolver.ask('dead.example', [NOBODY], [key], deadline=1000)
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'the living one')
        check(time.monotonic() - began < 0.5, 'the living one waited for the dead one')
        verdict = resolver.verdict(dead)
        took = time.monotonic() - began
        check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.TIMEOUT), f'{verdict}')
        check(0.5 < took <= 1.0, f'after {took:.3f} s of 1 s')
        both = resolver.request('both.example', [NOBODY, SERVER], [key], deadline=1000)
        check_equal((both.kind, both.results[1]), (r.ALLOW, 0), f'{both}')
        check(both.results[0] != 0, f'{both}')


def a_host_that_comes_late_is_ready_for_the_second_try(world):
    daemon = world.client().start()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        verdict = resolver.request('late.example', [SERVER], [key], deadline=400)
        check_equal(verdict.kind, r.REFUSE, f'{verdict}')
        world.server().start()
        wait_for('the attempt that went on', 8, lambda: any(t['state'] == 'protected' for t in daemon.tunnels()))
        check_equal(resolver.request('late.example', [SERVER], [key]).kind, r.ALLOW, 'the second try')


def some_addresses_are_never_tried(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        for address, reason in (('10.0.0.1', r.ADDRESS_NOT_ALLOWED), ('fe80::1', r.ADDRESS_NOT_ALLOWED),
                                ('224.0.0.1', r.ADDRESS_NOT_ALLOWED), ('ff02::1', r.ADDRESS_NOT_ALLOWED),
                                ('fd00::1', r.ADDRESS_NOT_ALLOWED),
                                ('192.0.2.255', r.NO_ROUTE), ('203.0.113.1', r.NO_ROUTE)):
            verdict = resolver.request('www.example', [address], [key])
            check_equal((verdict.kind, verdict.results), (r.REFUSE, [reason]), f'{address}: {verdict}')
        for address in ('127.0.0.1', '0.0.0.0', '::1', CLIENT):    # never leaves this host
            verdict = resolver.request('self.example', [address], [key])
            check_equal((verdict.kind, verdict.results), (r.ALLOW, [0]), f'{address}: {verdict}')
            check(verdict.ttl <= 60, f'{address}: {verdict}')
        check_equal(daemon.tunnels(), [], 'tunnels')
        for record in (b'', b'\0\0\2', key[:3] + b'short', b'\x0a\0\1' + key[3:]):
            verdict = resolver.request('www.example', [SERVER], [record])
            check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.NO_USABLE_KEY), f'{record!r}: {verdict}')


def another_key_for_a_protected_address_is_refused(world):
    daemon, _ = world.pair()
    _, key = world.key()
    _, evil = world.key('ed25519', 1)
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'the first name')
        [before] = daemon.tunnels()
        verdict = resolver.request('evil.example', [SERVER], [evil])
        check_equal((verdict.kind, verdict.reason), (r.REFUSE, r.KEY_CONFLICT), f'{verdict}')
        check_equal(resolver.request('mail.example', [SERVER], [key]).kind, r.ALLOW, 'a second name with the same key')
        [after] = daemon.tunnels()
        check_equal((after['spi_in'], after['name'], after['names']), (before['spi_in'], 'www.example', 2), 'the tunnel')
        check('www.example(+1)' in daemon.oe('status').stdout, 'oe status does not count the second name')


def many_at_once_and_their_memory(world):
    daemon, server = world.pair(lines=['anonymous-per-source: 4000', 'half-open-per-source: 256'])
    _, key = world.key()
    with Resolver(daemon.resolver, timeout=20) as resolver:
        check_equal(resolver.request('warm.example', [SERVER], [key]).kind, r.ALLOW, 'warming up')
        base_kb = daemon.memory_kb()
        began = time.monotonic()
        for i in range(200):
            resolver.ask(f'n{i}.example', [many(i)], [key], deadline=10000)
        verdicts = [resolver.verdict() for _ in range(200)]
        took = time.monotonic() - began
        check_equal([v for v in verdicts if v.kind != r.ALLOW], [], 'refused')
        check_equal(len(daemon.tunnels()), 201, 'tunnels')
        check_equal(len({(t['spi_in'], t['spi_out']) for t in daemon.tunnels()}), 201, 'distinct SPIs')
        for i in range(200, 1000):
            resolver.ask(f'n{i}.example', [many(i)], [key], deadline=10000)
        check_equal([v for v in (resolver.verdict() for _ in range(800)) if v.kind != r.ALLOW], [], 'refused')
        crowd_kb = daemon.memory_kb()
        # Room for handshakes at once is there now, and is used again: what more there is is the tunnels' own.
        for start in range(1000, 2000, 50):
            for i in range(start, start + 50):
                resolver.ask(f'n{i}.example', [many(i)], [key], deadline=10000)
            check_equal([v for v in (resolver.verdict() for _ in range(50)) if v.kind != r.ALLOW], [], 'refused')
        full_kb = daemon.memory_kb()
        each = (full_kb - crowd_kb) / 1000
        for i in range(2000):
            check_equal(daemon.oe('down', many(i)).returncode, 0, f'oe down {many(i)}')
            resolver.down()
        wait_for('the release', DRAIN_S + 10, lambda: len(daemon.tunnels()) == 1, every=0.2)
        time.sleep(4)
        end_kb = daemon.memory_kb()
    if not world.is_sanitized():
        check(took < 3, f'200 tunnels took {took:.2f} s')
        check(each <= 4, f'{each:.2f} kB a tunnel')
        check(end_kb - base_kb < (full_kb - base_kb) / 3, f'{base_kb} kB, {full_kb} kB with 2000 tunnels, {end_kb} kB after')
    return (f'200 in {took:.2f} s; {base_kb} kB, {crowd_kb} kB with 1000 more, {full_kb} kB with 2000 more ({each:.2f} kB each), '
            f'{end_kb} kB afterwards')


def one_name_asked_by_many_is_one_exchange(world):
    daemon, server = world.pair()
    _, key = world.key()
    resolvers = [Resolver(daemon.resolver) for _ in range(8)]
    for one in resolvers:
        for _ in range(25):
            one.ask('www.example', [SERVER], [key])
    for one in resolvers:
        for _ in range(25):
            check_equal(one.verdict().kind, r.ALLOW, 'verdict')
        one.close()
    check_equal((daemon.stat('ike.initiated'), server.stat('ike.accepted')), (1, 1), 'exchanges')


def a_host_that_was_killed_comes_back(world):
    daemon, server = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'before')
        server.kill()
        world.daemons.remove(server)
        check_equal([t['state'] for t in daemon.tunnels()], ['protected'], 'our side')
        server.start()
        check_equal(daemon.oe('down', 'www.example').returncode, 0, 'oe down')
        wait_for('the release', DRAIN_S + 1, lambda: not daemon.tunnels())
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'after')


def a_client_that_was_killed_comes_back(world):
    daemon, server = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'before')
        daemon.kill()
        world.daemons.remove(daemon)
        check(resolver.is_closed(), 'the resolver\'s connection')
    daemon.start()
    with Resolver(daemon.resolver) as resolver:
        verdict = resolver.request('www.example', [SERVER], [key])
        check_equal(verdict.kind, r.ALLOW, f'after: {verdict}')
    [ours] = daemon.tunnels()
    wait_for('the host to forget the old one', 3, lambda: len(server.tunnels()) == 1)
    check_equal(server.tunnels()[0]['spi_in'], ours['spi_out'], 'SPI at the host')


def a_stop_with_tunnels_tells_everybody(world):
    daemon, server = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        for i in range(20):
            check_equal(resolver.request(f'n{i}.example', [many(i)], [key]).kind, r.ALLOW, f'n{i}')
        check_equal(server.stat('ike.sas_established'), 20, 'at the host')
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        check_equal(sorted(resolver.down().owner for _ in range(20)), sorted(f'n{i}.example' for i in range(20)), 'DOWN')
        check(resolver.is_closed(), 'the connection stays open')
        check_equal(daemon.wait(4), 0, 'exit status')
        took = time.monotonic() - began
        world.daemons.remove(daemon)
    check(took < 3.2, f'{took:.1f} s')
    wait_for('the host knows', 3, lambda: server.stat('ike.sas_established') == 0)
    return f'{took:.1f} s'


CASES = [
    a_name_is_protected_shown_and_released, every_kind_of_key_and_ipv6, cookies_and_small_fragments, post_quantum_where_both_can,
    other_ports_and_a_chosen_address, a_wrong_key_is_refused_and_leaves_nothing, a_dead_host_is_refused_in_time,
    an_icmp_error_is_the_reason, a_host_that_comes_late_is_ready_for_the_second_try, some_addresses_are_never_tried,
    another_key_for_a_protected_address_is_refused, one_name_asked_by_many_is_one_exchange, many_at_once_and_their_memory,
    a_host_that_was_killed_comes_back, a_client_that_was_killed_comes_back, a_stop_with_tunnels_tells_everybody,
]
