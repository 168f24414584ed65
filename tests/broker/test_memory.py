"""Memory stays within bounds after 10,000,000 orders, whatever fails and however much waits."""
import re
import time

from lib.environment import TestCase, main
from lib.flow import Flow

ORDERS = 10000000
WAITING = 200000


class Memory(TestCase):
    topic = None

    def setUp(self):
        super().setUp()
        cls = type(self)
        if cls.topic is None:
            flow = Flow(self, 8)
            with self.orderflow("produce", "--topic", flow.topic, "--count", ORDERS, "--rate", 0) as program:
                self.assertEqual(program.wait(120), 0, program.stderr())
            cls.topic = flow.topic

    def peak_mb(self, *arguments, retries, **settings):
        """The most that was resident during a run over all orders, as the kernel counts it."""
        flow = Flow(self, 8, topic=self.topic, **settings)
        peak = 0
        with flow.run("--exit-at-end", "--console", "summary", *arguments) as program:
            while program.running():
                with open(f"/proc/{program.child.pid}/status") as file:
                    found = re.search(r"VmHWM:\s+(\d+) kB", file.read())
                peak = int(found.group(1)) / 1024 if found else peak    # a process that has ended has none
                time.sleep(0.05)
            self.assertEqual(program.wait(10), 0, program.stderr())
        attempts = int(re.search(r"retry attempts +(\d+)", "\n".join(program.lines)).group(1))
        self.assertAlmostEqual(attempts, retries, delta=retries / 10)
        print(f"{peak:.0f} MB at most", flush=True)
        return peak

    def test_nothing_fails(self):
        self.assertLess(self.peak_mb(retries=0), 400)

    def test_one_in_ten_fails(self):
        self.assertLess(self.peak_mb(retries=ORDERS * 0.111, failure_rate=0.1), 400)

    def test_many_retries_wait(self):
        """They come in answers that orders could fill: what keeps a retry must not keep orders."""
        peak = self.peak_mb(retries=WAITING, failure_rate=WAITING / ORDERS, max_retries=1, delay_ms=15000)
        self.assertLess(peak, 400)

    def test_a_small_budget(self):
        peak = self.peak_mb("--memory-mb", 64, retries=WAITING, failure_rate=WAITING / ORDERS, max_retries=1,
                            delay_ms=15000)
        self.assertLess(peak, 150)


if __name__ == "__main__":
    main()
