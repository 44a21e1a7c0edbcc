-- The zones that days are of, where they are not all of one: ledgers.timezone is that of the days before the first of
-- these.
create table timezones (
  since_day text primary key,             -- local day, YYYY-MM-DD: the first one of this zone
  timezone text not null,                 -- as configured
  begins_at text not null                 -- UTC, YYYY-MM-DDTHH:MM:SSZ: when that day begins, and the day before ends
) strict, without rowid;

-- A day whose usage rows lie across midnight may be one of a wrong zone, which an earlier version took for equal to its
-- source: it is to be verified again before it is sealed.
update stored_days
set verified_at = null
where sealed_at is null
  and exists (select 1 from stored_findings f where f.day = stored_days.day and f.kind = 'spans_midnight');

-- 1: its windows are those of another zone. Then source_gone is 0.
alter table stored_refusals add column wrong_zone integer not null default 0 check (wrong_zone in (0, 1));

drop view days;
create view days as
select d.day, iif(d.sealed_at is null, d.state, 'sealed') as state, d.source_rows,
       d.records,
       (select count(*) from stored_findings f where f.day = d.day)
         + (select count(*) from stored_refusals r where r.day = d.day) as findings,
       d.imported_at, d.replayed_rows, d.verified_at, d.sealed_at,
       d.sealed_at is null and coalesce(d.day >= (select provisional_from from ledgers), false) as provisional,
       coalesce((select t.timezone from timezones t where t.since_day <= d.day order by t.since_day desc limit 1),
                (select timezone from ledgers)) as timezone
from stored_days d;
