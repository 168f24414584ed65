"""The direct source behind a network that cuts, garbles, delays and falls silent: it reads the same in the end."""
import random

from lib import broker, places, process
from lib.client import Client
from lib.environment import TestCase, main
from lib.proxy import Proxy, each
from test_records import run

HASTE = ["reconnect.backoff.ms=1", "reconnect.backoff.max.ms=4", "socket.timeout.ms=1500", "fetch.wait.max.ms=5"]


class Faulty(TestCase):
    """A topic behind the proxy; `fill` says how it is filled."""
    fill, least = ["fill"], 500000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = Proxy()
        port = process.free_port()
        folder = places.fresh(places.RUN / "tests" / f"test_direct_{cls.__name__.lower()}.kafka")
        cls.kafka = broker.Kafka(folder, ports=[port], settings=cls.proxy.advertise(port)).start()
        cls.addClassCleanup(cls.kafka.kill)
        cls.addClassCleanup(cls.proxy.close)
        cls.bootstrap_here = f"127.0.0.1:{cls.proxy.port}"
        client = Client(cls.bootstrap_here)
        cls.topic, cls.empty = "orders", "orders-retry"
        client.create_topic(cls.topic, 3, **{"max.message.bytes": 8000000, "retention.ms": -1})
        client.create_topic(cls.empty, 3)
        client.close()
        run(cls.fill[0], cls.bootstrap_here, cls.topic, 3, *cls.fill[1:])
        cls.expected = cls.read_here("before", cls.topic, cls.empty)
        assert len(cls.expected) >= cls.least

    @classmethod
    def read_here(cls, group, topic, empty, *properties):
        out = run("read", "direct", cls.bootstrap_here, group, topic, empty, *properties)
        return sorted(out.splitlines(), key=lambda line: [int(word) for word in line.split()[1:3]])

    def harmed(self, plan, count, swap=False, properties=()):
        """Reads while the plan lasts, and again until all of it has come to pass."""
        before = self.proxy.harmed
        self.proxy.plan = iter(plan)
        while True:
            group = self.unique("group")
            topics = (self.empty, self.topic) if swap else (self.topic, self.empty)
            self.assertTrue(self.read_here(group, *topics, *HASTE, *properties) == self.expected, "other records")
            if self.proxy.harmed - before >= count:
                return


class Faults(Faulty):
    def test_cut_at_every_byte(self):
        self.harmed(each("cut", range(4096)), 4096)

    def test_cut_anywhere(self):
        spots = random.Random(7)
        self.harmed(each("cut", [spots.randrange(4096, 3 << 20) for _ in range(60)]), 60)

    def test_cut_while_retries_are_read(self):
        spots = random.Random(8)
        self.harmed(each("cut", [spots.randrange(100, 1 << 20) for _ in range(60)]), 60, swap=True)

    def test_garbage(self):
        spots = random.Random(9)
        self.harmed(each("garbage", [spots.randrange(0, 2000) for _ in range(150)] +
                         [spots.randrange(2000, 2 << 20) for _ in range(60)]), 210)

    def test_half_open(self):
        spots = random.Random(10)
        self.harmed(each("half-open", [0, 3, 4, 300, 700, 900] + [spots.randrange(1000, 1 << 20) for _ in range(4)]),
                    10)

    def test_slow(self):
        self.harmed(each("slow", [0, 0]), 2, properties=["socket.timeout.ms=30000"])


if __name__ == "__main__":
    main()
