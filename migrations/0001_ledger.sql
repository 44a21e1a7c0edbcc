-- The ledger. Tables are the program's own; the views at the end are the contract for everybody else.

create table ledgers (
  only integer primary key check (only = 1),
  timezone text not null,                 -- the zone whose local days these are, as configured
  created_at text not null                -- UTC, YYYY-MM-DDTHH:MM:SSZ
) strict;

create table metrics (
  id integer primary key,
  name text not null unique,              -- vm_running, primary_byte_hours, usage_type_99 …
  unit text not null,                     -- hours, bytes, byte-hours, requests, as stored
  per text                                -- what kind of resource it is kept per; null: per account only
) strict;

create table stored_accounts (
  id integer primary key,                 -- account.id in CloudStack
  uuid text not null unique,              -- account.uuid, or account:<id> while it cannot be resolved
  name text not null,                     -- as of the last import
  domain_uuid text,
  domain_path text,                       -- /a/b/, as of the last import
  project_uuid text,                      -- set for the hidden account of a project
  project_name text
) strict;

create index stored_accounts_by_project on stored_accounts (project_uuid) where project_uuid is not null;

-- A resource's uuid and name are frozen: a rename upstream makes a new row, and old records keep the old one.
create table resources (
  id integer primary key,                 -- 0 stands for "not per resource"
  kind text not null,                     -- service_offering, guest_os, ip_address, network_offering, backup_offering
  source_id integer not null,             -- id in CloudStack's table; 0: the usage row named none
  uuid text not null,                     -- CloudStack's uuid, or <kind>:<source_id> where it could not be resolved
  name text not null,
  unique (kind, source_id, uuid, name)
) strict;

insert into resources (id, kind, source_id, uuid, name) values (0, 'none', 0, '', '');

-- Which guest OS a VM was counted under, so that a VM purged upstream still falls on its OS when a day is read again.
create table vm_guest_oses (
  vm_id integer not null,                 -- vm_instance.id in CloudStack
  since_day text not null,                -- holds from this day until the VM's next row
  guest_os_id integer not null,           -- guest_os.id in CloudStack; 0: unknown
  primary key (vm_id, since_day)
) strict, without rowid;

create table stored_days (
  day text primary key,                   -- local day, YYYY-MM-DD
  state text not null check (state in ('open', 'closed')),
  source_rows integer not null,           -- usage rows that touch the day, before replays are removed
  replayed_rows integer not null,         -- of these, counted already by another row
  imported_at text not null               -- UTC, YYYY-MM-DDTHH:MM:SSZ: when the day was last written
) strict, without rowid;

-- Clustered by account, then day: one account's month is one contiguous read.
create table stored_records (
  account_id integer not null references stored_accounts (id),
  day text not null references stored_days (day),
  metric_id integer not null references metrics (id),
  resource_id integer not null references resources (id),
  quantity real not null,                 -- in the metric's unit
  primary key (account_id, day, metric_id, resource_id)
) strict, without rowid;

-- Every value that an import overwrote. No old value: the record was added to a closed day; no new value: it was removed.
create table stored_corrections (
  id integer primary key,
  day text not null references stored_days (day),
  account_id integer not null references stored_accounts (id),
  metric_id integer not null references metrics (id),
  resource_id integer not null references resources (id),
  old_quantity real,                      -- in the metric's unit
  new_quantity real,
  corrected_at text not null              -- UTC, YYYY-MM-DDTHH:MM:SSZ
) strict;

create index stored_corrections_by_day on stored_corrections (day);

create table stored_findings (
  id integer primary key autoincrement,   -- never given again: people acknowledge by it
  day text not null references stored_days (day),
  kind text not null,                     -- size_unknown, replayed_rows, hours_exceed_day …
  account_id integer references stored_accounts (id),
  metric_id integer references metrics (id),
  resource text,                          -- what it is about, such as vm:12 or service_offering:3
  detail text not null
) strict;

create index stored_findings_by_day on stored_findings (day);

create view daily_usage as
select r.day, a.uuid as account_uuid, a.name as account_name, a.domain_path, a.project_uuid,
       m.name as metric, m.unit, nullif(s.uuid, '') as resource_uuid,
       case when s.id = 0 then null else s.name end as resource_name, r.quantity
from stored_records r
join stored_accounts a on a.id = r.account_id
join metrics m on m.id = r.metric_id
join resources s on s.id = r.resource_id;

create view days as
select d.day, d.state, d.source_rows,
       (select count(*) from stored_accounts a join stored_records r on r.account_id = a.id and r.day = d.day) as records,
       (select count(*) from stored_findings f where f.day = d.day) as findings,
       d.imported_at, d.replayed_rows
from stored_days d;

create view accounts as
select uuid, name, domain_uuid, domain_path, project_uuid, project_name
from stored_accounts;

create view corrections as
select c.day, a.uuid as account_uuid, a.name as account_name, m.name as metric, m.unit,
       nullif(s.uuid, '') as resource_uuid, case when s.id = 0 then null else s.name end as resource_name,
       c.old_quantity, c.new_quantity, c.corrected_at
from stored_corrections c
join stored_accounts a on a.id = c.account_id
join metrics m on m.id = c.metric_id
join resources s on s.id = c.resource_id;

create view findings as
select f.id, f.day, f.kind, a.uuid as account_uuid, a.name as account_name, m.name as metric, f.resource, f.detail
from stored_findings f
left join stored_accounts a on a.id = f.account_id
left join metrics m on m.id = f.metric_id;
