"""The broker goes away in the middle: orders wait for it, none is lost and none counts twice."""
import time

from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow


class Outages(TestCase):
    def setUp(self):
        super().setUp()
        self.kafka = self.own_kafka()
        self.flow = Flow(self, client=self.client_of(self.kafka), failure_rate=0.1)

    def outage(self, happens, *arguments):
        """happens() to a run in the middle of 100,000 orders and their retries; it must come to the same end."""
        flow = self.flow
        flow.produce(100000)
        expected = flow.expected()
        with flow.run("--exit-at-end", "--memory-mb", 16, *arguments) as program:
            self.wait_until(lambda: flow.settled() > 5000, 60, "it is in the middle")
            happens()
            program.final(120)
        self.assertEqual(program.of_kind("lost"), [])
        flow.check(expected, repeated=True)

    def killed(self, seconds):
        self.kafka.kill()
        time.sleep(seconds)
        self.kafka.nodes[0].start()

    def frozen(self, seconds):
        self.kafka.nodes[0].freeze()
        time.sleep(seconds)
        self.kafka.nodes[0].thaw()

    def test_killed_and_back(self):
        self.outage(lambda: self.killed(2), "--fetch-threads", 2, "--decode-threads", 2)

    def test_frozen_for_a_while(self):
        self.outage(lambda: self.frozen(8))


class DeletedTopic(TestCase):
    def test_a_deleted_dead_letter_topic_holds_until_it_is_back(self):
        flow = Flow(self)
        flow.publish_orders(300)
        with flow.run() as program:
            self.wait_until(lambda: flow.settled() == 300, 60, "orders counted")
            flow.client.delete_topic(flow.dlq)
            flow.publish([Record.of(b"bad", b"bad", 1)])
            flow.publish_orders(300, first_id=2001)
            held = program.wait_event("held", 120)
            self.assertEqual((held["partition"], held["cause"]), (1, "dead_letter_refused"))
            self.assertIn(flow.dlq, held["detail"])
            self.wait_until(lambda: len({(event["partition"], event["offset"]) for event in flow.events("processed")
                                         if event["partition"] != 1}) == 400, 60, "the other partitions go on")
            flow.client.create_topic(flow.dlq, 3)
            self.wait_until(lambda: len(flow.client.read(flow.dlq)) == 1, 150, "the dead letter is there")
            program.terminate()
            program.final(60)
        flow.check(repeated=True)


if __name__ == "__main__":
    main()
