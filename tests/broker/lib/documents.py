"""What docs/*.md tell people to type.

    for command in commands("operations.md"): ...       `orderflow run --http 8080`, `docker run --rm orderflow help`

A command is a line of an indented or shell-like block (of a block with `$ ` in it only the lines behind that), or an
inline span that begins with one of TOOLS. The first word must be known: what nobody can run or read is an error.
"""
import re

from lib import places

FOLDER = places.ROOT / "docs"
TOOLS = ("orderflow", "./dev", "docker", "kubectl", "systemctl", "systemd-analyze", "journalctl", "editor", "apt", "kill", "kcat",
         "kafka-console-consumer.sh", "kafka-consumer-groups.sh", "kafka-topics.sh", "kafka-avro-console-consumer", "cmake",
         "ninja", "CC=clang", "build/fuzz/tests/fuzz/fuzz_plan_decode")


def names():
    return sorted(path.name for path in FOLDER.glob("*.md"))


def commands(name):
    """In order, each once."""
    return list(dict.fromkeys(_commands((FOLDER / name).read_text())))


def _commands(text):
    shell = re.sub(r"^```(?!(?:sh|shell|bash|console)$).*?^```$", "", text, flags=re.M | re.S)     # output, JSON, Python
    for block in re.findall(r"(?:^ {4}.*\n|^ {4}.*\Z|^\n(?= {4}))+", shell, re.M):
        lines = _joined(line[4:] for line in block.splitlines() if line.strip())
        typed = [line for line in lines if line.startswith("$ ")]
        yield from map(_without_comment, typed or lines)
    prose = re.sub(r"^ {4}.*$", "", shell, flags=re.M)
    for span in re.findall(r"`([^`]+)`", prose):
        span = re.sub(r"\s+", " ", span.replace("\\|", "|"))
        if " " in span and span.split()[0] in TOOLS:
            yield span


def _joined(lines):
    """Those that go on in the next line."""
    found = []
    for line in lines:
        if found and found[-1].endswith("\\"):
            found[-1] = found[-1][:-1].rstrip() + " " + line.strip()
        else:
            found.append(line)
    return found


def _without_comment(line):
    return re.sub(r"\s+#.*$", "", line.strip()).removeprefix("$ ")


def shown(name, command):
    """The lines that a document shows below `$ command`, in its block."""
    text = (FOLDER / name).read_text()
    block = text.partition(f"    $ {command}\n")[2]
    return re.match(r"((?:    .*)?\n)*", block).group().rstrip("\n").replace("\n    ", "\n").removeprefix("    ")


def options(name):
    """The options that are named by themselves in a document: `--retry-delay-ms 5000`."""
    text = re.sub(r"^```.*?^```$", "", (FOLDER / name).read_text(), flags=re.M | re.S)
    return set(re.findall(r"`(--[a-z][a-z-]*)", text))
