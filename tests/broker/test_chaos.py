"""A few schedules of chaos, on one broker and on three; `./dev chaos` runs as many as one likes."""
from lib import chaos, schedule
from lib.environment import TestCase, main

SEED = 1
EXACTLY_ONCE = [1, 2, 4, 5]     # 5 runs on three brokers; none waits for a session to time out
AT_LEAST_ONCE = [8, 9]


class Chaos(TestCase):
    def test_a_few_schedules(self):
        tasks = [chaos.Task(schedule.make(SEED, number), True) for number in EXACTLY_ONCE]
        tasks += [chaos.Task(schedule.without_freezes(schedule.make(SEED, number)), False) for number in AT_LEAST_ONCE]
        report = chaos.perform(tasks, self.registry_url, 3, self.folder)
        print(chaos.text(report), flush=True)
        self.assertTrue(chaos.good(report), f"logs: {self.folder}")


if __name__ == "__main__":
    main()
