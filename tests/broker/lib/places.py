"""Where the harness keeps things: everything below .run/ of the source tree, which git ignores."""
import os
import pathlib
import shutil
import site
import sys

BROKER_TESTS = pathlib.Path(__file__).resolve().parent.parent
ROOT = BROKER_TESTS.parent.parent
RUN = pathlib.Path(os.environ.get("ORDERFLOW_RUN_DIR", ROOT / ".run"))
LANE = RUN / "lane"        # the cluster that the tests of one CTest run share
PEOPLE = RUN / "cluster"   # the cluster of `cluster start`

# One folder per interpreter version: some packages are compiled.
PYTHON = RUN / f"python-{sys.version_info.major}.{sys.version_info.minor}"


def fresh(folder):
    """Makes the folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def use_packages():
    """Makes the packages of requirements.txt importable in this process. Cheap when called again."""
    found = PYTHON / "lib" / PYTHON.name.replace("-", "") / "site-packages"
    if str(found) not in sys.path:
        site.addsitedir(str(found))
