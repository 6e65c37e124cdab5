"""Running cases: functions that get a World, and fail by an exception. Shared by tests/daemon/run and tests/adversary/run."""
import importlib
import os
import sys
import time
import traceback

import world as w


def enter_namespaces(script):
    """Start again inside private namespaces, so that nothing is left behind however this ends."""
    if os.environ.get('OE_DAEMON_INSIDE'):
        return
    if os.geteuid() != 0:
        print('SKIP everything: network namespaces need root\n0 passed, 0 failed')
        sys.exit(0)
    os.environ['OE_DAEMON_INSIDE'] = '1'
    try:
        os.execvp('unshare', ['unshare', '--net', '--mount', '--propagation', 'private', '--', sys.executable,
                              os.path.realpath(script), *sys.argv[1:]])
    except OSError as error:
        print(f'{script}: unshare: {error}', file=sys.stderr)
        sys.exit(2)


def run(case, world):
    """One case and what it leaves behind; True: it passed."""
    began = time.monotonic()
    wrong = []
    note = ''
    try:
        note = case(world) or ''
    except Exception as error:   # whatever it is, it is this case that failed
        wrong.append(str(error) if isinstance(error, w.Failed) else traceback.format_exc())
        wrong += [f'--- log of {d.name}\n{d.log()[-4000:]}' for d in world.daemons]
    wrong += world.clean(bool(wrong))
    seconds = time.monotonic() - began
    if wrong:
        print(f'FAIL {case.__name__} ({seconds:.1f} s)')
        print('    ' + '\n'.join(wrong).replace('\n', '\n    '))
    else:
        print(f'PASS {case.__name__} ({seconds:.1f} s){": " + note if note else ""}')
    sys.stdout.flush()
    return not wrong


def main(usage, script, *modules, lay=lambda world: w.lay_cable()):
    """The cases of these modules that the words on the command line choose. Returns the exit status."""
    if len(sys.argv) > 1 and sys.argv[1] in ('-h', '--help'):
        print(usage)
        return 0
    build = sys.argv[1] if len(sys.argv) > 1 else 'build'
    if not all(os.access(os.path.join(build, name), os.X_OK) for name in w.PROGRAMS):
        print(f'{script}: no oe-iked and oe in {build}', file=sys.stderr)
        return 2
    enter_namespaces(script)
    world = w.World(build)
    lay(world)
    results = [run(case, world) for module in modules for case in importlib.import_module(module).CASES
               if not sys.argv[2:] or any(word in case.__name__ for word in sys.argv[2:])]
    world.remove()
    print(f'{results.count(True)} passed, {results.count(False)} failed')
    return 1 if False in results else 0
