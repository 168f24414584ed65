"""The package on a machine that systemd has booted, with its unit at work on a real broker.

Two settings of the unit are changed, by a drop-in: the watchdog waits for less, and a system call that is not allowed
ends the process instead of being refused, so that none can go unnoticed."""
import json
import re
import shutil
import sys
import time

from machine import NAME, Machine, require
from surroundings import ROOT, package

require()
sys.path.insert(0, str(ROOT / "tests" / "broker"))

from lib import places                          # noqa: E402
from lib.environment import TestCase, main      # noqa: E402
from lib.flow import Flow                       # noqa: E402
from lib.oracle import Totals                   # noqa: E402

PARTITIONS = 4
EXPOSED_MOST = 2.0              # of 10, by systemd's own measure
READY_AT_LAST_SECONDS = 10      # a run that waits is ready after this
WATCHDOG_SECONDS = 20
CONF = "/etc/orderflow/orderflow.conf"
DROP_IN = f"[Service]\nWatchdogSec={WATCHDOG_SECONDS}\nSystemCallErrorNumber=kill\n"


class Booted(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.machine = cls.enterClassContext(Machine(places.fresh(places.RUN / "tests" / "booted.machine")))
        shutil.copy(package(), cls.machine.root / "var" / "orderflow.deb")
        cls.install()
        cls.shipped = (cls.machine.root / CONF.lstrip("/")).read_text()
        cls.machine.write("/etc/systemd/system/orderflow.service.d/test.conf", DROP_IN)
        cls.machine.run("systemctl", "daemon-reload")

    @classmethod
    def install(cls):
        cls.machine.run("dpkg", "--install", "/var/orderflow.deb")
        cls.machine.run("systemctl", "enable", "orderflow")     # so it stays loaded, and can be asked once it has ended

    def setUp(self):
        super().setUp()
        self.flow = Flow(self, PARTITIONS, failure_rate=0.1)
        self.configure()
        said = self.machine.run("journalctl", "--lines", "0", "--show-cursor")
        self.cursor = re.search(r"-- cursor: (\S+)", said).group(1)
        self.addCleanup(self.machine.run, "systemctl", "stop", "orderflow")

    def configure(self, more="", brokers=None):
        flow = self.flow
        self.machine.write(CONF, self.shipped + f"""
brokers = {brokers or self.bootstrap}
registry = {self.registry_url}
group = {flow.settings.group}
topic = {flow.topic}
retry-topic = {flow.retry}
dlq-topic = {flow.dlq}
aggregates-topic = {flow.aggregates}
failure-rate = {flow.settings.failure_rate}
seed = {flow.settings.seed}
max-retries = {flow.settings.max_retries}
retry-delay-ms = {flow.delay_ms}
{more}
""")

    # --- what is known of it ----------------------------------------------------------------------------------------

    def show(self, name, unit="orderflow"):
        return self.machine.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def log(self, unit="orderflow"):
        """What it has written, and systemd of it, since the test began."""
        return self.machine.run("journalctl", "--unit", unit, "--output", "cat", "--after-cursor", self.cursor)

    def wait_for(self, condition, what):
        try:
            return self.machine.wait_until(condition, what)
        except AssertionError:
            print(self.machine.run("systemctl", "status", "--no-pager", "--full", "orderflow", status=None), self.log())
            raise

    def totals(self):
        """Of the group, as `stats` tells them; None: there are none yet."""
        flow = self.flow
        said = self.machine.run("orderflow", "stats", "--json", "--brokers", self.bootstrap,
                                "--group", flow.settings.group, "--topic", flow.topic, "--retry-topic", flow.retry,
                                "--aggregates-topic", flow.aggregates, status=None)
        return Totals.of_event(json.loads(said)) if said.startswith("{") else None

    def wait_for_totals(self):
        expected = self.flow.expected().totals
        self.wait_for(lambda: self.totals() == expected, f"the totals are {expected.orders}")

    def start(self):
        """Until systemd says that it is started. Returns its process."""
        self.machine.run("systemctl", "start", "orderflow")
        self.assertEqual(self.show("ActiveState"), "active")
        return self.show("MainPID")

    def wait_for_another(self, pid):
        """Until systemd has it running again."""
        self.wait_for(lambda: self.show("MainPID") not in ("0", pid) and self.show("ActiveState") == "active",
                      "it is restarted")
        self.assertGreaterEqual(int(self.show("NRestarts")), 1)

    def names(self, unit="orderflow"):
        return re.findall(r"instance: (\S+),", self.log(unit))

    # --- start, reload, stop ----------------------------------------------------------------------------------------

    def test_starting_ends_when_it_is_ready(self):
        began = time.monotonic()
        self.start()
        took = time.monotonic() - began
        assigned = f"partitions assigned: 0-{PARTITIONS - 1} topic={self.flow.topic}"
        self.assertTrue(assigned in self.log() or took > READY_AT_LAST_SECONDS, self.log())
        self.flow.publish_orders(100)
        self.wait_for_totals()
        self.wait_for(lambda: re.fullmatch(rf"{2 * PARTITIONS} partitions, [1-9]\d\d+ records read, lag 0",
                                           self.show("StatusText")), "it says what it does")
        self.assertIn('Status: "', self.machine.run("systemctl", "status", "--no-pager", "orderflow"))

    def test_waiting_for_kafka_is_no_failure(self):
        self.configure(brokers="localhost:1")
        self.machine.run("systemctl", "start", "--no-block", "orderflow")
        self.wait_for(lambda: self.show("StatusText") == "waiting for Kafka", "it says what it waits for")
        self.wait_for(lambda: self.show("ActiveState") == "active", "it is ready all the same")
        began, ready = (int(self.show(f"{name}TimestampMonotonic")) for name in ("ExecMainStart", "ActiveEnter"))
        self.assertGreater(ready - began, (READY_AT_LAST_SECONDS - 1) * 1e6)
        self.machine.run("systemctl", "stop", "orderflow")
        self.assertEqual(self.show("ExecMainStatus"), "0")

    def test_reloading(self):
        pid = self.start()
        self.configure("log-level = debug")
        self.machine.run("systemctl", "reload", "orderflow")
        self.wait_for(lambda: f"{CONF} read again: 1 change taken over" in self.log(), "it reads the file again")
        self.configure("log-level = loud")
        self.machine.run("systemctl", "reload", "orderflow")
        self.wait_for(lambda: "the configuration is wrong" in self.log(), "it says what is wrong")
        self.wait_for(lambda: self.show("SubState") == "running", "it has ended reloading")
        self.assertEqual(self.show("MainPID"), pid)
        self.assertEqual(self.show("NRestarts"), "0")

    def test_it_tells_its_state(self):
        self.start()
        self.machine.run("systemctl", "kill", "--signal", "USR1", "orderflow")
        self.wait_for(lambda: "state of process" in self.log(), "the state is in the journal")
        self.assertEqual(self.show("NRestarts"), "0")

    def test_stopping_commits(self):
        self.flow = Flow(self, PARTITIONS)      # without failures, so that orders are counted as they are read
        self.configure()
        self.start()
        self.flow.publish_orders(500)
        self.wait_for_totals()
        self.flow.publish_orders(500, first_id=2001)
        self.machine.run("systemctl", "stop", "orderflow")
        self.assertEqual([self.show(name) for name in ("Result", "ExecMainStatus", "ActiveState", "NRestarts")],
                         ["success", "0", "inactive", "0"], self.log())
        self.assertIn("partitions given up, all committed", self.log())
        read = sum(position for (topic, _), position in self.flow.client.committed(self.flow.settings.group).items()
                   if topic == self.flow.topic)
        self.assertGreaterEqual(read, 500)
        self.assertEqual(self.totals().orders.count, read)

    # --- it ends by itself ------------------------------------------------------------------------------------------

    def test_the_watchdog_restarts_what_is_frozen(self):
        pid = self.start()
        self.flow.publish_orders(1000)
        self.machine.run("sh", "-c", f"kill -STOP {int(pid)}")
        self.wait_for_another(pid)
        self.assertIn(f"Watchdog timeout (limit {WATCHDOG_SECONDS}s)", self.log())
        self.check_it_goes_on()

    def test_what_is_killed_is_restarted(self):
        pid = self.start()
        self.flow.publish_orders(1000)
        self.machine.run("sh", "-c", f"kill -KILL {int(pid)}")
        self.wait_for_another(pid)
        self.assertIn("code=killed, status=9/KILL", self.log())
        self.check_it_goes_on()

    def check_it_goes_on(self):
        """Under the name that the one before had, and nothing is lost or counted twice."""
        self.wait_for(lambda: len(self.names()) > 1, "it has taken a name again")
        self.assertEqual(set(self.names()), {f"{NAME}-0"})
        self.flow.publish_orders(100, first_id=5001)
        self.wait_for_totals()

    def test_a_wrong_configuration_is_not_tried_again(self):
        self.configure("no-such-option = 1")
        self.machine.run("systemctl", "start", "orderflow", status=1)
        pause = int(self.show("RestartUSec").removesuffix("s"))
        time.sleep(2 * pause + 1)
        self.assertEqual([self.show(name) for name in ("ActiveState", "Result", "ExecMainStatus", "NRestarts")],
                         ["failed", "exit-code", "2", "0"], self.log())
        self.assertIn("no-such-option", self.log())
        self.configure()
        self.start()

    # --- its walls --------------------------------------------------------------------------------------------------

    def mounts(self, pid):
        """What it sees: by place the source's folder, and options of the mount and of the file system."""
        found = {}
        for line in self.machine.run("cat", f"/proc/{pid}/mountinfo").splitlines():
            fields = line.split()
            found[fields[4]] = (fields[3], set(fields[5].split(",")), set(fields[-1].split(",")))
        return found

    def test_its_walls_stand(self):
        """systemd leaves out what the kernel or a container does not let it do: here it does all of it."""
        pid = self.start()
        mounts = self.mounts(pid)
        for place, wanted in (("/", "ro"), ("/sys", "ro"), ("/sys/fs/cgroup", "ro"), ("/dev", "ro"),
                              ("/var/lib/orderflow", "rw"), ("/run/orderflow", "rw")):
            self.assertIn(wanted, mounts[place][1], place)
        for place in ("/home", "/root", "/run/user"):
            self.assertIn("/systemd/inaccessible/", mounts[place][0])
        for place in ("/tmp", "/var/tmp"):
            self.assertIn("/systemd-private-", mounts[place][0])
        self.assertLessEqual({"hidepid=invisible", "subset=pid"}, mounts["/proc"][2])

        status = dict(re.findall(r"^(\w+):\s+(.*)$", self.machine.run("cat", f"/proc/{pid}/status"), re.M))
        user = self.machine.run("id", "--user", "orderflow").strip()
        self.assertEqual(set(status["Uid"].split()), {user})
        self.assertEqual([int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")], [0] * 4)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        mapped = [line.split() for line in self.machine.run("cat", f"/proc/{pid}/uid_map").splitlines()]
        self.assertEqual(mapped, [["0", "0", "1"], [user, user, "1"]])

    def test_systemd_finds_it_hardly_exposed(self):
        text = self.machine.run("systemd-analyze", "security", "--no-pager", "orderflow")
        exposed = float(re.search(r"exposure level for orderflow.service: ([\d.]+)", text).group(1))
        print(f"exposure {exposed}", flush=True)
        self.assertLessEqual(exposed, EXPOSED_MOST, text)

    def test_what_it_writes_is_its_own(self):
        self.start()
        self.flow.publish_orders(10)
        self.wait_for_totals()
        self.assertEqual(self.rights("/run/orderflow", "/var/lib/orderflow", "/etc/orderflow", CONF),
                         ["755 orderflow:orderflow", "750 orderflow:orderflow", "755 root:root", "640 root:orderflow"])
        kept = self.machine.run("find", "/var/lib/orderflow", "-type", "f").split()
        self.assertGreaterEqual(len(kept), 2, "schemas of orders and of totals")
        self.assertEqual(set(self.rights(*kept)), {"600 orderflow:orderflow"})
        self.machine.run("systemctl", "stop", "orderflow")
        self.assertTrue(self.machine.run("find", "/run/orderflow", "-name", "*.lock").strip(), "others may share it")

    def rights(self, *paths):
        return self.machine.run("stat", "--format", "%a %U:%G", *paths).splitlines()

    # --- several, and none ------------------------------------------------------------------------------------------

    def test_a_copy_of_the_unit_is_a_second_instance(self):
        self.start()
        unit = "/etc/systemd/system/second.service"
        self.machine.run("cp", "/usr/lib/systemd/system/orderflow.service", unit)
        self.addCleanup(self.machine.run, "sh", "-c", f"systemctl stop second; rm {unit}; systemctl daemon-reload")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "start", "second")
        self.wait_for(lambda: "partitions assigned" in self.log("second"), "they share the partitions")
        self.assertEqual((self.names(), self.names("second")), ([f"{NAME}-0"], [f"{NAME}-1"]))
        self.assertEqual(self.rights("/var/lib/second"), ["750 orderflow:orderflow"])

    def test_upgrade_and_removal(self):
        pid = self.start()
        self.machine.run("dpkg", "--install", "/var/orderflow.deb")
        self.wait_for(lambda: self.show("MainPID") not in ("0", pid) and self.show("ActiveState") == "active",
                      "an upgrade restarts it")
        self.addCleanup(self.install)
        self.machine.run("dpkg", "--remove", "orderflow")
        self.assertEqual(self.show("MainPID"), "0")
        self.assertIn("partitions given up, all committed", self.log())
        self.machine.run("dpkg", "--purge", "orderflow")
        left = self.machine.run("find", "/etc", "/usr", "/var/lib", "/run", "-xdev", "-name", "*orderflow*",
                                "!", "-path", "*/dpkg/*", "!", "-path", "*.service.d*")
        self.assertEqual(left, "")


if __name__ == "__main__":
    main()
