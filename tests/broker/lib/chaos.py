"""Many schedules, shared out among clusters, and the report of what they came to.

    report = perform([Task(schedule.make(1, number), True) for number in range(20)], registry_url, jobs=3, folder)
    exit_status(report)

A schedule that the tests' own servers left unperformed is no verdict over the program. It is tried once more behind all
others, on a fresh cluster, and counted apart when it is not performed then either.
"""
import json
import os
import queue
import threading
import time
from typing import NamedTuple

from lib import places, recovery
from lib.arena import BROKER_GRACE_S, Arena
from lib.schedule import Schedule

NAMES = {True: "exactly-once", False: "at-least-once"}
COUNTERS = ("repeated_retries", "repeated_letters", "repeated_orders")
MOST_LINES = 12


class Task(NamedTuple):
    schedule: Schedule
    exactly_once: bool


class Run:
    """Each arena has a cluster and a thread of its own and takes the next task that fits it, until there is none."""

    def __init__(self, tasks, registry_url, jobs, folder, show=print, make_arena=Arena):
        self.registry_url, self.jobs, self.folder, self.show = registry_url, jobs, folder, show
        self.make_arena = make_arena
        self.tasks = tasks
        self.done, self.errors = [], []     # [(task, outcome)]; what became of arenas
        self.left = {}                      # task that was not performed: why
        self.arenas = 0                     # so many were made
        self._lock = threading.Lock()

    def run(self):
        self._round(self.tasks)
        if self.left:
            again, self.left = list(self.left), {}
            self.show(f"{len(again)} schedule(s) were not performed; once more, on fresh clusters")
            self._round(again)

    def _round(self, tasks):
        queues = {1: queue.SimpleQueue(), 3: queue.SimpleQueue()}
        for task in tasks:
            queues[task.schedule.brokers].put(task)
            self.left[task] = "no cluster was left for it"
        wide = [3] if queues[3].qsize() else []
        kinds = wide + [1] * min(max(1, self.jobs - len(wide)), queues[1].qsize())
        workers = [threading.Thread(target=self._work, args=(self.arenas + index, brokers, queues[brokers]),
                                    daemon=True) for index, brokers in enumerate(kinds)]
        self.arenas += len(workers)
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(0.5)        # so that signals are heard

    def _work(self, index, brokers, tasks):
        try:
            with self.make_arena(places.fresh(self.folder / f"arena-{index}"), brokers, self.registry_url,
                                 show=self.show) as arena:
                while True:
                    try:
                        task = tasks.get_nowait()
                    except queue.Empty:
                        return
                    self._take(task, arena.perform(*task))
        except Exception as error:      # the cluster itself: its tasks are left
            self.errors.append(f"arena {index} of {brokers} broker(s): {type(error).__name__}: {error}")

    def _take(self, task, outcome):
        with self._lock:
            if outcome.trouble:
                self.left[task] = outcome.trouble
            else:
                self.left.pop(task, None)       # not there when it was asked for twice
                self.done.append((task, outcome))
            self.show("\n".join(self._lines(task, outcome)))

    def _lines(self, task, outcome):
        bad, number = outcome.problems(), task.schedule.number
        back = f", {outcome.recovery} {outcome.recovery_s:.2f} s" if outcome.recovery_s is not None else ""
        word = "NOT PERFORMED" if outcome.trouble else "FAILED" if bad else "ok"
        yield (f"{len(self.done)}/{len(self.tasks)}  schedule {number}, {NAMES[task.exactly_once]}: "
               f"{word}, {outcome.verdict.orders} orders in {outcome.seconds:.1f} s{back}")
        if bad:
            yield task.schedule.text()
            yield from ("  ! " + line for line in bad[:MOST_LINES])
            yield (f"  logs: {outcome.folder}\n  again: ./dev chaos --guarantee {NAMES[task.exactly_once]} "
                   f"--source {os.environ.get('ORDERFLOW_SOURCE', 'auto')} --seed {task.schedule.seed} --only {number}")


def perform(tasks, registry_url, jobs, folder, show=print):
    """Returns the report, which is also written to report.json in the folder."""
    begun = time.monotonic()
    run = Run(tasks, registry_url, jobs, folder, show)
    run.run()
    report = report_of(run, time.monotonic() - begun)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def report_of(run, seconds):
    """Of a run that is over: {"seconds", "errors" of arenas, "guarantees": {name: what it came to}}."""
    return {"seconds": round(seconds, 1), "errors": run.errors, "guarantees": {
        name: _part([task for task in run.tasks if task.exactly_once == kind],
                    [outcome for task, outcome in run.done if task.exactly_once == kind],
                    {task.schedule.number: why for task, why in run.left.items() if task.exactly_once == kind})
        for kind, name in NAMES.items() if any(task.exactly_once == kind for task in run.tasks)}}


def good(report):
    return exit_status(report) == 0


def exit_status(report):
    """0: all performed and as promised; 1: the program broke its promises; 3: nothing speaks against it, but some
    schedules were not performed."""
    parts = report["guarantees"].values()
    if any(part["failed"] for part in parts):
        return 1
    return 3 if any(part["performed"] != part["schedules"] for part in parts) else 0


def _part(tasks, outcomes, left):
    verdicts = [outcome.verdict for outcome in outcomes]

    def spread(kind):
        return _spread([row.recovery_s for row in outcomes if row.recovery == kind and row.recovery_s is not None])
    return {"schedules": len(tasks), "performed": len(outcomes),
            "seeds": sorted({task.schedule.seed for task in tasks}),
            "failed": sorted(outcome.schedule.number for outcome in outcomes if outcome.verdict.complaints),
            "not_performed": dict(sorted(left.items())),
            "orders": sum(verdict.orders for verdict in verdicts), "dead": sum(verdict.dead for verdict in verdicts),
            "lost": sum(len(verdict.lost) for verdict in verdicts),
            "counted_twice": sum(len(verdict.counted_twice) for verdict in verdicts),
            **{name: sum(getattr(verdict, name) for verdict in verdicts) for name in COUNTERS},
            "restarts": spread("restart"), "restarts_in_trouble": spread("restart in trouble"),
            "losses_beyond_session": spread("loss"),
            "details": [_detail(outcome) for outcome in sorted(outcomes, key=lambda row: row.schedule.number)]}


def _detail(outcome):
    verdict = outcome.verdict
    return {"number": outcome.schedule.number, "brokers": outcome.schedule.brokers, "orders": verdict.orders,
            "dead": verdict.dead, "lost": len(verdict.lost), "counted_twice": len(verdict.counted_twice),
            **{name: getattr(verdict, name) for name in COUNTERS}, "recovery": outcome.recovery,
            "recovery_s": outcome.recovery_s, "seconds": round(outcome.seconds, 2), "complaints": verdict.complaints}


def _spread(values):
    return {"count": len(values), "p50_s": recovery.percentile(values, 0.5),
            "p95_s": recovery.percentile(values, 0.95), "max_s": max(values, default=None)}


def text(report):
    """For people."""
    lines = []
    for name, part in report["guarantees"].items():
        lines += [
            f"{name}: {part['performed']} of {part['schedules']} schedules performed, {len(part['failed'])} failed"
            + (f": {part['failed']}" if part["failed"] else ""),
            *(f"  schedule {number} was NOT PERFORMED: {why.splitlines()[0]}" for number, why in part["not_performed"].items()),
            f"  {part['orders']} orders, of them {part['dead']} dead letters",
            f"  {part['lost']} lost, {part['counted_twice']} counted twice",
            f"  repeated: {part['repeated_retries']} retry records, {part['repeated_letters']} dead letters, "
            f"{part['repeated_orders']} orders behind repeated retry records",
            f"  from restart after kill -9 to the first committed order: {_spread_text(part['restarts'])}",
            f"  the same where a broker was started in the {BROKER_GRACE_S} s before: "
            f"{_spread_text(part['restarts_in_trouble'])}",
            f"  from kill -9 for good until all its partitions moved, beyond the session time-out: "
            f"{_spread_text(part['losses_beyond_session'])}"]
    return "\n".join([f"in {report['seconds']:.0f} s", *lines, *(f"ERROR {error}" for error in report["errors"])])


def _spread_text(row):
    if not row["count"]:
        return "none"
    return f"p50 {row['p50_s']:.2f} s, p95 {row['p95_s']:.2f} s, longest {row['max_s']:.2f} s, of {row['count']}"
