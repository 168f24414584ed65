"""What /metrics and /api/stats tell of a run against a real broker, read as Prometheus' own library reads it."""
import json
import subprocess
import urllib.error
import urllib.request

from lib import fetch, process
from lib.environment import TestCase, main
from lib.flow import Flow

fetch.ready()

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics   # noqa: E402
from prometheus_client.parser import text_string_to_metric_families as text_format               # noqa: E402

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
ORDERS = 500


def get(url, **headers):
    """(status, Content-Type, body)"""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


class Metrics(TestCase):
    def setUp(self):
        super().setUp()
        self.address = f"127.0.0.1:{process.free_port()}"
        self.url = f"http://{self.address}"

    def series(self):
        """Every sample, by name and labels in their order."""
        text = get(f"{self.url}/metrics")[2]
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in text_format(text) for sample in family.samples}

    def total(self, name, **labels):
        """The sum of all samples of that name with these labels."""
        wanted = set(labels.items())
        return sum(value for (found, having), value in self.series().items() if found == name and wanted <= set(having))

    def drained(self, flow):
        self.wait_until(lambda: flow.settled() == ORDERS, 120, "all orders settled")
        self.wait_until(lambda: self.total("orderflow_partition_lag") == 0
                        and self.total("orderflow_live_orders") == self.total("orderflow_orders_total"), 120, "no lag")

    def test_what_happened_is_told(self):
        flow = Flow(self, failure_rate=0.3, max_retries=2)
        flow.publish_orders(ORDERS)
        with flow.run("--http", self.address) as program:
            self.drained(flow)
            dead = len(program.of_kind("dead_letter"))
            retries = len(program.of_kind("retry"))
            self.assertGreater(dead, 0)
            self.assertEqual(self.total("orderflow_orders_total"), ORDERS - dead)
            self.assertEqual(self.total("orderflow_product_orders_total"), ORDERS - dead)
            self.assertEqual(self.total("orderflow_dead_letters_total"), dead)
            self.assertEqual(self.total("orderflow_dead_letters_total", cause="simulated"), dead)
            self.assertEqual(self.total("orderflow_retries_total"), retries)
            self.assertEqual(self.total("orderflow_retries_total", attempt="3"), 0)
            self.assertEqual(self.total("orderflow_retry_lateness_seconds_count"), retries)
            self.assertGreaterEqual(self.total("orderflow_records_total"), ORDERS + retries)
            self.assertEqual(self.total("orderflow_partitions"), 6)
            self.assertGreater(self.total("orderflow_order_age_seconds_count", delivery="first"), 0)
            self.assertGreater(self.total("orderflow_commits_total", outcome="committed"), 0)
            self.assertGreater(self.total("orderflow_transactions_total", outcome="committed"), 0)
            self.assertGreater(self.total("orderflow_transaction_commit_duration_seconds_count"), 0)
            self.assertEqual(self.total("orderflow_registry_requests_total", answer="found"), 1)
            # librdkafka tells every five seconds.
            self.wait_until(lambda: self.total("orderflow_kafka_broker_up", client="producer") >= 1, 120, "brokers")
            self.assertGreater(self.total("orderflow_kafka_sent_bytes_total", client="producer"), 0)
            stats = json.loads(get(f"{self.url}/api/stats")[2])
            self.assertEqual(stats["run"]["orders"], ORDERS - dead)
            self.assertEqual(stats["guarantee"], "exactly-once")
            self.assertEqual(len(stats["partitions"]), 6)
            self.assertEqual(len(stats["last_dead_letters"]), min(dead, 16))
            program.terminate()
            program.final(60)
        flow.check()

    def test_both_formats_are_clean(self):
        flow = Flow(self, failure_rate=0.1)
        flow.publish_orders(ORDERS)
        with flow.run("--http", self.address) as program:
            self.drained(flow)
            status, kind, text = get(f"{self.url}/metrics")
            self.assertEqual(status, 200)
            self.assertTrue(kind.startswith("text/plain; version=0.0.4"), kind)
            lint = subprocess.run([fetch.promlint()], input=text, capture_output=True, text=True, timeout=60)
            self.assertEqual((lint.returncode, lint.stdout), (0, ""))
            status, kind, other = get(f"{self.url}/metrics", Accept=OPENMETRICS)
            self.assertTrue(kind.startswith("application/openmetrics-text; version=1.0.0"), kind)
            families = {family.name: family for family in openmetrics(other)}
            # Families of the other format have the ending of their samples in their name.
            named = {family.name.removesuffix("_info") for family in text_format(text)}
            self.assertEqual(named, {name for name, family in families.items()})
            self.assertEqual(families["orderflow_stage_busy_seconds"].unit, "seconds")
            products = {sample.labels["product"] for sample in families["orderflow_product_orders"].samples}
            self.assertIn('Headphones "L"', products)
            self.assertIn("a\\b", products)
            program.terminate()
            program.final(60)

    def test_answers_are_shared(self):
        flow = Flow(self)
        flow.publish_orders(10)
        with flow.run("--http", self.address) as program:
            self.wait_until(lambda: flow.settled() == 10, 120, "all orders settled")
            self.wait_until(lambda: len({json.loads(get(self.url + "/api/stats")[2])["time"] for _ in range(2)}) == 1, 120,
                            "two who ask at about the same time get the same answer")
            first = json.loads(get(self.url + "/api/stats")[2])["time"]
            self.wait_until(lambda: json.loads(get(self.url + "/api/stats")[2])["time"] > first, 120, "a newer one")
            self.assertEqual(json.loads(get(self.url + "/api/history")[2])["started"],
                             json.loads(get(self.url + "/api/stats")[2])["started"])
            program.terminate()
            program.final(60)

    def test_a_token_keeps_others_out(self):
        secret = self.folder / "token"
        secret.write_text("open sesame\nand a second line\n")
        flow = Flow(self)
        flow.publish_orders(10)
        with flow.run("--http", self.address, "--http-token-file", secret) as program:
            self.wait_until(lambda: flow.settled() == 10, 120, "all orders settled")
            for path in ("/metrics", "/api/stats", "/api/events", "/api/history"):
                self.assertEqual(get(self.url + path)[0], 401, path)
                self.assertEqual(get(self.url + path, Authorization="Bearer open")[0], 401, path)
            self.assertEqual(get(self.url + "/metrics", Authorization="Bearer open sesame")[0], 200)
            for path in ("/", "/healthz", "/readyz"):
                self.assertEqual(get(self.url + path)[0], 200, path)
            program.terminate()
            program.final(60)
        self.assertNotIn("sesame", program.stderr(1000))

    def test_who_serves_everybody_is_told(self):
        flow = Flow(self)
        port = process.free_port()
        with flow.run("--http", f"0.0.0.0:{port}") as program:
            self.wait_until(lambda: "--http-token-file" in program.stderr(), 120, "a warning")
            program.terminate()
            program.final(60)


if __name__ == "__main__":
    main()
