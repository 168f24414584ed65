"""What happens to a pipeline and when, out of a seed: the same seed makes the same schedules on every machine.

    schedule = make(seed=7, number=12)
    print(schedule.text())
    without_freezes(schedule)       # for at least once

The clock starts when the first member has partitions. Incidents come in pairs of steps, the harm and its repair. At
most one broker is down at a time, and a member that is down or frozen is left alone until it is back. The last that
happens is a kill -9 and a restart, or a member's death for good: the time until orders are committed again is then
measured undisturbed.
"""
import random
from typing import NamedTuple, Optional

SESSION_MS = 10000      # whoever was killed before it could leave is given up after this
SHORT_SESSION_MS = 6000 # the least that a broker allows, where somebody is to be given up
LONG_EVERY = 8          # one schedule in so many waits for a session to time out
CLUSTER_EVERY = 6       # ... runs on three brokers


class Step(NamedTuple):
    at_s: float
    action: str
    target: Optional[int] = None    # member or broker

    def text(self):
        return f"{self.at_s:6.2f} s  {self.action}" + ("" if self.target is None else f" {self.target}")


class Schedule(NamedTuple):
    seed: int
    number: int
    brokers: int
    partitions: int
    members: int            # at first; their starts are the first steps
    fetch_threads: int
    commit_interval_ms: int
    retry_delay_ms: int
    max_retries: int
    session_ms: int
    price_exponent: int     # of the cheapest order
    stored: int             # orders that are there before the first member
    rate: int               # orders per second that come while it lasts
    steps: tuple
    ending: str             # of the members, before others finish what is left: "kill" or "term"

    def text(self):
        head = (f"schedule {self.number} of seed {self.seed}: {self.brokers} broker(s), {self.partitions} partitions, "
                f"{self.members} member(s) of {self.fetch_threads} fetch thread(s), commits every "
                f"{self.commit_interval_ms} ms, retries after {self.retry_delay_ms} ms at most {self.max_retries}, "
                f"session {self.session_ms} ms, prices from 2^{self.price_exponent}, "
                f"{self.stored} orders and {self.rate} per second, ends by {self.ending}")
        return "\n".join([head, *("  " + step.text() for step in self.steps)])

    def has(self, *actions):
        return any(step.action in actions for step in self.steps)


def without_freezes(schedule):
    """The same without SIGSTOP: a member that wakes up and writes late is what only exactly-once can cope with."""
    return schedule._replace(steps=tuple(step for step in schedule.steps if step.action not in ("freeze", "thaw")))


def make(seed, number):
    chance = random.Random(f"{seed}/{number}")
    brokers = 3 if number % CLUSTER_EVERY == CLUSTER_EVERY - 1 else 1
    long = number % LONG_EVERY == LONG_EVERY - 2
    maker = _Maker(chance, brokers, long)
    return Schedule(
        seed=seed, number=number, brokers=brokers, partitions=maker.partitions, members=maker.members,
        fetch_threads=chance.choice((1, 1, 2)) if maker.partitions >= 6 else 1,     # so that most lanes have partitions
        commit_interval_ms=chance.choice((20, 50, 100, 300)),
        retry_delay_ms=chance.choice((100, 200, 400)), max_retries=chance.choice((1, 2, 3, 3)),
        session_ms=SHORT_SESSION_MS if long else SESSION_MS, price_exponent=chance.choice((-149, -60, -20, 0, 19)),
        stored=chance.randrange(500, 2000), rate=chance.randrange(400, 1000), steps=maker.steps(),
        ending=chance.choice(("kill", "term")))


class _Maker:
    """Draws incidents, one after the other, and keeps account of who is busy until when."""

    # kind of incident: (weight, on one broker / on three)
    WEIGHTS = {"kill": (8, 6), "term": (3, 2), "freeze": (3, 2), "join": (3, 2), "registry": (2, 1), "broker": (0, 6),
               "move": (0, 4), "elect": (0, 2)}

    def __init__(self, chance, brokers, long):
        self.chance = chance
        self.brokers = brokers
        self.long = long
        self.partitions = chance.choice((3, 4, 6, 8))
        self.members = chance.choice((1, 1, 1, 2, 2, 3)) + (1 if long else 0)
        self.here = set(range(self.members))        # members that are not gone for good
        self.next_member = self.members
        self.busy = {}                              # member, "broker" or "registry": until when
        self.found = []

    def steps(self):
        self.found = [Step(0.0, "start", member) for member in range(self.members)]
        self.busy = {member: 0.0 for member in range(self.members)}
        if self.brokers == 1 and self.chance.random() < 0.1:
            self._broker(self.chance.uniform(0.5, 2))
        at = self.chance.uniform(0.2, 1.5)
        for _ in range(self.chance.randint(2, 5)):
            self._incident(at)
            at += self.chance.expovariate(1 / 0.6)
        if not self.long or not self._long(max(at, 2.5)):
            self._last_kill()
        return tuple(sorted(self.found, key=lambda step: step.at_s))

    def _incident(self, at):
        kinds = list(self.WEIGHTS)
        weights = [self.WEIGHTS[kind][self.brokers == 3] for kind in kinds]
        getattr(self, "_" + self.chance.choices(kinds, weights)[0])(at)

    def _add(self, at, action, target=None):
        self.found.append(Step(round(at, 2), action, target))

    def _free_member(self, at):
        free = sorted(member for member in self.here if self.busy[member] <= at)
        return self.chance.choice(free) if free else None

    def _pair(self, at, harm, repair, shortest, longest):
        """A member is harmed, and well again after a while."""
        member = self._free_member(at)
        if member is None:
            return
        back = at + self.chance.uniform(shortest, longest)
        self._add(at, harm, member)
        self._add(back, repair, member)
        self.busy[member] = back + self.chance.choice((0.05, 0.3, 1))

    def _kill(self, at):
        self._pair(at, "kill", "start", 0.1, 0.6)

    def _term(self, at):
        self._pair(at, "term", "start", 0.2, 1)

    def _freeze(self, at):
        self._pair(at, "freeze", "thaw", 0.1, 1.5)

    def _join(self, at):
        if len(self.here) >= 4:
            self._leave(at)
            return
        member, self.next_member = self.next_member, self.next_member + 1
        self.here.add(member)
        self._add(at, "start", member)
        self.busy[member] = at + self.chance.choice((0.1, 0.5))

    def _leave(self, at):
        member = self._free_member(at)
        if member is not None:
            self.here.remove(member)
            self._add(at, "term", member)

    def _registry(self, at):
        self._outage(at, "registry", "registry-down", "registry-up", None, self.chance.uniform(0.3, 2))

    def _broker(self, at):
        self._outage(at, "broker", "broker-kill", "broker-start", self.chance.randrange(self.brokers),
                     self.chance.uniform(0.2, 2))

    def _move(self, at):
        """The partitions get two replicas and other leaders, and a moment later all three again, and others; no broker is
        down meanwhile, as two replicas do without none."""
        if self.busy.get("broker", 0) > at:
            return
        turn, back = self.chance.randrange(3), at + self.chance.uniform(0.3, 1.5)
        self._add(at, "move", turn)
        self._add(back, "settle", turn + 1)
        self.busy["broker"] = back + 2

    def _elect(self, at):
        self._add(at, "elect")

    def _outage(self, at, what, harm, repair, target, length):
        if self.busy.get(what, 0) > at:
            return
        self._add(at, harm, target)
        self._add(at + length, repair, target)
        self.busy[what] = at + length + 5       # a broker has to come up before another may go

    def _long(self, at):
        """A member is away for longer than its session: frozen and thawed, or dead for good. Returns whether dead."""
        at = max(at, self._quiet())
        member = self._free_member(at)
        if self.chance.random() < 0.5:
            self.here.discard(member)
            self._add(at, "lose", member)
            return True
        over = at + SHORT_SESSION_MS / 1000 + self.chance.uniform(1, 2)
        self._add(at, "freeze", member)
        self._add(over, "thaw", member)
        self.busy[member] = over + self.chance.uniform(0.2, 1)
        return False

    def _last_kill(self):
        self._kill(self._quiet() + self.chance.uniform(0.5, 1))

    def _quiet(self):
        """A moment at which all members that are here are free and nothing else goes on."""
        return max([step.at_s for step in self.found] + [until for who, until in self.busy.items() if who in self.here])
