"""Count the skipped tests of a junit file; fail when one skipped for want of real data that is there."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from conftest import NO_REAL_DATA, real_data_folder  # noqa: E402  -- the sentence has one home


def main(report: str) -> int:
    """Print how many tests skipped and why; 1 when real data is there but a test of it skipped."""
    if not Path(report).exists():
        print("no test report was written")
        return 1
    skipped = [case for case in ET.parse(report).iter("testcase") if case.find("skipped") is not None]
    reasons = Counter(_reason(case) for case in skipped)
    print(f"skipped tests: {len(skipped)}")
    for reason, count in reasons.most_common():
        print(f"  {count} x {reason}")
    unfound = sum(_needs_real_data(case) for case in skipped)
    folder = real_data_folder()
    if unfound and folder.is_dir():
        print(f"{unfound} tests of the real data skipped although its folder is there")
        return 1
    return 0


def _reason(case: ET.Element) -> str:
    skip = case.find("skipped")
    return "" if skip is None else skip.get("message") or ""


def _needs_real_data(case: ET.Element) -> bool:
    marks = [(each.get("name"), each.get("value")) for each in case.iter("property")]
    return ("needs", "real data") in marks or NO_REAL_DATA in _reason(case)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
