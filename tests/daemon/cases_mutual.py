"""Hosts that say who they are: what DNS bears out comes in, and nothing else; two hosts that ask for each other at once."""
import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import resolver as r
from resolver import Resolver
from world import CLIENT, SERVER, check, check_equal, many, wait_for

HERE = os.path.dirname(os.path.realpath(__file__))
NAMED = ['accept-identified: yes']


class Dns:
    """The validating resolver of one host, as the test wants it."""

    def __init__(self, world, host, records, address='127.0.0.1'):
        self.file, self.log = world.path(f'dns-{host}.json'), world.path(f'dns-{host}.log')
        self.publish(records)
        with open(self.log, 'w', encoding='ascii'):
            pass
        prefix = ['ip', 'netns', 'exec', 'oe-server'] if host == 'server' else []
        self.process = subprocess.Popen(prefix + [sys.executable, os.path.join(HERE, 'dns_stub.py'), address,
                                                  self.file, self.log])
        wait_for('the resolver', 10, lambda: self.is_up(prefix))

    @staticmethod
    def is_up(prefix):
        got = subprocess.run(prefix + ['cat', '/proc/net/udp', '/proc/net/udp6'], capture_output=True, text=True, check=True)
        return any(line.split()[1].endswith(':0035') for line in got.stdout.splitlines())

    def publish(self, records):
        with open(self.file + '.new', 'w', encoding='ascii') as out:
            json.dump(records, out)
        os.rename(self.file + '.new', self.file)

    def questions(self):
        with open(self.log, encoding='ascii') as log:
            return log.read().splitlines()

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def dns(world, host, records, address='127.0.0.1'):
    one = Dns(world, host, records, address)
    try:
        yield one
    finally:
        one.stop()


def record(world, *numbers, kind='ed25519', **more):
    return {'rdata': [world.key(kind, n)[1].hex() for n in numbers], **more}


def named_client(world, lines=(), number=1, name='laptop.example'):
    pem, _ = world.key('ed25519', number)
    return world.client([f'server-key: {pem}', f'server-identity: {name}', 'identify-to: example', *lines])


def named_server(world, lines=()):
    """It lets nobody in who does not say who he is."""
    server = world.server(lines=['accept-anonymous: no', *NAMED, *lines])
    return server


def a_client_that_dns_knows_comes_in(world):
    with dns(world, 'server', {'laptop.example': record(world, 2, 1)}) as zone:
        client, server = named_client(world).start(), named_server(world).start()
        _, key = world.key()
        with Resolver(client.resolver) as resolver:
            verdict = resolver.request('www.example', [SERVER], [key])
            check_equal(verdict.kind, r.ALLOW, f'{verdict} {verdict.text}')
        [mirror] = server.tunnels()
        check_equal((mirror['name'], mirror['key'], mirror['address'], mirror['initiator']),
                    ('laptop.example', 'Ed25519', CLIENT, False), 'the client, as its host sees it')
        check_equal(zone.questions(), ['laptop.example 45 ad'], 'questions to the resolver')
        check_equal(mirror['names'], 0, 'names that a lookup led to')
        check_equal(server.oe('down', 'laptop.example').stdout, '1 tunnel released\n', 'oe down')


def an_answer_that_is_cut_is_asked_for_over_tcp(world):
    with dns(world, 'server', {'laptop.example': record(world, 1, cut=True)}, '::1') as zone:
        client, _ = named_client(world).start(), named_server(world, ['resolver: ::1']).start()
        with Resolver(client.resolver) as resolver:
            verdict = resolver.request('www.example', [SERVER], [world.key()[1]])
            check_equal(verdict.kind, r.ALLOW, f'{verdict} {verdict.text}')
        check_equal(zone.questions(), ['laptop.example 45 ad', 'laptop.example 45 ad tcp'], 'questions to the resolver')


def a_client_that_is_not_told_to_says_nothing(world):
    with dns(world, 'server', {'laptop.example': record(world, 1)}) as zone:
        client = named_client(world, ['identify-to: friends.example.org']).start()
        client.stop()
        pem, _ = world.key('ed25519', 1)
        client = world.client([f'server-key: {pem}', 'server-identity: laptop.example',
                               'identify-to: friends.example']).start()
        server = named_server(world).start()
        _, key = world.key()
        with Resolver(client.resolver) as resolver:
            check_equal(resolver.request('www.example', [SERVER], [key]).reason, r.PEER_REFUSED, 'an anonymous one')
            check_equal(zone.questions(), [], 'questions to the resolver')
            check(not server.says('laptop'), 'the name was said')
            check_equal(resolver.request('www.friends.example', [SERVER], [world.key('ed25519', 3)[1]]).reason,
                        r.AUTH_FAILED, 'to somebody who is to know it')
        check_equal(zone.questions(), ['laptop.example 45 ad'], 'questions to the resolver')


def what_dns_does_not_bear_out_stays_out(world):
    """Each claim is refused, with its reason in the host's log; never taken for an anonymous one, who would come in."""
    cases = (
        ('no such name', None, 'no usable key'),
        ('no record', {}, 'the name has none'),
        ('another key', record(world, 2), 'does not verify with the published key'),
        ('other keys', record(world, 2, 3), 'with any of 2 published keys'),
        ('not validated', record(world, 1, ad=False), 'not validated'),
        ('bogus', {'rcode': 2}, 'bogus or not reachable'),
        ('refused', {'rcode': 5}, 'error (5)'),
        ('nonsense', {'rdata': ['0a0004']}, 'malformed IPSECKEY record'),
        ('too many', {'rdata': [f'{n:02x}0004' + '00' * 32 for n in range(17)]}, 'too many'),
    )
    with dns(world, 'server', {}) as zone:
        client, server = named_client(world).start(), world.server(lines=NAMED).start()
        _, key = world.key()
        with Resolver(client.resolver) as resolver:
            for i, (what, entry, words) in enumerate(cases):
                zone.publish({} if entry is None else {'laptop.example': entry})
                before = len(server.log())
                verdict = resolver.request(f'{i}.example', [many(i)], [key])
                check_equal(verdict.reason, r.PEER_REFUSED, f'{what}: {verdict}')
                check(words in server.log()[before:], f'{what}: the log does not say "{words}":\n{server.log()[before:]}')
        check_equal(server.tunnels(), [], 'tunnels')


def a_resolver_that_is_silent_blocks_nobody(world):
    with dns(world, 'server', {'laptop.example': {'silent': True}}):
        client, server = named_client(world).start(), world.server(lines=NAMED).start()
        other = world.client(['ike-port: 5500', 'natt-port: 5501'], name='other').start()
        _, key = world.key()
        with Resolver(client.resolver) as resolver, Resolver(other.resolver) as anonymous:
            ident = resolver.ask('www.example', [SERVER], [key])
            began = time.monotonic()
            check_equal(anonymous.request('www.example', [many(1)], [key]).kind, r.ALLOW, 'an anonymous one meanwhile')
            check(time.monotonic() - began < 0.5, 'it had to wait')
            check_equal(resolver.verdict(ident).kind, r.REFUSE, 'the one that nothing is known of')
        wait_for('the end of the lookup', 8, lambda: server.says('the resolver 127.0.0.1@53: '))


def one_client_cannot_take_all_lookups(world):
    with dns(world, 'server', {'laptop.example': record(world, 1, after=0.8)}) as zone:
        client, server = named_client(world).start(), named_server(world).start()
        _, key = world.key()
        with Resolver(client.resolver) as resolver:
            idents = [resolver.ask(f'{i}.example', [many(i)], [key]) for i in range(12)]
            verdicts = [resolver.verdict(i) for i in idents]
        check_equal(sum(v.kind == r.ALLOW for v in verdicts), 4, 'that came in')
        check_equal(sum(v.reason == r.PEER_REFUSED for v in verdicts), 8, 'that were refused')
        check(server.says('too many lookups at once'), 'the log does not say why')
        check(len(zone.questions()) >= 4, 'questions')


def the_end_comes_while_dns_is_asked(world):
    with dns(world, 'server', {'laptop.example': {'silent': True}}) as zone:
        client, server = named_client(world).start(), named_server(world).start()
        with Resolver(client.resolver) as resolver:
            ident = resolver.ask('www.example', [SERVER], [world.key()[1]])
            wait_for('the question', 5, zone.questions)
            server.stop()
            check_equal(resolver.verdict(ident).kind, r.REFUSE, 'the verdict')


def two_hosts_that_ask_at_once_have_one_tunnel(world):
    rounds = 12
    with dns(world, 'server', {'a.example': record(world, 1)}), dns(world, 'client', {'b.example': record(world, 0)}):
        a = named_client(world, NAMED, name='a.example').start()
        b = world.server(lines=['accept-anonymous: no', *NAMED, 'server-identity: b.example', 'identify-to: .']).start()
        with Resolver(a.resolver) as of_a, Resolver(b.resolver) as of_b:
            for i in range(rounds):
                got = [None, None]

                def ask(k, resolver, *what):
                    got[k] = resolver.request(*what)

                asks = [threading.Thread(target=ask, args=(0, of_a, 'b.example', [SERVER], [world.key()[1]])),
                        threading.Thread(target=ask, args=(1, of_b, 'a.example', [CLIENT], [world.key('ed25519', 1)[1]]))]
                for one in asks:
                    one.start()
                for one in asks:
                    one.join()
                check_equal([v.kind for v in got], [r.ALLOW, r.ALLOW], f'round {i}: {[v.text for v in got]}')
                wait_for('one SA at each end', 3, lambda: a.stat('ike.established') - a.stat('ike.closed') == 1 and
                         b.stat('ike.established') - b.stat('ike.closed') == 1)
                [here], [there] = a.tunnels(), b.tunnels()
                check_equal((here['spi_in'], here['spi_out']), (there['spi_out'], there['spi_in']), f'round {i}: SPIs')
                check_equal(here['initiator'], not there['initiator'], f'round {i}: who began it')
                check_equal(a.oe('down', SERVER).returncode, 0, 'oe down')
                check_equal(b.oe('down', CLIENT).returncode, 0, 'oe down')
                wait_for('the release', 8, lambda: not a.tunnels() and not b.tunnels())
                for resolver in (of_a, of_b):
                    resolver.down()
    crossed = a.stat('ike.accepted') if a.process.poll() is None else 0
    return f'{crossed} of {rounds} came from both ends'


def oe_key_check_says_whether_dns_publishes_the_key(world):
    """Before a client finds out: the same resolver, the same questions, a status for scripts."""
    pem, _ = world.key('ed25519', 1)
    daemon = world.client([f'server-key: {pem}'])       # need not run
    rows = {
        'right.example': (record(world, 1), 0, 'published', 'published and validated; tag '),
        'both.example': (record(world, 2, 1), 0, 'published', '; beside it: tag '),
        'insecure.example': (record(world, 1, ad=False), 4, 'not-validated', 'published, but not validated'),
        'other.example': (record(world, 2), 5, 'other-key', 'another key is published: tag '),
        'empty.example': ({'rdata': []}, 6, 'nothing', 'no IPSECKEY record'),
        'absent.example': ({'rcode': 3}, 6, 'nothing', 'no IPSECKEY record'),
        'lost.example': ({'rcode': 2}, 3, 'cannot-tell', 'the name servers of the zone do not answer'),
    }
    with dns(world, 'client', {name: row[0] for name, row in rows.items()}) as zone:
        for name, (_, status, state, words) in rows.items():
            got = daemon.oe('key', 'check', name)
            check_equal(got.returncode, status, f'{name}: {got.stdout}{got.stderr}')
            check(words in got.stdout.splitlines()[-1], f'{name}: "{words}" not in "{got.stdout}{got.stderr}"')
            check('TTL 3600 s' in got.stdout or status in (3, 6), f'{name}: no TTL: {got.stdout}')
            said = json.loads(daemon.oe('key', 'check', '--json', '--key', pem, name).stdout)
            check_equal((said['name'], said['state'], said['keys']['ttl_s'], len(said['keys']['records'])),
                        (name, state, 3600 if status in (0, 4, 5) else None, {'both.example': 2}.get(name, int(status in (0, 4, 5)))), 'JSON')
        check('right.example 45 ad' in zone.questions(), f'asked: {zone.questions()}')
        got = daemon.oe('key', 'check', 'right.example', '--key', world.key('ed25519', 2)[0])   # wherever the option stands
        check_equal(got.returncode, 5, got.stderr)
        got = world.client(name='keyless').oe('key', 'check', 'right.example')
        check_equal((got.returncode, 'published and validated; TTL' in got.stdout), (0, True), f'without a key: {got.stdout}')
    check_equal(daemon.oe('key', 'check', 'right.example').returncode, 3, 'no resolver at all')
    for wrong in (['--nsupdate', 'a.example'], ['--key'], [], ['a..b'], ['a.example', 'b.example'], ['--key', '/nowhere', 'a.example']):
        check(daemon.oe('key', 'check', *wrong).returncode in (1, 2), f'oe key check {wrong}')
    elsewhere = world.client([f'server-key: {pem}', 'resolver: 192.0.2.53'], name='elsewhere')
    got = elsewhere.oe('key', 'check', 'a.example')
    check_equal(got.returncode, 2, 'a resolver that is not on this host')
    check('trust-resolver: yes' in got.stderr, got.stderr)


CASES = (
    oe_key_check_says_whether_dns_publishes_the_key,
    a_client_that_dns_knows_comes_in,
    an_answer_that_is_cut_is_asked_for_over_tcp,
    a_client_that_is_not_told_to_says_nothing,
    what_dns_does_not_bear_out_stays_out,
    a_resolver_that_is_silent_blocks_nobody,
    one_client_cannot_take_all_lookups,
    the_end_comes_while_dns_is_asked,
    two_hosts_that_ask_at_once_have_one_tunnel,
)
