"""Plans against fastavro and Apache Avro's library for Java: thousands of random schemas, readers' schemas and records.

    AVRO_SEED=5 python3 tests/broker/test_avro.py         # others than usual
    AVRO_SEED=random python3 tests/broker/test_avro.py    # and others again; a failing one names its seed
"""
import os
import pathlib
import subprocess
import sys
import time
import unittest

from lib import environment, fetch, places

fetch.python_packages()
places.use_packages()

GENERATE = places.ROOT / "tests" / "avro" / "generate.py"
ORACLE = places.ROOT / "tests" / "avro" / "java" / "Oracle.java"
CHECK = pathlib.Path(os.environ.get("ORDERFLOW_AVRO_VECTORS", places.ROOT / "build" / "dev" / "tests" / "avro" /
                                    "avro_vectors"))
SCHEMAS, RECORDS = 6000, 4


class Avro(unittest.TestCase):
    def setUp(self):
        wanted = os.environ.get("AVRO_SEED", "1")
        self.seed = time.time_ns() % 10**9 if wanted == "random" else int(wanted)
        self.folder = places.fresh(places.RUN / "tests" / f"avro.{self._testMethodName}")

    def generate(self, schemas):
        vectors = self.folder / "vectors.jsonl"
        packages = os.pathsep.join(path for path in sys.path if "site-packages" in path)
        with vectors.open("w") as out:
            subprocess.run([sys.executable, GENERATE, "--schemas", str(schemas), "--records", str(RECORDS), "--seed",
                            str(self.seed)], stdout=out, check=True, env={**os.environ, "PYTHONPATH": packages},
                           timeout=240)
        return vectors

    def check(self, vectors):
        result = subprocess.run([CHECK, vectors], capture_output=True, text=True, timeout=240)
        print(result.stdout, end="")
        self.assertEqual(result.returncode, 0, f"AVRO_SEED={self.seed}\n{result.stderr[:4000]}")

    def test_plans_read_what_fastavro_reads(self):
        self.check(self.generate(SCHEMAS))

    def test_plans_read_what_apache_avro_reads(self):
        java, _major = fetch.java()
        jars, read = fetch.avro(), self.folder / "read.jsonl"
        with self.generate(SCHEMAS // 3).open() as vectors, read.open("w") as out:
            subprocess.run([java, "-cp", f"{jars}/*", ORACLE], stdin=vectors, stdout=out, check=True, timeout=240)
        self.check(read)


if __name__ == "__main__":
    environment.main()
