"""The module built into Unbound by the patches: its options in unbound.conf, what unbound-checkconf says of them, its counters."""
import collections
import glob
import os
import re
import subprocess

from bench import only_built_in, refused, soon
from dns import AAAA
from helper import CLEAR, REASON_AUTH_FAILED, REASON_TIMEOUT


def checkconf(b, *changes):
    """What unbound-checkconf says of the configuration with (old, new) changes, and whether it is content."""
    with open(b.resolver.conf) as f:
        text = f.read()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = os.path.join(b.folder, 'checked.conf')
    with open(path, 'w') as f:
        f.write(text)
    done = subprocess.run([b.paths.checkconf, path], capture_output=True, text=True)
    return done.stderr, done.returncode == 0


def statistics(r, command='stats_noreset'):
    """num.ipsecoe.* of unbound-control stats: word -> number."""
    found = re.findall(r'^num\.ipsecoe\.(\S+)=(\d+)$', r.control(command).stdout, re.M)
    return {word: int(number) for word, number in found}


@only_built_in
def test_checkconf_knows_where_the_module_must_be(b):
    """2: behind the validator it would see only what looks insecure, and protect nothing."""
    b.start(helper=False)
    order = '"ipsecoe validator iterator"'
    for modules, good in ((order, True), ('"validator ipsecoe iterator"', False), ('"ipsecoe iterator"', False),
                          ('"respip ipsecoe validator iterator"', True), ('"ipsecoe ipsecoe validator iterator"', False),
                          ('"ipsecoe subnetcache validator iterator"', True), ('"ipsecoe iterator validator"', False)):
        text, content = checkconf(b, (order, modules))
        assert content == good and (good or 'module-config' in text or 'module conf' in text), (modules, text)
    text, _ = checkconf(b, (order, '"validator ipsecoe iterator"'))
    assert 'ipsecoe must be in front of validator' in text, text


@only_built_in
def test_checkconf_judges_the_options(b):
    b.start(helper=False)
    socket = 'ipsecoe-socket: "%s"' % b.socket
    for old, new, word in ((socket, 'ipsecoe-socket: "here"', 'wants an absolute path'),
                           (socket, 'ipsecoe-socket: "/%s"' % ('x' * 200), 'too long'),
                           (socket, 'ipsecoe-policy-dir: "policies"', 'ipsecoe-policy-dir: wants an absolute path'),
                           ('ipsecoe-deadline: 1500', 'ipsecoe-deadline: 5', 'between 100 and 60000'),
                           ('ipsecoe-deadline: 1500', 'ipsecoe-deadline: soon', 'number expected')):
        text, content = checkconf(b, (old, new))
        assert not content and word in text, (new[:40], text)


@only_built_in
def test_policy_groups_are_where_the_option_says(b):
    folder = os.path.join(b.folder, 'policies')
    os.mkdir(folder)
    with open(os.path.join(folder, 'private'), 'w') as f:
        f.write('plainhost.example.test\n')
    r = b.start(helper=False, server=' ipsecoe-policy-dir: "%s"' % folder)
    assert refused(r.answer('plainhost.example.test'), 'policy private: plainhost.example.test')
    assert r.control('get_option', 'ipsecoe-policy-dir').stdout.strip() == folder
    assert r.answer('p1.example.test').addresses


@only_built_in
def test_checkconf_warns_of_what_makes_it_useless(b):
    """Each of these is a configuration that works and does not do what its owner thinks."""
    b.start(helper=False)
    assert checkconf(b) == ('', True)
    anchor = 'trust-anchor-file: "%s"' % b.world.trust_anchor
    for old, new, words in ((anchor, '', 'no trust anchor is configured'), ('ede: yes', 'serve-expired: yes', 'serve-expired is on'),
                            ('ipsecoe-deadline: 1500', 'ipsecoe-deadline: 1900', 'not below discard-timeout'),
                            (b.socket, '/run/elsewhere', 'looked for inside of the chroot')):
        text, content = checkconf(b, (old, new), ('qname-minimisation: yes', 'chroot: "%s"' % b.world.folder))
        assert content and words in text, (new, text)
    assert checkconf(b, ('ede: yes', 'chroot: "%s"' % b.world.folder)) == ('', True)


@only_built_in
def test_socket_may_be_inside_of_a_chroot(b):
    """Its path is written as all paths of unbound.conf are, with the chroot in front."""
    r = b.start(server=' chroot: "%s"' % b.world.folder)
    assert r.answer('host.example.test').addresses


@only_built_in
def test_options_are_told_by_unbound_control(b):
    r = b.start(helper=False, deadline=700)
    assert r.control('get_option', 'ipsecoe-socket').stdout.strip() == b.socket
    assert r.control('get_option', 'ipsecoe-deadline').stdout.strip() == '700'


@only_built_in
def test_reload_takes_new_options(b):
    """A deadline of 100 ms refuses what one of 1500 ms waited for."""
    r = b.start(lambda request: (0.5, request.allow(ttl=0)))
    assert r.answer('host.example.test').addresses
    with open(r.conf) as f:
        text = f.read()
    with open(r.conf, 'w') as f:
        f.write(text.replace('ipsecoe-deadline: 1500', 'ipsecoe-deadline: 100'))
    assert r.control('reload').returncode == 0
    assert refused(r.answer('host.example.test'), 'oe-iked did not answer in time')


@only_built_in
def test_unbound_with_a_bad_option_does_not_start(b):
    """An option of unbound.conf that is wrong is wrong at the start, as all of them."""
    r = b.start(helper=False)
    with open(r.conf) as f:
        text = f.read()
    r.stop()
    with open(r.conf, 'w') as f:
        f.write(text.replace('ipsecoe-deadline: 1500', 'ipsecoe-deadline: 99'))
    done = subprocess.run([b.paths.unbound, '-d', '-c', r.conf], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and 'must be between 100 and 60000' in r.log_text(), r.log_text()
    b.resolver = None


@only_built_in
def test_every_outcome_is_counted(b):
    """7: statistics say how many names were refused, and why."""
    verdicts = {'host.example.test': lambda q: q.allow(), 'k1.example.test': lambda q: q.verdict(CLEAR),
                'k2.example.test': lambda q: q.refuse(REASON_AUTH_FAILED), 'k3.example.test': lambda q: q.refuse(REASON_TIMEOUT),
                'k4.example.test': lambda q: q.refuse(200), 'k5.example.test': lambda q: None,
                'multi.example.test': lambda q: q.allow(refused=['192.0.2.3'])}
    r = b.start(lambda request: verdicts[request.owner](request), threads=2, server=' so-reuseport: yes')
    assert statistics(r) == {}, 'nothing has happened yet'
    r.answer('plainhost.example.test')
    for name in ('host', 'multi', 'k1', 'k2', 'k3', 'k3', 'k4'):
        r.answer(name + '.example.test')
    r.answer('host.example.test')
    assert refused(r.answer('boguskey.example.test'), 'do not validate')
    waits = r.ask('k5.example.test')
    assert soon(lambda: statistics(r).get('waiting') == 1), statistics(r)
    assert statistics(r) == {'asked': 8, 'waiting': 1, 'allowed': 2, 'partial': 1, 'clear': 1, 'refused': 5, 'refused.auth-failed': 1,
                             'refused.timeout': 2, 'refused.unknown': 1, 'refused.key-bogus': 1}, statistics(r)
    assert 'num.ipsecoe.asked=8' in r.control('stats').stdout, 'tells, and starts again'
    assert statistics(r) == {'waiting': 1}, statistics(r)
    assert refused(waits.answer(), 'oe-iked did not answer in time')
    b.helper.stop()
    assert soon(lambda: refused(r.answer('host.example.test', AAAA), 'oe-iked is not running'))
    found = statistics(r)
    assert 'waiting' not in found and found['refused.helper-silent'] == 1 and found['refused.helper-absent'] >= 1, found


@only_built_in
def test_statistics_in_shared_memory_are_the_same(b):
    key = 20000 + os.getpid() % 10000
    r = b.start(lambda request: request.refuse(), server=' shm-enable: yes\n shm-key: %d\n statistics-interval: 1\n'
                ' statistics-cumulative: yes\n extended-statistics: yes' % key)
    r.answer('host.example.test')
    assert soon(lambda: statistics(r, 'stats_shm') == {'asked': 1, 'refused': 1, 'refused.auth-failed': 1}, 4), statistics(r, 'stats_shm')
    for command in ('stats_shm', 'stats_noreset'):
        assert re.search(r'^mem\.mod\.ipsecoe=[1-9]\d*$', r.control(command).stdout, re.M), r.control(command).stdout


WIRING = set('configure.ac Makefile.in services/modstack.c util/fptr_wlist.c util/config_file.c util/config_file.h util/configlexer.lex '
             'util/configparser.y util/shm_side/shm_main.c daemon/stats.c daemon/remote.c libunbound/unbound.h '
             'smallapp/unbound-checkconf.c smallapp/unbound-control.c doc/example.conf.in'.split())
MANUALS = set('doc/unbound.conf.5.in doc/unbound-control.8.in doc/unbound.conf.rst doc/unbound-control.rst'.split())


@only_built_in
def test_patches_wire_and_do_nothing_else(b):
    """No patch touches what is not wiring, takes a line away or has more than its fellow for another version."""
    added = {}
    for path in glob.glob(os.path.join(os.path.dirname(os.path.realpath(__file__)), '../../patches/unbound-*-ipsecoe.patch')):
        lines = added[path] = collections.Counter()
        with open(path) as f:
            for line in f:
                if line.startswith('+++ b/'):
                    file = line[6:].strip()
                    assert file in WIRING | MANUALS, (path, file)
                elif line.startswith('-') and not line.startswith('---'):
                    assert 'respip.lo' in line, (path, line)        # the one list of objects that has no room for a line more
                elif line.startswith('+') and file not in MANUALS and 'respip.lo' not in line:
                    lines[(file, line[1:].strip())] += 1
    assert len(added) == 2 and len(set(map(frozenset, (a.items() for a in added.values())))) == 1, [
        sorted((a - other).items()) for a in added.values() for other in added.values()]
