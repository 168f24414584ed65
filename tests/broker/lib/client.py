"""A Kafka client for tests: kafka-python, pure Python, so that no bug of the C client can hide on both sides.

Topics and groups are named by text, partitions by number. Headers are lists of (text, bytes) in their order.
Every call has a deadline and raises when it passes.
"""
import time
from typing import NamedTuple, Optional

from lib import fetch, process

fetch.ready()

import kafka                                  # noqa: E402
import kafka.errors                           # noqa: E402

SECONDS = 60
TRY_MS = 15000          # for a single request, and for a first connection

# Passing troubles: a node that just died; a fresh broker, which makes its coordinators when they are first asked for.
PASSING = (kafka.errors.KafkaConnectionError, kafka.errors.NodeNotReadyError, kafka.errors.KafkaTimeoutError,
           kafka.errors.RequestTimedOutError, kafka.errors.CoordinatorNotAvailableError,
           kafka.errors.CoordinatorLoadInProgressError, kafka.errors.NotCoordinatorError,
           kafka.errors.NotControllerError)


class Record(NamedTuple):
    """A record as read. To produce, Record.of() leaves out what the broker decides.

    Key or value may be None, but kafka-python sends no record without both.
    """
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: Optional[bytes]
    value: Optional[bytes]
    headers: list

    @classmethod
    def of(cls, value, key=None, partition=0, headers=(), timestamp_ms=None):
        return cls("", partition, -1, timestamp_ms, key, value, list(headers))

    def header(self, name):
        """The last header of that name as text, else None."""
        found = [value for key, value in self.headers if key == name]
        return found[-1].decode("utf-8", "replace") if found and found[-1] is not None else None


class Client:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self._admin = None

    def ask(self, call, done=()):
        """call(admin client), again while its trouble passes, else Unavailable; for calls that may be repeated.

        done: errors by which a repeated call learns that it was carried out before, though the answer was lost.
        """
        answers, troubles = [], []

        def answered():
            try:
                answers.append(call(self._connected()))
            except PASSING as error:
                troubles.append(error)
                self.close()            # it would keep to the controller and coordinators it knows, dead or not
            except done:
                if not troubles:
                    raise
                answers.append(None)
            return bool(answers)
        try:
            process.wait_until(answered, SECONDS, f"{self.bootstrap} answers")
        except process.Timeout as timeout:
            raise process.Unavailable(f"{timeout}, last {troubles[-1]!r}") from troubles[-1]
        return answers[0]

    def _connected(self):
        if self._admin is None:
            self._admin = kafka.KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=TRY_MS,
                                                 bootstrap_timeout_ms=TRY_MS)
        return self._admin

    def close(self):
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    # --- cluster and topics -----------------------------------------------------------------------------------------

    def cluster_id(self):
        return self.ask(lambda admin: admin.describe_cluster())["cluster_id"]

    def broker_ports(self):
        """The ports that the brokers tell those who ask at this bootstrap address."""
        return {node["port"] for node in self.ask(lambda admin: admin.describe_cluster())["brokers"]}

    def wait_whole(self, ports):
        """Waits until these brokers, all of them, are in the cluster and no partition lacks a copy, or Unavailable."""
        ports = set(ports)

        def whole():
            topics = self.ask(lambda admin: admin.describe_topics())
            rows = [row for topic in topics for row in topic["partitions"]]
            return self.broker_ports() == ports and all(
                row["leader_id"] >= 0 and set(row["isr_nodes"]) == set(row["replica_nodes"]) for row in rows)
        _wait(whole, f"{self.bootstrap} is whole")

    def features(self):
        """Finalized feature levels, such as {"metadata.version": 30}; only a KRaft cluster has that one."""
        found = self.ask(lambda admin: admin.describe_features())
        return {name: row["finalized"][1] for name, row in found.items() if "finalized" in row}

    def create_topic(self, name, partitions=3, replication=1, **configs):
        """configs: with underscores for dots, as in retention_ms=1000. Returns the name once it can be used."""
        configs = {key.replace("_", "."): str(value) for key, value in configs.items()}
        wanted = {"num_partitions": partitions, "replication_factor": replication, "configs": configs}
        self.ask(lambda admin: admin.create_topics({name: wanted}), done=kafka.errors.TopicAlreadyExistsError)
        _wait(lambda: len(self.partitions(name)) == partitions, f"topic {name} is there")
        return name

    def delete_topic(self, name):
        self.ask(lambda admin: admin.delete_topics([name]), done=kafka.errors.UnknownTopicOrPartitionError)
        _wait(lambda: name not in self.topics(), f"topic {name} is gone")

    def move(self, topic, brokers, turn):
        """Gives every partition two other replicas among the brokers, and the lead to the first of them."""
        self.reassign(topic, brokers, turn, copies=2)
        _wait(lambda: not self.ask(lambda admin: admin.list_partition_reassignments()), f"{topic} has moved")
        self.elect(topic)

    def reassign(self, topic, brokers, turn, copies):
        """Begins to give every partition so many replicas among the brokers, another one first with every turn."""
        count = len(brokers)
        places = {kafka.TopicPartition(topic, p): [brokers[(p + turn + copy) % count] for copy in range(copies)]
                  for p in self.partitions(topic)}
        refused = {place: error for place, error in self.ask(
            lambda admin: admin.alter_partition_reassignments(places)).items() if error}
        if refused:
            raise process.Unavailable(f"reassignment refused: {refused}")

    def elect(self, topic):
        """Gives the lead to the first replica of every partition, where that is possible now: where it lives."""
        partitions = self.partitions(topic)
        self.ask(lambda admin: admin.elect_leaders(0, {topic: partitions}, raise_errors=False))

    def topics(self):
        return set(self.ask(lambda admin: admin.list_topics()))

    def partitions(self, topic):
        """The numbers of the topic's partitions that have a leader; empty when there is no such topic."""
        try:
            described = self.ask(lambda admin: admin.describe_topics([topic]))[0]
        except kafka.errors.UnknownTopicOrPartitionError:
            return []
        return sorted(row["partition_index"] for row in described["partitions"] if row["leader_id"] >= 0)

    def config(self, topic):
        """{name: value} of the topic, defaults included."""
        found = self.ask(lambda admin: admin.describe_configs([kafka.admin.ConfigResource("TOPIC", topic)]))
        return {name: row["value"] for name, row in found["topic"][topic].items()}

    def delete_records(self, topic, before):
        """Drops what lies before an offset of each partition, as retention does. before: {partition: offset}."""
        before = {kafka.TopicPartition(topic, p): offset for p, offset in before.items()}
        self.ask(lambda admin: admin.delete_records(before))

    # --- records ----------------------------------------------------------------------------------------------------

    def produce(self, topic, records):
        """Idempotent, acknowledged by all replicas. Returns [(partition, offset)] in the order of the records."""
        producer = kafka.KafkaProducer(bootstrap_servers=self.bootstrap, enable_idempotence=True, acks="all",
                                       linger_ms=20, batch_size=256 * 1024)
        try:
            return _sent(producer, topic, records)
        finally:
            producer.close()

    def transact(self, topic, records, transactional_id, commit=True):
        """The same in one transaction, which is committed or aborted after all are acknowledged."""
        producer = kafka.KafkaProducer(bootstrap_servers=self.bootstrap, transactional_id=transactional_id)
        try:
            producer.init_transactions()
            producer.begin_transaction()
            sent = _sent(producer, topic, records)
            if commit:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
            return sent
        finally:
            producer.close()

    def begin_offsets(self, topic):
        with _Reader(self.bootstrap, True) as reader:
            found = reader.beginning_offsets([kafka.TopicPartition(topic, p) for p in self.partitions(topic)])
            return {tp.partition: offset for tp, offset in found.items()}

    def end_offsets(self, topic, committed=False):
        """{partition: offset after the last record}; committed: not beyond an open transaction."""
        with _Reader(self.bootstrap, committed) as reader:
            return reader.ends(topic, self.partitions(topic))

    def read(self, topic, committed=True, start=None, seconds=SECONDS):
        """All records of a topic up to its present end, sorted by partition and offset.

        start: {partition: first offset}, to read on after an earlier call; partitions not in it from their beginning.
        """
        partitions = self.partitions(topic)
        with _Reader(self.bootstrap, committed) as reader:
            ends = reader.ends(topic, partitions)
            return sorted(reader.upto(topic, ends, start or {}, seconds), key=lambda r: (r.partition, r.offset))

    # --- groups -----------------------------------------------------------------------------------------------------

    def committed(self, group):
        """{(topic, partition): offset} that the group has committed."""
        found = self.ask(lambda admin: admin.list_group_offsets({group: None})).get(group, {})
        return {(tp.topic, tp.partition): row.offset for tp, row in found.items() if row.offset >= 0}

    def commit(self, group, offsets):
        """Moves the offsets of a group without members. offsets: {(topic, partition): offset}."""
        wanted = {kafka.TopicPartition(*where): kafka.OffsetAndMetadata(offset, "", -1)
                  for where, offset in offsets.items()}
        self.ask(lambda admin: admin.alter_group_offsets(group, wanted))

    def coordinator(self, group):
        """The number of the broker that looks after the group."""
        return self.ask(lambda admin: admin._manager.run(admin._find_coordinator_id, group))

    def members(self, group):
        """What the coordinator says of the group's members; empty when there are none."""
        return self.ask(lambda admin: admin.describe_groups([group]))[group]["members"]


class _Reader(kafka.KafkaConsumer):
    def __init__(self, bootstrap, committed):
        super().__init__(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none",
                         isolation_level="read_committed" if committed else "read_uncommitted",
                         max_poll_records=20000, fetch_max_wait_ms=50)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ends(self, topic, partitions):
        found = self.end_offsets([kafka.TopicPartition(topic, p) for p in partitions])
        return {tp.partition: offset for tp, offset in found.items()}

    def upto(self, topic, ends, start, seconds):
        """Yields the records before `ends`; markers of transactions are offsets too, so positions tell the end."""
        left = {kafka.TopicPartition(topic, p): end for p, end in ends.items()}
        begins = self.beginning_offsets(list(left))
        self.assign(list(left))
        for tp in left:
            self.seek(tp, max(start.get(tp.partition, 0), begins[tp]))
        deadline = time.monotonic() + seconds
        while left:
            left = {tp: end for tp, end in left.items() if self.position(tp) < end}
            if time.monotonic() > deadline:
                raise process.Unavailable(f"reading {topic}: {left} not reached within {seconds:g} s")
            for tp, rows in self.poll(timeout_ms=100 if left else 0).items():
                for row in rows:
                    if row.offset < ends[tp.partition]:
                        yield Record(topic, row.partition, row.offset, row.timestamp, row.key, row.value, row.headers)


def _wait(condition, what):
    process.wait_until(condition, SECONDS, what, process.Unavailable)


def _sent(producer, topic, records):
    futures = [producer.send(topic, value=r.value, key=r.key, partition=r.partition, headers=r.headers or None,
                             timestamp_ms=r.timestamp_ms) for r in records]
    producer.flush(timeout=SECONDS)
    results = [future.get(timeout=SECONDS) for future in futures]
    return [(result.partition, result.offset) for result in results]
