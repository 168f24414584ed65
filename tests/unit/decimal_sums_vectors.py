#!/usr/bin/env python3
"""Writes decimal_sums_vectors.h: sums of doubles and decimals together, worked out with exact rational numbers.

    python3 decimal_sums_vectors.py > decimal_sums_vectors.h
"""
from fractions import Fraction

from exact_sum_vectors import half_even, nearest, splitmix64, stream

# seed, doubles, their lowest and highest biased exponents, decimals, their bits, lowest and highest scale
CASES = [
    (1, 0, 1000, 1000, 1000, 30, 2, 2),       # money
    (2, 0, 1000, 1000, 1000, 64, 0, 0),       # longs
    (3, 0, 1000, 1000, 500, 127, 0, 0),       # the largest
    (4, 0, 1000, 1000, 500, 100, 0, 9),       # of ten scales
    (5, 500, 1015, 1030, 500, 30, 2, 2),      # beside doubles
    (6, 200, 0, 2046, 200, 127, 0, 128),      # of every size
    (7, 3, 0, 0, 3, 1, 128, 128),             # tiny
    (8, 1, 1023, 1023, 1, 1, 0, 0),
    (9, 20, 2040, 2046, 20, 127, 60, 70),     # huge doubles
    (10, 1, 1, 40, 7, 10, 100, 128),
]


def decimals(seed, count, bits, lowest, highest):
    """The same as make_decimal() in test_decimal_sums.c."""
    numbers = splitmix64(seed)
    for _ in range(count):
        magnitude = (next(numbers) << 64 | next(numbers)) >> (128 - bits)
        scale = lowest + next(numbers) % (highest - lowest + 1)
        sign = -1 if next(numbers) % 4 == 0 else 1
        yield sign * magnitude, scale


def plain(value):
    """A finite decimal fraction in plain notation, without trailing zeros."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    places = 1200
    digits = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
    return (sign + digits[:-places] + "." + digits[-places:].rstrip("0")).rstrip(".")


def money(value):
    cents = half_even(value * 100)
    sign, cents = ("-", -cents) if cents < 0 else ("", cents)
    return f"{sign}{cents // 100}.{cents % 100:02d}"


def main():
    print("/* Made by decimal_sums_vectors.py, which works with exact rational numbers. Do not edit. */")
    print("static const struct vector {\n    uint64_t seed;\n    int doubles, exponent_low, exponent_high;\n"
          "    int decimals, bits, scale_low, scale_high;\n    double nearest, average;\n"
          "    const char *money;\n    const char *plain;\n} vectors[] = {")
    for case in CASES:
        seed, doubles, low, high, count, bits, scale_low, scale_high = case
        total = sum((Fraction(d) for d in stream(seed, low, high, doubles)), Fraction(0))
        total += sum((Fraction(u, 10**s) for u, s in decimals(seed + 100, count, bits, scale_low, scale_high)),
                     Fraction(0))
        text = plain(total)
        assert Fraction(text) == total
        wrapped = '"\n      "'.join(text[i:i + 100] for i in range(0, len(text), 100))
        print(f"    {{ {', '.join(map(str, case))}, {nearest(total)}, {nearest(total / (doubles + count))},")
        print(f'      "{money(total)}",\n      "{wrapped}" }},')
    print("};")


if __name__ == "__main__":
    main()
