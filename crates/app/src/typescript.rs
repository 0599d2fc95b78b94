//! The TypeScript side of the table: one file, `ui/src/lib/api/generated.ts`.

use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use ts_rs::{Config, TS, TypeVisitor};

use crate::table;

/// The whole file. `cargo xtask types` writes it, and a test fails when the one in the repository is older.
pub fn typescript() -> String {
    let mut types = Types::new();
    let commands = table::describe_commands(&mut types);
    let streams = table::describe_streams(&mut types);
    types.add::<crate::Problem>();
    let mut file =
        String::from("// Made from crates/app/src/table.rs by `cargo xtask types`. Changes here are lost.\n\n");
    for declaration in types.declarations.values() {
        file.push_str(declaration);
        file.push('\n');
    }
    file.push_str(&commands);
    file.push('\n');
    file.push_str(&streams);
    file
}

/// Declarations of every type that the table names, by name.
pub(crate) struct Types {
    config: Config,
    seen: HashSet<TypeId>,
    declarations: BTreeMap<String, String>,
}

impl Types {
    fn new() -> Types {
        Types {
            // Bytes and milliseconds stay far below 2^53, so that plain numbers hold them.
            config: Config::new().with_large_int("number"),
            seen: HashSet::new(),
            declarations: BTreeMap::new(),
        }
    }

    pub(crate) fn name_of<T: TS + 'static>(&mut self) -> String {
        self.add::<T>();
        T::name(&self.config)
    }

    fn add<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        // Only derived types have a place of their own; the rest are TypeScript's own types.
        if T::output_path().is_some() {
            let docs = T::docs().unwrap_or_default();
            self.declarations.insert(
                T::ident(&self.config),
                format!("{docs}export {}\n", T::decl(&self.config)),
            );
        }
        T::visit_generics(self);
        T::visit_dependencies(self);
    }
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        self.add::<T>();
    }
}

/// `input` is what the page may say into a stream.
pub(crate) fn entry(
    text: &mut String,
    docs: &[&str],
    name: &str,
    params: Option<&str>,
    result: &str,
    input: Option<&str>,
) {
    let input = input.map_or_else(String::new, |input| format!("; input: {input}"));
    let params = params.unwrap_or("null");
    for doc in docs {
        let _ = writeln!(text, "  /** {} */", doc.trim());
    }
    let _ = writeln!(text, "  \"{name}\": {{ params: {params}; result: {result}{input} }};");
}
