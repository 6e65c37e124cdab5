"""Every road by which an address could leave Unbound: docs/roads.md has the list, each row with the name of its test here or
in another cases_*.py."""
import glob
import os
import re
import socket
import ssl
import subprocess
import time

import dns
from bench import only_dynlib, refused, soon
from dns import A, AAAA, ANY, HTTPS, MX, REFUSED, RRSIG, SRV, TXT
from world import LEAF, RESOLVER


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


def add_module(b, before):
    """Answers in clear, with these modules; reload_keep_cache, with ours too; and none of these answers is left."""
    r = b.start(lambda request: request.refuse(), modules=before)
    names = (('host.example.test', A), ('host.example.test', AAAA), ('alias2.example.test', A), ('web.example.test', HTTPS))
    for name, rtype in names + (('www.plain.test', A),):
        assert r.answer(name, rtype).answer and r.answer(name, rtype, cd=True).answer and not b.helper.requests
    with open(r.conf) as f:
        text = f.read()
    with open(r.conf, 'w') as f:
        f.write(text.replace('"%s"' % before, '"%s validator iterator"' % ('dynlib' if b.paths.module else 'ipsecoe')))
    b.world.leaf.asked = []
    reload_with(b, r, 'reload_keep_cache')
    if 'validator' in before:
        assert r.answer('www.plain.test').addresses and not b.world.upstream(A), 'what is known to be insecure stays'
    for cd in (True, False):
        for name, rtype in names:
            assert refused(r.answer(name, rtype, cd=cd)), (name, rtype, cd)


def test_reload_that_keeps_the_cache_adds_the_module(b):
    """1: what was answered while nobody asked for keys."""
    add_module(b, 'validator iterator')


def test_reload_that_keeps_the_cache_adds_validator_and_module(b):
    """1: what was never validated, and is given to a client that sets CD."""
    add_module(b, 'iterator')


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
            # subnetcache makes a SERVFAIL of its own of a refusal of its lookup
            assert refused(answer, 'does not hold the key' if has_subnets else ''), (name, cd, str(answer))
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


def test_refused_prefetch_ends_a_stale_hint_for_another_name(b):
    """1: the hint is in a record of another owner than the key."""
    r = b.start(lambda request: request.refuse(), server=' serve-expired: yes\n serve-expired-ttl: 0\n'
                ' serve-expired-client-timeout: 0\n cache-max-ttl: 1')
    plain_for_now(r, 'example.test')
    assert r.answer('webother.example.test', HTTPS).answer
    secure_again(r, 'example.test')
    time.sleep(2.2)
    r.answer('webother.example.test', HTTPS)
    assert soon(lambda: b.helper.requests)
    for cd in (True, False):
        assert refused(r.answer('webother.example.test', HTTPS, cd=cd))


def test_insecure_alias_does_not_renew_the_addresses_of_a_secure_one(b):
    """1: Unbound's messages share their RRsets. What may be told of the host in an insecure answer is not what was asked about."""
    r = b.start(lambda request: request.allow() if request.addresses == ['192.0.2.1'] else request.refuse())
    assert r.answer('alias.example.test').addresses == ['192.0.2.1']
    b.world.rotate('example.test.', 'host.example.test.', '192.0.2.77')
    assert r.answer('alias.plain.test').addresses == ['192.0.2.77']
    for cd in (True, False):
        answer = r.answer('alias.example.test', cd=cd)
        assert answer.addresses == ['192.0.2.1'] or refused(answer), str(answer)


def test_keyed_name_stays_cached_while_it_is_asked_about(b):
    """5: forgetting what is plain must not forget what is protected."""
    r = b.start()
    assert r.answer('host.example.test').addresses and r.answer('host.example.test', AAAA).addresses
    n = len(b.helper.requests)
    assert r.answer('host.example.test').addresses and r.answer('host.example.test', AAAA).addresses
    assert len(b.helper.requests) == n


# Places in an answer -------------------------------------------------------------------------------------------------------

def addresses_anywhere(answer):
    return [x.address for x in answer.answer + answer.authority + answer.additional if x.type in (A, AAAA)]


def test_hints_are_never_stripped(b):
    """1: all of the record or SERVFAIL. Without its hints the record has no valid signature, and a stub would not know."""
    r = b.start(lambda request: request.allow(refused=['2001:db8::15']))
    for do in (False, True):
        answer = r.answer('web.example.test', HTTPS, do=do)
        assert refused(answer, 'does not answer IKE'), (do, str(answer))
    b.helper.decide = lambda request: request.allow()
    answer = r.answer('web.example.test', HTTPS, do=True)
    assert sorted(x.type for x in answer.answer) == [RRSIG, HTTPS] and socket.inet_aton('192.0.2.15') in answer.packet, str(answer)


def test_additional_section_of_srv_and_svcb(b):
    """1: with the address not in the cache, and in it."""
    r = b.start(server=' minimal-responses: no')
    for _ in range(2):
        for name, rtype in (('srv.example.test', SRV), ('webalias.example.test', HTTPS), ('mail.example.test', MX)):
            answer = r.answer(name, rtype)
            assert answer.answer and not addresses_anywhere(answer), (name, str(answer))
            assert not [x for x in answer.additional if x.type == HTTPS], name
        assert r.answer('host.example.test').addresses and r.answer('web.example.test').addresses


def test_any_does_not_tell_what_the_iterator_found(b):
    """1: for ANY the resolver looks into the cache of RRsets, where the addresses of name servers are."""
    r = b.start(lambda request: request.refuse())
    assert r.answer('www.far.test').addresses
    for rtype in (ANY, A):
        for cd in (False, True):
            answer = r.answer('srv.keyed.test', rtype, cd=cd)
            assert refused(answer) and not addresses_anywhere(answer), (rtype, cd, str(answer))


# Ways to ask ---------------------------------------------------------------------------------------------------------------

def test_cache_snooping_is_refused(b):
    """1: RD=0, which Unbound refuses unless access-control says allow_snoop."""
    r = b.start()
    assert r.answer('host.example.test').addresses
    answer = r.answer('host.example.test', rd=False)
    assert answer.rcode == REFUSED and not addresses_anywhere(answer), str(answer)


def test_cache_snooping_where_it_is_allowed(b):
    """1: nothing but what is in the cache, and there only after a verdict; else a referral, which does not answer the question."""
    allow = [False]
    r = b.start(lambda request: request.allow() if allow[0] else request.refuse(), server=' access-control: 127.0.0.0/8 allow_snoop')
    for cd in (False, True):
        for name, rtype in (('host.example.test', A), ('web.example.test', HTTPS), ('alias2.example.test', A)):
            for rd in (False, True, False):
                answer = r.answer(name, rtype, rd=rd, cd=cd)
                assert not [x for x in answer.answer if x.type in (A, HTTPS)], (name, cd, rd, str(answer))
                assert '192.0.2.1' not in addresses_anywhere(answer), (name, cd, rd)
    allow[0] = True
    assert r.answer('host.example.test').addresses and r.answer('host.example.test', rd=False).addresses == ['192.0.2.1']


def test_views_share_the_guard(b):
    """1: two views, one cache; local data of one of them is plain."""
    r = b.start(lambda request: (0.4, request.allow()), server=' access-control-view: 127.0.0.2/32 second',
                extra='view:\n name: second\n view-first: yes\n local-data: "k1.example.test. A 192.0.2.97"\n')
    waiting = [r.ask('host.example.test'), r.ask('host.example.test', source='127.0.0.2')]
    assert r.answer('k1.example.test', source='127.0.0.2').addresses == ['192.0.2.97']
    for w in waiting:
        answer = w.answer()
        assert answer.addresses == ['192.0.2.1'] and answer.took > 0.4, str(answer)
    assert r.answer('k1.example.test').addresses == ['198.51.100.2']
    assert b.helper.owners() == ['host.example.test', 'k1.example.test'], b.helper.owners()


class Stream:
    """A TCP connection to the resolver, or TLS over it (DoT)."""

    def __init__(self, port, tls):
        self.socket = socket.create_connection((RESOLVER[0], port), 6)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)

    def ask(self, name, rtype=A, **how):
        packet = dns.question(name, rtype, **how)
        self.asked = time.monotonic()
        self.socket.sendall(len(packet).to_bytes(2, 'big') + packet)

    def _read(self, n):
        data = b''
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            assert more, 'the resolver has closed the connection'
            data += more
        return data

    def answer(self):
        packet = self._read(int.from_bytes(self._read(2), 'big'))
        return dns.Answer(packet, time.monotonic() - self.asked)


def streams(b, port, tls, server=''):
    r = b.start(lambda request: (0.4, request.allow() if request.owner == 'host.example.test' else request.refuse()), server=server)
    s = Stream(port, tls)
    s.ask('host.example.test')
    s.ask('k1.example.test')
    s.ask('plainhost.example.test')
    answers = [s.answer() for _ in range(3)]
    assert answers[0].addresses == ['192.0.2.20'] and answers[0].took < 0.3 * b.slack, 'nobody waits for another one: %s' % answers[0]
    for answer in answers[1:]:
        assert answer.took > 0.38, str(answer)
        if answer.qname == 'host.example.test':
            assert answer.addresses == ['192.0.2.1'], str(answer)
        else:
            assert refused(answer), str(answer)
    s.socket.close()
    assert r.answer('host.example.test').addresses


def test_client_over_tcp(b):
    streams(b, RESOLVER[1], False)


def test_client_over_tls(b):
    """DoT, RFC 7858"""
    key, certificate = (os.path.join(b.folder, name) for name in ('tls.key', 'tls.pem'))
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=resolver',
                    '-days', '2', '-keyout', key, '-out', certificate], check=True, capture_output=True)
    streams(b, 8853, True, ' interface: %s@8853\n tls-port: 8853\n tls-service-key: "%s"\n tls-service-pem: "%s"' %
            (RESOLVER[0], key, certificate))


@only_dynlib
def test_libunbound_does_not_start_without_the_module(b):
    """1: unbound-host with the resolver's configuration. libunbound has no functions for a module: nothing instead of plain."""
    r = b.start()
    host = os.path.join(os.path.dirname(b.paths.unbound), 'unbound-host')
    done = subprocess.run([host, '-C', r.conf, 'host.example.test'], env=r.environment(), capture_output=True, text=True)
    assert done.returncode != 0 and '192.0.2.1' not in done.stdout and 'initialization failure' in done.stdout + done.stderr, \
        done.stdout + done.stderr
    assert not b.helper.requests


# Who else answers ----------------------------------------------------------------------------------------------------------

def auth_zone(b, zone, downstream):
    return 'auth-zone:\n name: "%s"\n zonefile: "%s.signed"\n for-upstream: yes\n for-downstream: %s\n' % (
        zone.rstrip('.'), b.world.file(zone), 'yes' if downstream else 'no')


def test_alias_into_an_auth_zone_is_guarded(b):
    """1: what the alias leads to is answered without asking anybody."""
    r = b.start(lambda request: request.refuse(), extra=auth_zone(b, 'other.test.', False))
    for cd in (True, False, True):
        assert refused(r.answer('out.example.test', cd=cd)), cd


def test_name_server_in_an_auth_zone_is_guarded(b):
    """1: the iterator's own lookup is answered from there."""
    r = b.start(lambda request: request.refuse(), extra=auth_zone(b, 'keyed.test.', False))
    assert r.answer('www.far.test').addresses
    for cd in (True, False, True):
        assert refused(r.answer('srv.keyed.test', cd=cd)), cd


def test_auth_zone_for_clients_is_plain_and_the_log_says_so(b):
    """docs/roads.md: with for-downstream, Unbound is a name server for it, and asks no module."""
    r = b.start(lambda request: request.refuse(), extra=auth_zone(b, 'other.test.', True))
    assert r.answer('host.other.test').addresses == ['192.0.2.30']
    assert 'auth-zone other.test' in r.log_text() and 'without protection' in r.log_text()
    assert refused(r.answer('out.example.test'))


def test_local_answers_are_plain_and_aliases_out_of_them_are_not(b):
    """docs/roads.md: local-data, local-zone, response-ip and RPZ are the operator's own word; what they point to is a name."""
    rpz = os.path.join(b.folder, 'rpz.zone')
    with open(rpz, 'w') as f:
        f.write('$ORIGIN rpz.\n$TTL 60\n@ SOA a. b. 1 2 3 4 5\n@ NS ns.\nk3.example.test A 192.0.2.93\n'
                'k4.example.test CNAME host.example.test.\n32.6.100.51.198.rpz-ip A 192.0.2.95\n')
    r = b.start(lambda request: request.refuse() if request.owner == 'host.example.test' else request.allow(),
                modules='respip dynlib validator iterator', extra='rpz:\n name: rpz\n zonefile: "%s"\n' % rpz,
                server=' local-data: "k1.example.test. A 192.0.2.91"\n local-zone: "redir.example.test." redirect\n'
                ' local-data: "redir.example.test. CNAME host.example.test."\n'
                ' response-ip: 198.51.100.8/32 redirect\n response-ip-data: 198.51.100.8/32 "A 192.0.2.97"\n'
                ' response-ip: 198.51.100.9/32 redirect\n response-ip-data: 198.51.100.9/32 "CNAME host.example.test"')
    for _ in range(2):
        for name, address in (('k1', '192.0.2.91'), ('k3', '192.0.2.93'), ('k5', '192.0.2.95'), ('k7', '192.0.2.97')):
            answer = r.answer(name + '.example.test')
            assert answer.addresses == [address], (name, str(answer))
        for name in ('redir', 'k4', 'k8'):
            for cd in (False, True):
                answer = r.answer(name + '.example.test', cd=cd)
                # response-ip makes the answer of what it redirects to, and leaves the words behind
                assert refused(answer, '' if name == 'k8' else 'does not hold the key'), (name, cd, str(answer))


def test_dns64_behind_us_is_protected(b):
    """1: the synthesised address is asked about like any other."""
    r = b.start(lambda request: request.refuse() if request.owner == 'k2.example.test' else request.allow(),
                modules='dynlib dns64 validator iterator')
    answer = r.answer('k1.example.test', AAAA)
    assert answer.addresses == ['64:ff9b::c633:6402'], str(answer)
    assert [q.addresses for q in b.helper.requests if q.owner == 'k1.example.test'][-1:] == [['64:ff9b::c633:6402']]
    for _ in range(2):
        assert refused(r.answer('k2.example.test', AAAA))
        assert r.answer('plainhost.example.test', AAAA).addresses == ['64:ff9b::c000:214']
        assert r.answer('host.example.test', AAAA).addresses == ['2001:db8::1']


def test_dns64_in_front_of_us_is_plain(b):
    """docs/roads.md: it makes its addresses of what we allowed, and we never see them."""
    r = b.start(lambda request: request.refuse() if request.owner == 'k2.example.test' else request.allow(),
                modules='dns64 dynlib validator iterator')
    assert r.answer('k1.example.test', AAAA).addresses == ['64:ff9b::c633:6402']
    assert [q.addresses for q in b.helper.requests] == [['198.51.100.2']]
    answer = r.answer('k2.example.test', AAAA)
    assert not answer.addresses and refused(r.answer('k2.example.test')), 'its A is refused; dns64 says that there is no AAAA'
    assert r.answer('host.example.test', AAAA).addresses == ['2001:db8::1']
    b.helper.decide = lambda request: request.refuse()
    b.helper.down('host.example.test')
    time.sleep(0.2)
    assert refused(r.answer('host.example.test', AAAA)), 'what dns64 has cached goes, too'


def test_zone_that_nothing_may_be_cached_of(b):
    """1: forward-no-cache"""
    allow = [True]
    r = b.start(lambda request: request.allow() if allow[0] else request.refuse(),
                extra='forward-zone:\n name: "example.test"\n forward-addr: %s\n forward-no-cache: yes\n' % LEAF)
    assert r.answer('host.example.test').addresses
    allow[0] = False
    for name in ('host.example.test', 'alias2.example.test'):
        for cd in (False, True):
            assert refused(r.answer(name, cd=cd)), name


def test_permissive_mode_is_plain_for_bogus_addresses_and_the_log_says_so(b):
    """docs/roads.md: the operator wants bogus answers. One whose addresses are secure is protected as ever."""
    r = b.start(lambda request: request.refuse(), server=' val-permissive-mode: yes')
    assert r.answer('bogusa.example.test').addresses == ['192.0.2.99'] and 'val-permissive-mode' in r.log_text()
    assert refused(r.answer('host.example.test')) and refused(r.answer('boguskey.example.test'), 'this answer is not secure')


def test_key_sentinel_does_not_leak(b):
    """1: Unbound marks the answer for such a name (RFC 8509) as a failure, and gives it to a client that sets CD."""
    r = b.start(lambda request: request.refuse())
    for cd in (True, False, True):
        answer = r.answer('root-key-sentinel-is-ta-00001.example.test', cd=cd)
        assert refused(answer), (cd, str(answer))
    assert b.helper.requests


def test_loaded_cache_is_the_operators_own(b):
    """docs/roads.md: load_cache puts into the cache what a file says."""
    r = b.start()
    assert r.answer('host.example.test').addresses
    dump = r.control('dump_cache').stdout
    b.helper.decide = lambda request: request.refuse()
    b.helper.down('host.example.test')
    time.sleep(0.2)
    assert refused(r.answer('host.example.test'))
    subprocess.run([b.paths.control, '-c', r.conf, 'load_cache'], input=dump, check=True, capture_output=True, text=True)
    assert r.answer('host.example.test').addresses


def test_every_road_in_the_docs_has_its_test(b):
    """docs/roads.md names tests that exist."""
    top = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../..')
    scenarios = {name[:-3] for name in os.listdir(os.path.join(top, 'tests/lab/scenarios'))}
    tests = set()
    for path in glob.glob(os.path.join(top, 'tests/module/cases_*.py')):
        with open(path) as f:
            tests |= set(re.findall(r'^def test_(\w+)', f.read(), re.M))
    with open(os.path.join(top, 'docs/roads.md')) as f:
        named = [name for line in f if line.startswith('| ') for name in re.findall('`([^`]+)`', line.split('|')[-2])]
    assert len(named) > 40
    missing = [name for name in named if name not in tests | scenarios]
    assert not missing, missing
