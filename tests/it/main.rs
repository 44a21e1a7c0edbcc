//! The real program, run as its users run it. One binary, so that the suite links once.

mod config;
mod sandbox;
