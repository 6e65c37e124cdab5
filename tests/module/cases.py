"""The tests. Each gets a Bench, starts on it what it needs, and says with assert what must hold. Their names say what
would be wrong if they failed; the number in a docstring is the promise of the design that the test tries to break."""
import os
import shutil
import socket
import subprocess
import time

import dns
from dns import A, AAAA, ANY, HTTPS, IPSECKEY, MX, NOERROR, NS, SERVFAIL, SVCB, TXT
from helper import Helper, REASON_AUTH_FAILED, REASON_TIMEOUT, CLEAR, DOWN, VERDICT, hello, message, tlv
from world import LEAF, Resolver


class Bench:
    def __init__(self, paths, world, folder, reloads):
        self.paths, self.world, self.folder, self.reloads = paths, world, folder, reloads
        os.mkdir(folder)
        self.socket = os.path.join(folder, 's')
        self.helper = self.resolver = None
        # everything takes longer under the sanitizer
        self.slack = 3 if paths.sanitized else 1
        world.forget()

    def start(self, decide=lambda request: request.allow(), helper=True, **how):
        """Helper and resolver; returns the resolver."""
        if helper:
            self.helper = Helper(self.socket, decide)
        self.resolver = Resolver(self.paths, self.world, self.folder, self.socket, **how)
        return self.resolver

    def story(self):
        if not self.resolver:
            return ''
        return 'log: ' + '\n     '.join(self.resolver.log_text().splitlines()[-25:])

    def close(self):
        complaints = self.resolver.stop() if self.resolver else ''
        if self.helper:
            self.helper.stop()
        return complaints


def soon(question, seconds=2.0):
    """Wait until question() is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if question():
            return True
        time.sleep(0.01)
    return False


def refused(answer, why='does not hold the key that its DNS name publishes'):
    """7: SERVFAIL, no record, and the true cause as Extended DNS Error; without a why it is that of Helper's refuse()."""
    return answer.rcode == SERVFAIL and not answer.answer and why in answer.reasons


# What is secure, what is not ------------------------------------------------------------------------------------------

def test_keyed_address_is_answered_after_the_verdict(b):
    """1: the helper is asked with everything, and the answer waits for it."""
    r = b.start(lambda request: (0.3, request.allow(ttl=60)))
    answer = r.answer('host.example.test')
    assert answer.rcode == NOERROR and answer.addresses == ['192.0.2.1'] and answer.ad, answer
    assert answer.took > 0.3, answer
    request, = b.helper.requests
    assert request.owner == 'host.example.test' and request.addresses == ['192.0.2.1'], vars(request)
    assert request.keys == [bytes([10, 0, 4]) + bytes(range(32))], request.keys
    assert 0 < request.ttl <= 300 and 0 < request.deadline <= 1500, vars(request)
    assert all(record.ttl <= 60 for record in answer.answer), [x.ttl for x in answer.answer]


def test_ipv6_address_too(b):
    r = b.start()
    answer = r.answer('host.example.test', AAAA)
    assert answer.addresses == ['2001:db8::1'] and b.helper.requests[0].addresses == ['2001:db8::1'], answer


def test_refused_name_gets_servfail_and_the_reason(b):
    """7: rcode, EDE and the log say why."""
    r = b.start(lambda request: request.refuse(REASON_AUTH_FAILED, text='signature of 192.0.2.1 is wrong'))
    answer = r.answer('host.example.test')
    assert refused(answer), answer
    assert 'does not hold the key' in answer.reasons and 'signature of 192.0.2.1 is wrong' in answer.reasons, answer
    assert 'host.example.test. A refused: ipsec: the host does not hold' in r.log_text()
    again = r.answer('host.example.test')
    assert refused(again) and len(b.helper.requests) == 2, 'a refusal must not be cached'


def test_no_edns_in_the_answer_to_a_client_without(b):
    r = b.start(lambda request: request.refuse())
    answer = r.answer('host.example.test', edns=False)
    assert answer.rcode == SERVFAIL and not answer.ede, answer


def test_secure_name_without_key_is_plain(b):
    """2: validated denial of IPSECKEY."""
    r = b.start()
    answer = r.answer('plainhost.example.test')
    assert answer.addresses == ['192.0.2.20'] and answer.ad, answer
    assert not b.helper.requests and b.world.upstream(IPSECKEY) == [('plainhost.example.test', IPSECKEY)]


def test_unsigned_zone_is_plain_without_a_key_lookup(b):
    """2, 5: an IPSECKEY in an unsigned zone means nothing."""
    r = b.start()
    answer = r.answer('www.plain.test')
    assert answer.addresses == ['192.0.2.40'] and not answer.ad, answer
    assert not b.helper.requests and not b.world.upstream(IPSECKEY)


def test_bogus_address_is_servfail(b):
    r = b.start()
    assert refused(r.answer('bogusa.example.test'), 'signature crypto failed')
    answer = r.answer('bogusa.example.test')
    assert refused(answer, '') and 6 in [code for code, _ in answer.ede], str(answer)
    assert not b.helper.requests


def test_bogus_address_is_not_given_to_a_cd_client(b):
    """1: neither the first time nor from the cache."""
    r = b.start()
    for cd, why in ((True, 'the addresses are bogus'), (False, ''), (True, ''), (True, '')):     # Unbound's cache keeps no words
        answer = r.answer('bogusa.example.test', cd=cd)
        assert refused(answer, why), (cd, str(answer))


def test_bogus_key_is_servfail(b):
    """2: never a silent downgrade."""
    r = b.start()
    answer = r.answer('boguskey.example.test')
    assert refused(answer, 'do not validate'), answer
    assert 6 in [code for code, _ in answer.ede], answer
    assert not b.helper.requests


def test_failing_key_lookup_is_servfail(b):
    b.world.leaf.failed.add(('failkey.example.test', IPSECKEY))
    r = b.start()
    answer = r.answer('failkey.example.test')
    assert refused(answer, 'IPSECKEY lookup failed'), answer
    assert r.answer('plainhost.example.test').rcode == NOERROR


def test_alias_asks_at_its_end(b):
    """2: IPSECKEY at the final owner, every link secure."""
    r = b.start()
    answer = r.answer('alias2.example.test')
    assert answer.addresses == ['192.0.2.1'] and answer.ad, answer
    assert b.helper.owners() == ['host.example.test'], b.helper.owners()


def test_alias_into_another_zone(b):
    r = b.start()
    assert r.answer('out.example.test').addresses == ['192.0.2.30']
    assert b.helper.owners() == ['host.other.test']


def test_alias_through_dname(b):
    r = b.start()
    assert r.answer('www.dn.example.test').addresses == ['192.0.2.6']
    assert b.helper.owners() == ['www.tgt.example.test']


def test_secure_alias_to_unsigned_name_is_plain(b):
    r = b.start()
    assert r.answer('toplain.example.test').addresses == ['192.0.2.40']
    assert not b.helper.requests


def test_insecure_alias_to_keyed_name_is_plain(b):
    """2: one insecure link, and nothing is proven."""
    r = b.start()
    assert r.answer('alias.plain.test').addresses == ['192.0.2.1']
    assert not b.helper.requests


def test_wildcard_answers(b):
    r = b.start()
    assert r.answer('a.wild.example.test').addresses == ['192.0.2.7']
    assert b.helper.owners() == ['a.wild.example.test']
    assert r.answer('a.wildplain.example.test').addresses == ['192.0.2.8']
    assert len(b.helper.requests) == 1


def test_helper_may_say_clear(b):
    """7: and a person can see by whose word."""
    r = b.start(lambda request: request.verdict(CLEAR, text='permitted by the operator', ttl=30))
    answer = r.answer('host.example.test')
    assert answer.addresses == ['192.0.2.1'] and answer.ad and answer.answer[0].ttl <= 30, answer
    assert (0, 'ipsec: in clear: permitted by the operator') in answer.ede, answer.ede
    assert r.answer('host.example.test').addresses == ['192.0.2.1'] and len(b.helper.requests) == 1, 'not from the cache'
    b.helper.down('host.example.test')
    b.helper.decide = lambda request: request.refuse()
    assert soon(lambda: refused(r.answer('host.example.test'), 'does not hold the key')), 'DOWN ends it'


# The cache -------------------------------------------------------------------------------------------------------------

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
    """1: the iterator asks each class for itself, by lookups that begin at the iterator."""
    r = b.start(lambda request: request.refuse())
    for qclass in (255, 1, 255):
        for cd in (False, True):
            answer = r.answer('host.example.test', qclass=qclass, cd=cd)
            assert not answer.addresses, (qclass, cd, str(answer))


def test_client_may_join_the_iterators_own_lookup(b):
    """1: with harden-referral-path the iterator checks name servers' addresses with the flags of a client."""
    r = b.start(lambda request: request.refuse(), server=' harden-referral-path: yes')
    b.world.leaf.delay = 0.05
    waiting = [r.ask('www.far.test'), r.ask('srv.keyed.test'), r.ask('srv.keyed.test', cd=True)]
    for w in waiting[1:]:
        answer = w.answer()
        assert refused(answer), str(answer)
    for cd in (False, True):
        assert not r.answer('srv.keyed.test', cd=cd).addresses


def test_any_is_allowed(b):
    r = b.start()
    answer = r.answer('host.example.test', ANY)
    request, = b.helper.requests
    assert answer.addresses and sorted(request.addresses) == answer.addresses, str(answer)


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


# Addresses -------------------------------------------------------------------------------------------------------------

def test_failed_address_is_left_out(b):
    """Happy eyeballs: what works is answered, unsigned, briefly, and not from the cache."""
    r = b.start(lambda request: request.allow(refused=['192.0.2.3']))
    answer = r.answer('multi.example.test')
    assert answer.addresses == ['192.0.2.2', '192.0.2.4'] and not answer.ad, str(answer)
    assert all(x.ttl <= 5 for x in answer.answer)
    assert r.answer('multi.example.test').addresses == ['192.0.2.2', '192.0.2.4'] and len(b.helper.requests) == 2


def test_client_that_validates_gets_all_or_nothing(b):
    r = b.start(lambda request: request.allow(refused=['192.0.2.3']))
    answer = r.answer('multi.example.test', do=True)
    assert refused(answer, 'does not answer IKE'), str(answer)


def test_all_addresses_failed(b):
    r = b.start(lambda request: request.refuse(REASON_TIMEOUT))
    assert refused(r.answer('multi.example.test'), 'does not answer IKE')
    b.helper.decide = lambda request: request.allow(refused=request.addresses)
    assert refused(r.answer('multi.example.test'), 'nonsense'), 'allowed, and nothing of it'


def test_too_many_addresses(b):
    r = b.start()
    answer = r.answer('many.example.test')
    assert refused(answer, 'too many'), str(answer)


def test_hints_of_https_records_are_addresses(b):
    """1: ipv4hint and ipv6hint."""
    r = b.start(lambda request: (0.3, request.allow()))
    answer = r.answer('web.example.test', HTTPS)
    assert answer.answer and answer.took > 0.3, str(answer)
    request, = b.helper.requests
    assert request.owner == 'web.example.test' and sorted(request.addresses) == ['192.0.2.15', '2001:db8::15'], vars(request)


def test_refused_hints(b):
    r = b.start(lambda request: request.refuse())
    for name, rtype in (('web.example.test', HTTPS), ('webother.example.test', HTTPS), ('_dns.example.test', SVCB)):
        for cd in (False, True):
            answer = r.answer(name, rtype, cd=cd)
            assert refused(answer), (name, str(answer))
    assert sorted(set(b.helper.owners())) == ['host.example.test', 'web.example.test']


def test_hints_belong_to_the_target(b):
    r = b.start()
    assert r.answer('webother.example.test', HTTPS).answer
    assert b.helper.owners() == ['host.example.test']
    b.helper.down('host.example.test')
    time.sleep(0.2)
    r.answer('webother.example.test', HTTPS)
    assert len(b.helper.requests) == 2, 'DOWN for the target takes the HTTPS record out of the cache'


def test_https_without_hints_or_key_is_plain(b):
    r = b.start()
    assert r.answer('webalias.example.test', HTTPS).answer and r.answer('webplain.example.test', HTTPS).answer
    assert not b.helper.requests


def test_https_record_with_too_many_hints_is_refused(b):
    r = b.start()
    assert refused(r.answer('webmany.example.test', HTTPS), 'too many address')


# Time and trouble -------------------------------------------------------------------------------------------------------

def test_lost_key_lookup_is_servfail_within_the_deadline(b):
    """2, 6: Unbound itself would try for many seconds. Not a downgrade, and nobody else waits."""
    b.world.leaf.lost.add(('lostkey.example.test', IPSECKEY))
    r = b.start(deadline=800)
    waiting = r.ask('lostkey.example.test')
    time.sleep(0.05)
    assert r.answer('plainhost.example.test').took < 0.3 * b.slack
    answer = waiting.answer()
    assert refused(answer, 'IPSECKEY lookup failed: no answer in time'), str(answer)
    assert 0.7 < answer.took < 1.0 * b.slack, str(answer)
    b.world.leaf.lost.clear()
    assert soon(lambda: r.answer('lostkey.example.test').rcode == NOERROR, 8)


def test_silent_helper_is_servfail_within_the_deadline(b):
    """6"""
    r = b.start(lambda request: None, deadline=600)
    answer = r.answer('host.example.test')
    assert refused(answer, 'did not answer in time') and 0.6 <= answer.took < 0.9 * b.slack, str(answer)
    assert soon(lambda: b.helper.cancels == [b.helper.requests[0].id])


def test_waiting_name_delays_nobody(b):
    """5: while 20 keyed names wait, unkeyed ones are answered at once, cold and cached."""
    r = b.start(lambda request: (1.0, request.allow()))
    waiting = [r.ask('k%d.example.test' % i) for i in range(20)]
    time.sleep(0.1)
    for i in range(10):
        for _ in range(2):
            assert r.answer('p%d.example.test' % i).took < 0.1 * b.slack
    assert all(w.answer().addresses for w in waiting)


def test_no_helper_refuses_keyed_names_at_once_and_no_others(b):
    r = b.start(helper=False)
    answer = r.answer('host.example.test')
    assert refused(answer, 'oe-iked is not running') and answer.took < 0.5, str(answer)
    assert r.answer('plainhost.example.test').addresses and r.answer('www.plain.test').addresses
    assert r.log_text().count('cannot connect to the helper') == 1


def test_helper_that_comes_later_is_found(b):
    r = b.start(helper=False)
    assert refused(r.answer('host.example.test'), 'oe-iked is not running')
    b.helper = Helper(b.socket)
    assert soon(lambda: r.answer('host.example.test').rcode == NOERROR, 4)
    assert 'connected' in r.log_text()


def test_helper_killed_while_asked(b):
    r = b.start(lambda request: None)
    waiting = [r.ask('k%d.example.test' % i) for i in range(5)]
    assert soon(lambda: len(b.helper.requests) == 5)
    b.helper.stop()
    for w in waiting:
        answer = w.answer()
        assert refused(answer, 'not running') and answer.took < 1.0, str(answer)
    b.helper = Helper(b.socket)
    assert soon(lambda: r.answer('k1.example.test').rcode == NOERROR, 4)


def test_helper_closes_while_asked(b):
    """6: each time it is asked; it is not asked too often, and the log does not fill."""
    r = b.start(lambda request: Helper.CLOSE)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        answer = r.answer('k1.example.test')
        assert refused(answer, 'not running'), str(answer)
    assert 2 <= len(b.helper.requests) <= 6, len(b.helper.requests)


def rubbish(b, *datagrams):
    """A helper that answers these: SERVFAIL, and Unbound lives."""
    r = b.start(lambda request: list(datagrams))
    answer = r.answer('host.example.test')
    assert refused(answer, 'nonsense') and answer.took < 1.0, str(answer)
    assert r.answer('plainhost.example.test').addresses


def test_helper_answers_rubbish(b):
    rubbish(b, b'rubbish')


def test_helper_answers_one_byte(b):
    rubbish(b, b'\1')


def test_helper_answers_a_huge_message(b):
    rubbish(b, b'\1\4' + b'x' * 60000)


def test_helper_says_hello_twice(b):
    rubbish(b, hello())


def test_helper_asks_us(b):
    rubbish(b, message(2, 7))


def test_helper_cuts_its_verdict(b):
    r = b.start(lambda request: request.allow()[:-1])
    assert 'nonsense' in r.answer('host.example.test').reasons


def test_verdict_for_another_number_of_addresses(b):
    r = b.start(lambda request: request.allow(results=1))
    answer = r.answer('multi.example.test')
    assert refused(answer, 'nonsense'), str(answer)


def test_verdict_with_a_wrong_id_is_ignored(b):
    r = b.start(lambda request: [request.allow(ident=request.id + 1000), request.allow(ident=0), request.refuse()])
    assert refused(r.answer('host.example.test'))
    assert 'nonsense' not in r.log_text()


def test_late_verdict_is_dropped(b):
    r = b.start(lambda request: (0.6, request.allow()), deadline=200)
    assert refused(r.answer('host.example.test'), 'did not answer in time')
    time.sleep(0.6)
    assert refused(r.answer('host.example.test'), 'did not answer in time'), 'what came too late must not be in the cache'
    assert r.answer('plainhost.example.test').addresses


def test_two_verdicts_for_one_request(b):
    r = b.start(lambda request: [request.refuse(), request.allow()])
    assert refused(r.answer('host.example.test'))
    assert refused(r.answer('host.example.test'))


def test_helper_without_greeting(b):
    b.helper = Helper(b.socket, greeting=None)
    r = b.start(helper=False, deadline=500)
    assert 'nonsense' in r.answer('host.example.test').reasons


def test_helper_of_another_version(b):
    b.helper = Helper(b.socket, decide=lambda request: None, greeting=hello(7, 9))
    r = b.start(helper=False, deadline=500)
    assert 'nonsense' in r.answer('host.example.test').reasons


def test_control_characters_do_not_reach_the_client(b):
    r = b.start(lambda request: request.refuse(text='bad\x1b[2J'))
    answer = r.answer('host.example.test')
    assert answer.rcode == SERVFAIL and '\x1b' not in answer.reasons and '\x1b' not in r.log_text(), str(answer)


def ask_many(r, n):
    """n different keyed names, not faster than the resolver's socket buffer can hold them."""
    waiting = []
    for i in range(n):
        waiting.append(r.ask('x%d.wild.example.test' % i))
        time.sleep(0.0005)
    return waiting


def test_helper_that_does_not_read(b):
    """6: requests that find the socket full wait in the module, and the deadline holds for them."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(b.socket)
    listener.listen(8)
    r = b.start(helper=False, deadline=800, server=' num-queries-per-thread: 2000\n wait-limit: 0')
    waiting = ask_many(r, 700)
    answers = [w.answer() for w in waiting]
    assert all(a and a.rcode == SERVFAIL and 'in time' in a.reasons for a in answers), [str(a) for a in answers][:3]
    peer, _ = listener.accept()
    listener.close()
    peer.close()
    assert r.answer('plainhost.example.test').addresses


def test_full_socket_is_drained_in_order(b):
    """The same, but then the helper reads, and all are answered."""
    gate = []
    r = b.start(lambda request: (time.sleep(0.4) if not gate else None, gate.append(1), request.allow())[2], deadline=4000,
                server=' num-queries-per-thread: 2000\n wait-limit: 0\n discard-timeout: 5000')
    waiting = ask_many(r, 700)
    assert all(w.answer().addresses for w in waiting)
    ids = [q.id for q in b.helper.requests]
    assert ids == sorted(ids) and len(ids) == 700


def test_reload_with_requests_pending(b):
    """clear() runs on the main thread, then the event base is gone before deinit."""
    r = b.start(lambda request: (0.7, request.allow()), threads=3, server=' so-reuseport: yes')
    for _ in range(3):
        waiting = [r.ask('k%d.example.test' % i) for i in range(20)]
        time.sleep(0.2)
        out = r.control('reload')
        assert out.returncode == 0, out.stdout + out.stderr
        assert soon(lambda: (r.ask('plainhost.example.test').answer(0.3) or None) is not None, 5 * b.slack)
        for w in waiting:
            w.socket.close()
    answer = r.answer('host.example.test')
    assert answer.addresses and r.alive(), str(answer)


def test_shutdown_with_requests_pending(b):
    r = b.start(lambda request: None, threads=3, server=' so-reuseport: yes')
    for i in range(20):
        r.ask('k%d.example.test' % i)
    b.world.leaf.lost.add(('lostkey.example.test', IPSECKEY))
    r.ask('lostkey.example.test')
    assert soon(lambda: len(b.helper.requests) == 20)
    assert r.stop() == ''


def test_clients_that_give_up(b):
    """TCP clients that close while we wait: the establishment goes on, the answer is cached."""
    r = b.start(lambda request: (0.4, request.allow()))
    s = socket.create_connection(('127.0.0.1', 5353))
    packet = dns.question('host.example.test', A)
    s.send(len(packet).to_bytes(2, 'big') + packet)
    assert soon(lambda: b.helper.requests)
    s.close()
    time.sleep(0.6)
    assert r.answer('host.example.test').addresses and len(b.helper.requests) == 1


def test_jostled_queries_are_cancelled(b):
    """Unbound drops old queries to make room: clear() with a job under way."""
    r = b.start(lambda request: (1.2, request.allow()), server=' num-queries-per-thread: 8\n jostle-timeout: 50')
    for i in range(40):
        r.ask('k%d.example.test' % i)
        time.sleep(0.03)
    assert soon(lambda: b.helper.cancels)
    time.sleep(1.5)
    assert r.answer('plainhost.example.test').addresses


# Cost and configuration -------------------------------------------------------------------------------------------------

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


def test_checkconf_needs_neither_helper_nor_configuration(b):
    r = b.start(helper=False)
    env = dict(r.environment(), OE_CONF='/nonexistent/oe.conf')
    done = subprocess.run([b.paths.checkconf, r.conf], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and 'no errors' in done.stdout, done.stdout + done.stderr
    assert not os.path.exists(b.socket)


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


def test_broken_configuration_refuses_keyed_names_only(b):
    r = b.start(conf='resolver-socket "no colon"\n')
    answer = r.answer('host.example.test')
    assert refused(answer, 'oe.conf:1: '), str(answer)
    assert r.answer('plainhost.example.test').addresses
    assert 'oe.conf:1: ' in r.log_text()


def test_impossible_values_in_the_configuration(b):
    for text, word in (('deadline: 5\n', 'between'), ('deadline: soon\n', 'number'), ('resolver-socket: here\n', 'absolute'),
                       ('resolver-socket: /%s\n' % ('x' * 200), 'too long'), ('x' * 3000 + '\n', 'line too long')):
        r = b.start(helper=False, conf='# a comment\n' + text)
        answer = r.answer('host.example.test')
        assert refused(answer, 'oe.conf:2: ') and word in answer.reasons, (text[:40], str(answer))
        assert r.stop() == ''


def test_options_of_the_helper_are_not_judged(b):
    r = b.start(conf='resolver-socket: %s\nsomething-of-the-helper: 5 # comment\n' % b.socket)
    assert r.answer('host.example.test').addresses


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


def test_wrong_module_order_is_logged(b):
    r = b.start(modules='validator dynlib iterator')
    r.answer('host.example.test')
    assert 'must be in front of "validator"' in r.log_text()

