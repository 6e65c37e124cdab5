"""Every road by which an address could leave Unbound: docs/roads.md has the list, each row with the name of its test here or
in cases.py."""
import time

from dns import A, AAAA, NOERROR, SERVFAIL, TXT


def refused(answer):
    return answer.rcode == SERVFAIL and not answer.answer


def test_alias_into_a_synthesised_wildcard_does_not_leak(b):
    """1: after the response with the alias, the resolver makes the rest from NSEC and a cached wildcard."""
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=2) if allow[0] else request.refuse(), server=' aggressive-nsec: yes')
    assert r.answer('a.wild.example.test').addresses
    r.answer('q.wild.example.test', TXT)
    allow[0] = False
    b.world.leaf.asked = []
    for cd in (False, True, False):
        answer = r.answer('wildq.other.test', cd=cd)
        assert refused(answer), (cd, str(answer))
    assert ('q.wild.example.test', A) not in b.world.upstream(), 'the resolver was to make this itself: %s' % b.world.upstream()
