#!/usr/bin/env python3
"""A page of metrics is cheap: its instructions under callgrind, after a drain of 12 partitions with 1,000 products.

    page.py PROGRAM        (build/dev/tests/cost/cost_page)

The thread that makes it takes a processor from the pipeline, and where both are busy the answer comes the sooner the less
there is to do. Without valgrind the test is skipped (77).
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PAGES = 20
LIMIT = 2_000_000       # instructions; with printf, and rows of all partitions, they were 6,240,000


def main():
    if shutil.which("valgrind") is None:
        print("skipped: there is no valgrind")
        sys.exit(77)
    text = subprocess.run([sys.argv[1], "1", "show"], capture_output=True, text=True, timeout=500, check=True).stdout
    samples = [line for line in text.splitlines() if line.startswith("orderflow_")]
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=cost_page",
                              f"--callgrind-out-file={folder}/page", sys.argv[1], str(PAGES)],
                             capture_output=True, text=True, timeout=500)
    if run.returncode != 0:
        sys.exit(f"exit status {run.returncode}\n{run.stdout}{run.stderr}")
    each = int(re.search(r"Collected *: *(\d+)", run.stderr).group(1)) // PAGES
    print(f"{each} instructions for a page of {len(text)} bytes, {len(samples)} samples: {each // len(samples)} each")
    if "orderflow_orders_total 12000" not in samples or len(samples) < 500:
        sys.exit("this is not the page of a drained pipeline")
    if each > LIMIT:
        sys.exit(f"more than {LIMIT}")


if __name__ == "__main__":
    os.environ.pop("LD_PRELOAD", None)
    main()
