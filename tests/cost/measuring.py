#!/usr/bin/env python3
"""Measuring costs less than 1 % of the pipeline's instructions: the same drain under callgrind, with it and without.

    measuring.py PROGRAM        (build/dev/tests/cost/cost_measuring)

Instructions are counted, not time, so neither load nor the machine changes the answer. Without valgrind the test is
skipped (77).
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ORDERS = 400000
LIMIT = 0.01


def drain(program, measuring, folder):
    """Instructions of the drain, and how many orders the latencies stand for."""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=cost_drain", f"--callgrind-out-file={folder}/{measuring}",
         program, measuring], capture_output=True, text=True, timeout=500)
    if run.returncode != 0:
        sys.exit(f"{measuring}: exit status {run.returncode}\n{run.stdout}{run.stderr}")
    orders, measured = map(int, re.search(r"(\d+) orders, (\d+) measured", run.stdout).groups())
    instructions = int(re.search(r"Collected *: *(\d+)", run.stderr).group(1))
    if orders != ORDERS:
        sys.exit(f"{measuring}: {orders} orders were counted, not {ORDERS}")
    return instructions, measured


def main():
    if shutil.which("valgrind") is None:
        print("skipped: there is no valgrind")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        off, nothing = drain(sys.argv[1], "off", folder)
        on, measured = drain(sys.argv[1], "on", folder)
    print(f"instructions per order: {off / ORDERS:.2f} without measuring, {on / ORDERS:.2f} with it: {on / off - 1:+.3%}")
    if nothing != 0 or not 0.9 * ORDERS < measured < 1.1 * ORDERS:
        sys.exit(f"measured {nothing} and {measured} orders: this compares nothing")
    if on > off * (1 + LIMIT):
        sys.exit(f"more than {LIMIT:.0%}")


if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)
    main()
