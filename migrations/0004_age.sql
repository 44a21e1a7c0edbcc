-- What keeps a question from costing more because the ledger is old: an index for everything that waits for somebody,
-- and views whose order of tables SQLite cannot turn around.

-- Days that the ledger lacks between this one and the one before it.
alter table stored_days add column gap_before integer not null default 0;
update stored_days set gap_before = gap.days
from (select day, cast(julianday(day) - julianday(lag(day) over (order by day)) - 1 as integer) as days
      from stored_days) gap
where gap.day = stored_days.day and gap.days > 0;

create trigger stored_days_inserted after insert on stored_days begin
  update stored_days
  set gap_before = coalesce(
    cast(julianday(day) - julianday((select max(p.day) from stored_days p where p.day < stored_days.day)) - 1 as integer), 0)
  where day = new.day or day = (select min(day) from stored_days where day > new.day);
end;

create trigger stored_days_deleted after delete on stored_days begin
  update stored_days
  set gap_before = coalesce(
    cast(julianday(day) - julianday((select max(p.day) from stored_days p where p.day < stored_days.day)) - 1 as integer), 0)
  where day = (select min(day) from stored_days where day > old.day);
end;

create index stored_days_after_gaps on stored_days (day, gap_before) where gap_before > 0;
create index stored_days_open on stored_days (day) where state = 'open';
create index stored_days_unverified on stored_days (day) where state = 'closed' and verified_at is null;

-- Whether somebody has acknowledged it: whether acknowledgements has its content.
alter table stored_findings add column acknowledged integer not null default 0;
update stored_findings set acknowledged = 1
where exists (
  select 1 from acknowledgements k
  where k.day = stored_findings.day and k.kind = stored_findings.kind
    and k.account_id = coalesce(stored_findings.account_id, 0) and k.metric_id = coalesce(stored_findings.metric_id, 0)
    and k.resource = coalesce(stored_findings.resource, '') and k.detail = stored_findings.detail);

create trigger stored_findings_inserted after insert on stored_findings begin
  update stored_findings set acknowledged = exists (
    select 1 from acknowledgements k
    where k.day = new.day and k.kind = new.kind and k.account_id = coalesce(new.account_id, 0)
      and k.metric_id = coalesce(new.metric_id, 0) and k.resource = coalesce(new.resource, '') and k.detail = new.detail)
  where id = new.id;
end;

create trigger acknowledgements_inserted after insert on acknowledgements begin
  update stored_findings set acknowledged = 1
  where day = new.day and kind = new.kind and coalesce(account_id, 0) = new.account_id
    and coalesce(metric_id, 0) = new.metric_id and coalesce(resource, '') = new.resource and detail = new.detail;
end;

create trigger acknowledgements_deleted after delete on acknowledgements begin
  update stored_findings set acknowledged = 0
  where day = old.day and kind = old.kind and coalesce(account_id, 0) = old.account_id
    and coalesce(metric_id, 0) = old.metric_id and coalesce(resource, '') = old.resource and detail = old.detail;
end;

create index stored_findings_unacknowledged on stored_findings (day) where acknowledged = 0;
create index stored_corrections_due on stored_corrections (day) where kind = 'pending' and acknowledged_at is null;
create index stored_corrections_by_time on stored_corrections (corrected_at);

drop view daily_usage;
create view daily_usage as
select r.day, a.uuid as account_uuid, a.name as account_name, a.domain_path, a.project_uuid,
       m.name as metric, m.unit, nullif(s.uuid, '') as resource_uuid,
       case when s.id = 0 then null else s.name end as resource_name, r.quantity
from stored_accounts a
cross join stored_records r on r.account_id = a.id
join metrics m on m.id = r.metric_id
join resources s on s.id = r.resource_id;
