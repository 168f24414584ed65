"""What stands in the aggregates topic: rows and markers, read as any other program would, with fastavro.

    state = State.read(client, registry, topic, group)
    state.products()[b"Laptop"]             # count, exact sum, least and greatest, of the whole group
    state.markers["orders", 0].next_offset

A record's schema is the one that its framing names, asked of the registry; rules: docs/aggregates-topic.md.
"""
import io
import struct
from fractions import Fraction
from typing import NamedTuple, Optional

from lib import fetch
from lib.oracle import NOTHING, Sum

fetch.ready()

import fastavro                               # noqa: E402

TAB = b"\t"


class Row(NamedTuple):
    """What is counted of one product in one partition of one topic."""
    sum: Sum
    least: Optional[float]
    greatest: Optional[float]
    next_offset: int


class Marker(NamedTuple):
    next_offset: int
    retries: int
    dead_letters: int
    rows: int


class State(NamedTuple):
    rows: dict          # {(topic, partition, product): Row}
    markers: dict       # {(topic, partition): Marker}
    complaints: list    # records that break the rules

    def products(self):
        """{product: Sum} over all partitions."""
        found = {}
        for (_, _, product), row in self.rows.items():
            if row.sum.count:
                found[product] = found.get(product, NOTHING) + row.sum
        return found

    @classmethod
    def read(cls, client, registry, topic, group):
        schemas = {}

        def schema_of(number):
            if number not in schemas:
                schemas[number] = fastavro.parse_schema(registry.schema(number))
            return schemas[number]
        return cls.of(client.read(topic), schema_of, group)

    @classmethod
    def of(cls, records, schema_of, group):
        """records: by partition and offset, so that the newest of a key is the last. schema_of: {id: parsed schema}."""
        state = cls({}, {}, [])
        newest = {record.key: record for record in records}
        for key, record in newest.items():
            parts = key.split(TAB, 3)
            if parts[0] != group.encode() or record.value is None:
                continue
            try:
                state._take(parts, record, decode(record.value, schema_of))
            except (ValueError, KeyError, EOFError, struct.error, IndexError) as error:
                state.complaints.append(f"aggregates: {key!r} cannot be read: {error!r}")
        return state

    def _take(self, parts, record, value):
        topic, partition = parts[1].decode(), int(parts[2])
        product = parts[3] if len(parts) > 3 else None
        if partition != record.partition:
            self.complaints.append(f"aggregates: {record.key!r} stands in partition {record.partition}")
        told = value["groupValue"]
        told = told.encode() if isinstance(told, str) else told
        if (value["consumerGroup"].encode(), value["topic"], value["partition"], told) != (parts[0], topic, partition,
                                                                                          product):
            self.complaints.append(f"aggregates: key {record.key!r} and its value name different things")
        if product is None:
            marker = value["marker"]
            self.markers[topic, partition] = Marker(value["nextOffset"], marker["retries"], marker["deadLetters"],
                                                    marker["rows"])
            return
        found = Sum(value["count"], exact_sum(value["exactSum"]))
        if (value["sum"], value["average"]) != (float(found.total), found.average()):
            self.complaints.append(f"aggregates: {record.key!r}: sum {value['sum']} and average {value['average']} are "
                                   f"not those of {found}")
        self.rows[topic, partition, product] = Row(found, value["min"], value["max"], value["nextOffset"])


def decode(data, schema_of):
    """The value of a framed record, all of it."""
    magic, number = struct.unpack_from(">bI", data)
    if magic != 0:
        raise ValueError("no framing")
    body = io.BytesIO(data[5:])
    value = fastavro.schemaless_reader(body, schema_of(number))
    if body.read(1):
        raise ValueError("bytes behind the value")
    return value


def exact_sum(data):
    """00: zero; else 01 or 02 for the sign, exponent E as int16, magnitude M: M * 256^E."""
    if data == b"\0":
        return Fraction(0)
    sign, exponent = struct.unpack_from(">Bh", data)
    if sign not in (1, 2) or len(data) < 4:
        raise ValueError(f"no exact sum: {data.hex()}")
    number = int.from_bytes(data[3:], "big") * Fraction(256) ** exponent
    return number if sign == 1 else -number
