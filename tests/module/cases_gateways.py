"""Gateways: what the module looks up when a record names one, and what it reports. docs/gateways.md"""
import time

import dns
from bench import refused, soon, wired
from dns import A, AAAA, IPSECKEY, NOERROR
from helper import BOGUS, CLEAR, FAILED, FOUND, INSECURE, LATE, NONE

GATE = ['192.0.2.200', '192.0.2.201']

# name, what the gateway's name has come to, what the reverse name has
REPORTS = [
    ('gw4', [], [(0, FOUND, [0])]),
    ('gwname', [([0], FOUND, GATE)], [(0, FOUND, [0])]),
    ('gwalias', [([0], FOUND, ['192.0.2.202'])], [(0, FOUND, [0])]),
    ('gwplain', [([0], INSECURE, [])], [(0, FOUND, [0])]),
    ('gwbogus', [([0], BOGUS, [])], [(0, FOUND, [0])]),
    ('gwnone', [([0], NONE, [])], [(0, FOUND, [0])]),
    ('gwvictim', [], [(0, FOUND, [])]),
    ('gwother', [], [(0, NONE, [])]),
    ('gwself', [], []),
    ('gwcname', [], [(0, FOUND, [0])]),
    ('gwbogusback', [], [(0, BOGUS, [])]),
    ('gwplainback', [], [(0, INSECURE, [])]),
    ('gwmutual', [([0], FOUND, ['192.0.2.116'])], [(0, FOUND, [0])]),
    ('gwdname', [([0], FOUND, ['192.0.2.6'])], [(0, FOUND, [0])]),
    ('gwtoplain', [([0], INSECURE, [])], [(0, FOUND, [0])]),
    ('gwloop', [([0], FAILED, [])], [(0, FOUND, [0])]),
    ('gwsix', [([0], FOUND, ['2001:db8::201'])], [(0, FOUND, [0])]),
]


@wired
def test_gateways_are_looked_up_and_reported(b):
    """2, 3: by name, and by the word of the address's owner in the reverse tree. The helper decides; here it refuses."""
    r = b.start(lambda request: request.refuse(27))
    for name, gateways, reverse in REPORTS:
        answer = r.answer(name + '.example.test')
        assert refused(answer, 'does not confirm the gateway'), (name, str(answer))
        request = b.helper.requests[-1]
        assert request.owner == name + '.example.test' and len(b.helper.requests) == REPORTS.index((name, gateways, reverse)) + 1
        assert [(k, f, sorted(a)) for k, f, a in request.gateways] == gateways, (name, request.gateways)
        assert request.reverse == reverse, (name, request.reverse)


def test_gateways_of_ipv6_addresses(b):
    r = b.start()
    assert r.answer('gw6.example.test', AAAA).addresses == ['2001:db8::70']
    assert r.answer('gw6name.example.test', AAAA).addresses == ['2001:db8::71']
    assert r.answer('gw6four.example.test', AAAA).addresses == ['2001:db8::72']
    first, second, third = b.helper.requests
    assert first.reverse == second.reverse == [(0, FOUND, [0])] and first.gateways == [], (first.reverse, second.reverse)
    assert second.gateways == [([0], FOUND, ['2001:db8::200'])], second.gateways
    assert third.gateways == [([0], FOUND, ['192.0.2.204'])], third.gateways


def test_other_family_of_a_gateway_is_asked_for_only_if_it_has_none_of_the_hosts(b):
    """5: and that lookup has no time of its own."""
    b.world.leaf.lost.add(('gate6.example.test', AAAA))
    r = b.start(deadline=800)
    assert r.answer('gwname.example.test').rcode == NOERROR
    answer = r.answer('gwsix.example.test')
    assert answer.rcode == NOERROR and answer.took < 0.8 * b.slack, str(answer)
    assert b.helper.requests[-1].gateways == [([0], LATE, [])], b.helper.requests[-1].gateways
    asked = [w for w in b.world.upstream() if w[0].startswith('gate')]
    assert ('gate.example.test', AAAA) not in asked and ('gate6.example.test', AAAA) in asked, asked


def test_records_of_several_gateways_are_told_apart(b):
    """3: one that the reverse name has is none for another; each address by itself, and the host itself needs nobody's word."""
    r = b.start()
    assert sorted(r.answer('gwmany.example.test').addresses) == ['192.0.2.113', '192.0.2.117']
    request, = b.helper.requests
    by = {key[0]: i for i, key in enumerate(request.keys)}
    assert [(k, f, sorted(a)) for k, f, a in request.gateways] == [([by[20]], FOUND, GATE)], request.gateways
    reverse = {request.addresses[i]: (finding, keys) for i, finding, keys in request.reverse}
    assert reverse == {'192.0.2.113': (FOUND, [by[10]]), '192.0.2.117': (FOUND, [by[20]])}, reverse


def test_answer_lives_no_longer_than_the_word_for_its_gateway(b):
    r = b.start()
    answer = r.answer('gw4.example.test')
    assert b.helper.requests[0].ttl <= 20 and all(record.ttl <= 20 for record in answer.answer), vars(b.helper.requests[0])


def test_lost_gateway_lookup_is_late_and_delays_nobody(b):
    """5, 6: the helper hears of it within the deadline, and may have another way."""
    b.world.leaf.lost.add(('lostgate.example.test', A))
    r = b.start(deadline=800)
    waiting = r.ask('gwlost.example.test')
    time.sleep(0.05)
    assert r.answer('plainhost.example.test').took < 0.3 * b.slack
    answer = waiting.answer()
    assert answer.rcode == NOERROR and answer.took < 0.8 * b.slack, str(answer)
    assert b.helper.requests[0].gateways == [([0], LATE, [])] and b.helper.requests[0].reverse == [(0, FOUND, [0])]


def test_failed_lookups_are_reported_as_failed(b):
    b.world.leaf.failed.update([('lostgate.example.test', A), ('106.2.0.192.in-addr.arpa', IPSECKEY)])
    r = b.start(deadline=1500)
    r.answer('gwlost.example.test')
    request, = b.helper.requests
    assert request.gateways[0][1] in (FAILED, LATE) and request.reverse[0][1] in (FAILED, LATE), (request.gateways, request.reverse)


def test_gateway_with_a_key_needs_no_tunnel_of_its_own(b):
    """1: and its address, which was looked up for that, is not answered from the cache before it has one."""
    r = b.start()
    assert r.answer('gwkeyed.example.test').rcode == NOERROR
    assert b.helper.owners() == ['gwkeyed.example.test'] and b.helper.requests[0].gateways == [([0], FOUND, ['192.0.2.1'])]
    assert r.answer('host.example.test').addresses == ['192.0.2.1']
    assert b.helper.owners() == ['gwkeyed.example.test', 'host.example.test']


def test_client_who_asks_for_the_gateway_meanwhile(b):
    """1: is answered after the verdict about it, as ever."""
    b.world.leaf.delay = 0.1
    r = b.start(lambda request: (0.2, request.allow()), deadline=3000)
    first = r.ask('gwkeyed.example.test')
    assert soon(lambda: ('host.example.test', A) in b.world.upstream(), 3)
    second = r.ask('host.example.test')
    assert second.answer().addresses == ['192.0.2.1'] and first.answer().rcode == NOERROR
    assert sorted(b.helper.owners()) == ['gwkeyed.example.test', 'host.example.test']


def test_records_without_a_gateway_ask_nothing_more(b):
    """5"""
    r = b.start()
    r.answer('host.example.test')
    r.answer('gwself.example.test')
    assert not [w for w in b.world.upstream() if w[0].endswith('.arpa')]
    assert all(not request.gateways and not request.reverse for request in b.helper.requests)


def test_client_who_leaves_while_gateways_are_looked_up(b):
    b.world.leaf.lost.add(('lostgate.example.test', A))
    r = b.start(deadline=600)
    for _ in range(3):
        dns.Pending(('127.0.0.1', 5353), 'gwlost.example.test', A)
        time.sleep(0.1)
    assert r.control('reload').returncode == 0 and r.answer('plainhost.example.test').rcode == NOERROR


def test_operator_in_clear_needs_no_gateway(b):
    r = b.start(lambda request: request.verdict(CLEAR))
    assert r.answer('gwvictim.example.test').addresses == ['192.0.2.108']
