"""Both sources read the same records: of all codecs, in batches of every size, with transactions, after compaction."""
import os
import subprocess
import time
import unittest

from lib import places
from lib.environment import TestCase, main

PROGRAM = os.environ.get("ORDERFLOW_RECORDS", places.ROOT / "build" / "dev" / "tests" / "broker" / "broker_records")


def run(*arguments, seconds=240, patience_ms=120000):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=seconds,
                          env={**os.environ, "RECORDS_PATIENCE_MS": str(patience_ms)})
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))}: status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


class Sources(TestCase):
    def read(self, source, topic, other, *properties, brokers=None):
        """Records by partition, each in the order in which it came."""
        lines = {}
        out = run("read", source, brokers or self.bootstrap, self.unique(source), topic, other, *properties)
        for line in out.splitlines():
            lines.setdefault(tuple(line.split()[:2]), []).append(line)
        return lines

    def compare(self, topic, other, *properties):
        wanted = self.read("librdkafka", topic, other)
        got = self.read("direct", topic, other, *properties)
        self.assertEqual(sorted(wanted), sorted(got))
        for partition, lines in wanted.items():
            for want, have in zip(lines, got[partition]):
                self.assertEqual(want, have)
            self.assertEqual(len(lines), len(got[partition]))
            self.assertFalse([line for line in lines if line.endswith("ABORTED")])
        return wanted

    def test_every_kind_of_record(self):
        topic, empty = self.unique("records"), self.unique("empty")
        self.client.create_topic(topic, 3, **{"max.message.bytes": 8000000, "retention.ms": -1})
        self.client.create_topic(empty, 3)
        run("fill", self.bootstrap, topic, 3)
        found = self.compare(topic, empty)
        count = sum(map(len, found.values()))
        self.assertGreater(count, 500000)
        # Answers so small that most batches are larger than the limit, and one partition at a time.
        small = ["message.max.bytes=1000", "fetch.max.bytes=2000", "fetch.message.max.bytes=1000"]
        self.assertEqual(self.read("direct", topic, empty, *small), found)
        # The same records as retries, one at a time.
        self.assertEqual(self.read("direct", empty, topic), found)

    def test_compacted(self):
        topic, empty = self.unique("compacted"), self.unique("empty")
        self.client.create_topic(topic, 2, **{
            "cleanup.policy": "compact", "segment.ms": 200, "min.cleanable.dirty.ratio": 0.0001,
            "delete.retention.ms": 0, "max.compaction.lag.ms": 500})
        self.client.create_topic(empty, 2)
        run("expire", self.bootstrap, topic, 2, 50, 20000)
        time.sleep(1)       # longer than segment.ms: the cleaner leaves a segment alone until a later record ends it
        run("expire", self.bootstrap, topic, 2, 50, 200)

        def counts():
            return [sum(map(len, self.read("direct", topic, empty).values())) for _ in range(2)]
        self.wait_until(lambda: max(counts()) < 2000, 90, "the cleaner has come by")
        self.wait_until(lambda: len(set(counts())) == 1, 60, "it has nothing more to do")
        self.compare(topic, empty)


if __name__ == "__main__":
    main()
