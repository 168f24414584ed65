"""Child processes that cannot outlive us, free ports, and waiting with deadlines.

Every child leads a process group of its own, is killed by the kernel when we die (`setpriv --pdeathsig`), and is
killed by us at exit. The kernel's rule looks at the thread that started the child: start children from the main
thread only.
"""
import atexit
import os
import random
import signal
import socket
import subprocess
import time

_children = []


class Timeout(AssertionError):
    pass


class Unavailable(Timeout):
    """A server of the tests' own does not come up or does not answer: it tells nothing about the program."""


def wait_until(condition, seconds, what, error=Timeout):
    """Polls until condition() is true and returns its value; raises the error naming `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise error(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


given_out = set()


def free_port():
    """A free TCP port below the kernel's ephemeral range, another one with each call.

    Not bind(0): while a broker is down, a client that keeps connecting to an ephemeral port of the loopback can be
    given that very port as its source and connect to itself, and the broker never gets its port back.
    """
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        if port in given_out:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                given_out.add(port)
                return port
            except OSError:
                continue
    raise RuntimeError("no free port found")


def port_taken(port):
    """Whether somebody listens there: he would answer in place of the server that is to start."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


def spawn(command, *, outlive=False, **options):
    """subprocess.Popen in a process group of its own; dies with us unless told to outlive us."""
    command = [str(part) for part in command]
    if not outlive:
        command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
    options.setdefault("stdin", subprocess.DEVNULL)
    child = subprocess.Popen(command, start_new_session=True, **options)
    if not outlive:
        _children.append(child)
    return child


def send(child, number):
    """Sends a signal to the child's whole group, unless the child has ended: then its number may be another's."""
    if child.poll() is None:
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            pass


def stop(child, seconds=10, number=signal.SIGTERM):
    """Asks the child to end, kills it after so many seconds. Returns its exit status."""
    send(child, number)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    return kill(child)


def kill(child):
    """Kills the child's group and reaps the child. Returns its exit status."""
    send(child, signal.SIGKILL)
    status = child.wait(10)
    if child in _children:
        _children.remove(child)
    return status


def tail(path, lines=25):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError as error:
        return f"({error})\n"


def _interrupted(number, _frame):
    raise SystemExit(128 + number)


def exit_on_signals():
    """SIGTERM and SIGHUP end this process through its exit handlers, as SIGINT does."""
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGHUP, _interrupted)


@atexit.register
def _kill_children():
    for child in list(_children):
        kill(child)
