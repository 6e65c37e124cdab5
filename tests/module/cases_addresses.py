"""Several addresses of a name, and the hints of HTTPS and SVCB records."""
import time

from bench import refused, soon
from dns import HTTPS, SVCB
from helper import REASON_TIMEOUT
from world import malformed_https


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


def test_plain_name_may_have_any_number_of_addresses(b):
    """2, 5: what is too many for a request is nothing to a name without a key, and that is proven."""
    r = b.start()
    assert len(r.answer('manyplain.example.test').addresses) == 39
    assert r.answer('webmanyplain.example.test', HTTPS).answer and not b.helper.requests


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


def two_targets(b, owner):
    """A record with hints for two names; DOWN for one of them when it is allowed and the other one is not yet. The helper allows that
    one no more if it is asked again."""
    allow = [True]
    r = b.start(lambda request: (0.4 if request.owner == 'host.example.test' else 0,
                                 request.allow() if request.owner == 'host.example.test' or allow[0] else request.refuse()))
    question = r.ask('webtwo.example.test', HTTPS)
    assert soon(lambda: len(b.helper.answered) == 1)
    allow[0] = owner != 'webtwo.example.test'
    b.helper.down(owner)
    return r, question.answer()


def test_verdict_that_is_withdrawn_while_another_is_waited_for(b):
    """1: not even for the first client; nothing would take the answer back."""
    r, answer = two_targets(b, 'webtwo.example.test')
    assert refused(answer), str(answer)
    for cd in (True, False):
        assert refused(r.answer('webtwo.example.test', HTTPS, cd=cd))


def test_withdrawal_of_another_name_costs_one_round(b):
    r, answer = two_targets(b, 'k1.example.test')
    assert answer.answer and sorted(b.helper.owners()) == ['host.example.test'] * 2 + ['webtwo.example.test'] * 2, b.helper.owners()
    assert r.answer('webtwo.example.test', HTTPS).answer and len(b.helper.requests) == 4


def test_https_without_hints_or_key_is_plain(b):
    r = b.start()
    assert r.answer('webalias.example.test', HTTPS).answer and r.answer('webplain.example.test', HTTPS).answer
    assert not b.helper.requests


def test_https_record_with_too_many_hints_is_refused(b):
    r = b.start()
    assert refused(r.answer('webmany.example.test', HTTPS), 'too many address')


def test_malformed_https_record_is_refused(b):
    """1, 7: what we cannot read may tell an address all the same, to a client that reads more kindly."""
    r = b.start()
    for what in malformed_https():
        for cd in (False, True):
            answer = r.answer(what + '.bad.example.test', HTTPS, cd=cd)
            assert refused(answer, 'malformed'), (what, cd, str(answer))
    assert not b.helper.requests and r.answer('web.example.test', HTTPS).answer
