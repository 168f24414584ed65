"""Leaders come and go under the direct source, and under librdkafka: three brokers, of which one at a time is killed,
and leaders that are moved by election and by reassignment. Nothing is lost, nothing counts twice."""
import os
import time
import unittest

from lib.environment import TestCase, main
from lib.flow import Flow


class MovingLeaders(TestCase):
    def setUp(self):
        super().setUp()
        self.kafka = self.own_kafka(nodes=3)
        client = self.client_of(self.kafka)
        topic = client.create_topic(self.unique("orders"), 6, replication=3)
        self.flow = Flow(self, 6, client=client, topic=topic, failure_rate=0.05)

    def in_the_middle(self, happens, count=150000):
        """happens() to a run in the middle of its orders; it must come to the end that it would have come to anyway."""
        flow = self.flow
        flow.produce(count)
        expected = flow.expected()
        with flow.run("--exit-at-end", "--memory-mb", 16) as program:
            self.wait_until(lambda: flow.settled() > 3000, 90, "it is in the middle")
            happens()
            program.final(200)
        self.assertEqual(program.of_kind("lost"), [])
        flow.check(expected, repeated=True)

    def test_brokers_are_killed_one_after_the_other(self):
        def happens():
            for node in self.kafka.nodes[:2]:
                node.kill()
                time.sleep(4)
                node.start()
        self.in_the_middle(happens)

    def test_leaders_are_moved(self):
        def happens():
            for turn in range(1, 4):
                self.flow.client.move(self.flow.topic, [1, 2, 3], turn)
                time.sleep(1)
        self.in_the_middle(happens)


class DeadBroker(TestCase):
    def test_a_group_goes_on_while_its_coordinator_is_down(self):
        """The member loses its partitions before the cluster gives up the broker, and has led ones in mind with it."""
        kafka = self.own_kafka(nodes=3, settings={"broker.session.timeout.ms": 9000})
        client = self.client_of(kafka)
        topic = client.create_topic(self.unique("orders"), 6, replication=3)
        flow = Flow(self, 6, client=client, topic=topic)
        with flow.run("-X", "session.timeout.ms=6000") as program:
            program.wait_event("assigned", 90)
            kafka.nodes[client.coordinator(flow.settings.group) - 1].kill()
            flow.publish_orders(600)
            self.wait_until(lambda: flow.settled() == 600, 150, "orders counted on two brokers")
            program.terminate()
            program.final(60)
        flow.check(repeated=True)


class CutBack(TestCase):
    @unittest.skipIf(os.environ.get("ORDERFLOW_SOURCE") == "librdkafka", "before 2.1 it keeps no leader epochs")
    def test_a_log_that_was_cut_back_while_nobody_read_is_told(self):
        """An unclean election takes away what was counted, and what comes later stands at the same offsets."""
        kafka = self.own_kafka(nodes=3)
        client = self.client_of(kafka)
        topic = client.create_topic(self.unique("orders"), 1, replication=2, min_insync_replicas=1,
                                    unclean_leader_election_enable="true")
        client.move(topic, [1, 2], 0)
        flows = {guarantee: Flow(self, 1, client=client, topic=topic) for guarantee in ("exactly-once", "at-least-once")}
        flow = flows["exactly-once"]
        flow.publish_orders(30)
        kafka.nodes[1].kill()
        flow.publish_orders(30, first_id=2001)      # only on node 1
        for guarantee, each in flows.items():
            with each.run("--exit-at-end", "--guarantee", guarantee) as program:
                self.assertEqual(program.final(120)["run"]["orders_processed"], 60)
        kafka.nodes[0].kill()
        kafka.nodes[1].start()
        flow.publish_orders(50, first_id=3001)      # now from offset 30 on
        self.assertEqual(client.end_offsets(topic), {0: 80})
        for guarantee, each in flows.items():
            with each.run("--guarantee", guarantee) as program:
                held = program.wait_event("held", 120)
                self.assertEqual((held["offset"], held["cause"]), (60, "fetch_failed"))
                self.assertIn("was cut back to offset 30", held["detail"])
                self.assertIn("orderflow reset", held["detail"])
                program.terminate()
                self.assertEqual(program.final(60)["run"]["orders_processed"], 0)
            self.assertEqual(client.committed(each.settings.group)[topic, 0], 60)


if __name__ == "__main__":
    main()
