"""What people tell oe-iked to do: permissions in clear, and pauses."""
import json
import os
import pty
import re
import socket
import subprocess
import threading
import time

from cases_why import client, dns, PLAIN, PROTECTED, why
from resolver import ALLOW, CLEAR, DOWN_BY_OPERATOR, Resolver
from world import SERVER, check, check_equal, many, wait_for


def said(got, status=0):
    """What oe has said, on either output."""
    check_equal(got.returncode, status, f'{got.args}: {got.stdout}{got.stderr}')
    return got.stdout + got.stderr


def what_is_permitted_is_answered_in_clear(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'before')
        check_equal(said(daemon.oe('clear', 'WWW.example.')), 'www.example: in clear for 60m; 1 tunnel released\n', 'oe clear')
        check_equal(resolver.down().owner, 'www.example', 'the resolver forgets')
        wait_for('the release', 1, lambda: not daemon.tunnels())
        verdict = resolver.request('www.example', [SERVER], [key])
        check_equal((verdict.kind, verdict.ttl, verdict.text, verdict.results), (CLEAR, 60, 'permitted by the operator', []), f'{verdict}')
        check_equal(daemon.tunnels(), [], 'no tunnel')
        check(re.fullmatch(r'www\.example: in clear for (59|60)m\n', said(daemon.oe('clear', '--list'))), 'the list')
        check('\nin clear by the operator\'s word: 1 (oe clear --list)\n' in daemon.oe('status').stdout, 'oe status')
        check_equal(said(daemon.oe('reload')), 'nothing has changed\n', 'oe reload')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, CLEAR, 'a reload does not end it')
        check_equal(said(daemon.oe('clear', '--end', 'www.example')), 'www.example: no longer in clear\n', '--end')
        down = resolver.down()
        check_equal((down.owner, down.reason), ('www.example', DOWN_BY_OPERATOR), 'the resolver forgets')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'afterwards')
        check_equal(said(daemon.oe('clear', '--end', 'www.example'), 1), 'oe: there is no such permission\n', 'again')


def a_permission_ends_by_itself_and_with_oe_iked(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        said(daemon.oe('clear', '--for', '1s', 'www.example'))
        check(resolver.request('www.example', [SERVER], [key]).ttl <= 1, 'somebody keeps it longer')     # 1 in the first millisecond
        check_equal(resolver.down().owner, 'www.example', 'the end')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'afterwards')
        check_equal(said(daemon.oe('clear', '--list')), 'nothing is permitted in clear\n', 'the list')
        said(daemon.oe('clear', '--for', '7d', SERVER))
    daemon.stop()
    daemon.start()
    check_equal(said(daemon.oe('clear', '--list')), 'nothing is permitted in clear\n', 'after a restart')


def a_shared_address_is_not_permitted_by_one_of_its_names(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        for name in ('www.example', 'mail.example'):
            check_equal(resolver.request(name, [SERVER], [key]).kind, ALLOW, name)
        check_equal(said(daemon.oe('clear', 'www.example'), 1),
                    f'oe: its address {SERVER} is protected for mail.example, too: permit the address\n', 'refused')
        check_equal(daemon.tunnels()[0]['state'], 'protected', 'nothing has changed')
        check_equal(said(daemon.oe('clear', SERVER, '--for', '2h')), f'{SERVER}: in clear for 2h; 1 tunnel released\n', 'the address')
        verdict = resolver.request('mail.example', [SERVER, many(1)], [key])
        check_equal((verdict.kind, verdict.results), (ALLOW, [0, verdict.results[1]]), f'{verdict}')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, CLEAR, 'the other name')
        said(daemon.oe('clear', '--end', SERVER))
        said(daemon.oe('clear', 'www.example'))
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, CLEAR, 'by name')
        check_equal(resolver.request('mail.example', [SERVER], [key]).kind, ALLOW, 'the other name protects it again')
        check(re.fullmatch(r'www\.example: in clear for (59|60)m; its address is protected, because of mail\.example\n',
                           said(daemon.oe('clear', '--list'))), 'the list')


def wrong_permissions_are_refused(world):
    daemon = world.client().start()
    for arguments, words in (([], 'give one name or address'), (['a', 'b'], 'give one name or address'),
                             (['--list', 'a'], 'no name is expected'), (['--list', '--end', 'a'], 'only one of'),
                             (['--for', '8d', 'a.example'], '"8d" is no time like 90s, 15m or 2h, or more than a week'),
                             (['--for', '0', 'a.example'], 'no time'), (['--for', '1w', 'a.example'], 'no time'),
                             (['--for', '1hh', 'a.example'], 'no time'), (['--for', '', 'a.example'], 'no time'),
                             (['--for'], '--for needs a value'), (['--frob', 'a'], 'unknown option --frob'),
                             (['a..b'], 'neither a domain name nor an address')):
        check(words in said(daemon.oe('clear', *arguments), 2), f'oe clear {arguments}')
    for i in range(64):
        said(daemon.oe('clear', many(i)))
    check_equal(said(daemon.oe('clear', SERVER), 1), 'oe: there are too many permissions; end one\n', 'one more')


def on_a_terminal(daemon, *arguments, **environment):
    """What oe writes to a terminal, and its exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update({'OE_CONF': daemon.file, 'TERM': 'xterm', **environment})
        os.execv(daemon.world.program('oe'), ['oe', *arguments])
    got = b''
    try:
        while more := os.read(fd, 4096):
            got += more
    except OSError:             # the other end is gone
        pass
    os.close(fd)
    return got.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def up_waits_until_the_host_is_there(world):
    with dns(world) as names:
        daemon = client(world).start()
        names.start(daemon.resolver)
        got = daemon.oe('up', '--wait', '1s', 'silent.why.test')
        check_equal((got.returncode, got.stderr), (5, ''), 'no terminal, no display')
        check('is refused, because the host does not answer IKE' in got.stdout, got.stdout)
        late = threading.Timer(1.5, world.server().start)
        late.start()
        shown, status = on_a_terminal(daemon, 'up', 'good.why.test')
        late.join()
        check_equal(status, 0, shown)
        check('\r\033[Kgood.why.test (1 s)' in shown and '\r\033[KThe next query for good.why.test ' in shown, f'{shown!r}')
        check(f'is answered, because packets to {SERVER} are encrypted' in shown, shown)
        check_equal(daemon.oe('up', 'plain.why.test').returncode, PLAIN, 'a name without keys')
        check_equal(daemon.oe('up', 'missing.why.test').returncode, 6, 'no such name')
        for arguments, words in (([], 'give one name'), (['--wait', '11m', 'a'], 'is no time'), (['a..b'], 'not a domain name'),
                                 (['--frob'], 'unknown option --frob')):
            check(words in said(daemon.oe('up', *arguments), 2), f'oe up {arguments}')


def ways_around_are_warned_of(world):
    """Another resolver in resolv.conf, systemd-resolved, a browser's own DNS; not what is in order."""
    with dns(world) as names:
        daemon = client(world).start()

        def warnings(resolv):
            with open('/etc/resolv.conf', 'w') as f:
                f.write(resolv)
            return [line for line in said(daemon.oe('status')).splitlines() if line.startswith('warning: ')]
        try:
            check_equal(warnings('# comment\nnameserver 127.0.0.1\noptions edns0\n'), [], 'in order, without a resolver that answers')
            check_equal(warnings('search example\n'), [], 'nobody named: 127.0.0.1')
            check_equal(warnings('nameserver 127.0.0.1\nnameserver 192.0.2.53\n'),
                        ['warning: /etc/resolv.conf names 192.0.2.53 beside or instead of 127.0.0.1: what is asked there is not protected'],
                        'another one')
            check('fe80::1%eth0' in warnings('nameserver fe80::1%eth0\n')[0], 'a link-local one')
            check_equal(warnings('nameserver 127.0.0.53\n'), [], 'systemd-resolved, which asks nobody')
            names.start(daemon.resolver, server=' local-zone: "use-application-dns.net." always_nxdomain')
            check_equal(warnings(''), [], 'browsers are told')
            names.stop()
            names.start(daemon.resolver, server=' local-data: "use-application-dns.net. A 192.0.2.9"')
            [warning] = warnings('')
            check('so that browsers may ask others over HTTPS' in warning, warning)
        finally:
            warnings('nameserver 127.0.0.1\n')


def colours_are_for_terminals(world):
    daemon, _ = world.pair()
    with Resolver(daemon.resolver) as resolver:
        resolver.request('www.example', [SERVER], [world.key()[1]])
        shown, _ = on_a_terminal(daemon, 'status')
        check('  \033[32mprotected\033[0m  ' in shown, f'{shown!r}')
        for environment in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}):
            plain, _ = on_a_terminal(daemon, 'status', **environment)
            check('\033' not in plain and '  protected  ' in plain, f'{plain!r}')
        check('\033' not in daemon.oe('status').stdout, 'a pipe')


PORTAL = '192.0.2.200'


def a_pause_lasts_until_the_portal_is_passed(world):
    """Before it is paused nothing signed is answered; then everything, and saying so; what is protected stays so; and it ends by itself."""
    with dns(world) as names:
        daemon = client(world).start()
        world.server().start()
        unbound = names.start(daemon.resolver, server=' val-bogus-ttl: 1')
        zones = names.zones
        check_equal(why(daemon, 'good.why.test')[0], PROTECTED, 'before')
        for proxy in (zones.root, zones.tld, zones.leaf):
            proxy.portal = PORTAL
        answer = unbound.answer('plain.why.test')
        check(answer.rcode == 2 and 'no DNSSEC records' in answer.reasons, f'SERVFAIL behind a portal: {answer.ede}')
        check_equal(said(daemon.oe('pause')), 'paused for 15m, or until DNSSEC validates: what is new is answered in clear\n', 'oe pause')
        mark = len(zones.root.asked)
        answer = wait_for('an answer', 2, lambda: (lambda a: a if a.addresses else None)(unbound.answer('plain.why.test')))
        check_equal((answer.addresses, answer.ad), ([PORTAL], False), f'{answer}')
        check('ipsec: in clear: paused by the operator' in answer.reasons, f'{answer.ede}')
        check('\npaused for 15m: what is new, and what does not validate, is answered in clear (oe resume)\n' in
              daemon.oe('status').stdout.replace('14m', '15m'), 'oe status')
        status, told = why(daemon, 'plain.why.test')
        check_equal((status, told['reason']), (PLAIN, 'paused'), told['sentence'])
        check(re.search(r'because the operator has paused what is new for 1[45]m \(oe pause\)\.$', told['sentence']), told['sentence'])
        check_equal([t['state'] for t in daemon.tunnels()], ['protected'], 'what is protected')
        wait_for('the question if it is over', 5, lambda: any(name.startswith('oe-') for name, _ in zones.root.asked[mark:]))
        time.sleep(0.3)
        check('paused for' in daemon.oe('status').stdout, 'the portal\'s answer ends nothing')
        for proxy in (zones.root, zones.tld, zones.leaf):
            proxy.portal = None
        wait_for('the end of the pause', 8, lambda: daemon.says('no longer paused: DNSSEC validates here'))
        check('paused for' not in daemon.oe('status').stdout, 'oe status')
        answer = wait_for('a validated answer', 3, lambda: (lambda a: a if a.ad else None)(unbound.answer('plain.why.test')))
        check_equal(answer.addresses, [SERVER], f'{answer}')
        check_equal(said(daemon.oe('pause'), 1),
                    'oe: DNSSEC validates here: nothing to pause (oe clear permits a name in clear)\n', 'another one')


def a_pause_is_told_to_every_resolver_and_ended_by_hand(world):
    """Here nobody answers the question whether DNSSEC validates."""
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as early:
        check_equal(early.request('www.example', [SERVER], [key]).kind, ALLOW, 'protected')
        said(daemon.oe('pause', '--for', '2m'))
        check_equal(early.pause(), 120, 'told at once')
        with Resolver(daemon.resolver) as late:
            check_equal(late.pause(), 120, 'told to a new one')
            check_equal(late.request('www.example', [SERVER], [key]).kind, ALLOW, 'still protected')
            verdict = late.request('new.example', [many(3)], [key])
            check_equal((verdict.kind, verdict.ttl, verdict.text), (CLEAR, 5, 'paused by the operator'), f'{verdict}')
            check_equal(said(daemon.oe('resume')), 'no longer paused\n', 'oe resume')
            check_equal((late.pause(), late.down().owner), (0, 'new.example'), 'the end')
        check_equal(said(daemon.oe('resume'), 1), 'oe: nothing is paused\n', 'again')
    for arguments, words in ((['x'], 'no argument'), (['--for', '1y'], 'is no time'), (['--for'], '--for needs a value')):
        check(words in said(daemon.oe('pause', *arguments), 2), f'oe pause {arguments}')
    check('no argument' in said(daemon.oe('resume', 'x'), 2), 'oe resume x')


def watching(daemon):
    """A connection that gets events; a file of lines."""
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(5)
    stream.connect(daemon.control)
    stream.sendall(b'{"command": "monitor"}\n')
    lines = stream.makefile('r')
    stream.close()              # the file keeps it
    check_equal(json.loads(lines.readline()), {'watching': True}, 'the first line')
    return lines


def events(lines, last):
    """(what, name, address, text) of all events up to the one called last."""
    told = []
    while not told or told[-1][0] != last:
        event = json.loads(lines.readline())['event']
        check(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z', event['at']), event['at'])
        told.append((event['what'], event['name'], event['address'], event['text']))
    return told


def whoever_watches_is_told_what_happens(world):
    daemon, _ = world.pair()
    _, key = world.key()
    _, other = world.key('ed25519', 1)
    lines = watching(daemon)
    with subprocess.Popen([daemon.world.program('oe'), 'monitor'], env={**os.environ, 'OE_CONF': daemon.file}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as people, lines, Resolver(daemon.resolver) as resolver:
        wait_for('oe monitor', 5, lambda: daemon.log().count('control connection from') >= 2)
        time.sleep(0.1)
        resolver.request('www.example', [SERVER], [key])
        resolver.request('wrong.example', [SERVER], [other])
        said(daemon.oe('clear', 'www.example'))
        resolver.request('www.example', [SERVER], [key])
        told = events(lines, 'clear')
        check(re.fullmatch(r'Ed25519/\d+, AES-GCM-256/ESN', told[1][3]), f'{told[1]}')
        check_equal([(what, name, address) for what, name, address, _ in told], [
            ('establishing', 'www.example', SERVER), ('protected', 'www.example', SERVER), ('answered', 'www.example', None),
            ('refused', 'wrong.example', None), ('permitted', 'www.example', None), ('draining', 'www.example', SERVER),
            ('forgotten', 'www.example', None), ('gone', 'www.example', SERVER), ('clear', 'www.example', None)], 'events')
        check_equal(told[3][3], 'the address is already protected for another name with another key: bound to www.example', 'the reason')
        daemon.stop()
        out, err = people.communicate(timeout=5)
        check_equal((people.returncode, err), (3, 'oe: oe-iked broke off its answer\n'), 'its end')
        check_equal([re.sub(r'^[\d:.]{12} ', '', line) for line in out.splitlines()][2:5],
                    ['answered       www.example', f'refused        wrong.example: {told[3][3]}',
                     'permitted      www.example: by the operator'], out)


def one_who_does_not_read_loses_events_and_holds_up_nobody(world):
    daemon, _ = world.pair()
    _, key = world.key()
    slow, fast = watching(daemon), watching(daemon)
    with slow, fast, Resolver(daemon.resolver) as resolver:
        resolver.request('www.example', [SERVER], [key])
        check_equal(events(fast, 'answered')[-1][1], 'www.example', 'both watch')
        memory = daemon.memory_kb()
        for i in range(3000):
            resolver.request('www.example', [SERVER], [key])
            json.loads(fast.readline())
        more = daemon.memory_kb() - memory
        check(more < 1000 or world.is_sanitized(), f'{more} kB more')
        check_equal(len(daemon.tunnels()), 1, 'oe status answers')
        told = lost = 0
        while told + lost < 3003:
            line = json.loads(slow.readline())
            lost += line.get('lost', 0)
            told += 'event' in line
            if lost == 0 and told > 100:
                resolver.request('www.example', [SERVER], [key])    # when there is room again it is told what was lost
                told -= 1
        check(lost > 0, 'nothing was lost')
    others = [watching(daemon) for _ in range(8)]
    check_equal(said(daemon.oe('monitor'), 1), 'oe: too many watch already\n', 'the ninth')
    check_equal(said(daemon.oe('reload')), 'nothing has changed\n', 'others are served')
    for lines in others:
        lines.close()
    time.sleep(0.1)
    watching(daemon).close()
    return f'{lost} of 3003 lost'


CASES = [
    what_is_permitted_is_answered_in_clear,
    a_permission_ends_by_itself_and_with_oe_iked,
    a_shared_address_is_not_permitted_by_one_of_its_names,
    wrong_permissions_are_refused,
    whoever_watches_is_told_what_happens,
    one_who_does_not_read_loses_events_and_holds_up_nobody,
    ways_around_are_warned_of,
    colours_are_for_terminals,
    up_waits_until_the_host_is_there,
    a_pause_lasts_until_the_portal_is_passed,
    a_pause_is_told_to_every_resolver_and_ended_by_hand,
]
