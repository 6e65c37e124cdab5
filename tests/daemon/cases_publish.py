"""oe key publish and oe key rollover: DNS UPDATE into zones that BIND and Knot sign, seen through a resolver that validates."""
import json
import os
import subprocess
import time

from signing_dns import Bind, Knot, TTL_S, Validator, ZONE
from world import check, check_equal, wait_for

NAME, NAME2 = 'www.' + ZONE, 'www2.' + ZONE


def in_dns(world, number):
    """The RDATA of this key, as dig writes it."""
    pem, _ = world.key('ed25519', number)
    return subprocess.run([world.program('oe'), 'key', 'dns', pem, 'x'], capture_output=True, text=True, check=True).stdout.split(' ', 3)[3].strip()


def host_with(world, pem):
    return world.client([f'server-key: {pem}', 'accept-anonymous: yes'], name='host')


def good(got, what):
    check_equal(got.returncode, 0, f'{what}: {got.stdout}{got.stderr}')
    return got.stdout


def refused(got, status, words):
    check_equal(got.returncode, status, f'{got.stdout}{got.stderr}')
    check(words in got.stderr, f'"{words}" is not in "{got.stderr}"')


def publish_with(server_class, world):
    pem, _ = world.key('ed25519', 1)
    host = host_with(world, pem)
    with server_class('127.0.2.1') as server, Validator(world, server):
        at = ['--server', server.address]
        signed = [*at, '--tsig', server.tsig]
        script = good(host.oe('key', 'publish', '--dry-run', *at, NAME), 'what would be done')
        check_equal(script.splitlines()[:5], [f'server {server.address} 53', f'zone {ZONE}', f'prereq nxrrset {NAME}. IN CNAME',
                                              f'prereq nxrrset {NAME}. IN IPSECKEY',
                                              f'update add {NAME}. 3600 IN IPSECKEY {in_dns(world, 1)}'], 'the script')
        check_equal(server.records('www'), [], 'a dry run changes nothing')
        refused(host.oe('key', 'publish', *at, NAME), 1, 'the change was not made: the server ' + server.says_to_strangers)
        wrong = server.write('wrong.key', 'key "admin" { algorithm hmac-sha256; secret "d3Jvbmc="; };\n')
        refused(host.oe('key', 'publish', *at, '--tsig', wrong, NAME), 1, 'the change was not made: the server does not know the TSIG key')
        refused(host.oe('key', 'publish', *signed, 'alias.' + ZONE), 1, 'is an alias')
        refused(host.oe('key', 'publish', *at, NAME, env={'PATH': '/nowhere'}), 1, 'nsupdate is not there')
        check_equal(host.oe('key', 'check', NAME).returncode, 6, 'before')
        said = good(host.oe('key', 'publish', *signed, '--ttl', '60', NAME), 'publish')
        check(f'{NAME}: published in the zone {ZONE} on {server.address}:53; tag ' in said and 'TTL 60 s' in said, said)
        check_equal(server.records('www'), [in_dns(world, 1)], 'in the zone')
        # The resolver had been told for a second that there is none; it finds the primary by the SOA record.
        told = wait_for('the key, validated', 5, lambda: (lambda g: g.stdout if g.returncode == 0 else None)(host.oe('key', 'check', NAME)))
        check(f'{NAME}: published and validated; tag ' in told, told)
        check('published already' in good(host.oe('key', 'publish', '--tsig', server.tsig, NAME), 'again, by the SOA record'), 'again')
        refused(host.oe('key', 'publish', *signed, '--key', world.key('ed25519', 2)[0], NAME), 5, 'publishes another key (tag ')
        good(host.oe('key', 'publish', *signed, '--beside', '--key', world.key('ed25519', 2)[0], NAME), 'a second host of the name')
        check_equal(server.records('www'), sorted([in_dns(world, 1), in_dns(world, 2)]), 'both')
        withdraw_from(server, host, signed, world)


def withdraw_from(server, host, signed, world):
    """The host's own key first, though another one is published; twice; then the other, whose file nobody has."""
    again = in_dns(world, 1).replace('10 ', '20 ', 1)       # the same key, for whatever reason
    subprocess.run(['nsupdate', '-k', server.tsig], input=f'server {server.address}\nupdate add {NAME}. 60 IPSECKEY {again}\nsend\n', text=True, check=True)
    script = good(host.oe('key', 'withdraw', '--dry-run', *signed, NAME), 'what would be done')
    check_equal(sorted(line for line in script.splitlines() if 'update' in line),
                [f'update delete {NAME}. IN IPSECKEY {record}' for record in (in_dns(world, 1), again)], 'the script')
    refused(host.oe('key', 'withdraw', *signed[:2], NAME), 1, 'the change was not made: the server ' + server.says_to_strangers)
    said = good(host.oe('key', 'withdraw', *signed, NAME), 'withdraw')
    check(f'{NAME}: withdrawn from the zone {ZONE} on {server.address}:53; tag ' in said and 'still publishes: ' in said, said)
    check('resolvers may know it until 20' in said and 'next, then: take server-key out' in said, said)
    check_equal(server.records('www'), [in_dns(world, 2)], 'the other one stays')
    refused(host.oe('key', 'withdraw', *signed, NAME), 5, 'does not publish the key with tag ')
    refused(host.oe('key', 'withdraw', *signed, '--all', '--key', '/dev/null', NAME), 2, '--key and --all exclude each other')
    said = good(host.oe('key', 'withdraw', *signed, '--all', NAME), 'withdraw all')
    check('it publishes no key any more' in said, said)
    check_equal(server.records('www'), [], 'none is left')
    check_equal(good(host.oe('key', 'withdraw', *signed, NAME), 'again').strip(), f'{NAME}: publishes no key', 'again')
    good(host.oe('key', 'publish', *signed, '--ttl', str(TTL_S), NAME), 'publish it again')
    began = time.time()
    with subprocess.Popen([world.program('oe'), '-c', host.file, 'key', 'withdraw', *signed, '--wait', NAME], stdout=subprocess.PIPE, text=True) as waits:
        check('withdrawn from the zone' in waits.stdout.readline() and waits.poll() is None, 'it says nothing before it waits')
        said = waits.stdout.read()
    check(time.time() - began >= TTL_S and waits.returncode == 0 and 'next: take server-key out' in said, f'{time.time() - began} s: {said}')


def oe_key_publish_to_bind(world):
    publish_with(Bind, world)


def oe_key_publish_to_knot(world):
    publish_with(Knot, world)


def a_change_between_reading_and_writing_is_not_overwritten(world):
    """nsupdate is a wrapper here, which lets somebody else in just before."""
    pem, _ = world.key('ed25519', 1)
    host = host_with(world, pem)
    with Bind('127.0.2.1') as server, Validator(world, server):
        folder = os.path.join(server.folder, 'bin')
        os.mkdir(folder)
        with open(os.path.join(folder, 'nsupdate'), 'w', encoding='ascii') as wrapper:
            wrapper.write(f'#!/bin/sh\nprintf "server {server.address}\\nupdate add {NAME}. 60 IPSECKEY {in_dns(world, 2)}\\nsend\\n" |'
                          f' /usr/bin/nsupdate -k {server.tsig}\nexec /usr/bin/nsupdate "$@"\n')
        os.chmod(os.path.join(folder, 'nsupdate'), 0o755)
        refused(host.oe('key', 'publish', '--server', server.address, '--tsig', server.tsig, NAME, env={'PATH': f'{folder}:/usr/bin:/bin'}),
                1, 'the change was not made: the records of the name have changed meanwhile')
        check_equal(server.records('www'), [in_dns(world, 2)], 'in the zone')


def a_rollover_waits_for_the_ttl_and_forgets_nothing(world):
    server_key, new = world.path('host-key'), world.path('host-key-new')
    for number, path in ((1, server_key), (2, new)):
        with open(world.key('ed25519', number)[0], 'rb') as key, open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'wb') as copy:
            copy.write(key.read())
    old, fresh = in_dns(world, 1), in_dns(world, 2)
    host = host_with(world, server_key).start()
    state = world.path('rollover.json')

    def rollover(*arguments):
        return host.oe('key', 'rollover', *arguments, '--state', state)

    with Bind('127.0.2.1') as server, Validator(world, server):
        at = ['--server', server.address, '--tsig', server.tsig, '--ttl', str(TTL_S)]
        check_equal(good(rollover('status'), 'none').strip(), 'none is under way', 'status')
        for word in 'switch', 'finish', 'cancel':
            refused(rollover(word), 1, 'no rollover is under way')
        good(host.oe('key', 'publish', *at, NAME), 'the old key')
        # It is not published for the second name: nothing that could not be taken up again
        refused(rollover('start', *at, new, NAME, NAME2), 5, f'{NAME2} does not publish the key with tag ')
        check_equal(server.records('www'), sorted([old, fresh]), 'the first name has both')
        refused(rollover('switch'), 1, 'the new key is not published for every name yet')
        check('the new one is not published yet' in good(rollover('status'), 'status'), 'status')
        refused(rollover('start', *at, new, NAME), 1, 'one is under way')
        good(host.oe('key', 'publish', *at, NAME2), 'the old key of the second name')
        began = time.time()
        said = good(rollover('start'), 'once more')
        check('both keys are published; next: oe key rollover switch, not before 20' in said, said)
        check_equal(server.records('www2'), sorted([old, fresh]), 'the second name has both')
        refused(rollover('finish'), 1, 'oe key rollover switch comes first')
        refused(rollover('switch'), 1, 'resolvers may know the old key alone until ')
        good(rollover('switch', '--wait'), 'switch')
        check(time.time() - began >= TTL_S, f'it has waited {time.time() - began} s')
        with open(server_key, 'rb') as now, open(world.key('ed25519', 2)[0], 'rb') as wanted:
            check_equal(now.read(), wanted.read(), 'server-key')
        check(os.path.exists(server_key + '.old') and not os.path.exists(new), 'the old key has a name, the new one has moved')
        good(rollover('switch'), 'switch again')
        refused(rollover('cancel'), 1, 'server-key has the new key already')
        refused(rollover('finish'), 1, 'oe-iked still signs with the old key: restart it')
        check_equal(server.records('www'), sorted([old, fresh]), 'nothing is withdrawn before')
        host.stop()
        host.start()
        good(rollover('finish'), 'finish')
        check_equal((server.records('www'), server.records('www2')), ([fresh], [fresh]), 'the old key is withdrawn')
        check(not os.path.exists(state), 'the state is gone')
        wait_for('the new key, validated', 2 * TTL_S + 3, lambda: host.oe('key', 'check', NAME2).returncode == 0)


def a_rollover_can_be_called_off(world):
    pem, _ = world.key('ed25519', 1)
    other, _ = world.key('ed25519', 2)
    host, state = host_with(world, pem), world.path('rollover.json')
    with Knot('127.0.2.1') as server, Validator(world, server):
        at = ['--server', server.address, '--tsig', server.tsig]
        good(host.oe('key', 'publish', *at, NAME), 'the old key')
        good(host.oe('key', 'rollover', 'start', '--state', state, *at, other, NAME), 'start')
        with open(state, encoding='ascii') as file:
            check_equal(json.load(file)['names'][0]['ttl_s'], 3600, 'the TTL that is waited for')
        check_equal(os.stat(state).st_mode & 0o777, 0o600, 'mode of the state')
        check_equal(server.records('www'), sorted([in_dns(world, 1), in_dns(world, 2)]), 'both')
        good(host.oe('key', 'rollover', 'cancel', '--state', state), 'cancel')
        check_equal(server.records('www'), [in_dns(world, 1)], 'the old key alone')
    with open(state, 'w', encoding='ascii') as file:
        file.write('{"version": 1, "names": [')
    refused(host.oe('key', 'rollover', 'status', '--state', state), 1, state)


CASES = [
    oe_key_publish_to_bind,
    oe_key_publish_to_knot,
    a_change_between_reading_and_writing_is_not_overwritten,
    a_rollover_waits_for_the_ttl_and_forgets_nothing,
    a_rollover_can_be_called_off,
]
