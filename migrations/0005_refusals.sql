-- Days that an import refused, whether the ledger has them or not: kept until the day is imported.

create table stored_refusals (
  day text primary key,                   -- local day, YYYY-MM-DD
  id integer not null unique,             -- numbered with the findings, among which it is listed
  reason text not null,
  source_gone integer not null check (source_gone in (0, 1)), -- 1: the source does not have its rows any more; 0: a row cannot be
  since text not null,                    -- UTC, YYYY-MM-DDTHH:MM:SSZ, like the two below: when it was first refused for this reason
  last_seen text not null,                -- when it was last refused
  acknowledged_at text,                   -- null: nobody has looked at it
  acknowledged_because text
) strict, without rowid;

-- The numbers of findings go on from here, for refusals as well.
insert into sqlite_sequence (name, seq)
select 'stored_findings', 0 where not exists (select 1 from sqlite_sequence where name = 'stored_findings');

-- A sealed day whose rows were purged is as it should be.
insert into stored_refusals (day, id, reason, source_gone, since, last_seen, acknowledged_at, acknowledged_because)
select f.day, f.id, f.detail, f.detail like 'the source has %',
       coalesce((select max(started_at) from imports), d.imported_at),
       coalesce((select max(started_at) from imports), d.imported_at), k.acknowledged_at, k.reason
from stored_findings f
join stored_days d on d.day = f.day
left join acknowledgements k on k.day = f.day and k.kind = 'refused' and k.detail = f.detail
where f.kind = 'refused' and not (d.sealed_at is not null and f.detail like 'the source has %')
on conflict (day) do nothing;

delete from stored_findings where kind = 'refused';
delete from acknowledgements where kind = 'refused';

drop view findings;
create view findings as
select f.id, f.day, f.kind, a.uuid as account_uuid, a.name as account_name, m.name as metric, f.resource, f.detail,
       k.acknowledged_at, k.reason
from stored_findings f
left join stored_accounts a on a.id = f.account_id
left join metrics m on m.id = f.metric_id
left join acknowledgements k on k.day = f.day and k.kind = f.kind and k.account_id = coalesce(f.account_id, 0)
  and k.metric_id = coalesce(f.metric_id, 0) and k.resource = coalesce(f.resource, '') and k.detail = f.detail
union all
select r.id, r.day, 'refused', null, null, null, null, r.reason, r.acknowledged_at, r.acknowledged_because
from stored_refusals r;

drop view days;
create view days as
select d.day, iif(d.sealed_at is null, d.state, 'sealed') as state, d.source_rows,
       d.records,
       (select count(*) from stored_findings f where f.day = d.day)
         + (select count(*) from stored_refusals r where r.day = d.day) as findings,
       d.imported_at, d.replayed_rows, d.verified_at, d.sealed_at
from stored_days d;
