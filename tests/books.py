"""Reads a workbook by openpyxl, and compares its first sheet with the same report in JSON, number by number."""

import datetime
import json
import sys

import openpyxl

book, document, rows_name = sys.argv[1:]
book = openpyxl.load_workbook(book, read_only=True)
with open(document, encoding="utf-8") as text:
    expected = json.load(text)[rows_name]
found = book[rows_name.replace("_", " ")].iter_rows(values_only=True)
headings = [heading.split(" (")[0].replace(" ", "_") for heading in next(found)]


def same(cell, value):
    if isinstance(cell, datetime.datetime):
        return value in (cell.strftime("%Y-%m-%d"), cell.strftime("%Y-%m"), cell.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return float(value) == float(cell)
    return cell == value or (cell is None and value in ("", None))


count = numbers = 0
for place, row in enumerate(found):
    for heading, cell in zip(headings, row):
        value = expected[place].get(heading)
        if not same(cell, value):
            sys.exit(f"books: row {place + 2}, {heading}: the workbook has {cell!r}, JSON {value!r}")
        numbers += isinstance(cell, (int, float))
    count += 1
if count != len(expected) or count == 0 or numbers < count:
    sys.exit(f"books: {count} rows with {numbers} numbers of {len(expected)} rows")
print(f"ok: {count} rows, {numbers} numbers are as in JSON")
