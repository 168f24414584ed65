"""Stopping in the middle: drained, committed, and gone on with by the next run."""
import contextlib
import time

from lib.environment import TestCase, main
from lib.flow import Flow
from lib.oracle import Totals

ORDERS = 200000


class Stop(TestCase):
    def run_until(self, flow, count, *arguments):
        """A run that is asked to stop when it has told of so many orders. Returns how many it came to."""
        with flow.run("--exit-at-end", "--memory-mb", 16, *arguments) as program:
            self.wait_until(lambda: len(program.events) > count, 60, f"{count} orders settled")
            program.terminate()
            return Totals.of_event(program.final(30)["run"]).orders.count

    def stopped_twice(self, *arguments):
        flow = Flow(self, failure_rate=0.1)
        flow.produce(ORDERS)
        counts = [self.run_until(flow, count, *arguments) for count in (2000, 20000)]
        with flow.run("--exit-at-end", *arguments) as program:
            program.final(60)
        self.assertLess(sum(counts), ORDERS * 0.9, "both stops were in the middle")
        flow.check()

    def test_nothing_is_lost(self):
        self.stopped_twice()

    def test_nothing_is_lost_by_several_lanes(self):
        self.stopped_twice("--fetch-threads", 3, "--decode-threads", 2, "--process-threads", 2)

    def test_waiting_retries_are_left_to_the_next_run(self):
        flow = Flow(self, failure_rate=0.5, delay_ms=60000)
        flow.publish_orders(2000)
        expected = flow.expected()
        first_retries = {(origin, attempt) for origin, attempt in expected.retries if attempt == 1}
        with flow.run() as program:
            self.wait_until(lambda: len(flow.events("retry")) >= len(first_retries), 30, "all first retries written")
            program.terminate()
            final = program.final(30)
        self.assertEqual(final["run"]["retry_attempts"], len(first_retries))
        flow.delay_ms = 100     # a run waits no longer than its own delay
        with flow.run("--exit-at-end") as program:
            program.final(45)
        flow.check(expected)

    def test_a_stop_commits(self):
        flow = Flow(self)
        flow.publish_orders(1000)
        with flow.run("--commit-interval-ms", 60000) as program:
            self.wait_until(lambda: flow.settled() == 1000, 30, "all counted")
            program.terminate()
            program.final(30)
        committed = {p: flow.client.committed(flow.settings.group).get((flow.topic, p)) for p in range(3)}
        self.assertEqual(committed, flow.client.end_offsets(flow.topic))
        self.assertEqual(flow.client.members(flow.settings.group), [], "the group was left")
        flow.check()

    def test_interrupt_prints_final_statistics(self):
        flow = Flow(self)
        flow.publish_orders(10)
        with self.orderflow("run", "--topic", flow.topic, "--retry-topic", flow.retry, "--dlq-topic", flow.dlq,
                            "--group", flow.settings.group, "--console", "orders") as program:
            self.wait_until(lambda: len(program.lines) > 20, 30, "orders shown")
            program.interrupt()
            self.assertEqual(program.wait(30), 0)
        text = "\n".join(program.lines[-20:]).lower()
        for word in ("orders processed", "sum", "average", "retry", "dead letters"):
            self.assertIn(word, text)


class OwnBroker(TestCase):
    """What ends a run that cannot drain: the broker is frozen, so nothing is ever acknowledged."""

    def setUp(self):
        super().setUp()
        self.kafka = self.own_kafka()
        self.flow = Flow(self, client=self.client_of(self.kafka), failure_rate=0.5, delay_ms=600000)

    @contextlib.contextmanager
    def frozen(self, *arguments):
        self.flow.publish_orders(200)
        with self.flow.run("--commit-interval-ms", 60000, *arguments) as program:
            self.wait_until(lambda: self.flow.settled() > 50, 30, "orders counted")
            self.kafka.nodes[0].freeze()
            try:
                yield program
            finally:
                self.kafka.nodes[0].thaw()

    def test_a_second_interrupt_ends_at_once(self):
        with self.frozen("--drain-timeout-ms", 600000) as program:
            program.interrupt()
            time.sleep(1)
            self.assertTrue(program.running(), "it is draining")
            program.interrupt()
            self.assertEqual(program.wait(10), 3)

    def test_a_drain_has_its_deadline(self):
        with self.frozen("--drain-timeout-ms", 1000) as program:
            program.terminate()
            self.assertEqual(program.wait(30), 3)
            self.assertIn("drain", program.stderr())

    def test_a_session_that_ends_while_it_drains(self):
        """There is nothing to drain for any more; and it does not take itself for another of the same name."""
        with self.frozen("--drain-timeout-ms", 600000, "--instance-id", "a", "-X", "session.timeout.ms=6000") as program:
            program.terminate()
            self.wait_until(lambda: "partitions lost" in program.stderr(), 60, "the session has ended")
            time.sleep(1)
            self.kafka.nodes[0].thaw()
            self.assertEqual(program.wait(60), 0, program.stderr())

    def test_exit_timeout(self):
        with self.flow.run("--exit-at-end", "--exit-timeout-ms", 60000) as program:
            self.assertEqual(program.wait(30), 0, "there is nothing to wait for")
        self.flow.publish_orders(200)
        with self.flow.run("--exit-at-end", "--exit-timeout-ms", 3000) as program:
            self.assertEqual(program.wait(30), 3, "retries wait for longer than that")


if __name__ == "__main__":
    main()
