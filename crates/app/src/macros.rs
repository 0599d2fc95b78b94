//! What turns the table of commands into a dispatcher and TypeScript.
//!
//! The two macros are alike on purpose: a command answers once, a stream answers until either side lets go.

/// `module { name(Params) -> Result; }` becomes a call of `crate::commands::module::name(&app, params)`.
///
/// `module { name(Params) -> Result as clicked::name; }` keeps the action for "What I clicked", with the command that
/// this function makes of the parameters before they are followed.
macro_rules! commands {
    ($($module:ident {
        $($(#[doc = $doc:literal])* $name:ident($($params:ty)?) -> $result:ty $(as $click:path)?;)*
    })*) => {
        /// Answers one command: the result as JSON.
        pub(crate) async fn call(
            app: &$crate::App,
            name: &str,
            params: serde_json::Value,
        ) -> Result<String, $crate::Problem> {
            $($(
                if name == concat!(stringify!($module), ".", stringify!($name)) {
                    $(let params = $crate::macros::params::<$params>(name, params)?;)?
                    $(let click = $click(app, &params).await;)?
                    let result: Result<$result, $crate::Problem> = $crate::commands::$module::$name(
                        app
                        $(, $crate::macros::of::<$params>(params))?
                    )
                    .await;
                    $($crate::macros::clicked::<$result>(app, click, &result, stringify!($click));)?
                    return Ok($crate::macros::json(&result?));
                }
            )*)*
            drop(params);
            Err($crate::macros::unknown(name))
        }

        /// The names, for tests that walk the table.
        pub const COMMANDS: &[&str] = &[$($(concat!(stringify!($module), ".", stringify!($name)),)*)*];

        pub(crate) fn describe_commands(types: &mut $crate::typescript::Types) -> String {
            let mut text = String::from("export interface Commands {\n");
            $($({
                let params = None::<String>$(.or(Some(types.name_of::<$params>())))?;
                let result = types.name_of::<$result>();
                $crate::typescript::entry(
                    &mut text,
                    &[$($doc),*],
                    concat!(stringify!($module), ".", stringify!($name)),
                    params.as_deref(),
                    &result,
                    None,
                );
            })*)*
            text.push_str("}\n");
            text
        }
    };
}

/// `module { name(Params) -> Item, takes Input; }` becomes a call of `crate::streams::module::name(&app, params, inputs)`.
macro_rules! streams {
    ($($module:ident {
        $($(#[doc = $doc:literal])* $name:ident($($params:ty)?) -> $item:ty $(, takes $input:ty)?;)*
    })*) => {
        /// Opens one stream: each item as JSON. Dropping it ends the work behind it.
        pub(crate) async fn open(
            app: &$crate::App,
            name: &str,
            params: serde_json::Value,
            inputs: $crate::Inputs,
        ) -> Result<$crate::Items, $crate::Problem> {
            use futures::StreamExt as _;
            $($(
                if name == concat!(stringify!($module), ".", stringify!($name)) {
                    let items = $crate::streams::$module::$name(
                        app
                        $(, $crate::macros::params::<$params>(name, params)?)?
                        $(, $crate::macros::inputs::<$input>(name, inputs))?
                    )
                    .await?;
                    let items = items.map(|item: Result<$item, $crate::Problem>| {
                        item.map(|item| $crate::macros::json(&item))
                    });
                    return Ok(items.boxed());
                }
            )*)*
            drop(params);
            Err($crate::macros::unknown(name))
        }

        pub const STREAMS: &[&str] = &[$($(concat!(stringify!($module), ".", stringify!($name)),)*)*];

        pub(crate) fn describe_streams(types: &mut $crate::typescript::Types) -> String {
            let mut text = String::from("export interface Streams {\n");
            $($({
                let params = None::<String>$(.or(Some(types.name_of::<$params>())))?;
                let item = types.name_of::<$item>();
                let input = None::<String>$(.or(Some(types.name_of::<$input>())))?;
                $crate::typescript::entry(
                    &mut text,
                    &[$($doc),*],
                    concat!(stringify!($module), ".", stringify!($name)),
                    params.as_deref(),
                    &item,
                    Some(input.as_deref().unwrap_or("never")),
                );
            })*)*
            text.push_str("}\n");
            text
        }
    };
}

pub(crate) use {commands, streams};

use std::any::Any;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::clicked::Click;
use crate::{App, Code, Problem, TaskId};

pub(crate) fn params<T: DeserializeOwned>(name: &str, params: Value) -> Result<T, Problem> {
    serde_json::from_value(params).map_err(|error| Problem {
        code: Code::Invalid,
        message: format!("The parameters of {name} do not fit"),
        hint: None,
        why: None,
        causes: vec![error.to_string()],
        action: None,
    })
}

/// So that the handler of a command without parameters is given none.
pub(crate) fn of<T>(params: T) -> T {
    params
}

/// Long work is kept when it has ended.
pub(crate) fn clicked<T: Any>(app: &App, click: Click, result: &Result<T, Problem>, by: &str) {
    tracing::trace!(by, "an action is kept");
    let task = result
        .as_ref()
        .ok()
        .and_then(|result| (result as &dyn Any).downcast_ref::<TaskId>());
    app.parts.clicked.add(app, click, result.as_ref().err(), task);
}

/// What the page says into a stream. One thing that does not fit is left out: the rest is still meant.
pub(crate) fn inputs<T: DeserializeOwned + Send + 'static>(name: &str, inputs: crate::Inputs) -> BoxStream<'static, T> {
    let name = name.to_owned();
    inputs
        .into_stream()
        .filter_map(move |input| {
            let input = serde_json::from_value(input);
            if let Err(error) = &input {
                tracing::warn!(%error, name, "what the page said into a stream does not fit");
            }
            std::future::ready(input.ok())
        })
        .boxed()
}

/// Our own types always serialize: their maps have string keys and their numbers are finite.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a result could not be written as JSON");
        "null".to_owned()
    })
}

pub(crate) fn unknown(name: &str) -> Problem {
    Problem {
        code: Code::Invalid,
        message: format!("There is no command named {name}"),
        hint: None,
        why: None,
        causes: Vec::new(),
        action: None,
    }
}
