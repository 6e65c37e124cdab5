"""Start, stop, configuration, privileges, oe without tunnels."""
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time

from resolver import ADDRESS_NOT_ALLOWED, ALLOW, AUTH_FAILED, CLEAR, POLICY_FORBIDS, Resolver, SHUTDOWN, REFUSE, hello
from world import CLIENT, NOBODY, SERVER, Daemon, check, check_equal, say, wait_for


def idle_memory_is_below_5000_kB(world):
    daemon = world.client().start()
    daemon.oe('status')
    kb = daemon.memory_kb()
    if world.is_sanitized():
        return f'{kb} kB with sanitizers, not judged'
    check(kb < 5000, f'{kb} kB resident')
    return f'{kb} kB resident, {daemon.memory_kb("Anonymous")} kB of it our own'


def check_process(pid, lines):
    with open(f'/proc/{pid}/status', encoding='ascii') as status:
        text = status.read()
    for line in ('CapInh:\t0000000000000000', 'NoNewPrivs:\t1') + lines:
        check(line in text, f'no {line!r} in\n{text}')
    with open(f'/proc/{pid}/limits', encoding='ascii') as limits:
        check(re.search(r'Max core file size\s+0\s+0', limits.read()), 'core dumps are possible')


def privileges_are_given_up(world):
    daemon = world.client().start()
    keeper, *others = daemon.processes()
    check_process(keeper, tuple(f'Cap{which}:\t0000000000001020' for which in ('Prm', 'Eff', 'Bnd')))
    check(others, 'there is one process')
    for pid in others:
        check_process(pid, tuple(f'Cap{which}:\t0000000000000000' for which in ('Prm', 'Eff', 'Bnd')) + ('Seccomp:\t2',))
        check_equal(os.listdir(f'/proc/{pid}/root/'), [], 'what it sees of the file system')
        check(os.stat(f'/proc/{pid}/root/').st_nlink == 0, 'its root folder is still there')
        with open(f'/proc/{pid}/status', encoding='ascii') as status:
            check(re.search(r'^Uid:\t([1-9]\d*)\t\1\t\1\t\1$', status.read(), re.M), 'it runs as root')


def neither_process_outlives_the_other(world):
    for which in (0, 1):
        daemon = world.client().start()
        pids = daemon.processes()
        if which == 0:      # also if it cannot see that the other one is gone
            os.kill(pids[1], signal.SIGSTOP)
        os.kill(pids[which], signal.SIGKILL)
        wait_for('the end of all processes', 2, lambda pids=pids: not any(is_alive(pid) for pid in pids[1:]))
        check(daemon.wait(2) != 0, 'exit status')
        check(which == 0 or daemon.says('the network process was ended by signal 9'), daemon.log())
        world.daemons.remove(daemon)
    world.client().start()


def is_alive(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii') as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def sockets_have_their_modes(world):
    daemon = world.client(['resolver-group: nogroup', 'control-group: daemon']).start()
    for path, group in ((daemon.resolver, 'nogroup'), (daemon.control, 'daemon')):
        got = os.stat(path)
        check_equal(stat.S_IMODE(got.st_mode), 0o660, path)
        with open('/etc/group', encoding='utf-8') as groups:
            wanted = [int(line.split(':')[2]) for line in groups if line.startswith(group + ':')]
        check_equal(got.st_gid, wanted[0], f'group of {path}')
    daemon.stop()
    daemon = world.client().start()
    check_equal(stat.S_IMODE(os.stat(daemon.control).st_mode), 0o600, 'without control-group')


def a_stop_is_clean_and_quick(world):
    daemon = world.client().start()
    began = time.monotonic()
    daemon.stop()
    check(time.monotonic() - began < 1, 'a stop without tunnels takes a second')
    check(not os.path.exists(daemon.resolver) and not os.path.exists(daemon.control), 'sockets are left')
    check(daemon.says('oe-iked: stopped'), daemon.log())


def a_stop_refuses_who_waits(world):
    daemon = world.client().start()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        resolver.ask('dead.example', [NOBODY], [key], deadline=20000)
        time.sleep(0.1)
        daemon.signal(signal.SIGTERM)
        verdict = resolver.verdict()
        check_equal((verdict.kind, verdict.reason), (REFUSE, SHUTDOWN), 'verdict')
        check(resolver.is_closed(), 'the connection stays open')
    check_equal(daemon.wait(4), 0, 'exit status')
    world.daemons.remove(daemon)


def the_background_is_entered_when_all_works(world):
    daemon = world.client()
    daemon.background = True
    got = daemon.run()
    check_equal((got.returncode, got.stderr), (0, ''), 'oe-iked in the background')
    check_equal(daemon.oe('version').returncode, 0, 'oe version')
    again = daemon.run()
    check_equal(again.returncode, 1, 'exit status of the second one')
    check('somebody listens on' in again.stderr, again.stderr)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.connect(daemon.control)
        pid = int.from_bytes(stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], 'little')
    os.kill(pid, signal.SIGTERM)
    for _ in range(300):
        if not os.path.exists(daemon.control):
            return
        time.sleep(0.01)
    check(False, 'it does not stop')


def a_service_manager_is_told(world):
    path = world.path('notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(5)
        daemon = world.client().start({'NOTIFY_SOCKET': path})
        check_equal(manager.recv(100), b'READY=1', 'at the start')
        daemon.stop()
        check_equal(manager.recv(100), b'STOPPING=1', 'at the end')


def listening(path, kind=socket.SOCK_SEQPACKET):
    listener = socket.socket(socket.AF_UNIX, kind)
    listener.bind(path)
    listener.listen(16)
    return listener


def open_in(pid):
    folder = f'/proc/{pid}/fd/'
    return [os.readlink(folder + fd) for fd in os.listdir(folder)]


def a_passed_socket_outlives_the_daemon(world):
    """oe-iked.socket: who connects before oe-iked runs, and after it was killed or stopped, waits for the next one."""
    key = [world.key()[1]]
    daemon = world.client()
    with listening(daemon.resolver) as listener:
        early = Resolver(daemon.resolver, greet=False)
        early.send(hello())
        early.ask('early.example', ['224.0.0.1'], key)
        for end in daemon.kill, daemon.stop, daemon.stop:
            daemon.start({'LISTEN_FDNAMES': 'resolver'}, passed=listener)
            check_equal(early.verdict().reason, ADDRESS_NOT_ALLOWED, 'what was asked before oe-iked ran')
            check_equal([pid for pid in daemon.processes() if f'socket:[{os.fstat(listener.fileno()).st_ino}]' in open_in(pid)],
                        [daemon.process.pid], 'who has the socket')
            end()
            if end == daemon.kill:
                world.daemons.remove(daemon)
            check(early.is_closed(), 'the connection of one that has ended')
            early.close()
            check(os.path.exists(daemon.resolver), 'the socket has gone with oe-iked')
            early = Resolver(daemon.resolver, greet=False)
            early.send(hello())
            early.ask('early.example', ['224.0.0.1'], key)
        early.close()


def a_passed_socket_that_is_another_one_is_refused(world):
    daemon = world.client()
    with listening(daemon.resolver) as right, listening(world.path('other')) as other, \
            listening(world.path('stream'), socket.SOCK_STREAM) as stream, socket.socket() as inet:
        for passed, environment, words in (
                (right, {'LISTEN_FDS': '2'}, 'passes 2 sockets, named ""; one is expected, "resolver": oe-iked.socket has one'),
                (right, {'LISTEN_FDS': 'x'}, 'passes x sockets'),
                (right, {'LISTEN_FDNAMES': 'oe-iked.socket'}, 'named "oe-iked.socket"; one is expected, "resolver"'),
                (other, {}, f'resolver-socket is {daemon.resolver}, but the service manager passes {other.getsockname()}: write'),
                (stream, {}, f'of type SOCK_SEQPACKET; in oe-iked.socket write ListenSequentialPacket={daemon.resolver}'),
                (inet, {}, 'is no listening Unix socket')):
            got = daemon.run(passed=passed, environment=environment)
            check_equal(got.returncode, 2, f'exit status with {environment} {got.stderr}')
            check(got.stderr.count('\n') == 1 and words in got.stderr, got.stderr)


def a_socket_passed_to_somebody_else_is_left_alone(world):
    """LISTEN_PID is that of a parent, which has not taken the variables away."""
    daemon = world.client().start({'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'})
    Resolver(daemon.resolver).close()
    daemon.stop()
    check(not os.path.exists(daemon.resolver), 'its own socket is left')


def a_second_instance_refuses(world):
    first = world.client().start()
    again = first.run()
    check_equal(again.returncode, 1, 'exit status')
    check_equal(again.stderr, f'oe-iked: control-socket: somebody listens on {first.control} already; is another oe-iked '
                'running?\n', 'message')
    other = world.client(name='other').run()
    check_equal(other.returncode, 1, 'exit status with other sockets')
    check('UDP port 500 is in use (0.0.0.0:500): is another IKE daemon running? Stop it, or choose other ports with '
          'ike-port and natt-port' in other.stderr, other.stderr)
    check(not os.path.exists(world.path('other-c.sock')), 'its socket is left')
    check_equal(first.oe('version').returncode, 0, 'the first one')
    Resolver(first.resolver).close()


def a_stale_socket_is_replaced(world):
    first = world.client().start()
    first.kill()
    world.daemons.remove(first)
    check(os.path.exists(first.resolver), 'no stale socket to try with')
    first.start()
    check_equal(first.oe('version').returncode, 0, 'after a crash')
    Resolver(first.resolver).close()


def a_file_in_the_way_is_left_alone(world):
    daemon = world.client()
    for path in (daemon.control, daemon.resolver):
        with open(path, 'w', encoding='ascii') as out:
            out.write('precious')
        got = daemon.run()
        check_equal(got.returncode, 1, 'exit status')
        check(f'{path} exists and is not a socket; move it away or choose another path' in got.stderr, got.stderr)
        with open(path, encoding='ascii') as back:
            check_equal(back.read(), 'precious', path)
        os.unlink(path)


def bad_configurations_end_with_2(world):
    key, _ = world.key()
    public = world.path('public.pem')
    subprocess.run(['cp', key, public], check=True)
    os.chmod(public, 0o640)
    nokey = world.path('nokey.pem')
    with open(nokey, 'w', encoding='ascii') as out:
        out.write('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')
    os.chmod(nokey, 0o600)
    for lines, words in ((['deadline: soon'], ':3: deadline: "soon" is not a number (allowed: 100 to 60000)'),
                         (['dedline: 1'], ':3: unknown option "dedline"; do you mean "deadline"?'),
                         (['accept-anonymous: yes'], 'needs server-key'),
                         (['server-key: /nonexistent'], 'server-key: /nonexistent: No such file or directory'),
                         ([f'server-key: {public}'], 'can be read by others than its owner'),
                         ([f'server-key: {nokey}'], f'server-key: {nokey}: ')):
        daemon = Daemon(world, 'client', lines=lines, arguments=['--check'])
        got = daemon.run()
        check_equal(got.returncode, 2, f'--check with {lines}: {got.stderr}')
        check(words in got.stderr, f'no {words!r} in {got.stderr!r}')
        check_equal(got.stderr.count('\n'), 1, 'lines of the complaint')
    daemon = Daemon(world, 'client', arguments=['--check'], lines=[f'server-key: {key}'])
    got = daemon.run()
    check_equal((got.returncode, got.stdout), (0, f'oe-iked: no errors in {daemon.file}\n'), '--check')
    os.unlink(daemon.file)
    got = daemon.run()
    check_equal(got.returncode, 2, 'exit status without the file')
    check(got.stderr.endswith(': No such file or directory\n'), got.stderr)


def what_the_host_lacks_ends_with_1(world):
    for lines, words in ((['listen: 192.0.2.77'], '192.0.2.77:500 is not an address of this host: correct the option listen'),
                         (['resolver-group: nosuchgroup'], 'resolver-group: there is no group "nosuchgroup"'),
                         (['control-group: nosuchgroup'], 'control-group: there is no group "nosuchgroup"')):
        daemon = world.client(lines)
        got = daemon.run()
        check_equal(got.returncode, 1, f'exit status with {lines}: {got.stderr}')
        check(words in got.stderr, f'no {words!r} in {got.stderr!r}')
        check(not os.path.exists(daemon.control) and not os.path.exists(daemon.resolver), f'sockets are left: {lines}')


def usage_errors_end_with_2(world):
    program = world.program('oe-iked')
    for arguments in (['--kernel=real'], ['--frobnicate'], ['extra'], ['-c']):
        got = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        check_equal(got.returncode, 2, f'oe-iked {arguments}')
        check('oe-iked' in got.stderr, got.stderr)
    for arguments in (['--help'], ['-h'], ['--version'], ['-V']):
        got = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        check_equal((got.returncode, got.stderr), (0, ''), f'oe-iked {arguments}')
        check('oe-iked' in got.stdout, got.stdout)


def hangup_reads_the_log_level_again(world):
    daemon = world.client().start()
    daemon.write_conf(['log-level: error', 'tunnels-max: 77'])
    daemon.signal(signal.SIGHUP)
    for _ in range(200):
        if daemon.says('tunnels-max has changed'):
            break
        time.sleep(0.01)
    check(daemon.says(f'error: tunnels-max has changed in {daemon.file}: restart oe-iked to use it'), daemon.log())
    check(not daemon.says('allow-private has changed'), daemon.log())
    before = daemon.log()
    Resolver(daemon.resolver).close()
    time.sleep(0.1)
    check_equal(daemon.log(), before, 'the log with level error')
    daemon.write_conf(['log-level: shout'])
    daemon.signal(signal.SIGHUP)
    time.sleep(0.2)
    check(daemon.says('nothing changed: ') and daemon.says('is not a level'), daemon.log())


def reload_changes_options_and_leaves_tunnels(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('private.example', ['10.1.2.3'], [key]).reason, ADDRESS_NOT_ALLOWED, 'private addresses at first')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'a tunnel')
        before = daemon.tunnels()[0]['spi_in']
        got = daemon.oe('reload')
        check_equal((got.returncode, got.stdout), (0, 'nothing has changed\n'), 'the same file')
        daemon.write_conf(['log-level: debug', 'allow-private: yes', 'idle: 77', 'tunnels-max: 99'])
        got = daemon.oe('reload')
        check_equal((got.returncode, got.stdout), (0, 'allow-private: changed\nidle: changed\n'
                                                   'tunnels-max: restart oe-iked to change it\n'), got.stderr)
        check(resolver.request('private.example', ['10.1.2.3'], [key]).reason != ADDRESS_NOT_ALLOWED, 'private addresses are allowed now')
        check_equal(daemon.tunnels(SERVER)[0]['spi_in'], before, 'the tunnel')
        daemon.write_conf(['idle: 0'])
        got = daemon.oe('reload')
        check_equal((got.returncode, got.stderr),
                    (1, f'oe: {daemon.file}:3: idle: "0" is out of range (allowed: 1 to 604800)\n'), 'an error')
        checked = daemon.oe('checkconf')
        check_equal((checked.returncode, checked.stderr), (2, got.stderr), 'oe checkconf')
        daemon.write_conf(['idle: 77'])
        checked = daemon.oe('checkconf')
        check_equal((checked.returncode, checked.stdout), (0, f'no errors in {daemon.file}\n'), 'oe checkconf')
        check_equal(daemon.oe('checkconf', daemon.file + '.none').returncode, 2, 'no such file')


def groups_of(world, **files):
    """A folder of policy groups, and the line of oe.conf that says so."""
    folder = world.path('policies')
    os.makedirs(folder, exist_ok=True)
    for group in os.listdir(folder):
        os.unlink(os.path.join(folder, group))
    for group, entry in files.items():
        with open(os.path.join(folder, group.replace('_', '-')), 'w', encoding='ascii') as f:
            f.write(entry + '\n')
    return f'policy-dir: {folder}'


def policy_groups_change_at_reload_and_leave_tunnels(world):
    line = groups_of(world)
    world.server().start()
    daemon = world.client([line]).start()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.groups().hex(), 'cbf29ce484222325', 'the digest of nothing')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'a tunnel')
        before = daemon.tunnels()[0]['spi_in']
        groups_of(world, clear='example', block='other.example', private_or_clear='weak.example')
        checked = daemon.oe('checkconf')
        check_equal((checked.returncode, checked.stdout), (0, f'no errors in {daemon.file}, nor in the 3 entries of policy groups in {world.path("policies")}\n'),
                    checked.stderr)
        got = daemon.oe('reload')
        check_equal((got.returncode, got.stdout), (0, 'policy groups: changed\n'), got.stderr)
        digest = resolver.groups()
        check(digest.hex() != 'cbf29ce484222325', 'the same digest')
        got = resolver.request('www.example', [SERVER], [key])
        check_equal((got.kind, got.text), (CLEAR, 'policy clear: example'), 'a name in clear')
        tunnel, = daemon.tunnels()
        check_equal((tunnel['spi_in'], tunnel['policy']), (before, 'clear: example'), 'the tunnel')
        check('in policy groups: 3 (' in daemon.oe('status').stdout, 'oe status does not say it')
        got = resolver.request('a.other.example', [SERVER], [key])
        check_equal((got.kind, got.reason, got.text), (REFUSE, POLICY_FORBIDS, 'policy block: other.example'), 'a blocked name')
        check_equal(resolver.request('weak.example', [NOBODY], [key], deadline=500).kind, CLEAR, 'a host that does not answer')
        groups_of(world, clear='example\n*.example.net')
        for command, status in (('reload', 1), ('checkconf', 2)):
            got = daemon.oe(command)
            check_equal((got.returncode, got.stderr), (status, f'oe: {world.path("policies")}/clear:2: "*.example.net" has a wildcard (allowed: '
                                                       'ADDRESS, ADDRESS/LENGTH, or a domain name, which covers what is below it)\n'), command)
        check_equal(resolver.request('a.other.example', [SERVER], [key]).kind, REFUSE, 'the groups after an error')
        with Resolver(daemon.resolver) as other:
            check_equal(other.groups(), digest, 'told to whoever connects')


def clients_in_clear_and_block_are_refused(world):
    for group in ('clear', 'block'):
        server = world.server(lines=[groups_of(world, **{group: CLIENT})]).start()
        daemon = world.client().start()
        _, key = world.key()
        with Resolver(daemon.resolver) as resolver:
            check_equal(resolver.request('www.example', [SERVER], [key]).kind, REFUSE, group)
        check(server.says(f'a client at {CLIENT} is refused: policy {group}: {CLIENT}'), server.log())
        daemon.stop()
        server.stop()


def networkmanager_has_failures_forgotten(world):
    """system/networkmanager-dispatcher, with the arguments and the environment of NetworkManager-dispatcher(8)."""
    daemon, _ = world.pair()
    key = world.key(number=1)[1]        # another one than the host's
    hook = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../../system/networkmanager-dispatcher')
    with open(world.path('logger'), 'w', encoding='ascii') as logger:
        logger.write(f'#!/bin/sh\necho "$@" >>{world.path("logged")}\n')
    os.chmod(world.path('logger'), 0o755)

    def runs(*arguments, **environment):
        got = subprocess.run(['/bin/sh', hook, *arguments], capture_output=True, text=True, check=False,
                             env={'PATH': world.folder, 'OE_CONF': daemon.file, **environment})
        check_equal((got.returncode, got.stdout, got.stderr), (0, '', ''), f'{arguments} {environment}')

    def remembers():
        question = {'command': 'why', 'name': 'www.example', 'addresses': [SERVER], 'keys': [key.hex()]}
        return 'failure' in say(daemon.control, json.dumps(question).encode())[0]['host']
    with Resolver(daemon.resolver) as resolver:
        for arguments, environment in ((('', 'connectivity-change'), {'CONNECTIVITY_STATE': 'FULL'}), (('wlan0', 'up'), {}),
                                       (('tun0', 'vpn-up'), {'CONNECTIVITY_STATE': 'LIMITED'})):
            check_equal(resolver.request('www.example', [SERVER], [key]).reason, AUTH_FAILED, 'the attempt')
            for nothing in (('wlan0', 'down'), {}), (('', 'connectivity-change'), {'CONNECTIVITY_STATE': 'NONE'}), ((), {}), \
                    (('none', 'hostname'), {'CONNECTIVITY_STATE': 'FULL'}):
                runs(*nothing[0], **nothing[1])
            check(remembers(), 'the failure is forgotten too early')
            runs(*arguments, **environment)
            check(not remembers(), f'{arguments} {environment}: the failure is remembered')
    check(not os.path.exists(world.path('logged')), 'something is logged')
    runs('', 'connectivity-change', CONNECTIVITY_STATE='PORTAL')
    with open(world.path('logged'), encoding='ascii') as logged:
        check('oe pause' in logged.read(), 'a portal is not told of')
    daemon.stop()
    runs('wlan0', 'up')


def stats_are_what_prometheus_reads(world):
    """Every line by the grammar of the text format and the rules of promtool, every counter there once, and the kinds right where
    they matter."""
    daemon = world.client().start()
    plain = dict(line.split('=') for line in daemon.oe('stats').stdout.splitlines())
    text = daemon.oe('stats', '--prometheus').stdout
    check(text.endswith('\n') and text.isascii(), text[-20:])
    lines = text.splitlines()
    kinds, values = {}, {}
    for about, kind, value in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        check(re.fullmatch(rf'# HELP {value.split()[0]} [^\\]+', about), f'{about}\n{value}')
        declared = re.fullmatch(r'# TYPE ([a-z][a-z0-9_]*) (gauge|counter)', kind)
        sample = re.fullmatch(r'([a-z][a-z0-9_]*) (\d+)', value)
        check(declared and sample and declared.group(1) == sample.group(1), f'{kind}\n{value}')
        check(sample.group(1) not in values, f'{sample.group(1)} twice')
        check_equal(sample.group(1).endswith('_total'), declared.group(2) == 'counter', kind)
        kinds[sample.group(1)], values[sample.group(1)] = declared.group(2), int(sample.group(2))
    check_equal(len(values), len(plain), 'metrics')
    check_equal({name for name, kind in kinds.items() if kind == 'gauge'},
                {'unbound_oe_' + name for name in ('tunnels_all', 'tunnels_anonymous', 'tunnels_establishing', 'tunnels_protected',
                                                   'tunnels_healing', 'tunnels_draining', 'resolver_connections', 'ike_sas',
                                                   'ike_initiating', 'ike_half_open', 'ike_sas_established')}, 'gauges')
    check('unbound_oe_ike_received_total' in values, f'{sorted(values)}')


def the_shell_completes_commands_options_and_names(world):
    """Every command of oe help, the options of each that has some, and the tunnels that there are."""
    daemon, _ = world.pair()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [world.key()[1]]).kind, ALLOW, 'a tunnel')
        script = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../../ike-helper/cli/completion/oe')

        def complete(*words):
            got = subprocess.run(['bash', '-c', '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _oe; printf "%s\\n" "${COMPREPLY[@]}"',
                                  script, 'oe', *words], capture_output=True, text=True, check=True, timeout=20,
                                 env={**os.environ, 'OE_CONF': daemon.file, 'PATH': f'{world.folder}:{os.environ["PATH"]}'})
            return got.stdout.split()
        commands = re.findall(r'^  ([a-z]+)  ', daemon.oe('help').stdout, re.M)
        check_equal(complete(''), commands + ['--config', '--help', '--version'], 'commands')
        check_equal(complete('sta'), ['status', 'stats'], 'commands with sta')
        check_equal(complete('why', 'w'), ['www.example'], 'names')
        check_equal(complete('down', ''), [SERVER, 'www.example'], 'names and addresses')
        check_equal(complete('-c', daemon.file, 'stats', '--'), ['--json', '--prometheus'], 'options')
        check_equal(complete('key', 'd'), ['dns'], 'key')
        check_equal(complete('key', 'generate', '--type', 'p'), ['p256', 'p384'], 'values')
        check_equal(complete('key', 'rollover', 's'), ['start', 'switch', 'status'], 'steps')
        check(daemon.file in complete('key', 'publish', '--key', world.path('')), 'files')
        for command in commands:
            usage = daemon.oe(command, '--help').stdout.split('.\n')[0]
            for part in re.split(r'\boe key ', usage)[1:] if command == 'key' else [usage]:
                words = [command, part.split()[0]] if command == 'key' else [command]
                missing = set(re.findall(r'--[a-z-]+', part)) - set(complete(*words, '--'))
                check(not missing, f'{words}: {missing} are not completed')
        daemon.stop()
        check_equal(complete('down', ''), [], 'without oe-iked')


def only_addresses_in_listen_are_used(world):
    daemon = world.client([f'listen: {CLIENT}']).start()
    got = subprocess.run(['ss', '-Hlnu'], capture_output=True, text=True, check=True).stdout
    check_equal(sorted(re.findall(r'\S+:(?:500|4500)\b', got)), [f'{CLIENT}:4500', f'{CLIENT}:500'], 'bound')
    daemon.stop()
    world.client().start()
    got = subprocess.run(['ss', '-Hlnu'], capture_output=True, text=True, check=True).stdout
    check_equal(sorted(re.findall(r'\S+:(?:500|4500)\b', got)),
                ['0.0.0.0:4500', '0.0.0.0:500', '[::]:4500', '[::]:500'], 'bound without listen')


def oe_has_exit_statuses_for_scripts(world):
    daemon = world.client().start()
    for arguments, status in ((['status'], 0), (['status', '--json'], 0), (['status', '192.0.2.9'], 0),
                              (['version'], 0), (['stats'], 0), (['stats', '--json'], 0), (['help'], 0),
                              (['down', 'nobody.example'], 1), (['down', '192.0.2.9'], 1), (['down', 'a..b'], 2),
                              (['down'], 2), (['down', 'a', 'b'], 2), (['status', '--frob'], 2),
                              (['status', 'a', 'b'], 2), (['frob'], 2), ([], 2), (['-x', 'status'], 2),
                              (['help', 'frob'], 2), (['stats', 'x'], 2), (['version', 'x'], 2), (['key'], 2),
                              (['key', 'frob'], 2)):
        got = daemon.oe(*arguments)
        check_equal(got.returncode, status, f'oe {arguments}: {got.stderr}')
        check_equal(bool(got.stderr), status != 0, f'oe {arguments} says on stderr {got.stderr!r}')
    for command in ('status', 'down', 'clear', 'pause', 'resume', 'monitor', 'up', 'key', 'stats', 'retry', 'reload', 'checkconf', 'why', 'version', 'help'):
        got = daemon.oe(command, '--help')
        check(got.returncode == 0 and got.stdout.startswith(f'usage: oe {command}'), f'oe {command} --help: {got.stdout}')
        check(max(map(len, got.stdout.splitlines())) <= 100, f'oe {command} --help has longer lines:\n{got.stdout}')
    daemon.stop()
    got = daemon.oe('status')
    check_equal((got.returncode, got.stderr), (3, f'oe: oe-iked is not running (nobody listens on {daemon.control})\n'),
                'oe status without oe-iked')
    os.unlink(daemon.file)
    check_equal(daemon.oe('status').returncode, 2, 'oe -c with a missing file')


def what_a_person_types_wrong_is_told(world):
    """The exit status is 2, one line says what is wrong and what is right, and nothing was done."""
    daemon = world.client().start()
    idn, long = 'm\u00fcnchen.example', 'a' * 64 + '.example'
    too_long, no_name = '.'.join(['a' * 63] * 4 + ['a']), 'a name has 255 bytes at most, in labels of 1 to 63'
    pem = world.key()[0]
    wrong = [(command + [text], words) for text, words in (
        (idn, f'"{idn}" is not written as in the DNS: give its form with "xn--" ("idn2 {idn}" prints it)'), (long, no_name), (too_long, no_name),
        ('a..example', no_name), ('', no_name), ('192.0.2.300', no_name), ('192.0.2.0/24', no_name), ('fe80::1%eth0', no_name))
        for command in (['status'], ['down'], ['clear'], ['why'], ['up'], ['key', 'check'], ['key', 'dns', pem],
                        ['key', 'publish', '--key', pem], ['key', 'withdraw', '--key', pem])]
    wrong += [(command + [address], f'"{address}" is an address: give a name that has it') for address in (SERVER, '2001:db8::1')
              for command in (['up'], ['key', 'check'], ['key', 'dns', pem], ['key', 'withdraw', '--key', pem])]
    wrong += [
        (['clear', '*.example'], 'a permission is for one name; for all below example there is the policy group'),
        (['clear', '--for', '1h30m', 'a.example'], '"1h30m" is no time like 90s, 15m or 2h, or more than a week'),
        (['up', '--wait', '0', 'a.example'], '"0" is no time like 30s or 2m'),
        (['down', '--all'], 'unknown option --all'), (['status', '-x'], 'unknown option -x'), (['up', '--wait'], '--wait needs a value'),
        (['status', '--json=x'], '--json=x: unknown option, or it takes no value'), (['stats', '--jso'], 'not "--jso"'),
        (['monitor', 'x'], '--json or nothing is expected, not "x"'), (['key', 'rollover', 'finish', '--wait'], 'finish takes no --wait'),
        (['key', 'publish', '--all', 'a.example'], 'publish takes no --all'), (['key', 'withdraw', '--ttl', '5', 'a.example'], 'withdraw takes no --ttl'),
        (['key', 'publish', '--ttl', '1h', 'a.example'], 'a TTL is a number of seconds up to 604800, not "1h"'),
        (['key', 'publish', '--server', 'ns.example', 'a.example'], '--server wants ADDRESS or ADDRESS@PORT, not "ns.example"'),
        (['key', 'publish', 'a.example'], f'{daemon.file} has no server-key: say --key FILE')]
    for arguments, words in wrong:
        got = daemon.oe(*arguments)
        check_equal((got.returncode, got.stdout, got.stderr.count('\n')), (2, '', 1), f'oe {arguments}: {got.stderr}')
        check(words in got.stderr and '; see oe ' in got.stderr, f'oe {arguments}: {got.stderr}')
    missing = daemon.oe('key', 'withdraw', '--tsig', '/nowhere', '--key', pem, 'a.example')
    check_equal((missing.returncode, missing.stderr), (1, 'oe: --tsig /nowhere: No such file or directory\n'), 'no such TSIG key')
    check_equal(daemon.oe('clear', '--list').stdout, 'nothing is permitted in clear\n', 'permissions')


def what_a_person_may_type_in_two_ways_is_one(world):
    """An option behind the name, a final dot, another case, an IPv4 address in the form of an IPv6 socket."""
    daemon, _ = world.pair()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [world.key()[1]]).kind, ALLOW, 'a tunnel')
        for text in 'www.example', 'WWW.example.', SERVER, '::ffff:' + SERVER, '::FFFF:c000:202':
            check_equal(len(json.loads(daemon.oe('status', text, '--json').stdout)), 1, text)
        check_equal(daemon.oe('clear', '::ffff:' + SERVER, '--for', '1m').stdout.split(':')[0], SERVER, 'a permission')
        check_equal(daemon.oe('clear', '--end', SERVER).returncode, 0, 'its end')


def output_that_cannot_be_written_is_a_failure(world):
    daemon = world.client().start()
    with open('/dev/full', 'w', encoding='ascii') as full:
        for arguments in ['status'], ['status', '--json'], ['stats', '--prometheus'], ['help'], ['key', '--help'], ['version'], ['checkconf'], \
                ['key', 'dns', world.key()[0], 'a.example']:
            got = subprocess.run([world.program('oe'), '-c', daemon.file, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            check_equal((got.returncode, got.stderr), (1, 'oe: the output could not be written\n'), f'oe {arguments}')
    for arguments in ['status', '--json'], ['stats'], ['key', '--help']:
        reader, writer = os.pipe()
        os.close(reader)
        got = subprocess.run([world.program('oe'), '-c', daemon.file, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writer)
        check(got.returncode != 0 and got.stderr == '', f'oe {arguments} | true: {got}')


def oe_says_who_may_use_it(world):
    daemon = world.client().start()
    got = daemon.oe('status', user=65534, group=65534, extra_groups=[])
    check_equal(got.returncode, 3, f'exit status for nobody: {got.stderr}')
    check('no permission for' in got.stderr and 'control-group' in got.stderr, got.stderr)


SHOWN = {'rsa': ('RSA-3072', 3072), 'p256': ('ECDSA-P256', 256), 'p384': ('ECDSA-P384', 384), 'ed25519': ('Ed25519', 255)}


def keys_are_made_once_and_private(world):
    for kind, algorithm in (('rsa', '2'), ('p256', '3'), ('p384', '3'), ('ed25519', '4')):
        path = world.path(f'new-{kind}')
        command = [world.program('oe'), 'key', 'generate', '--type', kind, path]
        check_equal(subprocess.run(command, check=False).returncode, 0, f'{command}')
        check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        with open(path, 'rb') as key:
            before = key.read()
        again = subprocess.run(command, check=False, capture_output=True, text=True)
        check_equal((again.returncode, again.stderr), (1, f'oe: {path} exists; a key is never overwritten\n'), 'again')
        with open(path, 'rb') as key:
            check_equal(key.read(), before, path)
        dns = subprocess.run([world.program('oe'), 'key', 'dns', path, 'Host.Example.'], check=True, capture_output=True,
                             text=True).stdout
        check(dns.startswith(f'host.example. IN IPSECKEY 10 0 {algorithm} . '), dns)
        with open(path, 'rb') as key:
            piped = subprocess.run([world.program('oe'), 'key', 'dns', '-', 'host.example'], check=True,
                                   capture_output=True, text=True, stdin=key).stdout
        check_equal(piped, dns, 'from the standard input')
        data = dns.split(' IN IPSECKEY ')[1].strip()
        update = subprocess.run([world.program('oe'), 'key', 'dns', '--nsupdate', path, 'host.example'], check=True,
                                capture_output=True, text=True).stdout
        check_equal(update, f'update add host.example. 3600 IN IPSECKEY {data}\nsend\n', 'for nsupdate')
        shown = subprocess.run([world.program('oe'), 'key', 'show', path], check=True, capture_output=True, text=True).stdout
        check(shown.startswith(f'type: {SHOWN[kind][0]}\nbits: {SHOWN[kind][1]}\ntag: ') and
              shown.endswith(f'\nIPSECKEY: {data}\n'), shown)
    for arguments in (['--type', 'dsa', 'x'], ['--bits', '1024', 'x'], ['--bits', '99999', 'x'],
                      ['--type', 'p256', '--bits', '2048', 'x'], [], ['a', 'b']):
        got = subprocess.run([world.program('oe'), 'key', 'generate', *arguments], check=False, capture_output=True)
        check_equal(got.returncode, 2, f'oe key generate {arguments}')


def the_control_protocol_is_as_documented(world):
    daemon = world.client().start()
    check_equal(say(daemon.control, b'{"command":"status"}'), [{'result': 'ok', 'tunnels': 0, 'permissions': 0, 'policy_entries': 0, 'paused_s': 0}], 'status')
    check_equal(say(daemon.control, b'{"command":"version"}', b'{"command":"version"}')[1]['protocol'], 1, 'two in one go')
    for line, word in ((b'{"command":"frob"}', 'unknown-command'), (b'{"command":7}', 'bad-request'),
                       (b'[]', 'bad-request'), (b'', 'bad-request'), (b'{"command":"down"}', 'bad-request'),
                       (b'{"command":"status","match":7}', 'bad-request'),
                       (b'{"command":"status","match":""}', 'bad-request'),
                       (b'{"command":"down","match":"a..b"}', 'bad-request'),
                       (b'{"command":"down","match":"a.b"}', 'no-such-tunnel'),
                       (b'\xff\xfe', 'bad-request'), (b'{"command":"version\0"}', 'bad-request'),
                       (b'[' * 4000, 'bad-request'), (b'x' * 5000, 'bad-request')):
        got = say(daemon.control, line)
        check_equal((len(got), got[0]['result'], got[0]['word']), (1, 'error', word), f'{line[:40]}')
        check(got[0]['error'], 'an error without a text')


CASES = [
    idle_memory_is_below_5000_kB, privileges_are_given_up, neither_process_outlives_the_other, sockets_have_their_modes, a_stop_is_clean_and_quick,
    a_stop_refuses_who_waits, the_background_is_entered_when_all_works, a_service_manager_is_told,
    a_passed_socket_outlives_the_daemon, a_passed_socket_that_is_another_one_is_refused, a_socket_passed_to_somebody_else_is_left_alone,
    a_second_instance_refuses, a_stale_socket_is_replaced, a_file_in_the_way_is_left_alone, bad_configurations_end_with_2,
    what_the_host_lacks_ends_with_1, usage_errors_end_with_2, hangup_reads_the_log_level_again,
    reload_changes_options_and_leaves_tunnels, policy_groups_change_at_reload_and_leave_tunnels, clients_in_clear_and_block_are_refused,
    networkmanager_has_failures_forgotten, stats_are_what_prometheus_reads,
    the_shell_completes_commands_options_and_names,
    only_addresses_in_listen_are_used, oe_has_exit_statuses_for_scripts, what_a_person_types_wrong_is_told,
    what_a_person_may_type_in_two_ways_is_one, output_that_cannot_be_written_is_a_failure, oe_says_who_may_use_it,
    keys_are_made_once_and_private, the_control_protocol_is_as_documented,
]
