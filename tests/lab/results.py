"""What the last run of the lab left behind: for the tables that are made of it."""

import pathlib
import re
import sys

LAB = pathlib.Path(__file__).resolve().parent
SCENARIOS = sorted((LAB / "scenarios").glob("*.sh"))


def stop(text):
    print(f"{pathlib.Path(sys.argv[0]).name}: {text}", file=sys.stderr)
    sys.exit(2)


def runs(scenario):
    """The names of the runs that a scenario's file stands for."""
    variants = re.search(r"^# lab:.*\bvariants=(\S+)", scenario.read_text(), re.M)
    return [f"{scenario.stem}:{variant}" for variant in variants[1].split(",")] if variants else [scenario.stem]


class Results:
    """The results folder of tests/lab/run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        if not (self.folder / "jobs").exists():
            stop(f"{folder}: no results of tests/lab/run")

    @classmethod
    def from_arguments(cls, usage):
        """Of a program whose only argument is the folder, which may be left out."""
        if len(sys.argv) > 2 or sys.argv[1:] == ["--help"]:
            print(usage.strip())
            sys.exit(0 if len(sys.argv) == 2 else 2)
        return cls(sys.argv[1] if len(sys.argv) == 2 else LAB.parent.parent / "build/plain/lab-results")

    def verdict(self, run):
        file = self.folder / run / "verdict"
        return file.read_text().strip() if file.exists() else "not run"

    def witness(self):
        """(captures, packets, those in clear): what expect_no_cleartext has looked at, in all runs."""
        lines = [line.split() for file in self.folder.glob("*/witness") for line in file.read_text().splitlines()]
        return len(lines), sum(int(line[2]) for line in lines), sum(int(line[3]) for line in lines)
