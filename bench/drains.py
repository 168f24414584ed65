"""What the benchmarks that run the whole program share: a cluster, a topic, and draining it."""
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(TOP, "build/dev/src/orderflow")


def cluster():
    """Broker and registry of ./dev cluster, started if need be, as options of the program."""
    command = os.path.join(TOP, "tests/broker/cluster")
    status = subprocess.run([command, "status"], capture_output=True, text=True)
    if status.returncode != 0:
        status = subprocess.run([command, "start"], capture_output=True, text=True, check=True)
    found = dict(re.findall(r"^(broker|registry) +(\S+)$", status.stdout, re.M))
    return ["--brokers", found["broker"], "--registry", found["registry"]]


def fill(connection, name, count, partitions=8):
    """A new topic with so many orders. Returns its name."""
    topic = f"{name}-{count}-{int(time.time())}"
    subprocess.run([PROGRAM, "produce", *connection, "--topic", topic, "--partitions", str(partitions), "--count",
                    str(count), "--rate", "0"], stdout=subprocess.DEVNULL, check=True)
    return topic


class Drain:
    """One run that reads the whole topic as a new group. orders_per_second: from assignment to the last order; cpu_seconds:
    of the process, all threads; resident_mib: at most."""

    def __init__(self, connection, topic, group, *flags):
        command = [PROGRAM, "run", *connection, "--topic", topic, "--retry-topic", f"{group}-retry", "--dlq-topic",
                   f"{group}-dlq", "--aggregates-topic", f"{group}-aggregates", "--group", group, "--exit-at-end",
                   "--console", "summary", "--log-level", "warning", *flags]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"orderflow run failed with {process.returncode}:\n{out}")
        self.orders_per_second = int(re.search(r"^ +time .*?(\d+) orders/s", out, re.M).group(1))
        self.orders = int(re.search(r"^ +orders processed +(\d+)", out, re.M).group(1))
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.resident_mib = usage.ru_maxrss / 1024
