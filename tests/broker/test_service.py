"""What a service manager hears of a run on a real broker (sd_notify, Type=notify). Of one without: tests/package."""
import re
import signal
import socket
import time

from lib.environment import TestCase, main
from lib.flow import Flow

PARTITIONS = 4
SECONDS = 60


class Service(TestCase):
    def setUp(self):
        super().setUp()
        self.flow = Flow(self, PARTITIONS)
        self.manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        # An abstract name: those of paths may be no longer than 107 bytes.
        self.name = f"orderflow{self.unique('notify')}-{time.time_ns()}"
        self.manager.bind(f"\0{self.name}")
        self.manager.settimeout(1)
        self.said = []

    def listen(self, wanted, what):
        """Until something that is wanted has been said."""
        def heard():
            try:
                self.said.append(self.manager.recv(4096).decode())
            except TimeoutError:
                pass
            return any(map(wanted, self.said))
        self.wait_until(heard, SECONDS, what)

    def test_from_start_to_end(self):
        variables = {"NOTIFY_SOCKET": f"@{self.name}", "WATCHDOG_USEC": "2000000"}
        with self.flow.run(environment=variables) as program:
            self.listen(lambda text: text == "READY=1", "it is ready")
            self.wait_until(lambda: len(self.flow.events("assigned")) == 2 * PARTITIONS, SECONDS, "it has its partitions")
            self.flow.publish_orders(100)
            self.listen(lambda text: re.match(rf"STATUS={2 * PARTITIONS} partitions, [1-9]\d\d+ records read", text),
                        "it tells how far it is")
            self.listen(lambda text: text == "WATCHDOG=1", "its threads turn")
            program.child.send_signal(signal.SIGHUP)
            self.listen(lambda text: text.startswith("RELOADING=1\nMONOTONIC_USEC="), "it reads its configuration again")
            self.listen(lambda _: self.said.count("READY=1") == 2, "and has done so")
            program.terminate()
            self.listen(lambda text: text.startswith("STOPPING=1"), "it stops")
            self.assertEqual(program.wait(SECONDS), 0, program.stderr())
        self.assertEqual(self.said.count("READY=1"), 2)
        self.flow.check()


if __name__ == "__main__":
    main()
