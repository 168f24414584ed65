"""Crash points: the process dies at a step that chance rarely hits, is started again, and everything must come right.

Only builds with ORDERFLOW_CRASH_POINTS have them (the preset dev); src/core/crash_point.h tells how they work.
"""
import signal
import time
from typing import NamedTuple

from lib import process
from lib.arena import Performance
from lib.recovery import Event
from lib.schedule import Schedule

REACH_S = 30            # within which a process must have died at its point
EXACTLY, AT_LEAST, BOTH = (True,), (False,), (True, False)


class Point(NamedTuple):
    name: str
    guarantees: tuple       # exactly once: True
    passings: tuple         # at which passings of the point the process is killed, in a run each


POINTS = [
    Point("produce-before", BOTH, (40,)),       # a retry record or dead letter is handed over
    Point("produce-after", BOTH, (40,)),
    Point("offsets-before", EXACTLY, (2,)),     # the transaction is told the offsets
    Point("commit-before", EXACTLY, (1, 3)),    # ... and to commit
    Point("commit-after", EXACTLY, (3,)),
    Point("state-before", AT_LEAST, (2,)),      # rows, between rows and marker, behind the marker
    Point("state-between", AT_LEAST, (2,)),
    Point("state-after", AT_LEAST, (2,)),
    Point("restore-after", BOTH, (1,)),         # before the first fetch
    Point("revoke", BOTH, (1,)),
    Point("stopping", BOTH, (1,)),
]


def cases(exactly_once):
    """[(point's name, at which passing)]"""
    return [(point.name, passing) for point in POINTS if exactly_once in point.guarantees for passing in point.passings]


def schedule_of(number):
    return Schedule(seed=1, number=number, brokers=1, partitions=3, members=1, fetch_threads=1 + number % 2,
                    commit_interval_ms=50, retry_delay_ms=100, max_retries=2, session_ms=10000, price_exponent=-20,
                    stored=1500, rate=600, steps=(), ending="term")


def perform(arena, point, passing, exactly_once):
    """An Outcome, as Arena.perform() gives."""
    arena.make_whole()
    name = f"{point}-{passing}-{'exactly' if exactly_once else 'at-least'}-once"
    return _Crash(arena, point, passing, exactly_once, arena.folder / name).run()


class _Crash(Performance):
    def __init__(self, arena, point, passing, exactly_once, folder):
        super().__init__(arena, schedule_of(passing), exactly_once, folder)
        self.point, self.passing = point, passing

    def _carry_out(self):
        self._begin()
        if self.point == "restore-after":       # something must be there to be restored
            first = self.scene.member(0)
            self._wait_for_commit()
            first.kill()
        program = self.scene.member(0, crash_at=f"{self.point}:{self.passing}")
        self._lead_to_point(program)
        self._expect_death(program)
        self.running[0] = self.scene.member(0)
        self._wait_for_recovery()
        self._finish()

    def _lead_to_point(self, program):
        if self.point in ("revoke", "stopping"):
            self._wait_for_commit()
            time.sleep(0.3)
        if self.point == "revoke":
            self.running[1] = self.scene.member(1)
        elif self.point == "stopping":
            program.terminate()

    def _wait_for_commit(self):
        self.watch.next_look()
        before = self.watch.observations[-1][1]
        process.wait_until(lambda: self.watch.observations[-1][1] != before, REACH_S, "something is committed")

    def _expect_death(self, program):
        process.wait_until(lambda: not program.running(), REACH_S, f"the process dies at {self.point}")
        status = program.child.returncode
        assert status == -signal.SIGKILL, f"{self.point} was not passed: exit status {status}\n{program.stderr(8)}"
        program.kill()      # reads what it wrote; not wait(), as its last line may be cut
        owned = self.assigned_orders(program)
        self.watch.next_look()
        self.measured = "restart", Event(time.monotonic(), owned)
