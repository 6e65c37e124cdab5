"""The tests. Each gets a Bench, starts on it what it needs, and says with assert what must hold. Their names say what
would be wrong if they failed; the number in a docstring is the promise of the design that the test tries to break."""
import os
import subprocess
import time

import dns
from dns import A, AAAA, ANY, HTTPS, IPSECKEY, MX, NOERROR, NS, SERVFAIL, SVCB, TXT
from helper import Helper, REASON_AUTH_FAILED, CLEAR, DOWN, VERDICT, hello, message, tlv
from world import Resolver


class Bench:
    def __init__(self, paths, world, folder):
        self.paths, self.world, self.folder = paths, world, folder
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
    assert answer.rcode == SERVFAIL and not answer.answer, answer
    assert 'does not hold the key' in answer.reasons and 'signature of 192.0.2.1 is wrong' in answer.reasons, answer
    assert 'host.example.test. A refused: ipsec: the host does not hold' in r.log_text()
    again = r.answer('host.example.test')
    assert again.rcode == SERVFAIL and len(b.helper.requests) == 2, 'a refusal must not be cached'


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
    assert r.answer('bogusa.example.test').rcode == SERVFAIL
    assert r.answer('bogusa.example.test').rcode == SERVFAIL
    assert not b.helper.requests


def test_bogus_address_is_not_given_to_a_cd_client(b):
    """1: neither the first time nor from the cache."""
    r = b.start()
    for cd in (True, False, True, True):
        answer = r.answer('bogusa.example.test', cd=cd)
        assert answer.rcode == SERVFAIL and not answer.answer, (cd, str(answer))


def test_bogus_key_is_servfail(b):
    """2: never a silent downgrade."""
    r = b.start()
    answer = r.answer('boguskey.example.test')
    assert answer.rcode == SERVFAIL and 'do not validate' in answer.reasons, answer
    assert 6 in [code for code, _ in answer.ede], answer
    assert not b.helper.requests


def test_failing_key_lookup_is_servfail(b):
    b.world.leaf.failed.add(('failkey.example.test', IPSECKEY))
    r = b.start()
    answer = r.answer('failkey.example.test')
    assert answer.rcode == SERVFAIL and 'IPSECKEY lookup failed' in answer.reasons, answer
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
    r = b.start(lambda request: request.verdict(CLEAR))
    answer = r.answer('host.example.test')
    assert answer.addresses == ['192.0.2.1'] and answer.ad, answer


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


def test_several_threads_cannot_pass_the_guard(b):
    """1: 12 clients, 30 ms apart, two threads, a helper that takes 600 ms: nobody is answered before the verdict."""
    r = b.start(lambda request: (0.6, request.allow()), threads=2, server=' so-reuseport: yes')
    waiting = []
    for _ in range(12):
        waiting.append(r.ask('host.example.test'))
        time.sleep(0.03)
    answers = [(w, w.answer()) for w in waiting]
    allowed = min(b.helper.answered)
    for w, answer in answers:
        assert answer and answer.addresses == ['192.0.2.1'], str(answer)
        assert w.asked + answer.took >= allowed, 'answered %.0f ms too early' % ((allowed - w.asked - answer.took) * 1000)
    assert len(b.helper.requests) <= 2, 'one request a thread at most'


def test_many_clients_many_threads_one_name(b):
    """1: 200 at once."""
    r = b.start(lambda request: (0.4, request.allow()), threads=4, server=' so-reuseport: yes')
    waiting = [r.ask('k%d.example.test' % (i % 2)) for i in range(200)]
    answers = [(w, w.answer()) for w in waiting]
    allowed = min(b.helper.answered)
    assert all(a and a.addresses and w.asked + a.took >= allowed for w, a in answers)


def test_refused_address_does_not_leak_through_cd(b):
    """1: with CD set, nor with DO, before or after."""
    r = b.start(lambda request: request.refuse())
    for cd, do in ((True, False), (False, True), (True, True), (False, False)):
        answer = r.answer('host.example.test', cd=cd, do=do)
        assert answer.rcode == SERVFAIL and not answer.answer, (cd, do, str(answer))


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
        assert answer.rcode == SERVFAIL and not answer.answer, str(answer)
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
        assert answer.rcode == SERVFAIL and not answer.answer, str(answer)


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
    for name in ('b', 'c', 'd'):
        assert r.answer('%s.wild.example.test' % name).rcode == SERVFAIL


def test_any_is_guarded(b):
    r = b.start(lambda request: request.refuse())
    answer = r.answer('host.example.test', ANY)
    assert not [x for x in answer.answer if x.type in (A, AAAA)], str(answer)
    assert r.answer('host.example.test').rcode == SERVFAIL
    answer = r.answer('host.example.test', ANY)
    assert not [x for x in answer.answer if x.type in (A, AAAA)], str(answer)


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
            assert r.answer(name, rtype, cd=cd).rcode == SERVFAIL, (name, rtype)
    n = len(b.helper.requests)
    assert r.answer('k1.example.test').addresses and len(b.helper.requests) == n


def test_lost_helper_takes_answers_out_of_the_cache(b):
    r = b.start()
    assert r.answer('host.example.test').addresses
    b.helper.stop()
    b.helper = None
    assert soon(lambda: r.answer('host.example.test').rcode == SERVFAIL)
    assert r.answer('plainhost.example.test').addresses


def test_serve_expired_never_serves_a_protected_address(b):
    """1: neither while we wait nor when we fail."""
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=1) if allow[0] else (0.3, request.refuse()),
                server=' serve-expired: yes\n serve-expired-ttl: 3600')
    assert r.answer('host.example.test').addresses
    assert r.answer('short.example.test').addresses
    allow[0] = False
    time.sleep(3.2)
    for name in ('host.example.test', 'short.example.test'):
        answer = r.answer(name)
        assert answer.rcode == SERVFAIL and answer.took > 0.25, (name, str(answer))


def test_serve_expired_with_client_timeout(b):
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=1) if allow[0] else (0.8, request.refuse()),
                server=' serve-expired: yes\n serve-expired-ttl: 3600\n serve-expired-client-timeout: 100')
    assert r.answer('host.example.test').addresses
    allow[0] = False
    time.sleep(2.2)
    answer = r.answer('host.example.test')
    assert answer.rcode == SERVFAIL and answer.took > 0.7, str(answer)


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
    assert r.answer('host.example.test').rcode == SERVFAIL


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
    assert answer.rcode == SERVFAIL and 'does not answer IKE' in answer.reasons, str(answer)


def test_all_addresses_failed(b):
    r = b.start(lambda request: request.allow(refused=request.addresses))
    assert r.answer('multi.example.test').rcode == SERVFAIL


def test_too_many_addresses(b):
    r = b.start()
    answer = r.answer('many.example.test')
    assert answer.rcode == SERVFAIL and 'too many' in answer.reasons, str(answer)


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
            assert answer.rcode == SERVFAIL and not answer.answer, (name, str(answer))
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


def test_malformed_https_record_is_refused(b):
    r = b.start()
    assert r.answer('webcut.example.test', HTTPS).rcode == SERVFAIL
