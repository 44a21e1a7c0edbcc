-- What an invoice asks for: sums of whole months, so that one row is read for a resource and not one for each day.

-- The months whose sums hold: every day of them is closed, and no record was written since they were added up.
create table summed_months (
  month text primary key                  -- local month, YYYY-MM
) strict, without rowid;

-- Of a month that is not in summed_months they are those of an earlier state, and nobody reads them.
create table month_sums (
  account_id integer not null references stored_accounts (id),
  month text not null,
  metric_id integer not null references metrics (id),
  resource_id integer not null references resources (id),
  quantity real not null,                 -- in the metric's unit: the sum of the month's days
  primary key (account_id, month, metric_id, resource_id)
) strict, without rowid;
