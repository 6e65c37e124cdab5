"""What people tell oe-iked to do: permissions in clear."""
import re

from resolver import ALLOW, CLEAR, DOWN_BY_OPERATOR, Resolver
from world import SERVER, check, check_equal, many, wait_for


def said(got, status=0):
    """What oe has said, on either output."""
    check_equal(got.returncode, status, f'{got.args}: {got.stdout}{got.stderr}')
    return got.stdout + got.stderr


def what_is_permitted_is_answered_in_clear(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'before')
        check_equal(said(daemon.oe('clear', 'WWW.example.')), 'www.example: in clear for 60m; 1 tunnel released\n', 'oe clear')
        check_equal(resolver.down().owner, 'www.example', 'the resolver forgets')
        wait_for('the release', 1, lambda: not daemon.tunnels())
        verdict = resolver.request('www.example', [SERVER], [key])
        check_equal((verdict.kind, verdict.ttl, verdict.text, verdict.results), (CLEAR, 60, 'permitted by the operator', []), f'{verdict}')
        check_equal(daemon.tunnels(), [], 'no tunnel')
        check(re.fullmatch(r'www\.example: in clear for (59|60)m\n', said(daemon.oe('clear', '--list'))), 'the list')
        check('\nin clear by the operator\'s word: 1 (oe clear --list)\n' in daemon.oe('status').stdout, 'oe status')
        check_equal(said(daemon.oe('reload')), 'nothing has changed\n', 'oe reload')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, CLEAR, 'a reload does not end it')
        check_equal(said(daemon.oe('clear', '--end', 'www.example')), 'www.example: no longer in clear\n', '--end')
        down = resolver.down()
        check_equal((down.owner, down.reason), ('www.example', DOWN_BY_OPERATOR), 'the resolver forgets')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'afterwards')
        check_equal(said(daemon.oe('clear', '--end', 'www.example'), 1), 'oe: there is no such permission\n', 'again')


def a_permission_ends_by_itself_and_with_oe_iked(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        said(daemon.oe('clear', '--for', '1s', 'www.example'))
        check_equal(resolver.request('www.example', [SERVER], [key]).ttl, 0, 'nobody keeps it longer')
        check_equal(resolver.down().owner, 'www.example', 'the end')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, ALLOW, 'afterwards')
        check_equal(said(daemon.oe('clear', '--list')), 'nothing is permitted in clear\n', 'the list')
        said(daemon.oe('clear', '--for', '7d', SERVER))
    daemon.stop()
    daemon.start()
    check_equal(said(daemon.oe('clear', '--list')), 'nothing is permitted in clear\n', 'after a restart')


def a_shared_address_is_not_permitted_by_one_of_its_names(world):
    daemon, _ = world.pair()
    _, key = world.key()
    with Resolver(daemon.resolver) as resolver:
        for name in ('www.example', 'mail.example'):
            check_equal(resolver.request(name, [SERVER], [key]).kind, ALLOW, name)
        check_equal(said(daemon.oe('clear', 'www.example'), 1),
                    f'oe: its address {SERVER} is protected for mail.example, too: permit the address\n', 'refused')
        check_equal(daemon.tunnels()[0]['state'], 'protected', 'nothing has changed')
        check_equal(said(daemon.oe('clear', SERVER, '--for', '2h')), f'{SERVER}: in clear for 2h; 1 tunnel released\n', 'the address')
        verdict = resolver.request('mail.example', [SERVER, many(1)], [key])
        check_equal((verdict.kind, verdict.results), (ALLOW, [0, verdict.results[1]]), f'{verdict}')
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, CLEAR, 'the other name')
        said(daemon.oe('clear', '--end', SERVER))
        said(daemon.oe('clear', 'www.example'))
        check_equal(resolver.request('www.example', [SERVER], [key]).kind, CLEAR, 'by name')
        check_equal(resolver.request('mail.example', [SERVER], [key]).kind, ALLOW, 'the other name protects it again')
        check(re.fullmatch(r'www\.example: in clear for (59|60)m; its address is protected, because of mail\.example\n',
                           said(daemon.oe('clear', '--list'))), 'the list')


def wrong_permissions_are_refused(world):
    daemon = world.client().start()
    for arguments, words in (([], 'give one name or address'), (['a', 'b'], 'give one name or address'),
                             (['--list', 'a'], 'no name is expected'), (['--list', '--end', 'a'], 'only one of'),
                             (['--for', '8d', 'a.example'], '"8d" is no time, or more than a week'),
                             (['--for', '0', 'a.example'], 'no time'), (['--for', '1w', 'a.example'], 'no time'),
                             (['--for', '1hh', 'a.example'], 'no time'), (['--for', '', 'a.example'], 'no time'),
                             (['--for'], 'without its value'), (['--frob', 'a'], 'unknown option'),
                             (['a..b'], 'neither a domain name nor an address')):
        check(words in said(daemon.oe('clear', *arguments), 2), f'oe clear {arguments}')
    for i in range(64):
        said(daemon.oe('clear', many(i)))
    check_equal(said(daemon.oe('clear', SERVER), 1), 'oe: there are too many permissions; end one\n', 'one more')


CASES = [
    what_is_permitted_is_answered_in_clear,
    a_permission_ends_by_itself_and_with_oe_iked,
    a_shared_address_is_not_permitted_by_one_of_its_names,
    wrong_permissions_are_refused,
]
