//! The real program, run as its users run it. One binary, so that the suite links once.

mod arguments;
mod auth;
mod backup;
mod check;
mod config;
mod coverage;
mod crash;
mod db;
mod differential;
mod explain;
mod findings;
mod health;
mod http;
mod import;
mod months;
mod packaging;
mod pages;
mod passwd;
mod plans;
mod real;
mod report;
mod reread;
mod runs;
mod sample;
mod seal;
mod serve;
mod simulator;
mod source;
mod status;
mod tidy;
mod unsettled;
mod v1;
mod variants;
mod verify;
mod wrong_zone;

use fixtures::{cloudstack, mariadb, sandbox, server};
