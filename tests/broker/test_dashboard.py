"""The dashboard in a real browser: what it shows is what /metrics tells, and nothing in a record can do anything."""
import json
import urllib.request

from lib import fetch, orders, process
from lib.browser import Browser, chromium
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow

fetch.ready()
try:
    chromium()
except fetch.Missing as missing:
    raise SystemExit(fetch.skip_or_fail(missing))

from prometheus_client.parser import text_string_to_metric_families as text_format   # noqa: E402

ORDERS = 300
HOSTILE = "<img src=x onerror=\"window.hacked=1\">"
SCRIPT = "</script><script>window.hacked=2</script>"
COPIES = 12     # of each: one in eleven fails to the end, and which one depends on the topic's name


class Dashboard(TestCase):
    def setUp(self):
        super().setUp()
        self.address = f"127.0.0.1:{process.free_port()}"
        self.url = f"http://{self.address}"

    def metrics(self):
        """The sum of the samples by name, and orders by product."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            families = list(text_format(answer.read().decode()))
        sums, products = {}, {}
        for family in families:
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0) + sample.value
                if sample.name == "orderflow_product_orders_total":
                    products[sample.labels["product"]] = sample.value
        return sums, products

    def history(self):
        with urllib.request.urlopen(f"{self.url}/api/history", timeout=30) as answer:
            return json.load(answer)["points"]

    def drained(self, count):
        def done():
            sums, _ = self.metrics()
            return (sums.get("orderflow_orders_total", 0) + sums.get("orderflow_dead_letters_total", 0) == count
                    and sums.get("orderflow_live_orders") == sums["orderflow_orders_total"]
                    and sums.get("orderflow_partition_lag") == 0)
        self.wait_until(done, 120, "all orders are committed")

    def publish_hostile(self, flow):
        number = flow.register()
        flow.publish([Record.of(orders.encode(number, orders.Order(name, name, 12.5)), name.encode(), at)
                      for at, name in enumerate((HOSTILE, SCRIPT))] * COPIES)
        flow.publish([Record.of(orders.encode(number, orders.Order(HOSTILE, HOSTILE, float("inf"))), b"key", 0)])

    def test_it_shows_what_the_metrics_tell(self):
        flow = Flow(self, failure_rate=0.3, max_retries=1)
        flow.publish_orders(ORDERS)
        with flow.run("--http", self.address) as program, Browser(self.folder) as browser:
            self.drained(ORDERS)
            self.publish_hostile(flow)      # among the last dead letters, which are few
            self.drained(ORDERS + 2 * COPIES + 1)
            browser.open(self.url + "/")
            sums, products = self.metrics()
            browser.wait_for("document.querySelectorAll('#products tbody tr').length > 0", 120)

            def shown(selector):
                return float(browser.text(selector).replace(",", ""))

            self.assertEqual(shown("#live-orders"), sums["orderflow_live_orders"])
            self.assertAlmostEqual(shown("#average"), sums["orderflow_live_average"], delta=0.006 + abs(
                sums["orderflow_live_average"]) * 1e-12)
            self.assertEqual(shown("#retries"), sums["orderflow_retries_total"])
            self.assertEqual(shown("#dead"), sums["orderflow_dead_letters_total"])
            self.assertEqual(shown("#lag"), 0)
            rows = browser.rows("#products")
            self.assertEqual({row[0]: float(row[1].replace(",", "")) for row in rows}, products)
            self.assertEqual(len(browser.rows("#partitions")), sums["orderflow_partitions"])
            by_cause = {row[0]: float(row[1]) for row in browser.rows("#causes")}
            self.assertEqual(by_cause["invalid value"], 1)
            self.assertEqual(sum(by_cause.values()), sums["orderflow_dead_letters_total"])
            self.assertEqual(browser.text("#status"), "reading")
            self.assertEqual(browser.value("document.querySelectorAll('#flow .stage').length"), 5)

            # What came from records is text: it is there, and has done nothing.
            self.assertIn(HOSTILE, products)
            self.assertIn(SCRIPT, products)
            self.assertTrue(any(HOSTILE in cell for row in browser.rows("#letters") for cell in row))
            self.assertIsNone(browser.value("window.hacked"))
            self.assertEqual(browser.value("document.images.length"), 0)
            self.assertEqual(browser.value("document.scripts.length"), 1)
            self.assertEqual(browser.complaints, [])
            own = [address for address in browser.requests if not address.startswith("data:")]
            self.assertTrue(own)
            self.assertEqual([address for address in own if not address.startswith(self.url + "/")], [])

            # A script that had got in, by whatever way, would not be run.
            browser.value("""(() => { const script = document.createElement('script');
                script.textContent = 'window.hacked = 3'; document.body.append(script);
                const box = document.createElement('div'); document.body.append(box);
                box.innerHTML = '<img src="x" onerror="window.hacked = 4">'; })()""")
            browser.wait_for("document.images.length === 1", 10)
            self.assertIsNone(browser.value("new Promise(done => setTimeout(() => done(window.hacked), 500))"))

            # It is live.
            flow.publish_orders(40, first_id=9001)
            self.drained(ORDERS + 2 * COPIES + 41)
            wanted = int(self.metrics()[0]["orderflow_live_orders"])
            browser.wait_for(f"document.querySelector('#live-orders').textContent === '{wanted}'", 120)

            # A page that is opened later begins with what was before.
            self.wait_until(lambda: sum(point["orders"] == wanted for point in self.history()) >= 3, 120,
                            "the server keeps its history")
            before = {point["time"]: point for point in self.history()}
            browser.open(self.url + "/")
            browser.wait_for("document.querySelectorAll('#products tbody tr').length > 0", 120)
            kept = json.loads(browser.value("JSON.stringify(history.filter(point => point.busy === null)"
                                            ".map(point => [point.t, point.orders, point.average, point.rate]))"))
            told = [(at, *rest) for at, *rest in kept if at in before]
            self.assertGreaterEqual(len(told), len(before) - 1)     # the last may give way to the first event
            self.assertEqual(told, [(at, before[at]["orders"], before[at]["average"], before[at]["rate"]) for at, *_ in told])
            self.assertTrue(any(orders == wanted for _, orders, *_ in told))
            self.assertTrue(any(point["rate"] is not None for point in before.values()))
            self.assertIn("L", browser.value("document.querySelector('#chart-average path.line').getAttribute('d')"))

            # What is restored is no rate, nor is what is given up.
            self.assertEqual(browser.value("""(() => {
                const kept = history.length, owns = structuredClone(last), rates = [];
                const steps = [[0, 10], [0, 20], [1, 50000], [0, 10], [0, 20], [0, 0], [-1, -50000], [0, 0], [0, 0]];
                owns.live.orders += 1e6;
                for (const [changed, orders] of steps) {
                    owns.time += 1000;
                    owns.live.orders += orders;
                    owns.restored_rows += changed > 0 ? 3 : 0;
                    owns.assignments.assigned += changed > 0 ? 1 : 0;
                    owns.assignments.revoked += changed < 0 ? 1 : 0;
                    remember(structuredClone(owns));
                    rates.push(history.at(-1).rate);
                }
                history.length = kept;
                return JSON.stringify(rates.slice(1)); })()"""),
                "[20,null,null,20,0,null,null,0]")

            # And says so when it is not any more.
            program.terminate()
            program.final(60)
            browser.wait_for("document.querySelector('#status').textContent === 'not connected'", 120)

    def test_it_asks_for_the_token(self):
        secret = self.folder / "token"
        secret.write_text("open sesame\n")
        flow = Flow(self)
        flow.publish_orders(10)
        with flow.run("--http", self.address, "--http-token-file", secret) as program, Browser(self.folder) as browser:
            self.wait_until(lambda: flow.settled() == 10, 120, "all orders are settled")
            browser.open(self.url + "/")
            for given, seen in (("wrong", "document.querySelector('#denied').textContent !== ''"),
                                ("open sesame", "document.querySelector('#live-orders').textContent === '10'")):
                browser.wait_for("document.querySelector('#login') && !document.querySelector('#login').hidden", 120)
                browser.value(f"document.querySelector('#token').value = '{given}'")
                browser.value("document.querySelector('#login').requestSubmit()")
                browser.wait_for(seen, 120)
            self.assertTrue(browser.value("document.querySelector('#login').hidden"))
            program.terminate()
            program.final(60)

    def test_it_fits_a_phone_and_needs_no_mouse(self):
        flow = Flow(self)
        flow.publish_orders(10)
        with flow.run("--http", self.address) as program, Browser(self.folder) as browser:
            browser.resize(390, 844, phone=True)
            browser.open(self.url + "/")
            browser.wait_for("document.querySelectorAll('#products tbody tr').length > 0", 120)
            self.assertLessEqual(browser.value("document.documentElement.scrollWidth"), 390)
            # Every chart says what it shows, can be reached, and moved in with the keys; its data is a table, too.
            self.assertEqual(browser.value("[...document.querySelectorAll('section svg')].filter(svg => "
                                           "svg.tabIndex !== 0 || !svg.getAttribute('aria-label')).length"), 0)
            browser.value("document.querySelector('#chart-average svg').focus()")
            browser.call("Input.dispatchKeyEvent", type="keyDown", key="Home")
            browser.wait_for("document.querySelector('#chart-average .read').textContent.includes(' at ')", 120)
            browser.value("document.querySelector('#chart-average details').open = true")
            browser.wait_for("document.querySelectorAll('#chart-average tbody tr').length > 0", 120)
            program.terminate()
            program.final(60)


if __name__ == "__main__":
    main()
