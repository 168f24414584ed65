"""What the tests of packaging have in common: where things are, and what to do when a tool is missing."""
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("ORDERFLOW_PROGRAM", ROOT / "build" / "dev" / "src" / "orderflow"))
SKIPPED = 77    # what CTest takes for skipped


def output(*command, status=0, **options):
    """What a command prints; it must end with this status within two minutes."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, **options)
    if done.returncode != status:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def need(*tools):
    """Ends the test as skipped when one is missing; `./dev test`, which installs them, makes that a failure."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        print(f"missing: {' '.join(missing)} (./dev setup installs them)", file=sys.stderr)
        sys.exit(1 if os.environ.get("ORDERFLOW_REQUIRE_PACKAGE") else SKIPPED)


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    sys.exit(not program.result.wasSuccessful())
