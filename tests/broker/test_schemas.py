"""Orders of schemas beyond the flat one: nested, nullable, decimal; read as a reader's schema; or not to be read at all."""
import io
import json
import subprocess
from decimal import Decimal

from lib import orders
from lib.client import Record
from lib.environment import TestCase, main
from lib.flow import Flow
from lib.orderflow import program_path

import fastavro  # noqa: E402 the packages are there once the environment is

MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
SALE = {"type": "record", "name": "Sale", "fields": [
    {"name": "tags", "type": {"type": "map", "values": {"type": "array", "items": "string"}}},
    {"name": "parent", "type": ["null", "Sale"]},
    {"name": "key", "type": "long"},
    {"name": "item", "type": ["null", {"type": "record", "name": "Item", "fields": [
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["LAMP", "DESK"]}},
        {"name": "paid", "type": MONEY}]}]}]}
SALE_FLAGS = ("--id-field", "key", "--group-by-field", "item.kind", "--value-field", "item.paid")


def sale(number, paid, kind="LAMP", depth=0):
    parent = None if depth == 0 else sale(number, paid, kind, depth - 1)
    return {"tags": {"a": ["b", ""]}, "parent": parent, "key": number, "item": {"kind": kind, "paid": Decimal(paid)}}


def frame(number, schema, value):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)
    return orders.frame(number, out.getvalue())


class Schemas(TestCase):
    def register(self, schema):
        return self.registry.register(self.unique("subject"), schema)

    def run_to_end(self, flow, *flags):
        with flow.run("--exit-at-end", *flags) as program:
            return program.final(60)["run"]

    def messages(self, flow):
        return sorted(record.header("__orderflow.errors.message") for record in flow.dead_letters())

    def test_decimals_in_nested_records(self):
        flow, number = Flow(self), self.register(SALE)
        values = [frame(number, SALE, sale(i, "0.10", "LAMP" if i % 4 else "DESK", i % 3)) for i in range(1000)]
        values.append(frame(number, SALE, {**sale(1, "1"), "item": None}))
        values.append(values[0] + b"\0")
        flow.publish([Record.of(value, b"k", i % 3) for i, value in enumerate(values)])
        totals = self.run_to_end(flow, *SALE_FLAGS)
        self.assertEqual((totals["orders_processed"], totals["price_sum"], totals["price_average"]), (1000, "100", 0.1))
        self.assertEqual({name: row["price_sum"] for name, row in totals["products"].items()},
                         {"DESK": "25", "LAMP": "75"})
        self.assertEqual(self.messages(flow), [
            f"byte {len(values[0]) - 5}: bytes follow the last field",
            'field "item" (union of null and record Item), byte 11: a field that is needed is null'])

    def test_kinds_of_numbers_on_one_topic(self):
        flow = Flow(self)
        types = {"float": [0.5], "double": [0.25], "int": [3], "long": [2**53 + 1, -1],
                 "decimal": [Decimal("0.10"), Decimal("0.01")]}
        records = []
        for name, values in types.items():
            schema = {"type": "record", "name": "Order", "fields": [
                {"name": "orderId", "type": "string"}, {"name": "product", "type": "string"},
                {"name": "price", "type": MONEY if name == "decimal" else name}]}
            number = self.register(schema)
            records += [Record.of(frame(number, schema, {"orderId": "i", "product": "p", "price": value}), b"k")
                        for value in values]
        flow.publish(records * 10)
        self.assertEqual(self.run_to_end(flow)["price_sum"], "90071992547409958.6")

    def test_a_readers_schema(self):
        flow, number = Flow(self), self.register(SALE)
        other = self.register({"type": "record", "name": "Sale", "fields": [{"name": "key", "type": "string"}]})
        reader = self.folder / "reader.avsc"
        self.folder.mkdir(parents=True, exist_ok=True)
        reader.write_text(json.dumps({"type": "record", "name": "Sale", "fields": [
            {"name": "id", "type": "double", "aliases": ["key"]},
            {"name": "shop", "type": "string", "default": "none"},
            {"name": "number", "type": "long", "default": 7}]}))
        flow.publish([Record.of(frame(number, SALE, sale(i, "1")), b"k") for i in range(10)]
                     + [Record.of(orders.frame(other, b"\2x"), b"k")])
        totals = self.run_to_end(flow, "--reader-schema", reader, "--value-field", "id", "--group-by-field", "shop",
                                 "--id-field", "number")
        self.assertEqual((totals["price_sum"], list(totals["products"])), ("45", ["none"]))
        self.assertEqual(self.messages(flow), [f'schema id {other}: field "id": the writer\'s string cannot be read as '
                                               "the reader's double"])

    def test_schemas_of_the_registry_are_explained(self):
        number = self.register(SALE)
        said = subprocess.run([program_path(), "schema", "explain", "--id", str(number), "--registry", self.registry_url,
                               *SALE_FLAGS], capture_output=True, text=True, timeout=30)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("  item.paid  decimal(12,2) as bytes         value\n", said.stdout)


if __name__ == "__main__":
    main()
