//! Writes a simulated cloud and what its usage server made of it into CloudStack's tables, and reads a
//! ledger back.

use super::cloud::{
    ACCOUNTS, BACKUP_OFFERINGS, Cloud, DISK_OFFERINGS, GUEST_OSES, NETWORK_OFFERINGS,
    SERVICE_OFFERINGS, TEMPLATES,
};
use super::oracle::{Usage, account_uuid, uuid};
use super::server::{Row, Server};
use super::zones::stored;
use crate::cloudstack::{self, UsageRow};

/// Fills both databases.
pub fn write(into: &cloudstack::Cloud, cloud: &Cloud, server: &Server) {
    write_names(into, cloud);
    write_runs(into, server, 0, 0);
}

/// Adds what the usage server has made since it had made so many rows and runs.
pub fn write_runs(into: &cloudstack::Cloud, server: &Server, rows: usize, runs: usize) {
    let rows: Vec<UsageRow> = server.rows[rows..].iter().map(usage_row).collect();
    into.add_usage(&rows);
    for (n, run) in server.runs.iter().enumerate().skip(runs) {
        into.usage(&format!(
            "insert into usage_job (id, job_type, start_millis, end_millis, success, heartbeat) \
             values ({}, 0, {}, {}, 1, '{}')",
            n + 1,
            run.range.start,
            run.range.end,
            stored(run.range.end + 1)
        ));
    }
}

/// Everything that has a name.
pub fn write_names(into: &cloudstack::Cloud, cloud: &Cloud) {
    for id in ACCOUNTS {
        if id == *ACCOUNTS.end() {
            into.project(id, &account_uuid(id), "project-1", "a project");
        } else {
            into.account(id, &account_uuid(id), &format!("account {id}"));
        }
    }
    for id in SERVICE_OFFERINGS {
        into.service_offering(id, &uuid("service_offering", id), "a size");
    }
    for id in DISK_OFFERINGS {
        into.disk_offering(id, &uuid("disk_offering", id), "a disk");
    }
    for id in NETWORK_OFFERINGS {
        let uuid = uuid("network_offering", id);
        into.other_offering("network_offerings", id, &uuid, "a network");
    }
    for id in BACKUP_OFFERINGS {
        let uuid = uuid("backup_offering", id);
        into.other_offering("backup_offering", id, &uuid, "a backup");
    }
    for id in GUEST_OSES {
        into.guest_os(id, &format!("OS {id}"));
    }
    for id in TEMPLATES {
        into.template(id, *GUEST_OSES.start());
    }
    for (vm, guest_os) in &cloud.vms {
        into.vm(*vm, *guest_os);
    }
    for id in &cloud.addresses {
        into.ip_address(*id, &uuid("ip", *id), &format!("192.0.2.{}", id % 256));
    }
}

fn usage_row(row: &Row) -> UsageRow {
    let identity = &row.identity;
    UsageRow {
        zone_id: 1,
        account_id: identity.account_id,
        domain_id: 1,
        description: identity.description.clone(),
        usage_display: row.usage_display.clone(),
        usage_type: identity.usage_type,
        raw_usage: row.raw_usage,
        vm_instance_id: identity.vm_instance_id,
        offering_id: identity.offering_id,
        template_id: identity.template_id,
        usage_id: Some(identity.usage_id),
        kind: identity.device.map(str::to_owned),
        size: identity.size,
        network_id: identity.network_id,
        start: stored(row.window.start),
        end: stored(row.window.end),
        is_hidden: identity.is_hidden,
        state: identity.state.map(str::to_owned),
        ..UsageRow::default()
    }
}

/// What the ledger in the sandbox holds.
pub fn ledger(of: &cloudstack::Cloud) -> Usage {
    usage(
        of,
        "select day, account_uuid, metric, coalesce(resource_uuid, ''), quantity \
         from daily_usage order by 1, 2, 3, 4, 5",
    )
}

/// The lines, by kind and id of what was used and the offering's uuid.
pub fn lines(of: &cloudstack::Cloud) -> Usage {
    usage(
        of,
        "select x.day, a.uuid, m.name, s.kind || ' ' || s.source_id || ' ' || o.uuid, l.quantity \
         from account_days x \
         join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1 \
         join stored_accounts a on a.id = x.account_id \
         join stored_resources s on s.id = l.resource_id \
         join skus k on k.id = l.sku_id \
         join metrics m on m.id = k.metric_id \
         join stored_resources o on o.id = k.offering_id \
         order by 1, 2, 3, 4, 5",
    )
}

/// The records that are not, to the last bit, what SQLite makes of their lines.
pub fn records_beside_their_lines(of: &cloudstack::Cloud) -> Vec<String> {
    let tables = [
        "stored_records",
        "metrics",
        "account_days",
        "stored_lines",
        "skus",
    ];
    of.ledger_by_sqlite(
        &tables,
        "select r.day, m.name, r.quantity, s.quantity
         from stored_records r
         join metrics m on m.id = r.metric_id
         full join (
           select x.day, x.account_id, k.metric_id, sum(l.quantity) as quantity,
                  case when m.per is null then 0 when m.per = 'ip_address' then l.resource_id else k.offering_id end
                    as resource_id
           from account_days x
           join stored_lines l on l.id between x.first_line and x.first_line + x.line_count - 1
           join skus k on k.id = l.sku_id
           join metrics m on m.id = k.metric_id
           group by 1, 2, 3, 5) s using (day, account_id, metric_id, resource_id)
         where r.quantity is not s.quantity",
    )
}

fn usage(of: &cloudstack::Cloud, sql: &str) -> Usage {
    let mut usage = Usage::new();
    for row in of.ledger(sql) {
        let columns: Vec<&str> = row.split(" | ").collect();
        let [day, account, metric, resource, quantity] = columns[..] else {
            panic!("{row}");
        };
        let key = [day, account, metric, resource].map(str::to_owned);
        let quantity: f64 = quantity.parse().expect("a quantity");
        *usage.entry(key.into()).or_insert(0.0) += quantity;
    }
    usage
}
