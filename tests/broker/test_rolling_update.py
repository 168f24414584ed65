"""What a rolling update of etc/kubernetes/ does to the group: the pods' own arguments and file, as processes.

As the StatefulSet does it: one pod after the other, from the last, each asked to stop, started again, and waited for
until it is ready. No other pod may see a rebalance, and no order may be lost or counted twice."""
import urllib.error
import urllib.request

from lib import environment, fetch, places, process
from lib.flow import Flow

fetch.ready()

import yaml  # noqa: E402 found only once the packages are there

FOLDER = places.ROOT / "etc" / "kubernetes"
PODS, PARTITIONS = 3, 6
EVERYTHING = 2 * PARTITIONS     # of orders and of retries
SECONDS = 60


def changes(program):
    return [event for event in list(program.events) if event["event"] in ("assigned", "revoked", "lost")]


def held(program):
    """The partitions that it reads now."""
    found = set()
    for event in changes(program):
        place = (event["topic"], event["partition"])
        (found.add if event["event"] == "assigned" else found.discard)(place)
    return found


class RollingUpdate(environment.TestCase):
    def setUp(self):
        super().setUp()
        manifest = yaml.safe_load((FOLDER / "statefulset.yaml").read_text())
        self.container, = manifest["spec"]["template"]["spec"]["containers"]
        self.grace = manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        config = yaml.safe_load((FOLDER / "configmap.yaml").read_text())
        (self.folder / "orderflow.conf").write_text(config["data"]["orderflow.conf"])
        self.flow = Flow(self, PARTITIONS, failure_rate=0.1)
        self.ports = [process.free_port() for _ in range(PODS)]

    def start(self, number, name):
        """A pod: its folders are its own, its port is one that is free here, and the tests read its events."""
        here = {"$(POD_NAME)": f"orderflow-{number}", "0.0.0.0:8080": f"127.0.0.1:{self.ports[number]}",
                "/run/orderflow": str(self.folder / f"locks-{number}"),
                "/var/lib/orderflow": str(self.folder / f"schemas-{number}")}
        for folder in ("locks", "schemas"):
            (self.folder / f"{folder}-{number}").mkdir(exist_ok=True)
        _, *arguments = [argument for argument in self.container["args"] if not argument.startswith("--console")]
        for there, instead in here.items():
            arguments = [argument.replace(there, instead) for argument in arguments]
        return self.enterContext(self.flow.run("--config", self.folder / "orderflow.conf", *arguments, name=name))

    def is_ready(self, number):
        path = self.container["readinessProbe"]["httpGet"]["path"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[number]}{path}", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    def wait_ready(self, number):
        self.wait_until(lambda: self.is_ready(number), SECONDS, f"pod {number} is ready")

    def test_no_partition_moves(self):
        pods = [self.start(number, f"pod-{number}") for number in range(PODS)]
        for pod in pods:
            self.wait_until(lambda pod=pod: len(held(pod)) == EVERYTHING // PODS, SECONDS, f"{pod.name} has its share")
        for number in range(PODS):
            self.wait_ready(number)
        owned = [held(pod) for pod in pods]
        for number in reversed(range(PODS)):
            others = [pod for pod in pods if pod is not pods[number]]
            before = [changes(pod) for pod in others]
            self.flow.publish_orders(100, first_id=1001 + 100 * number, seed=number)
            pods[number].terminate()
            self.assertEqual(pods[number].wait(self.grace), 0, pods[number].stderr())
            pods[number] = self.start(number, f"pod-{number}-updated")
            self.wait_until(lambda: held(pods[number]) == owned[number], SECONDS, "it has its own partitions again")
            self.wait_ready(number)
            self.assertEqual([changes(pod) for pod in others], before, "the others saw no rebalance")
        self.wait_until(lambda: self.flow.settled() >= 300, SECONDS, "all orders are settled")
        for pod in pods:
            pod.terminate()
            self.assertEqual(pod.wait(self.grace), 0, pod.stderr())
        self.flow.check()
        self.assertEqual(set().union(*owned), {(topic, partition) for topic in (self.flow.topic, self.flow.retry)
                                               for partition in range(PARTITIONS)})


if __name__ == "__main__":
    environment.main()
