"""Instances join and leave while orders flow: partitions change hands, orders neither get lost nor count twice."""
import threading
import time

from lib.environment import TestCase, main
from lib.flow import Flow

PARTITIONS = 6


class Load:
    """Publishes orders in the background, a part at a time, until stopped."""

    def __init__(self, flow, part=1000, pause_s=0.05):
        self.flow, self.part, self.pause_s = flow, part, pause_s
        self.count = 0
        self.error = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish, daemon=True)

    def _publish(self):
        try:
            while not self._stop.is_set():
                self.flow.publish_orders(self.part, seed=self.count, first_id=1001 + self.count)
                self.count += self.part
                time.sleep(self.pause_s)
        except Exception as error:      # told by stop(), in the thread of the test
            self.error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)
        if self.error:
            raise self.error


class Rebalance(TestCase):
    def wait_for_share(self, program, count=2000):
        """Until the program reads partitions and has counted so many orders more."""
        program.wait_event("assigned", 60)
        before = len(program.of_kind("processed"))
        self.wait_until(lambda: len(program.of_kind("processed")) >= before + count, 60,
                        f"{program.name} counts {count} orders more")

    def drained(self, flow, expected):
        self.wait_until(lambda: flow.settled() >= len(expected.verdicts), 60, "all orders settled")

    def instances_come_and_go(self, *arguments):
        flow = Flow(self, PARTITIONS, failure_rate=0.1)
        first, second, third = (flow.run(*arguments, name=name) for name in ("first", "second", "third"))
        with first:
            with Load(flow):
                self.wait_for_share(first)
                for other in (second, third):
                    with other:
                        self.wait_for_share(other)
                        self.wait_for_share(first)
                        other.terminate()
                        other.final(30)
                    self.wait_for_share(first)
            expected = flow.expected()
            self.drained(flow, expected)
            first.terminate()
            first.final(30)
        self.assertEqual(first.of_kind("lost"), [], "every revocation was drained")
        flow.check(expected)

    def test_a_second_instance_joins_and_leaves(self):
        self.instances_come_and_go()

    def test_instances_of_several_lanes(self):
        self.instances_come_and_go("--fetch-threads", 2, "--decode-threads", 2, "--process-threads", 0)

    def test_the_first_leaves_before_the_second(self):
        flow = Flow(self, PARTITIONS, failure_rate=0.1)
        first, second = flow.run(name="first"), flow.run(name="second")
        with first, second:
            with Load(flow):
                self.wait_for_share(first)
                self.wait_for_share(second)
                first.terminate()
                first.final(30)
                self.wait_for_share(second)
            expected = flow.expected()
            self.drained(flow, expected)
            second.terminate()
            second.final(30)
        flow.check(expected)


class Frozen(TestCase):
    """SIGSTOP for longer than the session, as a paused virtual machine: the other takes over, and whoever wakes up has no say."""

    def share(self, program):
        """What it reads now."""
        mine = set()
        for event in list(program.events):
            if event["event"] in ("assigned", "revoked", "lost"):
                (mine.add if event["event"] == "assigned" else mine.discard)((event["topic"], event["partition"]))
        return mine

    def test_a_frozen_member_loses_nothing_and_counts_nothing_twice(self):
        flow = Flow(self, PARTITIONS, failure_rate=0.1)
        arguments = ("--instance-id", "none", "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=1000")
        frozen, twin = flow.run(*arguments, name="frozen"), flow.run(*arguments, name="twin")
        with frozen, twin:
            self.wait_until(lambda: len(self.share(frozen)) == len(self.share(twin)) == PARTITIONS, 60, "they share")
            flow.publish_orders(600)
            self.wait_until(lambda: flow.settled() >= 600, 60, "both count")
            # Nothing is under way then: a transaction that is open would hold up the other until it times out.
            self.wait_until(lambda: sum(flow.client.committed(flow.settings.group).get((flow.topic, p), 0)
                                        for p in range(PARTITIONS)) == 600, 60, "all is committed")
            time.sleep(0.5)
            counted = len(frozen.of_kind("processed"))
            frozen.freeze()
            flow.publish_orders(600, first_id=2001)     # some of which are in its sockets when it wakes up
            self.wait_until(lambda: len(self.share(twin)) == 2 * PARTITIONS, 90, "the twin takes over")
            self.wait_until(lambda: flow.settled() >= 1200, 90, "and counts what came meanwhile")
            self.assertEqual(len(frozen.of_kind("processed")), counted)
            frozen.thaw()
            self.wait_until(lambda: len(self.share(frozen)) == len(self.share(twin)) == PARTITIONS, 90, "they share again")
            flow.publish_orders(600, first_id=3001)
            expected = flow.expected()
            self.wait_until(lambda: flow.settled() == len(expected.verdicts), 90, "all settled")
            for program in (frozen, twin):
                program.terminate()
                program.final(60)
        flow.check(expected, repeated=True)


class Crash(TestCase):
    """After SIGKILL no order is passed over."""

    def test_no_dead_letter_is_missing_after_kills(self):
        flow = Flow(self, failure_rate=1.0, max_retries=0)
        flow.publish_orders(30000)
        # With a name, so that the next one ends the transaction of the one that was killed: it would hide what is behind it.
        arguments = ("--exit-at-end", "-X", "session.timeout.ms=6000", "--instance-id", "crash")
        for count in (1000, 5000):
            with flow.run(*arguments) as program:
                self.wait_until(lambda: len(program.events) > count, 60, f"{count} orders settled")
                program.kill()
        with flow.run(*arguments) as program:
            program.final(90)
        expected = flow.expected()
        self.assertEqual(len(expected.dead), 30000)
        found = {(row.header("__orderflow.errors.partition"), row.header("__orderflow.errors.offset"))
                 for row in flow.dead_letters()}
        self.assertEqual(found, {(str(origin.partition), str(origin.offset)) for origin in expected.dead})


if __name__ == "__main__":
    main()
