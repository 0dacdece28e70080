//! The symbols, one family a file.

mod children;
mod connections;
mod descriptors;
mod files;
mod folders;
mod futex;
mod handlers;
mod jumps;
mod kill;
mod masks;
mod messages;
mod names;
mod opening;
mod paths;
mod probe;
mod readiness;
mod signal_waits;
mod streams;
mod threads;
mod time;
