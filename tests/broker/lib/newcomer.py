"""What a newcomer has: a clone of the tree, a shell with the README's commands, a broker that nobody has used."""
import os
import re
import shutil

from lib import fetch, places, process
from lib.environment import TestCase
from lib.orderflow import program_path
from lib.terminal import Terminal

TOPICS = ("orders", "orders-retry", "orders-dlq", "orders-aggregates")
GROUPS = ("order-consumer-group", "another-group")
KAFKA_TOOLS = {"kafka-console-consumer.sh": "consumer.ConsoleConsumer",
               "kafka-consumer-groups.sh": "consumer.group.ConsumerGroupCommand"}
SECONDS = 60


class Newcomer(TestCase):
    """A folder with the commands of the README on its PATH; a broker without a trace of earlier tests."""

    def setUp(self):
        super().setUp()
        self.tree = self.folder / "orderflow"
        self.tools = self.folder / "bin"
        self.make_tree()
        self.make_tools()
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
        self.variables |= {"PATH": f"{self.tools}:{os.environ['PATH']}", "ORDERFLOW_BROKERS": self.bootstrap,
                           "ORDERFLOW_REGISTRY": self.registry_url}
        self.forget()

    def make_tree(self):
        """What `git clone` and ./dev build leave."""
        self.tree.mkdir()
        for part in places.ROOT.iterdir():
            if part.name not in ("build", ".run", ".git", "dev", "bench"):
                (self.tree / part.name).symlink_to(part)
        shutil.copy2(places.ROOT / "dev", self.tree / "dev")       # which goes to the folder that it is in
        shutil.copytree(places.ROOT / "bench", self.tree / "bench")
        (self.tree / "build").mkdir()
        (self.tree / "build" / "dev").symlink_to(program_path().resolve().parent.parent)
        (self.tree / "build" / "release").symlink_to(self.tree / "build" / "dev")

    def make_tools(self):
        self.tools.mkdir()
        (self.tools / "orderflow").symlink_to(program_path().resolve())
        self.make_tool("cmake", f'echo "cmake $*" >>{self.folder}/cmake.log')
        java, _ = fetch.java()
        for name, of_class in KAFKA_TOOLS.items():
            self.make_tool(name, f'exec {java} -cp "{fetch.kafka()}/*" org.apache.kafka.tools.{of_class} "$@"')

    def make_tool(self, name, script):
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def forget(self):
        """Topics, offsets of the groups. Members of the last test's runs are gone or dead."""
        for topic in self.client.topics() & set(TOPICS):
            self.client.delete_topic(topic)
        for group in GROUPS:
            process.wait_until(lambda group=group: not self.client.members(group), 60, f"nobody is in {group}")
            process.wait_until(lambda group=group: not self.client.committed(group), 30, f"offsets of {group} are gone")

    # --- typing -----------------------------------------------------------------------------------------------------

    def here(self, command):
        """The README's addresses are this lane's."""
        return command.replace("localhost:9092", self.bootstrap)

    def terminal(self, command, directory=None, tty=False, **variables):
        return Terminal(self.here(command), folder=self.folder, directory=directory, tty=tty,
                        environment={**self.variables, **variables})

    def output(self, command, seconds=SECONDS, status=0, **options):
        """All that it prints until it ends by itself."""
        with self.terminal(command, **options) as terminal:
            return terminal.end(seconds, status)

    def dev_terminal(self, command, **options):
        """A command of ./dev in the copy of the tree."""
        return self.terminal(command, directory=self.tree, ORDERFLOW_SKIP_SETUP="1", **options)

    def dev(self, command, seconds=SECONDS, status=0, **options):
        with self.dev_terminal(command, **options) as terminal:
            return terminal.end(seconds, status)

    def publish(self, count=20, rate=0):
        self.assertIn(f"orders delivered   {count}\n", self.output(f"orderflow produce --count {count} --rate {rate}"))

    def stop(self, terminal):
        """Ctrl+C; returns all that was printed."""
        terminal.interrupt()
        return terminal.end(SECONDS)

    def statistics(self, text):
        """{label: value} of the final statistics."""
        self.assertIn("Final statistics\n", text)
        rows = re.findall(r"^  (\S+(?: \S+)*) {2,}(\S.*)$", text[text.index("Final statistics\n"):], re.M)
        return {label: value.split(" ")[0] for label, value in rows}

    def dead_letters(self, cause, count):
        letters = self.client.read("orders-dlq")
        self.assertEqual([letter.header("__orderflow.errors.cause") for letter in letters], [cause] * count)
        return letters


def held(terminal):
    """The partitions of the orders that a run has told of having."""
    found = []
    for change, number in re.findall(r"^(assigned|revoked|lost) +orders\[(\d+)\] ", terminal.text(), re.M):
        found = found + [int(number)] if change == "assigned" else [p for p in found if p != int(number)]
    return found
