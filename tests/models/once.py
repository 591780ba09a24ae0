"""Fixtures that are slow to make are made once for all modules."""
import functools


def once(make):
    """Under `@pytest.fixture`: the result of the first call serves every module. Without it each module that imports
    a fixture by name has its own, whatever its scope. What it gives is read, never changed."""
    made = []

    @functools.wraps(make)
    def shared(*given, **named):
        if not made:
            made.append(make(*given, **named))
        return made[0]
    return shared
