"""Very many of them."""
import random
import time

import ike as i
import resolver as r
import wire
from cases_client import CHILDLESS, victim, without_child
from cases_rekey import GOOD as REKEYED, rekey_payloads
from client import INIT_GOOD, Stranger
from judge import Journal
from resolver import Resolver
from wire import udp_socket
from world import CLIENT, CLIENT6, SERVER, Daemon, check, check_equal, many, many6, wait_for

DEADLINE_MS = 1500      # the product's own


def honest_client(world, *lines):
    """At the strangers' end of the cable."""
    return Daemon(world, 'server', 'client', ['log-level: debug', 'listen: ' + SERVER, *lines]).start()


def comes_in(world, client, name):
    """One lookup at an honest client: how long it took, in ms."""
    began = time.monotonic()
    with Resolver(client.resolver) as resolver:
        verdict = resolver.request(name, [CLIENT], [world.key()[1]], deadline=DEADLINE_MS)
    check_equal(verdict.kind, r.ALLOW, f'{name}: {verdict}')
    return (time.monotonic() - began) * 1000


def leaves(client):
    check_equal(client.oe('down', CLIENT).returncode, 0, 'oe down')
    wait_for('the release', 5, lambda: not client.tunnels())


def spoof(sender, source, datagram):
    """From any address of 198.18.0.0/15: whoever answers will not reach a socket of ours."""
    wire.send_from(sender, source, (CLIENT, 500), datagram)


def ten_thousand_inits_from_forged_addresses(world):
    host, client = victim(world), honest_client(world)
    template = i.Peer(initiator=True)
    request = template.send_init(template.init_payloads())
    rng = random.Random(4987)
    sender = udp_socket('oe-server', port=0)
    for _ in range(300):        # warm
        spoof(sender, many(rng.randrange(60000)), rng.randbytes(8) + request[8:])
    time.sleep(0.2)
    before = host.memory_kb()
    took = []
    for n in range(10000):
        spoof(sender, many(rng.randrange(60000)), rng.randbytes(8) + request[8:])
        if n % 50 == 49:
            time.sleep(0.005)
        if n % 5000 == 2000:
            took.append(comes_in(world, client, f'n{n}.example'))
            leaves(client)
    wait_for('all of it arrived', 5, lambda: host.stat('ike.received') >= 10000)
    grown = host.memory_kb() - before
    demanded, half_open = host.stat('ike.cookies_demanded'), host.stat('ike.half_open')
    sender.close()
    check(grown < (20000 if world.is_sanitized() else 500), f'memory grew by {grown} kB')
    check(demanded > 9900, f'cookies demanded: {demanded}')
    check(half_open <= 17, f'half open: {half_open}')
    return f'an honest client in {max(took):.0f} ms at most, {grown} kB more memory'


def a_thousand_that_never_finish(world):
    """From four addresses that are theirs, with cookies, and then silence."""
    host, client = victim(world), honest_client(world)
    strangers = [Stranger(many(n)) for n in range(4)]
    for n in range(1000):
        one = strangers[n % 4]
        one.peer, one.answers = i.Peer(initiator=True), []
        one.exchange_init()
    half_open = host.stat('ike.half_open')
    took = comes_in(world, client, 'www.example')
    check(half_open <= 4 * 8, f'half open: {half_open}')
    check_equal((host.stat('ike.dropped_limit'), len(Journal(host.log()).ever)), (0, 1), 'turned away, pairs')
    for one in strangers:
        one.close()
    return f'{half_open} half open, an honest client in {took:.0f} ms'


def many_without_a_child_sa_are_half_open(world):
    """From four addresses that are theirs: authenticated, and then no CHILD SA is asked for (RFC 6023). The last one does."""
    host, client = victim(world), honest_client(world)
    strangers = [Stranger(many(n), auth=without_child) for n in range(4)]
    for n in range(200):
        one = strangers[n % 4]
        one.peer, one.answers = i.Peer(initiator=True), []
        one.exchange_init()
        one.send_auth()
        check_equal(one.take(one.wait()), CHILDLESS, 'IKE_AUTH')
    half_open, sas = host.stat('ike.half_open'), host.stat('ike.sas')
    check(half_open == sas <= 4 * 8, f'half open: {half_open}, IKE SAs: {sas}')
    check_equal(len(Journal(host.log()).ever), 0, 'pairs')
    check_equal(one.ask(i.CREATE_CHILD, 2, rekey_payloads(one)[1:]), REKEYED, 'CREATE_CHILD_SA')
    took = comes_in(world, client, 'www.example')
    check_equal({p.remote for p in Journal(host.log()).ever}, {one.address, SERVER}, 'pairs')
    for one in strangers:
        one.close()
    return f'{half_open} half open, an honest client in {took:.0f} ms'


def a_64_that_never_finishes_takes_its_own_places(world):
    """Two hundred addresses of one IPv6 network, with cookies, and then silence."""
    host = victim(world, 'half-open-per-source: 8', 'cookie-threshold: 200')
    strangers = [Stranger(many6(n), CLIENT6) for n in range(200)]
    for one in strangers:
        one.send_init()
        one.answers = [one.wait()]
        heard = one.take_init(one.answers[0])
        if heard == f'N({i.COOKIE})':
            one.send_init(one.cookie())
    wait_for('all were seen', 3, lambda: host.stat('ike.received') == 392)
    check_equal((host.stat('ike.half_open'), host.stat('ike.dropped_per_source')), (8, 192), 'half open, not answered')
    neighbour = Stranger(many6(0, network=1), CLIENT6).come_up()
    for one in (*strangers, neighbour):
        one.close()
    return f'{host.stat("ike.cookies_demanded")} had to show a cookie'


def is_refused(stranger):
    check_equal(stranger.exchange_init(), INIT_GOOD, f'{stranger.address}: answer to IKE_SA_INIT')
    stranger.send_auth()
    check_equal(stranger.take(stranger.wait()), f'N({i.AUTH_FAILED})', f'{stranger.address}: answer to IKE_AUTH')
    stranger.close()


def more_clients_than_places(world):
    """From many sources: who is idle goes, oldest first, and is told; what this host has asked for stays."""
    places, idle_s = 8, 10
    host = victim(world, f'anonymous-max: {places}', 'cookie-threshold: 200')
    world.server(name='asked-for', lines=['listen: ' + SERVER]).start()
    with Resolver(host.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [world.key()[1]], ttl=1).kind, r.ALLOW, 'verdict')
    clients = [Stranger(many(n)).come_up() for n in range(places)]
    is_refused(Stranger(many(100)))
    time.sleep(idle_s + 3)
    late = [Stranger(many(100 + n)).come_up() for n in range(3)]
    for one in clients[:3]:
        told = one.wait()
        check(told and one.take(told) == 'D', f'{one.address}: not told')
        one.answer(told)
    up = {p.remote for p in Journal(host.log()).pairs()}
    check_equal(up, {one.address for one in (*clients[3:], *late)} | {SERVER}, 'pairs in the kernel')
    text = host.oe('status').stdout
    for words in (f'anonymous clients: {places},', 'refused by limits: anonymous-max 1', 'released for others by limits: anonymous-max 3'):
        check(words in text, f'oe status does not say "{words}":\n{text}')
    for one in (*clients, *late):
        one.close()


def clients_of_one_64_have_their_share(world):
    host = victim(world, 'anonymous-per-source: 4', 'cookie-threshold: 200')
    clients = [Stranger(many6(n), CLIENT6).come_up() for n in range(4)]
    for n in range(4, 50):
        is_refused(Stranger(many6(n), CLIENT6))
    clients += [Stranger(many6(n, network=1), CLIENT6).come_up() for n in range(4)]
    check_equal((host.stat('tunnels.anonymous'), host.stat('tunnels.refused_per_source')), (8, 46), 'tunnels, refused')
    for one in clients:
        one.close()


def a_server_that_establishes_very_many_and_leaves(world):
    count, most = (1000, 900) if world.is_sanitized() else (5000, 4096)
    client = world.client(['idle: 3', f'tunnels-max: {most}']).start()
    server = world.server(lines=[f'{option}: {count}' for option in
                                 ('tunnels-max', 'anonymous-max', 'anonymous-per-source')]).start()
    key = world.key()[1]
    with Resolver(client.resolver, timeout=30) as resolver:
        got = []
        for first in range(0, count, 200):
            asked = [resolver.ask('many.example', [many(n)], [key], ttl=30, deadline=10000) for n in range(first, first + 200)]
            got += [resolver.verdict(ident) for ident in asked]
        check_equal([v.reason for v in got], [0] * most + [r.LIMIT] * (count - most), 'reasons')
        check_equal(client.stat('tunnels.all'), most, 'tunnels')
        memory = client.memory_kb()
        server.kill()
        world.daemons.remove(server)
        check_equal(client.oe('down', 'many.example').returncode, 0, 'oe down')
        wait_for('all are released', 20, lambda: client.stat('tunnels.all') == 0, every=0.2)
        wait_for('no SA is left', 10, lambda: client.stat('ike.sas') == 0, every=0.2)
        check_equal({p.state for p in Journal(client.log()).ever}, {'gone'}, 'what the kernel has')
        world.server(name='again').start()
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, r.ALLOW, 'afterwards')
    return f'{count} asked for, {most} tunnels, {memory} kB'


CASES = [
    ten_thousand_inits_from_forged_addresses, a_thousand_that_never_finish, many_without_a_child_sa_are_half_open,
    a_64_that_never_finishes_takes_its_own_places, more_clients_than_places, clients_of_one_64_have_their_share,
    a_server_that_establishes_very_many_and_leaves,
]
