//! The real window on a virtual screen, driven as WebKit's own automation does: the short way from an image to a page.

mod screen;

use std::process::Command;

use screen::Screen;
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
    window.type_into(&field("Command"), "python -m http.server 8000");
    window.click("//dialog[@open]//button[normalize-space()='Run']");
    window.find("//h1[contains(., 'site')]");
    page_with("127.0.0.1:8000", "Directory listing");
    screen.picture("window-container");

    // A crash of the window touches nothing.
    let pid = window.pid();
    signal(pid, "KILL");
    until("the window to end", || (!alive(pid)).then_some(()));
    page_with("127.0.0.1:8000", "Directory listing");
    drop(window);

    let window = screen.open(&environment);
    window.click("//nav//a[contains(., 'Containers')]");
    window.find("//*[@role='row'][contains(., 'site')][contains(., 'Running')]");
    screen.picture("window-containers");
    run(engine.docker().args(["stop", "--time", "1", "site"]));
    window.find("//*[@role='row'][contains(., 'site')][contains(., 'Exited')]");
    refused("127.0.0.1:8000");
    drop(window);
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
