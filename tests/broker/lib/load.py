"""Orders that can be told from their sums, published in the background at a steady rate.

Order i has product i modulo 140 and, within it, a price of its own, 2^(e + 4 k) with k below 28: however often each was
counted can be read off the digits of the product's sum (lib/audit.py). One order in 150 is undecodable or not a number.
"""
import random
import struct
import threading
import time

from lib import orders
from lib.client import SECONDS, kafka

PRODUCTS, DIGITS, DIGIT_BITS = 140, 28, 4
POISON_EVERY = 150
PAUSE_S = 0.02
CLOSE_S = 10            # for a producer that could not send all it has


def make_order(index, exponent):
    block, place = divmod(index, PRODUCTS * DIGITS)
    digit, product = divmod(place, PRODUCTS)
    price = 2.0 ** (exponent + DIGIT_BITS * digit)
    return orders.Order(str(1001 + index), f"product {block * PRODUCTS + product}", price)


def make_value(index, exponent, schema_id):
    order = make_order(index, exponent)
    if index % POISON_EVERY != POISON_EVERY - 1:
        return orders.encode(schema_id, order)
    if index % (2 * POISON_EVERY) == POISON_EVERY - 1:
        return orders.encode(schema_id, order)[:-2]
    return orders.frame(schema_id, orders.string(order.order_id) + orders.string(order.product)
                        + struct.pack("<f", float("nan")))


class Load:
    """Idempotent and acknowledged by all. What a failing broker refuses is left out: the topic says what there is."""

    def __init__(self, bootstrap, topic, partitions, schema_id, exponent, seed):
        self.producer = kafka.KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all",
                                            linger_ms=5)
        self.topic, self.partitions = topic, partitions
        self.schema_id, self.exponent = schema_id, exponent
        self.chance = random.Random(seed)
        self.sent = 0
        self.error = None
        self._stop = threading.Event()
        self._thread = None

    def send(self, count):
        for index in range(self.sent, self.sent + count):
            headers = [("trace", b"%d" % index)] if index % 16 == 0 else None
            self.producer.send(self.topic, value=make_value(index, self.exponent, self.schema_id),
                               key=b"%d" % (1001 + index), partition=self.chance.randrange(self.partitions),
                               headers=headers)
        self.sent += count

    def flush(self):
        self.producer.flush(timeout=SECONDS)

    def start(self, rate):
        self._thread = threading.Thread(target=self._run, args=(rate,), daemon=True)
        self._thread.start()

    def _run(self, rate):
        begun, first = time.monotonic(), self.sent
        while not self._stop.wait(PAUSE_S):
            due = int((time.monotonic() - begun) * rate) - (self.sent - first)
            try:
                self.send(max(0, due))
            except kafka.errors.KafkaError as error:    # a full buffer, while no broker answers
                self.error = error

    def stop(self):
        """All that was sent is there, or has failed for good."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(SECONDS)
        try:
            self.flush()
        finally:
            self.producer.close(timeout=CLOSE_S)
