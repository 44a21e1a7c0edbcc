-- What proves a figure: how the source looked when a day was imported, who sealed it, what changed afterwards.

-- Counts the writes, so that an answer can be told from an older one.
alter table ledgers add column revision integer not null default 0;

-- The usage rows that end on the day, by count and ids, as the source's index on dates has them: cheap to ask for
-- again, and no row is added or deleted without a change in it. Null: the day was imported before this was kept.
alter table stored_days add column fingerprint text;
-- UTC, YYYY-MM-DDTHH:MM:SSZ: when the day was last found equal to its source. Null: never, or not since it was written.
alter table stored_days add column verified_at text;
-- UTC, YYYY-MM-DDTHH:MM:SSZ: since when no import may change the day. Null: not sealed.
alter table stored_days add column sealed_at text;
-- What there is of the day in stored_records, so that nobody has to walk along them to tell: records, and accounts
-- that have any. Every write of records sets them.
alter table stored_days add column records integer not null default 0;
alter table stored_days add column accounts integer not null default 0;
update stored_days set (records, accounts) = (c.records, c.accounts)
from (select day, count(*) as records, count(distinct account_id) as accounts from stored_records group by day) c
where c.day = stored_days.day;

-- Whether the guest OS was not the VM's own, but its template's, or is unknown: it gives way to the VM's own.
alter table vm_guest_oses add column guessed integer not null default 0;

-- The usage rows of a day when it was last written, replays included.
create table stored_digests (
  day text not null references stored_days (day),
  usage_type integer not null,            -- CloudStack's number; -1: rows without one
  source_rows integer not null,
  digest text not null,                   -- 32 hexadecimal digits; does not depend on the order of the rows
  primary key (day, usage_type)
) strict, without rowid;

-- 'overwritten': the record holds the new value. 'pending': the day is sealed, the record holds its sealed value, and
-- the difference has to be credited or charged later. 'applied': was pending, until the day was unsealed and imported.
alter table stored_corrections add column kind text not null default 'overwritten'
  check (kind in ('overwritten', 'pending', 'applied'));
-- A pending one that somebody has charged or credited; UTC, YYYY-MM-DDTHH:MM:SSZ, and why. Null: nobody has.
alter table stored_corrections add column acknowledged_at text;
alter table stored_corrections add column reason text;

-- Doubts that somebody has looked at. Findings are made anew whenever a day is written, hence no reference to them.
create table acknowledgements (
  day text not null references stored_days (day),
  kind text not null,                     -- of the finding, like the four below
  account_id integer not null,            -- 0: none
  metric_id integer not null,             -- 0: none
  resource text not null,                 -- '': none
  detail text not null,
  reason text not null,
  acknowledged_at text not null,          -- UTC, YYYY-MM-DDTHH:MM:SSZ
  primary key (day, kind, account_id, metric_id, resource, detail)
) strict, without rowid;

-- One row a run of import, begun when it begins.
create table imports (
  id integer primary key,
  started_at text not null,               -- UTC, YYYY-MM-DDTHH:MM:SSZ
  finished_at text,                       -- null: it is running, or was killed
  outcome text check (outcome in ('done', 'needs_a_look', 'error')),
  seconds real,                           -- how long it took
  days integer,
  source_rows integer,
  records_added integer,
  records_overwritten integer,
  error text                              -- the line it ended with, if outcome is error
) strict;

drop view days;
create view days as
select d.day, iif(d.sealed_at is null, d.state, 'sealed') as state, d.source_rows,
       d.records,
       (select count(*) from stored_findings f where f.day = d.day) as findings,
       d.imported_at, d.replayed_rows, d.verified_at, d.sealed_at
from stored_days d;

drop view corrections;
create view corrections as
select c.day, a.uuid as account_uuid, a.name as account_name, m.name as metric, m.unit,
       nullif(s.uuid, '') as resource_uuid, case when s.id = 0 then null else s.name end as resource_name,
       c.old_quantity, c.new_quantity, c.corrected_at,
       c.id, c.kind, coalesce(c.new_quantity, 0) - coalesce(c.old_quantity, 0) as delta, c.acknowledged_at, c.reason
from stored_corrections c
join stored_accounts a on a.id = c.account_id
join metrics m on m.id = c.metric_id
join resources s on s.id = c.resource_id;

drop view findings;
create view findings as
select f.id, f.day, f.kind, a.uuid as account_uuid, a.name as account_name, m.name as metric, f.resource, f.detail,
       k.acknowledged_at, k.reason
from stored_findings f
left join stored_accounts a on a.id = f.account_id
left join metrics m on m.id = f.metric_id
left join acknowledgements k on k.day = f.day and k.kind = f.kind and k.account_id = coalesce(f.account_id, 0)
  and k.metric_id = coalesce(f.metric_id, 0) and k.resource = coalesce(f.resource, '') and k.detail = f.detail;
