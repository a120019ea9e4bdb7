//! What is deployed beside the program: rules, dashboard, chart, manifests, other servers' configurations.
//! It never needs a cluster, a registry or a running Prometheus: the tools of each say whether they would take it.

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

#[path = "../admin/exposition.rs"]
#[allow(dead_code, reason = "one reader of metric pages for all tests")]
mod exposition;
#[path = "../admin/http.rs"]
#[allow(dead_code, reason = "one HTTP client for all tests")]
mod http;

mod kubernetes;
mod metrics;
mod network;
mod prometheus;
mod tools;
