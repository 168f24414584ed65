"""Every command in docs/*.md: run as it is written, or, where there is no engine for it, read.

Run: orderflow, kcat, Kafka's tools. Read by what their projects document, and against the files and names in this tree that
they speak of: docker, kubectl, systemd, apt, CMake, ./dev. A command that neither can do fails Everything.
"""
import argparse
import json
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from lib import documents, fetch, orders, places, process
from lib.environment import main
from lib.newcomer import KAFKA_TOOLS, SECONDS, Newcomer
from lib.orderflow import program_path

import yaml     # found since lib.environment is there

SALE = {"type": "record", "name": "Sale", "namespace": "shop", "fields": [
    {"name": "saleId", "type": "string"},
    {"name": "key", "type": "long", "default": 0},
    {"name": "product", "type": "string", "default": ""},
    {"name": "price", "type": "double", "default": 0},
    {"name": "paid", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "default": ""}]}
PAID = {"type": "record", "name": "Paid", "fields": [
    {"name": "orderId", "type": "string"}, {"name": "product", "type": "string"}, {"name": "paid", "type": "long"}]}
NESTED = {"type": "record", "name": "Sale", "fields": [
    {"name": "key", "type": "long"},
    {"name": "tags", "type": {"type": "map", "values": "string"}},
    {"name": "item", "type": ["null", {"type": "record", "name": "Item", "fields": [
        {"name": "kind", "type": "string"},
        {"name": "paid", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}]}]}]}


def program_commands():
    text = subprocess.run([program_path(), "help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z]+) +\S", text, re.M)


def every(*tools):
    return [(name, command) for name in documents.names() for command in documents.commands(name)
            if command.split()[0] in tools]


class Everything(unittest.TestCase):
    def test_commands_are_known(self):
        found = [(name, command) for name in documents.names() for command in documents.commands(name)]
        self.assertGreater(len(found), 60)
        answered = {command for case in (Run, Read) for tools in case.answers for _, command in every(tools)}
        self.assertEqual([(name, command) for name, command in found if command not in answered], [])

    def test_what_is_found(self):
        text = ("    orderflow a # why\n    orderflow b \\\n        c\n\n`orderflow d\ne`, `--f g`, `orderflow`\n\n"
                "    $ orderflow h\n    its output\n\n```\n    orderflow output\n```\n\n```sh\norderflow\n```\n")
        self.assertEqual(list(documents._commands(text)), ["orderflow a", "orderflow b c", "orderflow h", "orderflow d e"])

    def test_options_exist(self):
        """Of the program, of ./dev, of the benchmarks and of chaos."""
        known = "".join(subprocess.run([program_path(), command, "--help"], capture_output=True, text=True).stdout
                        for command in program_commands())
        known = set(re.findall(r"--(?:\[no-\])?([a-z][a-z-]*)", known))
        known |= {f"no-{name}" for name in known}
        template = subprocess.run([program_path(), "config", "template"], capture_output=True, text=True).stdout
        known |= set(re.findall(r"^#([a-z-]+) =", template, re.M))      # what is secret is told not to be a flag
        known |= {"all", "lane", "schedules", "crash-points", "version"}
        for name in documents.names():
            wrong = {option for option in documents.options(name) if option[2:] not in known}
            self.assertEqual(wrong, set(), name)


class Shown(unittest.TestCase):
    """Output that a document shows, where it needs no broker and is always the same."""

    def printed(self, command, folder=places.ROOT):
        return subprocess.run([program_path(), *command.split()[1:]], cwd=folder, capture_output=True, text=True,
                              check=True).stdout.rstrip("\n")

    def test_the_wiring(self):
        command = "orderflow run --print-wiring"
        self.assertEqual(documents.shown("architecture.md", command), self.printed(command))

    def test_the_steps_of_a_plan(self):
        command, = [command for command in documents.commands("schemas.md") if "item.paid" in command]
        with tempfile.TemporaryDirectory(prefix="orderflow-documents-") as folder:
            (pathlib.Path(folder) / "sale.avsc").write_text(json.dumps(NESTED))
            self.assertEqual(documents.shown("schemas.md", command), self.printed(command, folder))


class Run(Newcomer):
    """On a broker, in a folder with the files that the documents speak of."""
    answers = ("orderflow", "kill", "kcat", "kafka-console-consumer.sh", "kafka-consumer-groups.sh", "kafka-topics.sh")

    def setUp(self):
        super().setUp()
        java, _ = fetch.java()
        for name, of_class in {**KAFKA_TOOLS, "kafka-topics.sh": "TopicCommand"}.items():
            self.make_tool(name, f'exec {java} -cp "{fetch.kafka()}/*" org.apache.kafka.tools.{of_class} "$@"')
        self.variables |= {"HOME": str(self.folder), "MANPAGER": "cat"}
        for folder in (".local/share/bash-completion/completions", ".zsh/completions", ".config/fish/completions"):
            (self.folder / folder).mkdir(parents=True)
        (self.folder / "orderflow.conf").write_text("retry-delay-ms = 500\n")
        (self.folder / "order.avsc").write_text((places.ROOT / "schemas" / "order.avsc").read_text())
        (self.folder / "sale.avsc").write_text(json.dumps(SALE))
        (self.folder / "nested.avsc").write_text(json.dumps(NESTED))
        (self.folder / "sales.csv").write_text("saleId,product,price,paid\ns1,Desk,10.5,10.50\ns2,Chair,2,2.00\n")
        self.schema_id = self.registry.register(self.unique("paid") + "-value", PAID)

    def written_here(self, command):
        """The command with this lane's addresses, names and numbers."""
        command = command.replace("/etc/orderflow/orderflow.conf", "orderflow.conf")
        command = re.sub(r"--id (7|N)\b", f"--id {self.schema_id} --value-field paid", command)
        command = command.replace("help COMMAND", "help run").replace("explain KEY", "explain max-retries")
        command = command.replace("--http ADDRESS", f"--http {process.free_port()}")
        command = command.replace("0.0.0.0:8080", f"127.0.0.1:{process.free_port()}")
        command = command.replace("--http 8080", f"--http {process.free_port()}")
        if "item.paid" in command:
            command = command.replace("sale.avsc", "nested.avsc")
        return command.replace("http://localhost:8081", self.registry_url)

    def test_orderflow(self):
        self.publish(20)
        for group in ("order-consumer-group", "shop"):
            self.output(f"orderflow run --group {group} --exit-at-end")
        for name, command in every("orderflow"):
            with self.subTest(name, command=command):
                self.perform(self.written_here(command))

    def perform(self, command):
        if command.split()[1] == "run" and "--print-wiring" not in command and "--help" not in command:
            self.start_and_stop(command, "run: instance: ")
        elif "--follow" in command:
            self.start_and_stop(command, "orders processed ")
        elif command.split()[1:] == ["schema"]:
            self.output(command, status=2)      # which says what may follow
        elif command.split()[1] == "doctor":
            self.output(f"{command}; [ $? -le 1 ]")     # 1: something is to be fixed, such as the lane's one broker
        else:
            self.output(command)

    def start_and_stop(self, command, until):
        with self.terminal(command) as terminal:
            terminal.wait_for(until, SECONDS)
            self.stop(terminal)

    def test_signals(self):
        """Those that the documents have people send to a run, which goes on."""
        for name, command in every("kill"):
            with self.subTest(name, command=command), self.terminal("orderflow run") as run:
                run.wait_for("run: instance: ", SECONDS)
                run.wait_for("^assigned", SECONDS, count=3)
                self.output(command.replace("$(pidof orderflow)", f"$(pgrep -P {run.child.pid} || echo {run.child.pid})"))
                self.publish(1)
                run.wait_for("^processed", SECONDS)
                self.stop(run)

    def test_looking_into_topics(self):
        self.publish(20)
        self.output("orderflow run --exit-at-end --failure-rate 0.5 --max-retries 1 --retry-delay-ms 10")
        for name, command in every("kcat", *(tool for tool in self.answers if tool.endswith(".sh"))):
            with self.subTest(name, command=command):
                self.look(self.written_here(command))

    def look(self, command):
        if "value=avro" in command:     # Debian's kcat says that it cannot
            self.assertIn("avro", self.output(command, status=1).lower())
        elif "-o end" in command or "console-consumer" in command:
            self.follow(command)
        else:
            self.assertGreater(len(self.output(command).splitlines()), 0, command)

    def follow(self, command):
        """It goes on until it is stopped; what is published meanwhile must appear."""
        with self.terminal(command) as terminal:
            def something_came():
                self.publish(1)
                return terminal.text().strip()
            process.wait_until(something_came, SECONDS, f"{command} shows something")
            terminal.interrupt()

    def test_sums_are_those_of_the_topics(self):
        """What `orderflow stats --json` says in the documents' own pipe."""
        self.publish(20)
        self.output("orderflow run --exit-at-end")
        command, = [command for _, command in every("orderflow") if "| jq" in command]
        names = json.loads(self.output(command))
        found = {orders.decode(record.value)[1].product for record in self.client.read("orders")}
        self.assertEqual(len(names), len(found))


class Read(unittest.TestCase):
    """Without an engine: by the arguments that exist, and the files and names that they speak of."""
    answers = ("./dev", "docker", "kubectl", "systemctl", "systemd-analyze", "journalctl", "editor", "apt", "cmake", "ninja",
             "CC=clang", "build/fuzz/tests/fuzz/fuzz_plan_decode", "kafka-avro-console-consumer")

    def each(self, *tools):
        """Commands with their arguments; there is at least one."""
        found = [shlex.split(command) for _, command in every(*tools)]
        self.assertTrue(found, tools)
        return found

    def test_dev(self):
        usage = subprocess.run(["./dev", "help"], cwd=places.ROOT, capture_output=True, text=True, check=True).stdout
        chaos = subprocess.run([places.BROKER_TESTS / "chaos", "--help"], capture_output=True, text=True).stdout
        for _, command, *arguments in self.each("./dev"):
            self.assertRegex(usage, rf"(?m)^  (?:\w+\|)*{command}\b|^  {command}\b", command)
            text = {"chaos": chaos, "bench": self.benchmark(arguments)}.get(command, usage)
            for argument in arguments:
                if argument.startswith("--"):
                    self.assertTrue(argument in text, f"./dev {command} has no {argument}")
            if "--lane" in arguments:
                self.assertIn(arguments[arguments.index("--lane") + 1], re.search(r"--lane LANE.*?repeated", usage, re.S).group())

    @staticmethod
    def benchmark(arguments):
        """All that the sources say of one, and what they share: its options are among that."""
        sources = sorted(path for path in (places.ROOT / "bench").iterdir() if path.is_file())
        name = arguments[0] if arguments else ""
        return "".join(path.read_text() for path in sources if path.stem in (name, "drains"))

    def test_docker(self):
        engine = docker()
        for command in self.each("docker"):
            wanted = engine.parse_args(command[1:])
            if getattr(wanted, "image", None) == "orderflow" and wanted.command:
                self.assertIn(wanted.command[0], program_commands())

    def test_kubectl(self):
        client = kubectl()
        manifests = {}
        for path in (places.ROOT / "etc" / "kubernetes").glob("*.yaml"):
            found = yaml.safe_load(path.read_text())
            manifests[found["kind"]] = found
        name = manifests["StatefulSet"]["metadata"]["name"]
        container = manifests["StatefulSet"]["spec"]["template"]["spec"]["containers"][0]["name"]
        for command in self.each("kubectl"):
            wanted = client.parse_args(command[1:])
            if getattr(wanted, "target", None):
                self.assertEqual(wanted.target, f"statefulset/{name}", command)
            if getattr(wanted, "pod", None):
                self.assertRegex(wanted.pod, rf"^{name}-\d+$")
            if getattr(wanted, "image", None):
                self.assertEqual(wanted.image.partition("=")[0], container)
            if getattr(wanted, "folder", None):
                self.assertTrue((places.ROOT / wanted.folder / "kustomization.yaml").exists())

    def test_service_manager(self):
        unit = (places.ROOT / "etc" / "systemd" / "orderflow.service").stem
        for _, *command in self.each("systemctl"):
            verb, *units = [word for word in command if not word.startswith("-")]
            self.assertIn(verb, ("enable", "disable", "start", "stop", "restart", "status", "edit", "reload", "kill"))
            self.assertLessEqual(set(units), {unit}, command)
            self.assertLessEqual(set(command) - {verb, *units}, {"--now", "--signal=USR1"})
        for command in self.each("systemd-analyze", "journalctl"):
            self.assertEqual(service_manager().parse_args(command).unit, unit, command)

    def test_installing(self):
        version = re.search(r"project\(orderflow VERSION (\S+)", (places.ROOT / "CMakeLists.txt").read_text()).group(1)
        for command in self.each("apt"):
            self.assertEqual(command[1], "install")
            for package in command[2:]:
                if package.startswith("./"):
                    self.assertEqual(package, f"./build/package/orderflow_{version}-1_amd64.deb")
                else:
                    known = subprocess.run(["apt-cache", "show", package], capture_output=True).returncode
                    self.assertEqual(known, 0, package)
        for _, path in self.each("editor"):
            self.assertEqual(path, "/etc/orderflow/orderflow.conf")

    def test_building(self):
        presets = {preset["name"] for preset in
                   json.loads((places.ROOT / "CMakePresets.json").read_text())["configurePresets"]}
        options = "".join(path.read_text() for path in places.ROOT.rglob("CMakeLists.txt")
                          if ".run" not in path.parts and "build" not in path.parts)
        for command in self.each("cmake", "CC=clang"):
            text = " ".join(command)
            for preset in re.findall(r"--preset (\S+)", text):
                self.assertIn(preset, presets)
            for option in re.findall(r"-D(ORDERFLOW_\w+)=", text):
                self.assertIn(option, options)
        for command in self.each("ninja", "build/fuzz/tests/fuzz/fuzz_plan_decode"):
            text = " ".join(command)
            for target in re.findall(r"\b(fuzz_\w+)", text):
                self.assertTrue((places.ROOT / "tests" / "fuzz" / f"{target}.c").exists(), target)
            for corpus in re.findall(r"tests/fuzz/corpus/\w+", text):
                self.assertTrue((places.ROOT / corpus).is_dir(), corpus)

    def test_consumer_of_avro(self):
        """Confluent's, which is not in Apache Kafka."""
        for command in self.each("kafka-avro-console-consumer"):
            consumer = argparse.ArgumentParser()
            for option in ("--bootstrap-server", "--topic", "--isolation-level"):
                consumer.add_argument(option, required=True)
            consumer.add_argument("--from-beginning", action="store_true")
            consumer.add_argument("--property", action="append")
            self.assertEqual(consumer.parse_args(command[1:]).topic, "orders-aggregates")


def parser(subparsers, command, *flags, **values):
    found = subparsers.add_parser(command)
    for flag in flags:
        found.add_argument(*flag.split("/"), action="store_true")
    for option, extra in values.items():
        found.add_argument("--" + option.replace("_", "-"), **extra)
    return found


def docker():
    """The part of Docker's command line that the documents use."""
    engine = argparse.ArgumentParser("docker")
    commands = engine.add_subparsers(required=True)
    build = parser(commands, "build")
    build.add_argument("-t", "--tag", required=True)
    build.add_argument("folder")
    run = parser(commands, "run", "--rm", "-d/--detach", name={}, stop_timeout={"type": int},
                 volume={"action": "append"}, env={"action": "append"})
    run.add_argument("image")
    run.add_argument("command", nargs=argparse.REMAINDER)
    inside = parser(parser(commands, "compose").add_subparsers(required=True), "exec")
    inside.add_argument("service", choices=yaml.safe_load((places.ROOT / "docker-compose.yml").read_text())["services"])
    inside.add_argument("arguments", nargs="+")
    return engine


def kubectl():
    client = argparse.ArgumentParser("kubectl")
    commands = client.add_subparsers(required=True)
    apply = parser(commands, "apply")
    what = apply.add_mutually_exclusive_group(required=True)
    what.add_argument("-f", dest="file")
    what.add_argument("-k", dest="folder")
    rollout = parser(commands, "rollout")
    rollout.add_argument("what", choices=("status", "restart", "undo"))
    rollout.add_argument("target")
    parser(commands, "logs", "--follow").add_argument("pod")
    forward = parser(commands, "port-forward")
    forward.add_argument("pod")
    forward.add_argument("ports", type=int)
    change = parser(commands, "set")
    change.add_argument("what", choices=("image",))
    change.add_argument("target")
    change.add_argument("image")
    scale = parser(commands, "scale", replicas={"type": int, "required": True})
    scale.add_argument("target")
    return client


def service_manager():
    tools = argparse.ArgumentParser()
    commands = tools.add_subparsers(required=True)
    analyze = parser(commands, "systemd-analyze")
    analyze.add_argument("what", choices=("security", "verify"))
    analyze.add_argument("unit")
    parser(commands, "journalctl", "--follow", unit={"required": True})
    return tools


if __name__ == "__main__":
    main()
