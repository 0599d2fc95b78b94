//! The handlers of the table, one module per module of the table.

pub(crate) mod app;
pub(crate) mod backup;
pub(crate) mod clicked;
pub(crate) mod container;
pub(crate) mod docker;
pub(crate) mod engine;
pub(crate) mod env;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod image;
pub(crate) mod machine;
pub(crate) mod port;
pub(crate) mod registry;
pub(crate) mod settings;
pub(crate) mod task;
pub(crate) mod terminal;
pub(crate) mod trash;
