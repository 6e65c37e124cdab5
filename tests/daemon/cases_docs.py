"""What docs/tutorials/server.md says about BIND, Knot and NSD, done as it says: with their own control programs, in their own folders,
which are others than this machine's while it lasts."""
import glob
import os
import shutil
import subprocess

from world import Failed, check_equal, wait_for

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../..')
ZONE_FILE = '''$ORIGIN example.org.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
server A 192.0.2.2
www A 192.0.2.3
'''


class Machine:
    """Folders of a name server, empty at first, and the folder that the reader is in. A context."""

    def __init__(self, world, *folders):
        self.world, self.folders, self.process = world, folders, None
        self.home = world.path('reader')

    def __enter__(self):
        os.mkdir(self.home)
        for number, name in ((1, 'host.pem'), (2, 'host2.pem')):
            shutil.copyfile(self.world.key('ed25519', number)[0], os.path.join(self.home, name))
        for folder in self.folders:
            os.makedirs(folder, exist_ok=True)
            subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', folder], check=True)
        return self

    def write(self, path, text):
        with open(os.path.join(self.home, path), 'w', encoding='ascii') as out:
            out.write(text)

    def run(self, *command):
        subprocess.run(command, check=True, capture_output=True, cwd=self.home)

    def serve(self, *command, ready):
        """Start the name server; ready: a command that succeeds when it is there."""
        with open(os.path.join(self.home, 'log'), 'wb') as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(' '.join(ready), 10, lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0)

    def follow(self, host):
        """Says how many commands were run."""
        got = subprocess.run([os.path.join(TOP, 'tests/docs/follow'), os.path.join(TOP, 'docs/tutorials/server.md'), host], cwd=self.home,
                             env={**os.environ, 'PATH': f'{self.world.folder}:/usr/sbin:/usr/bin:/sbin:/bin'}, capture_output=True,
                             text=True, timeout=60, check=False)
        if got.returncode != 0:
            with open(os.path.join(self.home, 'log'), encoding='utf-8', errors='replace') as log:
                raise Failed(f'{got.stdout}{got.stderr}\n--- log\n{log.read()[-2000:]}')
        return f"{got.stdout.count('ok server.md')} commands"

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        for folder in reversed(self.folders):
            subprocess.run(['umount', folder], check=True)
        shutil.rmtree(self.home)


def the_tutorial_for_bind(world):
    with Machine(world, '/etc/bind', '/var/lib/bind', '/var/cache/bind') as machine:
        machine.write('/etc/bind/named.conf', 'include "/etc/bind/named.conf.local";\noptions { directory "/var/cache/bind"; pid-file none; '
                      'listen-on { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; session-keyfile none; };\n')
        machine.write('/etc/bind/named.conf.local', '')
        machine.write('/var/lib/bind/example.org', ZONE_FILE)
        machine.run('rndc-confgen', '-a')
        machine.serve('named', '-g', '-n', '1', ready=['rndc', 'status'])
        return machine.follow('bind')


def the_tutorial_for_knot(world):
    with Machine(world, '/etc/knot', '/var/lib/knot', '/run/knot') as machine:
        machine.write('/etc/knot/knot.conf', 'server:\n    rundir: /run/knot\n    listen: 127.0.0.1@53\n    udp-workers: 1\n    tcp-workers: 1\n'
                      'database:\n    storage: /var/lib/knot\ntemplate:\n  - id: default\n    storage: /var/lib/knot\n    file: "%s.zone"\n')
        machine.write('/var/lib/knot/example.org.zone', ZONE_FILE)
        machine.serve('knotd', '-c', '/etc/knot/knot.conf', ready=['knotc', 'status'])
        return machine.follow('knot')


def the_tutorial_for_nsd(world):
    with Machine(world, '/etc/nsd', '/var/lib/nsd') as machine:
        machine.write('example.org.zone', ZONE_FILE)
        machine.run('ldns-keygen', '-a', 'ECDSAP256SHA256', '-k', 'example.org.')
        [key] = glob.glob(os.path.join(machine.home, 'K*.private'))
        machine.run('ldns-signzone', '-n', '-f', '/etc/nsd/example.org.signed', 'example.org.zone', os.path.basename(key)[:-len('.private')])
        machine.write('/etc/nsd/nsd.conf', 'server:\n server-count: 1\n username: ""\n chroot: ""\n database: ""\n pidfile: ""\n'
                      ' xfrdfile: "/var/lib/nsd/xfrd"\n zonelistfile: "/var/lib/nsd/zones"\n ip-address: 127.0.0.1\nremote-control:\n'
                      ' control-enable: yes\n control-interface: /var/lib/nsd/control\nzone:\n name: example.org\n zonefile: '
                      '/etc/nsd/example.org.signed\n')
        machine.serve('nsd', '-d', '-c', '/etc/nsd/nsd.conf', ready=['nsd-control', 'status'])
        return machine.follow('nsd')


def a_document_that_is_wrong_is_found(world):
    """follow itself: a command that fails, one that says something else, and nothing to follow."""
    document = world.path('document.md')

    def follow(text):
        with open(document, 'w', encoding='ascii') as out:
            out.write(text)
        return subprocess.run([os.path.join(TOP, 'tests/docs/follow'), document, 'here'], capture_output=True, text=True, check=False,
                              timeout=20).returncode

    for text, wanted in (('```console here\n$ true\n```\n', 0), ('```console here\n$ false\n```\n', 1),
                         ('```console here\n$ echo 12 pears\n7 pears\n```\n', 0), ('```console here\n$ echo 12 apples\n7 pears\n```\n', 1),
                         ('```console here\n$ seq 3\n1\n...\n```\n', 0), ('```console here\n$ seq 3\n1\n```\n', 1),
                         ('```console here\n$ echo a; false\na\n```\n', 0), ('```console here\n$ echo a; false\n...\nb\n```\n', 1),
                         ('```console here\n$ a=5\n$ echo x$a\nx5\n```\n', 0), ('```console there\n$ true\n```\n', 2)):
        check_equal(follow(text), wanted, text)


CASES = [
    a_document_that_is_wrong_is_found,
    the_tutorial_for_bind,
    the_tutorial_for_knot,
    the_tutorial_for_nsd,
]
