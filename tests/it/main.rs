//! The real program, run as its users run it. One binary, so that the suite links once.

mod cloudstack;
mod differential;
mod mariadb;
mod sandbox;
mod simulator;
