-- Runs of the usage server that write days again.

-- From this day on, days that are not sealed are provisional: the newest run went back to it for an event that it may not have
-- been able to process, so that what ended since goes on being counted and what began is missing. Null: none is, as the last
-- import saw it.
alter table ledgers add column provisional_from text;

-- Digests are over what makes rows the same fact, which is no longer what it was. The next import or `verify` keeps new ones.
delete from stored_digests;

drop view days;
create view days as
select d.day, iif(d.sealed_at is null, d.state, 'sealed') as state, d.source_rows,
       d.records,
       (select count(*) from stored_findings f where f.day = d.day)
         + (select count(*) from stored_refusals r where r.day = d.day) as findings,
       d.imported_at, d.replayed_rows, d.verified_at, d.sealed_at,
       d.sealed_at is null and coalesce(d.day >= (select provisional_from from ledgers), false) as provisional
from stored_days d;
