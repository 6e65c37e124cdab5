"""What is in Unbound's caches, and what is never there."""
import time

import dns
from bench import refused, soon, wired
from dns import A, AAAA, ANY, IPSECKEY, MX, NOERROR, NS, TXT


@wired
def test_allowed_answer_is_cached(b):
    """5: a cached answer costs nothing; its TTL is the least of address, key and verdict."""
    r = b.start(lambda request: request.allow(ttl=40))
    r.answer('host.example.test')
    again = r.answer('host.example.test')
    assert again.addresses == ['192.0.2.1'] and again.ad and again.answer[0].ttl <= 40, again
    assert len(b.helper.requests) == 1, b.helper.owners()


def test_verdict_without_ttl_is_not_cached(b):
    r = b.start(lambda request: request.allow(ttl=0))
    assert r.answer('host.example.test').answer[0].ttl == 0
    r.answer('host.example.test')
    assert len(b.helper.requests) == 2


def test_mixed_case_is_the_same_name(b):
    """1: in the question of a client, and in those of use-caps-for-id (0x20), whose servers answer in the case of the question."""
    allow = [True]
    r = b.start(lambda request: request.allow() if allow[0] else request.refuse(), server=' use-caps-for-id: yes')
    for name in ('HOST.Example.TEST', 'host.example.test', 'aLIAS.example.test'):
        assert r.answer(name).addresses == ['192.0.2.1'], name
    assert set(b.helper.owners()) == {'host.example.test'}, b.helper.owners()
    allow[0] = False
    b.helper.down('HOSt.exAmple.tesT')
    for name in ('host.example.test', 'HOST.Example.TEST', 'aLIAS.example.test'):
        assert soon(lambda: refused(r.answer(name))) and refused(r.answer(name, cd=True)), name


def test_longer_ttl_in_the_rrset_cache_does_not_win(b):
    """The iterator's own copy of a name server's address lives 300 s; what a client is told must not."""
    r = b.start(lambda request: request.allow(ttl=20))
    r.answer('www.far.test')
    assert r.answer('srv.keyed.test').answer[0].ttl <= 20
    assert r.answer('srv.keyed.test').answer[0].ttl <= 20
    assert b.helper.owners() == ['srv.keyed.test']


def ask_while_waiting(r, names, gap, n):
    """n questions, gap seconds apart: (question, answer) of each, timed when it came."""
    waiting = []
    reader = dns.Gather(waiting)
    for i in range(n):
        reader.add(r.ask(names[i % len(names)]))
        reader.read(gap)
    return list(zip(waiting, reader.finish()))


@wired
def test_several_threads_cannot_pass_the_guard(b):
    """1: 12 clients, 30 ms apart, two threads, a helper that takes 600 ms: nobody is answered before the verdict."""
    r = b.start(lambda request: (0.6, request.allow()), threads=2, server=' so-reuseport: yes')
    answers = ask_while_waiting(r, ['host.example.test'], 0.03, 12)
    allowed = min(b.helper.answered)
    for w, answer in answers:
        assert answer and answer.addresses == ['192.0.2.1'], str(answer)
        assert w.asked + answer.took >= allowed, 'answered %.0f ms too early' % ((allowed - w.asked - answer.took) * 1000)
    assert len(b.helper.requests) <= 2, 'one request a thread at most'


def test_many_clients_many_threads_one_name(b):
    """1: 200 at once."""
    r = b.start(lambda request: (0.4, request.allow()), threads=4, server=' so-reuseport: yes')
    answers = ask_while_waiting(r, ['k0.example.test', 'k1.example.test'], 0.001, 200)
    allowed = min(b.helper.answered)
    assert all(a and a.addresses and w.asked + a.took >= allowed for w, a in answers)


def test_refused_address_does_not_leak_through_cd(b):
    """1: with CD set, nor with DO, before or after."""
    r = b.start(lambda request: request.refuse())
    for cd, do in ((True, False), (False, True), (True, True), (False, False)):
        answer = r.answer('host.example.test', cd=cd, do=do)
        assert refused(answer), (cd, do, str(answer))


def test_cd_client_waits_for_the_verdict(b):
    r = b.start(lambda request: (0.3, request.allow()))
    first, second = r.ask('host.example.test', AAAA, cd=True), r.ask('host.example.test', AAAA)
    for answer in (first.answer(), second.answer()):
        assert answer.addresses == ['2001:db8::1'] and answer.took > 0.3, str(answer)
    assert r.answer('host.example.test', AAAA, cd=True).took < 0.2


def test_name_servers_own_lookup_neither_triggers_nor_leaks(b):
    """1, and the design's "iterator-internal lookups never trigger IKE"."""
    r = b.start(lambda request: request.refuse())
    assert r.answer('www.far.test').addresses == ['192.0.2.50']
    assert ('srv.keyed.test', A) in b.world.upstream()
    assert not b.helper.requests
    for cd in (True, False):
        answer = r.answer('srv.keyed.test', cd=cd)
        assert refused(answer), str(answer)
    assert len(b.helper.requests) == 2


def test_name_servers_own_lookup_is_remembered(b):
    """The guard must not make the iterator look for its servers again and again."""
    r = b.start()
    r.answer('www.far.test')
    r.control('flush', 'www.far.test')
    b.world.leaf.asked = []
    r.answer('www.far.test')
    assert ('srv.keyed.test', A) not in b.world.upstream(), b.world.upstream()


def test_qname_minimisation_does_not_leak_the_name_above(b):
    """1: on the way to a.box the iterator asks for box A."""
    r = b.start(lambda request: request.refuse())
    assert r.answer('a.box.example.test', TXT).rcode == NOERROR
    assert ('box.example.test', A) in b.world.upstream()
    for cd in (True, False):
        answer = r.answer('box.example.test', cd=cd)
        assert refused(answer), str(answer)


def test_additional_section_does_not_leak(b):
    """1: not even where minimal-responses is off, or leaves the section in (wildcards, NS)."""
    r = b.start(server=' minimal-responses: no')
    for name, rtype in (('mail.example.test', MX), ('x.wildmail.example.test', MX), ('keyed.test', NS), ('mail.example.test', MX),
                        ('keyed.test', NS), ('example.test', NS)):
        answer = r.answer(name, rtype)
        assert answer.answer, (name, str(answer))
        assert not [x for x in answer.additional if x.type in (A, AAAA)], (name, rtype)


def test_aggressive_nsec_wildcard_is_guarded(b):
    """1: an answer that the resolver makes from NSEC and a cached wildcard."""
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=2) if allow[0] else request.refuse(), server=' aggressive-nsec: yes')
    assert r.answer('a.wild.example.test').addresses
    r.answer('b.wild.example.test', TXT)
    allow[0] = False
    b.world.leaf.asked = []
    for name in ('b', 'c', 'd'):
        for cd in (False, True, False):     # what slipped into the cache the first time shows the second time
            answer = r.answer('%s.wild.example.test' % name, cd=cd)
            assert refused(answer), (name, cd, str(answer))
    assert not b.world.upstream(A), 'the resolver was to make these itself: %s' % b.world.upstream()


def test_auth_zone_is_guarded(b):
    """1: a zone that the resolver has a copy of is answered without asking anybody."""
    r = b.start(lambda request: request.refuse(), extra='auth-zone:\n name: "example.test"\n zonefile: "%s.signed"\n'
                ' for-downstream: no\n for-upstream: yes\n' % b.world.file('example.test.'))
    for cd in (False, True, False):
        for name in ('host', 'alias', 'www.dn', 'a.wild'):
            answer = r.answer(name + '.example.test', cd=cd)
            assert refused(answer), (name, cd, str(answer))
    assert r.answer('plainhost.example.test').addresses and not b.world.upstream()


def test_any_is_guarded(b):
    r = b.start(lambda request: request.refuse())
    answer = r.answer('host.example.test', ANY)
    assert not [x for x in answer.answer if x.type in (A, AAAA)], str(answer)
    assert refused(r.answer('host.example.test'))
    answer = r.answer('host.example.test', ANY)
    assert not [x for x in answer.answer if x.type in (A, AAAA)], str(answer)


def test_class_any_is_guarded(b):
    """1: the iterator asks each class for itself, by lookups that begin at the iterator. What 1.26.0 found so for CD it
    calls bogus (EDE 6), and keeps."""
    r = b.start(lambda request: request.refuse())
    for qclass in (255, 1, 255):
        for cd in (False, True):
            answer = r.answer('host.example.test', qclass=qclass, cd=cd)
            why = 'class ANY' if qclass == 255 and cd else 'does not hold the key'
            assert refused(answer, why) or (qclass == 255 and refused(answer, '') and answer.ede[0][0] == 6), (qclass, cd, str(answer))


def test_client_may_join_the_iterators_own_lookup(b):
    """1: with harden-referral-path the iterator checks name servers' addresses with the flags of a client."""
    r = b.start(lambda request: request.refuse(), server=' harden-referral-path: yes')
    b.world.leaf.delay = 0.05
    waiting = [r.ask('www.far.test'), r.ask('srv.keyed.test'), r.ask('srv.keyed.test', cd=True)]
    for w in waiting[1:]:
        answer = w.answer()
        assert refused(answer), str(answer)
    for cd in (False, True):
        assert refused(r.answer('srv.keyed.test', cd=cd))


def test_any_is_allowed(b):
    r = b.start()
    answer = r.answer('host.example.test', ANY)
    request, = b.helper.requests
    assert answer.addresses and sorted(request.addresses) == answer.addresses, str(answer)


@wired
def test_down_takes_answers_out_of_the_cache(b):
    """Those for aliases, too, and of both families; other names stay."""
    allow = [True]
    r = b.start(lambda request: request.allow() if allow[0] else request.refuse(), threads=2, server=' so-reuseport: yes')
    asked = [('host.example.test', A), ('host.example.test', AAAA), ('alias2.example.test', A), ('alias.plain.test', A)]
    for name, rtype in asked:
        assert r.answer(name, rtype).addresses
    assert r.answer('k1.example.test').addresses
    allow[0] = False
    b.helper.down('host.example.test')
    time.sleep(0.2)
    for name, rtype in asked[:3]:
        for cd in (False, True):
            assert refused(r.answer(name, rtype, cd=cd)), (name, rtype)
    n = len(b.helper.requests)
    assert r.answer('k1.example.test').addresses and len(b.helper.requests) == n


def test_lost_helper_takes_answers_out_of_the_cache(b):
    r = b.start()
    assert r.answer('host.example.test').addresses
    b.helper.stop()
    b.helper = None
    assert soon(lambda: refused(r.answer('host.example.test'), 'oe-iked is not running'))
    assert r.answer('plainhost.example.test').addresses


def test_serve_expired_never_serves_a_protected_address(b):
    """1: neither while we wait nor when we fail."""
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=1) if allow[0] else (0.3, request.refuse()),
                server=' serve-expired: yes\n serve-expired-ttl: 0')
    assert r.answer('host.example.test').addresses
    assert r.answer('short.example.test').addresses
    allow[0] = False
    time.sleep(3.2)
    for name in ('host.example.test', 'short.example.test'):
        answer = r.answer(name)
        assert refused(answer) and answer.took > 0.25, (name, str(answer))


def test_serve_expired_with_client_timeout(b):
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=1) if allow[0] else (0.8, request.refuse()),
                server=' serve-expired: yes\n serve-expired-ttl: 3600\n serve-expired-client-timeout: 100')
    assert r.answer('host.example.test').addresses
    allow[0] = False
    time.sleep(2.2)
    answer = r.answer('host.example.test')
    assert refused(answer) and answer.took > 0.7, str(answer)


def test_serve_expired_does_not_hide_a_failed_lookup(b):
    """2: the name was plain, but whether it still is cannot be known."""
    r = b.start(server=' serve-expired: yes\n serve-expired-ttl: 3600\n serve-expired-client-timeout: 1500\n'
                ' cache-max-ttl: 1\n cache-max-negative-ttl: 1')
    assert r.answer('plainhost.example.test').addresses
    time.sleep(2.2)
    b.world.leaf.failed.add(('plainhost.example.test', IPSECKEY))
    answer = r.answer('plainhost.example.test')
    assert refused(answer, 'IPSECKEY lookup failed'), str(answer)


def test_serve_expired_still_serves_unkeyed_names(b):
    r = b.start(server=' serve-expired: yes\n serve-expired-ttl: 3600\n cache-max-ttl: 1')
    assert r.answer('plainhost.example.test').addresses
    time.sleep(2.2)
    b.world.leaf.lost = {('plainhost.example.test', A)}
    assert r.answer('plainhost.example.test').addresses == ['192.0.2.20']


def test_prefetch_asks_again_and_a_refusal_ends_the_answer(b):
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=10) if allow[0] else request.refuse(), server=' prefetch: yes')
    r.answer('host.example.test')
    allow[0] = False
    time.sleep(9.2)     # in the last tenth of its life
    r.answer('host.example.test')
    assert soon(lambda: len(b.helper.requests) == 2), b.helper.owners()
    assert refused(r.answer('host.example.test'))
