//! `wherry context` through the real program, on a docker configuration of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Person {
    folder: tempfile::TempDir,
}

impl Person {
    fn with(config: Option<&str>) -> Person {
        let person = Person {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for folder in [person.docker(), person.programs()] {
            fs_err::create_dir_all(folder).expect("made");
        }
        if let Some(config) = config {
            fs_err::write(person.config(), config).expect("written");
        }
        person
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn docker(&self) -> PathBuf {
        self.folder.path().join("docker")
    }

    fn config(&self) -> PathBuf {
        self.docker().join("config.json")
    }

    fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    fn context(&self, arguments: &[&str]) -> Output {
        self.command()
            .arg("context")
            .args(arguments)
            .output()
            .expect("the program runs")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wherry"));
        command
            .env("WHERRY_HOME", self.home())
            .env("DOCKER_CONFIG", self.docker())
            .env("PATH", self.programs())
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .stdin(std::process::Stdio::null());
        command
    }
}

fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", words(output));
    words(output)
}

fn text(file: &Path) -> String {
    fs_err::read_to_string(file).expect("readable")
}

#[test]
fn docker_is_pointed_here_and_back() {
    let before = "{\n  \"auths\": {},\n  \"currentContext\": \"colima\"\n}\n";
    let person = Person::with(Some(before));
    let said = done(&person.context(&[]));
    assert!(said.starts_with("docker uses the context wherry now"), "{said}");
    assert!(text(&person.config()).contains("\"currentContext\": \"wherry\""));
    // As the docker command reads it, where there is one.
    if let Ok(inspected) = Command::new("docker")
        .args(["context", "inspect", "--format", "{{.Name}} {{.Endpoints.docker.Host}}"])
        .env("DOCKER_CONFIG", person.docker())
        .env_remove("DOCKER_HOST")
        .output()
    {
        let inspected = done(&inspected);
        assert!(inspected.starts_with("wherry "), "{inspected}");
        assert!(
            cfg!(windows)
                || inspected
                    .trim()
                    .ends_with(&person.home().join("docker.sock").display().to_string()),
            "{inspected}"
        );
    }
    // Twice is as good as once.
    done(&person.context(&[]));
    assert_eq!(done(&person.context(&["--undo"])), "docker is as it was before.\n");
    assert_eq!(text(&person.config()), before);
    assert_eq!(done(&person.context(&["--undo"])), "There is nothing to put back.\n");
    assert_eq!(
        fs_err::read_dir(person.home()).expect("readable").count(),
        0,
        "no record is left"
    );
}

#[cfg(unix)]
#[test]
fn what_is_kept_is_the_person_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let person = Person::with(None);
    done(&person.context(&[]));
    let mode = |path: &Path| fs_err::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&person.home()), 0o700);
    assert_eq!(mode(&person.config()), 0o600);
}

#[test]
fn a_helper_that_is_gone_is_told_and_taken_out_when_asked_to() {
    let person = Person::with(Some(r#"{"credsStore":"desktop"}"#));
    let said = done(&person.context(&[]));
    assert!(
        said.contains("docker-credential-desktop is not installed; docker cannot pull"),
        "{said}"
    );
    assert!(said.contains("wherry context --fix-credentials"), "{said}");
    assert!(text(&person.config()).contains("credsStore"));
    let said = done(&person.context(&["--fix-credentials"]));
    assert!(said.contains("Took docker-credential-desktop out of"), "{said}");
    assert!(!text(&person.config()).contains("credsStore"));
    done(&person.context(&["--undo"]));
    assert_eq!(text(&person.config()), r#"{"credsStore":"desktop"}"#);
}

#[test]
fn a_variable_that_wins_over_the_context_is_told() {
    let person = Person::with(None);
    let output = person
        .command()
        .arg("context")
        .env("DOCKER_HOST", "tcp://localhost:2375")
        .output()
        .expect("the program runs");
    let said = done(&output);
    assert!(
        said.contains("DOCKER_HOST is set to tcp://localhost:2375 in this terminal, and wins over every context"),
        "{said}"
    );
}

#[test]
fn a_configuration_that_is_not_understood_stays_as_it_is() {
    let person = Person::with(Some("{ \"auths\": "));
    let output = person.context(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        words(&output).contains("config.json is not JSON that the docker command would understand"),
        "{}",
        words(&output)
    );
    assert_eq!(text(&person.config()), "{ \"auths\": ");
}

#[test]
fn before_wherry_is_removed_everything_is_put_back_and_data_stays_unless_said() {
    let before = "{\n  \"currentContext\": \"colima\"\n}\n";
    let person = Person::with(Some(before));
    done(&person.context(&[]));
    let disk = person.home().join("machine/data.raw");
    fs_err::create_dir_all(disk.parent().expect("a folder")).expect("made");
    fs_err::write(&disk, "mine").expect("written");
    let uninstall = |arguments: &[&str]| {
        let mut command = person.command();
        command
            .arg("uninstall")
            .args(arguments)
            .output()
            .expect("the program runs")
    };
    let refused = uninstall(&["--data"]);
    assert!(!refused.status.success() && words(&refused).contains("nobody to ask"));
    assert!(text(&person.config()).contains("wherry"), "nothing has happened");

    let said = done(&uninstall(&[]));
    assert!(said.contains("stay in"), "{said}");
    assert_eq!(text(&person.config()), before);
    assert_eq!(text(&disk), "mine");

    let said = done(&uninstall(&["--data", "--yes-delete-everything"]));
    assert!(said.contains("is removed"), "{said}");
    assert!(!person.home().exists());
}
