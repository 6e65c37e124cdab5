"""What every test gets: a Bench, on which it starts what it needs; and what several tests ask of an answer."""
import os
import time

from dns import SERVFAIL
from helper import Helper
from world import Resolver


def only_dynlib(test):
    """A test of the form that dynlib loads, with oe.conf."""
    test.form = 'dynlib'
    return test


def only_built_in(test):
    """A test of the form that is built into Unbound, with options of unbound.conf."""
    test.form = 'built in'
    return test


def wired(test):
    """A test that fails if something that patches/ has to connect is not: a share of the tests, for the form that is built in."""
    test.wired = True
    return test


class Bench:
    def __init__(self, paths, world, folder, reloads):
        self.paths, self.world, self.folder, self.reloads = paths, world, folder, reloads
        os.mkdir(folder)
        self.socket = os.path.join(folder, 's')
        self.helper = self.resolver = None
        # everything takes longer under the sanitizer
        self.slack = 3 if paths.sanitized else 1
        world.forget()

    def start(self, decide=lambda request: request.allow(), helper=True, **how):
        """Helper and resolver; returns the resolver."""
        if helper:
            self.helper = Helper(self.socket, decide)
        self.resolver = Resolver(self.paths, self.world, self.folder, self.socket, **how)
        return self.resolver

    def story(self):
        if not self.resolver:
            return ''
        return 'log: ' + '\n     '.join(self.resolver.log_text().splitlines()[-25:])

    def close(self):
        complaints = self.resolver.stop() if self.resolver else ''
        if self.helper:
            self.helper.stop()
        return complaints


def soon(question, seconds=2.0):
    """Wait until question() is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if question():
            return True
        time.sleep(0.01)
    return False


def refused(answer, why='does not hold the key that its DNS name publishes'):
    """7: SERVFAIL, no record, and the true cause as Extended DNS Error; without a why it is that of Helper's refuse()."""
    return answer.rcode == SERVFAIL and not answer.answer and why in answer.reasons
