-- Lines: what one resource of an account used on one day, of one metric, under one SKU. A record is the sum of its
-- lines, kept for speed.

-- What a price list has a row for. An address is no part of it, but what is used.
create table skus (
  id integer primary key,
  zone_id integer not null references resources (id),     -- 0: the usage row named none
  offering_id integer not null references resources (id), -- service, disk, network or backup offering, guest OS; 0: none
  vcpus integer not null,                                 -- of a VM, like the two below; 0: not known, or no VM
  mhz integer not null,                                   -- of each vCPU
  memory_mib integer not null,
  unique (offering_id, zone_id, vcpus, mhz, memory_mib)
) strict;

-- Clustered by day, so that each day is appended to the table; without references, which would be looked up for each
-- of the very many lines.
create table stored_lines (
  day integer not null,                   -- days from 1970-01-01 to the local day
  account_id integer not null,            -- of stored_accounts
  metric_id integer not null,             -- of metrics
  sku_id integer not null,                -- of skus
  resource_id integer not null,           -- of resources: the VM, the volume, the address …
  quantity real not null,                 -- in the metric's unit
  primary key (day, account_id, metric_id, sku_id, resource_id)
) strict, without rowid;

-- How many lines the day has. 0: it was imported before lines were kept, or has no records.
alter table stored_days add column lines integer not null default 0;

-- Days without lines show their records, without resource and zone. The order of tables is such that a question about
-- some days, or an account, reads no other lines.
create view daily_lines as
select d.day, a.uuid as account_uuid, a.name as account_name,
       a.domain_uuid, a.domain_path, a.project_uuid,
       nullif(z.uuid, '') as zone_uuid, nullif(z.name, '') as zone_name, m.name as metric, m.unit,
       s.kind as resource_kind, s.uuid as resource_uuid, s.name as resource_name,
       nullif(o.uuid, '') as offering_uuid, nullif(o.name, '') as offering_name,
       nullif(k.vcpus, 0) as vcpus, nullif(k.mhz, 0) as mhz, nullif(k.memory_mib, 0) as memory_mib, l.quantity
from stored_days d
cross join stored_accounts a
cross join stored_lines l on l.day = cast(julianday(d.day) - 2440587.5 as integer) and l.account_id = a.id
join metrics m on m.id = l.metric_id
join skus k on k.id = l.sku_id
join resources z on z.id = k.zone_id
join resources o on o.id = k.offering_id
join resources s on s.id = l.resource_id
union all
select d.day, a.uuid, a.name, a.domain_uuid, a.domain_path, a.project_uuid, null, null, m.name, m.unit,
       null, null, null, nullif(o.uuid, ''), nullif(o.name, ''), null, null, null, r.quantity
from stored_days d
cross join stored_accounts a
cross join stored_records r on r.account_id = a.id and r.day = d.day
join metrics m on m.id = r.metric_id
join resources o on o.id = r.resource_id
where d.lines = 0;
