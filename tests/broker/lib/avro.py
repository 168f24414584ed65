"""Reads any Avro value by its schema, as the specification says: no aliases, no defaults, no logical types."""
import io
import struct


def decode(schema, data):
    """The value, records as dictionaries; asserts that it takes all of the data."""
    stream = io.BytesIO(data)
    value = _read(schema, stream, {})
    assert not stream.read(), "bytes are left"
    return value


def _take(stream, count):
    data = stream.read(count)
    assert len(data) == count, "the data ends too early"
    return data


def _long(stream):
    number = shift = 0
    while True:
        byte, = _take(stream, 1)
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)


def _array(items, stream, names):
    found = []
    while count := _long(stream):
        if count < 0:
            _long(stream)   # its size in bytes
        found += [_read(items, stream, names) for _ in range(abs(count))]
    return found


def _read(schema, stream, names):
    if isinstance(schema, list):
        return _read(schema[_long(stream)], stream, names)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        names[schema["name"]] = schema
        return {field["name"]: _read(field["type"], stream, names) for field in schema["fields"]}
    if kind == "array":
        return _array(schema["items"], stream, names)
    if isinstance(kind, (dict, list)) or kind in names:
        return _read(names.get(kind, kind) if isinstance(kind, str) else kind, stream, names)
    if kind in ("int", "long"):
        return _long(stream)
    if kind in ("string", "bytes"):
        data = _take(stream, _long(stream))
        return data.decode() if kind == "string" else data
    return {"null": lambda: None, "boolean": lambda: _take(stream, 1) == b"\1",
            "float": lambda: struct.unpack("<f", _take(stream, 4))[0],
            "double": lambda: struct.unpack("<d", _take(stream, 8))[0]}[kind]()
