//! The real window on a virtual screen, driven as WebKit's own automation does: the short way from an image to a page.

mod screen;
mod tray;

use std::path::Path;
use std::process::Command;

use screen::{Screen, Window};
use tray::Tray;
use wherry_tests::engine::Engine;
use wherry_tests::fetch::{page_with, refused};
use wherry_tests::machine::Machine;
use wherry_tests::process::{alive, installed, is_root, run, signal, until};
use wherry_tests::registry::Registry;
use wherry_tests::{images, skip_unless};

#[test]
fn from_an_image_to_a_page_and_through_a_crash() {
    skip_unless!(
        is_root() && installed("dockerd"),
        "a native engine of the test's own needs root and dockerd"
    );
    skip_unless!(
        installed("Xvfb") && installed("WebKitWebDriver"),
        "Xvfb and WebKitWebDriver draw and drive the window"
    );
    skip_unless!(installed("dbus-daemon"), "dbus-daemon is the bus of a tray");
    let registry = Registry::serve(&images::storage());
    let engine = Engine::start(Some(&registry.address()));
    let home = Machine::home();
    let screen = Screen::start(home.path());
    let environment = [
        ("WHERRY_HOME", home.path().display().to_string()),
        ("DOCKER_HOST", engine.address()),
    ];

    let window = screen.open(&environment);
    window.click("//button[normalize-space()='Go to the app']");
    window.click("//nav//a[contains(., 'Images')]");
    window.click("//button[contains(., 'Pull an image')]");
    window.type_into(&field("Image"), "python:3.13-slim");
    window.click("//dialog[@open]//button[normalize-space()='Pull']");
    window.click("//dialog[@open]//button[starts-with(normalize-space(), 'Run')]");
    window.type_into(&field("Name"), "site");
    window.type_into("//dialog[@open]//input[@aria-label='Port on this computer']", "8000");
    window.type_into("//dialog[@open]//input[@aria-label='Port in the container']", "8000");
    window.type_into(&field("Command"), "python -m http.server --directory /site 8000");
    let site = home.path().join("my site");
    fs_err::create_dir(&site).expect("a folder");
    fs_err::write(site.join("index.html"), "chosen in a dialog").expect("a page");
    fs_err::write(site.join(".env"), "MODE=on").expect("a file of variables");
    chooses_with_the_systems_dialog(&screen, &window, &site);
    window.click("//dialog[@open]//button[normalize-space()='Run']");
    window.find("//h1[contains(., 'site')]");
    page_with("127.0.0.1:8000", "chosen in a dialog");
    screen.picture("window-container");

    // A crash of the window touches nothing.
    let pid = window.pid();
    signal(pid, "KILL");
    until("the window to end", || (!alive(pid)).then_some(()));
    page_with("127.0.0.1:8000", "chosen in a dialog");
    drop(window);

    let tray = Tray::start(home.path());
    let [home_variable, engine_variable] = environment.clone();
    let window = screen.open(&[home_variable, engine_variable, tray.environment()]);
    window.click("//nav//a[contains(., 'Containers')]");
    window.find("//*[@role='row'][contains(., 'site')][contains(., 'Running')]");
    screen.picture("window-containers");

    // A window with text that is not saved asks before it closes, and before the tray's Quit.
    run(engine
        .docker()
        .args(["exec", "site", "sh", "-c", "echo one >/note.txt"]));
    window.click("//*[@role='row']//a[normalize-space()='site']");
    window.click("//a[@role='tab'][normalize-space()='Files']");
    window.click("//*[@role='row'][contains(., 'note.txt')]");
    saves_where_the_person_says(&screen, &window, home.path());
    window.click("//div[contains(@class, 'editor')]");
    window.type_keys("two");
    window.find("//*[normalize-space()='Not saved']");
    window.click("//button[@aria-label='Close the window']");
    window.find("//dialog[@open]//h2[contains(., 'Leave without saving')]");
    screen.picture("window-unsaved");
    window.click("//dialog[@open]//button[normalize-space()='Cancel']");
    window.find("//*[normalize-space()='Not saved']");
    let pid = window.pid();
    let icon = tray.icon();
    tray.choose(&icon, "Quit Wherry");
    window.click("//dialog[@open]//button[normalize-space()='Cancel']");
    window.find("//*[normalize-space()='Not saved']");
    tray.choose(&icon, "Quit Wherry");
    window.click_at_last("//dialog[@open]//button[normalize-space()='Leave without saving']");
    until("the process to end, though there is a tray", || {
        (!alive(pid)).then_some(())
    });
    drop(window);

    let window = screen.open(&environment);
    window.click("//nav//a[contains(., 'Containers')]");
    window.find("//*[@role='row'][contains(., 'site')][contains(., 'Running')]");
    run(engine.docker().args(["stop", "--time", "1", "site"]));
    window.find("//*[@role='row'][contains(., 'site')][contains(., 'Exited')]");
    refused("127.0.0.1:8000");
    let pid = window.pid();
    window.click_at_last("//button[@aria-label='Close the window']");
    until("the process to end, as there is no tray", || {
        (!alive(pid)).then_some(())
    });
    drop(window);
}

#[test]
fn the_first_run_starts_an_engine_from_nothing() {
    skip_unless!(
        installed("Xvfb") && installed("WebKitWebDriver"),
        "Xvfb and WebKitWebDriver draw and drive the window"
    );
    let home = Machine::home();
    let screen = Screen::start(home.path());
    let window = screen.open(&no_engine_but_ours(&home));
    window.find("//h1[normalize-space()='Welcome aboard']");
    screen.picture("first-run-welcome");
    window.click("//button[contains(., \"Start Wherry's own engine\")]");
    window.find("//ol[@aria-label='Steps of the start']");
    screen.picture("first-run-steps");
    window.click("//button[normalize-space()='Continue']");
    window.find("//button[contains(., 'Run nginx') or contains(., 'Run your first container')]");
    screen.picture("first-run-container");
    window.click("//button[normalize-space()='Go to the app']");
    window.find("//footer[contains(., 'Engine running')]");
    screen.picture("first-run-home");
    assert_eq!(home.state(), "running");
    drop(window);
    assert_eq!(home.state(), "running", "closing the window stops nothing");
}

#[test]
fn the_machine_goes_on_without_the_window() {
    skip_unless!(
        installed("Xvfb") && installed("WebKitWebDriver"),
        "Xvfb and WebKitWebDriver draw and drive the window"
    );
    let machine = Machine::start();
    machine.import_busybox();
    let screen = Screen::start(machine.path());
    let environment = no_engine_but_ours(&machine);

    let window = screen.open(&environment);
    window.click("//button[normalize-space()='Go to the app']");
    window.click("//nav//a[contains(., 'Settings')]");
    window.click("//nav[@aria-label='Sections']//a[contains(., 'Engine')]");
    window.click("//label[contains(., \"Wherry's own engine\")]");
    window.click("//nav//a[contains(., 'Containers')]");
    window.find("//footer[contains(., 'Engine running')]");
    let at = machine.web(&[]);
    window.find("//*[@role='row'][contains(., 'web')][contains(., 'Running')]");
    let (window_process, qemu) = (window.pid(), machine.pid());
    signal(window_process, "KILL");
    until("the window to end", || (!alive(window_process)).then_some(()));
    drop(window);
    page_with(&at, images::PAGE);
    assert_eq!(machine.pid(), qemu, "the machine is the same");

    let window = screen.open(&environment);
    window.click("//nav//a[contains(., 'Containers')]");
    window.find("//*[@role='row'][contains(., 'web')][contains(., 'Running')]");
    screen.picture("window-machine");
    // Suspended and woken from the window: what ran goes on.
    window.click("//nav//a[contains(., 'Home')]");
    window.click("//button[normalize-space()='Suspend']");
    window.find("//footer[contains(., 'Engine suspended')]");
    window.click("//main//button[normalize-space()='Wake the engine']");
    window.find("//footer[contains(., 'Engine running')]");
    page_with(&at, images::PAGE);
    // Stopped from the window, the machine and its port are gone; the window says so.
    window.click("//button[normalize-space()='Stop engine']");
    window.click("//dialog[@open]//button[normalize-space()='Stop the engine']");
    window.find("//footer[contains(., 'Engine stopped')]");
    refused(&at);
    window.click("//button[normalize-space()='Start engine']");
    window.find("//footer[contains(., 'Engine running')]");
    drop(window);
}

/// A folder and a file come into the run form without being typed, and what is asked and shown follows at once.
fn chooses_with_the_systems_dialog(screen: &Screen, window: &Window, site: &Path) {
    window.click("//dialog[@open]//button[@aria-label='Add a folder or volume']");
    window.type_into("//dialog[@open]//input[@aria-label='Path in the container']", "/site");
    let row = "//dialog[@open]//*[@role='group'][@aria-label='Folder or volume 1']";
    window.click(&format!("{row}//button[@aria-label='Choose…']"));
    window.click(&format!("{row}//button[normalize-space()='Choose a folder…']"));
    screen.choose("Choose a folder", site, Some("window-choose"));
    window.find(&format!("//dialog[@open]//*[contains(., '{}:/site')]", site.display()));
    window.find("//dialog[@open]//*[contains(text(), 'is there')]");

    window.click("//dialog[@open]//button[contains(., 'Import .env')]");
    let row = "//dialog[@open]//*[@role='group'][@aria-label='File of variables']";
    window.click(&format!("{row}//button[@aria-label='Choose…']"));
    screen.choose("Choose a file of variables", &site.join(".env"), None);
    window.click(&format!("{row}//button[normalize-space()='What it really says']"));
    window.find("//dialog[@open]//tr[contains(., 'MODE')][contains(., 'on')]");
    window.click("//dialog[@open]//button[normalize-space()='Back to the form']");

    // Nothing chosen is nothing changed.
    window.click(&format!("{row}//button[@aria-label='Choose…']"));
    screen.press("Choose a file of variables", "Escape");
    window.find(&format!("{row}//button[@aria-label='Choose…'][not(@disabled)]"));
    window.find("//dialog[@open]//*[contains(., '--env-file')]");
}

/// What is saved goes where the system's dialog is told, and nowhere when that is closed.
fn saves_where_the_person_says(screen: &Screen, window: &Window, folder: &Path) {
    let to = folder.join("my note.txt");
    let save = "//button[@aria-label='Download note.txt']";
    window.click(save);
    screen.press("Save /note.txt", "Escape");
    window.click(save);
    // Of the name that is offered the ending stays when somebody types.
    screen.choose("Save /note.txt", &to.with_extension(""), Some("window-save"));
    window.find(&format!("//*[contains(text(), 'Saved as {}')]", to.display()));
    assert_eq!(fs_err::read_to_string(&to).expect("what was saved"), "one\n");
}

/// A person's computer on which no Docker was ever installed.
fn no_engine_but_ours(home: &Machine) -> [(&'static str, String); 3] {
    [
        ("WHERRY_HOME", home.path().display().to_string()),
        ("DOCKER_HOST", String::new()),
        ("DOCKER_CONFIG", home.path().join("docker").display().to_string()),
    ]
}

/// The field of the open dialog with this label.
fn field(label: &str) -> String {
    format!("//dialog[@open]//input[@id=//label[starts-with(normalize-space(), '{label}')]/@for]")
}

#[test]
fn without_a_screen_it_says_so() {
    let home = Machine::home();
    let mut command = Command::new(wherry_tests::process::program("wherry-desktop"));
    command
        .env("WHERRY_HOME", home.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    let output = wherry_tests::process::output(&mut command);
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).to_lowercase();
    assert!(words.contains("graphical session"), "{words}");
}
