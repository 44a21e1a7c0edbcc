//! Pages for people with a browser: the same reads as API v1, made into HTML here and now. They need no script, load
//! nothing, and a user sees on them what the API would show. Each page is a module; what they share is in `shell`.

pub mod account;
pub mod accounts;
pub mod corrections;
pub mod day;
mod days;
pub mod domain;
mod links;
pub mod month;
mod months;
mod paging;
mod plot;
pub mod refused;
pub mod resource;
pub mod search;
mod shell;
pub mod statement;
mod totals;
mod used;
mod waiting;
