"""What a broker test starts from: the shared cluster, unique names, a folder for logs, main().

    class Something(TestCase):
        def test_it(self):
            topic = self.client.create_topic(self.unique("orders"))
            with self.orderflow("run", "--topic", topic, "--group", self.unique("group")) as program: ...

    if __name__ == "__main__":
        main()

One Kafka and one registry serve all tests of a CTest run. Run by hand, a test file starts its own. A test that kills,
stops or freezes a broker takes one for itself: self.own_kafka().
"""
import os
import re
import sys
import unittest
import uuid

from lib import broker, places, process, registry
from lib.client import Client
from lib.orderflow import Orderflow


class Environment:
    """The cluster of this run: the one that the fixture `broker.start` left behind, else one that ends with us."""

    def __init__(self):
        state = broker.running(places.LANE)
        if state:
            self.bootstrap, self.registry_url, cluster_id = state["bootstrap"], state["registry"], state["cluster_id"]
        else:
            folder = places.fresh(places.RUN / "tests" / f"cluster-{os.getpid()}")
            self.kafka = broker.Kafka(folder / "kafka").start()
            self.registry_process = registry.Registry(folder / "registry").start()
            self.bootstrap, self.registry_url = self.kafka.bootstrap, self.registry_process.url
            cluster_id = self.kafka.cluster_id
        self.client = Client(self.bootstrap)
        self.registry = registry.RegistryClient(self.registry_url)
        self._assert_real(cluster_id)

    def _assert_real(self, cluster_id):
        """A mock cluster has neither the identity that the storage was formatted with nor KRaft's calls."""
        calls = broker.api_versions(broker.port_of(self.bootstrap))
        assert broker.DESCRIBE_QUORUM in calls, "this broker knows no KRaft quorum"
        assert self.client.cluster_id() == cluster_id, "this is another cluster than the one that was started"
        assert self.client.features().get("metadata.version", 0) > 0, "this broker has no metadata version"


class TestCase(unittest.TestCase):
    environment = None
    longMessage = True

    @classmethod
    def setUpClass(cls):
        if TestCase.environment is None:
            TestCase.environment = Environment()

    def setUp(self):
        self.bootstrap = self.environment.bootstrap
        self.registry_url = self.environment.registry_url
        self.client = self.environment.client
        self.registry = self.environment.registry
        name = self.id().removeprefix("__main__.")
        self.folder = places.fresh(places.RUN / "tests" / f"{os.path.basename(sys.argv[0]).removesuffix('.py')}.{name}")

    def unique(self, name):
        """A topic, group or subject that no other test and no other run uses."""
        return re.sub(r"[^A-Za-z0-9._-]", "-", f"{name}-{self._testMethodName}-{uuid.uuid4().hex[:8]}")

    def orderflow(self, command, *arguments, name=None, brokers=None, registry_url=None, **options):
        """The program against the shared cluster, or the one named; not started yet (use `with`, or .start())."""
        return Orderflow(command, "--brokers", brokers or self.bootstrap, "--registry", registry_url or
                         self.registry_url, *arguments, folder=self.folder, name=name or command, **options)

    def own_kafka(self, **options):
        """A cluster of this test alone, stopped at its end."""
        kafka = broker.Kafka(self.folder / "kafka", **options).start()
        self.addCleanup(kafka.kill)
        return kafka

    def own_registry(self, **options):
        found = registry.Registry(self.folder / "registry", **options).start()
        self.addCleanup(found.kill)
        return found

    def client_of(self, kafka):
        client = Client(kafka.bootstrap)
        self.addCleanup(client.close)
        return client

    def wait_until(self, condition, seconds, what):
        return process.wait_until(condition, seconds, what)


def main():
    """unittest.main() for a test file of this lane."""
    process.exit_on_signals()
    # No warnings: kafka-python leaves sockets to the garbage collector.
    program = unittest.main(module="__main__", exit=False, verbosity=2, warnings="ignore")
    if not program.result.wasSuccessful():
        print(f"logs: {places.RUN / 'tests'} and {places.LANE}", flush=True)
        sys.exit(1)
    if program.result.testsRun == 0:
        sys.exit("no test ran")
