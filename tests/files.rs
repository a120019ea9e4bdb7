//! Files as clients may ask for them and as operators treat them while they are served.
//! It never measures time.

#[path = "files/confinement.rs"]
mod confinement;
#[path = "files/content.rs"]
mod content;
#[path = "files/loading.rs"]
mod loading;
#[path = "files/policies.rs"]
mod policies;
#[path = "files/writes.rs"]
mod writes;
