"""The process dies at each named step of its work, is started again, and every order counts as the guarantee says."""
from lib import arena, crash
from lib.environment import TestCase, main


class CrashPoints(TestCase):
    def die_everywhere(self, exactly_once):
        with arena.Arena(self.folder, 1, self.registry_url, bootstrap=self.bootstrap) as place:
            for point, passing in crash.cases(exactly_once):
                with self.subTest(point, passing=passing):
                    outcome = crash.perform(place, point, passing, exactly_once)
                    self.assertEqual(outcome.problems(), [], f"logs: {outcome.folder}")

    def test_exactly_once(self):
        self.die_everywhere(True)

    def test_at_least_once(self):
        self.die_everywhere(False)


if __name__ == "__main__":
    main()
