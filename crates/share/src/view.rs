//! Which files the guest may name.
//!
//! The tree starts at the host's root. A folder on the way to a shared one is a gate: it shows only the next name of the
//! way and cannot be changed. Below a shared folder everything is shown, but for the hidden folders.

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};

/// The name of a node in the conversation with the guest.
pub(crate) type Node = u64;

#[derive(Debug, Default)]
pub(crate) struct View {
    /// For each gate the names it lets through.
    pub(crate) gates: HashMap<Node, HashSet<CString>>,
    pub(crate) hidden: HashSet<Node>,
    /// The names of hidden folders where they are, so that they stay hidden when they are made anew.
    pub(crate) hidden_names: HashMap<Node, HashSet<CString>>,
    /// The folders on the way to hidden ones: moved elsewhere they would show them under another path.
    pub(crate) fixed: HashSet<Node>,
}

/// What becomes of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Full,
    /// It may be looked up, not changed.
    Way,
    /// For the guest there is no such name.
    None,
}

impl View {
    /// One shared folder or hidden folder: the nodes from the root on, each with its name in the one before.
    pub(crate) fn add_gates(&mut self, way: &[(Node, CString)]) {
        for (gate, name) in way {
            self.gates.entry(*gate).or_default().insert(name.clone());
        }
    }

    pub(crate) fn hide(&mut self, parent: Node, name: CString, node: Option<Node>) {
        self.hidden_names.entry(parent).or_default().insert(name);
        self.hidden.extend(node);
    }

    /// It stays where it is.
    pub(crate) fn is_fixed(&self, node: Node) -> bool {
        self.fixed.contains(&node) || self.is_hidden(node)
    }

    pub(crate) fn is_gate(&self, node: Node) -> bool {
        self.gates.contains_key(&node)
    }

    pub(crate) fn is_hidden(&self, node: Node) -> bool {
        self.hidden.contains(&node)
    }

    pub(crate) fn access(&self, parent: Node, name: &CStr) -> Access {
        if self.is_hidden(parent) {
            return Access::None;
        }
        // The guest's kernel resolves these itself and never asks. Whoever does has taken it over.
        if matches!(name.to_bytes(), b"" | b"." | b"..") || name.to_bytes().contains(&b'/') {
            return Access::None;
        }
        if self.hidden_names.get(&parent).is_some_and(|names| names.contains(name)) {
            return Access::None;
        }
        match self.gates.get(&parent) {
            Some(names) if names.contains(name) => Access::Way,
            Some(_) => Access::None,
            None => Access::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/home/ada` is shared, `/home/ada/.wherry` is hidden: nodes 1, 2, 3 and 4.
    fn view() -> View {
        let mut view = View::default();
        view.add_gates(&[(1, c"home".into()), (2, c"ada".into())]);
        view.hide(3, c".wherry".into(), Some(4));
        view
    }

    #[test]
    fn the_way_to_a_folder_shows_nothing_else() {
        let view = view();
        assert_eq!(view.access(1, c"home"), Access::Way);
        assert_eq!(view.access(1, c"etc"), Access::None);
        assert_eq!(view.access(2, c"bob"), Access::None);
        assert_eq!(view.access(3, c"project"), Access::Full);
    }

    #[test]
    fn what_is_hidden_has_neither_name_nor_node() {
        let view = view();
        assert_eq!(view.access(3, c".wherry"), Access::None);
        assert!(view.is_hidden(4));
        assert_eq!(view.access(4, c"docker.sock"), Access::None);
    }

    #[test]
    fn no_name_leads_up_or_sideways() {
        let view = view();
        for name in [c"", c".", c"..", c"a/b", c"../../etc/passwd", c"/etc/passwd"] {
            assert_eq!(view.access(3, name), Access::None, "{name:?}");
        }
    }
}
