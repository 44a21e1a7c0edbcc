//! The real program, run as its users run it. One binary, so that the suite links once.

mod auth;
mod check;
mod cloudstack;
mod config;
mod crash;
mod differential;
mod explain;
mod gate;
mod health;
mod import;
mod mariadb;
mod passwd;
mod report;
mod reread;
mod sample;
mod sandbox;
mod seal;
mod serve;
mod server;
mod simulator;
mod source;
mod status;
mod tidy;
mod v1;
mod variants;
mod verify;
