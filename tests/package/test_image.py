"""What the Dockerfile does, done without a container engine: the commands of each stage in a minimal Debian of its own, the
release that the stage is made from. What comes of it runs as the image's user. The first stage's Debian, which is newer than
most that the tests run on, also builds the whole project and passes the tests that need no other services: libraries differ."""
import pathlib
import re
import shlex
import sys
import tempfile
import unittest

from surroundings import ROOT, main_with_root, make_root, output

SECONDS = 1200
RELEASES = {"debian:13": "trixie", "debian:13-slim": "trixie"}
INSIDE = "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root"
# Against librdkafka's embedded cluster and in one process; ./dev installs what it lacks.
TESTS = [
    'mkdir "$1/tree"',
    f'tar -C {shlex.quote(str(ROOT))} --exclude=./build --exclude=./.run --exclude=./.git -cf - . | tar -C "$1/tree" -xf -',
    f'chroot "$1" {INSIDE} sh -ec "cd /tree && ./dev build && ctest --test-dir build/dev -L \'unit|embedded\' -j 2 '
    '--output-on-failure --repeat until-pass:2"',
]


class Stage:
    """A stage of the Dockerfile as lines for a shell whose $1 is its root; compose.files has the file read by a real parser."""

    def __init__(self, base):
        self.release = RELEASES[base]
        self.lines = []
        self.variables = {}
        self.user = "0:0"
        self.folder = "/"

    def add(self, name, rest, handed):
        if name == "RUN":
            self.lines.append(f'chroot "$1" {INSIDE} sh -ec {shlex.quote(f"cd {self.folder} && {rest}")}')
        elif name == "WORKDIR":
            self.folder = rest
            self.lines.append(f'mkdir -p "$1{rest}"')
        elif name == "COPY" and rest == "--from=build /installed/ /":
            self.lines.append(f'cp -a {handed}/installed/. "$1/"')
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                whole = shlex.quote(str(ROOT / source)) + ("/." if source.endswith("/") else "")
                self.lines.append(f'mkdir -p "$1{self.folder}/{target}" && cp -r {whole} "$1{self.folder}/{target}"')
        elif name == "ENV":
            self.variables |= dict([rest.split("=", 1)])
        elif name == "USER":
            self.user = rest


def stages(handed):
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M))
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append(Stage(rest.split()[0]))
        else:
            found[-1].add(name, rest, handed)
    return found


class Image(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orderflow-image-")
        self.addCleanup(folder.cleanup)
        self.handed = pathlib.Path(folder.name)
        self.build, self.final = stages(self.handed)

    def make(self, stage, lines):
        """A root as small as the images of Debian, with these lines run in it; what they printed."""
        script = self.handed / "script"
        script.write_text("\n".join(["#!/bin/sh", "set -ex", 'mount -t proc proc "$1/proc"', *stage.lines, *lines,
                                     "echo all of it worked", ""]))
        script.chmod(0o755)
        done = make_root(stage.release, "/dev/null", "--variant=minbase", "--format=null",
                         f'--customize-hook=unshare --mount {script} "$1"', seconds=SECONDS)
        self.assertEqual(done.returncode, 0, done.stdout[-20000:])
        self.assertIn("\nall of it worked\n", done.stdout)
        return done.stdout

    def test_it_is_built_and_runs(self):
        printed = self.make(self.build, [f'cp -a "$1/installed" {self.handed}', *TESTS])
        print(*re.findall(r"^\d+% tests passed.*", printed, re.M), file=sys.stderr)
        program = self.handed / "installed" / "usr" / "bin" / "orderflow"
        sections = output("readelf", "--sections", "--wide", program)
        self.assertIn(".text", sections)
        self.assertNotIn(".debug_info", sections)
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--dynamic", program)))
        self.assertGreater(len(needed), 5)

        as_user = f'chroot --userspec={self.final.user} "$1" {INSIDE}'
        printed = self.make(self.final, [
            f'test -s "$1{self.final.variables["ORDERFLOW_CONFIG"]}"',
            'test -s "$1/usr/share/orderflow/orderflow.conf"',
            f'{as_user} sh -c "ldd /usr/bin/orderflow"',
            *(f"chroot \"$1\" {INSIDE} dpkg-query --search '*/{name}'" for name in sorted(needed)),
            f"{as_user} curl --version",
            f"{as_user} orderflow version",
            f"{as_user} orderflow demo --count 20 --interval-ms 20 --retry-delay-ms 100"])
        self.assertNotIn("not found", printed)
        self.assertRegex(printed, r"\norderflow \d+\.\d+\.\d+\n")
        self.assertIn("\n  orders processed   19\n", printed)
        self.assertNotEqual(self.final.user, "0:0")
        # Those that the program names itself; theirs come with their packages. The C library is always there.
        owners = set(re.findall(r"^([a-z0-9.+-]+):\S+ /\S+\.so\S*$", printed, re.M))
        self.assertGreater(len(owners), 5)
        self.assertEqual(owners - {"libc6"} - set(" ".join(self.final.lines).split()), set())


if __name__ == "__main__":
    main_with_root("the image")
