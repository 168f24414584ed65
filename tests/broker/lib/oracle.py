"""What a run must come to, worked out from docs/headers.md, docs/simulated-failures.md and docs/json-events.md alone.

    expected = judge(client.read(topic), {schema_id: schema}, Settings(group=group, failure_rate=0.1))
    expected.totals == Totals.of_event(program.final(60)["run"])
    expected.dead_letter_complaints(client.read(dlq)) == []

An order is named by its origin, the place where it first stood: (topic, partition, offset).
"""
import collections
import copy
import dataclasses
import functools
import math
import re
import struct
import uuid
from collections import Counter, defaultdict
from fractions import Fraction
from typing import NamedTuple, Optional

from lib import orders

RETRY_HEADER = "orderflow.retry"
ERRORS = "__orderflow.errors."
CAUSES = ["null_value", "bad_framing", "unknown_schema", None, None, "undecodable", "unresolvable_schema",
          "invalid_value", "simulated"]      # by number, from 1
DECODE, PROCESS = "decode", "process"
MASK = (1 << 64) - 1


class Settings(NamedTuple):
    group: str
    seed: int = 1
    failure_rate: float = 0.0
    max_retries: int = 3
    retry_topic: str = ""
    min_value: float = -math.inf
    max_value: float = math.inf
    max_field_bytes: int = 1 << 20
    id_field: str = "orderId"
    group_field: str = "product"
    value_field: str = "price"


class Origin(NamedTuple):
    topic: str
    partition: int
    offset: int


# --- simulated failures -----------------------------------------------------------------------------------------------

def mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def fnv1a64(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


@functools.lru_cache(maxsize=1024)
def _partition_hash(seed, topic, partition):
    return mix(mix(seed ^ fnv1a64(topic.encode())) ^ partition)


def failure_number(seed, origin, attempt):
    """In [0, 1); the attempt fails when it is below the failure rate."""
    h = mix(mix(_partition_hash(seed, origin.topic, origin.partition) ^ origin.offset) ^ attempt)
    return (h >> 11) * 2.0 ** -53


# --- the retry header -------------------------------------------------------------------------------------------------

class RetryHeader(NamedTuple):
    group: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    attempts: int
    due_ms: int
    first_failed_ms: int
    cause: int

    @property
    def origin(self):
        return Origin(self.topic, self.partition, self.offset)

    def encode(self):
        def text(value):
            data = value.encode()
            return struct.pack(">H", len(data)) + data
        return b"\x01" + text(self.group) + text(self.topic) + struct.pack(">iqqIqqB", *self[2:])

    @classmethod
    def parse(cls, data):
        """None for anything that is no such header."""
        try:
            texts, at = [], 1
            for _ in range(2):
                length, = struct.unpack_from(">H", data, at)
                texts.append(data[at + 2:at + 2 + length].decode())
                at += 2 + length
            found = cls(*texts, *struct.unpack(">iqqIqqB", data[at:]))
        except (struct.error, UnicodeDecodeError, TypeError):
            return None
        sound = (data[0] == 1 and found.group and found.topic and found.partition >= 0 and found.offset >= 0
                 and found.timestamp_ms >= -1 and 1 <= found.attempts <= 1000000 and found.due_ms >= 0
                 and found.first_failed_ms >= 0 and found.cause >= 1)
        return found if sound else None


def retry_header(record):
    """What the record's last `orderflow.retry` header says, or None."""
    found = [value for name, value in record.headers if name == RETRY_HEADER]
    return RetryHeader.parse(found[-1]) if found else None


# --- Avro, flat records only ------------------------------------------------------------------------------------------

class Undecodable(Exception):
    pass


class Body:
    def __init__(self, data, max_field_bytes):
        self.data = data
        self.at = 0
        self.max_field_bytes = max_field_bytes

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Undecodable("the body ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def varint(self, most_bytes, bits):
        number = 0
        for index in range(most_bytes):
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                if number >> bits:
                    raise Undecodable("out of range")
                return (number >> 1) ^ -(number & 1)
        raise Undecodable("a number without end")

    def int(self):
        return self.varint(5, 32)

    def long(self):
        return self.varint(10, 64)

    def bytes(self):
        length = self.long()
        if length < 0 or length > self.max_field_bytes:
            raise Undecodable("a bad length")
        return self.take(length)

    def boolean(self):
        byte = self.take(1)[0]
        if byte > 1:
            raise Undecodable("no boolean")
        return byte == 1

    def float(self):
        return struct.unpack("<f", self.take(4))[0]

    def double(self):
        return struct.unpack("<d", self.take(8))[0]


READERS = {"null": lambda body: None, "boolean": Body.boolean, "int": Body.int, "long": Body.long,
           "float": Body.float, "double": Body.double, "bytes": Body.bytes, "string": Body.bytes}
NUMBERS = {"int", "long", "float", "double"}
NAMES = {"string", "bytes", "int", "long"}


class Order(NamedTuple):
    id: bytes
    product: bytes
    price: float


def _fields(schema, settings):
    """[(name, reader)] of a schema that has the wanted fields, else None."""
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return None
    fields = []
    types = {}
    for field in schema["fields"]:
        kind = field["type"]["type"] if isinstance(field["type"], dict) else field["type"]
        if not isinstance(kind, str) or kind not in READERS:
            return None
        fields.append((field["name"], READERS[kind]))
        types[field["name"]] = kind
    fits = (types.get(settings.value_field) in NUMBERS and types.get(settings.group_field) in NAMES
            and types.get(settings.id_field) in NAMES)
    return fields if fits else None


def _decode(body, fields, settings):
    row = {name: read(body) for name, read in fields}
    if body.at != len(body.data):
        raise Undecodable("bytes behind the last field")
    texts = [row[name] if isinstance(row[name], bytes) else str(row[name]).encode()
             for name in (settings.id_field, settings.group_field)]
    return Order(*texts, row[settings.value_field])


# --- totals -----------------------------------------------------------------------------------------------------------

def original_bytes(text):
    """The bytes that a string of an event stands for."""
    return re.sub(rb"\\x([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


class Sum(NamedTuple):
    count: int
    total: Fraction

    def __add__(self, other):
        return Sum(self.count + other.count, self.total + other.total)

    def average(self):
        return orders.average(self.total, self.count)

    @classmethod
    def of_event(cls, event):
        assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", event["price_sum"]), event["price_sum"]
        found = cls(event["orders_processed"], Fraction(event["price_sum"]))
        assert event["price_average"] == found.average(), (event["price_average"], found.average())
        return found


NOTHING = Sum(0, Fraction(0))


@dataclasses.dataclass
class Totals:
    """As exact as can be, and added with +, so that the runs of several processes can be compared with one oracle."""
    orders: Sum = NOTHING
    retry_attempts: int = 0
    dead_letters: int = 0
    products: dict = dataclasses.field(default_factory=dict)

    def __add__(self, other):
        products = {name: self.products.get(name, NOTHING) + other.products.get(name, NOTHING)
                    for name in self.products | other.products}
        return Totals(self.orders + other.orders, self.retry_attempts + other.retry_attempts,
                      self.dead_letters + other.dead_letters, products)

    @classmethod
    def of_event(cls, event):
        """Of the `run` or `total` of a final event; asserts that the averages in it are what its sums make them."""
        products = {original_bytes(name): Sum.of_event(row) for name, row in event["products"].items()}
        assert list(products) == sorted(products), "products are sorted by their bytes"
        return cls(Sum.of_event(event), event["retry_attempts"], event["dead_letters"], products)


# --- the verdict ------------------------------------------------------------------------------------------------------

class Verdict(NamedTuple):
    """The fate of one record. cause None: counted in the end."""
    record: object
    origin: Origin
    timestamp_ms: int
    cause: Optional[str]
    attempts: int           # made in the end, those that a retry header brings along included
    earlier: int            # those alone
    schema_id: Optional[int]
    order: Optional[Order]

    @property
    def stage(self):
        return PROCESS if self.cause in ("invalid_value", "simulated") else DECODE

    @property
    def retries(self):
        """The attempts, by number, that a retry record was written after."""
        return range(self.earlier + 1, self.attempts)


class Expected:
    def __init__(self, verdicts, settings):
        self.settings = settings
        self.verdicts = {verdict.origin: verdict for verdict in verdicts}
        assert len(self.verdicts) == len(verdicts), "two records have one origin"
        self.counted = {origin for origin, verdict in self.verdicts.items() if verdict.cause is None}
        self.dead = {origin: verdict for origin, verdict in self.verdicts.items() if verdict.cause}
        self.retries = {(origin, attempt) for origin, verdict in self.verdicts.items() for attempt in verdict.retries}

    @property
    def settled(self):
        """How many records end as counted orders or as dead letters."""
        return len(self.verdicts)

    @functools.cached_property
    def totals(self):
        prices = defaultdict(list)
        for origin in self.counted:
            order = self.verdicts[origin].order
            prices[order.product].append(order.price)
        products = {name: Sum(len(rows), orders.exact_sum(rows)) for name, rows in prices.items()}
        return Totals(sum(products.values(), NOTHING), len(self.retries), len(self.dead), products)

    def of_group(self, group):
        """The same for another consumer group, but for retry records of either, and sharing what is worked out."""
        other = copy.copy(self)
        other.settings = self.settings._replace(group=group)
        return other

    # Each of these returns sentences, none when all is as it should be.

    def event_complaints(self, events, repeated=False):
        """Every order is told of as often as it should be, in the events of one run or of several together.

        repeated: some may be told of again, as a partition starts again where a letter was refused.
        """
        kinds = defaultdict(Counter)
        for event in events:
            if "origin_topic" in event:
                origin = event["origin_topic"], event["origin_partition"], event["origin_offset"]
                kinds[event["event"]][origin, event["attempt"]] += 1
        verdicts = self.verdicts.values()
        wanted = {"processed": {(v.origin, v.attempts) for v in verdicts if not v.cause}, "retry": self.retries,
                  "dead_letter": {(v.origin, v.attempts) for v in verdicts if v.cause}}
        lines = []
        for kind, rows in wanted.items():
            found = Counter(set(kinds[kind])) if repeated else kinds[kind]
            lines += _compare(f"event {kind}", found, Counter(rows))
        return lines

    def retry_record_complaints(self, records, retry_partitions=None):
        """Retry records that the run wrote."""
        headers = [(record, retry_header(record)) for record in records]
        lines = [f"no header: {record}" for record, header in headers if header is None]
        headers = [(record, header) for record, header in headers if header is not None]
        seen = Counter((header.origin, header.attempts) for _, header in headers)
        lines += _compare("retry record", seen, Counter(self.retries))
        for record, header in headers:
            if header.origin in self.verdicts:
                lines += self._retry_record(self.verdicts[header.origin], record, header, retry_partitions)
        return lines[:20]

    def _retry_record(self, verdict, record, header, partitions):
        wanted = {"key": verdict.record.key, "value": verdict.record.value, "group": self.settings.group,
                  "timestamp": verdict.timestamp_ms, "cause": "simulated",
                  "partition": verdict.origin.partition % (partitions or verdict.origin.partition + 1),
                  "headers": _others(verdict.record), "own headers": 1}
        found = {"key": record.key, "value": record.value, "group": header.group, "timestamp": header.timestamp_ms,
                 "cause": CAUSES[header.cause - 1], "partition": record.partition, "headers": _others(record),
                 "own headers": len(record.headers) - len(_others(record))}
        return _differences(f"retry record {header.origin} {header.attempts}", found, wanted)

    def dead_letter_complaints(self, records, between_ms=(0, math.inf), delay_ms=0, dlq_partitions=None):
        """All dead letters of a run or of several. between_ms: wall times between which all was done.

        delay_ms: the last attempt cannot have been earlier than so much for every retry after the first.
        """
        lines = []
        by_origin = Counter()
        for record in records:
            try:
                origin = Origin(record.header(ERRORS + "topic"), int(record.header(ERRORS + "partition")),
                                int(record.header(ERRORS + "offset")))
            except TypeError:
                lines.append(f"no origin: {record}")
                continue
            by_origin[origin] += 1
            if origin in self.dead:
                lines += self._dead_letter(self.dead[origin], record, dlq_partitions)
                lines += _times(origin, record, between_ms, delay_ms)
        return (_compare("dead letter", by_origin, Counter(self.dead.keys())) + lines)[:20]

    def _dead_letter(self, verdict, record, partitions):
        wanted = {
            "topic": verdict.origin.topic, "partition": str(verdict.origin.partition),
            "offset": str(verdict.origin.offset), "timestamp": str(verdict.timestamp_ms),
            "group": self.settings.group, "attempts": str(verdict.attempts),
            "class": "transient" if verdict.cause == "simulated" else "poison", "cause": verdict.cause,
            "stage": verdict.stage,
        }
        if verdict.schema_id is not None:
            wanted["schema_id"] = str(verdict.schema_id)
        ours = Counter(name.removeprefix(ERRORS) for name, _ in record.headers if name.startswith(ERRORS))
        found = {name: record.header(ERRORS + name) for name in ours
                 if name not in ("message", "first_failed", "last_failed")}
        lines = _differences(f"dead letter {verdict.origin}", found, wanted)
        lines += [f"dead letter {verdict.origin}: {count} headers {name}" for name, count in ours.items() if count > 1]
        if not record.header(ERRORS + "message"):
            lines.append(f"dead letter {verdict.origin}: no message")
        wanted = {"key": verdict.record.key, "value": verdict.record.value,
                  "partition": verdict.origin.partition % (partitions or verdict.origin.partition + 1),
                  "headers": _others(verdict.record)}
        found = {"key": record.key, "value": record.value, "partition": record.partition,
                 "headers": [row for row in record.headers if not row[0].startswith(ERRORS)]}
        return lines + _differences(f"dead letter {verdict.origin}", found, wanted)


def _others(record):
    """Headers that stay as they are: all but those of orderflow's names."""
    return [row for row in record.headers if row[0] != RETRY_HEADER and not row[0].startswith(ERRORS)]


def _times(origin, record, between_ms, delay_ms):
    first, last = (int(record.header(ERRORS + name) or -1) for name in ("first_failed", "last_failed"))
    attempts = int(record.header(ERRORS + "attempts"))
    earliest, latest = between_ms
    lines = []
    if attempts <= 1 and first != last:
        lines.append(f"dead letter {origin}: first failed {first}, last {last}, {attempts} attempts")
    if not earliest <= first <= last <= record.timestamp_ms <= latest:
        lines.append(f"dead letter {origin}: first failed {first}, last {last}, written {record.timestamp_ms}, "
                     f"not in this order between {earliest} and {latest}")
    if last - first < delay_ms * (attempts - 1):
        lines.append(f"dead letter {origin}: {attempts} attempts within {last - first} ms")
    return lines


def _compare(what, found, wanted):
    missing, extra = wanted - found, found - wanted
    lines = []
    for name, rows in (("missing", missing), ("too many", extra)):
        if rows:
            lines.append(f"{what}: {sum(rows.values())} {name}, such as {list(rows)[:3]}")
    return lines


def _differences(what, found, wanted):
    return [f"{what}: {name} is {found.get(name)!r}, not {wanted.get(name)!r}"
            for name in {**wanted, **found} if found.get(name) != wanted.get(name)]


def judge(records, schemas, settings):
    """The fate of every record of the orders topic, and of those of the retry topic that stood there before the run.

    schemas: {id, or GUID as text: parsed schema}; the registry knows no others.
    """
    fields = {number: _fields(schema, settings) for number, schema in schemas.items()}
    verdicts = (_verdict(record, schemas, fields, settings) for record in records)
    return Expected([verdict for verdict in verdicts if verdict is not None], settings)


def _framing(record):
    """(id or GUID as text, body); (None, None): the schema is not named."""
    named = [value for name, value in record.headers if name == "__value_schema_id" and value]
    if named:
        key, rest = _prefix(named[-1])
        return (key, record.value) if key is not None and rest == b"" else (None, None)
    return _prefix(record.value)


def _prefix(value):
    if len(value) >= 5 and value[0] == 0:
        return struct.unpack_from(">I", value, 1)[0], value[5:]
    if len(value) >= 17 and value[0] == 1:
        return str(uuid.UUID(bytes=value[1:17])), value[17:]
    return None, None


def _verdict(record, schemas, fields, settings):
    origin, timestamp_ms, earlier = Origin(record.topic, record.partition, record.offset), record.timestamp_ms, 0
    header = retry_header(record) if record.topic == settings.retry_topic and record.headers else None
    if header is not None:
        if header.group != settings.group:
            return None
        origin, timestamp_ms, earlier = header.origin, header.timestamp_ms, header.attempts
    verdict = functools.partial(Verdict, record, origin, timestamp_ms, earlier=earlier)
    value = record.value
    if value is None:
        return verdict("null_value", earlier, schema_id=None, order=None)
    schema_id, body = _framing(record)
    if schema_id is None:
        return verdict("bad_framing", earlier, schema_id=None, order=None)
    verdict = functools.partial(verdict, schema_id=schema_id)
    if schema_id not in schemas:
        return verdict("unknown_schema", earlier, order=None)
    if fields[schema_id] is None:
        return verdict("unresolvable_schema", earlier, order=None)
    try:
        order = _decode(Body(body, settings.max_field_bytes), fields[schema_id], settings)
    except Undecodable:
        return verdict("undecodable", earlier, order=None)
    if not math.isfinite(order.price) or not settings.min_value <= order.price <= settings.max_value:
        return verdict("invalid_value", earlier, order=order)
    attempt = earlier + 1
    while failure_number(settings.seed, origin, attempt) < settings.failure_rate:
        if attempt > settings.max_retries:
            return verdict("simulated", attempt, order=order)
        attempt += 1
    return verdict(None, attempt, order=order)
