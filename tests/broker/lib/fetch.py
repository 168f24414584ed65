"""Java, the broker, the registry and the Python packages. Downloaded once; afterwards no network is needed."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from lib import places

REGISTRY_VERSIONS = ((21, "3.3.3"), (17, "2.6.13.Final"))   # needs Java, version; newest first
TRIES = 4
SKIPPED = 77    # the exit status by which CTest knows


class Missing(Exception):
    """Something that cannot be fetched from here: no Java, no Maven."""


def java():
    """(path, major version) of $JAVA_HOME's java or else the one on PATH; raises Missing below Java 17."""
    home = os.environ.get("JAVA_HOME")
    path = shutil.which(os.path.join(home, "bin", "java")) if home else None
    path = path or shutil.which("java")
    if not path:
        raise Missing("no java on PATH: install a Java 17 runtime or set JAVA_HOME")
    said = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=60).stderr
    found = re.search(r'version "(\d+)', said)
    major = int(found.group(1)) if found else 0
    if major < 17:
        raise Missing(f"{path} is Java {major}; the broker needs 17 or newer")
    return path, major


def kafka(version=None):
    """The folder with the broker's jars; version: another than kafka/pom.xml names."""
    pom = places.BROKER_TESTS / "kafka" / "pom.xml"
    return _fetched("kafka", pom, []) if version is None else _fetched(f"kafka-{version}", pom, [f"-Dkafka.version={version}"])


def registry():
    """The jar that starts the registry."""
    major = java()[1]
    version = next(version for needs, version in REGISTRY_VERSIONS if major >= needs)
    folder = _fetched(f"registry-{version}", places.BROKER_TESTS / "registry" / "pom.xml",
                      [f"-Dregistry.version={version}"])
    return next(jar for pattern in ("quarkus-run.jar", "*-runner.jar") for jar in folder.glob(pattern))


def avro():
    """The folder with the jars of Apache Avro's library for Java."""
    return _fetched("avro", places.ROOT / "tests" / "avro" / "java" / "pom.xml", [])


def python_packages():
    """requirements.txt in an environment of its own, found again by places.use_packages()."""
    wanted = places.BROKER_TESTS / "requirements.txt"

    def install(_part):
        shutil.rmtree(places.PYTHON, ignore_errors=True)   # an environment cannot be moved, so it is built in place
        subprocess.run([sys.executable, "-m", "venv", places.PYTHON], check=True, stdout=sys.stderr)
        subprocess.run([places.PYTHON / "bin" / "python", "-m", "pip", "install", "--quiet",
                        "--disable-pip-version-check", "--requirement", wanted], check=True, stdout=sys.stderr)

    _once(places.PYTHON, wanted.read_bytes(), "Python packages", install)
    return places.PYTHON


def python_serializer():
    """The interpreter that serializers/python/publish.py runs with: an environment apart from the tests' own."""
    wanted = places.BROKER_TESTS / "serializers" / "python" / "requirements.txt"
    folder = places.RUN / ("serializers-" + places.PYTHON.name)

    def install(_part):
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, stdout=sys.stderr)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--requirement", wanted], check=True, stdout=sys.stderr)

    _once(folder, wanted.read_bytes(), "confluent-kafka", install)
    return folder / "bin" / "python"


def java_serializer():
    """The folder with the jars of serializers/java, built."""
    source = places.BROKER_TESTS / "serializers" / "java"
    if not shutil.which("javac"):
        raise Missing("no javac on PATH: install a Java 17 development kit")
    inputs = b"".join(path.read_bytes() for path in (source / "pom.xml", *sorted(source.rglob("*.java"))))

    def install(part):
        subprocess.run(["mvn", "-q", "-B", "-Dstyle.color=never", "-f", source / "pom.xml", f"-Dout={part}", "package"],
                       check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=900)
        _take_place(part, folder)

    folder = places.RUN / "serializers-java"
    _once(folder, inputs, "and building the Java producer", install)
    return folder / "lib"


def go_program(source, folder, name, what):
    """The Go program of a folder of ours, built."""
    if not shutil.which("go"):
        raise Missing("no go on PATH: install Go 1.19 or newer")
    inputs = b"".join(path.read_bytes() for path in sorted(source.iterdir()))

    def install(part):
        subprocess.run(["go", "build", "-mod=readonly", "-o", part / name, "."], check=True, cwd=source,
                       stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=900)
        _take_place(part, folder)

    _once(folder, inputs, what, install)
    return folder / name


def go_serializer():
    """The program of serializers/go."""
    return go_program(places.BROKER_TESTS / "serializers" / "go", places.RUN / "serializers-go", "publish",
                      "and building the Go producer")


def promlint():
    """Prometheus' linter of metrics."""
    return go_program(places.BROKER_TESTS / "promlint", places.RUN / "promlint", "promlint", "and building promlint")


def everything():
    java()
    python_packages()
    kafka()
    registry()


def ready():
    """For tests: has everything, or ends this process. Without Java the lane is skipped, unless that is forbidden."""
    try:
        everything()
    except Missing as error:
        sys.exit(skip_or_fail(error))
    places.use_packages()


def skip_or_fail(error):
    """Says that the lane is skipped, or failed where it must run, and returns the exit status for that."""
    if os.environ.get("ORDERFLOW_REQUIRE_BROKER") == "1":
        print(f"FAILED: {error} (ORDERFLOW_REQUIRE_BROKER=1)", flush=True)
        return 1
    print(f"SKIPPED: {error}", flush=True)
    return SKIPPED


def _fetched(name, pom, options):
    if not shutil.which("mvn"):
        raise Missing("no mvn on PATH: install maven")

    def install(part):
        subprocess.run(["mvn", "-q", "-B", "-Dstyle.color=never", "-f", pom, f"-Dout={part}", *options, "process-resources"],
                       check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=900)
        _take_place(part, folder)

    folder = places.RUN / name
    _once(folder, pom.read_bytes() + " ".join(options).encode(), name, install)
    return folder


def _take_place(part, folder):
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


def _once(folder, inputs, what, install):
    """Runs install(part) unless `folder` was made from the same inputs before. One process at a time; retried."""
    mark = hashlib.sha256(inputs).hexdigest()
    stamp = folder.with_name(folder.name + ".stamp")
    places.RUN.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(folder.name + ".lock")):
        if folder.is_dir() and stamp.exists() and stamp.read_text() == mark:
            return
        part = folder.with_name(folder.name + ".part")
        for attempt in range(1, TRIES + 1):
            print(f"fetching {what}", file=sys.stderr, flush=True)
            shutil.rmtree(part, ignore_errors=True)
            try:
                install(part)
                break
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                if attempt == TRIES:
                    raise
                print(f"{what}: {error}; trying again", file=sys.stderr, flush=True)
                time.sleep(5 * attempt)
        stamp.unlink(missing_ok=True)   # it may be a link too
        stamp.write_text(mark)


@contextlib.contextmanager
def _locked(path: pathlib.Path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
