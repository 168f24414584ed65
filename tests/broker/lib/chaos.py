"""Many schedules, shared out among clusters, and the report of what they came to.

    report = perform([Task(schedule.make(1, number), True) for number in range(20)], registry_url, jobs=3, folder)
    good(report)
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

    def __init__(self, tasks, registry_url, jobs, folder, show=print):
        self.registry_url, self.folder, self.show = registry_url, folder, show
        self.done, self.errors = [], []     # [(task, outcome)]
        self.total = len(tasks)
        self._lock = threading.Lock()
        self.queues = {1: queue.SimpleQueue(), 3: queue.SimpleQueue()}
        for task in tasks:
            self.queues[task.schedule.brokers].put(task)
        wide = [3] if self.queues[3].qsize() else []
        self.kinds = wide + [1] * min(max(1, jobs - len(wide)), self.queues[1].qsize())

    def run(self):
        workers = [threading.Thread(target=self._work, args=(index, brokers), daemon=True)
                   for index, brokers in enumerate(self.kinds)]
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(0.5)        # so that signals are heard

    def _work(self, index, brokers):
        try:
            with Arena(places.fresh(self.folder / f"arena-{index}"), brokers, self.registry_url) as arena:
                while True:
                    try:
                        task = self.queues[brokers].get_nowait()
                    except queue.Empty:
                        return
                    self._take(task, arena.perform(*task))
        except Exception as error:      # the cluster itself: told at the end, where tasks will be missing
            self.errors.append(f"arena {index} of {brokers} broker(s): {type(error).__name__}: {error}")

    def _take(self, task, outcome):
        with self._lock:
            self.done.append((task, outcome))
            self.show("\n".join(self._lines(task, outcome)))

    def _lines(self, task, outcome):
        bad, number = outcome.verdict.complaints, task.schedule.number
        back = f", {outcome.recovery} {outcome.recovery_s:.2f} s" if outcome.recovery_s is not None else ""
        yield (f"{len(self.done)}/{self.total}  schedule {number}, {NAMES[task.exactly_once]}: "
               f"{'FAILED' if bad else 'ok'}, {outcome.verdict.orders} orders in {outcome.seconds:.1f} s{back}")
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
    report = {"seconds": round(time.monotonic() - begun, 1), "errors": run.errors, "guarantees": {
        name: _part([task for task in tasks if task.exactly_once == kind],
                    [outcome for task, outcome in run.done if task.exactly_once == kind])
        for kind, name in NAMES.items() if any(task.exactly_once == kind for task in tasks)}}
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def good(report):
    return not report["errors"] and all(not part["failed"] and part["performed"] == part["schedules"]
                                        for part in report["guarantees"].values())


def _part(tasks, outcomes):
    verdicts = [outcome.verdict for outcome in outcomes]

    def spread(kind):
        return _spread([row.recovery_s for row in outcomes if row.recovery == kind and row.recovery_s is not None])
    return {"schedules": len(tasks), "performed": len(outcomes),
            "seeds": sorted({task.schedule.seed for task in tasks}),
            "failed": sorted(outcome.schedule.number for outcome in outcomes if outcome.verdict.complaints),
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
