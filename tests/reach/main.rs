//! Every port of the host's loopback is tried from inside of containers, which takes minutes.

use wherry_tests::machine::Machine;
use wherry_tests::reach::{Doors, nothing_in_a_container_reaches_a_control_surface};

#[test]
fn nothing_in_a_container_reaches_a_control_surface_at_any_port() {
    let machine = Machine::start();
    machine.import_busybox();
    machine.web(&[]);
    nothing_in_a_container_reaches_a_control_surface(&machine, Doors::All);
}
