"""Topics that are deleted under a running pipeline, and made again: nothing is lost without a word, or counted twice.

The dead-letter topic is in test_outages.py."""
import http.client
import json
import os
import time
import unittest

from lib import process
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.oracle import Totals

# Only the direct source knows that a topic is another one than before when there is as much in it.
KNOWS_IDS = os.environ.get("ORDERFLOW_SOURCE") != "librdkafka"


class DeletedTopics(TestCase):
    def serve(self, flow, *arguments):
        """The program with a health page, not started yet. It hears of topics that come and go within a second."""
        self.port = process.free_port()
        return flow.run("--http", self.port, "-X", "topic.metadata.refresh.interval.ms=1000", *arguments)

    def reasons(self):
        """Those of /readyz."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/readyz")
            return json.load(connection.getresponse())["reasons"]
        finally:
            connection.close()

    def wait_for_hold(self, program, topic, cause, says, seconds=120):
        """Until each partition of the topic is told to be held for this cause, and /readyz says so too, in these words: of
        several texts of a cause only the first is told as an event."""
        for partition in range(3):
            program.wait_event(lambda event: event["event"] == "held" and event["topic"] == topic
                               and event["partition"] == partition and event["cause"] == cause, seconds)
        self.wait_until(lambda: {reason["partition"] for reason in self.reasons() if reason["reason"] == "held"
                                 and (reason["topic"], reason["cause"]) == (topic, cause) and says in reason["text"]}
                        == {0, 1, 2}, seconds, f"/readyz tells of {cause}: {says}")

    def settle(self, flow, count):
        self.wait_until(lambda: flow.settled() >= count, 90, f"{count} orders settled")

    def committed(self, flow):
        return {place: offset for place, offset in flow.client.committed(flow.settings.group).items()
                if place[0] == flow.topic}

    def start_over(self, flow):
        """What the messages say: then everything that is in the orders topic counts, once."""
        with self.orderflow("reset", "--yes", "--group", flow.settings.group, "--topic", flow.topic, "--retry-topic",
                            flow.retry, "--aggregates-topic", flow.aggregates, name="reset") as reset:
            self.assertEqual(reset.wait(60), 0, reset.stderr())
        with flow.run("--exit-at-end") as program:
            final = program.final(120)
        expected = flow.expected()
        self.assertEqual(Totals.of_event(final["run"]), expected.totals)
        self.assertEqual(Totals.of_event(final["total"]), expected.totals)
        self.assertEqual(expected.event_complaints(list(program.events), False), [])

    @unittest.skipUnless(KNOWS_IDS, "librdkafka may not notice in time")
    def test_orders(self):
        """None is passed over when there are more than before."""
        flow = Flow(self)
        flow.publish_orders(300)
        before = flow.expected()
        with self.serve(flow) as program:
            self.settle(flow, 300)
            self.wait_until(lambda: sum(self.committed(flow).values()) == 300, 60, "all are committed")
            flow.client.delete_topic(flow.topic)
            self.wait_until(lambda: self.reasons(), 120, "/readyz complains")
            flow.client.create_topic(flow.topic, 3)
            flow.publish_orders(450, first_id=2001)
            self.wait_for_hold(program, flow.topic, "offset_out_of_range", "made anew")
            time.sleep(6)       # longer than any back-off
            self.assertEqual(flow.told(), 300, "what stands at the old offsets is another order")
            program.terminate()
            self.assertEqual(Totals.of_event(program.final(60)["run"]), before.totals)
        self.start_over(flow)

    def test_retries_that_were_read_before(self):
        """Those that waited are gone: only starting over makes good for them. Orders go on."""
        flow = Flow(self, failure_rate=1.0, max_retries=1, delay_ms=100)
        flow.publish_orders(60)
        with self.serve(flow) as program:
            self.settle(flow, 60)
            self.wait_until(lambda: all(flow.client.committed(flow.settings.group).get((flow.retry, partition), 0) >= 20
                                        for partition in range(3)), 60, "all retries committed")
            flow.client.delete_topic(flow.retry)
            flow.publish_orders(90, first_id=2001)
            self.wait_for_hold(program, flow.topic, "retry_refused", flow.retry)
            flow.client.create_topic(flow.retry, 3)
            self.wait_for_hold(program, flow.retry, "offset_out_of_range", "`orderflow reset`")
            self.wait_until(lambda: set(self.committed(flow).values()) == {50}, 120, "orders go on")
            self.wait_until(lambda: {reason["topic"] for reason in self.reasons()} == {flow.retry}, 60,
                            "only retries are held")
            self.assertEqual(flow.told(), 60, "what stands at the old offsets is another retry")
            program.terminate()
            program.final(60)
        self.start_over(flow)

    def test_retries_of_which_none_was_read(self):
        """Nothing can be missing: it goes on by itself."""
        flow = Flow(self, failure_rate=0.5, delay_ms=100)
        with self.serve(flow) as program:
            self.wait_until(lambda: len(program.of_kind("assigned")) >= 6, 60, "all partitions assigned")
            flow.client.delete_topic(flow.retry)
            flow.publish_orders(60)
            self.wait_for_hold(program, flow.topic, "retry_refused", flow.retry)
            flow.client.create_topic(flow.retry, 3)
            expected = flow.expected()
            self.wait_until(lambda: flow.settled() == len(expected.verdicts), 120, "all orders settled")
            self.wait_until(lambda: not self.reasons(), 60, "/readyz is content")
            program.terminate()
            program.final(60)
        flow.check(expected, repeated=True)

    def test_totals(self):
        self.totals_are_gone("--guarantee", "exactly-once")

    def test_totals_at_least_once(self):
        self.totals_are_gone("--guarantee", "at-least-once")

    def totals_are_gone(self, *arguments):
        flow = Flow(self)
        flow.publish_orders(300)
        before = flow.expected()
        with self.serve(flow, *arguments) as program:
            self.settle(flow, 300)
            offsets = self.wait_until(lambda: set(self.committed(flow).values()) == {100} and self.committed(flow), 60,
                                      "all committed")
            flow.client.delete_topic(flow.aggregates)
            flow.publish_orders(30, first_id=2001)
            self.wait_for_hold(program, flow.topic, "restore_failed", "does not exist")
            flow.client.create_topic(flow.aggregates, 3, cleanup_policy="compact")
            self.wait_for_hold(program, flow.topic, "state_mismatch", "`orderflow reset` starts over")
            causes = [event["cause"] for event in program.of_kind("held") if event["topic"] == flow.topic]
            self.assertEqual({causes.count(cause) for cause in ("state_refused", "restore_failed", "state_mismatch")}, {3})
            self.assertEqual(self.committed(flow), offsets, "nothing more counts")
            program.terminate()
            self.assertEqual(Totals.of_event(program.final(60)["total"]), before.totals, "nor is anything forgotten")
        self.start_over(flow)

    def test_totals_while_nothing_is_written(self):
        """Nobody notices until the next start, which must not take what is left for all there was."""
        flow = Flow(self)
        flow.publish_orders(300)
        with self.serve(flow) as program:
            self.settle(flow, 300)
            self.wait_until(lambda: set(self.committed(flow).values()) == {100}, 60, "all committed")
            flow.client.delete_topic(flow.aggregates)
            flow.client.create_topic(flow.aggregates, 3, cleanup_policy="compact")
            flow.publish_orders(3, first_id=2001)
            self.wait_until(lambda: flow.settled() >= 303, 90, "all settled")
            program.terminate()
            program.final(60)
        with self.serve(flow) as program:
            self.wait_for_hold(program, flow.topic, "state_mismatch", "`orderflow reset` starts over")
            program.terminate()
            self.assertEqual(program.final(60)["run"]["orders_processed"], 0)
        self.start_over(flow)

    def test_no_topic_comes_back_by_asking_for_it(self):
        """A broker that makes topics of which it is asked would make it without what was in it, and not compacted."""
        kafka = self.own_kafka(settings={"auto.create.topics.enable": "true"})
        flow = Flow(self, client=self.client_of(kafka))
        flow.publish_orders(300)
        with self.serve(flow) as program:
            self.settle(flow, 300)
            flow.client.delete_topic(flow.aggregates)
            flow.publish_orders(30, first_id=2001)
            self.wait_for_hold(program, flow.topic, "restore_failed", "does not exist")
            time.sleep(6)       # longer than any back-off
            self.assertNotIn(flow.aggregates, flow.client.topics())
            program.terminate()
            program.final(60)


if __name__ == "__main__":
    main()
