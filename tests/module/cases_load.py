"""What only shows when a thing is done often: tests/module/run --reloads N."""
import os
import signal
import time

from bench import soon
from world import Resolver

UNKEYED = ['plainhost.example.test', 'www.plain.test', 'p%d.example.test', 'toplain.example.test']
KEYED = ['k%d.example.test', 'alias2.example.test']


class Stub:
    """A stub resolver: it asks again when no answer comes, and counts that."""
    TRIES = 20

    def __init__(self, resolver, patience):
        self.resolver, self.patience, self.again = resolver, patience, 0

    def ask(self, names):
        return {name: self.resolver.ask(name) for name in names}

    def answers(self, waiting):
        """name -> Answer for all of what ask() returned."""
        found = {}
        for _ in range(self.TRIES):
            end = time.monotonic() + self.patience
            lost = [name for name, question in waiting.items()
                    if not found.setdefault(name, question.answer(max(0.01, end - time.monotonic())))]
            if not lost:
                return found
            self.again += len(lost)
            for name in lost:
                del found[name]
            waiting = self.ask(lost)
        raise AssertionError('no answer after %d tries for %s' % (self.TRIES, lost))


def reload_under_load(b, resolver, n):
    """n reloads, each with questions on the way that came before it and at the same moment; the stubs for names without a key
    and for those with one."""
    plain, keyed = Stub(resolver, 0.15 * b.slack), Stub(resolver, 0.15 * b.slack)
    for i in range(n):
        started = resolver.log_text().count('start of service')
        names = [name % (i % 40) if '%' in name else name for name in UNKEYED]
        waiting = plain.ask(names[:2])
        protected = keyed.ask(name % (i % 40) if '%' in name else name for name in KEYED)
        time.sleep(i % 7 * 0.005)
        if i % 5 == 4:
            assert resolver.control('reload_keep_cache').returncode == 0
        else:
            resolver.process.send_signal(signal.SIGHUP)
        waiting.update(plain.ask(names[2:]))
        for name, answer in {**plain.answers(waiting), **keyed.answers(protected)}.items():
            assert answer.addresses, 'reload %d: %s: %s' % (i, name, answer)
        assert soon(lambda: resolver.log_text().count('start of service') > started, 10), 'reload %d does not end' % i
        assert resolver.alive()
    return plain.again, keyed.again


def test_reloads_with_establishments_in_flight(b):
    """4, 5: no crash, no leak (AddressSanitizer), and no answer lost that Unbound without the module would have given."""
    r = b.start(lambda request: (0.03, request.allow()), threads=2, server=' so-reuseport: yes')
    lost, lost_keyed = reload_under_load(b, r, b.reloads)
    cut = len(b.helper.requests) - len(b.helper.answered)
    assert r.stop() == ''
    folder = os.path.join(b.folder, 'without')
    os.mkdir(folder)
    b.resolver = Resolver(b.paths, b.world, folder, b.socket, threads=2, server=' so-reuseport: yes', modules='validator iterator')
    n = min(b.reloads, 100)
    lost_without, _ = reload_under_load(b, b.resolver, n)
    print('      asked again, each reload: %.2f for names without a key, %.2f without the module; %.2f for names with one; '
          '%d requests cut by %d reloads' % (lost / b.reloads, lost_without / n, lost_keyed / b.reloads, cut, b.reloads))
    assert lost / b.reloads <= lost_without / n + 0.5, 'a cold name is under way for longer, by its key lookup, but not by much'
