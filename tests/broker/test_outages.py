"""The broker goes away in the middle: orders wait for it, none is lost and none counts twice."""
import time

from lib.environment import TestCase, main
from lib.flow import Flow


class Outages(TestCase):
    def setUp(self):
        super().setUp()
        self.kafka = self.own_kafka()
        self.flow = Flow(self, client=self.client_of(self.kafka), failure_rate=0.1)

    def outage(self, happens, *arguments):
        """happens() to a run in the middle of 200,000 orders and their retries; it must come to the same end."""
        flow = self.flow
        flow.produce(200000)
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
        self.outage(lambda: self.killed(2))

    def test_killed_and_back_with_several_lanes(self):
        self.outage(lambda: self.killed(2), "--fetch-threads", 2, "--decode-threads", 2)

    def test_frozen_for_a_while(self):
        self.outage(lambda: self.frozen(8))


if __name__ == "__main__":
    main()
