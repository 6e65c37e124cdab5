"""Every road by which an address could leave Unbound: docs/roads.md has the list, each row with the name of its test here or
in cases.py."""
import time

from cases import soon
from dns import A, AAAA, HTTPS, NOERROR, SERVFAIL, TXT
from world import LEAF


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


def reconfigure(r, *lines):
    """More lines for the server: part of the configuration, for the next reload."""
    with open(r.conf) as f:
        text = f.read()
    with open(r.conf, 'w') as f:
        f.write(text.replace('server:\n', 'server:\n' + ''.join(' %s\n' % line for line in lines), 1))


def reload_with(b, r, command):
    done = r.control(*command.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert soon(lambda: (r.ask('version.server', TXT, qclass=3).answer(0.3) or None) is not None, 5 * b.slack)


def test_reload_that_keeps_the_cache_does_not_keep_protected_addresses(b):
    """1, 4: the list of what to take back ends with the module; so nothing on it may stay."""
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=2) if allow[0] else request.refuse())
    for name in ('host.example.test', 'alias2.example.test', 'plainhost.example.test'):
        assert r.answer(name).addresses
    reconfigure(r, 'serve-expired: yes', 'serve-expired-ttl: 0')
    b.world.leaf.asked = []
    reload_with(b, r, 'reload_keep_cache')
    allow[0] = False
    for _ in range(2):
        for name in ('host.example.test', 'alias2.example.test'):
            assert refused(r.answer(name)), name
        time.sleep(3.2)     # now it would be served expired
    assert r.answer('plainhost.example.test').addresses and ('plainhost.example.test', A) not in b.world.upstream()


def test_reload_turns_serve_expired_on(b):
    """1: answers that were stored without a thought of it. Where Unbound has fast_reload, no module is started anew."""
    allow = [True]
    r = b.start(lambda request: request.allow(ttl=2) if allow[0] else request.refuse())
    fast = 'fast_reload' in r.control('-h').stdout
    assert r.answer('host.example.test').addresses and r.answer('plainhost.example.test').addresses
    reconfigure(r, 'serve-expired: yes', 'serve-expired-ttl: 0')
    reload_with(b, r, 'fast_reload' if fast else 'reload')
    n = len(b.helper.requests)
    assert r.answer('host.example.test').addresses and len(b.helper.requests) == n + (not fast)
    allow[0] = False
    time.sleep(3.2)
    assert refused(r.answer('host.example.test'))


SUBNETCACHE = (' send-client-subnet: %s\n client-subnet-always-forward: yes\n max-client-subnet-ipv4: 24\n'
               ' client-subnet-zone: "example.test"' % LEAF)


def subnetcache(b, modules, has_subnets):
    """Allowed, taken back, refused; and what is for one subnet never gets into the cache for all."""
    allow = [True]
    b.world.leaf.has_subnets = has_subnets
    r = b.start(lambda request: request.allow(ttl=60) if allow[0] else request.refuse(), modules=modules, server=SUBNETCACHE)
    for cd in (False, True):
        for name in ('host', 'alias', 'plainhost'):
            answer = r.answer(name + '.example.test', cd=cd)
            assert answer.addresses or cd and refused(answer), (name, cd, str(answer))
    if has_subnets:
        stored = [line for line in r.control('dump_cache').stdout.splitlines() if line.startswith('msg ') and ' IN A ' in line]
        assert not stored, stored
    allow[0] = False
    b.helper.down('host.example.test')
    time.sleep(1.2)     # no time at all is until the end of this second, for subnetcache
    for name in ('host', 'alias', 'k1', 'web'):
        for cd in (False, True, False):
            answer = r.answer(name + '.example.test', cd=cd)
            assert refused(answer), (name, cd, str(answer))
    assert r.answer('plainhost.example.test').addresses


def test_subnetcache_behind_us(b):
    """1: with CD set it makes lookups that nobody validates."""
    subnetcache(b, 'dynlib subnetcache validator iterator', False)


def test_subnetcache_behind_us_with_answers_for_subnets(b):
    subnetcache(b, 'dynlib subnetcache validator iterator', True)


def test_subnetcache_in_front_of_us(b):
    subnetcache(b, 'subnetcache dynlib validator iterator', False)


def test_subnetcache_in_front_of_us_with_answers_for_subnets(b):
    """1, 4: it has a cache of its own, from which nobody can take anything back."""
    subnetcache(b, 'subnetcache dynlib validator iterator', True)


# How long ------------------------------------------------------------------------------------------------------------------

def test_original_ttl_is_not_served_from_the_cache(b):
    """4: the helper keeps the tunnel for the time that it promised; serve-original-ttl would tell the whole TTL to the end."""
    r = b.start(lambda request: request.allow(ttl=20), server=' serve-original-ttl: yes')
    for _ in range(2):
        answer = r.answer('host.example.test')
        assert answer.addresses and answer.answer[0].ttl <= 20, str(answer)
    assert len(b.helper.requests) == 2, 'each answer is a new promise'
    for _ in range(2):
        assert r.answer('plainhost.example.test').addresses
    assert b.world.upstream().count(('plainhost.example.test', A)) == 1


def test_smallest_ttl_of_the_cache_does_not_win(b):
    """4: cache-min-ttl is about what is fetched, not about what is promised."""
    r = b.start(lambda request: request.allow(ttl=20), server=' cache-min-ttl: 3600')
    for name, rtype in (('host.example.test', A), ('host.example.test', AAAA), ('alias2.example.test', A), ('web.example.test', HTTPS)):
        for _ in range(2):
            answer = r.answer(name, rtype)
            told = [x.ttl for x in answer.answer if x.type == rtype]
            assert told and max(told) <= 20, (name, told)


# A name that had no key ----------------------------------------------------------------------------------------------------

def plain_for_now(r, zone):
    """Its answers are insecure until secure_again(), as if its names had no keys."""
    assert r.control('insecure_add', zone).returncode == 0


def secure_again(r, zone):
    assert r.control('insecure_remove', zone).returncode == 0


def test_key_takes_the_other_family_out_of_the_cache(b):
    """1: A was answered when the name had no key, then AAAA shows that it has one."""
    r = b.start(lambda request: request.refuse())
    plain_for_now(r, 'example.test')
    asked = ('host.example.test', 'alias2.example.test', 'plainhost.example.test')
    for name in asked:
        assert r.answer(name).addresses and not b.helper.requests
    secure_again(r, 'example.test')
    assert refused(r.answer('host.example.test', AAAA))
    b.world.leaf.asked = []
    for name in asked[:2]:
        for cd in (True, False):
            assert refused(r.answer(name, cd=cd)), name
    assert r.answer('plainhost.example.test').addresses and ('plainhost.example.test', A) not in b.world.upstream()


def test_refused_prefetch_ends_a_stale_plain_answer(b):
    """1: serve-expired would tell it until somebody allows the name."""
    r = b.start(lambda request: request.refuse(), server=' serve-expired: yes\n serve-expired-ttl: 0\n'
                ' serve-expired-client-timeout: 0\n cache-max-ttl: 1')
    plain_for_now(r, 'example.test')
    assert r.answer('host.example.test').addresses
    secure_again(r, 'example.test')
    time.sleep(2.2)
    r.answer('host.example.test')       # stale and plain: nobody knows of a key yet, but now it is looked for
    assert soon(lambda: b.helper.requests)
    for cd in (True, False):
        assert refused(r.answer('host.example.test', cd=cd))


def test_keyed_name_stays_cached_while_it_is_asked_about(b):
    """5: forgetting what is plain must not forget what is protected."""
    r = b.start()
    assert r.answer('host.example.test').addresses and r.answer('host.example.test', AAAA).addresses
    n = len(b.helper.requests)
    assert r.answer('host.example.test').addresses and r.answer('host.example.test', AAAA).addresses
    assert len(b.helper.requests) == n


def test_key_sentinel_does_not_leak(b):
    """1: Unbound marks the answer for such a name (RFC 8509) as a failure, and gives it to a client that sets CD."""
    r = b.start(lambda request: request.refuse())
    for cd in (True, False, True):
        answer = r.answer('root-key-sentinel-is-ta-00001.example.test', cd=cd)
        assert refused(answer), (cd, str(answer))
    assert b.helper.requests
