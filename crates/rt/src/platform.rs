//! The backend of this platform, for what is built on both.

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
pub(crate) use crate::mn::{
    give_processor_away,
    stay::Stay,
    suspension::{Alarm, Sleeper, Suspension, interrupt},
};
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
pub(crate) use crate::stub::{
    Stay, give_processor_away,
    suspension::{Alarm, Sleeper, Suspension, interrupt},
};
