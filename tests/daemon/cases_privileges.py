"""Somebody runs code in the process that parses the network (taken_over.c): what he cannot do."""
import os
import shutil
import signal

from cases_life import is_alive
from world import check, check_equal, wait_for

NO = 'Operation not permitted'
REFUSED, MALFORMED = 'refused', 'malformed input'


def attack(world, word, lines=()):
    """The results by what was tried, and the log."""
    program = 'oe-iked-taken-over'
    shutil.copyfile(os.path.join(world.build, program), world.path(program))
    os.chmod(world.path(program), 0o755)
    daemon = world.client(list(lines))
    command = [world.path(program)] + daemon.command()[1:]
    daemon.command = lambda: command
    got = daemon.run(environment={'OE_ATTACK': word})
    check_equal(got.returncode, 1, f'exit status; {got.stderr}')
    results = dict(line[len('attack '):].split(': ', 1) for line in got.stderr.splitlines() if line.startswith('attack '))
    return results, got.stderr


def check_results(results, wanted):
    for what, result in wanted.items():
        check_equal(results.get(what), result, what)


def nothing_of_the_file_system_is_there(world):
    results, _ = attack(world, 'files')
    check_equal(len(results), 6, 'attacks')
    for what, result in results.items():
        # With sanitizers files may be looked for, where there are none and nobody may look.
        check(result == NO or what == 'files' or (world.is_sanitized() and result == 'Permission denied'), f'{what}: {result}')


def no_socket_can_be_made(world):
    results, _ = attack(world, 'sockets')
    check_equal(len(results), 8, 'attacks')
    for what, result in results.items():
        check(result == NO or what == 'sockets', f'{what}: {result}')


def sockets_to_the_resolver_lead_nowhere_else(world):
    results, log = attack(world, 'resolver')
    check_results(results, {
        'socket to the resolver': 'done', 'is to port': '53 of this host', 'connect it to somebody else': NO, 'bind': NO,
        'send where TCP was refused': 'Connection refused', 'connect and send there': NO, 'connect and send a message': NO,
        'sockets in a moment': 'bounded', 'resolver': 'over'})
    check('sockets to the resolver in a second are refused' in log, log)


def other_processes_are_out_of_reach(world):
    results, _ = attack(world, 'processes')
    check_results(results, {'kill the keeper': NO, 'become root': NO})


def whoever_executes_divides_or_debugs_is_ended(world):
    for word in ('execute', 'divide', 'debug') if not world.is_sanitized() else ('execute',):
        results, log = attack(world, word)
        check_equal(results, {}, word)
        check(f'ended by signal {int(signal.SIGSYS)} ' in log, log)


def its_sockets_change_nothing_in_the_kernel(world):
    results, _ = attack(world, 'add-address')
    check_results(results, {'add an address': NO})
    results, _ = attack(world, 'bypass')
    check_results(results, {'policy of a socket': NO})


def the_keeper_refuses_what_nobody_asked_for(world):
    results, log = attack(world, 'requests')
    check_results(results, {
        'protect what nobody asked for': REFUSED, 'shield what nobody asked for': REFUSED, 'SAs for what is not protected': REFUSED,
        'protect with another reqid': MALFORMED, 'unprotect another reqid': MALFORMED, 'unprotect orphans': MALFORMED,
        'unprotect shields': MALFORMED, 'unprotect what it has not protected': 'done', 'let pass': REFUSED, 'requests': 'over'})
    check('nobody has asked for this address' in log, log)


def a_server_vouches_for_clients_without_a_shield_only(world):
    pem, _ = world.key()
    results, _ = attack(world, 'requests', [f'server-key: {pem}', 'accept-anonymous: yes'])
    check_results(results, {
        'protect what nobody asked for': 'done', 'shield what nobody asked for': REFUSED, 'protect with another reqid': MALFORMED,
        'let pass': REFUSED})


def the_key_signs_for_ike_alone_and_is_elsewhere(world):
    pem, _ = world.key()
    results, _ = attack(world, 'sign', [f'server-key: {pem}', 'accept-anonymous: yes'])
    check_results(results, {'sign something else': REFUSED, 'sign what IKE signs': 'success'})
    _, server = world.pair()
    keeper, network, signer = server.processes()
    for pid in network, signer:
        check_equal(os.listdir(f'/proc/{pid}/root/'), [], f'what {pid} sees of the file system')
    os.kill(keeper, signal.SIGKILL)
    wait_for('the end of all', 2, lambda: not any(is_alive(pid) for pid in (network, signer)))
    world.daemons.remove(server)


def whoever_talks_nonsense_to_the_keeper_is_ended(world):
    results, log = attack(world, 'nonsense')
    check_equal(results, {}, 'nonsense')
    check('calls in a way that it never does' in log and 'ended by signal 9' in log, log)


CASES = [
    nothing_of_the_file_system_is_there, no_socket_can_be_made, sockets_to_the_resolver_lead_nowhere_else, other_processes_are_out_of_reach,
    whoever_executes_divides_or_debugs_is_ended, its_sockets_change_nothing_in_the_kernel, the_keeper_refuses_what_nobody_asked_for,
    the_key_signs_for_ike_alone_and_is_elsewhere, a_server_vouches_for_clients_without_a_shield_only, whoever_talks_nonsense_to_the_keeper_is_ended,
]
