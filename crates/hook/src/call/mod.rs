//! The symbols, one family a file.

mod children;
mod connections;
mod descriptors;
mod futex;
mod messages;
mod names;
mod readiness;
mod streams;
mod threads;
mod time;
