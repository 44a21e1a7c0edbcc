//! Rows of the main database: accounts, offerings and what else usage rows point at.

use super::usage_row::quoted;
use super::{Cloud, Version};

impl Cloud {
    pub fn domain(&self, id: u64, uuid: &str, path: &str) {
        self.main(&format!(
            "insert into domain (id, name, uuid, path) values ({id}, {path}, {uuid}, {path})",
            uuid = quoted(uuid),
            path = quoted(path)
        ));
    }

    pub fn account(&self, id: u64, uuid: &str, name: &str) {
        self.main(&format!(
            "insert into account (id, account_name, uuid, type, domain_id) values ({id}, {}, {}, 0, 1)",
            quoted(name),
            quoted(uuid)
        ));
    }

    /// A project and the hidden account that its usage is booked on.
    pub fn project(&self, account_id: u64, account_uuid: &str, uuid: &str, name: &str) {
        self.account(account_id, account_uuid, &format!("PrjAcct-{name}-1"));
        self.main(&format!(
            "update account set type = 5 where id = {account_id}"
        ));
        self.main(&format!(
            "insert into projects (id, name, uuid, project_account_id, domain_id) \
             values ({account_id}, {}, {}, {account_id}, 1)",
            quoted(name),
            quoted(uuid)
        ));
    }

    /// A service offering. Since 4.17 a disk offering of the same id has nothing to do with it, and is there
    /// to mislead.
    pub fn service_offering(&self, id: u64, uuid: &str, name: &str) {
        if self.version < Version::V4_17 {
            self.disk_offering(id, uuid, name);
            self.main(&format!(
                "update disk_offering set type = 'Service' where id = {id}"
            ));
            self.main(&format!("insert into service_offering (id) values ({id})"));
        } else {
            self.disk_offering(
                id,
                &format!("unrelated-{uuid}"),
                "an unrelated disk offering",
            );
            self.main(&format!(
                "insert into service_offering (id, uuid, name) values ({id}, {}, {})",
                quoted(uuid),
                quoted(name)
            ));
        }
    }

    pub fn disk_offering(&self, id: u64, uuid: &str, name: &str) {
        self.main(&format!(
            "insert into disk_offering (id, uuid, name, disk_size) values ({id}, {}, {}, 0)",
            quoted(uuid),
            quoted(name)
        ));
    }

    /// A network offering or, since 4.15, a backup offering.
    pub fn other_offering(&self, table: &str, id: u64, uuid: &str, name: &str) {
        let (zone, one) = match table {
            "backup_offering" => (", zone_id", ", 1"),
            _ => ("", ""),
        };
        self.main(&format!(
            "insert into {table} (id, uuid, name{zone}) values ({id}, {}, {}{one})",
            quoted(uuid),
            quoted(name)
        ));
    }

    pub fn guest_os(&self, id: u64, display_name: &str) {
        self.main(&format!(
            "insert into guest_os (id, category_id, uuid, display_name) values ({id}, 1, 'os-{id}', {})",
            quoted(display_name)
        ));
    }

    pub fn template(&self, id: u64, guest_os_id: u64) {
        self.main(&format!(
            "insert into vm_template (id, unique_name, name, uuid, format, guest_os_id, account_id) \
             values ({id}, 't{id}', 't{id}', 'template-{id}', 'QCOW2', {guest_os_id}, 1)"
        ));
    }

    pub fn vm(&self, id: u64, guest_os_id: u64) {
        self.main(&format!(
            "insert into vm_instance (id, name, uuid, instance_name, vnc_password, guest_os_id) \
             values ({id}, 'vm{id}', 'vm-{id}', 'i-{id}', 'secret', {guest_os_id})"
        ));
    }

    pub fn ip_address(&self, id: u64, uuid: &str, address: &str) {
        self.main(&format!(
            "insert into user_ip_address (id, uuid, public_ip_address, data_center_id) \
             values ({id}, {}, {}, 1)",
            quoted(uuid),
            quoted(address)
        ));
    }
}
