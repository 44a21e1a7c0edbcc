PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE ledgers (
  only integer primary key check (only = 1),
  timezone text not null,                 -- the zone whose local days these are, as configured
  created_at text not null                -- UTC, YYYY-MM-DDTHH:MM:SSZ
, revision integer not null default 0) strict;
INSERT INTO ledgers VALUES(1,'GMT','2026-11-29T12:05:06Z',5);
CREATE TABLE metrics (
  id integer primary key,
  name text not null unique,              -- vm_running, primary_byte_hours, usage_type_99 …
  unit text not null,                     -- hours, bytes, byte-hours, requests, as stored
  per text                                -- what kind of resource it is kept per; null: per account only
) strict;
INSERT INTO metrics VALUES(1,'vm_running','hours','service_offering');
INSERT INTO metrics VALUES(2,'os_usage','hours','guest_os');
INSERT INTO metrics VALUES(3,'network_bytes_sent','bytes',NULL);
INSERT INTO metrics VALUES(4,'primary_byte_hours','byte-hours',NULL);
CREATE TABLE stored_accounts (
  id integer primary key,                 -- account.id in CloudStack
  uuid text not null unique,              -- account.uuid, or account:<id> while it cannot be resolved
  name text not null,                     -- as of the last import
  domain_uuid text,
  domain_path text,                       -- /a/b/, as of the last import
  project_uuid text,                      -- set for the hidden account of a project
  project_name text
) strict;
INSERT INTO stored_accounts VALUES(2,'alice-uuid','alice','d0000000-0000-4000-8000-000000000001','/',NULL,NULL);
CREATE TABLE resources (
  id integer primary key,                 -- 0 stands for "not per resource"
  kind text not null,                     -- service_offering, guest_os, ip_address, network_offering, backup_offering
  source_id integer not null,             -- id in CloudStack's table; 0: the usage row named none
  uuid text not null,                     -- CloudStack's uuid, or <kind>:<source_id> where it could not be resolved
  name text not null,
  unique (kind, source_id, uuid, name)
) strict;
INSERT INTO resources VALUES(0,'none',0,'','');
INSERT INTO resources VALUES(1,'service_offering',5,'small-uuid','small');
INSERT INTO resources VALUES(2,'guest_os',1,'os-1','Debian 7');
CREATE TABLE vm_guest_oses (
  vm_id integer not null,                 -- vm_instance.id in CloudStack
  since_day text not null,                -- holds from this day until the VM's next row
  guest_os_id integer not null, guessed integer not null default 0,           -- guest_os.id in CloudStack; 0: unknown
  primary key (vm_id, since_day)
) strict, without rowid;
INSERT INTO vm_guest_oses VALUES(11,'2013-06-01',1,0);
INSERT INTO vm_guest_oses VALUES(12,'2013-06-01',1,0);
CREATE TABLE stored_days (
  day text primary key,                   -- local day, YYYY-MM-DD
  state text not null check (state in ('open', 'closed')),
  source_rows integer not null,           -- usage rows that touch the day, before replays are removed
  replayed_rows integer not null,         -- of these, counted already by another row
  imported_at text not null               -- UTC, YYYY-MM-DDTHH:MM:SSZ: when the day was last written
, fingerprint text, verified_at text, sealed_at text, records integer not null default 0, accounts integer not null default 0) strict, without rowid;
INSERT INTO stored_days VALUES('2013-06-01','closed',5,0,'2026-11-29T12:05:06Z','5 rows, ids 1 to 5, sum 15','2026-11-29T12:05:06Z','2026-11-29T12:05:06Z',4,1);
INSERT INTO stored_days VALUES('2013-06-02','closed',5,0,'2026-11-29T12:05:06Z','5 rows, ids 6 to 10, sum 40','2026-11-29T12:05:06Z',NULL,4,1);
CREATE TABLE stored_records (
  account_id integer not null references stored_accounts (id),
  day text not null references stored_days (day),
  metric_id integer not null references metrics (id),
  resource_id integer not null references resources (id),
  quantity real not null,                 -- in the metric's unit
  primary key (account_id, day, metric_id, resource_id)
) strict, without rowid;
INSERT INTO stored_records VALUES(2,'2013-06-01',1,1,48.0);
INSERT INTO stored_records VALUES(2,'2013-06-01',2,2,48.0);
INSERT INTO stored_records VALUES(2,'2013-06-01',3,0,5000.0);
INSERT INTO stored_records VALUES(2,'2013-06-01',4,0,51539607552.0);
INSERT INTO stored_records VALUES(2,'2013-06-02',1,1,48.0);
INSERT INTO stored_records VALUES(2,'2013-06-02',2,2,48.0);
INSERT INTO stored_records VALUES(2,'2013-06-02',3,0,5000.0);
INSERT INTO stored_records VALUES(2,'2013-06-02',4,0,51539607552.0);
CREATE TABLE stored_corrections (
  id integer primary key,
  day text not null references stored_days (day),
  account_id integer not null references stored_accounts (id),
  metric_id integer not null references metrics (id),
  resource_id integer not null references resources (id),
  old_quantity real,                      -- in the metric's unit
  new_quantity real,
  corrected_at text not null              -- UTC, YYYY-MM-DDTHH:MM:SSZ
, kind text not null default 'overwritten'
  check (kind in ('overwritten', 'pending', 'applied')), acknowledged_at text, reason text) strict;
CREATE TABLE stored_findings (
  id integer primary key autoincrement,   -- never given again: people acknowledge by it
  day text not null references stored_days (day),
  kind text not null,                     -- size_unknown, replayed_rows, hours_exceed_day …
  account_id integer references stored_accounts (id),
  metric_id integer references metrics (id),
  resource text,                          -- what it is about, such as vm:12 or service_offering:3
  detail text not null
) strict;
CREATE TABLE stored_digests (
  day text not null references stored_days (day),
  usage_type integer not null,            -- CloudStack's number; -1: rows without one
  source_rows integer not null,
  digest text not null,                   -- 32 hexadecimal digits; does not depend on the order of the rows
  primary key (day, usage_type)
) strict, without rowid;
INSERT INTO stored_digests VALUES('2013-06-01',1,2,'dd4a2ad65e8ed2398a8b903759b939a3');
INSERT INTO stored_digests VALUES('2013-06-01',4,1,'312384424035174f663589e11c547121');
INSERT INTO stored_digests VALUES('2013-06-01',6,2,'e76f32a5316944ec348c30def3e424e5');
INSERT INTO stored_digests VALUES('2013-06-02',1,2,'269a4ce7a5c07671e15b6959dd0d7d3b');
INSERT INTO stored_digests VALUES('2013-06-02',4,1,'c141970838ed1db78632f12bb575aeda');
INSERT INTO stored_digests VALUES('2013-06-02',6,2,'21b8db235ea3c352e7cce271a44ee4a9');
CREATE TABLE acknowledgements (
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
CREATE TABLE imports (
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
INSERT INTO imports VALUES(1,'2026-11-29T12:05:06Z','2026-11-29T12:05:06Z','done',0.0099950370000000000186,2,10,8,0,NULL);
DELETE FROM sqlite_sequence;
CREATE INDEX stored_accounts_by_project on stored_accounts (project_uuid) where project_uuid is not null;
CREATE INDEX stored_corrections_by_day on stored_corrections (day);
CREATE INDEX stored_findings_by_day on stored_findings (day);
CREATE VIEW daily_usage as
select r.day, a.uuid as account_uuid, a.name as account_name, a.domain_path, a.project_uuid,
       m.name as metric, m.unit, nullif(s.uuid, '') as resource_uuid,
       case when s.id = 0 then null else s.name end as resource_name, r.quantity
from stored_records r
join stored_accounts a on a.id = r.account_id
join metrics m on m.id = r.metric_id
join resources s on s.id = r.resource_id;
CREATE VIEW accounts as
select uuid, name, domain_uuid, domain_path, project_uuid, project_name
from stored_accounts;
CREATE VIEW days as
select d.day, iif(d.sealed_at is null, d.state, 'sealed') as state, d.source_rows,
       d.records,
       (select count(*) from stored_findings f where f.day = d.day) as findings,
       d.imported_at, d.replayed_rows, d.verified_at, d.sealed_at
from stored_days d;
CREATE VIEW corrections as
select c.day, a.uuid as account_uuid, a.name as account_name, m.name as metric, m.unit,
       nullif(s.uuid, '') as resource_uuid, case when s.id = 0 then null else s.name end as resource_name,
       c.old_quantity, c.new_quantity, c.corrected_at,
       c.id, c.kind, coalesce(c.new_quantity, 0) - coalesce(c.old_quantity, 0) as delta, c.acknowledged_at, c.reason
from stored_corrections c
join stored_accounts a on a.id = c.account_id
join metrics m on m.id = c.metric_id
join resources s on s.id = c.resource_id;
CREATE VIEW findings as
select f.id, f.day, f.kind, a.uuid as account_uuid, a.name as account_name, m.name as metric, f.resource, f.detail,
       k.acknowledged_at, k.reason
from stored_findings f
left join stored_accounts a on a.id = f.account_id
left join metrics m on m.id = f.metric_id
left join acknowledgements k on k.day = f.day and k.kind = f.kind and k.account_id = coalesce(f.account_id, 0)
  and k.metric_id = coalesce(f.metric_id, 0) and k.resource = coalesce(f.resource, '') and k.detail = f.detail;
COMMIT;
pragma user_version = 2;
pragma application_id = 1380074325;
