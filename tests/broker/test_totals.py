"""200,000 orders with 10 % failures: whatever the threads, a run comes to what the oracle says, order by order."""
import re

from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow

ORDERS = 200000
BAD = 400           # more that are poison
PARTITIONS = 6

# Threads of fetch, decode, process and aggregate; 0 is inside the stage before.
COMBINATIONS = [(1, 1, 1, 1), (1, 0, 0, 0), (1, 2, 2, 2), (1, 4, 4, 4), (1, 0, 4, 1), (2, 0, 1, 2), (2, 1, 0, 4),
                (2, 2, 4, 0), (2, 4, 2, 1), (3, 0, 2, 4), (3, 1, 4, 2), (3, 4, 1, 0)]


class Combinations(TestCase):
    expected = None

    def setUp(self):
        super().setUp()
        cls = type(self)
        if cls.expected is None:
            flow = Flow(self, PARTITIONS, failure_rate=0.1)
            flow.publish(self.with_bad_ones(flow))
            cls.topic, cls.expected = flow.topic, flow.expected()
            self.assertEqual(len(cls.expected.verdicts), ORDERS + BAD)
            self.assertGreater(len(cls.expected.dead), BAD)
            self.assertGreater(len(cls.expected.retries), ORDERS / 10)

    @staticmethod
    def with_bad_ones(flow):
        every = ORDERS // BAD
        for index, record in enumerate(flow.random_orders(ORDERS)):
            yield record
            if index % every == 0:
                value = (b"", b"\1" + record.value[1:], record.value[:-1])[index // every % 3]
                yield Record.of(value, b"bad", index // every % PARTITIONS, [("why", b"bad")])

    def combination(self, fetch, decode, process, aggregate):
        flow = Flow(self, PARTITIONS, topic=self.topic, failure_rate=0.1)
        with flow.run("--exit-at-end", "--fetch-threads", fetch, "--decode-threads", decode, "--process-threads",
                      process, "--aggregate-threads", aggregate) as program:
            final = program.final(120)
        self.assertEqual({**final["run"], **final["total"]}, final["run"], "counted from zero: total and run agree")
        flow.check(self.expected.of_group(flow.settings.group))


class Produced(TestCase):
    def test_produce_and_run_agree(self):
        flow = Flow(self)
        with self.orderflow("produce", "--topic", flow.topic, "--count", 100000, "--rate", 0) as producer:
            self.assertEqual(producer.wait(60), 0)
        with flow.run("--exit-at-end") as program:
            final = program.final(60)
        delivered, exact = re.search(r"orders delivered +(\d+)\n.*exactly ([0-9.-]+)\)", "\n".join(producer.lines),
                                     re.DOTALL).groups()
        self.assertEqual((final["run"]["orders_processed"], final["run"]["price_sum"]), (100000, exact))
        self.assertEqual(int(delivered), 100000)


def _test(combination):
    return lambda self: self.combination(*combination)


for threads in COMBINATIONS:
    setattr(Combinations, "test_threads_%d_%d_%d_%d" % threads, _test(threads))


if __name__ == "__main__":
    main()
