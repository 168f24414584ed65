"""Leaders come and go under the direct source, and under librdkafka: three brokers, of which one at a time is killed,
and leaders that are moved by election and by reassignment. Nothing is lost, nothing counts twice."""
import time

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


if __name__ == "__main__":
    main()
