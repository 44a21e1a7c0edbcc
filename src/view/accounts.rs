//! Who an account is, in the order in which the server lists it.

use super::{Cell, text};
use crate::ledger::read::accounts::Account;
use crate::output::{Column, Value};

pub const CELLS: &[Cell<Account>] = &[
    (Column::hidden("account_uuid"), |account| {
        Value::Text(account.uuid.clone())
    }),
    (Column::hidden("account_name"), |account| {
        Value::Text(account.name.clone())
    }),
    (Column::hidden("domain_uuid"), |account| {
        text(&account.domain_uuid)
    }),
    (Column::hidden("domain_path"), |account| {
        text(&account.domain_path)
    }),
    (Column::hidden("project_uuid"), |account| {
        text(&account.project_uuid)
    }),
    (Column::hidden("project_name"), |account| {
        text(&account.project_name)
    }),
];

/// The same of one account, as facts of a document.
pub fn facts(account: &Account) -> impl Iterator<Item = (&'static str, Value)> {
    CELLS
        .iter()
        .map(|(column, value)| (column.name, value(account)))
}
