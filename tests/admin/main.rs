//! The operator's view from outside: metrics, health, who may look. Everything over HTTP to a real server.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod browser;
mod exposition;
mod freeze;
mod health;
mod http;
mod metrics;
mod names;
mod page;
mod top;
mod visitors;
