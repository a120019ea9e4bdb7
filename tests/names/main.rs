//! Naming policies from a configuration file, through the real server and real clients; and what
//! `ringboot explain` and `ringboot check` say about them.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod access;
mod advice;
mod clients;
mod hostile;
mod rules;
mod site;
mod template;
