"""Fifty schedules of chaos for each guarantee."""
from lib import chaos, schedule
from lib.environment import TestCase, main

SEED = 2


class Chaos(TestCase):
    def test_fifty_schedules(self):
        schedules = [schedule.make(SEED, number) for number in range(50)]
        tasks = [chaos.Task(one, True) for one in schedules]
        tasks += [chaos.Task(schedule.without_freezes(one), False) for one in schedules]
        report = chaos.perform(tasks, self.registry_url, 3, self.folder)
        print(chaos.text(report), flush=True)
        self.assertTrue(chaos.good(report), f"logs: {self.folder}")


if __name__ == "__main__":
    main()
