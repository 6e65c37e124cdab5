"""Deadlines, helpers that are absent, silent or mad, clients that give up, reloads."""
import socket
import time

import dns
from bench import refused, soon, wired
from dns import A, IPSECKEY, NOERROR, SERVFAIL
from helper import Helper, hello, message


def test_lost_key_lookup_is_servfail_within_the_deadline(b):
    """2, 6: Unbound itself would try for many seconds. Not a downgrade, and nobody else waits."""
    b.world.leaf.lost.add(('lostkey.example.test', IPSECKEY))
    r = b.start(deadline=800)
    waiting = r.ask('lostkey.example.test')
    time.sleep(0.05)
    assert r.answer('plainhost.example.test').took < 0.3 * b.slack
    answer = waiting.answer()
    assert refused(answer, 'IPSECKEY lookup failed: no answer in time'), str(answer)
    assert 0.7 < answer.took < 1.0 * b.slack, str(answer)
    b.world.leaf.lost.clear()
    assert soon(lambda: r.answer('lostkey.example.test').rcode == NOERROR, 8)


@wired
def test_silent_helper_is_servfail_within_the_deadline(b):
    """6"""
    r = b.start(lambda request: None, deadline=600)
    answer = r.answer('host.example.test')
    assert refused(answer, 'did not answer in time') and 0.6 <= answer.took < 0.9 * b.slack, str(answer)
    assert soon(lambda: b.helper.cancels == [b.helper.requests[0].id])


def test_waiting_name_delays_nobody(b):
    """5: while 20 keyed names wait, unkeyed ones are answered at once, cold and cached."""
    r = b.start(lambda request: (1.0, request.allow()))
    waiting = [r.ask('k%d.example.test' % i) for i in range(20)]
    time.sleep(0.1)
    for i in range(10):
        for _ in range(2):
            assert r.answer('p%d.example.test' % i).took < 0.1 * b.slack
    assert all(w.answer().addresses for w in waiting)


@wired
def test_no_helper_refuses_keyed_names_at_once_and_no_others(b):
    r = b.start(helper=False)
    answer = r.answer('host.example.test')
    assert refused(answer, 'oe-iked is not running') and answer.took < 0.5, str(answer)
    assert r.answer('plainhost.example.test').addresses and r.answer('www.plain.test').addresses
    assert r.log_text().count('cannot connect to the helper') == 1


def test_question_while_the_helper_restarts_waits_in_its_socket(b):
    """5, 6: a service manager keeps the socket that listens. What is asked then waits, until its deadline."""
    r = b.start(deadline=1000)
    assert r.answer('k0.example.test').addresses
    listener = b.helper.stop(keep=True)
    waiting = r.ask('k1.example.test')
    time.sleep(0.2)
    assert r.answer('plainhost.example.test').took < 0.1 * b.slack
    b.helper = Helper(b.socket, listener=listener)
    answer = waiting.answer()
    assert answer.addresses and answer.took >= 0.2, str(answer)


def test_helper_that_does_not_come_back_is_waited_for_until_the_deadline(b):
    """6: the socket listens, and nobody accepts."""
    r = b.start(deadline=400)
    listener = b.helper.stop(keep=True)
    answer = r.answer('k0.example.test')
    assert refused(answer, 'did not answer in time') and 0.4 <= answer.took < 0.7 * b.slack, str(answer)
    b.helper = Helper(b.socket, listener=listener)
    assert soon(lambda: r.answer('k0.example.test').addresses)


def test_helper_that_comes_later_is_found(b):
    r = b.start(helper=False)
    assert refused(r.answer('host.example.test'), 'oe-iked is not running')
    b.helper = Helper(b.socket)
    assert soon(lambda: r.answer('host.example.test').rcode == NOERROR, 4)
    assert 'connected' in r.log_text()


def test_helper_killed_while_asked(b):
    r = b.start(lambda request: None)
    waiting = [r.ask('k%d.example.test' % i) for i in range(5)]
    assert soon(lambda: len(b.helper.requests) == 5)
    b.helper.stop()
    for w in waiting:
        answer = w.answer()
        assert refused(answer, 'not running') and answer.took < 1.0, str(answer)
    b.helper = Helper(b.socket)
    assert soon(lambda: r.answer('k1.example.test').rcode == NOERROR, 4)


def test_helper_closes_while_asked(b):
    """6: each time it is asked; it is not asked too often, and the log does not fill."""
    r = b.start(lambda request: Helper.CLOSE)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        answer = r.answer('k1.example.test')
        assert refused(answer, 'not running'), str(answer)
    assert 2 <= len(b.helper.requests) <= 6, len(b.helper.requests)


def rubbish(b, *datagrams):
    """A helper that answers these: SERVFAIL, and Unbound lives."""
    r = b.start(lambda request: list(datagrams))
    answer = r.answer('host.example.test')
    assert refused(answer, 'nonsense') and answer.took < 1.0, str(answer)
    assert r.answer('plainhost.example.test').addresses


def test_helper_answers_rubbish(b):
    rubbish(b, b'rubbish')


def test_helper_answers_one_byte(b):
    rubbish(b, b'\1')


def test_helper_answers_a_huge_message(b):
    rubbish(b, b'\1\4' + b'x' * 60000)


def test_helper_says_hello_twice(b):
    rubbish(b, hello())


def test_helper_asks_us(b):
    rubbish(b, message(2, 7))


def test_helper_cuts_its_verdict(b):
    r = b.start(lambda request: request.allow()[:-1])
    assert 'nonsense' in r.answer('host.example.test').reasons


def test_verdict_for_another_number_of_addresses(b):
    r = b.start(lambda request: request.allow(results=1))
    answer = r.answer('multi.example.test')
    assert refused(answer, 'nonsense'), str(answer)


def test_verdict_with_a_wrong_id_is_ignored(b):
    r = b.start(lambda request: [request.allow(ident=request.id + 1000), request.allow(ident=0), request.refuse()])
    assert refused(r.answer('host.example.test'))
    assert 'nonsense' not in r.log_text()


def test_late_verdict_is_dropped(b):
    r = b.start(lambda request: (0.6, request.allow()), deadline=200)
    assert refused(r.answer('host.example.test'), 'did not answer in time')
    time.sleep(0.6)
    assert refused(r.answer('host.example.test'), 'did not answer in time'), 'what came too late must not be in the cache'
    assert r.answer('plainhost.example.test').addresses


def test_two_verdicts_for_one_request(b):
    r = b.start(lambda request: [request.refuse(), request.allow()])
    assert refused(r.answer('host.example.test'))
    assert refused(r.answer('host.example.test'))


def test_helper_without_greeting(b):
    b.helper = Helper(b.socket, greeting=None)
    r = b.start(helper=False, deadline=500)
    assert 'nonsense' in r.answer('host.example.test').reasons


def test_helper_of_another_version(b):
    b.helper = Helper(b.socket, decide=lambda request: None, greeting=hello(7, 9))
    r = b.start(helper=False, deadline=500)
    assert 'nonsense' in r.answer('host.example.test').reasons


def test_control_characters_do_not_reach_the_client(b):
    r = b.start(lambda request: request.refuse(text='bad\x1b[2J'))
    answer = r.answer('host.example.test')
    assert answer.rcode == SERVFAIL and '\x1b' not in answer.reasons and '\x1b' not in r.log_text(), str(answer)


def ask_many(r, n):
    """n different keyed names, not faster than the resolver's socket buffer can hold them."""
    waiting = []
    for i in range(n):
        waiting.append(r.ask('x%d.wild.example.test' % i))
        time.sleep(0.0005)
    return waiting


def test_helper_that_does_not_read(b):
    """6: requests that find the socket full wait in the module, and the deadline holds for them."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(b.socket)
    listener.listen(8)
    r = b.start(helper=False, deadline=800, server=' num-queries-per-thread: 2000\n wait-limit: 0')
    waiting = ask_many(r, 700)
    answers = [w.answer() for w in waiting]
    assert all(a and a.rcode == SERVFAIL and 'in time' in a.reasons for a in answers), [str(a) for a in answers][:3]
    peer, _ = listener.accept()
    listener.close()
    peer.close()
    assert r.answer('plainhost.example.test').addresses


def test_full_socket_is_drained_in_order(b):
    """The same, but then the helper reads, and all are answered."""
    gate = []
    r = b.start(lambda request: (time.sleep(0.4) if not gate else None, gate.append(1), request.allow())[2], deadline=4000,
                server=' num-queries-per-thread: 2000\n wait-limit: 0\n discard-timeout: 5000')
    waiting = ask_many(r, 700)
    assert all(w.answer().addresses for w in waiting)
    ids = [q.id for q in b.helper.requests]
    assert ids == sorted(ids) and len(ids) == 700


@wired
def test_reload_with_requests_pending(b):
    """clear() runs on the main thread, then the event base is gone before deinit."""
    r = b.start(lambda request: (0.7, request.allow()), threads=3, server=' so-reuseport: yes')
    for _ in range(3):
        waiting = [r.ask('k%d.example.test' % i) for i in range(20)]
        time.sleep(0.2)
        out = r.control('reload')
        assert out.returncode == 0, out.stdout + out.stderr
        assert soon(lambda: (r.ask('plainhost.example.test').answer(0.3) or None) is not None, 5 * b.slack)
        for w in waiting:
            w.socket.close()
    answer = r.answer('host.example.test')
    assert answer.addresses and r.alive(), str(answer)


def test_shutdown_with_requests_pending(b):
    r = b.start(lambda request: None, threads=3, server=' so-reuseport: yes')
    for i in range(20):
        r.ask('k%d.example.test' % i)
    b.world.leaf.lost.add(('lostkey.example.test', IPSECKEY))
    r.ask('lostkey.example.test')
    assert soon(lambda: len(b.helper.requests) == 20)
    assert r.stop() == ''


def test_clients_that_give_up(b):
    """TCP clients that close while we wait: the establishment goes on, the answer is cached."""
    r = b.start(lambda request: (0.4, request.allow()))
    s = socket.create_connection(('127.0.0.1', 5353))
    packet = dns.question('host.example.test', A)
    s.send(len(packet).to_bytes(2, 'big') + packet)
    assert soon(lambda: b.helper.requests)
    s.close()
    time.sleep(0.6)
    assert r.answer('host.example.test').addresses and len(b.helper.requests) == 1


def test_jostled_queries_are_cancelled(b):
    """Unbound drops old queries to make room: clear() with a job under way."""
    r = b.start(lambda request: (1.2, request.allow()), server=' num-queries-per-thread: 8\n jostle-timeout: 50')
    for i in range(40):
        r.ask('k%d.example.test' % i)
        time.sleep(0.03)
    assert soon(lambda: b.helper.cancels)
    time.sleep(1.5)
    assert r.answer('plainhost.example.test').addresses
