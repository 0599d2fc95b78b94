//! `guest/recipe`: which files of which packages, and the tree around them. The file explains its own format.

use std::path::PathBuf;

use super::packages::Package;
use super::{Arch, Error};
use crate::workspace;

pub(super) struct Recipe {
    /// The words of the file: comments and spacing do not make another image.
    pub(super) text: String,
    pub(super) steps: Vec<Step>,
    pub(super) kernel: String,
    /// What the packet filter's command is built from, and with.
    filter: Vec<String>,
    pub(super) tools: Vec<String>,
    /// What `packages.<arch>.lock` pins; empty when there is no such file yet.
    pub(super) pinned: Vec<Package>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Take {
        package: String,
        files: Vec<String>,
    },
    Join {
        target: String,
        package: String,
        files: String,
    },
    Link {
        path: String,
        target: String,
    },
    Folder {
        path: String,
    },
    Bind {
        path: String,
    },
}

pub(super) fn folder() -> PathBuf {
    workspace::root().join("guest")
}

pub(super) fn lock_path(arch: Arch) -> PathBuf {
    folder().join(format!("packages.{}.lock", arch.name()))
}

impl Recipe {
    pub(super) fn read(arch: Arch) -> Result<Self, Error> {
        let path = folder().join("recipe");
        let mut recipe =
            parse(&fs_err::read_to_string(&path)?, arch).map_err(|(line, what)| Error::Syntax { path, line, what })?;
        let path = lock_path(arch);
        if path.exists() {
            recipe.pinned = super::packages::parse_lock(&fs_err::read_to_string(&path)?)
                .map_err(|(line, what)| Error::Syntax { path, line, what })?;
        }
        Ok(recipe)
    }

    /// The packages whose files are in the image.
    pub(super) fn taken(&self) -> Vec<&str> {
        let packages = self.steps.iter().filter_map(|step| match step {
            Step::Take { package, .. } | Step::Join { package, .. } => Some(package.as_str()),
            Step::Link { .. } | Step::Folder { .. } | Step::Bind { .. } => None,
        });
        sorted(packages)
    }

    /// The packages that the packet filter's command is built from, and with.
    pub(super) fn filter(&self) -> Vec<&str> {
        sorted(self.filter.iter().map(String::as_str))
    }

    /// Every package that is named.
    pub(super) fn names(&self) -> Vec<&str> {
        let tools = self.tools.iter().map(String::as_str);
        let others = tools.chain(self.filter()).chain([self.kernel.as_str()]);
        sorted(self.taken().into_iter().chain(others))
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn parse(text: &str, arch: Arch) -> Result<Recipe, (usize, &'static str)> {
    let mut recipe = Recipe {
        text: String::new(),
        steps: Vec::new(),
        kernel: String::new(),
        filter: Vec::new(),
        tools: Vec::new(),
        pinned: Vec::new(),
    };
    for (index, line) in text.lines().enumerate() {
        let line = line.trim().replace("{triplet}", arch.triplet());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let own = |word: &&str| (*word).to_owned();
        match words.as_slice() {
            ["take", package, files @ ..] => recipe.steps.push(Step::Take {
                package: own(package),
                files: files.iter().map(own).collect(),
            }),
            ["join", target, package, files] => recipe.steps.push(Step::Join {
                target: own(target),
                package: own(package),
                files: own(files),
            }),
            ["link", path, target] => recipe.steps.push(Step::Link {
                path: own(path),
                target: own(target),
            }),
            ["folder", path] => recipe.steps.push(Step::Folder { path: own(path) }),
            ["bind", path] => recipe.steps.push(Step::Bind { path: own(path) }),
            ["kernel", package] => recipe.kernel = own(package),
            ["filter", packages @ ..] => recipe.filter = packages.iter().map(own).collect(),
            ["tool", package] => recipe.tools.push(own(package)),
            _ => return Err((index + 1, "not one of the forms that the file's beginning lists")),
        }
        recipe.text.push_str(&words.join(" "));
        recipe.text.push('\n');
    }
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_spacing_do_not_make_another_image() {
        let plain = parse(
            "take iptables usr/lib/{triplet}/xtables/*\nfolder data\n",
            Arch::Aarch64,
        )
        .unwrap();
        let spaced = parse(
            "# why\n\n take  iptables   usr/lib/{triplet}/xtables/*\nfolder data",
            Arch::Aarch64,
        )
        .unwrap();
        assert_eq!(plain.text, spaced.text);
        assert_eq!(
            plain.steps,
            [
                Step::Take {
                    package: "iptables".into(),
                    files: vec!["usr/lib/aarch64-linux-gnu/xtables/*".into()]
                },
                Step::Folder { path: "data".into() }
            ]
        );
    }

    #[test]
    fn a_slip_is_named_by_its_line() {
        let slip = parse("folder data\nlinks a b\n", Arch::X86_64).err();
        assert_eq!(slip.map(|(line, _)| line), Some(2));
    }

    #[test]
    fn the_recipe_and_its_locks_agree() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let recipe = Recipe::read(arch).unwrap();
            let pinned: Vec<&str> = recipe.pinned.iter().map(|package| package.name.as_str()).collect();
            assert_eq!(
                recipe.names(),
                pinned,
                "run `cargo xtask guest --update --arch {}`",
                arch.name()
            );
        }
    }
}
