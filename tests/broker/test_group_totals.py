"""`stats` and `reset` around real runs: what the runs counted is what `stats` says, and a reset starts over."""
import time

from lib.environment import TestCase, main
from lib.flow import Flow
from lib.oracle import Totals
from lib.orderflow import Orderflow


class Group(TestCase):
    def names(self, flow):
        return ["--brokers", self.bootstrap, "--group", flow.settings.group, "--topic", flow.topic, "--retry-topic",
                flow.retry, "--aggregates-topic", flow.aggregates]

    def stats(self, flow, *arguments):
        return Orderflow("stats", *self.names(flow), "--json", *arguments, folder=self.folder, name="stats")

    def total(self, flow):
        with self.stats(flow) as program:
            self.assertEqual(program.wait(60), 0, program.stderr())
        return program.events[0]

    def reset(self, flow):
        with Orderflow("reset", *self.names(flow), "--registry", self.registry_url, "--yes", folder=self.folder,
                       name="reset") as program:
            self.assertEqual(program.wait(120), 0, program.stderr())

    def finish(self, flow, *arguments):
        with flow.run("--exit-at-end", *arguments) as program:
            return program.final(90)


class Stats(Group):
    def test_stats_are_the_total_of_the_runs(self):
        flow = Flow(self, failure_rate=0.2)
        flow.publish_orders(400)
        first = self.finish(flow)
        self.assertEqual(self.total(flow), first["total"])
        flow.publish_orders(300, seed=2, first_id=2001)
        second = self.finish(flow, "--fetch-threads", 2)
        self.assertEqual(self.total(flow), second["total"])
        self.assertEqual(Totals.of_event(second["total"]), flow.expected().totals)

    def test_stats_while_two_instances_run(self):
        flow = Flow(self, failure_rate=0.1)
        flow.publish_orders(600)
        expected = flow.expected()
        with flow.run() as one, flow.run() as two:
            self.wait_until(lambda: flow.settled() >= 600, 90, "all orders settled")
            self.wait_until(lambda: Totals.of_event(self.total(flow)) == expected.totals, 60, "the total of both")
            one.terminate(), two.terminate()
            one.final(60), two.final(60)
        self.assertEqual(Totals.of_event(self.total(flow)), expected.totals)

    def test_following_a_run(self):
        flow = Flow(self, failure_rate=0.1)
        flow.publish_orders(30)
        self.finish(flow)
        with self.stats(flow, "--follow") as program:
            self.wait_until(lambda: len(program.events) == 1, 30, "a first line")
            flow.publish_orders(500, seed=3, first_id=2001)
            final = self.finish(flow)
            self.wait_until(lambda: program.events[-1] == final["total"], 30, "the total of the run")
            program.interrupt()
            self.assertEqual(program.wait(10), 0)
        counts = [event["orders_processed"] for event in program.events]
        self.assertEqual(counts, sorted(counts))


class Reset(Group):
    def test_a_run_after_a_reset_counts_everything_again(self):
        flow = Flow(self, failure_rate=0.3)
        flow.publish_orders(400)
        expected = flow.expected().totals
        self.assertEqual(Totals.of_event(self.finish(flow)["total"]), expected)
        self.reset(flow)
        self.assertEqual(self.total(flow)["orders_processed"], 0)
        again = self.finish(flow)
        self.assertEqual(Totals.of_event(again["run"]), expected)
        self.assertEqual(Totals.of_event(again["total"]), expected)
        self.assertEqual(self.total(flow), again["total"])

    def test_retries_that_wait_are_not_counted_again(self):
        flow = Flow(self, failure_rate=0.5, delay_ms=30000)
        flow.publish_orders(300)
        expected = flow.expected().totals
        with flow.run() as program:
            self.wait_until(lambda: len(flow.events("processed")) + len(flow.events("retry")) >= 300, 60, "read once")
            time.sleep(1)
            program.terminate()
            program.final(60)
        self.assertGreater(len(self.client.read(flow.retry)), 50)
        self.reset(flow)
        flow.delay_ms = 300
        final = self.finish(flow)
        self.assertEqual(Totals.of_event(final["total"]), expected)

    def test_another_field_to_group_by(self):
        flow = Flow(self)
        flow.publish_orders(60)
        before = self.finish(flow)["total"]
        with flow.run("--group-by-field", "orderId") as program:
            program.wait_event(lambda event: event["event"] == "held" and event["topic"] == flow.topic
                               and "made with --group-by-field product, not orderId" in event.get("detail", ""), 60)
            program.terminate()
            self.assertEqual(program.final(60)["run"]["orders_processed"], 0)
        self.assertEqual(self.total(flow), before)
        self.reset(flow)
        total = self.finish(flow, "--group-by-field", "orderId")["total"]
        self.assertEqual((total["orders_processed"], total["price_sum"]), (60, before["price_sum"]))
        self.assertEqual(len(total["products"]), 60)


if __name__ == "__main__":
    main()
