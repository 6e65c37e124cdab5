"""What the kernel was told: the journal that oe-iked's kernel layer writes at debug level, one line a request."""
import re
from dataclasses import dataclass

LINE = re.compile(r'kernel: (protect|delete SAs|unprotect) (\S+) - ([^\s,]+)(?: and shield)?, reqid (\w+), spi (\w+)/(\w+): (.*)')


@dataclass
class Pair:
    """The SAs and policies between two addresses. state: 'up', 'blocked' (policies without SAs), 'gone'."""
    local: str
    remote: str
    reqid: str
    spi_in: str
    spi_out: str
    state: str = 'up'


class Journal:
    """All that was ever installed, in order, and what is left of it."""

    def __init__(self, log):
        self.ever = []
        self.failures = []
        for match in LINE.finditer(log):
            self.read(*match.groups())

    def read(self, what, local, remote, reqid, spi_in, spi_out, result):
        if result != 'done':
            self.failures.append((what, local, remote, result))
        elif what == 'protect':
            self.ever.append(Pair(local, remote, reqid, spi_in, spi_out))
        for pair in self.ever:
            if pair.reqid != reqid or pair.state == 'gone' or result != 'done':
                continue
            if what == 'unprotect':
                pair.state = 'gone'
            elif what == 'delete SAs' and pair.spi_in == spi_in:
                pair.state = 'blocked'

    def pairs(self, remote=None):
        """What is there now."""
        return [p for p in self.ever if p.state != 'gone' and remote in (None, p.remote)]
