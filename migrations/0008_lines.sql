-- Lines: what one resource of an account used on one day, of one metric, under one SKU. A record is the sum of its
-- lines, kept for speed. And who an account was on a day: its name, its domain, and what its id in CloudStack meant.

-- Frozen names of whatever can be named: offerings, guest OSes, zones, and what was used. `resources` is a view now.
alter table resources rename to stored_resources;
-- People name what was used by its uuid or its name.
create index stored_resources_by_uuid on stored_resources (uuid);
create index stored_resources_by_name on stored_resources (name);

-- Records lay by account, then day. Now a day is one piece of the table, behind those before it, so that writing it
-- touches few pages, however many accounts there are. Without references, which would be looked up for each of the very
-- many records; `check` does so. What else names the table is to mean the new one.
pragma legacy_alter_table = on;
alter table stored_records rename to records_by_account;
pragma legacy_alter_table = off;
create table stored_records (
  account_id integer not null,            -- of stored_accounts
  day text not null,                      -- of stored_days
  metric_id integer not null,             -- of metrics
  resource_id integer not null,           -- of stored_resources
  quantity real not null,                 -- in the metric's unit
  primary key (day, account_id, metric_id, resource_id)
) strict, without rowid;
insert into stored_records (account_id, day, metric_id, resource_id, quantity)
select r.account_id, r.day, r.metric_id, r.resource_id, r.quantity
from stored_days d
cross join stored_accounts a
cross join records_by_account r on r.account_id = a.id and r.day = d.day
order by d.day, a.id, r.metric_id, r.resource_id;
-- What belongs to no day or account is damage, and stays for `check` to tell.
insert into stored_records (account_id, day, metric_id, resource_id, quantity)
select account_id, day, metric_id, resource_id, quantity
from records_by_account
where day not in (select day from stored_days) or account_id not in (select id from stored_accounts);
drop table records_by_account;

-- What a price list has a row for. An address is no part of it, but what is used.
create table skus (
  id integer primary key,
  metric_id integer not null references metrics (id),
  offering_id integer not null references stored_resources (id), -- service, disk, network or backup offering, guest OS; 0: none
  zone_id integer not null references stored_resources (id),     -- 0: the usage row named none
  vcpus integer not null,                 -- of a VM, like the two below; 0: not known, or no VM
  mhz integer not null,                   -- of each vCPU
  memory_mib integer not null,
  unique (metric_id, offering_id, zone_id, vcpus, mhz, memory_mib)
) strict;

-- Appended to, an account's day in one piece; whose and of which day a line is, account_days says. Without references,
-- like records.
create table stored_lines (
  id integer primary key,
  sku_id integer not null,                -- of skus
  resource_id integer not null,           -- of stored_resources: the VM, the volume, the address …; 0: not told apart
  quantity real not null                  -- in the metric's unit
) strict;

-- Where the lines of an account's day are, and what they come to. Each account that has records on the day has lines.
create table account_days (
  account_id integer not null references stored_accounts (id),
  day text not null references stored_days (day),
  first_line integer not null,            -- of stored_lines
  line_count integer not null,            -- that many, with ids one after the other; at least one
  sku_sums text not null,                 -- kept for speed: '3:24.0 7:0.125', each SKU with the sum of its lines
  primary key (day, account_id)
) strict, without rowid;

-- What the day's lines tell apart. 'resource': each VM, volume, address; 'sku': all that is priced alike is one line, of
-- resource 0; 'record': they are the day's records, and know neither zone nor size.
alter table stored_days add column lines_per text not null default 'record'
  check (lines_per in ('resource', 'sku', 'record'));

-- Of a correction, the lines that differ: which VM it is about.
create table correction_lines (
  correction_id integer not null references stored_corrections (id),
  sku_id integer not null,                -- of skus
  resource_id integer not null,           -- of stored_resources
  old_quantity real,                      -- in the metric's unit; null: there was no such line
  new_quantity real,                      -- null: there is none any more
  primary key (correction_id, sku_id, resource_id)
) strict, without rowid;

-- Sums of whole months by SKU, of the months in summed_months, as month_sums has them by metric and resource.
create table month_sku_sums (
  account_id integer not null references stored_accounts (id),
  month text not null,
  sku_id integer not null,                -- of skus
  quantity real not null,                 -- in the metric's unit: the sum of the month's lines
  primary key (account_id, month, sku_id)
) strict, without rowid;

-- Imports add all months up again, now by SKU as well.
delete from summed_months;

-- An account of the ledger is a uuid. Which one an id in CloudStack means, from a day until the id's next row.
create table account_ids (
  source_id integer not null,             -- account.id in CloudStack
  since_day text not null,
  account_id integer not null references stored_accounts (id),
  primary key (source_id, since_day)
) strict, without rowid;
insert into account_ids (source_id, since_day, account_id) select id, '1970-01-01', id from stored_accounts;

-- Domains as they were: one that moved or was renamed has another row.
create table stored_domains (
  id integer primary key,
  uuid text not null,                     -- CloudStack's, or domain:<id> while it cannot be resolved
  path text not null,                     -- /a/b/
  lineage text not null,                  -- uuids from the root domain down to itself: /u1/u2/u3/; '': not known
  unique (uuid, path, lineage)
) strict;
insert into stored_domains (uuid, path, lineage)
select distinct domain_uuid, coalesce(domain_path, ''), '' from stored_accounts where domain_uuid is not null;

-- What an account and its project were called and which domain it belonged to, from a day until the account's next row.
create table account_states (
  account_id integer not null references stored_accounts (id),
  since_day text not null,
  name text not null,
  domain_id integer references stored_domains (id), -- null: not known
  project_name text,                      -- null: it is no project's, or it was not known
  primary key (account_id, since_day)
) strict, without rowid;
insert into account_states (account_id, since_day, name, domain_id, project_name)
select a.id, '1970-01-01', a.name, d.id, a.project_name
from stored_accounts a
left join stored_domains d on d.uuid = a.domain_uuid and d.path = coalesce(a.domain_path, '');

-- What identifies the CloudStack these accounts are of: the uuid of its root domain. Null: not known yet.
alter table ledgers add column cloud_uuid text;

-- The states with their ends, and with what the domain is called.
create view account_stretches as
select s.account_id, s.since_day,
       coalesce(lead(s.since_day) over (partition by s.account_id order by s.since_day), '9999-12-32') as until_day,
       s.name, h.uuid as domain_uuid, nullif(h.path, '') as domain_path
from account_states s
left join stored_domains h on h.id = s.domain_id;

-- The order of tables is such that a question about some days, or an account, reads no others. An account's states are
-- looked up: those of all accounts would be walked along for each account.
drop view daily_usage;
create view daily_usage as
select r.day, a.uuid as account_uuid, s.name as account_name, nullif(h.path, '') as domain_path, a.project_uuid,
       m.name as metric, m.unit, nullif(o.uuid, '') as resource_uuid,
       case when o.id = 0 then null else o.name end as resource_name, r.quantity, h.uuid as domain_uuid
from stored_accounts a
cross join account_states s on s.account_id = a.id
left join stored_domains h on h.id = s.domain_id
cross join stored_days d on d.day >= s.since_day and d.day < coalesce(
  (select n.since_day from account_states n
   where n.account_id = s.account_id and n.since_day > s.since_day order by n.since_day limit 1), '9999-12-32')
cross join stored_records r on r.day = d.day and r.account_id = a.id
join metrics m on m.id = r.metric_id
join stored_resources o on o.id = r.resource_id;

-- As above.
create view daily_lines as
select x.day, a.uuid as account_uuid, s.name as account_name, h.uuid as domain_uuid,
       nullif(h.path, '') as domain_path, a.project_uuid,
       nullif(z.uuid, '') as zone_uuid, nullif(z.name, '') as zone_name, m.name as metric, m.unit,
       case when u.id = 0 then null else u.kind end as resource_kind, nullif(u.uuid, '') as resource_uuid,
       nullif(u.name, '') as resource_name, nullif(o.uuid, '') as offering_uuid, nullif(o.name, '') as offering_name,
       nullif(k.vcpus, 0) as vcpus, nullif(k.mhz, 0) as mhz, nullif(k.memory_mib, 0) as memory_mib, l.quantity
from stored_accounts a
cross join account_states s on s.account_id = a.id
left join stored_domains h on h.id = s.domain_id
cross join stored_days d on d.day >= s.since_day and d.day < coalesce(
  (select n.since_day from account_states n
   where n.account_id = s.account_id and n.since_day > s.since_day order by n.since_day limit 1), '9999-12-32')
cross join account_days x on x.day = d.day and x.account_id = a.id
cross join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
join skus k on k.id = l.sku_id
join metrics m on m.id = k.metric_id
join stored_resources z on z.id = k.zone_id
join stored_resources o on o.id = k.offering_id
join stored_resources u on u.id = l.resource_id;

-- Corrections and findings name an account as it was called on their day. What is known first holds for the days before.
drop view corrections;
create view corrections as
select c.day, a.uuid as account_uuid,
       coalesce(
         (select n.name from account_states n where n.account_id = c.account_id and n.since_day <= c.day
          order by n.since_day desc limit 1),
         (select n.name from account_states n where n.account_id = c.account_id order by n.since_day limit 1),
         a.name) as account_name,
       m.name as metric, m.unit, nullif(o.uuid, '') as resource_uuid,
       case when o.id = 0 then null else o.name end as resource_name, c.old_quantity, c.new_quantity, c.corrected_at,
       c.id, c.kind, coalesce(c.new_quantity, 0) - coalesce(c.old_quantity, 0) as delta, c.acknowledged_at, c.reason
from stored_corrections c
join stored_accounts a on a.id = c.account_id
join metrics m on m.id = c.metric_id
join stored_resources o on o.id = c.resource_id;

drop view findings;
create view findings as
select f.id, f.day, f.kind, a.uuid as account_uuid,
       coalesce(
         (select n.name from account_states n where n.account_id = f.account_id and n.since_day <= f.day
          order by n.since_day desc limit 1),
         (select n.name from account_states n where n.account_id = f.account_id order by n.since_day limit 1),
         a.name) as account_name,
       m.name as metric, f.resource, f.detail, k.acknowledged_at, k.reason,
       coalesce(
         (select o.name from stored_resources o
          where o.uuid = f.resource and o.name <> o.uuid order by o.id desc limit 1),
         (select o.name from stored_resources o
          where o.kind = substr(f.resource, 1, instr(f.resource, ':') - 1)
            and o.source_id = cast(substr(f.resource, instr(f.resource, ':') + 1) as integer)
            and o.name <> f.resource order by o.id desc limit 1)) as resource_name
from stored_findings f
left join stored_accounts a on a.id = f.account_id
left join metrics m on m.id = f.metric_id
left join acknowledgements k on k.day = f.day and k.kind = f.kind and k.account_id = coalesce(f.account_id, 0)
  and k.metric_id = coalesce(f.metric_id, 0) and k.resource = coalesce(f.resource, '') and k.detail = f.detail
union all
select r.id, r.day, 'refused', null, null, null, null, r.reason, r.acknowledged_at, r.acknowledged_because, null
from stored_refusals r;

-- What corrections are about, line by line, where that is known.
create view corrected_lines as
select c.id as correction_id, c.kind, c.day, a.uuid as account_uuid, m.name as metric, m.unit,
       case when u.id = 0 then null else u.kind end as resource_kind, nullif(u.uuid, '') as resource_uuid,
       nullif(u.name, '') as resource_name, nullif(z.uuid, '') as zone_uuid, nullif(z.name, '') as zone_name,
       nullif(o.uuid, '') as offering_uuid, nullif(o.name, '') as offering_name,
       nullif(k.vcpus, 0) as vcpus, nullif(k.mhz, 0) as mhz, nullif(k.memory_mib, 0) as memory_mib,
       p.old_quantity, p.new_quantity
from stored_corrections c
cross join correction_lines p on p.correction_id = c.id
join stored_accounts a on a.id = c.account_id
join skus k on k.id = p.sku_id
join metrics m on m.id = k.metric_id
join stored_resources z on z.id = k.zone_id
join stored_resources o on o.id = k.offering_id
join stored_resources u on u.id = p.resource_id;

-- Everything that has a name here. What was renamed is there under each of its names.
create view resources as
select kind, uuid, name, source_id as cloudstack_id
from stored_resources
where id <> 0;

-- What these kept is written by the program now, which does so in other databases as well.
drop trigger stored_days_inserted;
drop trigger stored_days_deleted;
drop trigger stored_findings_inserted;
drop trigger acknowledgements_inserted;
drop trigger acknowledgements_deleted;
