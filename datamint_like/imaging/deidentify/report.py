"""What a de-identification did, in numbers: attributes and how often, never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from datamint_like._words import counted

#: Rules in the order in which they are told, with what they say of an attribute.
RULES = {
    "removed": "removed",
    "emptied": "emptied",
    "replaced": "replaced by a dummy or a pseudonym",
    "uid": "UIDs replaced, the same for the same UID",
    "shifted": "dates shifted by one offset a patient",
    "named": "emptied because the text held a value of the identity",
    "private": "private or unknown, removed",
    "retained": "kept as asked",
}


@dataclass(frozen=True)
class DeidentificationReport:
    """What a de-identification did to how many files; pixels were not looked at.

    Attributes:
        files: Files written anew.
        rules: For each rule (`"removed"`, `"emptied"`, `"replaced"`, `"uid"`, `"shifted"`, `"named"`, `"private"`,
            `"retained"`) the keywords of the attributes that it touched, with how often.

    Example:
        >>> print(DeidentificationReport(1, {"removed": {"PatientAge": 1}}))
        De-identified 1 file. Pixels were not looked at.
          removed: PatientAge 1
    """

    files: int = 0
    rules: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __add__(self, other: DeidentificationReport) -> DeidentificationReport:
        rules = {rule: Counter(touched) for rule, touched in self.rules.items()}
        for rule, touched in other.rules.items():
            rules.setdefault(rule, Counter()).update(touched)
        return DeidentificationReport(
            self.files + other.files, {rule: dict(sorted(touched.items())) for rule, touched in rules.items()}
        )

    def __str__(self) -> str:
        lines = [f"De-identified {counted(self.files, 'file')}. Pixels were not looked at."]
        for rule, what in RULES.items():
            if touched := self.rules.get(rule):
                lines.append(f"  {what}: " + ", ".join(f"{name} {count}" for name, count in touched.items()))
        return "\n".join(lines)


class Tally:
    """Counts while files are worked on."""

    def __init__(self) -> None:
        self._files = 0
        self._counts: dict[str, Counter[str]] = {rule: Counter() for rule in RULES}

    def add(self, rule: str, keyword: str) -> None:
        """Count one attribute that a rule touched."""
        self._counts[rule][keyword] += 1

    def take(self, other: Tally) -> None:
        """Count one file more, with all that was counted for it."""
        self._files += 1
        for rule, counts in other._counts.items():
            self._counts[rule].update(counts)

    def report(self) -> DeidentificationReport:
        """The counts so far, keywords sorted."""
        rules = {rule: dict(sorted(counts.items())) for rule, counts in self._counts.items() if counts}
        return DeidentificationReport(self._files, rules)
