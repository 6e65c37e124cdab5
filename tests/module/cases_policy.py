"""Policy groups: what the module refuses by itself, because the helper never hears of names without keys."""
import os
import socket
import struct

from bench import only_dynlib, refused, soon
from dns import A, AAAA, IPSECKEY, NOERROR, name_to_wire
from helper import DOWN, message, T_OWNER, T_REASON, tlv

T_GROUPS = 0x800e
FORBIDS = "the operator's policy forbids it"
WANTS_KEY = "the operator's policy wants it protected, and it has no key"
NUMBERS = {'block': 1, 'clear': 2, 'clear-or-private': 3, 'private-or-clear': 4, 'private': 5}


def write(b, **groups):
    """The files; a group's '_' is '-'. The lines of oe.conf that say where they are."""
    folder = os.path.join(b.folder, 'policies')
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    for name, lines in groups.items():
        with open(os.path.join(folder, name.replace('_', '-')), 'w') as f:
            f.write(lines.replace(' ', '\n') + '\n')
    return 'resolver-socket: "%s"\ndeadline: 1500\npolicy-dir: "%s"\n' % (b.socket, folder)


def digest(networks=(), names=()):
    """As docs/protocol.md has it; networks: (group, address, length) in their order, names: (group, name)."""
    h = 0xcbf29ce484222325
    data = b''
    for group, address, length in networks:
        family = 6 if ':' in address else 4
        wire = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, address)
        data += bytes([NUMBERS[group], family, length]) + wire.ljust(16, b'\0')
    for wire, group in sorted((name_to_wire(name), group) for group, name in names):
        data += bytes([NUMBERS[group]]) + wire
    for c in data:
        h = (h ^ c) * 0x100000001b3 & (1 << 64) - 1
    return h


def tell(b, value):
    b.helper.broadcast(message(DOWN, 0, tlv(T_OWNER, b'\0'), tlv(T_REASON, struct.pack('!H', 25)), tlv(T_GROUPS, struct.pack('!Q', value))))


@only_dynlib
def test_private_name_without_key_is_refused(b):
    r = b.start(conf=write(b, private='plainhost.example.test plain.test'))
    answer = r.answer('plainhost.example.test')
    assert refused(answer, WANTS_KEY + ': policy private: plainhost.example.test'), str(answer)
    answer = r.answer('www.plain.test')
    assert refused(answer, WANTS_KEY + ': policy private: plain.test'), str(answer)
    assert not b.world.upstream(IPSECKEY) or b.world.upstream(IPSECKEY) == [('plainhost.example.test', IPSECKEY)], b.world.upstream()
    for cd in (False, True):
        for do in (False, True):
            assert refused(r.answer('www.plain.test', cd=cd, do=do), WANTS_KEY), (cd, do)
    assert r.answer('p1.example.test').addresses and r.answer('plainhost.example.test', AAAA).rcode == NOERROR
    assert not b.helper.requests


@only_dynlib
def test_private_name_with_key_is_protected(b):
    r = b.start(conf=write(b, private='. 0.0.0.0/0'))
    assert r.answer('host.example.test').addresses == ['192.0.2.1'] and b.helper.owners() == ['host.example.test']
    b.helper.decide = lambda request: request.refuse()
    assert refused(r.answer('k1.example.test'))


@only_dynlib
def test_private_network_holds_for_names_without_key(b):
    r = b.start(conf=write(b, private='192.0.2.0/24', clear='www.plain.test'))
    answer = r.answer('plainhost.example.test')
    assert refused(answer, 'policy private: 192.0.2.0/24'), str(answer)
    assert r.answer('www.plain.test').addresses == ['192.0.2.40'], 'a name counts more than an address'
    assert r.answer('p1.example.test').addresses and r.answer('host.example.test').addresses


@only_dynlib
def test_aliases_of_private_names(b):
    """The name of the addresses counts; if no entry has that, the one that was asked."""
    r = b.start(conf=write(b, private='toplain.example.test'))
    answer = r.answer('toplain.example.test')
    assert refused(answer, 'policy private: toplain.example.test'), str(answer)
    assert r.answer('www.plain.test').addresses == ['192.0.2.40']
    r.stop()
    r = b.start(helper=False, conf=write(b, private='toplain.example.test', clear='plain.test'))
    assert r.answer('toplain.example.test').addresses == ['192.0.2.40']
    r.stop()
    r = b.start(helper=False, conf=write(b, private='plain.test', clear='toplain.example.test'))
    assert refused(r.answer('toplain.example.test'), 'policy private: plain.test')


@only_dynlib
def test_blocked_names_are_not_looked_up_further(b):
    r = b.start(conf=write(b, block='host.example.test alias2.example.test plain.test'))
    for name in ('host.example.test', 'alias2.example.test', 'alias.example.test', 'www.plain.test', 'toplain.example.test'):
        answer = r.answer(name)
        assert refused(answer, FORBIDS), (name, str(answer))
    assert not b.helper.requests
    assert r.answer('k1.example.test').addresses and r.answer('p1.example.test').addresses


@only_dynlib
def test_blocked_address_is_left_out(b):
    r = b.start(conf=write(b, block='192.0.2.22 192.0.2.20', clear='plainhost.example.test'))
    answer = r.answer('twoplain.example.test')
    assert answer.addresses == ['192.0.2.21'] and not answer.ad, str(answer)
    assert refused(r.answer('twoplain.example.test', do=True), FORBIDS), 'who validates gets all or nothing'
    answer = r.answer('plainhost.example.test')
    assert refused(answer, 'policy block: 192.0.2.20'), 'no name leads to a blocked address: %s' % answer


@only_dynlib
def test_more_addresses_than_can_be_judged(b):
    r = b.start(helper=False, conf=write(b, private='corp.test'))
    assert len(r.answer('manyplain.example.test').addresses) == 39
    r.stop()
    r = b.start(helper=False, conf=write(b, block='10.0.0.0/8'))
    assert refused(r.answer('manyplain.example.test'), 'too many address')
    r.stop()
    r = b.start(helper=False, conf=write(b, private='manyplain.example.test'))
    assert refused(r.answer('manyplain.example.test'), WANTS_KEY)


@only_dynlib
def test_reload_that_keeps_the_cache_does_not_keep_what_is_private_now(b):
    r = b.start(helper=False, conf=write(b, private='corp.test'))
    assert r.answer('p1.example.test').addresses and r.answer('www.plain.test').addresses
    write(b, private='p1.example.test plain.test')
    assert r.control('reload_keep_cache').stdout.strip() == 'ok'
    assert refused(r.answer('p1.example.test'), WANTS_KEY) and refused(r.answer('www.plain.test'), WANTS_KEY)


@only_dynlib
def test_hints_leave_the_cache_when_a_network_is_blocked(b):
    r = b.start(helper=False, conf=write(b, private='corp.test'))
    assert r.answer('webplain.example.test', 65).answer and r.answer('p1.example.test').addresses
    b.world.leaf.asked = []
    write(b, block='192.0.2.16')
    assert r.control('reload_keep_cache').stdout.strip() == 'ok'
    assert refused(r.answer('webplain.example.test', 65), FORBIDS)
    assert r.answer('p1.example.test').addresses and ('p1.example.test', A) not in b.world.upstream(), 'others stay there'


@only_dynlib
def test_hints_of_private_names(b):
    r = b.start(conf=write(b, private='webplain.example.test', block='192.0.2.1'))
    assert refused(r.answer('webplain.example.test', 65), WANTS_KEY)
    assert r.answer('web.example.test', 65).rcode == NOERROR


@only_dynlib
def test_groups_hold_without_a_helper(b):
    r = b.start(helper=False, conf=write(b, private='plainhost.example.test', block='plain.test'))
    assert refused(r.answer('plainhost.example.test'), WANTS_KEY) and refused(r.answer('www.plain.test'), FORBIDS)
    assert r.answer('p1.example.test').addresses and refused(r.answer('host.example.test'), 'oe-iked is not running')


@only_dynlib
def test_groups_are_read_again_when_the_helper_has_read_them(b):
    r = b.start(conf=write(b, private='plainhost.example.test'), threads=2)
    assert refused(r.answer('plainhost.example.test'), WANTS_KEY)
    assert soon(lambda: b.helper.peers() > 0), 'nobody is connected to be told'
    assert r.answer('host.example.test').addresses and r.answer('www.plain.test').addresses
    assert r.answer('p1.example.test').addresses and r.answer('p2.example.test').addresses
    write(b, block='plain.test 203.0.113.2', clear_or_private='192.0.2.0/24')
    assert refused(r.answer('plainhost.example.test'), WANTS_KEY), 'only when the helper says so'
    b.world.leaf.asked = []
    tell(b, digest([('clear-or-private', '192.0.2.0', 24), ('block', '203.0.113.2', 32)], [('block', 'plain.test')]))
    assert soon(lambda: r.answer('plainhost.example.test').addresses), r.log_text()
    assert refused(r.answer('www.plain.test'), FORBIDS) and refused(r.answer('p1.example.test'), FORBIDS), 'they were in the cache'
    assert r.answer('p2.example.test').addresses and ('p2.example.test', A) not in b.world.upstream(), 'others stay there'
    asked = len(b.helper.requests)
    assert r.answer('host.example.test').addresses and len(b.helper.requests) > asked, 'what was answered by the former groups is asked again'


@only_dynlib
def test_wrong_groups_change_nothing(b):
    r = b.start(conf=write(b, private='plainhost.example.test'))
    assert refused(r.answer('plainhost.example.test'), WANTS_KEY)
    assert soon(lambda: b.helper.peers() > 0)
    write(b, clear='plainhost.example.test *.example.org')
    tell(b, digest([], [('clear', 'plainhost.example.test')]))
    assert soon(lambda: 'are not those that oe-iked has read' in r.log_text()), r.log_text()
    assert 'clear:2: "*.example.org" has a wildcard' in r.log_text()
    assert refused(r.answer('plainhost.example.test'), WANTS_KEY)


@only_dynlib
def test_wrong_lines_at_the_start_do_not_disarm_the_others(b):
    r = b.start(conf=write(b, private='*.example.org plainhost.example.test'))
    assert refused(r.answer('plainhost.example.test'), WANTS_KEY)
    assert 'private:1: "*.example.org" has a wildcard' in r.log_text()


@only_dynlib
def test_pause_does_not_concern_private_names(b):
    r = b.start(conf=write(b, private='bogusa.example.test lostkey.example.test'))
    assert r.answer('host.example.test').addresses
    b.helper.pause(60)
    assert soon(lambda: r.answer('boguskey.example.test').addresses), r.log_text()
    assert refused(r.answer('bogusa.example.test'), '')
    b.world.leaf.lost.add(('lostkey.example.test', IPSECKEY))
    assert refused(r.answer('lostkey.example.test'), '')


@only_dynlib
def test_names_of_others_cost_nothing(b):
    """5: with groups as without."""
    r = b.start(conf=write(b, private='corp.test 10.0.0.0/8', block='198.18.0.0/15'))
    r.answer('p1.example.test')
    b.world.leaf.asked = []
    assert r.answer('p2.example.test').addresses
    assert sorted(b.world.upstream()) == [('p2.example.test', A), ('p2.example.test', IPSECKEY)], b.world.upstream()
    b.world.leaf.asked = []
    assert r.answer('www.plain.test').addresses and r.answer('www.plain.test').addresses
    assert b.world.upstream() == [('www.plain.test', A)], b.world.upstream()
