//! A bad network in user space, between two TUN devices.
//! Never looks at what a packet means: it only tells clients apart.

pub mod link;
pub mod packet;
