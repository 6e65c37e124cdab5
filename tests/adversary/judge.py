"""What the kernel was told: the journal that oe-iked's kernel layer writes at debug level, one line a request."""
import re
from dataclasses import dataclass, field

LINE = re.compile(r'kernel: (protect|add SAs|delete SAs|unprotect) (\S+) - ([^\s,]+)(?: and shield)?, reqid (\w+), '
                  r'spi (\w+)/(\w+): (.*)')


@dataclass
class Pair:
    """Policies between two addresses, with the SAs that were installed with them and those that came after."""
    local: str
    remote: str
    reqid: str
    spi_in: str
    spi_out: str
    sas: set = field(default_factory=set)       # ('in' or 'out', SPI)
    gone: bool = False

    @property
    def state(self):
        """'up', 'blocked' (policies, and not an SA for each direction) or 'gone'."""
        return 'gone' if self.gone else 'up' if {way for way, _ in self.sas} == {'in', 'out'} else 'blocked'


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
            return
        sas = {sa for sa in (('in', spi_in), ('out', spi_out)) if sa[1] != '00000000'}
        if what == 'protect':
            self.ever.append(Pair(local, remote, reqid, spi_in, spi_out))
        pairs = [p for p in self.ever if p.reqid == reqid and not p.gone]
        if what in ('protect', 'add SAs'):
            pairs[-1].sas |= sas
        for pair in pairs:
            if what == 'delete SAs':
                pair.sas -= sas
            elif what == 'unprotect':
                pair.gone = True

    def pairs(self, remote=None):
        """What is there now."""
        return [p for p in self.ever if not p.gone and remote in (None, p.remote)]
