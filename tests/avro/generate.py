#!/usr/bin/env python3
"""Random writer schemas, reader schemas and records, and what an implementation of Avro that is not ours makes of them.

    python3 generate.py --schemas 5000 --seed 7 > vectors.jsonl

One line per schema: the writer's, the reader's or none, the three fields, and records with the fields that fastavro
reads from them, or "error" where it refuses or where the plan must (null in a field, a branch of an impossible type);
with "record_for_record": "union" where it refuses a record that we may read (see refused_record), "type" where Java's
library may read it, but not we.
test_vectors.c compares. Needs fastavro; where that departs from the specification, `expectation` says so.
"""
import argparse
import ast
import decimal
import io
import json
import random
import re
import struct

import fastavro
import fastavro.read

# Numbers and texts as they are written, not as Python's own types. The pure-Python and the compiled reader share these.
for name in [n for n in fastavro.read.LOGICAL_READERS if not n.endswith("decimal")]:
    del fastavro.read.LOGICAL_READERS[name]
decimal.getcontext().prec = 2000

NUMBERS = ["int", "long", "float", "double"]
PROMOTIONS = {"int": ["long", "double"], "long": ["double"], "float": ["double"], "string": ["bytes"],
              "bytes": ["string"]}
SIMPLE = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]


class Maker:
    def __init__(self, rng):
        self.rng = rng
        self.serial = 0
        self.named = []  # complete types that may be named again

    def name(self, kind):
        self.serial += 1
        return f"{kind}{self.serial}"

    # ---- types ----

    def decimal_type(self):
        precision = self.rng.randint(1, 30)
        scale = self.rng.randint(0, precision)
        logical = {"logicalType": "decimal", "precision": precision, "scale": scale}
        if self.rng.random() < 0.5:
            return {"type": "bytes", **logical}
        return {"type": "fixed", "name": self.name("D"), "size": self.rng.randint(14, 20), **logical}

    def enum(self):
        count = self.rng.randint(1, 5)
        return {"type": "enum", "name": self.name("E"), "symbols": [f"S{i}" for i in range(count)]}

    def value_type(self):
        return self.rng.choice(NUMBERS + [self.decimal_type(), self.decimal_type()])

    def text_type(self):
        return self.rng.choice(["string", "string", "bytes", "int", "long", self.enum(), {
            "type": "string", "logicalType": "uuid"}])

    def any_type(self, depth):
        pick = self.rng.random()
        if depth <= 0 or pick < 0.35:
            return self.rng.choice(SIMPLE)
        if pick < 0.42 and self.named:
            return self.rng.choice(self.named)["name"]
        if pick < 0.50:
            return self.remember(self.enum())
        if pick < 0.58:
            return self.remember({"type": "fixed", "name": self.name("F"), "size": self.rng.randint(0, 9)})
        if pick < 0.63:
            return self.decimal_type()
        if pick < 0.72:
            return {"type": "array", "items": self.any_type(depth - 1)}
        if pick < 0.80:
            return {"type": "map", "values": self.any_type(depth - 1)}
        if pick < 0.90:
            return self.union(depth - 1)
        return self.record(depth - 1)

    def remember(self, schema):
        self.named.append(schema)
        return schema

    def union(self, depth):
        branches, seen = [], set()
        for _ in range(self.rng.randint(1, 4)):
            branch = self.any_type(depth)
            kind = branch if isinstance(branch, str) else branch["type"] if isinstance(branch, dict) else None
            label = branch["name"] if isinstance(branch, dict) and "name" in branch else kind
            if kind is None or label in seen:
                continue
            seen.add(label)
            branches.append(branch)
        return branches or ["null"]

    def record(self, depth):
        name = self.name("R")
        fields = [{"name": f"f{i}", "type": self.any_type(depth)} for i in range(self.rng.randint(0, 4))]
        if self.rng.random() < 0.3:
            fields.append({"name": "next", "type": self.rng.choice([
                ["null", name], {"type": "array", "items": name}, {"type": "map", "values": name}])})
        return self.remember({"type": "record", "name": name, "fields": fields})

    def nullable(self, schema):
        pick = self.rng.random()
        if pick < 0.15:
            return ["null", schema]
        if pick < 0.22:
            return [schema, "null"]
        return schema

    def order(self):
        """A record that has the three fields, each at the top or in a record within it."""
        wanted = {"price": self.nullable(self.value_type()), "product": self.nullable(self.text_type()),
                  "orderId": self.nullable(self.text_type())}
        inner, outer, paths = [], [], {}
        for name, schema in wanted.items():
            nested = self.rng.random() < 0.3
            (inner if nested else outer).append({"name": name, "type": schema})
            paths[name] = f"sub.{name}" if nested else name
        for fields, most in ((inner, 2), (outer, 5)):
            for i in range(self.rng.randint(0, most)):
                fields.insert(self.rng.randint(0, len(fields)), {"name": f"x{i}", "type": self.any_type(3)})
        if inner:
            sub = {"type": "record", "name": "Sub", "fields": inner}
            outer.insert(self.rng.randint(0, len(outer)), {"name": "sub", "type": self.nullable(sub)})
        # Named types stand where they are met first: fields were made in another order than they stand in.
        return in_order({"type": "record", "name": "Order", "namespace": "t", "fields": outer}), paths


def in_order(schema):
    """Defines every named type at its first place."""
    definitions, done = {}, set()

    def collect(part):
        if isinstance(part, list):
            for branch in part:
                collect(branch)
        elif isinstance(part, dict):
            if "name" in part and "type" in part and part["type"] in ("record", "enum", "fixed"):
                definitions[part["name"]] = part
            for key in ("items", "values"):
                if key in part:
                    collect(part[key])
            for field in part.get("fields", []):
                collect(field["type"])

    def place(part):
        if isinstance(part, str):
            return place(definitions[part]) if part in definitions and part not in done else part
        if isinstance(part, list):
            return [place(branch) for branch in part]
        if "name" in part:
            if part["name"] in done:
                return part["name"]
            done.add(part["name"])
        placed = dict(part)
        for key in ("items", "values"):
            if key in part:
                placed[key] = place(part[key])
        if "fields" in part:
            placed["fields"] = [{**field, "type": place(field["type"])} for field in part["fields"]]
        return placed

    collect(schema)
    return place(schema)


# ---- readers ----

def default_of(rng, schema):
    """A default for a type, or KeyError."""
    if isinstance(schema, list):
        return default_of(rng, schema[0])
    if isinstance(schema, dict):
        if schema["type"] == "record":
            return {f["name"]: default_of(rng, f["type"]) for f in schema["fields"]}
        if schema["type"] == "enum":
            return rng.choice(schema["symbols"])
        if schema["type"] in ("array", "map"):
            return [] if schema["type"] == "array" else {}
        return {"string": "d"}[schema["type"]]
    return {"null": None, "boolean": True, "int": rng.randint(-99, 99), "long": rng.randint(-2**60, 2**60),
            "float": 0.5, "double": rng.random(), "string": "dé"}[schema]


def reader_of(rng, schema, chance):
    """Another schema that may or may not read the first."""
    if rng.random() < chance * 0.1:
        return rng.choice(SIMPLE)
    if isinstance(schema, list):
        if rng.random() < chance * 0.3:
            return reader_of(rng, rng.choice(schema), chance)
        branches = [reader_of(rng, branch, chance * 0.3) for branch in schema]
        if rng.random() < chance * 0.3:
            rng.shuffle(branches)
        labels = [b if isinstance(b, str) else b.get("name", b["type"]) for b in branches if not isinstance(b, list)]
        # Of a reader's union fastavro takes the first branch that fits, Java's library the same type before a promotion:
        # with the smaller type first both take the same.
        numbers = sorted((b for b in branches if isinstance(b, str) and b in NUMBERS), key=NUMBERS.index)
        branches = [numbers.pop(0) if isinstance(b, str) and b in NUMBERS else b for b in branches]
        mixed = "float" in branches and "double" in branches  # see expectation
        return branches if len(set(labels)) == len(branches) and not mixed else schema
    if isinstance(schema, str):
        if rng.random() < chance and schema in PROMOTIONS:
            return rng.choice(PROMOTIONS[schema])
        if rng.random() < chance * 0.3 and schema in SIMPLE and schema != "null":
            return rng.choice([["null", schema], [schema, "null"]])
        return schema
    if schema["type"] == "enum" and rng.random() < chance:
        symbols = [s for s in schema["symbols"] if rng.random() < 0.7] + ["New"]
        changed = {**schema, "symbols": symbols}
        if rng.random() < 0.5:
            changed["default"] = rng.choice(symbols)
        return changed
    if schema["type"] == "array":
        return {**schema, "items": reader_of(rng, schema["items"], chance)}
    if schema["type"] == "map":
        return {**schema, "values": reader_of(rng, schema["values"], chance)}
    if schema["type"] == "record":
        return reader_record(rng, schema, chance)
    return schema


def reader_record(rng, schema, chance):
    fields = []
    for field in schema["fields"]:
        pick = rng.random()
        if pick < chance * 0.2 and field["name"] not in ("price", "product", "orderId", "sub", "next"):
            continue
        changed = {"name": field["name"], "type": reader_of(rng, field["type"], chance)}
        if pick > 1 - chance * 0.3:
            try:
                changed["default"] = default_of(rng, changed["type"])
                if rng.random() < 0.6:
                    changed["name"] += "_new"
                    if rng.random() < 0.5:
                        changed["aliases"] = [field["name"]]
            except KeyError:
                pass
        fields.append(changed)
    if rng.random() < chance * 0.3:
        fields.append({"name": "added", "type": "int"} | ({"default": 1} if rng.random() < 0.8 else {}))
    if rng.random() < chance:
        rng.shuffle(fields)
    return {**schema, "fields": fields}


# ---- values ----

class Filler:
    def __init__(self, rng, schema):
        self.rng = rng
        self.names = {}
        self.collect(schema)

    def collect(self, part):
        if isinstance(part, list):
            for branch in part:
                self.collect(branch)
        elif isinstance(part, dict):
            if "name" in part:
                self.names[part["name"]] = part
            for key in ("items", "values"):
                if key in part:
                    self.collect(part[key])
            for field in part.get("fields", []):
                self.collect(field["type"])

    def integer(self, bits):
        return self.rng.randint(-(1 << self.rng.randint(0, bits)), (1 << self.rng.randint(0, bits)) - 1)

    def fill(self, schema, depth=0):
        rng = self.rng
        if isinstance(schema, list):
            branches = schema if depth < 6 else [b for b in schema if b == "null"] or schema
            branch = rng.choice(branches)
            value = self.fill(branch, depth + 1)
            label = branch if isinstance(branch, str) else branch.get("name", branch["type"])
            return value if branch == "null" else (self.full(label), value)
        if isinstance(schema, str) and schema in self.names:
            schema = self.names[schema]
        if isinstance(schema, dict):
            if schema.get("logicalType") == "decimal":
                most = 10**schema["precision"] - 1
                return decimal.Decimal(rng.randint(-most, most)).scaleb(-schema["scale"])
            kind = schema["type"]
            if kind == "record":
                return {f["name"]: self.fill(f["type"], depth + 1) for f in schema["fields"]}
            if kind == "enum":
                return rng.choice(schema["symbols"])
            if kind == "fixed":
                return rng.randbytes(schema["size"])
            count = rng.randint(0, 3 if depth < 6 else 0)
            if kind == "array":
                return [self.fill(schema["items"], depth + 1) for _ in range(count)]
            if kind == "map":
                return {f"k{i}": self.fill(schema["values"], depth + 1) for i in range(count)}
            return self.fill(kind, depth)
        return {"null": lambda: None, "boolean": lambda: rng.random() < 0.5, "int": lambda: self.integer(31),
                "long": lambda: self.integer(63),
                "float": lambda: struct.unpack("f", struct.pack("f", rng.uniform(-1e6, 1e6)))[0],
                "double": lambda: rng.uniform(-1e9, 1e9) * 10.0**rng.randint(-30, 30),
                "bytes": lambda: "".join(rng.choices("abcé", k=rng.randint(0, 12))).encode(),
                "string": lambda: "".join(rng.choices("xyz日", k=rng.randint(0, 12)))}[schema]()

    def full(self, label):
        return f"t.{label}" if label in self.names else label


# ---- expectations ----

def plain(number):
    text = format(decimal.Decimal(number), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def as_text(value):
    if isinstance(value, bool) or value is None:
        raise ValueError("no text")
    if isinstance(value, int):
        return str(value).encode()
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise ValueError("no text")


def at(record, path):
    for part in path.split("."):
        record = record[part]
    return record


def branches_at(schema, path):
    """The types, by their simple names, that a reader has at a path."""
    for part in path.split("."):
        records = [b for b in (schema if isinstance(schema, list) else [schema])
                   if isinstance(b, dict) and b["type"] == "record"]
        fields = [f["type"] for r in records for f in r["fields"] if f["name"] == part]
        schema = fields[0] if fields else "null"
    return ["decimal" if isinstance(b, dict) and b.get("logicalType") == "decimal" else b
            for b in (schema if isinstance(schema, list) else [schema])]


def refused_record(error):
    """How fastavro came to refuse one record as another because of its name: "union", "type" or None, it did not.

    With a record that has another name than those in a reader's union fastavro does what the specification says. We read
    the first that has the fields, as Java's library does; whether there is one only that library tells. Where a record
    is wanted, not a union, Java's library does not look at names either; we do.
    """
    text = str(error)
    found = re.fullmatch("[Ss]chema mismatch: (.*) (?:not found in|is not) (.*)", text)
    if not isinstance(error, fastavro.read.SchemaResolutionError) or not found:
        return None
    try:
        written, wanted = (ast.literal_eval(part) if part[0] in "[{" else part for part in found.groups())
    except (SyntaxError, ValueError):
        return None
    if not has_record(written) or not has_record(wanted):
        return None
    return "union" if isinstance(wanted, list) else "type"


def has_record(part):
    """Whether a type, or a branch of a union, is a record; one that is named again has a name that Maker.record made."""
    return any(b.startswith("t.R") if isinstance(b, str) else b["type"] == "record"
               for b in (part if isinstance(part, list) else [part]))


def expectation(body, writer, reader, paths):
    try:
        record = fastavro.schemaless_reader(io.BytesIO(body), writer, reader)
        value = at(record, paths["price"])
        # The specification says float; fastavro leaves a double what was an int or a long.
        if reader and isinstance(value, float) and "float" in branches_at(reader, paths["price"]):
            value = struct.unpack("f", struct.pack("f", value))[0]
        # The reader's logical type counts; fastavro takes the writer's where that stands in a union.
        if reader and isinstance(value, decimal.Decimal) and "decimal" not in branches_at(reader, paths["price"]):
            raise ValueError("no number")
        if isinstance(value, bool) or not isinstance(value, (int, float, decimal.Decimal)):
            raise ValueError("no number")
        return {"value": plain(value), "group": as_text(at(record, paths["product"])).hex(),
                "id": as_text(at(record, paths["orderId"])).hex()}
    except Exception as error:  # whatever it is, the record is refused
        why = refused_record(error) if reader else None
        return {"error": f"{type(error).__name__}: {error}"[:200]} | ({"record_for_record": why} if why else {})


def make(rng, records):
    maker = Maker(rng)
    writer, paths = maker.order()
    try:
        parsed = fastavro.parse_schema(json.loads(json.dumps(writer)))
    except fastavro.schema.UnknownType:
        return None  # it names a type of a union's branch that was left out
    reader = None
    if rng.random() < 0.6:
        reader = in_order(reader_of(rng, json.loads(json.dumps(writer)), rng.choice([0.1, 0.3, 0.6])))
        if not isinstance(reader, dict) or reader["type"] != "record":
            return None
    try:
        parsed_reader = fastavro.parse_schema(json.loads(json.dumps(reader))) if reader else None
    except Exception:
        return None
    line = {"writer": json.dumps(writer, separators=(",", ":")),
            "reader": json.dumps(reader, separators=(",", ":")) if reader else None,
            "fields": [paths["price"], paths["product"], paths["orderId"]], "records": []}
    filler = Filler(rng, writer)
    for _ in range(records):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, filler.fill(writer))
        line["records"].append({"body": out.getvalue().hex(),
                                **expectation(out.getvalue(), parsed, parsed_reader, paths)})
    return line


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--schemas", type=int, default=1000)
    parser.add_argument("--records", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=int, default=1 << 30, help="leave out lines that are longer")
    options = parser.parse_args()
    rng, made = random.Random(options.seed), 0
    while made < options.schemas:
        line = make(rng, options.records)
        text = json.dumps(line, separators=(",", ":")) if line else ""
        if line and len(text) <= options.bytes:
            print(text)
            made += 1


if __name__ == "__main__":
    main()
