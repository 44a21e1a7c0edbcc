//! The real program, run as its users run it. One binary, so that the suite links once.

mod cloudstack;
mod differential;
mod mariadb;
mod sample;
mod sandbox;
mod simulator;
mod serve;
mod server;
