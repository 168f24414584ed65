"""A few of the faults of test_direct_faults.py, which takes long, on a small topic: places drawn from a seed."""
import random

from lib.environment import main
from lib.proxy import each
from test_direct_faults import Faulty


class FewFaults(Faulty):
    fill, least = ["expire", 50, 20000], 19000

    def test_cuts(self):
        spots = random.Random(1)
        self.harmed(each("cut", [*range(0, 16), *(spots.randrange(16, 4096) for _ in range(60)),
                                 *(spots.randrange(4096, 1 << 18) for _ in range(10))]), 86)

    def test_cuts_while_retries_are_read(self):
        spots = random.Random(2)
        self.harmed(each("cut", [spots.randrange(100, 1 << 17) for _ in range(20)]), 20, swap=True)

    def test_garbage(self):
        spots = random.Random(3)
        self.harmed(each("garbage", [spots.randrange(0, 2000) for _ in range(20)] +
                         [spots.randrange(2000, 1 << 17) for _ in range(5)]), 25)

    def test_half_open(self):
        self.harmed(each("half-open", [0, 300]), 2)


if __name__ == "__main__":
    main()
