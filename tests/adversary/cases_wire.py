"""Somebody on the wire between two honest ends."""
import os
import random
import re
import struct
import time

import ike as i
import resolver as r
from judge import Journal
from resolver import Resolver
from world import SERVER, check, check_equal, many, wait_for

NAMES = {(i.SA_INIT, False): 'IKE_SA_INIT request', (i.SA_INIT, True): 'IKE_SA_INIT response',
         (i.AUTH, False): 'IKE_AUTH request', (i.AUTH, True): 'IKE_AUTH response'}


def kind_of(message):
    return NAMES.get((message.exchange, message.is_response))


def host_of(message):
    """The address of the server's end: each has one handshake with the client."""
    return message.dst if message.to_server else message.src


class Ladder:
    """Both ends, and a rule for the wire, which is taken off at the end."""

    def __init__(self, world, rule, client=(), lines=(), **server):
        self.world = world
        # All come from one client.
        lines = ['anonymous-per-source: 4096', *lines]
        self.client, self.server = world.client(client).start(), world.server(lines=lines, **server).start()
        self.key = world.key()[1]
        world.wire.errors.clear()
        world.wire.rule = rule

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        self.world.wire.rule = None
        if not failure:
            check(not self.world.wire.errors, f'the wire: {self.world.wire.errors}')

    def ask(self, addresses, at_once=100, deadline=5000):
        """Verdicts by address."""
        out = {}
        with Resolver(self.client.resolver, timeout=30) as resolver:
            for first in range(0, len(addresses), at_once):
                asked = [(a, resolver.ask(f'w{a}.example', [a], [self.key], deadline=deadline))
                         for a in addresses[first:first + at_once]]
                out.update((address, resolver.verdict(ident)) for address, ident in asked)
        return out

    def kernels_agree(self, verdicts):
        """What is allowed is one pair, the same at both ends; what is not was never asked of the client's kernel."""
        client, server = Journal(self.client.log()), Journal(self.server.log())
        theirs = {(p.local, p.spi_out, p.spi_in) for p in server.ever}
        for address, verdict in verdicts.items():
            pairs = [p for p in client.ever if p.remote == address]
            if verdict.kind == r.ALLOW:
                check_equal([p.state for p in pairs], ['up'], f'{address}: pairs of the client')
                check((address, pairs[0].spi_in, pairs[0].spi_out) in theirs, f'{address}: the host has another pair')
            else:
                check_equal(pairs, [], f'{address} is refused, and the kernel had')
        check_equal((client.failures, server.failures), ([], []), 'requests that a kernel refused')
        wait_for('no half-open SA at the client', 12,
                 lambda: self.client.stat('ike.sas') == self.client.stat('ike.sas_established'))


def all_allowed(verdicts):
    wrong = {address: verdict for address, verdict in verdicts.items() if verdict.kind != r.ALLOW}
    check(not wrong, f'{len(wrong)} of {len(verdicts)} refused: {list(wrong.items())[:5]}')


def every_byte_of_a_handshake_with_a_bit_flipped_once(world):
    """The first copy of one message has one wrong bit; all that follows is left alone. What is not protected yet may lead both
    ends apart, and then the name is refused; nothing may be set up between two ends that disagree."""
    lengths, plan, changed = {}, {}, set()

    def learn(message):
        lengths.setdefault(kind_of(message), len(message.ike))

    def flip(message):
        kind, at, bit = plan.get(host_of(message), (None, 0, 0))
        if kind is None or kind_of(message) != kind or host_of(message) in changed or at >= len(message.ike):
            return None
        changed.add(host_of(message))
        return [message.with_ike(message.ike[:at] + bytes([message.ike[at] ^ 1 << bit]) + message.ike[at + 1:])]

    with Ladder(world, learn, client=['attempt: 4000'], lines=['log-level: debug']) as ladder:
        all_allowed(ladder.ask([SERVER]))
        rng = random.Random(7296)
        number = 0
        for kind, length in lengths.items():
            for at in range(length):
                plan[many(number)] = (kind, at, rng.randrange(8))
                number += 1
        world.wire.rule = flip
        verdicts = ladder.ask(list(plan), deadline=8000)
        ladder.kernels_agree(verdicts)
        check_equal(len(changed), len(plan), 'messages that were changed')
        refused = [plan[address][0] for address, verdict in verdicts.items() if verdict.kind != r.ALLOW]
        check(not any('IKE_AUTH' in kind for kind in refused), f'refused after a change of IKE_AUTH: {refused}')
        reasons = {verdict.reason for verdict in verdicts.values() if verdict.kind != r.ALLOW}
        check(reasons <= {r.AUTH_FAILED, r.TIMEOUT, r.PEER_REFUSED, 13}, f'reasons: {reasons}')
    return f'{len(plan)} bytes, refused after {refused.count("IKE_SA_INIT request")} requests and ' \
           f'{refused.count("IKE_SA_INIT response")} responses of IKE_SA_INIT'


def late_twice_and_out_of_order(world):
    rng = random.Random(4307)

    def shuffle(message):
        return [(rng.random() * 0.25, message) for _ in range(rng.randint(1, 3))]

    with Ladder(world, shuffle, client=['attempt: 4000']) as ladder:
        verdicts = ladder.ask([many(n) for n in range(60)])
        all_allowed(verdicts)
        ladder.kernels_agree(verdicts)


def everything_again_later_and_to_others(world):
    """What was recorded of one handshake comes again when all are up, from the same end and from another."""
    record = []

    with Ladder(world, lambda message: record.append(message)) as ladder:
        verdicts = ladder.ask([many(n) for n in range(20)])
        all_allowed(verdicts)
        world.wire.rule = None
        stats = [ladder.client.stat('ike.received'), ladder.server.stat('ike.received')]
        for number, message in enumerate(record):
            world.wire.send(message)
            other = record[(number + 7) % len(record)]
            moved = message.with_ike(message.ike)
            moved.src, moved.dst = (other.src, other.dst) if other.to_server == message.to_server else (other.dst, other.src)
            world.wire.send(moved)
        wait_for('all of it arrived', 5, lambda: ladder.client.stat('ike.received') + ladder.server.stat('ike.received') >=
                 sum(stats) + 2 * len(record))
        ladder.kernels_agree(verdicts)
        pairs = Journal(ladder.server.log()).ever
        check_equal((len(pairs), ladder.server.stat('ike.sas_established')), (20, 20), 'pairs and SAs of the host')
        check_equal(ladder.client.stat('ike.sas_established'), 20, 'the client\'s SAs')
    return f'{2 * len(record)} messages'


def mirrors_and_mixed_up_answers(world):
    """Each end hears its own messages, and before its answer those that are for the other handshakes."""
    answers = []

    def mirror(message):
        sent = [message.back(message.ike), message]
        if message.is_response:
            sent[0:0] = [message.with_ike(one) for one in answers[-3:]]
            answers.append(message.ike)
        return sent

    with Ladder(world, mirror) as ladder:
        verdicts = ladder.ask([many(n) for n in range(20)])
        all_allowed(verdicts)
        ladder.kernels_agree(verdicts)


def forger(*payloads):
    """A rule: every IKE_SA_INIT request is answered at once in the name of the host, and goes on to the host."""
    def rule(message):
        if kind_of(message) != 'IKE_SA_INIT request':
            return None
        header = i.Header(message.ike[:8], bytes(8), i.SA_INIT, i.RESPONSE, 0)
        return [message.back(i.pack(header, [one])) for one in payloads] + [(0.02, message)]
    return rule


def errors_forged_on_the_path_cost_nothing(world):
    with Ladder(world, forger(*[i.notify(kind) for kind in i.ERRORS if kind != i.INVALID_KE])) as ladder:
        verdicts = ladder.ask([many(n) for n in range(20)])
        all_allowed(verdicts)
        ladder.kernels_agree(verdicts)


def groups_forged_on_the_path_cost_nothing(world):
    """The host hears the first request alone, as one that remembers it by its SPI would act."""
    taken = set()

    def rule(message):
        if kind_of(message) != 'IKE_SA_INIT request':
            return None
        if message.ike[:8] in taken:
            return []
        taken.add(message.ike[:8])
        return forger(*[i.notify(i.INVALID_KE, struct.pack('>H', group)) for group in (i.P256, i.P384, i.MODP_2048)])(message)

    with Ladder(world, rule) as ladder:
        verdicts = ladder.ask([many(n) for n in range(10)], deadline=1500)
        all_allowed(verdicts)
        ladder.kernels_agree(verdicts)


def forge_cookie(message):
    return forger(i.notify(i.COOKIE, os.urandom(16)))(message)


def cookies_forged_on_the_path_cost_a_round_trip_or_two(world):
    with Ladder(world, forge_cookie) as ladder:
        verdicts = ladder.ask([many(n) for n in range(10)], deadline=1500)
        all_allowed(verdicts)
        ladder.kernels_agree(verdicts)
        check(ladder.client.says('once more, and not at once with a cookie'), 'no forged cookie was taken')


def cookies_forged_beside_real_ones_cost_as_little(world):
    with Ladder(world, forge_cookie, lines=['always-cookie: yes']) as ladder:
        verdicts = ladder.ask([many(n) for n in range(10)], deadline=1500)
        all_allowed(verdicts)
        ladder.kernels_agree(verdicts)


def an_answer_forged_on_the_path_is_refused_in_the_end(world):
    """The limit: the keys are agreed with him, who cannot sign. At least he gets nothing else."""
    def rule(message):
        if kind_of(message) != 'IKE_SA_INIT request':
            return None
        peer = i.Peer(initiator=False)
        peer.take_init(message.ike)
        return [message.back(peer.send_init(peer.init_payloads())), (0.02, message)]

    with Ladder(world, rule, client=['attempt: 1500']) as ladder:
        verdicts = ladder.ask([many(n) for n in range(3)], deadline=3000)
        got = {(v.kind, v.reason, v.text) for v in verdicts.values()}
        check_equal(got, {(r.REFUSE, r.TIMEOUT, 'no answer to IKE_AUTH')}, 'verdicts')
        ladder.kernels_agree(verdicts)


def errors_forged_after_keys_are_agreed_cost_nothing(world):
    def rule(message):
        if message.exchange != i.AUTH:
            return None
        header = i.Header.read(message.ike)
        header.flags = (header.flags ^ i.INITIATOR) & i.INITIATOR | i.RESPONSE
        if message.is_response:
            return [(0.05, message)]
        return [message.back(i.pack(header, [i.notify(kind)])) for kind in i.ERRORS] + [message]

    with Ladder(world, rule) as ladder:
        verdicts = ladder.ask([many(n) for n in range(20)])
        all_allowed(verdicts)
        ladder.kernels_agree(verdicts)


def is_question(message):
    return message.exchange == i.INFORMATIONAL and message.to_server and not message.is_response


def no_such_sa(message, token):
    header = i.Header.read(message.ike)
    header.flags = i.RESPONSE
    return message.back(i.pack(header, [i.notify(i.INVALID_IKE_SPI), i.notify(i.QCD_TOKEN, token)]))


def no_such_esp_sa(message, spi):
    """From the host, of whom this message came."""
    header = i.Header(bytes(8), bytes(8), i.INFORMATIONAL, i.INITIATOR, 0)
    return message.with_ike(i.pack(header, [i.notify(i.INVALID_SPI, bytes.fromhex(spi))]))


def pair_with(ladder, address):
    return Journal(ladder.client.log()).pairs(address)[-1]


def hints_forged_on_the_path_cost_nothing(world):
    """A flood of INVALID_SPI makes the client ask once. To its question comes INVALID_IKE_SPI with tokens, and then the answer."""
    answers, questions = [], []

    def rule(message):
        if message.is_response:
            answers.append(message)
        if not is_question(message):
            return None
        questions.append(message.ike)
        return [no_such_sa(message, os.urandom(n)) for n in (0, 1, 15, 16, 17, 32, 128, 129, 255) * 5] + [(0.05, message)]

    with Ladder(world, rule) as ladder:
        all_allowed(ladder.ask([SERVER]))
        spi = pair_with(ladder, SERVER).spi_out
        for _ in range(1000):
            world.wire.send(no_such_esp_sa(answers[0], spi))
        wait_for('a question', 2, lambda: questions)
        time.sleep(2)
        check_equal(len(set(questions)), 1, 'questions')
        check_equal([p.state for p in Journal(ladder.client.log()).ever], ['up'], 'pairs of the client')
        check_equal((ladder.server.stat('ike.accepted'), ladder.server.stat('ike.sas_established')), (1, 1), 'SAs of the host')


def token_of_a_host_that_restarted_counts_once(world):
    """What ended the SA that was lost is nothing to the next one."""
    answers, tokens = [], []

    def rule(message):
        if is_question(message) and tokens:
            return [no_such_sa(message, token) for token in tokens] + [(0.05, message)]
        if message.is_response:
            answers.append(message)
            if message.exchange == i.INFORMATIONAL and i.Header.read(message.ike).first == i.NOTIFY:
                tokens.append(i.notifies(i.unpack(message.ike)[1])[i.QCD_TOKEN])
        return None

    with Ladder(world, rule) as ladder:
        all_allowed(ladder.ask([SERVER]))
        first = pair_with(ladder, SERVER)
        ladder.server.kill()
        world.daemons.remove(ladder.server)
        again = world.server(name='again').start()
        world.wire.send(no_such_esp_sa(answers[0], first.spi_out))
        wait_for('the token', 2, lambda: tokens)
        wait_for('another pair', 2, lambda: pair_with(ladder, SERVER).spi_out != first.spi_out)
        check(ladder.client.says('has proved that it knows nothing of this SA'), 'why the first one ended')
        second = pair_with(ladder, SERVER)
        world.wire.send(no_such_esp_sa(answers[0], second.spi_out))
        time.sleep(2)
        check_equal(pair_with(ladder, SERVER), second, 'the pair')
        check_equal((second.state, again.stat('ike.accepted')), ('up', 1), 'state, handshakes of the host')


class Nat:
    """A rule: the wire is a NAT in front of the client, which may forget the ports that it has given it."""

    def __init__(self):
        self.base, self.sent, self.came = 30000, [], []

    def __call__(self, message):
        out = message.with_ike(message.ike)
        if message.to_server:
            out.sport += self.base
            self.sent.append(out)
        else:
            out.dport -= self.base
            if out.dport not in (500, 4500):
                return []
            self.came.append(out)
        return [out]


def from_port(message, port):
    out = message.with_ike(message.ike)
    out.sport = port
    return out


def nat_that_changes_is_followed_by_what_is_new_and_authentic_alone(world):
    """The host follows the client's question to another port. All that was said before, from yet another port, whole or changed,
    moves nobody. The limit: whoever holds a question back and sends it on from elsewhere has what is sent until the next one."""
    nat, first, second = Nat(), many(1), many(2)

    def questions():
        return len([message for message in nat.sent if is_question(message)])

    with Ladder(world, nat, lines=['log-level: debug']) as ladder:
        def ask(address):
            """The client is made to."""
            before, heard = questions(), next(message for message in nat.came if message.src == address)
            world.wire.send(no_such_esp_sa(heard, pair_with(ladder, address).spi_out))
            wait_for('a question', 2, lambda: questions() > before)

        def moves():
            return re.findall(r'its NAT has it come from \S+:(\d+) now', ladder.server.log())

        verdicts = ladder.ask([first, second])
        all_allowed(verdicts)
        nat.base = 40000
        ask(first)
        wait_for('the host follows', 2, lambda: moves() == ['44500'])
        received, old = ladder.server.stat('ike.received'), [m for m in nat.sent if m.dport == 4500]
        for message in old:
            world.wire.send(from_port(message, 50000))
            changed = message.ike[:-1] + bytes([message.ike[-1] ^ 1])
            world.wire.send(from_port(message.with_ike(changed), 50001))
        wait_for('all of it arrived', 5, lambda: ladder.server.stat('ike.received') >= received + 2 * len(old))
        check_equal(moves(), ['44500'], 'moves after what was said before')
        world.wire.rule = lambda message: [from_port(nat(message)[0], 60000)] if is_question(message) else nat(message)
        ask(second)
        wait_for('the host is misled', 2, lambda: moves() == ['44500', '60000'])
        world.wire.rule = nat
        check_equal(ladder.server.log().count('kernel: remap SAs'), 2, 'orders to the kernel of the host')
        check_equal(ladder.server.stat('ike.sas_established'), 2, 'SAs of the host')
        ladder.kernels_agree(verdicts)


CASES = [
    every_byte_of_a_handshake_with_a_bit_flipped_once, late_twice_and_out_of_order, everything_again_later_and_to_others,
    mirrors_and_mixed_up_answers, errors_forged_on_the_path_cost_nothing, groups_forged_on_the_path_cost_nothing,
    cookies_forged_on_the_path_cost_a_round_trip_or_two, cookies_forged_beside_real_ones_cost_as_little,
    an_answer_forged_on_the_path_is_refused_in_the_end, errors_forged_after_keys_are_agreed_cost_nothing,
    hints_forged_on_the_path_cost_nothing, nat_that_changes_is_followed_by_what_is_new_and_authentic_alone,
    token_of_a_host_that_restarted_counts_once,
]
