//! bootstorm: a farm of booting machines, to find out what a TFTP server does under it.
//!
//! A plan says which machines start when and what they fetch ([`scenario`]). The engine runs them,
//! and what it saw becomes a [`result`], which is printed, merged, compared and drawn. What the
//! files must contain says [`content`]. Of ringboot it uses `wire` alone: it never shares the
//! server's state machines, nor their mistakes.

pub mod arrival;
pub mod commands;
pub mod content;
pub mod engine;
pub mod impair;
pub mod limits;
pub mod machine;
pub mod measure;
pub mod nearest;
pub mod report;
pub mod result;
pub mod scenario;
pub mod slo;
pub mod sources;
