"""A real Unbound with the module, and NSD with signed zones below it, on loopback addresses: what tests/module has."""
import collections
import importlib.util
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
MODULE_TESTS = os.path.join(os.path.dirname(HERE), 'module')
Paths = collections.namedtuple('Paths', 'unbound control checkconf module sanitized')


def load():
    """tests/module/world.py, under another name than ours."""
    if MODULE_TESTS not in sys.path:
        sys.path.append(MODULE_TESTS)
    spec = importlib.util.spec_from_file_location('module_world', os.path.join(MODULE_TESTS, 'world.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mw = load()
RESOLVER = 'resolver: %s@%d' % mw.RESOLVER


def paths(build):
    flavour = 'unbound-asan' if os.path.isdir(os.path.join(build, 'unbound-asan')) else 'unbound'
    sbin = os.path.join(build, flavour, 'prefix/sbin')
    return Paths(*(os.path.join(sbin, p) for p in ('unbound', 'unbound-control', 'unbound-checkconf')),
                 os.path.join(build, '.libs/unbound-oe.so'), flavour == 'unbound-asan')


class RealDns:
    """Zones that zones_class has, until remove(), and one Unbound at a time. A context: Unbound ends with it."""

    def __init__(self, build, zones_class):
        self.folder = tempfile.mkdtemp(prefix='oe-dns.')
        self.paths = paths(build)
        self.zones = zones_class(self.folder)
        self.resolver, self.n = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.zones.forget()

    def remove(self):
        self.zones.stop()
        shutil.rmtree(self.folder)

    def start(self, socket, **how):
        """Unbound; socket is oe-iked's."""
        self.n += 1
        folder = os.path.join(self.folder, str(self.n))
        os.mkdir(folder)
        self.resolver = mw.Resolver(self.paths, self.zones, folder, socket, **how)
        return self.resolver

    def stop(self):
        if self.resolver:
            self.resolver.stop()
        self.resolver = None
