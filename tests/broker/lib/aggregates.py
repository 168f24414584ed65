"""Records of the aggregates topic by hand (docs/aggregates-topic.md), from the document and not from the program."""
import struct
from fractions import Fraction
from typing import NamedTuple, Optional

from lib import avro, orders
from lib.client import Record


class Row(NamedTuple):
    """What one partition of a topic holds of one group value."""
    topic: str
    partition: int
    name: bytes
    count: int
    total: Fraction
    low: Optional[float]
    high: Optional[float]
    next_offset: int


class Marker(NamedTuple):
    topic: str
    partition: int
    next_offset: int
    retries: int
    dead_letters: int
    rows: int
    version: int
    value_field: str
    group_by_field: str


def key(group, topic, partition, name=None):
    text = f"{group}\t{topic}\t{partition}".encode()
    return text if name is None else text + b"\t" + name


# --- exact sums -----------------------------------------------------------------------------------------------------

def exact_bytes(total):
    """The canonical form of a fraction whose denominator is a power of two."""
    if total == 0:
        return b"\0"
    magnitude, exponent = abs(total), 0
    while magnitude.denominator > 1:
        magnitude, exponent = magnitude * 256, exponent - 1
    number = magnitude.numerator
    while number % 256 == 0:
        number, exponent = number // 256, exponent + 1
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([1 if total > 0 else 2]) + struct.pack(">h", exponent) + digits


def exact_fraction(data):
    if data == b"\0":
        return Fraction(0)
    exponent, = struct.unpack(">h", data[1:3])
    number = int.from_bytes(data[3:], "big") * Fraction(256) ** exponent
    return number if data[0] == 1 else -number


# --- writing --------------------------------------------------------------------------------------------------------

def data(value):
    return orders.zigzag(len(value)) + value


def optional(number):
    return b"\0" if number is None else b"\2" + struct.pack("<d", number)


def name_union(name):
    if name is None:
        return b"\0"
    try:
        name.decode()
        return b"\2" + data(name)
    except UnicodeDecodeError:
        return b"\4" + data(name)


def body(group, topic, partition, name, count, total, low, high, next_offset):
    average = float(total / count) if count else None
    return (data(group.encode()) + data(topic.encode()) + orders.zigzag(partition) + name_union(name)
            + orders.zigzag(count) + struct.pack("<d", float(total)) + optional(average) + data(exact_bytes(total))
            + b"\0" + optional(low) + optional(high) + orders.zigzag(next_offset))


def row_of(topic, partition, name, prices, next_offset):
    """A row of these prices, which are floats."""
    total = sum(map(Fraction, prices), Fraction(0))
    return Row(topic, partition, name, len(prices), total, min(prices), max(prices), next_offset)


def row_record(schema_id, group, row):
    value = orders.frame(schema_id, body(group, row.topic, row.partition, row.name, row.count, row.total, row.low,
                                         row.high, row.next_offset) + b"\0")
    return Record.of(value, key(group, row.topic, row.partition, row.name), row.partition)


def marker_record(schema_id, group, marker):
    value = body(group, marker.topic, marker.partition, None, 0, Fraction(0), None, None, marker.next_offset) + b"\2"
    for number in (marker.retries, marker.dead_letters, marker.rows, marker.version):
        value += orders.zigzag(number)
    value += data(marker.value_field.encode()) + data(marker.group_by_field.encode())
    return Record.of(orders.frame(schema_id, value), key(group, marker.topic, marker.partition), marker.partition)


# --- reading, by the schema that the registry has ---------------------------------------------------------------------

def decode(schema, record):
    """(group, key without it, Row or Marker); the last is None where it was deleted."""
    group, topic, partition, *name = record.key.split(b"\t", 3)
    where = (topic.decode(), int(partition), *name)
    assert int(partition) == record.partition, record
    if record.value is None:
        return group.decode(), where, None
    assert record.value[0] == 0, record
    found = avro.decode(schema, record.value[5:])
    assert found["consumerGroup"].encode() == group and found["topic"] == where[0], record
    assert found["partition"] == where[1], record
    if name:
        value = found["groupValue"]
        assert (value.encode() if isinstance(value, str) else value) == name[0], record
        total = exact_fraction(found["exactSum"])
        assert found["sum"] == float(total) and found["marker"] is None and found["decimals"] == [], record
        assert found["average"] == (float(total / found["count"]) if found["count"] else None), record
        return group.decode(), where, Row(*where, found["count"], total, found["min"], found["max"],
                                          found["nextOffset"])
    rest = found["marker"]
    return group.decode(), where, Marker(*where, found["nextOffset"], rest["retries"], rest["deadLetters"],
                                         rest["rows"], rest["version"], rest["valueField"], rest["groupByField"])


def newest(schema, group, records):
    """{where: Row or Marker} that are there after all these records."""
    state = {}
    for record in records:
        owner, where, found = decode(schema, record)
        if owner == group and found is None:
            state.pop(where, None)
        elif owner == group:
            state[where] = found
    return state
