"""What is secure and what is not: when is the helper asked, and what does a client see.

Each test gets a Bench and says with assert what must hold; its name says what would be wrong if it failed, and the number in
a docstring is the promise of the design that it tries to break."""
from bench import refused, soon, wired
from dns import A, AAAA, IPSECKEY, NOERROR, SERVFAIL
from helper import REASON_AUTH_FAILED, CLEAR


@wired
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


@wired
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


@wired
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


@wired
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


# A pause ----------------------------------------------------------------------------------------------------------------

PAUSED = 'ipsec: in clear: paused by the operator'


def paused(answer, validated=False):
    return answer.rcode == NOERROR and answer.addresses and answer.ad == validated and answer.answer[0].ttl <= 5 and \
        PAUSED in [text for _, text in answer.ede]


def pause(b, r, seconds):
    """Something bogus has the module connect; then the pause is told."""
    assert refused(r.answer('bogusa.example.test'), '')
    assert soon(lambda: b.helper.peers() > 0), 'the module does not connect'
    b.helper.pause(seconds)


def test_pause_answers_what_does_not_validate(b):
    """1, 7: in clear by the operator's word, each time anew and saying so; what validates is protected as ever."""
    b.world.leaf.failed.add(('failkey.example.test', IPSECKEY))
    r = b.start()
    assert r.answer('host.example.test').ad
    pause(b, r, 60)
    assert soon(lambda: paused(r.answer('bogusa.example.test'))), r.answer('bogusa.example.test')
    n = len(b.world.upstream(A))
    assert paused(r.answer('bogusa.example.test', cd=True)) and len(b.world.upstream(A)) > n, 'not from the cache'
    for name in ('boguskey.example.test', 'failkey.example.test'):
        assert paused(r.answer(name), validated=True), str(r.answer(name))
    answer = r.answer('k2.example.test')
    assert answer.ad and b.helper.owners() == ['host.example.test', 'k2.example.test'], answer
    b.helper.pause(0)
    assert soon(lambda: refused(r.answer('bogusa.example.test'), ''))
    for name in ('boguskey.example.test', 'failkey.example.test'):
        assert refused(r.answer(name), 'IPSECKEY'), name
    assert 'paused by the operator: what does not validate is answered' in r.log_text() and 'no longer paused' in r.log_text()


def test_pause_ends_with_its_time_and_with_the_helper(b):
    r = b.start()
    pause(b, r, 1)
    assert soon(lambda: paused(r.answer('bogusa.example.test')))
    assert soon(lambda: refused(r.answer('bogusa.example.test'), ''))
    b.helper.pause(600)
    assert soon(lambda: paused(r.answer('boguskey.example.test'), validated=True))
    b.helper.stop()
    b.helper = None
    assert soon(lambda: refused(r.answer('boguskey.example.test'), ''))
