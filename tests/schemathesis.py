"""Makes sensible questions of the valid ones that schemathesis thinks up.

A JSON schema cannot say that an end comes after its start, that a month stands alone, how long a month is, or which
cursors there are; so these are put right here, in valid questions only. What schemathesis makes wrong on purpose is sent as it is.
"""

from datetime import date, timedelta

import schemathesis

# The sample ends on 2026-11-03, and its domains are these.
FIRST_DAY = date(2026, 9, 20)
DOMAINS = ["/", "/nordic/", "/nordic/shops/", "nordic/shops/lab"]

# What can be asked for without naming days, or takes none.
WITHOUT_DAYS = ["/openapi.json", "/v1/accounts", "/v1/findings", "/v1/corrections", "/v1/version"]

# The last cursor that each path gave.
cursors = {}


def chosen(value, choices):
    """One of the choices, the same for the same value."""
    return choices[sum(str(value).encode()) % len(choices)]


def a_day(value):
    return FIRST_DAY + timedelta(days=chosen(value, range(50)))


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    path, query = case.operation.path, case.query
    if path.startswith("/v1/domains/") and len(case.path_parameters["path"]) % 4:
        case.path_parameters["path"] = chosen(case.path_parameters["path"], DOMAINS)
    days = [query.pop(name) for name in ("start", "end") if name in query]
    if "month" in query and len(query) % 2:
        days = []
    if days:
        query.pop("month", None)
        days = sorted(a_day(day).isoformat() for day in days)
        # A start alone is a day.
        query.update(zip(("start", "end"), days))
    elif "month" not in query and path not in WITHOUT_DAYS:
        query["month"] = "2026-10"
    if "since" in query:
        # April has no 31st.
        query["since"] = a_day(query["since"]).isoformat() + query["since"][10:]
    if query.pop("cursor", None) is not None and path in cursors:
        query["cursor"] = cursors[path]
    if len(str(query.get("domain", ""))) % 4:
        query["domain"] = chosen(query["domain"], DOMAINS)
    if "account" in query and len(str(query["account"])) % 2:
        del query["account"]


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 200 and "json" in str(response.headers.get("content-type")):
        cursor = response.json().get("next_cursor")
        if cursor:
            cursors[case.operation.path] = cursor
