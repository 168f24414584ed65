#!/usr/bin/env python3
"""Writes exact_sum_vectors.h: sums of doubles worked out with exact rational numbers.

    python3 exact_sum_vectors.py > exact_sum_vectors.h
"""
import random
from fractions import Fraction
from math import ldexp

MASK = (1 << 64) - 1


def splitmix64(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def stream(seed, lowest, highest, count):
    """The same doubles as make_stream() in test_exact_sum.c; lowest and highest are biased exponents."""
    numbers = splitmix64(seed)
    for _ in range(count):
        mantissa = next(numbers) & ((1 << 52) - 1)
        exponent = lowest + next(numbers) % (highest - lowest + 1)
        sign = -1 if next(numbers) & 1 else 1
        if exponent == 0:
            yield sign * ldexp(mantissa, -1074)
        else:
            yield sign * ldexp(mantissa + (1 << 52), exponent - 1075)


def nearest(value):
    """Ties to even; Python's true division of integers is correctly rounded, so Fraction's float is."""
    try:
        return (value.numerator / value.denominator).hex()
    except OverflowError:
        return "INFINITY" if value > 0 else "-INFINITY"


def half_even(value):
    """The nearest integer, ties to even."""
    return round(value)


def decimal(value):
    if value == 0:
        return "0"
    sign, value = ("-", -value) if value < 0 else ("", value)
    places = value.denominator.bit_length() - 1  # the denominator is a power of two
    digits = str(value.numerator * 5**places).rjust(places + 1, "0")
    if places == 0:
        return sign + digits
    return (sign + digits[:-places] + "." + digits[-places:].rstrip("0")).rstrip(".")


def money(value):
    cents = half_even(value * 100)
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def canonical(value):
    if value == 0:
        return "00"
    sign, value = (2, -value) if value < 0 else (1, value)
    exponent = 0
    while value.denominator != 1:
        value, exponent = value * 256, exponent - 1
    magnitude = value.numerator
    while magnitude % 256 == 0:
        magnitude, exponent = magnitude // 256, exponent + 1
    body = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")
    return (bytes([sign]) + exponent.to_bytes(2, "big", signed=True) + body).hex()


def answers(values, divisor):
    total = sum((Fraction(v) for v in values), Fraction(0))
    return (f"{nearest(total)}, {divisor}u, {nearest(total / divisor)}, "
            f'"{canonical(total)}", "{money(total)}"'), decimal(total)


TINY, HUGE, LEAST_NORMAL = ldexp(1, -1074), float.fromhex("0x1.fffffffffffffp+1023"), ldexp(1, -1022)
HAND = [
    ([], 1), ([0.0, -0.0], 3), ([1.0], 3), ([-1.0], 3), ([756.32000732421875], 1), ([100.0], 7), ([-0.5], 2),
    ([0.1] * 8, 8), ([1e16, 1.0, -1e16], 2), ([1e300, 1.0, -1e300], 1), ([HUGE, HUGE, -HUGE], 1), ([HUGE, HUGE], 2),
    ([HUGE] * 3, 1), ([-HUGE] * 3, 3), ([HUGE, -HUGE, TINY], 1), ([TINY], 1), ([TINY], 2), ([TINY], 3),
    ([3 * TINY], 2), ([5 * TINY], 2), ([TINY, TINY, TINY], 2), ([LEAST_NORMAL], 3), ([LEAST_NORMAL, -TINY], 1),
    ([LEAST_NORMAL, LEAST_NORMAL, TINY], 2), ([HUGE, TINY], 1), ([-HUGE, TINY, 1.0], 1),
    ([HUGE, ldexp(1, 970)], 1), ([HUGE, ldexp(1, 970), -TINY], 1),
    ([ldexp(1, 53), 1.0], 1), ([ldexp(1, 53), 1.0, TINY], 1), ([ldexp(1, 53), 3.0], 1), ([ldexp(1, 53), 1.0, -TINY], 1),
    ([ldexp(1, 54), ldexp(1, 54)], 1), ([ldexp(1, 54)] * 6, 5), ([-ldexp(1, 54)] * 6, 5), ([ldexp(1, 126)], 9),
    ([-ldexp(1, 54), -ldexp(1, 54)], 1), ([-ldexp(1, 54), -ldexp(1, 54), -ldexp(1, -72)], 1),
    ([ldexp(1, -72)], 1), ([ldexp(1, -73)], 1), ([ldexp(3, -73), ldexp(-1, -73)], 1), ([1.0, ldexp(1, -73)], 1),
    ([0.005], 1), ([0.125], 1), ([0.375], 1), ([-0.125], 1), ([-0.001], 1), ([0.995], 1), ([99.995], 1), ([9.999], 1),
    ([0.5, 0.25, 0.245], 1), ([1e22], 1), ([1e23], 1), ([0.0001], 10000), ([1.0], MASK), ([HUGE], MASK),
    ([ldexp(1, 53), 1.0], 2), ([ldexp(1, 54), 2.0, 1.0], 2), ([1.5, ldexp(1, -52)], 3),
]
STREAMS = [  # seed, lowest and highest biased exponent, count
    (1, 1010, 1035, 400), (2, 0, 2046, 400), (3, 0, 0, 300), (4, 0, 2, 300), (5, 2040, 2046, 300), (6, 900, 1100, 400),
    (7, 1003, 1076, 500), (8, 1070, 1080, 500), (9, 995, 1005, 400), (10, 0, 2046, 30), (11, 0, 60, 300),
    (12, 1020, 1026, 1000), (13, 1076, 1078, 300), (14, 1, 1, 64), (15, 2046, 2046, 7), (16, 400, 500, 50),
]


def text_of(text):
    """A C string in pieces of at most 100 characters."""
    pieces = [text[i:i + 100] for i in range(0, len(text), 100)]
    return "\n     ".join(f'"{piece}"' for piece in pieces)


def main():
    pick = random.Random(20240601)
    print("/* Made by exact_sum_vectors.py, which works with exact rational numbers. Do not edit. */")
    print("/* clang-format off */")
    print("static const struct hand_vector hand_vectors[] = {")
    for values, divisor in HAND:
        rest, exact = answers(values, divisor)
        listed = ", ".join(float(v).hex() for v in values) or "0"
        print(f"    {{ {len(values)}, {{ {listed} }}, {{ {rest},\n     {text_of(exact)} }} }},")
    print("};\n\nstatic const struct stream_vector stream_vectors[] = {")
    for seed, lowest, highest, count in STREAMS:
        divisor = pick.choice([count, 3, 7, 1 << 40, MASK - pick.randrange(1000), pick.randrange(1, 10**6)])
        rest, exact = answers(list(stream(seed, lowest, highest, count)), divisor)
        print(f"    {{ {seed}, {lowest}, {highest}, {count}, {{ {rest},\n     {text_of(exact)} }} }},")
    print("};")


if __name__ == "__main__":
    main()
