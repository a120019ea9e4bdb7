//! Every bound, with its reason. A number that limits something stands here or nowhere.
//! Never anything but constants.

mod admission;
mod bursts;
mod disk;
mod images;
mod kernel;
mod log;
mod map_files;
mod multicast;
mod names;
mod retransmission;
mod rules;
mod uploads;
mod view;
mod zero_copy;

pub use admission::*;
pub use bursts::*;
pub use disk::*;
pub use images::*;
pub use kernel::*;
pub use log::*;
pub use map_files::*;
pub use multicast::*;
pub use names::*;
pub use retransmission::*;
pub use rules::*;
pub use uploads::*;
pub use view::*;
pub use zero_copy::*;
