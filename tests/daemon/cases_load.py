"""Crowds: what they cost those who are already there, in one run, and what is left of them in memory."""
import contextlib
import statistics
import subprocess
import time

import resolver as r
from resolver import Resolver
from world import SERVER, check, check_equal, ip, many, wait_for

CROWD = ['anonymous-per-source: 4000', 'half-open-per-source: 256']
SILENT = '198.18.128.0/17'


def silent(i):
    """The i-th of the addresses behind which nobody is."""
    return f'198.18.{128 + i // 250}.{1 + i % 250}'


@contextlib.contextmanager
def silence():
    """The server drops what is for SILENT, without a word."""
    ip('-n', 'oe-server', 'route', 'add', 'blackhole', SILENT, 'table', 'local')
    try:
        yield
    finally:
        subprocess.run(['ip', '-n', 'oe-server', 'route', 'del', 'blackhole', SILENT, 'table', 'local'], check=False)


def answer_ms(resolver, key, times=40):
    """What the answer takes for a name that has its tunnel; the median."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        check_equal(resolver.request('warm.example', [SERVER], [key]).kind, r.ALLOW, 'a name with a tunnel')
        took.append((time.monotonic() - began) * 1000)
    return statistics.median(took)


def drain(resolver, n):
    """So many verdicts."""
    return [resolver.verdict() for _ in range(n)]


def check_out_of_line(world, crowded_ms, line_ms):
    """Who has a tunnel does not stand in the line of the crowd: a batch of its datagrams may come first, never all of it. Both
    times are of one run, on a machine that is as busy for the one as for the other."""
    if not world.is_sanitized():
        check(crowded_ms * 20 < line_ms, f'{crowded_ms:.2f} ms beside a crowd that is done after {line_ms:.0f} ms')


def is_flat(sizes):
    """The last turn found the room of those before it; what is free goes back to the system now and then."""
    return sizes[-1] <= max(sizes[:-1]) * 1.05 + 256


def five_hundred_names_at_once(world):
    daemon, _ = world.pair(lines=CROWD)
    _, key = world.key()
    with Resolver(daemon.resolver, timeout=20) as resolver, Resolver(daemon.resolver) as other:
        answer_ms(other, key)
        for i in range(500):
            resolver.ask(f'n{i}.example', [many(i)], [key])
        verdicts = drain(resolver, 500)
        refused = [v for v in verdicts if v.kind != r.ALLOW]
        check(len(refused) == 0 or world.is_sanitized(), f'{len(refused)} of 500 refused: {refused[:1]}')
        check_equal(len(daemon.tunnels()), 501, 'tunnels')


def five_thousand_that_hang_cost_others_nothing(world):
    daemon, _ = world.pair(lines=CROWD)
    _, key = world.key()
    with silence(), Resolver(daemon.resolver, timeout=20) as resolver, Resolver(daemon.resolver) as other:
        answer_ms(other, key)
        sizes = []
        for turn in range(3):
            began = time.monotonic()
            for i in range(5000):
                resolver.ask(f't{turn}n{i}.example', [silent(i)], [key], deadline=3000)
                # What is over is read, as the module does: a reader that falls behind is another test.
                if i % 50 == 49:
                    crowded_ms = answer_ms(other, key, 1) if i < 4950 else answer_ms(other, key)
            check_out_of_line(world, crowded_ms, (time.monotonic() - began) * 1000)
            check_equal({v.kind for v in drain(resolver, 5000)}, {r.REFUSE}, 'verdicts')
            check(len(daemon.tunnels()) <= 4096, 'more tunnels than the limit')
            sizes.append(daemon.memory_kb())
    if not world.is_sanitized():
        check(is_flat(sizes), f'memory grows: {sizes} kB')
    return f'{crowded_ms:.2f} ms beside 5000; {sizes} kB after each turn'


def a_zone_that_changes_its_keys_takes_no_room(world):
    daemon, _ = world.pair(lines=CROWD)
    _, key = world.key()
    strange = key[:3]
    with Resolver(daemon.resolver, timeout=20) as resolver:
        check_equal(resolver.request('rolling.example', [SERVER], [key]).kind, r.ALLOW, 'first')
        sizes = []
        for turn in range(4):
            for i in range(300):
                new = strange + bytes([turn, i % 256, i // 256]) * 11
                new = new[:len(key)]
                # The old key beside a new one; then, now and then, a new one alone, which the host does not hold.
                kind = resolver.request('rolling.example', [SERVER], [key, new]).kind
                check_equal(kind, r.ALLOW, 'with the key that was proved')
                if i % 50 == 0:
                    check_equal(resolver.request('rolling.example', [SERVER], [new]).kind, r.REFUSE, 'a key that is not held')
            sizes.append(daemon.memory_kb())
        tunnels = daemon.tunnels(SERVER)
        check_equal([t['state'] for t in tunnels if t['state'] != 'establishing'], ['protected'], 'the tunnel')
    if not world.is_sanitized():
        check(is_flat(sizes), f'memory grows: {sizes} kB')
    return f'{sizes} kB after each 300 sets'


def a_flood_of_names_that_fail_is_forgotten(world):
    daemon, _ = world.pair(lines=CROWD)
    _, key = world.key()
    _, wrong = world.key(number=1)
    with Resolver(daemon.resolver, timeout=30) as resolver, Resolver(daemon.resolver) as other:
        answer_ms(other, key)
        sizes = []
        for turn in range(3):
            began = time.monotonic()
            for i in range(1500):
                resolver.ask(f't{turn}n{i}.example', [many(1500 * turn + i)], [wrong], deadline=10000)
            crowded_ms = answer_ms(other, key)
            check_equal({v.kind for v in drain(resolver, 1500)}, {r.REFUSE}, 'verdicts')
            line_ms = (time.monotonic() - began) * 1000
            check_out_of_line(world, crowded_ms, line_ms)
            sizes.append(daemon.memory_kb())
        check_equal(resolver.request('late.example', [many(9000)], [key], deadline=5000).kind, r.ALLOW, 'afterwards')
        wait_for('the last attempts', 15, lambda: len(daemon.tunnels()) == 2, every=0.2)
    if not world.is_sanitized():
        check(is_flat(sizes), f'memory grows: {sizes} kB')
    return f'{crowded_ms:.2f} ms beside 1500 that take {line_ms:.0f} ms; {sizes} kB after each turn'


CASES = [
    five_hundred_names_at_once, five_thousand_that_hang_cost_others_nothing, a_zone_that_changes_its_keys_takes_no_room,
    a_flood_of_names_that_fail_is_forgotten,
]
