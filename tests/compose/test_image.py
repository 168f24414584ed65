"""What the Dockerfile does, done here: its packages exist, its build stage builds from what it copies, and its last
stage installs every library that the program needs."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def instructions():
    """One list of (instruction, rest) per stage. compose.files has it read by a real parser."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M))
    stages = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest))
    return stages


def packages(stage):
    for name, rest in stage:
        found = re.search(r"apt-get install -y --no-install-recommends (.*?)&&", rest + " &&")
        if name == "RUN" and found:
            return found.group(1).split()
    raise AssertionError("no packages")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Image(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.build, cls.final = instructions()

    @unittest.skipUnless(shutil.which("apt-cache"), "no apt-cache")
    def test_packages_exist(self):
        wanted = set(packages(self.build) + packages(self.final))
        self.assertGreater(len(wanted), 15)
        known = set(re.findall(r"^Package: (.*)$", output("apt-cache", "show", "--no-all-versions", *wanted), re.M))
        self.assertEqual(wanted - known, set())

    def test_it_builds_from_what_it_copies(self):
        with tempfile.TemporaryDirectory(prefix="orderflow-image-") as folder:
            folder = pathlib.Path(folder)
            source, installed = folder / "source", folder / "installed"
            source.mkdir()
            self.copy_to(source)
            for name, rest in self.build:
                if name == "RUN" and "cmake" in rest:
                    self.run_in(source, rest.replace("/installed", str(installed)))
            program = installed / "usr" / "bin" / "orderflow"
            self.assertRegex(output(program, "version"), r"^orderflow \d+\.\d+\.\d+\n$")
            self.assertTrue((installed / "usr" / "share" / "orderflow" / "orderflow.conf").exists())
            variables = dict(rest.split("=", 1) for name, rest in self.final if name == "ENV")
            self.assertTrue((installed / variables["ORDERFLOW_CONFIG"].lstrip("/")).exists(), "what it is configured by")
            self.assertNotIn(".debug_info", output("readelf", "--sections", "--wide", program))
            self.assert_libraries(program)

    def copy_to(self, folder):
        for name, rest in self.build:
            if name != "COPY":
                continue
            *sources, target = rest.split()
            for part in sources:
                if (ROOT / part).is_dir():
                    shutil.copytree(ROOT / part, folder / target)
                else:
                    shutil.copy(ROOT / part, folder / target)

    def run_in(self, folder, command):
        environment = {**os.environ, "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count())}
        done = subprocess.run(["sh", "-ec", command], cwd=folder, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])

    def assert_libraries(self, program):
        """Those that the program names itself; theirs come with their packages. The C library is always there."""
        if not shutil.which("dpkg-query"):
            return
        names = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--dynamic", program)))
        found = output("ldd", program)
        paths = dict(re.findall(r"^\s*(\S+) => (/\S+)", found, re.M))
        paths |= {pathlib.Path(path).name: path for path in re.findall(r"^\s*(/\S+) \(", found, re.M)}    # the loader
        self.assertGreater(len(names), 5)
        owners = set()
        for name in names:
            owners.add(self.owner(pathlib.Path(paths[name]).resolve()))
        self.assertEqual(owners - {"libc6"} - set(packages(self.final)), set())

    def owner(self, path):
        """The package of a file; packages may know /usr/lib still as /lib."""
        for name in (str(path), str(path).removeprefix("/usr")):
            found = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True).stdout
            if found:
                return found.split(":")[0]
        return str(path)


if __name__ == "__main__":
    program = unittest.main(exit=False, verbosity=2)
    sys.exit(not program.result.wasSuccessful())
