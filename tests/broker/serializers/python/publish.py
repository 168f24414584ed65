"""Publishes orders with confluent-kafka's AvroSerializer.

    publish.py BROKERS REGISTRY TOPIC SCHEMA-FILE COUNT prefix|header

Order n has the id "python-n", the product "Phone" and the price n / 2, which a float holds exactly. The schema is named
in front of the value (by id), or in the header __value_schema_id (by GUID).
"""
import pathlib
import sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def main(brokers, registry, topic, schema, count, where):
    settings = {"schema.id.serializer": header_schema_id_serializer} if where == "header" else {}
    serialize = AvroSerializer(SchemaRegistryClient({"url": registry}), pathlib.Path(schema).read_text(), conf=settings)
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20})
    failed = []

    def delivered(error, _message):
        if error is not None:
            failed.append(error)

    for n in range(1, int(count) + 1):
        headers = []
        context = SerializationContext(topic, MessageField.VALUE, headers)
        value = serialize({"orderId": f"python-{n}", "product": "Phone", "price": n / 2}, context)
        producer.produce(topic, value, f"python-{n}", headers=context.headers, on_delivery=delivered)
        producer.poll(0)
    if producer.flush(30) or failed:
        sys.exit(f"not all were delivered: {failed[:1]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
