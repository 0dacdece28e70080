//! The symbols, one family a file.

mod children;
mod connections;
mod descriptors;
mod files;
mod folders;
mod futex;
mod locks;
mod messages;
mod names;
mod opening;
mod paths;
mod probe;
mod readiness;
mod streams;
mod threads;
mod time;
