"""oe why: every cause, against a real Unbound with the module and NSD with signed zones; the sentence is compared with the cause."""
import base64
import json
import os
import time

import real_dns
from real_dns import mw, RealDns
from world import CLIENT, NOBODY, SERVER, check, check_equal, many, wait_for

PROTECTED, PLAIN, REFUSED, CANNOT_TELL = 0, 4, 5, 6
SILENT = '127.0.1.9'
LOST = 'lostkey.why.test'


def key_line(owner, rdata, gateway='0 %d .'):
    return f'{owner} IN IPSECKEY {rdata[0]} {gateway % rdata[2]} {base64.b64encode(rdata[3:]).decode()}\n'


def zones_of(world):
    """The class of zones whose keys are those of the daemons."""
    _, good = world.key('ed25519')
    _, other = world.key('ed25519', 1)
    changed = base64.b64encode(good[3:]).decode()

    class Zones(mw.World):
        unsigned = ('unsigned.test.',)
        delegations = {}

        @staticmethod
        def zones():
            why = mw.soa('why.test.', 'ns.why.test.') + mw.host('ns', mw.LEAF)
            for owner, key, *addresses in (('good', good, SERVER), ('wrongkey', other, many(1)), ('conflict', other, SERVER),
                                           ('silent', good, NOBODY), ('private', good, '10.1.2.3'), ('own', good, CLIENT),
                                           ('two', good, SERVER, NOBODY), ('cleared', good, '192.0.2.15'), ('clearshared', other, SERVER), ('bogusa', good, '192.0.2.9'),
                                           ('boguskey', good, '192.0.2.10'), ('lostkey', good, '192.0.2.11'), ('tgt', good, SERVER)):
                owner = 'www.tgt' if owner == 'tgt' else owner
                why += mw.host(owner, *addresses) + key_line(owner, key)
            why += mw.host('broken', '192.0.2.12') + 'broken IN IPSECKEY 10 0 2 . AwEAAQ==\n'
            why += mw.host('gateway', '192.0.2.13') + key_line('gateway', good, '1 %d 192.0.2.14')
            why += mw.host('plain', SERVER) + 'alias IN CNAME alias2\nalias2 IN CNAME good\ncanon IN CNAME cleared\ndn IN DNAME tgt\n'
            why += 'toplain IN CNAME www.unsigned.test.\nlonely IN TXT "x"\ndead IN NS ns.dead\nns.dead IN A %s\n' % SILENT
            plain = mw.soa('unsigned.test.', 'ns.unsigned.test.') + mw.host('ns', mw.LEAF) + mw.host('www', SERVER)
            plain += key_line('www', good) + mw.host('bare', SERVER) + 'in IN CNAME good.why.test.\n'
            return {'why.test.': why, 'unsigned.test.': plain}

        def tamper(self):
            self._tamper('why.test.', 'bogusa.why.test.', 'A', '192.0.2.9', '192.0.2.98')
            self._tamper('why.test.', 'boguskey.why.test.', 'IPSECKEY', changed, 'AAAA' + changed[4:])

    return Zones


def dns(world):
    """The same zones for all cases."""
    if not hasattr(world, 'why_dns'):
        world.why_dns = RealDns(world.build, zones_of(world))
        world.at_end.append(world.why_dns.remove)
    return world.why_dns


def client(world, *lines):
    return world.client([real_dns.RESOLVER, 'attempt: 1000', *lines])


def why(daemon, name):
    """Exit status and what --json says; and that both forms say the same sentence."""
    got = daemon.oe('why', '--json', name)
    check(got.stdout != '', f'oe why {name}: {got.returncode} {got.stderr}')
    return got.returncode, json.loads(got.stdout)


# name, exit status, reason, words of the sentence
CAUSES = [
    ('good', PROTECTED, 'ok', f'is answered, because packets to {SERVER} are encrypted, and its host has proved the key Ed25519/'),
    ('alias', PROTECTED, 'ok', 'of good.why.test'),
    ('www.dn', PROTECTED, 'ok', 'of www.tgt.why.test'),
    ('two', PROTECTED, 'ok', f'; {NOBODY} is left out, because the '),
    ('plain', PLAIN, 'no-key', 'answered in clear, because the signed zone of plain.why.test proves that it has no IPSECKEY record'),
    ('own', PLAIN, 'own-address', f'answered in clear, because {CLIENT} is an address of this host'),
    ('www.unsigned.test.', PLAIN, 'unsigned', 'is not signed by DNSSEC, so that the IPSECKEY records there prove nothing'),
    ('bare.unsigned.test.', PLAIN, 'unsigned', 'its zone is not signed by DNSSEC.'),
    ('in.unsigned.test.', PLAIN, 'alias-unsigned', 'the alias in.unsigned.test lies in a zone that DNSSEC does not sign'),
    ('toplain', PLAIN, 'unsigned', 'its zone is not signed by DNSSEC'),
    ('wrongkey', REFUSED, 'auth-failed', 'the host does not hold the key that its DNS name publishes'),
    ('conflict', REFUSED, 'key-conflict',
     'is refused, because the address is already protected for another name with another key: bound to good.why.test'),
    ('silent', REFUSED, ('timeout', 'unreachable'), ''),
    ('private', REFUSED, 'address-not-allowed', 'is refused, because a tunnel to this kind of address is not allowed: private'),
    ('broken', REFUSED, 'no-usable-key', 'is refused, because no usable key in the IPSECKEY records'),
    ('gateway', REFUSED, 'gateway-unconfirmed', "the address's reverse name does not confirm the gateway: 192.0.2.13: "),
    ('bogusa', REFUSED, 'address-bogus', 'is refused, because its address records do not validate'),
    ('boguskey', REFUSED, 'key-bogus', 'is refused, because the IPSECKEY records do not validate'),
    ('lostkey', REFUSED, 'key-lookup-failed', 'is refused, because the IPSECKEY lookup failed'),
    ('www.dead', REFUSED, 'servers-silent', 'is refused, because the name servers of its zone do not answer'),
    ('cleared', PLAIN, 'permitted', 'is answered in clear, because the operator permits it for '),
    ('clearshared', PLAIN, 'permitted', f'; packets to {SERVER} are encrypted nevertheless, because of good.why.test'),
    ('missing', CANNOT_TELL, 'no-such-name', 'finds nothing to protect, because the name does not exist'),
    ('lonely', CANNOT_TELL, 'no-address', 'finds nothing to protect, because the name has no address'),
]


def every_cause_is_told_in_one_sentence(world):
    with dns(world) as names:
        daemon = client(world).start()
        world.server().start()
        names.start(daemon.resolver)
        names.zones.leaf.lost.add((LOST, mw.dns.IPSECKEY))
        check_equal(daemon.oe('clear', 'canon.why.test').stdout,
                    'canon.why.test is an alias of cleared.why.test\ncleared.why.test: in clear for 60m\n', 'oe clear of an alias')
        check_equal(daemon.oe('clear', 'clearshared.why.test').returncode, 0, 'oe clear')
        wrong = []
        for name, status, reason, words in CAUSES:
            full = name if name.endswith('.') else name + '.why.test'
            got, told = why(daemon, full)
            reasons = reason if isinstance(reason, tuple) else (reason,)
            if got != status or told['reason'] not in reasons or words not in told['sentence'] or \
                    not told['sentence'].endswith('.') or '\n' in told['sentence']:
                wrong.append(f'{full}: {got} {told["reason"]}: {told["sentence"]}\n  wanted {status} {reason}: {words}')
        check(not wrong, '\n'.join(wrong))
    return f'{len(CAUSES)} causes'


def the_way_to_the_decision_is_shown(world):
    with dns(world) as names:
        daemon = client(world).start()
        world.server().start()
        names.start(daemon.resolver)
        _, told = why(daemon, 'alias.why.test')
        check_equal([(x['from'], x['to'], x['type'], x['security']) for x in told['chain']],
                    [('alias.why.test', 'alias2.why.test', 'CNAME', 'secure'), ('alias2.why.test', 'good.why.test', 'CNAME', 'secure')], 'chain')
        check_equal((told['owner'], told['outcome'], told['oe_iked']), ('good.why.test', 'protected', None), 'owner')
        [a, aaaa] = told['addresses']
        check_equal((a['type'], a['security'], a['addresses'], aaaa['addresses']), ('A', 'secure', [SERVER], []), 'addresses')
        [record] = told['keys']['records']
        check_equal((told['keys']['security'], record['precedence'], record['algorithm'], record['key'], record['gateway']),
                    ('secure', 10, 4, 'Ed25519', None), 'keys')
        [host] = told['hosts']
        [tunnel] = host['tunnels']
        check_equal((host['address'], host['next'], host['decided'], tunnel['state'], tunnel['key_tag']),
                    (SERVER, 'protected', 'allowed', 'protected', record['key_tag']), 'host')
        check_equal(told['decision']['verdict'], 'allow', 'decision')
        chain = why(daemon, 'www.dn.why.test')[1]['chain']
        check_equal([(x['to'], x['type']) for x in chain], [('www.tgt.why.test', 'DNAME')], 'DNAME')
        people = daemon.oe('why', 'alias.why.test')
        check_equal(people.stdout.splitlines()[-1], told['sentence'], 'the last line for people')
        for words in ('CNAME      alias.why.test -> alias2.why.test (secure)', f'A          {SERVER} (secure, TTL ', 'AAAA       none (secure)',
                      f'IPSECKEY   10 Ed25519/{record["key_tag"]} (secure, TTL ', f'tunnel     {SERVER} protected for '):
            check(words in people.stdout, f'"{words}" is not in:\n{people.stdout}')


def a_failure_is_told_with_its_end(world):
    with dns(world) as names:
        daemon = client(world).start()
        world.server().start()
        names.start(daemon.resolver)
        _, told = why(daemon, 'wrongkey.why.test')
        [host] = told['hosts']
        failure = host['failure']
        check_equal((failure['reason'], failure['times'], host['next']), ('auth-failed', 1, 'refused'), 'failure')
        check(0 < failure['again_in_s'] <= 2 and failure['ago_s'] <= 2, f'{failure}')
        check(told['sentence'].endswith(f'; the host is not tried again for {failure["again_in_s"]} s.'), told['sentence'])
        time.sleep(failure['again_in_s'])
        [host] = why(daemon, 'wrongkey.why.test')[1]['hosts']
        check_equal(host['failure']['times'], 2, 'it was tried again, and not before')
        check(2 < host['failure']['again_in_s'] <= 10, f'{host["failure"]}')


# name, number of the key that is thought to be there or None, exit status, state, words of the last line
CHECKS = [
    ('good', 0, 0, 'published', 'published and validated; tag '),
    ('good', None, 0, 'published', '; its host has proved its key'),
    ('good', 1, 5, 'other-key', 'another key is published: tag '),
    ('alias', 0, 0, 'published', '; its host has proved its key'),
    ('own', 0, 0, 'published', '; its host is this one: let another one ask, too'),
    ('private', 0, 0, 'published', '; its host was not tried, because a tunnel to this kind of address is not allowed'),
    ('in.unsigned.test.', 0, 4, 'not-validated', 'an alias on the way to it lies in a zone that is not signed; nobody will use it'),
    ('www.unsigned.test.', 0, 4, 'not-validated', 'the zone is not signed; nobody will use it'),
    ('boguskey', None, 4, 'not-validated', 'the IPSECKEY records are bogus'),
    ('bogusa', 0, 4, 'not-validated', 'the address records are bogus'),
    ('plain', 0, 6, 'nothing', 'no IPSECKEY record; that of this key has tag '),
    ('broken', None, 6, 'unusable', 'published, but clients cannot use it: '),
    ('gateway', 0, 7, 'not-proved', 'gateway'),
    ('wrongkey', 1, 7, 'not-proved', '; but the host does not hold the key that its DNS name publishes'),
    ('silent', 0, 7, 'not-proved', '; but '),
]


def oe_key_check_sees_what_a_client_sees(world):
    with dns(world) as names:
        daemon = client(world).start()
        world.server().start()
        names.start(daemon.resolver)
        wrong = []
        for name, number, status, state, words in CHECKS:
            full = name if name.endswith('.') else name + '.why.test'
            key = [] if number is None else ['--key', world.key('ed25519', number)[0]]
            got = daemon.oe('key', 'check', '--json', *key, full)
            told = json.loads(got.stdout)
            if (got.returncode, told['state']) != (status, state) or words not in told['finding']:
                wrong.append(f'{full}: {got.returncode} {told["state"]}: {told["finding"]}\n  wanted {status} {state}: {words}')
        check(not wrong, '\n'.join(wrong))
        people = daemon.oe('key', 'check', 'good.why.test').stdout
        check(people.startswith(f'A          {SERVER} (secure, TTL ') and '\nIPSECKEY   10 Ed25519/' in people and
              people.splitlines()[-1].startswith('good.why.test: published and validated; TTL '), people)
    return f'{len(CHECKS)} findings'


def without_oe_iked_it_says_so(world):
    with dns(world) as names:
        daemon = client(world).start()
        world.server().start()
        names.start(daemon.resolver)
        check_equal(why(daemon, 'good.why.test')[0], PROTECTED, 'with it')
        daemon.kill()
        world.daemons.remove(daemon)

        def told():
            status, answer = why(daemon, 'good.why.test')
            return answer if status == REFUSED else None
        answer = wait_for('the refusal', 5, told)
        check('is refused, because oe-iked is not running' in answer['sentence'], answer['sentence'])
        check('oe-iked is not running (nobody listens on' in answer['oe_iked'], answer['oe_iked'])
        check_equal((answer['reason'], answer['hosts'], answer['keys']['security']), ('helper-absent', [], 'secure'), 'what is known')
        check_equal(why(daemon, 'plain.why.test')[0], PLAIN, 'a name without keys')


def without_unbound_or_its_module_it_says_so(world):
    with dns(world) as names:
        daemon = client(world).start()
        world.server().start()
        status, answer = why(daemon, 'good.why.test')
        check_equal((status, answer['outcome'], answer['reason']), (CANNOT_TELL, 'cannot-tell', 'resolver-silent'), 'no Unbound')
        check('nobody answers at 127.0.0.1@5353, where the option resolver of oe.conf says' in answer['sentence'], answer['sentence'])
        names.start(daemon.resolver, modules='validator iterator')
        status, answer = why(daemon, 'good.why.test')
        check_equal((status, answer['reason']), (PLAIN, 'module-absent'), answer['sentence'])
        check('has answered without asking oe-iked: it does not use the module' in answer['sentence'], answer['sentence'])
        check_equal(why(daemon, 'plain.why.test')[1]['reason'], 'no-key', 'a name without keys')
        names.stop()
        names.start(daemon.resolver, modules='iterator')
        check_equal(why(daemon, 'plain.why.test')[1]['reason'], 'not-validating', 'without the validator')


def wrong_usage_is_said(world):
    daemon = client(world)
    for arguments, words in (([], 'give one name'), (['a', 'b'], 'give one name'), (['192.0.2.1'], 'give that'),
                             (['a..b'], 'not a domain name'), (['--yaml', 'a'], 'unknown option --yaml')):
        got = daemon.oe('why', *arguments)
        check_equal(got.returncode, 2, f'{arguments}')
        check(words in got.stderr, f'{arguments}: {got.stderr}')
    check(os.path.exists(daemon.file), 'the configuration')


CASES = [
    every_cause_is_told_in_one_sentence,
    the_way_to_the_decision_is_shown,
    a_failure_is_told_with_its_end,
    oe_key_check_sees_what_a_client_sees,
    without_oe_iked_it_says_so,
    without_unbound_or_its_module_it_says_so,
    wrong_usage_is_said,
]
