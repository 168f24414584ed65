"""The Order record by hand: Avro's encoding, the registry's framing, exact sums. Shares nothing with the program."""
import struct
from fractions import Fraction
from typing import NamedTuple

SCHEMA = {"type": "record", "name": "Order", "namespace": "com.bigdata.orders", "fields": [
    {"name": "orderId", "type": "string"}, {"name": "product", "type": "string"}, {"name": "price", "type": "float"}]}


class Order(NamedTuple):
    order_id: str
    product: str
    price: float    # what a 32-bit float holds


def zigzag(number):
    """Avro's int and long."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(text):
    data = text.encode()
    return zigzag(len(data)) + data


def body(order):
    return string(order.order_id) + string(order.product) + struct.pack("<f", order.price)


def frame(schema_id, data):
    return struct.pack(">bI", 0, schema_id) + data


def encode(schema_id, order):
    return frame(schema_id, body(order))


def decode(value):
    """(schema id, Order) of a framed value; asserts that it is one, to the last byte."""
    magic, schema_id = struct.unpack_from(">bI", value)
    assert magic == 0, value
    order_id, at = _string(value, 5)
    product, at = _string(value, at)
    price, = struct.unpack_from("<f", value, at)
    assert at + 4 == len(value), value
    return schema_id, Order(order_id, product, price)


def _string(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    length = (number >> 1) ^ -(number & 1)
    assert 0 <= length <= len(data) - at, data
    return data[at:at + length].decode(), at + length


def exact_sum(prices):
    """Every finite float is a fraction with a power of two below, so the sum has no rounding at all."""
    return sum(map(Fraction, prices), Fraction(0))


def average(total, count):
    """The double nearest to the exact quotient; None without orders."""
    return float(total / count) if count else None
