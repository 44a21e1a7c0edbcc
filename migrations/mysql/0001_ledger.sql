-- The ledger in a database of MySQL's protocol: the tables and views that a SQLite file has after all its migrations, by
-- the same names. Each statement can be run again. {collation} compares texts byte by byte, blanks at their end included.
-- Nothing references anything: a cluster applies rows in parallel, and `check` looks for rows without their parents.

create table if not exists schema_versions (
  version bigint primary key,
  applied_at varchar(20) not null         -- UTC, YYYY-MM-DDTHH:MM:SSZ
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists ledgers (
  only_one bigint primary key default 1,  -- there is one row
  timezone varchar(64) not null,          -- the zone of the days before the first of timezones, as configured
  created_at varchar(20) not null,        -- UTC, YYYY-MM-DDTHH:MM:SSZ
  revision bigint not null default 0,     -- counts the writes
  provisional_from varchar(10),           -- the first day that a later run may write again; null: none
  cloud_uuid varchar(255)                 -- of CloudStack's root domain; null: not known yet
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists timezones (
  since_day varchar(10) primary key,      -- local day, YYYY-MM-DD: the first one of this zone
  timezone varchar(64) not null,
  begins_at varchar(20) not null          -- UTC, YYYY-MM-DDTHH:MM:SSZ: when that day begins
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists metrics (
  id bigint primary key auto_increment,
  name varchar(64) not null unique,
  unit varchar(32) not null,
  per varchar(32)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_accounts (
  id bigint primary key auto_increment,
  uuid varchar(255) not null unique,      -- account.uuid in CloudStack, or account:<id> while it cannot be resolved
  name text not null,                     -- as of the last import
  domain_uuid varchar(255),
  domain_path text,
  project_uuid varchar(255),
  project_name text,
  key stored_accounts_by_project (project_uuid)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists account_ids (
  source_id bigint not null,              -- account.id in CloudStack
  since_day varchar(10) not null,
  account_id bigint not null,
  primary key (source_id, since_day)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_domains (
  id bigint primary key auto_increment,
  uuid varchar(255) not null,
  path text not null,
  lineage text not null,                  -- uuids from the root domain down to itself: /u1/u2/u3/; '': not known
  place binary(32) as (unhex(sha2(concat(path, '\n', lineage), 256))) stored,
  unique key stored_domains_once (uuid, place)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists account_states (
  account_id bigint not null,
  since_day varchar(10) not null,
  name text not null,
  domain_id bigint,                       -- null: not known
  project_name text,                      -- null: it is no project's, or it was not known
  primary key (account_id, since_day),
  key account_states_by_domain (domain_id)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_resources (
  id bigint primary key auto_increment,   -- 0 stands for "not per resource"
  kind varchar(64) not null,
  source_id bigint not null,              -- id in CloudStack's table; 0: the usage row named none
  uuid varchar(255) not null,
  name text not null,
  called binary(32) as (unhex(sha2(name, 256))) stored,
  unique key stored_resources_once (kind, source_id, uuid, called),
  key stored_resources_by_uuid (uuid),
  key stored_resources_by_name (name(64))
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists skus (
  id bigint primary key auto_increment,
  metric_id bigint not null,
  offering_id bigint not null,            -- of stored_resources; 0: none
  zone_id bigint not null,                -- of stored_resources; 0: the usage row named none
  vcpus bigint not null,                  -- of a VM, like the two below; 0: not known, or no VM
  mhz bigint not null,
  memory_mib bigint not null,
  unique key skus_once (metric_id, offering_id, zone_id, vcpus, mhz, memory_mib)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists vm_guest_oses (
  vm_id bigint not null,
  since_day varchar(10) not null,
  guest_os_id bigint not null,
  guessed bigint not null default 0,
  primary key (vm_id, since_day)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_days (
  day varchar(10) primary key,            -- local day, YYYY-MM-DD
  state varchar(6) not null,              -- open, closed
  source_rows bigint not null,
  replayed_rows bigint not null,
  imported_at varchar(20) not null,
  fingerprint varchar(255),
  verified_at varchar(20),
  sealed_at varchar(20),
  records bigint not null default 0,
  accounts bigint not null default 0,
  gap_before bigint not null default 0,
  lines_per varchar(8) not null default 'record', -- resource, sku, record
  key stored_days_by_gap (gap_before, day),
  key stored_days_by_state (state, day),
  key stored_days_by_verification (state, verified_at, day)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_records (
  account_id bigint not null,
  day varchar(10) not null,
  metric_id bigint not null,
  resource_id bigint not null,
  quantity double not null,
  primary key (day, account_id, metric_id, resource_id)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_lines (
  id bigint primary key,
  sku_id bigint not null,
  resource_id bigint not null,
  quantity double not null
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists account_days (
  account_id bigint not null,
  day varchar(10) not null,
  first_line bigint not null,
  line_count bigint not null,
  sku_sums mediumtext character set ascii not null,
  primary key (day, account_id)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_digests (
  day varchar(10) not null,
  usage_type bigint not null,
  source_rows bigint not null,
  digest varchar(32) not null,
  primary key (day, usage_type)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists summed_months (
  month varchar(7) primary key
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists month_sums (
  account_id bigint not null,
  month varchar(7) not null,
  metric_id bigint not null,
  resource_id bigint not null,
  quantity double not null,
  primary key (account_id, month, metric_id, resource_id)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists month_sku_sums (
  account_id bigint not null,
  month varchar(7) not null,
  sku_id bigint not null,
  quantity double not null,
  primary key (account_id, month, sku_id)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_corrections (
  id bigint primary key auto_increment,
  day varchar(10) not null,
  account_id bigint not null,
  metric_id bigint not null,
  resource_id bigint not null,
  old_quantity double,
  new_quantity double,
  corrected_at varchar(20) not null,
  kind varchar(11) not null default 'overwritten', -- overwritten, pending, applied
  acknowledged_at varchar(20),
  reason text,
  key stored_corrections_by_day (day),
  key stored_corrections_by_time (corrected_at),
  key stored_corrections_due (kind, acknowledged_at, day)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists correction_lines (
  correction_id bigint not null,
  sku_id bigint not null,
  resource_id bigint not null,
  old_quantity double,
  new_quantity double,
  primary key (correction_id, sku_id, resource_id)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_findings (
  id bigint primary key auto_increment,
  day varchar(10) not null,
  kind varchar(64) not null,
  account_id bigint,
  metric_id bigint,
  resource varchar(255),
  detail text not null,
  acknowledged bigint not null default 0,
  key stored_findings_by_day (day, kind),
  key stored_findings_unacknowledged (acknowledged, day)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists acknowledgements (
  id bigint primary key auto_increment,
  day varchar(10) not null,
  kind varchar(64) not null,
  account_id bigint not null,             -- 0: none
  metric_id bigint not null,              -- 0: none
  resource varchar(255) not null,         -- '': none
  detail text not null,
  reason text not null,
  acknowledged_at varchar(20) not null,
  content binary(32) as (unhex(sha2(detail, 256))) stored,
  unique key acknowledgements_once (day, kind, account_id, metric_id, resource, content)
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists stored_refusals (
  day varchar(10) primary key,
  id bigint not null unique,
  reason text not null,
  source_gone bigint not null,
  wrong_zone bigint not null default 0,
  since varchar(20) not null,
  last_seen varchar(20) not null,
  acknowledged_at varchar(20),
  acknowledged_because text
) engine = innodb default charset = utf8mb4 collate = {collation};

create table if not exists imports (
  id bigint primary key auto_increment,
  started_at varchar(20) not null,
  finished_at varchar(20),
  outcome varchar(12),                    -- done, needs_a_look, error
  seconds double,
  days bigint,
  source_rows bigint,
  records_added bigint,
  records_overwritten bigint,
  error text,
  key imports_by_end (finished_at)
) engine = innodb default charset = utf8mb4 collate = {collation};

create or replace view account_stretches as
select s.account_id, s.since_day,
       coalesce(lead(s.since_day) over (partition by s.account_id order by s.since_day), '9999-12-32') as until_day,
       s.name, h.uuid as domain_uuid, nullif(h.path, '') as domain_path
from account_states s
left join stored_domains h on h.id = s.domain_id;

create or replace view days as
select d.day, if(d.sealed_at is null, d.state, 'sealed') as state, d.source_rows,
       d.records,
       (select count(*) from stored_findings f where f.day = d.day)
         + (select count(*) from stored_refusals r where r.day = d.day) as findings,
       d.imported_at, d.replayed_rows, d.verified_at, d.sealed_at,
       d.sealed_at is null and coalesce(d.day >= (select provisional_from from ledgers), false) as provisional,
       coalesce((select t.timezone from timezones t where t.since_day <= d.day order by t.since_day desc limit 1),
                (select timezone from ledgers)) as timezone
from stored_days d;

create or replace view accounts as
select uuid, name, domain_uuid, domain_path, project_uuid, project_name
from stored_accounts;

create or replace view daily_usage as
select r.day, a.uuid as account_uuid, s.name as account_name, s.domain_path, a.project_uuid,
       m.name as metric, m.unit, nullif(o.uuid, '') as resource_uuid,
       case when o.id = 0 then null else o.name end as resource_name, r.quantity, s.domain_uuid
from stored_accounts a
join account_stretches s on s.account_id = a.id
join stored_days d on d.day >= s.since_day and d.day < s.until_day
join stored_records r on r.day = d.day and r.account_id = a.id
join metrics m on m.id = r.metric_id
join stored_resources o on o.id = r.resource_id;

create or replace view daily_lines as
select x.day, a.uuid as account_uuid, s.name as account_name, s.domain_uuid, s.domain_path, a.project_uuid,
       nullif(z.uuid, '') as zone_uuid, nullif(z.name, '') as zone_name, m.name as metric, m.unit,
       case when u.id = 0 then null else u.kind end as resource_kind, nullif(u.uuid, '') as resource_uuid,
       nullif(u.name, '') as resource_name, nullif(o.uuid, '') as offering_uuid, nullif(o.name, '') as offering_name,
       nullif(k.vcpus, 0) as vcpus, nullif(k.mhz, 0) as mhz, nullif(k.memory_mib, 0) as memory_mib, l.quantity
from stored_accounts a
join account_stretches s on s.account_id = a.id
join stored_days d on d.day >= s.since_day and d.day < s.until_day
join account_days x on x.day = d.day and x.account_id = a.id
join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
join skus k on k.id = l.sku_id
join metrics m on m.id = k.metric_id
join stored_resources z on z.id = k.zone_id
join stored_resources o on o.id = k.offering_id
join stored_resources u on u.id = l.resource_id;

create or replace view corrections as
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

create or replace view findings as
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
            and o.source_id = cast(substr(f.resource, instr(f.resource, ':') + 1) as signed)
            and o.name <> f.resource order by o.id desc limit 1)) as resource_name
from stored_findings f
left join stored_accounts a on a.id = f.account_id
left join metrics m on m.id = f.metric_id
left join acknowledgements k on k.day = f.day and k.kind = f.kind and k.account_id = coalesce(f.account_id, 0)
  and k.metric_id = coalesce(f.metric_id, 0) and k.resource = coalesce(f.resource, '') and k.detail = f.detail
union all
select r.id, r.day, 'refused', null, null, null, null, r.reason, r.acknowledged_at, r.acknowledged_because, null
from stored_refusals r;

create or replace view corrected_lines as
select c.id as correction_id, c.kind, c.day, a.uuid as account_uuid, m.name as metric, m.unit,
       case when u.id = 0 then null else u.kind end as resource_kind, nullif(u.uuid, '') as resource_uuid,
       nullif(u.name, '') as resource_name, nullif(z.uuid, '') as zone_uuid, nullif(z.name, '') as zone_name,
       nullif(o.uuid, '') as offering_uuid, nullif(o.name, '') as offering_name,
       nullif(k.vcpus, 0) as vcpus, nullif(k.mhz, 0) as mhz, nullif(k.memory_mib, 0) as memory_mib,
       p.old_quantity, p.new_quantity
from stored_corrections c
join correction_lines p on p.correction_id = c.id
join stored_accounts a on a.id = c.account_id
join skus k on k.id = p.sku_id
join metrics m on m.id = k.metric_id
join stored_resources z on z.id = k.zone_id
join stored_resources o on o.id = k.offering_id
join stored_resources u on u.id = p.resource_id;

create or replace view resources as
select kind, uuid, name, source_id as cloudstack_id
from stored_resources
where id <> 0;
