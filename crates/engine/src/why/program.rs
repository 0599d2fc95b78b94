//! What programs say when a part of them is missing.

use super::{Cause, Facts, Source, Why, pattern};
use crate::Variable;

/// Modules of Python that come with a package of another name.
const PACKAGES: &[(&str, &str)] = &[
    ("cv2", "opencv-python-headless"),
    ("PIL", "pillow"),
    ("yaml", "pyyaml"),
    ("sklearn", "scikit-learn"),
    ("skimage", "scikit-image"),
    ("dotenv", "python-dotenv"),
    ("bs4", "beautifulsoup4"),
    ("psycopg2", "psycopg2-binary"),
    ("MySQLdb", "mysqlclient"),
    ("dateutil", "python-dateutil"),
    ("jwt", "pyjwt"),
    ("multipart", "python-multipart"),
    ("google.generativeai", "google-generativeai"),
    ("attr", "attrs"),
];

/// Libraries that packages of Python expect of the system, and the package of Debian that has them.
const LIBRARIES: &[(&str, &str)] = &[
    ("libGL.so.1", "libgl1"),
    ("libglib-2.0.so.0", "libglib2.0-0"),
    ("libgomp.so.1", "libgomp1"),
    ("libpq.so.5", "libpq5"),
    ("libsndfile.so.1", "libsndfile1"),
    ("libxml2.so.2", "libxml2"),
    ("libstdc++.so.6", "libstdc++6"),
    ("libssl.so.1.1", "libssl1.1"),
    ("libssl.so.3", "libssl3"),
    ("libmariadb.so.3", "libmariadb3"),
];

fn known<'a>(table: &[(&str, &'a str)], name: &'a str) -> &'a str {
    table
        .iter()
        .find(|(module, _)| *module == name)
        .map_or(name, |(_, package)| package)
}

pub(super) fn module_missing(facts: &Facts) -> Option<Why> {
    if facts.exit_code == 0 {
        return None;
    }
    if let Some(said) = facts.said(pattern!(
        r"(ModuleNotFoundError|ImportError): No module named '?(?<module>[\w.]+)|No module named (?<plain>[\w.]+)\s*$"
    )) {
        let module = [said.group("module"), said.group("plain")].concat();
        let top = module.split('.').next().unwrap_or(&module);
        let package = known(PACKAGES, if module.starts_with("google.") { &module } else { top });
        // The program's own file, hidden by a folder or not copied.
        let own = facts
            .log
            .iter()
            .any(|line| line.text.contains(&format!("/{top}/")) && !line.text.contains("site-packages"));
        let mut why = facts
            .why(
                Cause::ModuleMissing,
                &format!("Module {module} is missing"),
                format!("Python does not find the module {module}"),
                if own {
                    format!("{module} looks like a part of your own program: it is not where Python looks for it.")
                } else {
                    format!("The image has no {module}. It belongs into requirements.txt, and into the image.")
                },
            )
            .knows(Source::Log, said.line);
        why = hidden(facts, why, said.line);
        return Some(
            why.copy("Add it to requirements.txt", "Then build the image again.", package)
                .copy(
                    "Or install it in the Dockerfile",
                    "A line before the program is copied.",
                    format!("RUN pip install --no-cache-dir {package}"),
                ),
        );
    }
    let said = facts.said(pattern!(r"(Error: Cannot find (module|package) '(?<module>[^']+)')"))?;
    let module = said.group("module");
    if module.starts_with(['/', '.']) {
        return None;
    }
    let top: Vec<&str> = module
        .split('/')
        .take(if module.starts_with('@') { 2 } else { 1 })
        .collect();
    let top = top.join("/");
    let why = facts
        .why(
            Cause::ModuleMissing,
            &format!("Module {top} is missing"),
            format!("Node does not find the module {top}"),
            format!("The image has no {top}: it is not in package.json, or npm has not been run in the image."),
        )
        .knows(Source::Log, said.line);
    Some(
        hidden(facts, why, "node_modules")
            .copy(
                "Add it to package.json",
                "Then build the image again.",
                format!("npm install {top}"),
            )
            .copy(
                "Install all modules in the image",
                "Two lines for the Dockerfile, before the program is copied.",
                "COPY package*.json ./\nRUN npm ci",
            ),
    )
}

/// A folder of this computer over the program's own hides what the image has there.
fn hidden(facts: &Facts, why: Why, words: &str) -> Why {
    let over = facts.folders.iter().find(|mount| {
        mount.folder
            && (facts.working_folder.starts_with(&mount.target) || words.contains(&format!("{}/", mount.target)))
    });
    match over {
        Some(mount) => why.knows(
            Source::Settings,
            format!(
                "{} lies over {}: what the image has there is hidden, installed modules too",
                mount.source, mount.target
            ),
        ),
        None => why,
    }
}

pub(super) fn library_missing(facts: &Facts) -> Option<Why> {
    if facts.exit_code == 0 {
        return None;
    }
    let said = facts.said(pattern!(
        r"(?<library>lib[\w+.-]+\.so[\d.]*): cannot open shared object file|Error loading shared library (?<musl>lib[\w+.-]+\.so[\d.]*)"
    ))?;
    let library = [said.group("library"), said.group("musl")].concat();
    let package = known(LIBRARIES, &library);
    let why = facts
        .why(
            Cause::LibraryMissing,
            &format!("{library} is missing"),
            format!("The image lacks the library {library}"),
            "The program needs a library of the system, and the image does not have it. Small images (slim, alpine) leave \
             such libraries out.",
        )
        .knows(Source::Log, said.line);
    Some(if package == library {
        why.copy(
            "Find the package that has it",
            "On a Debian or Ubuntu system.",
            format!("apt-file search {library}"),
        )
    } else {
        why.copy(
            "Install it in the image",
            "A line for the Dockerfile, for images that are made of Debian or Ubuntu.",
            format!("RUN apt-get update && apt-get install -y --no-install-recommends {package} && rm -rf /var/lib/apt/lists/*"),
        )
    })
}

/// Images of databases that want a password, and programs that look for a variable.
pub(super) fn variable_missing(facts: &Facts) -> Option<Why> {
    if facts.exit_code == 0 {
        return None;
    }
    let said = facts.said(pattern!(
        r#"(?x)
        specify\ (a\ non-empty\ value\ for\ )?(?<postgres>POSTGRES_PASSWORD)
        | specify\ one\ of\ the\ following.*(?<mysql>MYSQL_ROOT_PASSWORD|MARIADB_ROOT_PASSWORD)
        | -\ (?<listed>MYSQL_ROOT_PASSWORD|MARIADB_ROOT_PASSWORD)
        | ^KeyError:\ '(?<key>[A-Z][A-Z0-9_]{2,})'
        | (?i:environment\ variable|env\ var(iable)?)\s+["'`]?(?<named>[A-Z][A-Z0-9_]{2,})["'`]?\ (?i:is\ )?(?i:not\ set|not\ defined|required|missing|must\ be\ set|is\ not\ set)
        | (?<set>[A-Z][A-Z0-9_]{2,}):?\ (?i:(environment\ variable\ )?(is\ (not\ set|required|missing|undefined)|must\ be\ (set|defined)|not\ set))
        | [Mm]issing\ (required\ )?(env(ironment)?\ (variable\ |var\ ))["'`]?(?<missing>[A-Z][A-Z0-9_]{2,})
        | POSTGRES_PASSWORD=password\ (?<hint>)
        "#
    ))?;
    let variable = ["postgres", "mysql", "listed", "key", "named", "set", "missing"]
        .iter()
        .map(|group| said.group(group))
        .find(|name| !name.is_empty())
        .unwrap_or("POSTGRES_PASSWORD");
    if facts
        .environment
        .iter()
        .any(|(name, value)| name == variable && !value.is_empty())
    {
        return None;
    }
    let secret = crate::is_secret(variable, "x");
    Some(
        facts
            .why(
                Cause::VariableMissing,
                &format!("{variable} is not set"),
                format!("{} wants the variable {variable}", facts.name),
                format!(
                    "The program reads {variable} from its environment when it starts, and it was not given one.{}",
                    if secret {
                        " Choose a value that others do not guess."
                    } else {
                        ""
                    }
                ),
            )
            .knows(Source::Log, said.line)
            .fix(facts.run_again(
                &format!("Give it {variable}"),
                "The form opens with the variable; its value is yours.",
                "Set the variable",
                |spec| {
                    spec.environment.retain(|own| own.name != variable);
                    spec.environment.push(Variable {
                        name: variable.to_owned(),
                        value: String::new(),
                    });
                },
            )),
    )
}
