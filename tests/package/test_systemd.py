"""The unit of systemd: read by systemd itself, and held against what the program does.

Whether the program can live within the unit's walls is told by its own system calls: the demonstration, and a run that
waits for Kafka, are traced and compared with what the unit allows.
"""
import configparser
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from surroundings import PROGRAM, ROOT, main, need, output

UNIT = ROOT / "etc" / "systemd" / "orderflow.service"
SECONDS = 90
EXPOSED_MOST = 2.0      # of 10, by systemd's own measure


class Settings(dict):
    """[Service]; of a name that is given several times all values."""

    def __init__(self):
        super().__init__()
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",), dict_type=dict)
        parser.optionxform = str
        parser.read_string(re.sub(r"^\[", "[", UNIT.read_text(), flags=re.M))
        self.update(parser["Service"])
        self.lines = re.findall(r"^([A-Za-z]+)=(.*)$", UNIT.read_text(), re.M)

    def all(self, name):
        return [value for found, value in self.lines if found == name]


class Unit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orderflow-unit-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.settings = Settings()

    def test_systemd_finds_nothing_wrong(self):
        copy = self.folder / "orderflow.service"
        copy.write_text(UNIT.read_text().replace("/usr/bin/orderflow", str(PROGRAM.resolve())))
        self.assertEqual(self.verify(copy), "")
        copy.write_text(copy.read_text().replace("ProtectSystem=strict", "ProtectSystm=strict"))
        self.assertIn("ProtectSystm", self.verify(copy))

    def verify(self, path):
        return subprocess.run(["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True,
                              timeout=SECONDS).stderr

    def test_it_is_walled_in(self):
        text = output("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
        exposed = float(re.search(r"exposure level for orderflow.service: ([\d.]+)", text).group(1))
        self.assertLessEqual(exposed, EXPOSED_MOST, text)

    def test_no_restart_where_none_helps(self):
        """By the statuses that the program documents."""
        statuses = dict(re.findall(r"(\d) ([a-z][^;.]+)", output(PROGRAM, "help").partition("Exit status:")[2]))
        prevented = {statuses[number].split()[0] for number in self.settings["RestartPreventExitStatus"].split()}
        self.assertEqual(prevented, {"wrong", "fenced"})
        self.assertEqual(self.settings["Restart"], "on-failure")
        wrong = subprocess.run([PROGRAM, "run", "--no-such-option"], capture_output=True, timeout=SECONDS)
        self.assertIn(str(wrong.returncode), self.settings["RestartPreventExitStatus"].split())

    def test_there_is_time_to_stop(self):
        """Drain time-out and leaving the group."""
        drain = int(re.search(r"--drain-timeout-ms .*?default (\d+)", output(PROGRAM, "run", "--help"), re.S).group(1))
        self.assertGreater(int(self.settings["TimeoutStopSec"]), drain / 1000 + 15)

    def test_its_variables_are_options(self):
        known = output(PROGRAM, "config", "template")
        variables = [value.partition("=")[0] for value in self.settings.all("Environment")]
        self.assertGreater(len(variables), 2)
        for name in variables:
            option = name.removeprefix("ORDERFLOW_").lower().replace("_", "-")
            self.assertTrue(option == "config" or re.search(rf"^#{option} =", known, re.M), name)

    # --- what it does -----------------------------------------------------------------------------------------------

    def test_what_the_manager_hears_of_a_run(self):
        """Kafka is not there: it is ready after 10 s all the same, the watchdog hears of it, and it ends when asked."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self.folder / "notify"))
            manager.settimeout(SECONDS)
            run = self.run_without_kafka(NOTIFY_SOCKET=str(self.folder / "notify"), WATCHDOG_USEC="2000000")
            try:
                said = self.listen(manager, "READY=1")
                self.assertIn("STATUS=waiting for Kafka", said)
                self.assertGreater(said.count("WATCHDOG=1"), 3)
                run.send_signal(signal.SIGTERM)
                self.listen(manager, "STOPPING=1\nSTATUS=stopping")
                self.assertEqual(run.wait(SECONDS), 0)
            finally:
                run.kill()
                run.wait()

    def listen(self, manager, until):
        said = []
        deadline = time.monotonic() + SECONDS
        while until not in said:
            self.assertLess(time.monotonic(), deadline, said)
            said.append(manager.recv(4096).decode())
        return said

    def run_without_kafka(self, *before, **variables):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERFLOW_", "NOTIFY_"))}
        command = [*before, str(PROGRAM), "run", "--brokers", address, "--console", "none", "--http", "0", "--lock-folder",
                   str(self.folder)]
        return subprocess.Popen(command, env={**clean, **variables}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # --- what it needs ----------------------------------------------------------------------------------------------

    def traces(self):
        """Lines of strace: the demonstration, and a run that is stopped after a while."""
        first, second = self.folder / "demo", self.folder / "run"
        output("strace", "-f", "-qq", "-o", first, PROGRAM, "demo", "--count", "200", "--rate", "0", "--retry-delay-ms", "10",
               "--console", "none")
        run = self.run_without_kafka("strace", "-f", "-qq", "-o", str(second))
        try:
            deadline = time.monotonic() + SECONDS
            while not second.exists() or "connect(" not in second.read_text(errors="replace"):
                self.assertLess(time.monotonic(), deadline, "it tries to connect")
                time.sleep(0.1)
            pid = int(second.read_text(errors="replace").split(maxsplit=1)[0])
            os.kill(pid, signal.SIGTERM)
            self.assertEqual(run.wait(SECONDS), 0)
        finally:
            run.kill()
            run.wait()
        return (first.read_text(errors="replace") + second.read_text(errors="replace")).splitlines()

    def allowed_calls(self):
        sets = {}
        for line in output("systemd-analyze", "--no-pager", "syscall-filter").splitlines():
            if line.startswith("@"):
                name = line.strip()
                sets[name] = set()
            elif line.startswith("    ") and not line.lstrip().startswith("#"):
                sets[name].add(line.strip())

        def members(name):
            return {call for part in sets[name] for call in (members(part) if part.startswith("@") else {part})}
        first, without, again = self.settings.all("SystemCallFilter")
        allowed = set().union(*map(members, first.split()))
        return allowed - set().union(*map(members, without.removeprefix("~").split())) | set(again.split())

    def test_its_system_calls_are_allowed(self):
        if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
            self.skipTest("nothing can be traced here")
        lines = self.traces()
        calls = {found.group(1) for line in lines if (found := re.match(r"\d+ +(\w+)\(", line))}
        self.assertLessEqual({"sendto", "futex"}, calls, "it has done something")
        self.assertEqual(calls - self.allowed_calls() - {"execve"}, set())
        families = {found.group(1) for line in lines if (found := re.search(r" socket\((AF_\w+)", line))}
        refused = families - set(self.settings["RestrictAddressFamilies"].split())
        self.assertLessEqual(refused, {"AF_NETLINK"}, "for which the C library has another way")
        writable = [line for line in lines if re.search(r" mmap\(.*PROT_WRITE\|PROT_EXEC", line)
                    or re.search(r" (mprotect|pkey_mprotect)\(.*PROT_EXEC", line)]
        self.assertEqual(writable, [], "MemoryDenyWriteExecute")


if __name__ == "__main__":
    need("systemd-analyze", "strace")
    main()
