"""docker-compose.yml without containers: each service's own command, variables and health check, run on this machine.

Only addresses differ: kafka:19092, registry:8081 and port 8080 become what is free here. Kafka runs with the settings
that its image would make of its variables; the registry is the lane's. That the file is right by the specification of
compose, and the image by its Dockerfile, is shown in tests/compose.
"""
import base64
import subprocess

from lib import broker, environment, fetch, places, process, registry

fetch.ready()

import yaml  # noqa: E402 found only once the packages are there

from lib.client import Client  # noqa: E402
from lib.orderflow import Orderflow  # noqa: E402


class ComposeKafka(broker.Kafka):
    """One node with the settings of the service `kafka`: its listener HOST is the node's port."""

    def __init__(self, folder, variables):
        super().__init__(folder)
        self.variables = variables
        self.internal_port = process.free_port()

    def here(self, text):
        node = self.nodes[0]
        for there, port in ((":19092", self.internal_port), (":9092", node.port), (":9093", node.controller_port)):
            text = text.replace(there, f":{port}")
        return text.replace("kafka:", "127.0.0.1:").replace("://:", "://127.0.0.1:")

    def _properties(self, node):
        """As the image does it: KAFKA_NODE_ID is node.id."""
        found = {name.removeprefix("KAFKA_").lower().replace("_", "."): self.here(value)
                 for name, value in self.variables.items() if name.startswith("KAFKA_")}
        assert found["log.dirs"] == "/var/lib/kafka/data"
        return {**found, "log.dirs": node.folder / "data"}


class Compose(environment.TestCase):
    def setUp(self):
        super().setUp()
        self.services = yaml.safe_load((places.ROOT / "docker-compose.yml").read_text())["services"]
        self.kafka = ComposeKafka(self.folder / "kafka", self.services["kafka"]["environment"]).start()
        self.addCleanup(self.kafka.kill)
        self.http_port = process.free_port()

    def here(self, text):
        """What the service says, with the addresses of this machine, and of a shell that compose has read it for."""
        text = text.replace("registry:8081", self.registry_url.removeprefix("http://"))
        text = text.replace("0.0.0.0:8080", f"127.0.0.1:{self.http_port}").replace("127.0.0.1:8080",
                                                                                   f"127.0.0.1:{self.http_port}")
        return self.kafka.here(text).replace("$$", "$")

    def program(self, name):
        service = self.services[name]
        variables = {key: self.here(value) for key, value in service["environment"].items()}
        return Orderflow(*service["command"], folder=self.folder, name=name, environment=variables)

    def check(self, name):
        """Exit status of the service's health check: 0 is healthy."""
        kind, *command = self.services[name]["healthcheck"]["test"]
        self.assertEqual(kind, "CMD")
        command = [self.here(part) for part in command]
        if command[:2] == ["/opt/kafka/bin/kafka-broker-api-versions.sh", "--bootstrap-server"]:
            return 0 if broker.api_versions(broker.port_of(command[2])) else 1  # what the tool asks, without its JVM
        if name == "registry":
            port = self.registry_url.removeprefix("http://").split("/")[0].rpartition(":")[2]
            command = [part.replace("/dev/tcp/localhost/8081", f"/dev/tcp/127.0.0.1/{port}")
                       .replace("GET /", f"GET {registry.PATH}/") for part in command]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode

    def wait_healthy(self, name, seconds=60):
        process.wait_until(lambda: self.check(name) == 0, seconds, f"{name} is healthy")

    def wait_line(self, program, text, seconds=60):
        process.wait_until(lambda: any(text in line for line in program.lines), seconds, text)

    def test_it_all_works_together(self):
        cluster_id = self.services["kafka"]["environment"]["CLUSTER_ID"]
        self.assertEqual((len(cluster_id), len(base64.urlsafe_b64decode(cluster_id + "=="))), (22, 16))
        for name in ("kafka", "registry"):
            self.wait_healthy(name)
        with self.program("pipeline") as pipeline, self.program("producer") as producer:
            self.wait_healthy("pipeline")
            self.wait_line(producer, "delivered to orders")
            self.wait_line(pipeline, "running average")
            self.assertEqual(self.check("pipeline"), 0)
            producer.terminate()
            self.assertEqual(producer.wait(30), 0, producer.stderr())
            pipeline.terminate()
            self.assertEqual(pipeline.wait(30), 0, pipeline.stderr())
        self.assertNotEqual(self.check("pipeline"), 0)

    def test_the_pipeline_is_healthy_only_with_a_broker(self):
        with self.program("pipeline") as pipeline:
            self.wait_healthy("pipeline")
            self.kafka.kill()
            process.wait_until(lambda: self.check("pipeline") != 0, 30, "the outage shows")
            self.assertTrue(pipeline.running(), pipeline.stderr())
            self.kafka.nodes[0].start()
            self.wait_healthy("pipeline")

    def test_the_host_is_told_its_own_address(self):
        """Whoever comes in by one listener goes on by the same."""
        for port in (self.kafka.nodes[0].port, self.kafka.internal_port):
            client = Client(f"127.0.0.1:{port}")
            self.addCleanup(client.close)
            self.assertEqual(client.broker_ports(), {port})

    def test_checks_fail_without_what_they_check(self):
        self.assertNotEqual(self.check("pipeline"), 0)
        self.kafka.kill()
        self.assertNotEqual(self.check("kafka"), 0)
        self.registry_url = f"http://127.0.0.1:{process.free_port()}"
        self.assertNotEqual(self.check("registry"), 0)


if __name__ == "__main__":
    environment.main()
