"""One schedule carried out against a cluster: the load, the members, the steps, the finish, and then the verdict.

    with Arena(folder, brokers=3, registry_url=url) as arena:     # a cluster of its own; serves schedules one by one
        outcome = arena.perform(schedule, exactly_once=True)
        outcome.verdict.complaints == []

An arena starts and ends all its children from the thread that uses it (lib/process.py tells why).
"""
import json
import math
import pathlib
import shutil
import signal
import threading
import time
import uuid
from typing import NamedTuple, Optional

from lib import broker, orders, places, process, recovery
from lib.aggregates import State
from lib.audit import Verdict, World, audit
from lib.client import Client
from lib.load import Load
from lib.oracle import Settings, Totals
from lib.orderflow import Orderflow
from lib.registry import RegistryClient
from lib.stub import StubRegistry

FAILURE_RATE = 0.1
OBSERVE_S = 0.03
STOP_S = 30             # for a SIGTERM; the drain time-out is 10 s
FINISH_S = 90           # for those who finish what is left
RECOVER_S = 15          # how long the load goes on for a restart that has not committed yet
BROKER_GRACE_S = 10     # for which a broker that was started again still explains delays
DRAINED = (0, 3)        # exit status of a member that is asked to stop: done, or out of drain time
BROKER_SETTINGS = {"log.index.size.max.bytes": 1 << 20, "log.cleaner.enable": "false"}


class Outcome(NamedTuple):
    schedule: object
    verdict: Verdict
    recovery: Optional[str]         # what was measured: "restart", "restart in trouble" (a broker comes back), "loss"
    recovery_s: Optional[float]     # until the first commit; after a loss until all partitions moved, less the session
    seconds: float
    folder: pathlib.Path    # kept when there are complaints


class Arena:
    def __init__(self, folder, brokers, registry_url, bootstrap=None):
        """bootstrap: of a cluster that is there already, whose brokers no schedule may harm; else one is started."""
        self.folder = pathlib.Path(folder)
        self.registry_url = registry_url
        self.kafka = None if bootstrap else broker.Kafka(self.folder / "kafka", nodes=brokers, heap="384m",
                                                         settings=BROKER_SETTINGS)
        self.bootstrap = bootstrap or self.kafka.bootstrap
        self.client = Client(self.bootstrap)
        self.observer = Client(self.bootstrap)      # of the thread that watches

    def __enter__(self):
        if self.kafka:
            self.kafka.start()
        return self

    def __exit__(self, *_):
        self.client.close()
        self.observer.close()
        if self.kafka:
            self.kafka.kill()

    def perform(self, schedule, exactly_once=True, name=None):
        """Never raises for what the program does wrong: that becomes a complaint."""
        name = name or f"seed-{schedule.seed}-{schedule.number}-{'exactly' if exactly_once else 'at-least'}-once"
        return _Performance(self, schedule, exactly_once, places.fresh(self.folder / name)).run()


class Flow:
    """The topics and the group of one performance, and the program on them."""

    def __init__(self, arena, schedule, exactly_once, folder):
        self.arena, self.schedule, self.exactly_once, self.folder = arena, schedule, exactly_once, folder
        tag = f"{schedule.number}-{uuid.uuid4().hex[:8]}"
        self.topic, self.aggregates = f"orders-{tag}", f"aggregates-{tag}"
        self.retry, self.dlq = f"retry-{tag}", f"dlq-{tag}"
        self.settings = Settings(group=f"group-{tag}", seed=schedule.seed, failure_rate=FAILURE_RATE,
                                 max_retries=schedule.max_retries, retry_topic=self.retry)
        self.schema_id = RegistryClient(arena.registry_url).register(f"{self.topic}-value", orders.SCHEMA)
        arena.client.create_topic(self.topic, schedule.partitions, -1)
        self.door = StubRegistry(upstream=arena.registry_url)      # what the program goes through; it can be shut
        self.programs = []

    def member(self, number, *arguments, crash_at=None):
        """A process of the group, not started yet; the same number has the same identity."""
        schedule = self.schedule
        session = ("-X", f"session.timeout.ms={schedule.session_ms}") if schedule.session_ms else ()
        return self.orderflow(
            "run", f"member-{number}", "--topic", self.topic, "--retry-topic", self.retry, "--dlq-topic", self.dlq,
            "--guarantee", "exactly-once" if self.exactly_once else "at-least-once",
            "--instance-id", f"member-{number}", "--fetch-threads", schedule.fetch_threads,
            "--seed", self.settings.seed, "--failure-rate", FAILURE_RATE, "--max-retries", schedule.max_retries,
            "--retry-delay-ms", schedule.retry_delay_ms, "--commit-interval-ms", schedule.commit_interval_ms,
            "--console", "json", *session, *arguments,
            environment={"ORDERFLOW_CRASH_AT": crash_at} if crash_at else None)

    def orderflow(self, command, name, *arguments, environment=None):
        program = Orderflow(command, "--brokers", self.arena.bootstrap, "--registry", self.door.url,
                            "--group", self.settings.group, "--aggregates-topic", self.aggregates, *arguments,
                            folder=self.folder, name=f"{len(self.programs):02d}-{name}", environment=environment)
        self.programs.append(program)
        return program.start()

    def stats(self):
        """The Totals that `orderflow stats` tells."""
        program = self.orderflow("stats", "stats", "--json")
        status = program.wait(STOP_S)
        assert status == 0, f"stats: exit status {status}\n{program.stderr()}"
        return Totals.of_event(program.events[-1])

    def world(self):
        client = self.arena.client
        read = {topic: client.read(topic) for topic in (self.topic, self.retry, self.dlq)}
        ends = {}
        for record in read[self.topic] + read[self.retry]:
            ends[record.topic, record.partition] = record.offset + 1
        state = State.read(client, RegistryClient(self.arena.registry_url), self.aggregates, self.settings.group)
        events = [event for program in self.programs for event in list(program.events)]
        return World(read[self.topic], read[self.retry], read[self.dlq], state, self.stats(),
                     client.committed(self.settings.group), ends, events)

    def judge(self):
        schemas = {self.schema_id: orders.SCHEMA}
        world = self.world()
        verdict = audit(world, self.settings, schemas, self.schedule.retry_delay_ms, self.exactly_once)
        if verdict.complaints:
            self._keep(world)
        return verdict

    def _keep(self, world):
        """What was judged, for whoever looks for the cause."""
        with open(self.folder / "world.txt", "w") as file:
            for part, found in world._asdict().items():
                rows = found if isinstance(found, list) and part != "events" else [found] if part != "events" else []
                for row in rows:
                    print(part, row, file=file)

    def forget(self):
        for program in self.programs:
            if program.child is not None:
                program.kill()
        self.door.stop()
        known = self.arena.client.topics()
        for topic in {self.topic, self.retry, self.dlq, self.aggregates} & known:
            self.arena.client.ask(lambda admin: admin.delete_topics([topic]))


class Watch:
    """Looks at the group's committed offsets all the time, with a client and in a thread of its own."""

    def __init__(self, client, group):
        self.client, self.group = client, group
        self.observations = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(OBSERVE_S):
            try:
                self._look()
            except Exception:       # a broker that is being killed has many ways to answer
                self.client.close()

    def _look(self):
        found = self.client.committed(self.group)
        self.observations.append((time.monotonic(), found))

    def next_look(self):
        """Waits until somebody has looked who began after this call."""
        seen = len(self.observations)
        process.wait_until(lambda: len(self.observations) > seen + 1, 60, "the group's offsets can be asked for")

    def stop(self):
        self._stop.set()
        self._thread.join(70)


class _Performance:
    def __init__(self, arena, schedule, exactly_once, folder):
        self.arena, self.schedule, self.exactly_once, self.folder = arena, schedule, exactly_once, folder
        self.running = {}           # member: Orderflow
        self.owned = {}             # member: partitions of its last life
        self.killed = set()         # members that were killed and are to be started again
        self.measured = None        # (kind, recovery.Event) of what happened last
        self.done = []              # [(moment, step)]
        self.complaints = []
        self.load = self.watch = self.flow = None
        self.begun = time.monotonic()

    def run(self):
        (self.folder / "schedule.txt").write_text(self.schedule.text() + "\n")
        verdict = Verdict()
        try:
            self.flow = Flow(self.arena, self.schedule, self.exactly_once, self.folder)
            self.flow.door.start()
            self._carry_out()
            verdict = self.flow.judge()
        except Exception as error:      # whatever it is, it belongs to this schedule, and the others go on
            verdict.complaints.append(f"{type(error).__name__}: {error}")
        finally:
            self._clean_up(verdict)
        verdict.complaints[:0] = self.complaints
        outcome = self._outcome(verdict)
        if verdict.complaints:
            (self.folder / "complaints.txt").write_text("\n".join(verdict.complaints) + "\n")
        else:
            shutil.rmtree(self.folder)
        return outcome

    def _clean_up(self, verdict):
        for what in (self.watch, self.load, self.flow):
            try:
                if what is not None:
                    what.forget() if what is self.flow else what.stop()
            except Exception as error:
                verdict.complaints.append(f"cleaning up: {type(error).__name__}: {error}")

    # --- what happens -----------------------------------------------------------------------------------------------

    def _carry_out(self):
        schedule, flow = self.schedule, self.flow
        self.load = Load(self.arena.bootstrap, flow.topic, schedule.partitions, flow.schema_id, schedule.price_exponent,
                         f"{schedule.seed}/{schedule.number}")
        self.load.send(schedule.stored)
        self.load.flush()
        self.load.start(schedule.rate)
        self.watch = Watch(self.arena.observer, flow.settings.group)
        begun = time.monotonic()
        for step in schedule.steps:
            time.sleep(max(0.0, begun + step.at_s - time.monotonic()))
            self._step(step)
        self._wait_for_recovery()
        load, self.load = self.load, None
        load.stop()
        self._finish()

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
        self.running[member] = self.flow.member(member)

    def _kill(self, step):
        member = step.target
        program = self.running.pop(member)
        self._check_alive(program)
        program.kill()
        self.owned[member] = assigned(program.events) & self._orders_partitions()
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

    def _registry_down(self, _):
        self.flow.door.stop()

    def _registry_up(self, _):
        self.flow.door.start()

    def _orders_partitions(self):
        return frozenset((self.flow.topic, number) for number in range(self.schedule.partitions))

    # --- the end ----------------------------------------------------------------------------------------------------

    def _wait_for_recovery(self):
        """The load goes on until the last restart or loss has been seen to be over, but not for ever."""
        deadline = time.monotonic() + RECOVER_S + (self.schedule.session_ms or 0) / 1000
        while time.monotonic() < deadline:
            seconds = self._recovery_s()
            if seconds is None or seconds < math.inf:
                return
            time.sleep(0.1)

    def _finish(self):
        """All members end; others finish. After kill -9 with the same identities, else a single new one."""
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
        programs = [self.flow.member(member, "--exit-at-end", "--exit-timeout-ms", FINISH_S * 1000)
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
        if any(done.action == "broker-start" and now - at < BROKER_GRACE_S for at, done in self.done):
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
        return Outcome(self.schedule, verdict, kind, seconds, time.monotonic() - self.begun, self.folder)


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


def as_json(outcome):
    """For the report file."""
    verdict = outcome.verdict
    return {"number": outcome.schedule.number, "brokers": outcome.schedule.brokers, "orders": verdict.orders,
            "dead": verdict.dead, "lost": len(verdict.lost), "counted_twice": len(verdict.counted_twice),
            "repeated_retries": verdict.repeated_retries, "repeated_letters": verdict.repeated_letters,
            "repeated_orders": verdict.repeated_orders, "recovery": outcome.recovery, "recovery_s": outcome.recovery_s,
            "seconds": round(outcome.seconds, 2), "complaints": verdict.complaints}


def write_report(path, report):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, default=str) + "\n")
