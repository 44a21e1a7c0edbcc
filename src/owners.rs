//! What users and groups are called, for messages about files.

use std::fs;

/// As `/etc/passwd` has it; the number of a user who is kept elsewhere.
pub fn user_name(uid: u32) -> String {
    name_of(uid, "/etc/passwd").unwrap_or_else(|| format!("user {uid}"))
}

/// As `/etc/group` has it; the number of a group that is kept elsewhere.
pub fn group_name(gid: u32) -> String {
    name_of(gid, "/etc/group").unwrap_or_else(|| format!("group {gid}"))
}

/// In both files a line begins with the name, a password and the number.
fn name_of(id: u32, file: &str) -> Option<String> {
    let lines = fs::read_to_string(file).unwrap_or_default();
    lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id.to_string()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_have_the_names_of_the_system() {
        assert_eq!(user_name(0), "root");
        assert_eq!(user_name(4_294_967_294), "user 4294967294");
        assert_eq!(group_name(0), "root");
        assert_eq!(group_name(4_294_967_294), "group 4294967294");
    }
}
