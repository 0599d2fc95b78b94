//! The handlers of the table's streams.

pub(crate) mod app;
pub(crate) mod container;
pub(crate) mod engine;
pub(crate) mod file;
pub(crate) mod terminal;
