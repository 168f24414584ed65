"""Where one performance of chaos takes place: its topics, its group, its door to the registry, and what came of it."""
import threading
import time
import uuid

from lib import orders, process
from lib.state import State
from lib.audit import World, audit
from lib.client import kafka
from lib.oracle import Settings, Totals
from lib.orderflow import Orderflow
from lib.registry import RegistryClient
from lib.stub import StubRegistry

FAILURE_RATE = 0.1
OBSERVE_S = 0.03
STATS_S = 30


class Scene:
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
        return self.orderflow(
            "run", f"member-{number}", "--registry", self.door.url, "--dlq-topic", self.dlq,
            "--guarantee", "exactly-once" if self.exactly_once else "at-least-once",
            "--instance-id", f"member-{number}", "--fetch-threads", schedule.fetch_threads,
            "--seed", self.settings.seed, "--failure-rate", FAILURE_RATE, "--max-retries", schedule.max_retries,
            "--retry-delay-ms", schedule.retry_delay_ms, "--commit-interval-ms", schedule.commit_interval_ms,
            "-X", f"session.timeout.ms={schedule.session_ms}", "--console", "json", *arguments,
            environment={"ORDERFLOW_CRASH_AT": crash_at} if crash_at else None)

    def orderflow(self, command, name, *arguments, environment=None):
        program = Orderflow(command, "--brokers", self.arena.bootstrap, "--group", self.settings.group,
                            "--topic", self.topic, "--retry-topic", self.retry, "--aggregates-topic", self.aggregates,
                            *arguments, folder=self.folder, name=f"{len(self.programs):02d}-{name}",
                            environment=environment)
        self.programs.append(program)
        return program.start()

    def stats(self):
        """The Totals that `orderflow stats` tells."""
        program = self.orderflow("stats", "stats", "--json")
        status = program.wait(STATS_S)
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
        """What was judged, for whoever looks for the cause; the events are in the programs' output."""
        parts = world._asdict() | {"events": "see *.out", **world.state._asdict(),
                                   "history": self.arena.client.read(self.aggregates)}
        with open(self.folder / "world.txt", "w") as file:
            for name, part in parts.items():
                for row in part.items() if isinstance(part, dict) else part if isinstance(part, list) else [part]:
                    print(name, row, file=file)

    def forget(self):
        for program in self.programs:
            if program.child is not None:
                program.kill()
        self.door.stop()
        known = self.arena.client.topics()
        for topic in {self.topic, self.retry, self.dlq, self.aggregates} & known:
            self.arena.client.ask(lambda admin: admin.delete_topics([topic]),
                                  done=kafka.errors.UnknownTopicOrPartitionError)


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
        process.wait_until(lambda: len(self.observations) > seen + 1, 60, "the group's offsets can be asked for",
                           process.Unavailable)

    def stop(self):
        self._stop.set()
        self._thread.join(70)
