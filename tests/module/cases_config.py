"""What a lookup costs, and what the configuration may be."""
import os
import shutil
import subprocess

from bench import only_dynlib, refused, wired
from dns import A, AAAA, IPSECKEY, NOERROR
from world import LEAF


def test_cold_unkeyed_name_costs_one_extra_query(b):
    """5: at most one in a signed zone, none in an unsigned one."""
    r = b.start()
    r.answer('p1.example.test')
    b.world.leaf.asked = []
    r.answer('p2.example.test')
    assert sorted(b.world.upstream()) == [('p2.example.test', A), ('p2.example.test', IPSECKEY)], b.world.upstream()
    b.world.leaf.asked = []
    r.answer('p2.example.test', AAAA)
    r.answer('p2.example.test')
    assert not b.world.upstream(), 'the denial of IPSECKEY denies AAAA, too: %s' % b.world.upstream()
    r.answer('www.plain.test')
    b.world.leaf.asked = []
    r.answer('www.plain.test', AAAA)
    assert b.world.upstream() == [('www.plain.test', AAAA)], b.world.upstream()


def test_key_lookup_goes_beside_the_question(b):
    """5: in a zone known to be signed a cold name takes one round trip, not two. One way: 0.2 s."""
    b.world.leaf.delay = 0.2
    r = b.start()
    for i in range(20, 24):     # Unbound gets to know the round trip time and stops resending
        r.answer('p%d.example.test' % i)
    answer = r.answer('p4.example.test')
    assert answer.addresses and answer.took < 0.35 * b.slack, str(answer)
    answer = r.answer('k4.example.test')
    assert answer.addresses and answer.took < 0.35 * b.slack, str(answer)
    b.world.leaf.asked = []
    r.answer('www.plain.test')
    r.answer('alias.plain.test')
    assert not b.world.upstream(IPSECKEY), b.world.upstream()


def test_key_lookup_goes_beside_the_question_in_a_stub_zone(b):
    """5: with configured servers there is no delegation in the cache; the zone is known by its signatures. One way: 0.2 s."""
    b.world.leaf.delay = 0.2
    r = b.start(extra='stub-zone:\n name: "example.test"\n stub-addr: %s\n' % LEAF)
    for i in range(20, 24):
        r.answer('p%d.example.test' % i)
    answer = r.answer('p4.example.test')
    assert answer.addresses and answer.took < 0.35 * b.slack, str(answer)


def test_cold_alias_costs_one_extra_query_a_name(b):
    """5: nobody could know that the first name is an alias; the lookup for it goes on to its target, once."""
    r = b.start(lambda request: request.refuse())
    r.answer('p1.example.test')
    b.world.leaf.asked = []
    answer = r.answer('alias2.example.test')
    assert refused(answer) and b.helper.owners() == ['host.example.test'], str(answer)
    assert sorted(b.world.upstream(IPSECKEY)) == [('alias2.example.test', IPSECKEY), ('host.example.test', IPSECKEY)], \
        b.world.upstream()
    b.world.leaf.asked = []
    r.answer('alias2.example.test')
    assert not b.world.upstream(IPSECKEY), b.world.upstream()
    assert r.answer('toplain.example.test').addresses == ['192.0.2.40']
    assert refused(r.answer('out.example.test')) and b.helper.owners()[2:] == ['host.other.test']


@wired
def test_delegations_are_remembered(b):
    """The guard must not cost the referral walk: ipsecmod's does."""
    r = b.start()
    r.answer('p1.example.test')
    r.answer('www.plain.test')
    b.world.root.asked, b.world.tld.asked = [], []
    r.answer('p3.example.test')
    r.answer('k3.example.test')
    r.answer('nothing.plain.test')
    assert not b.world.root.asked and not b.world.tld.asked, (b.world.root.asked, b.world.tld.asked)


def test_negative_answers_are_cached(b):
    r = b.start()
    for _ in range(2):
        assert r.answer('p1.example.test', AAAA).rcode == NOERROR and r.answer('nothing.example.test').rcode == 3
    for what in (('p1.example.test', AAAA), ('nothing.example.test', A)):
        assert b.world.upstream().count(what) == 1, b.world.upstream()


@wired
def test_checkconf_needs_neither_helper_nor_configuration(b):
    r = b.start(helper=False)
    env = dict(r.environment(), OE_CONF='/nonexistent/oe.conf')
    done = subprocess.run([b.paths.checkconf, r.conf], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and 'no errors' in done.stdout, done.stdout + done.stderr
    assert not os.path.exists(b.socket)


@only_dynlib
def test_example_configuration_is_accepted(b):
    r = b.start(helper=False)
    with open(os.path.join(os.path.dirname(__file__), '../../unbound.conf.example')) as f:
        text = f.read().replace('/usr/lib/unbound-oe/unbound-oe.so', b.paths.module)
    shutil.copy(b.world.trust_anchor, os.path.join(b.folder, 'root.key'))
    path = os.path.join(b.folder, 'example.conf')
    with open(path, 'w') as f:
        f.write(text.replace('/var/lib/unbound', b.folder) + 'server:\n directory: "%s"\n' % b.folder)
    done = subprocess.run([b.paths.checkconf, path], env=r.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@only_dynlib
def test_broken_configuration_refuses_keyed_names_only(b):
    r = b.start(conf='resolver-socket "no colon"\n')
    answer = r.answer('host.example.test')
    assert refused(answer, 'oe.conf:1: '), str(answer)
    assert r.answer('plainhost.example.test').addresses
    assert 'oe.conf:1: ' in r.log_text()


@only_dynlib
def test_impossible_values_in_the_configuration(b):
    for text, word in (('deadline: 5\n', 'between'), ('deadline: soon\n', 'number'), ('resolver-socket: here\n', 'absolute'),
                       ('resolver-socket: /%s\n' % ('x' * 200), 'too long'), ('x' * 3000 + '\n', 'line too long')):
        r = b.start(helper=False, conf='# a comment\n' + text)
        answer = r.answer('host.example.test')
        assert refused(answer, 'oe.conf:2: ') and word in answer.reasons, (text[:40], str(answer))
        assert r.stop() == ''


@only_dynlib
def test_options_of_the_helper_are_not_judged(b):
    r = b.start(conf='resolver-socket: %s\nsomething-of-the-helper: 5 # comment\n' % b.socket)
    assert r.answer('host.example.test').addresses


@only_dynlib
def test_module_of_another_unbound_is_refused(b):
    """A module reads Unbound's structures: with those of another build it would read rubbish."""
    notes = subprocess.run(['readelf', '-n', b.paths.unbound], capture_output=True, text=True, check=True).stdout
    build_id = notes.split('Build ID: ')[1].split()[0].encode()
    with open(b.paths.module, 'rb') as f:
        module = f.read()
    assert build_id in module, 'the module does not know its Unbound'
    foreign = os.path.join(b.folder, 'foreign.so')
    with open(foreign, 'wb') as f:
        f.write(module.replace(build_id, build_id[::-1]))
    r = b.start(helper=False)
    with open(r.conf) as f:
        text = f.read().replace(b.paths.module, foreign)
    path = os.path.join(b.folder, 'foreign.conf')
    with open(path, 'w') as f:
        f.write(text.replace(r.log, ''))
    done = subprocess.run([b.paths.unbound, '-d', '-c', path], env=r.environment(), capture_output=True, text=True, timeout=20)
    assert done.returncode != 0 and 'unbound-oe was built for another Unbound' in done.stderr, (done.returncode, done.stderr)
    assert '--with-unbound-source' in done.stderr and build_id.decode() in done.stderr, done.stderr


@wired
def test_wrong_module_order_is_logged(b):
    r = b.start(modules='validator dynlib iterator')
    r.answer('host.example.test')
    assert 'must be in front of "validator"' in r.log_text()
