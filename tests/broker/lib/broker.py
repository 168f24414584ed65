"""Apache Kafka in KRaft mode: one node or several, each a broker and a controller.

    with Kafka(folder) as kafka:            # formats when the folder is new, keeps the data when it is not
        kafka.bootstrap                     # "127.0.0.1:21234"
        kafka.nodes[0].kill()               # SIGKILL: what a power cut leaves behind, but for the page cache
        kafka.nodes[0].start()              # same port, same data

Start takes about 4 s on 2 cores and blocks until every node answers.
"""
import base64
import json
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import uuid

from lib import fetch, places, process

API_VERSIONS = 18
DESCRIBE_QUORUM = 55    # answered by KRaft clusters only
START_SECONDS = 60
# Small, for tests; and as Kafka's own start script has it, for whoever measures latency: the collector of the former stops the
# broker for 40 ms, and now and then for half a second. How much is for new objects is fixed, or the pauses become frequent with time.
SMALL = ("-Xmx512m", "-Xms512m", "-XX:+UseSerialGC")
USUAL = ("-Xmx1g", "-Xms1g", "-Xmn512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
         "-XX:+ExplicitGCInvokesConcurrent")


class Node:
    def __init__(self, cluster, number, folder, port, controller_port):
        self.cluster = cluster
        self.number = number
        self.folder = folder
        self.port = port
        self.controller_port = controller_port
        self.log = folder / "log"
        self.child = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self, wait=True):
        assert not self.running(), f"node {self.number} runs already"
        java, _ = fetch.java()
        command = [java, *self.cluster.machine, "-Djava.awt.headless=true", *self.cluster.logging(),
                   "-cp", self.cluster.classpath, "kafka.Kafka", self.folder / "node.properties"]
        with open(self.log, "ab") as log:
            self.child = process.spawn(command, stdout=log, stderr=subprocess.STDOUT)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=START_SECONDS):
        def ready():
            if not self.running():
                raise process.Unavailable(f"node {self.number} ended\n{process.tail(self.log)}see {self.log}")
            return api_versions(self.port)
        process.wait_until(ready, seconds, f"node {self.number} answers (log {self.log})", process.Unavailable)

    def running(self):
        return self.child is not None and self.child.poll() is None

    def stop(self, seconds=20):
        """A clean shutdown; killed when it takes longer."""
        if self.child is not None:
            process.stop(self.child, seconds)
            self.child = None

    def kill(self):
        if self.child is not None:
            process.kill(self.child)
            self.child = None

    def freeze(self):
        """SIGSTOP: connections stay open, nothing answers."""
        process.send(self.child, signal.SIGSTOP)

    def thaw(self):
        process.send(self.child, signal.SIGCONT)


class Kafka:
    def __init__(self, folder, nodes=1, ports=None, heap=None, settings=None, machine=SMALL, version=None):
        """ports: the client port of each node, else free ones. settings: more lines for node.properties. machine: how to run
        Java; heap: with so much memory instead. version: of Kafka, else that of kafka/pom.xml."""
        self.folder = pathlib.Path(folder)
        self.machine = machine if heap is None else (f"-Xmx{heap}", f"-Xms{heap}", *machine[2:])
        self.settings = settings or {}
        self.users = {}     # name: (mechanism of SCRAM, password); set before start
        self.classpath = f"{fetch.kafka(version)}/*"
        self.cluster_id = None
        self.nodes = []
        for index in range(nodes):
            port = ports[index] if ports else process.free_port()
            self.nodes.append(Node(self, index + 1, self.folder / f"node-{index + 1}", port, process.free_port()))

    @property
    def bootstrap(self):
        return ",".join(node.address for node in self.nodes)

    def start(self):
        self._configure()
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()
        return self

    def stop(self):
        """All nodes at once: none waits for a successor of what it leads."""
        for node in self.nodes:
            if len(self.nodes) > 1:
                node.kill()
            node.stop()

    def kill(self):
        for node in self.nodes:
            node.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def logging(self):
        return [f"-Dlog4j2.configurationFile={places.BROKER_TESTS / 'kafka' / 'log4j2.properties'}"]

    def _configure(self):
        """Writes every node's properties and formats its storage unless it was before."""
        mark = self.folder / "cluster.id"
        if not mark.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self.cluster_id = _cluster_id()
        else:
            self.cluster_id = mark.read_text()
        for node in self.nodes:
            node.folder.mkdir(exist_ok=True)
            lines = {**self._properties(node), **self.settings}
            (node.folder / "node.properties").write_text("".join(f"{k}={v}\n" for k, v in lines.items()))
            if not mark.exists():
                self._format(node)
        mark.write_text(self.cluster_id)

    def _format(self, node):
        java, _ = fetch.java()
        done = subprocess.run([java, "-Xmx128m", "-XX:TieredStopAtLevel=1", *self.logging(), "-cp", self.classpath,
                               "kafka.tools.StorageTool", "format", "--cluster-id", self.cluster_id,
                               "--config", str(node.folder / "node.properties"), *self._scram()],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"formatting node {node.number} failed\n{done.stdout}{done.stderr}")

    def _scram(self):
        return [word for name, (mechanism, password) in self.users.items()
                for word in ("--add-scram", f"{mechanism}=[name={name},password={password}]")]

    def _properties(self, node):
        copies = min(3, len(self.nodes))
        voters = ",".join(f"{n.number}@127.0.0.1:{n.controller_port}" for n in self.nodes)
        return {
            "process.roles": "broker,controller",
            "node.id": node.number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": node.folder / "data",
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": max(1, copies - 1),
            "offsets.topic.num.partitions": 8,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.num.partitions": 8,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": max(1, copies - 1),
            "group.initial.rebalance.delay.ms": 0,
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 3000,     # a dead node is replaced after this, by default after 9 s
        }


def _cluster_id():
    """Kafka's form of a UUID: 22 characters of URL-safe base 64; its tools refuse one that starts with a dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def running(folder):
    """What `cluster start` wrote about a cluster in the background, when its broker answers, else None."""
    try:
        state = json.loads((folder / "cluster.json").read_text())
    except (OSError, ValueError):
        return None
    return state if api_versions(port_of(state["bootstrap"])) else None


def port_of(bootstrap):
    """The port of the first address."""
    return int(bootstrap.split(",")[0].rpartition(":")[2])


def api_versions(port):
    """{api key: (lowest, highest version)} that a broker answers; {} while it does not. Spoken by hand."""
    name = b"harness"
    ask = struct.pack(">hhih", API_VERSIONS, 0, 1, len(name)) + name
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(ask)) + ask)
            with connection.makefile("rb") as answer:
                length, = struct.unpack(">i", answer.read(4))
                body = answer.read(length)
        _, error, count = struct.unpack_from(">ihi", body)
        if error:
            return {}
        rows = struct.iter_unpack(">hhh", body[10:10 + 6 * count])
        return {key: (low, high) for key, low, high in rows}
    except (OSError, struct.error):
        return {}
