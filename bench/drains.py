"""What the benchmarks that run the whole program share: the header, a cluster, a topic, and draining it."""
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(TOP, "build/dev/src/orderflow")
ABOUT = os.path.join(TOP, "build/dev/bench/lib/about")
DELETE = os.path.join(TOP, "build/dev/bench/lib/delete")
QUIET = 0.2     # processors
LOOK_S = 0.25
# What somebody has exported must not change what is measured.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}


def header():
    """{name: text}: processor, system, build, compiler, libraries; as the other benchmarks print it."""
    return json.loads(subprocess.run([ABOUT], capture_output=True, text=True, check=True).stdout)


def print_header(name):
    print(name)
    for key, value in header().items():
        print(f"  {key:<10} {value}")
    print(flush=True)


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def show_quartiles(values, decimals=3):
    low, middle, high = quartiles(values)
    return f"{middle:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


class Busy:
    """How much processor time everybody has had, and we and our children, until now. In seconds."""

    def __init__(self):
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq = (int(part) for part in file.readline().split()[1:8])
        self.all = (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
        spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        self.own = sum(one.ru_utime + one.ru_stime for one in spent)
        self.at = time.monotonic()

    def others_until(self, later):
        """How many processors others kept busy meanwhile."""
        others = (later.all - self.all) - (later.own - self.own)
        return max(0.0, others / max(later.at - self.at, 1e-9))


def settle(limit_ms):
    """Waits until others are quiet, but no longer than so many milliseconds."""
    until = time.monotonic() + limit_ms / 1000
    while time.monotonic() < until:
        before = Busy()
        time.sleep(LOOK_S)
        if before.others_until(Busy()) < QUIET:
            return


def add_options(parser, orders):
    parser.add_argument("--count", type=int, default=orders, help="orders in the topic (default %(default)s)")
    parser.add_argument("--settle-ms", type=int, default=5000,
                        help="how long to wait before a round for other programs to be quiet (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")


def cluster():
    """Broker and registry of ./dev cluster, started if need be, as options of the program."""
    command = os.path.join(TOP, "tests/broker/cluster")
    status = subprocess.run([command, "status"], capture_output=True, text=True)
    if status.returncode != 0:
        status = subprocess.run([command, "start"], stdout=subprocess.PIPE, text=True)
        if status.returncode != 0:
            sys.exit("no cluster to measure with")
    found = dict(re.findall(r"^(broker|registry) +(\S+)$", status.stdout, re.M))
    return ["--brokers", found["broker"], "--registry", found["registry"]]


def fill(connection, name, count, partitions=8):
    """A new topic with so many orders. Returns its name."""
    topic = f"{name}-{count}-{int(time.time())}"
    subprocess.run([PROGRAM, "produce", *connection, "--topic", topic, "--partitions", str(partitions), "--count",
                    str(count), "--rate", "0"], stdout=subprocess.DEVNULL, env=ENVIRONMENT, check=True)
    return topic


def delete(connection, *topics):
    """What a broker has to look after, it also spends time on: no round is to leave the next one more."""
    subprocess.run([DELETE, connection[connection.index("--brokers") + 1], *topics], check=True)


class Drain:
    """One run that reads the whole topic as a new group, whose topics stay (delete). orders_per_second: from assignment to the
    last order; cpu_seconds: of the process, all threads; resident_mib: at most; others: processors that others kept busy, the
    broker included."""

    def __init__(self, connection, topic, group, *flags):
        self.topics = retry, dead, aggregates = [f"{group}-{end}" for end in ("retry", "dlq", "aggregates")]
        command = [PROGRAM, "run", *connection, "--topic", topic, "--retry-topic", retry, "--dlq-topic", dead,
                   "--aggregates-topic", aggregates, "--group", group, "--exit-at-end", "--console", "summary",
                   "--log-level", "warning", *flags]
        before = Busy()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"orderflow run failed with {process.returncode}:\n{out}")
        self.others = before.others_until(Busy())
        self.orders_per_second = int(re.search(r"^ +time .*?(\d+) orders/s", out, re.M).group(1))
        self.orders = int(re.search(r"^ +orders processed +(\d+)", out, re.M).group(1))
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.resident_mib = usage.ru_maxrss / 1024
