"""One schedule carried out against a cluster: the load, the members, the steps, the finish, and then the verdict.

    with Arena(folder, brokers=3, registry_url=url) as arena:     # a cluster of its own; serves schedules one by one
        outcome = arena.perform(schedule, exactly_once=True)
        outcome.verdict.complaints == []

An arena starts and ends all its children from the thread that uses it (lib/process.py tells why). Every schedule
finds a whole cluster, whatever the one before it left: brokers that are down are started, and where that does not help,
a fresh cluster takes the place of the old one. A schedule during which the cluster itself fails the tests has no
verdict and counts as not performed (Outcome.trouble).
"""
import math
import pathlib
import shutil
import signal
import time
from typing import NamedTuple, Optional

from lib import broker, client, places, process, recovery
from lib.audit import Verdict
from lib.client import Client
from lib.load import Load
from lib.scene import Scene, Watch

STOP_S = 30             # for a SIGTERM; the drain time-out is 10 s
FINISH_S = 90           # for those who finish what is left
START_S = 30            # how long to wait for the first partitions
READY_S = 8            # how long to wait for a member that is to be killed to have partitions
RECOVER_S = 15          # how long the load goes on for a restart that has not committed yet
BROKER_GRACE_S = 10     # for which a broker that was started again, or leaders that moved, still explain delays
UNSETTLING = ("broker-start", "move", "settle", "elect")
DRAINED = (0, 3)        # exit status of a member that is asked to stop: done, or out of drain time
BROKER_SETTINGS = {"log.index.size.max.bytes": 1 << 20, "log.cleaner.enable": "false"}


class Outcome(NamedTuple):
    schedule: object
    verdict: Verdict
    recovery: Optional[str]         # what was measured: "restart", "restart in trouble" (a broker comes back), "loss"
    recovery_s: Optional[float]     # until the first commit; after a loss until all partitions moved, less the session
    seconds: float
    folder: pathlib.Path    # kept when there are complaints or trouble
    trouble: Optional[str] = None   # of the tests' own servers, by which it was not performed; there is no verdict then

    def problems(self):
        """Why it cannot count as passed, line by line; empty when it can."""
        return self.verdict.complaints + ([f"not performed: {self.trouble}"] if self.trouble else [])


def is_own_trouble(error):
    """Whether an exception tells of the tests' own servers, files or connections, and nothing of the program."""
    return isinstance(error, (process.Unavailable, OSError, *client.PASSING))


class Arena:
    def __init__(self, folder, brokers, registry_url, bootstrap=None, show=print):
        """bootstrap: of a cluster that is there already, whose brokers no schedule may harm; else one is started.

        show: is told in a line when the cluster had to be replaced.
        """
        self.folder = pathlib.Path(folder)
        self.registry_url = registry_url
        self.brokers, self.show = brokers, show
        self.clusters = 0           # so many were made, one after the other
        self.kafka = self.client = self.observer = None
        if bootstrap:
            self._use(bootstrap)
        else:
            self._make()

    def _make(self):
        """A cluster that is not started yet, and has nothing of an earlier one."""
        self.clusters += 1
        name = "kafka" if self.clusters == 1 else f"kafka-{self.clusters}"
        self.kafka = broker.Kafka(self.folder / name, nodes=self.brokers, heap="384m", settings=BROKER_SETTINGS)
        self._use(self.kafka.bootstrap)

    def _use(self, bootstrap):
        self.bootstrap = bootstrap
        self.client = Client(bootstrap)
        self.observer = Client(bootstrap)       # of the thread that watches

    def __enter__(self):
        if self.kafka:
            self.kafka.start()
        return self

    def __exit__(self, *_):
        self.client.close()
        self.observer.close()
        if self.kafka:
            self.kafka.kill()

    def perform(self, schedule, exactly_once=True):
        """An Outcome. Never raises for what the program does wrong: that becomes a complaint. Raises when there is no
        whole cluster to be had."""
        self.make_whole()
        name = f"seed-{schedule.seed}-{schedule.number}-{'exactly' if exactly_once else 'at-least'}-once"
        return Performance(self, schedule, exactly_once, self.folder / name).run()

    def start_missing(self):
        """Starts the brokers that do not run, without waiting for them."""
        for node in self.kafka.nodes if self.kafka else []:
            if not node.running():
                node.start(wait=False)

    def make_whole(self):
        """Waits until all brokers are there and all copies are in sync; replaces the cluster when it does not come to
        that."""
        if self.kafka is None:
            return
        try:
            self.start_missing()
            for node in self.kafka.nodes:
                node.wait_ready()
            self.client.wait_whole([node.port for node in self.kafka.nodes])
        except Exception as error:
            if not is_own_trouble(error):
                raise
            self._replace(error)

    def _replace(self, error):
        self.show(f"{self.folder.name}: a fresh cluster takes the place of one that is not whole "
                  f"({type(error).__name__}: {error})")
        self.__exit__()
        self._make()
        self.kafka.start()


class Performance:
    """One schedule, from its topics to its verdict."""

    def __init__(self, arena, schedule, exactly_once, folder):
        self.arena, self.schedule, self.exactly_once = arena, schedule, exactly_once
        self.folder = places.fresh(folder)
        self.running = {}           # member: Orderflow
        self.owned = {}             # member: partitions of its last life
        self.killed = set()         # members that were killed and are to be started again
        self.measured = None        # (kind, recovery.Event) of what happened last
        self.done = []              # [(moment, step)]
        self.complaints = []
        self.trouble = None         # what the tests' own servers did
        self.load = self.watch = self.scene = None
        self.begun = time.monotonic()

    def run(self):
        (self.folder / "schedule.txt").write_text(self.schedule.text() + "\n")
        verdict = Verdict()
        try:
            self.scene = Scene(self.arena, self.schedule, self.exactly_once, self.folder)
            self.scene.door.start()
            self._carry_out()
            verdict = self.scene.judge()
        except Exception as error:      # whatever it is, it belongs to this schedule, and the others go on
            self._blame(error, verdict)
        finally:
            self._clean_up(verdict)
        verdict.complaints[:0] = self.complaints
        if self.trouble and verdict.complaints:     # what the program did wrong is not forgotten over it
            verdict.complaints.append(self.trouble)
            self.trouble = None
        outcome = self._outcome(verdict)
        if outcome.problems():
            self._keep(outcome)
        else:
            shutil.rmtree(self.folder)
        return outcome

    def _blame(self, error, verdict):
        text = f"{type(error).__name__}: {error}"
        if is_own_trouble(error):
            self.trouble = text
        else:
            verdict.complaints.append(text)

    def _keep(self, outcome):
        (self.folder / "complaints.txt").write_text("\n".join(outcome.problems()) + "\n")
        with open(self.folder / "committed.txt", "w") as file:
            last = None
            for moment, offsets in self.watch.observations if self.watch else []:
                if offsets != last:
                    last = offsets
                    print(f"{moment - self.begun:.3f} s after the beginning: {sorted(offsets.items())}", file=file)

    def _clean_up(self, verdict):
        """Trouble with the cluster takes nothing from a verdict here: the arena sees to it before its next use."""
        steps = [self.arena.start_missing, *(what.stop for what in (self.watch, self.load) if what is not None)]
        for step in steps + ([self.scene.forget] if self.scene else []):
            try:
                step()
            except Exception as error:
                if not is_own_trouble(error):
                    verdict.complaints.append(f"cleaning up: {type(error).__name__}: {error}")

    # --- what happens -----------------------------------------------------------------------------------------------

    def _carry_out(self):
        self._begin()
        first = self.schedule.members
        for step in self.schedule.steps[:first]:
            self._step(step)
        self._wait_for(lambda: any(self.assigned_orders(program) for program in self.running.values()), START_S)
        begun = time.monotonic()
        for step in self.schedule.steps[first:]:
            time.sleep(max(0.0, begun + step.at_s - time.monotonic()))
            self._step(step)
        self._wait_for_recovery()
        self._finish()

    def _begin(self):
        schedule, scene = self.schedule, self.scene
        self.load = Load(self.arena.bootstrap, scene.topic, schedule.partitions, scene.schema_id,
                         schedule.price_exponent, f"{schedule.seed}/{schedule.number}")
        self.load.send(schedule.stored)
        self.load.flush()
        self.load.start(schedule.rate)
        self.watch = Watch(self.arena.observer, scene.settings.group)

    def _step(self, step):
        self.done.append((time.monotonic(), step))
        getattr(self, "_" + step.action.replace("-", "_"))(step)

    def _start(self, step):
        member = step.target
        old = self.running.get(member)
        if old is not None:
            self._expect_stopped(old)
        if member in self.killed:
            self.killed.remove(member)
            self._note("restart", step)
        self.running[member] = self.scene.member(member)

    def _kill(self, step):
        member = step.target
        program = self.running[member]
        if step in self.schedule.steps[-2:]:    # what is measured is how long a working member was missing
            self._wait_for(lambda: self.assigned_orders(program), READY_S)
        del self.running[member]
        self._check_alive(program)
        program.kill()
        self.owned[member] = self.assigned_orders(program)
        self.killed.add(member)

    def _lose(self, step):
        self._kill(step)
        self.killed.remove(step.target)
        self._note("loss", step)

    def _term(self, step):
        self._check_alive(self.running[step.target])
        self.running[step.target].terminate()

    def _freeze(self, step):
        self.running[step.target].freeze()

    def _thaw(self, step):
        self.running[step.target].thaw()

    def _broker_kill(self, step):
        self.arena.kafka.nodes[step.target].kill()

    def _broker_start(self, step):
        self.arena.kafka.nodes[step.target].start(wait=False)

    def _move(self, step):
        self.arena.client.reassign(self.scene.topic, [1, 2, 3], step.target, copies=2)
        self._elect(step)

    def _settle(self, step):
        self.arena.client.reassign(self.scene.topic, [1, 2, 3], step.target, copies=3)
        self._elect(step)

    def _elect(self, _):
        self.arena.client.elect(self.scene.topic)

    def _registry_down(self, _):
        self.scene.door.stop()

    def _registry_up(self, _):
        self.scene.door.start()

    def _wait_for(self, condition, seconds):
        """What it waits for may never come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not condition():
            time.sleep(0.02)

    def assigned_orders(self, program):
        """The partitions of orders that it last had."""
        return frozenset(where for where in assigned(program.events) if where[0] == self.scene.topic)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _wait_for_recovery(self):
        """The load goes on until the last restart or loss has been seen to be over, but not for ever."""
        deadline = time.monotonic() + RECOVER_S + self.schedule.session_ms / 1000
        while time.monotonic() < deadline:
            seconds = self._recovery_s()
            if seconds is None or seconds < math.inf:
                return
            time.sleep(0.1)

    def _finish(self):
        """Load and members end; others finish: after kill -9 with the same identities, else a single new one."""
        load, self.load = self.load, None
        load.stop()
        if self.arena.kafka:
            for node in self.arena.kafka.nodes:
                node.wait_ready()
        left = sorted(self.running)
        for member in left:
            program = self.running[member]
            if self.schedule.ending == "kill":
                if not self._stopping(member):
                    self._check_alive(program)
                program.kill()
            else:
                program.terminate()
        if self.schedule.ending == "term":
            for member in left:
                self._expect_stopped(self.running[member])
        finishers = left if self.schedule.ending == "kill" and left else [99]
        programs = [self.scene.member(member, "--exit-at-end", "--exit-timeout-ms", FINISH_S * 1000)
                    for member in finishers]
        for program in programs:
            status = program.wait(FINISH_S + 30)
            if status != 0:
                self.complaints.append(f"{program.name}: exit status {status}\n{program.stderr(8)}")

    def _stopping(self, member):
        """Whether its last step was a SIGTERM."""
        mine = [step.action for _, step in self.done if step.target == member and "broker" not in step.action]
        return bool(mine) and mine[-1] == "term"

    def _check_alive(self, program):
        if not program.running():
            self.complaints.append(f"{program.name} ended by itself, exit status {program.child.returncode}\n"
                                   f"{program.stderr(8)}")

    def _expect_stopped(self, program):
        status = program.wait(STOP_S)
        too_early = status == -signal.SIGTERM and not program.events     # it had not begun to listen to signals
        if status not in DRAINED and not too_early:
            self.complaints.append(f"{program.name}: exit status {status} after SIGTERM\n{program.stderr(8)}")

    # --- what it came to --------------------------------------------------------------------------------------------

    def _note(self, kind, step):
        """Begins to measure, if this is the last step; the observation before it is younger than the kill."""
        if step is not self.schedule.steps[-1]:
            return
        self.watch.next_look()
        now = time.monotonic()
        if any(done.action in UNSETTLING and now - at < BROKER_GRACE_S for at, done in self.done):
            kind += " in trouble"
        self.measured = kind, recovery.Event(now, self.owned[step.target])

    def _recovery_s(self):
        if self.measured is None:
            return None
        kind, event = self.measured
        return recovery.seconds_until(event, list(self.watch.observations), any if "restart" in kind else all)

    def _outcome(self, verdict):
        kind, seconds = self.measured[0] if self.measured else None, self._recovery_s()
        if kind and "loss" in kind and seconds is not None:
            seconds -= self.schedule.session_ms / 1000
        return Outcome(self.schedule, verdict, kind, seconds, time.monotonic() - self.begun, self.folder, self.trouble)


def assigned(events):
    """The partitions that a process last had, by its events: {(topic, partition)}."""
    mine = set()
    for event in list(events):
        where = event.get("topic"), event.get("partition")
        if event["event"] == "assigned":
            mine.add(where)
        elif event["event"] in ("revoked", "lost"):
            mine.discard(where)
    return frozenset(mine)
