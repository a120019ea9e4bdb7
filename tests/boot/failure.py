"""The one error of the boot tests: its text is meant for the person who reads the test's output."""


class Failure(Exception):
    pass
