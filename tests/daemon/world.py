"""Two network namespaces, a cable, and oe-iked at both ends, over the kernel in memory.

    client: 192.0.2.1 2001:db8::1 -------- server: 192.0.2.2 2001:db8::2, and all of 198.18.0.0/15, 2001:db8:5::/48
    192.0.2.99 is nobody.

run has made private network and mount namespaces before this; all that lies here goes with them.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

CLIENT, SERVER, NOBODY = '192.0.2.1', '192.0.2.2', '192.0.2.99'
CLIENT6, SERVER6 = '2001:db8::1', '2001:db8::2'
PROGRAMS = 'oe-iked', 'oe'


def many(i):
    """The i-th of the server's other addresses."""
    return f'198.18.{1 + i // 250}.{1 + i % 250}'


def many6(i, network=0):
    """The i-th of the server's other addresses in the network-th of its /64."""
    return f'2001:db8:5:{network:x}::{1 + i:x}'


class Failed(AssertionError):
    pass


def check(good, text):
    if not good:
        raise Failed(text)


def check_equal(got, wanted, what=''):
    if got != wanted:
        raise Failed(f'{what}: got {got!r}, wanted {wanted!r}')


def wait_for(what, seconds, question, every=0.02):
    end = time.monotonic() + seconds
    while True:
        got = question()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f'not within {seconds} s: {what}')
        time.sleep(every)


def ip(*args):
    subprocess.run(['ip', *args], check=True)


def lay_cable(middle=None):
    """middle: a namespace in which the cable is cut, for somebody (m-client, m-server) who carries the frames across."""
    os.makedirs('/run/netns', exist_ok=True)
    subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/run/netns'], check=True)
    ip('netns', 'add', 'oe-server')
    ip('link', 'set', 'lo', 'up')
    if middle:
        ip('netns', 'add', middle)
        ip('link', 'add', 'to-server', 'type', 'veth', 'peer', 'name', 'm-client', 'netns', middle)
        ip('-n', 'oe-server', 'link', 'add', 'to-client', 'type', 'veth', 'peer', 'name', 'm-server', 'netns', middle)
        ip('-n', middle, 'link', 'set', 'm-client', 'up')
        ip('-n', middle, 'link', 'set', 'm-server', 'up')
    else:
        ip('link', 'add', 'to-server', 'type', 'veth', 'peer', 'name', 'to-client', 'netns', 'oe-server')
    ip('addr', 'add', CLIENT + '/24', 'dev', 'to-server')
    ip('addr', 'add', CLIENT6 + '/64', 'dev', 'to-server', 'nodad')
    ip('link', 'set', 'to-server', 'up')
    for line in (('link', 'set', 'lo', 'up'), ('addr', 'add', SERVER + '/24', 'dev', 'to-client'),
                 ('addr', 'add', SERVER6 + '/64', 'dev', 'to-client', 'nodad'), ('link', 'set', 'to-client', 'up'),
                 ('route', 'add', 'local', '198.18.0.0/15', 'dev', 'lo'),
                 ('-6', 'route', 'add', 'local', '2001:db8:5::/48', 'dev', 'lo')):
        ip('-n', 'oe-server', *line)
    ip('route', 'add', '198.18.0.0/15', 'via', SERVER)
    ip('-6', 'route', 'add', '2001:db8:5::/48', 'via', SERVER6)


def passing(listener, command):
    """The command with a socket as its descriptor 3, as sd_listen_fds(3) wants it."""
    fd = listener.fileno()
    move = '' if fd == 3 else f'3<&{fd}-'
    return ['bash', '-c', f'export LISTEN_PID=$$ LISTEN_FDS=${{LISTEN_FDS:-1}}; exec "$@" {move}', 'bash', *command]


class Daemon:
    """One oe-iked."""

    def __init__(self, world, host, name=None, lines=(), arguments=('--kernel=fake',), background=False):
        self.world, self.host, self.name = world, host, name or host
        self.background = background
        self.arguments = list(arguments)
        self.file = world.path(self.name + '.conf')
        self.resolver = world.path(self.name + '-r.sock')
        self.control = world.path(self.name + '-c.sock')
        self.log_file = world.path(self.name + '.log')
        self.process = None
        self.write_conf(lines)

    def write_conf(self, lines):
        with open(self.file, 'w', encoding='ascii') as out:
            out.write(f'resolver-socket: {self.resolver}\ncontrol-socket: {self.control}\n')
            out.writelines(line + '\n' for line in lines)

    def command(self):
        prefix = ['ip', 'netns', 'exec', 'oe-server'] if self.host == 'server' else []
        foreground = [] if self.background else ['-d']
        return prefix + [self.world.program('oe-iked'), '-c', self.file] + foreground + self.arguments

    def how(self, environment=None, passed=None):
        """For Popen. passed: a socket that a service manager passes as resolver-socket."""
        return {'args': passing(passed, self.command()) if passed else self.command(),
                'pass_fds': [passed.fileno()] if passed else [], 'env': {**os.environ, **(environment or {})}}

    def run(self, timeout=10, environment=None, passed=None, **more):
        """Run to the end; for those that must not start."""
        return subprocess.run(**self.how(environment, passed), capture_output=True, text=True, timeout=timeout, check=False, **more)

    def start(self, environment=None, passed=None):
        with open(self.log_file, 'wb') as log:
            self.process = subprocess.Popen(**self.how(environment, passed), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.world.daemons.append(self)
        wait_for(f'{self.name} says ready', 10, lambda: self.says('oe-iked: ready') or self.process.poll() is not None)
        check(self.process.poll() is None, f'{self.name} has ended:\n{self.log()}')
        return self

    def log(self):
        with open(self.log_file, encoding='utf-8', errors='replace') as log:
            return log.read()

    def says(self, words):
        return words in self.log()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=10):
        return self.process.wait(seconds)

    def stop(self):
        """A clean end, with exit status 0."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                status = self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failed(f'{self.name} does not stop:\n{self.log()[-2000:]}') from None
            check_equal(status, 0, f'exit status of {self.name}:\n{self.log()[-3000:]}')
        self.world.daemons.remove(self)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def oe(self, *arguments, **more):
        return subprocess.run([self.world.program('oe'), '-c', self.file, *arguments], capture_output=True, text=True,
                              timeout=20, check=False, **more)

    def tunnels(self, *match):
        got = self.oe('status', '--json', *match)
        check_equal(got.returncode, 0, f'oe status: {got.stderr}')
        return json.loads(got.stdout)

    def stat(self, name):
        got = self.oe('stats', '--json')
        check_equal(got.returncode, 0, f'oe stats: {got.stderr}')
        return json.loads(got.stdout)[name]

    def processes(self):
        """Of the program: the keeper first, then those below it."""
        return family(self.process.pid)

    def processor_s(self):
        """Processor time of them all until now."""
        total = 0
        for pid in self.processes():
            with open(f'/proc/{pid}/schedstat', encoding='ascii') as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def memory_kb(self, field='Rss'):
        """Of them all, what they share counted once; field: 'Rss', or 'Anonymous' for what is not of a file."""
        maps = []
        for pid in self.processes():
            with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as f:
                maps.append({name: int(kb) for name, kb in re.findall(r'^(\w+):\s+(\d+) kB', f.read(), re.M)})
        if field == 'Anonymous':
            return max(m['Anonymous'] for m in maps) + sum(sorted(m['Private_Dirty'] for m in maps)[:-1])
        private = [m['Private_Clean'] + m['Private_Dirty'] for m in maps]
        return sum(private) + max(m['Rss'] - own for m, own in zip(maps, private))


def family(pid):
    """This process and those below it."""
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
        return [pid] + [one for child in f.read().split() for one in family(int(child))]


class World:
    """Paths, keys and the daemons that run."""

    def __init__(self, build):
        self.build = os.path.realpath(build)
        self.folder = tempfile.mkdtemp(prefix='oe-daemon.')
        os.chmod(self.folder, 0o755)
        for name in PROGRAMS:       # copies: other users run them too, who may not even enter the build folder
            shutil.copyfile(os.path.join(build, name), self.path(name))
            os.chmod(self.path(name), 0o755)
        with open(self.path('resolv.conf'), 'w') as f:
            f.write('nameserver 127.0.0.1\n')
        # In the mount namespace of these tests alone: what oe status says does not depend on this machine.
        subprocess.run(['mount', '--bind', self.path('resolv.conf'), '/etc/resolv.conf'], check=True)
        self.daemons = []
        self.keys = {}
        self.at_end = []        # functions, for what stays from case to case

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name):
        return self.path(name)

    def is_sanitized(self):
        with open(self.program('oe-iked'), 'rb') as program:
            return b'__asan_init' in program.read()

    def key(self, kind='ed25519', number=0):
        """(PEM file, IPSECKEY RDATA) of a key that stays the same for the run."""
        from resolver import rdata
        if (kind, number) not in self.keys:
            pem = self.path(f'{kind}-{number}.pem')
            subprocess.run([self.program('oe'), 'key', 'generate', '--type', kind, pem], check=True)
            record = subprocess.run([self.program('oe'), 'key', 'dns', pem, 'host.example'], check=True,
                                    capture_output=True, text=True).stdout
            self.keys[kind, number] = (pem, rdata(record))
        return self.keys[kind, number]

    def server(self, kind='ed25519', number=0, lines=(), name='server', host='server'):
        pem, _ = self.key(kind, number)
        return Daemon(self, host, name, [f'server-key: {pem}', 'accept-anonymous: yes', 'log-level: debug', *lines])

    def client(self, lines=(), name='client'):
        return Daemon(self, 'client', name, ['log-level: debug', *lines])

    def pair(self, **server):
        """Both ends, running."""
        return self.client().start(), self.server(**server).start()

    def clean(self, failed):
        """After a case: end what runs. Returns what went wrong on the way."""
        wrong = []
        for daemon in list(self.daemons):
            if daemon.process.poll() is not None:
                if not failed:
                    wrong.append(f'{daemon.name} ended by itself with {daemon.process.returncode}:\n{daemon.log()[-3000:]}')
                self.daemons.remove(daemon)
                continue
            try:
                daemon.stop()
            except Failed as error:
                wrong.append(str(error))
                if daemon in self.daemons:
                    self.daemons.remove(daemon)
        for entry in os.scandir(self.folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            elif not entry.name.endswith('.pem') and entry.name not in PROGRAMS:
                os.unlink(entry.path)
        return wrong

    def remove(self):
        for function in self.at_end:
            function()
        shutil.rmtree(self.folder)


def say(path, *lines):
    """Lines to a control socket; returns the lines of the answer up to the last one, or until it closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.settimeout(5)
        stream.connect(path)
        stream.sendall(b''.join(line + b'\n' for line in lines))
        got = b''
        while got.count(b'"result"') < len(lines):
            more = stream.recv(65536)
            if not more:
                break
            got += more
    return [json.loads(line) for line in got.splitlines()]
